//! Cuts own batches: when the oldest transaction waited long enough or a batch is full, at the
//! pace of rule L5, and never beyond what the others would acknowledge (L4).

use super::Lanes;
use super::acks::Tally;
use super::own::{Own, OwnBatch};
use super::pool::{Pool, Taken};
use crate::context::Context;
use crate::input::Timer;
use crate::note::Note;
use crate::record::Record;
use chorale_types::batch::{BatchEntry, BatchHeader, EntrySummary, charged_bytes};
use chorale_types::crypto::hash::Digest;
use chorale_types::ids::RollupId;
use chorale_types::limits::{BATCH_BYTES_MAX, BATCH_TRANSACTIONS_MAX};
use chorale_types::merkle;
use chorale_types::time::Instant;
use core::time::Duration;
use std::collections::BTreeMap;

/// A batch of at least this many charged bytes is full and does not wait.
const FULL_BYTES: usize = BATCH_BYTES_MAX / 2;
/// A batch of at least this many transactions is full and does not wait.
const FULL_TRANSACTIONS: usize = BATCH_TRANSACTIONS_MAX / 2;

/// Whether a batch like this goes out without waiting for its turn.
pub(super) const fn is_full(charge: usize, transactions: usize) -> bool {
    charge >= FULL_BYTES || transactions >= FULL_TRANSACTIONS
}

impl Lanes {
    /// The cut timer came.
    pub(crate) fn on_cut_timer(&mut self, ctx: &mut Context<'_>) {
        let now = ctx.now.monotonic;
        if let Some(own) = &mut self.own
            && own.armed.is_some_and(|at| at <= now)
        {
            own.armed = None;
        }
        self.try_cut(ctx);
    }

    /// Cuts every batch that is due, and asks for the timer when one is due later. Nothing is
    /// asked for while the quota holds the next one back: the next commit tries again.
    pub(super) fn try_cut(&mut self, ctx: &mut Context<'_>) {
        let now = ctx.now.monotonic;
        while let Some(room) = self.room() {
            let Some(own) = &mut self.own else { return };
            let Some(due) = due(own, &self.pool, self.set.params().batch_interval_ms) else {
                return;
            };
            let (bytes, transactions) = (self.pool.bytes(), self.pool.transactions());
            let full = is_full(charged_bytes(transactions, bytes), transactions);
            if due > now && !(full && room >= FULL_BYTES) {
                if own.armed.is_none_or(|armed| armed > due) {
                    own.armed = Some(due);
                    ctx.arm(Timer::Cut, due);
                }
                return;
            }
            let taken = self.pool.take(room);
            if taken.is_empty() {
                return;
            }
            self.cut(taken, ctx);
        }
    }

    /// How much the next batch may be charged; `None` when none may be cut.
    fn room(&self) -> Option<usize> {
        let own = self.own.as_ref()?;
        let lane = self.lanes.get(&own.lane)?;
        let unordered = own.last.bytes_through.saturating_sub(lane.ordered.bytes_through);
        let left = self.set.params().lane_quota_bytes.saturating_sub(unordered);
        let left = usize::try_from(left).unwrap_or(usize::MAX);
        (left > 0 && lane.in_window(own.last.seq.next())).then(|| left.min(BATCH_BYTES_MAX))
    }

    fn cut(&mut self, taken: BTreeMap<RollupId, Taken>, ctx: &mut Context<'_>) {
        let Some(own) = &mut self.own else { return };
        let root = root(&taken);
        let mut ids = Vec::new();
        let mut entries = Vec::new();
        for (rollup, part) in taken {
            ids.extend(part.ids);
            entries.push(BatchEntry { rollup, transactions: part.transactions });
        }
        let bytes: usize = entries.iter().map(|entry| entry.transactions.bytes()).sum();
        let charge = charged_bytes(ids.len(), bytes);
        let added = u64::try_from(charge).expect("a batch is far smaller");
        let header = BatchHeader {
            lane: own.lane,
            seq: own.last.seq.next(),
            prev: own.last.digest,
            root,
            bytes_through: own.last.bytes_through.saturating_add(added),
        };
        let statement = header.acknowledgement();
        own.last = statement.tip();
        own.cut_at = Some(ctx.now.monotonic);
        let id = statement.id();
        ctx.note(Note::BatchCut { id, transactions: ids.len(), bytes });
        let tally = Tally::new(statement);
        let batch = OwnBatch { ids, batch: None, sent_at: None, tally, available: false };
        own.batches.insert(header.seq, batch);
        ctx.persist(Record::OwnBatch { header, entries });
    }
}

/// When the next batch is due by age and pace; `None` when nothing waits.
fn due(own: &Own, pool: &Pool, interval_ms: u64) -> Option<Instant> {
    let aged = pool.oldest()?.after(Duration::from_millis(interval_ms));
    let paced = own.cut_at.map_or(Instant::default(), |at| at.after(own.gap));
    Some(aged.max(paced))
}

/// The root that the header commits to, from the ids that are known already.
fn root(taken: &BTreeMap<RollupId, Taken>) -> Digest {
    let leaf = |(rollup, part): (&RollupId, &Taken)| {
        let count = u32::try_from(part.ids.len()).expect("bounded by the batch");
        EntrySummary { rollup: *rollup, count, ids_root: merkle::root(&part.ids) }.leaf()
    };
    merkle::root(&taken.iter().map(leaf).collect::<Vec<_>>())
}
