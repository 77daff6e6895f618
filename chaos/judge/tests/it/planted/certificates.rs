//! I2: certificates prove what they say.

use super::agreement::{commit_of, fork, fork_by, forked_tail};
use super::{Planted, plant};
use crate::good::blocks::certify_by;
use crate::good::history::{History, hex, saying};
use crate::good::record::{file, statement};
use crate::good::{View, World};
use bls12_381::G2Affine;
use chorale_judge::crypto::signed;
use chorale_judge::wire::batch::{Availability, AvailabilityFields};
use chorale_judge::wire::certificate::{Entry, Kind, Qc};
use chorale_judge::wire::message::Message;
use chorale_judge::wire::signers::Signers;
use chorale_judge::wire::{Id, List, Wire as _};

const HEIGHT: usize = 5;

fn good(world: &World) -> Qc {
    let all: Vec<u16> = (0..world.members()).collect();
    certify_by(world, Kind::Commit, world.made[HEIGHT - 1].vote(), &all)
}

/// Node 1 shows these bytes for a height.
fn show(bad: &mut History, bytes: &[u8]) {
    bad.edit("node1.jsonl", 0, commit_of(HEIGHT), |line| {
        line["certificate"] = hex(bytes).into();
    });
}

/// Node 1 shows a certificate that is changed a little.
fn changed(world: &World, bad: &mut History, change: impl FnOnce(&mut Qc)) {
    let mut qc = good(world);
    change(&mut qc);
    show(bad, &qc.bytes());
}

/// Node 0 passes something on.
fn says(bad: &mut History, message: &Message) {
    bad.add("node0.jsonl", statement(0, message));
}

pub fn table() -> Vec<Planted> {
    [signatures(), signers(), forms(), others()].into_iter().flatten().collect()
}

fn signatures() -> Vec<Planted> {
    vec![
        plant("a bit of a signature flipped", "I2", |world, bad| {
            changed(world, bad, |qc| qc.signature[40] ^= 1);
        }),
        plant("a signature of zeros", "I2", |world, bad| {
            changed(world, bad, |qc| qc.signature = [0; 96]);
        }),
        plant("the identity as a signature", "I2", |world, bad| {
            changed(world, bad, |qc| qc.signature = G2Affine::identity().to_compressed());
        }),
        plant("a point outside the group as a signature", "I2", |world, bad| {
            changed(world, bad, |qc| qc.signature = outside());
        }),
        plant("prepare votes shown as commit votes", "I2", |world, bad| {
            let all: Vec<u16> = (0..world.members()).collect();
            let vote = world.made[HEIGHT - 1].vote();
            let prepared = certify_by(world, Kind::Prepare, vote, &all);
            show(bad, &Qc { kind: Kind::Commit, ..prepared }.bytes());
        }),
        plant("votes of another chain", "I2", |world, bad| {
            changed(world, bad, |qc| {
                let bytes = signed("chorale/1/commit", &Id([3; 32]), &qc.vote.bytes());
                qc.signature = world.keys.sum(&[0, 1, 2, 3], &bytes);
            });
        }),
        plant("a signer's signature counted twice", "I2", |world, bad| {
            changed(world, bad, |qc| {
                let bytes = signed("chorale/1/commit", &world.chain.id, &qc.vote.bytes());
                qc.signature = world.keys.sum(&[0, 0, 1], &bytes);
                qc.signers = Signers::of(4, &[0, 1, 2]);
            });
        }),
        plant("a certificate with another view", "I2", |world, bad| {
            changed(world, bad, |qc| qc.vote.view += 1);
        }),
    ]
}

fn signers() -> Vec<Planted> {
    vec![
        plant("signers of less stake than a quorum", "I2", |world, bad| {
            let vote = world.made[HEIGHT - 1].vote();
            show(bad, &certify_by(world, Kind::Commit, vote, &[0, 3]).bytes());
        }),
        plant("a signer who did not sign", "I2", |world, bad| {
            changed(world, bad, |qc| {
                let bytes = signed("chorale/1/commit", &world.chain.id, &qc.vote.bytes());
                qc.signature = world.keys.sum(&[0, 1, 2], &bytes);
            });
        }),
        plant("a signer left out of the list", "I2", |world, bad| {
            changed(world, bad, |qc| qc.signers = Signers::of(4, &[0, 1, 3]));
        }),
        plant("nobody signed", "I2", |world, bad| {
            changed(world, bad, |qc| qc.signers = Signers::of(4, &[]));
        }),
        plant("signers of a larger set", "I2", |world, bad| {
            changed(world, bad, |qc| qc.signers = Signers::of(5, &[0, 1, 2, 3]));
        }),
        plant("a signer beyond the last member", "I2", |world, bad| {
            let mut bytes = good(world).bytes();
            let bits = bytes.len() - 97;
            bytes[bits] |= 0b10000;
            show(bad, &bytes);
        }),
    ]
}

