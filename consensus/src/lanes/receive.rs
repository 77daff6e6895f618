//! Batches of other owners: checked, put in order, stored and acknowledged (rules L2 and L4).
//!
//! An acknowledgement is decided when its record is handed out. Records of batches become durable
//! in the order in which they are handed out, so the next batch need not wait for this one's disk.

use super::Lanes;
use super::checks::Subject;
use super::forks::other_at;
use super::lane::{Held, Lane, Waiting};
use super::maker::is_full;
use super::rules::NotNow;
use crate::context::Context;
use crate::job::{Check, Work};
use crate::note::{Fault, Note};
use crate::output::{Recipients, Statement};
use crate::record::Record;
use chorale_types::batch::{Acknowledgement, Batch, BatchHeader, BatchId};
use chorale_types::crypto::ed25519::Signature;
use chorale_types::ids::{LaneId, LaneSeq, ValidatorIndex};
use chorale_types::limits::{LANE_BATCHES_MAX, LANE_REPEATS_MAX, LANE_WAITING_BYTES_MAX};
use chorale_types::message::SignedHeader;
use chorale_types::museum::{Bug, planted};
use std::sync::Arc;

/// Who hears of an acknowledgement.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) enum Tell {
    /// The owner, who gathers.
    Owner,
    /// All, because the owner may be gone.
    All,
    /// Nobody: the batch is certified, or a higher one speaks for it.
    Nobody,
}

/// What the owner signed.
pub(super) fn signed_header(batch: &Batch) -> SignedHeader {
    SignedHeader { header: batch.header, signature: batch.owner_signature }
}

impl Lanes {
    /// An owner's next batch.
    pub(crate) fn on_batch(
        &mut self,
        from: ValidatorIndex,
        batch: Arc<Batch>,
        ctx: &mut Context<'_>,
    ) {
        let id = batch.header.id();
        let theirs = LaneId { epoch: self.set.epoch(), owner: from };
        if id.lane != theirs || Some(from) == self.me {
            ctx.report(from, Fault::WrongContext);
            return;
        }
        if self.own.is_none() {
            return;
        }
        let Some(lane) = self.lanes.get_mut(&id.lane) else { return };
        let waits = lane.waiting.get(&id.seq).is_some_and(|waiting| waiting.digest == id.digest);
        if id.seq <= lane.ordered.seq || waits {
            return;
        }
        if lane.holds(&id) {
            self.repeat_acknowledgement(&id, ctx);
            return;
        }
        let other = other_at(lane, id.seq).filter(|_| !planted(Bug::SecondAcknowledged));
        if let Some((other, checked)) = other {
            self.check_fork(from, other, checked, signed_header(&batch), ctx);
            return;
        }
        if !lane.in_window(id.seq) {
            lane.dropped = true;
            ctx.note(Note::Dropped { what: "batch beyond the window", from });
            return;
        }
        // The node checks the form on another thread already; here it makes every other host safe.
        if batch.validate().is_err() || !self.are_registered(&batch) {
            ctx.report(from, Fault::Malformed);
            return;
        }
        self.wait_for_check(from, id, batch, ctx);
    }

    pub(super) fn are_registered(&self, batch: &Batch) -> bool {
        batch.entries.iter().all(|entry| self.pool.serves(entry.rollup))
    }

    fn wait_for_check(
        &mut self,
        from: ValidatorIndex,
        id: BatchId,
        batch: Arc<Batch>,
        ctx: &mut Context<'_>,
    ) {
        let Some(lane) = self.lanes.get_mut(&id.lane) else { return };
        if !make_room(lane, id.seq, batch.bytes()) {
            lane.dropped = true;
            ctx.note(Note::Dropped { what: "batch out of order", from });
            self.tell_status(id.lane, ctx);
            return;
        }
        let work = Work::All(vec![Check::Header(signed_header(&batch))]);
        if !self.try_check(from, work, Subject::Batch(id), ctx) {
            return;
        }
        let quota = self.set.params().lane_quota_bytes;
        let Some(lane) = self.lanes.get_mut(&id.lane) else { return };
        let standing = lane.check_acknowledge(&batch.header, batch.charge(), quota);
        let waiting = Waiting { batch, digest: id.digest, checked: false };
        lane.waiting.insert(id.seq, waiting);
        let below = id.seq.saturating_sub(1);
        let gap = lane.resume().0 < below && !lane.waiting.contains_key(&below);
        if gap && matches!(standing, Err(NotNow::UnknownPredecessor { .. })) {
            self.tell_status(id.lane, ctx);
        }
    }

    pub(super) fn on_batch_checked(
        &mut self,
        from: ValidatorIndex,
        id: BatchId,
        good: bool,
        ctx: &mut Context<'_>,
    ) {
        let Some(lane) = self.lanes.get_mut(&id.lane) else { return };
        let waiting = lane.waiting.get_mut(&id.seq).filter(|w| w.digest == id.digest);
        if good {
            if let Some(waiting) = waiting {
                waiting.checked = true;
                self.advance(id.lane, ctx);
            }
        } else {
            if waiting.is_some() {
                lane.waiting.remove(&id.seq);
            }
            ctx.report(from, Fault::BadSignature);
        }
        self.fetch_lane(id.lane, ctx);
    }

