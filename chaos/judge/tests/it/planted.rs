//! Bad histories: small changes of a good one, each of which must be refused under the right name.
//!
//! The table below is all of them; `cargo test -p chorale-judge planted -- --nocapture` prints it
//! with everything that the judge says to each.

mod agreement;
mod certificates;
mod delivery;
mod frames;
mod order;
mod proofs;
mod runs;

mod signing;

pub use runs::fault;

use crate::good::history::History;
use crate::good::{Plan, Random, View, World, record};
use chorale_judge::report::Verdict;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::OnceLock;

/// A bad history: its name, whose rule it breaks, and how.
pub struct Planted {
    pub name: &'static str,
    pub invariant: &'static str,
    pub change: fn(&World, &mut History),
}

/// For tables.
pub const fn plant(
    name: &'static str,
    invariant: &'static str,
    change: fn(&World, &mut History),
) -> Planted {
    Planted { name, invariant, change }
}

/// All of them.
pub fn all() -> Vec<Planted> {
    let tables = [
        agreement::table(),
        certificates::table(),
        delivery::table(),
        frames::table(),
        proofs::table(),
        order::table(),
        signing::table(),
        runs::table(),
    ];
    tables.into_iter().flatten().collect()
}

/// The good history that they are changes of.
pub fn base() -> &'static (World, History) {
    static BASE: OnceLock<(World, History)> = OnceLock::new();
    BASE.get_or_init(|| {
        let world = World::new(Plan::plain());
        let history = record::record(&world, &mut Random::new(5));
        (world, history)
    })
}

#[test]
fn the_good_history_passes_and_has_something_of_everything() {
    let (world, history) = base();
    let report = history.judge(world);
    assert_eq!(report.verdict, Verdict::Pass, "{report}");
    assert!(world.views.iter().any(|view| matches!(view, View::GivenUp { .. })), "a view given up");
    assert!(world.load.iter().any(|tx| tx.copy.is_some()), "a transaction in two lanes");
    assert!(world.made.iter().any(|made| !made.skipped.is_empty()), "one that is skipped");
    let starts = history
        .named("node")
        .into_iter()
        .map(|file| history.files[&file].iter().filter(|line| line["kind"] == "start").count());
    assert!(starts.max() > Some(1), "a restart");
}

#[test]
fn every_planted_history_is_refused_under_its_name() {
    let (world, history) = base();
    let (mut missed, mut names) = (Vec::new(), BTreeSet::new());
    let mut count: BTreeMap<&str, u32> = BTreeMap::new();
    let planted = all();
    for Planted { name, invariant, change } in &planted {
        assert!(names.insert(*name), "{name} is there twice");
        let mut bad = history.clone();
        change(world, &mut bad);
        let report = bad.judge(world);
        println!("{invariant:<4} {name}: {}", report.violated().join(" "));
        if report.verdict != Verdict::Fail || !report.violated().contains(invariant) {
            missed.push(format!("{invariant} {name}\n{report}"));
        }
        *count.entry(invariant).or_default() += 1;
    }
    println!("{} planted: {count:?}", planted.len());
    assert!(missed.is_empty(), "{} missed:\n{}", missed.len(), missed.join("\n"));
    assert!(planted.len() >= 60);
}
