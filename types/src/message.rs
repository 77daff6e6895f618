//! Everything validators say to each other.

use crate::batch::{Acknowledgement, Availability, Batch, BatchHeader, BatchId};
use crate::block::{Block, VERSION};
use crate::certificate::{CommitCert, EntryCert, QuorumCert, TimeoutCert};
use crate::codec::{Decode, DecodeError, Encode, Reader, encode_count, encode_list};
use crate::crypto::bls::BlsSignature;
use crate::crypto::ed25519::Signature;
use crate::crypto::hash::{Digest, Domain};
use crate::crypto::signing_bytes;
use crate::ids::{Epoch, Height, LaneId, LaneSeq, ValidatorIndex, View};
use crate::limits::{SYNC_BATCHES_MAX, SYNC_BLOCKS_MAX, SYNC_HEADERS_MAX};
use crate::vote::{Timeout, Vote, VoteKind};
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
            3 => Self::Repropose {
                by: EntryCert::decode(reader)?,
                block: Digest::decode(reader)?,
            },
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

/// A vote on its way.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct VoteMessage {
    /// Which vote.
    pub kind: VoteKind,
    /// What for.
    pub vote: Vote,
    /// The sender's signature.
    pub signature: BlsSignature,
    /// How far the sender has ordered: an unsigned hint for leaders.
    pub ordered_height: Height,
}
codec_struct!(VoteMessage { kind, vote, signature, ordered_height });

/// A member's acknowledgement of one batch.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct AckMessage {
    /// What is acknowledged.
    pub statement: Acknowledgement,
    /// By the sender.
    pub signature: Signature,
}
codec_struct!(AckMessage { statement, signature });

/// An acknowledgement sent to all because its batch is not ordered for too long: it carries the
/// owner-signed header, so that others can fetch and acknowledge without the owner.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct RescueMessage {
    /// The batch's header.
    pub header: BatchHeader,
    /// The owner's signature on it.
    pub owner_signature: Signature,
    /// The sender's acknowledgement.
    pub signature: Signature,
}
codec_struct!(RescueMessage { header, owner_signature, signature });

/// How far a member has acknowledged the receiver's lane, so that the owner sends from there.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct LaneStatus {
    /// The receiver's lane.
    pub lane: LaneId,
    /// The last sequence the sender acknowledged.
    pub acknowledged: LaneSeq,
    /// Its digest; zero when there is none.
    pub digest: Digest,
}
codec_struct!(LaneStatus { lane, acknowledged, digest });

/// A batch header with its owner's signature.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct SignedHeader {
    /// The header.
    pub header: BatchHeader,
    /// The owner's signature on it.
    pub signature: Signature,
}
codec_struct!(SignedHeader { header, signature });

/// Questions that a node which is behind asks.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Request {
    /// Committed blocks from this height on.
    Chain {
        /// The first height wanted.
        from: Height,
    },
    /// One block by its hash, committed or not.
    Block {
        /// The block.
        hash: Digest,
    },
    /// The headers of a lane from a batch down to, not including, a sequence.
    Headers {
        /// The batch to start from.
        tip: BatchId,
        /// The last sequence not wanted.
        above: LaneSeq,
    },
    /// Batches.
    Batches {
        /// Which.
        ids: Vec<BatchId>,
    },
    /// The availability certificate of one batch, or of a higher one in its lane.
    Availability {
        /// Which.
        id: BatchId,
    },
}

impl Encode for Request {
    fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Self::Chain { from } => {
                out.push(0);
                from.encode(out);
            }
            Self::Block { hash } => {
                out.push(1);
                hash.encode(out);
            }
            Self::Batches { ids } => {
                out.push(2);
                encode_list(ids.iter(), out);
            }
            Self::Availability { id } => {
                out.push(3);
                id.encode(out);
            }
            Self::Headers { tip, above } => {
                out.push(4);
                tip.encode(out);
                above.encode(out);
            }
        }
    }
}

impl Decode for Request {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(match u8::decode(reader)? {
            0 => Self::Chain { from: Height::decode(reader)? },
            1 => Self::Block { hash: Digest::decode(reader)? },
            2 => Self::Batches { ids: reader.list("batches asked for", SYNC_BATCHES_MAX)? },
            3 => Self::Availability { id: BatchId::decode(reader)? },
            4 => Self::Headers { tip: BatchId::decode(reader)?, above: LaneSeq::decode(reader)? },
            got => return Err(DecodeError::BadValue { what: "request", got: u64::from(got) }),
        })
    }
}

