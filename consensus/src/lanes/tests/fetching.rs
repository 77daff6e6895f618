//! Missing bodies: asked for lowest first, from one member after the other, and only taken when
//! they are what was asked for.

use super::*;
use crate::input::AskId;
use crate::job::{Check, Job, Work};
use crate::note::Fault;
use chorale_types::limits::{FETCHES_MAX, FETCHES_PER_PEER_MAX};
use chorale_types::message::{Request, Response};
use std::collections::BTreeMap;

#[allow(clippy::needless_pass_by_value, reason = "an answer is handed over")]
fn answer(node: &mut Node, from: u16, ask: u64, response: Option<Response>) -> Vec<Output> {
    node.step(|lanes, ctx| {
        assert!(lanes.on_response(index(from), AskId(ask), response.as_ref(), ctx));
    })
}

fn asks(to: u16, ask: u64, request: Request) -> Output {
    Output::Ask(index(to), AskId(ask), request)
}

fn bodies(batches: &[Arc<Batch>]) -> Option<Response> {
    Some(Response::Batches { batches: batches.to_vec() })
}

fn ids(batches: &[Arc<Batch>]) -> Request {
    Request::Batches { ids: batches.iter().map(|batch| id(batch)).collect() }
}

fn headers(batches: &[Arc<Batch>]) -> Option<Response> {
    Some(Response::Headers { headers: batches.iter().rev().map(|batch| signed(batch)).collect() })
}

fn checks(job: u64, batches: &[Arc<Batch>]) -> Output {
    let work = Work::All(batches.iter().map(|batch| Check::Batch(Arc::clone(batch))).collect());
    Output::Verify(Job { id: JobId(job), work })
}

fn persists(record: u64, batch: &Arc<Batch>) -> Output {
    Output::Persist(RecordId(record), stores(batch, false))
}

#[test]
fn missing_bodies_are_fetched_lowest_first_and_a_lying_peer_is_rotated_away() {
    let config = config(&EQUAL, 1);
    let (mut node, mut owner) = (Node::new(&config), Owner::new(&config, 0));
    let all: Vec<_> = (1..=4_u8).map(|at| owner.next(&[at])).collect();
    let mut lie = Owner::new(&config, 0);
    let lies: Vec<_> = (1..=4_u8).map(|_| lie.next(b"lie")).collect();
    let above = seq(0);

    // A block orders four batches of which nothing is here.
    let ask = |tip: &Batch| Request::Headers { tip: id(tip), above };
    assert_eq!(node.commit(vec![tip(&all[3])]), [asks(2, 1, ask(&all[3]))]);
    let bad = Output::Report(index(2), Fault::BadAnswer);
    let lied = answer(&mut node, 2, 1, headers(&lies));
    assert_eq!(lied, [bad, asks(3, 2, ask(&all[3]))], "the next member is asked");
    // Half of the headers, then the rest, then the bodies from the lowest.
    // Who gives only a part makes way for another, what it gave is taken.
    assert_eq!(answer(&mut node, 3, 2, headers(&all[2..])), [asks(0, 3, ask(&all[1]))]);
    assert_eq!(answer(&mut node, 0, 3, headers(&all[..2])), [asks(0, 4, ids(&all))]);
    assert_eq!(answer(&mut node, 0, 4, bodies(&all[..1])), [checks(1, &all[..1])]);
    assert_eq!(node.verdict(1, true), [persists(1, &all[0]), asks(2, 5, ids(&all[1..]))]);
    // It lacks the second.
    assert_eq!(answer(&mut node, 2, 5, bodies(&all[2..])), [checks(2, &all[2..])]);
    let rest = [persists(2, &all[2]), persists(3, &all[3]), asks(3, 6, ids(&all[1..2]))];
    assert_eq!(node.verdict(2, true), rest);
    // One that takes its time gives the others their turn too.
    node.pass(900);
    assert_eq!(answer(&mut node, 3, 6, bodies(&all[1..2])), [checks(3, &all[1..2])]);
    assert_eq!(node.verdict(3, true), [persists(4, &all[1])], "complete");
    let next = owner.next(b"5");
    assert_eq!(node.commit(vec![tip(&next)]), [asks(0, 7, ids(&[next]))]);
}

