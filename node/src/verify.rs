//! Answers a replica's questions about signatures. What is asked as one is checked as one; when
//! that fails, it is halved until every bad share is found.
//!
//! # Invariants
//! - A share is called bad only when it failed by itself, or when its owner's key and others'
//!   cancel each other, which only those owners together can arrange.
//! - The aggregate in an answer is the very one that was checked, over exactly the shares that
//!   are not called bad.

use chorale_consensus::job::{Check, Verdict, Work};
use chorale_types::crypto::KeyError;
use chorale_types::crypto::bls::{Bls, BlsSignature};
use chorale_types::crypto::fast::{Fast, Key};
use chorale_types::ids::{Epoch, ValidatorIndex};
use chorale_types::validators::ValidatorSet;
use chorale_types::verify::{Verifier, VerifyError};
use std::collections::BTreeSet;

/// A set with its keys decoded, for single checks and for sums of shares.
#[derive(Clone, Debug)]
pub struct Judge {
    verifier: Verifier<Fast>,
    keys: Vec<Key>,
}

/// One signer's signature on a message.
#[derive(Clone, Debug)]
struct Share {
    signer: ValidatorIndex,
    message: Vec<u8>,
    signature: BlsSignature,
}

impl Judge {
    /// Decodes and checks the keys of a set.
    ///
    /// # Errors
    /// When a key is not one; genesis refuses such a set.
    pub fn new(set: &ValidatorSet) -> Result<Self, KeyError> {
        let members = &set.info().validators;
        let keys = members.iter().map(|v| Fast::key(&v.bls)).collect::<Result<_, _>>()?;
        Ok(Self { verifier: Verifier::new(set.clone())?, keys })
    }

    /// Does a piece of work.
    #[must_use]
    pub fn judge(&self, work: &Work) -> Verdict {
        let chain = self.verifier.set().chain();
        match work {
            Work::All(checks) => {
                Verdict::All { good: checks.iter().all(|check| self.is_good(check)) }
            }
            Work::Votes { kind, vote, shares } => {
                let message = vote.signing_bytes(*kind, chain);
                self.sift(vote.epoch, shares, |(signer, signature)| Share {
                    signer: *signer,
                    message: message.clone(),
                    signature: *signature,
                })
            }
            Work::Timeouts { shares } => {
                let epoch = shares.first().map_or(Epoch::ZERO, |(_, vote, _)| vote.epoch);
                self.sift(epoch, shares, |(signer, vote, signature)| Share {
                    signer: *signer,
                    message: vote.signing_bytes(chain),
                    signature: *signature,
                })
            }
            Work::Acks { statement, shares } => {
                let is_bad = |(signer, signature): &&(ValidatorIndex, _)| {
                    let checked =
                        self.verifier.verify_acknowledgement(statement, *signer, signature);
                    checked.is_err()
                };
                let bad: BTreeSet<_> = shares.iter().filter(is_bad).map(|(who, _)| *who).collect();
                Verdict::Shares { bad: bad.into_iter().collect(), aggregate: None }
            }
        }
    }

    fn is_good(&self, check: &Check) -> bool {
        let hollow = matches!(check, Check::Batch(batch) if batch.validate().is_err());
        !hollow && self.verify(check).is_ok()
    }

    fn verify(&self, check: &Check) -> Result<(), VerifyError> {
        let verifier = &self.verifier;
        match check {
            Check::Entry(entry) => verifier.verify_entry(entry),
            Check::Proposal(vote, leader, signature) => {
                verifier.verify_proposal(vote, *leader, signature)
            }
            Check::Vote(kind, vote, signer, signature) => {
                verifier.verify_vote(*kind, vote, *signer, signature)
            }
            Check::Header(signed) => verifier.verify_batch(&signed.header, &signed.signature),
            Check::Batch(batch) => verifier.verify_batch(&batch.header, &batch.owner_signature),
            Check::Ack(statement, signer, signature) => {
                verifier.verify_acknowledgement(statement, *signer, signature)
            }
            Check::Availability(cert) => verifier.verify_availability(cert),
        }
    }

    /// Parts shares into bad ones and the aggregate of the others.
    fn sift<T>(&self, epoch: Epoch, shares: &[T], share: impl Fn(&T) -> Share) -> Verdict {
        let mut good: Vec<Share> = shares.iter().map(share).collect();
        good.sort_by_key(|share| share.signer);
        let mut bad = BTreeSet::new();
        if epoch != self.verifier.set().epoch() {
            bad.extend(good.drain(..).map(|share| share.signer));
        }
        let aggregate = loop {
            if good.is_empty() {
                break None;
            }
            if let Some(aggregate) = self.sum(&good) {
                break Some(aggregate);
            }
            let mut found = self.find_bad(&good);
            if found.is_empty() {
                // Each is good alone and the sum is not: keys were made to cancel. One of their
                // owners goes, so that they cannot veto the rest.
                found.insert(self.find_cancelling(&good));
            }
            good.retain(|share| !found.contains(&share.signer));
            bad.extend(found);
        };
        Verdict::Shares { bad: bad.into_iter().collect(), aggregate }
    }

    /// The aggregate of these, if it is valid.
    fn sum(&self, shares: &[Share]) -> Option<BlsSignature> {
        let signatures: Vec<BlsSignature> = shares.iter().map(|share| share.signature).collect();
        let aggregate = Fast::aggregate(&signatures).ok()?;
        let group = |share: &Share| {
            Some((vec![self.keys.get(share.signer.as_usize())?], share.message.clone()))
        };
        let groups = shares.iter().map(group).collect::<Option<Vec<_>>>()?;
        Fast::verify_groups(&groups, &aggregate).ok()?;
        Some(aggregate)
    }

    /// The signers whose share fails alone, by halving what fails.
    fn find_bad(&self, shares: &[Share]) -> BTreeSet<ValidatorIndex> {
        let (mut bad, mut open) = (BTreeSet::new(), vec![shares]);
        while let Some(part) = open.pop() {
            if self.sum(part).is_some() {
                continue;
            }
            match part {
                [] => {}
                [alone] => {
                    bad.insert(alone.signer);
                }
                _ => {
                    let (left, right) = part.split_at(part.len() / 2);
                    open.extend([left, right]);
                }
            }
        }
        bad
    }

    /// The highest signer of a message whose signers' keys cancel; of all when no message is such.
    fn find_cancelling(&self, shares: &[Share]) -> ValidatorIndex {
        let messages: BTreeSet<&Vec<u8>> = shares.iter().map(|share| &share.message).collect();
        let of = |message: &Vec<u8>| -> Vec<Share> {
            shares.iter().filter(|share| share.message == *message).cloned().collect()
        };
        let cancelling = messages.into_iter().map(of).find(|group| self.sum(group).is_none());
        let group = cancelling.as_deref().unwrap_or(shares);
        group.iter().map(|share| share.signer).max().expect("a sum of nobody is not asked for")
    }
}

#[cfg(test)]
mod tests;
