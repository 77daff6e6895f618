//! Availability certificates: taken in, kept, asked for, and offered to agreement.

use super::checks::{Checking, Subject};
use super::fetch::Question;
use super::lane::Lane;
use super::{Lanes, has_passed};
use crate::context::Context;
use crate::input::{AskId, RequestToken};
use crate::job::{Check, Work};
use crate::note::{Fault, Note};
use crate::output::Output;
use chorale_types::batch::{Availability, BatchId, LaneTip};
use chorale_types::block::Frontier;
use chorale_types::crypto::bitmap::SignerSet;
use chorale_types::ids::{LaneId, LaneSeq, ValidatorIndex};
use chorale_types::limits::{CERTIFICATES_WANTED_MAX, FETCHES_PER_PEER_MAX};
use chorale_types::message::{Request, Response};
use chorale_types::time::Instant;
use std::sync::Arc;

/// How many members are asked for one certificate: an honest proposer has it, and one that is not
/// must not set everybody asking everybody.
const ASKED_MAX: usize = 8;

/// A certificate that a proposal needs and that is not here.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) struct Want {
    tip: LaneTip,
    /// Who named it, and is asked first.
    first: ValidatorIndex,
    /// Who was asked.
    asked: SignerSet,
    /// The question under way.
    question: Option<AskId>,
    /// Since when.
    since: Instant,
}

impl Lanes {
    /// A certificate from a peer.
    pub(crate) fn on_availability(
        &mut self,
        from: ValidatorIndex,
        cert: Arc<Availability>,
        ctx: &mut Context<'_>,
    ) {
        if !self.is_formed(&cert) {
            ctx.report(from, Fault::Malformed);
            return;
        }
        let statement = &cert.statement;
        let Some(lane) = self.lanes.get(&statement.lane) else { return };
        let subject = Subject::Certificate(Arc::clone(&cert));
        let under_way = |checking: &Checking| checking.subject == subject;
        if statement.seq <= lane.ordered.seq
            || lane.is_certified(&statement.tip())
            || self.jobs.values().any(under_way)
        {
            return;
        }
        let work = Work::All(vec![Check::Availability(Arc::clone(&cert))]);
        let _ = self.try_check(from, work, Subject::Certificate(cert), ctx);
    }

    /// Whether it is about a lane of this epoch and names a quorum of its members.
    fn is_formed(&self, cert: &Availability) -> bool {
        self.lanes.contains_key(&cert.statement.lane)
            && cert.statement.seq > LaneSeq::ZERO
            && cert.signers.members() == self.set.len()
            && cert.signers.count() == cert.signatures.len()
            && self.set.stake_of(&cert.signers) >= self.set.quorum()
    }

    pub(super) fn on_certificate_checked(
        &mut self,
        cert: Arc<Availability>,
        ctx: &mut Context<'_>,
    ) {
        let lane = cert.statement.lane;
        self.accept_certificate(cert, ctx);
        self.fetch_lane(lane, ctx);
    }

    /// Takes in a certificate that was checked or made here.
    pub(super) fn accept_certificate(&mut self, cert: Arc<Availability>, ctx: &mut Context<'_>) {
        let id = cert.statement.id();
        self.check_made_here(&id, ctx);
        let Some(lane) = self.lanes.get_mut(&id.lane) else { return };
        if id.seq <= lane.ordered.seq || lane.certificates.contains_key(&id.seq) {
            return;
        }
        lane.keep_certificate(cert, ctx.now.monotonic);
        if self.wants.keys().any(|want| want.lane == id.lane && want.seq < id.seq) {
            // The headers between may show what is wanted to be certified.
            lane.fetch_at = Some(ctx.now.monotonic);
        }
        self.fresh = true;
        self.say_available(&id, ctx);
        self.forget_wants();
        // What waits may stand on what is certified now.
        self.advance(id.lane, ctx);
    }

    /// The tips a leader puts on top of `frontier`: of each lane the highest certified one that
    /// still fits `bytes_max`, lanes taken in turn from the one at `rotation`, so that a full
    /// block leaves out another lane each time. By rising lane.
    pub(crate) fn certified_tips(
        &self,
        frontier: &Frontier,
        rotation: u64,
        bytes_max: u64,
    ) -> Vec<LaneTip> {
        let count = self.lanes.len().max(1);
        let start = rotation % u64::try_from(count).unwrap_or(u64::MAX);
        let start = usize::try_from(start).unwrap_or(0);
        let (mut tips, mut left) = (Vec::new(), bytes_max);
        for lane in self.lanes.values().cycle().skip(start).take(self.lanes.len()) {
            let (seq, before) = (frontier.seq(lane.id), frontier.bytes_through(lane.id));
            let above = lane.certificates.range(seq.next()..).rev();
            let mut tips_above = above.map(|(_, cert)| cert.statement.tip());
            let fits = |tip: &LaneTip| {
                let bytes = tip.bytes_through.checked_sub(before);
                bytes.is_some_and(|bytes| bytes > 0 && bytes <= left)
            };
            if let Some(tip) = tips_above.find(fits) {
                left = left.saturating_sub(tip.bytes_through.saturating_sub(before));
                tips.push(tip);
            }
        }
        tips.sort_by_key(|tip| tip.lane);
        tips
    }

    /// Whether this very tip is known to be available.
    pub(crate) fn has_certificate(&self, tip: &LaneTip) -> bool {
        self.lanes.get(&tip.lane).is_some_and(|lane| lane.is_certified(tip))
    }

