use bytes::Bytes;
use chorale_p2p::Class;

use crate::common::{Node, cluster, config, index, member};

#[tokio::test(flavor = "multi_thread")]
async fn a_validator_that_restarts_is_found_again_by_everybody() {
    let mut nodes = cluster(3).await;
    let members: Vec<_> = (0..).zip(&nodes).map(|(n, x)| member(n, vec![x.address()])).collect();
    let stopped = nodes.pop().unwrap();
    let address = stopped.address();
    stopped.network.shutdown().await;
    for node in &mut nodes {
        node.until_down(2).await;
        assert!(!node.network.peers().iter().any(|p| p.index == index(2) && p.outbound_open));
    }

    let mut config = config(2, 3);
    config.listen = vec![address];
    config.validators = members;
    let mut back = Node::start(config).await;
    back.until_up(&[0, 1]).await;
    for node in &mut nodes {
        node.until_up(&[2]).await;
        node.network.send(index(2), Class::Vote, Bytes::from_static(b"welcome")).unwrap();
        assert_eq!(node.metric("chorale_p2p_reconnects_total"), 1);
    }
    back.network.broadcast(Class::Vote, Bytes::from_static(b"back")).unwrap();
    for node in &mut nodes {
        assert_eq!(node.message().await, (2, Class::Vote, Bytes::from_static(b"back")));
    }
    for _ in 0..2 {
        assert_eq!(back.message().await.2, Bytes::from_static(b"welcome"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn stopping_ends_the_events_and_refuses_what_comes_later() {
    let mut nodes = cluster(2).await;
    let other = nodes[0].network.clone();
    nodes.remove(0).network.shutdown().await;
    let refused = other.request(index(1), Bytes::from_static(b"?"));
    assert_eq!(refused, Err(chorale_p2p::FetchError::Stopped));
    nodes[0].until_down(0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn dropping_the_last_handle_stops_the_network() {
    let mut nodes = cluster(2).await;
    let Node { network, mut events } = nodes.remove(0);
    let clone = network.clone();
    drop(network);
    clone.broadcast(Class::Vote, Bytes::from_static(b"still here")).unwrap();
    assert_eq!(nodes[0].message().await.2, Bytes::from_static(b"still here"));
    drop(clone);
    crate::common::patiently("the events end", async { while events.recv().await.is_some() {} })
        .await;
    nodes[0].until_down(0).await;
}
