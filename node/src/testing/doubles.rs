//! A store and a disk that tell when they sync, and fail or hang when told to.

use crate::storage::{
    Disk, DiskError, Durability, Family, KeyValue, MemoryStore, Pair, Range, StorageError,
    WriteBatch,
};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, RwLock};

/// What the doubles are told and tell.
#[derive(Clone, Default)]
pub(crate) struct Control {
    log: Arc<Mutex<Vec<&'static str>>>,
    pub(crate) store_fails: Arc<AtomicBool>,
    pub(crate) disk_fails: Arc<AtomicBool>,
    /// While somebody holds this for writing, nothing syncs.
    pub(crate) hang: Arc<RwLock<()>>,
}

impl Control {
    pub(crate) fn push(&self, what: &'static str) {
        self.log.lock().unwrap().push(what);
    }

    /// What happened since the last call, in order.
    pub(crate) fn take(&self) -> Vec<&'static str> {
        std::mem::take(&mut self.log.lock().unwrap())
    }

    fn sync(&self, what: &'static str, fails: &AtomicBool) -> bool {
        let _may = self.hang.read().unwrap();
        let fails = fails.load(Ordering::SeqCst);
        if !fails {
            self.push(what);
        }
        fails
    }
}

/// A store in memory.
#[derive(Default)]
pub(crate) struct LoggedStore {
    pub(crate) inner: Arc<MemoryStore>,
    pub(crate) control: Control,
}

impl KeyValue for LoggedStore {
    fn get(&self, family: Family, key: &[u8]) -> Result<Option<Vec<u8>>, StorageError> {
        self.inner.get(family, key)
    }

    fn write(&self, batch: WriteBatch, durability: Durability) -> Result<(), StorageError> {
        let synced = durability == Durability::Synced;
        if synced && self.control.sync("store", &self.control.store_fails) {
            return Err(StorageError::Failed);
        }
        self.inner.write(batch, durability)
    }

    fn range(&self, range: &Range) -> Result<Vec<Pair>, StorageError> {
        self.inner.range(range)
    }

    fn flush(&self) -> Result<(), StorageError> {
        if self.control.sync("store", &self.control.store_fails) {
            return Err(StorageError::Failed);
        }
        self.inner.flush()
    }

    fn sequence(&self) -> u64 {
        self.inner.sequence()
    }
}

/// One file in memory.
#[derive(Default)]
pub(crate) struct LoggedDisk {
    pub(crate) file: Option<Vec<u8>>,
    pub(crate) control: Control,
}

impl Disk for LoggedDisk {
    fn exists(&mut self, _: &str) -> Result<bool, DiskError> {
        Ok(self.file.is_some())
    }

    fn create_sized(&mut self, _: &str, bytes: u64) -> Result<(), DiskError> {
        self.file = Some(vec![0; usize::try_from(bytes).unwrap()]);
        Ok(())
    }

    fn read_all(&mut self, name: &str, _: u64) -> Result<Vec<u8>, DiskError> {
        self.file.clone().ok_or_else(|| DiskError::NotFound { name: name.to_owned() })
    }

    fn write_at(&mut self, _: &str, offset: u64, bytes: &[u8]) -> Result<(), DiskError> {
        let offset = usize::try_from(offset).unwrap();
        let file = self.file.as_mut().expect("created");
        file[offset..offset + bytes.len()].copy_from_slice(bytes);
        Ok(())
    }

    fn sync_data(&mut self, _: &str) -> Result<(), DiskError> {
        if self.control.sync("record", &self.control.disk_fails) {
            return Err(DiskError::Failed);
        }
        Ok(())
    }

    fn sync_dir(&mut self) -> Result<(), DiskError> {
        Ok(())
    }
}
