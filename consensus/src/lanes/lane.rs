//! What one replica knows of one lane: what is ordered, what it holds above that, what it
//! acknowledged, and which certificates it has.
//!
//! # Invariants
//! At most one digest is acknowledged at one place, and none at or below the ordered tip is
//! acknowledged any more. Everything above the ordered tip lies within [`LANE_BATCHES_MAX`]
//! places of it, except certificates, of which the highest [`LANE_CERTIFICATES_MAX`] are kept.
//! Bodies are never here, except of batches that wait for their check or their predecessor.

use super::rescue::Claim;
use super::task::Task;
use crate::record::RecordId;
use chorale_types::batch::{Availability, Batch, BatchHeader, BatchId, LaneTip};
use chorale_types::crypto::ed25519::Signature;
use chorale_types::crypto::hash::Digest;
use chorale_types::ids::{LaneId, LaneSeq, ValidatorIndex};
use chorale_types::limits::{LANE_BATCHES_MAX, LANE_CERTIFICATES_MAX, SYNC_HEADERS_MAX};
use chorale_types::message::SignedHeader;
use chorale_types::museum::{Bug, planted};
use chorale_types::time::Instant;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// A batch in this replica's store, or on its way there: its owner's signature is checked.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) struct Held {
    pub(super) signed: SignedHeader,
    /// The record that makes it durable, until it is.
    pub(super) writing: Option<RecordId>,
    /// This replica's acknowledgement, once signed.
    pub(super) own: Option<Signature>,
    /// Since when.
    pub(super) since: Instant,
}

/// A batch from its owner that waits for its signature check or for its predecessor.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) struct Waiting {
    pub(super) batch: Arc<Batch>,
    pub(super) digest: Digest,
    pub(super) checked: bool,
}

/// A part of the ordered lane of which some bodies are missing: above `above`, through `top`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) struct Slice {
    pub(super) above: LaneSeq,
    pub(super) top: BatchId,
}

impl Slice {
    pub(super) fn contains(&self, seq: LaneSeq) -> bool {
        seq > self.above && seq <= self.top.seq
    }
}

/// One lane.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) struct Lane {
    pub(super) id: LaneId,
    /// The ordered tip; place 0 with the epoch's description as digest while nothing is ordered.
    pub(super) ordered: LaneTip,
    /// Above the ordered tip and in slices that are not complete.
    pub(super) held: BTreeMap<(LaneSeq, Digest), Held>,
    /// What this replica acknowledged above the ordered tip.
    pub(super) acknowledged: BTreeMap<LaneSeq, Digest>,
    /// Checked certificates above the ordered tip.
    pub(super) certificates: BTreeMap<LaneSeq, Arc<Availability>>,
    /// One for each place; bytes bounded, the highest place is dropped first.
    pub(super) waiting: BTreeMap<LaneSeq, Waiting>,
    /// Ordered parts with missing bodies, by rising place. Catch-up commits a bounded number of
    /// blocks above what is ordered, which bounds this list.
    pub(super) missing: Vec<Slice>,
    /// The highest acknowledgement that each member sent for rescue, checked.
    pub(super) claims: BTreeMap<ValidatorIndex, Claim>,
    /// Places at which two batches with the owner's signature were seen.
    pub(super) forks: BTreeSet<LaneSeq>,
    /// What is being fetched.
    pub(super) task: Option<Task>,
    /// Whose turn it is to be asked.
    pub(super) turn: usize,
    /// Certified bodies that are missing are fetched from this moment on.
    pub(super) fetch_at: Option<Instant>,
    /// Since when certificates are here that are not ordered.
    pub(super) certified_since: Option<Instant>,
    /// When this replica last told the owner how far it follows.
    pub(super) status_at: Option<Instant>,
    /// When this replica last told all that the lane is late.
    pub(super) rescue_at: Option<Instant>,
    /// How many batches that are not full are acknowledged before more time must pass.
    pub(super) allowance: u64,
    /// Rescues that each member sent in this second.
    pub(super) rescues: BTreeMap<ValidatorIndex, u8>,
    /// Acknowledgements sent again in this second.
    pub(super) repeats: usize,
    /// Something of the owner was dropped that may fit once more is ordered.
    pub(super) dropped: bool,
}

impl Lane {
    /// A lane of which nothing is known but how far it is ordered.
    pub(super) fn new(id: LaneId, start: Digest, ordered: Option<&LaneTip>) -> Self {
        let empty = LaneTip { lane: id, seq: LaneSeq::ZERO, digest: start, bytes_through: 0 };
        Self {
            id,
            ordered: ordered.copied().unwrap_or(empty),
            held: BTreeMap::new(),
            acknowledged: BTreeMap::new(),
            certificates: BTreeMap::new(),
            waiting: BTreeMap::new(),
            missing: Vec::new(),
            claims: BTreeMap::new(),
            rescues: BTreeMap::new(),
            forks: BTreeSet::new(),
            task: None,
            turn: 0,
            fetch_at: None,
            certified_since: None,
            status_at: None,
            rescue_at: None,
            allowance: LANE_BATCHES_MAX,
            repeats: 0,
            dropped: false,
        }
    }

    /// The batch is in the store, or on its way there.
    pub(super) fn hold(&mut self, id: BatchId, held: Held) {
        self.held.insert((id.seq, id.digest), held);
    }

