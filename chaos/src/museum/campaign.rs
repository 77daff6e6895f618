//! Plants a bug and looks for it, cheapest way first.

use super::Killer;
use super::exhibits::Exhibit;
use crate::probes::PROBES;
use crate::runner;
use crate::sim::plan::Frame;
use crate::sim::trace::Trace;
use crate::twins::{self, Size};
use chorale_types::museum::{Bug, plant};
use serde::Serialize;
use std::time::{Duration, Instant};

/// Least simulated seconds of a seed.
const SECONDS: u64 = 30;
/// Seeds and scenarios between two looks at the clock.
const PIECE: u64 = 32;
/// Scenarios with twins, at most.
const SCENARIOS_MAX: u64 = 4_000;
/// The cluster of those scenarios, and their rounds.
const TWINS: (Size, usize) = (Size { members: 4, twins: 1 }, 5);

/// How long a bug is looked for.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Wall-clock time for each bug.
    pub time: Duration,
    /// Seeds of the simulator for each bug.
    pub seeds: u64,
    /// The first of them.
    pub from: u64,
    /// Threads.
    pub jobs: usize,
    /// Whether to look everywhere when nothing that must notice a bug does.
    pub everywhere: bool,
}

/// How a bug was noticed.
#[derive(Clone, Debug, Serialize)]
pub struct Finding {
    /// What noticed it.
    pub by: String,
    /// The seed of the run or scenario, if there was one.
    pub seed: Option<u64>,
    /// What it saw: the promise that was broken, and how.
    pub what: String,
    /// Wall-clock seconds until then, from the planting.
    pub seconds: f64,
}

/// What came of one bug.
#[derive(Clone, Debug, Serialize)]
pub struct Visit {
    /// Its name.
    pub name: &'static str,
    /// What it does wrong.
    pub wrong: &'static str,
    /// Where it comes from.
    pub source: &'static str,
    /// Whether anything noticed it.
    pub killed: bool,
    /// Whether all that must notice it did.
    pub as_stated: bool,
    /// How it was noticed.
    pub findings: Vec<Finding>,
    /// Wall-clock seconds.
    pub seconds: f64,
}

/// What came of all.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Report {
    /// Bugs planted.
    pub total: usize,
    /// Bugs noticed.
    pub killed: usize,
    /// Bugs noticed by all that must notice them.
    pub as_stated: usize,
    /// Wall-clock seconds of the slowest.
    pub slowest_seconds: f64,
    /// What was found with no bug planted; must be nothing.
    pub control: Vec<Finding>,
    /// Each bug.
    pub visits: Vec<Visit>,
}

struct Hunt {
    bug: Option<Bug>,
    start: Instant,
    limits: Limits,
}

impl Hunt {
    fn is_over(&self) -> bool {
        self.start.elapsed() >= self.limits.time
    }

    fn found(&self, by: String, seed: Option<u64>, what: String) -> Finding {
        Finding { by, seed, what, seconds: self.start.elapsed().as_secs_f64() }
    }

    fn by(&self, killer: Killer) -> Option<Finding> {
        match killer {
            Killer::Probe(name) => self.by_probe(name),
            Killer::Twins => self.by_twins(),
            Killer::Sim => self.by_sim(),
        }
    }

    fn by_probe(&self, name: &str) -> Option<Finding> {
        let probe = PROBES.iter().find(|probe| probe.name == name)?;
        let what = probe.try_it().err()?;
        Some(self.found(format!("probe {name}"), None, what))
    }

    fn by_twins(&self) -> Option<Finding> {
        let (size, rounds) = TWINS;
        let first = self.limits.from;
        for from in (first..first + SCENARIOS_MAX).step_by(usize::try_from(PIECE).expect("small")) {
            let order = twins::Order::Sampled { size, rounds, from, count: PIECE };
            let report = twins::run(&order, self.limits.jobs, false, |_, _| {});
            if let Some(failure) = report.failures.into_iter().next() {
                let number = Some(failure.number);
                return Some(self.found("twins".to_owned(), number, failure.what));
            }
            if self.is_over() {
                break;
            }
        }
        None
    }

    /// A seed counts when it fails with the bug and is clean without it.
    fn by_sim(&self) -> Option<Finding> {
        let Limits { seeds, from, jobs, .. } = self.limits;
        let (end, frame) = (from.saturating_add(seeds), Frame::of(SECONDS));
        for first in (from..end).step_by(usize::try_from(PIECE).expect("small")) {
            let seeds = first..end.min(first.saturating_add(PIECE));
            let order = runner::Order { seeds, frame, jobs, keep_going: false };
            let summary = runner::run(&order, |_, _| {});
            for failure in summary.failures {
                let (seed, violation) = (failure.seed, failure.violation);
                let what = format!("{}: {}", violation.invariant, violation.what);
                let found = self.found("simulator".to_owned(), Some(seed), what);
                if self.bug.is_none() || self.is_clean_without(seed, frame) {
                    return Some(found);
                }
            }
            if self.is_over() {
                break;
            }
        }
        None
    }

    fn is_clean_without(&self, seed: u64, frame: Frame) -> bool {
        plant(None);
        let outcome = runner::run_seed(seed, frame, Trace::new(false, false));
        plant(self.bug);
        outcome.violation.is_none()
    }

    /// Everything, when what had to notice a bug did not.
    fn by_anything(&self) -> Option<Finding> {
        let probe = PROBES.iter().find_map(|probe| self.by_probe(probe.name));
        probe.or_else(|| self.by_twins()).or_else(|| self.by_sim())
    }
}

/// Plants one bug, looks for it, and takes it out again.
#[must_use]
pub fn visit(exhibit: &Exhibit, limits: Limits) -> Visit {
    plant(Some(exhibit.bug));
    let hunt = Hunt { bug: Some(exhibit.bug), start: Instant::now(), limits };
    let mut findings: Vec<Finding> =
        exhibit.killers.iter().filter_map(|killer| hunt.by(*killer)).collect();
    let as_stated = findings.len() == exhibit.killers.len();
    if findings.is_empty() && limits.everywhere {
        findings.extend(hunt.by_anything());
    }
    plant(None);
    Visit {
        name: exhibit.name,
        wrong: exhibit.wrong,
        source: exhibit.source,
        killed: !findings.is_empty(),
        as_stated,
        findings,
        seconds: hunt.start.elapsed().as_secs_f64(),
    }
}

/// Looks everywhere with no bug planted.
#[must_use]
pub fn control(limits: Limits) -> Vec<Finding> {
    plant(None);
    let hunt = Hunt { bug: None, start: Instant::now(), limits };
    let mut findings: Vec<Finding> =
        PROBES.iter().filter_map(|probe| hunt.by_probe(probe.name)).collect();
    findings.extend(hunt.by_twins());
    findings.extend(hunt.by_sim());
    findings
}
