//! Everything that can happen to a replica.

use crate::job::{JobId, Verdict};
use crate::record::RecordId;
use chorale_types::crypto::hash::Digest;
use chorale_types::ids::{Epoch, Height, RollupId, ValidatorIndex, View};
use chorale_types::message::{Message, Received, Request, Response};
use chorale_types::transaction::TransactionId;
use std::sync::Arc;

/// Everything that can happen to a replica.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Input {
    /// This node's own users hand in transactions.
    Submit(Ticket, Vec<HashedTransaction>),
    /// A member's message: decoded, bounded, over its own channel. Signatures not yet checked.
    Message(Received<Message>),
    /// This replica's own statement, signed by its host after its record became durable, and on
    /// its way to its recipients. For a batch: signed and durable, not yet sent.
    Own(Message),
    /// The answer to an earlier [`crate::Output::Verify`].
    Checked(JobId, Verdict),
    /// The answer to an earlier [`crate::Output::Persist`].
    Durable(RecordId),
    /// The node has ordered everything up to this height; the root of the ordering state there.
    /// In rising order, one for each height; also after a restart.
    Ordered {
        /// The height.
        height: Height,
        /// The root there.
        root: Digest,
    },
    /// A timer that an earlier [`crate::Output::Arm`] asked for.
    Timer(Timer),
    /// A stream to this member opened: it may have missed everything so far.
    PeerUp(ValidatorIndex),
    /// A member asks; answer with [`crate::Output::Respond`] or [`crate::Output::Serve`].
    Request {
        /// Who asks.
        from: ValidatorIndex,
        /// Names the question for the answer.
        token: RequestToken,
        /// The question.
        request: Request,
    },
    /// The answer to an earlier [`crate::Output::Ask`]; `None` when there was none in time.
    Response {
        /// Who was asked.
        from: ValidatorIndex,
        /// Which question.
        id: AskId,
        /// The answer.
        response: Option<Response>,
    },
}

/// Names a submit call, for its answer.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Ticket(pub u64);

/// Names a peer's question, for the answer.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct RequestToken(pub u64);

/// Names a question of this replica.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct AskId(pub u64);

/// A transaction with its id, which is computed off the step thread.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct HashedTransaction {
    /// The rollup.
    pub rollup: RollupId,
    /// The id.
    pub id: TransactionId,
    /// The bytes.
    pub payload: Arc<[u8]>,
}

/// A moment asked for. There is no cancel: a timer carries what it is for and goes stale.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Timer {
    /// The view has lasted its time.
    View(Epoch, View),
    /// A timeout is sent again while its view lasts.
    Resend(Epoch, View),
    /// The leader of the view proposes, work or not.
    Propose(Epoch, View),
    /// The oldest waiting transaction has waited long enough for a batch.
    Cut,
    /// Lanes look after what is late: status to owners, rescue, missing bodies.
    Lanes,
    /// Catch-up asks again.
    Sync,
}
