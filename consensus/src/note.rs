//! What happened, as data. Metrics, traces and the simulator all read this; nothing in the core
//! depends on who does.

use chorale_types::batch::BatchId;
use chorale_types::crypto::hash::Digest;
use chorale_types::ids::{Height, LaneId, LaneSeq, ValidatorIndex, View};
use chorale_types::vote::VoteKind;

/// What happened.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Note {
    /// A view was entered.
    EnteredView {
        /// The view.
        view: View,
        /// By a `TimeoutCert`.
        by_timeout: bool,
    },
    /// This replica, as leader, proposed a fresh block.
    Proposed {
        /// The view.
        view: View,
        /// The height.
        height: Height,
        /// Lane tips in it.
        tips: usize,
    },
    /// This replica, as leader, proposed a block again.
    Reproposed {
        /// The view.
        view: View,
        /// The block.
        block: Digest,
    },
    /// This replica voted.
    Voted {
        /// Which vote.
        kind: VoteKind,
        /// The view.
        view: View,
        /// The block.
        block: Digest,
    },
    /// This replica gave up a view.
    TimedOut {
        /// The view.
        view: View,
    },
    /// A `QuorumCert` was assembled here.
    QuorumCertFormed {
        /// The view.
        view: View,
        /// From prepare votes that came inside timeouts.
        backup: bool,
    },
    /// A `CommitCert` was assembled here.
    CommitCertFormed {
        /// The view.
        view: View,
    },
    /// A `TimeoutCert` was assembled here.
    TimeoutCertFormed {
        /// The view.
        view: View,
        /// Blocks reported as tip by enough stake to be proposed again.
        tips: usize,
    },
    /// A block became final.
    Committed {
        /// Its height.
        height: Height,
        /// The view of the certificate.
        view: View,
    },
    /// Blocks were learnt from peers by certificate.
    CaughtUp {
        /// The height before.
        from: Height,
        /// The height after.
        to: Height,
    },
    /// One certificate covers more blocks than one answer: they are fetched from the top down.
    WentDown {
        /// The height of the certificate.
        from: Height,
        /// The height of the own head.
        to: Height,
    },
    /// An owner signed two batches for one place.
    LaneEquivocation {
        /// The lane.
        lane: LaneId,
        /// The place.
        seq: LaneSeq,
    },
    /// This replica gave its own lane up: it goes on voting, and acknowledges nothing more.
    LaneLost(crate::lanes::LaneLost),
    /// An acknowledgement was sent to all because its batch is late.
    RescueSent {
        /// The batch.
        id: BatchId,
    },
    /// An availability certificate was assembled without the owner.
    Rescued {
        /// The batch.
        id: BatchId,
    },
    /// A batch of this node's own lane was cut.
    BatchCut {
        /// The batch.
        id: BatchId,
        /// Transactions in it.
        transactions: usize,
        /// Transaction bytes in it.
        bytes: usize,
    },
    /// An availability certificate was assembled for a batch of this node's own lane.
    BatchAvailable {
        /// The batch.
        id: BatchId,
    },
    /// A proposal was not voted for.
    Refused {
        /// The view.
        view: View,
        /// Why.
        why: crate::agreement::safety::Refused,
    },
    /// A commit certificate contradicts what is final here: more than a third of the stake is
    /// faulty. This replica signs nothing more, also after a restart.
    AgreementBroken {
        /// The height of the certificate.
        height: Height,
    },
    /// Something of a peer was dropped at a bound.
    Dropped {
        /// What.
        what: &'static str,
        /// Whose.
        from: ValidatorIndex,
    },
}

/// What a peer did wrong.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Fault {
    /// Two different votes, timeouts, proposals or batches where one is allowed.
    Equivocation,
    /// A signature or certificate that does not verify.
    BadSignature,
    /// A proposal by someone who does not lead its view.
    NotLeader,
    /// A message about another chain, epoch or signer than the channel's.
    WrongContext,
    /// A block, batch or certificate against the rules of form.
    Malformed,
    /// An answer that does not fit the question.
    BadAnswer,
    /// More at once than is taken from one peer.
    Flood,
}