    /// Acknowledges what waits and may be acknowledged now, lowest first: each may be what the
    /// next one stands on. An owner that keeps the pace of L5 never uses its allowance up.
    pub(super) fn advance(&mut self, id: LaneId, ctx: &mut Context<'_>) {
        let quota = self.set.params().lane_quota_bytes;
        let Some(lane) = self.lanes.get(&id) else { return };
        let places: Vec<LaneSeq> = lane.waiting.keys().copied().collect();
        for seq in places {
            let Some(lane) = self.lanes.get_mut(&id) else { return };
            let Some(waiting) = lane.waiting.get(&seq).filter(|w| w.checked) else { continue };
            let batch = Arc::clone(&waiting.batch);
            let paced = !is_full(batch.charge(), batch.len());
            if paced && lane.allowance == 0 {
                return;
            }
            match lane.check_acknowledge(&batch.header, batch.charge(), quota) {
                Ok(()) => {
                    lane.allowance -= u64::from(paced);
                    lane.waiting.remove(&seq);
                    self.acknowledge(&batch, Tell::Owner, ctx);
                }
                Err(NotNow::OtherAcknowledged { .. } | NotNow::OtherCertified { .. }) => {
                    lane.waiting.remove(&seq);
                }
                Err(NotNow::WrongBytes { .. }) => {
                    lane.waiting.remove(&seq);
                    ctx.report(id.owner, Fault::Malformed);
                }
                // It keeps its place from another that may stand.
                Err(NotNow::UnknownPredecessor { .. }) if stands_on_nothing(lane, &batch) => {
                    lane.waiting.remove(&seq);
                }
                // These may pass later; what is ordered waits for the fetch that needs it.
                Err(
                    NotNow::Ordered { .. }
                    | NotNow::UnknownPredecessor { .. }
                    | NotNow::OverQuota { .. }
                    | NotNow::BeyondWindow { .. },
                ) => {}
            }
        }
    }

    /// Stores and acknowledges a batch that [`Lane::check_acknowledge`] allowed.
    pub(super) fn acknowledge(&mut self, batch: &Arc<Batch>, tell: Tell, ctx: &mut Context<'_>) {
        let (signed, id) = (signed_header(batch), batch.header.id());
        let record = Record::Batch { batch: Arc::clone(batch), acknowledge: true };
        let record = ctx.persist(record);
        self.writing.insert(record, id);
        let Some(lane) = self.lanes.get_mut(&id.lane) else { return };
        let since = ctx.now.monotonic;
        lane.hold(id, Held { signed, writing: Some(record), own: None, since });
        lane.acknowledge(id);
        match tell {
            Tell::Owner => {
                let statement = Statement::Acknowledge(signed.header.acknowledgement());
                ctx.send(Recipients::One(id.lane.owner), statement, Some(record));
            }
            Tell::All => {
                lane.rescue_at = Some(since);
                ctx.note(Note::RescueSent { id });
                ctx.send(Recipients::All, Statement::Rescue(signed), Some(record));
            }
            Tell::Nobody => {}
        }
    }

    /// A second passed: more may be acknowledged, up to a whole window at once after a pause.
    pub(super) fn renew_allowance(&mut self, id: LaneId, ctx: &mut Context<'_>) {
        let Some(own) = &self.own else { return };
        let more = own.allowance();
        if let Some(lane) = self.lanes.get_mut(&id) {
            lane.allowance = lane.allowance.saturating_add(more).min(LANE_BATCHES_MAX);
            self.advance(id, ctx);
        }
    }

    /// The own acknowledgement is signed. It is kept for a rescue.
    pub(super) fn on_own_ack(
        &mut self,
        statement: Acknowledgement,
        signature: Signature,
        ctx: &mut Context<'_>,
    ) {
        let id = statement.id();
        let Some(lane) = self.lanes.get_mut(&id.lane) else { return };
        if let Some(held) = lane.held.get_mut(&(id.seq, id.digest)) {
            held.own = Some(signature);
        }
        if !lane.claims.is_empty() {
            self.try_rescue(&id, ctx);
        }
    }

    /// A batch came again, so its acknowledgement may be lost.
    fn repeat_acknowledgement(&mut self, id: &BatchId, ctx: &mut Context<'_>) {
        let Some(lane) = self.lanes.get(&id.lane) else { return };
        if lane.repeats >= LANE_REPEATS_MAX || !lane.is_acknowledged(id) {
            return;
        }
        if self.send_acknowledgement(id, ctx)
            && let Some(lane) = self.lanes.get_mut(&id.lane)
        {
            lane.repeats += 1;
        }
    }

    /// Sends the acknowledgement of a batch again, if it is durable: else it is on its way.
    pub(super) fn send_acknowledgement(&self, id: &BatchId, ctx: &mut Context<'_>) -> bool {
        if self.own.is_none() {
            return false;
        }
        let held = self.lanes.get(&id.lane).and_then(|lane| lane.held.get(&(id.seq, id.digest)));
        let Some(held) = held.filter(|held| held.writing.is_none()) else { return false };
        let statement = Statement::Acknowledge(held.signed.header.acknowledgement());
        ctx.send(Recipients::One(id.lane.owner), statement, None);
        true
    }
}

/// Whether another batch has the place of this one's predecessor.
fn stands_on_nothing(lane: &Lane, batch: &Batch) -> bool {
    let BatchHeader { lane: id, seq, prev, .. } = batch.header;
    let below = seq.previous().map(|seq| BatchId { lane: id, seq, digest: prev });
    below.is_some_and(|below| lane.cannot_stand_on(&below))
}

/// Makes room for a batch among those that wait: the highest places go first. False when this one
/// is the highest itself and does not fit.
fn make_room(lane: &mut Lane, seq: LaneSeq, bytes: usize) -> bool {
    let mut held: usize = lane.waiting.values().map(|waiting| waiting.batch.bytes()).sum();
    while held.saturating_add(bytes) > LANE_WAITING_BYTES_MAX {
        let Some(highest) = lane.waiting.last_entry().filter(|entry| *entry.key() > seq) else {
            return false;
        };
        held -= highest.remove().batch.bytes();
        lane.dropped = true;
    }
    true
}
