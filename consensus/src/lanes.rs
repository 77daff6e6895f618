//! Lanes: how data travels. Each validator appends batches to its own lane; the others store and
//! acknowledge them; a quorum of acknowledgements is an availability certificate; blocks carry
//! only certified lane tips. The rules are L1 to L5 of the protocol, and each part names its own:
//!
//! - `pool`: transactions that wait, a bounded queue for each rollup
//! - `maker`: cuts own batches (L1, L5) · `own`: what became of them
//! - `receive`: batches of others, and when one is acknowledged (L2, L4)
//! - `acks`: acknowledgements into certificates · `certificates`: those that are held and wanted
//! - `forks`: an owner that signed two batches for one place · `lost`: this replica's own key did
//! - `rescue`: what becomes of a batch whose owner is gone (L3)
//! - `fetch`: bodies that are named by a certificate, a rescue or a block and missing here
//! - `status`: how far each follows, and what is therefore sent again (L4)
//!
//! # Invariants
//! For one place in one lane this replica acknowledges one batch, for ever; for one place in its
//! own lane it makes one. Nothing unchecked is acknowledged, stored, counted or fetched. Bodies
//! are kept in memory only while they wait for a check or their predecessor, and of own batches
//! while they are not ordered. Every collection has a bound in `chorale_types::limits`.

mod acks;
mod bodies;
mod certificates;
mod checks;
mod fetch;
mod forks;
mod lane;
mod lost;
mod maker;
mod own;
mod pool;
mod receive;
mod rescue;
mod rules;
mod status;
mod task;
#[cfg(test)]
mod tests;

use crate::config::Config;
use crate::context::Context;
use crate::input::{AskId, HashedTransaction, RequestToken, Ticket, Timer};
use crate::job::JobId;
use crate::output::{Admission, Output, Refusal};
use crate::record::{RecordId, StoredBatch};
use certificates::Want;
use checks::Checking;
use chorale_types::batch::{BatchHeader, BatchId};
use chorale_types::block::{Body, Frontier};
use chorale_types::ids::{LaneId, ValidatorIndex};
use chorale_types::message::{Message, Request, SignedHeader};
use chorale_types::museum::{Bug, planted};
use chorale_types::time::Instant;
use chorale_types::validators::ValidatorSet;
use core::time::Duration;
use fetch::Question;
use lane::{Held, Lane};
pub use lost::LaneLost;
use own::Own;
use pool::Pool;
use std::collections::BTreeMap;

/// How often lanes look after what is late.
const PERIOD: Duration = Duration::from_secs(1);

/// The data plane of one replica.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Lanes {
    set: ValidatorSet,
    me: Option<ValidatorIndex>,
    /// One for each member of the epoch's set.
    lanes: BTreeMap<LaneId, Lane>,
    pool: Pool,
    /// The own lane; absent when this replica neither owns a lane nor acknowledges, from the start
    /// or since it gave its lane up.
    own: Option<Own>,
    /// Why the own lane was given up in this run.
    lost: Option<LaneLost>,
    /// Certificates that proposals need; at most `CERTIFICATES_WANTED_MAX`.
    wants: BTreeMap<BatchId, Want>,
    /// Questions that wait for their answers, bounded where they are asked.
    asks: BTreeMap<AskId, Question>,
    /// Checks under way, bounded for each peer.
    jobs: BTreeMap<JobId, Checking>,
    /// Records of batches that are not durable yet.
    writing: BTreeMap<RecordId, BatchId>,
    /// The lane that is fetched for next, by its owner's place.
    fetch_turn: usize,
    /// A certificate or a link to one arrived since agreement last asked.
    fresh: bool,
}

