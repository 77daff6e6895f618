//! Rule L2 at one member: what it acknowledges, in which order, and once.

use super::*;
use crate::input::{AskId, Timer};
use crate::job::{Check, Job, Work};
use crate::note::{Fault, Note};
use crate::output::{Recipients, Statement};
use chorale_types::limits::LANE_REPEATS_MAX;
use chorale_types::message::{LaneStatus, Message, Response};

fn checks(job: u64, batch: &Batch) -> Output {
    let work = Work::All(vec![Check::Header(signed(batch))]);
    Output::Verify(Job { id: JobId(job), work })
}

fn acknowledges(record: u64, batch: &Arc<Batch>) -> [Output; 2] {
    let owner = Recipients::One(batch.header.lane.owner);
    [
        Output::Persist(RecordId(record), stores(batch, true)),
        Output::Send(owner, Statement::Acknowledge(ack(batch)), Some(RecordId(record))),
    ]
}

fn status(lane: LaneId, acknowledged: u64, digest: Digest) -> Output {
    let status = LaneStatus { lane, acknowledged: seq(acknowledged), digest };
    let message = Statement::Message(Message::LaneStatus(status));
    Output::Send(Recipients::One(lane.owner), message, None)
}

#[test]
fn acknowledges_only_on_an_acknowledged_predecessor() {
    let config = config(&EQUAL, 1);
    let (mut node, mut owner) = (Node::new(&config), Owner::new(&config, 0));
    let (one, two, three) = (owner.next(b"1"), owner.next(b"2"), owner.next(b"3"));
    let lane = owner.last.lane;

    assert_eq!(node.batch(&two), [checks(1, &two), status(lane, 0, Digest::ZERO)]);
    assert_eq!(node.verdict(1, true), []);
    assert_eq!(node.batch(&three), [checks(2, &three)], "its gap is known already");
    assert_eq!(node.batch(&one), [checks(3, &one)]);
    let [store_one, send_one] = acknowledges(1, &one);
    let [store_two, send_two] = acknowledges(2, &two);
    assert_eq!(node.verdict(3, true), [store_one, send_one, store_two, send_two]);
    assert_eq!(node.verdict(2, true), acknowledges(3, &three), "checks end in any order");
}

#[test]
fn acknowledges_above_a_certificate_and_above_the_ordered_tip() {
    let config = config(&EQUAL, 1);
    let mut owner = Owner::new(&config, 0);
    let (one, two, three) = (owner.next(b"1"), owner.next(b"2"), owner.next(b"3"));

    let mut node = Node::new(&config);
    node.certify(0, &certificate(&config, &one, &[0, 2, 3]));
    assert_eq!(node.verdict(1, true), []);
    assert_eq!(node.take(&two, 2), acknowledges(1, &two), "on a certified one");

    let mut node = Node::new(&config);
    let asked = node.commit(vec![tip(&two)]);
    assert_eq!(asked.len(), 1, "what it misses below is asked for");
    assert_eq!(node.take(&three, 1), acknowledges(1, &three), "on the ordered tip");
}

#[test]
fn refuses_a_second_digest_at_one_place() {
    let config = config(&EQUAL, 1);
    let (mut node, mut owner) = (Node::new(&config), Owner::new(&config, 0));
    let mut twin = owner.clone();
    let (one, other, third) = (owner.next(b"1"), twin.next(b"other"), owner.clone().next(b"x"));
    let lane = owner.last.lane;
    assert_eq!(node.take(&one, 1), acknowledges(1, &one));

    assert_eq!(node.batch(&other), [checks(2, &other)]);
    assert_eq!(node.batch(&other), [], "under way");
    let equivocates = [
        Output::Note(Note::LaneEquivocation { lane, seq: seq(1) }),
        Output::Report(index(0), Fault::Equivocation),
    ];
    assert_eq!(node.verdict(2, true), equivocates);
    assert_eq!(node.batch(&other), [], "said once");
    // What stands on the other one never is acknowledged.
    let above = twin.next(b"above");
    assert_eq!(node.take(&above, 3), []);
    // What stands on the first one is, unless the place is taken.
    assert_eq!(node.batch(&third).len(), 1);
}

