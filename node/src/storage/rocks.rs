//! The store on disk: RocksDB, one column family for each [`Family`].
//!
//! Sized for a small machine: 64 MiB of memory for unwritten data and 32 MiB of cache for all
//! families together. A synced write syncs the write-ahead log, and with it all writes before.
//!
//! # Invariants
//! - Opening cuts the log at its first unreadable record, as after a power cut, and refuses if a
//!   synced log that was already closed is missing or short. A log cut too early, by rot in the
//!   newest file, shows as a [`KeyValue::sequence`] lower than one noted elsewhere.
//! - After one failed write nothing more is written.

use std::fs;
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::available_parallelism;

use rocksdb::{
    BlockBasedOptions, Cache, ColumnFamily, ColumnFamilyDescriptor, DB, DBCompressionType,
    DBRecoveryMode, ErrorKind, IteratorMode, Options, ReadOptions, WriteOptions,
};

use super::disk::sync_parent;
use super::kv::gather;
use super::lock::FolderLock;
use super::{Durability, Family, KeyValue, Pair, Range, StorageError, WriteBatch};

/// Memory for data not yet in a sorted file, all families together, in bytes.
const WRITE_BUFFER_BYTES: usize = 64 << 20;
/// Memory for blocks read back, indexes and filters, all families together, in bytes.
const BLOCK_CACHE_BYTES: usize = 32 << 20;
/// Bytes of log after which families that hold it back are written out.
const LOG_BYTES_MAX: u64 = 256 << 20;
/// Bytes of a block, the unit of reading and of compression.
const BLOCK_BYTES: usize = 16 << 10;
/// Bits a key in the filters that spare a read of files without it; about 1 % pass wrongly.
const FILTER_BITS_PER_KEY: f64 = 10.0;
/// Files held open at once.
const OPEN_FILES_MAX: i32 = 512;
/// Threads that write out and merge files; less on a machine with fewer cores.
const BACKGROUND_THREADS_MAX: usize = 4;
/// RocksDB's own notes (`LOG`): files kept, and bytes of each.
const NOTE_FILES_MAX: usize = 4;
const NOTE_FILE_BYTES_MAX: usize = 4 << 20;

/// A RocksDB in one folder, which no other process can open meanwhile.
#[derive(Debug)]
pub struct RocksStore {
    db: DB,
    failed: AtomicBool,
    /// Dropped after the database is closed.
    _lock: FolderLock,
}

impl RocksStore {
    /// Opens the store in `folder`, or makes one if the folder is missing or holds none. Refuses
    /// with [`StorageError::InUse`] while another process has it open, and with
    /// [`StorageError::Incomplete`] if data is there without the file that says what of it counts.
    ///
    /// A store that was made anew looks like any other: ask [`super::establish_identity`] which one
    /// it is before relying on it.
    pub fn open(folder: &Path) -> Result<Self, StorageError> {
        let failed = |source| StorageError::Folder { folder: folder.to_path_buf(), source };
        fs::create_dir_all(folder).map_err(failed)?;
        // RocksDB syncs the names in its folder, and nobody the folder's own.
        sync_parent(folder).map_err(failed)?;
        let lock = FolderLock::take(folder).map_err(failed)?;
        let lock = lock.ok_or_else(|| StorageError::InUse { folder: folder.to_path_buf() })?;
        let create = match look(folder).map_err(failed)? {
            Found::Store => false,
            Found::Nothing => true,
            Found::Remains => {
                return Err(StorageError::Incomplete { folder: folder.to_path_buf() });
            }
        };
        Self::open_locked(folder, &store_options(create), lock)
    }

    fn open_locked(
        folder: &Path,
        options: &Options,
        lock: FolderLock,
    ) -> Result<Self, StorageError> {
        let shape = family_options();
        let family = |family: Family| ColumnFamilyDescriptor::new(family.name(), shape.clone());
        let db = DB::open_cf_descriptors(options, folder, Family::ALL.map(family));
        let db = db.map_err(|error| refusal("opening", error))?;
        Ok(Self { db, failed: AtomicBool::new(false), _lock: lock })
    }

    fn family(&self, family: Family) -> &ColumnFamily {
        self.db.cf_handle(family.name()).expect("every family was opened or made")
    }

    /// Runs a write; its failure is the last thing this store does.
    fn finally(
        &self,
        doing: &'static str,
        write: impl FnOnce() -> Result<(), rocksdb::Error>,
    ) -> Result<(), StorageError> {
        if self.failed.load(Ordering::SeqCst) {
            return Err(StorageError::Failed);
        }
        write().map_err(|error| {
            self.failed.store(true, Ordering::SeqCst);
            refusal(doing, error)
        })
    }
}

