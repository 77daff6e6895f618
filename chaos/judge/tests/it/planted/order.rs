//! I6: the order that was promised.

use super::{Planted, plant};
use crate::good::history::History;
use crate::good::{Tx, World, blocks::final_at};
use serde_json::{Value, json};

/// Says when a transaction was sent and promised.
fn retime(bad: &mut History, tx: &Tx, at: u64) {
    let id = tx.id.to_string();
    let node = format!("node{}", tx.node);
    bad.lines("client.jsonl").retain(|line| line["id"] != id.as_str());
    let (request, index) = (tx.request, tx.index);
    bad.add(
        "client.jsonl",
        json!({"type": "invoke", "t": at, "id": id, "rollup": tx.rollup, "node": node,
               "request": request, "index": index}),
    );
    bad.add(
        "client.jsonl",
        json!({"type": "ok", "t": at + 1_000, "id": id, "node": node, "level": "available"}),
    );
}

/// Two transactions of one node and rollup in different blocks, or in one request.
fn pair(world: &World, fits: impl Fn(&Tx, &Tx) -> bool) -> (&Tx, &Tx) {
    let alone = |tx: &&Tx| tx.copy.is_none();
    let pairs = world.load.iter().filter(alone).flat_map(|a| {
        let others = world.load.iter().filter(alone);
        others.map(move |b| (a, b)).filter(|(a, b)| (a.node, a.rollup) == (b.node, b.rollup))
    });
    pairs.into_iter().find(|(a, b)| fits(a, b)).expect("the plain chain has such a pair")
}

pub fn table() -> Vec<Planted> {
    vec![
        plant("one node turns two requests round", "I6", |world, bad| {
            let apart = |a: &Tx, b: &Tx| a.request < b.request && a.at + 30_000_000 < b.at;
            let (early, late) = pair(world, apart);
            // The later one in the stream was promised before the other was sent.
            retime(bad, late, final_at(0) + 1);
            retime(bad, early, final_at(0) + 5_000_000);
        }),
        plant("one node turns one request round", "I6", |world, bad| {
            let (low, _) = pair(world, |a, b| a.request == b.request && a.index < b.index);
            let id = low.id.to_string();
            let is = |line: &Value| line["type"] == "invoke" && line["id"] == id.as_str();
            bad.edit("client.jsonl", 0, is, |line| line["index"] = 50.into());
        }),
        plant("sent after a later block was final", "I6", |world, bad| {
            retime(bad, &world.load[0], final_at(6));
        }),
        plant("sent after its own block was final", "I6", |world, bad| {
            retime(bad, &world.load[0], final_at(1) + 20_000_000);
        }),
        plant("sent to another node after a block was final", "I6", |world, bad| {
            let mut tx = world.load[1].clone();
            tx.node = (tx.node + 2) % world.members();
            retime(bad, &tx, final_at(5));
        }),
    ]
}
