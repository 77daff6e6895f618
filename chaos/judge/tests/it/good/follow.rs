//! What followers would have written down of a chain.

use super::blocks::{Batch, Made, final_at};
use super::history::{History, hex};
use super::{Random, World};
use chorale_judge::crypto::{merkle, sha256};
use chorale_judge::wire::certificate::CommitQc;
use chorale_judge::wire::proof::{
    BatchProof, EntryProof, Frame, FrameProof, Part, Placed, Skipped,
};
use chorale_judge::wire::{Blob, Id, List, Wire as _};
use serde_json::{Value, json};
use std::collections::HashMap;

/// A frame with its ids.
pub struct Shown {
    pub frame: Frame,
    pub ids: Vec<Id>,
}

/// All frames of a rollup.
pub fn frames(world: &World, rollup: u64) -> Vec<Shown> {
    let payloads: HashMap<Id, &Vec<u8>> =
        world.load.iter().map(|tx| (tx.id, &tx.payload)).collect();
    let (mut shown, mut from) = (Vec::new(), 0);
    for (at, made) in world.made.iter().enumerate() {
        let content = made.contents.iter().find(|content| content.rollup == rollup);
        let Some(content) = content.filter(|content| !content.ids.is_empty()) else { continue };
        let proof = prove(world, rollup, content.sequence, from..=at);
        let transactions = content.ids.iter().map(|id| Blob(payloads[id].clone())).collect();
        let header = &made.block.header;
        let frame = Frame {
            rollup,
            sequence: content.sequence,
            height: header.height,
            time: header.time,
            transactions: List(transactions),
            proof: Blob(proof.bytes()),
        };
        shown.push(Shown { frame, ids: content.ids.clone() });
        from = at + 1;
    }
    shown
}

fn prove(
    world: &World,
    rollup: u64,
    sequence: u64,
    blocks: std::ops::RangeInclusive<usize>,
) -> FrameProof {
    let (mut parts, mut skipped, mut before) = (Vec::new(), Vec::new(), 0);
    let last = *blocks.end();
    for made in &world.made[blocks] {
        let batches = made.batches.iter().map(|batch| {
            let header = batch.signed.header.clone();
            BatchProof { header, entry: entry(batch, rollup) }
        });
        let batches = List(batches.collect());
        let Made { block, .. } = made;
        parts.push(Part { header: block.header.clone(), body: block.body.clone(), batches });
        let of_block = made.skipped.get(&rollup).into_iter().flatten();
        skipped.extend(of_block.map(|s| Skipped { position: s.position + before, ..s.clone() }));
        let entries = made.batches.iter().flat_map(|batch| &batch.entries);
        let arrived = entries.filter(|entry| entry.rollup == rollup).map(|entry| entry.ids.len());
        before += u32::try_from(arrived.sum::<usize>()).unwrap();
    }
    // Every third proof goes on to the block above.
    let above = world.made.get(last + 1).filter(|_| sequence.is_multiple_of(3));
    let certificate = above.unwrap_or(&world.made[last]).certificates[0].clone();
    let link = above.map(|made| made.block.header.clone()).into_iter().collect();
    FrameProof {
        rollup,
        sequence,
        anchor: None,
        parts: List(parts),
        skipped: List(skipped),
        link: List(link),
        certificate: CommitQc(certificate),
    }
}

fn entry(batch: &Batch, rollup: u64) -> EntryProof {
    let leaves: Vec<Id> = batch.entries.iter().map(|entry| entry.leaf).collect();
    let place = |at: usize| {
        let entry = batch.entries.get(at)?;
        let (count, path) = (u32::try_from(entry.ids.len()).unwrap(), merkle::path(&leaves, at));
        Some(Placed { rollup: entry.rollup, count, ids_root: entry.ids_root, path })
    };
    match batch.entries.binary_search_by_key(&rollup, |entry| entry.rollup) {
        Ok(at) => EntryProof::Present(place(at).unwrap()),
        Err(at) => EntryProof::Absent(at.checked_sub(1).and_then(place), place(at)),
    }
}

/// The digest of what a subscriber reads.
pub fn digest(frame: &Frame) -> Id {
    let mut read = (frame.sequence, (frame.height, frame.time)).bytes();
    frame.transactions.0.iter().for_each(|transaction| transaction.put(&mut read));
    sha256(&[&read])
}

/// The line of a frame.
pub fn line(shown: &Shown, t: u64, whole: bool) -> Value {
    let Frame { rollup, sequence, height, time, .. } = shown.frame;
    let ids: Vec<String> = shown.ids.iter().map(ToString::to_string).collect();
    let mut line = json!({"type": "frame", "t": t, "rollup": rollup, "sequence": sequence,
                          "height": height, "time": time, "ids": ids,
                          "digest": digest(&shown.frame).to_string()});
    if whole {
        line["bytes"] = hex(&shown.frame.bytes()).into();
    }
    line
}

/// Two followers of each rollup; one of them may begin later.
pub fn record(world: &World, random: &mut Random, history: &mut History) {
    let end = final_at(world.plan.heights + 10);
    for rollup in 1..=world.plan.rollups {
        let shown = frames(world, rollup);
        for slot in 0..2_u64 {
            let file = format!("follower-{rollup}-{slot}.jsonl");
            let last = u64::try_from(shown.len()).unwrap();
            let from = if slot == 1 { 1 + random.below(last.max(1)) } else { 1 };
            let start = super::LOAD_START - 1_000_000;
            history.add(
                &file,
                json!({"type": "start", "t": start, "rollup": rollup, "node": "node0",
                       "from": from}),
            );
            for shown in shown.iter().filter(|shown| shown.frame.sequence >= from) {
                let t = final_at(shown.frame.height) + 4_000_000 + random.below(2_000_000);
                if random.one_in(9) {
                    history.add(
                        &file,
                        json!({"type": "trouble", "t": t - 1, "rollup": rollup, "node": "node0",
                               "why": "ended", "untrue": false}),
                    );
                }
                history.add(&file, line(shown, t, slot == 0 || random.one_in(2)));
            }
            let next = (last + 1).max(from);
            history.add(&file, json!({"type": "end", "t": end, "rollup": rollup, "next": next}));
        }
    }
}
