//! How far each member follows each lane, and what is sent again because of it (rule L4): members
//! tell owners, on every new stream and every second; owners send from there.

use super::lane::Lane;
use super::own::OwnBatch;
use super::{Lanes, PERIOD, has_passed};
use crate::context::Context;
use crate::note::{Fault, Note};
use crate::output::Recipients;
use chorale_types::batch::{Acknowledgement, Batch, BatchId};
use chorale_types::crypto::hash::Digest;
use chorale_types::ids::{LaneId, LaneSeq, ValidatorIndex};
use chorale_types::limits::{LANE_RESEND_BATCHES_MAX, LANE_RESEND_BYTES_MAX};
use chorale_types::message::{LaneStatus, Message};
use chorale_types::time::Instant;
use core::time::Duration;
use std::sync::Arc;

/// The least time between two statuses that a gap causes.
const STATUS_GAP: Duration = Duration::from_millis(200);
/// A batch that was sent less than this long ago is taken to be under way still, unless the stream
/// it went into is gone.
const RESEND_AGE: Duration = Duration::from_millis(500);

/// What an owner sent to one member beyond the first sending.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub(super) struct Follow {
    /// When the stream to the member last opened.
    up_at: Option<Instant>,
    /// How far the last repeated sending went, and when.
    sent: Option<(LaneSeq, Instant)>,
}

impl Follow {
    /// Whether a batch may be lost rather than under way.
    fn may_be_lost(&self, seq: LaneSeq, first_sent: Option<Instant>, now: Instant) -> bool {
        let again = self.sent.filter(|(through, _)| seq <= *through).map(|(_, at)| at);
        let Some(last) = first_sent.max(again) else { return true };
        last.after(RESEND_AGE) <= now || self.up_at.is_some_and(|up| last <= up)
    }
}

impl Lanes {
    /// A stream to `peer` opened: it may have missed everything. It hears how far this replica
    /// follows its lane, and the certificates that concern the two.
    pub(crate) fn on_peer_up(&mut self, peer: ValidatorIndex, ctx: &mut Context<'_>) {
        self.greet(peer, ctx);
        // It may have what nobody else gave.
        self.retry_fetches(ctx);
    }

    fn greet(&mut self, peer: ValidatorIndex, ctx: &mut Context<'_>) {
        let Some(own) = &mut self.own else { return };
        let theirs = LaneId { epoch: self.set.epoch(), owner: peer };
        let mine = own.lane;
        if peer == mine.owner || !self.lanes.contains_key(&theirs) {
            return;
        }
        own.follows.entry(peer).or_default().up_at = Some(ctx.now.monotonic);
        for lane in [mine, theirs] {
            if let Some(cert) = self.lanes.get(&lane).and_then(Lane::certified) {
                let message = Message::Availability(Arc::clone(cert));
                ctx.tell(Recipients::One(peer), message);
            }
        }
        if let Some(lane) = self.lanes.get_mut(&theirs) {
            lane.status_at = None;
        }
        self.tell_status(theirs, ctx);
        self.repeat_highest(theirs, ctx);
    }

    /// A member tells how far it follows the own lane: it is sent what comes next and may be lost,
    /// in a bounded burst. Its acknowledgement of the last of them, or its next status, asks for
    /// more.
    pub(crate) fn on_lane_status(
        &mut self,
        from: ValidatorIndex,
        status: LaneStatus,
        ctx: &mut Context<'_>,
    ) {
        let Some(own) = &mut self.own else { return };
        if status.lane != own.lane || from == own.lane.owner {
            ctx.report(from, Fault::WrongContext);
            return;
        }
        let here = own.batches.get(&status.acknowledged);
        let other = here.is_some_and(|entry| entry.tally.statement().digest != status.digest);
        // The number is the peer's: it may be the last there is, which has no next one.
        if other || status.acknowledged > own.last.seq {
            ctx.note(Note::Dropped { what: "status of another lane history", from });
            return;
        }
        if own.first_unordered() > status.acknowledged.next() {
            // What it lacks is ordered: it learns that with the blocks.
            return;
        }
        self.send_burst(from, status.acknowledged, ctx);
    }

