//! Checks signatures and stake against one epoch's set. The caller names the BLS backend.

use crate::batch::{Acknowledgement, Availability, BatchHeader};
use crate::certificate::{EntryCert, QuorumCert, TimeoutCert};
use crate::crypto::bitmap::SignerSet;
use crate::crypto::bls::{Bls, BlsSignature};
use crate::crypto::ed25519::Signature;
use crate::crypto::{KeyError, SignatureError};
use crate::ids::{Epoch, ValidatorIndex, View};
use crate::message::ProposalVote;
use crate::museum::{Bug, planted};
use crate::validators::ValidatorSet;
use crate::vote::{TimeoutVote, Vote, VoteKind};
use thiserror::Error;

/// Why something signed was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum VerifyError {
    /// Of another epoch than the set's.
    #[error("epoch {got}, the set is of {expected}")]
    WrongEpoch {
        /// The epoch found.
        got: Epoch,
        /// The set's epoch.
        expected: Epoch,
    },
    /// The bitmap is of a set of another size.
    #[error("signers of a set of {got}, the set has {expected}")]
    WrongSet {
        /// The size found.
        got: u16,
        /// The set's size.
        expected: u16,
    },
    /// The signers are no quorum.
    #[error("{got} stake, a quorum is {quorum}")]
    NoQuorum {
        /// The signers' stake.
        got: u64,
        /// What is needed.
        quorum: u64,
    },
    /// View 0 has one virtual certificate, and this is another.
    #[error("not the certificate that the epoch starts from")]
    WrongStart,
    /// A signer that is no member.
    #[error("validator {index} is not in the set")]
    NotAMember {
        /// The index named.
        index: ValidatorIndex,
    },
    /// The lane belongs to another epoch or owner.
    #[error("lane of another epoch or owner")]
    WrongLane,
    /// View numbers that no honest member signs.
    #[error("view {view} cannot carry this")]
    BadView {
        /// The view found.
        view: View,
    },
    /// A signature does not verify.
    #[error(transparent)]
    Signature(#[from] SignatureError),
}

/// A set with its keys decoded once.
#[derive(Clone, Debug)]
pub struct Verifier<B: Bls> {
    set: ValidatorSet,
    keys: Vec<B::Key>,
}

impl<B: Bls> Verifier<B> {
    /// Decodes and checks the keys of `set`.
    ///
    /// # Errors
    /// When a key is not one; genesis refuses such a set.
    pub fn new(set: ValidatorSet) -> Result<Self, KeyError> {
        let keys =
            set.info().validators.iter().map(|v| B::key(&v.bls)).collect::<Result<_, _>>()?;
        Ok(Self { set, keys })
    }

    /// The set.
    #[must_use]
    pub const fn set(&self) -> &ValidatorSet {
        &self.set
    }

    fn key(&self, index: ValidatorIndex) -> Result<&B::Key, VerifyError> {
        self.keys.get(index.as_usize()).ok_or(VerifyError::NotAMember { index })
    }

    fn keys_of(&self, signers: &SignerSet) -> Result<Vec<&B::Key>, VerifyError> {
        signers.iter().map(|index| self.key(index)).collect()
    }

    fn check_epoch(&self, got: Epoch) -> Result<(), VerifyError> {
        let expected = self.set.epoch();
        if got == expected { Ok(()) } else { Err(VerifyError::WrongEpoch { got, expected }) }
    }

    fn check_quorum(&self, signers: &SignerSet) -> Result<(), VerifyError> {
        let (got, expected) = (signers.members(), self.set.len());
        if got != expected && !planted(Bug::BitmapTooLong) {
            return Err(VerifyError::WrongSet { got, expected });
        }
        let (got, quorum) = (self.set.stake_of(signers), self.set.quorum());
        if got < quorum { Err(VerifyError::NoQuorum { got, quorum }) } else { Ok(()) }
    }

    /// Checks a certificate of votes.
    ///
    /// # Errors
    /// When it is not a quorum's of this epoch, or the signature is wrong.
    pub fn verify_qc(&self, qc: &QuorumCert) -> Result<(), VerifyError> {
        self.check_epoch(qc.vote.epoch)?;
        if qc.vote.view == View::ZERO {
            return if qc == self.set.start() { Ok(()) } else { Err(VerifyError::WrongStart) };
        }
        self.check_quorum(&qc.signers)?;
        let message = qc.vote.signing_bytes(qc.kind, self.set.chain());
        Ok(B::verify_same(&self.keys_of(&qc.signers)?, &message, &qc.signature)?)
    }

