//! Signature checks of lanes: what is under way for whom, and where each verdict goes.

use super::Lanes;
use crate::context::Context;
use crate::job::{JobId, Verdict, Work};
use crate::note::{Fault, Note};
use chorale_types::batch::{Availability, Batch, BatchId};
use chorale_types::ids::{LaneId, LaneSeq, ValidatorIndex};
use chorale_types::limits::CHECKS_PER_PEER_MAX;
use chorale_types::message::RescueMessage;
use std::sync::Arc;

/// What a check is for.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) enum Subject {
    /// The owner's signature of a batch that waits.
    Batch(BatchId),
    /// The owner's signatures of two batches for one place.
    Fork(LaneId, LaneSeq),
    /// The acknowledgements of an own batch.
    Acks(LaneSeq),
    /// A certificate.
    Certificate(Arc<Availability>),
    /// A rescue's header and acknowledgement.
    Rescue(RescueMessage),
    /// The own signature on a batch of the own lane that was not made here.
    Foreign(BatchId),
    /// The owner's signatures of batches that were fetched.
    Fetched(LaneId, Vec<Arc<Batch>>),
}

/// A check under way.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) struct Checking {
    /// Whose message it is of.
    pub(super) from: ValidatorIndex,
    pub(super) subject: Subject,
}

impl Lanes {
    /// Starts a check for a message of `from`, unless too many of that peer's wait: then the
    /// message is dropped, and comes again if it matters.
    pub(super) fn try_check(
        &mut self,
        from: ValidatorIndex,
        work: Work,
        subject: Subject,
        ctx: &mut Context<'_>,
    ) -> bool {
        let waiting = self.jobs.values().filter(|checking| checking.from == from).count();
        if waiting >= CHECKS_PER_PEER_MAX {
            ctx.note(Note::Dropped { what: "lane message", from });
            return false;
        }
        self.check(from, work, subject, ctx);
        true
    }

    /// Starts a check that is bounded elsewhere: one for each own batch, one for each fetch.
    pub(super) fn check(
        &mut self,
        from: ValidatorIndex,
        work: Work,
        subject: Subject,
        ctx: &mut Context<'_>,
    ) {
        let job = ctx.verify(work);
        self.jobs.insert(job, Checking { from, subject });
    }

    /// Takes a verdict; whether the job was one of lanes.
    pub(crate) fn on_checked(
        &mut self,
        job: JobId,
        verdict: &Verdict,
        ctx: &mut Context<'_>,
    ) -> bool {
        let Some(Checking { from, subject }) = self.jobs.remove(&job) else { return false };
        let (good, bad) = match verdict {
            Verdict::All { good } => (*good, [].as_slice()),
            Verdict::Shares { bad, aggregate: _ } => (bad.is_empty(), bad.as_slice()),
        };
        match subject {
            Subject::Acks(seq) => self.on_acks_checked(seq, bad, ctx),
            Subject::Batch(id) => self.on_batch_checked(from, id, good, ctx),
            Subject::Fetched(lane, batches) => {
                self.on_fetched_checked(from, lane, &batches, good, ctx);
            }
            Subject::Fork(..)
            | Subject::Certificate(_)
            | Subject::Rescue(_)
            | Subject::Foreign(_)
                if !good =>
            {
                ctx.report(from, Fault::BadSignature);
                self.ask_wants(ctx);
            }
            Subject::Foreign(id) => self.check_made_here(&id, ctx),
            Subject::Fork(lane, seq) => self.note_fork(lane, seq, ctx),
            Subject::Certificate(cert) => self.on_certificate_checked(cert, ctx),
            Subject::Rescue(message) => self.on_rescue_checked(from, &message, ctx),
        }
        true
    }
}
