//! Scenarios of the view machine, each with four replicas unless it says otherwise.

mod bad_answers;
mod bad_messages;
mod bad_proposals;
mod bounds;
mod catch_up;
mod contradicted;
mod covers;
pub(super) mod made;
mod observer;
mod restarts;
mod scene;
mod timers;

use super::leaders::Leaders;
use crate::note::{Fault, Note};
use crate::testing::{Committee, Filter, garbage, set_of};
use chorale_types::ids::{Height, ValidatorIndex, View};
use chorale_types::message::Message;
use chorale_types::vote::VoteKind;
use core::time::Duration;
use std::cell::RefCell;
use std::collections::BTreeSet;
use std::rc::Rc;
use std::sync::Arc;

const SECOND: Duration = Duration::from_secs(1);

fn leader_of(committee: &Committee, view: u64) -> ValidatorIndex {
    Leaders::new(&committee.set).leader(View::new(view))
}

fn count(committee: &Committee, index: u16, wanted: impl Fn(&Note) -> bool) -> usize {
    committee.notes[usize::from(index)].iter().filter(|note| wanted(note)).count()
}

/// Everything passes that is not from or to this member.
fn all_but(index: u16) -> Filter {
    Box::new(move |from, to, _| from.get() != index && to.get() != index)
}

fn is_commit_vote(message: &Message) -> bool {
    matches!(message, Message::Vote(vote) if vote.kind == VoteKind::Commit)
}

/// A prepare vote of this view.
fn is_prepare_of(message: &Message, view: u64) -> bool {
    matches!(message, Message::Vote(v) if v.kind == VoteKind::Prepare && v.vote.view.get() == view)
}

#[test]
fn four_idle_replicas_commit_about_two_blocks_a_second() {
    let mut committee = Committee::new(&[1, 1, 1, 1]);
    committee.run(SECOND * 10);
    assert!(committee.agrees());
    for index in 0..4 {
        let blocks = committee.chain(index).len();
        assert!((18..=21).contains(&blocks), "replica {index} committed {blocks}");
        assert_eq!(count(&committee, index, |n| matches!(n, Note::TimedOut { .. })), 0);
    }
}

#[test]
fn one_replica_alone_commits() {
    let mut committee = Committee::new(&[5]);
    committee.run(SECOND * 5);
    assert!(committee.chain(0).len() >= 9);
}

#[test]
fn a_dead_replica_costs_one_timeout_for_each_view_it_leads() {
    let mut committee = Committee::new(&[1, 1, 1, 1]);
    committee.kill(2);
    committee.run(SECOND * 20);
    assert!(committee.agrees());
    let view = committee.replicas[0].as_ref().expect("alive").status().view.get();
    let led = (1..view).filter(|v| leader_of(&committee, *v).get() == 2).count();
    let timeouts = count(&committee, 0, |n| matches!(n, Note::TimedOut { .. }));
    assert!(led >= 4 && timeouts.abs_diff(led) <= 1, "{timeouts} timeouts, {led} views led");
}

#[test]
fn two_dead_of_four_stop_everything_and_nothing_commits() {
    let mut committee = Committee::new(&[1, 1, 1, 1]);
    committee.kill(2);
    committee.kill(3);
    committee.run(SECOND * 20);
    assert_eq!(committee.chain(0).len(), 0);
}

#[test]
fn stake_decides_and_not_heads() {
    let mut committee = Committee::new(&[30, 30, 30, 3, 3]);
    committee.kill(3);
    committee.kill(4);
    committee.run(SECOND * 10);
    assert!(committee.agrees() && committee.chain(0).len() > 5);
    let mut committee = Committee::new(&[30, 30, 30, 3, 3]);
    committee.kill(0);
    committee.kill(3);
    committee.run(SECOND * 10);
    assert_eq!(committee.chain(1).len(), 0, "63 of 96 is no quorum");
}