    /// Checks a certificate of timeouts, and the `QuorumCert` in it.
    ///
    /// # Errors
    /// When it is not a quorum's of this epoch, or a signature is wrong.
    pub fn verify_tc(&self, tc: &TimeoutCert) -> Result<(), VerifyError> {
        self.check_epoch(tc.epoch)?;
        let votes = tc.groups.iter().flat_map(|group| group.signers.iter());
        let votes = self.set.stake_of_indices(votes);
        if !planted(Bug::VotesNotSigners) || votes < self.set.quorum() {
            self.check_quorum(&tc.signers())?;
        }
        self.verify_qc(&tc.high_qc)?;
        let groups = tc
            .groups
            .iter()
            .map(|group| {
                let message = tc.vote_of(group).signing_bytes(self.set.chain());
                Ok((self.keys_of(&group.signers)?, message))
            })
            .collect::<Result<Vec<_>, VerifyError>>()?;
        Ok(B::verify_groups(&groups, &tc.signature)?)
    }

    /// Checks either.
    ///
    /// # Errors
    /// As the two it chooses from.
    pub fn verify_entry(&self, entry: &EntryCert) -> Result<(), VerifyError> {
        match entry {
            EntryCert::Qc(qc) => self.verify_qc(qc),
            EntryCert::Tc(tc) => self.verify_tc(tc),
        }
    }

    /// Checks one vote.
    ///
    /// # Errors
    /// When the signer is no member or did not sign this.
    pub fn verify_vote(
        &self,
        kind: VoteKind,
        vote: &Vote,
        signer: ValidatorIndex,
        signature: &BlsSignature,
    ) -> Result<(), VerifyError> {
        self.check_epoch(vote.epoch)?;
        let message = vote.signing_bytes(kind, self.set.chain());
        Ok(B::verify(self.key(signer)?, &message, signature)?)
    }

    /// Checks one timeout's signature; its certificates are checked by themselves.
    ///
    /// # Errors
    /// When the signer is no member or did not sign this.
    pub fn verify_timeout(
        &self,
        vote: &TimeoutVote,
        signer: ValidatorIndex,
        signature: &BlsSignature,
    ) -> Result<(), VerifyError> {
        self.check_epoch(vote.epoch)?;
        let message = vote.signing_bytes(self.set.chain());
        Ok(B::verify(self.key(signer)?, &message, signature)?)
    }

    /// Checks a leader's signature on its proposal.
    ///
    /// # Errors
    /// When the leader is no member or did not sign this.
    pub fn verify_proposal(
        &self,
        vote: &ProposalVote,
        leader: ValidatorIndex,
        signature: &Signature,
    ) -> Result<(), VerifyError> {
        self.check_epoch(vote.epoch)?;
        let member = self.set.get(leader).ok_or(VerifyError::NotAMember { index: leader })?;
        Ok(member.network.verify(&vote.signing_bytes(self.set.chain()), signature)?)
    }

    /// Checks a member's acknowledgement.
    ///
    /// # Errors
    /// When the signer is no member or did not sign this.
    pub fn verify_acknowledgement(
        &self,
        statement: &Acknowledgement,
        signer: ValidatorIndex,
        signature: &Signature,
    ) -> Result<(), VerifyError> {
        self.check_epoch(statement.lane.epoch)?;
        let member = self.set.get(signer).ok_or(VerifyError::NotAMember { index: signer })?;
        Ok(member.network.verify(&statement.signing_bytes(self.set.chain()), signature)?)
    }

    /// Checks the owner's signature on a batch header.
    ///
    /// # Errors
    /// When the lane is not a member's or its owner did not sign this.
    pub fn verify_batch(
        &self,
        header: &BatchHeader,
        signature: &Signature,
    ) -> Result<(), VerifyError> {
        self.verify_acknowledgement(&header.acknowledgement(), header.lane.owner, signature)
    }

    /// Checks an availability certificate.
    ///
    /// # Errors
    /// When it is not a quorum's of this epoch, or a signature is wrong.
    pub fn verify_availability(&self, cert: &Availability) -> Result<(), VerifyError> {
        self.check_quorum(&cert.signers)?;
        let message = cert.statement.signing_bytes(self.set.chain());
        self.check_epoch(cert.statement.lane.epoch)?;
        for (index, signature) in cert.signers.iter().zip(&cert.signatures) {
            let member = self.set.get(index).ok_or(VerifyError::NotAMember { index })?;
            member.network.verify(&message, signature)?;
        }
        Ok(())
    }
}