impl Lanes {
    /// Rebuilds the data plane. `frontier` is how far the lanes are ordered here, and `batches`
    /// are those stored above it; blocks that were committed but not ordered when the node stopped
    /// are given to [`Self::on_committed`] again. `own_lane` is the last header ever written in
    /// the own lane: the next one is above it, so no place is ever given twice.
    pub(crate) fn recover(
        config: &Config,
        batches: Vec<StoredBatch>,
        own_lane: Option<BatchHeader>,
        frontier: &Frontier,
        ctx: &mut Context<'_>,
    ) -> Self {
        let set = config.set.clone();
        let lanes = set.indices().map(|owner| {
            let id = LaneId { epoch: set.epoch(), owner };
            let mut lane = Lane::new(id, set.info_hash(), frontier.tip(id));
            lane.turn = config.me.map_or(0, ValidatorIndex::as_usize);
            (id, lane)
        });
        let mut this = Self {
            lanes: lanes.collect(),
            pool: Pool::new(&config.rollups),
            own: config.me.filter(|_| config.lanes).map(|me| {
                let lane = LaneId { epoch: set.epoch(), owner: me };
                Own::new(lane, set.len())
            }),
            lost: None,
            me: config.me,
            set,
            wants: BTreeMap::new(),
            asks: BTreeMap::new(),
            jobs: BTreeMap::new(),
            writing: BTreeMap::new(),
            fetch_turn: 0,
            fresh: false,
        };
        for stored in batches {
            this.recover_batch(&stored, ctx);
        }
        this.recover_own(own_lane, ctx);
        ctx.arm(Timer::Lanes, ctx.now.monotonic.after(PERIOD));
        this
    }

    fn recover_batch(&mut self, stored: &StoredBatch, ctx: &mut Context<'_>) {
        if planted(Bug::AcksForgotten) {
            return;
        }
        let header = stored.batch.header;
        let ours = self.own.as_ref().is_some_and(|own| own.lane == header.lane);
        let acknowledges = self.own.is_some() && stored.acknowledged;
        let Some(lane) = self.lanes.get_mut(&header.lane) else { return };
        if header.seq <= lane.ordered.seq {
            return;
        }
        let signed = SignedHeader { header, signature: stored.batch.owner_signature };
        let id = header.id();
        lane.hold(id, Held { signed, writing: None, own: None, since: ctx.now.monotonic });
        if acknowledges && lane.acknowledged.get(&id.seq).is_some_and(|d| *d != id.digest) {
            let why = LaneLost::TwoAcknowledged { lane: id.lane, seq: id.seq };
            return self.give_up_lane(why, ctx);
        }
        if acknowledges {
            lane.acknowledge(id);
        }
        if ours && acknowledges {
            self.recover_own_batch(&stored.batch);
        }
    }

    /// R7: nothing is made or acknowledged any more, and nobody is told that it will be.
    pub(crate) fn stop_signing(&mut self) {
        self.own = None;
        for lane in self.lanes.values_mut() {
            lane.waiting.clear();
        }
    }

    /// Takes in what users of this node hand over, and says what became of each.
    pub(crate) fn on_submit(
        &mut self,
        ticket: Ticket,
        transactions: Vec<HashedTransaction>,
        ctx: &mut Context<'_>,
    ) {
        let now = ctx.now.monotonic;
        let owns = self.own.is_some();
        let admit = |transaction| {
            if owns { self.pool.add(transaction, now) } else { Admission::Refused(Refusal::NoLane) }
        };
        let admitted = transactions.into_iter().map(admit).collect();
        ctx.emit(Output::Admitted(ticket, admitted));
        self.try_cut(ctx);
    }

    /// This replica's own statement is signed and durable.
    pub(crate) fn on_own(&mut self, message: Message, ctx: &mut Context<'_>) {
        match message {
            Message::Batch(batch) => self.on_own_batch(batch, ctx),
            Message::Ack(ack) => self.on_own_ack(ack.statement, ack.signature, ctx),
            Message::Rescue(rescue) => {
                self.on_own_ack(rescue.header.acknowledgement(), rescue.signature, ctx);
            }
            Message::Proposal(_)
            | Message::Vote(_)
            | Message::Timeout(_)
            | Message::Entry(_)
            | Message::Commit(_)
            | Message::Availability(_)
            | Message::LaneStatus(_) => {}
        }
    }

    /// Once a second: owners hear how far this replica follows, what is late is rescued, and what
    /// failed is asked for again.
    pub(crate) fn on_lanes_timer(&mut self, ctx: &mut Context<'_>) {
        ctx.arm(Timer::Lanes, ctx.now.monotonic.after(PERIOD));
        let ids: Vec<LaneId> = self.lanes.keys().copied().collect();
        for id in ids {
            self.renew_allowance(id, ctx);
            self.tell_status_in_turn(id, ctx);
            self.rescue_if_late(id, ctx);
        }
        self.retry_wants(ctx);
        self.retry_fetches(ctx);
    }

