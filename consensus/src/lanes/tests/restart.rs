//! Across a restart: one batch at one place, one acknowledgement at one place, nothing lost.

use super::net::Net;
use super::*;
use crate::input::Timer;
use crate::note::Fault;
use crate::output::{Admission, Recipients, Statement};
use chorale_types::limits::{LANE_RESEND_BATCHES_MAX, LANE_RESEND_BYTES_MAX};
use chorale_types::message::{AckMessage, LaneStatus, Message};

fn first_header(outputs: &[Output]) -> BatchHeader {
    let header = |output: &Output| match output {
        Output::Persist(_, Record::OwnBatch { header, .. }) => Some(*header),
        _ => None,
    };
    outputs.iter().find_map(header).expect("a batch is cut")
}

fn cut_one(node: &mut Node, payload: &[u8]) -> BatchHeader {
    node.submit(9, vec![transaction(1, payload)]);
    node.pass(1_000);
    first_header(&node.step(|lanes, ctx| lanes.on_cut_timer(ctx)))
}

fn frontier_at(batch: &Batch) -> Frontier {
    let body = Body::new(vec![tip(batch)]);
    Frontier::default().advance(&body, BLOCK_BYTES_MAX).expect("rising")
}

fn status(node: &mut Node, from: u16, acknowledged: u64, digest: Digest) -> Vec<Output> {
    let lane = LaneId { epoch: Epoch::new(1), owner: index(0) };
    let status = LaneStatus { lane, acknowledged: seq(acknowledged), digest };
    node.step(|lanes, ctx| lanes.on_lane_status(index(from), status, ctx))
}

fn batches_to(to: u16, batches: &[Arc<Batch>]) -> Vec<Output> {
    let send = |batch: &Arc<Batch>| {
        let message = Statement::Message(Message::Batch(Arc::clone(batch)));
        Output::Send(Recipients::One(index(to)), message, None)
    };
    batches.iter().map(send).collect()
}

#[test]
fn own_lane_continues_above_the_stored_header() {
    let config = config(&EQUAL, 0);
    let mut owner = Owner::new(&config, 0);
    let batches: Vec<_> = (0..7_u8).map(|at| owner.next(&[at])).collect();
    let last = batches[6].header;

    let (mut node, out) = Node::recover(
        &config,
        vec![stored(&batches[5], true), stored(&batches[6], true)],
        Some(last),
        frontier_at(&batches[4]),
    );
    assert_eq!(out, [Output::Arm(Timer::Lanes, Instant::from_micros(2_000_000))]);
    let next = cut_one(&mut node, b"next");
    assert_eq!((next.seq, next.prev), (seq(8), last.digest()));
    assert_eq!(next.bytes_through, last.bytes_through + charged_bytes(1, 4) as u64);

    // Everything ordered, and nothing left but the header.
    let (mut node, _) = Node::recover(&config, vec![], Some(last), frontier_at(&batches[6]));
    assert_eq!(cut_one(&mut node, b"next").seq, seq(8));
    // The header alone tells of the last two.
    let (mut node, _) = Node::recover(&config, vec![], Some(last), frontier_at(&batches[4]));
    assert_eq!(cut_one(&mut node, b"next").seq, seq(8));
    // The header is of another epoch: its lane is closed.
    let mut old = last;
    old.lane.epoch = Epoch::new(0);
    let (mut node, _) = Node::recover(&config, vec![], Some(old), Frontier::default());
    let first = cut_one(&mut node, b"next");
    assert_eq!((first.seq, first.prev), (seq(1), config.set.info_hash()));
}

#[test]
fn own_unordered_batches_are_offered_again_and_their_transactions_known() {
    let config = config(&EQUAL, 0);
    let mut owner = Owner::new(&config, 0);
    let batches = [owner.next(b"a"), owner.next(b"b")];
    let all = batches.iter().map(|batch| stored(batch, true)).collect();
    let last = Some(batches[1].header);
    let (mut node, _) = Node::recover(&config, all, last, Frontier::default());
    let known = vec![Admission::AlreadyKnown];
    let answer = node.submit(1, vec![transaction(1, b"a")]);
    assert_eq!(answer, [Output::Admitted(Ticket(1), known)]);
    assert_eq!(status(&mut node, 2, 0, Digest::ZERO), batches_to(2, &batches));
    let digest = batches[0].header.digest();
    assert_eq!(status(&mut node, 3, 1, digest), batches_to(3, &batches[1..]));
    // And they are certified as before: its own signature is in the store.
    for from in [2, 3] {
        let ack = AckMessage {
            statement: ack(&batches[1]),
            signature: sign(index(from), &ack(&batches[1])),
        };
        let out = node.step(|lanes, ctx| lanes.on_ack(index(from), ack, ctx));
        assert_eq!(out.len(), usize::from(from == 3), "checked at the quorum");
    }
}

#[test]
fn acknowledgements_are_remembered() {
    let config = config(&EQUAL, 1);
    let mut owner = Owner::new(&config, 0);
    let mut twin = owner.clone();
    let (one, two, other) = (owner.next(b"1"), owner.next(b"2"), twin.next(b"other"));
    let (mut node, _) = Node::recover(&config, vec![stored(&one, true)], None, Frontier::default());
    node.batch(&other);
    let out = node.verdict(1, true);
    assert_eq!(out[1], Output::Report(index(0), Fault::Equivocation));
    assert!(matches!(node.take(&two, 2)[0], Output::Persist(..)), "it stands on the stored one");

    // A body that was only stored is not acknowledged, and nothing stands on it.
    let (mut node, _) =
        Node::recover(&config, vec![stored(&one, false)], None, Frontier::default());
    assert_eq!(node.batch(&two).len(), 2, "its owner hears where to go on");
    assert_eq!(node.verdict(1, true), []);
}

