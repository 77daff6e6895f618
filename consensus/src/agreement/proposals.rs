//! Proposals: taken when justified, voted for when everything they name is here.
//! (Rules V1 to V5.)

use super::Agreement;
use super::chain::NotTaken;
use super::checks::Waiting;
use super::justify::check_justified;
use super::safety::Refused;
use crate::context::Context;
use crate::input::Timer;
use crate::job::{Check, Work};
use crate::lanes::Lanes;
use crate::note::{Fault, Note};
use chorale_types::block::Block;
use chorale_types::certificate::EntryCert;
use chorale_types::crypto::bitmap::SignerSet;
use chorale_types::crypto::hash::Digest;
use chorale_types::ids::ValidatorIndex;
use chorale_types::limits::{BLOCK_TIME_AHEAD_MS_MAX, ORDERED_LAG_MAX, VIEWS_AHEAD_MAX};
use chorale_types::message::{Proposal, ProposalKind};
use chorale_types::museum::{Bug, planted};
use chorale_types::time::Timestamp;
use chorale_types::vote::{Vote, VoteKind};
use core::time::Duration;
use std::sync::Arc;

/// Whether a proposal can be voted for now.
enum Ready {
    Yes(Vote, Arc<Block>),
    /// Something is on its way.
    Wait,
}

impl Agreement {
    /// A leader proposes.
    pub(crate) fn on_proposal(
        &mut self,
        from: ValidatorIndex,
        proposal: Arc<Proposal>,
        lanes: &mut Lanes,
        ctx: &mut Context<'_>,
    ) {
        let view = proposal.view;
        if proposal.epoch != self.set.epoch() {
            ctx.report(from, Fault::WrongContext);
            return;
        }
        let past = view < self.view && !planted(Bug::VotesInPastViews);
        if past || self.proposed.get(&view) == Some(&proposal.block_hash()) {
            return;
        }
        if self.leaders.leader(view) != from && !planted(Bug::AnyoneProposes) {
            if planted(Bug::ChecksStrangersFirst) {
                let check = Check::Proposal(proposal.vote(), from, proposal.signature);
                let _ = ctx.verify(Work::All(vec![check]));
            }
            ctx.report(from, Fault::NotLeader);
            return;
        }
        if let Err(why) = self.check_form(&proposal) {
            ctx.note(Note::Refused { view, why });
            ctx.report(from, Fault::Malformed);
            return;
        }
        if let (true, Some(entry)) = (planted(Bug::LockOnProposal), proposal.kind.entry()) {
            self.safety.adopt_qc(entry.qc());
        }
        let signature = Check::Proposal(proposal.vote(), from, proposal.signature);
        let mut certs: Vec<EntryCert> = proposal.kind.entry().into_iter().collect();
        if let ProposalKind::Fallback { parent_qc, .. } = &proposal.kind {
            certs.push(EntryCert::Qc(parent_qc.clone()));
        }
        if let Some(cc) = &proposal.ordered_cert {
            certs.push(EntryCert::Qc(cc.as_qc().clone()));
        }
        // One's own proposal needs no check of its own signature.
        let checks = if Some(from) == self.me { Vec::new() } else { vec![signature] };
        let message = Waiting::Proposal(proposal);
        if let Some(message) = self.checks.hold(&self.set, from, message, (checks, certs), ctx) {
            self.on_good(from, message, lanes, ctx);
        }
    }

    /// This replica's own proposal is signed and on its way.
    pub(crate) fn on_own_proposal(
        &mut self,
        proposal: Arc<Proposal>,
        lanes: &mut Lanes,
        ctx: &mut Context<'_>,
    ) {
        if let Some(me) = self.me {
            self.on_proposal(me, proposal, lanes, ctx);
        }
    }

