//! I5: a stream is what the chain ordered.

use super::{Planted, plant};
use crate::good::follow::{self, Shown};
use crate::good::history::{History, of};
use crate::good::{World, blocks::final_at};
use chorale_judge::crypto::transaction_id;
use chorale_judge::wire::proof::{EntryProof, FrameProof, Skipped};
use chorale_judge::wire::{Blob, Id, Wire as _};
use serde_json::Value;

/// Every follower of rollup 1 reads the frame at a sequence otherwise, and keeps no bytes.
fn all(bad: &mut History, sequence: u64, change: impl Fn(&mut Value)) {
    for file in bad.named("follower-1") {
        for line in bad.lines(&file) {
            if line["sequence"] == sequence {
                line.as_object_mut().unwrap().remove("bytes");
                change(line);
            }
        }
    }
}

/// Every follower of rollup 1 is shown another proof, or other transactions, at a sequence.
fn reprove(world: &World, bad: &mut History, sequence: u64, change: impl Fn(&mut Shown)) {
    let at = usize::try_from(sequence - 1).unwrap();
    let mut shown = follow::frames(world, 1).swap_remove(at);
    change(&mut shown);
    for file in bad.named("follower-1") {
        for line in bad.lines(&file).iter_mut().filter(|line| line["sequence"] == sequence) {
            *line = follow::line(&shown, final_at(shown.frame.height) + 5_000_000, true);
        }
    }
}

fn with_proof(shown: &mut Shown, change: impl Fn(&mut FrameProof)) {
    let mut proof = FrameProof::read(&shown.frame.proof.0).unwrap();
    change(&mut proof);
    shown.frame.proof.0 = proof.bytes();
}

pub fn table() -> Vec<Planted> {
    [contents(), frames(), proofs()].into_iter().flatten().collect()
}

fn contents() -> Vec<Planted> {
    vec![
        plant("a frame of another height", "I5", |_, bad| {
            let last = bad.files["follower-1-0.jsonl"].len();
            let at = bad.files["follower-1-0.jsonl"][..last].iter().rposition(of("frame"));
            let line = &bad.files["follower-1-0.jsonl"][at.unwrap()];
            let (sequence, height) =
                (line["sequence"].as_u64().unwrap(), line["height"].as_u64().unwrap());
            all(bad, sequence, |line| line["height"] = (height + 1).into());
        }),
        plant("a frame whose time is not its block's", "I5", |_, bad| {
            all(bad, 2, |line| line["time"] = (line["time"].as_u64().unwrap() + 1).into());
        }),
        plant("a transaction that nobody ordered", "I5", |_, bad| {
            let stranger = Id([5; 32]).to_string();
            all(bad, 2, |line| {
                line["ids"].as_array_mut().unwrap().push(stranger.clone().into());
            });
        }),
        plant("a transaction left out", "I5", |_, bad| {
            all(bad, 3, |line| line["ids"] = Value::Array(vec![line["ids"][0].clone()]));
            let content = bad.files["node0.jsonl"]
                .iter()
                .flat_map(|line| line["rollups"].as_array().cloned().unwrap_or_default());
            let is = |content: &Value| content["rollup"] == 1 && content["sequence"] == 3;
            let ids = content.into_iter().find(is).unwrap()["ids"].clone();
            if ids.as_array().unwrap().len() == 1 {
                all(bad, 3, |line| line["ids"] = Value::Array(Vec::new()));
            }
        }),
        plant("two transactions of a frame change places", "I5", |world, bad| {
            let shown = follow::frames(world, 1);
            let at = shown.iter().position(|shown| shown.ids.len() > 1).unwrap();
            all(bad, u64::try_from(at + 1).unwrap(), |line| {
                line["ids"].as_array_mut().unwrap().swap(0, 1);
            });
        }),
        plant("a frame that nobody ordered", "I5", |_, bad| {
            let file = "follower-1-0.jsonl";
            let at = bad.files[file].iter().rposition(of("frame")).unwrap();
            let mut line = bad.files[file][at].clone();
            line.as_object_mut().unwrap().remove("bytes");
            let next = line["sequence"].as_u64().unwrap() + 1;
            line["sequence"] = next.into();
            line["ids"][0] = Id([12; 32]).to_string().into();
            bad.lines(file).insert(at + 1, line);
            bad.edit(file, 0, of("end"), |line| line["next"] = (next + 1).into());
        }),
    ]
}

