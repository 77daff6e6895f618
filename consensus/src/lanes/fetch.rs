//! Fetches bodies that are missing: of ordered parts of lanes, below certificates, and of batches
//! that others rescue. One question is under way for each lane, to one member after the other.
//!
//! Where the digests between two known batches are not known, headers are asked for from the upper
//! one downwards: each names the digest of the one before, so nothing can be slipped in. Then the
//! bodies are asked for, lowest first, since each is what the next one stands on.
//!
//! # Invariants
//! At most `FETCHES_MAX` questions or their answers are in memory, at most `FETCHES_PER_PEER_MAX`
//! wait for one peer. Nothing is fetched for a header whose owner's signature is not checked.

use super::task::{Goal, Task, choose, next_request};
use super::{Lanes, has_passed};
use crate::context::Context;
use crate::input::AskId;
use crate::note::Fault;
use chorale_types::batch::BatchId;
use chorale_types::ids::{LaneId, LaneSeq, ValidatorIndex};
use chorale_types::limits::{FETCHES_MAX, FETCHES_PER_PEER_MAX, LANE_BATCHES_MAX};
use chorale_types::message::{Request, Response};
use chorale_types::time::Instant;

/// How many of the questions may be for what is only claimed: whoever claims and then is silent
/// must not keep what is ordered or certified from being fetched.
const CLAIMS_FETCHED_MAX: usize = FETCHES_MAX / 2;

/// What was asked of a member.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) enum Question {
    /// The headers of a lane from `tip` down to above `above`.
    Headers { to: ValidatorIndex, tip: BatchId, above: LaneSeq },
    /// These batches of one lane.
    Batches { to: ValidatorIndex, lane: LaneId, ids: Vec<BatchId> },
    /// A certificate.
    Certificate { to: ValidatorIndex, id: BatchId },
}

impl Question {
    /// Who is asked for headers or bodies.
    const fn fetches_from(&self) -> Option<ValidatorIndex> {
        match self {
            Self::Headers { to, .. } | Self::Batches { to, .. } => Some(*to),
            Self::Certificate { .. } => None,
        }
    }
}

impl Lanes {
    /// Goes on with every lane that misses something, in turn, as far as the bounds allow.
    pub(super) fn fetch(&mut self, ctx: &mut Context<'_>) {
        let count = self.lanes.len();
        let start = self.fetch_turn;
        let ids: Vec<LaneId> = self.lanes.keys().cycle().skip(start).take(count).copied().collect();
        for id in ids {
            self.fetch_lane(id, ctx);
        }
    }

    /// Goes on with one lane: asks the next question, if there is one.
    pub(super) fn fetch_lane(&mut self, id: LaneId, ctx: &mut Context<'_>) {
        let follows = self.own.is_none();
        // A task that turns out complete is followed by the next; few are without a question.
        for _ in 0..=LANE_BATCHES_MAX {
            let Some(lane) = self.lanes.get_mut(&id) else { return };
            // A claim that waits for its turn keeps nothing else waiting.
            if lane.task.as_ref().is_none_or(Task::is_claim_not_begun) {
                lane.task = choose(lane, follows, ctx.now.monotonic);
            }
            let Some(task) = &lane.task else { return };
            if task.is_busy() || task.paused {
                return;
            }
            lane.follow_waiting();
            self.store_waiting(id, ctx);
            let Some(lane) = self.lanes.get_mut(&id) else { return };
            let Some(request) = next_request(lane) else {
                if lane.task.as_ref().is_some_and(|task| !task.ids.is_empty()) {
                    return;
                }
                lane.task = None;
                lane.settle_missing();
                continue;
            };
            self.ask_next(id, request, ctx);
            return;
        }
    }

    /// Asks the member whose turn it is, unless all have enough to answer.
    fn ask_next(&mut self, id: LaneId, request: Request, ctx: &mut Context<'_>) {
        let tasks = self.lanes.values().filter_map(|lane| lane.task.as_ref());
        let busy: Vec<&Task> = tasks.filter(|task| task.is_busy()).collect();
        let claims = busy.iter().filter(|task| task.is_claim()).count();
        let task = self.lanes.get(&id).and_then(|lane| lane.task.as_ref());
        let full = claims >= CLAIMS_FETCHED_MAX && task.is_some_and(Task::is_claim);
        if full || busy.len() >= FETCHES_MAX {
            return;
        }
        let members = self.sources(id);
        let load = |peer: ValidatorIndex| {
            self.asks.values().filter(|question| question.fetches_from() == Some(peer)).count()
        };
        let Some(turn) = self.lanes.get(&id).map(|lane| lane.turn) else { return };
        let mut turns = (turn..).take(members.len());
        let peer = |turn: usize| members.get(turn % members.len().max(1)).copied();
        let free = turns.find(|turn| peer(*turn).is_some_and(|p| load(p) < FETCHES_PER_PEER_MAX));
        let Some((turn, to)) = free.and_then(|turn| Some((turn, peer(turn)?))) else { return };
        let question = match &request {
            Request::Headers { tip, above } => Question::Headers { to, tip: *tip, above: *above },
            Request::Batches { ids } => Question::Batches { to, lane: id, ids: ids.clone() },
            Request::Chain { .. }
            | Request::Ancestors { .. }
            | Request::Block { .. }
            | Request::Availability { .. } => {
                unreachable!("fetching asks for headers and batches")
            }
        };
        let asked = ctx.ask(to, request);
        self.asks.insert(asked, question);
        self.fetch_turn = (id.owner.as_usize() + 1) % self.lanes.len().max(1);
        if let Some(lane) = self.lanes.get_mut(&id) {
            lane.turn = turn;
            if let Some(task) = &mut lane.task {
                (task.question, task.asked_at) = (Some(asked), Some(ctx.now.monotonic));
            }
        }
    }

