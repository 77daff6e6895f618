//! Certificates that proposals need: asked for, answered, and given up.

use super::*;
use crate::input::{AskId, RequestToken};
use crate::note::Fault;
use chorale_types::limits::CERTIFICATES_WANTED_MAX;
use chorale_types::message::{Request, Response};

fn wants(node: &mut Node, tip: &LaneTip, from: u16) -> Vec<Output> {
    node.step(|lanes, ctx| lanes.want_certificate(tip, index(from), ctx))
}

fn answer(node: &mut Node, from: u16, ask: u64, cert: Option<&Arc<Availability>>) -> Vec<Output> {
    let response = Response::Availability { cert: cert.map(|cert| (**cert).clone()) };
    node.step(|lanes, ctx| {
        assert!(lanes.on_response(index(from), AskId(ask), Some(&response), ctx));
    })
}

fn asks(to: u16, ask: u64, id: BatchId) -> Output {
    Output::Ask(index(to), AskId(ask), Request::Availability { id })
}

#[test]
fn asks_who_named_it_then_the_owner_then_the_others() {
    let config = config(&EQUAL, 3);
    let (mut node, mut owner) = (Node::new(&config), Owner::new(&config, 0));
    let one = owner.next(b"1");
    let want = tip(&one);
    assert_eq!(wants(&mut node, &want, 2), [asks(2, 1, want.id())]);
    assert_eq!(wants(&mut node, &want, 2), [], "asked once");
    assert_eq!(answer(&mut node, 2, 1, None), [asks(0, 2, want.id())]);
    let gone = node.step(|lanes, ctx| {
        assert!(lanes.on_response(index(0), AskId(2), None, ctx));
    });
    assert_eq!(gone, [asks(1, 3, want.id())]);
    assert_eq!(answer(&mut node, 1, 3, None), [], "everybody was asked");
    assert_eq!(wants(&mut node, &want, 2), []);
    let retried = node.step(|lanes, ctx| lanes.on_lanes_timer(ctx));
    assert!(retried.contains(&asks(2, 4, want.id())), "again the next second");
    let cert = certificate(&config, &one, &[0, 1, 2]);
    assert_eq!(answer(&mut node, 2, 4, Some(&cert)).len(), 1, "checked, and nobody else asked");
    node.verdict(1, true);
    assert!(node.lanes.has_certificate(&want) && node.lanes.new_certificate());
    assert_eq!(wants(&mut node, &want, 2), []);
}

#[test]
fn a_bad_answer_is_reported_and_the_next_is_asked() {
    let config = config(&EQUAL, 3);
    let (mut node, mut owner) = (Node::new(&config), Owner::new(&config, 0));
    let (one, two) = (owner.next(b"1"), owner.next(b"2"));
    let want = tip(&two);
    wants(&mut node, &want, 2);
    let lower = certificate(&config, &one, &[0, 1, 2]);
    let bad = Output::Report(index(2), Fault::BadAnswer);
    assert_eq!(answer(&mut node, 2, 1, Some(&lower)), [bad, asks(0, 2, want.id())]);
    let forged = certificate(&config, &two, &[0, 1, 2]);
    assert_eq!(answer(&mut node, 0, 2, Some(&forged)).len(), 1);
    let bad = Output::Report(index(0), Fault::BadSignature);
    assert_eq!(node.verdict(1, false), [bad, asks(1, 3, want.id())]);
}

#[test]
fn what_nobody_has_is_given_up_after_two_view_timeouts() {
    let config = config(&EQUAL, 3);
    let mut node = Node::new(&config);
    let bogus = LaneTip { seq: LaneSeq::MAX, ..tip(&Owner::new(&config, 0).next(b"1")) };
    wants(&mut node, &bogus, 2);
    let size =
        |node: &Node| node.lanes.sizes().iter().find(|s| s.0 == "wanted certificates").map(|s| s.1);
    node.pass(1_000);
    node.step(|lanes, ctx| lanes.on_lanes_timer(ctx));
    assert_eq!(size(&node), Some(1));
    node.pass(1_000);
    node.step(|lanes, ctx| lanes.on_lanes_timer(ctx));
    assert_eq!(size(&node), Some(0));
}

#[test]
fn answers_from_memory_with_that_certificate_or_a_higher_one() {
    let config = config(&EQUAL, 3);
    let (mut node, mut owner) = (Node::new(&config), Owner::new(&config, 0));
    let (one, two, three) = (owner.next(b"1"), owner.next(b"2"), owner.next(b"3"));
    let held = certificate(&config, &two, &[0, 1, 2]);
    node.certify(0, &held);
    node.verdict(1, true);
    let mut ask = |batch: &Batch| {
        let request = Request::Availability { id: id(batch) };
        let token = RequestToken(7);
        node.step(|lanes, ctx| lanes.on_request(index(1), token, &request, ctx))
    };
    let with = |cert: Option<&Arc<Availability>>| {
        let response = Response::Availability { cert: cert.map(|cert| (**cert).clone()) };
        [Output::Respond(index(1), RequestToken(7), response)]
    };
    assert_eq!(ask(&one), with(Some(&held)));
    assert_eq!(ask(&two), with(Some(&held)));
    assert_eq!(ask(&three), with(None));
    let storage = Request::Batches { ids: vec![id(&one)] };
    let served = node.step(|lanes, ctx| lanes.on_request(index(1), RequestToken(8), &storage, ctx));
    assert_eq!(served, [Output::Serve(index(1), RequestToken(8), storage)]);
}

#[test]
fn when_too_many_are_wanted_the_oldest_gives_way() {
    let config = config(&EQUAL, 3);
    let mut node = Node::new(&config);
    let mut owner = Owner::new(&config, 0);
    let all: Vec<LaneTip> = (0..=CERTIFICATES_WANTED_MAX).map(|_| tip(&owner.next(b"1"))).collect();
    for want in &all {
        node.pass(1);
        wants(&mut node, want, 2);
    }
    let open = node.lanes.sizes().iter().find(|s| s.0 == "wanted certificates").map(|s| s.1);
    assert_eq!(open, Some(CERTIFICATES_WANTED_MAX));
    assert_eq!(wants(&mut node, &all[1], 2), [], "still wanted");
    assert_eq!(wants(&mut node, &all[0], 2).len(), 1, "wanted anew: the next oldest gives way");
}

#[test]
fn a_higher_certificate_has_the_headers_between_fetched_at_once() {
    let config = config(&EQUAL, 3);
    let (mut node, mut owner) = (Node::new(&config), Owner::new(&config, 0));
    let (one, two) = (owner.next(b"1"), owner.next(b"2"));
    let want = tip(&one);
    wants(&mut node, &want, 2);
    let higher = certificate(&config, &two, &[0, 1, 2]);
    assert_eq!(answer(&mut node, 2, 1, Some(&higher)).len(), 1, "checked");
    let headers = Request::Headers { tip: id(&two), above: LaneSeq::ZERO };
    let out = node.verdict(1, true);
    assert!(out.contains(&Output::Ask(index(0), AskId(2), headers)), "{out:?}");
}

#[test]
fn a_tip_that_nobody_has_sets_nobody_asking_everybody() {
    let config = config(&[1; 40], 3);
    let mut node = Node::new(&config);
    let bogus = LaneTip { seq: LaneSeq::MAX, ..tip(&Owner::new(&config, 0).next(b"1")) };
    let mut asked = wants(&mut node, &bogus, 2);
    let mut count = 0;
    while let [Output::Ask(to, ask, _)] = asked[..] {
        count += 1;
        asked = answer(&mut node, to.get(), ask.0, None);
    }
    assert_eq!(count, 8);
}