    /// V3, and all of V5 that needs no other block.
    fn check_form(&self, proposal: &Proposal) -> Result<(), Refused> {
        let Some(block) = &proposal.block else { return check_justified(proposal, &self.set) };
        let header = &block.header;
        let fits = [
            ("chain", header.chain == *self.set.chain()),
            ("epoch", header.epoch == self.set.epoch()),
            ("epoch info", header.epoch_info_hash == self.set.info_hash()),
            ("view", header.orig_view == proposal.view),
            ("proposer", header.proposer == self.leaders.leader(proposal.view)),
            ("height", header.height <= self.set.info().last_height),
        ];
        if let Some((what, _)) = fits.into_iter().find(|(_, fits)| !fits) {
            return Err(Refused::Header { what });
        }
        block.validate()?;
        let lanes = block.body.tips.iter().map(|tip| tip.lane);
        let member = |lane: chorale_types::ids::LaneId| {
            lane.epoch == self.set.epoch() && self.set.get(lane.owner).is_some()
        };
        if !lanes.into_iter().all(member) {
            return Err(Refused::Header { what: "lane" });
        }
        check_justified(proposal, &self.set)
    }

    /// A proposal whose signatures are all good. What it carries is adopted and may enter its
    /// view; then it is voted for, or waits for what it names.
    pub(super) fn on_good_proposal(
        &mut self,
        from: ValidatorIndex,
        proposal: &Arc<Proposal>,
        lanes: &mut Lanes,
        ctx: &mut Context<'_>,
    ) {
        let (view, hash) = (proposal.view, proposal.block_hash());
        if let Some(entry) = proposal.kind.entry() {
            self.saw_entry(from, entry.view());
            self.on_good_entry(&entry, lanes, ctx);
        }
        if let ProposalKind::Fallback { parent_qc, .. } = &proposal.kind {
            self.on_qc(parent_qc, lanes, ctx);
        }
        if let Some(cc) = &proposal.ordered_cert {
            self.on_qc(cc.as_qc(), lanes, ctx);
        }
        let past = view < self.view && !planted(Bug::VotesInPastViews);
        if past || view.above(self.view) > VIEWS_AHEAD_MAX {
            return;
        }
        match self.proposed.get(&view) {
            Some(first) if *first != hash => return ctx.report(from, Fault::Equivocation),
            Some(_) => return,
            None => self.proposed.insert(view, hash),
        };
        if view == self.view || planted(Bug::VotesInPastViews) {
            self.proposal = Some(Arc::clone(proposal));
            if let Some(block) = &proposal.block {
                lanes.on_proposed(&block.body, ctx);
            }
            self.try_vote(lanes, ctx);
        }
    }

    /// Votes for the current proposal if everything it needs is here.
    pub(super) fn try_vote(&mut self, lanes: &mut Lanes, ctx: &mut Context<'_>) {
        let Some(proposal) = self.proposal.clone() else { return };
        match self.consider(&proposal, lanes, ctx) {
            Ok(Ready::Wait) => {}
            Ok(Ready::Yes(vote, block)) => {
                self.proposal = None;
                ctx.note(Note::Voted {
                    kind: VoteKind::Prepare,
                    view: vote.view,
                    block: vote.block,
                });
                self.safety.prepare(vote, block, self.ordered_height(), ctx);
            }
            Err(Refused::NotVoting) => self.proposal = None,
            Err(why) => {
                self.proposal = None;
                ctx.note(Note::Refused { view: proposal.view, why });
            }
        }
    }

    fn consider(
        &mut self,
        proposal: &Proposal,
        lanes: &mut Lanes,
        ctx: &mut Context<'_>,
    ) -> Result<Ready, Refused> {
        let held = self.hold_block(proposal, ctx)?;
        self.safety.check_prepare(proposal.view, self.view)?;
        let Some((hash, block)) = held else { return Ok(Ready::Wait) };
        let ready = match &proposal.block {
            Some(_) => self.check_fresh(proposal, &block, lanes, ctx)?,
            None => self.check_known_root(&block)?,
        };
        if !ready {
            return Ok(Ready::Wait);
        }
        let (epoch, view, height) = (proposal.epoch, proposal.view, block.header.height);
        Ok(Ready::Yes(Vote { epoch, view, height, block: hash }, block))
    }

