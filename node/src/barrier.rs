//! The two durability barriers, without threads: what is written, in which order, before a
//! statement that names it may leave.
//!
//! - The *vote barrier*: blocks into the store, synced, then the vote record that names them.
//! - The *batch barrier*: batches and acknowledgements into the store, all that wait in one
//!   synced write.
//!
//! # Invariants
//! - When a write returns without error, everything handed in survives a power cut.
//! - After an error nothing is written any more: the host stops the node and never tries again.
//! - Store and vote record note each other's progress, so that either notices an older copy of
//!   the other.

use crate::storage::batches::BatchStore;
use crate::storage::blocks::BlockStore;
use crate::storage::{
    Disk, Durability, Family, KeyValue, StorageError, VoteRecord, VoteRecordError, WriteBatch,
};
use chorale_consensus::record::VoteRecord as Votes;
use chorale_types::batch::{Batch, BatchHeader};
use chorale_types::block::Block;
use chorale_types::codec::Encode;
use chorale_types::codec_struct;
use chorale_types::museum::{Bug, planted};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// The key in `Meta` of the last vote record known to be durable.
pub(crate) const VOTE_FLOOR_KEY: &[u8] = b"vote_floor";

/// Why something did not become durable. The node stops.
#[derive(Debug, thiserror::Error)]
pub enum BarrierError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StorageError),
    /// The vote record failed.
    #[error(transparent)]
    VoteRecord(#[from] VoteRecordError),
}

/// What the vote record's file holds.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct VotePayload {
    /// [`KeyValue::sequence`] that was durable when this was written.
    pub store_sequence: u64,
    /// The record.
    pub votes: Votes,
}
codec_struct!(VotePayload { store_sequence, votes });

/// The store, and how much of it is certainly durable.
pub struct SyncedStore {
    store: Arc<dyn KeyValue>,
    floor: AtomicU64,
}

impl SyncedStore {
    /// Of a store that was just opened: what it shows is what survived.
    #[must_use]
    pub fn new(store: Arc<dyn KeyValue>) -> Self {
        let floor = AtomicU64::new(store.sequence());
        Self { store, floor }
    }

    /// Writes a batch, durable when this returns. Nothing happens for an empty one.
    ///
    /// # Errors
    /// When the store fails; it then takes nothing more.
    pub fn write(&self, batch: WriteBatch) -> Result<(), StorageError> {
        if batch.is_empty() {
            return Ok(());
        }
        if planted(Bug::AckBeforeDurable) {
            return self.store.write(batch, Durability::Buffered);
        }
        // Taken before the write: a synced write covers every write that returned before it.
        let covered = self.store.sequence();
        self.store.write(batch, Durability::Synced)?;
        self.floor.fetch_max(covered, Ordering::SeqCst);
        Ok(())
    }

    /// Makes every write so far durable.
    ///
    /// # Errors
    /// When the store fails; it then takes nothing more.
    pub fn sync(&self) -> Result<(), StorageError> {
        let covered = self.store.sequence();
        self.store.flush()?;
        self.floor.fetch_max(covered, Ordering::SeqCst);
        Ok(())
    }

    /// A sequence that [`KeyValue::sequence`] does not fall below in any crash.
    pub fn floor(&self) -> u64 {
        self.floor.load(Ordering::SeqCst)
    }

    /// The store.
    #[must_use]
    pub fn store(&self) -> &Arc<dyn KeyValue> {
        &self.store
    }
}

/// What a consensus signature waits for.
pub struct VoteBarrier<D> {
    record: VoteRecord<D>,
    blocks: BlockStore,
    store: Arc<SyncedStore>,
}

impl<D: Disk> VoteBarrier<D> {
    /// Over an open vote record and the store that goes with it.
    #[must_use]
    pub const fn new(record: VoteRecord<D>, blocks: BlockStore, store: Arc<SyncedStore>) -> Self {
        Self { record, blocks, store }
    }

    /// Makes blocks durable, then the vote record that names them. Blocks for one or two syncs.
    ///
    /// # Errors
    /// When either fails. Nothing may be signed on this record then, nor on any later one.
    pub fn write(&mut self, blocks: &[Arc<Block>], votes: &Votes) -> Result<(), BarrierError> {
        let mut batch = WriteBatch::default();
        self.blocks.stage_voted(blocks, &mut batch)?;
        if !batch.is_empty() {
            batch.put(Family::Meta, VOTE_FLOOR_KEY, self.record.sequence().to_bytes());
            self.store.write(batch)?;
        } else if !blocks.is_empty() {
            // All are stored, one perhaps by a buffered write: what became final meanwhile is.
            self.store.sync()?;
        }
        if planted(Bug::VoteRecordUnwritten) {
            return Ok(());
        }
        let payload = VotePayload { store_sequence: self.store.floor(), votes: votes.clone() };
        self.record.write(&payload.to_bytes())?;
        Ok(())
    }
}

/// Something of the data lanes to make durable.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum LaneWrite {
    /// A batch, and whether it is acknowledged with it. An own batch is.
    Batch(Arc<Batch>, bool),
    /// The acknowledgement of a batch that is stored already.
    Acknowledgement(BatchHeader),
}

/// What an acknowledgement waits for.
pub struct BatchBarrier {
    batches: BatchStore,
    store: Arc<SyncedStore>,
}

impl BatchBarrier {
    /// Over a store.
    #[must_use]
    pub const fn new(batches: BatchStore, store: Arc<SyncedStore>) -> Self {
        Self { batches, store }
    }

    /// Makes all of these durable in one write. Blocks for one sync.
    ///
    /// # Errors
    /// When the store fails.
    pub fn write(&self, group: &[LaneWrite]) -> Result<(), BarrierError> {
        let mut batch = WriteBatch::default();
        for write in group {
            match write {
                LaneWrite::Batch(stored, acknowledge) => {
                    self.batches.stage(stored, *acknowledge, &mut batch);
                }
                LaneWrite::Acknowledgement(header) => {
                    BatchStore::stage_acknowledgement(&header.id(), &mut batch);
                }
            }
        }
        self.store.write(batch)?;
        for write in group {
            if let LaneWrite::Batch(stored, _) = write {
                self.batches.remember(stored.header.id(), Arc::clone(stored));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
