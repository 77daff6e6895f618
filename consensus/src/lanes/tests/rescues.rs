//! Rule L3: what an owner leaves behind is certified without it.

use super::net::Net;
use super::*;
use crate::input::AskId;
use crate::note::{Fault, Note};
use crate::output::{Recipients, Statement};
use chorale_types::level::Level;
use chorale_types::limits::FETCHES_MAX;
use chorale_types::message::{Message, Request, RescueMessage, Response};

fn rescued(net: &Net, at: usize) -> usize {
    net.notes[at].iter().filter(|note| matches!(note, Note::Rescued { .. })).count()
}

fn only(net: &Net, at: usize) -> Arc<Batch> {
    assert_eq!(net.stores[at].len(), 1);
    net.stores[at].values().next().cloned().expect("one batch")
}

#[test]
fn an_owner_destroyed_at_available_is_ordered_by_those_who_acknowledged() {
    // The owner answers `available` and is gone before anybody has the certificate; one member
    // heard nothing of the batch at all.
    let mut net = Net::new(&EQUAL);
    net.link = Box::new(|from, to, message| {
        !(from == 0 && (to == 3 || matches!(message, Message::Availability(_))))
    });
    net.submit(0, b"precious");
    net.run(50);
    let batch = only(&net, 0);
    assert_eq!(net.levels[0], [(id(&batch), Level::Available)]);
    net.destroy(0);
    assert!(net.stores[3].is_empty());

    net.run(3_900);
    assert!((1..4).all(|at| rescued(&net, at) == 0), "not before four view timeouts");
    net.run(2_000);
    for at in 1..4 {
        assert!(net.node(at).lanes.has_certificate(&tip(&batch)), "member {at}");
    }
    assert!((1..4).any(|at| rescued(&net, at) == 1));
    assert_eq!(only(&net, 3), batch, "and the body is there");
    net.commit(&[tip(&batch)]);
    assert!(net.faults.is_empty(), "{:?}", net.faults);
}

#[test]
fn an_acknowledger_brings_over_those_who_missed_the_batch() {
    // Only one member got the batch: no quorum without the others.
    let mut net = Net::new(&EQUAL);
    net.link = Box::new(|from, to, _| !(from == 0 && to != 1));
    net.submit(0, b"one");
    net.run(50);
    let batch = only(&net, 1);
    net.destroy(0);
    net.run(6_000);
    for at in 1..4 {
        assert_eq!(only(&net, usize::from(at)), batch);
        assert!(net.node(at).lanes.has_certificate(&tip(&batch)), "member {at}");
        assert!(net.acknowledged.contains(&(at, id(&batch))), "member {at} acknowledged");
    }
    assert!(net.faults.is_empty(), "{:?}", net.faults);
}

#[test]
fn the_lane_below_is_fetched_lowest_first() {
    let mut net = Net::new(&EQUAL);
    for at in 0..5_u8 {
        // The first two reach all, the other three one member.
        net.link = Box::new(move |from, to, _| !(from == 0 && to > 1 && at > 1));
        net.submit(0, &[at]);
        net.run(50);
    }
    assert_eq!([net.stores[1].len(), net.stores[2].len(), net.stores[3].len()], [5, 2, 2]);
    net.link = Box::new(|from, to, _| !(from == 0 && to > 1));
    net.destroy(0);
    net.run(7_000);
    let tops: Vec<_> =
        net.stores[1].values().filter(|batch| batch.header.seq == seq(5)).cloned().collect();
    for at in 2..4_u16 {
        assert!(net.node(at).lanes.has_certificate(&tip(&tops[0])), "member {at}");
        let order: Vec<u64> = net
            .acknowledged
            .iter()
            .filter(|(member, _)| *member == at)
            .map(|(_, id)| id.seq.get())
            .collect();
        assert_eq!(order, [1, 2, 3, 4, 5]);
    }
    let asked: Vec<&Request> =
        net.questions.iter().filter(|(me, ..)| *me == 2).map(|(_, _, request)| request).collect();
    let Request::Headers { tip: from, above } = asked[0] else { panic!("{:?}", asked[0]) };
    assert_eq!((from.seq, *above), (seq(5), seq(2)), "only what it lacks");
    let Request::Batches { ids } = asked[1] else { panic!("{:?}", asked[1]) };
    assert_eq!(ids.iter().map(|id| id.seq.get()).collect::<Vec<_>>(), [3, 4, 5]);
}

