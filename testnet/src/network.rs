//! Brings a whole new network up: homes, genesis, links if wanted, processes, ready.

use crate::cluster::{Cluster, Life};
use crate::home::{Home, State};
use crate::http::Http;
use crate::links::Links;
use crate::plan::{self, Shape};
use anyhow::{Context, Result};
use std::path::Path;
use std::time::{Duration, Instant};

/// How long the nodes may take until all are ready.
const READY_LIMIT: Duration = Duration::from_secs(60);
/// Attempts to bring up a network whose ports somebody else took in the meantime.
const ATTEMPTS_MAX: usize = 3;

/// How nodes reach each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wiring {
    /// Directly.
    Direct,
    /// Over links that can be cut. They end with this program, so the nodes should too.
    Links,
}

/// A network that is up.
pub struct Network {
    /// Its nodes.
    pub cluster: Cluster,
    /// The links between them, with [`Wiring::Links`].
    pub links: Option<Links>,
}

/// Makes a new network in `home` and waits until all its nodes are ready.
///
/// # Errors
/// When a node does not come up; its log is in the message.
pub async fn bring_up(
    home: &Home,
    shape: Shape,
    binary: &Path,
    life: Life,
    wiring: Wiring,
) -> Result<Network> {
    for attempt in 1.. {
        let state = plan::make_homes(home, shape, binary).await?;
        let links = match wiring {
            Wiring::Direct => None,
            Wiring::Links => Some(Links::open(&targets(&state)?).await?),
        };
        let address = |from, to: usize| match &links {
            Some(links) => format!("/ip4/127.0.0.1/tcp/{}", links.port(from, to)),
            None => state.nodes[to].p2p.clone(),
        };
        plan::make_genesis(home, &state, &address).await?;
        let mut cluster = Cluster::open(home, life)?;
        match start_all(&mut cluster).await {
            Ok(()) => return Ok(Network { cluster, links }),
            Err(error) => {
                cluster.stop_all().await?;
                if attempt == ATTEMPTS_MAX || !format!("{error:#}").contains("in use") {
                    return Err(error);
                }
                eprintln!("a port was taken meanwhile; starting over");
            }
        }
    }
    unreachable!("the last attempt returns")
}

fn targets(state: &State) -> Result<Vec<u16>> {
    let port = |address: &str| address.rsplit('/').next().and_then(|port| port.parse().ok());
    let ports = state.nodes.iter().map(|node| port(&node.p2p).context("a port in a multiaddr"));
    ports.collect()
}

/// Starts all nodes and waits until all are ready.
///
/// # Errors
/// When one does not come up.
pub async fn start_all(cluster: &mut Cluster) -> Result<()> {
    let (http, end) = (Http::new()?, Instant::now() + READY_LIMIT);
    let count = cluster.nodes().len();
    eprintln!("starting {count} nodes in {}", cluster.home().root().display());
    for index in 0..count {
        cluster.start(index)?;
    }
    for index in 0..count {
        let left = end.saturating_duration_since(Instant::now());
        cluster.wait_ready(index, &http, left).await?;
    }
    Ok(())
}
