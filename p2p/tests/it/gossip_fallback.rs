use bytes::Bytes;
use chorale_p2p::Class;

use crate::common::{Node, config, index, member};

/// Validators 0 and 2 cannot reach each other; 1 reaches both.
async fn cut() -> Vec<Node> {
    let mut nodes = Vec::new();
    for number in 0..3 {
        nodes.push(Node::start(config(number, 3)).await);
    }
    let known = |n: u16| member(n, vec![nodes[usize::from(n)].address()]);
    let unknown = |n: u16| member(n, vec![]);
    let views = [
        [known(0), known(1), unknown(2)],
        [known(0), known(1), known(2)],
        [unknown(0), known(1), known(2)],
    ];
    for (node, view) in nodes.iter().zip(&views) {
        node.network.update_validators(view).unwrap();
    }
    nodes[0].until_up(&[1]).await;
    nodes[1].until_up(&[0, 2]).await;
    nodes[2].until_up(&[1]).await;
    nodes
}

/// Says `bytes` until the way round is there: right after connecting, nobody has subscribed yet.
async fn say_until_heard(nodes: &mut [Node], class: Class, bytes: &'static [u8]) {
    let network = nodes[0].network.clone();
    let saying = tokio::spawn(async move {
        loop {
            network.send(index(2), class, Bytes::from_static(bytes)).unwrap();
            tokio::time::sleep(std::time::Duration::from_millis(200)).await;
        }
    });
    assert_eq!(nodes[2].message().await, (0, class, Bytes::from_static(bytes)));
    saying.abort();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_reaches_a_member_that_is_cut_off_by_way_of_a_third() {
    let mut nodes = cut().await;
    for class in [Class::Timeout, Class::Vote, Class::Proposal] {
        say_until_heard(&mut nodes, class, b"round the corner").await;
        while nodes[2].events.try_recv().is_ok() {}
    }
    assert!(nodes.iter().all(|node| !node.network.peers().is_empty()));
    assert!(nodes[0].network.peers()[1].connections == 0, "0 and 2 are not connected");
    assert!(nodes[0].metric(r#"chorale_p2p_gossip_total{outcome="published"}"#) > 0);
    assert!(nodes[2].metric(r#"chorale_p2p_gossip_total{outcome="delivered"}"#) > 0);
    // Only the addressee hands it up.
    assert!(nodes[1].metric(r#"chorale_p2p_gossip_total{outcome="relayed"}"#) > 0);
    assert_eq!(nodes[1].metric(r#"chorale_p2p_gossip_total{outcome="delivered"}"#), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_words_said_again_leave_again() {
    let mut nodes = cut().await;
    say_until_heard(&mut nodes, Class::Timeout, b"timeout of view 7").await;
    // Well within the time for which gossip remembers what it has seen.
    say_until_heard(&mut nodes, Class::Timeout, b"timeout of view 7").await;
    say_until_heard(&mut nodes, Class::Timeout, b"timeout of view 7").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broadcast_goes_round_and_is_not_doubled_where_the_stream_is_open() {
    let mut nodes = cut().await;
    say_until_heard(&mut nodes, Class::Vote, b"the way is there").await;
    let vote = Bytes::from_static(b"to everybody");
    nodes[0].network.broadcast(Class::Vote, vote.clone()).unwrap();
    loop {
        let (from, _, bytes) = nodes[2].message().await;
        assert_eq!(from, 0);
        if bytes == vote {
            break;
        }
    }
    assert_eq!(nodes[1].message().await, (0, Class::Vote, vote));
    assert_eq!(nodes[1].metric(r#"chorale_p2p_gossip_total{outcome="delivered"}"#), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn bulk_does_not_take_the_way_round() {
    let mut nodes = cut().await;
    say_until_heard(&mut nodes, Class::Vote, b"the way is there").await;
    let published = r#"chorale_p2p_gossip_total{outcome="published"}"#;
    let before = nodes[0].metric(published);
    nodes[0].network.send(index(2), Class::Batch, Bytes::from_static(b"batch")).unwrap();
    nodes[0].network.send(index(2), Class::Sync, Bytes::from_static(b"sync")).unwrap();
    nodes[0].network.send(index(1), Class::Batch, Bytes::from_static(b"direct")).unwrap();
    assert_eq!(nodes[1].message().await.2, Bytes::from_static(b"direct"));
    assert_eq!(nodes[0].metric(published), before);
    let waiting = nodes[0].network.peers().into_iter().find(|p| p.index == index(2)).unwrap();
    assert!(waiting.queued >= 2, "they wait for the stream");
}
