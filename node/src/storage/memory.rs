//! The store in memory: an ordered map that forgets in a crash what a real store may forget. For
//! the simulator and for tests.
//!
//! # Invariants
//! - A crash loses a suffix of the unsynced batches, whole batches, newest first; possibly none.
//! - What was synced, and all that was written before it, is never lost.

use std::collections::{BTreeMap, VecDeque};
use std::convert::Infallible;
use std::ops::Bound;
use std::sync::{Mutex, MutexGuard};

use super::kv::gather;
use super::{Durability, Family, KeyValue, Pair, Range, StorageError, Write, WriteBatch};

/// Unsynced batches that can still be lost. Older ones count as written back, as a real system
/// writes back on its own, so that a run without syncs does not remember for ever.
const UNSYNCED_MAX: usize = 4096;

/// An ordered map with a crash.
#[derive(Debug, Default)]
pub struct MemoryStore {
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    entries: BTreeMap<(Family, Vec<u8>), Vec<u8>>,
    /// How to take back each unsynced batch, oldest first. At most [`UNSYNCED_MAX`].
    unsynced: VecDeque<Undo>,
    sequence: u64,
}

/// What a batch replaced, in the order it was replaced.
#[derive(Debug)]
struct Undo {
    replaced: Vec<Write>,
    sequence: u64,
}

impl MemoryStore {
    /// An empty store.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The power goes: drops a suffix of the unsynced batches and returns how many that were.
    /// `choice` picks the length, so that whoever owns the randomness decides: any number is valid,
    /// and with `n` unsynced batches the numbers modulo `n + 1` are the lengths.
    pub fn crash(&self, choice: u64) -> usize {
        let mut inner = self.lock();
        let lengths = u64::try_from(inner.unsynced.len()).expect("bounded") + 1;
        let lost = usize::try_from(choice % lengths).expect("at most the bounded length");
        for _ in 0..lost {
            let undo = inner.unsynced.pop_back().expect("lost is at most the length");
            inner.sequence = undo.sequence;
            for write in undo.replaced.into_iter().rev() {
                inner.apply(write);
            }
        }
        inner.unsynced.clear();
        lost
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().expect("nothing panics while holding the store")
    }
}

impl Inner {
    /// Makes one change and returns the one that takes it back.
    fn apply(&mut self, write: Write) -> Write {
        let Write { family, key, value } = write;
        let place = (family, key.clone());
        let before = match value {
            Some(value) => self.entries.insert(place, value),
            None => self.entries.remove(&place),
        };
        Write { family, key, value: before }
    }
}

impl KeyValue for MemoryStore {
    fn get(&self, family: Family, key: &[u8]) -> Result<Option<Vec<u8>>, StorageError> {
        Ok(self.lock().entries.get(&(family, key.to_vec())).cloned())
    }

    fn write(&self, batch: WriteBatch, durability: Durability) -> Result<(), StorageError> {
        let mut inner = self.lock();
        let sequence = inner.sequence;
        let replaced: Vec<Write> =
            batch.into_writes().into_iter().map(|write| inner.apply(write)).collect();
        inner.sequence += u64::try_from(replaced.len()).expect("a length fits 64 bits");
        match durability {
            Durability::Synced => inner.unsynced.clear(),
            Durability::Buffered if replaced.is_empty() => {}
            Durability::Buffered => inner.unsynced.push_back(Undo { replaced, sequence }),
        }
        if inner.unsynced.len() > UNSYNCED_MAX {
            inner.unsynced.pop_front();
        }
        Ok(())
    }

    fn range(&self, range: &Range) -> Result<Vec<Pair>, StorageError> {
        if range.is_empty() {
            return Ok(Vec::new());
        }
        let inner = self.lock();
        let bounds = (Bound::Included((range.family, range.from.clone())), upper(range));
        let entries = inner.entries.range(bounds);
        let own = |(place, value): (&(Family, Vec<u8>), &Vec<u8>)| {
            Ok::<_, Infallible>((place.1.clone(), value.clone()))
        };
        let found = if range.backward {
            gather(range, entries.rev().map(own))
        } else {
            gather(range, entries.map(own))
        };
        found.map_err(|never| match never {})
    }

    fn flush(&self) -> Result<(), StorageError> {
        self.lock().unsynced.clear();
        Ok(())
    }

    fn sequence(&self) -> u64 {
        self.lock().sequence
    }
}