#[test]
fn a_replica_cut_off_for_long_catches_up_and_votes_again() {
    let mut committee = Committee::new(&[1, 1, 1, 1]);
    committee.run(SECOND);
    committee.filter = all_but(3);
    committee.run(SECOND * 60);
    let behind = committee.chain(0).len() - committee.chain(3).len();
    assert!(behind > 50, "only {behind} behind");
    committee.filter = Box::new(|_, _, _| true);
    committee.run(SECOND * 10);
    assert!(committee.agrees());
    assert!(committee.chain(0).len() - committee.chain(3).len() <= 1);
    assert!(count(&committee, 3, |n| matches!(n, Note::CaughtUp { .. })) > 0);
    let last = committee.notes[3].iter().rev().take(20);
    assert!(last.into_iter().any(|n| matches!(n, Note::Voted { kind: VoteKind::Commit, .. })));
}

#[test]
fn a_hidden_certificate_does_not_drop_a_block_that_all_honest_prepared() {
    // View 1's prepares reach nobody; all time out with the block as tip; it is proposed again.
    let mut committee = Committee::new(&[1, 1, 1, 1]);
    committee.filter = Box::new(|_, _, message| {
        !is_prepare_of(message, 1)
            && !matches!(message, Message::Timeout(t) if t.view.get() == 1 && t.prepare.is_none())
    });
    committee.run(SECOND * 5);
    assert!(committee.agrees());
    let first = &committee.committed[0][0];
    assert_eq!(first.block.header.orig_view, View::new(1), "block 1 was kept");
    let backup = |n: &Note| matches!(n, Note::QuorumCertFormed { backup: true, .. });
    let again = |n: &Note| matches!(n, Note::Reproposed { .. });
    let kept = (0..4).any(|i| count(&committee, i, backup) + count(&committee, i, again) > 0);
    assert!(kept, "by a backup certificate or a re-proposal");
}

#[test]
fn a_tip_is_proposed_again_when_its_certificate_cannot_form() {
    let mut committee = Committee::new(&[1, 1, 1, 1]);
    // Drop prepares of view 1 and strip nothing else: timeouts carry no prepare because the
    // filter drops those that do, until replicas give up carrying them.
    committee.filter = Box::new(|_, _, message| !is_prepare_of(message, 1));
    committee.run(SECOND * 5);
    assert!(committee.agrees());
    assert_eq!(committee.committed[1][0].block.header.orig_view, View::new(1));
}

#[test]
fn one_garbage_vote_costs_its_sender_and_not_the_quorum() {
    let mut committee = Committee::new(&[1, 1, 1, 1]);
    committee.run(Duration::from_millis(400));
    let first = leader_of(&committee, 1);
    let liar = committee.set.indices().find(|i| *i != first).expect("four members");
    // The liar's prepare in view 1 arrives first, with a bad signature.
    let vote = chorale_types::vote::Vote {
        epoch: committee.set.epoch(),
        view: View::new(1),
        height: Height::new(1),
        block: chorale_types::crypto::hash::Digest::from_bytes([8; 32]),
    };
    committee.filter =
        Box::new(move |from, _, message| !(from == liar && matches!(message, Message::Vote(_))));
    for index in committee.set.indices().filter(|i| *i != liar) {
        let signature = garbage();
        let ordered_height = Height::ZERO;
        let kind = VoteKind::Prepare;
        let message = Message::Vote(chorale_types::message::VoteMessage {
            kind,
            vote,
            signature,
            ordered_height,
        });
        let received = chorale_types::message::Received { from: liar, message };
        committee.inject(index, crate::Input::Message(received), Duration::ZERO);
    }
    committee.run(SECOND * 5);
    assert!(committee.agrees() && committee.chain(0).len() >= 5);
}

#[test]
fn only_the_leader_of_a_view_is_heard() {
    let mut committee = Committee::new(&[1, 1, 1, 1]);
    let first = leader_of(&committee, 1);
    let stranger = committee.set.indices().find(|i| *i != first).expect("four members");
    let target = committee.set.indices().find(|i| *i != first && *i != stranger).expect("four");
    committee.filter = Box::new(|_, _, _| true);
    committee.run(Duration::from_millis(495));
    let seen = Arc::new(std::sync::Mutex::new(None));
    let tap = Arc::clone(&seen);
    committee.filter = Box::new(move |_, _, message| {
        if let Message::Proposal(proposal) = message {
            tap.lock().expect("one thread").get_or_insert_with(|| Arc::clone(proposal));
        }
        true
    });
    committee.run(SECOND * 3);
    let mut proposal = (**seen.lock().expect("one thread").as_ref().expect("seen")).clone();
    let at = committee.replicas[target.as_usize()].as_ref().expect("alive").status().view;
    proposal.view = at;
    let wrong = committee.set.indices().find(|i| *i != leader_of(&committee, at.get()));
    let from = wrong.expect("four members");
    let message = Message::Proposal(Arc::new(proposal));
    let received = chorale_types::message::Received { from, message };
    committee.inject(target, crate::Input::Message(received), Duration::ZERO);
    committee.run(Duration::from_millis(1));
    assert!(committee.faults.contains(&(target, from, Fault::NotLeader)));
}

