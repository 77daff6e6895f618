//! From a home folder to everything that a node needs before it speaks: chain, keys, stores, and
//! what it may still sign.

use super::VERSION;
use crate::config::{Config, ConfigError};
use crate::feed::{Feed, FeedError};
use crate::home::Home;
use crate::host::Clock;
use crate::keys::{self, KeyFileError, NodeKeys};
use crate::recorder::{Recorder, Start};
use crate::status::{Facts, contradiction};
use crate::storage::disk::sync_parent;
use crate::storage::recover::Identity;
use crate::storage::{
    DiskError, Incarnation, KeyValue, RealDisk, Recovery, RocksStore, StorageError, Stores, recover,
};
use anyhow::Context as _;
use chorale_consensus::ordering::OrderState;
use chorale_p2p::Member;
use chorale_types::crypto::bls::Bls;
use chorale_types::crypto::fast::Fast;
use chorale_types::crypto::hash::Digest;
use chorale_types::genesis::{Genesis, GenesisError};
use chorale_types::ids::ValidatorIndex;
use chorale_types::validators::ValidatorSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Why a node does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The configuration cannot be used.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The keys cannot be used.
    #[error(transparent)]
    Keys(#[from] KeyFileError),
    /// There is no genesis.
    #[error(
        "{} is missing: chorale genesis install FILE --home HOME puts it there",
        path.display()
    )]
    NoGenesis {
        /// Where it is looked for.
        path: PathBuf,
    },
    /// The genesis cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    ReadGenesis {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// The genesis is not one.
    #[error("{}: {source}", path.display())]
    ParseGenesis {
        /// The file.
        path: PathBuf,
        /// What is wrong, and where.
        source: serde_json::Error,
    },
    /// The genesis cannot work.
    #[error("{}: {source}", path.display())]
    BadGenesis {
        /// The file.
        path: PathBuf,
        /// The rule that does not hold.
        source: GenesisError,
    },
    /// Genesis lists this node with another voting key.
    #[error("validator {index} of genesis has this node's network key and another BLS key")]
    OtherBlsKey {
        /// The index.
        index: ValidatorIndex,
    },
    /// The configuration names a peer that is no member.
    #[error("peers: {network} is the network key of no validator in genesis")]
    UnknownPeer {
        /// The key named.
        network: String,
    },
    /// Another process runs this node.
    #[error("another process runs this node: {}", folder.display())]
    Running {
        /// The folder it holds.
        folder: PathBuf,
    },
    /// The folder of the vote record cannot be used.
    #[error("{}: {source}", folder.display())]
    Safety {
        /// The folder.
        folder: PathBuf,
        /// What is wrong.
        source: DiskError,
    },
    /// A folder cannot be made.
    #[error("cannot make {}: {source}", folder.display())]
    Folder {
        /// The folder.
        folder: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// The store cannot be used.
    #[error(transparent)]
    Store(#[from] StorageError),
    /// What was ordered cannot be taken up.
    #[error(transparent)]
    Feed(#[from] FeedError),
    /// The operating system gives no randomness.
    #[error("no randomness from the operating system: {0}")]
    Randomness(getrandom::Error),
}

/// Reads a genesis and checks that a chain can start from it.
///
/// # Errors
/// When it cannot be read, is malformed, or cannot work.
pub fn read_genesis(path: &Path) -> Result<Genesis, StartError> {
    let path = path.to_path_buf();
    let text = match fs::read(&path) {
        Ok(text) => text,
        Err(source) => return Err(StartError::ReadGenesis { path, source }),
    };
    let parsed = serde_json::from_slice(&text);
    let genesis: Genesis =
        parsed.map_err(|source| StartError::ParseGenesis { path: path.clone(), source })?;
    genesis.validate::<Fast>().map_err(|source| StartError::BadGenesis { path, source })?;
    Ok(genesis)
}

/// Everything that a node needs before it speaks.
pub struct Opened {
    /// The time.
    pub clock: Clock,
    /// The document its chain starts from.
    pub genesis: Arc<Genesis>,
    /// The ordering state's root at height 0.
    pub genesis_root: Digest,
    /// The set of the epoch.
    pub set: ValidatorSet,
    /// This node's place in it.
    pub me: Option<ValidatorIndex>,
    /// What it signs with.
    pub keys: Arc<NodeKeys>,
    /// What it keeps.
    pub stores: Stores,
    /// Ordering, taken up where it ended.
    pub feed: Feed,
    /// What it knew, and what it may still sign.
    pub recovery: Recovery<RealDisk>,
    /// For its status.
    pub facts: Facts,
}

impl Opened {
    /// Opens a home. Reads the disk, for long if there is much to read.
    ///
    /// # Errors
    /// When anything in it cannot be used.
    pub fn open(home: &Home, config: &Config) -> Result<Self, StartError> {
        let genesis = Arc::new(read_genesis(&home.genesis()).map_err(|error| match error {
            StartError::ReadGenesis { path, source }
                if source.kind() == io::ErrorKind::NotFound =>
            {
                StartError::NoGenesis { path }
            }
            other => other,
        })?);
        let keys = Arc::new(keys::load(&home.keys())?);
        let set = genesis.first_set();
        let me = place(&set, &keys)?;
        make_folder(&home.data())?;
        let disk = open_safety(&home.safety())?;
        let store: Arc<dyn KeyValue> = Arc::new(RocksStore::open(&home.store())?);
        let stores = Stores::new(&store);
        let mut fresh = Incarnation([0; 16]);
        getrandom::fill(&mut fresh.0).map_err(StartError::Randomness)?;
        let key_used = keys::is_used(&home.keys())?;
        let identity = Identity { set: set.clone(), me, key_used, fresh };
        let recovery = recover(&stores, disk, &identity)?;
        if recovery.votes.is_ok() {
            keys::mark_used(&home.keys())?;
        }
        warn(&genesis, &recovery);
        let feed = Feed::open(stores.clone(), &genesis)?;
        let genesis_root = OrderState::genesis_record(&genesis).root;
        let facts = Facts {
            version: VERSION.to_owned(),
            name: config.name.to_string(),
            genesis: Arc::clone(&genesis),
            set: set.clone(),
            me,
            voting_reason: recovery.votes.as_ref().err().map(ToString::to_string),
            lane_reason: recovery.lanes.as_ref().err().map(ToString::to_string),
        };
        let clock = Clock::default();
        Ok(Self { clock, genesis, genesis_root, set, me, keys, stores, feed, recovery, facts })
    }

    /// How the network is to be started.
    ///
    /// # Errors
    /// When the configuration names a peer that is no member.
    pub fn wire(&self, config: &Config) -> Result<chorale_p2p::Config, StartError> {
        let members = &self.set.info().validators;
        for peer in &config.peers {
            if !members.iter().any(|member| member.network == peer.network) {
                return Err(StartError::UnknownPeer { network: peer.network.to_string() });
            }
        }
        let member = |(index, validator): (u16, &chorale_types::validators::Validator)| {
            let known = config.peers.iter().filter(|peer| peer.network == validator.network);
            Member {
                index: ValidatorIndex::new(index),
                key: *validator.network.as_bytes(),
                addresses: known.flat_map(|peer| peer.addresses.iter().cloned()).collect(),
            }
        };
        Ok(chorale_p2p::Config {
            chain: self.set.chain().to_string().trim_start_matches("0x").to_owned(),
            secret: self.keys.network.to_seed(),
            me: self.me,
            listen: config.p2p.listen.clone(),
            validators: (0..).zip(members).map(member).collect(),
            follower_slots: config.p2p.follower_slots,
            view_timeout: self.set.params().view_timeout(),
        })
    }

    /// Starts recording, if asked.
    ///
    /// # Errors
    /// When the history cannot be written.
    pub fn recorder(
        &self,
        folder: Option<&Path>,
    ) -> anyhow::Result<Option<(Recorder, std::thread::JoinHandle<io::Result<()>>)>> {
        let start = |folder: &Path| {
            let start = Start {
                program: VERSION.to_owned(),
                chain: *self.set.chain(),
                name: self.facts.name.clone(),
                validator: self.me,
            };
            Recorder::start(folder, start, self.clock)
                .with_context(|| format!("cannot record to {}", folder.display()))
        };
        folder.map(start).transpose()
    }
}

/// This node's place in the set, by its network key.
fn place(set: &ValidatorSet, keys: &NodeKeys) -> Result<Option<ValidatorIndex>, StartError> {
    let network = keys.network.public();
    let members = &set.info().validators;
    let found = (0..).zip(members).find(|(_, member)| member.network == network);
    let Some((index, member)) = found else {
        return Ok(None);
    };
    let index = ValidatorIndex::new(index);
    if member.bls == Fast::public(&keys.bls) {
        Ok(Some(index))
    } else {
        Err(StartError::OtherBlsKey { index })
    }
}

fn make_folder(folder: &Path) -> Result<(), StartError> {
    fs::create_dir_all(folder)
        .and_then(|()| sync_parent(folder))
        .map_err(|source| StartError::Folder { folder: folder.to_path_buf(), source })
}

fn open_safety(folder: &Path) -> Result<RealDisk, StartError> {
    RealDisk::open(folder).map_err(|error| match error {
        DiskError::InUse { folder } => StartError::Running { folder },
        source => StartError::Safety { folder: folder.to_path_buf(), source },
    })
}

/// Says what an operator should know.
fn warn(genesis: &Genesis, recovery: &Recovery<RealDisk>) {
    if genesis.tolerated_faults() == 0 {
        let validators = genesis.validators.len();
        tracing::warn!(validators, "no faulty validator is tolerated by this set");
    }
    for doubt in [&recovery.votes, &recovery.lanes].into_iter().filter_map(|r| r.as_ref().err()) {
        tracing::warn!("{doubt}");
    }
    let record = recovery.recovered.vote.as_ref();
    if let Some(cert) = record.and_then(|record| record.contradiction.as_ref()) {
        tracing::error!("{}", contradiction(cert.vote().height));
    }
    if recovery.unreadable_copies > 0 {
        let copies = recovery.unreadable_copies;
        tracing::warn!(
            copies,
            "copies of the vote record could not be read; if the node was not interrupted while \
             writing, the disk is failing"
        );
    }
}
