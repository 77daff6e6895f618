//! The store as frames and checkpoints need it.
//!
//! # Invariants
//! At most [`HEADERS_MAX`] headers of final blocks are kept, which never change; those kept longest
//! go first.

use crate::storage::{StorageError, Stores};
use chorale_consensus::ordering::ChainReader;
use chorale_types::batch::{Batch, BatchId};
use chorale_types::block::{Block, Header};
use chorale_types::certificate::CommitCert;
use chorale_types::ids::Height;
use chorale_types::limits::FRAME_LINK_HEADERS_MAX;
use chorale_types::ordered::OrderedRecord;
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Headers kept in memory: two longest links, so that the frames below one certificate read each
/// from disk once. About 5 MB when full.
const HEADERS_MAX: usize = 2 * FRAME_LINK_HEADERS_MAX;

/// Headers of final blocks read lately.
#[derive(Debug, Default)]
struct Headers {
    by_height: BTreeMap<Height, Header>,
    order: VecDeque<Height>,
}

impl Headers {
    fn keep(&mut self, header: Header) {
        let height = header.height;
        if self.by_height.insert(height, header).is_none() {
            self.order.push_back(height);
        }
        if self.order.len() > HEADERS_MAX
            && let Some(oldest) = self.order.pop_front()
        {
            self.by_height.remove(&oldest);
        }
    }
}

fn lock(headers: &Mutex<Headers>) -> MutexGuard<'_, Headers> {
    headers.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What frames and checkpoints are built from, read from the store. Cheap to clone.
#[derive(Clone)]
pub struct StoreReader {
    stores: Stores,
    headers: Arc<Mutex<Headers>>,
}

impl StoreReader {
    /// Reads from these.
    #[must_use]
    pub fn new(stores: Stores) -> Self {
        Self { stores, headers: Arc::default() }
    }

    /// The stores.
    #[must_use]
    pub const fn stores(&self) -> &Stores {
        &self.stores
    }
}

impl ChainReader for StoreReader {
    type Error = StorageError;

    fn block(&self, height: Height) -> Result<Option<Arc<Block>>, StorageError> {
        Ok(self.stores.blocks.committed(height)?.map(|committed| committed.block))
    }

    fn header(&self, height: Height) -> Result<Option<Header>, StorageError> {
        if let Some(header) = lock(&self.headers).by_height.get(&height) {
            return Ok(Some(header.clone()));
        }
        let header = self.block(height)?.map(|block| block.header.clone());
        if let Some(header) = &header {
            lock(&self.headers).keep(header.clone());
        }
        Ok(header)
    }

    fn batch(&self, id: &BatchId) -> Result<Option<Arc<Batch>>, StorageError> {
        self.stores.batches.batch(id)
    }

    fn record(&self, height: Height) -> Result<Option<Arc<OrderedRecord>>, StorageError> {
        self.stores.ordered.record(height)
    }

    fn certificate(
        &self,
        height: Height,
    ) -> Result<Option<(Height, Arc<CommitCert>)>, StorageError> {
        // An entry names the certificate that committed its block: its own, or that of the
        // nearest descendant with one.
        let entry = self.stores.blocks.entry(height)?;
        Ok(entry.map(|entry| (entry.cert.vote().height, entry.cert)))
    }
}

#[cfg(test)]
mod tests;
