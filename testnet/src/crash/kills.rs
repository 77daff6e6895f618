//! Kill nodes and bring them back.

use crate::cluster::Cluster;
use crate::http::Http;
use anyhow::{Context, Result, bail};
use chorale_client::api::Status;
use rustix::process::Signal;
use serde::Serialize;
use std::time::{Duration, Instant};

/// How long a killed node stays away: several turns of its leadership.
const AWAY: Duration = Duration::from_secs(3);
/// Pause between a recovery and the next kill.
const BETWEEN: Duration = Duration::from_secs(2);
/// How long a node may take from its start until it votes again.
const RETURN_LIMIT: Duration = Duration::from_secs(60);
/// A node that is so close to the highest has caught up; the others move while it is asked.
const CLOSE_HEIGHTS: u64 = 20;
/// How often a returning node is looked at.
const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// One kill.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Killed {
    /// The node's name.
    pub node: String,
    /// Whether it led the view at the time, as far as a status call can tell.
    pub was_leader: bool,
    /// How far the chain was.
    pub height: u64,
    /// From its start until it had caught up and voted, in milliseconds.
    pub returned_ms: u64,
}

/// Kills the current leader, `count` times.
///
/// # Errors
/// When no node answers, or a killed node does not come back.
pub async fn leaders(cluster: &mut Cluster, count: u32) -> Result<Vec<Killed>> {
    let (http, mut kills) = (Http::new()?, Vec::new());
    for _ in 0..count {
        let status = highest(cluster, &http).await?;
        kills.push(kill_and_return(cluster, &http, status.leader.as_usize(), &status).await?);
    }
    Ok(kills)
}

/// Kills nodes that do not lead, taking turns, `count` times.
///
/// # Errors
/// When no node answers, or a killed node does not come back.
pub async fn followers(cluster: &mut Cluster, count: u32) -> Result<Vec<Killed>> {
    let (http, nodes, mut kills) = (Http::new()?, cluster.nodes().len(), Vec::new());
    for turn in 0..usize::try_from(count).unwrap_or(0) {
        let status = highest(cluster, &http).await?;
        let index = turn % nodes;
        let index = if index == status.leader.as_usize() { (index + 1) % nodes } else { index };
        kills.push(kill_and_return(cluster, &http, index, &status).await?);
    }
    Ok(kills)
}

/// Kills all nodes at once.
///
/// # Errors
/// When a node does not come back.
pub async fn all(cluster: &mut Cluster) -> Result<Vec<Killed>> {
    let http = Http::new()?;
    let status = highest(cluster, &http).await?;
    let nodes = 0..cluster.nodes().len();
    for index in nodes.clone() {
        let node = &cluster.nodes()[index];
        if let Some(pid) = cluster.pid(index) {
            crate::process::send(pid, &node.home, Signal::KILL)?;
        }
    }
    for index in nodes.clone() {
        cluster.finish_signal(index, Signal::KILL).await?;
    }
    eprintln!("killed all nodes at height {}", status.height);
    tokio::time::sleep(BETWEEN).await;
    let began = Instant::now();
    for index in nodes.clone() {
        cluster.start(index)?;
    }
    let mut kills = Vec::new();
    for index in nodes {
        wait_returned(cluster, &http, index, status.height.get()).await?;
        kills.push(killed(cluster, index, &status, began));
    }
    Ok(kills)
}

async fn kill_and_return(
    cluster: &mut Cluster,
    http: &Http,
    index: usize,
    status: &Status,
) -> Result<Killed> {
    cluster.signal(index, Signal::KILL).await?;
    eprintln!("killed {} at height {}", cluster.nodes()[index].name, status.height);
    tokio::time::sleep(AWAY).await;
    let began = Instant::now();
    cluster.start(index)?;
    wait_returned(cluster, http, index, status.height.get()).await?;
    let killed = killed(cluster, index, status, began);
    eprintln!("{} votes again after {} ms", killed.node, killed.returned_ms);
    tokio::time::sleep(BETWEEN).await;
    Ok(killed)
}

fn killed(cluster: &Cluster, index: usize, status: &Status, began: Instant) -> Killed {
    Killed {
        node: cluster.nodes()[index].name.clone(),
        was_leader: index == status.leader.as_usize(),
        height: status.height.get(),
        returned_ms: u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX),
    }
}

/// The status of the node that is furthest.
async fn highest(cluster: &Cluster, http: &Http) -> Result<Status> {
    let asked = cluster.nodes().iter().map(|node| http.status(&node.http));
    let answers = futures::future::join_all(asked).await;
    let best = answers.into_iter().flatten().max_by_key(|status| (status.height, status.view));
    best.context("no node answers")
}

/// Waits until a node votes, is close to the highest, and commits beyond `height`.
async fn wait_returned(cluster: &Cluster, http: &Http, index: usize, height: u64) -> Result<()> {
    let (node, end) = (&cluster.nodes()[index], Instant::now() + RETURN_LIMIT);
    while Instant::now() < end {
        if let (Ok(best), Ok(own)) = (highest(cluster, http).await, http.status(&node.http).await)
            && own.voting
            && !own.syncing
            && own.height.get() > height
            && own.height.saturating_add(CLOSE_HEIGHTS) >= best.height
        {
            return Ok(());
        }
        tokio::time::sleep(LOOK_AGAIN).await;
    }
    let log = cluster.log_tail(index);
    bail!("{} did not catch up and vote within {RETURN_LIMIT:?}:\n{log}", node.name)
}
