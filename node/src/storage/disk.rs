//! What a durable write is: a small seam over named files in one folder, so that the code which
//! must not lose a byte runs unchanged over a real disk and over one that a simulator tears.
//!
//! # Invariants
//! What an implementation owes, and what a simulated one may do in a crash:
//! - *Unsynced writes are loose.* Until [`Disk::sync_data`] returned `Ok`, each byte of each write
//!   to that file may or may not survive: none, a prefix, any set of sectors, a later write without
//!   an earlier one. A byte that lies outside every unsynced write keeps its value, and a surviving
//!   byte has the value it had before or one that was written: a disk mixes, it does not invent.
//! - *Synced writes stay*, in every crash. (They can rot; that is another fault, of the medium.)
//! - *A name is loose too*: a created file may be gone, whatever was synced in it, until
//!   [`Disk::sync_dir`] returned `Ok` after the creation.
//! - *Readers see unsynced bytes.* After a process dies without a power cut, its successor reads
//!   what was written and not synced; whoever relies on bytes read must first sync them.
//! - *A failed write or sync is final.* Every later call returns [`DiskError::Failed`]: after a
//!   failed sync the system may drop the bytes and then report the next sync as a success.

use std::collections::BTreeMap;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, ErrorKind, Read, Write as _};
use std::os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::lock::FolderLock;

/// Named files in one folder. See the module's page for what each call promises. Calls block until
/// the disk answers, so they belong on a thread that may wait.
pub trait Disk {
    /// Whether a file of this name is there.
    fn exists(&mut self, name: &str) -> Result<bool, DiskError>;

    /// Makes a new file of `bytes` zeros, its space truly allocated, so that later writes inside it
    /// change data only. Refuses with [`DiskError::Exists`] if the name is taken. A file that is
    /// seen under the name has its size. Neither the zeros nor the name are durable before
    /// [`Disk::sync_data`] and [`Disk::sync_dir`].
    fn create_sized(&mut self, name: &str, bytes: u64) -> Result<(), DiskError>;

    /// The whole file; [`DiskError::TooLong`] if it has more than `bytes_max` bytes,
    /// [`DiskError::NotFound`] if there is none.
    fn read_all(&mut self, name: &str, bytes_max: u64) -> Result<Vec<u8>, DiskError>;

    /// Writes inside the file's size, which is the caller's duty to know. Not durable yet.
    fn write_at(&mut self, name: &str, offset: u64, bytes: &[u8]) -> Result<(), DiskError>;

    /// Makes every write to this file so far durable.
    fn sync_data(&mut self, name: &str) -> Result<(), DiskError>;

    /// Makes the names in the folder durable.
    fn sync_dir(&mut self) -> Result<(), DiskError>;
}

/// Why a disk refuses.
#[derive(Debug, thiserror::Error)]
pub enum DiskError {
    /// There is no such file.
    #[error("there is no file {name}")]
    NotFound {
        /// The file's name.
        name: String,
    },
    /// The file is there and was to be made.
    #[error("the file {name} exists already")]
    Exists {
        /// The file's name.
        name: String,
    },
    /// The file is longer than it can be.
    #[error("the file {name} has {bytes} bytes, more than {bytes_max}")]
    TooLong {
        /// The file's name.
        name: String,
        /// Its size.
        bytes: u64,
        /// The most the caller takes.
        bytes_max: u64,
    },
    /// Another process has the folder open.
    #[error("another process uses the folder {}", folder.display())]
    InUse {
        /// The folder.
        folder: PathBuf,
    },
    /// The operating system failed.
    #[error("cannot {act} {name}: {source}")]
    Io {
        /// What was tried.
        act: &'static str,
        /// On which file or folder.
        name: String,
        /// What the operating system said.
        source: io::Error,
    },
    /// A write or sync failed earlier.
    #[error("an earlier write or sync failed: this disk accepts nothing more")]
    Failed,
}

/// The real thing: one locked folder, files of mode 0600, `fdatasync` for data and `fsync` on the
/// folder for names.
#[derive(Debug)]
pub struct RealDisk {
    path: PathBuf,
    folder: FolderLock,
    /// Kept open, because an error of a delayed write is reported to handles that were open then.
    /// Bounded by the names this program uses.
    files: BTreeMap<String, File>,
    failed: bool,
}

