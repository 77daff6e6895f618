//! A replica whose own key signs elsewhere gives its lane up and goes on as a voter.

use super::*;
use crate::input::Timer;
use crate::lanes::LaneLost;
use crate::note::{Fault, Note};
use crate::output::{Admission, Refusal};
use chorale_types::message::{Message, RescueMessage};

fn lost(at: u64) -> Option<LaneLost> {
    Some(LaneLost::NotMadeHere { seq: seq(at) })
}

fn frontier_at(batch: &Batch) -> Frontier {
    let body = Body::new(vec![tip(batch)]);
    Frontier::default().advance(&body, BLOCK_BYTES_MAX).expect("rising")
}

/// Two lives of one key: what the second one made stands in for the other place.
fn twins(config: &Config) -> [Arc<Batch>; 4] {
    let mut owner = Owner::new(config, 0);
    let mut twin = owner.clone();
    [owner.next(b"1"), owner.next(b"2"), twin.next(b"one"), twin.next(b"two")]
}

fn assert_gave_up(node: &mut Node, at: u64) {
    assert_eq!(node.lanes.lost(), lost(at));
    let refused = vec![Admission::Refused(Refusal::NoLane)];
    let answer = node.submit(7, vec![transaction(1, b"more")]);
    assert_eq!(answer, [Output::Admitted(Ticket(7), refused)]);
    let other = Owner::new(&config(&EQUAL, 0), 2).next(b"x");
    assert_eq!(node.batch(&other), [], "it acknowledges nothing more");
    node.pass(60_000);
    let timer = node.step(|lanes, ctx| lanes.on_lanes_timer(ctx));
    let quiet = |output: &Output| matches!(output, Output::Arm(Timer::Lanes, _) | Output::Ask(..));
    assert!(timer.iter().all(quiet), "{timer:?}");
    assert_eq!(node.step(|lanes, ctx| lanes.on_cut_timer(ctx)), []);
}

/// A member with one own batch on its way, and the record that makes it.
fn owning(config: &Config) -> (Node, BatchHeader) {
    let mut node = Node::new(config);
    node.submit(1, vec![transaction(1, b"1")]);
    node.pass(1_000);
    let out = node.step(|lanes, ctx| lanes.on_cut_timer(ctx));
    let Some(Output::Persist(_, Record::OwnBatch { header, .. })) = out.last() else {
        panic!("{out:?}")
    };
    (node, *header)
}

#[test]
fn two_own_batches_at_one_place_in_the_store_take_the_lane() {
    let config = config(&EQUAL, 0);
    let [one, _, other, _] = twins(&config);
    let both = vec![stored(&one, true), stored(&other, true)];
    let (mut node, out) = Node::recover(&config, both, Some(other.header), Frontier::default());
    let why = LaneLost::TwoAcknowledged { lane: one.header.lane, seq: seq(1) };
    assert_eq!(out[0], Output::Note(Note::LaneLost(why)));
    assert_eq!(node.lanes.lost(), Some(why));
    let refused = vec![Admission::Refused(Refusal::NoLane)];
    let answer = node.submit(7, vec![transaction(1, b"more")]);
    assert_eq!(answer, [Output::Admitted(Ticket(7), refused)]);
    assert_eq!(node.commit(vec![tip(&other)]), [], "what is final is followed as by anybody");
}

#[test]
fn an_own_lane_ordered_on_what_was_not_made_here_is_not_gone_on_with() {
    let config = config(&EQUAL, 0);
    let [one, two, other, above] = twins(&config);
    let cases = [
        (vec![], None, &one, 1),
        (vec![], Some(one.header), &two, 2),
        (vec![], Some(one.header), &other, 1),
        (vec![stored(&above, true)], Some(above.header), &one, 1),
    ];
    for (batches, own, ordered, at) in cases {
        let (mut node, _) = Node::recover(&config, batches, own, frontier_at(ordered));
        assert_gave_up(&mut node, at);
    }
}

#[test]
fn a_certificate_of_an_own_batch_not_made_here_takes_the_lane() {
    let config = config(&EQUAL, 0);
    let [one, _, other, above] = twins(&config);
    for (foreign, at) in [(&other, 1), (&above, 2)] {
        let (mut node, header) = owning(&config);
        assert_eq!(header, one.header);
        node.certify(2, &certificate(&config, foreign, &[0, 2, 3]));
        let out = node.verdict(1, true);
        assert_eq!(out, [Output::Note(Note::LaneLost(LaneLost::NotMadeHere { seq: seq(at) }))]);
        // The own one becomes durable after all, and goes nowhere.
        let own = Message::Batch(Arc::clone(&one));
        assert_eq!(node.step(|lanes, ctx| lanes.on_own(own, ctx)), []);
        assert!(node.lanes.has_certificate(&tip(foreign)), "it may be proposed and voted for");
        assert_gave_up(&mut node, at);
    }
}

#[test]
fn an_ordered_own_batch_not_made_here_takes_the_lane() {
    let config = config(&EQUAL, 0);
    let [_, _, other, _] = twins(&config);
    let (mut node, _) = owning(&config);
    let out = node.commit(vec![tip(&other)]);
    assert_eq!(out[0], Output::Note(Note::LaneLost(LaneLost::NotMadeHere { seq: seq(1) })));
    assert!(matches!(out[1..], [Output::Ask(..)]), "its body is fetched: {out:?}");
    assert_gave_up(&mut node, 1);
}

#[test]
fn a_rescue_takes_the_lane_only_with_the_own_signature() {
    let config = config(&EQUAL, 0);
    let [one, _, other, _] = twins(&config);
    let (mut node, _) = owning(&config);
    let own = Message::Batch(Arc::clone(&one));
    node.step(|lanes, ctx| lanes.on_own(own, ctx));
    let rescue = |node: &mut Node, batch: &Batch, job: u64| {
        let (header, owner_signature) = (batch.header, batch.owner_signature);
        let signature = sign(index(2), &ack(batch));
        let message = RescueMessage { header, owner_signature, signature };
        let out = node.step(|lanes, ctx| lanes.on_rescue(index(2), message, ctx));
        assert!(matches!(out[..], [Output::Verify(_)]), "{out:?}");
        node.verdict(job, batch.owner_signature != garbage())
    };
    let mut forged = (*other).clone();
    forged.owner_signature = garbage();
    assert_eq!(rescue(&mut node, &forged, 1), [Output::Report(index(2), Fault::BadSignature)]);
    assert_eq!(node.lanes.lost(), None);
    let out = rescue(&mut node, &other, 2);
    assert_eq!(out, [Output::Note(Note::LaneLost(LaneLost::NotMadeHere { seq: seq(1) }))]);
    assert_gave_up(&mut node, 1);
}

#[test]
fn a_node_takes_up_its_own_lane_after_any_cut_of_its_own_making() {
    let config = config(&EQUAL, 0);
    let [one, two, ..] = twins(&config);
    let all = [stored(&one, true), stored(&two, true)];
    for ordered in [None, Some(&one), Some(&two)] {
        let frontier = ordered.map_or(Frontier::default(), |batch| frontier_at(batch));
        let (node, _) = Node::recover(&config, all.to_vec(), Some(two.header), frontier);
        assert_eq!(node.lanes.lost(), None, "ordered through {ordered:?}");
    }
}
