//! I7: nobody honest signs twice.

use super::{Planted, plant};
use crate::good::history::{History, hex, of};
use crate::good::record::{self, ack, file, justify, statement, timeout};
use crate::good::{View, World};
use chorale_judge::crypto::signed;
use chorale_judge::wire::batch::SignedHeader;
use chorale_judge::wire::certificate::{Entry, Group, Kind, Tc, TcFields, TipVote, Vote};
use chorale_judge::wire::message::{Justify, Message, Rescue, Timeout};
use chorale_judge::wire::signers::Signers;
use chorale_judge::wire::{Id, List, Wire as _};
use serde_json::json;

const NODE: u16 = 2;

fn says(bad: &mut History, message: &Message) {
    bad.add(&file(NODE), statement(0, message));
}

/// Node 2 is killed and comes back.
fn restarts(bad: &mut History) {
    let start = bad.files[&file(NODE)][0].clone();
    bad.add(&file(NODE), start);
}

fn votes(world: &World, bad: &mut History, kind: Kind, change: impl FnOnce(&mut Vote)) {
    let mut vote = world.made[4].vote().clone();
    change(&mut vote);
    says(bad, &record::vote(world, NODE, kind, &vote));
}

fn last(world: &World) -> &Vote {
    world.made[world.made.len() - 1].vote()
}

fn tip(vote: &Vote) -> TipVote {
    TipVote { view: vote.view, height: vote.height, block: vote.block }
}

/// Node 2's timeout of a view after the last block.
fn gives_up(world: &World, after: u64) -> Timeout {
    let lock = &world.made[world.made.len() - 1].qc;
    timeout(world, NODE, last(world).view + after, lock, Some(tip(last(world))))
}

fn times_out(bad: &mut History, timeout: Timeout) {
    says(bad, &Message::Timeout(Box::new(timeout)));
}

/// A view that was given up in the chain.
fn given_up(world: &World) -> u64 {
    let view = world.views.iter().find_map(|view| match view {
        View::GivenUp { view, .. } => Some(*view),
        View::Block { .. } => None,
    });
    view.unwrap()
}

pub fn table() -> Vec<Planted> {
    [votes_table(), timeouts(), proposals(), justified(), lanes()].into_iter().flatten().collect()
}

fn votes_table() -> Vec<Planted> {
    vec![
        plant("two prepare votes in a view", "I7", |world, bad| {
            votes(world, bad, Kind::Prepare, |vote| vote.block = Id([1; 32]));
        }),
        plant("two commit votes in a view", "I7", |world, bad| {
            votes(world, bad, Kind::Commit, |vote| vote.block = Id([1; 32]));
        }),
        plant("two prepare votes in a view, a crash between", "I7", |world, bad| {
            restarts(bad);
            votes(world, bad, Kind::Prepare, |vote| vote.block = Id([1; 32]));
        }),
        plant("two commit votes in a view, a crash between", "I7", |world, bad| {
            restarts(bad);
            votes(world, bad, Kind::Commit, |vote| vote.height += 1);
        }),
        plant("a prepare vote in a view that is past", "I7", |world, bad| {
            let view = given_up(world);
            votes(world, bad, Kind::Prepare, |vote| vote.view = view);
        }),
        plant("a prepare vote after giving the view up", "I7", |world, bad| {
            times_out(bad, gives_up(world, 1));
            let vote = Vote { view: last(world).view + 1, ..last(world).clone() };
            says(bad, &record::vote(world, NODE, Kind::Prepare, &vote));
        }),
        plant("a commit vote after giving the view up", "I7", |world, bad| {
            times_out(bad, gives_up(world, 2));
            let vote = Vote { view: last(world).view + 1, ..last(world).clone() };
            says(bad, &record::vote(world, NODE, Kind::Commit, &vote));
        }),
        plant("a commit vote in a view that is past", "I7", |world, bad| {
            let view = given_up(world);
            votes(world, bad, Kind::Commit, |vote| vote.view = view);
        }),
    ]
}

