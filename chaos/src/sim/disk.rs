//! A disk that keeps its word and nothing more: what was synced stays, what was not may be gone,
//! half there, or there without what was written before it.
//!
//! # Invariants
//! A crash changes only bytes that an unsynced write covers, and each to a value it had before or
//! one that was written to it.

use crate::rng::Rng;
use chorale_node::storage::{Disk, DiskError};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io;
use std::rc::Rc;

/// What a medium writes as one.
const SECTOR_BYTES: usize = 512;

#[derive(Clone, Debug, Default)]
struct File {
    bytes: Vec<u8>,
    /// Writes since the last sync: where, what was there, what was written.
    unsynced: Vec<(usize, Vec<u8>, Vec<u8>)>,
    /// Whether the name survives a crash.
    named: bool,
    /// Where the next write lands, if not where it should.
    misdirected: Option<usize>,
}

/// Named files in memory, with a crash. A handle: clones are the same disk, so that whoever made a
/// node can still tear its disk while the node owns it.
#[derive(Clone, Debug, Default)]
pub struct SimDisk(Rc<RefCell<Inner>>);

#[derive(Debug, Default)]
struct Inner {
    files: BTreeMap<String, File>,
    /// Writes and syncs that still succeed; after them everything fails.
    left: Option<u32>,
    failed: bool,
}

impl SimDisk {
    /// Lets `calls` more writes and syncs succeed and then none.
    pub fn fail_after(&self, calls: u32) {
        self.0.borrow_mut().left = Some(calls);
    }

    /// The process is gone and the system is not: a successor reads everything that was written.
    pub fn restart(&self) {
        let mut inner = self.0.borrow_mut();
        (inner.left, inner.failed) = (None, false);
    }

    /// The power goes: of every unsynced write some part survives.
    pub fn lose_power(&self, rng: &mut Rng) {
        self.restart();
        let mut inner = self.0.borrow_mut();
        inner.files.retain(|_, file| file.named || rng.chance(500_000));
        for file in inner.files.values_mut() {
            let unsynced = std::mem::take(&mut file.unsynced);
            for (at, before, _) in unsynced.iter().rev() {
                file.bytes[*at..*at + before.len()].copy_from_slice(before);
            }
            for (at, _, written) in &unsynced {
                tear(&mut file.bytes[*at..*at + written.len()], *at, written, rng);
            }
        }
    }

    /// Everything on it is gone.
    pub fn wipe(&self) {
        *self.0.borrow_mut() = Inner::default();
    }

    /// One byte of a file rots.
    /// False when there is no such byte.
    pub fn rot(&self, name: &str, at: usize, mask: u8) -> bool {
        let mut inner = self.0.borrow_mut();
        let byte = inner.files.get_mut(name).and_then(|file| file.bytes.get_mut(at));
        byte.map(|byte| *byte ^= mask).is_some()
    }

    /// The next write to a file lands at `at` instead. False when there is no such file.
    pub fn misdirect(&self, name: &str, at: u64) -> bool {
        let mut inner = self.0.borrow_mut();
        let file = inner.files.get_mut(name);
        file.map(|file| file.misdirected = usize::try_from(at).ok()).is_some()
    }
}

impl Inner {
    fn spend(&mut self, act: &'static str, name: &str) -> Result<(), DiskError> {
        if self.failed {
            return Err(DiskError::Failed);
        }
        match &mut self.left {
            None => Ok(()),
            Some(0) => {
                self.failed = true;
                let source = io::Error::other("the machine stopped");
                Err(DiskError::Io { act, name: name.to_owned(), source })
            }
            Some(left) => {
                *left -= 1;
                Ok(())
            }
        }
    }

    fn file(&mut self, name: &str) -> Result<&mut File, DiskError> {
        self.files.get_mut(name).ok_or_else(|| DiskError::NotFound { name: name.to_owned() })
    }
}

/// Lets a part of one write reach the medium: nothing, all, a prefix, or some of its sectors.
fn tear(place: &mut [u8], at: usize, written: &[u8], rng: &mut Rng) {
    match rng.below(4) {
        0 => {}
        1 => place.copy_from_slice(written),
        2 => {
            let kept = rng.index(written.len() + 1);
            place[..kept].copy_from_slice(&written[..kept]);
        }
        _ => {
            let mut start = 0;
            while start < written.len() {
                let end = (start + SECTOR_BYTES - (at + start) % SECTOR_BYTES).min(written.len());
                if rng.chance(500_000) {
                    place[start..end].copy_from_slice(&written[start..end]);
                }
                start = end;
            }
        }
    }
}