/// Where a range ends in the one map of all families: at its end, or where the next family begins.
fn upper(range: &Range) -> Bound<(Family, Vec<u8>)> {
    if let Some(to) = &range.to {
        return Bound::Excluded((range.family, to.clone()));
    }
    match Family::ALL.into_iter().find(|family| *family > range.family) {
        Some(next) => Bound::Excluded((next, Vec::new())),
        None => Bound::Unbounded,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn put(store: &MemoryStore, key: u8, value: u8, durability: Durability) {
        let mut batch = WriteBatch::default();
        batch.put(Family::Chain, [key], [value]);
        batch.put(Family::Blocks, [key], [value]);
        store.write(batch, durability).unwrap();
    }

    fn keys(store: &MemoryStore) -> Vec<u8> {
        let pairs = store.range(&Range::all(Family::Chain)).unwrap();
        let blocks = store.range(&Range::all(Family::Blocks)).unwrap();
        assert_eq!(pairs, blocks, "batches are whole");
        pairs.into_iter().map(|(key, _)| key[0]).collect()
    }

    #[test]
    fn crash_drops_the_chosen_suffix_and_then_nothing_more() {
        for (choice, left) in [(0, 4), (1, 3), (2, 2), (3, 1), (4, 4), (5, 3)] {
            let store = MemoryStore::new();
            put(&store, 0, 0, Durability::Synced);
            (1..4).for_each(|key| put(&store, key, key, Durability::Buffered));
            assert_eq!(store.crash(choice), 4 - usize::from(left));
            assert_eq!(keys(&store), (0..left).collect::<Vec<u8>>());
            assert_eq!(store.sequence(), 2 * u64::from(left));
            assert_eq!(store.crash(1), 0, "what survived one crash is on disk");
        }
    }

    #[test]
    fn crash_brings_back_overwritten_and_deleted_values() {
        let store = MemoryStore::new();
        put(&store, 1, 10, Durability::Synced);
        put(&store, 1, 11, Durability::Buffered);
        let mut batch = WriteBatch::default();
        batch.delete(Family::Chain, [1]);
        batch.put(Family::Chain, [1], [12]);
        batch.delete(Family::Chain, [1]);
        store.write(batch, Durability::Buffered).unwrap();
        assert_eq!(store.get(Family::Chain, &[1]).unwrap(), None);
        assert_eq!(store.crash(1), 1);
        assert_eq!(store.get(Family::Chain, &[1]).unwrap(), Some(vec![11]));
        put(&store, 1, 12, Durability::Buffered);
        put(&store, 1, 13, Durability::Buffered);
        assert_eq!(store.crash(2), 2);
        assert_eq!(store.get(Family::Chain, &[1]).unwrap(), Some(vec![11]));
    }

    #[test]
    fn never_loses_what_was_flushed() {
        let store = MemoryStore::new();
        put(&store, 1, 1, Durability::Buffered);
        store.flush().unwrap();
        assert_eq!(store.crash(1), 0);
        put(&store, 2, 1, Durability::Buffered);
        store.write(WriteBatch::default(), Durability::Synced).unwrap();
        assert_eq!(store.crash(1), 0);
        assert_eq!(keys(&store), [1, 2]);
    }

    #[test]
    fn remembers_a_bounded_number_of_unsynced_batches() {
        let store = MemoryStore::new();
        for _ in 0..UNSYNCED_MAX + 10 {
            put(&store, 1, 1, Durability::Buffered);
        }
        let most = u64::try_from(UNSYNCED_MAX).unwrap();
        assert_eq!(store.crash(most + 1), 0, "one length more than there are batches is none");
        for _ in 0..UNSYNCED_MAX + 10 {
            put(&store, 1, 1, Durability::Buffered);
        }
        let before = store.sequence();
        assert_eq!(store.crash(most), UNSYNCED_MAX);
        assert_eq!(store.sequence(), before - 2 * most);
    }

    proptest! {
        #[test]
        fn a_crash_leaves_a_state_the_store_was_in_since_the_last_sync(
            writes in prop::collection::vec(
                (0u8..4, any::<u8>(), prop::bool::weighted(0.2)),
                0..30,
            ),
            choice: u64,
        ) {
            let store = MemoryStore::new();
            let state = || store.range(&Range::all(Family::Chain)).unwrap();
            let mut possible = vec![state()];
            for (key, value, synced) in writes {
                let how = if synced { Durability::Synced } else { Durability::Buffered };
                put(&store, key, value, how);
                if synced {
                    possible.clear();
                }
                possible.push(state());
            }
            let lost = store.crash(choice);
            prop_assert_eq!(&state(), &possible[possible.len() - 1 - lost]);
        }
    }
}
