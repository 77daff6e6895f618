//! The own lane: batches made here, from the moment they are cut until they are ordered.
//!
//! # Invariants
//! Places rise by one and each is given once. A batch is sent and counted only after its own write
//! is durable and signed. At most `LANE_BATCHES_MAX` batches and the lane quota are not ordered.

use super::Lanes;
use super::acks::{Next, Tally};
use super::checks::Subject;
use super::lane::Held;
use super::status::Follow;
use crate::context::Context;
use crate::job::Work;
use crate::note::{Fault, Note};
use crate::output::{Output, Recipients};
use chorale_types::batch::{Acknowledgement, Batch, BatchHeader, BatchId, LaneTip};
use chorale_types::crypto::ed25519::Signature;
use chorale_types::crypto::hash::Digest;
use chorale_types::ids::{LaneId, LaneSeq, ValidatorIndex};
use chorale_types::level::Level;
use chorale_types::message::{AckMessage, Message, SignedHeader};
use chorale_types::museum::{Bug, planted};
use chorale_types::time::Instant;
use chorale_types::transaction::TransactionId;
use core::time::Duration;
use std::collections::BTreeMap;
use std::sync::Arc;

/// An own batch that is not ordered yet.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) struct OwnBatch {
    /// The transactions in it, which the pool refuses while it is not ordered.
    pub(super) ids: Vec<TransactionId>,
    /// The batch, once it is signed and durable.
    pub(super) batch: Option<Arc<Batch>>,
    /// When it was sent to all; `None` when a run before this one did.
    pub(super) sent_at: Option<Instant>,
    /// Who acknowledged it.
    pub(super) tally: Tally,
    /// Whether it was said to be available.
    pub(super) available: bool,
}

/// The own lane.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) struct Own {
    pub(super) lane: LaneId,
    /// The last batch cut, ordered or not.
    pub(super) last: LaneTip,
    /// When it was cut.
    pub(super) cut_at: Option<Instant>,
    /// The moment the cut timer was last asked for, until it comes.
    pub(super) armed: Option<Instant>,
    /// The least time between two batches that are not full.
    pub(super) gap: Duration,
    pub(super) batches: BTreeMap<LaneSeq, OwnBatch>,
    /// What was sent to whom beyond the first sending; one for each member.
    pub(super) follows: BTreeMap<ValidatorIndex, Follow>,
}

impl Own {
    /// Rule L5: one batch in 20 ms, and in 2 ms for each member, so that certificates of all lanes
    /// stay a small part of every member's work.
    pub(super) fn new(lane: LaneId, members: u16) -> Self {
        let gap = Duration::from_millis(u64::from(members).saturating_mul(2).max(20));
        let (seq, digest) = (LaneSeq::ZERO, Digest::ZERO);
        let last = LaneTip { lane, seq, digest, bytes_through: 0 };
        let (batches, follows) = (BTreeMap::new(), BTreeMap::new());
        Self { lane, last, cut_at: None, armed: None, gap, batches, follows }
    }

    /// What an owner at twice this pace makes in a second; more is not acknowledged.
    pub(super) fn allowance(&self) -> u64 {
        let gaps = Duration::from_secs(2).as_millis() / self.gap.as_millis().max(1);
        u64::try_from(gaps).unwrap_or(u64::MAX)
    }

    /// The first place that is not ordered.
    pub(super) fn first_unordered(&self) -> LaneSeq {
        self.batches.first_key_value().map_or(self.last.seq.next(), |(seq, _)| *seq)
    }
}

impl Lanes {
    /// Takes up an own batch that an earlier run stored and did not see ordered. The lane status
    /// of each member decides who gets it again.
    pub(super) fn recover_own_batch(&mut self, batch: &Arc<Batch>) {
        let Some(own) = &mut self.own else { return };
        let ids: Vec<_> =
            batch.entries.iter().flat_map(|entry| entry.transactions.ids(entry.rollup)).collect();
        self.pool.remember(&ids);
        let mut tally = Tally::new(batch.header.acknowledgement());
        tally.accept(own.lane.owner, batch.owner_signature);
        let batch = Some(Arc::clone(batch));
        let entry = OwnBatch { ids, batch, sent_at: None, tally, available: false };
        own.batches.insert(entry.tally.statement().seq, entry);
    }

    /// Finds the place to go on from: above everything that was ever written here. A lane that is
    /// ordered on something else is given up.
    pub(super) fn recover_own(&mut self, own_lane: Option<BatchHeader>, ctx: &mut Context<'_>) {
        let Some(own) = &self.own else { return };
        let written = own_lane.filter(|header| header.lane == own.lane);
        if let Err(why) = self.check_own_chain(written.as_ref()) {
            return self.give_up_lane(why, ctx);
        }
        let Some(own) = &mut self.own else { return };
        let Some(lane) = self.lanes.get(&own.lane) else { return };
        let written = written.map(|header| header.acknowledgement().tip());
        let stored = own.batches.values().next_back().map(|batch| batch.tally.statement().tip());
        own.last = [written, stored]
            .into_iter()
            .flatten()
            .fold(lane.ordered, |last, next| if next.seq > last.seq { next } else { last });
    }

