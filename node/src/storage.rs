//! What a node keeps, where, and for how long.
//!
//! | What | Where | Written | Kept |
//! |---|---|---|---|
//! | promises of the own key (last vote, timeout, proposal) | [`vote_record`], one small file | synced, before any byte leaves | for ever, the newest only |
//! | blocks, certificates, batches, acknowledgements, streams | a [`KeyValue`] store | synced where a promise rests on it, buffered where peers can give it again | see [`Family`] |
//!
//! The vote record stands apart because a signature given twice cannot be repaired, and everything
//! else can be fetched again. It is 256 KiB behind [`Disk`], so small that every way a disk can
//! tear it is tested. The store is RocksDB behind feature `rocks`, and an ordered map in memory for
//! the simulator and for tests.
//!
//! # Invariants
//! - Nothing leaves the node before what it promises is synced.
//! - A failed write or sync is final: it is never retried, and every later call is refused. After a
//!   failed sync the operating system may have dropped the bytes and report success the next time.
//! - The store and the vote record each name one [`Incarnation`]; a store that was lost and made
//!   anew carries another, so that a node notices that it has forgotten what it acknowledged.
//! - Each notices an older copy of the other if the host notes [`KeyValue::sequence`] in the vote
//!   record and [`VoteRecord::sequence`] in the store. A copy of the whole folder put back is not
//!   noticed here: nothing on this machine remembers it.

pub mod batches;
pub mod blocks;
pub mod disk;
mod identity;
mod keys;
mod kv;
mod lock;
mod memory;
pub mod ordered;
pub mod recover;
#[cfg(feature = "rocks")]
mod rocks;
pub mod serve;
mod typed;
pub mod vote_record;

#[cfg(test)]
mod kv_tests;

pub use batches::BatchStore;
pub use blocks::BlockStore;
pub use disk::{Disk, DiskError, RealDisk};
pub use identity::{FORMAT, Incarnation, establish_identity};
pub use keys::Key;
pub use kv::{Durability, Family, KeyValue, Pair, Range, Write, WriteBatch};
pub use memory::MemoryStore;
pub use ordered::OrderedStore;
pub use recover::{Recovery, Stores, recover};
#[cfg(feature = "rocks")]
pub use rocks::RocksStore;
pub use vote_record::{Damage, Opened, VoteRecord, VoteRecordError};

use std::error::Error;
use std::path::PathBuf;

/// Why the store cannot answer. Every one of them is the end of the running node: it stops and says
/// why rather than going on with a store it cannot trust.
#[derive(Debug, thiserror::Error)]
pub enum StorageError {
    /// Another process holds the folder.
    #[error("another process uses the folder {}", folder.display())]
    InUse {
        /// The folder of the store.
        folder: PathBuf,
    },
    /// The folder itself cannot be made, read or locked.
    #[error("cannot use the folder {}: {source}", folder.display())]
    Folder {
        /// The folder of the store.
        folder: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// The folder holds data but lacks the file that says which of it is current.
    #[error("the folder {} holds store files but no list of them: part of it was removed", folder.display())]
    Incomplete {
        /// The folder of the store.
        folder: PathBuf,
    },
    /// The store holds data but not the entries that say whose it is.
    #[error("the store lacks its {entry} entry, or it is unreadable: part of it was lost")]
    NoIdentity {
        /// Which entry of [`Family::Meta`].
        entry: &'static str,
    },
    /// The store was written by another version of this program.
    #[error("the store has format {found}, this program knows {known}")]
    Format {
        /// The number in the store.
        found: u32,
        /// The number this program reads and writes.
        known: u32,
    },
    /// Stored bytes do not match their checksum.
    #[error("stored data is damaged ({doing}): {source}")]
    Corrupt {
        /// What was being done.
        doing: &'static str,
        /// What the engine said.
        source: Box<dyn Error + Send + Sync>,
    },
    /// The engine failed otherwise: no space, an input or output error, files it does not know.
    #[error("the store failed ({doing}): {source}")]
    Engine {
        /// What was being done.
        doing: &'static str,
        /// What the engine said.
        source: Box<dyn Error + Send + Sync>,
    },
    /// An earlier write or sync failed.
    #[error("an earlier write to the store failed: it accepts nothing more")]
    Failed,
}
