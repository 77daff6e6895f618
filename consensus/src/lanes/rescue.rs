//! Rule L3: a batch whose owner is gone is still certified and ordered, because those who
//! acknowledged it say so to all, with the header that the owner signed.
//!
//! # Invariants
//! Each member has one claim in a lane, its highest, so nobody can push out what others claim.
//! Claims were checked: the owner's signature on the header and the member's own on the same.

use super::acks::{Next, Tally};
use super::checks::Subject;
use super::forks::other_at;
use super::{Lanes, has_passed};
use crate::context::Context;
use crate::job::{Check, Work};
use crate::note::{Fault, Note};
use crate::output::{Recipients, Statement};
use chorale_types::batch::{BatchHeader, BatchId};
use chorale_types::crypto::ed25519::Signature;
use chorale_types::ids::{LaneId, LaneSeq, ValidatorIndex};
use chorale_types::message::{Message, RescueMessage, SignedHeader};
use chorale_types::museum::{Bug, planted};
use core::time::Duration;
use std::sync::Arc;

/// Rescues of one lane that are taken from one member in a second; a period brings one or two.
const RESCUES_PER_SECOND_MAX: u8 = 4;

/// How long a batch may stay unordered before it is rescued: four view timeouts. The rule allows
/// fewer views where they pass faster; by time alone nobody can bring a rescue on by running
/// through views.
pub(super) const fn period(view_timeout: Duration) -> Duration {
    view_timeout.saturating_mul(4)
}

/// A member's acknowledgement of a batch that is late.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) struct Claim {
    pub(super) signed: SignedHeader,
    pub(super) signature: Signature,
    /// How often fetching it was given up.
    pub(super) attempts: u32,
    /// It is not fetched until it is claimed again.
    pub(super) failed: bool,
}

impl Claim {
    /// The batch that the claimed one stands on.
    pub(super) fn below(&self) -> Option<BatchId> {
        let BatchHeader { lane, seq, prev, .. } = self.signed.header;
        Some(BatchId { lane, seq: seq.previous()?, digest: prev })
    }
}

impl Lanes {
    /// Tells all about a lane that stayed unordered for a period, and again each period: by its
    /// highest certificate, and by the acknowledgement of the highest batch above that.
    pub(super) fn rescue_if_late(&mut self, id: LaneId, ctx: &mut Context<'_>) {
        if planted(Bug::NoRescue) {
            return;
        }
        let (now, period) = (ctx.now.monotonic, self.period());
        let owns = self.me == Some(id.owner);
        let follows = self.own.is_none();
        let Some(lane) = self.lanes.get_mut(&id).filter(|_| !follows) else { return };
        let first = lane.acknowledged.first_key_value();
        let acknowledged = first.and_then(|(seq, digest)| lane.held.get(&(*seq, *digest)));
        let since = [acknowledged.map(|held| held.since), lane.certified_since];
        let Some(since) = since.into_iter().flatten().min() else { return };
        if !has_passed(Some(since), period, now) || !has_passed(lane.rescue_at, period, now) {
            return;
        }
        lane.rescue_at = Some(now);
        if let Some(cert) = lane.certified() {
            ctx.tell(Recipients::All, Message::Availability(Arc::clone(cert)));
        }
        let above = lane.acknowledged.range(lane.certified_seq().next()..).rev();
        let mut held = above.filter_map(|(seq, digest)| lane.held.get(&(*seq, *digest)));
        // Those that are still being written are on their way.
        let Some(held) = held.find(|held| held.writing.is_none()).filter(|_| !owns) else {
            return;
        };
        let (signed, batch) = (held.signed, held.signed.header.id());
        ctx.note(Note::RescueSent { id: batch });
        ctx.send(Recipients::All, Statement::Rescue(signed), None);
        self.try_rescue(&batch, ctx);
    }

