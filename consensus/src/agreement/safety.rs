//! The vote rules and the vote memory: all that keeps this replica from contradicting itself.
//!
//! Every function that allows a statement sets the memory, emits the record that must be durable,
//! and only then the statement, tied to that record. Nothing outside this module can make a vote,
//! a timeout or a proposal to be signed.
//!
//! # Invariants
//! All views in the record only rise. A statement leaves here at most once for each (kind, view).

use super::rules;
use crate::context::Context;
use crate::output::{Output, Recipients, Statement, TimeoutStatement, VoteStatement};
use crate::record::{Record, RecordId, VoteRecord};
use chorale_types::block::{Block, BlockError, FrontierError};
use chorale_types::certificate::{CommitCert, EntryCert, QuorumCert, TimeoutCert};
use chorale_types::crypto::bls::BlsSignature;
use chorale_types::ids::{Height, View};
use chorale_types::message::Proposal;
use chorale_types::museum::{Bug, planted};
use chorale_types::vote::{Vote, VoteKind};
use std::sync::Arc;
use thiserror::Error;

/// A statement that the safety rules allow, with the record that must be durable before it is
/// signed. Nothing outside this module can make one.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Cleared<T> {
    statement: T,
    record: RecordId,
}

impl<T> Cleared<T> {
    /// What may be signed.
    pub const fn statement(&self) -> &T {
        &self.statement
    }

    /// What may be signed, by value.
    pub fn into_statement(self) -> T {
        self.statement
    }

    /// What must be durable first.
    pub const fn record(&self) -> RecordId {
        self.record
    }
}

/// Why a proposal is not voted for, or a statement not made.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Error)]
pub enum Refused {
    /// This replica signs nothing.
    #[error("this replica does not vote")]
    NotVoting,
    /// V1: the proposal is not of the current view.
    #[error("of view {got}, now in view {current}")]
    OtherView {
        /// The proposal's view.
        got: View,
        /// The current view.
        current: View,
    },
    /// V2: this view, or a later one, was voted in or given up.
    #[error("already voted in or gave up view {last}")]
    AlreadyVoted {
        /// The last view that no vote may pass below.
        last: View,
    },
    /// V3: neither certificate nor timeout certificate allows this parent or block.
    #[error("not justified: {why}")]
    NotJustified {
        /// Which clause fails.
        why: &'static str,
    },
    /// V5: the block is malformed.
    #[error(transparent)]
    Block(#[from] BlockError),
    /// V5: the body does not stand on its parent's frontier.
    #[error(transparent)]
    Frontier(#[from] FrontierError),
    /// V5: header fields do not fit the chain, the epoch or the proposal.
    #[error("header does not fit: {what}")]
    Header {
        /// Which field.
        what: &'static str,
    },
    /// V5: the block's time is not after its parent's, or too far ahead of this clock.
    #[error("block time out of range")]
    Time,
    /// V5: the ordered pair is not this replica's, or not shown to be committed.
    #[error("ordered pair does not fit: {what}")]
    Ordered {
        /// Which clause fails.
        what: &'static str,
    },
    /// V5: a tip names other bytes than its availability certificate.
    #[error("a tip's bytes differ from its certificate's")]
    TipBytes,
}

/// The vote memory and its rules.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Safety {
    record: VoteRecord,
    /// After a restart nothing at or below this is voted or proposed (R2).
    floor: View,
    enabled: bool,
}

impl Safety {
    pub(crate) fn new(record: VoteRecord, enabled: bool) -> Self {
        let proposed = record.last_proposed.map_or(View::ZERO, |(view, _, _)| view);
        let floor = record.last_voted_view.max(record.highest_timeout_view).max(proposed);
        let enabled = enabled && record.contradiction.is_none();
        Self { record, floor, enabled }
    }

    pub(crate) const fn record(&self) -> &VoteRecord {
        &self.record
    }

    pub(crate) const fn enabled(&self) -> bool {
        self.enabled
    }

    /// R7: what is final was contradicted. Nothing more is signed, in this run or a later one: a
    /// replica that could sign makes the contradiction durable. `false` when one is known already.
    pub(crate) fn contradict(&mut self, cc: &CommitCert, ctx: &mut Context<'_>) -> bool {
        if self.record.contradiction.is_some() {
            return false;
        }
        self.record.contradiction = Some(cc.clone());
        if core::mem::take(&mut self.enabled) {
            self.persist(Vec::new(), ctx);
        }
        true
    }

    /// A1: the highest certificate ever checked is the lock.
    pub(crate) fn adopt_qc(&mut self, qc: &QuorumCert) {
        let adopts = rules::adopts(self.record.high_qc.view(), qc.view());
        if adopts && !planted(Bug::LockNeverUpdated) {
            self.record.high_qc = qc.clone();
        }
    }

    pub(crate) fn adopt_tc(&mut self, tc: &TimeoutCert) {
        if self.record.high_tc.as_ref().is_none_or(|high| tc.view > high.view) {
            self.record.high_tc = Some(tc.clone());
        }
    }

    pub(crate) fn adopt_cc(&mut self, cc: &CommitCert) {
        let higher = |high: &CommitCert| cc.vote().view > high.vote().view;
        if self.record.high_cc.as_ref().is_none_or(higher) {
            self.record.high_cc = Some(cc.clone());
        }
    }

    /// V2: no prepare vote is signed in this view or below it.
    fn voted(&self) -> View {
        if planted(Bug::VotesTwice) {
            return View::ZERO;
        }
        self.record.last_voted_view.max(self.floor)
    }