#[test]
fn a_forged_second_batch_blames_its_sender_alone() {
    let config = config(&EQUAL, 1);
    let (mut node, mut owner) = (Node::new(&config), Owner::new(&config, 0));
    let mut twin = owner.clone();
    let one = owner.next(b"1");
    node.take(&one, 1);
    let mut forged = (*twin.next(b"other")).clone();
    forged.owner_signature = garbage();
    let forged = Arc::new(forged);
    assert_eq!(node.batch(&forged), [checks(2, &forged)]);
    assert_eq!(node.verdict(2, false), [Output::Report(index(0), Fault::BadSignature)]);
}

#[test]
fn two_unchecked_batches_for_one_place_are_checked_together() {
    let config = config(&EQUAL, 1);
    let (mut node, mut owner) = (Node::new(&config), Owner::new(&config, 0));
    let mut twin = owner.clone();
    let (one, other) = (owner.next(b"1"), twin.next(b"other"));
    assert_eq!(node.batch(&one), [checks(1, &one)]);
    let both = Work::All(vec![Check::Header(signed(&one)), Check::Header(signed(&other))]);
    assert_eq!(node.batch(&other), [Output::Verify(Job { id: JobId(2), work: both })]);
    assert_eq!(node.verdict(2, true).len(), 2, "noted and reported");
    assert_eq!(node.verdict(1, true), acknowledges(1, &one), "the first one in stays");
}

#[test]
fn a_batch_that_comes_again_is_acknowledged_again_within_bounds() {
    let config = config(&EQUAL, 1);
    let (mut node, mut owner) = (Node::new(&config), Owner::new(&config, 0));
    let one = owner.next(b"1");
    node.take(&one, 1);
    assert_eq!(node.batch(&one), [], "not durable yet, so it is on its way");
    node.durable(1);
    let again = Statement::Acknowledge(ack(&one));
    let again = Output::Send(Recipients::One(index(0)), again, None);
    for _ in 0..LANE_REPEATS_MAX {
        assert_eq!(node.batch(&one), std::slice::from_ref(&again));
    }
    assert_eq!(node.batch(&one), [], "enough for this second");
    node.pass(1_000);
    let told = node.step(|lanes, ctx| lanes.on_lanes_timer(ctx));
    assert!(told.contains(&Output::Arm(Timer::Lanes, Instant::from_micros(3_000_000))));
    assert!(told.contains(&status(owner.last.lane, 1, one.header.digest())));
    assert!(told.contains(&again), "no certificate came: the first may be lost");
    assert_eq!(node.batch(&one), [again]);
}

#[test]
fn refuses_batches_of_other_lanes_forms_and_rollups() {
    let config = config(&EQUAL, 1);
    let (mut node, mut owner) = (Node::new(&config), Owner::new(&config, 0));
    let one = owner.next(b"1");
    let report = |fault| [Output::Report(index(0), fault)];
    let passed_on = node.step(|lanes, ctx| lanes.on_batch(index(2), Arc::clone(&one), ctx));
    assert_eq!(passed_on, [Output::Report(index(2), Fault::WrongContext)]);

    let mut empty = (*one).clone();
    empty.entries.clear();
    assert_eq!(node.batch(&Arc::new(empty)), report(Fault::Malformed));
    let mut unknown = Owner::new(&config, 0);
    let transactions = [b"1".as_slice()].into_iter().collect();
    let unknown = unknown.next_of(vec![BatchEntry { rollup: RollupId::new(9), transactions }]);
    assert_eq!(node.batch(&unknown), report(Fault::Malformed));

    let mut late = (*one).clone();
    late.header.lane.epoch = Epoch::new(2);
    assert_eq!(node.batch(&Arc::new(late)), report(Fault::WrongContext));
}

