use bytes::Bytes;
use chorale_p2p::{Class, SendError, SetError};

use crate::common::{Node, cluster, config, eventually, index, member};

#[tokio::test(flavor = "multi_thread")]
async fn a_new_set_connects_who_joins_and_disconnects_who_leaves() {
    let mut nodes = cluster(3).await;
    let mut joining = config(3, 4);
    joining.me = Some(index(3));
    nodes.push(Node::start(joining).await);
    // 2 leaves, 3 joins; 0 and 1 stay.
    let next: Vec<_> =
        [0, 1, 3].map(|n: u16| member(n, vec![nodes[usize::from(n)].address()])).to_vec();
    for node in &nodes {
        node.network.update_validators(&next).unwrap();
    }
    nodes[3].until_up(&[0, 1]).await;
    for number in [0, 1] {
        let node = &mut nodes[usize::from(number)];
        node.until_up(&[3]).await;
        let to = index(2);
        let refusal = node.network.send(to, Class::Vote, Bytes::from_static(b"v"));
        assert_eq!(refusal, Err(SendError::Unknown { to }));
        let stays = index(1 - number);
        let status = node.network.peers().into_iter().find(|p| p.index == stays).unwrap();
        assert!(status.outbound_open && status.reconnects == 0, "{status:?}");
    }
    let left = nodes[2].network.clone();
    eventually("who left has no stream", || left.peers().iter().all(|p| !p.outbound_open)).await;
    nodes[3].network.broadcast(Class::Vote, Bytes::from_static(b"new here")).unwrap();
    for number in [0, 1] {
        assert_eq!(nodes[number].message().await.0, 3);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_set_that_cannot_be_used_changes_nothing() {
    let mut nodes = cluster(2).await;
    let twice = [member(0, vec![]), member(1, vec![]), member(1, vec![])];
    let refusal = nodes[0].network.update_validators(&twice);
    assert_eq!(refusal, Err(SetError::DuplicateIndex { index: index(1) }));
    nodes[0].network.broadcast(Class::Vote, Bytes::from_static(b"vote")).unwrap();
    assert_eq!(nodes[1].message().await.0, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_validator_that_nobody_can_dial_still_hears_and_is_heard() {
    let mut hidden = config(1, 2);
    hidden.listen = vec![];
    let mut nodes = [Node::start(config(0, 2)).await, Node::start(hidden).await];
    let members = [member(0, vec![nodes[0].address()]), member(1, vec![])];
    for node in &nodes {
        node.network.update_validators(&members).unwrap();
    }
    nodes[0].until_up(&[1]).await;
    nodes[1].until_up(&[0]).await;
    for number in [0, 1] {
        nodes[number].network.broadcast(Class::Vote, Bytes::from_static(b"vote")).unwrap();
        assert_eq!(nodes[1 - number].message().await.1, Class::Vote);
    }
}
