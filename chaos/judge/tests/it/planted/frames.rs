//! I4: streams are whole and the same for all.

use super::{Planted, plant};
use crate::good::history::{History, of};
use chorale_judge::wire::Id;
use serde_json::{Value, json};

const A: &str = "follower-1-0.jsonl";

fn frame(bad: &History, nth: usize) -> usize {
    bad.find(A, nth, of("frame"))
}

/// Changes one of the frames that both followers of rollup 1 read.
fn edit_last(bad: &mut History, change: impl FnOnce(&mut Value)) {
    let frames = bad.files[A].iter().filter(|line| line["type"] == "frame").count();
    bad.edit(A, frames - 1, of("frame"), change);
}

pub fn table() -> Vec<Planted> {
    [gaps(), forks()].into_iter().flatten().collect()
}

fn gaps() -> Vec<Planted> {
    vec![
        plant("a frame is missing", "I4", |_, bad| {
            let at = frame(bad, 2);
            bad.lines(A).remove(at);
        }),
        plant("a frame comes twice", "I4", |_, bad| {
            let at = frame(bad, 2);
            let again = bad.files[A][at].clone();
            bad.lines(A).insert(at + 1, again);
        }),
        plant("two frames change places", "I4", |_, bad| {
            let (low, high) = (frame(bad, 1), frame(bad, 2));
            bad.lines(A).swap(low, high);
        }),
        plant("the first frame is not the one asked for", "I4", |_, bad| {
            bad.edit(A, 0, of("start"), |line| line["from"] = 9.into());
        }),
        plant("after trouble the stream goes back", "I4", |_, bad| {
            let at = frame(bad, 2);
            let again = bad.files[A][at].clone();
            let trouble = json!({"type": "trouble", "t": 1, "rollup": 1, "node": "node0",
                                 "why": "ended", "untrue": false});
            let lines = bad.lines(A);
            lines.insert(at + 1, trouble);
            lines.insert(at + 2, again);
        }),
        plant("after trouble the stream skips", "I4", |_, bad| {
            let at = frame(bad, 2);
            bad.lines(A)[at] = json!({"type": "trouble", "t": 1, "rollup": 1, "node": "node0",
                                      "why": "ended", "untrue": false});
        }),
        plant("the cursor at the end is another", "I4", |_, bad| {
            bad.edit(A, 0, of("end"), |line| line["next"] = 3.into());
        }),
        plant("a frame of another rollup", "I4", |_, bad| {
            let at = bad.find("follower-2-0.jsonl", 0, of("frame"));
            let stranger = bad.files["follower-2-0.jsonl"][at].clone();
            let at = frame(bad, 0);
            bad.lines(A)[at] = stranger;
        }),
    ]
}

fn forks() -> Vec<Planted> {
    vec![
        plant("two followers read different bytes", "I4", |_, bad| {
            edit_last(bad, |line| line["digest"] = Id([6; 32]).to_string().into());
        }),
        plant("two followers read different ids", "I4", |_, bad| {
            edit_last(bad, |line| line["ids"][0] = Id([6; 32]).to_string().into());
        }),
        plant("two followers read different heights", "I4", |_, bad| {
            edit_last(bad, |line| line["height"] = 5_000.into());
        }),
        plant("two followers read different times", "I4", |_, bad| {
            edit_last(bad, |line| line["time"] = 1.into());
        }),
        plant("a height falls", "I4", |_, bad| {
            bad.edit(A, 2, of("frame"), |line| line["height"] = 1.into());
        }),
        plant("a time stands still", "I4", |_, bad| {
            let time = bad.files[A][frame(bad, 1)]["time"].clone();
            bad.edit(A, 2, of("frame"), |line| line["time"] = time);
        }),
        plant("an empty frame", "I4", |_, bad| {
            bad.edit(A, 1, of("frame"), |line| line["ids"] = json!([]));
        }),
        plant("a digest that the bytes do not have", "I4", |_, bad| {
            let other = Id([8; 32]).to_string();
            for file in bad.named("follower-1") {
                let is = |line: &Value| line["sequence"].is_u64();
                let last = bad.files[&file].iter().filter(|line| is(line)).count() - 1;
                bad.edit(&file, last, is, |line| line["digest"] = other.clone().into());
            }
        }),
    ]
}