#[test]
fn an_owner_sends_again_from_where_a_member_is_and_not_what_is_under_way() {
    let config = config(&EQUAL, 0);
    let mut node = Node::new(&config);
    let mut sent = Vec::new();
    for at in 0..3_u8 {
        let header = cut_one(&mut node, &[at]);
        let transactions = [[at].as_slice()].into_iter().collect();
        let entries = vec![BatchEntry { rollup: RollupId::new(1), transactions }];
        let owner_signature = sign(index(0), &header.acknowledgement());
        let batch = Arc::new(Batch { header, owner_signature, entries });
        node.step(|lanes, ctx| lanes.on_own(Message::Batch(Arc::clone(&batch)), ctx));
        sent.push(batch);
    }
    // The last went out just now, the others a second and more ago.
    assert_eq!(status(&mut node, 1, 0, Digest::ZERO), batches_to(1, &sent[..2]));
    assert_eq!(status(&mut node, 1, 0, Digest::ZERO), [], "sent a moment ago");
    node.pass(600);
    assert_eq!(status(&mut node, 1, 0, Digest::ZERO), batches_to(1, &sent));
    // Through a new stream nothing is under way any more.
    node.pass(1);
    node.step(|lanes, ctx| lanes.on_peer_up(index(1), ctx));
    let digest = sent[0].header.digest();
    assert_eq!(status(&mut node, 1, 1, digest), batches_to(1, &sent[1..]));
    let foreign = status(&mut node, 2, 1, Digest::from_bytes([1; 32]));
    assert!(matches!(foreign[..], [Output::Note(_)]), "of another history of this lane");
}

#[test]
fn a_burst_is_bounded_by_count_and_bytes() {
    let config = config(&EQUAL, 0);
    let mut owner = Owner::new(&config, 0);
    let small: Vec<_> = (0..40_u8).map(|at| owner.next(&[at])).collect();
    let all = small.iter().map(|batch| stored(batch, true)).collect();
    let (mut node, _) = Node::recover(&config, all, None, Frontier::default());
    let burst = status(&mut node, 1, 0, Digest::ZERO);
    assert_eq!(burst, batches_to(1, &small[..LANE_RESEND_BATCHES_MAX]));
    let digest = small[15].header.digest();
    assert_eq!(status(&mut node, 1, 16, digest).len(), LANE_RESEND_BATCHES_MAX, "and from there");
    let signature = sign(index(1), &ack(&small[31]));
    let last = AckMessage { statement: ack(&small[31]), signature };
    let rest = node.step(|lanes, ctx| lanes.on_ack(index(1), last, ctx));
    assert_eq!(rest, batches_to(1, &small[32..]), "the last of a burst asks for the next");

    let mut owner = Owner::new(&config, 0);
    let size = 120 * 1024;
    let large: Vec<_> = (0..40_u8).map(|at| owner.next(&vec![at + 1; size])).collect();
    let all = large.iter().map(|batch| stored(batch, true)).collect();
    let (mut node, _) = Node::recover(&config, all, None, Frontier::default());
    let burst = status(&mut node, 1, 0, Digest::ZERO);
    assert_eq!(burst.len(), LANE_RESEND_BATCHES_MAX.min(LANE_RESEND_BYTES_MAX / size));
}

#[test]
fn a_member_that_meets_an_owner_again_tells_where_it_is_and_what_is_certified() {
    let config = config(&EQUAL, 1);
    let (mut node, mut owner) = (Node::new(&config), Owner::new(&config, 0));
    let (one, two) = (owner.next(b"1"), owner.next(b"2"));
    let cert = certificate(&config, &one, &[0, 2, 3]);
    node.certify(2, &cert);
    node.verdict(1, true);
    node.take(&two, 2);
    node.durable(1);
    node.pass(1_000);
    let out = node.step(|lanes, ctx| lanes.on_peer_up(index(0), ctx));
    let to = Recipients::One(index(0));
    let say = |message| Output::Send(to, Statement::Message(message), None);
    let lane = owner.last.lane;
    let status = LaneStatus { lane, acknowledged: seq(2), digest: two.header.digest() };
    let expected = [
        say(Message::Availability(cert)),
        say(Message::LaneStatus(status)),
        Output::Send(to, Statement::Acknowledge(ack(&two)), None),
    ];
    assert_eq!(out[..3], expected);
    assert!(matches!(out[3..], [Output::Ask(..)]), "and what is missing is asked for again");
}

#[test]
fn members_that_restart_at_every_turn_lose_and_repeat_nothing() {
    let mut net = Net::new(&EQUAL);
    for at in 0..40_u8 {
        net.submit(u16::from(at % 4), &[at]);
        net.run(30);
        net.restart(u16::from(at / 4 % 4));
    }
    net.run(3_000);
    let frontier = net.node(0).frontier.clone();
    let tips = net.node(0).lanes.certified_tips(&frontier, 0, BLOCK_BYTES_MAX);
    net.commit(&tips);
    net.run(3_000);
    let mut places: Vec<_> =
        net.acknowledged.iter().map(|(at, id)| (*at, id.lane, id.seq)).collect();
    places.sort_unstable();
    let count = places.len();
    places.dedup();
    assert_eq!(places.len(), count, "one acknowledgement at one place");
    let batches: u64 = tips.iter().map(|tip| tip.seq.get()).sum();
    let charged: u64 = tips.iter().map(|tip| tip.bytes_through).sum();
    let forty = 1_024 * batches + 40 * (192 + 1);
    assert_eq!(charged, forty, "every transaction of one byte is certified");
    assert!((0..4).all(|at| net.stores[at] == net.stores[0]), "everybody has everything");
    assert!(net.faults.is_empty(), "{:?}", net.faults);
}
