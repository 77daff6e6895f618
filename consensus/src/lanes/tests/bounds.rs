//! Rules L4 and L5: quota, window, queues, and what is refused at each.

use super::*;
use crate::note::{Fault, Note};
use crate::output::{Admission, Refusal};
use chorale_types::limits::{
    BATCH_BYTES_MAX, CHECKS_PER_PEER_MAX, LANE_BATCHES_MAX, LANE_CERTIFICATES_MAX,
    LANE_WAITING_BYTES_MAX, POOL_BYTES_PER_ROLLUP_MAX, POOL_TRANSACTIONS_PER_ROLLUP_MAX,
    TRANSACTION_BYTES_MAX,
};

/// A batch of three transactions with this many bytes each.
fn large(owner: &mut Owner, bytes: usize) -> Arc<Batch> {
    let payload = vec![1; bytes];
    let transactions = [payload.as_slice(); 3].into_iter().collect();
    owner.next_of(vec![BatchEntry { rollup: RollupId::new(1), transactions }])
}

fn acknowledged(outputs: &[Output]) -> Vec<LaneSeq> {
    let seq = |output: &Output| match output {
        Output::Persist(_, Record::Batch { batch, acknowledge: true }) => Some(batch.header.seq),
        _ => None,
    };
    outputs.iter().filter_map(seq).collect()
}

#[test]
fn over_the_quota_nothing_is_acknowledged_until_more_is_ordered() {
    let quota = BATCH_BYTES_MAX as u64;
    let params = Params { lane_quota_bytes: quota, ..Params::default() };
    let config = config_with(&EQUAL, 1, params);
    let (mut node, mut owner) = (Node::new(&config), Owner::new(&config, 0));
    let (one, two) = (large(&mut owner, 100 * 1024), large(&mut owner, 100 * 1024));
    assert_eq!(acknowledged(&node.take(&one, 1)), [seq(1)]);
    assert_eq!(node.take(&two, 2), [], "300 KiB twice are over 512 KiB");
    assert_eq!(acknowledged(&node.commit(vec![tip(&one)])), [seq(2)], "now it fits");
}

#[test]
fn an_owner_that_rushes_is_acknowledged_at_twice_the_pace() {
    let config = config(&EQUAL, 1);
    let (mut node, mut owner) = (Node::new(&config), Owner::new(&config, 0));
    let mut job = 0;
    let mut take = |node: &mut Node, batch: &Arc<Batch>| {
        job += 1;
        assert_eq!(node.batch(batch).len(), 1);
        acknowledged(&node.verdict(job, true)).len()
    };
    let window: Vec<_> = (0..LANE_BATCHES_MAX).map(|_| owner.next(b"x")).collect();
    assert!(window.iter().all(|batch| take(&mut node, batch) == 1), "a whole window at once");
    node.commit(vec![tip(window.last().expect("some"))]);
    let more: Vec<_> = (0..150).map(|_| owner.next(b"x")).collect();
    assert!(more.iter().all(|batch| take(&mut node, batch) == 0), "then no more");
    let full = large(&mut owner, 100 * 1024);
    assert_eq!(take(&mut node, &full), 0, "not before what it stands on");
    for (count, why) in [(100, "two for each 20 ms"), (51, "the rest, and the full one")] {
        node.pass(1_000);
        let renewed = node.step(|lanes, ctx| lanes.on_lanes_timer(ctx));
        assert_eq!(acknowledged(&renewed).len(), count, "{why}");
    }
    let full: Vec<_> = (0..5).map(|_| large(&mut owner, 100 * 1024)).collect();
    assert!(full.iter().all(|batch| take(&mut node, batch) == 1), "the quota alone bounds these");
}

#[test]
fn exactly_the_quota_is_allowed() {
    let quota = (charged_bytes(1, 5) + charged_bytes(1, 4)) as u64;
    let params = Params { lane_quota_bytes: quota, ..Params::default() };
    let config = config_with(&EQUAL, 1, params);
    let (mut node, mut owner) = (Node::new(&config), Owner::new(&config, 0));
    assert_eq!(acknowledged(&node.take(&owner.next(b"12345"), 1)), [seq(1)]);
    assert_eq!(acknowledged(&node.take(&owner.next(b"6789"), 2)), [seq(2)]);
    assert_eq!(acknowledged(&node.take(&owner.next(b"0"), 3)), []);
}