    /// The next batch is signed and durable: it is sent, and the signature is its first
    /// acknowledgement.
    pub(super) fn on_own_batch(&mut self, batch: Arc<Batch>, ctx: &mut Context<'_>) {
        let (header, signature) = (batch.header, batch.owner_signature);
        let (id, now) = (header.id(), ctx.now.monotonic);
        let Some(own) = self.own.as_mut().filter(|own| own.lane == id.lane) else { return };
        let (Some(entry), Some(lane)) =
            (own.batches.get_mut(&id.seq), self.lanes.get_mut(&id.lane))
        else {
            return;
        };
        if entry.tally.statement().digest != id.digest || entry.batch.is_some() {
            return;
        }
        entry.tally.accept(own.lane.owner, signature);
        entry.sent_at = Some(now);
        entry.batch = Some(Arc::clone(&batch));
        let signed = SignedHeader { header, signature };
        lane.hold(id, Held { signed, writing: None, own: Some(signature), since: now });
        lane.acknowledge(id);
        ctx.tell(Recipients::All, Message::Batch(batch));
        if planted(Bug::AvailableTooSoon) {
            self.say_available(&id, ctx);
        }
        self.count_acks(id.seq, ctx);
    }

    /// A member acknowledges a batch of this lane.
    pub(crate) fn on_ack(&mut self, from: ValidatorIndex, ack: AckMessage, ctx: &mut Context<'_>) {
        self.offer_ack(from, &ack.statement, ack.signature, ctx);
        self.continue_burst(from, &ack.statement, ctx);
    }

    pub(super) fn offer_ack(
        &mut self,
        from: ValidatorIndex,
        statement: &Acknowledgement,
        signature: Signature,
        ctx: &mut Context<'_>,
    ) {
        let Some(own) = &mut self.own else { return };
        if statement.lane != own.lane {
            ctx.report(from, Fault::WrongContext);
            return;
        }
        if self.lanes.get(&own.lane).is_some_and(|l| statement.seq <= l.certified_seq()) {
            return;
        }
        // Nobody was sent anything else for this place, nor a batch that is not durable yet.
        let sent = own.batches.get_mut(&statement.seq).filter(|entry| entry.batch.is_some());
        let Some(entry) = sent.filter(|entry| entry.tally.statement() == statement) else {
            ctx.report(from, Fault::Malformed);
            return;
        };
        entry.tally.offer(from, signature);
        self.count_acks(statement.seq, ctx);
    }

    pub(super) fn on_acks_checked(
        &mut self,
        seq: LaneSeq,
        bad: &[ValidatorIndex],
        ctx: &mut Context<'_>,
    ) {
        for signer in bad {
            ctx.report(*signer, Fault::BadSignature);
        }
        let Some(own) = &mut self.own else { return };
        let Some(entry) = own.batches.get_mut(&seq) else { return };
        entry.tally.settle(bad);
        self.count_acks(seq, ctx);
    }

    /// Checks the acknowledgements when they could be a quorum; makes the certificate when they
    /// are one. A certificate covers every batch below it, so lower ones need none.
    fn count_acks(&mut self, seq: LaneSeq, ctx: &mut Context<'_>) {
        let Some(own) = &mut self.own else { return };
        let owner = own.lane.owner;
        let lane = self.lanes.get(&own.lane);
        if lane.is_some_and(|lane| seq <= lane.certified_seq()) {
            return;
        }
        let Some(entry) = own.batches.get_mut(&seq) else { return };
        match entry.tally.next(&self.set) {
            Next::Wait => {}
            Next::Check(shares) => {
                let work = Work::Acks { statement: *entry.tally.statement(), shares };
                self.check(owner, work, Subject::Acks(seq), ctx);
            }
            Next::Done(cert) => {
                let cert = Arc::new(cert);
                ctx.tell(Recipients::All, Message::Availability(Arc::clone(&cert)));
                ctx.note(Note::BatchAvailable { id: cert.statement.id() });
                self.accept_certificate(cert, ctx);
            }
        }
    }

    /// A certificate of the own lane is here: it and all below it are available.
    pub(super) fn say_available(&mut self, id: &BatchId, ctx: &mut Context<'_>) {
        let Some(own) = self.own.as_mut().filter(|own| own.lane == id.lane) else { return };
        let same = |entry: &OwnBatch| entry.tally.statement().id() == *id;
        if !own.batches.get(&id.seq).is_some_and(same) {
            return;
        }
        for entry in own.batches.range_mut(..=id.seq).map(|(_, entry)| entry) {
            if entry.batch.is_some() && !entry.available {
                entry.available = true;
                ctx.emit(Output::Level(entry.tally.statement().id(), Level::Available));
            }
        }
    }

    /// The own lane is ordered through `tip`.
    pub(super) fn on_own_ordered(&mut self, tip: &LaneTip) {
        let Some(own) = self.own.as_mut().filter(|own| own.lane == tip.lane) else { return };
        let above = own.batches.split_off(&tip.seq.next());
        for entry in core::mem::replace(&mut own.batches, above).into_values() {
            self.pool.forget(&entry.ids);
        }
    }
}