    /// The batch is acknowledged.
    ///
    /// # Panics
    /// When another one is at its place: an acknowledgement is for ever.
    pub(super) fn acknowledge(&mut self, id: BatchId) {
        let before = self.acknowledged.insert(id.seq, id.digest);
        assert!(
            before.is_none_or(|d| d == id.digest) || planted(Bug::SecondAcknowledged),
            "two acknowledged at {} of {}",
            id.seq,
            id.lane
        );
    }

    pub(super) fn holds(&self, id: &BatchId) -> bool {
        self.held.contains_key(&(id.seq, id.digest))
    }

    pub(super) fn header(&self, id: &BatchId) -> Option<&BatchHeader> {
        self.held.get(&(id.seq, id.digest)).map(|held| &held.signed.header)
    }

    pub(super) fn is_acknowledged(&self, id: &BatchId) -> bool {
        self.acknowledged.get(&id.seq) == Some(&id.digest)
    }

    /// The highest certificate.
    pub(super) fn certified(&self) -> Option<&Arc<Availability>> {
        self.certificates.last_key_value().map(|(_, cert)| cert)
    }

    /// The highest place that is certified or ordered.
    pub(super) fn certified_seq(&self) -> LaneSeq {
        self.certificates.last_key_value().map_or(self.ordered.seq, |(seq, _)| *seq)
    }

    /// The last place below `seq` at which something is held; zero when nothing is.
    pub(super) fn held_below(&self, seq: LaneSeq) -> LaneSeq {
        let below = self.held.range(..(seq, Digest::ZERO)).next_back();
        below.map_or(LaneSeq::ZERO, |((seq, _), _)| *seq)
    }

    /// Where the owner is to go on sending from: the highest place of which the next one could be
    /// acknowledged.
    pub(super) fn resume(&self) -> (LaneSeq, Digest) {
        let ordered = (self.ordered.seq, self.ordered.digest);
        let acknowledged = self.acknowledged.last_key_value().map(|(seq, d)| (*seq, *d));
        let certified = self.certified().map(|c| (c.statement.seq, c.statement.digest));
        [acknowledged, certified]
            .into_iter()
            .flatten()
            .fold(ordered, |best, next| if next.0 > best.0 { next } else { best })
    }

    /// Whether a place is close enough above the ordered tip.
    pub(super) const fn in_window(&self, seq: LaneSeq) -> bool {
        seq.above(self.ordered.seq) <= LANE_BATCHES_MAX
    }

    /// The first batch that is not held on the chain from `from` down to, not including, `floor`.
    pub(super) fn first_missing(&self, from: BatchId, floor: LaneSeq) -> Option<BatchId> {
        let mut at = from;
        while at.seq > floor {
            let Some(header) = self.header(&at) else { return Some(at) };
            let seq = at.seq.previous()?;
            at = BatchId { lane: self.id, seq, digest: header.prev };
        }
        None
    }

    /// Keeps a certificate above the ordered tip; the lowest goes when there are too many.
    pub(super) fn keep_certificate(&mut self, cert: Arc<Availability>, now: Instant) {
        let seq = cert.statement.seq;
        self.certified_since.get_or_insert(now);
        self.certificates.insert(seq, cert);
        if self.certificates.len() > LANE_CERTIFICATES_MAX {
            self.certificates.pop_first();
        }
        self.claims.retain(|_, claim| claim.signed.header.seq > seq);
    }

    /// The lane is ordered through `tip`.
    pub(super) fn order(&mut self, tip: LaneTip, now: Instant) {
        let slice = Slice { above: self.ordered.seq, top: tip.id() };
        self.ordered = tip;
        if self.first_missing(slice.top, slice.above).is_some() {
            self.add_missing(slice);
        }
        self.prune();
        self.make_way();
        self.certified_since = self.certified().map(|_| now);
    }

    /// Adds to the slice before, as long as one answer can give all its headers.
    fn add_missing(&mut self, slice: Slice) {
        let max = u64::try_from(SYNC_HEADERS_MAX).unwrap_or(u64::MAX);
        if let Some(last) = self.missing.last_mut()
            && last.top.seq == slice.above
            && slice.top.seq.above(last.above) <= max
        {
            last.top = slice.top;
            return;
        }
        self.missing.push(slice);
    }

    /// Forgets slices that are complete now.
    pub(super) fn settle_missing(&mut self) {
        if self.missing.is_empty() {
            return;
        }
        let all = core::mem::take(&mut self.missing);
        let open = |slice: &Slice| self.first_missing(slice.top, slice.above).is_some();
        self.missing = all.into_iter().filter(open).collect();
        self.prune();
    }

    /// Drops what lies at or below the ordered tip, except in slices that are not complete.
    fn prune(&mut self) {
        let (ordered, missing) = (self.ordered.seq, &self.missing);
        let wanted = |seq: LaneSeq| seq > ordered || missing.iter().any(|s| s.contains(seq));
        self.held.retain(|(seq, _), _| wanted(*seq));
        self.waiting.retain(|seq, _| wanted(*seq));
        self.acknowledged = self.acknowledged.split_off(&ordered.next());
        self.certificates = self.certificates.split_off(&ordered.next());
        self.forks = self.forks.split_off(&ordered.next());
        self.claims.retain(|_, claim| claim.signed.header.seq > ordered);
    }
}
