use bytes::Bytes;
use chorale_p2p::{Class, limits};

use crate::common::{Node, SHORT_VIEW_TIMEOUT, config, eventually, index, introduce};

#[tokio::test(flavor = "multi_thread")]
async fn an_application_that_takes_nothing_for_long_loses_nothing_and_stays_connected() {
    let mut nodes = Vec::new();
    for number in 0..2 {
        let mut config = config(number, 2);
        config.view_timeout = SHORT_VIEW_TIMEOUT;
        nodes.push(Node::start(config).await);
    }
    introduce(&nodes);
    nodes[0].until_up(&[1]).await;
    let sender = nodes[0].network.clone();
    let batch = |number: u8| Bytes::from(vec![number; Class::Batch.bytes_max()]);
    let budget = usize::try_from(limits::EVENT_BYTES_PER_PEER_MAX).unwrap();
    // More than its budget holds, and no more than it and the sender's queue hold together.
    let count = u8::try_from(budget / Class::Batch.bytes_max() + 6).unwrap();
    for number in 0..count {
        eventually("room in the queue", || {
            sender.peers()[0].queued_bytes + Class::Batch.bytes_max()
                <= Class::Batch.queue_bytes_max()
        })
        .await;
        sender.send(index(1), Class::Batch, batch(number)).unwrap();
    }
    tokio::time::sleep(SHORT_VIEW_TIMEOUT * 6).await;
    assert!(sender.peers()[0].queued > 0, "the receiver's bound holds the sender back");
    for number in 0..count {
        let (_, _, bytes) = nodes[1].message().await;
        assert_eq!((bytes.len(), bytes[0]), (Class::Batch.bytes_max(), number));
    }
    let status = &sender.peers()[0];
    assert_eq!((status.dropped, status.reconnects), (0, 0), "{status:?}");
    assert!(status.outbound_open);
}
