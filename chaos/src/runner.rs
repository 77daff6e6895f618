//! Many seeds, on several threads, each world in one.

use crate::counters::Counters;
use crate::coverage::Reached;
use crate::invariants::Violation;
use crate::sim::plan::{Frame, Plan};
use crate::sim::trace::Trace;
use crate::sim::world::{Outcome, World};
use std::collections::BTreeSet;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// How often a long run says how far it is.
const PROGRESS_EVERY: Duration = Duration::from_secs(2);

/// What to run.
#[derive(Clone, Debug)]
pub struct Order {
    /// The seeds.
    pub seeds: Range<u64>,
    /// What the seeds do not decide.
    pub frame: Frame,
    /// Threads.
    pub jobs: usize,
    /// Whether to go on after a violation.
    pub keep_going: bool,
}

/// What came of all of them.
#[derive(Clone, Debug, Default)]
pub struct Summary {
    /// Seeds that ran to their end or to a violation.
    pub seeds: u64,
    /// Counters, added up.
    pub counters: Counters,
    /// What the honest replicas went through.
    pub reached: Reached,
    /// The digests of all, mixed in order of seed.
    pub digest: u64,
    /// Simulated microseconds, added up.
    pub simulated: u64,
    /// The longest wait after healing, in microseconds, and its seed.
    pub slowest_after_heal: (u64, u64),
    /// The longest run of faulty leaders after healing, over all seeds.
    pub faulty_run: u64,
    /// Wall-clock time.
    pub wall: Duration,
    /// Seeds that failed, by rising seed.
    pub failures: Vec<Failure>,
}

/// A seed that failed.
#[derive(Clone, Debug)]
pub struct Failure {
    /// The seed.
    pub seed: u64,
    /// How.
    pub violation: Violation,
    /// The last lines before it.
    pub lines: Vec<String>,
}

/// Runs one seed. A replica's failed assertion is a violation like any other.
#[must_use]
pub fn run_seed(seed: u64, frame: Frame, trace: Trace) -> Outcome {
    run_plan(Plan::draw(seed, frame), trace)
}

/// Runs one plan.
#[must_use]
pub fn run_plan(plan: Plan, trace: Trace) -> Outcome {
    let seed = plan.seed;
    catch_unwind(AssertUnwindSafe(|| World::new(plan, trace).run())).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no text");
        let what = text.to_owned();
        let violation = Violation { invariant: "panic", node: None, at: 0, what };
        Outcome {
            seed,
            violation: Some(violation),
            digest: 0,
            counters: Counters::default(),
            histories: BTreeSet::new(),
            simulated: 0,
            slowest_after_heal: 0,
            faulty_run: 0,
            unfelt: Vec::new(),
            lines: Vec::new(),
        }
    })
}

/// Runs all seeds of an order; `progress` is called now and then with how many are done.
#[must_use]
pub fn run(order: &Order, progress: impl Fn(u64, &Summary) + Sync) -> Summary {
    let start = Instant::now();
    let next = AtomicU64::new(order.seeds.start);
    let stop = AtomicBool::new(false);
    let state = Mutex::new((Vec::<Outcome>::new(), Summary::default(), Instant::now()));
    let work = || {
        while !stop.load(Ordering::Relaxed) {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= order.seeds.end {
                break;
            }
            let outcome = run_seed(seed, order.frame, Trace::new(false, false));
            if outcome.violation.is_some() && !order.keep_going {
                stop.store(true, Ordering::Relaxed);
            }
            let mut state = state.lock().expect("no thread panics while holding it");
            let (outcomes, running, said) = &mut *state;
            running.seeds += 1;
            running.simulated += outcome.simulated;
            running.wall = start.elapsed();
            outcomes.push(outcome);
            if said.elapsed() >= PROGRESS_EVERY {
                *said = Instant::now();
                progress(order.seeds.end - order.seeds.start, running);
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..order.jobs.max(1) {
            scope.spawn(work);
        }
    });
    let (outcomes, ..) = state.into_inner().expect("all threads are done");
    summarize(outcomes, order.frame, start)
}

fn summarize(mut outcomes: Vec<Outcome>, frame: Frame, start: Instant) -> Summary {
    outcomes.sort_by_key(|outcome| outcome.seed);
    let mut summary = Summary::default();
    for outcome in outcomes {
        summary.seeds += 1;
        summary.counters.add(&outcome.counters);
        summary.reached.add(outcome.histories);
        let mixed = summary.digest.rotate_left(7) ^ outcome.digest;
        summary.digest = mixed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        summary.simulated += outcome.simulated;
        let wait = (outcome.slowest_after_heal, outcome.seed);
        summary.slowest_after_heal = summary.slowest_after_heal.max(wait);
        summary.faulty_run = summary.faulty_run.max(outcome.faulty_run);
        if let Some(violation) = outcome.violation {
            let lines = last_lines(outcome.seed, frame);
            summary.failures.push(Failure { seed: outcome.seed, violation, lines });
        }
    }
    summary.wall = start.elapsed();
    summary
}

/// The last lines of a seed that failed: it is run again, with lines.
fn last_lines(seed: u64, frame: Frame) -> Vec<String> {
    run_seed(seed, frame, Trace::new(true, false)).lines
}