fn timeouts() -> Vec<Planted> {
    vec![
        plant("two timeouts of a view", "I7", |world, bad| {
            times_out(bad, gives_up(world, 1));
            let mut other = gives_up(world, 1);
            other.lock = world.made[world.made.len() - 2].qc.clone();
            times_out(bad, other);
        }),
        plant("a lower view given up after a higher one", "I7", |world, bad| {
            times_out(bad, gives_up(world, 3));
            times_out(bad, gives_up(world, 2));
        }),
        plant("a timeout that hides a lock", "I7", |world, bad| {
            let mut timeout = gives_up(world, 1);
            timeout.lock = world.made[2].qc.clone();
            times_out(bad, timeout);
        }),
        plant("a timeout that hides a vote", "I7", |world, bad| {
            let mut timeout = gives_up(world, 1);
            timeout.tip = Some(tip(world.made[2].vote()));
            times_out(bad, timeout);
        }),
        plant("a timeout that says nothing was prepared", "I7", |world, bad| {
            let mut timeout = gives_up(world, 1);
            timeout.tip = None;
            times_out(bad, timeout);
        }),
        plant("a timeout with another vote than was cast", "I7", |world, bad| {
            let mut timeout = gives_up(world, 1);
            let vote = Vote { block: Id([2; 32]), ..world.made[4].vote().clone() };
            timeout.prepare = Some((vote, [0; 96]));
            times_out(bad, timeout);
        }),
    ]
}

fn proposals() -> Vec<Planted> {
    vec![
        plant("two proposals in a view", "I7", |world, bad| {
            let leader = world.leaders.of_view(world.made[4].view);
            let (made, _) = super::agreement::fork(world, 4, None);
            let proposal = record::proposal(world, leader, &made, justify(world, 4));
            bad.add(&file(leader), statement(0, &Message::Proposal(Box::new(proposal))));
        }),
        plant("two proposals in a view, a crash between", "I7", |world, bad| {
            let leader = world.leaders.of_view(world.made[4].view);
            let (made, _) = super::agreement::fork(world, 4, None);
            let proposal = record::proposal(world, leader, &made, justify(world, 4));
            let start = bad.files[&file(leader)][0].clone();
            bad.add(&file(leader), start);
            bad.add(&file(leader), statement(0, &Message::Proposal(Box::new(proposal))));
        }),
        plant("a proposal in a view that another leads", "I7", |world, bad| {
            let leader = world.leaders.of_view(world.made[4].view);
            let other = (leader + 1) % world.members();
            let proposal = record::proposal(world, leader, &world.made[4], justify(world, 4));
            bad.add(&file(other), statement(0, &Message::Proposal(Box::new(proposal))));
        }),
        plant("a proposal after giving the view up", "I7", |world, bad| {
            let after = (1..).find(|after| world.leaders.of_view(last(world).view + after) == NODE);
            let after = after.unwrap();
            times_out(bad, gives_up(world, after));
            proposes(world, bad, last(world).view + after);
        }),
        plant("a proposal in a lower view than one before", "I7", |world, bad| {
            let leads = |view: &u64| world.leaders.of_view(*view) == NODE;
            let views: Vec<u64> = (last(world).view + 1..).filter(leads).take(2).collect();
            proposes(world, bad, views[1]);
            proposes(world, bad, views[0]);
        }),
        plant("a proposal that another signed", "I7", |world, bad| {
            let leader = world.leaders.of_view(world.made[0].view);
            let other = (leader + 1) % world.members();
            let mut proposal = record::proposal(world, other, &world.made[0], justify(world, 0));
            proposal.view += 16 * u64::from(world.members());
            bad.add(&file(leader), statement(0, &Message::Proposal(Box::new(proposal))));
        }),
        plant("what is no message", "I7", |_, bad| {
            let line = json!({"t": 0, "kind": "statement", "bytes": "0x01ff00"});
            bad.add(&file(NODE), line);
        }),
    ]
}

