//! `config.toml`: what an operator decides about one node. Nothing in it is part of the chain.
//!
//! Every key is known, and every value is checked while it is read, so that a mistake is shown
//! with the file, the line and the words.

use crate::telemetry::LogFormat;
use chorale_p2p::{FOLLOWER_SLOTS_DEFAULT, Multiaddr};
use chorale_types::crypto::ed25519::PublicKey;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use std::fmt;
use std::fs;
use std::io;
use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};

/// Longest node name, in bytes.
pub const NAME_BYTES_MAX: usize = 64;

/// The configuration of a node.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The node's name, for people: in logs, in its status and in histories.
    pub name: NodeName,
    /// The interface for rollups.
    pub http: Http,
    /// The interface for its operator.
    pub admin: Admin,
    /// The wire between nodes.
    pub p2p: P2p,
    /// Where other members are.
    #[serde(default)]
    pub peers: Vec<Peer>,
    /// Logs.
    #[serde(default)]
    pub log: Log,
}

/// The interface for rollups.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Http {
    /// Where it listens; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Most connections of one address, this machine's own not counted; an eighth of all if not
    /// given.
    pub connections_per_address: Option<NonZeroU32>,
    /// Most streams of one address, this machine's own not counted; an eighth of all if not
    /// given.
    pub streams_per_address: Option<NonZeroU32>,
}

/// The interface for its operator.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Admin {
    /// Where it listens: a loopback address, for whoever reaches it may stop the node.
    #[serde(deserialize_with = "loopback")]
    pub listen: SocketAddr,
}

/// The wire between nodes.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct P2p {
    /// Where it listens; port 0 takes a free one.
    #[serde(deserialize_with = "addresses")]
    pub listen: Vec<Multiaddr>,
    /// Connections for nodes that are not members; 0 takes none.
    #[serde(default = "follower_slots")]
    pub follower_slots: u32,
}

/// Where another member is.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Peer {
    /// Its network key, as in genesis.
    pub network: PublicKey,
    /// Its addresses.
    #[serde(deserialize_with = "addresses")]
    pub addresses: Vec<Multiaddr>,
}

/// Logs.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Log {
    /// How a line looks.
    pub format: LogFormat,
    /// What is told: a level, or a filter such as `info,chorale_p2p=debug`.
    #[serde(deserialize_with = "filter")]
    pub level: String,
}

impl Default for Log {
    fn default() -> Self {
        Self { format: LogFormat::default(), level: "info".to_owned() }
    }
}

const fn follower_slots() -> u32 {
    FOLLOWER_SLOTS_DEFAULT
}

/// A node's name: 1 to 64 of letters, digits, `-`, `_` and `.`, not beginning with `.`, so that
/// it can be part of a file name.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NodeName(String);

impl NodeName {
    /// Takes a name.
    ///
    /// # Errors
    /// When it has other characters, none, or too many.
    pub fn new(name: &str) -> Result<Self, BadName> {
        let allowed = |c: u8| c.is_ascii_alphanumeric() || matches!(c, b'-' | b'_' | b'.');
        let whole = (1..=NAME_BYTES_MAX).contains(&name.len()) && name.bytes().all(allowed);
        if whole && !name.starts_with('.') {
            Ok(Self(name.to_owned()))
        } else {
            Err(BadName { name: name.chars().take(NAME_BYTES_MAX).collect() })
        }
    }
}

/// Not a node's name.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("name {name:?} must be 1 to {NAME_BYTES_MAX} letters, digits, '-', '_' or '.'")]
pub struct BadName {
    /// What was given.
    pub name: String,
}

impl fmt::Display for NodeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for NodeName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::new(&String::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

fn loopback<'de, D: Deserializer<'de>>(deserializer: D) -> Result<SocketAddr, D::Error> {
    let address = SocketAddr::deserialize(deserializer)?;
    if address.ip().is_loopback() {
        return Ok(address);
    }
    Err(D::Error::custom(format!("{address} is not a loopback address")))
}

fn addresses<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Multiaddr>, D::Error> {
    let texts = Vec::<String>::deserialize(deserializer)?;
    let parse = |text: String| {
        text.parse().map_err(|error| {
            D::Error::custom(format!("{text:?} is no address like /ip4/1.2.3.4/tcp/5: {error}"))
        })
    };
    texts.into_iter().map(parse).collect()
}

fn filter<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let text = String::deserialize(deserializer)?;
    match tracing_subscriber::EnvFilter::try_new(&text) {
        Ok(_) => Ok(text),
        Err(error) => Err(D::Error::custom(format!("{text:?} is no log filter: {error}"))),
    }
}

