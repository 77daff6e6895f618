//! What is missing of a lane, and what is asked for next to complete it.

use super::lane::Lane;
use crate::input::AskId;
use chorale_types::batch::BatchId;
use chorale_types::crypto::hash::Digest;
use chorale_types::ids::{LaneSeq, ValidatorIndex};
use chorale_types::limits::{LANE_BATCHES_MAX, SYNC_BATCHES_MAX};
use chorale_types::message::Request;
use chorale_types::time::Instant;
use core::cmp::Reverse;
use core::time::Duration;
use std::collections::BTreeMap;

/// How long a certified body may be on its way from its owner before others are asked for it.
const GRACE: Duration = Duration::from_millis(250);

/// Why something is fetched.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) enum Goal {
    /// It is ordered.
    Ordered,
    /// It is certified.
    Certified,
    /// This member rescues it.
    Claimed(ValidatorIndex),
}

/// What is being fetched of one lane.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) struct Task {
    pub(super) goal: Goal,
    /// The batch it was started for.
    pub(super) top: BatchId,
    /// Nothing at or below this place is part of it.
    pub(super) floor: LaneSeq,
    /// Missing bodies whose digests are known; at most as many as a slice or the window has.
    pub(super) ids: BTreeMap<LaneSeq, Digest>,
    /// The lowest missing batch so far, while its header is not known.
    pub(super) cursor: Option<BatchId>,
    /// Failures since the last useful answer.
    pub(super) failures: usize,
    /// The question that waits for its answer.
    pub(super) question: Option<AskId>,
    /// When it was asked.
    pub(super) asked_at: Option<Instant>,
    /// The last answer took long.
    pub(super) late: bool,
    /// An answer is being checked.
    pub(super) checking: bool,
    /// Everybody failed: nothing is asked until the next second.
    pub(super) paused: bool,
}

impl Task {
    pub(super) const fn is_busy(&self) -> bool {
        self.question.is_some() || self.checking
    }

    pub(super) const fn is_claim(&self) -> bool {
        matches!(self.goal, Goal::Claimed(_))
    }

    /// Nothing was asked yet, or nothing useful answered.
    pub(super) fn is_claim_not_begun(&self) -> bool {
        self.is_claim() && !self.is_busy() && self.ids.is_empty()
    }

    pub(super) const fn made_progress(&mut self) {
        self.failures = 0;
    }
}

impl Lane {
    /// What is ordered goes first: a task for something else makes way, unless its answer is
    /// being checked or brings what is certified anyway.
    pub(super) fn make_way(&mut self) {
        let stays =
            |task: &Task| task.checking || task.is_busy() && !matches!(task.goal, Goal::Claimed(_));
        if !self.missing.is_empty() && !self.task.as_ref().is_some_and(stays) {
            self.task = None;
        }
    }

    /// Goes down through batches that wait here: their headers need not be asked for.
    pub(super) fn follow_waiting(&mut self) {
        while let Some(task) = &mut self.task
            && let Some(cursor) = task.cursor
            && let Some(waiting) = self.waiting.get(&cursor.seq)
            && waiting.digest == cursor.digest
        {
            let digest = waiting.batch.header.prev;
            let floor = task.floor;
            task.ids.insert(cursor.seq, cursor.digest);
            task.cursor = None;
            let below = cursor.seq.previous().and_then(|seq| {
                self.first_missing(BatchId { lane: cursor.lane, seq, digest }, floor)
            });
            if let Some(task) = &mut self.task {
                task.cursor = below;
            }
        }
    }

    /// What is claimed cannot be had, or may not be acknowledged: another claim's turn.
    pub(super) fn give_up_claim(&mut self) {
        let Some(task) = self.task.take() else { return };
        for claim in self.claims.values_mut() {
            if claim.signed.header.id() == task.top {
                claim.attempts = claim.attempts.saturating_add(1);
                claim.failed = true;
            }
        }
    }

    fn task(&self, goal: Goal, top: BatchId, floor: LaneSeq) -> Option<Task> {
        let cursor = Some(self.first_missing(top, floor)?);
        Some(Task {
            goal,
            top,
            floor,
            ids: BTreeMap::new(),
            cursor,
            failures: 0,
            question: None,
            asked_at: None,
            late: false,
            checking: false,
            paused: false,
        })
    }
}

/// What is fetched next of a lane: what is ordered, lowest first; then what is certified; then
/// what is claimed, those first that were tried least, of those the highest.
pub(super) fn choose(lane: &mut Lane, follows: bool, now: Instant) -> Option<Task> {
    for slice in &lane.missing {
        if let Some(task) = lane.task(Goal::Ordered, slice.top, slice.above) {
            return Some(task);
        }
    }
    let last = lane.ordered.seq.saturating_add(LANE_BATCHES_MAX);
    let certified = lane.certificates.range(..=last).next_back();
    let certified = certified.map(|(_, cert)| cert.statement.id());
    let task = certified.and_then(|id| lane.task(Goal::Certified, id, lane.ordered.seq));
    lane.fetch_at = task.as_ref().map(|_| lane.fetch_at.unwrap_or_else(|| now.after(GRACE)));
    if task.is_some() && lane.fetch_at.is_some_and(|at| at <= now) {
        return task;
    }
    let claims = lane.claims.iter().filter(|(_, claim)| {
        let seq = claim.signed.header.seq;
        !follows
            && !claim.failed
            && !lane.acknowledged.contains_key(&seq)
            && !claim.below().is_some_and(|below| lane.cannot_stand_on(&below))
    });
    let (member, claim) =
        claims.min_by_key(|(_, claim)| (claim.attempts, Reverse(claim.signed.header.seq)))?;
    lane.task(Goal::Claimed(*member), claim.signed.header.id(), lane.ordered.seq)
}

/// The next question of a lane's task; `None` when it has none.
pub(super) fn next_request(lane: &mut Lane) -> Option<Request> {
    let id = lane.id;
    let cursor = lane.task.as_ref()?.cursor;
    if let Some(cursor) = cursor {
        let below = lane.held_below(cursor.seq);
        let task = lane.task.as_mut()?;
        let above = below.max(task.floor);
        if cursor.seq.above(above) > 1 {
            return Some(Request::Headers { tip: cursor, above });
        }
        // It alone is missing before the next one held, and its body brings its header.
        task.ids.insert(cursor.seq, cursor.digest);
        task.cursor = None;
    }
    let (task, waiting) = (lane.task.as_ref()?, &lane.waiting);
    // What came from the owner and is being checked is not asked for.
    let missing = task
        .ids
        .iter()
        .filter(|(seq, digest)| waiting.get(seq).is_none_or(|waiting| waiting.digest != **digest));
    let ids = missing.map(|(seq, digest)| BatchId { lane: id, seq: *seq, digest: *digest });
    let ids: Vec<BatchId> = ids.take(SYNC_BATCHES_MAX).collect();
    (!ids.is_empty()).then_some(Request::Batches { ids })
}
