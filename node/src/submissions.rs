//! The way in: transactions of this node's own users, and how far each of them is.

mod tracker;

use crate::inbox::{Inbox, NotQueued};
use crate::ledger::Ledger;
use crate::recorder::Recorder;
use chorale_consensus::Input;
use chorale_consensus::input::{HashedTransaction, Ticket};
use chorale_consensus::ordering::OrderedBlock;
use chorale_consensus::output::Admission;
use chorale_types::batch::BatchId;
use chorale_types::ids::{Height, RollupId, Sequence};
use chorale_types::level::Level;
use chorale_types::transaction::TransactionId;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use thiserror::Error;
use tokio::sync::oneshot;
use tracker::{Tracker, Waiter};

pub use tracker::TRACKED_MAX;

/// Why a submit call was not taken at all. Refusals of single transactions are in the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum SubmitError {
    /// Too many submit calls wait already; try again shortly. (429 `queue_full`)
    #[error("too many submit calls wait")]
    Busy,
    /// The node stops or has stopped. (503 `not_ready`)
    #[error("the node is stopping")]
    Stopping,
}

/// Where a transaction stands in its rollup's stream, for ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// The rollup block.
    pub sequence: Sequence,
    /// The height of the block that ordered it.
    pub height: Height,
    /// Its index among the rollup block's transactions, from zero.
    pub index: u32,
}

/// How far a transaction is, as this node knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// The level reached: `Accepted`, `Available` or `Final`.
    pub level: Level,
    /// Its place; present exactly at level `Final`.
    pub place: Option<Place>,
}

/// Hands transactions in and tells how far they are. Cheap to clone.
///
/// # Invariants
/// At most [`TRACKED_MAX`] transactions are tracked; older ones are forgotten first, which ends
/// their waits early at the level known then.
#[derive(Clone)]
pub struct Submissions {
    inner: Arc<Inner>,
}

struct Inner {
    inbox: Arc<Inbox>,
    ledger: Ledger,
    recorder: Option<Recorder>,
    tickets: AtomicU64,
    /// Calls that wait for their admissions; bounded by the inbox.
    calls: Mutex<BTreeMap<Ticket, Call>>,
    tracker: Mutex<Tracker>,
}

/// A submit call under way.
struct Call {
    transactions: Vec<(RollupId, TransactionId)>,
    answer: oneshot::Sender<Vec<Admission>>,
}

/// A waiter in the tracker, taken away again when the wait ends, also when whoever waited hung up.
struct Registered<'a> {
    tracker: &'a Mutex<Tracker>,
    transactions: &'a [(RollupId, TransactionId)],
    waiter: &'a Arc<Waiter>,
}

