//! The three keys of a node, each a seed of 32 bytes in hexadecimal in a file that only its owner
//! can read: `bls` signs votes and timeouts, `network` is the identity on the wire and signs
//! proposals and acknowledgements, `operator` is the account.
//!
//! # Invariants
//! - A file is made with mode 0600 in a folder of mode 0700 and never overwritten.
//! - A file that others can read, or that belongs to somebody else, is refused: whoever could
//!   read it may sign.
//! - Seeds are wiped from memory when they are no longer needed, and never printed.

use chorale_types::crypto::bls::{Bls, BlsPublicKey};
use chorale_types::crypto::ed25519::{PublicKey, SecretKey};
use chorale_types::crypto::fast::{Fast, Secret};
use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// Marks a folder whose keys may have signed; see [`mark_used`].
const USED_NAME: &str = "used";
/// Digits of a seed.
const HEX_BYTES: usize = 64;

/// The files.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum KeyName {
    /// Signs votes and timeouts.
    Bls,
    /// The identity on the wire; signs proposals and acknowledgements.
    Network,
    /// The account.
    Operator,
}

impl KeyName {
    /// Every key.
    pub const ALL: [Self; 3] = [Self::Bls, Self::Network, Self::Operator];

    /// The name of the file.
    #[must_use]
    pub const fn file(self) -> &'static str {
        match self {
            Self::Bls => "bls",
            Self::Network => "network",
            Self::Operator => "operator",
        }
    }
}

/// Why keys cannot be used. Each says what to do.
#[derive(Debug, thiserror::Error)]
pub enum KeyFileError {
    /// Others can read it.
    #[error("{} has mode {mode:04o}, others can read it: run chmod {wanted:o} {}",
        path.display(), path.display())]
    Exposed {
        /// The file or folder.
        path: PathBuf,
        /// Its mode.
        mode: u32,
        /// The mode it should have.
        wanted: u32,
    },
    /// It belongs to somebody else.
    #[error("{} belongs to user {owner}, this node runs as {user}: run chown {user} {}",
        path.display(), path.display())]
    NotOwned {
        /// The file or folder.
        path: PathBuf,
        /// Whose it is.
        owner: u32,
        /// Who we are.
        user: u32,
    },
    /// It is no seed.
    #[error("{} does not hold a key: {HEX_BYTES} hexadecimal digits are expected", path.display())]
    NotAKey {
        /// The file.
        path: PathBuf,
    },
    /// It is not a plain file.
    #[error("{} is not a regular file", path.display())]
    NotAFile {
        /// What is there.
        path: PathBuf,
    },
    /// There is one already.
    #[error("{} exists: keys are never overwritten", path.display())]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// The operating system gives no randomness.
    #[error("no randomness from the operating system: {source}")]
    Randomness {
        /// What it said.
        source: getrandom::Error,
    },
    /// Anything else.
    #[error("cannot {act} {}: {source}", path.display())]
    Io {
        /// What was tried.
        act: &'static str,
        /// On what.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
}

/// The secret keys that a running node signs with.
pub struct NodeKeys {
    /// Signs votes and timeouts.
    pub bls: Secret,
    /// Signs proposals and acknowledgements.
    pub network: SecretKey,
}

/// The public halves of all three.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PublicKeys {
    /// Of the voting key.
    pub bls: BlsPublicKey,
    /// Of the identity on the wire.
    pub network: PublicKey,
    /// Of the account.
    pub operator: PublicKey,
}

/// Makes the folder and all three keys.
///
/// # Errors
/// When one of them exists, or the disk or the randomness fails.
pub fn generate(folder: &Path) -> Result<(), KeyFileError> {
    match DirBuilder::new().mode(0o700).create(folder) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
            return Err(failed("make", folder)(error));
        }
        _ => check_private(folder, 0o700)?,
    }
    for key in KeyName::ALL {
        let mut seed = Zeroizing::new([0; 32]);
        getrandom::fill(&mut *seed).map_err(|source| KeyFileError::Randomness { source })?;
        write_seed(&folder.join(key.file()), &seed)?;
    }
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(failed("sync", folder))
}

fn write_seed(path: &Path, seed: &[u8; 32]) -> Result<(), KeyFileError> {
    let made = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    let mut file = made.map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => KeyFileError::Exists { path: path.to_path_buf() },
        _ => failed("make", path)(error),
    })?;
    let text = Zeroizing::new(hex::encode(seed));
    let written = file.write_all(text.as_bytes()).and_then(|()| file.write_all(b"\n"));
    written.and_then(|()| file.sync_all()).map_err(failed("write", path))
}

