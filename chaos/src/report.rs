//! What the command says.

use crate::counters::Counters;
use crate::runner::{Failure, Order, Summary};
use serde::Serialize;
use std::fmt::Write as _;

/// The scheme that stands in for real signatures, named in every report.
pub const SIGNATURES: &str = "cheap stand-in for BLS and ed25519 (keyed hashes that add up)";

/// The report as data.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// What was run.
    pub first_seed: u64,
    /// How many seeds were asked for.
    pub seeds: u64,
    /// How many ran.
    pub seeds_run: u64,
    /// Least simulated seconds of each.
    pub seconds: u64,
    /// Members of each cluster; drawn by each seed when absent.
    pub validators: Option<u16>,
    /// Threads.
    pub jobs: usize,
    /// The bug planted in this process.
    pub planted: Option<&'static str>,
    /// Signature scheme.
    pub signatures: &'static str,
    /// Simulated seconds, added up.
    pub simulated_seconds: f64,
    /// Wall-clock seconds.
    pub wall_seconds: f64,
    /// Simulated seconds for each wall-clock second.
    pub simulated_per_wall_second: f64,
    /// Views entered for each simulated second.
    pub views_per_simulated_second: f64,
    /// Views entered for each wall-clock second.
    pub views_per_wall_second: f64,
    /// The longest wait of a transaction submitted after healing, in milliseconds.
    pub slowest_after_heal_ms: u64,
    /// The seed of that wait.
    pub slowest_after_heal_seed: u64,
    /// The longest run of faulty leaders after healing: `b` of the bound, the largest of all seeds.
    pub faulty_leaders_in_a_row: u64,
    /// One number for everything that happened in all runs.
    pub digest: String,
    /// Different histories of two views in a row of one honest replica.
    pub histories: u64,
    /// Of those, first seen in the last tenth of the seeds.
    pub histories_new_in_last_tenth: u64,
    /// What happened.
    pub counters: Counters,
    /// Required counters that are zero.
    pub counters_missing: Vec<&'static str>,
    /// Seeds that failed.
    pub failures: Vec<FailureReport>,
}

/// One failed seed.
#[derive(Clone, Debug, Serialize)]
pub struct FailureReport {
    /// The seed.
    pub seed: u64,
    /// The promise that was broken.
    pub invariant: &'static str,
    /// By which node.
    pub node: Option<usize>,
    /// When, in simulated milliseconds.
    pub at_ms: u64,
    /// How.
    pub what: String,
    /// What happened last.
    pub last_events: Vec<String>,
}

impl From<&Failure> for FailureReport {
    fn from(failure: &Failure) -> Self {
        let violation = &failure.violation;
        Self {
            seed: failure.seed,
            invariant: violation.invariant,
            node: violation.node,
            at_ms: violation.at / 1_000,
            what: violation.what.clone(),
            last_events: failure.lines.clone(),
        }
    }
}

/// The planted bug, in a build that has any.
#[must_use]
pub fn planted() -> Option<&'static str> {
    #[cfg(feature = "museum")]
    return crate::museum::now();
    #[cfg(not(feature = "museum"))]
    None
}

fn seconds(micros: u64) -> f64 {
    std::time::Duration::from_micros(micros).as_secs_f64()
}

#[allow(clippy::cast_precision_loss)] // Counts far below 2^52, for people to read.
const fn count(n: u64) -> f64 {
    n as f64
}

impl Report {
    /// The report of a run.
    #[must_use]
    pub fn new(order: &Order, summary: &Summary) -> Self {
        let simulated = seconds(summary.simulated);
        let wall = summary.wall.as_secs_f64().max(1e-9);
        let views = count(summary.counters.views);
        Self {
            first_seed: order.seeds.start,
            seeds: order.seeds.end - order.seeds.start,
            seeds_run: summary.seeds,
            seconds: order.frame.seconds,
            validators: order.frame.validators,
            jobs: order.jobs,
            planted: planted(),
            signatures: SIGNATURES,
            simulated_seconds: simulated,
            wall_seconds: wall,
            simulated_per_wall_second: simulated / wall,
            views_per_simulated_second: views / simulated.max(1e-9),
            views_per_wall_second: views / wall,
            slowest_after_heal_ms: summary.slowest_after_heal.0 / 1_000,
            slowest_after_heal_seed: summary.slowest_after_heal.1,
            faulty_leaders_in_a_row: summary.faulty_run,
            digest: format!("{:016x}", summary.digest),
            histories: summary.reached.histories(),
            histories_new_in_last_tenth: summary.reached.new_in_last_tenth(),
            counters: summary.counters,
            counters_missing: summary.counters.missing(),
            failures: summary.failures.iter().map(FailureReport::from).collect(),
        }
    }

    /// The report for people.
    #[must_use]
    pub fn text(&self) -> String {
        let mut out = String::new();
        for failure in &self.failures {
            let _ = writeln!(out, "seed {} breaks {}", failure.seed, failure.invariant);
            let _ = writeln!(out, "  node {:?}, at {} ms", failure.node, failure.at_ms);
            let _ = writeln!(out, "  {}", failure.what);
            let shown = failure.last_events.len().saturating_sub(20);
            for line in &failure.last_events[shown..] {
                let _ = writeln!(out, "    {}", shortened(line));
            }
            let _ = writeln!(out, "  again: chaos sim --seed {} --trace", failure.seed);
        }
        if let Some(bug) = self.planted {
            let _ = writeln!(out, "planted bug: {bug}");
        }
        for (name, value) in self.counters.all() {
            let _ = writeln!(out, "{value:>12}  {}", name.replace('_', " "));
        }
        let _ = writeln!(
            out,
            "{} of {} seeds from {}, {:.0} simulated seconds in {:.1} s: {:.0} for each second, \
             {:.1} views a simulated second, {:.0} a second",
            self.seeds_run,
            self.seeds,
            self.first_seed,
            self.simulated_seconds,
            self.wall_seconds,
            self.simulated_per_wall_second,
            self.views_per_simulated_second,
            self.views_per_wall_second,
        );
        let _ = writeln!(
            out,
            "slowest transaction after healing: {} ms (seed {}); view timeout 1000 ms, at most {} \
             faulty leaders in a row",
            self.slowest_after_heal_ms, self.slowest_after_heal_seed, self.faulty_leaders_in_a_row,
        );
        let _ = writeln!(
            out,
            "{} histories of two views, {} of them first seen in the last tenth of the seeds",
            self.histories, self.histories_new_in_last_tenth,
        );
        let _ = writeln!(out, "signatures: {}", self.signatures);
        let _ = writeln!(out, "digest {}", self.digest);
        if !self.counters_missing.is_empty() {
            let _ = writeln!(out, "never happened: {}", self.counters_missing.join(", "));
        }
        let verdict = if self.failures.is_empty() { "clean" } else { "FAILED" };
        let _ = write!(out, "{verdict}: {} failures", self.failures.len());
        out
    }
}

/// A line that fits a screen.
fn shortened(line: &str) -> String {
    const CHARS_MAX: usize = 180;
    match line.char_indices().nth(CHARS_MAX) {
        Some((at, _)) => format!("{} …", &line[..at]),
        None => line.to_owned(),
    }
}
