//! R7: what is final is contradicted, which takes more faulty stake than the rules can bear.

use super::{Arc, Committee, Duration, Message, Note, SECOND, ValidatorIndex, count};
use crate::input::Input;
use chorale_types::certificate::{CommitCert, QuorumCert};
use chorale_types::crypto::bls::BlsSignature;
use chorale_types::crypto::hash::Digest;
use chorale_types::ids::{Height, View};
use chorale_types::message::Received;
use chorale_types::vote::{Vote, VoteKind};
use std::cell::Cell;
use std::rc::Rc;

const SHOWN: ValidatorIndex = ValidatorIndex::new(0);

fn broken(note: &Note) -> bool {
    matches!(note, Note::AgreementBroken { .. })
}

/// A certificate of another block than is final at the height of replica 0's head.
fn other_final(committee: &Committee) -> CommitCert {
    let status = committee.status(0);
    let mut signers = committee.set.no_signers();
    for index in committee.set.indices() {
        signers.insert(index);
    }
    let (epoch, block) = (committee.set.epoch(), Digest::from_bytes([0xbb; 32]));
    let vote = Vote { epoch, view: View::new(status.view.get() + 1), height: status.height, block };
    let signature = BlsSignature::from_bytes([2; 96]);
    let cert = QuorumCert { kind: VoteKind::Commit, vote, signers, signature };
    CommitCert::new(cert).expect("of commit votes")
}

/// Four members after three seconds; then replica 0 alone is shown another final block.
fn contradicted() -> (Committee, Height) {
    let mut committee = Committee::new(&[1, 1, 1, 1]);
    committee.run(SECOND * 3);
    let cert = other_final(&committee);
    let height = cert.vote().height;
    assert!(height > Height::ZERO, "nothing is final yet");
    let message = Message::Commit(Arc::new(cert));
    let received = Received { from: ValidatorIndex::new(1), message };
    committee.filter = Box::new(|from, _, _| from != SHOWN);
    for _ in 0..2 {
        committee.inject(SHOWN, Input::Message(received.clone()), Duration::ZERO);
    }
    committee.run(Duration::from_millis(1));
    (committee, height)
}

/// Counts what replica 0 signs from here on.
fn watch_statements(committee: &mut Committee) -> Rc<Cell<usize>> {
    let signed = Rc::new(Cell::new(0));
    let tap = Rc::clone(&signed);
    committee.filter = Box::new(move |from, _, message| {
        let passed_on =
            matches!(message, Message::Entry(_) | Message::Commit(_) | Message::Availability(_));
        if from == SHOWN && !passed_on {
            tap.set(tap.get() + 1);
        }
        from != SHOWN
    });
    signed
}

#[test]
fn a_contradicted_replica_says_so_once_and_signs_nothing_more() {
    let (mut committee, height) = contradicted();
    let status = committee.status(0);
    assert_eq!((status.voting, status.contradicted), (false, Some(height)));
    let signed = watch_statements(&mut committee);
    committee.submit(0, 1, b"too late");
    committee.submit(1, 1, b"of another");
    committee.run(SECOND * 30);
    assert_eq!((signed.get(), count(&committee, 0, broken)), (0, 1));
    assert!(committee.chain(1).len() > 10, "the others are a quorum: {}", committee.summary());
}

#[test]
fn a_restart_does_not_make_a_contradicted_replica_sign_again() {
    let (mut committee, height) = contradicted();
    let signed = watch_statements(&mut committee);
    for _ in 0..3 {
        committee.restart(0);
        committee.submit(0, 1, b"too late");
        let status = committee.status(0);
        assert_eq!((status.voting, status.contradicted), (false, Some(height)));
        committee.run(SECOND * 10);
    }
    assert_eq!(signed.get(), 0);
    assert!(committee.stores[0].is_empty(), "an own batch was made");
    assert!(committee.chain(0).len() > 10, "it follows: {}", committee.summary());
    assert!(committee.agrees());
}
