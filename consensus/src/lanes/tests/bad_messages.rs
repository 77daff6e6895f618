//! Lane messages with every field at its ends: each is answered with a fault of its sender, or
//! dropped, and leaves no trace in the lanes.

use super::*;
use crate::note::{Fault, Note};
use crate::output::{Recipients, Statement};
use chorale_types::message::{AckMessage, LaneStatus, Message, RescueMessage};

const EPOCHS: [u64; 3] = [0, 2, u64::MAX];

/// An owner whose first batch is signed, durable and sent.
fn owner_with_a_batch() -> (Node, Arc<Batch>) {
    let mut node = Node::new(&config(&EQUAL, 0));
    node.submit(1, vec![transaction(1, b"one")]);
    node.pass(1_000);
    let cut = node.step(|lanes, ctx| lanes.on_cut_timer(ctx));
    let batch = cut.into_iter().find_map(|output| match output {
        Output::Persist(_, Record::OwnBatch { header, entries }) => {
            let owner_signature = sign(header.lane.owner, &header.acknowledgement());
            Some(Arc::new(Batch { header, owner_signature, entries }))
        }
        _ => None,
    });
    let batch = batch.expect("a batch is cut");
    let own = Message::Batch(Arc::clone(&batch));
    node.step(|lanes, ctx| lanes.on_own(own, ctx));
    node.pass(1_000);
    (node, batch)
}

/// Asserts that the lanes answer so, and that nothing but the count of rescues heard changes.
fn assert_refused(
    node: &mut Node,
    what: &str,
    input: impl FnOnce(&mut Lanes, &mut Context<'_>),
    expected: &[Output],
) {
    let before = node.lanes.clone();
    assert_eq!(node.step(input), expected, "{what}");
    let mut after = node.lanes.clone();
    for (id, lane) in &mut after.lanes {
        lane.rescues.clone_from(&before.lanes[id].rescues);
    }
    assert!(after == before, "{what}: the lanes changed");
}

fn reports(from: u16, fault: Fault) -> [Output; 1] {
    [Output::Report(index(from), fault)]
}

#[test]
fn a_status_above_the_last_batch_is_dropped() {
    let (mut node, batch) = owner_with_a_batch();
    let lane = batch.header.lane;
    let dropped = Note::Dropped { what: "status of another lane history", from: index(1) };
    for acknowledged in [u64::MAX, u64::MAX - 1, 1_000, 3, 2].map(seq) {
        for digest in [Digest::ZERO, batch.header.digest()] {
            let status = LaneStatus { lane, acknowledged, digest };
            let hear = |lanes: &mut Lanes, ctx: &mut Context<'_>| {
                lanes.on_lane_status(index(1), status, ctx);
            };
            let what = format!("place {acknowledged}");
            assert_refused(&mut node, &what, hear, &[Output::Note(dropped.clone())]);
        }
    }
    // What it lacks is sent all the same, when it says so.
    let status = LaneStatus { lane, acknowledged: seq(0), digest: Digest::ZERO };
    let sent = node.step(|lanes, ctx| lanes.on_lane_status(index(1), status, ctx));
    let again = Statement::Message(Message::Batch(batch));
    assert_eq!(sent, [Output::Send(Recipients::One(index(1)), again, None)]);
}

#[test]
fn a_status_of_another_lane_or_history_is_refused() {
    let (mut node, batch) = owner_with_a_batch();
    let good = LaneStatus {
        lane: batch.header.lane,
        acknowledged: batch.header.seq,
        digest: batch.header.digest(),
    };
    let lane = |epoch: u64, owner: u16| LaneId { epoch: Epoch::new(epoch), owner: index(owner) };
    let others = EPOCHS.map(|epoch| lane(epoch, 0));
    for lane in others.into_iter().chain([1, 4, u16::MAX].map(|owner| lane(1, owner))) {
        let hear = |lanes: &mut Lanes, ctx: &mut Context<'_>| {
            lanes.on_lane_status(index(1), LaneStatus { lane, ..good }, ctx);
        };
        let wrong = reports(1, Fault::WrongContext);
        assert_refused(&mut node, &format!("lane {lane}"), hear, &wrong);
    }
    let other = LaneStatus { digest: Digest::ZERO, ..good };
    let hear = |lanes: &mut Lanes, ctx: &mut Context<'_>| {
        lanes.on_lane_status(index(1), other, ctx);
    };
    let what = "status of another lane history";
    let dropped = Output::Note(Note::Dropped { what, from: index(1) });
    assert_refused(&mut node, what, hear, &[dropped]);
}

#[test]
fn an_acknowledgement_that_differs_in_any_field_is_reported() {
    let (mut node, batch) = owner_with_a_batch();
    let good = ack(&batch);
    let mut bad = |what: &str, fault: Fault, change: &dyn Fn(&mut Acknowledgement)| {
        let mut statement = good;
        change(&mut statement);
        let message = AckMessage { statement, signature: sign(index(1), &statement) };
        let hear = |lanes: &mut Lanes, ctx: &mut Context<'_>| {
            lanes.on_ack(index(1), message, ctx);
        };
        assert_refused(&mut node, what, hear, &reports(1, fault));
    };
    for epoch in EPOCHS {
        bad("epoch", Fault::WrongContext, &|a| a.lane.epoch = Epoch::new(epoch));
    }
    for owner in [1, 4, u16::MAX] {
        bad("owner", Fault::WrongContext, &|a| a.lane.owner = index(owner));
    }
    for at in [2, u64::MAX] {
        bad("place", Fault::Malformed, &|a| a.seq = seq(at));
    }
    bad("digest", Fault::Malformed, &|a| a.digest = Digest::ZERO);
    bad("predecessor", Fault::Malformed, &|a| a.prev = Digest::ZERO);
    for bytes in [0, good.bytes_through - 1, good.bytes_through + 1, u64::MAX] {
        bad("bytes", Fault::Malformed, &|a| a.bytes_through = bytes);
    }
}

