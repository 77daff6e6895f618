//! Agreement: one chain of blocks out of proposals, votes and timeouts.
//!
//! The parts, each in its own file: [`safety`] says what may be signed, by the comparisons in
//! [`rules`]; [`justify`] what a leader may propose; [`leaders`] who leads; `pacemaker` how long a
//! view lasts; `tally` and `timeouts` make certificates; `chain` holds the blocks; `checks` holds
//! what waits for a signature check; `sync`, `catch_up` and `descent` fetch what is missing. The
//! view machine that joins them is spread by what it answers to: `views`, `votes`, `proposals`,
//! `proposer`.
//!
//! # Invariants
//! The view only rises, and only by a checked certificate. Every checked `QuorumCert` is adopted
//! before anything else is done with what brought it (A1).

mod catch_up;
mod chain;
mod checks;
mod descent;
pub mod justify;
pub mod leaders;
mod pacemaker;
mod proposals;
mod proposer;
pub mod rules;
pub mod safety;
mod sync;
mod tally;
mod timeouts;
mod views;
mod votes;

#[cfg(test)]
mod tests;

use crate::config::Config;
use crate::context::Context;
use crate::input::Timer;
use crate::job::{JobId, Verdict};
use crate::lanes::{LaneLost, Lanes};
use crate::record::{Recovered, VoteRecord};
use chain::{Chain, Place};
use checks::{Checks, ShareJob};
use chorale_types::block::Frontier;
use chorale_types::certificate::EntryCert;
use chorale_types::crypto::bitmap::SignerSet;
use chorale_types::crypto::bls::BlsSignature;
use chorale_types::crypto::hash::Digest;
use chorale_types::ids::{Height, ValidatorIndex, View};
use chorale_types::limits::{ORDERED_ROOTS_KEPT, VIEWS_BEHIND_MAX};
use chorale_types::message::Proposal;
use chorale_types::time::Instant;
use chorale_types::validators::ValidatorSet;
use chorale_types::vote::{Timeout, Vote};
use leaders::Leaders;
use pacemaker::Pacemaker;
use safety::Safety;
use std::collections::BTreeMap;
use std::sync::Arc;
use sync::Sync;
use tally::Tally;
use timeouts::Timeouts;

/// The agreement half of a replica.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Agreement {
    set: ValidatorSet,
    me: Option<ValidatorIndex>,
    leaders: Leaders,
    safety: Safety,
    pacemaker: Pacemaker,
    chain: Chain,
    tally: Tally,
    timeouts: Timeouts,
    checks: Checks,
    share_jobs: BTreeMap<JobId, ShareJob>,
    sync: Sync,
    view: View,
    entry: EntryCert,
    /// Who showed that it can enter the current view (N2).
    entry_seen: SignerSet,
    /// The first proposal of each view from the current one on, by hash (V1).
    proposed: BTreeMap<View, Digest>,
    /// The current view's proposal, until it is voted for or refused.
    proposal: Option<Arc<Proposal>>,
    own_prepare: Option<(Vote, BlsSignature)>,
    own_timeout: Option<Arc<Timeout>>,
    /// How far each member says it has ordered; one number a member.
    hints: BTreeMap<ValidatorIndex, Height>,
    /// Own ordered roots, the last [`ORDERED_ROOTS_KEPT`].
    roots: BTreeMap<Height, Digest>,
    /// When each member was last told how the current view is entered (N3).
    answered: BTreeMap<ValidatorIndex, Instant>,
    /// The earliest moment already asked for to propose in the current view.
    propose_at: Option<Instant>,
}

/// What a node can tell about its replica.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Status {
    /// The current view.
    pub view: View,
    /// Who leads it.
    pub leader: ValidatorIndex,
    /// When it was entered.
    pub entered: Instant,
    /// Whether this replica gave it up.
    pub timed_out: bool,
    /// Stake that gave it up, as far as known here.
    pub timeout_stake: u64,
    /// Whether a proposal for it arrived.
    pub proposal_seen: bool,
    /// The last final height.
    pub height: Height,
    /// The highest final height known to exist.
    pub target_height: Height,
    /// How far this node has ordered.
    pub ordered_height: Height,
    /// The view of the lock.
    pub high_qc_view: View,
    /// Whether this replica votes.
    pub voting: bool,
    /// The height of a `CommitCert` that contradicts what is final here: this replica signs nothing
    /// (R7).
    pub contradicted: Option<Height>,
    /// Why it gave its lane up in this run, if it did.
    pub lane_lost: Option<LaneLost>,
}

