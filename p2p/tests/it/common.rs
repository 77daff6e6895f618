//! Nodes under test and how to wait for what they do.

use std::future::Future;
use std::time::Duration;

use bytes::Bytes;
use chorale_p2p::{Class, Config, Event, Events, Member, Multiaddr, Network, start};
use chorale_types::ids::ValidatorIndex;
use libp2p::identity::Keypair;
use zeroize::Zeroizing;

pub(crate) const CHAIN: &str = "c0ffee";
/// Of networks on which no time is measured: long, so that a busy machine changes nothing.
pub(crate) const VIEW_TIMEOUT: Duration = Duration::from_secs(5);
/// Of networks that must notice that somebody is gone.
pub(crate) const SHORT_VIEW_TIMEOUT: Duration = Duration::from_secs(1);
/// Far longer than anything here takes; only a hang reaches it.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);

pub(crate) fn index(number: u16) -> ValidatorIndex {
    ValidatorIndex::new(number)
}

/// The identity of validator `number`. Seeds start at 1: all zeros looks like a mistake.
pub(crate) fn secret(number: u16) -> [u8; 32] {
    [u8::try_from(number).unwrap() + 1; 32]
}

pub(crate) fn keypair(number: u16) -> Keypair {
    Keypair::ed25519_from_bytes(secret(number)).unwrap()
}

pub(crate) fn member(number: u16, addresses: Vec<Multiaddr>) -> Member {
    let key = keypair(number).public().try_into_ed25519().unwrap().to_bytes();
    Member { index: index(number), key, addresses }
}

/// A validator that listens on a free port and knows nobody's address yet.
pub(crate) fn config(number: u16, members: u16) -> Config {
    Config {
        chain: CHAIN.to_owned(),
        secret: Zeroizing::new(secret(number)),
        me: Some(index(number)),
        listen: vec!["/ip4/127.0.0.1/tcp/0".parse().unwrap()],
        validators: (0..members).map(|n| member(n, vec![])).collect(),
        follower_slots: 16,
        view_timeout: VIEW_TIMEOUT,
    }
}

pub(crate) struct Node {
    pub(crate) network: Network,
    pub(crate) events: Events,
}

impl Node {
    pub(crate) async fn start(config: Config) -> Self {
        let (network, events) = start(config).await.expect("the network starts");
        Self { network, events }
    }

    pub(crate) fn address(&self) -> Multiaddr {
        self.network.listen_addresses().first().expect("it listens").clone()
    }

    /// Takes events until `pick` finds what it looks for.
    pub(crate) async fn until<T>(&mut self, mut pick: impl FnMut(Event) -> Option<T>) -> T {
        let search = async {
            loop {
                let event = self.events.recv().await.expect("the network runs");
                if let Some(found) = pick(event) {
                    return found;
                }
            }
        };
        tokio::time::timeout(PATIENCE, search).await.expect("it happens")
    }

    /// Waits until the streams to all of `peers` are open.
    pub(crate) async fn until_up(&mut self, peers: &[u16]) {
        let mut missing = peers.to_vec();
        while !missing.is_empty() {
            let up = self
                .until(|event| match event {
                    Event::Up { peer } => Some(peer.get()),
                    _ => None,
                })
                .await;
            missing.retain(|peer| *peer != up);
        }
    }

    pub(crate) async fn until_down(&mut self, number: u16) {
        self.until(|event| {
            matches!(event, Event::Down { peer } if peer == index(number)).then_some(())
        })
        .await;
    }

    /// The next message, whatever else happens.
    pub(crate) async fn message(&mut self) -> (u16, Class, Bytes) {
        self.until(|event| match event {
            Event::Message { from, class, bytes } => Some((from.get(), class, bytes)),
            _ => None,
        })
        .await
    }

    /// The value of a metric, given as it is printed up to its value; 0 while it is not there.
    pub(crate) fn metric(&self, name: &str) -> u64 {
        let text = self.network.metrics_text();
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.map_or(0, |value| value.parse().expect("a whole number"))
    }
}

/// Waits until `condition` holds.
pub(crate) async fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    let wait = async {
        while !condition() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(PATIENCE, wait).await.unwrap_or_else(|_| panic!("never: {what}"));
}

/// Tells every node where every other one listens.
pub(crate) fn introduce(nodes: &[Node]) {
    let members: Vec<Member> =
        (0..).zip(nodes).map(|(n, node)| member(n, vec![node.address()])).collect();
    for node in nodes {
        node.network.update_validators(&members).unwrap();
    }
}

/// Validators 0 to `count` - 1, all streams open.
pub(crate) async fn cluster(count: u16) -> Vec<Node> {
    let mut nodes = Vec::new();
    for number in 0..count {
        nodes.push(Node::start(config(number, count)).await);
    }
    introduce(&nodes);
    for (number, node) in (0..).zip(&mut nodes) {
        let others: Vec<u16> = (0..count).filter(|other| *other != number).collect();
        node.until_up(&others).await;
    }
    nodes
}

/// Bounds a wait for somebody else's future.
pub(crate) async fn patiently<T>(what: &str, future: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, future).await.unwrap_or_else(|_| panic!("never: {what}"))
}
