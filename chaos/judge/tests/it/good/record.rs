//! What nodes and the load would have written down of a chain.

use super::blocks::{Made, final_at};
use super::follow;
use super::history::{History, hex};
use super::{Random, Tx, View, WALL_START, World};
use chorale_judge::crypto::signed;
use chorale_judge::genesis::EPOCH;
use chorale_judge::wire::Wire;
use chorale_judge::wire::batch::Ack;
use chorale_judge::wire::certificate::{CommitQc, Entry, Kind, Qc, Tc, TipVote, Vote};
use chorale_judge::wire::message::{AckMessage, Justify, Message, Proposal, Timeout, VoteMessage};
use serde_json::{Value, json};

/// The file of a node.
pub fn file(node: u16) -> String {
    format!("node{node}.jsonl")
}

fn wall(height: u64) -> u64 {
    WALL_START + (final_at(height) - super::LOAD_START) / 1_000_000
}

/// A statement's line.
pub fn statement(t: u64, message: &Message) -> Value {
    json!({"t": t, "kind": "statement", "bytes": hex(&message.bytes())})
}

/// A vote of a member.
pub fn vote(world: &World, node: u16, kind: Kind, vote: &Vote) -> Message {
    let message = signed(kind.domain(), &world.chain.id, &vote.bytes());
    let signature = world.keys.sum(&[node], &message);
    Message::Vote(VoteMessage { kind, vote: vote.clone(), signature, ordered_height: 0 })
}

/// An acknowledgement of a member.
pub fn ack(world: &World, node: u16, statement: &Ack) -> Message {
    let message = signed("chorale/1/acknowledge", &world.chain.id, &statement.bytes());
    let signature = world.keys.ed(node, &message);
    Message::Ack(AckMessage { statement: statement.clone(), signature })
}

/// A timeout of a member.
pub fn timeout(world: &World, node: u16, view: u64, lock: &Qc, tip: Option<TipVote>) -> Timeout {
    let before = world.views.iter().find_map(|known| match known {
        View::GivenUp { view: given_up, tc, .. } if given_up + 1 == view => Some((**tc).clone()),
        _ => None,
    });
    let entry = before.map_or_else(|| Entry::Qc(lock.clone()), Entry::Tc);
    let (lock, prepare) = (lock.clone(), None);
    let mut timeout = Timeout { view, lock, tip, entry, prepare, signature: [0; 96] };
    let message = signed("chorale/1/timeout", &world.chain.id, &timeout.statement().bytes());
    timeout.signature = world.keys.sum(&[node], &message);
    timeout
}

/// A leader's proposal of a block.
pub fn proposal(world: &World, leader: u16, made: &Made, justify: Justify) -> Proposal {
    let header = &made.block.header;
    let ordered = header
        .ordered_height
        .checked_sub(1)
        .map(|at| CommitQc(world.made[usize::try_from(at).unwrap()].certificates[0].clone()));
    let (view, block) = (made.view, Some(made.block.clone()));
    let mut proposal = Proposal { epoch: EPOCH, view, justify, block, ordered, signature: [0; 64] };
    let message = signed("chorale/1/proposal", &world.chain.id, &proposal.statement());
    proposal.signature = world.keys.ed(leader, &message);
    proposal
}

/// How a block's proposal is justified.
pub fn justify(world: &World, at: usize) -> Justify {
    let Some(parent) = at.checked_sub(1).map(|at| world.made[at].qc.clone()) else {
        return Justify::EpochStart(world.chain.start());
    };
    let view = world.made[at].view;
    let tc = world.views.iter().find_map(|known| match known {
        View::GivenUp { view: given_up, tc, .. } if given_up + 1 == view => Some((**tc).clone()),
        _ => None,
    });
    match tc {
        Some(tc) => Justify::Fallback(Tc(tc.0), parent),
        None => Justify::Normal(parent),
    }
}

/// Everything that everybody wrote down; `random` draws who restarted when, who reads what, and
/// what else differs from run to run.
pub fn record(world: &World, random: &mut Random) -> History {
    let mut history = History::new(world);
    for node in 0..world.members() {
        record_node(world, random, &mut history, node);
    }
    record_load(world, random, &mut history);
    follow::record(world, random, &mut history);
    history
}

fn start(world: &World, node: u16, t: u64) -> Value {
    json!({"t": t, "kind": "start", "version": 1, "program": "made up", "name": format!("node{node}"),
           "chain": world.chain.id.to_string(), "validator": node})
}

fn record_node(world: &World, random: &mut Random, history: &mut History, node: u16) {
    let name = file(node);
    history.add(&name, start(world, node, WALL_START - 400));
    // Some learn of every second block by its child's certificate alone.
    let late = random.one_in(3);
    let mut waiting = Vec::new();
    for view in &world.views {
        match view {
            View::GivenUp { view, lock, .. } => {
                let Vote { view: at, height, block, .. } = lock.vote;
                let tip = Some(TipVote { view: at, height, block });
                let timeout = timeout(world, node, *view, lock, tip);
                let line = statement(wall(height), &Message::Timeout(Box::new(timeout)));
                history.add(&name, line.clone());
                if random.one_in(2) {
                    history.add(&name, line);
                }
            }
            View::Block { made, .. } => {
                let at = *made;
                let made = &world.made[at];
                speak(world, history, node, at);
                waiting.push(made);
                let last = at + 1 == world.made.len();
                if !late || last || made.vote().height.is_multiple_of(2) {
                    let which = usize::try_from(random.below(2)).unwrap();
                    let certificate = &made.certificates[which];
                    commit(history, &name, &std::mem::take(&mut waiting), certificate);
                }
                if waiting.is_empty() && random.one_in(12) {
                    restart(world, random, history, node, at);
                }
            }
        }
    }
    let end = wall(world.plan.heights) + 100;
    if random.one_in(4) {
        history.torn.insert(name, format!("{{\"t\":{end},\"kind\":\"sta"));
    } else {
        history.add(&name, json!({"t": end, "kind": "stop"}));
    }
}