impl Agreement {
    /// Rebuilds from what was durable (R1 to R3).
    pub(crate) fn recover(config: &Config, recovered: &Recovered, ctx: &mut Context<'_>) -> Self {
        let set = config.set.clone();
        let record = recovered.vote.clone().unwrap_or_else(|| VoteRecord::new(set.start().clone()));
        let entry = highest_entry(&record);
        let view = entry.view().next();
        let mut roots: BTreeMap<Height, Digest> = recovered.ordered.iter().copied().collect();
        roots.entry(Height::ZERO).or_insert(config.genesis_root);
        let pacemaker = Pacemaker::new(set.params().view_timeout(), view, ctx.now.monotonic);
        let mut agreement = Self {
            leaders: Leaders::new(&set),
            safety: Safety::new(record, config.votes && config.me.is_some()),
            pacemaker,
            chain: chain_of(config, recovered),
            tally: Tally::default(),
            timeouts: Timeouts::default(),
            checks: Checks::default(),
            share_jobs: BTreeMap::new(),
            sync: Sync::new(config.me, set.len()),
            view,
            entry,
            entry_seen: set.no_signers(),
            proposed: BTreeMap::new(),
            proposal: None,
            own_prepare: None,
            own_timeout: None,
            hints: BTreeMap::new(),
            roots,
            answered: BTreeMap::new(),
            propose_at: None,
            me: config.me,
            set,
        };
        agreement.remember_record();
        agreement.arm_view(ctx);
        agreement
    }

    /// What is sent and asked for right after a restart.
    pub(crate) fn resume(&mut self, lanes: &mut Lanes, ctx: &mut Context<'_>) {
        self.safety.resend_after_restart(self.ordered_height(), ctx);
        if let Some(cc) = self.safety.record().high_cc.clone() {
            self.on_commit_cert(&Arc::new(cc), lanes, ctx);
        }
        self.arm_sync(ctx);
        self.try_propose(lanes, ctx);
    }

    /// Certificates in the own record were checked before they were written.
    fn remember_record(&mut self) {
        let record = self.safety.record().clone();
        self.checks.remember(EntryCert::Qc(record.high_qc).cache_key());
        if let Some(tc) = record.high_tc {
            self.checks.remember(EntryCert::Qc(tc.high_qc.clone()).cache_key());
            self.checks.remember(EntryCert::Tc(tc).cache_key());
        }
        if let Some(cc) = record.high_cc {
            self.checks.remember(EntryCert::Qc(cc.as_qc().clone()).cache_key());
        }
    }

    pub(crate) fn is_member(&self, index: ValidatorIndex) -> bool {
        self.set.get(index).is_some()
    }

    pub(crate) fn status(&self) -> Status {
        let (height, _) = self.chain.head();
        Status {
            view: self.view,
            leader: self.leaders.leader(self.view),
            entered: self.pacemaker.entered(),
            timed_out: self.safety.record().highest_timeout_view >= self.view,
            timeout_stake: self.timeouts.stake(&self.set, self.view),
            proposal_seen: self.proposed.contains_key(&self.view),
            height,
            target_height: self.sync.target_height().unwrap_or(height).max(height),
            ordered_height: self.ordered_height(),
            high_qc_view: self.safety.record().high_qc.view(),
            voting: self.safety.enabled(),
            contradicted: self.safety.record().contradiction.as_ref().map(|cc| cc.vote().height),
            lane_lost: None,
        }
    }

    /// See [`crate::Replica::without_counters`].
    #[cfg(test)]
    pub(crate) fn forget_counters(&mut self) {
        self.hints.clear();
        self.answered.clear();
        self.checks.forget_zeros();
    }

    #[cfg(test)]
    pub(crate) const fn vote_record(&self) -> &VoteRecord {
        self.safety.record()
    }

    /// Sizes of everything that peers can fill.
    pub(crate) fn sizes(&self) -> Vec<(&'static str, usize)> {
        vec![
            ("votes", self.tally.len()),
            ("timeouts", self.timeouts.len()),
            ("checks", self.checks.len()),
            ("candidate blocks", self.chain.uncommitted()),
            ("wanted blocks", self.sync.len()),
            ("blocks on the way down", self.sync.descent_len()),
            ("proposals", self.proposed.len()),
            ("ordered roots", self.roots.len()),
        ]
    }

    /// How far this node has ordered.
    pub(crate) fn ordered_height(&self) -> Height {
        self.roots.last_key_value().map_or(Height::ZERO, |(height, _)| *height)
    }

    /// The node has ordered further.
    pub(crate) fn on_ordered(
        &mut self,
        (height, root): (Height, Digest),
        lanes: &mut Lanes,
        ctx: &mut Context<'_>,
    ) {
        self.roots.insert(height, root);
        while self.roots.len() > ORDERED_ROOTS_KEPT {
            self.roots.pop_first();
        }
        self.try_vote(lanes, ctx);
        self.try_sync(lanes, ctx);
    }

    /// Something that a proposal or a leader may have waited for arrived.
    pub(crate) fn retry(&mut self, lanes: &mut Lanes, ctx: &mut Context<'_>) {
        self.try_vote(lanes, ctx);
        self.try_propose(lanes, ctx);
    }

