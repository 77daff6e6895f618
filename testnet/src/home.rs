//! The folder of one testnet and `testnet.json` in it, the one place that says which nodes there
//! are and which process each one is.
//!
//! # Invariants
//! `testnet.json` is replaced whole, under a lock, so that two commands at work on one testnet
//! never lose each other's changes and no reader sees half a file.

use anyhow::{Context, Result, bail};
use rustix::fs::{FlockOperation, flock};
use serde::{Deserialize, Serialize};
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

/// One node, as `testnet.json` lists it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Node {
    /// Its name, `node0` and so on; also its folder and its log.
    pub name: String,
    /// Where people and rollups reach it: `http://host:port`.
    pub http: String,
    /// Where it listens for other validators, as a multiaddr.
    pub p2p: String,
    /// Its loopback admin port: `http://host:port`.
    pub admin: String,
    /// Its process; `null` while it is not running.
    pub pid: Option<u32>,
    /// Its home folder, as `chorale --home` takes it.
    pub home: PathBuf,
}

/// What `testnet.json` holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    /// The chain's name.
    pub chain_name: String,
    /// The nodes in order of their index in the validator set.
    pub nodes: Vec<Node>,
    /// The rollups' ids, which are also their EVM chain ids.
    pub rollups: Vec<u64>,
    /// The genesis document that readers verify from.
    pub genesis: PathBuf,
    /// The node program that runs here.
    pub node_binary: PathBuf,
    /// Whether nodes, load and followers record histories into `record/`.
    pub recording: bool,
    /// A load that runs in the background.
    pub load: Option<u32>,
}

impl State {
    /// The index of a node by its name or its number.
    ///
    /// # Errors
    /// When there is none; the message lists those that exist.
    pub fn index_of(&self, wanted: &str) -> Result<usize> {
        let number = wanted.parse::<usize>().ok().filter(|i| *i < self.nodes.len());
        match self.nodes.iter().position(|node| node.name == wanted).or(number) {
            Some(index) => Ok(index),
            None => {
                let names: Vec<&str> = self.nodes.iter().map(|n| n.name.as_str()).collect();
                bail!("no node {wanted:?}; there are {}", names.join(", "))
            }
        }
    }
}

/// The folder of one testnet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Home {
    root: PathBuf,
}

impl Home {
    /// Names a folder; it need not exist yet.
    ///
    /// # Errors
    /// When the working folder of a relative path cannot be read.
    pub fn new(root: &Path) -> Result<Self> {
        let root = std::path::absolute(root).context("no working folder")?;
        Ok(Self { root })
    }

    /// Where a testnet lives unless told otherwise: `$XDG_STATE_HOME/chorale/testnet`, else
    /// `~/.local/state/chorale/testnet`.
    ///
    /// # Errors
    /// When neither `XDG_STATE_HOME` nor `HOME` is set.
    pub fn default_root() -> Result<PathBuf> {
        let set = |name| std::env::var_os(name).filter(|v| !v.is_empty()).map(PathBuf::from);
        let state = set("XDG_STATE_HOME").or_else(|| Some(set("HOME")?.join(".local/state")));
        let state = state.context("neither XDG_STATE_HOME nor HOME is set; pass --home DIR")?;
        Ok(state.join("chorale").join("testnet"))
    }

    /// The folder itself.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// `testnet.json`.
    #[must_use]
    pub fn state_file(&self) -> PathBuf {
        self.root.join("testnet.json")
    }

    /// The home of one node.
    #[must_use]
    pub fn node(&self, name: &str) -> PathBuf {
        self.root.join("nodes").join(name)
    }

    /// What one process printed.
    #[must_use]
    pub fn log(&self, name: &str) -> PathBuf {
        self.root.join("logs").join(format!("{name}.log"))
    }

    /// Where histories go.
    #[must_use]
    pub fn record(&self) -> PathBuf {
        self.root.join("record")
    }

    /// The genesis document.
    #[must_use]
    pub fn genesis(&self) -> PathBuf {
        self.root.join("genesis.json")
    }

    /// Makes the folder ready for a new testnet. The parts of an older one whose processes have
    /// all ended are removed; anything else in the folder is left alone.
    ///
    /// # Errors
    /// When a testnet still runs here, or the folder holds something that is no testnet.
    pub fn prepare(&self) -> Result<()> {
        let root = self.root.display();
        if self.state_file().exists() {
            let running = self.running()?;
            if !running.is_empty() {
                let names = running.join(", ");
                bail!("a testnet runs in {root} ({names}); `testnet down --home {root}` ends it");
            }
        } else if self.root.join("nodes").exists() {
            bail!("{root} has a folder `nodes` but no testnet.json; choose another --home");
        }
        for part in ["nodes", "logs", "record"] {
            let path = self.root.join(part);
            if path.exists() {
                fs::remove_dir_all(&path).with_context(|| format!("remove {}", path.display()))?;
            }
        }
        for part in [self.genesis(), self.state_file()] {
            if part.exists() {
                fs::remove_file(&part).with_context(|| format!("remove {}", part.display()))?;
            }
        }
        let logs = self.root.join("logs");
        fs::create_dir_all(&logs).with_context(|| format!("create {}", logs.display()))
    }

    /// The names of what runs here now.
    fn running(&self) -> Result<Vec<String>> {
        let state = self.load()?;
        let alive = |node: &&Node| node.pid.is_some_and(|p| crate::process::runs(p, &node.home));
        let mut names: Vec<String> =
            state.nodes.iter().filter(alive).map(|node| node.name.clone()).collect();
        if state.load.is_some_and(|pid| crate::process::runs(pid, &self.root)) {
            names.push("load".to_owned());
        }
        Ok(names)
    }

    /// Reads `testnet.json`.
    ///
    /// # Errors
    /// When there is none, or it is not one of ours.
    pub fn load(&self) -> Result<State> {
        let path = self.state_file();
        let text = fs::read_to_string(&path).with_context(|| {
            format!("no testnet in {}; `testnet up` makes one", self.root.display())
        })?;
        serde_json::from_str(&text).with_context(|| format!("{} is damaged", path.display()))
    }

    /// Writes `testnet.json` for a new testnet.
    ///
    /// # Errors
    /// When the folder cannot be written.
    pub fn store(&self, state: &State) -> Result<()> {
        let _lock = self.lock()?;
        self.replace(state)
    }

    /// Changes `testnet.json`, and returns what it says then.
    ///
    /// # Errors
    /// When it cannot be read or written.
    pub fn update(&self, change: impl FnOnce(&mut State)) -> Result<State> {
        let _lock = self.lock()?;
        let mut state = self.load()?;
        change(&mut state);
        self.replace(&state)?;
        Ok(state)
    }

    fn lock(&self) -> Result<File> {
        fs::create_dir_all(&self.root)
            .with_context(|| format!("create {}", self.root.display()))?;
        let path = self.root.join(".lock");
        let file = File::create(&path).with_context(|| format!("create {}", path.display()))?;
        flock(&file, FlockOperation::LockExclusive).context("lock the testnet's folder")?;
        Ok(file)
    }

    fn replace(&self, state: &State) -> Result<()> {
        let (path, fresh) = (self.state_file(), self.root.join(".testnet.json.new"));
        let mut file = File::create(&fresh).with_context(|| format!("{}", fresh.display()))?;
        let text = serde_json::to_string_pretty(state).context("encode testnet.json")?;
        file.write_all(text.as_bytes()).and_then(|()| file.write_all(b"\n"))?;
        fs::rename(&fresh, &path).with_context(|| format!("write {}", path.display()))
    }
}
