//! I8, I12, I15 and I16: runs that end badly.

use super::{Planted, plant};
use crate::good::blocks::final_at;
use crate::good::history::{History, of};
use crate::good::{LOAD_START, WALL_START, World};
use chorale_judge::wire::Id;
use serde_json::{Value, json};

/// A log with one fault of node 3, which heals at once.
pub fn fault(bad: &mut History, change: impl FnOnce(&mut Value)) {
    bad.add("faults.jsonl", json!({"clock": LOAD_START, "wall": WALL_START}));
    let mut fault = json!({
        "kind": "crash", "node": "node3", "from": LOAD_START, "to": final_at(1), "healed": true,
        "proof": {"probe": "process state", "before": "running", "during": "gone",
                  "after": "running"},
    });
    change(&mut fault);
    bad.add("faults.jsonl", fault);
}

/// Followers get nothing until much later than the bound.
fn late(bad: &mut History, file_end: u64) {
    for file in bad.named("follower-") {
        for line in bad.lines(&file) {
            if line["type"] == "frame" || line["type"] == "end" {
                line["t"] = file_end.into();
            }
        }
    }
}

fn ordered(height: u64) -> impl Fn(&Value) -> bool {
    move |line| line["kind"] == "ordered" && line["height"] == height
}

pub fn table() -> Vec<Planted> {
    [liveness(), ordering(), served()].into_iter().flatten().collect()
}

fn liveness() -> Vec<Planted> {
    vec![
        plant("final long after everything was healed", "I8", |_, bad| {
            fault(bad, |_| {});
            late(bad, LOAD_START + 60_000_000_000);
        }),
        plant("final too late, though one stays broken", "I8", |_, bad| {
            fault(bad, |fault| {
                (fault["to"], fault["healed"]) = (Value::Null, false.into());
            });
            late(bad, LOAD_START + 60_000_000_000);
        }),
        plant("never final after everything was healed", "I8", |_, bad| {
            fault(bad, |_| {});
            let (t, id) = (final_at(2), Id([1; 32]).to_string());
            bad.add(
                "client.jsonl",
                json!({"type": "invoke", "t": t, "id": id, "rollup": 1, "node": "node0",
                       "request": 5_000, "index": 0}),
            );
            bad.add(
                "client.jsonl",
                json!({"type": "ok", "t": t + 5, "id": id, "node": "node0",
                       "level": "available"}),
            );
            bad.edit("follower-1-0.jsonl", 0, of("end"), |line| line["t"] = (t * 9).into());
        }),
    ]
}

fn ordering() -> Vec<Planted> {
    vec![
        plant("one node has another root", "I12", |_, bad| {
            bad.edit("node1.jsonl", 0, ordered(5), |line| {
                line["root"] = Id([1; 32]).to_string().into();
            });
        }),
        plant("every node has the same wrong root", "I12", |_, bad| {
            let root = Id([1; 32]).to_string();
            everywhere(bad, 9, |line| line["root"] = root.clone().into());
        }),
        plant("one node orders something else", "I12", |_, bad| {
            bad.edit("node1.jsonl", 0, ordered(5), |line| {
                line["rollups"][0]["ids"][0] = Id([1; 32]).to_string().into();
            });
        }),
        plant("every node orders what the root does not cover", "I12", |_, bad| {
            everywhere(bad, 9, |line| {
                line["rollups"][0]["ids"][0] = Id([1; 32]).to_string().into();
            });
        }),
        plant("every node numbers a rollup's blocks with a gap", "I12", |_, bad| {
            everywhere(bad, 9, |line| {
                let sequence = &mut line["rollups"][0]["sequence"];
                *sequence = (sequence.as_u64().unwrap() + 1).into();
            });
        }),
        plant("every node orders for a rollup that is not registered", "I12", |_, bad| {
            everywhere(bad, 9, |line| {
                let rollups = line["rollups"].as_array_mut().unwrap();
                rollups.push(json!({"rollup": 77, "sequence": 0, "ids": []}));
            });
        }),
        plant("a height is ordered before it is final", "I12", |_, bad| {
            let at = bad.find("node0.jsonl", 0, ordered(4));
            let line = bad.lines("node0.jsonl").remove(at);
            let first = bad.find("node0.jsonl", 0, ordered(3));
            bad.lines("node0.jsonl").insert(first + 1, line);
        }),
        plant("a height is not ordered", "I12", |_, bad| {
            let at = bad.find("node0.jsonl", 0, ordered(6));
            bad.lines("node0.jsonl").remove(at);
        }),
    ]
}

fn everywhere(bad: &mut History, height: u64, change: impl Fn(&mut Value)) {
    for file in bad.named("node") {
        bad.lines(&file).iter_mut().filter(|line| ordered(height)(line)).for_each(&change);
    }
}

fn served() -> Vec<Planted> {
    vec![
        plant("a node says what is not true", "I15", |_, bad| {
            let trouble = json!({"type": "trouble", "t": 1, "rollup": 1, "node": "node1",
                                 "why": "a forged certificate", "untrue": true});
            bad.add("follower-1-0.jsonl", trouble);
        }),
        plant("an honest node lies while another is faulty by plan", "I15", |_, bad| {
            fault(bad, |fault| fault["kind"] = "byzantine".into());
            let trouble = json!({"type": "trouble", "t": 1, "rollup": 1, "node": "node1",
                                 "why": "a forged certificate", "untrue": true});
            bad.add("follower-1-0.jsonl", trouble);
        }),
        plant("a node that heals stays behind", "I16", |_: &World, bad| {
            fault(bad, |fault| {
                (fault["from"], fault["to"]) = (final_at(2).into(), final_at(9).into());
            });
            bad.lines("node3.jsonl")
                .retain(|line| line["height"].as_u64().is_none_or(|height| height <= 2));
            let late = LOAD_START + 90_000_000_000;
            bad.edit("follower-1-0.jsonl", 0, of("end"), |line| line["t"] = late.into());
        }),
    ]
}