#[test]
fn bodies_must_be_what_was_asked_for() {
    let config = config(&EQUAL, 1);
    let mut owner = Owner::new(&config, 0);
    let one = owner.next(b"1");
    let other = owner.next(b"2");
    let mut hollow = (*one).clone();
    hollow.entries.clear();
    let mut forged = (*one).clone();
    forged.owner_signature = garbage();
    let bad = |at| Output::Report(index(at), Fault::BadAnswer);
    let wrong = [
        bodies(&[other]),
        bodies(&[Arc::clone(&one), Arc::clone(&one)]),
        headers(&[Arc::clone(&one)]),
        Some(Response::Availability { cert: None }),
    ];
    for response in wrong {
        let mut node = Node::new(&config);
        assert_eq!(node.commit(vec![tip(&one)]), [asks(2, 1, ids(&[Arc::clone(&one)]))]);
        let next = asks(3, 2, ids(&[Arc::clone(&one)]));
        assert_eq!(answer(&mut node, 2, 1, response), [bad(2), next]);
    }
    for unfit in [hollow, forged] {
        let mut node = Node::new(&config);
        node.commit(vec![tip(&one)]);
        let unfit = [Arc::new(unfit)];
        assert_eq!(answer(&mut node, 2, 1, bodies(&unfit)), [checks(1, &unfit)]);
        let next = asks(3, 2, ids(&[Arc::clone(&one)]));
        assert_eq!(node.verdict(1, false), [bad(2), next], "nothing of it is stored");
    }
}

#[test]
fn when_all_fail_nothing_is_asked_until_the_next_second() {
    let config = config(&EQUAL, 1);
    let mut node = Node::new(&config);
    let one = Owner::new(&config, 0).next(b"1");
    node.commit(vec![tip(&one)]);
    let ask = ids(&[one]);
    for (from, at, next) in [(2, 1, 3), (3, 2, 0), (0, 3, 1), (2, 4, 3)] {
        let out = answer(&mut node, from, at, if from == 3 { None } else { bodies(&[]) });
        if at == 3 {
            assert_eq!(out, [], "everybody was asked");
            let told = node.step(|lanes, ctx| lanes.on_lanes_timer(ctx));
            assert!(told.contains(&asks(2, 4, ask.clone())));
        } else {
            assert_eq!(out, [asks(next, at + 1, ask.clone())]);
        }
    }
}

#[test]
fn a_certified_body_is_left_to_its_owner_for_a_moment() {
    let config = config(&EQUAL, 1);
    let mut owner = Owner::new(&config, 0);
    let one = owner.next(b"1");
    let cert = certificate(&config, &one, &[0, 2, 3]);
    let mut node = Node::new(&config);
    node.certify(0, &cert);
    assert_eq!(node.verdict(1, true), [], "it may be on its way");
    let proposed = |node: &mut Node| {
        let body = Body::new(vec![tip(&one)]);
        node.step(|lanes, ctx| lanes.on_proposed(&body, ctx))
    };
    let ask = asks(2, 1, ids(&[Arc::clone(&one)]));
    assert_eq!(proposed(&mut node), [ask], "a block names it");
    // It comes from its owner after all, while the question is out.
    assert!(matches!(node.take(&one, 2)[0], Output::Persist(..)));
    assert_eq!(answer(&mut node, 2, 1, bodies(&[Arc::clone(&one)])).len(), 1);
    assert_eq!(node.verdict(3, true), [], "stored once");

    let mut node = Node::new(&config);
    node.certify(0, &cert);
    node.verdict(1, true);
    node.pass(300);
    let told = node.step(|lanes, ctx| lanes.on_lanes_timer(ctx));
    assert!(told.contains(&asks(2, 1, ids(&[Arc::clone(&one)]))), "or it does not come");
    assert_eq!(answer(&mut node, 2, 1, bodies(&[Arc::clone(&one)])).len(), 1);
    let stores = Output::Persist(RecordId(1), stores(&one, true));
    assert_eq!(node.verdict(2, true), [stores], "acknowledged, and nobody needs to hear it");
}