impl KeyValue for RocksStore {
    fn get(&self, family: Family, key: &[u8]) -> Result<Option<Vec<u8>>, StorageError> {
        self.db.get_cf(self.family(family), key).map_err(|error| refusal("reading", error))
    }

    fn write(&self, batch: WriteBatch, durability: Durability) -> Result<(), StorageError> {
        if batch.is_empty() {
            return match durability {
                Durability::Synced => self.flush(),
                Durability::Buffered => Ok(()),
            };
        }
        let mut changes = rocksdb::WriteBatch::default();
        for write in batch.into_writes() {
            let family = self.family(write.family);
            match write.value {
                Some(value) => changes.put_cf(family, write.key, value),
                None => changes.delete_cf(family, write.key),
            }
        }
        let mut how = WriteOptions::default();
        how.set_sync(durability == Durability::Synced);
        self.finally("writing", || self.db.write_opt(changes, &how))
    }

    fn range(&self, range: &Range) -> Result<Vec<Pair>, StorageError> {
        if range.is_empty() {
            return Ok(Vec::new());
        }
        let mut how = ReadOptions::default();
        how.set_iterate_lower_bound(range.from.clone());
        if let Some(to) = &range.to {
            how.set_iterate_upper_bound(to.clone());
        }
        let start = if range.backward { IteratorMode::End } else { IteratorMode::Start };
        let entries = self.db.iterator_cf_opt(self.family(range.family), how, start);
        let entries = entries.map(|entry| entry.map(|(key, value)| (key.into(), value.into())));
        gather(range, entries).map_err(|error| refusal("reading a range", error))
    }

    fn flush(&self) -> Result<(), StorageError> {
        self.finally("syncing", || self.db.flush_wal(true))
    }

    fn sequence(&self) -> u64 {
        self.db.latest_sequence_number()
    }
}

/// What a folder holds.
enum Found {
    /// Nothing of a store, or the beginnings of one that never took a write.
    Nothing,
    /// A store.
    Store,
    /// Data or logs, but not the file that lists them. RocksDB would start anew and delete them.
    Remains,
}

fn look(folder: &Path) -> io::Result<Found> {
    let mut found = Found::Nothing;
    for entry in fs::read_dir(folder)? {
        let name = entry?.file_name();
        let name = Path::new(&name);
        if name == Path::new("CURRENT") {
            return Ok(Found::Store);
        }
        if name.extension().is_some_and(|kind| kind == "sst" || kind == "log" || kind == "blob") {
            found = Found::Remains;
        }
    }
    Ok(found)
}

fn store_options(create: bool) -> Options {
    let mut options = Options::default();
    options.create_if_missing(create);
    options.create_missing_column_families(true);
    options.set_paranoid_checks(true);
    options.set_wal_recovery_mode(DBRecoveryMode::PointInTime);
    options.set_track_and_verify_wals_in_manifest(true);
    options.set_max_total_wal_size(LOG_BYTES_MAX);
    options.set_db_write_buffer_size(WRITE_BUFFER_BYTES);
    options.set_max_open_files(OPEN_FILES_MAX);
    options.set_keep_log_file_num(NOTE_FILES_MAX);
    options.set_max_log_file_size(NOTE_FILE_BYTES_MAX);
    let cores = available_parallelism().map_or(1, usize::from).min(BACKGROUND_THREADS_MAX);
    options.increase_parallelism(i32::try_from(cores).expect("at most the named bound"));
    options
}

/// The same for every family; the clones share one cache.
fn family_options() -> Options {
    let mut table = BlockBasedOptions::default();
    table.set_block_cache(&Cache::new_lru_cache(BLOCK_CACHE_BYTES));
    table.set_block_size(BLOCK_BYTES);
    table.set_bloom_filter(FILTER_BITS_PER_KEY, false);
    // Counted in the cache, so that memory does not grow with the store.
    table.set_cache_index_and_filter_blocks(true);
    table.set_pin_l0_filter_and_index_blocks_in_cache(true);
    let mut options = Options::default();
    options.set_block_based_table_factory(&table);
    options.set_compression_type(DBCompressionType::Lz4);
    options
}

fn refusal(doing: &'static str, error: rocksdb::Error) -> StorageError {
    let corrupt = error.kind() == ErrorKind::Corruption;
    let source = Box::new(error);
    if corrupt {
        StorageError::Corrupt { doing, source }
    } else {
        StorageError::Engine { doing, source }
    }
}

#[cfg(test)]
mod tests;
