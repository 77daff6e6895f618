//! `chaos sim`: seeds, or one scenario.

use anyhow::Context as _;
use chorale_chaos::report::Report;
use chorale_chaos::runner::{Order, Summary, run, run_plan, run_seed};
use chorale_chaos::scenario::{self, Verdict};
use chorale_chaos::shrink::shrink;
use chorale_chaos::sim::plan::{Frame, Plan};
use chorale_chaos::sim::trace::Trace;
use clap::Args;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Runs of a plan that the shrinker may use.
const SHRINK_TRIES_MAX: usize = 600;

/// What `chaos sim` is told.
#[derive(Args)]
pub(crate) struct Sim {
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
    #[arg(long, default_value_t = 2, value_parser = super::parse_jobs)]
    jobs: usize,
    /// Write the report as JSON, to a file or to the standard output.
    #[arg(long, value_name = "FILE", num_args = 0..=1)]
    json: Option<Option<PathBuf>>,
    /// Print every event and output of the one seed, or of the scenario.
    #[arg(long)]
    trace: bool,
    /// Print the plan of the one seed as a scenario file, and run nothing.
    #[arg(long, requires = "seed")]
    plan: bool,
    /// Run this scenario file instead of seeds.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["seed", "seeds", "from", "json"])]
    scenario: Option<PathBuf>,
    /// When the one seed fails, write the smallest scenario found that fails likewise.
    #[arg(long, value_name = "FILE", requires = "seed")]
    shrink: Option<PathBuf>,
    /// Go on after a violation.
    #[arg(long)]
    keep_going: bool,
    /// Fail when one of the rare cases never came up.
    #[arg(long)]
    require_counters: bool,
    /// Plant a bug in seeds beside these, and fail when it is not found (exit code 5).
    #[cfg(feature = "museum")]
    #[arg(long)]
    canary: bool,
}

impl Sim {
    /// Does it.
    ///
    /// # Errors
    /// When the order makes no sense or a file cannot be read or written.
    pub(crate) fn run(&self) -> anyhow::Result<ExitCode> {
        anyhow::ensure!(
            !self.trace || self.seed.is_some() || self.scenario.is_some(),
            "--trace needs --seed or --scenario"
        );
        if let Some(file) = &self.scenario {
            return run_scenario(file, self.trace);
        }
        let frame = Frame { seconds: self.seconds, validators: self.validators };
        let seeds = match self.seed {
            Some(seed) => seed..seed.checked_add(1).context("the last seed is 2^64 - 2")?,
            None => self.from..self.from.checked_add(self.seeds).context("too many seeds")?,
        };
        if self.plan {
            print!("{}", scenario::write(&Plan::draw(seeds.start, frame)));
            return Ok(ExitCode::SUCCESS);
        }
        if self.trace {
            let _ = run_seed(seeds.start, frame, Trace::new(true, true));
        }
        let order = Order { seeds, frame, jobs: self.jobs, keep_going: self.keep_going };
        let summary = run(&order, say_progress);
        let report = Report::new(&order, &summary);
        self.say(&report)?;
        if let (Some(file), Some(failure)) = (&self.shrink, summary.failures.first()) {
            let plan = Plan::draw(failure.seed, frame);
            write_smallest(plan, failure.violation.invariant, file)?;
        }
        #[cfg(feature = "museum")]
        if self.canary && report.failures.is_empty() {
            let killer = chorale_chaos::museum::Killer::Sim;
            if !super::museum::sees_a_canary(killer, self.jobs) {
                return Ok(ExitCode::from(5));
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

    fn say(&self, report: &Report) -> anyhow::Result<()> {
        match &self.json {
            None => println!("{}", report.text()),
            Some(None) => println!("{}", serde_json::to_string_pretty(report)?),
            Some(Some(file)) => {
                write_file(file, &serde_json::to_string_pretty(report)?)?;
                println!("{}", report.text());
            }
        }
        Ok(())
    }
}

fn write_file(file: &Path, text: &str) -> anyhow::Result<()> {
    std::fs::write(file, text).with_context(|| format!("cannot write {}", file.display()))
}

fn run_scenario(file: &Path, trace: bool) -> anyhow::Result<ExitCode> {
    let name = file.display();
    let text = std::fs::read_to_string(file).with_context(|| format!("cannot read {name}"))?;
    let plan = scenario::read(&text).with_context(|| format!("in {name}"))?;
    let (outcome, verdict) = scenario::run(&plan, Trace::new(true, trace));
    match verdict {
        Verdict::Passed => println!("passed: digest {:016x}", outcome.digest),
        Verdict::Invalid => {
            println!("invalid: these faults did nothing that could be shown");
            for place in &outcome.unfelt {
                println!("  fault {}: {:?}", place + 1, plan.faults[*place]);
            }
        }
        Verdict::Failed => {
            let violation = outcome.violation.as_ref().context("a failure has a violation")?;
            outcome.lines.iter().for_each(|line| println!("    {line}"));
            println!("failed: {} at {} ms", violation.invariant, violation.at / 1_000);
            println!("  node {:?}: {}", violation.node, violation.what);
        }
    }
    Ok(ExitCode::from(match verdict {
        Verdict::Passed => 0,
        Verdict::Failed => 1,
        Verdict::Invalid => 4,
    }))
}

fn write_smallest(plan: Plan, invariant: &str, file: &Path) -> anyhow::Result<()> {
    let mut tries = 0_u32;
    let small = shrink(plan, SHRINK_TRIES_MAX, |plan| {
        tries += 1;
        if tries.is_multiple_of(50) {
            eprintln!("shrinking: {tries} runs, {} faults", plan.faults.len());
        }
        let violation = run_plan(plan.clone(), Trace::new(false, false)).violation;
        violation.is_some_and(|violation| violation.invariant == invariant)
    });
    write_file(file, &scenario::write(&small))?;
    println!("after {tries} runs: {} faults left, in {}", small.faults.len(), file.display());
    println!("  again: chaos sim --scenario {} --trace", file.display());
    Ok(())
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
