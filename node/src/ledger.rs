//! The way out: what is ordered, rollup by rollup, with proofs. The read side of the feed.

use bytes::Bytes;
use chorale_types::block::CommittedBlock;
use chorale_types::ids::{Height, RollupId, Sequence};
use chorale_types::time::Timestamp;
use std::sync::{Arc, OnceLock};
use thiserror::Error;
use tokio::sync::watch;

/// Why the ledger does not answer.
#[derive(Debug, Error)]
pub enum LedgerError {
    /// Nobody registered this rollup. (404 `unknown_rollup`)
    #[error("rollup {rollup} is not registered")]
    UnknownRollup {
        /// The rollup named.
        rollup: RollupId,
    },
    /// The sequence is zero or not kept any more. (404 `unknown_sequence`)
    #[error("rollup {rollup} has no block {sequence} here")]
    UnknownSequence {
        /// The rollup.
        rollup: RollupId,
        /// The sequence named.
        sequence: Sequence,
    },
    /// The sequence is above the head. (404 `future_sequence`)
    #[error("rollup {rollup} is at {head}, {sequence} does not exist yet")]
    FutureSequence {
        /// The rollup.
        rollup: RollupId,
        /// The sequence named.
        sequence: Sequence,
        /// The last sequence that exists.
        head: Sequence,
    },
    /// Stored data cannot be read or does not fit together. The node stops. (500 `internal`)
    #[error("the ledger cannot be read: {reason}")]
    Storage {
        /// What went wrong.
        reason: String,
    },
}

/// The newest rollup block of a rollup.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct RollupHead {
    /// Its sequence; zero when there is none yet.
    pub sequence: Sequence,
    /// The height up to which this node has ordered (not the block's own height): heartbeats
    /// rise by it also when the rollup has nothing.
    pub ordered: Height,
}

/// One rollup block as a subscriber gets it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Frame {
    /// The rollup.
    pub rollup: RollupId,
    /// The position in its stream, from 1.
    pub sequence: Sequence,
    /// The height of the block that ordered it.
    pub height: Height,
    /// That block's time.
    pub time: Timestamp,
    /// The transactions in order.
    pub transactions: Vec<Arc<[u8]>>,
    /// The proof, in canonical bytes.
    pub proof: Vec<u8>,
}

/// A frame shared by all its readers, rendered once.
#[derive(Debug)]
pub struct FrameView {
    /// The frame.
    pub frame: Frame,
    rendered: OnceLock<Bytes>,
}

impl FrameView {
    /// Shares a frame.
    #[must_use]
    pub const fn new(frame: Frame) -> Self {
        Self { frame, rendered: OnceLock::new() }
    }

    /// The text of the frame: made by the first caller, shared by all others. Every caller must
    /// pass the same function.
    pub fn rendered(&self, render: impl FnOnce(&Frame) -> Bytes) -> Bytes {
        self.rendered.get_or_init(|| render(&self.frame)).clone()
    }
}

/// "Nothing of this rollup up to here", with proof.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct HeartbeatView {
    /// The sequence that the rollup's next block will have.
    pub next_sequence: Sequence,
    /// How far this node has ordered.
    pub height: Height,
    /// The height up to which the proof shows completeness.
    pub complete_at: Height,
    /// The proof, in canonical bytes.
    pub proof: Vec<u8>,
}

/// A state from which frames verify.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CheckpointView {
    /// The last sequence in the state; the next frame to verify is the one after.
    pub sequence: Sequence,
    /// The height of the state.
    pub height: Height,
    /// The checkpoint, in canonical bytes.
    pub checkpoint: Vec<u8>,
}

/// Reads what is ordered. Cheap to clone.
///
/// Calls named `read_*` may touch the disk and build proofs: call them through `spawn_blocking`.
/// The others are short.
#[derive(Clone)]
pub struct Ledger {}

impl Ledger {
    /// The head of a rollup; `None` when nobody registered it.
    #[must_use]
    pub fn head(&self, rollup: RollupId) -> Option<RollupHead> {
        let _ = rollup;
        todo!()
    }

    /// The head of a rollup as it moves; `None` when nobody registered it. `changed().await`
    /// wakes once for any number of new blocks.
    #[must_use]
    pub fn watch(&self, rollup: RollupId) -> Option<watch::Receiver<RollupHead>> {
        let _ = rollup;
        todo!()
    }

    /// The height up to which this node has ordered.
    #[must_use]
    pub fn ordered_height(&self) -> Height {
        todo!()
    }

    /// The frame if it is among the recent ones in memory.
    #[must_use]
    pub fn cached(&self, rollup: RollupId, sequence: Sequence) -> Option<Arc<FrameView>> {
        let _ = (rollup, sequence);
        todo!()
    }

    /// One frame, from memory or built from storage.
    ///
    /// # Errors
    /// When the rollup or sequence does not exist (yet, or any more), or storage fails.
    pub fn read_frame(
        &self,
        rollup: RollupId,
        sequence: Sequence,
    ) -> Result<Arc<FrameView>, LedgerError> {
        let _ = (rollup, sequence);
        todo!()
    }

    /// Proof that the rollup has nothing after its last block, as far as this node can show.
    ///
    /// # Errors
    /// When the rollup is unknown or storage fails.
    pub fn read_heartbeat(&self, rollup: RollupId) -> Result<HeartbeatView, LedgerError> {
        let _ = rollup;
        todo!()
    }

    /// A state at or below `sequence - 1`, from which frames up to `sequence` verify; without a
    /// sequence, for the one after the head.
    ///
    /// # Errors
    /// When the rollup is unknown, the sequence is above head + 1, or storage fails.
    pub fn read_checkpoint(
        &self,
        rollup: RollupId,
        sequence: Option<Sequence>,
    ) -> Result<CheckpointView, LedgerError> {
        let _ = (rollup, sequence);
        todo!()
    }

    /// The committed block at a height; `None` above the head, for genesis, or when pruned.
    ///
    /// # Errors
    /// When storage fails.
    pub fn read_block(&self, height: Height) -> Result<Option<CommittedBlock>, LedgerError> {
        let _ = height;
        todo!()
    }
}
