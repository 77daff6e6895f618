//! What a restart must not undo.

use super::{FAULTY, committee};
use crate::rng::{Rng, Stream};
use crate::sim::disk::SimDisk;
use chorale_node::storage::{Incarnation, VoteRecord};
use chorale_types::ids::View;
use chorale_types::message::Message;
use std::collections::BTreeSet;

pub(super) fn a_leader_that_starts_again_does_not_propose_again() {
    let mut c = committee(&[0, 1, 2, FAULTY]);
    c.propose(0);
    for _ in 0..3 {
        c.restart(0);
        c.propose(0);
    }
    let proposed = c.said(0).filter_map(|message| match message {
        Message::Proposal(proposal) if proposal.view == View::new(1) => Some(proposal.block_hash()),
        _ => None,
    });
    let proposed: BTreeSet<_> = proposed.collect();
    assert_eq!(proposed.len(), 1, "one block in one view");
}

pub(super) fn a_vote_record_survives_a_power_cut_right_after_it_was_made() {
    for seed in 0..32 {
        let disk = SimDisk::default();
        let made = VoteRecord::create(disk.clone(), Incarnation([1; 16]), b"first");
        drop(made.unwrap());
        disk.lose_power(&mut Rng::new(seed, Stream::Disk));
        let opened = VoteRecord::open(disk, 0);
        assert!(opened.is_ok(), "power cut {seed}: {:?}", opened.err());
    }
}