/// What a member says about a block.
fn speak(world: &World, history: &mut History, node: u16, at: usize) {
    let (name, made) = (file(node), &world.made[at]);
    let t = wall(made.vote().height) - 20;
    for batch in &made.batches {
        if batch.signed.header.lane.owner == node {
            let bytes = hex(&batch.signed.bytes());
            history.add(&name, json!({"t": t, "kind": "batch", "bytes": bytes}));
        } else {
            let ack = ack(world, node, &batch.signed.header.acknowledgement());
            history.add(&name, statement(t, &ack));
        }
    }
    if world.leaders.of_view(made.view) == node {
        let proposal = proposal(world, node, made, justify(world, at));
        history.add(&name, statement(t, &Message::Proposal(Box::new(proposal))));
    }
    for kind in [Kind::Prepare, Kind::Commit] {
        history.add(&name, statement(t + 10, &vote(world, node, kind, made.vote())));
    }
}

/// Blocks are final, by the certificate of the last.
fn commit(history: &mut History, name: &str, blocks: &[&Made], certificate: &Qc) {
    for made in blocks {
        let (height, hash) = (made.vote().height, made.hash.to_string());
        let certificate = hex(&certificate.bytes());
        history.add(
            name,
            json!({"t": wall(height), "kind": "commit", "height": height, "hash": hash,
                   "certificate": certificate}),
        );
    }
    for made in blocks {
        let height = made.vote().height;
        let rollups = made.contents.iter().map(|content| {
            let ids: Vec<String> = content.ids.iter().map(ToString::to_string).collect();
            json!({"rollup": content.rollup, "sequence": content.sequence, "ids": ids})
        });
        let rollups: Vec<Value> = rollups.collect();
        let told = made.contents.iter().flat_map(|content| {
            let named = |id: &chorale_judge::wire::Id| {
                json!({"rollup": content.rollup, "id": id.to_string()})
            };
            content.ids.iter().map(named).collect::<Vec<_>>()
        });
        let told: Vec<Value> = told.collect();
        history.add(
            name,
            json!({"t": wall(height), "kind": "ordered", "height": height,
                   "root": made.root.to_string(), "rollups": rollups}),
        );
        history.add(
            name,
            json!({"t": wall(height), "kind": "answered", "level": "final",
                   "transactions": told}),
        );
    }
}

/// The node stops, or is killed, and comes back: it says its last votes again.
fn restart(world: &World, random: &mut Random, history: &mut History, node: u16, at: usize) {
    let (name, made) = (file(node), &world.made[at]);
    let t = wall(made.vote().height) + 5;
    if random.one_in(2) {
        history.add(&name, json!({"t": t, "kind": "stop"}));
    }
    history.add(&name, start(world, node, t));
    for kind in [Kind::Prepare, Kind::Commit] {
        history.add(&name, statement(t, &vote(world, node, kind, made.vote())));
    }
    if random.one_in(2) {
        // What was final and perhaps not ordered yet is told again.
        commit(history, &name, &[made], &made.certificates[1]);
    }
}

fn record_load(world: &World, random: &mut Random, history: &mut History) {
    let mut events: Vec<(u64, Value)> = Vec::new();
    for tx in &world.load {
        let Tx { at, rollup, node, request, index, copy, .. } = tx;
        let (id, name) = (tx.id.to_string(), format!("node{node}"));
        events.push((
            *at,
            json!({"type": "invoke", "t": at, "id": id, "rollup": rollup, "node": name,
                   "request": request, "index": index}),
        ));
        let mut from = name;
        if let Some(copy) = copy {
            from = format!("node{copy}");
            let t = at + 3_000_000;
            events.push((t, json!({"type": "retry", "t": t, "id": id, "node": from})));
        }
        let t = at + 8_000_000;
        let answer = match random.below(12) {
            0 => json!({"type": "unknown", "t": t, "id": id, "why": "no answer"}),
            1 => json!({"type": "ok", "t": t, "id": id, "node": from, "level": "accepted"}),
            _ => json!({"type": "ok", "t": t, "id": id, "node": from, "level": "available"}),
        };
        events.push((t, answer));
    }
    refused(random, &mut events);
    events.sort_by_key(|(t, _)| *t);
    events.into_iter().for_each(|(_, line)| history.add("client.jsonl", line));
}

/// Some that no node took.
fn refused(random: &mut Random, events: &mut Vec<(u64, Value)>) {
    for request in 0..random.below(3) {
        let (id, t) = (hex(&random.bytes(32)), super::LOAD_START + request);
        let request = 1_000 + request;
        events.push((
            t,
            json!({"type": "invoke", "t": t, "id": id, "rollup": 1, "node": "node0",
                   "request": request, "index": 0}),
        ));
        let fail = json!({"type": "fail", "t": t + 9, "id": id, "code": "queue_full"});
        events.push((t + 9, fail));
    }
}
