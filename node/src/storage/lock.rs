//! One process a folder: an advisory lock on the folder itself, which the operating system gives up
//! when the process ends, however it ends.

use std::fs::{File, TryLockError};
use std::io;
use std::path::Path;

/// A locked folder. Dropping it unlocks.
#[derive(Debug)]
pub(super) struct FolderLock {
    folder: File,
}

impl FolderLock {
    /// Locks `folder`, which must exist. `Ok(None)` if another process, or another lock of this
    /// one, holds it.
    pub(super) fn take(folder: &Path) -> io::Result<Option<Self>> {
        let folder = File::open(folder)?;
        match folder.try_lock() {
            Ok(()) => Ok(Some(Self { folder })),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }

    /// Makes the names in the folder durable.
    pub(super) fn sync(&self) -> io::Result<()> {
        self.folder.sync_all()
    }
}
