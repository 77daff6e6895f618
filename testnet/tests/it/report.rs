//! The summary says what was counted, and its verdict follows from it.

use chorale_testnet::report::{Summary, write_json};
use chorale_testnet::track::Counts;
use serde_json::Value;

fn good() -> Summary {
    let counts = Counts {
        offered: 60_000,
        submitted: 60_000,
        finalized: 60_000,
        final_bytes: 60_000 * 512,
        ..Counts::default()
    };
    let mut summary = Summary { counts, timeouts: Some(0), ..Summary::default() };
    summary.set_rates(Some(30.0));
    summary
}

#[test]
fn rates_are_counts_over_the_span() {
    let summary = good();
    assert!((summary.tx_per_second - 2_000.0).abs() < 0.01);
    assert!((summary.mb_per_second - 1.02).abs() < 0.01, "{}", summary.mb_per_second);
    let mut still = Summary::default();
    still.set_rates(None);
    still.set_rates(Some(0.0));
    assert_eq!(still.tx_per_second, 0.0);
}

#[test]
fn the_json_has_every_promised_field() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("out.json");
    write_json(&good(), &file).unwrap();
    let value: Value = serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
    let counts = ["offered", "refused", "submitted", "final", "lost", "duplicated", "reordered"];
    let more = ["tx_per_second", "mb_per_second", "blocks", "timeouts", "unverifiable", "unknown"];
    for field in counts.iter().chain(&more).chain(&["longest_commit_gap_ms"]) {
        assert!(value[field].is_number(), "{field}: {value}");
    }
    for field in ["latency_ms", "block_interval_ms"] {
        assert!(value[field]["p50"].is_number() && value[field]["p99"].is_number(), "{field}");
    }
    assert!(value["nodes"].is_array());
    assert_eq!((&value["final"], &value["submitted"]), (&60_000.into(), &60_000.into()));
}

#[test]
fn any_single_fault_fails_the_run() {
    assert!(good().failures().is_empty());
    let spoil: [fn(&mut Summary); 6] = [
        |s| s.lost = 1,
        |s| s.counts.duplicated = 1,
        |s| s.counts.reordered = 1,
        |s| s.counts.gaps = 1,
        |s| s.counts.mismatched = 1,
        |s| s.counts.unverifiable = 1,
    ];
    for spoil in spoil {
        let mut summary = good();
        spoil(&mut summary);
        assert_eq!(summary.failures().len(), 1);
        assert!(summary.verdict().contains("FAILED"));
    }
}

#[test]
fn refusals_and_unknown_answers_are_reported_and_are_no_fault() {
    let mut summary = good();
    summary.counts.unknown = 3;
    summary.counts.refused = 2;
    summary.counts.refused_by.insert("queue_full".to_owned(), 2);
    assert!(summary.failures().is_empty());
    assert!(summary.text().contains("2 (queue_full 2)"));
}