/// The leader of a view after the last block, by whose timeouts it was entered, proposes otherwise
/// than it may.
fn wrongly(
    world: &World,
    bad: &mut History,
    tips: &[(u64, TipVote, &[u16])],
    justify: impl FnOnce(Tc) -> Justify,
) {
    let view = last(world).view + 2;
    let lock = world.made[world.made.len() - 2].qc.clone();
    let groups = tips.iter().map(|(lock, tip, signers)| {
        let signers = Signers::of(world.members(), signers);
        Group { lock: *lock, tip: Some(tip.clone()), signers }
    });
    let groups = List(groups.collect());
    let tc = TcFields { epoch: 1, view: view - 1, groups, signature: [0; 96], lock };
    let mut made = world.made[world.made.len() - 1].clone();
    made.view = view;
    let leader = world.leaders.of_view(view);
    let mut proposal = record::proposal(world, leader, &made, justify(Tc(tc)));
    if matches!(proposal.justify, Justify::Repropose(..)) {
        proposal.block = None;
    }
    let message = signed("chorale/1/proposal", &world.chain.id, &proposal.statement());
    proposal.signature = world.keys.ed(leader, &message);
    bad.add(&file(leader), statement(0, &Message::Proposal(Box::new(proposal))));
}

fn justified() -> Vec<Planted> {
    vec![
        plant("a proposal over a block that might be final", "I7", |world, bad| {
            // Members with stake 5 of 10 prepared the last block: its certificate is needed.
            let (lock, below) = (world.made[8].vote().view, tip(world.made[8].vote()));
            let tips = [(lock, below, &[2_u16, 3][..]), (lock, tip(last(world)), &[0, 1][..])];
            let parent = world.made[8].qc.clone();
            wrongly(world, bad, &tips, |tc| Justify::Fallback(tc, parent));
        }),
        plant("a proposal on a certificate below the highest lock", "I7", |world, bad| {
            let (lock, below) = (world.made[8].vote().view, tip(world.made[8].vote()));
            let parent = world.made[7].qc.clone();
            let tips = [(lock, below, &[0_u16, 1, 2, 3][..])];
            wrongly(world, bad, &tips, |tc| Justify::Fallback(tc, parent));
        }),
        plant("a block proposed again that too few reported", "I7", |world, bad| {
            let (lock, below) = (world.made[8].vote().view, tip(world.made[8].vote()));
            let tips = [(lock, below, &[0_u16, 2, 3][..]), (lock, tip(last(world)), &[1][..])];
            let again = last(world).block;
            wrongly(world, bad, &tips, |tc| Justify::Repropose(Entry::Tc(tc), again));
        }),
        plant("a proposal on a certificate of another view", "I7", |world, bad| {
            let parent = world.made[8].qc.clone();
            let tips = [(0, tip(last(world)), &[0_u16][..])];
            wrongly(world, bad, &tips, |_| Justify::Normal(parent));
        }),
    ]
}

/// Node 2 proposes a block on the last one in a view, as it may after timeouts of the view before.
fn proposes(world: &World, bad: &mut History, view: u64) {
    let mut made = world.made[world.made.len() - 1].clone();
    let (tip, lock) = (Some(tip(made.vote())), made.qc.clone());
    let signers = Signers::of(world.members(), &[0, 1, 2, 3]);
    let groups = List(vec![Group { lock: lock.vote.view, tip, signers }]);
    let tc = TcFields { epoch: 1, view: view - 1, groups, signature: [0; 96], lock };
    let justify = Justify::Fallback(Tc(tc), made.qc.clone());
    made.view = view;
    let header = &mut made.block.header;
    (header.original_view, header.parent, header.height) = (view, made.hash, header.height + 1);
    let proposal = record::proposal(world, NODE, &made, justify);
    says(bad, &Message::Proposal(Box::new(proposal)));
}

