//! Many scenarios on several threads, and what came of them.

use super::generate::{Canonical, Scenario, Size, sampled};
use super::play::{Outcome, Player};
use crate::report::{SIGNATURES, planted};
use crate::rng::{Rng, Stream};
use serde::Serialize;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// How often a long run says how far it is.
const PROGRESS_EVERY: Duration = Duration::from_secs(2);
/// Failures that a report names.
const FAILURES_MAX: usize = 10;

/// What to play.
#[derive(Clone, Debug)]
pub enum Order {
    /// Every canonical scenario of four members and one twin.
    Exhaustive {
        /// Rounds of each.
        rounds: u32,
    },
    /// Scenarios drawn from seeds.
    Sampled {
        /// Of which size.
        size: Size,
        /// Rounds of each.
        rounds: usize,
        /// The first seed.
        from: u64,
        /// How many.
        count: u64,
    },
}

/// What came of it.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Report {
    /// What was played.
    pub order: String,
    /// The bug planted in this process.
    pub planted: Option<&'static str>,
    /// Signature scheme.
    pub signatures: &'static str,
    /// Scenarios played.
    pub scenarios: u64,
    /// Numbers left out because another scenario is the same but for names.
    pub symmetric: u64,
    /// Wall-clock seconds.
    pub wall_seconds: f64,
    /// Scenarios for each wall-clock second.
    pub scenarios_per_second: f64,
    /// The most rounds of a tail until every honest member had a new final block.
    pub longest_tail: u64,
    /// Views in which twins proposed different blocks.
    pub equivocations: u64,
    /// Timeout certificates assembled by honest members.
    pub timeout_certs: u64,
    /// Of those, with a tip that must be proposed again.
    pub timeout_certs_with_tips: u64,
    /// Blocks that honest members proposed again.
    pub reproposals: u64,
    /// The highest final block of all runs.
    pub final_height_max: u64,
    /// Scenarios in which a promise was broken.
    pub violations: u64,
    /// The first of those.
    pub failures: Vec<Failure>,
}

/// A scenario in which a promise was broken.
#[derive(Clone, Debug, Serialize)]
pub struct Failure {
    /// Its number, or its seed.
    pub number: u64,
    /// Which promise, and how.
    pub what: String,
    /// The scenario.
    pub scenario: Scenario,
}

impl Order {
    const fn size(&self) -> Size {
        match self {
            Self::Exhaustive { .. } => Size { members: 4, twins: 1 },
            Self::Sampled { size, .. } => *size,
        }
    }

    fn text(&self) -> String {
        match self {
            Self::Exhaustive { rounds } => {
                format!("every canonical scenario of 4 members, 1 twin, {rounds} rounds and a tail")
            }
            Self::Sampled { size, rounds, from, count } => format!(
                "{count} scenarios drawn from seed {from} on: {} members, {} twins, {rounds} \
                 rounds and a tail",
                size.members, size.twins
            ),
        }
    }
}

impl Report {
    fn add(&mut self, number: u64, scenario: Option<Scenario>, player: &mut Player) {
        let Some(scenario) = scenario else {
            self.symmetric += 1;
            return;
        };
        let outcome = play(player, &scenario);
        self.scenarios += 1;
        self.longest_tail = self.longest_tail.max(outcome.tail);
        self.equivocations += outcome.equivocations;
        self.timeout_certs += outcome.timeout_certs;
        self.timeout_certs_with_tips += outcome.with_tips;
        self.reproposals += outcome.reproposals;
        self.final_height_max = self.final_height_max.max(outcome.final_height);
        if let Some(what) = outcome.violation {
            self.violations += 1;
            self.failures.push(Failure { number, what, scenario });
        }
    }

    fn merge(&mut self, other: Self) {
        self.scenarios += other.scenarios;
        self.symmetric += other.symmetric;
        self.longest_tail = self.longest_tail.max(other.longest_tail);
        self.equivocations += other.equivocations;
        self.timeout_certs += other.timeout_certs;
        self.timeout_certs_with_tips += other.timeout_certs_with_tips;
        self.reproposals += other.reproposals;
        self.final_height_max = self.final_height_max.max(other.final_height_max);
        self.violations += other.violations;
        self.failures.extend(other.failures);
        self.failures.sort_by_key(|failure| failure.number);
        self.failures.truncate(FAILURES_MAX);
    }

