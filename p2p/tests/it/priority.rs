use bytes::Bytes;
use chorale_p2p::Class;

use crate::common::{Node, config, index, introduce};

#[tokio::test(flavor = "multi_thread")]
async fn urgent_messages_overtake_batches_that_wait() {
    let first = Node::start(config(0, 2)).await;
    // Nobody is there yet: everything waits, batches first.
    for number in 0..8 {
        let batch = Bytes::from(vec![number; Class::Batch.bytes_max()]);
        first.network.send(index(1), Class::Batch, batch).unwrap();
    }
    for class in [Class::Sync, Class::Proposal, Class::Vote, Class::Timeout] {
        first.network.send(index(1), class, Bytes::from_static(b"late")).unwrap();
    }
    let mut nodes = [first, Node::start(config(1, 2)).await];
    introduce(&nodes);
    let mut order = Vec::new();
    for _ in 0..12 {
        order.push(nodes[1].message().await.1);
    }
    let batches = [Class::Batch; 8];
    let urgent = [Class::Timeout, Class::Vote, Class::Proposal];
    assert_eq!(order, [&urgent[..], &batches[..], &[Class::Sync]].concat());
}
