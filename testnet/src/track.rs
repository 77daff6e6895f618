//! Follows every transaction from its sending to its place in the verified streams, and counts
//! what must never happen: lost, doubled, reordered, other bytes, gaps.
//!
//! # Invariants
//! Every transaction that was offered is counted in exactly one of refused, submitted, unknown and
//! still open. At most [`TRACKED_MAX`] transactions are held: of those that are settled the oldest
//! leave first, and a second delivery of one that has left is no longer noticed.

pub mod latency;
pub mod order;
pub mod stream;

use crate::load::account::Signed;
use chorale_types::transaction::TransactionId;
use latency::Latency;
use order::{LaneOrder, SentAt};
use serde::Serialize;
use std::collections::{BTreeMap, HashMap, VecDeque};
use stream::{Fault, FrameDigest, Stream};

/// Most transactions held.
pub const TRACKED_MAX: usize = 4_000_000;
/// Settled transactions held to notice a second delivery: at 2,000 a second, eight minutes.
const SETTLED_MAX: usize = 1_000_000;

/// What is known about a transaction's answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Answer {
    Open,
    Submitted,
    Unknown,
}

/// How an attempt to submit ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Answered `available` or better.
    Submitted,
    /// Refused, with the reason's code.
    Refused(String),
    /// No node said what became of it, or one said `accepted` only.
    Unknown,
}

struct Tracked {
    lane: usize,
    sent: SentAt,
    bytes: u32,
    answer: Answer,
    copied: bool,
    seen: u32,
    settled: bool,
}

/// A request as it leaves.
#[derive(Clone, Copy, Debug)]
pub struct Request {
    /// Its number; rises.
    pub number: u64,
    /// The lane it belongs to.
    pub lane: usize,
    /// When it leaves, in monotonic nanoseconds.
    pub at: u64,
}

/// A verified frame as a follower read it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// When it was verified, in monotonic nanoseconds.
    pub at: u64,
    /// Its sequence number.
    pub sequence: u64,
    /// The height of its block.
    pub height: u64,
    /// The time of its block, in milliseconds since the epoch.
    pub time: u64,
    /// What it contains, hashed.
    pub digest: FrameDigest,
    /// Its transactions in order.
    pub ids: Vec<TransactionId>,
}

/// The totals of a run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Fell due and were taken up.
    pub offered: u64,
    /// Were refused, by a node or because nothing could take them.
    pub refused: u64,
    /// How many were refused for which reason.
    pub refused_by: BTreeMap<String, u64>,
    /// Were answered `available` or better.
    pub submitted: u64,
    /// Were never answered so; they may be final or not.
    pub unknown: u64,
    /// Submitted, and read by every follower.
    #[serde(rename = "final")]
    pub finalized: u64,
    /// Unknown, and read by every follower all the same.
    pub unknown_final: u64,
    /// Sent again, the same bytes, to another node because an answer was missing.
    pub retried: u64,
    /// Read by a follower a second time.
    pub duplicated: u64,
    /// Final before one that the same node had accepted earlier.
    pub reordered: u64,
    /// Sequence numbers that a follower did not get in order.
    pub gaps: u64,
    /// Frames whose bytes differ between followers.
    pub mismatched: u64,
    /// Frames or answers that could not be checked or did not verify.
    pub unverifiable: u64,
    /// Transactions in the streams that this run did not send.
    pub foreign: u64,
    /// Bytes of the transactions in `final`.
    pub final_bytes: u64,
}

/// The whole record of a run.
pub struct Tracker {
    transactions: HashMap<TransactionId, Tracked>,
    settled: VecDeque<TransactionId>,
    lanes: Vec<LaneOrder>,
    streams: Vec<Stream>,
    all_followers: u32,
    counts: Counts,
    latency: Latency,
}

impl Tracker {
    /// A record for `lanes` lanes and `rollups` rollups with `followers` followers each.
    ///
    /// # Panics
    /// With no follower, or more than 32.
    #[must_use]
    pub fn new(lanes: usize, rollups: usize, followers: usize) -> Self {
        assert!((1..=32).contains(&followers), "a set of followers is a word of bits");
        Self {
            transactions: HashMap::new(),
            settled: VecDeque::new(),
            lanes: vec![LaneOrder::default(); lanes],
            streams: vec![Stream::new(followers); rollups],
            all_followers: u32::MAX >> (32 - followers),
            counts: Counts::default(),
            latency: Latency::default(),
        }
    }