#[test]
fn a_proposal_without_a_certificate_causes_no_fetch() {
    let config = config(&EQUAL, 1);
    let mut node = Node::new(&config);
    let body = Body::new(vec![tip(&Owner::new(&config, 0).next(b"1"))]);
    assert_eq!(node.step(|lanes, ctx| lanes.on_proposed(&body, ctx)), []);
}

#[test]
fn a_body_that_waits_here_is_not_asked_for() {
    let config = config(&EQUAL, 1);
    let (mut node, mut owner) = (Node::new(&config), Owner::new(&config, 0));
    let (one, two) = (owner.next(b"1"), owner.next(b"2"));
    assert_eq!(node.batch(&two).len(), 2, "a check and a status: its predecessor is missing");
    node.verdict(1, true);
    // Ordered: the first is asked for, the second is taken from what waits.
    let asked = node.commit(vec![tip(&two)]);
    assert_eq!(asked, [persists(1, &two), asks(2, 1, ids(&[Arc::clone(&one)]))]);
    answer(&mut node, 2, 1, bodies(&[Arc::clone(&one)]));
    assert_eq!(node.verdict(2, true), [persists(2, &one)]);
}

#[test]
fn questions_are_bounded_for_each_peer_and_overall() {
    let config = config(&[1; 40], 39);
    let mut node = Node::new(&config);
    let tips = (0..39).map(|at| tip(&Owner::new(&config, at).next(b"1"))).collect();
    let asked = node.commit(tips);
    let mut load: BTreeMap<ValidatorIndex, usize> = BTreeMap::new();
    for output in &asked {
        let Output::Ask(to, ..) = output else { panic!("{output:?}") };
        *load.entry(*to).or_default() += 1;
    }
    assert_eq!(asked.len(), FETCHES_MAX);
    assert!(load.values().all(|count| *count == FETCHES_PER_PEER_MAX));
    // One is answered, the next lane has its turn.
    let Output::Ask(to, ask, _) = asked[0] else { panic!("{:?}", asked[0]) };
    let next = answer(&mut node, to.get(), ask.0, bodies(&[]));
    assert_eq!(next.len(), 1);
}

#[test]
fn ordered_parts_with_holes_are_completed_in_order() {
    let config = config(&EQUAL, 1);
    let (mut node, mut owner) = (Node::new(&config), Owner::new(&config, 0));
    let all: Vec<_> = (1..=6_u8).map(|at| owner.next(&[at])).collect();
    node.take(&all[0], 1);
    // 2 and 5 are missing; 3, 4 and 6 come by certificate.
    node.certify(0, &certificate(&config, &all[1], &[0, 2, 3]));
    node.verdict(2, true);
    node.take(&all[2], 3);
    node.take(&all[3], 4);
    node.certify(0, &certificate(&config, &all[4], &[0, 2, 3]));
    node.verdict(5, true);
    node.take(&all[5], 6);
    let asked = node.commit(vec![tip(&all[5])]);
    assert_eq!(asked, [asks(2, 1, ids(&all[4..5]))], "the upper hole is found first");
    answer(&mut node, 2, 1, bodies(&all[4..5]));
    let next = node.verdict(7, true);
    assert_eq!(next, [persists(5, &all[4]), asks(2, 2, ids(&all[1..2]))]);
    answer(&mut node, 2, 2, bodies(&all[1..2]));
    assert_eq!(node.verdict(8, true), [persists(6, &all[1])]);
    let missing = node.lanes.sizes().iter().find(|s| s.0 == "missing slices").map(|s| s.1);
    assert_eq!(missing, Some(0));
}

#[test]
fn a_follower_fetches_what_is_ordered() {
    let config = Config { me: None, lanes: false, ..config(&EQUAL, 0) };
    let mut node = Node::new(&config);
    let one = Owner::new(&config, 0).next(b"1");
    assert_eq!(node.commit(vec![tip(&one)]), [asks(0, 1, ids(&[Arc::clone(&one)]))]);
    answer(&mut node, 0, 1, bodies(&[Arc::clone(&one)]));
    assert_eq!(node.verdict(1, true), [persists(1, &one)]);
}