    /// A batch is durable.
    pub(crate) fn on_durable(&mut self, record: RecordId, _ctx: &mut Context<'_>) {
        let Some(id) = self.writing.remove(&record) else { return };
        let Some(lane) = self.lanes.get_mut(&id.lane) else { return };
        // A batch that was stored first and acknowledged later waits for the later record.
        if let Some(held) = lane.held.get_mut(&(id.seq, id.digest))
            && held.writing == Some(record)
        {
            held.writing = None;
        }
    }

    /// A member asks for a certificate, which is in memory, or for headers or batches, which are
    /// in storage. Other questions are not asked here.
    pub(crate) fn on_request(
        &mut self,
        from: ValidatorIndex,
        token: RequestToken,
        request: &Request,
        ctx: &mut Context<'_>,
    ) {
        match request {
            Request::Availability { id } => self.answer_availability(from, token, id, ctx),
            Request::Headers { .. } | Request::Batches { .. } => {
                ctx.emit(Output::Serve(from, token, request.clone()));
            }
            Request::Chain { .. } | Request::Ancestors { .. } | Request::Block { .. } => {}
        }
    }

    /// A block is final: what it orders needs no acknowledgement, certificate or rescue any more,
    /// only its bodies, which are fetched where they are missing.
    pub(crate) fn on_committed(&mut self, body: &Body, frontier: &Frontier, ctx: &mut Context<'_>) {
        for tip in &body.tips {
            debug_assert!(frontier.seq(tip.lane) >= tip.seq, "the frontier is after the block");
            self.check_made_here(&tip.id(), ctx);
            let Some(lane) = self.lanes.get_mut(&tip.lane) else { continue };
            if tip.seq <= lane.ordered.seq {
                continue;
            }
            lane.order(*tip, ctx.now.monotonic);
            self.on_own_ordered(tip);
            self.advance(tip.lane, ctx);
            self.tell_status_if_dropped(tip.lane, ctx);
            self.fetch_lane(tip.lane, ctx);
        }
        self.forget_wants();
        self.try_cut(ctx);
    }

    /// A proposal names these tips: missing bodies below certified ones are fetched now.
    pub(crate) fn on_proposed(&mut self, body: &Body, ctx: &mut Context<'_>) {
        for tip in &body.tips {
            if let Some(lane) = self.lanes.get_mut(&tip.lane)
                && lane.certified_seq() >= tip.seq
            {
                lane.fetch_at = Some(ctx.now.monotonic);
                self.fetch_lane(tip.lane, ctx);
            }
        }
    }

    /// Whether a certificate arrived, or was linked to what lies below it, since last asked.
    pub(crate) fn new_certificate(&mut self) -> bool {
        core::mem::take(&mut self.fresh)
    }

    /// Sizes of everything that peers and users can fill: of what is kept for each lane, the
    /// largest.
    pub(crate) fn sizes(&self) -> Vec<(&'static str, usize)> {
        let largest = |size: fn(&Lane) -> usize| self.lanes.values().map(size).max().unwrap_or(0);
        vec![
            ("pool transactions", self.pool.transactions()),
            ("pool bytes", self.pool.bytes()),
            ("own batches", self.own.as_ref().map_or(0, |own| own.batches.len())),
            ("wanted certificates", self.wants.len()),
            ("lane questions", self.asks.len()),
            ("lane checks", self.jobs.len()),
            ("lane records", self.writing.len()),
            ("held batches", largest(|lane| lane.held.len())),
            ("waiting batches", largest(|lane| lane.waiting.len())),
            ("lane certificates", largest(|lane| lane.certificates.len())),
            ("lane claims", largest(|lane| lane.claims.len())),
            ("missing slices", largest(|lane| lane.missing.len())),
        ]
    }

    fn period(&self) -> Duration {
        rescue::period(self.set.params().view_timeout())
    }
}

/// Whether `at` plus `wait` has come; also when there is no `at`.
fn has_passed(at: Option<Instant>, wait: Duration, now: Instant) -> bool {
    at.is_none_or(|at| at.after(wait) <= now)
}