fn frames() -> Vec<Planted> {
    vec![
        plant("bytes behind a frame", "I5", |_, bad| {
            bad.edit("follower-1-0.jsonl", 1, of("frame"), |line| {
                line["bytes"] = format!("{}00", line["bytes"].as_str().unwrap()).into();
            });
        }),
        plant("other bytes than the ids say", "I5", |world, bad| {
            reprove(world, bad, 2, |shown| shown.frame.transactions.0[0] = Blob(vec![1, 2, 3]));
        }),
        plant("another frame's bytes", "I5", |_, bad| {
            let file = "follower-1-0.jsonl";
            let at = bad.find(file, 3, of("frame"));
            let bytes = bad.files[file][at]["bytes"].clone();
            bad.edit(file, 1, of("frame"), |line| line["bytes"] = bytes);
        }),
        plant("another frame's proof", "I5", |world, bad| {
            let other = follow::frames(world, 1)[2].frame.proof.clone();
            reprove(world, bad, 2, |shown| shown.frame.proof = other.clone());
        }),
        plant("an unreadable proof", "I5", |world, bad| {
            reprove(world, bad, 2, |shown| shown.frame.proof.0[0] = 9);
        }),
    ]
}

fn proofs() -> Vec<Planted> {
    vec![
        plant("a proof without a block", "I5", |world, bad| {
            reprove(world, bad, 2, |shown| with_proof(shown, |proof| proof.parts.0.clear()));
        }),
        plant("a proof that hides a batch", "I5", |world, bad| {
            reprove(world, bad, 2, |shown| {
                with_proof(shown, |proof| {
                    proof.parts.0.last_mut().unwrap().batches.0.pop();
                });
            });
        }),
        plant("a proof with a batch twice", "I5", |world, bad| {
            reprove(world, bad, 2, |shown| {
                with_proof(shown, |proof| {
                    let batches = &mut proof.parts.0.last_mut().unwrap().batches.0;
                    batches.push(batches[0].clone());
                });
            });
        }),
        plant("a proof with a batch that is not the chain's", "I5", |world, bad| {
            reprove(world, bad, 2, |shown| {
                with_proof(shown, |proof| {
                    let batches = &mut proof.parts.0.last_mut().unwrap().batches.0;
                    batches[0].header.root = Id([1; 32]);
                });
            });
        }),
        plant("a proof with another body", "I5", |world, bad| {
            reprove(world, bad, 2, |shown| {
                with_proof(shown, |proof| {
                    proof.parts.0[0].body.tips.0[0].bytes_through += 1;
                });
            });
        }),
        plant("a proof of a block that is not final", "I5", |world, bad| {
            reprove(world, bad, 2, |shown| {
                with_proof(shown, |proof| proof.parts.0.last_mut().unwrap().header.time += 1);
            });
        }),
        plant("a proof that says a part is not there", "I5", |world, bad| {
            reprove(world, bad, 2, |shown| {
                shown.frame.transactions.0.truncate(1);
                shown.ids.truncate(1);
                with_proof(shown, |proof| {
                    for batch in &mut proof.parts.0.last_mut().unwrap().batches.0 {
                        batch.entry = EntryProof::Absent(None, None);
                    }
                });
            });
        }),
        plant("a proof that shows another rollup's part", "I5", |world, bad| {
            reprove(world, bad, 2, |shown| {
                with_proof(shown, |proof| {
                    for batch in &mut proof.parts.0.last_mut().unwrap().batches.0 {
                        if let EntryProof::Present(placed) = &mut batch.entry {
                            placed.rollup = 2;
                        }
                    }
                });
            });
        }),
        plant("a proof that counts one transaction less", "I5", |world, bad| {
            reprove(world, bad, 2, |shown| {
                with_proof(shown, |proof| {
                    for batch in &mut proof.parts.0.last_mut().unwrap().batches.0 {
                        if let EntryProof::Present(placed) = &mut batch.entry {
                            placed.count -= 1;
                        }
                    }
                });
            });
        }),
        plant("a proof whose blocks do not follow each other", "I5", |world, bad| {
            reprove(world, bad, 3, |shown| {
                with_proof(shown, |proof| {
                    let header = world.made[0].block.header.clone();
                    proof.link.0.insert(0, header);
                });
            });
        }),
        plant("a proof that leaves out what was never delivered", "I5", |world, bad| {
            reprove(world, bad, 2, |shown| {
                let id = shown.ids.remove(0);
                shown.frame.transactions.0.remove(0);
                with_proof(shown, |proof| {
                    let earlier = 1;
                    let skipped = Skipped { position: 0, id, earlier };
                    proof.skipped.0.insert(0, skipped);
                });
            });
        }),
        plant("a proof with a transaction that no batch holds", "I5", |world, bad| {
            reprove(world, bad, 2, |shown| {
                shown.frame.transactions.0.push(Blob(vec![7]));
                shown.ids.push(transaction_id(1, &[7]));
            });
        }),
    ]
}