    /// The proposed block, in the chain; `None` while it or its parent is asked for.
    fn hold_block(
        &mut self,
        proposal: &Proposal,
        ctx: &mut Context<'_>,
    ) -> Result<Option<(Digest, Arc<Block>)>, Refused> {
        let hash = proposal.block_hash();
        let leader = self.leaders.leader(proposal.view);
        let Some(block) = &proposal.block else {
            let block = self.chain.block(&hash).map(Arc::clone);
            if block.is_none() {
                let holders = match supporters(proposal, &hash) {
                    Some(signers) => self.some_of(&signers),
                    None => vec![leader],
                };
                self.want_block(hash, &holders, ctx);
            }
            return Ok(block.map(|block| (hash, block)));
        };
        let needed = self.needed_blocks();
        match self.chain.insert(hash, Arc::clone(block), &needed) {
            Ok(()) => Ok(Some((hash, Arc::clone(block)))),
            Err(NotTaken::NoParent) => {
                self.want_block(block.header.parent, &[leader], ctx);
                Ok(None)
            }
            Err(NotTaken::DoesNotFollow) => {
                Err(Refused::Header { what: "height, time or ordered height" })
            }
            Err(NotTaken::Frontier(error)) => Err(Refused::Frontier(error)),
        }
    }

    /// V5 for a fresh block on its parent. `false` while something is on its way.
    fn check_fresh(
        &self,
        proposal: &Proposal,
        block: &Block,
        lanes: &mut Lanes,
        ctx: &mut Context<'_>,
    ) -> Result<bool, Refused> {
        let header = &block.header;
        if !self.check_time(header.time, ctx)? {
            return Ok(false);
        }
        if !block.body.is_empty() && header.ordered_lag() > ORDERED_LAG_MAX {
            return Err(Refused::Ordered { what: "only an empty block may lag this far" });
        }
        let root_known = self.check_ordered_pair(proposal, block)?;
        let mut held = true;
        for tip in &block.body.tips {
            if !lanes.has_certificate(tip) {
                held = false;
                lanes.want_certificate(tip, header.proposer, ctx);
            }
        }
        Ok(held && root_known)
    }

    /// V5: a block's time may run a little ahead of this clock. One just above that is waited for:
    /// a leader must stay above its parent's time, which a faster clock may have set.
    fn check_time(&self, time: Timestamp, ctx: &mut Context<'_>) -> Result<bool, Refused> {
        let ahead = time.since(ctx.now.wall.saturating_add(BLOCK_TIME_AHEAD_MS_MAX));
        if ahead > self.set.params().view_timeout_ms {
            return Err(Refused::Time);
        }
        if ahead > 0 {
            let at = ctx.now.monotonic.after(Duration::from_millis(ahead));
            ctx.arm(Timer::Propose(self.set.epoch(), self.view), at);
        }
        Ok(ahead == 0)
    }

    /// V5: a new ordered pair is shown to be committed, and is this replica's own.
    fn check_ordered_pair(&self, proposal: &Proposal, block: &Block) -> Result<bool, Refused> {
        let header = &block.header;
        let pair = (header.ordered_height, header.ordered_root);
        let parent = self.chain.get(&header.parent).map(|place| place.ordered);
        if parent == Some(pair) {
            return Ok(true);
        }
        if parent.is_some_and(|(height, _)| height == header.ordered_height) {
            return Err(Refused::Ordered { what: "another root at the parent's height" });
        }
        let shown = proposal.ordered_cert.as_ref().map(|cc| cc.vote().height);
        if shown.is_none_or(|height| height < header.ordered_height) {
            return Err(Refused::Ordered { what: "no commit certificate for the ordered height" });
        }
        self.check_known_root(block)?;
        Ok(self.roots.contains_key(&header.ordered_height))
    }

    /// A replica that knows another root there refuses, a re-proposal too.
    fn check_known_root(&self, block: &Block) -> Result<bool, Refused> {
        let header = &block.header;
        match self.roots.get(&header.ordered_height) {
            Some(root) if *root != header.ordered_root => {
                Err(Refused::Ordered { what: "another root is known there" })
            }
            Some(_) | None => Ok(true),
        }
    }
}

/// Those who reported the re-proposed block as their tip, and so hold it.
fn supporters(proposal: &Proposal, hash: &Digest) -> Option<SignerSet> {
    let ProposalKind::Repropose { by: EntryCert::Tc(tc), .. } = &proposal.kind else {
        return None;
    };
    tc.reported_tips().get(hash).map(|(_, signers)| *signers)
}
