//! `testnet kill`, `testnet start` and `testnet down`.

use super::{Failure, Usage, Verdict, home};
use crate::cli::{Down, Kill, Start};
use crate::cluster::{Cluster, Life};
use crate::home::State;
use crate::http::Http;
use crate::process;
use anyhow::{Result, anyhow};
use rustix::process::Signal;
use std::time::Duration;

/// How long a started node may take until it is ready.
const READY_LIMIT: Duration = Duration::from_secs(60);
/// How long the load in the background may take for its summary.
const LOAD_LIMIT: Duration = Duration::from_secs(30);

fn chosen(state: &State, wanted: &[String]) -> Result<Vec<usize>> {
    if wanted.iter().any(|name| name == "all") {
        return Ok((0..state.nodes.len()).collect());
    }
    wanted.iter().map(|name| state.index_of(name)).collect()
}

/// Sends a signal to nodes.
pub(super) async fn kill(kill: &Kill) -> Result<Verdict, Failure> {
    let mut cluster = Cluster::open(&home(&kill.home)?, Life::Detached).usage()?;
    let signal = process::signal(kill.signal).usage()?;
    let nodes = chosen(cluster.state(), &kill.nodes).usage()?;
    let running: Vec<usize> = nodes.into_iter().filter(|i| cluster.pid(*i).is_some()).collect();
    if running.is_empty() {
        let error = anyhow!("{} does not run", kill.nodes.join(", "));
        return Err(error).usage();
    }
    // All are signalled before any is waited for: they are to fall together.
    for index in &running {
        let node = &cluster.nodes()[*index];
        if let Some(pid) = cluster.pid(*index) {
            process::send(pid, &node.home, signal)?;
        }
    }
    for index in running {
        cluster.finish_signal(index, signal).await?;
        eprintln!("sent signal {} to {}", kill.signal, cluster.nodes()[index].name);
    }
    Ok(Verdict::Passed)
}

/// Starts nodes that do not run.
pub(super) async fn start(start: &Start) -> Result<Verdict, Failure> {
    let mut cluster = Cluster::open(&home(&start.home)?, Life::Detached).usage()?;
    let nodes = chosen(cluster.state(), &start.nodes).usage()?;
    let down: Vec<usize> = nodes.iter().copied().filter(|i| cluster.pid(*i).is_none()).collect();
    if down.is_empty() {
        let error = anyhow!("{} already runs", start.nodes.join(", "));
        return Err(error).usage();
    }
    for index in &down {
        cluster.start(*index)?;
    }
    let http = Http::new()?;
    for index in down {
        cluster.wait_ready(index, &http, READY_LIMIT).await?;
        let node = &cluster.nodes()[index];
        eprintln!("{} is ready at {}", node.name, node.http);
    }
    Ok(Verdict::Passed)
}

/// Stops everything.
pub(super) async fn down(down: &Down) -> Result<Verdict, Failure> {
    let home = home(&down.home)?;
    let mut cluster = Cluster::open(&home, Life::Detached).usage()?;
    if let Some(pid) = home.load()?.load {
        if process::send(pid, home.root(), Signal::TERM)? {
            eprintln!("waiting for the load's summary in {}", home.log("load").display());
            if !process::wait_gone(pid, home.root(), LOAD_LIMIT).await {
                process::send(pid, home.root(), Signal::KILL)?;
            }
        }
        home.update(|state| state.load = None)?;
    }
    let killed = cluster.stop_all().await?;
    if !killed.is_empty() {
        let names = killed.join(", ");
        return Err(anyhow!("these did not stop by themselves and were killed: {names}").into());
    }
    eprintln!("all nodes have ended");
    Ok(Verdict::Passed)
}
