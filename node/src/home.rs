//! Where a node's files are: `config/` what its operator writes, `keys/` its secrets, `data/` what
//! it keeps.

use std::env;
use std::path::{Path, PathBuf};

/// A node's home folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Home(PathBuf);

/// There is nowhere to put a home folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("neither --home, CHORALE_HOME, XDG_DATA_HOME nor HOME says where the node's files are")]
pub struct NoHome;

/// The home folder when none is named: `CHORALE_HOME`, else `chorale` in the user's data folder.
///
/// # Errors
/// When the environment names no folder at all.
pub fn default_home() -> Result<PathBuf, NoHome> {
    let named = |name: &str| env::var_os(name).filter(|v| !v.is_empty()).map(PathBuf::from);
    let data = || named("XDG_DATA_HOME").or_else(|| Some(named("HOME")?.join(".local/share")));
    named("CHORALE_HOME").or_else(|| Some(data()?.join("chorale"))).ok_or(NoHome)
}

impl Home {
    /// A home in this folder.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self(path.into())
    }

    /// The folder named, or the default one.
    ///
    /// # Errors
    /// When none is named and the environment names none.
    pub fn named(path: Option<PathBuf>) -> Result<Self, NoHome> {
        path.map_or_else(default_home, Ok).map(Self)
    }

    /// The folder.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// What its operator writes.
    #[must_use]
    pub fn config_folder(&self) -> PathBuf {
        self.0.join("config")
    }

    /// The configuration.
    #[must_use]
    pub fn config(&self) -> PathBuf {
        self.config_folder().join("config.toml")
    }

    /// The document its chain starts from.
    #[must_use]
    pub fn genesis(&self) -> PathBuf {
        self.config_folder().join("genesis.json")
    }

    /// Its entry for a genesis.
    #[must_use]
    pub fn validator(&self) -> PathBuf {
        self.config_folder().join("validator.json")
    }

    /// Its secrets.
    #[must_use]
    pub fn keys(&self) -> PathBuf {
        self.0.join("keys")
    }

    /// What it keeps.
    #[must_use]
    pub fn data(&self) -> PathBuf {
        self.0.join("data")
    }

    /// The vote record, in a folder of its own so that it is locked by itself.
    #[must_use]
    pub fn safety(&self) -> PathBuf {
        self.data().join("safety")
    }

    /// The store.
    #[must_use]
    pub fn store(&self) -> PathBuf {
        self.data().join("store")
    }

    /// Where the running node listens.
    #[must_use]
    pub fn run(&self) -> PathBuf {
        self.data().join("run.json")
    }
}
