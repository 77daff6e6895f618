//! `chorale genesis`: makes, checks and installs the document that a chain starts from.

use super::init::ValidatorCard;
use super::setup;
use crate::config::{Config, Peer, peers_text};
use crate::home::Home;
use crate::node::read_genesis;
use anyhow::{Context as _, Result, bail};
use chorale_types::crypto::fast::Fast;
use chorale_types::crypto::hash::Digest;
use chorale_types::genesis::{Genesis, GenesisRollup, Params, Policy};
use chorale_types::ids::RollupId;
use chorale_types::time::Timestamp;
use clap::{Args, Subcommand};
use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

/// Makes, checks and installs the document that a chain starts from.
#[derive(Subcommand, Debug)]
pub enum GenesisCommand {
    /// Makes one out of the validators' entries.
    New(NewArgs),
    /// Checks that a chain can start from one.
    Validate {
        /// The document.
        file: PathBuf,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Puts one into a home folder, and tells the node where the others are.
    Install {
        /// The document.
        file: PathBuf,
        /// The home folder, by default CHORALE_HOME.
        #[arg(long, value_name = "DIR")]
        home: Option<PathBuf>,
        /// The `validator.json` of another member.
        #[arg(long = "peer", value_name = "FILE")]
        peers: Vec<PathBuf>,
    },
}

/// What a new chain is made of.
#[derive(Args, Debug)]
pub struct NewArgs {
    /// The chain's name: 1 to 32 of a-z, 0-9 and -.
    #[arg(long, value_name = "NAME")]
    chain_name: String,
    /// A rollup's id; for an EVM rollup its chain id.
    #[arg(long = "rollup", value_name = "ID", required = true)]
    rollups: Vec<u64>,
    /// A `validator.json`; their order is the order of the set.
    #[arg(long = "validator", value_name = "FILE", required = true)]
    validators: Vec<PathBuf>,
    /// A parameter, such as `view_timeout_ms=500`.
    #[arg(long = "param", value_name = "KEY=VALUE")]
    params: Vec<String>,
    /// The seed of the leader schedule; drawn by chance if not given.
    #[arg(long, value_name = "0x..")]
    seed: Option<Digest>,
    /// Where to write it; to standard output if not given.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

impl GenesisCommand {
    /// Does what was asked for.
    ///
    /// # Errors
    /// When a file cannot be used, or no chain can start from the document.
    pub fn run(self) -> Result<()> {
        match self {
            Self::New(args) => args.run(),
            Self::Validate { file, json } => validate(&file, json),
            Self::Install { file, home, peers } => install(&file, home, &peers),
        }
        .map_err(setup)
    }
}

impl NewArgs {
    fn run(self) -> Result<()> {
        let mut rollups = self.rollups.clone();
        rollups.sort_unstable();
        let cards = self.validators.iter().map(|file| ValidatorCard::read(file));
        let cards = cards.collect::<Result<Vec<_>>>()?;
        let genesis = Genesis {
            chain_name: self.chain_name,
            time: now(),
            seed: self.seed.map_or_else(draw_seed, Ok)?,
            params: params(&self.params)?,
            validators: cards.into_iter().map(|card| card.validator).collect(),
            rollups: rollups
                .into_iter()
                .map(|id| GenesisRollup { id: RollupId::new(id), policy: Policy::Open, deposit: 0 })
                .collect(),
        };
        genesis.validate::<Fast>()?;
        warn(&genesis);
        let text = serde_json::to_string_pretty(&genesis)? + "\n";
        match self.out {
            Some(out) => {
                fs::write(&out, text).with_context(|| format!("cannot write {}", out.display()))
            }
            None => {
                print!("{text}");
                Ok(())
            }
        }
    }
}

fn now() -> Timestamp {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_millis(u64::try_from(now.as_millis()).unwrap_or(u64::MAX))
}

fn draw_seed() -> Result<Digest> {
    let mut seed = [0; 32];
    getrandom::fill(&mut seed).map_err(|error| anyhow::anyhow!("no randomness: {error}"))?;
    Ok(Digest::from_bytes(seed))
}

/// The default parameters with those given in their place.
fn params(given: &[String]) -> Result<Params> {
    let mut all = serde_json::to_value(Params::default())?;
    for one in given {
        let (key, value) = one.split_once('=').with_context(|| format!("{one:?} has no ="))?;
        let Some(place) = all.get_mut(key) else {
            let known: Vec<&str> =
                all.as_object().into_iter().flatten().map(|(k, _)| k.as_str()).collect();
            bail!("no parameter {key:?}; there are {}", known.join(", "));
        };
        let number: u64 = value.parse().with_context(|| format!("{one:?} is no number"))?;
        *place = Value::from(number);
    }
    serde_json::from_value(all).context("a parameter is too large")
}

fn warn(genesis: &Genesis) {
    if genesis.tolerated_faults() == 0 {
        let of = genesis.validators.len();
        eprintln!("chorale: warning: a set of {of} tolerates no faulty validator");
    }
}

fn validate(file: &Path, as_json: bool) -> Result<()> {
    let genesis = read_genesis(file)?;
    warn(&genesis);
    let (chain, faults) = (genesis.chain_id(), genesis.tolerated_faults());
    let (validators, rollups) = (genesis.validators.len(), genesis.rollups.len());
    if as_json {
        let all = json!({
            "chain": chain, "chain_name": genesis.chain_name, "validators": validators,
            "tolerated_faults": faults, "rollups": rollups,
        });
        println!("{}", serde_json::to_string_pretty(&all)?);
    } else {
        println!("chain {} {chain}", genesis.chain_name);
        println!("{validators} validators, {faults} faulty tolerated; {rollups} rollups");
    }
    Ok(())
}

fn install(file: &Path, home: Option<PathBuf>, peers: &[PathBuf]) -> Result<()> {
    let genesis = read_genesis(file)?;
    let home = Home::named(home)?;
    let config = Config::read(&home.config())?;
    let mut fresh = Vec::new();
    for path in peers {
        let card = ValidatorCard::read(path)?;
        let network = card.validator.network;
        if !genesis.validators.iter().any(|member| member.network == network) {
            bail!("{}: {} is not in this genesis", path.display(), card.validator.name);
        }
        let parse = |address: &String| {
            address.parse().with_context(|| format!("{}: {address:?}", path.display()))
        };
        let addresses = card.p2p.iter().map(parse).collect::<Result<Vec<_>>>()?;
        let peer = Peer { network, addresses };
        match config.peers.iter().find(|known| known.network == network) {
            Some(known) if *known == peer => {}
            Some(_) => bail!(
                "{} names other addresses for {}: change them there",
                home.config().display(),
                card.validator.name
            ),
            None => fresh.push(peer),
        }
    }
    let text = fs::read_to_string(home.config())? + &peers_text(&fresh);
    // What is written is read: the addresses are somebody else's words.
    Config::parse(&home.config(), &text).context("these peers cannot be written down")?;
    install_genesis(file, &home.genesis())?;
    fs::write(home.config(), text)
        .with_context(|| format!("cannot write {}", home.config().display()))
}

/// Copies the document; another one in its place stays, because data of one chain are of no use
/// to another.
fn install_genesis(from: &Path, to: &Path) -> Result<()> {
    let document = fs::read(from)?;
    if to.exists() {
        let there = read_genesis(to)?;
        if there.chain_id() != read_genesis(from)?.chain_id() {
            bail!("{} is of another chain, {}", to.display(), there.chain_id());
        }
    }
    fs::write(to, document).with_context(|| format!("cannot write {}", to.display()))
}
