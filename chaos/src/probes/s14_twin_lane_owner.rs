//! Schedule 14: A lane owner with two batches for one place, and one on top of the wrong one.

use super::{FAULTY, REAL, assert_one_chain, committee, go_on};
use crate::sim::schedule::Committee;
use chorale_consensus::note::Fault;
use chorale_types::batch::{Availability, Batch, BatchEntry, BatchHeader, charged_bytes};
use chorale_types::crypto::ed25519::Signature;
use chorale_types::crypto::hash::Digest;
use chorale_types::ids::{Epoch, LaneId, LaneSeq, RollupId, ValidatorIndex};
use chorale_types::message::{AckMessage, Message, RescueMessage};
use chorale_types::transaction::Transactions;
use std::sync::Arc;

pub(super) fn batch(c: &Committee, seq: u64, prev: Digest, payload: &[u8]) -> Arc<Batch> {
    let transactions = [payload].into_iter().collect::<Transactions>();
    let entries = vec![BatchEntry { rollup: RollupId::new(1), transactions }];
    let header = BatchHeader {
        lane: LaneId { epoch: Epoch::new(1), owner: ValidatorIndex::new(3) },
        seq: LaneSeq::new(seq),
        prev,
        root: Batch::root(&entries),
        bytes_through: seq * charged_bytes(1, 3) as u64,
    };
    let owner_signature = c.signer(FAULTY).batch(&header);
    Arc::new(Batch { header, owner_signature, entries })
}

pub(super) fn ack(c: &Committee, member: usize, batch: &Batch) -> Option<AckMessage> {
    c.said(member).find_map(|message| match message {
        Message::Ack(ack) if ack.statement.digest == batch.header.digest() => Some(*ack),
        _ => None,
    })
}

fn certificate(c: &Committee, batch: &Batch, members: &[usize]) -> Message {
    let mut signers = c.set().no_signers();
    let mut signatures = Vec::new();
    for member in members {
        signers.insert(ValidatorIndex::new(u16::try_from(*member).unwrap()));
        signatures.push(ack(c, *member, batch).unwrap().signature);
    }
    signers.insert(ValidatorIndex::new(3));
    signatures.push(batch.owner_signature);
    let statement = batch.header.acknowledgement();
    Message::Availability(Arc::new(Availability { statement, signers, signatures }))
}

pub(super) fn a_place_is_acknowledged_once_and_nothing_stands_on_the_wrong_batch() {
    let mut c = committee(&[0, 1, 2, FAULTY]);
    let ground = c.set().info_hash();
    let (d, other) = (batch(&c, 1, ground, b"one"), batch(&c, 1, ground, b"two"));
    let e = batch(&c, 2, other.header.digest(), b"six");
    c.say(FAULTY, 0, Message::Batch(d.clone()));
    c.say(FAULTY, 1, Message::Batch(d.clone()));
    c.say(FAULTY, 2, Message::Batch(other.clone()));
    assert!(ack(&c, 0, &d).is_some() && ack(&c, 1, &d).is_some() && ack(&c, 2, &other).is_some());

    let available = certificate(&c, &d, &[0, 1]);
    for member in REAL {
        c.say(FAULTY, member, available.clone());
    }
    for member in [0, 1] {
        c.say(FAULTY, member, Message::Batch(other.clone()));
        c.say(FAULTY, member, Message::Batch(e.clone()));
        assert!(ack(&c, member, &other).is_none(), "member {member} acknowledged another there");
        assert!(ack(&c, member, &e).is_none(), "member {member}: what is below is not certified");
    }
    c.say(FAULTY, 2, Message::Batch(e.clone()));
    assert!([0, 1].iter().all(|member| ack(&c, *member, &e).is_none()));

    go_on(&mut c);
    go_on(&mut c);
    assert_one_chain(&c, 2);
    for member in REAL {
        assert!(c.status(member).ordered_height.get() >= 2, "member {member} has the bodies");
    }
}

pub(super) fn a_forged_header_of_an_honest_lane_causes_no_fetch() {
    let mut c = committee(&[0, 1, 2, FAULTY]);
    let mut header = batch(&c, 1, c.set().info_hash(), b"one").header;
    header.lane.owner = ValidatorIndex::new(0);
    let signature = c.signer(FAULTY).acknowledge(&header.acknowledgement());
    let owner_signature = Signature::from_bytes([7; 64]);
    let rescue = Message::Rescue(RescueMessage { header, owner_signature, signature });
    c.say(FAULTY, 1, rescue);
    assert_eq!(c.asked(1).count(), 0, "nothing is fetched on a forged signature");
    assert!(c.reports().contains(&(1, FAULTY, Fault::BadSignature)), "{:?}", c.reports());
}
