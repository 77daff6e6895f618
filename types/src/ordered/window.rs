//! The ids that a rollup remembers, so that each transaction is delivered once.
//!
//! # Invariants
//! Entries have rising heights and clocks that never fall, none is empty, ids rise inside an
//! entry, and no id is in two entries. `index` holds exactly the ids of the entries.

use crate::codec::{Encode, encode_list};
use crate::crypto::hash::{Digest, Domain, hash};
use crate::genesis::Params;
use crate::ids::Height;
use crate::limits::WINDOW_IDS_MAX;
use crate::museum::{Bug, planted};
use crate::time::Timestamp;
use crate::transaction::TransactionId;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use thiserror::Error;

/// The most that one block moves the window clock, in milliseconds: an outage of hours must not
/// empty the windows at its end.
const CLOCK_STEP_MS_MAX: u64 = 1_000;

/// How long an id is remembered: until both have passed since it was ordered.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct WindowRule {
    /// Milliseconds of the window clock.
    pub dedup_ms: u64,
    /// Heights.
    pub dedup_heights: u64,
}

impl From<&Params> for WindowRule {
    fn from(params: &Params) -> Self {
        Self { dedup_ms: params.dedup_ms, dedup_heights: params.dedup_heights }
    }
}

/// Where the window stands. The window clock is the sum over all blocks of the step in block
/// time, each counted with at most one second; zero at genesis.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Moment {
    /// The height.
    pub height: Height,
    /// The window clock there, in milliseconds.
    pub clock: u64,
}

impl Moment {
    /// One block later, when block time went from `earlier` to `later`.
    #[must_use]
    pub fn step(self, earlier: Timestamp, later: Timestamp) -> Self {
        let most = if planted(Bug::OutageEmptiesWindow) { u64::MAX } else { CLOCK_STEP_MS_MAX };
        let step = later.since(earlier).min(most);
        Self { height: self.height.next(), clock: self.clock.saturating_add(step) }
    }
}

/// The ids that a rollup got at one height.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct WindowEntry {
    /// The height.
    pub height: Height,
    /// The window clock there.
    pub clock: u64,
    /// The ids in rising order; at least one.
    pub ids: Vec<TransactionId>,
}
codec_struct!(WindowEntry { height, clock, ids: max WINDOW_IDS_MAX });

impl WindowEntry {
    fn chain(&self, previous: &Digest) -> Digest {
        let mut list = Vec::with_capacity(self.ids.len().saturating_mul(32).saturating_add(4));
        encode_list(self.ids.iter(), &mut list);
        let ids = hash(Domain::IdList, &[&list]);
        let (height, clock) = (self.height.to_bytes(), self.clock.to_bytes());
        hash(Domain::Window, &[previous.as_bytes(), &height, &clock, ids.as_bytes()])
    }
}

/// What the ordering root says of a window: a chain over its entries.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct WindowCommitment {
    /// The height of the oldest entry; zero when there is none.
    pub start: Height,
    /// The chain's value before the oldest entry.
    pub base: Digest,
    /// The chain's value after the newest entry; the base when there is none.
    pub tip: Digest,
}
codec_struct!(WindowCommitment { start, base, tip });

/// Why entries are not the window that was committed to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum WindowError {
    /// An entry is empty, or ids or entries are out of order.
    #[error("window entry at height {height} is out of order")]
    OutOfOrder {
        /// The entry.
        height: Height,
    },
    /// An id is in two entries.
    #[error("window entry at height {height} repeats an id of height {earlier}")]
    Repeated {
        /// The later entry.
        height: Height,
        /// The earlier one.
        earlier: Height,
    },
    /// The entries are not the ones committed to.
    #[error("window entries lead to {got}, the ordering root names {expected}")]
    WrongEntries {
        /// Where they lead.
        got: Digest,
        /// What is committed to.
        expected: Digest,
    },
    /// More ids than a reader takes.
    #[error("window of {got} ids, at most {WINDOW_IDS_MAX} are taken")]
    TooMany {
        /// How many there are.
        got: usize,
    },
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct Held {
    entry: Arc<WindowEntry>,
    /// The chain's value after this entry.
    tip: Digest,
}

/// The ids that a rollup remembers.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Window {
    rule: WindowRule,
    base: Digest,
    entries: VecDeque<Held>,
    index: BTreeMap<TransactionId, Height>,
}

impl Window {
    /// A window that never remembered anything.
    #[must_use]
    pub const fn new(rule: WindowRule) -> Self {
        Self { rule, base: Digest::ZERO, entries: VecDeque::new(), index: BTreeMap::new() }
    }

    /// The window with these entries of somebody else's, by rising height, if it is the one
    /// committed to.
    ///
    /// # Errors
    /// When the entries are malformed, more than [`WINDOW_IDS_MAX`] ids, or others than were
    /// committed to.
    pub fn restore(
        rule: WindowRule,
        commitment: &WindowCommitment,
        entries: impl IntoIterator<Item = WindowEntry>,
    ) -> Result<Self, WindowError> {
        Self::rebuild(rule, commitment, entries, WINDOW_IDS_MAX)
    }