impl Disk for SimDisk {
    fn exists(&mut self, name: &str) -> Result<bool, DiskError> {
        Ok(self.0.borrow().files.contains_key(name))
    }

    fn create_sized(&mut self, name: &str, bytes: u64) -> Result<(), DiskError> {
        let mut inner = self.0.borrow_mut();
        inner.spend("create", name)?;
        if inner.files.contains_key(name) {
            return Err(DiskError::Exists { name: name.to_owned() });
        }
        let bytes = vec![0; usize::try_from(bytes).expect("simulated files are small")];
        inner.files.insert(name.to_owned(), File { bytes, ..File::default() });
        Ok(())
    }

    fn read_all(&mut self, name: &str, bytes_max: u64) -> Result<Vec<u8>, DiskError> {
        let mut inner = self.0.borrow_mut();
        let file = inner.file(name)?;
        let bytes = u64::try_from(file.bytes.len()).expect("lengths fit 64 bits");
        if bytes > bytes_max {
            return Err(DiskError::TooLong { name: name.to_owned(), bytes, bytes_max });
        }
        Ok(file.bytes.clone())
    }

    fn write_at(&mut self, name: &str, offset: u64, bytes: &[u8]) -> Result<(), DiskError> {
        let mut inner = self.0.borrow_mut();
        inner.spend("write", name)?;
        let file = inner.file(name)?;
        let wanted = usize::try_from(offset).expect("simulated files are small");
        let elsewhere = file.misdirected.take().filter(|at| at + bytes.len() <= file.bytes.len());
        let at = elsewhere.unwrap_or(wanted);
        let place = &mut file.bytes[at..at + bytes.len()];
        file.unsynced.push((at, place.to_vec(), bytes.to_vec()));
        place.copy_from_slice(bytes);
        Ok(())
    }

    fn sync_data(&mut self, name: &str) -> Result<(), DiskError> {
        let mut inner = self.0.borrow_mut();
        inner.spend("sync", name)?;
        inner.file(name)?.unsynced.clear();
        Ok(())
    }

    fn sync_dir(&mut self) -> Result<(), DiskError> {
        let mut inner = self.0.borrow_mut();
        inner.spend("sync", "the folder")?;
        inner.files.values_mut().for_each(|file| file.named = true);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Stream;

    fn disk() -> SimDisk {
        let mut disk = SimDisk::default();
        disk.create_sized("f", 4_096).unwrap();
        disk.sync_data("f").unwrap();
        disk.sync_dir().unwrap();
        disk
    }

    #[test]
    fn a_crash_keeps_what_was_synced_and_invents_nothing() {
        for seed in 0..200 {
            let mut rng = Rng::new(seed, Stream::Disk);
            let mut disk = disk();
            disk.write_at("f", 100, &[1; 2_000]).unwrap();
            disk.sync_data("f").unwrap();
            disk.write_at("f", 50, &[2; 1_500]).unwrap();
            disk.write_at("f", 700, &[3; 100]).unwrap();
            disk.lose_power(&mut rng);
            let bytes = disk.read_all("f", 4_096).unwrap();
            for (at, byte) in bytes.iter().enumerate() {
                let mut allowed = vec![if (100..2_100).contains(&at) { 1 } else { 0 }];
                allowed.extend((50..1_550).contains(&at).then_some(2));
                allowed.extend((700..800).contains(&at).then_some(3));
                assert!(allowed.contains(byte), "seed {seed}, byte {at} is {byte}");
            }
        }
    }

    #[test]
    fn crashes_tear_writes_in_many_ways() {
        let mut seen = std::collections::BTreeSet::new();
        for seed in 0..100 {
            let mut disk = disk();
            disk.write_at("f", 0, &[7; 2_048]).unwrap();
            disk.lose_power(&mut Rng::new(seed, Stream::Disk));
            let bytes = disk.read_all("f", 4_096).unwrap();
            seen.insert(bytes.iter().filter(|byte| **byte == 7).count());
        }
        assert!(seen.contains(&0) && seen.contains(&2_048) && seen.len() > 10, "{seen:?}");
    }

    #[test]
    fn a_process_that_dies_alone_loses_nothing_written() {
        let mut disk = disk();
        disk.write_at("f", 0, &[7]).unwrap();
        disk.fail_after(1);
        disk.write_at("f", 1, &[8]).unwrap();
        assert!(matches!(disk.sync_data("f"), Err(DiskError::Io { .. })));
        assert!(matches!(disk.sync_data("f"), Err(DiskError::Failed)));
        disk.restart();
        assert_eq!(disk.read_all("f", 4_096).unwrap()[..2], [7, 8]);
    }
}