#[test]
fn seven_with_a_silent_one_and_a_cut_link_still_rescue() {
    let mut net = Net::new(&[1; 7]);
    // Member 6 is silent; the owner's link to 5 is cut; its certificate reaches nobody.
    net.link = Box::new(|from, to, message| {
        let cut = from == 0 && (to == 5 || matches!(message, Message::Availability(_)));
        from != 6 && !cut
    });
    net.submit(0, b"precious");
    net.run(50);
    let batch = only(&net, 0);
    assert_eq!(net.levels[0], [(id(&batch), Level::Available)]);
    net.destroy(0);
    net.run(6_000);
    for at in 1..7 {
        assert!(net.node(at).lanes.has_certificate(&tip(&batch)), "member {at}");
    }
}

#[test]
fn a_certificate_that_others_miss_is_passed_on() {
    // The certificate reached one member, and the owner is gone.
    let mut net = Net::new(&EQUAL);
    net.link = Box::new(|from, to, message| {
        !(from == 0 && to != 1 && matches!(message, Message::Availability(_)))
    });
    net.submit(0, b"one");
    net.run(50);
    let batch = only(&net, 0);
    net.destroy(0);
    assert!(net.node(1).lanes.has_certificate(&tip(&batch)));
    assert!(!net.node(2).lanes.has_certificate(&tip(&batch)));
    net.run(6_000);
    assert!((1..4).all(|at| net.node(at).lanes.has_certificate(&tip(&batch))));
}

#[test]
fn a_live_owner_needs_no_rescue() {
    let mut net = Net::new(&EQUAL);
    for at in 0..20_u8 {
        net.submit(u16::from(at % 4), &[at]);
        net.run(500);
        let tips: Vec<LaneTip> = {
            let frontier = net.node(0).frontier.clone();
            net.node(0).lanes.certified_tips(&frontier, 0, BLOCK_BYTES_MAX)
        };
        assert_eq!(tips.len(), 1, "certified in time");
        net.commit(&tips);
    }
    let rescue = |note: &Note| matches!(note, Note::RescueSent { .. } | Note::Rescued { .. });
    assert!(net.notes.iter().flatten().all(|note| !rescue(note)));
    assert!(net.questions.is_empty(), "nothing was fetched: {:?}", net.questions);
    assert!(net.faults.is_empty(), "{:?}", net.faults);
}

#[test]
fn a_forged_header_of_an_honest_lane_causes_no_fetch() {
    let mut net = Net::new(&EQUAL);
    let forged = Owner::new(&net.config, 0).next(b"never made");
    let forge = |owner_signature| {
        let signature = sign(index(3), &ack(&forged));
        Message::Rescue(RescueMessage { header: forged.header, owner_signature, signature })
    };
    net.deliver(3, 1, forge(garbage()));
    assert_eq!(net.faults, [(1, 3, Fault::BadSignature)]);
    assert!(net.questions.is_empty());
    assert!(net.acknowledged.is_empty());
}

#[test]
fn a_claim_that_nobody_can_show_does_not_hold_up_others() {
    // The owner and member 3 are faulty: 3 claims a batch that it never shows.
    let mut net = Net::new(&EQUAL);
    net.destroy(0);
    let mut owner = Owner::new(&net.config, 0);
    let real = owner.next(b"real");
    let (_, hidden) = (owner.next(b"2"), owner.next(b"hidden"));
    let rescue = |batch: &Batch, by: u16| Message::Rescue(rescue(batch, by));
    net.stores[2].insert(real.header.digest(), Arc::clone(&real));
    net.deliver(3, 1, rescue(&hidden, 3));
    assert_eq!(net.questions.len(), 1, "one question to its claimer, then it is given up");
    net.deliver(2, 1, rescue(&real, 2));
    assert!(net.acknowledged.contains(&(1, id(&real))));
    assert!(net.node(1).lanes.has_certificate(&tip(&real)), "owner, 1 and 2");
}

