//! Votes into certificates, lazily: one slot per validator, view and kind; signatures are checked
//! together once a quorum of stake has voted for one block.
//!
//! # Invariants
//! The first vote of a validator in a slot stays, unless its signature turns out bad: then its
//! sender is shut out of that slot for good, so it can cost one check and never the quorum.
//! Views held are bounded by the caller's window.

use crate::context::Context;
use crate::job::{JobId, Work};
use crate::note::Fault;
use chorale_types::certificate::QuorumCert;
use chorale_types::crypto::bitmap::SignerSet;
use chorale_types::crypto::bls::BlsSignature;
use chorale_types::ids::{ValidatorIndex, View};
use chorale_types::museum::{Bug, planted};
use chorale_types::validators::ValidatorSet;
use chorale_types::vote::{Vote, VoteKind};
use std::collections::{BTreeMap, BTreeSet};

/// One kind of vote in one view.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
struct Slots {
    votes: BTreeMap<ValidatorIndex, (Vote, BlsSignature)>,
    shut_out: BTreeSet<ValidatorIndex>,
    /// What is being checked now, and whose votes.
    checking: Option<(JobId, Vote, SignerSet)>,
    /// A certificate was made; nothing more is needed.
    done: bool,
    /// Some of the votes came inside timeouts.
    from_timeouts: bool,
}

/// All votes held.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub(crate) struct Tally {
    slots: BTreeMap<(View, VoteKind), Slots>,
}

impl Tally {
    /// Votes held, for the bound on memory.
    pub(crate) fn len(&self) -> usize {
        self.slots.values().map(|slots| slots.votes.len()).sum()
    }

    /// The check that runs for these votes.
    pub(crate) fn checking(&self, view: View, kind: VoteKind) -> Option<JobId> {
        self.slots.get(&(view, kind))?.checking.as_ref().map(|(job, _, _)| *job)
    }

    /// Drops everything below `view`.
    pub(crate) fn prune_below(&mut self, view: View) {
        self.slots = self.slots.split_off(&(view, VoteKind::Prepare));
    }

    /// Counts a vote; asks for a check when its block has a quorum of stake.
    pub(crate) fn add(
        &mut self,
        set: &ValidatorSet,
        from: ValidatorIndex,
        (kind, vote, signature): (VoteKind, Vote, BlsSignature),
        in_timeout: bool,
        ctx: &mut Context<'_>,
    ) {
        let slots = self.slots.entry((vote.view, kind)).or_default();
        if slots.done || slots.shut_out.contains(&from) {
            return;
        }
        match slots.votes.get(&from) {
            Some((first, _)) if *first != vote => {
                ctx.report(from, Fault::Equivocation);
                return;
            }
            Some(_) => {
                if planted(Bug::DuplicateVetoes) {
                    slots.done = true;
                }
                return;
            }
            None => slots.votes.insert(from, (vote, signature)),
        };
        slots.from_timeouts |= in_timeout;
        slots.try_check(set, kind, vote, ctx);
    }

    /// Takes the answer to a check. A certificate when the good votes are a quorum, and whether
    /// votes from timeouts helped to make it.
    pub(crate) fn on_checked(
        &mut self,
        set: &ValidatorSet,
        (view, kind, job): (View, VoteKind, JobId),
        (bad, aggregate): (&[ValidatorIndex], Option<BlsSignature>),
        ctx: &mut Context<'_>,
    ) -> Option<(QuorumCert, bool)> {
        let slots = self.slots.get_mut(&(view, kind))?;
        let (_, vote, asked) = slots.checking.take_if(|(running, _, _)| *running == job)?;
        if planted(Bug::BadShareVetoes) && !bad.is_empty() {
            return None;
        }
        for index in bad {
            slots.votes.remove(index);
            slots.shut_out.insert(*index);
            ctx.report(*index, Fault::BadSignature);
        }
        let mut signers = set.no_signers();
        for index in asked.iter().filter(|index| !bad.contains(index)) {
            signers.insert(index);
        }
        match aggregate.filter(|_| set.stake_of(&signers) >= set.quorum()) {
            Some(signature) => {
                slots.done = true;
                Some((QuorumCert { kind, vote, signers, signature }, slots.from_timeouts))
            }
            None => {
                slots.try_check(set, kind, vote, ctx);
                None
            }
        }
    }
}

impl Slots {
    /// Asks for a check of the votes for one block when they are a quorum of stake.
    fn try_check(&mut self, set: &ValidatorSet, kind: VoteKind, vote: Vote, ctx: &mut Context<'_>) {
        if self.checking.is_some() {
            return;
        }
        let mut signers = set.no_signers();
        let mut shares = Vec::new();
        for (index, (their, signature)) in &self.votes {
            if *their == vote {
                signers.insert(*index);
                shares.push((*index, *signature));
            }
        }
        if set.stake_of(&signers) >= set.quorum() {
            let job = ctx.verify(Work::Votes { kind, vote, shares });
            self.checking = Some((job, vote, signers));
        }
    }
}

#[cfg(test)]
mod tests;