impl Drop for Registered<'_> {
    fn drop(&mut self) {
        lock(self.tracker).withdraw(self.transactions, self.waiter);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Submissions {
    /// Submits into an inbox, looks up in a ledger, records what users are told.
    #[must_use]
    pub fn new(inbox: Arc<Inbox>, ledger: Ledger, recorder: Option<Recorder>) -> Self {
        let inner = Inner {
            inbox,
            ledger,
            recorder,
            tickets: AtomicU64::new(0),
            calls: Mutex::default(),
            tracker: Mutex::default(),
        };
        Self { inner: Arc::new(inner) }
    }

    /// Hands transactions in; one admission for each, in order. At most
    /// [`chorale_types::limits::SUBMIT_TRANSACTIONS_MAX`] a call. The caller computes the ids and
    /// checks sizes and rollups, which the replica checks again. Answers within milliseconds.
    ///
    /// # Errors
    /// When the call could not be queued, or the node stops.
    pub async fn submit(
        &self,
        transactions: Vec<HashedTransaction>,
    ) -> Result<Vec<Admission>, SubmitError> {
        let ticket = Ticket(self.inner.tickets.fetch_add(1, Ordering::Relaxed));
        let (answer, admissions) = oneshot::channel();
        let named = transactions.iter().map(|one| (one.rollup, one.id)).collect();
        lock(&self.inner.calls).insert(ticket, Call { transactions: named, answer });
        let queued = self.inner.inbox.submit(Input::Submit(ticket, transactions));
        if let Err(refused) = queued {
            lock(&self.inner.calls).remove(&ticket);
            return Err(match refused {
                NotQueued::Full => SubmitError::Busy,
                NotQueued::Closed => SubmitError::Stopping,
            });
        }
        admissions.await.map_err(|_| SubmitError::Stopping)
    }

    /// Waits until every one of these reached `level` (`Available` or `Final`), at most
    /// `timeout`. Answers for each, in order, how far it is then; `None` for one that this node
    /// does not know (not submitted here, or long ago and not in the index).
    pub async fn wait(
        &self,
        transactions: &[(RollupId, TransactionId)],
        level: Level,
        timeout: Duration,
    ) -> Vec<Option<Progress>> {
        let waiter = Waiter::new(transactions.len(), level);
        let registered = Registered { tracker: &self.inner.tracker, transactions, waiter: &waiter };
        let unknown = lock(&self.inner.tracker).register(transactions, &waiter);
        for index in unknown {
            let (rollup, id) = transactions[index];
            waiter.set(index, self.ordered(rollup, &id));
        }
        // Whatever is reached when the time is over is the answer.
        let _ = tokio::time::timeout(timeout, waiter.done()).await;
        drop(registered);
        let results = waiter.results();
        self.record(transactions, &results);
        results
    }

    /// Notes for the judge what users are about to be told.
    fn record(&self, named: &[(RollupId, TransactionId)], results: &[Option<Progress>]) {
        let Some(recorder) = &self.inner.recorder else {
            return;
        };
        for level in [Level::Available, Level::Certified, Level::Final] {
            let reached = |(_, progress): &(_, &Option<Progress>)| {
                progress.is_some_and(|progress| progress.level == level)
            };
            let told = named.iter().zip(results).filter(reached).map(|(named, _)| *named);
            recorder.answered(level, told.collect());
        }
    }

    /// How far one transaction is; `None` when this node does not know it. May read the disk:
    /// call it from a task that may block, or through `spawn_blocking`.
    #[must_use]
    pub fn progress(&self, rollup: RollupId, id: TransactionId) -> Option<Progress> {
        let tracked = lock(&self.inner.tracker).progress(&id);
        tracked.or_else(|| self.ordered(rollup, &id))
    }

    /// Final, if the index has it. A store that cannot be read stops the node elsewhere; here it
    /// is a transaction that is not known.
    fn ordered(&self, rollup: RollupId, id: &TransactionId) -> Option<Progress> {
        let place = self.inner.ledger.read_place(rollup, id).ok().flatten()?;
        Some(Progress { level: Level::Final, place: Some(place) })
    }

    /// The replica answered a submit call.
    pub(crate) fn on_admitted(&self, ticket: Ticket, admissions: Vec<Admission>) {
        let Some(call) = lock(&self.inner.calls).remove(&ticket) else {
            return;
        };
        let taken = call.transactions.iter().zip(&admissions);
        let taken = taken.filter(|(_, admission)| !matches!(admission, Admission::Refused(_)));
        lock(&self.inner.tracker).accept(taken.map(|((_, id), _)| *id));
        // Whoever asked may be gone.
        let _ = call.answer.send(admissions);
    }

    /// A batch of this node's own lane was cut from these transactions.
    pub(crate) fn on_batch(&self, batch: BatchId, ids: Vec<TransactionId>) {
        lock(&self.inner.tracker).cut(&batch, ids);
    }

    /// A batch of this node's own lane reached a level.
    pub(crate) fn on_level(&self, batch: BatchId, level: Level) {
        lock(&self.inner.tracker).level(&batch, level);
    }

    /// A block was ordered and published.
    pub(crate) fn on_ordered(&self, block: &OrderedBlock) {
        let mut earlier = Vec::new();
        let mut tracker = lock(&self.inner.tracker);
        for content in &block.record.contents {
            let sequence = content.sequence;
            for (id, index) in content.delivered.iter().zip(0_u32..) {
                tracker.ordered(id, Place { sequence, height: block.height, index });
            }
            let skipped = content.skipped.iter().filter(|skipped| tracker.knows(&skipped.id));
            earlier.extend(skipped.map(|skipped| (content.rollup, skipped.id, skipped.earlier)));
        }
        for batch in &block.record.batches {
            tracker.batch_ordered(batch.header.lane, batch.header.seq);
        }
        drop(tracker);
        // Ordered before: rare, and its place is in an earlier record.
        for (rollup, id, height) in earlier {
            let place = self.inner.ledger.read_place_at(rollup, &id, height).ok().flatten();
            if let Some(place) = place {
                lock(&self.inner.tracker).ordered(&id, place);
            }
        }
    }

    /// The node stops: nobody is answered any more.
    pub(crate) fn close(&self) {
        lock(&self.inner.calls).clear();
    }
}

#[cfg(test)]
mod tests;
