//! What ordering came to at each height, and where a rollup's blocks are.
//!
//! | Family | Key | Value |
//! |---|---|---|
//! | `Ordered` | height | the record; of height 0 that of genesis |
//! | `Streams` | rollup, sequence | the height that ordered this block of the rollup |
//!
//! Everything here follows from the final blocks and their batches, so it is buffered: what a
//! crash loses is computed again. A record holds the ids that each rollup got, so there is no put
//! for a single transaction anywhere.
//!
//! # Invariants
//! Records have no gap, and none is above the final blocks, after any crash: they are written
//! after them.

use super::typed::{get, missing, number};
use super::{Durability, Family, Key, KeyValue, Range, StorageError, WriteBatch};
use chorale_consensus::ordering::OrderedBlock;
use chorale_types::codec::Encode;
use chorale_types::ids::{Height, RollupId, Sequence};
use chorale_types::ordered::OrderedRecord;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

/// Records kept in memory: frames of recent blocks are built from them.
pub const CACHE_RECORDS_MAX: usize = 128;

/// What is ordered, in the store; the recent records also in memory. Cheap to clone.
#[derive(Clone)]
pub struct OrderedStore {
    store: Arc<dyn KeyValue>,
    recent: Arc<Mutex<BTreeMap<Height, Arc<OrderedRecord>>>>,
}

impl OrderedStore {
    /// What is ordered in `store`.
    #[must_use]
    pub fn new(store: Arc<dyn KeyValue>) -> Self {
        Self { store, recent: Arc::default() }
    }

    /// Stores the record of genesis, if none is.
    ///
    /// # Errors
    /// When the store fails.
    pub fn start(&self, genesis: &OrderedRecord) -> Result<(), StorageError> {
        if self.record(Height::ZERO)?.is_some() {
            return Ok(());
        }
        let mut batch = WriteBatch::default();
        batch.put(Family::Ordered, key(Height::ZERO), genesis.to_bytes());
        self.store.write(batch, Durability::Buffered)
    }

    /// Stores what ordering one more block came to.
    ///
    /// # Errors
    /// When the store fails.
    pub fn append(&self, ordered: &OrderedBlock) -> Result<(), StorageError> {
        let OrderedBlock { height, record, .. } = ordered;
        let mut batch = WriteBatch::default();
        batch.put(Family::Ordered, key(*height), record.to_bytes());
        for content in &record.contents {
            if !content.delivered.is_empty() {
                let place = stream_key(content.rollup, content.sequence);
                batch.put(Family::Streams, place, height.to_bytes());
            }
        }
        self.store.write(batch, Durability::Buffered)?;
        let mut recent = self.recent();
        recent.insert(*height, Arc::new(record.clone()));
        while recent.len() > CACHE_RECORDS_MAX {
            recent.pop_first();
        }
        Ok(())
    }

    fn recent(&self) -> MutexGuard<'_, BTreeMap<Height, Arc<OrderedRecord>>> {
        self.recent.lock().expect("nothing panics while holding the recent records")
    }

    /// The record of a height; `None` where nothing is ordered yet.
    ///
    /// # Errors
    /// When the store cannot be read or is damaged.
    pub fn record(&self, height: Height) -> Result<Option<Arc<OrderedRecord>>, StorageError> {
        if let Some(record) = self.recent().get(&height) {
            return Ok(Some(Arc::clone(record)));
        }
        get(&*self.store, Family::Ordered, key(height).as_ref(), "reading what is ordered")
    }

    /// How far this store has ordered; zero at genesis.
    ///
    /// # Errors
    /// When the store cannot be read or is damaged.
    pub fn height(&self) -> Result<Height, StorageError> {
        let range = Range::all(Family::Ordered).backward().entries_max(1);
        let last = self.store.range(&range)?.pop();
        Ok(last.and_then(|(key, _)| number(&key, 0)).map_or(Height::ZERO, Height::new))
    }

    /// The height that ordered a block of a rollup; `None` when there is no such block.
    ///
    /// # Errors
    /// When the store cannot be read or is damaged.
    pub fn height_of(
        &self,
        rollup: RollupId,
        sequence: Sequence,
    ) -> Result<Option<Height>, StorageError> {
        let key = stream_key(rollup, sequence);
        get(&*self.store, Family::Streams, key.as_ref(), "reading a stream")
    }

    /// The records from which the state of ordering is restored, by rising height, the last one
    /// last; at least the last `least` where there are so many.
    ///
    /// # Errors
    /// When the store cannot be read, is damaged, or has a gap.
    pub fn window(&self, least: usize) -> Result<Vec<Arc<OrderedRecord>>, StorageError> {
        let last = self.height()?;
        let Some(record) = self.record(last)? else {
            return Ok(Vec::new());
        };
        let least = u64::try_from(least).unwrap_or(u64::MAX);
        let from = record.needed_from().min(last.saturating_sub(least.saturating_sub(1)));
        (from.get()..=last.get())
            .map(|height| {
                let record = self.record(Height::new(height))?;
                record.ok_or_else(|| missing("reading what is ordered", "a record"))
            })
            .collect()
    }
}

fn key(height: Height) -> Key {
    Key::default().u64(height.get())
}

fn stream_key(rollup: RollupId, sequence: Sequence) -> Key {
    Key::default().u64(rollup.get()).u64(sequence.get())
}

#[cfg(test)]
mod tests;
