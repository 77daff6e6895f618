//! From a configuration to a running network.

use std::io;
use std::net::{IpAddr, TcpListener};
use std::num::NonZeroUsize;
use std::sync::Arc;

use futures::StreamExt;
use libp2p::core::transport::ListenerId;
use libp2p::identity::Keypair;
use libp2p::metrics::{Metrics as SwarmMetrics, Registry};
use libp2p::multiaddr::Protocol;
use libp2p::swarm::{self, SwarmEvent};
use libp2p::{Multiaddr, Swarm, TransportError};
use tokio::sync::mpsc;
use tokio::time::Instant;
use zeroize::Zeroizing;

use crate::behaviour::{Behaviour, Parts};
use crate::config::{Config, Names, Timing};
use crate::driver::{Driver, Start};
use crate::error::StartError;
use crate::events::{self, Events};
use crate::limits;
use crate::metrics::Metrics;
use crate::network::{Network, Shared};
use crate::reader::Context;
use crate::roster::{Directory, Roster};
use crate::transport;

/// Starts a network on the current tokio runtime. It is listening when this returns.
///
/// # Errors
/// When the configuration cannot work, with the value that is to blame, or an address cannot be
/// listened on.
pub async fn start(config: Config) -> Result<(Network, Events), StartError> {
    let names = Names::new(&config.chain)?;
    let timing = check_numbers(&config)?;
    let key = keypair(&config.secret)?;
    let own = key.public().to_peer_id();
    let roster = Roster::build(&config.validators, own, config.me, None)?;
    check_identity(&config, &roster)?;
    let directory = Arc::new(Directory::new(own, roster));

    let mut registry = Registry::default();
    let metrics = Metrics::new(&mut registry);
    let recorder = SwarmMetrics::new(&mut registry);
    let transport = transport::build(&key, &names, &timing, &mut registry)?;
    let parts = Parts {
        key: &key,
        names: &names,
        timing: &timing,
        directory: &directory,
        follower_slots: config.follower_slots,
    };
    let behaviour = Behaviour::new(&parts, &mut registry)?;
    let mut swarm = Swarm::new(transport, behaviour, own, swarm_config());
    listen(&mut swarm, &config.listen).await?;

    let (sink, events) = events::queue();
    let context = Context { timing, start: Instant::now(), events: sink, metrics: metrics.clone() };
    let shared = Arc::new(Shared::new(names, directory, metrics, registry));
    shared.set_listen_addresses(swarm.listeners().cloned().collect());
    let (sender, commands) = mpsc::channel(limits::COMMANDS_MAX);
    let network = Network::new(Arc::clone(&shared), sender);
    let tasks = shared.tasks.clone();
    let start = Start { swarm, shared, context, key, recorder, commands };
    tasks.spawn(Driver::new(start).run());
    Ok((network, events))
}

fn check_numbers(config: &Config) -> Result<Timing, StartError> {
    let view_timeout = config.view_timeout;
    if !(limits::VIEW_TIMEOUT_MIN..=limits::VIEW_TIMEOUT_MAX).contains(&view_timeout) {
        return Err(StartError::ViewTimeout { millis: view_timeout.as_millis() });
    }
    let (slots, slots_max) = (config.follower_slots, limits::FOLLOWER_SLOTS_MAX);
    if slots > slots_max {
        return Err(StartError::FollowerSlots { slots, slots_max });
    }
    Ok(Timing::new(view_timeout))
}

fn keypair(secret: &Zeroizing<[u8; 32]>) -> Result<Keypair, StartError> {
    // The library wipes the copy it is given.
    Keypair::ed25519_from_bytes(**secret).map_err(|_| StartError::Secret)
}

/// The set and the configuration must agree on who this node is.
fn check_identity(config: &Config, roster: &Roster) -> Result<(), StartError> {
    let Some(index) = config.me else { return Ok(()) };
    if roster.me != Some(index) {
        let reason = "this node's key is listed at another index";
        return Err(StartError::Identity { index, reason });
    }
    if roster.peers.contains_key(&index) {
        let reason = "another key is listed at this index";
        return Err(StartError::Identity { index, reason });
    }
    Ok(())
}

fn swarm_config() -> swarm::Config {
    swarm::Config::with_tokio_executor()
        // Members keep their connections whatever this says; see `streams`.
        .with_idle_connection_timeout(limits::FOLLOWER_IDLE)
        .with_notify_handler_buffer_size(NonZeroUsize::new(64).expect("not zero"))
        .with_per_connection_event_buffer_size(256)
        .with_max_negotiating_inbound_streams(limits::NEGOTIATING_STREAMS_MAX)
}

/// Listens on every address and waits until each is bound.
async fn listen(swarm: &mut Swarm<Behaviour>, addresses: &[Multiaddr]) -> Result<(), StartError> {
    let mut waiting: Vec<(ListenerId, &Multiaddr)> = Vec::new();
    for address in addresses {
        let refuse = |source| StartError::Listen { address: address.clone(), source };
        check_free(address).map_err(refuse)?;
        let listener = swarm.listen_on(address.clone()).map_err(|error| match error {
            TransportError::Other(source) => refuse(source),
            TransportError::MultiaddrNotSupported(_) => {
                refuse(io::Error::new(io::ErrorKind::Unsupported, "not a TCP address"))
            }
        })?;
        waiting.push((listener, address));
    }
    while !waiting.is_empty() {
        match swarm.select_next_some().await {
            SwarmEvent::NewListenAddr { listener_id, .. } => {
                waiting.retain(|(id, _)| *id != listener_id);
            }
            SwarmEvent::ListenerClosed { listener_id, reason, .. } => {
                let address = waiting.iter().find(|(id, _)| *id == listener_id);
                if let (Some((_, address)), Err(source)) = (address, reason) {
                    return Err(StartError::Listen { address: (*address).clone(), source });
                }
            }
            _ => {}
        }
    }
    Ok(())
}

/// Refuses a port that somebody else listens on. libp2p's listener shares ports, and two nodes
/// would then each get a part of the connections.
fn check_free(address: &Multiaddr) -> io::Result<()> {
    let mut parts = address.iter();
    let ip = match parts.next() {
        Some(Protocol::Ip4(ip)) => IpAddr::from(ip),
        Some(Protocol::Ip6(ip)) => IpAddr::from(ip),
        _ => return Ok(()),
    };
    match parts.next() {
        Some(Protocol::Tcp(port)) if port != 0 => TcpListener::bind((ip, port)).map(drop),
        _ => Ok(()),
    }
}