#[test]
fn a_rescue_of_no_place_lane_or_window_is_refused() {
    let config = config(&EQUAL, 1);
    let mut node = Node::new(&config);
    let good = Owner::new(&config, 0).next(b"1").header;
    let mut bad = |what: &str, from: u16, expected: &[Output], header: BatchHeader| {
        let signature = sign(index(from), &header.acknowledgement());
        let owner_signature = sign(header.lane.owner, &header.acknowledgement());
        let message = RescueMessage { header, owner_signature, signature };
        let hear = |lanes: &mut Lanes, ctx: &mut Context<'_>| {
            lanes.on_rescue(index(from), message, ctx);
        };
        assert_refused(&mut node, what, hear, expected);
    };
    let wrong = reports(2, Fault::WrongContext);
    for epoch in EPOCHS {
        let lane = LaneId { epoch: Epoch::new(epoch), ..good.lane };
        bad("epoch", 2, &wrong, BatchHeader { lane, ..good });
    }
    for owner in [4, u16::MAX] {
        let lane = LaneId { owner: index(owner), ..good.lane };
        bad("owner", 2, &wrong, BatchHeader { lane, ..good });
    }
    bad("place 0", 2, &reports(2, Fault::Malformed), BatchHeader { seq: seq(0), ..good });
    bad("by its owner", 0, &reports(0, Fault::Malformed), good);
    let dropped = Note::Dropped { what: "rescue beyond the window", from: index(2) };
    let dropped = [Output::Note(dropped)];
    for at in [chorale_types::limits::LANE_BATCHES_MAX + 1, u64::MAX - 1, u64::MAX] {
        bad("beyond the window", 2, &dropped, BatchHeader { seq: seq(at), ..good });
    }
}

#[test]
fn a_certificate_of_no_lane_place_or_quorum_is_reported() {
    let config = config(&EQUAL, 3);
    let mut node = Node::new(&config);
    let good = certificate(&config, &Owner::new(&config, 0).next(b"1"), &[0, 1, 2]);
    let mut bad = |what: &str, change: &dyn Fn(&mut Availability)| {
        let mut cert = Availability::clone(&good);
        change(&mut cert);
        let hear = |lanes: &mut Lanes, ctx: &mut Context<'_>| {
            lanes.on_availability(index(2), Arc::new(cert), ctx);
        };
        assert_refused(&mut node, what, hear, &reports(2, Fault::Malformed));
    };
    for epoch in EPOCHS {
        bad("epoch", &|cert| cert.statement.lane.epoch = Epoch::new(epoch));
    }
    for owner in [4, u16::MAX] {
        bad("owner", &|cert| cert.statement.lane.owner = index(owner));
    }
    bad("place 0", &|cert| cert.statement.seq = seq(0));
    bad("nobody", &|cert| {
        cert.signers = config.set.no_signers();
        cert.signatures.clear();
    });
    for members in [0, 3, 5, 256] {
        bad("a set of another size", &|cert| {
            let mut signers = chorale_types::crypto::bitmap::SignerSet::new(members);
            (0..members.min(3)).for_each(|at| assert!(signers.insert(index(at))));
            cert.signers = signers;
        });
    }
    bad("a signature too few", &|cert| cert.signatures.truncate(2));
    bad("a signature too many", &|cert| cert.signatures.push(garbage()));
}

#[test]
fn a_certificate_of_what_was_never_made_is_checked_and_forgotten() {
    let config = config(&EQUAL, 3);
    let mut node = Node::new(&config);
    let good = certificate(&config, &Owner::new(&config, 0).next(b"1"), &[0, 1, 2]);
    let before = node.lanes.clone();
    for (job, at) in (1..).zip([2, 1_000, u64::MAX - 1, u64::MAX]) {
        let mut cert = Availability::clone(&good);
        (cert.statement.seq, cert.statement.bytes_through) = (seq(at), u64::MAX);
        assert!(matches!(node.certify(2, &Arc::new(cert)).as_slice(), [Output::Verify(_)]));
        assert_eq!(node.verdict(job, false), reports(2, Fault::BadSignature));
        assert!(node.lanes == before, "place {at}: the lanes changed");
    }
}

#[test]
fn a_batch_at_no_place_or_beyond_the_window_is_refused() {
    let config = config(&EQUAL, 1);
    let mut node = Node::new(&config);
    let good = Owner::new(&config, 0).next(b"1");
    let mut hear = |what: &str, at: u64, expected: &[Output]| {
        let mut batch = Batch::clone(&good);
        batch.header.seq = seq(at);
        let batch = Arc::new(batch);
        let hear = |lanes: &mut Lanes, ctx: &mut Context<'_>| lanes.on_batch(index(0), batch, ctx);
        node.lanes.lanes.values_mut().for_each(|lane| lane.dropped = true);
        assert_refused(&mut node, what, hear, expected);
    };
    hear("place 0 is ordered since ever", 0, &[]);
    let beyond = Note::Dropped { what: "batch beyond the window", from: index(0) };
    for at in [chorale_types::limits::LANE_BATCHES_MAX + 1, u64::MAX - 1, u64::MAX] {
        hear("beyond the window", at, &[Output::Note(beyond.clone())]);
    }
}