    /// V1 and V2: whether a prepare vote in `view` could be signed at all.
    pub(crate) fn check_prepare(&self, view: View, current: View) -> Result<(), Refused> {
        if !self.enabled {
            return Err(Refused::NotVoting);
        }
        if view != current && !planted(Bug::VotesInPastViews) {
            return Err(Refused::OtherView { got: view, current });
        }
        let last = self.voted();
        if !rules::may_prepare(view, last) {
            return Err(Refused::AlreadyVoted { last });
        }
        Ok(())
    }

    /// Prepares `block` in the vote's view. The caller has checked V1 to V5 and adopted every
    /// certificate that the proposal carries.
    pub(crate) fn prepare(
        &mut self,
        vote: Vote,
        block: Arc<Block>,
        ordered_height: Height,
        ctx: &mut Context<'_>,
    ) {
        assert!(self.enabled && vote.view > self.voted(), "V2");
        self.record.last_voted_view = vote.view;
        self.record.last_prepare = Some(vote);
        self.record.tip = Some(vote.tip());
        let statement = VoteStatement { kind: VoteKind::Prepare, vote, ordered_height };
        let record = self.persist(vec![block], ctx);
        let cleared = Cleared { statement, record };
        ctx.send(Recipients::All, Statement::Vote(cleared), Some(record));
    }

    /// C1: a commit vote on a checked `QuorumCert`, unless its view or a later one was given up.
    pub(crate) fn may_commit(&self, qc: &QuorumCert) -> bool {
        let gate = !planted(Bug::NoCommitGate);
        let given_up = if gate { self.record.highest_timeout_view } else { View::ZERO };
        self.enabled && rules::may_commit(qc.view(), given_up, self.record.last_commit_view)
    }

    /// Signs the commit vote for what `qc` certifies.
    pub(crate) fn commit(
        &mut self,
        qc: &QuorumCert,
        ordered_height: Height,
        ctx: &mut Context<'_>,
    ) {
        let locked = self.record.high_qc.view() >= qc.view() || planted(Bug::LockNeverUpdated);
        assert!(self.may_commit(qc) && locked, "C1");
        self.record.last_commit_view = qc.view();
        self.record.last_commit = Some(qc.vote);
        let statement = VoteStatement { kind: VoteKind::Commit, vote: qc.vote, ordered_height };
        let record = self.persist(Vec::new(), ctx);
        let cleared = Cleared { statement, record };
        ctx.send(Recipients::All, Statement::Vote(cleared), Some(record));
    }

    /// T1: whether `view` can be given up: once, and never behind one given up before.
    pub(crate) fn may_time_out(&self, view: View) -> bool {
        self.enabled && rules::may_time_out(view, self.record.highest_timeout_view)
    }

    /// Gives up `view`: no vote in it or below it after this.
    pub(crate) fn time_out(
        &mut self,
        view: View,
        entry: EntryCert,
        prepare: Option<(Vote, BlsSignature)>,
        ctx: &mut Context<'_>,
    ) {
        assert!(self.may_time_out(view), "T1");
        assert!(self.record.high_qc.view() < view, "a higher certificate would have left the view");
        self.record.highest_timeout_view = view;
        self.record.last_voted_view = self.record.last_voted_view.max(view);
        let high_qc = self.record.high_qc.clone();
        let tip = self.record.tip;
        let statement = TimeoutStatement { view, high_qc, tip, entry, prepare };
        self.record.last_timeout = Some(statement.clone());
        let record = self.persist(Vec::new(), ctx);
        let cleared = Cleared { statement, record };
        ctx.send(Recipients::All, Statement::Timeout(cleared), Some(record));
    }

    /// P2: whether a proposal in `view` could be signed: at most one of its class, and none in a
    /// view voted in or given up.
    pub(crate) fn may_propose(&self, view: View) -> bool {
        if planted(Bug::ProposesAgain) {
            return self.enabled;
        }
        let proposed = self.record.last_proposed.map_or(View::ZERO, |(view, _, _)| view);
        self.enabled && view > proposed.max(self.record.last_voted_view).max(self.floor)
    }

    /// Signs a proposal.
    pub(crate) fn propose(&mut self, proposal: Proposal, ctx: &mut Context<'_>) {
        assert!(self.may_propose(proposal.view), "P2");
        let (class, block) = (proposal.kind.class(), proposal.block_hash());
        self.record.last_proposed = Some((proposal.view, class, block));
        let record = self.persist(Vec::new(), ctx);
        let cleared = Cleared { statement: proposal, record };
        ctx.send(Recipients::All, Statement::Proposal(cleared), Some(record));
    }

    /// R3: after a restart the last vote of each kind and the last timeout are sent again. They
    /// are in the record that was read, so their record is durable already.
    pub(crate) fn resend_after_restart(&self, ordered_height: Height, ctx: &mut Context<'_>) {
        if !self.enabled {
            return;
        }
        let record = RecordId(0);
        let votes = [
            (VoteKind::Prepare, self.record.last_prepare),
            (VoteKind::Commit, self.record.last_commit),
        ];
        for (kind, vote) in votes {
            let Some(vote) = vote else { continue };
            let statement = VoteStatement { kind, vote, ordered_height };
            let cleared = Cleared { statement, record };
            ctx.emit(Output::Send(Recipients::All, Statement::Vote(cleared), None));
        }
        if let Some(statement) = self.record.last_timeout.clone() {
            let cleared = Cleared { statement, record };
            ctx.emit(Output::Send(Recipients::All, Statement::Timeout(cleared), None));
        }
    }

    fn persist(&self, blocks: Vec<Arc<Block>>, ctx: &mut Context<'_>) -> RecordId {
        ctx.persist(Record::Vote { blocks, record: Arc::new(self.record.clone()) })
    }
}

#[cfg(test)]
mod tests;
