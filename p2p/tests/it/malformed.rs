use bytes::Bytes;
use chorale_p2p::Class;
use futures::AsyncWriteExt;

use crate::common::{Node, config, eventually, introduce, keypair};
use crate::outsider::{News, Outsider};

const FRAME_FAULTS: &str = r#"chorale_p2p_faults_total{reason="frame"}"#;

/// Validators 0 and 1, connected, and validator 2 played by the test, connected to 0.
async fn with_a_traitor() -> ([Node; 2], Outsider) {
    let mut nodes = [Node::start(config(0, 3)).await, Node::start(config(1, 3)).await];
    let mut members: Vec<_> =
        (0..).zip(&nodes).map(|(n, x)| crate::common::member(n, vec![x.address()])).collect();
    members.push(crate::common::member(2, vec![]));
    for node in &nodes {
        node.network.update_validators(&members).unwrap();
    }
    nodes[0].until_up(&[1]).await;
    nodes[1].until_up(&[0]).await;
    let mut traitor = Outsider::start(&keypair(2), Some(nodes[0].address()), vec![]);
    traitor.expect(News::Connected).await;
    (nodes, traitor)
}

async fn check_disconnected(header: [u8; 5]) {
    let (mut nodes, mut traitor) = with_a_traitor().await;
    let mut stream = traitor.open(keypair(0).public().to_peer_id()).await.unwrap();
    // One good message first: the stream is as good as any until it is not.
    stream.write_all(&[2, 0, 0, 0, 1, b'v']).await.unwrap();
    assert_eq!(nodes[0].message().await, (2, Class::Vote, Bytes::from_static(b"v")));
    stream.write_all(&header).await.unwrap();
    let _ = stream.flush().await;
    traitor.expect(News::Closed).await;
    eventually("the fault is counted", || nodes[0].metric(FRAME_FAULTS) == 1).await;

    nodes[1].network.broadcast(Class::Vote, Bytes::from_static(b"honest")).unwrap();
    assert_eq!(nodes[0].message().await, (1, Class::Vote, Bytes::from_static(b"honest")));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_oversized_frame_disconnects_its_sender() {
    let bytes = u32::try_from(Class::Vote.bytes_max() + 1).unwrap().to_be_bytes();
    check_disconnected([2, bytes[0], bytes[1], bytes[2], bytes[3]]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_frame_of_an_unknown_kind_disconnects_its_sender() {
    check_disconnected([200, 0, 0, 0, 1]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn streams_opened_without_end_disconnect_their_opener() {
    let (mut nodes, mut traitor) = with_a_traitor().await;
    let id = keypair(0).public().to_peer_id();
    let mut streams = Vec::new();
    let faults = r#"chorale_p2p_faults_total{reason="streams"}"#;
    while nodes[0].metric(faults) == 0 {
        assert!(streams.len() < 1_000, "a thousand streams are taken");
        match traitor.open(id).await {
            Ok(stream) => streams.push(stream),
            Err(_) => break,
        }
    }
    traitor.expect(News::Closed).await;
    introduce(&nodes);
    nodes[1].network.broadcast(Class::Vote, Bytes::from_static(b"honest")).unwrap();
    assert_eq!(nodes[0].message().await.0, 1);
}