    /// Whether there is no room for more transactions.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.transactions.len() >= TRACKED_MAX
    }

    /// Notes transactions that were due but left for no node, and why.
    pub fn on_held_back(&mut self, count: u64, why: &str) {
        self.counts.offered += count;
        self.refuse(count, why);
    }

    /// Notes a request as it leaves.
    pub fn on_invoke(&mut self, request: Request, batch: &[Signed]) {
        self.latency.on_invoke(request.at);
        for (index, signed) in (0_u32..).zip(batch) {
            let sent =
                SentAt { invoked: request.at, answered: u64::MAX, request: request.number, index };
            let tracked = Tracked {
                lane: request.lane,
                sent,
                bytes: u32::try_from(signed.bytes.len()).unwrap_or(u32::MAX),
                answer: Answer::Open,
                copied: false,
                seen: 0,
                settled: false,
            };
            let before = self.transactions.insert(signed.id, tracked);
            assert!(before.is_none(), "no two transactions of a run are equal");
            self.counts.offered += 1;
        }
    }

    /// Notes that a transaction goes to another node too.
    pub fn on_retry(&mut self, id: &TransactionId) {
        if let Some(tracked) = self.transactions.get_mut(id) {
            tracked.copied = true;
            self.counts.retried += 1;
        }
    }

    /// Notes how a transaction's submission ended, at monotonic nanosecond `at`.
    pub fn on_outcome(&mut self, id: &TransactionId, at: u64, outcome: &Outcome) {
        let Some(tracked) = self.transactions.get_mut(id) else { return };
        match outcome {
            Outcome::Submitted => {
                tracked.answer = Answer::Submitted;
                tracked.sent.answered = at;
                self.counts.submitted += 1;
                self.latency.on_available(at.saturating_sub(tracked.sent.invoked));
            }
            Outcome::Unknown => {
                tracked.answer = Answer::Unknown;
                self.counts.unknown += 1;
            }
            Outcome::Refused(code) => {
                self.transactions.remove(id);
                self.refuse(1, code);
                return;
            }
        }
        self.settle(id);
    }

    fn refuse(&mut self, count: u64, code: &str) {
        self.counts.refused += count;
        *self.counts.refused_by.entry(code.to_owned()).or_default() += count;
    }

    /// Notes a frame that `follower` of rollup number `rollup` has verified.
    pub fn on_frame(&mut self, rollup: usize, follower: usize, frame: &Seen) {
        self.latency.on_height(frame.at, frame.height);
        for fault in self.streams[rollup].on_frame(follower, frame.sequence, frame.digest) {
            match fault {
                Fault::Gap | Fault::Repeat => self.counts.gaps += 1,
                Fault::Mismatch => self.counts.mismatched += 1,
                Fault::Uncompared => self.counts.unverifiable += 1,
            }
        }
        for id in &frame.ids {
            self.on_seen(follower, id, frame.at);
        }
    }

    fn on_seen(&mut self, follower: usize, id: &TransactionId, at: u64) {
        let bit = 1_u32 << follower;
        let Some(tracked) = self.transactions.get_mut(id) else {
            self.counts.foreign += 1;
            return;
        };
        if tracked.seen & bit != 0 {
            self.counts.duplicated += 1;
            return;
        }
        if tracked.seen == 0 && !tracked.copied {
            let early = self.lanes[tracked.lane].is_out_of_order(&tracked.sent);
            self.counts.reordered += u64::from(early);
        }
        tracked.seen |= bit;
        if follower == 0 {
            self.latency.on_final(at, at.saturating_sub(tracked.sent.invoked));
        }
        self.settle(id);
    }

    fn settle(&mut self, id: &TransactionId) {
        let Some(tracked) = self.transactions.get_mut(id) else { return };
        let everywhere = tracked.seen == self.all_followers;
        if tracked.settled || !everywhere || tracked.answer == Answer::Open {
            return;
        }
        tracked.settled = true;
        if tracked.answer == Answer::Submitted {
            self.counts.finalized += 1;
            self.counts.final_bytes += u64::from(tracked.bytes);
        } else {
            self.counts.unknown_final += 1;
        }
        self.settled.push_back(*id);
        if self.settled.len() > SETTLED_MAX
            && let Some(oldest) = self.settled.pop_front()
        {
            self.transactions.remove(&oldest);
        }
    }

    /// Notes something that could not be verified.
    pub const fn on_unverifiable(&mut self) {
        self.counts.unverifiable += 1;
    }

    /// The totals so far.
    #[must_use]
    pub const fn counts(&self) -> &Counts {
        &self.counts
    }

    /// Times so far.
    pub const fn latency(&mut self) -> &mut Latency {
        &mut self.latency
    }

    /// Submitted transactions that not all followers have read yet. At the end these are lost.
    #[must_use]
    pub const fn outstanding(&self) -> u64 {
        self.counts.submitted - self.counts.finalized
    }

    /// Frames that not all followers have shown yet.
    #[must_use]
    pub fn uncompared(&self) -> usize {
        self.streams.iter().map(Stream::uncompared).sum()
    }
}
