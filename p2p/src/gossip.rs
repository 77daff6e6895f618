//! The way round: while some member cannot be written to directly, urgent messages also go out
//! as signed envelopes by gossipsub, and members that can reach each other pass them on.
//!
//! # Invariants
//! - Nothing is passed on or handed up that was not signed by a member for this chain.
//! - A signature is checked only after everything that is cheaper: the bearer's rate, the form,
//!   membership.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use chorale_types::ids::ValidatorIndex;
use libp2p::PeerId;
use libp2p::gossipsub::{
    self, IdentTopic, IdentityTransform, MaxCountSubscriptionFilter, MessageAuthenticity,
    MessageId, ValidationMode, WhitelistSubscriptionFilter,
};
use libp2p::metrics::Registry;
use sha2::{Digest, Sha256};
use tokio::sync::Notify;

use crate::admission::Bucket;
use crate::config::{Class, Names, Timing};
use crate::envelope::{self, Envelope, Header};
use crate::error::StartError;
use crate::limits;
use crate::metrics::Metrics;
use crate::outbox::Outbox;
use crate::roster::Roster;

/// Accepts subscriptions to our one topic and nothing else.
type Filter = MaxCountSubscriptionFilter<WhitelistSubscriptionFilter>;
pub(crate) type Behaviour = gossipsub::Behaviour<IdentityTransform, Filter>;

const HEARTBEAT: Duration = Duration::from_millis(300);
const HISTORY: usize = 12;
const ID_BYTES: usize = 20;

/// The one topic of a chain.
pub(crate) fn topic(names: &Names) -> IdentTopic {
    IdentTopic::new(names.text("consensus"))
}

/// Content decides the id, so copies that come by different ways are one message.
fn message_id(message: &gossipsub::Message) -> MessageId {
    let topic = message.topic.as_str().as_bytes();
    let mut hasher = Sha256::new();
    hasher.update(b"chorale/gossip-id/1");
    hasher.update(u64::try_from(topic.len()).unwrap_or(u64::MAX).to_be_bytes());
    hasher.update(topic);
    hasher.update(&message.data);
    MessageId::new(&hasher.finalize()[..ID_BYTES])
}

/// The behaviour, subscribed to the topic. Every number that matters is set here.
pub(crate) fn behaviour(
    names: &Names,
    timing: &Timing,
    members: usize,
    registry: &mut Registry,
) -> Result<Behaviour, StartError> {
    // A small set cannot fill a mesh of eight.
    let others = members.saturating_sub(1);
    let mesh = 8.min(others);
    let config = gossipsub::ConfigBuilder::default()
        .protocol_id(names.text("gossip"), gossipsub::Version::V1_1)
        .validation_mode(ValidationMode::Anonymous)
        .validate_messages()
        .message_id_fn(message_id)
        .max_transmit_size(limits::GOSSIP_BYTES_MAX)
        .history_length(HISTORY)
        .history_gossip(3)
        .heartbeat_initial_delay(Duration::from_millis(100))
        .heartbeat_interval(HEARTBEAT)
        // Redialing is our own business.
        .check_explicit_peers_ticks(u64::MAX)
        .mesh_n(mesh)
        .mesh_n_low(mesh.min(6))
        .mesh_n_high(others.clamp(mesh, 12))
        .mesh_outbound_min(2.min(mesh / 2))
        .flood_publish(true)
        .duplicate_cache_time((timing.view_timeout * 4).max(Duration::from_secs(10)))
        .connection_handler_queue_len(limits::GOSSIP_QUEUE_MAX)
        .max_publish_messages(limits::GOSSIP_QUEUE_MAX)
        .build()
        .map_err(|error| setup(&error))?;
    let topic = topic(names);
    let filter = MaxCountSubscriptionFilter {
        filter: WhitelistSubscriptionFilter(HashSet::from([topic.hash()])),
        max_subscribed_topics: 1,
        max_subscriptions_per_request: 1,
    };
    let anonymous = MessageAuthenticity::Anonymous;
    let mut behaviour = Behaviour::new_with_subscription_filter(anonymous, config, filter)
        .map_err(|error| setup(&error))?
        .with_metrics(
            registry.sub_registry_with_prefix("chorale_p2p_gossipsub"),
            gossipsub::MetricsConfig::default(),
        );
    behaviour.subscribe(&topic).map_err(|error| setup(&error))?;
    Ok(behaviour)
}