#[test]
fn a_batch_beyond_the_window_is_dropped_and_asked_for_when_more_is_ordered() {
    let config = config(&EQUAL, 1);
    let (mut node, mut owner) = (Node::new(&config), Owner::new(&config, 0));
    let first = owner.next(b"1");
    let all: Vec<_> = (0..=LANE_BATCHES_MAX).map(|_| owner.next(b"x")).collect();
    let far = all.last().expect("some");
    assert_eq!(far.header.seq, seq(LANE_BATCHES_MAX + 2));
    let from = index(0);
    assert_eq!(
        node.batch(far),
        [Output::Note(Note::Dropped { what: "batch beyond the window", from })]
    );
    node.take(&first, 1);
    let told = node.commit(vec![tip(&first)]);
    assert!(matches!(told.as_slice(), [Output::Send(..)]), "the owner hears where to go on");
    assert_eq!(node.batch(far).len(), 1, "in the window now");
}

#[test]
fn batches_out_of_order_are_kept_within_bounds_and_the_highest_goes_first() {
    let config = config(&EQUAL, 1);
    let (mut node, mut owner) = (Node::new(&config), Owner::new(&config, 0));
    let first = owner.next(b"1");
    let size = 120 * 1024;
    let fit = LANE_WAITING_BYTES_MAX / (3 * size);
    let rest: Vec<_> = (0..=fit).map(|_| large(&mut owner, size)).collect();
    for batch in &rest[1..] {
        node.batch(batch);
    }
    let before: usize = node.lanes.sizes().iter().find(|s| s.0 == "waiting batches").expect("").1;
    assert_eq!(before, fit);
    // A lower one takes the place of the highest; one above all is dropped.
    assert_eq!(node.batch(&rest[0]).len(), 1);
    let dropped = Output::Note(Note::Dropped { what: "batch out of order", from: index(0) });
    assert_eq!(node.batch(&rest[fit]), [dropped], "the owner was told a moment ago");
    let job = fit as u64 + 2;
    assert_eq!(acknowledged(&node.take(&first, job)), [seq(1)]);
}

#[test]
fn checks_for_one_peer_are_bounded() {
    let config = config(&EQUAL, 1);
    let (mut node, mut owner) = (Node::new(&config), Owner::new(&config, 0));
    for _ in 0..CHECKS_PER_PEER_MAX {
        assert!(matches!(node.batch(&owner.next(b"1"))[0], Output::Verify(_)));
    }
    let dropped = Output::Note(Note::Dropped { what: "lane message", from: index(0) });
    assert_eq!(node.batch(&owner.next(b"1")), [dropped]);
    assert!(matches!(node.batch(&Owner::new(&config, 2).next(b"1"))[0], Output::Verify(_)));
}

#[test]
fn only_the_highest_certificates_are_kept() {
    let config = config(&EQUAL, 1);
    let (mut node, mut owner) = (Node::new(&config), Owner::new(&config, 0));
    let all: Vec<_> = (0..LANE_CERTIFICATES_MAX + 1).map(|_| owner.next(b"1")).collect();
    for (at, batch) in all.iter().enumerate() {
        node.certify(0, &certificate(&config, batch, &[0, 2, 3]));
        node.verdict(at as u64 + 1, true);
    }
    assert!(!node.lanes.has_certificate(&tip(&all[0])), "the lowest is gone");
    assert!(all[1..].iter().all(|batch| node.lanes.has_certificate(&tip(batch))));
}