#[test]
fn claims_of_one_member_never_push_out_anothers() {
    let config = config(&EQUAL, 1);
    let (mut node, mut owner) = (Node::new(&config), Owner::new(&config, 0));
    let batches: Vec<_> = (0..20).map(|_| owner.next(b"x")).collect();
    let mut job = 0;
    for (by, batch) in [(2, &batches[0])].into_iter().chain(batches[1..].iter().map(|b| (3, b))) {
        let message = rescue(batch, by);
        node.step(|lanes, ctx| lanes.on_lanes_timer(ctx));
        node.step(|lanes, ctx| lanes.on_rescue(index(by), message, ctx));
        job += 1;
        node.verdict(job, true);
    }
    let claims = node.lanes.sizes().iter().find(|s| s.0 == "lane claims").map(|s| s.1);
    assert_eq!(claims, Some(2), "one for each member");
    // Its own acknowledgement completes the quorum for the lowest.
    node.take(&batches[0], job + 1);
    let own = chorale_types::message::AckMessage {
        statement: ack(&batches[0]),
        signature: sign(index(1), &ack(&batches[0])),
    };
    let outputs = node.step(|lanes, ctx| lanes.on_own(Message::Ack(own), ctx));
    assert_eq!(outputs[0], Output::Note(Note::Rescued { id: id(&batches[0]) }));
}

fn rescue(batch: &Batch, by: u16) -> RescueMessage {
    RescueMessage {
        header: batch.header,
        owner_signature: batch.owner_signature,
        signature: sign(index(by), &ack(batch)),
    }
}

#[test]
fn a_branch_that_can_never_be_acknowledged_is_not_fetched() {
    let config = config(&EQUAL, 1);
    let (mut node, mut owner) = (Node::new(&config), Owner::new(&config, 0));
    let mut twin = owner.clone();
    let (one, _) = (owner.next(b"1"), twin.next(b"one"));
    node.take(&one, 1);
    let (above, three) = (twin.next(b"two"), twin.next(b"three"));
    let mut job = 1;
    let mut claims = |node: &mut Node, batch: &Batch| {
        let message = rescue(batch, 2);
        node.step(|lanes, ctx| lanes.on_rescue(index(2), message, ctx));
        job += 1;
        node.verdict(job, true)
    };
    assert_eq!(claims(&mut node, &above), [], "its own header says so");
    let asked = claims(&mut node, &three);
    let headers = Request::Headers { tip: id(&three), above: seq(1) };
    assert_eq!(asked, [Output::Ask(index(2), AskId(1), headers)]);
    let response = Response::Headers { headers: vec![signed(&three), signed(&above)] };
    let out = node.step(|lanes, ctx| {
        assert!(lanes.on_response(index(2), AskId(1), Some(&response), ctx));
    });
    assert_eq!(out, [], "no body is asked for");
}

#[test]
fn what_is_claimed_never_takes_all_questions() {
    let config = config(&[1; 60], 59);
    let mut node = Node::new(&config);
    let mut asked = 0;
    for (at, job) in (0..30).zip(1..) {
        let batch = Owner::new(&config, at).next(b"hidden");
        let message = rescue(&batch, at + 1);
        node.step(|lanes, ctx| lanes.on_rescue(index(at + 1), message, ctx));
        asked += node.verdict(job, true).len();
    }
    assert_eq!(asked, FETCHES_MAX / 2);
    let tips = (30..59).map(|at| tip(&Owner::new(&config, at).next(b"1"))).collect();
    assert_eq!(node.commit(tips).len(), FETCHES_MAX / 2);
}

