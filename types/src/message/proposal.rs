//! What leaders say.

use crate::block::Block;
use crate::certificate::{CommitCert, EntryCert, QuorumCert, TimeoutCert};
use crate::codec::{Decode, DecodeError, Encode, Reader};
use crate::crypto::ed25519::Signature;
use crate::crypto::hash::{Digest, Domain};
use crate::crypto::signing_bytes;
use crate::ids::{Epoch, View};
use std::sync::Arc;

/// What justifies a proposal, and with it which of the two classes it belongs to.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum ProposalKind {
    /// A fresh block on the block certified in the view before.
    Normal {
        /// The certificate of the view before.
        qc: QuorumCert,
    },
    /// A fresh block on a block not yet certified. Known to the format, not yet in force.
    Optimistic {
        /// The parent.
        parent: Digest,
    },
    /// A fresh block after the view before was given up.
    Fallback {
        /// That it was given up.
        tc: TimeoutCert,
        /// The parent's certificate.
        parent_qc: QuorumCert,
    },
    /// A block that was proposed before, by its hash.
    Repropose {
        /// Why it may be proposed again.
        by: EntryCert,
        /// The block.
        block: Digest,
    },
    /// The first block of an epoch, on the last of the one before.
    EpochStart {
        /// The certificate of the block the epoch starts from.
        start: QuorumCert,
    },
}

/// The two classes: a leader signs at most one proposal of each in a view.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum ProposalClass {
    /// Before the parent is certified.
    Optimistic,
    /// With a certificate.
    Justified,
}

impl ProposalKind {
    /// The class.
    #[must_use]
    pub const fn class(&self) -> ProposalClass {
        match self {
            Self::Optimistic { .. } => ProposalClass::Optimistic,
            Self::Normal { .. }
            | Self::Fallback { .. }
            | Self::Repropose { .. }
            | Self::EpochStart { .. } => ProposalClass::Justified,
        }
    }

    /// How a replica enters the proposal's view by it, if it carries that.
    #[must_use]
    pub fn entry(&self) -> Option<EntryCert> {
        match self {
            Self::Normal { qc } => Some(EntryCert::Qc(qc.clone())),
            Self::Fallback { tc, .. } => Some(EntryCert::Tc(tc.clone())),
            Self::Repropose { by, .. } => Some(by.clone()),
            Self::EpochStart { start } => Some(EntryCert::Qc(start.clone())),
            Self::Optimistic { .. } => None,
        }
    }

    const fn tag(&self) -> u8 {
        match self {
            Self::Normal { .. } => 0,
            Self::Optimistic { .. } => 1,
            Self::Fallback { .. } => 2,
            Self::Repropose { .. } => 3,
            Self::EpochStart { .. } => 4,
        }
    }
}

impl Encode for ProposalKind {
    fn encode(&self, out: &mut Vec<u8>) {
        out.push(self.tag());
        match self {
            Self::Normal { qc } => qc.encode(out),
            Self::Optimistic { parent } => parent.encode(out),
            Self::Fallback { tc, parent_qc } => {
                tc.encode(out);
                parent_qc.encode(out);
            }
            Self::Repropose { by, block } => {
                by.encode(out);
                block.encode(out);
            }
            Self::EpochStart { start } => start.encode(out),
        }
    }
}

impl Decode for ProposalKind {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(match u8::decode(reader)? {
            0 => Self::Normal { qc: QuorumCert::decode(reader)? },
            1 => Self::Optimistic { parent: Digest::decode(reader)? },
            2 => Self::Fallback {
                tc: TimeoutCert::decode(reader)?,
                parent_qc: QuorumCert::decode(reader)?,
            },
            3 => Self::Repropose { by: EntryCert::decode(reader)?, block: Digest::decode(reader)? },
            4 => Self::EpochStart { start: QuorumCert::decode(reader)? },
            got => {
                return Err(DecodeError::BadValue { what: "proposal kind", got: u64::from(got) });
            }
        })
    }
}

/// What a leader signs.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ProposalVote {
    /// The epoch.
    pub epoch: Epoch,
    /// The view.
    pub view: View,
    /// The class.
    pub class: ProposalClass,
    /// The block.
    pub block: Digest,
}

impl Encode for ProposalVote {
    fn encode(&self, out: &mut Vec<u8>) {
        self.epoch.encode(out);
        self.view.encode(out);
        out.push(match self.class {
            ProposalClass::Optimistic => 0,
            ProposalClass::Justified => 1,
        });
        self.block.encode(out);
    }
}

impl ProposalVote {
    /// The bytes that are signed (ed25519).
    #[must_use]
    pub fn signing_bytes(&self, chain: &Digest) -> Vec<u8> {
        signing_bytes(Domain::Proposal, chain, &self.to_bytes())
    }
}

/// A leader's proposal.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Proposal {
    /// The epoch.
    pub epoch: Epoch,
    /// The view.
    pub view: View,
    /// What justifies it.
    pub kind: ProposalKind,
    /// The block; absent exactly in a re-proposal.
    pub block: Option<Arc<Block>>,
    /// A commit certificate at or above the block's ordered height, when the block names a new
    /// ordered pair.
    pub ordered_cert: Option<CommitCert>,
    /// The leader's signature over [`ProposalVote`].
    pub signature: Signature,
}

impl Proposal {
    /// The block's hash.
    #[must_use]
    pub fn block_hash(&self) -> Digest {
        match (&self.block, &self.kind) {
            (Some(block), _) => block.hash(),
            (None, ProposalKind::Repropose { block, .. }) => *block,
            (None, _) => Digest::ZERO,
        }
    }

    /// What the leader signs.
    #[must_use]
    pub fn vote(&self) -> ProposalVote {
        ProposalVote {
            epoch: self.epoch,
            view: self.view,
            class: self.kind.class(),
            block: self.block_hash(),
        }
    }
}

impl Encode for Proposal {
    fn encode(&self, out: &mut Vec<u8>) {
        self.epoch.encode(out);
        self.view.encode(out);
        self.kind.encode(out);
        self.block.encode(out);
        self.ordered_cert.encode(out);
        self.signature.encode(out);
    }
}

impl Decode for Proposal {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let proposal = Self {
            epoch: Epoch::decode(reader)?,
            view: View::decode(reader)?,
            kind: ProposalKind::decode(reader)?,
            block: Option::decode(reader)?,
            ordered_cert: Option::decode(reader)?,
            signature: Signature::decode(reader)?,
        };
        let by_hash = matches!(proposal.kind, ProposalKind::Repropose { .. });
        if by_hash == proposal.block.is_some() {
            return Err(DecodeError::NotCanonical { what: "a proposal's block" });
        }
        Ok(proposal)
    }
}