fn forms() -> Vec<Planted> {
    vec![
        plant("a certificate of prepare votes", "I2", |world, bad| {
            changed(world, bad, |qc| qc.kind = Kind::Prepare);
        }),
        plant("bytes behind a certificate", "I2", |world, bad| {
            let mut bytes = good(world).bytes();
            bytes.push(0);
            show(bad, &bytes);
        }),
        plant("a certificate cut short", "I2", |world, bad| {
            let mut bytes = good(world).bytes();
            bytes.pop();
            show(bad, &bytes);
        }),
        plant("no certificate at all", "I2", |_, bad| show(bad, &[])),
        plant("the virtual certificate for a block", "I2", |world, bad| {
            show(bad, &world.chain.start().bytes());
        }),
        plant("a certificate of another epoch", "I2", |world, bad| {
            let mut vote = world.made[HEIGHT - 1].vote().clone();
            vote.epoch = 2;
            show(bad, &certify_by(world, Kind::Commit, &vote, &[0, 1, 2, 3]).bytes());
        }),
        plant("the certificate of a lower block", "I2", |world, bad| {
            show(bad, &world.made[HEIGHT - 2].certificates[0].bytes());
        }),
        plant("the certificate of another block of that height", "I2", |world, bad| {
            show(bad, &fork(world, HEIGHT - 1, None).1.bytes());
        }),
        plant("a final block of another set", "I2", |world, bad| {
            let last = world.made.len() - 1;
            let other = fork_by(world, last, |header| header.epoch_info = Id([9; 32]));
            forked_tail(world, bad, other);
        }),
        plant("a final block that says another height", "I2", |world, bad| {
            let last = world.made.len() - 1;
            forked_tail(world, bad, fork_by(world, last, |header| header.height += 1));
        }),
        plant("the certificate of a block that nobody knows", "I2", |world, bad| {
            let mut vote = world.made[world.made.len() - 1].vote().clone();
            (vote.height, vote.view, vote.block) = (vote.height + 3, vote.view + 9, Id([4; 32]));
            let certificate = certify_by(world, Kind::Commit, &vote, &[0, 1, 2, 3]);
            let last = world.made.len();
            for node in 0..world.members() {
                bad.edit(&file(node), 0, commit_of(last), |line| {
                    line["certificate"] = hex(&certificate.bytes()).into();
                });
            }
        }),
    ]
}

fn others() -> Vec<Planted> {
    vec![
        plant("a proposal on a certificate of too few", "I2", |world, bad| {
            let vote = world.made[3].vote();
            let few = certify_by(world, Kind::Prepare, vote, &[1, 2]);
            says(bad, &Message::Entry(Entry::Qc(few)));
        }),
        plant("a view given up by too few", "I2", |world, bad| {
            let tc = world.views.iter().find_map(|view| match view {
                View::GivenUp { tc, .. } => Some((**tc).clone()),
                View::Block { .. } => None,
            });
            let mut tc = tc.unwrap();
            tc.0.groups.0[0].signers = Signers::of(4, &[0, 3]);
            says(bad, &Message::Entry(Entry::Tc(tc)));
        }),
        plant("an availability certificate of too few", "I2", |world, bad| {
            let statement = world.made[1].batches[0].signed.header.acknowledgement();
            let signers = Signers::of(4, &[1]);
            let fields = AvailabilityFields { statement, signers, signatures: List(vec![[1; 64]]) };
            says(bad, &Message::Availability(Availability(fields)));
        }),
        plant("a commit certificate of too few inside a proposal", "I2", |world, bad| {
            let node = file(world.leaders.of_view(world.made[9].view));
            let last = bad.files[&node].iter().filter(|line| saying(0)(line)).count() - 1;
            let at = bad.find(&node, last, saying(0));
            let line = &mut bad.lines(&node)[at];
            let bytes = crate::good::history::unhex(&line["bytes"]);
            let Ok(Message::Proposal(mut proposal)) = Message::read(&bytes) else { panic!() };
            let ordered = proposal.ordered.as_mut().unwrap();
            ordered.0 = certify_by(world, Kind::Commit, &ordered.0.vote.clone(), &[0, 1]);
            line["bytes"] = hex(&Message::Proposal(proposal).bytes()).into();
        }),
    ]
}

/// A point of the curve that is not in the group.
fn outside() -> [u8; 96] {
    for x in 1..=u8::MAX {
        let mut bytes = [0; 96];
        (bytes[0], bytes[95]) = (0x80, x);
        let point = Option::<G2Affine>::from(G2Affine::from_compressed_unchecked(&bytes));
        if point.is_some_and(|point| !bool::from(point.is_torsion_free())) {
            return bytes;
        }
    }
    unreachable!("every second x is on the curve, and next to none of them in the group")
}
