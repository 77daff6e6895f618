//! Bodies that were fetched: checked, stored, and acknowledged where that is allowed.

use super::Lanes;
use super::checks::Subject;
use super::forks::other_at;
use super::lane::Held;
use super::receive::{Tell, signed_header};
use super::task::{Goal, Task};
use crate::context::Context;
use crate::job::{Check, Work};
use crate::record::Record;
use chorale_types::batch::{Batch, BatchId};
use chorale_types::ids::{LaneId, LaneSeq, ValidatorIndex};
use chorale_types::limits::{BATCH_BYTES_MAX, SYNC_BYTES_MAX};
use chorale_types::message::Response;
use std::sync::Arc;

impl Lanes {
    /// Bodies must be among those asked for, each once and by rising place. Whether they are whole
    /// is checked with their owner's signatures.
    pub(super) fn on_bodies(
        &mut self,
        from: ValidatorIndex,
        lane: LaneId,
        asked: &[BatchId],
        response: Option<&Response>,
        ctx: &mut Context<'_>,
    ) {
        let batches = match response {
            Some(Response::Batches { batches }) => batches.as_slice(),
            None => &[],
            Some(_) => return self.bad_answer(from, lane, ctx),
        };
        let mut expected = asked.iter();
        let fits = |batch: &Arc<Batch>| {
            let id = batch.header.id();
            expected.any(|asked| *asked == id)
        };
        if !batches.iter().all(fits) {
            return self.bad_answer(from, lane, ctx);
        }
        if batches.is_empty() {
            return self.on_failure(lane);
        }
        let lowest = batches.first().map(|batch| batch.header.id());
        let bytes: usize = batches.iter().map(|batch| batch.bytes()).sum();
        let full = batches.len() == asked.len() || bytes + BATCH_BYTES_MAX > SYNC_BYTES_MAX;
        let Some(known) = self.lanes.get_mut(&lane) else { return };
        let late = known.task.as_ref().is_some_and(|task| task.late);
        if late || !full || lowest.as_ref() != asked.first() {
            // It lacks something, or gives drop by drop; another may have it.
            known.turn = known.turn.wrapping_add(1);
        }
        if let Some(task) = &mut known.task {
            task.checking = true;
        }
        let checks = batches.iter().map(|batch| Check::Batch(Arc::clone(batch))).collect();
        self.check(from, Work::All(checks), Subject::Fetched(lane, batches.to_vec()), ctx);
    }

    pub(super) fn on_fetched_checked(
        &mut self,
        from: ValidatorIndex,
        id: LaneId,
        batches: &[Arc<Batch>],
        good: bool,
        ctx: &mut Context<'_>,
    ) {
        let task = self.lanes.get_mut(&id).and_then(|lane| lane.task.as_mut());
        if let Some(task) = task.filter(|task| task.checking) {
            task.checking = false;
            if good {
                task.made_progress();
                for batch in batches {
                    self.store_fetched(batch, ctx);
                }
                self.fresh = true;
                self.advance(id, ctx);
            } else {
                self.bad_answer(from, id, ctx);
            }
        }
        self.fetch(ctx);
    }

    /// Stores what the task of a lane is after and the owner sent meanwhile.
    pub(super) fn store_waiting(&mut self, id: LaneId, ctx: &mut Context<'_>) {
        let Some(lane) = self.lanes.get_mut(&id) else { return };
        let Some(task) = &lane.task else { return };
        let wanted = task.ids.iter().filter_map(|(seq, digest)| {
            let waiting = lane.waiting.get(seq)?;
            (waiting.digest == *digest && waiting.checked).then_some(*seq)
        });
        let places: Vec<LaneSeq> = wanted.collect();
        for seq in places {
            let waiting = self.lanes.get_mut(&id).and_then(|lane| lane.waiting.remove(&seq));
            if let Some(waiting) = waiting {
                self.store_fetched(&waiting.batch, ctx);
            }
        }
    }

    /// Stores a body for the task of its lane: acknowledged where L2 and L4 allow it now. What is
    /// only claimed is stored for no other reason.
    fn store_fetched(&mut self, batch: &Arc<Batch>, ctx: &mut Context<'_>) {
        let id = batch.header.id();
        let quota = self.set.params().lane_quota_bytes;
        // What is missing of the own lane was not made here.
        let signs =
            self.own.as_ref().is_some_and(|own| own.lane != id.lane) && self.are_registered(batch);
        let Some(lane) = self.lanes.get_mut(&id.lane) else { return };
        let Some(task) = &mut lane.task else { return };
        task.ids.remove(&id.seq);
        let Task { goal, top, .. } = *task;
        let ordered = id.seq <= lane.ordered.seq;
        if lane.holds(&id) || ordered && !lane.missing.iter().any(|s| s.contains(id.seq)) {
            return;
        }
        let forked = other_at(lane, id.seq)
            .is_some_and(|(other, checked)| checked && other.header != batch.header);
        let allowed = lane.check_acknowledge(&batch.header, batch.charge(), quota);
        let claimed = matches!(goal, Goal::Claimed(_));
        if signs && allowed.is_ok() {
            let tell = if claimed && id == top { Tell::All } else { Tell::Nobody };
            self.acknowledge(batch, tell, ctx);
        } else if claimed {
            lane.give_up_claim();
        } else {
            let record = Record::Batch { batch: Arc::clone(batch), acknowledge: false };
            let record = ctx.persist(record);
            let (signed, since) = (signed_header(batch), ctx.now.monotonic);
            lane.hold(id, Held { signed, writing: Some(record), own: None, since });
            self.writing.insert(record, id);
        }
        if forked {
            self.note_fork(id.lane, id.seq, ctx);
        }
    }
}