/// Answers. Every one may be empty: the asker tries another peer.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Response {
    /// Consecutive committed blocks from the height asked for, and a certificate of the last.
    Chain {
        /// The blocks by rising height.
        blocks: Vec<Arc<Block>>,
        /// The certificate; absent exactly when there are no blocks.
        cert: Option<CommitCert>,
    },
    /// The block, if held.
    Block {
        /// The block.
        block: Option<Arc<Block>>,
    },
    /// Those of the batches that are held and fit.
    Batches {
        /// The batches.
        batches: Vec<Arc<Batch>>,
    },
    /// The certificate, if held.
    Availability {
        /// The certificate.
        cert: Option<Availability>,
    },
    /// Headers with their owner's signatures, from the batch asked for downwards.
    Headers {
        /// The headers by falling sequence.
        headers: Vec<SignedHeader>,
    },
}

impl Encode for Response {
    fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Self::Chain { blocks, cert } => {
                out.push(0);
                encode_list(blocks.iter(), out);
                cert.encode(out);
            }
            Self::Block { block } => {
                out.push(1);
                block.encode(out);
            }
            Self::Batches { batches } => {
                out.push(2);
                encode_count(batches.len(), out);
                batches.iter().for_each(|batch| batch.encode(out));
            }
            Self::Availability { cert } => {
                out.push(3);
                cert.encode(out);
            }
            Self::Headers { headers } => {
                out.push(4);
                encode_list(headers.iter(), out);
            }
        }
    }
}

impl Decode for Response {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(match u8::decode(reader)? {
            0 => {
                let blocks: Vec<Arc<Block>> = reader.list("blocks", SYNC_BLOCKS_MAX)?;
                let cert: Option<CommitCert> = Option::decode(reader)?;
                if blocks.is_empty() != cert.is_none() {
                    return Err(DecodeError::NotCanonical { what: "a chain's certificate" });
                }
                Self::Chain { blocks, cert }
            }
            1 => Self::Block { block: Option::decode(reader)? },
            2 => Self::Batches { batches: reader.list("batches", SYNC_BATCHES_MAX)? },
            3 => Self::Availability { cert: Option::decode(reader)? },
            4 => Self::Headers { headers: reader.list("lane headers", SYNC_HEADERS_MAX)? },
            got => return Err(DecodeError::BadValue { what: "response", got: u64::from(got) }),
        })
    }
}

/// One message between validators.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Message {
    /// A leader proposes.
    Proposal(Arc<Proposal>),
    /// A member votes.
    Vote(VoteMessage),
    /// A member gives up a view.
    Timeout(Arc<Timeout>),
    /// How a view is entered, passed on.
    Entry(Arc<EntryCert>),
    /// That a block is final, passed on.
    Commit(Arc<CommitCert>),
    /// An owner's next batch.
    Batch(Arc<Batch>),
    /// A member stores a batch.
    Ack(AckMessage),
    /// A quorum stores a batch.
    Availability(Arc<Availability>),
    /// A batch is not ordered for too long.
    Rescue(RescueMessage),
    /// How far the sender follows the receiver's lane.
    LaneStatus(LaneStatus),
}

impl Message {
    const fn tag(&self) -> u8 {
        match self {
            Self::Proposal(_) => 0,
            Self::Vote(_) => 1,
            Self::Timeout(_) => 2,
            Self::Entry(_) => 3,
            Self::Commit(_) => 4,
            Self::Batch(_) => 5,
            Self::Ack(_) => 6,
            Self::Availability(_) => 7,
            Self::Rescue(_) => 8,
            Self::LaneStatus(_) => 9,
        }
    }
}

impl Encode for Message {
    fn encode(&self, out: &mut Vec<u8>) {
        out.push(VERSION);
        out.push(self.tag());
        match self {
            Self::Proposal(message) => message.encode(out),
            Self::Vote(message) => message.encode(out),
            Self::Timeout(message) => message.encode(out),
            Self::Entry(message) => message.encode(out),
            Self::Commit(message) => message.encode(out),
            Self::Batch(message) => message.encode(out),
            Self::Ack(message) => message.encode(out),
            Self::Availability(message) => message.encode(out),
            Self::Rescue(message) => message.encode(out),
            Self::LaneStatus(message) => message.encode(out),
        }
    }
}

impl Decode for Message {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        reader.version(VERSION)?;
        Ok(match u8::decode(reader)? {
            0 => Self::Proposal(Arc::decode(reader)?),
            1 => Self::Vote(VoteMessage::decode(reader)?),
            2 => Self::Timeout(Arc::decode(reader)?),
            3 => Self::Entry(Arc::decode(reader)?),
            4 => Self::Commit(Arc::decode(reader)?),
            5 => Self::Batch(Arc::decode(reader)?),
            6 => Self::Ack(AckMessage::decode(reader)?),
            7 => Self::Availability(Arc::decode(reader)?),
            8 => Self::Rescue(RescueMessage::decode(reader)?),
            9 => Self::LaneStatus(LaneStatus::decode(reader)?),
            got => return Err(DecodeError::BadValue { what: "message", got: u64::from(got) }),
        })
    }
}

/// A message with who sent it: decoded, bounded, from a member over its own channel. Signatures
/// inside are not checked yet.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Received<T> {
    /// The sender.
    pub from: ValidatorIndex,
    /// What it sent.
    pub message: T,
}
