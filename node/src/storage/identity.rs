//! Which store this is: a random number drawn when it is made, and the number of its format.

use std::fmt;

use super::{Durability, Family, KeyValue, Range, StorageError, WriteBatch};

/// The format of keys and values this program reads and writes.
pub const FORMAT: u32 = 1;

const FORMAT_KEY: &[u8] = b"format";
const INCARNATION_KEY: &[u8] = b"incarnation";

/// A random name for one life of a store. The vote record repeats it: if the two differ, the store
/// was lost and made anew, and what it had acknowledged is forgotten.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Incarnation(pub [u8; 16]);

impl fmt::Display for Incarnation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// Reads the incarnation of a store, or gives an empty one `fresh` and makes that durable.
/// `fresh` must be random. [`StorageError::NoIdentity`] if the store has entries but no identity.
pub fn establish_identity(
    store: &dyn KeyValue,
    fresh: Incarnation,
) -> Result<Incarnation, StorageError> {
    let format = store.get(Family::Meta, FORMAT_KEY)?;
    let incarnation = store.get(Family::Meta, INCARNATION_KEY)?;
    if format.is_none() && incarnation.is_none() && is_empty(store)? {
        let mut batch = WriteBatch::default();
        batch.put(Family::Meta, FORMAT_KEY, FORMAT.to_be_bytes());
        batch.put(Family::Meta, INCARNATION_KEY, fresh.0);
        store.write(batch, Durability::Synced)?;
        return Ok(fresh);
    }
    let format = format.and_then(|bytes| Some(u32::from_be_bytes(bytes.try_into().ok()?)));
    match format {
        Some(FORMAT) => {}
        Some(found) => {
            return Err(StorageError::Format { found, known: FORMAT });
        }
        None => return Err(StorageError::NoIdentity { entry: "format" }),
    }
    let incarnation = incarnation.and_then(|bytes| Some(Incarnation(bytes.try_into().ok()?)));
    incarnation.ok_or(StorageError::NoIdentity { entry: "incarnation" })
}

fn is_empty(store: &dyn KeyValue) -> Result<bool, StorageError> {
    for family in Family::ALL {
        let any = Range::all(family).entries_max(1);
        if !store.range(&any)?.is_empty() {
            return Ok(false);
        }
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::MemoryStore;

    const ONE: Incarnation = Incarnation([1; 16]);
    const TWO: Incarnation = Incarnation([2; 16]);

    fn put(store: &MemoryStore, key: &[u8], value: &[u8]) {
        let mut batch = WriteBatch::default();
        batch.put(Family::Meta, key, value);
        store.write(batch, Durability::Synced).unwrap();
    }

    #[test]
    fn keeps_the_first_incarnation_also_across_a_crash() {
        let store = MemoryStore::new();
        assert_eq!(establish_identity(&store, ONE).unwrap(), ONE);
        store.crash(u64::MAX);
        assert_eq!(establish_identity(&store, TWO).unwrap(), ONE);
        assert_eq!(ONE.to_string(), "01".repeat(16));
    }

    #[test]
    fn refuses_another_format() {
        let store = MemoryStore::new();
        establish_identity(&store, ONE).unwrap();
        put(&store, FORMAT_KEY, &2u32.to_be_bytes());
        let refused = establish_identity(&store, ONE);
        assert!(matches!(refused, Err(StorageError::Format { found: 2, known: FORMAT })));
    }

    #[test]
    fn refuses_entries_without_identity() {
        let store = MemoryStore::new();
        let mut batch = WriteBatch::default();
        batch.put(Family::Acks, b"k", b"v");
        store.write(batch, Durability::Synced).unwrap();
        let refused = establish_identity(&store, ONE);
        assert!(matches!(refused, Err(StorageError::NoIdentity { entry: "format" })));

        put(&store, FORMAT_KEY, &FORMAT.to_be_bytes());
        put(&store, INCARNATION_KEY, &[1; 15]);
        let refused = establish_identity(&store, ONE);
        assert!(matches!(refused, Err(StorageError::NoIdentity { entry: "incarnation" })));
    }
}
