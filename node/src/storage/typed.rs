//! Values of the store as what they mean: canonical encoding in, checked decoding out.

use super::{Family, KeyValue, StorageError};
use chorale_types::codec::{Decode, decode_exact};
use thiserror::Error;

/// Entries that do not fit each other. The store promised more than it kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("{what} is missing although something stored names it")]
struct Missing {
    what: &'static str,
}

/// Decodes a stored value.
pub(super) fn decode<T: Decode>(doing: &'static str, bytes: &[u8]) -> Result<T, StorageError> {
    decode_exact(bytes).map_err(|error| StorageError::Corrupt { doing, source: Box::new(error) })
}

/// Reads and decodes the value under a key.
pub(super) fn get<T: Decode>(
    store: &dyn KeyValue,
    family: Family,
    key: &[u8],
    doing: &'static str,
) -> Result<Option<T>, StorageError> {
    store.get(family, key)?.map(|bytes| decode(doing, &bytes)).transpose()
}

/// The refusal of a store that names `what` and does not hold it.
pub(super) fn missing(doing: &'static str, what: &'static str) -> StorageError {
    StorageError::Corrupt { doing, source: Box::new(Missing { what }) }
}

/// The part of a key at `at`, as a big-endian number.
pub(super) fn number(key: &[u8], at: usize) -> Option<u64> {
    key.get(at..)?.first_chunk().copied().map(u64::from_be_bytes)
}
