//! The way out: what is ordered, rollup by rollup, with proofs. The read side of the feed.

mod cache;

use crate::feed::StoreReader;
use crate::feed::index::Index;
use crate::storage::{StorageError, Stores};
use crate::submissions::Place;
use bytes::Bytes;
use cache::FrameCache;
use chorale_consensus::ordering::OrderedBlock;
use chorale_consensus::ordering::frames::{
    FrameError, build_checkpoint, build_frame, build_heartbeat,
};
use chorale_types::block::CommittedBlock;
use chorale_types::codec::Encode;
use chorale_types::genesis::Genesis;
use chorale_types::ids::{Height, RollupId, Sequence};
use chorale_types::transaction::TransactionId;
use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock, PoisonError, RwLock};
use thiserror::Error;
use tokio::sync::watch;

pub use chorale_types::rollup::Frame;

/// Heights whose transactions are found again after a restart.
const INDEXED_HEIGHTS_MAX: u64 = 4_096;

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
    /// It is final, but this node is still on its way to the certificate that proves it. (503
    /// `not_ready`)
    #[error("{reason}: this node is catching up")]
    NotProvable {
        /// What is missing.
        reason: String,
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

impl From<StorageError> for LedgerError {
    fn from(error: StorageError) -> Self {
        Self::Storage { reason: error.to_string() }
    }
}

impl LedgerError {
    fn of(error: FrameError<StorageError>) -> Self {
        match error {
            FrameError::UnknownRollup { rollup } => Self::UnknownRollup { rollup },
            FrameError::NotLinked { .. } => Self::NotProvable { reason: error.to_string() },
            other => Self::Storage { reason: other.to_string() },
        }
    }
}

/// Reads what is ordered. Cheap to clone.
///
/// Calls named `read_*` may touch the disk and build proofs: call them through `spawn_blocking`.
/// The others are short.
#[derive(Clone)]
pub struct Ledger {
    inner: Arc<Inner>,
}

struct Inner {
    reader: StoreReader,
    /// One for each registered rollup.
    heads: BTreeMap<RollupId, watch::Sender<RollupHead>>,
    ordered: watch::Sender<Height>,
    index: RwLock<Index>,
    cache: FrameCache,
}

impl Ledger {
    /// Over the stores that a feed writes.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn open(stores: Stores, genesis: &Genesis) -> Result<Self, StorageError> {
        let ordered = stores.ordered.height()?;
        let record = stores.ordered.record(ordered)?;
        let head = |rollup| {
            let leaf = record.as_ref().and_then(|record| record.leaf(rollup));
            let sequence = leaf.map_or(Sequence::ZERO, |(_, leaf)| leaf.sequence);
            RollupHead { sequence, ordered }
        };
        let heads = genesis.rollups.iter();
        let heads = heads.map(|rollup| (rollup.id, watch::Sender::new(head(rollup.id)))).collect();
        let mut index = Index::default();
        let from = ordered.saturating_sub(INDEXED_HEIGHTS_MAX).get();
        for height in from..=ordered.get() {
            if let Some(record) = stores.ordered.record(Height::new(height))? {
                index.add(&record);
            }
        }
        let inner = Inner {
            reader: StoreReader::new(stores),
            heads,
            ordered: watch::Sender::new(ordered),
            index: RwLock::new(index),
            cache: FrameCache::default(),
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// Tells readers of one more ordered block. It is stored already.
    pub(crate) fn publish(&self, block: &OrderedBlock) {
        let index = &self.inner.index;
        index.write().unwrap_or_else(PoisonError::into_inner).add(&block.record);
        for leaf in &block.record.leaves {
            if let Some(head) = self.inner.heads.get(&leaf.rollup) {
                head.send_if_modified(|head| {
                    let risen = leaf.sequence > head.sequence;
                    *head = RollupHead { sequence: leaf.sequence, ordered: block.height };
                    risen
                });
            }
        }
        self.inner.ordered.send_replace(block.height);
    }

    fn stores(&self) -> &Stores {
        self.inner.reader.stores()
    }

    /// The head of a rollup; `None` when nobody registered it.
    #[must_use]
    pub fn head(&self, rollup: RollupId) -> Option<RollupHead> {
        self.inner.heads.get(&rollup).map(|head| *head.borrow())
    }

    /// The head of a rollup as it moves; `None` when nobody registered it. `changed().await`
    /// wakes once for any number of new blocks of the rollup.
    #[must_use]
    pub fn watch(&self, rollup: RollupId) -> Option<watch::Receiver<RollupHead>> {
        self.inner.heads.get(&rollup).map(watch::Sender::subscribe)
    }

    /// The height up to which this node has ordered.
    #[must_use]
    pub fn ordered_height(&self) -> Height {
        *self.inner.ordered.borrow()
    }

    /// The frame if it is among the recent ones in memory.
    #[must_use]
    pub fn cached(&self, rollup: RollupId, sequence: Sequence) -> Option<Arc<FrameView>> {
        self.inner.cache.get(rollup, sequence)
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
        let head = self.head(rollup).ok_or(LedgerError::UnknownRollup { rollup })?.sequence;
        if sequence > head {
            return Err(LedgerError::FutureSequence { rollup, sequence, head });
        }
        self.inner.cache.get_or_build(rollup, sequence, || {
            let height = self.height_of(rollup, sequence)?;
            build_frame(&self.inner.reader, rollup, height).map_err(LedgerError::of)
        })
    }

    /// The height of a rollup block that exists.
    fn height_of(&self, rollup: RollupId, sequence: Sequence) -> Result<Height, LedgerError> {
        let height = self.stores().ordered.height_of(rollup, sequence)?;
        height.ok_or(LedgerError::UnknownSequence { rollup, sequence })
    }

    /// Proof that the rollup has nothing after its last block, as far as this node can show.
    ///
    /// # Errors
    /// When the rollup is unknown or storage fails.
    pub fn read_heartbeat(&self, rollup: RollupId) -> Result<HeartbeatView, LedgerError> {
        let RollupHead { sequence, .. } =
            self.head(rollup).ok_or(LedgerError::UnknownRollup { rollup })?;
        let height = self.ordered_height();
        let (complete_at, proof) = match self.stores().blocks.committed(height)? {
            // Before the first block there is nothing to prove: everybody knows genesis.
            None => (Height::ZERO, Vec::new()),
            Some(last) => {
                let beat = build_heartbeat(&self.inner.reader, rollup, height);
                (last.block.header.ordered_height, beat.map_err(LedgerError::of)?.to_bytes())
            }
        };
        Ok(HeartbeatView { next_sequence: sequence.next(), height, complete_at, proof })
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
        let head = self.head(rollup).ok_or(LedgerError::UnknownRollup { rollup })?.sequence;
        let wanted = sequence.unwrap_or_else(|| head.next());
        if wanted == Sequence::ZERO {
            return Err(LedgerError::UnknownSequence { rollup, sequence: wanted });
        }
        if wanted > head.next() {
            return Err(LedgerError::FutureSequence { rollup, sequence: wanted, head });
        }
        let proving = match wanted > head {
            true => self.ordered_height(),
            false => self.height_of(rollup, wanted)?,
        };
        let checkpoint = build_checkpoint(&self.inner.reader, rollup, proving);
        let checkpoint = checkpoint.map_err(LedgerError::of)?;
        let leaf = checkpoint.proven.as_ref().map(|proven| &proven.anchor);
        Ok(CheckpointView {
            sequence: leaf.map_or(Sequence::ZERO, |anchor| anchor.leaf.sequence),
            height: leaf.map_or(Height::ZERO, |anchor| anchor.height),
            checkpoint: checkpoint.to_bytes(),
        })
    }

    /// The committed block at a height; `None` above the head, for genesis, or when pruned.
    ///
    /// # Errors
    /// When storage fails.
    pub fn read_block(&self, height: Height) -> Result<Option<CommittedBlock>, LedgerError> {
        Ok(self.stores().blocks.committed(height)?)
    }

    /// Where a transaction was ordered, if that is not too long ago: the last
    /// [`crate::feed::index::IDS_MAX`] are known.
    ///
    /// # Errors
    /// When storage fails.
    pub fn read_place(
        &self,
        rollup: RollupId,
        id: &TransactionId,
    ) -> Result<Option<Place>, LedgerError> {
        let index = self.inner.index.read().unwrap_or_else(PoisonError::into_inner);
        let height = index.height(id);
        drop(index);
        match height {
            Some(height) => self.read_place_at(rollup, id, height),
            None => Ok(None),
        }
    }

    /// Where a transaction stands in what a height delivered, if it does.
    ///
    /// # Errors
    /// When storage fails.
    pub(crate) fn read_place_at(
        &self,
        rollup: RollupId,
        id: &TransactionId,
        height: Height,
    ) -> Result<Option<Place>, LedgerError> {
        let record = self.stores().ordered.record(height)?;
        let content = record.as_ref().and_then(|record| record.content(rollup));
        let found = content.and_then(|content| {
            let index = content.delivered.iter().position(|delivered| delivered == id)?;
            let index = u32::try_from(index).ok()?;
            Some(Place { sequence: content.sequence, height, index })
        });
        Ok(found)
    }
}

#[cfg(test)]
mod tests;
