//! I1: one block at each height.

use super::{Planted, plant};
use crate::good::blocks::{Made, certify_by};
use crate::good::history::{History, hex, of};
use crate::good::record::{file, justify, proposal, statement};
use crate::good::{World, follow};
use chorale_judge::wire::block::Header;
use chorale_judge::wire::certificate::{CommitQc, Kind, Qc};
use chorale_judge::wire::message::Message;
use chorale_judge::wire::proof::FrameProof;
use chorale_judge::wire::{Id, Wire as _};
use serde_json::{Value, json};

/// Another block at the place of the `at`th, and everybody's certificate of it.
pub fn fork(world: &World, at: usize, parent: Option<Id>) -> (Made, Qc) {
    fork_by(world, at, |header| {
        header.time += 1;
        header.parent = parent.unwrap_or(header.parent);
    })
}

/// The `at`th block with a change in its header, and everybody's certificate of that.
pub fn fork_by(world: &World, at: usize, change: impl FnOnce(&mut Header)) -> (Made, Qc) {
    let mut made = world.made[at].clone();
    change(&mut made.block.header);
    made.hash = made.block.header.hash();
    let mut vote = made.vote().clone();
    vote.block = made.hash;
    let all: Vec<u16> = (0..world.members()).collect();
    let certificate = certify_by(world, Kind::Commit, &vote, &all);
    (made, certificate)
}

/// The line of a node about a height.
pub fn commit_of(height: usize) -> impl Fn(&Value) -> bool {
    move |line| line["kind"] == "commit" && line["height"] == height
}

fn says_fork(line: &mut Value, made: &Made, certificate: &Qc) {
    line["hash"] = made.hash.to_string().into();
    line["certificate"] = hex(&certificate.bytes()).into();
}

pub fn table() -> Vec<Planted> {
    vec![
        plant("two final blocks with a certificate each", "I1", |world, bad| {
            let (made, certificate) = fork(world, 4, None);
            bad.edit("node2.jsonl", 0, commit_of(5), |line| says_fork(line, &made, &certificate));
        }),
        plant("one node names another block", "I1", |_, bad| {
            let other = Id([7; 32]).to_string();
            bad.edit("node1.jsonl", 0, commit_of(6), |line| line["hash"] = other.into());
        }),
        plant("a fork's certificate is passed on", "I1", |world, bad| {
            let (_, certificate) = fork(world, 2, None);
            let message = Message::Commit(CommitQc(certificate));
            bad.add("node0.jsonl", statement(0, &message));
        }),
        plant("a height is left out", "I1", |_, bad| {
            let at = bad.find("node0.jsonl", 0, commit_of(5));
            bad.lines("node0.jsonl").remove(at);
        }),
        plant("a height comes before the one below it", "I1", |_, bad| {
            let (a, b) = ("node3.jsonl", commit_of(7));
            let (low, high) = (bad.find(a, 0, commit_of(6)), bad.find(a, 0, b));
            bad.lines(a).swap(low, high);
        }),
        plant("after a restart the past is another", "I1", |world, bad| {
            let (made, certificate) = fork(world, 2, None);
            let again = bad.files["node1.jsonl"][0].clone();
            bad.add("node1.jsonl", again);
            let mut line = json!({"t": 1, "kind": "commit", "height": 3});
            says_fork(&mut line, &made, &certificate);
            bad.add("node1.jsonl", line);
        }),
        plant("a final block does not stand on the one below", "I1", |world, bad| {
            let last = world.made.len() - 1;
            forked_tail(world, bad, fork(world, last, Some(Id([9; 32]))));
        }),
        plant("a frame is proven by a fork's certificate", "I1", |world, bad| {
            let (_, certificate) = fork(world, world.made.len() - 1, None);
            let mut shown = follow::frames(world, 1).pop().unwrap();
            let mut proof = FrameProof::read(&shown.frame.proof.0).unwrap();
            proof.certificate = CommitQc(certificate);
            shown.frame.proof.0 = proof.bytes();
            let sequence = shown.frame.sequence;
            let is = move |line: &Value| line["sequence"] == sequence;
            bad.edit("follower-1-0.jsonl", 0, is, |line| {
                line["bytes"] = hex(&shown.frame.bytes()).into();
            });
        }),
    ]
}

/// Everybody agrees on another last block.
pub fn forked_tail(world: &World, bad: &mut History, (made, certificate): (Made, Qc)) {
    let at = world.made.len() - 1;
    for node in 0..world.members() {
        bad.edit(&file(node), 0, commit_of(at + 1), |line| {
            says_fork(line, &made, &certificate);
        });
    }
    let leader = world.leaders.of_view(made.view);
    let name = file(leader);
    let proposal = proposal(world, leader, &made, justify(world, at));
    let line = statement(0, &Message::Proposal(Box::new(proposal)));
    let honest = bad.find(&name, 0, of("start"));
    bad.lines(&name).insert(honest + 1, line);
}
