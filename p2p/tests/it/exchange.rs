use std::collections::BTreeSet;

use bytes::Bytes;
use chorale_p2p::{Class, SendError};

use crate::common::{cluster, eventually, index};

fn said(from: u16, class: Class, to: &str) -> Bytes {
    Bytes::from(format!("{from} {class:?} {to}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn four_validators_exchange_every_class_both_ways() {
    let mut nodes = cluster(4).await;
    for (from, node) in (0..).zip(&nodes) {
        for class in Class::ALL {
            node.network.broadcast(class, said(from, class, "all")).unwrap();
            let to = (from + 1) % 4;
            node.network.send(index(to), class, said(from, class, "one")).unwrap();
        }
    }
    for (me, node) in (0..).zip(&mut nodes) {
        let before = (me + 3) % 4;
        let mut expected: BTreeSet<(u16, Class, Bytes)> = BTreeSet::new();
        for class in Class::ALL {
            expected.insert((before, class, said(before, class, "one")));
            for from in (0..4).filter(|from| *from != me) {
                expected.insert((from, class, said(from, class, "all")));
            }
        }
        while !expected.is_empty() {
            let message = node.message().await;
            assert!(expected.remove(&message), "not expected: {message:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn validators_that_all_dial_at_once_keep_two_connections_a_pair() {
    let nodes = cluster(4).await;
    for node in &nodes {
        let two_each = || node.network.peers().iter().all(|peer| peer.connections == 2);
        eventually("two connections to everybody", two_each).await;
    }
    for node in &nodes {
        let settled = node.network.peers();
        assert!(settled.iter().all(|p| p.connections == 2 && p.reconnects == 0), "{settled:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_class_between_two_keeps_its_order() {
    let mut nodes = cluster(2).await;
    for number in 0..500u32 {
        let bytes = Bytes::from(number.to_be_bytes().to_vec());
        nodes[0].network.send(index(1), Class::Vote, bytes).unwrap();
    }
    for number in 0..500u32 {
        let (_, _, bytes) = nodes[1].message().await;
        assert_eq!(bytes[..], number.to_be_bytes());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_largest_message_of_each_class_passes_and_one_byte_more_is_refused() {
    let mut nodes = cluster(2).await;
    for class in Class::ALL {
        let bytes_max = class.bytes_max();
        let largest = Bytes::from(vec![7; bytes_max]);
        nodes[0].network.send(index(1), class, largest.clone()).unwrap();
        assert_eq!(nodes[1].message().await, (0, class, largest));
        let more = Bytes::from(vec![7; bytes_max + 1]);
        let refusal = SendError::TooLong { class, bytes: bytes_max + 1, bytes_max };
        assert_eq!(nodes[0].network.broadcast(class, more), Err(refusal));
        let nothing = nodes[0].network.send(index(1), class, Bytes::new());
        assert_eq!(nothing, Err(SendError::Empty { class }));
    }
    for to in [index(0), index(9)] {
        let refusal = nodes[0].network.send(to, Class::Vote, Bytes::from_static(b"v"));
        assert_eq!(refusal, Err(SendError::Unknown { to }));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn status_and_metrics_tell_what_happened() {
    let mut nodes = cluster(2).await;
    nodes[0].network.broadcast(Class::Vote, Bytes::from_static(b"vote")).unwrap();
    nodes[1].message().await;
    let network = nodes[0].network.clone();
    eventually("a round trip is measured", || network.peers()[0].rtt.is_some()).await;
    let status = &network.peers()[0];
    assert_eq!((status.index, status.queued, status.dropped), (index(1), 0, 0));
    assert!(status.connections > 0 && status.outbound_open && status.inbound_open);

    let sent = r#"chorale_p2p_frames_total{way="out",class="vote"}"#;
    assert_eq!(nodes[0].metric(sent), 1);
    let received = r#"chorale_p2p_frame_bytes_total{way="in",class="vote"}"#;
    assert_eq!(nodes[1].metric(received), 4);
    assert_eq!(nodes[0].metric("chorale_p2p_streams_out"), 1);
    let text = network.metrics_text();
    for part in ["libp2p_swarm_connections_established", "libp2p_bandwidth", "gossipsub"] {
        assert!(text.contains(part), "{part} is missing");
    }
    assert!(text.ends_with("# EOF\n") && text.matches("# EOF").count() == 1);
}
