//! Four members in this process, over the real wire.

use crate::support::{LONG, Place, options, order, payloads, stream, until};
use chorale_node::home::Home;
use chorale_node::keys;
use chorale_node::node::{Node, read_genesis};
use chorale_p2p::{Class, Member};
use chorale_types::ids::{Height, ValidatorIndex};
use chorale_types::validators::ValidatorSet;
use std::time::Duration;

const NAMES: [&str; 4] = ["a", "b", "c", "d"];
/// Views are given up rarely, so that a slow machine is not taken for a dead leader.
const PATIENT: [&str; 1] = ["view_timeout_ms=3000"];

async fn start(homes: &[Home]) -> Vec<Node> {
    let mut nodes = Vec::new();
    for home in homes {
        nodes.push(Node::start(options(home)).await.unwrap());
    }
    nodes
}

async fn stop(nodes: Vec<Node>) {
    for node in nodes {
        node.stop().await.unwrap();
    }
}

fn ordered(node: &Node) -> Height {
    node.handles().ledger.ordered_height()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_member_that_was_away_catches_up_and_votes_again() {
    let place = Place::new();
    let homes = place.connected(&NAMES, &["view_timeout_ms=1000"]);
    let mut nodes = start(&homes).await;
    order(nodes[0].handles(), &payloads(0)).await;

    nodes.remove(3).stop().await.unwrap();
    for run in 1..4 {
        order(nodes[run % 3].handles(), &payloads(run)).await;
    }
    let missed = ordered(&nodes[0]);
    let back = Node::start(options(&homes[3])).await.unwrap();
    until(|| ordered(&back) >= missed).await;
    order(back.handles(), &payloads(4)).await;
    let status = back.handles().status.status();
    assert!(status.voting && status.owns_lane && !status.syncing, "{status:?}");

    // Without it there would be no quorum any more: it votes.
    nodes.remove(0).stop().await.unwrap();
    order(back.handles(), &payloads(5)).await;
    nodes.push(back);
    let expected: Vec<Vec<u8>> = (0..6).flat_map(payloads).map(String::into_bytes).collect();
    for node in &nodes {
        until(|| stream(node.handles()).len() == expected.len()).await;
        assert_eq!(stream(node.handles()), expected);
    }
    stop(nodes).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn all_stop_and_go_on_from_disk() {
    let place = Place::new();
    let homes = place.connected(&NAMES, &PATIENT);
    for run in 0..2 {
        let nodes = start(&homes).await;
        order(nodes[run].handles(), &payloads(run)).await;
        stop(nodes).await;
    }
    let nodes = start(&homes).await;
    let expected: Vec<Vec<u8>> = (0..2).flat_map(payloads).map(String::into_bytes).collect();
    for node in &nodes {
        until(|| stream(node.handles()).len() == expected.len()).await;
        assert_eq!(stream(node.handles()), expected);
    }
    stop(nodes).await;
}

/// The wire of a member, without a node behind it.
async fn bare_wire(home: &Home, set: &ValidatorSet, to: &[Node]) -> chorale_p2p::Network {
    let me = ValidatorIndex::new(3);
    let members = (0..).zip(&set.info().validators);
    let member = |(index, validator): (u16, &chorale_types::validators::Validator)| {
        let addresses = to.get(usize::from(index)).map(|node| node.addresses().p2p.clone());
        let addresses = addresses.into_iter().flatten();
        Member {
            index: ValidatorIndex::new(index),
            key: *validator.network.as_bytes(),
            addresses: addresses.map(|address| address.parse().unwrap()).collect(),
        }
    };
    let config = chorale_p2p::Config {
        chain: set.chain().to_string().trim_start_matches("0x").to_owned(),
        secret: keys::read_seed(&home.keys(), keys::KeyName::Network).unwrap(),
        me: Some(me),
        listen: vec!["/ip4/127.0.0.1/tcp/0".parse().unwrap()],
        validators: members.map(member).collect(),
        follower_slots: 0,
        view_timeout: Duration::from_secs(1),
    };
    let (network, mut events) = chorale_p2p::start(config).await.unwrap();
    tokio::spawn(async move { while events.recv().await.is_some() {} });
    network
}

#[tokio::test(flavor = "multi_thread")]
async fn a_member_that_sends_garbage_is_counted_and_does_no_harm() {
    let place = Place::new();
    let homes = place.connected(&NAMES, &["view_timeout_ms=1000"]);
    let set = read_genesis(&homes[0].genesis()).unwrap().first_set();
    let nodes = start(&homes[..3]).await;
    let rogue = bare_wire(&homes[3], &set, &nodes).await;
    until(|| rogue.peers().iter().all(|peer| peer.outbound_open)).await;

    let garbage: [&[u8]; 5] = [b"x", &[1], &[1, 9], &[2; 100], &[0xff; 5_000]];
    for class in Class::ALL {
        for bytes in garbage {
            rogue.broadcast(class, bytes.to_vec().into()).unwrap();
        }
    }
    for to in 0..3 {
        rogue.request(ValidatorIndex::new(to), b"what".to_vec().into()).unwrap();
    }
    let sent = Class::ALL.len() * garbage.len() + 1;
    let sent = u64::try_from(sent).unwrap();
    let faults = |node: &Node| node.handles().metrics.faults.of(ValidatorIndex::new(3));
    for node in &nodes {
        until(|| faults(node) >= sent).await;
    }
    order(nodes[1].handles(), &payloads(0)).await;
    for node in &nodes {
        assert_eq!(faults(node), sent, "nothing else was wrong");
        assert_eq!(node.handles().metrics.faults.of(ValidatorIndex::new(0)), 0);
    }
    tokio::time::timeout(LONG, rogue.shutdown()).await.unwrap();
    stop(nodes).await;
}
