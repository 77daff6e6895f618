//! `chaos`: breaks a cluster by plan and says what broke. See the folder's README.

mod commands;

use clap::{Parser, Subcommand};
use std::process::ExitCode;

/// Events, messages and outputs are allocated and freed by the million.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Faults for Chorale.
#[derive(Parser)]
#[command(name = "chaos", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Many replicas in one thread under simulated time, with faults drawn from a seed.
    ///
    /// Exit code 0: clean. 1: a promise was broken. 2: usage. 3: clean, but a required counter is
    /// zero (with --require-counters). 4: a scenario in which some fault did nothing.
    Sim(commands::sim::Sim),
    /// Replicas of which some run twice with the same keys, and every way to part the network.
    ///
    /// Exit code 0: clean. 1: a promise was broken. 2: usage.
    Twins(commands::twins::Twins),
    /// Every way in which three honest replicas and a Byzantine leader can go, up to so many views.
    ///
    /// Exit code 0: nothing breaks (with --gates: everything is noticed). 1: a promise was broken
    /// (with --gates: an absence was missed). 2: usage.
    Model(commands::model::Model),
    /// Decides from the recorded histories of a run whether its promises were kept.
    ///
    /// Exit code 0: pass. 1: a promise was broken. 2: the run proves nothing, or cannot be read.
    Judge(commands::judge::Judge),
    /// Bugs planted on purpose, one at a time, each looked for until something notices it.
    ///
    /// Exit code 0: all were noticed, and nothing with none planted. 1: one survives. 2: usage.
    #[cfg(feature = "museum")]
    Museum(commands::museum::Museum),
}

fn main() -> ExitCode {
    let done = match Cli::parse().command {
        Command::Sim(sim) => sim.run(),
        Command::Twins(twins) => twins.run(),
        Command::Model(model) => model.run(),
        Command::Judge(judge) => judge.run(),
        #[cfg(feature = "museum")]
        Command::Museum(museum) => museum.run(),
    };
    match done {
        Ok(code) => code,
        Err(error) => {
            eprintln!("chaos: {error:#}");
            ExitCode::from(2)
        }
    }
}
