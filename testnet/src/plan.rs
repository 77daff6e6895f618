//! Lays out a new testnet as a person would: `chorale init` for each node, one `chorale genesis
//! new` over all validators, and `chorale genesis install` everywhere.

use crate::home::{Home, Node, State};
use crate::{ports, program};
use anyhow::{Context, Result, bail};
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

/// The chain's name.
pub const CHAIN_NAME: &str = "testnet";
/// The id of the first rollup, which is its EVM chain id too; the others follow it.
pub const FIRST_ROLLUP: u64 = 91_001;
/// Most validators of one testnet: all of them share one machine.
pub const VALIDATORS_MAX: usize = 32;
/// Most rollups of one testnet.
pub const ROLLUPS_MAX: usize = 64;

/// What a new testnet looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    /// How many validators; 1 to [`VALIDATORS_MAX`].
    pub validators: usize,
    /// How many rollups; 1 to [`ROLLUPS_MAX`].
    pub rollups: usize,
    /// Whether everybody records a history.
    pub recording: bool,
}

/// Where one node reaches another, as a multiaddr: `address(from, to)`.
pub type Addresses<'a> = &'a dyn Fn(usize, usize) -> String;

/// Checks that a shape is within bounds.
///
/// # Errors
/// With the bound that it breaks.
pub fn check(shape: Shape) -> Result<()> {
    if shape.validators == 0 || shape.validators > VALIDATORS_MAX {
        bail!("--validators {}: must be 1 to {VALIDATORS_MAX}", shape.validators);
    }
    if shape.rollups == 0 || shape.rollups > ROLLUPS_MAX {
        bail!("--rollups {}: must be 1 to {ROLLUPS_MAX}", shape.rollups);
    }
    Ok(())
}

/// Makes the homes of all nodes and writes `testnet.json`.
///
/// # Errors
/// When the shape is out of bounds, the folder is in use, or a command fails.
pub async fn make_homes(home: &Home, shape: Shape, node_binary: &Path) -> Result<State> {
    check(shape)?;
    home.prepare()?;
    let ports = ports::free(shape.validators * 3)?;
    let mut nodes = Vec::new();
    for (index, three) in ports.chunks_exact(3).enumerate() {
        let name = format!("node{index}");
        let node = Node {
            http: format!("http://127.0.0.1:{}", three[0]),
            p2p: format!("/ip4/127.0.0.1/tcp/{}", three[1]),
            admin: format!("http://127.0.0.1:{}", three[2]),
            pid: None,
            home: home.node(&name),
            name,
        };
        init(&node, node_binary).await?;
        nodes.push(node);
    }
    let state = State {
        chain_name: CHAIN_NAME.to_owned(),
        nodes,
        rollups: (FIRST_ROLLUP..).take(shape.rollups).collect(),
        genesis: home.genesis(),
        node_binary: node_binary.to_owned(),
        recording: shape.recording,
        load: None,
    };
    home.store(&state)?;
    Ok(state)
}

async fn init(node: &Node, node_binary: &Path) -> Result<()> {
    let listen = |url: &str| url.trim_start_matches("http://").to_owned();
    let arguments: Vec<OsString> = vec![
        "init".into(),
        "--home".into(),
        node.home.clone().into(),
        "--chain-name".into(),
        CHAIN_NAME.into(),
        "--name".into(),
        node.name.clone().into(),
        "--http".into(),
        listen(&node.http).into(),
        "--admin".into(),
        listen(&node.admin).into(),
        "--p2p".into(),
        node.p2p.clone().into(),
    ];
    program::run(node_binary, &arguments).await.map(drop)
}

fn card(node: &Node) -> PathBuf {
    node.home.join("config").join("validator.json")
}

/// Makes the genesis over all nodes, in order, and installs it in each home.
///
/// # Errors
/// When a command fails.
pub async fn make_genesis(home: &Home, state: &State, addresses: Addresses<'_>) -> Result<()> {
    let mut arguments: Vec<OsString> =
        vec!["genesis".into(), "new".into(), "--chain-name".into(), CHAIN_NAME.into()];
    for rollup in &state.rollups {
        arguments.extend(["--rollup".into(), rollup.to_string().into()]);
    }
    for node in &state.nodes {
        arguments.extend(["--validator".into(), card(node).into()]);
    }
    arguments.extend(["--out".into(), home.genesis().into()]);
    program::run(&state.node_binary, &arguments).await?;
    for from in 0..state.nodes.len() {
        install(home, state, from, addresses).await?;
    }
    Ok(())
}

async fn install(home: &Home, state: &State, from: usize, addresses: Addresses<'_>) -> Result<()> {
    let node = &state.nodes[from];
    let mut arguments: Vec<OsString> =
        vec!["genesis".into(), "install".into(), home.genesis().into()];
    arguments.extend(["--home".into(), node.home.clone().into()]);
    for (to, peer) in state.nodes.iter().enumerate().filter(|(to, _)| *to != from) {
        let address = addresses(from, to);
        let file =
            if address == peer.p2p { card(peer) } else { readdress(home, node, peer, &address)? };
        arguments.extend(["--peer".into(), file.into()]);
    }
    program::run(&state.node_binary, &arguments).await.map(drop)
}

/// A copy of a validator's card that names another address: that of the link to it.
fn readdress(home: &Home, from: &Node, to: &Node, address: &str) -> Result<PathBuf> {
    let text = fs::read_to_string(card(to)).with_context(|| card(to).display().to_string())?;
    let mut value: serde_json::Value = serde_json::from_str(&text).context("validator.json")?;
    value["p2p"] = serde_json::json!([address]);
    let folder = home.root().join("nodes").join("links");
    fs::create_dir_all(&folder)?;
    let file = folder.join(format!("{}-{}.json", from.name, to.name));
    fs::write(&file, value.to_string()).with_context(|| file.display().to_string())?;
    Ok(file)
}