    /// A member says that a batch is late which it acknowledged.
    pub(crate) fn on_rescue(
        &mut self,
        from: ValidatorIndex,
        message: RescueMessage,
        ctx: &mut Context<'_>,
    ) {
        let (header, id) = (message.header, message.header.id());
        if !self.admit_rescue(from, id.lane, ctx) {
            return;
        }
        let signed = SignedHeader { header, signature: message.owner_signature };
        if self.is_foreign(&id) {
            // The own signature on it would say that the own key signs elsewhere.
            let work = Work::All(vec![Check::Header(signed)]);
            let _ = self.try_check(from, work, Subject::Foreign(id), ctx);
            return;
        }
        if self.me == Some(id.lane.owner) {
            self.offer_ack(from, &header.acknowledgement(), message.signature, ctx);
            return;
        }
        let Some(lane) = self.lanes.get_mut(&id.lane) else { return };
        if header.seq == LaneSeq::ZERO || from == id.lane.owner {
            ctx.report(from, Fault::Malformed);
            return;
        }
        if id.seq <= lane.certified_seq() {
            if let Some(cert) = lane.certified().cloned() {
                ctx.tell(Recipients::One(from), Message::Availability(cert));
            }
            return;
        }
        if !lane.in_window(id.seq) {
            ctx.note(Note::Dropped { what: "rescue beyond the window", from });
            return;
        }
        if let Some(claim) = lane.claims.get_mut(&from) {
            let before = claim.signed.header;
            if before == header && claim.signature == message.signature {
                claim.failed = false;
                self.fetch_lane(id.lane, ctx);
                return;
            }
            if before.seq > header.seq {
                return;
            }
        }
        let checks = vec![
            Check::Header(signed),
            Check::Ack(header.acknowledgement(), from, message.signature),
        ];
        let _ = self.try_check(from, Work::All(checks), Subject::Rescue(message), ctx);
    }

    /// Bounds what one member's rescues of one lane cost here.
    fn admit_rescue(&mut self, from: ValidatorIndex, id: LaneId, ctx: &mut Context<'_>) -> bool {
        let Some(lane) = self.lanes.get_mut(&id) else {
            ctx.report(from, Fault::WrongContext);
            return false;
        };
        let count = lane.rescues.entry(from).or_default();
        let admitted = *count < RESCUES_PER_SECOND_MAX;
        if admitted {
            *count += 1;
        } else {
            ctx.note(Note::Dropped { what: "rescue", from });
        }
        admitted
    }

    pub(super) fn on_rescue_checked(
        &mut self,
        from: ValidatorIndex,
        message: &RescueMessage,
        ctx: &mut Context<'_>,
    ) {
        let id = message.header.id();
        let Some(lane) = self.lanes.get_mut(&id.lane) else { return };
        if let Some((other, true)) = other_at(lane, id.seq)
            && other.header != message.header
        {
            self.note_fork(id.lane, id.seq, ctx);
        }
        let Some(lane) = self.lanes.get_mut(&id.lane) else { return };
        if id.seq <= lane.certified_seq() {
            return;
        }
        let signed = SignedHeader { header: message.header, signature: message.owner_signature };
        let attempts = lane.claims.get(&from).map_or(0, |claim| claim.attempts);
        let claim = Claim { signed, signature: message.signature, attempts, failed: false };
        lane.claims.insert(from, claim);
        self.try_rescue(&id, ctx);
        self.fetch_lane(id.lane, ctx);
    }

    /// Makes the certificate of a batch without its owner, when those who claim it, this replica
    /// if it acknowledged it, and the owner's signature on it are a quorum.
    pub(super) fn try_rescue(&mut self, id: &BatchId, ctx: &mut Context<'_>) {
        let Some(lane) = self.lanes.get(&id.lane) else { return };
        if id.seq <= lane.certified_seq() || self.me == Some(id.lane.owner) {
            return;
        }
        let claims = lane.claims.iter().filter(|(_, claim)| claim.signed.header.id() == *id);
        let held = lane.held.get(&(id.seq, id.digest));
        let signed = held.map(|held| held.signed);
        let Some(signed) = signed.or_else(|| claims.clone().next().map(|(_, c)| c.signed)) else {
            return;
        };
        let mut tally = Tally::new(signed.header.acknowledgement());
        tally.accept(id.lane.owner, signed.signature);
        for (signer, claim) in claims {
            tally.accept(*signer, claim.signature);
        }
        if let (Some(me), Some(own)) = (self.me, held.and_then(|held| held.own))
            && lane.is_acknowledged(id)
        {
            tally.accept(me, own);
        }
        if let Next::Done(cert) = tally.next(&self.set) {
            let cert = Arc::new(cert);
            ctx.note(Note::Rescued { id: *id });
            ctx.tell(Recipients::All, Message::Availability(Arc::clone(&cert)));
            self.accept_certificate(cert, ctx);
        }
    }
}
