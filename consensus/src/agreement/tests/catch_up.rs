//! Replicas that missed something and must get it before the others can do without them.

use super::{Arc, Committee, Duration, Height, Message, Note, SECOND, ValidatorIndex};
use super::{VoteKind, all_but, count, is_commit_vote, leader_of};
use crate::input::Input;
use crate::testing::{AskFilter, Filter};
use chorale_types::message::{Received, Request};

/// Member 3 is cut off, and the others' commit votes are lost.
pub(super) fn without_three_and_commit_votes() -> Filter {
    let mut between_others = all_but(3);
    Box::new(move |from, to, message| between_others(from, to, message) && !is_commit_vote(message))
}

/// Asserts that blocks become final at member 0 within `duration`.
fn assert_goes_on(committee: &mut Committee, duration: Duration, when: &str) {
    let before = committee.chain(0).len();
    committee.run(duration);
    let after = committee.chain(0).len();
    assert!(after > before, "{when}: stuck at {before} blocks, {}", committee.summary());
    assert!(committee.agrees(), "{when}: a fork");
}

#[test]
fn a_replica_catches_up_over_a_certificate_that_committed_a_hundred_blocks() {
    let mut committee = Committee::new(&[1, 1, 1, 1]);
    committee.run(SECOND);
    committee.filter = without_three_and_commit_votes();
    committee.run(SECOND * 200);
    let before = committee.chain(0).len();
    committee.filter = all_but(3);
    committee.run(SECOND * 20);
    let cert = committee.committed[0][before].cert.vote().height;
    let at_once = cert.get() - before as u64;
    assert!(at_once > 100, "one certificate made only {at_once} blocks final");
    committee.filter = Box::new(|_, _, _| true);
    committee.run(SECOND * 120);
    let behind = committee.chain(0).len() - committee.chain(3).len();
    assert!(behind <= 1, "{behind} blocks behind: {}", committee.summary());
    assert!(committee.agrees());
}

#[test]
fn a_replica_that_catches_up_completes_the_quorum() {
    // 3 is cut off; then 2 dies; the three that remain are exactly a quorum. Where in a view the
    // death falls decides what 0 and 1 hold that 3 must get.
    for step in 0..20 {
        let mut committee = Committee::new(&[1, 1, 1, 1]);
        committee.run(SECOND);
        committee.filter = all_but(3);
        committee.run(SECOND * 60 + Duration::from_millis(step * 26));
        committee.kill(2);
        committee.run(SECOND * 3);
        committee.filter = Box::new(|_, _, _| true);
        committee.run(SECOND * 60);
        assert_goes_on(&mut committee, SECOND * 30, &format!("death at step {step}"));
    }
}

/// Member 3 misses everything for `away`, at the end of which the last blocks are certified and
/// not yet final; then 2 dies and 3 is back.
fn three_returns_to_hidden_blocks(away: Duration, ask_filter: AskFilter) -> Committee {
    let mut committee = Committee::new(&[1, 1, 1, 1]);
    committee.run(SECOND);
    committee.filter = all_but(3);
    committee.run(away);
    committee.filter = without_three_and_commit_votes();
    committee.run(SECOND);
    committee.kill(2);
    committee.run(SECOND * 3);
    committee.filter = Box::new(|_, _, _| true);
    committee.ask_filter = ask_filter;
    for other in [0, 1] {
        committee.reconnect(ValidatorIndex::new(3), ValidatorIndex::new(other));
    }
    committee.run(SECOND * 60);
    committee
}

#[test]
fn an_orphan_joins_when_the_chain_reaches_its_parent() {
    for step in 0..12 {
        let away = SECOND * 5 + Duration::from_millis(step * 100);
        let mut committee = three_returns_to_hidden_blocks(away, Box::new(|_, _, _| true));
        assert_goes_on(&mut committee, SECOND * 60, &format!("away for {away:?}"));
    }
}

#[test]
fn an_orphan_joins_although_questions_for_its_parent_failed() {
    for step in 0..12 {
        let away = SECOND * 40 + Duration::from_millis(step * 100);
        let mut asked = 0;
        let every_second_block: AskFilter = Box::new(move |_, _, request| {
            asked += u32::from(matches!(request, Request::Block { .. }));
            !matches!(request, Request::Block { .. }) || asked % 2 == 1
        });
        let mut committee = three_returns_to_hidden_blocks(away, every_second_block);
        assert_goes_on(&mut committee, SECOND * 60, &format!("away for {away:?}"));
    }
}

#[test]
fn a_leader_gets_its_parent_although_an_older_block_becomes_final_meanwhile() {
    // The leader of view 4 misses the proposal of view 3, and learns that block 2 is final only
    // while it asks for block 3.
    let mut committee = Committee::new(&[1, 1, 1, 1]);
    let leader = leader_of(&committee, 4);
    committee.filter = Box::new(move |_, to, message| match message {
        _ if to != leader => true,
        Message::Proposal(proposal) => proposal.view.get() != 3,
        Message::Vote(vote) => vote.kind == VoteKind::Prepare || vote.vote.view.get() < 2,
        Message::Commit(_) => false,
        _ => true,
    });
    let begun = committee.run_until(SECOND * 4, |c| c.status(leader.get()).view.get() == 4);
    assert!(begun, "view 4 never began: {}", committee.summary());
    let from = committee.set.indices().find(|index| *index != leader).expect("four members");
    let second = committee.committed[from.as_usize()].get(1).expect("block 2 is final elsewhere");
    let cert = Arc::clone(&second.cert);
    assert_eq!(cert.vote().height, Height::new(2), "block 2 has a certificate of its own");
    let input = Input::Message(Received { from, message: Message::Commit(cert) });
    committee.inject(leader, input, Duration::from_micros(100));
    committee.run(SECOND * 2);
    let proposed = |note: &Note| matches!(note, Note::Proposed { view, .. } if view.get() == 4);
    let proposals = count(&committee, leader.get(), proposed);
    assert_eq!(proposals, 1, "the leader of view 4 proposes once: {}", committee.summary());
}
