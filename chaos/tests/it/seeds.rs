//! Every seed that ever failed, and a few that never did, run again.

use chorale_chaos::runner::{Order, run, run_seed};
use chorale_chaos::scenario::{self, Verdict};
use chorale_chaos::sim::plan::Frame;
use chorale_chaos::sim::trace::Trace;

/// Seeds and what they found, from `seeds.txt`.
fn recorded() -> Vec<(u64, u64, &'static str)> {
    let lines = include_str!("../../seeds.txt").lines();
    let lines = lines.filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines
        .map(|line| {
            let mut words = line.splitn(3, ' ');
            let mut number = || words.next().unwrap().parse().unwrap();
            let (seed, seconds) = (number(), number());
            (seed, seconds, words.next().expect("a word on the bug"))
        })
        .collect()
}

#[test]
fn seeds_that_once_failed_are_clean() {
    for (seed, seconds, bug) in recorded() {
        let outcome = run_seed(seed, Frame::of(seconds), Trace::new(false, false));
        assert_eq!(outcome.violation, None, "seed {seed} ({bug})");
    }
}

#[test]
fn every_scenario_file_passes_and_every_fault_in_it_is_felt() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/scenarios");
    let mut files = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let plan = scenario::read(&std::fs::read_to_string(&path).unwrap()).unwrap();
        let (outcome, verdict) = scenario::run(&plan, Trace::new(false, false));
        let said = (outcome.violation, outcome.unfelt);
        assert_eq!(verdict, Verdict::Passed, "{}: {said:?}", path.display());
        files += 1;
    }
    assert!(files > 0, "no scenario in {folder}");
}

#[test]
fn a_slice_of_seeds_is_clean() {
    let order = Order { seeds: 0..40, frame: Frame::of(30), jobs: 2, keep_going: true };
    let summary = run(&order, |_, _| {});
    let failed: Vec<_> = summary.failures.iter().map(|f| (f.seed, &f.violation)).collect();
    assert!(failed.is_empty(), "{failed:#?}");
    assert!(summary.counters.commits > 0 && summary.counters.crashes > 0);
}