    pub(crate) fn on_timer(&mut self, timer: Timer, lanes: &mut Lanes, ctx: &mut Context<'_>) {
        match timer {
            Timer::View(epoch, view) if (epoch, view) == (self.set.epoch(), self.view) => {
                self.on_view_timer(ctx);
            }
            Timer::Resend(epoch, view) if (epoch, view) == (self.set.epoch(), self.view) => {
                self.on_resend_timer(ctx);
            }
            Timer::Propose(epoch, view) if (epoch, view) == (self.set.epoch(), self.view) => {
                self.propose_at = None;
                self.retry(lanes, ctx);
            }
            Timer::Sync => self.on_sync_timer(lanes, ctx),
            Timer::View(..) | Timer::Resend(..) | Timer::Propose(..) => {}
            Timer::Cut | Timer::Lanes => {}
        }
    }

    /// Takes the answer to a check; `false` when it was asked for by someone else.
    pub(crate) fn on_checked(
        &mut self,
        job: JobId,
        verdict: &Verdict,
        lanes: &mut Lanes,
        ctx: &mut Context<'_>,
    ) -> bool {
        match (self.share_jobs.remove(&job), verdict) {
            (Some(ShareJob::Votes(view, kind)), Verdict::Shares { bad, aggregate }) => {
                let key = (view, kind, job);
                let answer = (bad.as_slice(), *aggregate);
                let made = self.tally.on_checked(&self.set, key, answer, ctx);
                self.watch_votes(view, kind);
                if let Some((qc, backup)) = made {
                    self.on_votes_complete(&qc, backup, lanes, ctx);
                }
                true
            }
            (Some(ShareJob::Timeouts(view)), Verdict::Shares { bad, aggregate }) => {
                let answer = (bad.as_slice(), *aggregate);
                let progress = self.timeouts.on_checked(&self.set, (view, job), answer, ctx);
                self.watch_timeouts(view);
                self.on_timeout_progress(view, progress, lanes, ctx);
                true
            }
            (Some(_), Verdict::All { .. }) => true,
            (None, Verdict::All { good }) => match self.checks.on_checked(job, *good, ctx) {
                Ok(Some((from, message))) => {
                    self.on_good(from, message, lanes, ctx);
                    true
                }
                Ok(None) => true,
                Err(()) => false,
            },
            (None, Verdict::Shares { .. }) => false,
        }
    }

    /// Remembers which tally a running job belongs to.
    fn watch_votes(&mut self, view: View, kind: chorale_types::vote::VoteKind) {
        if let Some(job) = self.tally.checking(view, kind) {
            self.share_jobs.insert(job, ShareJob::Votes(view, kind));
        }
    }

    fn watch_timeouts(&mut self, view: View) {
        if let Some(job) = self.timeouts.checking(view) {
            self.share_jobs.insert(job, ShareJob::Timeouts(view));
        }
    }

    /// Drops what views gone by leave behind.
    fn prune(&mut self) {
        let oldest = self.view.saturating_sub(VIEWS_BEHIND_MAX);
        self.tally.prune_below(oldest);
        self.timeouts.prune_below(self.view);
        self.proposed = self.proposed.split_off(&self.view);
        self.share_jobs.retain(|_, job| match job {
            ShareJob::Votes(view, _) => *view >= oldest,
            ShareJob::Timeouts(view) => *view >= self.view,
        });
    }

    /// Blocks that must not be dropped to make room for others.
    fn needed_blocks(&self) -> Vec<Digest> {
        let record = self.safety.record();
        let tip = record.tip.map(|tip| tip.block);
        [Some(record.high_qc.vote.block), tip].into_iter().flatten().collect()
    }
}

/// The certificate of the highest view in a record: how the view after it is entered (R1).
fn highest_entry(record: &VoteRecord) -> EntryCert {
    let qc = EntryCert::Qc(record.high_qc.clone());
    let cc = record.high_cc.as_ref().map(|cc| EntryCert::Qc(cc.as_qc().clone()));
    let tc = record.high_tc.as_ref().map(|tc| EntryCert::Tc(tc.clone()));
    [cc, tc]
        .into_iter()
        .flatten()
        .fold(qc, |highest, other| if other.view() > highest.view() { other } else { highest })
}

fn chain_of(config: &Config, recovered: &Recovered) -> Chain {
    let bytes_max = config.set.params().block_bytes_max;
    let (hash, place) = match recovered.committed.last() {
        None => {
            let place = Place {
                height: Height::ZERO,
                parent: Digest::ZERO,
                time: config.genesis_time,
                ordered: (Height::ZERO, config.genesis_root),
                frontier: Frontier::default(),
                block: None,
            };
            (config.set.start().vote.block, place)
        }
        Some(head) => {
            let header = &head.block.header;
            let place = Place {
                height: header.height,
                parent: header.parent,
                time: header.time,
                ordered: (header.ordered_height, header.ordered_root),
                frontier: recovered.frontier.clone(),
                block: Some(Arc::clone(&head.block)),
            };
            (head.hash, place)
        }
    };
    let mut chain = Chain::new(hash, place, bytes_max);
    let mut above: Vec<_> = recovered.uncommitted.iter().collect();
    above.sort_by_key(|block| block.header.height);
    for block in above {
        // One whose parent is not stored is asked for again when a certificate names it.
        let _ = chain.insert(block.hash(), Arc::clone(block), &[]);
    }
    chain
}
