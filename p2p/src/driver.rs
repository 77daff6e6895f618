//! The swarm task: the only one that touches libp2p's swarm. It learns what happened on the
//! wire, asks the [`PeerTable`] what to do about it, and does that. It never waits for a peer nor
//! for the application.

mod exchanges;
mod gossiping;
mod links;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use chorale_types::ids::ValidatorIndex;
use futures::StreamExt;
use libp2p::metrics::{Metrics as SwarmMetrics, Recorder};
use libp2p::swarm::{ConnectionId, SwarmEvent};
use libp2p::{PeerId, Swarm, identity::Keypair};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_util::task::AbortOnDropHandle;

use crate::behaviour::{Behaviour, BehaviourEvent};
use crate::fetch::Exchanges;
use crate::gossip::Judge;
use crate::metrics::Fault;
use crate::network::{Command, Shared};
use crate::peers::{Action, Direction, PeerTable};
use crate::reader::Context;
use crate::roster::Peer;
use crate::writer::{Lost, Opened};

/// How long stopping waits for connections to close.
const CLOSING: Duration = Duration::from_millis(500);
/// A wait that something else always ends.
const LONG: Duration = Duration::from_secs(3_600);

/// What the swarm task owns.
pub(crate) struct Driver {
    swarm: Swarm<Behaviour>,
    shared: Arc<Shared>,
    context: Context,
    key: Keypair,
    table: PeerTable,
    links: BTreeMap<ValidatorIndex, Link>,
    dials: HashMap<ConnectionId, ValidatorIndex>,
    exchanges: Exchanges,
    judge: Judge,
    recorder: SwarmMetrics,
    commands: mpsc::Receiver<Command>,
    // Each task below sends once per stream, and streams are bounded: so are these.
    losses: (mpsc::UnboundedSender<Lost>, mpsc::UnboundedReceiver<Lost>),
    read_ends: (mpsc::UnboundedSender<Lost>, mpsc::UnboundedReceiver<Lost>),
}

/// The tasks of one member.
struct Link {
    peer: Arc<Peer>,
    streams: mpsc::Sender<Opened>,
    reader: Option<AbortOnDropHandle<()>>,
}

/// What the swarm task is started with.
pub(crate) struct Start {
    pub(crate) swarm: Swarm<Behaviour>,
    pub(crate) shared: Arc<Shared>,
    pub(crate) context: Context,
    pub(crate) key: Keypair,
    pub(crate) recorder: SwarmMetrics,
    pub(crate) commands: mpsc::Receiver<Command>,
}

impl Driver {
    pub(crate) fn new(start: Start) -> Self {
        let Start { swarm, shared, context, key, recorder, commands } = start;
        Self {
            swarm,
            table: PeerTable::new(context.timing.view_timeout, false),
            shared,
            context,
            key,
            links: BTreeMap::new(),
            dials: HashMap::new(),
            exchanges: Exchanges::default(),
            judge: Judge::default(),
            recorder,
            commands,
            losses: mpsc::unbounded_channel(),
            read_ends: mpsc::unbounded_channel(),
        }
    }

    /// Runs until the network is stopped.
    pub(crate) async fn run(mut self) {
        self.reconcile();
        let shared = Arc::clone(&self.shared);
        while !shared.stop.is_cancelled() {
            for action in self.table.due(self.now()) {
                self.perform(action);
            }
            let wait = self.table.next_due().unwrap_or_else(|| self.now() + LONG);
            tokio::select! {
                () = shared.stop.cancelled() => break,
                event = self.swarm.select_next_some() => self.on_swarm_event(event),
                Some(command) = self.commands.recv() => self.on_command(command),
                Some(lost) = self.losses.1.recv() => self.on_writer_end(&lost),
                Some(lost) = self.read_ends.1.recv() => self.on_reader_end(&lost),
                () = shared.gossip.wake.notified() => self.publish(),
                () = shared.changed.notified() => self.reconcile(),
                () = sleep_until(self.context.start + wait) => {}
            }
        }
        self.close().await;
    }

    /// Time since the network started.
    fn now(&self) -> Duration {
        Instant::now() - self.context.start
    }

    /// Closes what is open, without waiting for peers that do not answer.
    async fn close(mut self) {
        self.links.clear();
        let peers: Vec<PeerId> = self.swarm.connected_peers().copied().collect();
        for peer in peers {
            let _ = self.swarm.disconnect_peer_id(peer);
        }
        let closed = async {
            while self.swarm.network_info().num_peers() > 0 {
                self.swarm.select_next_some().await;
            }
        };
        // An elapsed wait only means that the sockets are dropped instead of closed.
        let _ = timeout(CLOSING, closed).await;
    }

    fn perform(&mut self, action: Action) {
        match action {
            Action::Dial(index) => self.dial(index),
            Action::Open(index, connection) => {
                if let Some(link) = self.links.get(&index) {
                    self.swarm.behaviour_mut().streams.open(link.peer.id, connection);
                }
            }
            Action::Close(connection) => {
                self.swarm.close_connection(connection);
            }
        }
    }

    fn on_command(&mut self, command: Command) {
        match command {
            Command::Request(request) => self.request(request),
            Command::Respond(channel, bytes) => self.respond(channel, bytes),
        }
    }

    fn on_swarm_event(&mut self, event: SwarmEvent<BehaviourEvent>) {
        self.recorder.record(&event);
        match event {
            SwarmEvent::Behaviour(event) => self.on_behaviour_event(event),
            SwarmEvent::ConnectionEstablished {
                peer_id,
                connection_id,
                endpoint,
                num_established,
                ..
            } => {
                let outbound = endpoint.is_dialer();
                let direction = if outbound { Direction::Outbound } else { Direction::Inbound };
                self.on_connected(peer_id, connection_id, direction, num_established.get());
            }
            SwarmEvent::ConnectionClosed { peer_id, connection_id, num_established, .. } => {
                self.on_closed(peer_id, connection_id, num_established);
            }
            SwarmEvent::OutgoingConnectionError { connection_id, error, .. } => {
                if let Some(index) = self.dials.remove(&connection_id) {
                    tracing::debug!(peer = %index, %error, "dial failed");
                    self.table.on_dial_failed(index, self.now());
                }
            }
            SwarmEvent::IncomingConnectionError { error, send_back_addr, .. } => {
                tracing::debug!(address = %send_back_addr, %error, "inbound connection refused");
                self.context.metrics.fault(Fault::Connection);
            }
            SwarmEvent::NewListenAddr { .. } | SwarmEvent::ExpiredListenAddr { .. } => {
                let addresses = self.swarm.listeners().cloned().collect();
                self.shared.set_listen_addresses(addresses);
            }
            SwarmEvent::ListenerError { error, .. } => {
                tracing::warn!(%error, "listener failed");
            }
            _ => {}
        }
    }

    fn on_behaviour_event(&mut self, event: BehaviourEvent) {
        match event {
            BehaviourEvent::Streams(event) => self.on_stream_event(event),
            BehaviourEvent::Fetch(event) => self.on_fetch_event(event),
            BehaviourEvent::Gossip(event) => {
                self.recorder.record(&event);
                self.on_gossip_event(event);
            }
            BehaviourEvent::Identify(event) => self.recorder.record(&event),
            BehaviourEvent::Ping(event) => {
                self.recorder.record(&event);
                self.on_ping(&event);
            }
            BehaviourEvent::Memory(never)
            | BehaviourEvent::Limits(never)
            | BehaviourEvent::Admission(never) => match never {},
        }
    }
}
