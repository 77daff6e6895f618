//! `testnet up` and `testnet load`.

use super::{Failure, Usage, Verdict, conclude, home};
use crate::cli::{Amount, LoadCommand, Up};
use crate::cluster::{Cluster, Life};
use crate::home::Home;
use crate::load::run::{self, Load};
use crate::load::supply::Demand;
use crate::network::{self, Wiring};
use crate::plan::{self, Shape};
use crate::stop::Stop;
use crate::{process, program, report};
use anyhow::{Context, Result, bail};
use std::fs::OpenOptions;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

/// Rate of a load when none is given.
const RATE_DEFAULT: u64 = 200;

fn demand(amount: &Amount) -> Demand {
    let rate = amount.rate.unwrap_or(RATE_DEFAULT);
    Demand { rate, size: amount.tx_bytes, seconds: amount.seconds }
}

/// Makes a network, and puts load on it.
pub(super) async fn up(up: Up) -> Result<Verdict, Failure> {
    let home = home(&up.home)?;
    let demand = demand(&up.amount);
    run::check(&demand).usage()?;
    let binary = program::find(up.binary.node_binary.as_deref()).usage()?;
    let shape = Shape { validators: up.validators, rollups: up.rollups, recording: up.record };
    plan::check(shape).usage()?;
    home.prepare().usage()?;
    let stop = Stop::on_signals()?;
    let life = if up.detach { Life::Detached } else { Life::WithUs };
    let network::Network { mut cluster, .. } = tokio::select! {
        network = network::bring_up(&home, shape, &binary, life, Wiring::Direct) => network?,
        () = stop.asked() => return Err(anyhow::anyhow!("stopped while starting").into()),
    };
    tell(&cluster);
    if up.detach {
        return detach(&cluster, &up).map_err(Failure::from);
    }
    let load = Load::new(&home, demand);
    let summary = run::run(&load, &stop).await;
    let killed = cluster.stop_all().await?;
    if !killed.is_empty() {
        eprintln!("had to be killed: {}", killed.join(", "));
    }
    Ok(conclude(&summary?, &up.json)?)
}

fn tell(cluster: &Cluster) {
    for node in cluster.nodes() {
        eprintln!("  {}  {}", node.name, node.http);
    }
    let rollups: Vec<String> = cluster.state().rollups.iter().map(u64::to_string).collect();
    eprintln!("  rollups {}", rollups.join(", "));
}

fn detach(cluster: &Cluster, up: &Up) -> Result<Verdict> {
    if up.amount.rate.is_some() {
        load_in_background(cluster.home(), up)?;
    }
    let root = cluster.home().root().display();
    eprintln!("left running; `testnet down --home {root}` stops it");
    let loads = up.amount.rate.is_some();
    if let Some(file) = up.json.json.as_deref().filter(|_| !loads) {
        report::write_json(&cluster.home().load()?, file)?;
    }
    Ok(Verdict::Passed)
}

/// Starts `testnet load` on its own, with its output in `logs/load.log`.
fn load_in_background(home: &Home, up: &Up) -> Result<()> {
    let own = std::env::current_exe().context("cannot tell where this program is")?;
    let path = home.log("load");
    let log = OpenOptions::new().create(true).append(true).open(&path)?;
    let mut command = Command::new(own);
    command.arg("load").arg("--home").arg(home.root());
    command.args(["--tx-bytes", &up.amount.tx_bytes.to_string()]);
    for (name, value) in [("--rate", up.amount.rate), ("--seconds", up.amount.seconds)] {
        command.args(value.iter().flat_map(|value| [name.to_owned(), value.to_string()]));
    }
    if let Some(file) = &up.json.json {
        command.arg("--json").arg(file);
    }
    command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log).process_group(0);
    let child = command.spawn().context("start the load")?;
    eprintln!("load in the background; see {}", path.display());
    home.update(|state| state.load = Some(child.id())).map(drop)
}

/// Puts load on a network that runs.
pub(super) async fn load(command: LoadCommand) -> Result<Verdict, Failure> {
    let home = home(&command.home)?;
    let demand = demand(&command.amount);
    run::check(&demand).usage()?;
    check_runs(&home).usage()?;
    let stop = Stop::on_signals()?;
    let summary = run::run(&Load::new(&home, demand), &stop).await?;
    Ok(conclude(&summary, &command.json)?)
}

fn check_runs(home: &Home) -> Result<()> {
    let state = home.load()?;
    let runs = |node: &crate::home::Node| node.pid.is_some_and(|p| process::runs(p, &node.home));
    if !state.nodes.iter().any(runs) {
        let root = home.root().display();
        bail!("no node of {root} runs; `testnet start all --home {root}` starts them");
    }
    Ok(())
}
