//! What the swarm is composed of. Order matters: whatever may refuse a connection comes first, so
//! that the others never hear of one that is refused.

use std::sync::Arc;

use libp2p::identity::Keypair;
use libp2p::metrics::Registry;
use libp2p::swarm::NetworkBehaviour;
use libp2p::{connection_limits, identify, memory_connection_limits, ping};

use crate::config::{Names, Timing};
use crate::error::StartError;
use crate::gate::Gate;
use crate::roster::Directory;
use crate::{admission, fetch, gossip, limits, streams};

/// The parts.
#[derive(NetworkBehaviour)]
#[behaviour(prelude = "libp2p::swarm::derive_prelude")]
pub(crate) struct Behaviour {
    memory: memory_connection_limits::Behaviour,
    limits: connection_limits::Behaviour,
    admission: admission::Behaviour,
    pub(crate) streams: streams::Behaviour,
    pub(crate) gossip: Gate<gossip::Behaviour>,
    pub(crate) fetch: fetch::Behaviour,
    identify: identify::Behaviour,
    ping: ping::Behaviour,
}

/// What the parts are made from.
pub(crate) struct Parts<'a> {
    pub(crate) key: &'a Keypair,
    pub(crate) names: &'a Names,
    pub(crate) timing: &'a Timing,
    pub(crate) directory: &'a Arc<Directory>,
    pub(crate) follower_slots: u32,
}

impl Behaviour {
    pub(crate) fn new(parts: &Parts<'_>, registry: &mut Registry) -> Result<Self, StartError> {
        let Parts { key, names, timing, directory, follower_slots } = *parts;
        let roster = directory.get();
        let own = key.public().to_peer_id();
        let gossip = gossip::behaviour(names, timing, roster.peers.len() + 1, registry)?;
        let stream = names.stream.clone();
        let identify = identify::Config::new(names.text("identify"), key.public())
            .with_agent_version(concat!("chorale/", env!("CARGO_PKG_VERSION")).to_owned())
            // Members are dialed where their set says they are, and nowhere else.
            .with_cache_size(0)
            .with_push_listen_addr_updates(false);
        let ping = ping::Config::new()
            .with_interval(timing.view_timeout)
            .with_timeout(timing.view_timeout);
        Ok(Self {
            memory: memory_connection_limits::Behaviour::with_max_bytes(limits::MEMORY_BYTES_MAX),
            limits: admission::connection_limits(follower_slots),
            admission: admission::Behaviour::new(own, Arc::clone(directory), follower_slots),
            streams: streams::Behaviour::new(stream, Arc::clone(directory), timing.handshake),
            gossip: Gate::new(gossip, Arc::clone(directory)),
            fetch: fetch::behaviour(names, timing),
            identify: identify::Behaviour::new(identify),
            ping: ping::Behaviour::new(ping),
        })
    }
}
