//! Two batches with the owner's signature for one place: noted and reported once, and otherwise
//! the owner's own loss (L2).

use super::Lanes;
use super::checks::Subject;
use super::lane::Lane;
use super::receive::signed_header;
use crate::context::Context;
use crate::job::{Check, Work};
use crate::note::{Fault, Note};
use chorale_types::ids::{LaneId, LaneSeq, ValidatorIndex};
use chorale_types::message::SignedHeader;

impl Lanes {
    /// A second batch for one place: a fork if the owner signed both.
    pub(super) fn check_fork(
        &mut self,
        from: ValidatorIndex,
        known: SignedHeader,
        checked: bool,
        other: SignedHeader,
        ctx: &mut Context<'_>,
    ) {
        let (lane, seq) = (other.header.lane, other.header.seq);
        let seen = self.lanes.get(&lane).is_none_or(|lane| lane.forks.contains(&seq));
        let subject = Subject::Fork(lane, seq);
        let under_way = self.jobs.values().any(|checking| checking.subject == subject);
        if seen || under_way {
            return;
        }
        let headers = [Some(known).filter(|_| !checked), Some(other)];
        let checks = headers.into_iter().flatten().map(Check::Header).collect();
        let _ = self.try_check(from, Work::All(checks), subject, ctx);
    }

    /// The owner signed two batches for this place.
    pub(super) fn note_fork(&mut self, lane: LaneId, seq: LaneSeq, ctx: &mut Context<'_>) {
        let Some(known) = self.lanes.get_mut(&lane) else { return };
        if seq > known.ordered.seq && known.in_window(seq) && known.forks.insert(seq) {
            ctx.note(Note::LaneEquivocation { lane, seq });
            if self.me != Some(lane.owner) {
                ctx.report(lane.owner, Fault::Equivocation);
            }
        }
    }
}

/// A batch known at this place, and whether its owner's signature is checked.
pub(super) fn other_at(lane: &Lane, seq: LaneSeq) -> Option<(SignedHeader, bool)> {
    if let Some(digest) = lane.acknowledged.get(&seq) {
        return lane.held.get(&(seq, *digest)).map(|held| (held.signed, true));
    }
    lane.waiting.get(&seq).map(|waiting| (signed_header(&waiting.batch), waiting.checked))
}
