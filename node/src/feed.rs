//! From final blocks to what every rollup reads: stores the chain, waits until the batches of the
//! next block are held, orders them, stores what came of it.
//!
//! No threads and no clock here; [`Feed`] is driven by whoever owns it, in the node by a thread,
//! in the simulator by its queue of events. Readers use the store, through [`StoreReader`].
//!
//! # Invariants
//! Blocks are ordered one after another, each when all its batches are held, and never before it
//! is in the stored chain. What was ordered before a restart is taken up where it ended.

pub mod index;
mod reader;

pub use reader::StoreReader;

use crate::storage::blocks::Head;
use crate::storage::{Durability, StorageError, Stores, WriteBatch};
use chorale_consensus::ordering::{OrderState, OrderedBlock, RestoreError, delivery_order};
use chorale_types::batch::{Batch, BatchId};
use chorale_types::block::CommittedBlock;
use chorale_types::genesis::Genesis;
use chorale_types::ids::Height;
use std::sync::Arc;

/// Why ordering cannot go on. The node stops.
#[derive(Debug, thiserror::Error)]
pub enum FeedError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StorageError),
    /// What is stored is not a state of ordering.
    #[error("what was ordered cannot be taken up: {0}")]
    Restore(#[from] RestoreError),
    /// The next block is not stored.
    #[error("the final block at height {height} is not stored")]
    NoBlock {
        /// Its height.
        height: Height,
    },
}

/// The state of ordering, with the store it reads and writes.
pub struct Feed {
    stores: Stores,
    state: OrderState,
    head: Head,
    /// The batch whose absence stopped the last attempt: looked for before anything else.
    wanted: Option<BatchId>,
}

impl Feed {
    /// Takes up where the store ends; a new store begins at genesis.
    ///
    /// # Errors
    /// When the store fails, or does not hold a state of ordering of this chain.
    pub fn open(stores: Stores, genesis: &Genesis) -> Result<Self, FeedError> {
        stores.ordered.start(&OrderState::genesis_record(genesis))?;
        let records = stores.ordered.window(1)?;
        let state = OrderState::restore(genesis, &records)?;
        let head = stores.blocks.head()?;
        Ok(Self { stores, state, head, wanted: None })
    }

    /// How far it has ordered.
    #[must_use]
    pub const fn ordered_height(&self) -> Height {
        self.state.height()
    }

    /// The last final block stored.
    #[must_use]
    pub const fn head(&self) -> Height {
        self.head.height
    }

    /// The batch it waits for, if it waits.
    #[must_use]
    pub const fn wanted(&self) -> Option<&BatchId> {
        self.wanted.as_ref()
    }

    /// Stores final blocks, the next ones in order of height. After a restart the replica may
    /// commit once more what is stored already; that is passed over.
    ///
    /// # Errors
    /// When the store fails.
    pub fn commit(&mut self, blocks: &[CommittedBlock]) -> Result<(), FeedError> {
        let stored = self.head.height;
        let known = blocks.iter().take_while(|b| b.block.header.height <= stored).count();
        let mut batch = WriteBatch::default();
        self.stores.blocks.stage_final(&mut self.head, &blocks[known..], &mut batch)?;
        Ok(self.stores.synced.store().write(batch, Durability::Buffered)?)
    }

    /// Orders the next final block, if there is one and all its batches are held.
    ///
    /// # Errors
    /// When the store fails or is damaged.
    pub fn order_next(&mut self) -> Result<Option<OrderedBlock>, FeedError> {
        let height = self.state.height().next();
        if height > self.head.height || self.is_still_wanting()? {
            return Ok(None);
        }
        let next = self.stores.blocks.committed(height)?;
        let next = next.ok_or(FeedError::NoBlock { height })?;
        let Some(batches) = self.gather(&next)? else {
            return Ok(None);
        };
        let ordered = self.state.order(next.hash, &next.block, &batches);
        self.stores.ordered.append(&ordered)?;
        Ok(Some(ordered))
    }

    fn is_still_wanting(&self) -> Result<bool, FeedError> {
        Ok(match &self.wanted {
            None => false,
            Some(id) => self.stores.batches.header(id)?.is_none(),
        })
    }

    /// The batches that a block newly orders, in the order of delivery; `None` while one is not
    /// held. Each lane is walked from its tip down, because only a batch names the one before it.
    fn gather(&mut self, next: &CommittedBlock) -> Result<Option<Vec<Arc<Batch>>>, FeedError> {
        let runs = delivery_order(&next.hash, &next.block.body, self.state.frontier());
        let mut gathered = Vec::new();
        for run in runs {
            let (mut lane, mut id) = (Vec::new(), run.tip.id());
            while id.seq >= run.first {
                let Some(batch) = self.stores.batches.batch(&id)? else {
                    self.wanted = Some(id);
                    return Ok(None);
                };
                let (seq, digest) = (id.seq.saturating_sub(1), batch.header.prev);
                lane.push(batch);
                id = BatchId { seq, digest, ..id };
            }
            gathered.extend(lane.into_iter().rev());
        }
        self.wanted = None;
        Ok(Some(gathered))
    }
}

#[cfg(test)]
mod tests;