    /// A member acknowledged the last batch of a burst: the next one follows at once, so that a
    /// backlog drains at the pace of the link and not of the statuses.
    pub(super) fn continue_burst(
        &mut self,
        to: ValidatorIndex,
        statement: &Acknowledgement,
        ctx: &mut Context<'_>,
    ) {
        let Some(own) = self.own.as_ref().filter(|own| own.lane == statement.lane) else { return };
        let last = own.follows.get(&to).and_then(|follow| follow.sent);
        if last.is_some_and(|(through, _)| through == statement.seq) {
            self.send_burst(to, statement.seq, ctx);
        }
    }

    fn send_burst(&mut self, to: ValidatorIndex, after: LaneSeq, ctx: &mut Context<'_>) {
        let Some(own) = &mut self.own else { return };
        let follow = own.follows.entry(to).or_default();
        let now = ctx.now.monotonic;
        let next = own.batches.range(after.next()..);
        let burst = burst(next, |seq, sent_at| follow.may_be_lost(seq, sent_at, now));
        if let Some(last) = burst.last() {
            follow.sent = Some((last.header.seq, now));
        }
        for batch in burst {
            ctx.tell(Recipients::One(to), Message::Batch(batch));
        }
    }

    /// Every second: the status of one lane to its owner, and the highest acknowledgement again
    /// when it brought no certificate: it may be lost.
    pub(super) fn tell_status_in_turn(&mut self, id: LaneId, ctx: &mut Context<'_>) {
        let Some(lane) = self.lanes.get_mut(&id) else { return };
        lane.repeats = 0;
        lane.rescues.clear();
        lane.status_at = None;
        self.tell_status(id, ctx);
        self.repeat_highest(id, ctx);
    }

    fn repeat_highest(&self, id: LaneId, ctx: &mut Context<'_>) {
        if self.own.is_none() || Some(id.owner) == self.me {
            return;
        }
        let Some(lane) = self.lanes.get(&id) else { return };
        let Some((seq, digest)) = lane.acknowledged.last_key_value() else { return };
        let since = lane.held.get(&(*seq, *digest)).map(|held| held.since);
        if *seq > lane.certified_seq() && has_passed(since, PERIOD, ctx.now.monotonic) {
            let id = BatchId { lane: id, seq: *seq, digest: *digest };
            let _ = self.send_acknowledgement(&id, ctx);
        }
    }

    /// Tells an owner how far this replica follows, unless it was told a moment ago.
    pub(super) fn tell_status(&mut self, id: LaneId, ctx: &mut Context<'_>) {
        let now = ctx.now.monotonic;
        if self.own.is_none() || Some(id.owner) == self.me {
            return;
        }
        let Some(lane) = self.lanes.get_mut(&id) else { return };
        let (acknowledged, digest) = lane.resume();
        // While the next one waits here, nothing of its owner would help.
        let waits = lane.waiting.contains_key(&acknowledged.next());
        if !waits && has_passed(lane.status_at, STATUS_GAP, now) {
            lane.status_at = Some(now);
            lane.dropped = false;
            let digest = if acknowledged == LaneSeq::ZERO { Digest::ZERO } else { digest };
            let status = LaneStatus { lane: id, acknowledged, digest };
            ctx.tell(Recipients::One(id.owner), Message::LaneStatus(status));
        }
    }

    /// More is ordered, so what was dropped before may fit now.
    pub(super) fn tell_status_if_dropped(&mut self, id: LaneId, ctx: &mut Context<'_>) {
        if self.lanes.get(&id).is_some_and(|lane| lane.dropped) {
            self.tell_status(id, ctx);
        }
    }
}

/// The next batches that may be lost, at most [`LANE_RESEND_BATCHES_MAX`] of them and
/// [`LANE_RESEND_BYTES_MAX`] bytes.
fn burst<'a>(
    next: impl Iterator<Item = (&'a LaneSeq, &'a OwnBatch)>,
    may_be_lost: impl Fn(LaneSeq, Option<Instant>) -> bool,
) -> Vec<Arc<Batch>> {
    let mut bytes = 0_usize;
    let sent = next.map_while(|(seq, entry)| {
        let batch = entry.batch.as_ref().filter(|_| may_be_lost(*seq, entry.sent_at))?;
        bytes = bytes.saturating_add(batch.bytes());
        (bytes <= LANE_RESEND_BYTES_MAX).then(|| Arc::clone(batch))
    });
    sent.take(LANE_RESEND_BATCHES_MAX).collect()
}
