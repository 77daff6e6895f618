//! What peers did wrong, counted by kind and by peer, and told in the log at a bounded rate.

use chorale_consensus::note::Fault;
use chorale_types::ids::ValidatorIndex;
use chorale_types::limits::VALIDATORS_MAX;
use prometheus::IntCounterVec;
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// A peer's faults are told once in so long.
const TOLD_EVERY: Duration = Duration::from_secs(10);

/// Something a peer did wrong.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Misdeed {
    /// Bytes that are no message, or longer than one may be.
    Undecodable,
    /// A message in another class than its own.
    WrongClass,
    /// A batch against the rules of form.
    BadBatch,
    /// What the replica found.
    Protocol(Fault),
}

impl From<Fault> for Misdeed {
    fn from(fault: Fault) -> Self {
        Self::Protocol(fault)
    }
}

impl Misdeed {
    /// The label in metrics.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Undecodable => "undecodable",
            Self::WrongClass => "wrong_class",
            Self::BadBatch => "bad_batch",
            Self::Protocol(fault) => match fault {
                Fault::Equivocation => "equivocation",
                Fault::BadSignature => "bad_signature",
                Fault::NotLeader => "not_leader",
                Fault::WrongContext => "wrong_context",
                Fault::Malformed => "malformed",
                Fault::BadAnswer => "bad_answer",
                Fault::Flood => "flood",
            },
        }
    }
}

/// The counts. At most one entry for each member of a set, and one for all followers together.
#[derive(Debug)]
pub struct Faults {
    counter: IntCounterVec,
    peers: Mutex<BTreeMap<Option<ValidatorIndex>, Record>>,
}

#[derive(Debug, Default)]
struct Record {
    count: u64,
    told: Option<Instant>,
}

impl Faults {
    /// Counts into `counter`, which has one label, the fault.
    #[must_use]
    pub fn new(counter: IntCounterVec) -> Self {
        Self { counter, peers: Mutex::default() }
    }

    /// A member did something wrong.
    pub fn report(&self, peer: ValidatorIndex, misdeed: Misdeed) {
        self.count(Some(peer), misdeed);
    }

    /// A follower did something wrong.
    pub fn report_follower(&self, misdeed: Misdeed) {
        self.count(None, misdeed);
    }

    fn count(&self, peer: Option<ValidatorIndex>, misdeed: Misdeed) {
        self.counter.with_label_values(&[misdeed.name()]).inc();
        let mut peers = self.peers.lock().unwrap_or_else(PoisonError::into_inner);
        if !peers.contains_key(&peer) && peers.len() > VALIDATORS_MAX {
            return;
        }
        let record = peers.entry(peer).or_default();
        record.count = record.count.saturating_add(1);
        if record.told.is_none_or(|told| told.elapsed() >= TOLD_EVERY) {
            record.told = Some(Instant::now());
            let (fault, total) = (misdeed.name(), record.count);
            match peer {
                Some(peer) => tracing::warn!(%peer, fault, total, "a peer misbehaved"),
                None => tracing::warn!(fault, total, "a follower misbehaved"),
            }
        }
    }

    /// How often a member did something wrong.
    #[must_use]
    pub fn of(&self, peer: ValidatorIndex) -> u64 {
        let peers = self.peers.lock().unwrap_or_else(PoisonError::into_inner);
        peers.get(&Some(peer)).map_or(0, |record| record.count)
    }
}
