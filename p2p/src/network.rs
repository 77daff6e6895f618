//! The handle: what the rest of a node holds to speak to its peers. Nothing here waits for the
//! network; whatever cannot be done at once is queued within bounds or refused.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use bytes::Bytes;
use chorale_types::ids::ValidatorIndex;
use libp2p::Multiaddr;
use libp2p::metrics::Registry;
use libp2p::request_response::ResponseChannel;
use tokio::sync::{Notify, Semaphore, mpsc};
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

use crate::config::{Class, Member, Names};
use crate::error::{FetchError, SendError, SetError};
use crate::fetch::{Pending, Reply, RequestId, ResponseToken};
use crate::gossip;
use crate::limits;
use crate::metrics::Metrics;
use crate::roster::{Directory, Peer, Roster};

/// What the handle and the swarm task share.
pub(crate) struct Shared {
    pub(crate) names: Names,
    pub(crate) directory: Arc<Directory>,
    pub(crate) gossip: gossip::Queue,
    /// Bytes of followers' requests that may still be put before the application.
    pub(crate) followers: Arc<Semaphore>,
    pub(crate) metrics: Metrics,
    pub(crate) registry: Mutex<Registry>,
    /// Rung when the roster was replaced.
    pub(crate) changed: Notify,
    pub(crate) stop: CancellationToken,
    pub(crate) tasks: TaskTracker,
    listen: RwLock<Vec<Multiaddr>>,
}

impl Shared {
    pub(crate) fn new(
        names: Names,
        directory: Arc<Directory>,
        metrics: Metrics,
        registry: Registry,
    ) -> Self {
        let followers = usize::try_from(limits::FOLLOWER_EVENT_BYTES_MAX).expect("fits");
        Self {
            names,
            directory,
            gossip: gossip::Queue::new(),
            followers: Arc::new(Semaphore::new(followers)),
            metrics,
            registry: Mutex::new(registry),
            changed: Notify::new(),
            stop: CancellationToken::new(),
            tasks: TaskTracker::new(),
            listen: RwLock::default(),
        }
    }

    pub(crate) fn set_listen_addresses(&self, addresses: Vec<Multiaddr>) {
        *self.listen.write().unwrap_or_else(PoisonError::into_inner) = addresses;
    }
}

/// What only the swarm task can do.
pub(crate) enum Command {
    Request(Request),
    Respond(ResponseChannel<Reply>, Bytes),
}

/// A fetch to send.
pub(crate) struct Request {
    pub(crate) peer: Arc<Peer>,
    pub(crate) bytes: Bytes,
    pub(crate) pending: Pending,
}

/// What is known about the way to one validator.
#[derive(Clone, Debug)]
pub struct PeerStatus {
    /// Which validator.
    pub index: ValidatorIndex,
    /// Its libp2p peer id, as text.
    pub peer_id: String,
    /// Established connections, whoever dialed: two where both ends can dial, one more for a
    /// moment while one is being replaced.
    pub connections: u32,
    /// Our stream to it is open.
    pub outbound_open: bool,
    /// Its stream to us is open.
    pub inbound_open: bool,
    /// How long a heartbeat and its answer took, queues included; `None` while unknown.
    pub rtt: Option<Duration>,
    /// Messages waiting to be sent.
    pub queued: usize,
    /// Their bytes.
    pub queued_bytes: usize,
    /// Messages that made room for newer ones so far.
    pub dropped: u64,
    /// How often the stream was opened again after a loss.
    pub reconnects: u64,
}

/// A running network. Cheap to clone; when the last handle is dropped, the network stops.
#[derive(Clone)]
pub struct Network {
    shared: Arc<Shared>,
    commands: mpsc::Sender<Command>,
    requests: Arc<AtomicU64>,
    _stop: Arc<DropGuard>,
}

impl Network {
    pub(crate) fn new(shared: Arc<Shared>, commands: mpsc::Sender<Command>) -> Self {
        let stop = Arc::new(shared.stop.clone().drop_guard());
        Self { shared, commands, requests: Arc::default(), _stop: stop }
    }

    /// Queues a message for one member. When its class is full there, the oldest goes. While its
    /// stream is not open, urgent classes also go by gossip.
    ///
    /// # Errors
    /// When the message is empty or beyond its class, or `to` is not another member.
    pub fn send(&self, to: ValidatorIndex, class: Class, bytes: Bytes) -> Result<(), SendError> {
        check_message(class, &bytes)?;
        let roster = self.shared.directory.get();
        let peer = roster.peers.get(&to).ok_or(SendError::Unknown { to })?;
        if !peer.health.is_outbound_open() {
            self.gossip(&roster, Some(to), class, &bytes);
        }
        self.queue(peer, class, bytes);
        Ok(())
    }

    /// Queues a message for every other member, as [`Self::send`].
    ///
    /// # Errors
    /// When the message is empty or beyond its class.
    #[allow(clippy::needless_pass_by_value, reason = "a message is handed over, as to `send`")]
    pub fn broadcast(&self, class: Class, bytes: Bytes) -> Result<(), SendError> {
        check_message(class, &bytes)?;
        let roster = self.shared.directory.get();
        if roster.peers.values().any(|peer| !peer.health.is_outbound_open()) {
            self.gossip(&roster, None, class, &bytes);
        }
        for peer in roster.peers.values() {
            self.queue(peer, class, bytes.clone());
        }
        Ok(())
    }

