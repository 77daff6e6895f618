//! Votes, and what their certificates do. (Rules A1, C1, C2, B1.)

use super::Agreement;
use super::chain::Commit;
use super::checks::{Waiting, entry};
use crate::context::Context;
use crate::lanes::Lanes;
use crate::note::{Fault, Note};
use crate::output::Output;
use chorale_types::block::CommittedBlock;
use chorale_types::certificate::{CommitCert, EntryCert, QuorumCert};
use chorale_types::ids::{ValidatorIndex, View};
use chorale_types::limits::{VIEWS_AHEAD_MAX, VIEWS_BEHIND_MAX};
use chorale_types::message::VoteMessage;
use chorale_types::museum::{Bug, planted};
use chorale_types::vote::{Vote, VoteKind};
use std::sync::Arc;

impl Agreement {
    /// A member's vote.
    pub(crate) fn on_vote(
        &mut self,
        from: ValidatorIndex,
        message: VoteMessage,
        ctx: &mut Context<'_>,
    ) {
        let VoteMessage { kind, vote, signature, ordered_height } = message;
        if vote.epoch != self.set.epoch() || vote.view == View::ZERO {
            ctx.report(from, Fault::WrongContext);
            return;
        }
        self.hints.insert(from, ordered_height);
        let ahead = vote.view.above(self.view);
        let behind = self.view.above(vote.view);
        if (ahead > VIEWS_AHEAD_MAX && !planted(Bug::VotesUnbounded)) || behind >= VIEWS_BEHIND_MAX
        {
            return;
        }
        self.tally.add(&self.set, from, (kind, vote, signature), false, ctx);
        self.watch_votes(vote.view, kind);
    }

    /// This replica's own vote is signed and on its way.
    pub(crate) fn on_own_vote(&mut self, message: VoteMessage, ctx: &mut Context<'_>) {
        let Some(me) = self.me else { return };
        if message.kind == VoteKind::Prepare && message.vote.view == self.view {
            self.own_prepare = Some((message.vote, message.signature));
        }
        self.on_vote(me, message, ctx);
    }

    /// Checked votes of a quorum.
    pub(super) fn on_votes_complete(
        &mut self,
        qc: &QuorumCert,
        backup: bool,
        lanes: &mut Lanes,
        ctx: &mut Context<'_>,
    ) {
        match qc.kind {
            VoteKind::Prepare => ctx.note(Note::QuorumCertFormed { view: qc.view(), backup }),
            VoteKind::Commit => ctx.note(Note::CommitCertFormed { view: qc.view() }),
        }
        self.on_qc(qc, lanes, ctx);
    }

    /// A checked certificate of votes, whatever brought it: adopt (A1), commit (C2), vote to
    /// commit (C1), enter (N1).
    pub(super) fn on_qc(&mut self, qc: &QuorumCert, lanes: &mut Lanes, ctx: &mut Context<'_>) {
        self.checks.remember(entry(qc).cache_key());
        let before = self.safety.record().high_qc.vote;
        self.safety.adopt_qc(qc);
        if let Some(cc) = CommitCert::new(qc.clone()).filter(|_| qc.view() > View::ZERO) {
            self.commit(&Arc::new(cc), lanes, ctx);
        }
        if planted(Bug::TwoChainCommit) {
            self.commit_two_chain(before, qc, lanes, ctx);
        }
        self.try_commit_vote(qc, ctx);
        self.enter(EntryCert::Qc(qc.clone()), lanes, ctx);
    }

    /// C1: a commit vote, once the block and its chain are held.
    pub(super) fn try_commit_vote(&mut self, qc: &QuorumCert, ctx: &mut Context<'_>) {
        if !self.safety.may_commit(qc) {
            return;
        }
        if self.chain.get(&qc.vote.block).is_none() {
            let signers = self.some_of(&qc.signers);
            self.want_block(qc.vote.block, &signers, ctx);
            self.sync.wish_commit(qc);
            return;
        }
        ctx.note(Note::Voted { kind: VoteKind::Commit, view: qc.view(), block: qc.vote.block });
        self.safety.commit(qc, self.ordered_height(), ctx);
    }

