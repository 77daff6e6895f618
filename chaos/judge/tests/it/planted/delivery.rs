//! I3: what was promised is there, once.

use super::{Planted, plant};
use crate::good::history::{History, of};
use crate::good::{World, blocks::final_at};
use chorale_judge::wire::Id;
use serde_json::{Value, json};

/// The id of a promised transaction that is final, and the rest of what was said of it.
fn promised(bad: &History) -> String {
    let is = |line: &Value| line["type"] == "ok" && line["level"] == "available";
    let at = bad.find("client.jsonl", 0, is);
    bad.files["client.jsonl"][at]["id"].as_str().unwrap().to_owned()
}

fn submit(bad: &mut History, id: &str, level: &str) {
    let t = final_at(2);
    bad.add(
        "client.jsonl",
        json!({"type": "invoke", "t": t, "id": id, "rollup": 1, "node": "node0",
               "request": 5_000, "index": 0}),
    );
    bad.add(
        "client.jsonl",
        json!({"type": "ok", "t": t + 5, "id": id, "node": "node0", "level": level}),
    );
}

/// Every follower reads an id once more.
fn again(bad: &mut History, rollup: u64, nth: usize, id: &str) {
    for file in bad.named(&format!("follower-{rollup}")) {
        let frames = bad.files[&file].iter().filter(|line| line["type"] == "frame").count();
        bad.edit(&file, nth.min(frames - 1), of("frame"), |line| {
            line["ids"].as_array_mut().unwrap().push(id.into());
        });
    }
}

fn first_id(bad: &History, file: &str) -> String {
    let at = bad.find(file, 0, of("frame"));
    bad.files[file][at]["ids"][0].as_str().unwrap().to_owned()
}

pub fn table() -> Vec<Planted> {
    vec![
        plant("promised available and lost", "I3", |_, bad| {
            submit(bad, &Id([1; 32]).to_string(), "available");
        }),
        plant("promised certified and lost", "I3", |_, bad| {
            submit(bad, &Id([2; 32]).to_string(), "certified");
        }),
        plant("told final and lost", "I3", |_, bad| {
            submit(bad, &Id([3; 32]).to_string(), "final");
        }),
        plant("a node says final of what no height has", "I3", |_, bad| {
            let id = Id([4; 32]).to_string();
            let told = json!([{"rollup": 1, "id": id}]);
            let line = json!({"t": 1, "kind": "answered", "level": "final", "transactions": told});
            bad.add("node2.jsonl", line);
        }),
        plant("a node says final of what another rollup got", "I3", |world, bad| {
            let content = world.made[0].contents.iter().find(|content| !content.ids.is_empty());
            let (id, rollup) = (content.unwrap().ids[0], 3 - content.unwrap().rollup);
            let told = json!([{"rollup": rollup, "id": id.to_string()}]);
            let line = json!({"t": 1, "kind": "answered", "level": "final", "transactions": told});
            bad.add("node2.jsonl", line);
        }),
        plant("doubled in one stream", "I3", |_, bad| {
            let id = first_id(bad, "follower-1-0.jsonl");
            again(bad, 1, 3, &id);
        }),
        plant("doubled inside a frame", "I3", |_, bad| {
            let id = first_id(bad, "follower-1-0.jsonl");
            bad.edit("follower-1-0.jsonl", 0, of("frame"), |line| {
                line["ids"].as_array_mut().unwrap().push(id.into());
            });
        }),
        plant("doubled across two rollups", "I3", |_, bad| {
            let id = first_id(bad, "follower-1-0.jsonl");
            again(bad, 2, 2, &id);
        }),
        plant("refused and final all the same", "I3", |_, bad| {
            let id = promised(bad);
            let is = |line: &Value| line["type"] == "ok" && line["id"] == id.as_str();
            bad.edit("client.jsonl", 0, is, |line| {
                *line = json!({"type": "fail", "t": line["t"], "id": id.as_str(),
                               "code": "queue_full"});
            });
        }),
        plant("in another rollup than it was sent to", "I3", |_, bad| {
            let id = promised(bad);
            let is = |line: &Value| line["type"] == "invoke" && line["id"] == id.as_str();
            bad.edit("client.jsonl", 0, is, |line| {
                line["rollup"] = (3 - line["rollup"].as_u64().unwrap()).into();
            });
        }),
        plant("the last frame never came", "I3", tail_lost),
        plant("one of a frame is missing for everyone", "I3", |_, bad| {
            let id = promised(bad);
            for file in bad.named("follower-") {
                for line in bad.lines(&file) {
                    if let Some(ids) = line["ids"].as_array_mut() {
                        ids.retain(|known| *known != id.as_str());
                    }
                }
            }
        }),
    ]
}

/// All followers end one frame early, and say so.
fn tail_lost(_: &World, bad: &mut History) {
    let mut lost = Vec::new();
    for file in bad.named("follower-1") {
        let frames = bad.files[&file].iter().filter(|line| line["type"] == "frame").count();
        let at = bad.find(&file, frames - 1, of("frame"));
        let frame = bad.lines(&file).remove(at);
        bad.edit(&file, 0, of("end"), |line| line["next"] = frame["sequence"].clone());
        lost = frame["ids"].as_array().unwrap().clone();
    }
    let id = lost[0].clone();
    let is = |line: &Value| line["id"] == id && line["type"] != "invoke" && line["type"] != "retry";
    bad.edit("client.jsonl", 0, is, |line| {
        *line = json!({"type": "ok", "t": line["t"], "id": id, "node": "node0",
                       "level": "available"});
    });
}
