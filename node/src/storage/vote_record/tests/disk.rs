//! A disk that keeps in a crash only the unsynced bytes a test chooses.

use std::collections::BTreeMap;
use std::io;

use super::super::super::{Disk, DiskError};

#[derive(Clone, PartialEq, Eq, Debug, Default)]
struct File {
    /// What a reader sees.
    visible: Vec<u8>,
    /// What the medium holds for certain.
    durable: Vec<u8>,
    /// Writes since the last sync, in order.
    unsynced: Vec<(usize, Vec<u8>)>,
    named: bool,
}

#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct FaultyDisk {
    files: BTreeMap<String, File>,
    fail_next_sync: bool,
    failed: bool,
    /// A folder whose names are never made durable.
    ignore_sync_dir: bool,
}

impl FaultyDisk {
    pub(super) fn ignoring_sync_dir() -> Self {
        Self { ignore_sync_dir: true, ..Self::default() }
    }

    pub(super) fn fail_next_sync(&mut self) {
        self.fail_next_sync = true;
    }

    pub(super) fn visible(&self, name: &str) -> &[u8] {
        &self.files[name].visible
    }

    /// The medium changes its mind about a file: rot, truncation, an old copy.
    pub(super) fn damage(&mut self, name: &str, damage: impl FnOnce(&mut Vec<u8>)) {
        let file = self.files.get_mut(name).unwrap();
        damage(&mut file.visible);
        file.durable.clone_from(&file.visible);
    }

    pub(super) fn put_file(&mut self, name: &str, bytes: Vec<u8>) {
        let file = File { durable: bytes.clone(), visible: bytes, unsynced: vec![], named: true };
        self.files.insert(name.to_owned(), file);
    }

    /// Bytes written to a file since its last sync.
    pub(super) fn unsynced_bytes(&self, name: &str) -> usize {
        self.files[name].unsynced.iter().map(|(_, bytes)| bytes.len()).sum()
    }

    /// The process died and another starts; the system kept running.
    pub(super) fn restarted(mut self) -> Self {
        (self.failed, self.fail_next_sync) = (false, false);
        self
    }

    /// The power went. `survives(index, offset)` says of each unsynced byte, counted in the order
    /// of writing, with its offset in the file, whether it reached the medium.
    pub(super) fn crashed(self, survives: impl Fn(usize, usize) -> bool) -> Self {
        let mut disk = self.restarted();
        disk.files.retain(|_, file| file.named);
        for file in disk.files.values_mut() {
            let mut index = 0;
            for (offset, bytes) in std::mem::take(&mut file.unsynced) {
                for (place, byte) in (offset..).zip(bytes) {
                    if survives(index, place) {
                        file.durable[place] = byte;
                    }
                    index += 1;
                }
            }
            file.visible.clone_from(&file.durable);
        }
        disk
    }

    fn check_alive(&self) -> Result<(), DiskError> {
        if self.failed { Err(DiskError::Failed) } else { Ok(()) }
    }

    fn file(&mut self, name: &str) -> Result<&mut File, DiskError> {
        self.files.get_mut(name).ok_or_else(|| DiskError::NotFound { name: name.to_owned() })
    }

    fn sync(&mut self) -> Result<(), DiskError> {
        self.check_alive()?;
        if self.fail_next_sync {
            self.failed = true;
            let source = io::Error::other("injected");
            return Err(DiskError::Io { act: "sync", name: String::new(), source });
        }
        Ok(())
    }
}

impl Disk for FaultyDisk {
    fn exists(&mut self, name: &str) -> Result<bool, DiskError> {
        self.check_alive()?;
        Ok(self.files.contains_key(name))
    }

    fn create_sized(&mut self, name: &str, bytes: u64) -> Result<(), DiskError> {
        self.check_alive()?;
        if self.files.contains_key(name) {
            return Err(DiskError::Exists { name: name.to_owned() });
        }
        let zeros = vec![0; usize::try_from(bytes).unwrap()];
        let file = File { durable: zeros.clone(), visible: zeros, ..File::default() };
        self.files.insert(name.to_owned(), file);
        Ok(())
    }

    fn read_all(&mut self, name: &str, bytes_max: u64) -> Result<Vec<u8>, DiskError> {
        self.check_alive()?;
        let bytes = self.file(name)?.visible.clone();
        let length = u64::try_from(bytes.len()).unwrap();
        if length > bytes_max {
            return Err(DiskError::TooLong { name: name.to_owned(), bytes: length, bytes_max });
        }
        Ok(bytes)
    }

    fn write_at(&mut self, name: &str, offset: u64, bytes: &[u8]) -> Result<(), DiskError> {
        self.check_alive()?;
        let file = self.file(name)?;
        let offset = usize::try_from(offset).unwrap();
        file.visible[offset..offset + bytes.len()].copy_from_slice(bytes);
        file.unsynced.push((offset, bytes.to_vec()));
        Ok(())
    }

    fn sync_data(&mut self, name: &str) -> Result<(), DiskError> {
        self.sync()?;
        let file = self.file(name)?;
        for (offset, bytes) in std::mem::take(&mut file.unsynced) {
            file.durable[offset..offset + bytes.len()].copy_from_slice(&bytes);
        }
        Ok(())
    }

    fn sync_dir(&mut self) -> Result<(), DiskError> {
        self.sync()?;
        if !self.ignore_sync_dir {
            self.files.values_mut().for_each(|file| file.named = true);
        }
        Ok(())
    }
}