    /// Who may have what a lane's task is after, without this replica.
    fn sources(&self, id: LaneId) -> Vec<ValidatorIndex> {
        let Some(lane) = self.lanes.get(&id) else { return Vec::new() };
        let Some(task) = &lane.task else { return Vec::new() };
        let all: Vec<ValidatorIndex> = match task.goal {
            Goal::Ordered => self.set.indices().collect(),
            Goal::Certified => match lane.certificates.range(task.top.seq..).next() {
                Some((_, cert)) => cert.signers.iter().collect(),
                None => self.set.indices().collect(),
            },
            Goal::Claimed(_) => {
                let same = |claim: &super::rescue::Claim| claim.signed.header.id() == task.top;
                let claims = lane.claims.iter().filter(|(_, claim)| same(claim));
                claims.map(|(member, _)| *member).collect()
            }
        };
        all.into_iter().filter(|member| Some(*member) != self.me).collect()
    }

    /// The answer to a question of lanes; whether it was one.
    pub(crate) fn on_response(
        &mut self,
        from: ValidatorIndex,
        id: AskId,
        response: Option<&Response>,
        ctx: &mut Context<'_>,
    ) -> bool {
        let Some(question) = self.asks.remove(&id) else { return false };
        match question {
            Question::Certificate { to: _, id } => {
                self.on_certificate_answer(from, &id, response, ctx);
            }
            Question::Headers { to: _, tip, above } => {
                if self.take_question(tip.lane, id, ctx.now.monotonic) {
                    self.on_headers(from, &tip, above, response, ctx);
                }
            }
            Question::Batches { to: _, lane, ids } => {
                if self.take_question(lane, id, ctx.now.monotonic) {
                    self.on_bodies(from, lane, &ids, response, ctx);
                }
            }
        }
        self.fetch(ctx);
        true
    }

    /// Whether the lane's task still waits for this answer; from here on it does not.
    fn take_question(&mut self, lane: LaneId, id: AskId, now: Instant) -> bool {
        let slow = self.set.params().view_timeout() / 2;
        let Some(lane) = self.lanes.get_mut(&lane) else { return false };
        let task = lane.task.as_mut().filter(|task| task.question == Some(id));
        let Some(task) = task else { return false };
        task.question = None;
        task.late = has_passed(task.asked_at, slow, now);
        true
    }

    fn on_headers(
        &mut self,
        from: ValidatorIndex,
        tip: &BatchId,
        above: LaneSeq,
        response: Option<&Response>,
        ctx: &mut Context<'_>,
    ) {
        let Some(lane) = self.lanes.get_mut(&tip.lane) else { return };
        let headers = match response {
            Some(Response::Headers { headers }) => headers.as_slice(),
            None => &[],
            Some(_) => return self.bad_answer(from, tip.lane, ctx),
        };
        let mut at = *tip;
        let mut linked = Vec::new();
        for signed in headers {
            if signed.header.id() != at || at.seq <= above {
                return self.bad_answer(from, tip.lane, ctx);
            }
            linked.push(at);
            let Some(seq) = at.seq.previous() else { break };
            at = BatchId { lane: at.lane, seq, digest: signed.header.prev };
        }
        if linked.is_empty() {
            return self.on_failure(tip.lane);
        }
        let Some(Task { goal, floor, late, .. }) = lane.task else { return };
        let refused = |id: &BatchId| id.seq >= floor && lane.cannot_stand_on(id);
        if matches!(goal, Goal::Claimed(_)) && linked.iter().skip(1).chain([&at]).any(refused) {
            // The bodies would be of no use.
            return lane.give_up_claim();
        }
        let cursor = lane.first_missing(at, floor);
        if late || at.seq > above {
            // Slow, or less than it could be: another may have more.
            lane.turn = lane.turn.wrapping_add(1);
        }
        let Some(task) = &mut lane.task else { return };
        task.ids.extend(linked.iter().map(|id| (id.seq, id.digest)));
        task.cursor = cursor;
        task.made_progress();
    }

    pub(super) fn bad_answer(&mut self, from: ValidatorIndex, id: LaneId, ctx: &mut Context<'_>) {
        ctx.report(from, Fault::BadAnswer);
        self.on_failure(id);
    }

    /// The next member is asked; when all failed in turn, the task rests, or is given up if it
    /// was only claimed.
    pub(super) fn on_failure(&mut self, id: LaneId) {
        let sources = self.sources(id).len();
        let Some(lane) = self.lanes.get_mut(&id) else { return };
        lane.turn = lane.turn.wrapping_add(1);
        let Some(task) = &mut lane.task else { return };
        task.failures += 1;
        if task.failures < sources {
            return;
        }
        match task.goal {
            Goal::Ordered | Goal::Certified => task.paused = true,
            Goal::Claimed(_) => lane.give_up_claim(),
        }
    }

    /// A second passed: what rested goes on.
    pub(super) fn retry_fetches(&mut self, ctx: &mut Context<'_>) {
        for lane in self.lanes.values_mut() {
            if let Some(task) = &mut lane.task {
                task.paused = false;
                task.failures = 0;
            }
        }
        self.fetch(ctx);
    }
}
