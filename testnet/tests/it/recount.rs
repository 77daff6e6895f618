//! The recount script, which shares no code with anything here, finds planted mistakes in
//! histories.

use chorale_testnet::record::{self, History};
use serde_json::{Value, json};
use std::path::Path;
use std::process::Command;

const ROLLUP: u64 = 91_001;

/// Three transactions of one node, each answered before the next was sent.
fn write_client(folder: &Path) {
    let client = History::open(Some(folder), "client.jsonl").unwrap();
    for n in 1..=3_u64 {
        let id = format!("0x{n:02}");
        client.write([
            record::invoke(n * 100, &id, ROLLUP, "node0", n, 0),
            record::ok(n * 100 + 10, &id, "node0", "available"),
        ]);
    }
    client.write([
        record::invoke(500, "0x08", ROLLUP, "node1", 8, 0),
        record::retry(510, "0x08", "node2"),
        record::unknown(520, "0x08", "timeout"),
        record::invoke(600, "0x09", ROLLUP, "node1", 9, 0),
        record::fail(610, "0x09", "queue_full"),
    ]);
    assert!(client.finish());
}

fn frame(sequence: u64, digest: &str, ids: &[&str]) -> Value {
    json!({"type": "frame", "t": 1, "rollup": ROLLUP, "sequence": sequence, "height": sequence,
           "time": 0, "digest": digest, "ids": ids})
}

fn write_follower(folder: &Path, name: &str, frames: &[Value]) {
    let follower = History::open(Some(folder), name).unwrap();
    follower.write([json!({"type": "start", "t": 0, "rollup": ROLLUP, "node": name, "from": 1})]);
    follower.write(frames.iter().cloned());
    assert!(follower.finish());
}

/// Judges two followers' frames; returns the exit code and the printed object.
fn judge(first: &[Value], second: &[Value]) -> (Option<i32>, Value) {
    let folder = tempfile::tempdir().unwrap();
    write_client(folder.path());
    write_follower(folder.path(), "follower-a.jsonl", first);
    write_follower(folder.path(), "follower-b.jsonl", second);
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/recount.py");
    let output = Command::new("python3").arg(script).arg(folder.path()).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    (output.status.code(), serde_json::from_str(&text).unwrap())
}

fn good() -> Vec<Value> {
    vec![frame(1, "aa", &["0x01"]), frame(2, "bb", &["0x02", "0x03"])]
}

#[test]
fn recount_accepts_a_clean_history() {
    let (code, result) = judge(&good(), &good());
    assert_eq!((code, &result["passed"]), (Some(0), &json!(true)), "{result}");
    assert_eq!((&result["submitted"], &result["final"]), (&json!(3), &json!(3)));
    assert_eq!((&result["unknown"], &result["refused"]), (&json!(1), &json!(1)));
}

fn fails(first: &[Value], second: &[Value], kind: &str) {
    let (code, result) = judge(first, second);
    assert_eq!(code, Some(1), "{result}");
    assert!(result[kind].as_u64().unwrap() > 0, "{kind}: {result}");
}

#[test]
fn recount_finds_a_lost_transaction() {
    let short = [frame(1, "aa", &["0x01"]), frame(2, "bb", &["0x02"])];
    fails(&short, &short, "lost");
}

#[test]
fn recount_finds_a_second_delivery() {
    let mut twice = good();
    twice.push(frame(3, "cc", &["0x01"]));
    fails(&twice, &twice, "duplicated");
}

#[test]
fn recount_finds_a_gap() {
    let gap = [good()[0].clone(), frame(3, "bb", &["0x02", "0x03"])];
    fails(&gap, &gap, "gaps");
}

#[test]
fn recount_finds_readers_that_disagree() {
    let other = [frame(1, "ab", &["0x01"]), good()[1].clone()];
    fails(&good(), &other, "mismatched");
}

#[test]
fn recount_finds_a_broken_order() {
    let swapped = [frame(1, "aa", &["0x02"]), frame(2, "bb", &["0x01", "0x03"])];
    fails(&swapped, &swapped, "reordered");
}

#[test]
fn recount_finds_an_untrue_word() {
    let mut lied = good();
    lied.push(json!({"type": "trouble", "t": 2, "rollup": ROLLUP, "node": "http://a",
        "why": "no quorum", "untrue": true}));
    fails(&good(), &lied, "untrue");
}

#[test]
fn recount_does_not_pass_what_it_cannot_judge() {
    let folder = tempfile::tempdir().unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/recount.py");
    let run = || Command::new("python3").arg(&script).arg(folder.path()).output().unwrap();
    assert_eq!(run().status.code(), Some(2), "no histories");
    write_client(folder.path());
    assert_eq!(run().status.code(), Some(2), "nobody read anything");
}
