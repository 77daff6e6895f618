//! How far each transaction submitted here is, and who waits for it.
//!
//! Work is done per batch and per block under one lock; a transaction costs look-ups in a map.
//!
//! # Invariants
//! - A transaction is tracked from its admission until it is ordered; then the index knows it.
//! - At most [`TRACKED_MAX`] are tracked; the oldest go first, and whoever waits for one of them
//!   gets what was known of it.
//! - Levels only rise.

use super::{Place, Progress};
use chorale_types::batch::BatchId;
use chorale_types::ids::{LaneId, LaneSeq, RollupId};
use chorale_types::level::Level;
use chorale_types::limits::LANE_BATCHES_MAX;
use chorale_types::transaction::TransactionId;
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;

/// Most transactions whose level is tracked at once.
pub const TRACKED_MAX: usize = 1 << 18;
/// Own batches above the frontier: what a lane may hold.
#[allow(clippy::cast_possible_truncation)] // 512
const BATCHES_MAX: usize = LANE_BATCHES_MAX as usize;

/// Transactions under way.
#[derive(Debug, Default)]
pub(super) struct Tracker {
    transactions: HashMap<TransactionId, Tracked>,
    /// In order of admission, with ids that are ordered meanwhile.
    oldest: VecDeque<TransactionId>,
    /// What this node's own batches hold, until they are ordered. An own lane has one batch at a
    /// place.
    batches: BTreeMap<(LaneId, LaneSeq), Vec<TransactionId>>,
}

#[derive(Debug)]
struct Tracked {
    level: Level,
    waiters: Vec<(Arc<Waiter>, usize)>,
}

impl Tracker {
    /// Transactions were taken.
    pub(super) fn accept(&mut self, ids: impl Iterator<Item = TransactionId>) {
        for id in ids {
            let known = self.transactions.entry(id);
            if let std::collections::hash_map::Entry::Vacant(place) = known {
                place.insert(Tracked { level: Level::Accepted, waiters: Vec::new() });
                self.oldest.push_back(id);
            }
        }
        self.forget();
    }

    fn forget(&mut self) {
        while self.transactions.len() > TRACKED_MAX {
            let Some(id) = self.oldest.pop_front() else {
                break;
            };
            if let Some(tracked) = self.transactions.remove(&id) {
                tracked.waiters.iter().for_each(|(waiter, index)| waiter.give_up(*index));
            }
        }
        // Most of what was admitted long ago is ordered: the list is swept before it outgrows
        // the map.
        if self.oldest.len() > 2 * self.transactions.len() + 1024 {
            self.oldest.retain(|id| self.transactions.contains_key(id));
        }
    }

    /// A batch was cut from these.
    pub(super) fn cut(&mut self, batch: &BatchId, ids: Vec<TransactionId>) {
        self.batches.insert((batch.lane, batch.seq), ids);
        while self.batches.len() > BATCHES_MAX {
            self.batches.pop_first();
        }
    }

    /// A batch is ordered, each of its transactions now or before.
    pub(super) fn batch_ordered(&mut self, lane: LaneId, seq: LaneSeq) {
        self.batches.remove(&(lane, seq));
    }

    /// A batch reached a level. Final comes for each transaction from ordering, with its place.
    pub(super) fn level(&mut self, batch: &BatchId, level: Level) {
        let Some(ids) = self.batches.get(&(batch.lane, batch.seq)) else {
            return;
        };
        if level >= Level::Final {
            return;
        }
        for id in ids {
            if let Some(tracked) = self.transactions.get_mut(id)
                && level > tracked.level
            {
                tracked.level = level;
                tracked.tell(Progress { level, place: None });
            }
        }
    }

    /// A transaction was ordered.
    pub(super) fn ordered(&mut self, id: &TransactionId, place: Place) {
        if let Some(tracked) = self.transactions.remove(id) {
            tracked.tell(Progress { level: Level::Final, place: Some(place) });
        }
    }

    /// Whether a transaction is under way here.
    pub(super) fn knows(&self, id: &TransactionId) -> bool {
        self.transactions.contains_key(id)
    }

    /// How far a transaction is.
    pub(super) fn progress(&self, id: &TransactionId) -> Option<Progress> {
        let level = self.transactions.get(id)?.level;
        Some(Progress { level, place: None })
    }

    /// Adds a waiter for these; the indices of those that are not tracked come back.
    pub(super) fn register(
        &mut self,
        transactions: &[(RollupId, TransactionId)],
        waiter: &Arc<Waiter>,
    ) -> Vec<usize> {
        let mut unknown = Vec::new();
        for (index, (_, id)) in transactions.iter().enumerate() {
            match self.transactions.get_mut(id) {
                Some(tracked) => {
                    waiter.update(index, Progress { level: tracked.level, place: None });
                    tracked.waiters.push((Arc::clone(waiter), index));
                }
                None => unknown.push(index),
            }
        }
        unknown
    }

    /// How many waits there are, one for each transaction waited for.
    #[cfg(test)]
    pub(super) fn waits(&self) -> usize {
        self.transactions.values().map(|tracked| tracked.waiters.len()).sum()
    }

    /// Takes a waiter away again.
    pub(super) fn withdraw(
        &mut self,
        transactions: &[(RollupId, TransactionId)],
        waiter: &Arc<Waiter>,
    ) {
        for (_, id) in transactions {
            if let Some(tracked) = self.transactions.get_mut(id) {
                tracked.waiters.retain(|(other, _)| !Arc::ptr_eq(other, waiter));
            }
        }
    }
}

impl Tracked {
    fn tell(&self, progress: Progress) {
        self.waiters.iter().for_each(|(waiter, index)| waiter.update(*index, progress));
    }
}

/// Waits for some transactions together.
#[derive(Debug)]
pub(super) struct Waiter {
    level: Level,
    state: Mutex<State>,
    done: Notify,
}

#[derive(Debug)]
struct State {
    results: Vec<Option<Progress>>,
    settled: Vec<bool>,
    left: usize,
}

impl Waiter {
    /// Waits until `count` transactions reached a level.
    pub(super) fn new(count: usize, level: Level) -> Arc<Self> {
        let state = State { results: vec![None; count], settled: vec![false; count], left: count };
        Arc::new(Self { level, state: Mutex::new(state), done: Notify::new() })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One of them got this far.
    fn update(&self, index: usize, progress: Progress) {
        let mut state = self.lock();
        state.results[index] = Some(progress);
        if progress.level >= self.level {
            state.settle(index, &self.done);
        }
    }

    /// One of them will not be heard of again.
    fn give_up(&self, index: usize) {
        self.lock().settle(index, &self.done);
    }

    /// One of them is not tracked: this is all there is to know.
    pub(super) fn set(&self, index: usize, progress: Option<Progress>) {
        let mut state = self.lock();
        state.results[index] = progress;
        state.settle(index, &self.done);
    }

    /// Returns when nothing is left to wait for.
    pub(super) async fn done(&self) {
        let settled = self.done.notified();
        if self.lock().left > 0 {
            settled.await;
        }
    }

    /// How far each is.
    pub(super) fn results(&self) -> Vec<Option<Progress>> {
        self.lock().results.clone()
    }
}

impl State {
    fn settle(&mut self, index: usize, done: &Notify) {
        if !std::mem::replace(&mut self.settled[index], true) {
            self.left = self.left.saturating_sub(1);
            if self.left == 0 {
                done.notify_one();
            }
        }
    }
}
