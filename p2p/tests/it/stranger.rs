use bytes::Bytes;
use chorale_p2p::{Class, Event};

use crate::common::{Node, cluster, config, eventually, index, keypair, member};
use crate::outsider::{News, Outsider};

const STRANGER: u16 = 77;

#[tokio::test(flavor = "multi_thread")]
async fn a_stranger_may_fetch_and_is_refused_the_stream() {
    let mut nodes = cluster(2).await;
    let mut stranger = Outsider::start(&keypair(STRANGER), Some(nodes[0].address()), vec![]);
    stranger.expect(News::Connected).await;
    let id = keypair(0).public().to_peer_id();
    let refusal = stranger.open(id).await.expect_err("strangers get no stream");
    assert!(matches!(refusal, libp2p_stream::OpenStreamError::UnsupportedProtocol(_)));

    stranger.request(id, [&[0, 0, 0, 5][..], b"hello"].concat());
    let (from, token) = nodes[0]
        .until(|event| match event {
            Event::Request { from, token, bytes } if bytes == "hello" => Some((from, token)),
            _ => None,
        })
        .await;
    assert_eq!(from, None);
    nodes[0].network.respond(token, Bytes::from_static(b"world")).unwrap();
    let answer = [&[0, 0, 0, 0, 5][..], b"world"].concat();
    stranger.expect(News::Response(answer)).await;

    // The validators have not noticed.
    nodes[1].network.broadcast(Class::Vote, Bytes::from_static(b"vote")).unwrap();
    assert_eq!(nodes[0].message().await.0, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stranger_gets_no_gossip() {
    let nodes = cluster(2).await;
    let mut stranger = Outsider::start(&keypair(STRANGER), Some(nodes[0].address()), vec![]);
    stranger.expect(News::Connected).await;
    let protocol = libp2p::StreamProtocol::new("/chorale/c0ffee/gossip/1");
    let id = keypair(0).public().to_peer_id();
    let refusal = stranger.streams.open_stream(id, protocol).await;
    assert!(matches!(refusal, Err(libp2p_stream::OpenStreamError::UnsupportedProtocol(_))));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_follower_fetches_from_a_validator_and_opens_no_stream() {
    let mut validator = Node::start(config(0, 2)).await;
    let mut config = config(STRANGER, 2);
    config.me = None;
    config.validators = vec![member(0, vec![validator.address()]), member(1, vec![])];
    let mut follower = Node::start(config).await;
    let network = follower.network.clone();
    eventually("connected", || network.peers()[0].connections > 0).await;
    network.request(index(0), Bytes::from_static(b"blocks")).unwrap();
    let (from, token) = validator
        .until(|event| match event {
            Event::Request { from, token, .. } => Some((from, token)),
            _ => None,
        })
        .await;
    assert_eq!(from, None);
    validator.network.respond(token, Bytes::from_static(b"here")).unwrap();
    let answer = follower
        .until(|event| match event {
            Event::Up { .. } => panic!("a follower has no stream"),
            Event::Response { result, .. } => Some(result),
            _ => None,
        })
        .await;
    assert_eq!(answer.unwrap(), "here");
    // What it says stays with it.
    network.broadcast(Class::Vote, Bytes::from_static(b"me too")).unwrap();
    assert!(!network.peers()[0].outbound_open);
    assert_eq!(follower.metric(r#"chorale_p2p_gossip_total{outcome="published"}"#), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn followers_have_their_slots_and_no_more() {
    let mut config = config(0, 1);
    config.follower_slots = 1;
    let node = Node::start(config).await;
    let mut first = Outsider::start(&keypair(STRANGER), Some(node.address()), vec![]);
    first.expect(News::Connected).await;
    let refused = r#"chorale_p2p_faults_total{reason="connection"}"#;
    let mut second = Outsider::start(&keypair(STRANGER + 1), Some(node.address()), vec![]);
    second.expect(News::Closed).await;
    eventually("the refusal is counted", || node.metric(refused) == 1).await;
    // A place that is left can be taken.
    drop(first);
    let mut third = None;
    for attempt in 2..100 {
        let mut next = Outsider::start(&keypair(STRANGER + attempt), Some(node.address()), vec![]);
        next.expect(News::Connected).await;
        let id = keypair(0).public().to_peer_id();
        if !matches!(next.open(id).await, Err(libp2p_stream::OpenStreamError::Io(_))) {
            third = Some(next);
            break;
        }
    }
    assert!(third.is_some(), "the slot was never free again");
}