    /// Asks `from`, and then one member after the other, for the certificate of a tip, unless that
    /// is under way. What nobody gave within two view timeouts is given up; when too many are
    /// wanted the oldest is.
    pub(crate) fn want_certificate(
        &mut self,
        tip: &LaneTip,
        from: ValidatorIndex,
        ctx: &mut Context<'_>,
    ) {
        let id = tip.id();
        let Some(lane) = self.lanes.get_mut(&id.lane) else { return };
        if tip.seq <= lane.ordered.seq || lane.is_certified(tip) || self.wants.contains_key(&id) {
            return;
        }
        if lane.certified_seq() > tip.seq {
            // The headers between may show it to be certified.
            lane.fetch_at = Some(ctx.now.monotonic);
        }
        if self.wants.len() >= CERTIFICATES_WANTED_MAX
            && let Some(oldest) = self.wants.iter().map(|(id, want)| (want.since, *id)).min()
        {
            ctx.note(Note::Dropped { what: "wanted certificate", from });
            self.wants.remove(&oldest.1);
        }
        let (asked, since) = (self.set.no_signers(), ctx.now.monotonic);
        let want = Want { tip: *tip, first: from, asked, question: None, since };
        self.wants.insert(id, want);
        self.ask_wants(ctx);
    }

    /// Asks the next member for each certificate that is wanted and neither being asked for nor
    /// being checked.
    pub(super) fn ask_wants(&mut self, ctx: &mut Context<'_>) {
        let me = self.me;
        let mut load = vec![0_usize; usize::from(self.set.len())];
        for question in self.asks.values() {
            if let Question::Certificate { to, .. } = question
                && let Some(load) = load.get_mut(to.as_usize())
            {
                *load += 1;
            }
        }
        let jobs = &self.jobs;
        let arrived = |id: &BatchId| {
            jobs.values().any(|checking| match &checking.subject {
                Subject::Certificate(cert) => {
                    cert.statement.lane == id.lane && cert.statement.seq >= id.seq
                }
                _ => false,
            })
        };
        for (id, want) in &mut self.wants {
            if want.question.is_some() || want.asked.count() >= ASKED_MAX || arrived(id) {
                continue;
            }
            let mine = me.map_or(0, ValidatorIndex::as_usize);
            let others = self.set.indices().skip(mine).chain(self.set.indices().take(mine));
            let mut order = [want.first, id.lane.owner].into_iter().chain(others);
            let free = |peer: &ValidatorIndex| {
                Some(*peer) != me
                    && !want.asked.contains(*peer)
                    && load.get(peer.as_usize()).is_some_and(|n| *n < FETCHES_PER_PEER_MAX)
            };
            let Some(to) = order.find(free) else { continue };
            want.asked.insert(to);
            let question = ctx.ask(to, Request::Availability { id: *id });
            want.question = Some(question);
            load[to.as_usize()] += 1;
            self.asks.insert(question, Question::Certificate { to, id: *id });
        }
    }

    /// What is too old is given up; for the rest everybody may be asked again.
    pub(super) fn retry_wants(&mut self, ctx: &mut Context<'_>) {
        let (nobody, now) = (self.set.no_signers(), ctx.now.monotonic);
        let life = self.set.params().view_timeout().saturating_mul(2);
        self.wants.retain(|_, want| !has_passed(Some(want.since), life, now));
        for want in self.wants.values_mut().filter(|want| want.question.is_none()) {
            want.asked = nobody;
        }
        self.forget_wants();
        self.ask_wants(ctx);
    }

    /// Drops what is here or ordered by now.
    pub(super) fn forget_wants(&mut self) {
        let lanes = &self.lanes;
        let open =
            |lane: &Lane, tip: &LaneTip| tip.seq > lane.ordered.seq && !lane.is_certified(tip);
        self.wants.retain(|id, want| lanes.get(&id.lane).is_some_and(|l| open(l, &want.tip)));
    }

    /// The answer to a question for a certificate: that one, or a higher one of its lane.
    pub(super) fn on_certificate_answer(
        &mut self,
        from: ValidatorIndex,
        id: &BatchId,
        response: Option<&Response>,
        ctx: &mut Context<'_>,
    ) {
        if let Some(want) = self.wants.get_mut(id) {
            want.question = None;
        }
        match response {
            Some(Response::Availability { cert: Some(cert) }) => {
                let statement = &cert.statement;
                let higher = statement.lane == id.lane && statement.seq > id.seq;
                if higher || statement.id() == *id {
                    self.on_availability(from, Arc::new(cert.clone()), ctx);
                } else {
                    ctx.report(from, Fault::BadAnswer);
                }
            }
            None | Some(Response::Availability { cert: None }) => {}
            Some(
                Response::Chain { .. }
                | Response::Ancestors { .. }
                | Response::Block { .. }
                | Response::Batches { .. }
                | Response::Headers { .. },
            ) => ctx.report(from, Fault::BadAnswer),
        }
        self.ask_wants(ctx);
    }

    /// Answers with the certificate asked for, or the lowest above it.
    pub(super) fn answer_availability(
        &self,
        from: ValidatorIndex,
        token: RequestToken,
        id: &BatchId,
        ctx: &mut Context<'_>,
    ) {
        let find = |lane: &Lane| {
            let fits = |cert: &&Arc<Availability>| {
                cert.statement.seq > id.seq || cert.statement.digest == id.digest
            };
            lane.certificates.range(id.seq..).map(|(_, cert)| cert).find(fits).cloned()
        };
        let lane: LaneId = id.lane;
        let cert = self.lanes.get(&lane).and_then(find).map(|cert| (*cert).clone());
        ctx.emit(Output::Respond(from, token, Response::Availability { cert }));
    }
}