#[test]
fn rescues_of_one_member_are_bounded_and_no_other_suffers() {
    let config = config(&EQUAL, 1);
    let (mut node, mut owner) = (Node::new(&config), Owner::new(&config, 0));
    let batches: Vec<_> = (0..6).map(|_| owner.next(b"x")).collect();
    let from = |node: &mut Node, by: u16, batch: &Batch| {
        let message = rescue(batch, by);
        node.step(|lanes, ctx| lanes.on_rescue(index(by), message, ctx))
    };
    for batch in &batches[..4] {
        assert!(matches!(from(&mut node, 3, batch)[..], [Output::Verify(_)]));
    }
    let dropped = [Output::Note(Note::Dropped { what: "rescue", from: index(3) })];
    assert_eq!(from(&mut node, 3, &batches[4]), dropped);
    assert!(matches!(from(&mut node, 2, &batches[0])[..], [Output::Verify(_)]));
    node.step(|lanes, ctx| lanes.on_lanes_timer(ctx));
    assert!(matches!(from(&mut node, 3, &batches[4])[..], [Output::Verify(_)]), "a second later");
    // With a certificate, everybody is answered, whoever asked how often.
    node.certify(0, &certificate(&config, &batches[5], &[0, 2, 3]));
    node.verdict(7, true);
    for _ in 0..8 {
        from(&mut node, 3, &batches[0]);
    }
    assert!(matches!(from(&mut node, 2, &batches[0])[..], [Output::Send(..)]));
}

#[test]
fn a_batch_still_being_written_does_not_keep_those_below_from_being_rescued() {
    let config = config(&EQUAL, 1);
    let (mut node, mut owner) = (Node::new(&config), Owner::new(&config, 0));
    let (one, two) = (owner.next(b"1"), owner.next(b"2"));
    node.take(&one, 1);
    node.durable(1);
    node.pass(4_000);
    node.take(&two, 2);
    let out = node.step(|lanes, ctx| lanes.on_lanes_timer(ctx));
    let sent = Output::Send(Recipients::All, Statement::Rescue(signed(&one)), None);
    assert!(out.contains(&sent), "{out:?}");
}

#[test]
fn what_is_available_outlives_its_owner_and_a_restart_of_all_who_acknowledged() {
    let mut net = Net::new(&EQUAL);
    net.link = Box::new(|from, to, message| {
        !(from == 0 && (to == 3 || matches!(message, Message::Availability(_))))
    });
    net.submit(0, b"precious");
    net.run(50);
    let batch = only(&net, 0);
    assert_eq!(net.levels[0], [(id(&batch), Level::Available)]);
    net.destroy(0);
    for after in [0, 1_000, 3_000] {
        net.run(after);
        net.restart(1);
        net.restart(2);
    }
    net.run(6_000);
    for at in 1..4 {
        assert!(net.node(at).lanes.has_certificate(&tip(&batch)), "member {at}");
    }
    net.commit(&[tip(&batch)]);
    assert_eq!(only(&net, 3), batch);
}

#[test]
fn a_claim_that_waits_for_its_turn_keeps_nothing_certified_waiting() {
    let config = config(&[1; 60], 59);
    let mut node = Node::new(&config);
    let owners: Vec<Owner> = (0..9).map(|at| Owner::new(&config, at)).collect();
    let mut made = Vec::new();
    for ((at, job), mut owner) in (0..9).zip(1..).zip(owners) {
        made.push(owner.next(b"certified"));
        let message = rescue(&owner.next(b"hidden"), at + 1);
        node.step(|lanes, ctx| lanes.on_rescue(index(at + 1), message, ctx));
        node.verdict(job, true);
    }
    let (last, signers) = (&made[8], (0..41).collect::<Vec<_>>());
    node.certify(8, &certificate(&config, last, &signers));
    node.verdict(10, true);
    let named = Body::new(vec![tip(last)]);
    let asked = node.step(|lanes, ctx| lanes.on_proposed(&named, ctx));
    let bodies = Request::Batches { ids: vec![id(last)] };
    assert!(matches!(&asked[..], [Output::Ask(_, _, request)] if *request == bodies), "{asked:?}");
}
