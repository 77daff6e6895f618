//! Good histories of all sorts pass: chains of one to seven members, views given up, restarts in
//! order and not, transactions in two lanes, late followers, certificates of different members,
//! proofs with and without links, torn ends, faults that heal and faults that do not.

use crate::good::blocks::final_at;
use crate::good::history::History;
use crate::good::{LOAD_START, Plan, Random, WALL_START, World, record};
use chorale_judge::report::Verdict;
use serde_json::json;

/// Chains that histories are written of.
const CHAINS: u64 = 16;
/// Histories, unless `JUDGE_RUNS` says how many.
const RUNS: u64 = 1_000;

/// A log of things that went wrong and that the run withstood.
fn faults(world: &World, random: &mut Random, history: &mut History) {
    history.add("faults.jsonl", json!({"clock": LOAD_START, "wall": WALL_START}));
    for kind in ["crash", "cut", "pause", "disk"] {
        if random.one_in(2) {
            continue;
        }
        let node = format!("node{}", random.below(u64::from(world.members())));
        let from = final_at(random.below(4));
        let healed = !random.one_in(3);
        let to = healed.then(|| from + random.below(100_000_000));
        history.add(
            "faults.jsonl",
            json!({"kind": kind, "node": node, "from": from, "to": to, "healed": healed,
                   "proof": {"probe": "packets", "before": 20, "during": 0, "after": 20}}),
        );
    }
}

#[test]
fn no_good_history_is_refused() {
    let runs = std::env::var("JUDGE_RUNS").map_or(RUNS, |runs| runs.parse().unwrap());
    let worlds: Vec<World> = (0..CHAINS).map(|seed| World::new(Plan::draw(seed))).collect();
    let mut lines = 0;
    for run in 0..runs {
        let mut random = Random::new(run + 1_000);
        let world = &worlds[usize::try_from(run % CHAINS).unwrap()];
        let mut history = record::record(world, &mut random);
        if random.one_in(2) {
            faults(world, &mut random, &mut history);
        }
        lines += history.files.values().map(Vec::len).sum::<usize>();
        let report = history.judge(world);
        assert_eq!(report.verdict, Verdict::Pass, "run {run}: {report}");
    }
    println!("{runs} good histories of {lines} lines: no false alarm");
}
