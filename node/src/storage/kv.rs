//! The key-value seam: the little that a node asks of an ordered store, so that the simulator runs
//! the same storage code over a map in memory and needs no C++.

use super::{Key, StorageError};

/// The parts of the store. Each is an ordered map of its own with its own keys; numbers in keys are
/// big-endian ([`Key`]). The list is fixed: a new family is a new [`super::FORMAT`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Family {
    /// Text key -> single facts: format, incarnation, what is synced up to where. For ever.
    Meta,
    /// Block hash -> header and body, of blocks voted for and of committed ones. Until pruned.
    Blocks,
    /// Height -> hash of the committed block and the certificates that commit it. For ever.
    Chain,
    /// (epoch, lane, seq, digest) -> batch. Until ordered and past its window.
    Batches,
    /// (epoch, lane, seq) -> digest acknowledged there. Until the lane closes.
    Acks,
    /// Height -> what ordering came to there, and checkpoints of ordering. Until pruned.
    Ordered,
    /// (rollup, sequence) -> what a rollup receives. Until pruned.
    Streams,
    /// (rollup, transaction id) -> where it was ordered. Until past its window.
    Transactions,
    /// Hash of a proof of misbehaviour -> the proof. For ever.
    Evidence,
}

impl Family {
    /// Every family.
    pub const ALL: [Self; 9] = [
        Self::Meta,
        Self::Blocks,
        Self::Chain,
        Self::Batches,
        Self::Acks,
        Self::Ordered,
        Self::Streams,
        Self::Transactions,
        Self::Evidence,
    ];

    /// The name on disk.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Meta => "meta",
            Self::Blocks => "blocks",
            Self::Chain => "chain",
            Self::Batches => "batches",
            Self::Acks => "acks",
            Self::Ordered => "ordered",
            Self::Streams => "streams",
            Self::Transactions => "transactions",
            Self::Evidence => "evidence",
        }
    }
}

/// What survives a power cut once a write returned.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Durability {
    /// This write and every earlier one.
    Synced,
    /// A prefix of the writes since the last synced one: the end of the row may be lost, in whole
    /// batches, and nothing from its middle.
    Buffered,
}

/// One change: a value to set, or none to delete.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Write {
    /// In which family.
    pub family: Family,
    /// Under which key.
    pub key: Vec<u8>,
    /// The new value; `None` deletes.
    pub value: Option<Vec<u8>>,
}

/// Changes that happen together or not at all, in order: of two for one key the later stays.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct WriteBatch {
    writes: Vec<Write>,
}

impl WriteBatch {
    /// Sets a value.
    pub fn put(&mut self, family: Family, key: impl Into<Vec<u8>>, value: impl Into<Vec<u8>>) {
        self.writes.push(Write { family, key: key.into(), value: Some(value.into()) });
    }

    /// Deletes a key; nothing happens if there is none.
    pub fn delete(&mut self, family: Family, key: impl Into<Vec<u8>>) {
        self.writes.push(Write { family, key: key.into(), value: None });
    }

    /// Whether there is nothing to write.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.writes.is_empty()
    }

    /// The changes in order.
    #[must_use]
    pub fn into_writes(self) -> Vec<Write> {
        self.writes
    }
}

/// A key and its value.
pub type Pair = (Vec<u8>, Vec<u8>);

/// Which entries to read: keys from `from` up to but not including `to`, in either direction, never
/// more than the stated number and bytes. A reader goes on from the last key it got.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Range {
    /// In which family.
    pub family: Family,
    /// The lowest key, included.
    pub from: Vec<u8>,
    /// The key above the highest; `None` reads to the end.
    pub to: Option<Vec<u8>>,
    /// From high to low.
    pub backward: bool,
    /// The most entries to return.
    pub entries_max: usize,
    /// Stop after the entry whose keys and values bring the sum to this many bytes; so one entry is
    /// always returned if there is one.
    pub bytes_max: usize,
}

impl Range {
    /// Entries a range returns at most unless told otherwise.
    pub const ENTRIES_MAX: usize = 1024;
    /// Bytes after which a range stops unless told otherwise.
    pub const BYTES_MAX: usize = 8 << 20;

    /// The whole family, forward.
    #[must_use]
    pub const fn all(family: Family) -> Self {
        Self {
            family,
            from: Vec::new(),
            to: None,
            backward: false,
            entries_max: Self::ENTRIES_MAX,
            bytes_max: Self::BYTES_MAX,
        }
    }

    /// Every key that begins with `prefix`, forward.
    #[must_use]
    pub fn prefix(family: Family, prefix: Key) -> Self {
        let to = prefix.after_prefix().map(Into::into);
        Self { from: prefix.into(), to, ..Self::all(family) }
    }

    /// Keys from `from` on.
    #[must_use]
    pub fn from(self, from: impl Into<Vec<u8>>) -> Self {
        Self { from: from.into(), ..self }
    }

    /// Keys below `to`.
    #[must_use]
    pub fn to(self, to: impl Into<Vec<u8>>) -> Self {
        Self { to: Some(to.into()), ..self }
    }

    /// From high to low.
    #[must_use]
    pub fn backward(self) -> Self {
        Self { backward: true, ..self }
    }

    /// At most so many entries.
    #[must_use]
    pub fn entries_max(self, entries_max: usize) -> Self {
        Self { entries_max, ..self }
    }

    /// Stop once so many bytes are reached.
    #[must_use]
    pub fn bytes_max(self, bytes_max: usize) -> Self {
        Self { bytes_max, ..self }
    }

    /// Whether no key can lie inside.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries_max == 0 || self.to.as_ref().is_some_and(|to| *to <= self.from)
    }
}

/// An ordered store of bytes. Calls may come from several threads at once; a read sees every write
/// that returned before it began.
pub trait KeyValue: Send + Sync {
    /// The value under a key.
    fn get(&self, family: Family, key: &[u8]) -> Result<Option<Vec<u8>>, StorageError>;

    /// Applies a batch, all or nothing, and returns once it is as durable as asked. A failure is
    /// final: every later write is refused with [`StorageError::Failed`].
    fn write(&self, batch: WriteBatch, durability: Durability) -> Result<(), StorageError>;

    /// Entries of a range, in its direction.
    fn range(&self, range: &Range) -> Result<Vec<Pair>, StorageError>;

    /// Makes every write so far durable.
    fn flush(&self) -> Result<(), StorageError>;

    /// How many changes this store has ever taken. After a crash it is at least what it was when
    /// the last synced write returned, unless the store lost what it had promised to keep or an
    /// older copy was put back: the host notes it elsewhere and compares.
    fn sequence(&self) -> u64;
}

/// Gathers entries until a range's bounds are reached; shared so that every store stops alike.
pub(super) fn gather<E>(
    range: &Range,
    entries: impl Iterator<Item = Result<Pair, E>>,
) -> Result<Vec<Pair>, E> {
    let mut found = Vec::new();
    let mut bytes = 0usize;
    for entry in entries.take(range.entries_max) {
        let (key, value) = entry?;
        bytes = bytes.saturating_add(key.len()).saturating_add(value.len());
        found.push((key, value));
        if bytes >= range.bytes_max {
            break;
        }
    }
    Ok(found)
}
