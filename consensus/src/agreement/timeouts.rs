//! Timeouts into `TimeoutCert`s, and the amplification at stake A. (Rules T2 and T4.)
//!
//! # Invariants
//! One timeout per validator and view, the first; a bad signature shuts its sender out of the
//! view. The certificates inside were checked before a timeout gets here. Nothing counts before
//! its signature was checked.

use crate::context::Context;
use crate::job::{JobId, Work};
use crate::note::Fault;
use chorale_types::certificate::{QuorumCert, TimeoutCert, TimeoutGroup};
use chorale_types::crypto::bitmap::SignerSet;
use chorale_types::crypto::bls::BlsSignature;
use chorale_types::ids::{ValidatorIndex, View};
use chorale_types::validators::ValidatorSet;
use chorale_types::vote::{Timeout, Tip};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// What checked timeouts of a view amount to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Progress {
    /// Stake A gave up the view: so must this replica.
    OneHonest,
    /// A quorum did.
    Quorum(Box<TimeoutCert>),
}

#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
struct Slots {
    timeouts: BTreeMap<ValidatorIndex, Arc<Timeout>>,
    good: BTreeSet<ValidatorIndex>,
    shut_out: BTreeSet<ValidatorIndex>,
    checking: Option<(JobId, SignerSet)>,
    done: bool,
}

/// All timeouts held.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub(crate) struct Timeouts {
    views: BTreeMap<View, Slots>,
}

impl Timeouts {
    /// Timeouts held, for the bound on memory.
    pub(crate) fn len(&self) -> usize {
        self.views.values().map(|slots| slots.timeouts.len()).sum()
    }

    /// The check that runs for this view.
    pub(crate) fn checking(&self, view: View) -> Option<JobId> {
        self.views.get(&view)?.checking.as_ref().map(|(job, _)| *job)
    }

    /// Drops everything below `view`.
    pub(crate) fn prune_below(&mut self, view: View) {
        self.views = self.views.split_off(&view);
    }

    /// Stake known to have given up a view, checked or not, this replica included.
    pub(crate) fn stake(&self, set: &ValidatorSet, view: View) -> u64 {
        let members = self.views.get(&view).map(|slots| slots.timeouts.keys().copied());
        members.map_or(0, |members| set.stake_of_indices(members))
    }

    /// Whether this member's place in the view is taken: it costs no more checks. `Some(false)`
    /// when what it signed there was something else.
    pub(crate) fn taken(&self, from: ValidatorIndex, timeout: &Timeout) -> Option<bool> {
        let slots = self.views.get(&timeout.view)?;
        let shut_out = slots.shut_out.contains(&from).then_some(true);
        slots.timeouts.get(&from).map(|first| first.vote() == timeout.vote()).or(shut_out)
    }

    /// Counts a timeout; asks for a check when enough stake gave the view up.
    pub(crate) fn add(
        &mut self,
        set: &ValidatorSet,
        from: ValidatorIndex,
        timeout: Arc<Timeout>,
        ctx: &mut Context<'_>,
    ) {
        let slots = self.views.entry(timeout.view).or_default();
        if slots.done || slots.shut_out.contains(&from) {
            return;
        }
        match slots.timeouts.get(&from) {
            Some(first) if first.vote() != timeout.vote() => {
                ctx.report(from, Fault::Equivocation);
                return;
            }
            Some(_) => return,
            None => slots.timeouts.insert(from, timeout),
        };
        slots.try_check(set, ctx);
    }

    /// Takes the answer to a check.
    pub(crate) fn on_checked(
        &mut self,
        set: &ValidatorSet,
        (view, job): (View, JobId),
        (bad, aggregate): (&[ValidatorIndex], Option<BlsSignature>),
        ctx: &mut Context<'_>,
    ) -> Option<Progress> {
        let slots = self.views.get_mut(&view)?;
        let (_, asked) = slots.checking.take_if(|(running, _)| *running == job)?;
        for index in bad {
            slots.timeouts.remove(index);
            slots.shut_out.insert(*index);
            ctx.report(*index, Fault::BadSignature);
        }
        let good: Vec<ValidatorIndex> = asked.iter().filter(|i| !bad.contains(i)).collect();
        slots.good.extend(&good);
        let stake = set.stake_of_indices(good.iter().copied());
        if let Some(signature) = aggregate.filter(|_| stake >= set.quorum()) {
            slots.done = true;
            let cert = slots.certificate(set, view, &good, signature);
            return Some(Progress::Quorum(Box::new(cert)));
        }
        slots.try_check(set, ctx);
        let stake = set.stake_of_indices(slots.good.iter().copied());
        (stake >= set.one_honest()).then_some(Progress::OneHonest)
    }
}

impl Slots {
    /// Checks at stake A, and again everything at a quorum, so that a certificate holds exactly
    /// what was checked together.
    fn try_check(&mut self, set: &ValidatorSet, ctx: &mut Context<'_>) {
        if self.checking.is_some() || self.done {
            return;
        }
        let held = set.stake_of_indices(self.timeouts.keys().copied());
        let good = set.stake_of_indices(self.good.iter().copied());
        let wanted = held >= set.quorum() || (held >= set.one_honest() && good < set.one_honest());
        if !wanted {
            return;
        }
        let mut signers = set.no_signers();
        let mut shares = Vec::new();
        for (index, timeout) in &self.timeouts {
            signers.insert(*index);
            shares.push((*index, timeout.vote(), timeout.signature));
        }
        let job = ctx.verify(Work::Timeouts { shares });
        self.checking = Some((job, signers));
    }

    fn certificate(
        &self,
        set: &ValidatorSet,
        view: View,
        good: &[ValidatorIndex],
        signature: BlsSignature,
    ) -> TimeoutCert {
        let mut groups: BTreeMap<(View, Option<Tip>), SignerSet> = BTreeMap::new();
        let mut highest: Option<&QuorumCert> = None;
        for index in good {
            let timeout = &self.timeouts[index];
            let key = (timeout.high_qc.view(), timeout.tip);
            groups.entry(key).or_insert_with(|| set.no_signers()).insert(*index);
            if highest.is_none_or(|high| timeout.high_qc.view() > high.view()) {
                highest = Some(&timeout.high_qc);
            }
        }
        let groups = groups
            .into_iter()
            .map(|((high_qc_view, tip), signers)| TimeoutGroup { high_qc_view, tip, signers })
            .collect();
        let high_qc = highest.expect("a quorum is not empty").clone();
        TimeoutCert { epoch: set.epoch(), view, groups, signature, high_qc }
    }
}

#[cfg(test)]
mod tests;