#[test]
fn slots_are_exact_and_nobody_leads_twice_running() {
    for stakes in [vec![1, 1, 1, 1], vec![10, 20, 30, 40], vec![7, 7, 7, 7, 7, 7, 7]] {
        let set = set_of(&stakes);
        let leaders = Leaders::new(&set);
        let slots = leaders.cycle().len() as u64;
        let total: u64 = stakes.iter().sum();
        for (index, stake) in set.indices().zip(&stakes) {
            let got = leaders.cycle().iter().filter(|l| **l == index).count() as u64;
            let share = slots * stake / total;
            assert!(got == share || got == share + 1, "{index} has {got} of {share}");
        }
        let doubled = (1..=2 * slots)
            .filter(|v| leaders.leader(View::new(*v)) == leaders.leader(View::new(v + 1)))
            .count();
        assert_eq!(doubled, 0);
        let all: BTreeSet<_> = leaders.cycle().iter().collect();
        assert_eq!(all.len(), stakes.len());
    }
}

#[test]
fn submitted_transactions_reach_final_blocks_of_every_replica() {
    let mut committee = Committee::new(&[1, 1, 1, 1]);
    committee.run(SECOND);
    for n in 0..200_u32 {
        let member = u16::try_from(n % 4).expect("small");
        committee.submit(member, 1 + u64::from(n % 2), &n.to_be_bytes());
        committee.run(Duration::from_millis(5));
    }
    committee.run(SECOND * 2);
    assert!(committee.agrees());
    let tips: Vec<_> = committee.committed[0]
        .iter()
        .flat_map(|block| block.block.body.tips.iter().map(|tip| (tip.lane.owner, tip.seq)))
        .collect();
    let owners: BTreeSet<_> = tips.iter().map(|(owner, _)| *owner).collect();
    assert_eq!(owners.len(), 4, "every lane is ordered");
    let (batches, charged) = (0..4).fold((0, 0), |(batches, charged), owner| {
        let all = committee.committed[0].iter().flat_map(|b| b.block.body.tips.iter());
        let last = all.filter(|tip| tip.lane.owner.get() == owner).max_by_key(|tip| tip.seq);
        let last = last.expect("every lane is ordered");
        (batches + last.seq.get(), charged + last.bytes_through)
    });
    assert_eq!(charged, 1_024 * batches + 200 * (192 + 4), "200 transactions of four bytes");
    assert_eq!(committee.faults, BTreeSet::new());
}

#[test]
fn batches_of_a_dead_owner_are_rescued() {
    let mut committee = Committee::new(&[1, 1, 1, 1]);
    committee.run(SECOND);
    // The owner's batch reaches only one member; then the owner dies before it is available.
    committee.filter = Box::new(|from, to, message| match message {
        Message::Batch(_) => from.get() != 2 || to.get() == 3,
        Message::Ack(_) => to.get() != 2,
        _ => true,
    });
    committee.submit(2, 1, b"do not lose me");
    committee.run(Duration::from_millis(60));
    committee.kill(2);
    committee.filter = Box::new(|_, _, _| true);
    committee.run(SECOND * 20);
    let ordered = committee.committed[0]
        .iter()
        .any(|block| block.block.body.tips.iter().any(|tip| tip.lane.owner.get() == 2));
    assert!(ordered, "the batch that one member stored was rescued");
    assert!((0..4).any(|i| count(&committee, i, |n| matches!(n, Note::Rescued { .. })) > 0));
}
