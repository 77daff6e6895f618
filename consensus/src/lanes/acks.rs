//! Gathers acknowledgements of one batch into an availability certificate.
//!
//! There is one slot for each validator and the first signature in it stays, so that nobody can
//! replace or withdraw what was given. Signatures are checked only when they could make a quorum,
//! all at once; a bad one is evicted and its sender's slot is closed for this batch, so a sender
//! of garbage delays a certificate by one check and no more.
//!
//! # Invariants
//! A certificate holds only signatures that were checked, of a quorum of stake.

use chorale_types::batch::{Acknowledgement, Availability};
use chorale_types::crypto::ed25519::Signature;
use chorale_types::ids::ValidatorIndex;
use chorale_types::validators::ValidatorSet;
use std::collections::BTreeMap;

/// What one validator gave.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum Slot {
    /// Not checked yet.
    Waiting(Signature),
    /// In the check under way.
    Checking(Signature),
    /// Verified.
    Good(Signature),
    /// Was bad; nothing more is taken from this validator.
    Closed,
}

/// What a tally needs next.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) enum Next {
    /// More acknowledgements, or the answer to a check.
    Wait,
    /// A check of these.
    Check(Vec<(ValidatorIndex, Signature)>),
    /// Nothing: here is the certificate.
    Done(Availability),
}

/// The acknowledgements of one batch. At most one slot for each validator.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) struct Tally {
    statement: Acknowledgement,
    slots: BTreeMap<ValidatorIndex, Slot>,
}

impl Tally {
    pub(super) const fn new(statement: Acknowledgement) -> Self {
        Self { statement, slots: BTreeMap::new() }
    }

    /// What is acknowledged.
    pub(super) const fn statement(&self) -> &Acknowledgement {
        &self.statement
    }

    /// Takes a signature that is not checked yet, if it is the first of this validator.
    pub(super) fn offer(&mut self, from: ValidatorIndex, signature: Signature) {
        self.slots.entry(from).or_insert(Slot::Waiting(signature));
    }

    /// Takes a signature that was checked, or is this replica's own.
    pub(super) fn accept(&mut self, from: ValidatorIndex, signature: Signature) {
        self.slots.insert(from, Slot::Good(signature));
    }

    /// Settles the check under way: those in `bad` are closed, the others are good.
    pub(super) fn settle(&mut self, bad: &[ValidatorIndex]) {
        for (signer, slot) in &mut self.slots {
            if let Slot::Checking(signature) = *slot {
                *slot = if bad.contains(signer) { Slot::Closed } else { Slot::Good(signature) };
            }
        }
    }

    /// What to do now.
    pub(super) fn next(&mut self, set: &ValidatorSet) -> Next {
        let stake = |slots: &BTreeMap<ValidatorIndex, Slot>, wanted: fn(&Slot) -> bool| {
            let members = slots.iter().filter(|(_, slot)| wanted(slot)).map(|(index, _)| *index);
            set.stake_of_indices(members)
        };
        if stake(&self.slots, |slot| matches!(slot, Slot::Good(_))) >= set.quorum() {
            return Next::Done(self.certificate(set));
        }
        let checking = self.slots.values().any(|slot| matches!(slot, Slot::Checking(_)));
        let open = stake(&self.slots, |slot| matches!(slot, Slot::Good(_) | Slot::Waiting(_)));
        if checking || open < set.quorum() {
            return Next::Wait;
        }
        let mut shares = Vec::new();
        for (signer, slot) in &mut self.slots {
            if let Slot::Waiting(signature) = *slot {
                *slot = Slot::Checking(signature);
                shares.push((*signer, signature));
            }
        }
        Next::Check(shares)
    }

    fn certificate(&self, set: &ValidatorSet) -> Availability {
        let (mut signers, mut signatures) = (set.no_signers(), Vec::new());
        for (signer, slot) in &self.slots {
            if let Slot::Good(signature) = slot
                && signers.insert(*signer)
            {
                signatures.push(*signature);
            }
        }
        Availability { statement: self.statement, signers, signatures }
    }
}
