//! Every way in which a node's word can be wrong, each with its own name.

use chorale_types::block::FrontierError;
use chorale_types::codec::DecodeError;
use chorale_types::crypto::hash::Digest;
use chorale_types::genesis::GenesisError;
use chorale_types::ids::{Height, LaneId, LaneSeq, RollupId, Sequence};
use chorale_types::ordered::WindowError;
use chorale_types::rollup::EntryError;
use chorale_types::transaction::TransactionId;
use chorale_types::verify::VerifyError;
use thiserror::Error;

/// Why something a node said was refused. Nothing of the client's state changes.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum LightError {
    /// The genesis document cannot be one.
    #[error("genesis: {0}")]
    Genesis(#[from] GenesisError),
    /// The bytes are not a proof.
    #[error("malformed proof: {0}")]
    Malformed(#[from] DecodeError),
    /// The proof is longer than the rules allow.
    #[error("proof of {got} bytes, at most {max} are taken")]
    TooLong {
        /// Its length.
        got: usize,
        /// The bound.
        max: usize,
    },
    /// It is about another rollup.
    #[error("about rollup {got}, asked for {expected}")]
    WrongRollup {
        /// The rollup found.
        got: RollupId,
        /// The rollup followed.
        expected: RollupId,
    },
    /// The chain's genesis does not register the rollup.
    #[error("rollup {rollup} is not registered")]
    UnknownRollup {
        /// The rollup.
        rollup: RollupId,
    },
    /// It is not the next block of the rollup.
    #[error("block {got}, the next one is {expected}")]
    OutOfSequence {
        /// The sequence found.
        got: Sequence,
        /// The next sequence.
        expected: Sequence,
    },
    /// The frame says something else than its proof.
    #[error("the frame's {what} is not the proof's")]
    WrongLabel {
        /// What differs.
        what: &'static str,
    },
    /// There is no header where one must be.
    #[error("no header in the proof")]
    NoHeader,
    /// Headers do not follow each other by height and hash.
    #[error("the header at height {height} does not follow the one before it")]
    BrokenChain {
        /// The later header.
        height: Height,
    },
    /// A header that contradicts one that was proven final before. If both certificates are
    /// valid, a third of the stake or more has broken the rules.
    #[error("the block at height {height} is {got}, proven final was {known}")]
    Fork {
        /// The height.
        height: Height,
        /// The hash found.
        got: Digest,
        /// The hash known.
        known: Digest,
    },
    /// The certificate is of another block than the last header.
    #[error("certificate of height {got}, the last header is of {expected}")]
    OtherCertificate {
        /// The certificate's height.
        got: Height,
        /// The header's.
        expected: Height,
    },
    /// The certificate is not one of this chain's validators.
    #[error("certificate: {0}")]
    BadCertificate(#[from] VerifyError),
    /// A body is not the one that its header names.
    #[error("the body at height {height} is not its header's")]
    WrongBody {
        /// The height.
        height: Height,
    },
    /// A body does not stand on the frontier before it.
    #[error("the body at height {height}: {why}")]
    BadFrontier {
        /// The height.
        height: Height,
        /// Why.
        why: FrontierError,
    },
    /// Blocks between the client's state and the proof are left out.
    #[error("the proof starts at height {first}, the client stands at {at}")]
    MissingBlocks {
        /// The first height of the proof.
        first: Height,
        /// The client's height.
        at: Height,
    },
    /// The proof does not reach above the client's state.
    #[error("the proof ends at height {last}, the client stands at {at} already")]
    Stale {
        /// The last height of the proof.
        last: Height,
        /// The client's height.
        at: Height,
    },
    /// There are fewer or more batches than the block orders.
    #[error("{got} batches at height {height}, the block orders {expected}")]
    HiddenBatch {
        /// The height.
        height: Height,
        /// Batches found.
        got: usize,
        /// Batches ordered.
        expected: u64,
    },
    /// A batch is not the one that the block orders at this place.
    #[error("at height {height} batch {seq} of lane {lane} is not the one ordered")]
    WrongBatch {
        /// The height.
        height: Height,
        /// The lane.
        lane: LaneId,
        /// The place in the lane.
        seq: LaneSeq,
    },
    /// What a batch holds of the rollup is not proven.
    #[error("at height {height} batch {seq} of lane {lane}: {why}")]
    BadEntry {
        /// The height.
        height: Height,
        /// The lane.
        lane: LaneId,
        /// The place in the lane.
        seq: LaneSeq,
        /// Why.
        why: EntryError,
    },
    /// The transactions are not those of the batch, or not in its order.
    #[error("at height {height} the transactions of batch {seq} of lane {lane} are others")]
    WrongTransactions {
        /// The height.
        height: Height,
        /// The lane.
        lane: LaneId,
        /// The place in the lane.
        seq: LaneSeq,
    },
    /// There are fewer transactions than the batches hold.
    #[error("at height {height} the batches hold more transactions than are there")]
    MissingTransactions {
        /// The height.
        height: Height,
    },
    /// There are more transactions than the batches hold.
    #[error("{left} transactions more than the batches hold")]
    ExtraTransactions {
        /// How many.
        left: usize,
    },
    /// The skipped transactions are not by rising position, or outside the proof.
    #[error("the list of skipped transactions is out of order at position {position}")]
    BadSkipList {
        /// Where.
        position: u32,
    },
    /// A transaction is said to have been delivered before, and was not, or elsewhere.
    #[error("{id} is skipped as delivered at height {claimed}; known: {known:?}")]
    FalseSkip {
        /// The transaction.
        id: TransactionId,
        /// Where it is said to have been delivered.
        claimed: Height,
        /// Where it was delivered.
        known: Option<Height>,
    },
    /// A transaction was delivered before.
    #[error("{id} was delivered at height {earlier} already")]
    Repeated {
        /// The transaction.
        id: TransactionId,
        /// Where.
        earlier: Height,
    },
    /// A block of the rollup at a lower height was left out.
    #[error("the rollup has a block at height {height} that was left out")]
    HiddenBlock {
        /// Its height.
        height: Height,
    },
    /// Nothing is delivered.
    #[error("the rollup has no block at height {height}")]
    EmptyBlock {
        /// The height.
        height: Height,
    },
    /// A header does not name the state shown.
    #[error("the state shown at height {height} is not the one that the header names")]
    WrongAnchor {
        /// The height of the state.
        height: Height,
    },
    /// A proven state has more blocks of the rollup than were delivered.
    #[error("{proven} blocks are proven, {own} were delivered")]
    Missed {
        /// The sequence proven.
        proven: Sequence,
        /// The client's.
        own: Sequence,
    },
    /// A proven state has other blocks of the rollup than were delivered.
    #[error("block {sequence} as proven is not the one that was delivered")]
    Diverged {
        /// The sequence.
        sequence: Sequence,
    },
    /// The ids to start from are not those that the proven state remembers.
    #[error("window: {0}")]
    BadWindow(#[from] WindowError),
}