/// Why a configuration cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// The file does not say what a configuration says.
    #[error("{}:{line}: {message}\n  | {text}", path.display())]
    Parse {
        /// The file.
        path: PathBuf,
        /// The line to blame, from 1.
        line: usize,
        /// That line.
        text: String,
        /// What is wrong with it.
        message: String,
    },
}

impl Config {
    /// Reads a configuration.
    ///
    /// # Errors
    /// When it cannot be read, or with the line that is wrong.
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        let read = fs::read_to_string(path);
        let text = read.map_err(|source| ConfigError::Read { path: path.to_path_buf(), source })?;
        Self::parse(path, &text)
    }

    /// Reads a configuration that `path` has or is to have.
    ///
    /// # Errors
    /// With the line that is wrong.
    pub(crate) fn parse(path: &Path, text: &str) -> Result<Self, ConfigError> {
        toml::from_str(text).map_err(|error: toml::de::Error| {
            let at = error.span().map_or(0, |span| span.start.min(text.len()));
            let before = text.get(..at).unwrap_or(text);
            let line = before.matches('\n').count() + 1;
            ConfigError::Parse {
                path: path.to_path_buf(),
                line,
                text: text.lines().nth(line - 1).unwrap_or_default().trim_end().to_owned(),
                message: error.message().trim_end().to_owned(),
            }
        })
    }
}

/// What a new configuration says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NewConfig {
    /// The node's name.
    pub name: NodeName,
    /// Where the interface for rollups listens.
    pub http: SocketAddr,
    /// Where the interface for its operator listens.
    pub admin: SocketAddr,
    /// Where the wire listens.
    pub p2p: Vec<Multiaddr>,
}

impl NewConfig {
    /// The text of the file, with a word on every key.
    #[must_use]
    pub fn text(&self) -> String {
        let Self { name, http, admin, p2p } = self;
        let p2p: Vec<String> = p2p.iter().map(quoted).collect();
        let (p2p, slots) = (p2p.join(", "), FOLLOWER_SLOTS_DEFAULT);
        format!(
            "\
# What an operator decides about this node. Nothing here is part of the chain.
# Unknown keys are refused.

# For people: in logs, in the status and in histories.
name = \"{name}\"

[http]
# The interface for rollups: submit, follow, status, metrics. Port 0 takes a free one; the ports
# in use are in data/run.json.
listen = \"{http}\"
# Most connections and most streams of one address, an eighth of all if not given. Callers on this
# machine are not counted: where a proxy stands in front of the node, it has to count.
# connections_per_address = 256
# streams_per_address = 64

[admin]
# The interface for the operator. Whoever reaches it may stop the node: loopback only.
listen = \"{admin}\"

[p2p]
# The wire between nodes.
listen = [{p2p}]
# Connections for nodes that are not validators; 0 takes none.
follower_slots = {slots}

[log]
# pretty for people, json for machines.
format = \"pretty\"
# error, warn, info, debug or trace, or a filter such as \"info,chorale_p2p=debug\".
level = \"info\"

# Where other validators are, one entry each; `chorale genesis install --peer` writes them.
# [[peers]]
# network = \"0x...\"
# addresses = [\"/ip4/192.0.2.1/tcp/4001\"]
"
        )
    }
}

/// An address as TOML writes a text: a name in it may have any character.
fn quoted(address: &Multiaddr) -> String {
    toml::Value::from(address.to_string()).to_string()
}

/// The text of entries for peers, to be appended to a configuration.
#[must_use]
pub fn peers_text(peers: &[Peer]) -> String {
    let entry = |peer: &Peer| {
        let addresses: Vec<String> = peer.addresses.iter().map(quoted).collect();
        let addresses = addresses.join(", ");
        format!("\n[[peers]]\nnetwork = \"{}\"\naddresses = [{addresses}]\n", peer.network)
    };
    peers.iter().map(entry).collect()
}

#[cfg(test)]
mod tests;
