//! Signature checks: asked for by the core, done elsewhere, answered as an input.

use chorale_types::batch::{Acknowledgement, Availability, Batch};
use chorale_types::certificate::EntryCert;
use chorale_types::crypto::bls::BlsSignature;
use chorale_types::crypto::ed25519::Signature;
use chorale_types::ids::ValidatorIndex;
use chorale_types::message::{ProposalVote, SignedHeader};
use chorale_types::vote::{TimeoutVote, Vote, VoteKind};
use std::sync::Arc;

/// Names a job within one run. Rising.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct JobId(pub u64);

/// Something to check.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Job {
    /// Its name.
    pub id: JobId,
    /// What to check.
    pub work: Work,
}

/// What to check.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Work {
    /// All of these; answered by [`Verdict::All`].
    All(Vec<Check>),
    /// Votes for one block; answered by [`Verdict::Shares`] with the aggregate of the good ones.
    Votes {
        /// Which vote.
        kind: VoteKind,
        /// What for.
        vote: Vote,
        /// Who signed what.
        shares: Vec<(ValidatorIndex, BlsSignature)>,
    },
    /// Timeouts of one view; answered by [`Verdict::Shares`] with the aggregate of the good ones.
    Timeouts {
        /// Who signed what.
        shares: Vec<(ValidatorIndex, TimeoutVote, BlsSignature)>,
    },
    /// Acknowledgements of one batch; answered by [`Verdict::Shares`] without an aggregate.
    Acks {
        /// What was acknowledged.
        statement: Acknowledgement,
        /// Who signed what.
        shares: Vec<(ValidatorIndex, Signature)>,
    },
}

/// One thing with a signature.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Check {
    /// A `QuorumCert`, `CommitCert` or `TimeoutCert`.
    Entry(Arc<EntryCert>),
    /// A leader's signature.
    Proposal(ProposalVote, ValidatorIndex, Signature),
    /// One vote.
    Vote(VoteKind, Vote, ValidatorIndex, BlsSignature),
    /// An owner's signature.
    Header(SignedHeader),
    /// The form of a batch, which takes hashing all of it, and its owner's signature.
    Batch(Arc<Batch>),
    /// An acknowledgement.
    Ack(Acknowledgement, ValidatorIndex, Signature),
    /// An availability certificate.
    Availability(Arc<Availability>),
}

/// What came of it.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Verdict {
    /// Whether every check passed.
    All {
        /// It did.
        good: bool,
    },
    /// Which shares are bad, and the aggregate of the others where they are BLS signatures and
    /// there are any.
    Shares {
        /// Signers of bad shares, in rising order.
        bad: Vec<ValidatorIndex>,
        /// The aggregate of the good ones.
        aggregate: Option<BlsSignature>,
    },
}