    /// The report for people.
    #[must_use]
    pub fn text(&self) -> String {
        let failures: String = self
            .failures
            .iter()
            .map(|f| format!("scenario {}: {}\n  {:?}\n", f.number, f.what, f.scenario))
            .collect();
        format!(
            "{failures}{}\n{} scenarios ({} more are the same but for names) in {:.1} s: {:.0} a \
             second\nequivocations {}; timeout certificates {}, with tips {}; re-proposals {}; \
             longest tail {} rounds\nsignatures: {}\n{} violations",
            self.order,
            self.scenarios,
            self.symmetric,
            self.wall_seconds,
            self.scenarios_per_second,
            self.equivocations,
            self.timeout_certs,
            self.timeout_certs_with_tips,
            self.reproposals,
            self.longest_tail,
            self.signatures,
            self.violations,
        )
    }
}

/// A replica's failed assertion is a violation like any other.
fn play(player: &mut Player, scenario: &Scenario) -> Outcome {
    let played = catch_unwind(AssertUnwindSafe(|| player.play(scenario)));
    played.unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no text");
        Outcome {
            violation: Some(format!("panic: {text}")),
            tail: 0,
            equivocations: 0,
            timeout_certs: 0,
            with_tips: 0,
            reproposals: 0,
            final_height: 0,
        }
    })
}

/// Plays all of an order. Stops after the first violation unless `keep_going`; `progress` is told
/// now and then how many of how many numbers are done.
#[must_use]
pub fn run(
    order: &Order,
    jobs: usize,
    keep_going: bool,
    progress: impl Fn(u64, u64) + Sync,
) -> Report {
    let start = Instant::now();
    let canonical = match order {
        Order::Exhaustive { rounds } => Some(Canonical::new(*rounds)),
        Order::Sampled { .. } => None,
    };
    let (first, count) = match order {
        Order::Exhaustive { .. } => (0, canonical.as_ref().map_or(0, Canonical::numbers)),
        Order::Sampled { from, count, .. } => (*from, *count),
    };
    let scenario = |number: u64| match (&canonical, order) {
        (Some(canonical), _) => canonical.get(number),
        (None, Order::Sampled { size, rounds, .. }) => {
            Some(sampled(*size, *rounds, &mut Rng::new(number, Stream::Plan)))
        }
        (None, Order::Exhaustive { .. }) => None,
    };
    let next = AtomicU64::new(0);
    let stop = AtomicBool::new(false);
    let said = Mutex::new(Instant::now());
    let work = || {
        let (mut report, mut player) = (Report::default(), Player::new(order.size()));
        while !stop.load(Ordering::Relaxed) {
            let at = next.fetch_add(1, Ordering::Relaxed);
            if at >= count {
                break;
            }
            report.add(first + at, scenario(first + at), &mut player);
            if report.violations > 0 && !keep_going {
                stop.store(true, Ordering::Relaxed);
            }
            report.failures.truncate(FAILURES_MAX);
            if let Ok(mut said) = said.try_lock()
                && said.elapsed() >= PROGRESS_EVERY
            {
                *said = Instant::now();
                progress(at, count);
            }
        }
        report
    };
    let mut whole = Report {
        order: order.text(),
        planted: planted(),
        signatures: SIGNATURES,
        ..Report::default()
    };
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..jobs.max(1)).map(|_| scope.spawn(work)).collect();
        for thread in threads {
            whole.merge(thread.join().expect("a player catches what its replicas do"));
        }
    });
    whole.wall_seconds = start.elapsed().as_secs_f64();
    #[allow(clippy::cast_precision_loss)] // For people to read.
    let scenarios = whole.scenarios as f64;
    whole.scenarios_per_second = scenarios / whole.wall_seconds.max(1e-9);
    whole
}
