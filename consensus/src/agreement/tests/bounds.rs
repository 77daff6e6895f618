//! What a replica keeps, checks and forgives, at its bounds.

use super::{Arc, Committee, Duration, Fault, Height, Message, Note, Rc, RefCell, SECOND};
use super::{ValidatorIndex, VoteKind, count, is_commit_vote};
use crate::input::Input;
use crate::job::Verdict;
use crate::output::Output;
use crate::replica::Replica;
use crate::testing::root_at;
use chorale_types::crypto::bls::BlsSignature;
use chorale_types::crypto::hash::Digest;
use chorale_types::limits::{CHECKS_PER_PEER_MAX, ORDERED_ROOTS_KEPT};
use chorale_types::message::{Proposal, Received};
use chorale_types::time::Now;
use chorale_types::vote::Timeout;

#[test]
fn an_honest_burst_is_no_flood() {
    // A stall: everything sent to 3 in 40 s arrives at once.
    let mut committee = Committee::new(&[1, 1, 1, 1]);
    committee.run(SECOND);
    let held: Rc<RefCell<Vec<Received<Message>>>> = Rc::default();
    let tap = Rc::clone(&held);
    committee.filter = Box::new(move |from, to, message| {
        if to.get() == 3 {
            tap.borrow_mut().push(Received { from, message: message.clone() });
        }
        from.get() != 3 && to.get() != 3
    });
    committee.run(SECOND * 40);
    committee.filter = Box::new(|_, _, _| true);
    let burst = held.take();
    let of_zero = burst.iter().filter(|received| received.from.get() == 0).count();
    assert!(of_zero > CHECKS_PER_PEER_MAX, "only {of_zero} messages of one member");
    for received in burst {
        committee.inject(ValidatorIndex::new(3), Input::Message(received), Duration::ZERO);
    }
    committee.run(SECOND * 5);
    assert!(committee.faults.is_empty(), "honest members are blamed: {:?}", committee.faults);
    let behind = committee.chain(0).len() - committee.chain(3).len();
    assert!(behind <= 1, "{behind} blocks behind: {}", committee.summary());
}

#[test]
fn six_hundred_blocks_become_final_at_once() {
    let mut committee = Committee::new(&[1, 1, 1, 1]);
    committee.filter = Box::new(|_, _, message| !is_commit_vote(message));
    committee.run(SECOND * 300);
    let summary = committee.summary();
    assert!((0..4).all(|index| committee.chain(index).is_empty()), "no quorum: {summary}");
    committee.filter = Box::new(|_, _, _| true);
    committee.run(SECOND * 5);
    assert!(committee.agrees());
    for index in 0..4 {
        let blocks = committee.chain(index).len();
        assert!(blocks > 600, "{blocks} blocks: {}", committee.summary());
    }
}

/// Replica 0 and 1's timeout, both of the view that 0 has given up without a quorum.
fn replica_that_holds_a_timeout() -> (Replica, Timeout, Now) {
    let mut committee = Committee::new(&[1, 1, 1, 1]);
    let seen: Rc<RefCell<Option<Arc<Timeout>>>> = Rc::default();
    let tap = Rc::clone(&seen);
    committee.run(SECOND * 3);
    committee.kill(2);
    committee.kill(3);
    committee.filter = Box::new(move |from, _, message| {
        if let (1, Message::Timeout(timeout)) = (from.get(), message) {
            *tap.borrow_mut() = Some(Arc::clone(timeout));
        }
        true
    });
    committee.run(SECOND * 5);
    let timeout = seen.take().expect("1 gave up a view");
    let replica = committee.replicas[0].take().expect("it is up");
    assert_eq!(replica.status().view, timeout.view);
    (replica, (*timeout).clone(), committee.now())
}

/// How many checks a timeout of member 1 costs, and what it is reported for. Checks find no fault.
fn take(replica: &mut Replica, timeout: Timeout, now: Now) -> (usize, Vec<Fault>) {
    let from = ValidatorIndex::new(1);
    let received = Received { from, message: Message::Timeout(Arc::new(timeout)) };
    let (mut checks, mut faults) = (0, Vec::new());
    let mut inputs = vec![Input::Message(received)];
    while let Some(input) = inputs.pop() {
        for output in replica.step(now, input) {
            match output {
                Output::Verify(job) => {
                    checks += 1;
                    inputs.push(Input::Checked(job.id, Verdict::All { good: true }));
                }
                Output::Report(_, fault) => faults.push(fault),
                _ => {}
            }
        }
    }
    (checks, faults)
}