/// Reads the keys that a node runs with.
///
/// # Errors
/// When a file is missing, exposed, somebody else's, or no key.
pub fn load(folder: &Path) -> Result<NodeKeys, KeyFileError> {
    check_private(folder, 0o700)?;
    let bls = Fast::secret_from_seed(&*read_seed(folder, KeyName::Bls)?);
    let network = SecretKey::from_seed(*read_seed(folder, KeyName::Network)?);
    Ok(NodeKeys { bls, network })
}

/// Reads the seed of one key.
///
/// # Errors
/// As [`load`].
pub fn read_seed(folder: &Path, key: KeyName) -> Result<Zeroizing<[u8; 32]>, KeyFileError> {
    let path = folder.join(key.file());
    check_private(&path, 0o600)?;
    let mut text = Zeroizing::new(String::with_capacity(HEX_BYTES + 2));
    // One byte more than a seed with its line end: longer files are not read.
    let file = File::open(&path).map_err(failed("open", &path))?;
    let not_a_key = || KeyFileError::NotAKey { path: path.clone() };
    let read = file.take(HEX_BYTES as u64 + 2).read_to_string(&mut text);
    read.map_err(|error| match error.kind() {
        io::ErrorKind::InvalidData => not_a_key(),
        _ => failed("read", &path)(error),
    })?;
    let mut seed = Zeroizing::new([0; 32]);
    hex::decode_to_slice(text.trim_end(), &mut *seed).map_err(|_| not_a_key())?;
    Ok(seed)
}

/// The public halves of the keys in a folder.
///
/// # Errors
/// As [`load`].
pub fn public_keys(folder: &Path) -> Result<PublicKeys, KeyFileError> {
    check_private(folder, 0o700)?;
    let public = |key| Ok(SecretKey::from_seed(*read_seed(folder, key)?).public());
    Ok(PublicKeys {
        bls: Fast::public(&Fast::secret_from_seed(&*read_seed(folder, KeyName::Bls)?)),
        network: public(KeyName::Network)?,
        operator: public(KeyName::Operator)?,
    })
}

/// Whether [`mark_used`] was ever called for this folder.
///
/// # Errors
/// When the disk fails.
pub fn is_used(folder: &Path) -> Result<bool, KeyFileError> {
    let path = folder.join(USED_NAME);
    path.try_exists().map_err(failed("look for", &path))
}

/// Notes beside the keys, durably, that they may have signed from now on. If all data of the node
/// is lost later, this is what keeps the keys from signing a second time.
///
/// # Errors
/// When the disk fails.
pub fn mark_used(folder: &Path) -> Result<(), KeyFileError> {
    let path = folder.join(USED_NAME);
    // Synced also if it was there: whoever wrote it may have ended before it was durable.
    let synced = if is_used(folder)? {
        File::open(&path).and_then(|file| file.sync_all())
    } else {
        let made = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path);
        let text = b"These keys have signed. Without the data folder that goes with them they \
            must not sign again.\n";
        made.and_then(|mut file| file.write_all(text).and_then(|()| file.sync_all()))
    };
    let synced = synced.and_then(|()| File::open(folder)?.sync_all());
    synced.map_err(failed("write", &path))
}

fn check_private(path: &Path, wanted: u32) -> Result<(), KeyFileError> {
    let found = path.symlink_metadata().map_err(failed("look at", path))?;
    let path = path.to_path_buf();
    let is_as_wanted = if wanted == 0o700 { found.is_dir() } else { found.is_file() };
    if !is_as_wanted {
        return Err(KeyFileError::NotAFile { path });
    }
    let (owner, user) = (found.uid(), rustix::process::geteuid().as_raw());
    if owner != user {
        return Err(KeyFileError::NotOwned { path, owner, user });
    }
    let mode = found.mode() & 0o7777;
    if mode & 0o077 != 0 {
        return Err(KeyFileError::Exposed { path, mode, wanted });
    }
    Ok(())
}

fn failed(act: &'static str, path: &Path) -> impl FnOnce(io::Error) -> KeyFileError + use<> {
    let path = path.to_path_buf();
    move |source| KeyFileError::Io { act, path, source }
}

#[cfg(test)]
mod tests;
