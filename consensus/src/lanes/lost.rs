//! When a replica gives its lane up while it runs: it learns that its own key signs elsewhere too,
//! or that its store contradicts itself. It then makes and acknowledges nothing more, and goes on
//! voting (L1).

use super::Lanes;
use crate::context::Context;
use crate::note::Note;
use chorale_types::batch::{BatchHeader, BatchId};
use chorale_types::ids::{LaneId, LaneSeq};
use thiserror::Error;

/// Why a replica gave its lane up.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Error)]
pub enum LaneLost {
    /// Its own lane holds a batch that it did not make.
    #[error(
        "no lane: place {seq} of this node's lane holds a batch that it did not make, so its key \
         signs elsewhere or its store was replaced"
    )]
    NotMadeHere {
        /// The place.
        seq: LaneSeq,
    },
    /// Its store names two batches as acknowledged where one may be.
    #[error("no lane: the store holds two acknowledged batches for place {seq} of lane {lane}")]
    TwoAcknowledged {
        /// The lane.
        lane: LaneId,
        /// The place.
        seq: LaneSeq,
    },
}

impl Lanes {
    /// Why this replica gave its lane up, if it did.
    pub(crate) const fn lost(&self) -> Option<LaneLost> {
        self.lost
    }

    /// Gives the lane up, for this run. What shows it is certified or ordered, or in the store, so
    /// the next run learns it again.
    pub(super) fn give_up_lane(&mut self, why: LaneLost, ctx: &mut Context<'_>) {
        if self.own.take().is_some() {
            self.lost = Some(why);
            self.pool.clear();
            ctx.note(Note::LaneLost(why));
        }
    }

    /// A batch of the own lane is certified, ordered, or was shown with the own signature: unless
    /// this replica made it, its key signs elsewhere.
    pub(super) fn check_made_here(&mut self, id: &BatchId, ctx: &mut Context<'_>) {
        if self.is_foreign(id) {
            self.give_up_lane(LaneLost::NotMadeHere { seq: id.seq }, ctx);
        }
    }

    /// Whether this is a batch of the own lane that certainly was not made here: what is made is
    /// remembered until it is ordered, and the last one longer.
    pub(super) fn is_foreign(&self, id: &BatchId) -> bool {
        let Some(own) = self.own.as_ref().filter(|own| own.lane == id.lane) else { return false };
        let made = own.batches.get(&id.seq).map(|entry| entry.tally.statement().digest);
        let last = (own.last.seq == id.seq).then_some(own.last.digest);
        match made.or(last) {
            Some(digest) => digest != id.digest,
            None => id.seq > own.last.seq,
        }
    }

    /// Whether the own lane as stored stands on its ordered tip; else the place where it does not.
    pub(super) fn check_own_chain(&self, written: Option<&BatchHeader>) -> Result<(), LaneLost> {
        let Some(own) = &self.own else { return Ok(()) };
        let Some(lane) = self.lanes.get(&own.lane) else { return Ok(()) };
        let ordered = &lane.ordered;
        let not_made_here = |seq| Err(LaneLost::NotMadeHere { seq });
        let last = written.map_or(LaneSeq::ZERO, |header| header.seq);
        let same = written.is_none_or(|header| header.digest() == ordered.digest);
        if last < ordered.seq || last == ordered.seq && !same {
            return not_made_here(ordered.seq);
        }
        let mut below = (ordered.seq, ordered.digest);
        for entry in own.batches.values() {
            let statement = entry.tally.statement();
            if statement.seq == below.0.next() && statement.prev != below.1 {
                return not_made_here(below.0);
            }
            below = (statement.seq, statement.digest);
        }
        Ok(())
    }
}