    fn queue(&self, peer: &Peer, class: Class, bytes: Bytes) {
        let dropped = peer.outbox().push(class, bytes);
        self.shared.metrics.drop_frames(class, dropped);
        peer.wake.notify_one();
    }

    fn gossip(&self, roster: &Roster, to: Option<ValidatorIndex>, class: Class, bytes: &Bytes) {
        if let (Some(me), false) = (roster.me, class.is_bulk()) {
            self.shared.gossip.push(me, to, class, bytes, &self.shared.metrics);
        }
    }

    /// Asks one member. The outcome comes as one [`crate::Event::Response`].
    ///
    /// # Errors
    /// `TooLong` beyond [`limits::REQUEST_BYTES_MAX`], `Unknown` when `to` is not another member,
    /// `Busy` while [`limits::REQUESTS_PER_PEER_MAX`] requests to it have no response that the
    /// application has taken, `Stopped` after [`Self::shutdown`].
    pub fn request(&self, to: ValidatorIndex, bytes: Bytes) -> Result<RequestId, FetchError> {
        check_length(bytes.len(), limits::REQUEST_BYTES_MAX)?;
        let roster = self.shared.directory.get();
        let peer = roster.peers.get(&to).ok_or(FetchError::Unknown { to })?;
        let slot = Arc::clone(&peer.requests).try_acquire_owned().map_err(|_| FetchError::Busy)?;
        let request = RequestId(self.requests.fetch_add(1, Ordering::Relaxed));
        let pending = Pending { request, to, slot };
        let peer = Arc::clone(peer);
        self.command(Command::Request(Request { peer, bytes, pending }))?;
        Ok(request)
    }

    /// Answers a request. Answering too late is no error.
    ///
    /// # Errors
    /// `TooLong` beyond [`limits::RESPONSE_BYTES_MAX`], `Busy` when too much waits for the
    /// network, `Stopped` after [`Self::shutdown`]. Who asked then gets no answer.
    pub fn respond(&self, token: ResponseToken, bytes: Bytes) -> Result<(), FetchError> {
        check_length(bytes.len(), limits::RESPONSE_BYTES_MAX)?;
        self.command(Command::Respond(token.channel, bytes))
    }

    fn command(&self, command: Command) -> Result<(), FetchError> {
        self.commands.try_send(command).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => FetchError::Busy,
            mpsc::error::TrySendError::Closed(_) => FetchError::Stopped,
        })
    }

    /// How the way to each other member is, by index.
    #[must_use]
    pub fn peers(&self) -> Vec<PeerStatus> {
        self.shared.directory.get().peers.values().map(|peer| status(peer)).collect()
    }

    /// Where this node can be reached, with the ports that were really bound.
    #[must_use]
    pub fn listen_addresses(&self) -> Vec<Multiaddr> {
        self.shared.listen.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Replaces the validator set. Members that stay at their index with their key keep their
    /// streams and queues. A set without this node makes it a follower.
    ///
    /// # Errors
    /// When the set cannot be used; the old one then stays.
    pub fn update_validators(&self, members: &[Member]) -> Result<(), SetError> {
        self.shared.directory.replace(members)?;
        self.shared.changed.notify_one();
        Ok(())
    }

    /// Every metric of this crate and of libp2p in OpenMetrics text, ending with `# EOF`.
    #[must_use]
    pub fn metrics_text(&self) -> String {
        let roster = self.shared.directory.get();
        let queued: usize = roster.peers.values().map(|peer| peer.outbox().bytes()).sum();
        self.shared.metrics.queued_bytes.set(i64::try_from(queued).unwrap_or(i64::MAX));
        let registry = self.shared.registry.lock().unwrap_or_else(PoisonError::into_inner);
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &registry)
            .expect("writing to a string cannot fail");
        text
    }

    /// Closes every stream and connection and stops. Other handles then refuse or drop.
    pub async fn shutdown(self) {
        self.shared.stop.cancel();
        self.shared.tasks.close();
        self.shared.tasks.wait().await;
    }
}

fn status(peer: &Peer) -> PeerStatus {
    let (queued, queued_bytes, dropped) = {
        let outbox = peer.outbox();
        (outbox.len(), outbox.bytes(), outbox.dropped())
    };
    let health = &peer.health;
    PeerStatus {
        index: peer.index,
        peer_id: peer.id.to_base58(),
        connections: health.connections.load(Ordering::Relaxed),
        outbound_open: health.is_outbound_open(),
        inbound_open: health.inbound.load(Ordering::Relaxed) > 0,
        rtt: health.rtt(),
        queued,
        queued_bytes,
        dropped,
        reconnects: health.opened.load(Ordering::Relaxed).saturating_sub(1),
    }
}

fn check_message(class: Class, bytes: &Bytes) -> Result<(), SendError> {
    let (bytes, bytes_max) = (bytes.len(), class.bytes_max());
    match bytes {
        0 => Err(SendError::Empty { class }),
        _ if bytes > bytes_max => Err(SendError::TooLong { class, bytes, bytes_max }),
        _ => Ok(()),
    }
}

fn check_length(bytes: usize, bytes_max: usize) -> Result<(), FetchError> {
    if bytes > bytes_max {
        return Err(FetchError::TooLong { bytes, bytes_max });
    }
    Ok(())
}