#[test]
fn a_member_cannot_have_the_same_timeout_checked_for_ever() {
    let (mut replica, first, now) = replica_that_holds_a_timeout();
    for signers in 0..200 {
        // Another quorum's aggregate of the same votes: as valid as the first.
        let mut again = first.clone();
        again.high_qc.signature = BlsSignature::from_bytes([signers; 96]);
        let (checks, faults) = take(&mut replica, again, now);
        assert_eq!(checks, 0, "a check for a timeout that is held already, at copy {signers}");
        assert_eq!(faults, [], "the same timeout twice is no fault, at copy {signers}");
    }
}

#[test]
fn a_second_timeout_in_a_view_is_reported_without_a_check() {
    let (mut replica, first, now) = replica_that_holds_a_timeout();
    assert!(first.tip.is_some(), "1 has prepared blocks");
    let second = Timeout { tip: None, ..first };
    assert_eq!(take(&mut replica, second, now), (0, vec![Fault::Equivocation]));
}

/// Takes the next proposal of `liar` off the links, and sends it with this ordered pair instead.
fn forge_next_proposal(
    committee: &mut Committee,
    liar: ValidatorIndex,
    (ordered_height, ordered_root): (Height, Digest),
) -> Digest {
    let seen: Rc<RefCell<Option<Proposal>>> = Rc::default();
    let tap = Rc::clone(&seen);
    committee.filter = Box::new(move |from, _, message| {
        let Message::Proposal(proposal) = message else { return true };
        if from == liar {
            *tap.borrow_mut() = Some((**proposal).clone());
        }
        from != liar
    });
    let proposed = committee.run_until(SECOND * 10, |_| seen.borrow().is_some());
    assert!(proposed, "the liar never proposes: {}", committee.summary());
    let mut proposal = seen.take().expect("seen just now");
    let mut block = (**proposal.block.as_ref().expect("a fresh block")).clone();
    (block.header.ordered_height, block.header.ordered_root) = (ordered_height, ordered_root);
    let hash = block.hash();
    proposal.block = Some(Arc::new(block));
    let last = committee.committed[0].last().expect("it committed");
    proposal.ordered_cert = Some((*last.cert).clone());
    let message = Message::Proposal(Arc::new(proposal));
    for index in committee.set.indices().filter(|index| *index != liar) {
        let received = Received { from: liar, message: message.clone() };
        committee.inject(index, Input::Message(received), Duration::ZERO);
    }
    committee.run(Duration::from_millis(100));
    hash
}

fn voters(committee: &Committee, hash: Digest) -> Vec<u16> {
    let prepared = |note: &Note| {
        let prepare = VoteKind::Prepare;
        matches!(note, Note::Voted { kind, block, .. } if *kind == prepare && *block == hash)
    };
    (0..4).filter(|index| count(committee, *index, prepared) > 0).collect()
}

#[test]
fn a_root_that_was_forgotten_is_not_vouched_for() {
    // 2 and 3 order nothing, so the chain's ordered height stays at 0, while 0 and 1 order so far
    // that they forget the first roots. Then 2, which is faulty, names a wrong one of those.
    let mut committee = Committee::new(&[1, 1, 1, 1]);
    let liar = ValidatorIndex::new(2);
    committee.orders[2] = false;
    committee.orders[3] = false;
    committee.run(SECOND * 60);
    while committee.status(0).ordered_height.get() <= ORDERED_ROOTS_KEPT as u64 + 16 {
        committee.run(SECOND * 60);
    }
    let first = committee.committed[0][0].block.header.height;
    let wrong = Digest::from_bytes([0xbd; 32]);
    let forged = forge_next_proposal(&mut committee, liar, (first, wrong));
    assert_eq!(voters(&committee, forged), [], "nobody computed that root");
    // The root is all that was wrong with it.
    let known = committee.status(0).ordered_height;
    let honest = forge_next_proposal(&mut committee, liar, (known, root_at(known)));
    assert_eq!(voters(&committee, honest), [0, 1], "those who ordered that far vouch for it");
}
