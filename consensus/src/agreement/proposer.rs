//! What a leader proposes, and when. (Rules P1 to P5.)

use super::Agreement;
use super::chain::Place;
use super::justify::supported_tips;
use super::rules;
use crate::context::Context;
use crate::input::Timer;
use crate::lanes::Lanes;
use crate::note::Note;
use chorale_types::block::{Block, Body, Header, VERSION};
use chorale_types::certificate::{CommitCert, EntryCert, QuorumCert, TimeoutCert};
use chorale_types::crypto::ed25519::Signature;
use chorale_types::crypto::hash::Digest;
use chorale_types::ids::{Height, View};
use chorale_types::limits::{ORDERED_LAG_COPY_MAX, ORDERED_LAG_MAX};
use chorale_types::message::{Proposal, ProposalKind};
use chorale_types::time::Instant;
use core::time::Duration;
use std::sync::Arc;

/// How far below its own ordered height a leader names one, so that others have it too.
const ORDERED_MARGIN: u64 = 2;

impl Agreement {
    /// Proposes in the current view if this replica leads it, holds the parent, and it is time.
    pub(super) fn try_propose(&mut self, lanes: &mut Lanes, ctx: &mut Context<'_>) {
        let leads = self.me == Some(self.leaders.leader(self.view));
        if !leads || !self.safety.may_propose(self.view) {
            return;
        }
        match self.entry.clone() {
            EntryCert::Qc(qc) if self.view == View::ZERO.next() => {
                let kind = ProposalKind::EpochStart { start: qc.clone() };
                self.propose_fresh(kind, &qc, lanes, ctx);
            }
            EntryCert::Qc(qc) => {
                let kind = ProposalKind::Normal { qc: qc.clone() };
                self.propose_fresh(kind, &qc, lanes, ctx);
            }
            EntryCert::Tc(tc) => self.propose_after_timeout(tc, lanes, ctx),
        }
    }

    /// P3: a supported tip goes first, at once and by hash, unless it is certified already.
    fn propose_after_timeout(&mut self, tc: TimeoutCert, lanes: &mut Lanes, ctx: &mut Context<'_>) {
        let high_qc = self.safety.record().high_qc.clone();
        let tips = supported_tips(&tc, &self.set);
        match tips.into_iter().max_by_key(|(hash, tip)| (tip.view, *hash)) {
            Some((block, tip)) if rules::proposes_again(high_qc.view(), tip.view) => {
                ctx.note(Note::Reproposed { view: self.view, block });
                let kind = ProposalKind::Repropose { by: EntryCert::Tc(tc), block };
                self.sign_proposal(kind, None, None, ctx);
            }
            _ => {
                let kind = ProposalKind::Fallback { tc, parent_qc: high_qc.clone() };
                self.propose_fresh(kind, &high_qc, lanes, ctx);
            }
        }
    }

    fn propose_fresh(
        &mut self,
        kind: ProposalKind,
        parent_qc: &QuorumCert,
        lanes: &mut Lanes,
        ctx: &mut Context<'_>,
    ) {
        let hash = parent_qc.vote.block;
        let Some(parent) = self.chain.get(&hash).cloned() else {
            let signers = self.some_of(&parent_qc.signers);
            self.want_block(hash, &signers, ctx);
            return;
        };
        let fallback = matches!(kind, ProposalKind::Fallback { .. });
        let (ordered, ordered_cert) = self.choose_ordered_pair(&parent, fallback);
        let height = parent.height.next();
        let params = *self.set.params();
        let tips = if height.above(ordered.0) > ORDERED_LAG_MAX {
            Vec::new()
        } else {
            lanes.certified_tips(&parent.frontier, height.get(), params.block_bytes_max)
        };
        let wait = match (fallback, tips.is_empty()) {
            (true, _) => 0,
            (false, false) => params.block_interval_min_ms,
            (false, true) => params.idle_block_interval_ms,
        };
        let at = self.pacemaker.entered().after(Duration::from_millis(wait));
        if ctx.now.monotonic < at {
            self.arm_propose(at, ctx);
            return;
        }
        ctx.note(Note::Proposed { view: self.view, height, tips: tips.len() });
        let block = self.make_block((hash, &parent), Body::new(tips), ordered, ctx);
        self.sign_proposal(kind, Some(Arc::new(block)), ordered_cert, ctx);
    }

    /// Asks for a moment to propose, unless an earlier one is asked for already.
    fn arm_propose(&mut self, at: Instant, ctx: &mut Context<'_>) {
        let asked = self.propose_at.filter(|asked| *asked > ctx.now.monotonic);
        if asked.is_none_or(|asked| at < asked) {
            self.propose_at = Some(at);
            ctx.arm(Timer::Propose(self.set.epoch(), self.view), at);
        }
    }

    fn make_block(
        &self,
        (parent_hash, parent): (Digest, &Place),
        body: Body,
        (ordered_height, ordered_root): (Height, Digest),
        ctx: &Context<'_>,
    ) -> Block {
        let header = Header {
            chain: *self.set.chain(),
            version: VERSION,
            epoch: self.set.epoch(),
            epoch_info_hash: self.set.info_hash(),
            height: parent.height.next(),
            orig_view: self.view,
            parent: parent_hash,
            body_root: body.root(),
            ordered_height,
            ordered_root,
            reveal: None,
            proposer: self.leaders.leader(self.view),
            time: ctx.now.wall.max(parent.time.saturating_add(1)),
        };
        Block { header, body }
    }

    /// P4: the height that a quorum of stake says it has ordered, two below the own, shown by a
    /// commit certificate; the parent's pair when that is no progress, or after a timeout while
    /// the lag is small.
    fn choose_ordered_pair(
        &self,
        parent: &Place,
        fallback: bool,
    ) -> ((Height, Digest), Option<CommitCert>) {
        let lag = parent.height.next().above(parent.ordered.0);
        let keep = (parent.ordered, None);
        if fallback && lag <= ORDERED_LAG_COPY_MAX {
            return keep;
        }
        let Some(cc) = self.safety.record().high_cc.clone() else { return keep };
        let height = self
            .ordered_height()
            .saturating_sub(ORDERED_MARGIN)
            .min(self.hinted_by_quorum())
            .min(cc.vote().height);
        match self.roots.get(&height) {
            Some(root) if height > parent.ordered.0 => ((height, *root), Some(cc)),
            Some(_) | None => keep,
        }
    }

    /// The highest height that members with a quorum of stake say they have ordered.
    fn hinted_by_quorum(&self) -> Height {
        let own = self.me.map(|me| (me, self.ordered_height()));
        let others = self.hints.iter().filter(|(index, _)| Some(**index) != self.me);
        let mut heights: Vec<(Height, u64)> = others
            .map(|(index, height)| (*index, *height))
            .chain(own)
            .map(|(index, height)| (height, self.set.stake(index)))
            .collect();
        heights.sort_unstable_by(|a, b| b.cmp(a));
        let mut stake = 0_u64;
        for (height, of) in heights {
            stake = stake.saturating_add(of);
            if stake >= self.set.quorum() {
                return height;
            }
        }
        Height::ZERO
    }

    fn sign_proposal(
        &mut self,
        kind: ProposalKind,
        block: Option<Arc<Block>>,
        ordered_cert: Option<CommitCert>,
        ctx: &mut Context<'_>,
    ) {
        let (epoch, view) = (self.set.epoch(), self.view);
        let signature = Signature::from_bytes([0; 64]);
        let proposal = Proposal { epoch, view, kind, block, ordered_cert, signature };
        self.safety.propose(proposal, ctx);
    }
}
