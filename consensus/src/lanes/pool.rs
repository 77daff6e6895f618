//! Transactions that wait for a batch of this node: a bounded queue for each rollup, so that a
//! flood for one rollup fills that rollup's queue and no other.
//!
//! # Invariants
//! Every id in a queue is in `known`, and so is every id of an own batch that is not ordered yet.
//! No queue holds more than its part of the pool; what does not fit is refused, never evicted.

use crate::input::HashedTransaction;
use crate::output::{Admission, Refusal};
use chorale_types::batch::charged_bytes;
use chorale_types::ids::RollupId;
use chorale_types::limits::{
    BATCH_TRANSACTIONS_MAX, TRANSACTION_BYTES_MAX, TRANSACTION_CHARGE_BYTES, queue_bytes_max,
    queue_transactions_max,
};
use chorale_types::time::Instant;
use chorale_types::transaction::{TransactionId, Transactions};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// One rollup's waiting transactions in order of arrival.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
struct Queue {
    waiting: VecDeque<HashedTransaction>,
    bytes: usize,
}

/// What one rollup puts into a batch.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub(super) struct Taken {
    pub(super) transactions: Transactions,
    pub(super) ids: Vec<TransactionId>,
}

/// All queues.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) struct Pool {
    queues: BTreeMap<RollupId, Queue>,
    known: BTreeSet<TransactionId>,
    queue_bytes_max: usize,
    queue_transactions_max: usize,
    bytes: usize,
    transactions: usize,
    /// When the first of those that wait came; not later than any of them.
    oldest: Option<Instant>,
    /// The rollup that is served first the next time, by its place.
    turn: usize,
}

impl Pool {
    pub(super) fn new(rollups: &[RollupId]) -> Self {
        Self {
            queues: rollups.iter().map(|rollup| (*rollup, Queue::default())).collect(),
            known: BTreeSet::new(),
            queue_bytes_max: queue_bytes_max(rollups.len()),
            queue_transactions_max: queue_transactions_max(rollups.len()),
            bytes: 0,
            transactions: 0,
            oldest: None,
            turn: 0,
        }
    }

    /// Drops everything: no batch will be cut any more.
    pub(super) fn clear(&mut self) {
        self.queues.values_mut().for_each(|queue| *queue = Queue::default());
        self.known.clear();
        (self.bytes, self.transactions, self.oldest) = (0, 0, None);
    }

    /// Whether this rollup is registered.
    pub(super) fn serves(&self, rollup: RollupId) -> bool {
        self.queues.contains_key(&rollup)
    }

    /// Bytes that wait.
    pub(super) const fn bytes(&self) -> usize {
        self.bytes
    }

    /// Transactions that wait.
    pub(super) const fn transactions(&self) -> usize {
        self.transactions
    }

    /// When the longest waiting one came, or earlier; `None` when none waits.
    pub(super) const fn oldest(&self) -> Option<Instant> {
        self.oldest
    }

    /// Takes one in, or says why not.
    pub(super) fn add(&mut self, transaction: HashedTransaction, now: Instant) -> Admission {
        let (rollup, size) = (transaction.rollup, transaction.payload.len());
        let Some(queue) = self.queues.get_mut(&rollup) else {
            return Admission::Refused(Refusal::UnknownRollup { rollup });
        };
        if size == 0 {
            return Admission::Refused(Refusal::Empty);
        }
        if size > TRANSACTION_BYTES_MAX {
            let max = TRANSACTION_BYTES_MAX;
            return Admission::Refused(Refusal::TooLarge { bytes: size, max });
        }
        if self.known.contains(&transaction.id) {
            return Admission::AlreadyKnown;
        }
        let full = queue.waiting.len() >= self.queue_transactions_max
            || queue.bytes.saturating_add(size) > self.queue_bytes_max;
        if full {
            return Admission::Refused(Refusal::QueueFull { rollup });
        }
        self.known.insert(transaction.id);
        queue.bytes += size;
        queue.waiting.push_back(transaction);
        self.bytes += size;
        self.transactions += 1;
        self.oldest.get_or_insert(now);
        Admission::Accepted
    }

    /// Takes out what the next batch holds, charged at most `charge_max`: always from the rollup
    /// that is charged the least so far, in an order that starts one rollup further each time.
    /// Within a rollup the order of arrival stays, so one whose next one does not fit is done.
    pub(super) fn take(&mut self, charge_max: usize) -> BTreeMap<RollupId, Taken> {
        let mut turns = self.first_turns();
        let mut taken: BTreeMap<RollupId, Taken> = BTreeMap::new();
        let (mut bytes, mut count) = (0_usize, 0_usize);
        while count < BATCH_TRANSACTIONS_MAX {
            let Some((share, place, rollup)) = turns.pop_first() else { break };
            let Some(queue) = self.queues.get_mut(&rollup) else { continue };
            let Some(size) = queue.waiting.front().map(|next| next.payload.len()) else { continue };
            if charged_bytes(count + 1, bytes.saturating_add(size)) > charge_max {
                continue;
            }
            let Some(next) = queue.waiting.pop_front() else { continue };
            queue.bytes -= size;
            bytes += size;
            count += 1;
            let part = taken.entry(rollup).or_default();
            part.transactions.push(&next.payload);
            part.ids.push(next.id);
            turns.insert((share + size + TRANSACTION_CHARGE_BYTES, place, rollup));
        }
        self.bytes -= bytes;
        self.transactions -= count;
        if self.transactions == 0 {
            self.oldest = None;
        }
        taken
    }

    /// The rollups with something waiting, in the order of their first turns.
    fn first_turns(&mut self) -> BTreeSet<(usize, usize, RollupId)> {
        let rollups = self.queues.len().max(1);
        let start = self.turn % rollups;
        self.turn = (start + 1) % rollups;
        let waiting = self.queues.iter().enumerate().filter(|(_, (_, q))| !q.waiting.is_empty());
        waiting.map(|(at, (rollup, _))| (0, (at + rollups - start) % rollups, *rollup)).collect()
    }

    /// Refuses these ids as already known from now on: an own batch holds them.
    pub(super) fn remember(&mut self, ids: &[TransactionId]) {
        self.known.extend(ids.iter().copied());
    }

    /// The batch that holds these ids is ordered: from here on ordering knows them.
    pub(super) fn forget(&mut self, ids: &[TransactionId]) {
        for id in ids {
            self.known.remove(id);
        }
    }
}
