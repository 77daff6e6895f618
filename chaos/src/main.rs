//! `chaos`: breaks a cluster by plan and says what broke. See the folder's README.

use anyhow::Context as _;
use chorale_chaos::report::Report;
use chorale_chaos::runner::{Order, Summary, run, run_seed};
use chorale_chaos::sim::plan::{Frame, Plan};
use chorale_chaos::sim::trace::Trace;
use clap::{Args, Parser, Subcommand};
use std::path::PathBuf;
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
    /// zero (with --require-counters).
    Sim(Sim),
}

#[derive(Args)]
struct Sim {
    /// Run this seed alone.
    #[arg(long, conflicts_with = "seeds")]
    seed: Option<u64>,
    /// Run so many seeds.
    #[arg(long, default_value_t = 100)]
    seeds: u64,
    /// The first of them.
    #[arg(long, default_value_t = 0)]
    from: u64,
    /// Least simulated seconds of each.
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u64).range(8..=3600))]
    seconds: u64,
    /// Clusters of so many members, instead of 1 to 10 as each seed draws.
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..=10))]
    validators: Option<u16>,
    /// Threads.
    #[arg(long, default_value_t = 2, value_parser = parse_jobs)]
    jobs: usize,
    /// Write the report as JSON, to a file or to the standard output.
    #[arg(long, value_name = "FILE", num_args = 0..=1)]
    json: Option<Option<PathBuf>>,
    /// Print every event and output of the one seed.
    #[arg(long, requires = "seed")]
    trace: bool,
    /// Print the plan of the one seed and run nothing.
    #[arg(long, requires = "seed")]
    plan: bool,
    /// Go on after a violation.
    #[arg(long)]
    keep_going: bool,
    /// Fail when one of the rare cases never came up.
    #[arg(long)]
    require_counters: bool,
}

fn parse_jobs(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(jobs @ 1..=256) => Ok(jobs),
        _ => Err("1 to 256 threads".to_owned()),
    }
}

fn main() -> ExitCode {
    let Command::Sim(sim) = Cli::parse().command;
    match sim.run() {
        Ok(code) => code,
        Err(error) => {
            eprintln!("chaos: {error:#}");
            ExitCode::from(2)
        }
    }
}

impl Sim {
    fn run(&self) -> anyhow::Result<ExitCode> {
        let seeds = match self.seed {
            Some(seed) => seed..seed.checked_add(1).context("the last seed is 2^64 - 2")?,
            None => self.from..self.from.checked_add(self.seeds).context("too many seeds")?,
        };
        let frame = Frame { seconds: self.seconds, validators: self.validators };
        if self.plan {
            println!("{:#?}", Plan::draw(seeds.start, frame));
            return Ok(ExitCode::SUCCESS);
        }
        if self.trace {
            let _ = run_seed(seeds.start, frame, Trace::new(true, true));
        }
        let order = Order { seeds, frame, jobs: self.jobs, keep_going: self.keep_going };
        let summary = run(&order, say_progress);
        let report = Report::new(&order, &summary);
        match &self.json {
            None => println!("{}", report.text()),
            Some(None) => println!("{}", serde_json::to_string_pretty(&report)?),
            Some(Some(file)) => {
                let text = serde_json::to_string_pretty(&report)?;
                let what = || format!("cannot write {}", file.display());
                std::fs::write(file, text).with_context(what)?;
                println!("{}", report.text());
            }
        }
        Ok(if !report.failures.is_empty() {
            ExitCode::from(1)
        } else if self.require_counters && !report.counters_missing.is_empty() {
            ExitCode::from(3)
        } else {
            ExitCode::SUCCESS
        })
    }
}

fn say_progress(of: u64, summary: &Summary) {
    let wall = summary.wall.as_secs_f64();
    let simulated = std::time::Duration::from_micros(summary.simulated).as_secs_f64();
    eprintln!(
        "{} of {of} seeds, {simulated:.0} simulated seconds in {wall:.0} s ({:.0} for each)",
        summary.seeds,
        simulated / wall.max(1e-9),
    );
}