impl RealDisk {
    /// Locks the folder, making it (mode 0700, its parent must exist) if it is not there.
    /// [`DiskError::InUse`] if another process holds it.
    pub fn open(path: &Path) -> Result<Self, DiskError> {
        let name = path.display().to_string();
        let failed = |act: &'static str| {
            let name = name.clone();
            move |source| DiskError::Io { act, name, source }
        };
        match DirBuilder::new().mode(0o700).create(path) {
            Err(error) if error.kind() != ErrorKind::AlreadyExists => {
                return Err(failed("make the folder")(error));
            }
            // Also if it was there: whoever made it may have ended before its name was durable.
            _ => sync_parent(path).map_err(failed("sync the parent of"))?,
        }
        let folder = FolderLock::take(path).map_err(failed("lock the folder"))?;
        let folder = folder.ok_or_else(|| DiskError::InUse { folder: path.to_path_buf() })?;
        Ok(Self { path: path.to_path_buf(), folder, files: BTreeMap::new(), failed: false })
    }

    fn check_alive(&self) -> Result<(), DiskError> {
        if self.failed { Err(DiskError::Failed) } else { Ok(()) }
    }

    fn file(&mut self, name: &str) -> Result<&mut File, DiskError> {
        if !self.files.contains_key(name) {
            let opened = OpenOptions::new().read(true).write(true).open(self.path.join(name));
            let file = opened.map_err(|error| refusal("open", name, error))?;
            self.files.insert(name.to_owned(), file);
        }
        Ok(self.files.get_mut(name).expect("inserted above"))
    }

    /// Passes an answer to a write or sync on; a failure is the last answer this disk gives.
    fn settle(
        &mut self,
        act: &'static str,
        name: &str,
        answer: io::Result<()>,
    ) -> Result<(), DiskError> {
        answer.map_err(|error| {
            self.failed = true;
            refusal(act, name, error)
        })
    }
}

impl Disk for RealDisk {
    fn exists(&mut self, name: &str) -> Result<bool, DiskError> {
        self.check_alive()?;
        self.path.join(name).try_exists().map_err(|error| refusal("look for", name, error))
    }

    fn create_sized(&mut self, name: &str, bytes: u64) -> Result<(), DiskError> {
        self.check_alive()?;
        if self.exists(name)? {
            return Err(DiskError::Exists { name: name.to_owned() });
        }
        // Under another name until it has its size: whoever is interrupted leaves no short file.
        let (path, fresh) = (self.path.join(name), self.path.join(format!("{name}.new")));
        let mut options = OpenOptions::new();
        let options = options.read(true).write(true).create(true).truncate(true).mode(0o600);
        let mut file = options.open(&fresh).map_err(|error| refusal("create", name, error))?;
        // Written zeros, not a hole: a later fdatasync then has no new extents to record.
        let filled = fill_with_zeros(&mut file, bytes)
            .and_then(|()| file.sync_data())
            .and_then(|()| fs::rename(&fresh, &path));
        self.settle("fill", name, filled)?;
        self.files.insert(name.to_owned(), file);
        Ok(())
    }

    fn read_all(&mut self, name: &str, bytes_max: u64) -> Result<Vec<u8>, DiskError> {
        self.check_alive()?;
        let file = self.file(name)?;
        let size = file.metadata().map_err(|error| refusal("measure", name, error))?.len();
        if size > bytes_max {
            return Err(DiskError::TooLong { name: name.to_owned(), bytes: size, bytes_max });
        }
        let length = usize::try_from(size).expect("a file read whole is far below 4 GiB");
        let mut bytes = vec![0; length];
        let read = file.read_exact_at(&mut bytes, 0);
        read.map_err(|error| refusal("read", name, error))?;
        Ok(bytes)
    }

    fn write_at(&mut self, name: &str, offset: u64, bytes: &[u8]) -> Result<(), DiskError> {
        self.check_alive()?;
        let answer = self.file(name)?.write_all_at(bytes, offset);
        self.settle("write", name, answer)
    }

    fn sync_data(&mut self, name: &str) -> Result<(), DiskError> {
        self.check_alive()?;
        let answer = self.file(name)?.sync_data();
        self.settle("sync", name, answer)
    }

    fn sync_dir(&mut self) -> Result<(), DiskError> {
        self.check_alive()?;
        let answer = self.folder.sync();
        self.settle("sync", "the folder", answer)
    }
}

fn refusal(act: &'static str, name: &str, error: io::Error) -> DiskError {
    let name = name.to_owned();
    match error.kind() {
        ErrorKind::NotFound => DiskError::NotFound { name },
        ErrorKind::AlreadyExists => DiskError::Exists { name },
        _ => DiskError::Io { act, name, source: error },
    }
}

fn fill_with_zeros(file: &mut File, bytes: u64) -> io::Result<()> {
    let written = io::copy(&mut io::repeat(0).take(bytes), file)?;
    assert_eq!(written, bytes, "copying from an endless source stops at its limit");
    file.flush()
}

/// Makes the name of a folder durable in the one that holds it.
pub(crate) fn sync_parent(path: &Path) -> io::Result<()> {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => File::open(parent)?.sync_all(),
        _ => File::open(".")?.sync_all(),
    }
}

#[cfg(test)]
mod tests;