fn setup(error: &impl ToString) -> StartError {
    StartError::Setup { part: "gossip", reason: error.to_string() }
}

/// Envelopes that wait to be signed and sent. Bounded per class like a peer's outbox.
pub(crate) struct Queue {
    unsigned: Mutex<Outbox>,
    attempts: AtomicU64,
    /// Rung when something was queued.
    pub(crate) wake: Notify,
}

impl Queue {
    pub(crate) fn new() -> Self {
        // Starting from the clock keeps attempts of a restarted node apart from its earlier ones.
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let first = u64::try_from(now.as_micros()).unwrap_or(0);
        let (unsigned, attempts) = (Mutex::default(), AtomicU64::new(first));
        Self { unsigned, attempts, wake: Notify::new() }
    }

    /// Queues a message of `sender`'s; `to` is `None` for everybody.
    pub(crate) fn push(
        &self,
        sender: ValidatorIndex,
        to: Option<ValidatorIndex>,
        class: Class,
        message: &Bytes,
        metrics: &Metrics,
    ) {
        let attempt = self.attempts.fetch_add(1, Ordering::Relaxed);
        let unsigned = envelope::encode(&Header { sender, to, class, attempt }, message);
        let dropped = self.lock().push(class, unsigned.into());
        metrics.drop_frames(class, dropped);
        self.wake.notify_one();
    }

    /// The most urgent envelope, still without its signature.
    pub(crate) fn pop(&self) -> Option<Bytes> {
        self.lock().pop(true).map(|(_, unsigned)| unsigned)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Outbox> {
        self.unsigned.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What to do with a gossiped message.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Verdict<'a> {
    /// Pass it on; hand it up if it is for us and did not come directly.
    Genuine(Header, &'a [u8]),
    /// Our own, come back.
    Own,
    /// The bearer brings too much: drop it unseen.
    Throttled,
    /// Not genuine: drop it.
    Reject,
}

/// Decides about messages, remembering how much each bearer brings.
#[derive(Default)]
pub(crate) struct Judge {
    buckets: HashMap<PeerId, Bucket>,
}

impl Judge {
    /// Judges `data` that `bearer` brought at `now`.
    pub(crate) fn judge<'a>(
        &mut self,
        chain: &str,
        roster: &Roster,
        bearer: PeerId,
        data: &'a [u8],
        now: Duration,
    ) -> Verdict<'a> {
        if roster.by_id(&bearer).is_none() {
            return Verdict::Reject;
        }
        let members = u32::try_from(roster.peers.len() + 1).unwrap_or(u32::MAX);
        let rate = members.saturating_mul(limits::ENVELOPES_PER_SECOND_PER_MEMBER);
        let bucket = self.buckets.entry(bearer).or_insert_with(|| Bucket::full(rate, now));
        if !bucket.try_take(rate, now) {
            return Verdict::Throttled;
        }
        let Ok(envelope) = envelope::decode(data) else { return Verdict::Reject };
        let Envelope { header, message, .. } = envelope;
        if roster.me == Some(header.sender) {
            return Verdict::Own;
        }
        match roster.peers.get(&header.sender) {
            Some(sender) if envelope.verify(chain, &sender.key) => {
                Verdict::Genuine(header, message)
            }
            _ => Verdict::Reject,
        }
    }

    /// Forgets bearers that are no longer members.
    pub(crate) fn retain_members(&mut self, roster: &Roster) {
        self.buckets.retain(|bearer, _| roster.by_id(bearer).is_some());
    }
}

#[cfg(test)]
#[path = "gossip/tests.rs"]
mod tests;
