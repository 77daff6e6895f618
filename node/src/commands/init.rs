//! `chorale init`: a new home folder, with keys, a configuration and an entry for a genesis.

use super::setup;
use crate::config::{NewConfig, NodeName};
use crate::home::Home;
use crate::keys::{self, KeyName};
use anyhow::{Context as _, Result};
use chorale_p2p::Multiaddr;
use chorale_types::crypto::bls::Bls;
use chorale_types::crypto::fast::Fast;
use chorale_types::genesis::{GenesisValidator, possession_binding};
use clap::Args;
use serde::{Deserialize, Serialize};
use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

/// Makes a home folder: keys, a commented configuration, and an entry for a genesis.
#[derive(Args, Debug)]
pub struct InitArgs {
    /// The home folder, by default CHORALE_HOME.
    #[arg(long, value_name = "DIR")]
    home: Option<PathBuf>,
    /// The chain's name; the proof that the keys are held is bound to it.
    #[arg(long, value_name = "NAME")]
    chain_name: String,
    /// The node's name, for people.
    #[arg(long, value_name = "NODE", default_value = "node")]
    name: String,
    /// Where the interface for rollups listens.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:0")]
    http: SocketAddr,
    /// Where the interface for the operator listens.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:0")]
    admin: SocketAddr,
    /// Where the wire between nodes listens.
    #[arg(long, value_name = "MULTIADDR", default_value = "/ip4/127.0.0.1/tcp/0")]
    p2p: Vec<Multiaddr>,
    /// Its weight in the genesis.
    #[arg(long, value_name = "N", default_value_t = 1)]
    stake: u64,
}

/// `validator.json`: a validator's entry for a genesis, and where it can be reached.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ValidatorCard {
    /// The entry.
    pub validator: GenesisValidator,
    /// Addresses of the wire.
    pub p2p: Vec<String>,
}

impl ValidatorCard {
    /// Reads a card.
    ///
    /// # Errors
    /// When the file cannot be read or is no card.
    pub fn read(path: &Path) -> Result<Self> {
        let text = fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
        serde_json::from_slice(&text)
            .with_context(|| format!("{} is no validator.json", path.display()))
    }
}

impl InitArgs {
    /// Makes the folder.
    ///
    /// # Errors
    /// When something is there already, or cannot be written.
    pub fn run(self) -> Result<()> {
        self.make().map_err(setup)
    }

    fn make(self) -> Result<()> {
        let home = Home::named(self.home)?;
        let config = NewConfig {
            name: NodeName::new(&self.name)?,
            http: self.http,
            admin: self.admin,
            p2p: self.p2p,
        };
        let text = config.text();
        // What was written is read, so that a home never starts with a mistake of ours.
        toml::from_str::<crate::config::Config>(&text).context("these addresses cannot be used")?;
        for folder in [home.config_folder(), home.data()] {
            fs::create_dir_all(&folder)
                .with_context(|| format!("cannot make {}", folder.display()))?;
        }
        if home.config().exists() {
            anyhow::bail!("{} exists: this home was made before", home.config().display());
        }
        keys::generate(&home.keys())?;
        let card = card(&home, &self.chain_name, &config, self.stake)?;
        write_new(&home.validator(), serde_json::to_string_pretty(&card)?.as_bytes())?;
        write_new(&home.config(), text.as_bytes())?;
        println!("{}", home.path().display());
        Ok(())
    }
}

fn card(home: &Home, chain: &str, config: &NewConfig, stake: u64) -> Result<ValidatorCard> {
    let public = keys::public_keys(&home.keys())?;
    let bls = Fast::secret_from_seed(&*keys::read_seed(&home.keys(), KeyName::Bls)?);
    let validator = GenesisValidator {
        name: config.name.to_string(),
        operator: public.operator,
        bls: public.bls,
        possession: Fast::prove(&bls, &possession_binding(chain, &public.operator)),
        network: public.network,
        stake,
    };
    Ok(ValidatorCard { validator, p2p: config.p2p.iter().map(ToString::to_string).collect() })
}

/// Writes a file that must not be there yet.
fn write_new(path: &Path, bytes: &[u8]) -> Result<()> {
    let made = OpenOptions::new().write(true).create_new(true).open(path);
    let written = made.and_then(|mut file| file.write_all(bytes));
    written.with_context(|| format!("cannot write {}", path.display()))
}