fn lanes() -> Vec<Planted> {
    vec![
        plant("a rescue that its batch's owner did not sign", "I7", |world, bad| {
            let batches = world.made.iter().flat_map(|made| &made.batches);
            let other = batches.into_iter().find(|batch| batch.signed.header.lane.owner != NODE);
            let header = other.unwrap().signed.header.clone();
            let bytes = header.acknowledgement().bytes();
            let message = signed("chorale/1/acknowledge", &world.chain.id, &bytes);
            let signature = world.keys.ed(NODE, &message);
            let owner_signature = signature;
            says(bad, &Message::Rescue(Rescue { header, owner_signature, signature }));
        }),
        plant("a batch that its owner did not sign", "I7", |_, bad| {
            let (node, at) = a_batch(bad);
            let bytes = crate::good::history::unhex(&bad.files[&node][at]["bytes"]);
            let mut batch = SignedHeader::read(&bytes).unwrap();
            batch.header.seq += 1_000;
            let line = json!({"t": 0, "kind": "batch", "bytes": hex(&batch.bytes())});
            bad.add(&node, line);
        }),
        plant("two acknowledgements at a number", "I7", |world, bad| {
            let batches = world.made.iter().flat_map(|made| &made.batches);
            let other = batches.into_iter().find(|batch| batch.signed.header.lane.owner != NODE);
            let mut statement = other.unwrap().signed.header.acknowledgement();
            statement.digest = Id([1; 32]);
            says(bad, &ack(world, NODE, &statement));
        }),
        plant("two acknowledgements at a number, one as a rescue", "I7", |world, bad| {
            let batches = world.made.iter().flat_map(|made| &made.batches);
            let other = batches.into_iter().find(|batch| batch.signed.header.lane.owner != NODE);
            let mut header = other.unwrap().signed.header.clone();
            header.root = Id([1; 32]);
            let bytes = header.acknowledgement().bytes();
            let message = signed("chorale/1/acknowledge", &world.chain.id, &bytes);
            let owner_signature = world.keys.ed(header.lane.owner, &message);
            let signature = world.keys.ed(NODE, &message);
            says(bad, &Message::Rescue(Rescue { header, owner_signature, signature }));
        }),
        plant("two batches at a number of the own lane", "I7", |world, bad| {
            let (node, at) = a_batch(bad);
            let bytes = crate::good::history::unhex(&bad.files[&node][at]["bytes"]);
            let mut batch = SignedHeader::read(&bytes).unwrap();
            batch.header.root = Id([1; 32]);
            let bytes = batch.header.acknowledgement().bytes();
            let message = signed("chorale/1/acknowledge", &world.chain.id, &bytes);
            batch.signature = world.keys.ed(batch.header.lane.owner, &message);
            let line = json!({"t": 0, "kind": "batch", "bytes": hex(&batch.bytes())});
            bad.add(&node, line);
        }),
        plant("a batch in the lane of another", "I7", |_, bad| {
            let (node, at) = a_batch(bad);
            let line = bad.files[&node][at].clone();
            let other = if node == "node0.jsonl" { "node1.jsonl" } else { "node0.jsonl" };
            bad.add(other, line);
        }),
        plant("an acknowledgement that another signed", "I7", |world, bad| {
            let mut statement = world.made[0].batches[0].signed.header.acknowledgement();
            statement.seq += 1_000;
            says(bad, &ack(world, NODE - 1, &statement));
        }),
    ]
}

fn a_batch(bad: &History) -> (String, usize) {
    let mut nodes = bad.named("node").into_iter();
    let has = |file: &String| bad.files[file].iter().any(of("batch"));
    let node = nodes.find(has).unwrap();
    let at = bad.find(&node, 0, of("batch"));
    (node, at)
}
