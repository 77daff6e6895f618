//! The tracker finds each kind of mistake when it is planted, and none where there is none.

use chorale_testnet::load::account::Signed;
use chorale_testnet::track::{Outcome, Request, Seen, Tracker};
use chorale_types::ids::RollupId;
use chorale_types::transaction::{TransactionId, transaction_id};

const LANES: usize = 2;
const FOLLOWERS: usize = 2;

fn transaction(n: u8) -> Signed {
    let bytes = vec![n; 10];
    let id = transaction_id(RollupId::new(1), &bytes);
    Signed { bytes, id }
}

fn frame(at: u64, sequence: u64, ids: &[TransactionId]) -> Seen {
    let digest = ids.iter().fold([0_u8; 32], |mut sum, id| {
        sum.iter_mut().zip(id.as_bytes()).for_each(|(a, b)| *a = a.rotate_left(1) ^ b);
        sum
    });
    Seen { at, sequence, height: sequence, time: 0, digest, ids: ids.to_vec() }
}

/// Sends one transaction in a request of its own and has it answered `available`.
fn submit(tracker: &mut Tracker, number: u64, signed: &Signed, invoked: u64, answered: u64) {
    let request = Request { number, lane: 0, at: invoked };
    tracker.on_invoke(request, std::slice::from_ref(signed));
    tracker.on_outcome(&signed.id, answered, &Outcome::Submitted);
}

fn show_all(tracker: &mut Tracker, frames: &[Seen]) {
    for follower in 0..FOLLOWERS {
        frames.iter().for_each(|frame| tracker.on_frame(0, follower, frame));
    }
}

fn run(order: [u8; 3]) -> Tracker {
    let mut tracker = Tracker::new(LANES, 1, FOLLOWERS);
    for n in [1, 2, 3] {
        let at = u64::from(n) * 100;
        submit(&mut tracker, u64::from(n), &transaction(n), at, at + 10);
    }
    let ids: Vec<TransactionId> = order.iter().map(|n| transaction(*n).id).collect();
    show_all(&mut tracker, &[frame(900, 1, &ids[..1]), frame(950, 2, &ids[1..])]);
    tracker
}

#[test]
fn a_perfect_run_has_no_fault() {
    let tracker = run([1, 2, 3]);
    let counts = tracker.counts();
    assert_eq!((counts.offered, counts.submitted, counts.finalized), (3, 3, 3));
    let faults = [counts.duplicated, counts.reordered, counts.gaps, counts.mismatched];
    assert_eq!((faults, counts.foreign, tracker.outstanding()), ([0; 4], 0, 0));
    assert_eq!((counts.final_bytes, tracker.uncompared()), (30, 0));
}

#[test]
fn a_submitted_transaction_that_never_comes_is_lost() {
    let mut tracker = run([1, 2, 3]);
    submit(&mut tracker, 9, &transaction(9), 400, 410);
    assert_eq!(tracker.outstanding(), 1);
    tracker.on_frame(0, 0, &frame(990, 3, &[transaction(9).id]));
    assert_eq!(tracker.outstanding(), 1, "one follower has not read it");
    tracker.on_frame(0, 1, &frame(990, 3, &[transaction(9).id]));
    assert_eq!(tracker.outstanding(), 0);
}

#[test]
fn a_second_delivery_is_a_duplicate_for_each_reader() {
    let mut tracker = run([1, 2, 3]);
    show_all(&mut tracker, &[frame(990, 3, &[transaction(2).id])]);
    assert_eq!(tracker.counts().duplicated, 2);
}

#[test]
fn a_swap_of_two_that_followed_each_other_is_caught() {
    assert_eq!(run([2, 1, 3]).counts().reordered, 1);
    assert_eq!(run([3, 1, 2]).counts().reordered, 2);
}

#[test]
fn one_that_was_sent_to_a_second_node_may_move() {
    let mut tracker = Tracker::new(LANES, 1, FOLLOWERS);
    let (first, second) = (transaction(1), transaction(2));
    tracker.on_invoke(Request { number: 1, lane: 0, at: 100 }, std::slice::from_ref(&first));
    tracker.on_retry(&first.id);
    tracker.on_outcome(&first.id, 110, &Outcome::Submitted);
    submit(&mut tracker, 2, &second, 200, 210);
    show_all(&mut tracker, &[frame(900, 1, &[second.id, first.id])]);
    assert_eq!((tracker.counts().reordered, tracker.counts().retried), (0, 1));
}

#[test]
fn other_bytes_for_another_reader_are_caught() {
    let mut tracker = run([1, 2, 3]);
    tracker.on_frame(0, 0, &frame(990, 3, &[]));
    tracker.on_frame(0, 1, &frame(990, 3, &[transaction(7).id]));
    assert_eq!((tracker.counts().mismatched, tracker.counts().foreign), (1, 1));
}

#[test]
fn a_skipped_sequence_number_is_caught() {
    let mut tracker = run([1, 2, 3]);
    tracker.on_frame(0, 0, &frame(990, 4, &[]));
    assert_eq!(tracker.counts().gaps, 1);
}

#[test]
fn unknown_ones_may_be_final_or_not() {
    let mut tracker = run([1, 2, 3]);
    for (n, number) in [(7, 7), (8, 8)] {
        let request = Request { number, lane: 1, at: 300 };
        tracker.on_invoke(request, &[transaction(n)]);
        tracker.on_outcome(&transaction(n).id, 400, &Outcome::Unknown);
    }
    show_all(&mut tracker, &[frame(990, 3, &[transaction(8).id])]);
    let counts = tracker.counts();
    assert_eq!((counts.unknown, counts.unknown_final, tracker.outstanding()), (2, 1, 0));
    assert_eq!(counts.offered, counts.submitted + counts.refused + counts.unknown);
}

#[test]
fn refusals_are_counted_by_reason_and_owe_nothing() {
    let mut tracker = run([1, 2, 3]);
    tracker.on_invoke(Request { number: 9, lane: 1, at: 300 }, &[transaction(9)]);
    tracker.on_outcome(&transaction(9).id, 301, &Outcome::Refused("queue_full".to_owned()));
    tracker.on_held_back(5, "client_requests_in_flight");
    let counts = tracker.counts();
    assert_eq!((counts.offered, counts.refused, counts.refused_by["queue_full"]), (9, 6, 1));
    assert_eq!((tracker.outstanding(), counts.submitted), (0, 3));
}

#[test]
fn a_frame_that_is_read_before_its_answer_still_counts_once() {
    let mut tracker = Tracker::new(LANES, 1, FOLLOWERS);
    let signed = transaction(1);
    tracker.on_invoke(Request { number: 1, lane: 0, at: 100 }, std::slice::from_ref(&signed));
    show_all(&mut tracker, &[frame(150, 1, &[signed.id])]);
    assert_eq!(tracker.counts().finalized, 0);
    tracker.on_outcome(&signed.id, 160, &Outcome::Submitted);
    assert_eq!((tracker.counts().finalized, tracker.counts().reordered), (1, 0));
}
