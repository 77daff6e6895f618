//! Everything validators say to each other.

mod exchange;
mod proposal;

pub use exchange::{Request, Response, SignedHeader};
pub use proposal::{Proposal, ProposalClass, ProposalKind, ProposalVote};

use crate::batch::{Acknowledgement, Availability, Batch, BatchHeader};
use crate::block::VERSION;
use crate::certificate::{CommitCert, EntryCert};
use crate::codec::{Decode, DecodeError, Encode, Reader};
use crate::crypto::bls::BlsSignature;
use crate::crypto::ed25519::Signature;
use crate::crypto::hash::Digest;
use crate::ids::{Height, LaneId, LaneSeq, ValidatorIndex};
use crate::vote::{Timeout, Vote, VoteKind};
use std::sync::Arc;

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
