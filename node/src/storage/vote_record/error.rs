//! Why a vote record is not one to vote from.

use super::super::{DiskError, Incarnation};
use super::layout::FILE_BYTES;

/// Why there is no vote record to vote from. The node observes and says so.
#[derive(Debug, thiserror::Error)]
pub enum VoteRecordError {
    /// There is no such file: it was deleted, or its creation never finished.
    #[error("the vote record is missing: what this key has signed is not known")]
    Missing,
    /// The file is there and cannot be trusted.
    #[error("the vote record is damaged: {why}; what this key has signed is not known")]
    Damaged {
        /// How.
        why: Damage,
    },
    /// An older copy was put back, or newer records were lost.
    #[error("the vote record ends at {found}, but {floor} was reached: an older copy was put back")]
    RolledBack {
        /// The newest sequence in the file.
        found: u64,
        /// The sequence noted elsewhere.
        floor: u64,
    },
    /// The file goes with another store: the store was lost, or one of the two was copied.
    #[error("the vote record goes with store {found}, but the store is {expected}")]
    WrongIncarnation {
        /// What the vote record names.
        found: Incarnation,
        /// What the store says it is.
        expected: Incarnation,
    },
    /// The payload does not fit a slot. Nothing was written.
    #[error("a vote record of {bytes} bytes is more than {bytes_max}")]
    TooLarge {
        /// Its size.
        bytes: usize,
        /// [`super::PAYLOAD_BYTES_MAX`].
        bytes_max: usize,
    },
    /// The disk failed. Whether the last write is durable is not known, and nothing may be sent on
    /// it.
    #[error("the vote record's disk failed: {0}")]
    Disk(#[from] DiskError),
}

/// How a vote record is damaged.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Damage {
    /// It was cut, or something was added.
    #[error("the file has {bytes} bytes, not {}", FILE_BYTES)]
    Size {
        /// Its size.
        bytes: u64,
    },
    /// No copy of any slot is whole.
    #[error("no stored copy is whole")]
    Unreadable,
    /// Another version of this program wrote it.
    #[error("it has format {found}, which this program does not know")]
    Version {
        /// The number in the file.
        found: u32,
    },
    /// A slot lost bytes that no write changes, so it was not a write that was interrupted.
    #[error("slot {slot} was overwritten by something else")]
    NotInterrupted {
        /// Which slot.
        slot: usize,
    },
    /// The slots do not follow each other, so a record between them was lost.
    #[error("the slots hold records {older} and {newer}, which do not follow each other")]
    Gap {
        /// The lower sequence.
        older: u64,
        /// The higher sequence.
        newer: u64,
    },
}
