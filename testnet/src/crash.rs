//! Crash tests: each scenario brings up a network of its own, keeps it under recorded load, kills
//! processes without warning, and judges what the followers read. [`kills`] brings the killed
//! nodes back, [`destroy`] does not.

pub mod destroy;
pub mod kills;

use crate::cli::Scenario;
use crate::cluster::Life;
use crate::home::Home;
use crate::load::run::{self, Load};
use crate::load::supply::Demand;
use crate::network::{self, Network, Wiring};
use crate::plan::Shape;
use crate::report::Summary;
use crate::stop::Stop;
use anyhow::{Context, Result};
use destroy::Destroyed;
use kills::Killed;
use serde::Serialize;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// Load before the first fault and after the last recovery.
const CALM: Duration = Duration::from_secs(3);
/// Size of the load's transactions in bytes.
const TRANSACTION_BYTES: usize = 512;

/// What all scenarios have in common.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The folder that each scenario makes its own folder in.
    pub root: PathBuf,
    /// The node program.
    pub binary: PathBuf,
    /// How many validators.
    pub validators: usize,
    /// How many rollups.
    pub rollups: usize,
    /// Transactions per second.
    pub rate: u64,
    /// Kills where one node at a time is killed.
    pub kills: u32,
    /// Longest pause between commits that passes there, in milliseconds.
    pub gap_limit_ms: u64,
}

/// What a scenario came to.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// Its name.
    pub scenario: String,
    /// Whether nothing below failed.
    pub passed: bool,
    /// What failed, in words.
    pub failures: Vec<String>,
    /// The longest time between two commits that any follower saw under load, in milliseconds.
    pub longest_commit_gap_ms: u64,
    /// What that must not pass, if this scenario has a limit.
    pub gap_limit_ms: Option<u64>,
    /// Each kill, and how the node came back.
    pub kills: Vec<Killed>,
    /// The node that was destroyed.
    pub destroyed: Option<Destroyed>,
    /// The load.
    pub load: Summary,
    /// Where the histories are.
    pub record: PathBuf,
}

/// The name of a scenario, and of its folder.
#[must_use]
pub const fn name(scenario: Scenario) -> &'static str {
    match scenario {
        Scenario::Leader => "leader",
        Scenario::Follower => "follower",
        Scenario::All => "all",
        Scenario::Destroy => "destroy",
        Scenario::DestroyCut => "destroy-cut",
    }
}

/// What the faults did.
#[derive(Default)]
struct Faults {
    kills: Vec<Killed>,
    destroyed: Option<Destroyed>,
}

/// Runs one scenario on a new network.
///
/// # Errors
/// When the network does not come up or a killed node does not come back.
pub async fn run(plan: &Plan, scenario: Scenario, stop: &Stop) -> Result<Report> {
    let home = Home::new(&plan.root.join(name(scenario)))?;
    let shape = Shape { validators: plan.validators, rollups: plan.rollups, recording: true };
    let cut = scenario == Scenario::DestroyCut;
    let wiring = if cut { Wiring::Links } else { Wiring::Direct };
    let network = network::bring_up(&home, shape, &plan.binary, Life::WithUs, wiring);
    let mut network = tokio::select! {
        network = network => network?,
        () = stop.asked() => anyhow::bail!("stopped while starting"),
    };
    let (faults, summary) = under_load(plan, scenario, &mut network, stop).await?;
    network.cluster.stop_all().await?;
    Ok(judge(plan, scenario, &home, faults, summary))
}

/// Keeps the network under load while the faults happen.
async fn under_load(
    plan: &Plan,
    scenario: Scenario,
    network: &mut Network,
    stop: &Stop,
) -> Result<(Faults, Summary)> {
    let demand = Demand { rate: plan.rate, size: TRANSACTION_BYTES, seconds: None };
    let mut load = Load::new(network.cluster.home(), demand);
    let destroys = matches!(scenario, Scenario::Destroy | Scenario::DestroyCut);
    load.unread = destroys.then_some(destroy::VICTIM);
    let (events, end) = (Arc::clone(&load.events), Stop::default());
    let inner = end.clone();
    let mut running = tokio::spawn(async move { run::run(&load, &inner).await });
    tokio::select! {
        () = events.begun.notified() => {}
        ended = &mut running => {
            ended??;
            anyhow::bail!("the load ended before it began");
        }
    }
    let faults = async {
        tokio::time::sleep(CALM).await;
        let cluster = &mut network.cluster;
        let mut faults = Faults::default();
        match scenario {
            Scenario::Leader => faults.kills = kills::leaders(cluster, plan.kills).await?,
            Scenario::Follower => faults.kills = kills::followers(cluster, plan.kills).await?,
            Scenario::All => faults.kills = kills::all(cluster).await?,
            Scenario::Destroy | Scenario::DestroyCut => {
                let links = network.links.as_ref();
                faults.destroyed = Some(destroy::destroy(cluster, links, &events).await?);
            }
        }
        tokio::time::sleep(CALM).await;
        Ok::<_, anyhow::Error>(faults)
    };
    let faults = tokio::select! {
        faults = faults => faults,
        () = stop.asked() => Ok(Faults::default()),
    };
    end.ask();
    let summary = running.await.context("the load")??;
    Ok((faults?, summary))
}

fn judge(plan: &Plan, scenario: Scenario, home: &Home, faults: Faults, load: Summary) -> Report {
    let mut failures = load.failures();
    let limited = matches!(scenario, Scenario::Leader | Scenario::Follower);
    let gap_limit_ms = limited.then_some(plan.gap_limit_ms);
    let gap = load.longest_commit_gap_ms;
    if let Some(limit) = gap_limit_ms.filter(|limit| gap > *limit) {
        failures.push(format!("{gap} ms between two commits, at most {limit} ms allowed"));
    }
    let wanted = match scenario {
        Scenario::Leader | Scenario::Follower => usize::try_from(plan.kills).unwrap_or(0),
        Scenario::All => plan.validators,
        Scenario::Destroy | Scenario::DestroyCut => 0,
    };
    if faults.kills.len() < wanted {
        failures.push(format!("{} of {wanted} kills were made", faults.kills.len()));
    }
    if wanted == 0 && faults.destroyed.is_none() {
        failures.push("no node was destroyed".to_owned());
    }
    if load.counts.submitted == 0 {
        failures.push("nothing was submitted".to_owned());
    }
    Report {
        scenario: name(scenario).to_owned(),
        passed: failures.is_empty(),
        failures,
        longest_commit_gap_ms: gap,
        gap_limit_ms,
        kills: faults.kills,
        destroyed: faults.destroyed,
        load,
        record: home.record(),
    }
}