#[test]
fn lane_bytes_must_add_up() {
    let config = config(&EQUAL, 1);
    let (mut node, mut owner) = (Node::new(&config), Owner::new(&config, 0));
    owner.last.bytes_through = 5;
    let inflated = owner.next(b"1");
    assert_eq!(node.take(&inflated, 1), [Output::Report(index(0), Fault::Malformed)]);
    let honest = Owner::new(&config, 0).next(b"1");
    assert_eq!(node.take(&honest, 2), acknowledges(1, &honest), "it was not acknowledged");
}

#[test]
fn a_batch_that_counts_its_bytes_and_not_its_charge_is_refused() {
    let config = config(&EQUAL, 1);
    let mut node = Node::new(&config);
    let honest = Owner::new(&config, 0).next(b"1");
    assert_eq!(honest.header.bytes_through, 1_024 + 192 + 1);
    for (job, bytes_through) in (1..).zip([1, 192 + 1, 1_024 + 1, 1_024 + 192]) {
        let mut cheap = (*honest).clone();
        cheap.header.bytes_through = bytes_through;
        cheap.owner_signature = sign(index(0), &ack(&cheap));
        let refused = node.take(&Arc::new(cheap), job);
        assert_eq!(refused, [Output::Report(index(0), Fault::Malformed)], "{bytes_through}");
    }
    assert_eq!(node.take(&honest, 5), acknowledges(1, &honest));
}

#[test]
fn a_bad_owner_signature_is_reported_and_forgotten() {
    let config = config(&EQUAL, 1);
    let (mut node, mut owner) = (Node::new(&config), Owner::new(&config, 0));
    let one = owner.next(b"1");
    assert_eq!(node.batch(&one), [checks(1, &one)]);
    assert_eq!(node.verdict(1, false), [Output::Report(index(0), Fault::BadSignature)]);
    assert_eq!(node.take(&one, 2), acknowledges(1, &one));
}

#[test]
fn a_node_without_its_batch_store_acknowledges_nothing() {
    let config = Config { lanes: false, ..config(&EQUAL, 1) };
    let mut node = Node::new(&config);
    assert_eq!(node.batch(&Owner::new(&config, 0).next(b"1")), []);
}

#[test]
fn an_acknowledgement_is_not_repeated_before_its_own_record_is_durable() {
    // Over the quota, so stored first because it is certified, and acknowledged later.
    let params = Params { lane_quota_bytes: 2_000, ..Params::default() };
    let config = config_with(&EQUAL, 1, params);
    let (mut node, mut owner) = (Node::new(&config), Owner::new(&config, 0));
    let (one, two) = (owner.next(b"12345"), owner.next(b"67890"));
    node.take(&one, 1);
    node.durable(1);
    node.certify(2, &certificate(&config, &two, &[0, 2, 3]));
    node.verdict(2, true);
    let named = Body::new(vec![tip(&two)]);
    let asked = node.step(|lanes, ctx| lanes.on_proposed(&named, ctx));
    assert!(matches!(asked[..], [Output::Ask(..)]), "{asked:?}");
    assert_eq!(node.batch(&two), [checks(3, &two)], "meanwhile its owner sends it");
    let body = Response::Batches { batches: vec![Arc::clone(&two)] };
    let came = node.step(|lanes, ctx| {
        assert!(lanes.on_response(index(2), AskId(1), Some(&body), ctx));
    });
    let whole = Work::All(vec![Check::Batch(Arc::clone(&two))]);
    assert_eq!(came, [Output::Verify(Job { id: JobId(4), work: whole })]);
    assert_eq!(node.verdict(4, true), [Output::Persist(RecordId(2), stores(&two, false))]);
    assert_eq!(node.verdict(3, true), [], "over the quota");
    assert_eq!(node.commit(vec![tip(&one)]), acknowledges(3, &two));
    node.durable(2);
    assert_eq!(node.batch(&two), [], "its acknowledgement is not durable yet");
    node.durable(3);
    let again = Statement::Acknowledge(ack(&two));
    assert_eq!(node.batch(&two), [Output::Send(Recipients::One(index(0)), again, None)]);
}
