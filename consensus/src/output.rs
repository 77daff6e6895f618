//! Everything a replica asks its host to do. The host does it in this order, and holds back what
//! names a record until that record is durable.

use crate::agreement::safety::Cleared;
use crate::input::{AskId, RequestToken, Ticket, Timer};
use crate::job::Job;
use crate::note::{Fault, Note};
use crate::record::{Record, RecordId};
use chorale_types::batch::{Acknowledgement, BatchId};
use chorale_types::block::CommittedBlock;
use chorale_types::certificate::{EntryCert, QuorumCert};
use chorale_types::codec::{Decode, DecodeError, Encode, Reader};
use chorale_types::crypto::bls::BlsSignature;
use chorale_types::ids::{Height, RollupId, ValidatorIndex, View};
use chorale_types::level::Level;
use chorale_types::message::{Message, Proposal, Request, Response, SignedHeader};
use chorale_types::time::Instant;
use chorale_types::vote::{Timeout, Tip, Vote, VoteKind};
use thiserror::Error;

/// Everything a replica asks its host to do.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
#[allow(clippy::large_enum_variant, reason = "a step makes few outputs, and each is used at once")]
pub enum Output {
    /// Make durable, then answer [`crate::Input::Durable`].
    Persist(RecordId, Record),
    /// Once the record is durable (at once without one): sign if it is to be signed, send, and
    /// hand a signed statement back as [`crate::Input::Own`]. Best effort.
    Send(Recipients, Statement, Option<RecordId>),
    /// Check off the step thread, then answer [`crate::Input::Checked`].
    Verify(Job),
    /// Answer [`crate::Input::Timer`] at this moment.
    Arm(Timer, Instant),
    /// What became of each transaction of a submit call.
    Admitted(Ticket, Vec<Admission>),
    /// A batch of this node's own lane reached a level.
    Level(BatchId, Level),
    /// A block is final. In height order, each once a run.
    Commit(CommittedBlock),
    /// Ask one member, then answer [`crate::Input::Response`].
    Ask(ValidatorIndex, AskId, Request),
    /// Answer a member's question.
    Respond(ValidatorIndex, RequestToken, Response),
    /// Answer a member's question from storage.
    Serve(ValidatorIndex, RequestToken, Request),
    /// A peer provably or probably misbehaved.
    Report(ValidatorIndex, Fault),
    /// What happened, as data.
    Note(Note),
}

/// Who is to get a message.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Recipients {
    /// Every other member. The sender's own statement comes back as an input.
    All,
    /// One member.
    One(ValidatorIndex),
}

/// What is sent. Votes, timeouts and proposals exist only as [`Cleared`] by the safety rules,
/// together with the record that must be durable first.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Statement {
    /// Nothing of this replica's own to sign in it.
    Message(Message),
    /// To be signed with the BLS key.
    Vote(Cleared<VoteStatement>),
    /// To be signed with the BLS key.
    Timeout(Cleared<TimeoutStatement>),
    /// To be signed with the network key. The signature in it is empty.
    Proposal(Cleared<Proposal>),
    /// To be signed with the network key; becomes a [`Message::Ack`].
    Acknowledge(Acknowledgement),
    /// The same acknowledgement, to be signed with the network key; becomes a
    /// [`Message::Rescue`].
    Rescue(SignedHeader),
}

/// A vote to be signed.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct VoteStatement {
    /// Which vote.
    pub kind: VoteKind,
    /// What for.
    pub vote: Vote,
    /// How far this replica has ordered, unsigned.
    pub ordered_height: Height,
}

/// A timeout to be signed.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct TimeoutStatement {
    /// The view given up.
    pub view: View,
    /// The highest `QuorumCert` held.
    pub high_qc: QuorumCert,
    /// The last prepared block.
    pub tip: Option<Tip>,
    /// How the view was entered.
    pub entry: EntryCert,
    /// The own prepare vote of the view, if cast and signed.
    pub prepare: Option<(Vote, BlsSignature)>,
}

impl Encode for TimeoutStatement {
    fn encode(&self, out: &mut Vec<u8>) {
        self.clone().signed(BlsSignature::from_bytes([0; 96])).encode(out);
    }
}

impl Decode for TimeoutStatement {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let Timeout { view, high_qc, tip, entry, prepare, signature: _ } = Timeout::decode(reader)?;
        Ok(Self { view, high_qc, tip, entry, prepare })
    }
}

impl TimeoutStatement {
    /// The message, once signed.
    #[must_use]
    pub fn signed(self, signature: BlsSignature) -> Timeout {
        let Self { view, high_qc, tip, entry, prepare } = self;
        Timeout { view, high_qc, tip, entry, prepare, signature }
    }
}

/// What became of a submitted transaction.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Admission {
    /// It waits for this node's next batches.
    Accepted,
    /// It waits already, or is in a batch of this node that is not ordered yet.
    AlreadyKnown,
    /// It was not taken.
    Refused(Refusal),
}

/// Why a transaction was not taken.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Error)]
pub enum Refusal {
    /// Nobody registered this rollup.
    #[error("rollup {rollup} is not registered")]
    UnknownRollup {
        /// The rollup named.
        rollup: RollupId,
    },
    /// No bytes.
    #[error("a transaction has at least one byte")]
    Empty,
    /// Too many bytes.
    #[error("{bytes} bytes, a transaction has at most {max}")]
    TooLarge {
        /// Its size.
        bytes: usize,
        /// The bound.
        max: usize,
    },
    /// The rollup's queue at this node is full; try again shortly, or at another node.
    #[error("the queue of rollup {rollup} is full")]
    QueueFull {
        /// The rollup.
        rollup: RollupId,
    },
    /// This node takes no transactions: it only follows, or its batch store is not the one it
    /// acknowledged with, or it saw what is final contradicted.
    #[error("this node owns no lane")]
    NoLane,
}