    /// A member passes on that a block is final.
    pub(crate) fn on_commit_message(
        &mut self,
        from: ValidatorIndex,
        cc: Arc<CommitCert>,
        lanes: &mut Lanes,
        ctx: &mut Context<'_>,
    ) {
        if cc.vote().epoch != self.set.epoch() {
            ctx.report(from, Fault::WrongContext);
            return;
        }
        let (height, _) = self.chain.head();
        if cc.vote().height <= height && !self.is_news(cc.as_qc()) {
            return;
        }
        if planted(Bug::AimsAtClaims) {
            self.sync.aim(&cc);
        }
        let certs = vec![entry(cc.as_qc())];
        let held = self.checks.hold(&self.set, from, Waiting::Commit(cc), (Vec::new(), certs), ctx);
        if let Some(message) = held {
            self.on_good(from, message, lanes, ctx);
        }
    }

    /// A checked `CommitCert`.
    pub(super) fn on_commit_cert(
        &mut self,
        cc: &Arc<CommitCert>,
        lanes: &mut Lanes,
        ctx: &mut Context<'_>,
    ) {
        self.on_qc(cc.as_qc(), lanes, ctx);
    }

    /// C2: makes what the certificate names final, as far as the blocks are held.
    pub(super) fn commit(
        &mut self,
        cc: &Arc<CommitCert>,
        lanes: &mut Lanes,
        ctx: &mut Context<'_>,
    ) {
        self.safety.adopt_cc(cc);
        match self.chain.commit(cc) {
            Commit::Done(blocks) => self.on_final(blocks, lanes, ctx),
            Commit::Known => {}
            Commit::Missing(_) => {
                self.sync.aim(cc);
                self.try_sync(lanes, ctx);
            }
            Commit::Conflict => self.on_conflict(cc, lanes, ctx),
        }
    }

    /// A checked certificate contradicts what is final here.
    pub(super) fn on_conflict(
        &mut self,
        cc: &Arc<CommitCert>,
        lanes: &mut Lanes,
        ctx: &mut Context<'_>,
    ) {
        if self.safety.contradict(cc, ctx) {
            ctx.note(Note::AgreementBroken { height: cc.vote().height });
            lanes.stop_signing();
        }
    }

    pub(super) fn on_final(
        &mut self,
        blocks: Vec<CommittedBlock>,
        lanes: &mut Lanes,
        ctx: &mut Context<'_>,
    ) {
        if self.pacemaker.committed(ctx.now.monotonic) {
            self.arm_view(ctx);
        }
        for block in blocks {
            let view = block.cert.vote().view;
            ctx.note(Note::Committed { height: block.block.header.height, view });
            let frontier = &self.chain.get(&block.hash).expect("just made final").frontier;
            lanes.on_committed(&block.block.body, frontier, ctx);
            ctx.emit(Output::Commit(block));
        }
        self.chain.prune();
        let (height, _) = self.chain.head();
        self.sync.reached(height);
    }

    /// [`Bug::TwoChainCommit`]: the parent is final when two views in a row are certified.
    fn commit_two_chain(
        &mut self,
        before: Vote,
        qc: &QuorumCert,
        lanes: &mut Lanes,
        ctx: &mut Context<'_>,
    ) {
        let parent = self.chain.get(&qc.vote.block).map(|place| place.parent);
        if parent != Some(before.block) || Some(before.view) != qc.view().previous() {
            return;
        }
        let forged = QuorumCert { kind: VoteKind::Commit, vote: before, ..qc.clone() };
        let cc = Arc::new(CommitCert::new(forged).expect("of commit kind"));
        if let Commit::Done(blocks) = self.chain.commit(&cc) {
            self.on_final(blocks, lanes, ctx);
        }
    }
}