#[test]
fn every_transaction_gets_its_typed_answer() {
    let config = config(&EQUAL, 0);
    let mut node = Node::new(&config);
    let too_large = vec![0; TRANSACTION_BYTES_MAX + 1];
    let refused = Admission::Refused;
    let (bytes, max) = (TRANSACTION_BYTES_MAX + 1, TRANSACTION_BYTES_MAX);
    let answers = node.submit(
        4,
        vec![
            transaction(1, b"a"),
            transaction(1, b"a"),
            transaction(2, b"a"),
            transaction(9, b"a"),
            transaction(1, b""),
            transaction(1, &too_large),
        ],
    );
    let expected = vec![
        Admission::Accepted,
        Admission::AlreadyKnown,
        Admission::Accepted,
        refused(Refusal::UnknownRollup { rollup: RollupId::new(9) }),
        refused(Refusal::Empty),
        refused(Refusal::TooLarge { bytes, max }),
    ];
    assert_eq!(answers[0], Output::Admitted(Ticket(4), expected));
    let follower = Config { lanes: false, ..config };
    let answers = Node::new(&follower).submit(1, vec![transaction(1, b"a")]);
    assert_eq!(answers, [Output::Admitted(Ticket(1), vec![refused(Refusal::NoLane)])]);
}

/// A member whose quota is used up, so that everything submitted waits.
fn blocked() -> Node {
    let quota = charged_bytes(1, 1) as u64;
    let params = Params { lane_quota_bytes: quota, ..Params::default() };
    let mut node = Node::new(&config_with(&EQUAL, 0, params));
    node.submit(0, vec![transaction(1, b"x")]);
    node.pass(1_000);
    assert_eq!(node.step(|lanes, ctx| lanes.on_cut_timer(ctx)).len(), 2, "cut: the quota is used");
    node
}

fn admissions(outputs: &[Output]) -> &[Admission] {
    match &outputs[0] {
        Output::Admitted(_, admissions) => admissions,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_full_queue_refuses_its_rollup_and_no_other() {
    let full = Admission::Refused(Refusal::QueueFull { rollup: RollupId::new(1) });
    let mut node = blocked();
    let numbered = |at: usize| transaction(1, &at.to_be_bytes());
    let answers = node.submit(1, (0..=POOL_TRANSACTIONS_PER_ROLLUP_MAX).map(numbered).collect());
    let answers = admissions(&answers);
    let count = POOL_TRANSACTIONS_PER_ROLLUP_MAX;
    assert!(answers[..count].iter().all(|admission| *admission == Admission::Accepted));
    assert_eq!(answers[count], full);
    assert_eq!(admissions(&node.submit(2, vec![transaction(2, b"2")])), [Admission::Accepted]);

    let mut node = blocked();
    let large = |at: usize| {
        let mut payload = vec![0; TRANSACTION_BYTES_MAX];
        payload[..8].copy_from_slice(&at.to_be_bytes());
        transaction(1, &payload)
    };
    let fit = POOL_BYTES_PER_ROLLUP_MAX / TRANSACTION_BYTES_MAX;
    let answers = node.submit(1, (0..=fit).map(large).collect());
    assert_eq!(admissions(&answers)[fit - 1], Admission::Accepted);
    assert_eq!(admissions(&answers)[fit], full);
}

#[test]
fn many_rollups_share_the_pool() {
    let rollups: Vec<_> = (1..=1_024).map(RollupId::new).collect();
    let params = Params { lane_quota_bytes: 0, ..Params::default() };
    let config = Config { rollups, ..config_with(&EQUAL, 0, params) };
    let mut node = Node::new(&config);
    let numbered = |at: usize| transaction(1, &at.to_be_bytes());
    let answers = node.submit(1, (0..400).map(numbered).collect());
    let taken = admissions(&answers).iter().filter(|a| **a == Admission::Accepted).count();
    assert_eq!(taken, 312, "an equal part of 320,000");
}

#[test]
fn a_message_that_no_member_sends_is_blamed_on_its_sender() {
    let config = config(&EQUAL, 1);
    let mut node = Node::new(&config);
    let lane = LaneId { epoch: Epoch::new(1), owner: index(2) };
    let status =
        chorale_types::message::LaneStatus { lane, acknowledged: seq(0), digest: Digest::ZERO };
    let outputs = node.step(|lanes, ctx| lanes.on_lane_status(index(3), status, ctx));
    assert_eq!(outputs, [Output::Report(index(3), Fault::WrongContext)]);
}