    /// The window with these entries, which the reader stored itself. They have no bound: a window
    /// that could be lived through must come back, or nobody starts again after a busy hour.
    ///
    /// # Errors
    /// When the entries are malformed or others than were committed to.
    pub fn resume(
        rule: WindowRule,
        commitment: &WindowCommitment,
        entries: impl IntoIterator<Item = WindowEntry>,
    ) -> Result<Self, WindowError> {
        Self::rebuild(rule, commitment, entries, usize::MAX)
    }

    fn rebuild(
        rule: WindowRule,
        commitment: &WindowCommitment,
        entries: impl IntoIterator<Item = WindowEntry>,
        ids_max: usize,
    ) -> Result<Self, WindowError> {
        let mut window = Self { base: commitment.base, ..Self::new(rule) };
        for entry in entries {
            window.check_next(&entry, ids_max)?;
            window.append(entry);
        }
        if planted(Bug::WindowForgotten) {
            window.index.clear();
        }
        let got = window.commitment();
        if got == *commitment {
            Ok(window)
        } else {
            Err(WindowError::WrongEntries { got: got.tip, expected: commitment.tip })
        }
    }

    fn check_next(&self, entry: &WindowEntry, ids_max: usize) -> Result<(), WindowError> {
        let height = entry.height;
        let follows = self
            .entries
            .back()
            .is_none_or(|last| last.entry.height < height && last.entry.clock <= entry.clock);
        if !follows || entry.ids.is_empty() || !entry.ids.is_sorted_by(|a, b| a < b) {
            return Err(WindowError::OutOfOrder { height });
        }
        let got = self.len().saturating_add(entry.ids.len());
        if got > ids_max {
            return Err(WindowError::TooMany { got });
        }
        match entry.ids.iter().find_map(|id| self.index.get(id)) {
            Some(earlier) => Err(WindowError::Repeated { height, earlier: *earlier }),
            None => Ok(()),
        }
    }

    fn append(&mut self, entry: WindowEntry) {
        let tip = entry.chain(&self.tip());
        self.index.extend(entry.ids.iter().map(|id| (*id, entry.height)));
        self.entries.push_back(Held { entry: Arc::new(entry), tip });
    }

    fn tip(&self) -> Digest {
        self.entries.back().map_or(self.base, |held| held.tip)
    }

    /// How many entries are forgotten at a moment. They are the oldest ones, because heights and
    /// clocks rise together.
    fn forgotten(&self, at: Moment) -> usize {
        let WindowRule { dedup_ms, dedup_heights } = self.rule;
        if planted(Bug::WindowEvicts) {
            return self.entries.len().saturating_sub(8);
        }
        self.entries.partition_point(|Held { entry, .. }| {
            at.clock.saturating_sub(entry.clock) >= dedup_ms
                && at.height.above(entry.height) >= dedup_heights
        })
    }

    /// Where each of `ids`, in delivery order at `at`, was ordered before as far as is
    /// remembered there: at an earlier height, or at this one earlier in the list. Those with
    /// `None` are delivered.
    #[must_use]
    pub fn earlier(&self, at: Moment, ids: &[TransactionId]) -> Vec<Option<Height>> {
        let oldest = self.entries.get(self.forgotten(at)).map(|held| held.entry.height);
        let remembered = |id: &TransactionId| {
            self.index.get(id).copied().filter(|height| oldest.is_some_and(|o| o <= *height))
        };
        let mut fresh = BTreeSet::new();
        ids.iter()
            .map(|id| match remembered(id) {
                Some(height) => Some(height),
                None if fresh.insert(*id) => None,
                None => Some(at.height),
            })
            .collect()
    }

    /// Forgets what is old enough at `at`.
    pub fn expire(&mut self, at: Moment) {
        for _ in 0..self.forgotten(at) {
            let held = self.entries.pop_front().expect("counted above");
            self.base = held.tip;
            for id in &held.entry.ids {
                self.index.remove(id);
            }
        }
    }

    /// Forgets what is old enough at `at` and remembers what was delivered there, in any order.
    ///
    /// # Panics
    /// When `at` is not above the last entry, or an id is remembered already or there twice: the
    /// caller delivers only what [`Self::earlier`] does not know.
    pub fn remember(&mut self, at: Moment, mut ids: Vec<TransactionId>) {
        self.expire(at);
        if ids.is_empty() {
            return;
        }
        ids.sort_unstable();
        let entry = WindowEntry { height: at.height, clock: at.clock, ids };
        let last = self.entries.back().map(|held| held.entry.height);
        assert!(last.is_none_or(|last| last < at.height), "window entries rise in height");
        let before = self.index.len();
        let added = entry.ids.len();
        self.append(entry);
        assert_eq!(self.index.len(), before.saturating_add(added), "an id is delivered once");
    }

    /// What the root says of it.
    #[must_use]
    pub fn commitment(&self) -> WindowCommitment {
        let start = self.entries.front().map_or(Height::ZERO, |held| held.entry.height);
        WindowCommitment { start, base: self.base, tip: self.tip() }
    }

    /// Its entries, by rising height.
    pub fn entries(&self) -> impl ExactSizeIterator<Item = &Arc<WindowEntry>> {
        self.entries.iter().map(|held| &held.entry)
    }

    /// How many ids are remembered.
    #[must_use]
    pub fn len(&self) -> usize {
        self.index.len()
    }

    /// Whether nothing is remembered.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.index.is_empty()
    }
}

#[cfg(test)]
mod tests;
