//! One certificate over more blocks than one answer holds: a replica that missed it catches up, and
//! no other member can keep it from that. (Rules S4 and S5.)

use super::catch_up::without_three_and_commit_votes;
use super::made::{blocks, cert};
use super::{Arc, Committee, Duration, Fault, Message, Note, SECOND, ValidatorIndex};
use super::{all_but, count};
use crate::input::{Input, RequestToken};
use crate::output::Output;
use crate::testing::{AnswerFilter, garbage};
use chorale_types::batch::LaneTip;
use chorale_types::block::{Block, Body};
use chorale_types::certificate::CommitCert;
use chorale_types::crypto::hash::Digest;
use chorale_types::ids::{Height, LaneId, LaneSeq};
use chorale_types::limits::{SYNC_BLOCKS_MAX, SYNC_COVER_BLOCKS_MAX};
use chorale_types::message::{Received, Request, Response};
use std::cell::RefCell;
use std::convert::Infallible;
use std::rc::Rc;

const PIECE: u64 = SYNC_BLOCKS_MAX as u64;
const LIAR: ValidatorIndex = ValidatorIndex::new(1);
const AWAY: u16 = 3;

/// One certificate made more than `blocks` final at 0, 1 and 2 while 3 missed everything. The
/// links of 3 are still cut.
fn three_missed_one_certificate_over(blocks: u64) -> Committee {
    let mut committee = Committee::new(&[1, 1, 1, 1]);
    committee.run(SECOND);
    committee.filter = without_three_and_commit_votes();
    // With a member missing, some views end by their timer.
    committee.run(SECOND * u32::try_from(100 + 2 * blocks).expect("few blocks"));
    let before = committee.chain(0).len();
    committee.filter = all_but(AWAY);
    committee.run(SECOND * 20);
    let at_once = committee.committed[0][before].cert.vote().height.get() - before as u64;
    assert!(at_once > blocks, "one certificate made only {at_once} blocks final");
    committee
}

fn heal(committee: &mut Committee, answers: AnswerFilter) {
    committee.filter = Box::new(|_, _, _| true);
    committee.answer_filter = answers;
}

fn assert_three_is_there(committee: &Committee) {
    let behind = committee.chain(0).len() - committee.chain(AWAY).len();
    assert!(behind <= 1, "{behind} blocks behind: {}", committee.summary());
    assert!(committee.agrees());
}

fn went_down(committee: &Committee) -> usize {
    count(committee, AWAY, |note| matches!(note, Note::WentDown { .. }))
}

/// Only the liar is blamed, and only for this; for nothing where it is `None`.
fn assert_blamed(committee: &Committee, fault: Option<Fault>) {
    let expected: Vec<_> =
        fault.map(|f| (ValidatorIndex::new(AWAY), LIAR, f)).into_iter().collect();
    let got: Vec<_> = committee.faults.iter().copied().collect();
    assert_eq!(got, expected);
}

/// What member 1 answers to 3 instead; the others answer as they should.
fn liar(mut lie: impl FnMut(&Request, Response) -> Option<Response> + 'static) -> AnswerFilter {
    Box::new(move |asker, of, request, response| match (asker.get(), of) {
        (AWAY, LIAR) => lie(request, response),
        _ => Some(response),
    })
}

#[test]
fn a_replica_catches_up_over_a_certificate_that_no_single_answer_reaches() {
    let mut committee = three_missed_one_certificate_over(3 * PIECE);
    heal(&mut committee, Box::new(|_, _, _, response| Some(response)));
    committee.run(SECOND * 10);
    assert_three_is_there(&committee);
    assert_eq!(went_down(&committee), 1);
    assert_blamed(&committee, None);
}

#[test]
fn a_replica_that_is_killed_on_the_way_down_starts_again() {
    let mut committee = three_missed_one_certificate_over(3 * PIECE);
    heal(&mut committee, Box::new(|_, _, _, response| Some(response)));
    let head = committee.chain(AWAY).len();
    let half = |c: &Committee| c.chain(AWAY).len() > head;
    assert!(committee.run_until(SECOND * 10, half), "{}", committee.summary());
    assert!(committee.chain(AWAY).len() < committee.chain(0).len(), "not all in one step");
    committee.kill(AWAY);
    committee.run(SECOND * 5);
    committee.restart(AWAY);
    committee.run(SECOND * 10);
    assert_three_is_there(&committee);
    assert_blamed(&committee, None);
}

#[test]
fn a_silent_member_does_not_keep_a_replica_from_going_down() {
    let mut committee = three_missed_one_certificate_over(2 * PIECE);
    heal(&mut committee, liar(|_, _| None));
    committee.run(SECOND * 30);
    assert_three_is_there(&committee);
}

#[test]
fn a_false_chain_is_refused_at_its_first_block() {
    let mut committee = three_missed_one_certificate_over(2 * PIECE);
    let forged = |_: &Request, response| match response {
        Response::Ancestors { mut blocks } => {
            // Well formed, and linked from the second on.
            let mut child: Option<Digest> = None;
            for block in blocks.iter_mut().rev() {
                let mut other = Block::clone(block);
                other.header.time = other.header.time.saturating_add(1);
                other.header.parent = child.unwrap_or(other.header.parent);
                child = Some(other.hash());
                *block = Arc::new(other);
            }
            Some(Response::Ancestors { blocks })
        }
        other => Some(other),
    };
    heal(&mut committee, liar(forged));
    committee.run(SECOND * 30);
    assert_three_is_there(&committee);
    assert_blamed(&committee, Some(Fault::BadAnswer));
}

#[test]
fn a_block_with_another_body_is_refused_on_the_way_down() {
    let mut committee = three_missed_one_certificate_over(2 * PIECE);
    let spoilt = |_: &Request, response| match response {
        Response::Ancestors { mut blocks } => {
            if let Some(block) = blocks.get_mut(3) {
                let mut other = Block::clone(block);
                let lane = LaneId { epoch: other.header.epoch, owner: LIAR };
                let (seq, digest) = (LaneSeq::new(1), Digest::ZERO);
                other.body = Body::new(vec![LaneTip { lane, seq, digest, bytes_through: 1 }]);
                *block = Arc::new(other);
            }
            Some(Response::Ancestors { blocks })
        }
        other => Some(other),
    };
    heal(&mut committee, liar(spoilt));
    committee.run(SECOND * 30);
    assert_three_is_there(&committee);
    assert_blamed(&committee, Some(Fault::BadAnswer));
}

#[test]
fn one_block_at_a_time_is_little_but_no_fault() {
    let mut committee = three_missed_one_certificate_over(2 * PIECE);
    let stingy = |_: &Request, response| match response {
        Response::Ancestors { mut blocks } => {
            blocks.truncate(1);
            Some(Response::Ancestors { blocks })
        }
        other => Some(other),
    };
    heal(&mut committee, liar(stingy));
    committee.run(SECOND * 20);
    assert_three_is_there(&committee);
    assert_blamed(&committee, None);
}

#[test]
fn an_answer_of_another_kind_is_refused() {
    let mut committee = three_missed_one_certificate_over(2 * PIECE);
    heal(&mut committee, liar(|_, _| Some(Response::Headers { headers: Vec::new() })));
    committee.run(SECOND * 30);
    assert_three_is_there(&committee);
    assert_blamed(&committee, Some(Fault::BadAnswer));
}

#[test]
fn a_forged_cover_is_refused() {
    let mut committee = three_missed_one_certificate_over(2 * PIECE);
    let forged = |_: &Request, response| match response {
        Response::Chain { cert: Some(cert), .. } => {
            let mut qc = cert.as_qc().clone();
            qc.signature = garbage();
            qc.vote.block = Digest::from_bytes([7; 32]);
            qc.vote.height = qc.vote.height.saturating_sub(1);
            Some(Response::Chain { blocks: Vec::new(), cert: CommitCert::new(qc) })
        }
        other => Some(other),
    };
    heal(&mut committee, liar(forged));
    committee.run(SECOND * 30);
    assert_three_is_there(&committee);
    assert_blamed(&committee, Some(Fault::BadSignature));
}

/// 3 is away while the others commit `seconds` long, each block with a certificate of its own or
/// the next one's.
fn three_missed_many_certificates(seconds: u32) -> (Committee, CommitCert) {
    let mut committee = Committee::new(&[1, 1, 1, 1]);
    committee.run(SECOND);
    committee.filter = all_but(AWAY);
    committee.run(SECOND * seconds);
    let last = committee.committed[0].last().expect("it committed");
    let cert = (*last.cert).clone();
    (committee, cert)
}

#[test]
fn a_far_cover_is_not_gone_down_from_where_others_have_pieces() {
    let (mut committee, far) = three_missed_many_certificates(2_000);
    let high = far.vote().height;
    assert!(high > Height::new(3 * PIECE), "only {high} blocks");
    let lie = move |request: &Request, response| match request {
        Request::Chain { .. } => Some(Response::Chain { blocks: vec![], cert: Some(far.clone()) }),
        _ => Some(response),
    };
    heal(&mut committee, liar(lie));
    committee.run(SECOND * 30);
    assert_three_is_there(&committee);
    assert_eq!(went_down(&committee), 0);
    let stored_under = |at: usize| committee.committed[usize::from(AWAY)][at].cert.vote().height;
    assert!(stored_under(100) < Height::new(2 * PIECE), "the far certificate is not stored below");
}

#[test]
fn a_way_down_that_nobody_serves_is_given_up_for_pieces() {
    let (mut committee, far) = three_missed_many_certificates(400);
    let asked: Rc<RefCell<u32>> = Rc::default();
    let seen = Rc::clone(&asked);
    let refused = Rc::new(RefCell::new(true));
    let refuse = Rc::clone(&refused);
    // Everybody claims the far cover and shows none of its blocks, for a time.
    committee.filter = Box::new(|_, _, _| true);
    committee.answer_filter = Box::new(move |asker, _, request, response| match request {
        _ if asker.get() != AWAY || !*refuse.borrow() => Some(response),
        Request::Chain { .. } => Some(Response::Chain { blocks: vec![], cert: Some(far.clone()) }),
        Request::Ancestors { .. } => {
            *seen.borrow_mut() += 1;
            Some(Response::Ancestors { blocks: Vec::new() })
        }
        _ => Some(response),
    });
    committee.run(SECOND * 10);
    let fruitless = *asked.borrow();
    assert!(fruitless > 2, "{fruitless} questions on the way down");
    // Now nobody serves blocks by hash, and everybody has pieces.
    refused.replace(false);
    let pieces_only: AnswerFilter = Box::new(|_, _, request, response| match request {
        Request::Ancestors { .. } => None,
        _ => Some(response),
    });
    committee.answer_filter = pieces_only;
    committee.run(SECOND * 60);
    assert_three_is_there(&committee);
}

#[test]
fn a_way_down_to_another_head_shows_that_agreement_is_broken() {
    let (mut committee, _) = three_missed_many_certificates(10);
    let chain = blocks(&committee.set, 300);
    let cover = cert(&committee.set, chain.last().expect("some"));
    heal(&mut committee, Box::new(|_, _, _, response| Some(response)));
    // A third of the stake and more made another chain final, and everybody shows that one.
    committee.filter = all_but(AWAY);
    committee.answer_filter = Box::new(move |_, _, request, _| match request {
        Request::Chain { .. } => {
            Some(Response::Chain { blocks: vec![], cert: Some((*cover).clone()) })
        }
        Request::Ancestors { tip, above } => {
            let find = |hash: &Digest| Ok::<_, Infallible>(find_in(&chain, hash));
            let Ok(response) = Response::ancestors(tip, *above, find);
            Some(response)
        }
        _ => None,
    });
    let commit = committee.committed[0].last().expect("it committed").cert.clone();
    let message = Message::Commit(commit);
    let input = Input::Message(Received { from: LIAR, message });
    committee.inject(ValidatorIndex::new(AWAY), input, Duration::ZERO);
    committee.run(SECOND * 10);
    let broken = |note: &Note| matches!(note, Note::AgreementBroken { .. });
    assert!(count(&committee, AWAY, broken) > 0);
    assert!(!committee.status(AWAY).voting);
}

fn find_in(chain: &[Arc<Block>], hash: &Digest) -> Option<Arc<Block>> {
    chain.iter().find(|block| block.hash() == *hash).cloned()
}

#[test]
fn a_cover_beyond_the_bound_is_not_used() {
    let (mut committee, mut far) = three_missed_many_certificates(1_000);
    let mut qc = far.as_qc().clone();
    qc.vote.height = qc.vote.height.saturating_add(SYNC_COVER_BLOCKS_MAX);
    far = CommitCert::new(qc).expect("of commit kind");
    let lie = move |request: &Request, response| match request {
        Request::Chain { .. } => Some(Response::Chain { blocks: vec![], cert: Some(far.clone()) }),
        _ => Some(response),
    };
    heal(&mut committee, liar(lie));
    committee.run(SECOND * 20);
    let dropped = |note: &Note| matches!(note, Note::Dropped { from, .. } if *from == LIAR);
    assert!(count(&committee, AWAY, dropped) > 0);
    assert_three_is_there(&committee);
}

#[test]
fn ancestors_that_are_not_final_are_answered_from_memory() {
    let mut committee = Committee::new(&[1, 1, 1, 1]);
    committee.filter = Box::new(|_, _, message| !super::is_commit_vote(message));
    committee.run(SECOND * 20);
    assert!(committee.chain(0).is_empty(), "nothing is final");
    let tip = committee.notes[0].iter().rev().find_map(|note| match note {
        Note::Voted { block, .. } => Some(*block),
        _ => None,
    });
    let tip = tip.expect("it voted");
    let now = committee.now();
    let request = Request::Ancestors { tip, above: Height::new(5) };
    let input = Input::Request { from: LIAR, token: RequestToken(1), request };
    let outputs = committee.replicas[0].as_mut().expect("it is up").step(now, input);
    let [Output::Respond(_, _, Response::Ancestors { blocks })] = outputs.as_slice() else {
        panic!("{outputs:?}")
    };
    assert_eq!(blocks[0].hash(), tip);
    let heights: Vec<u64> = blocks.iter().map(|block| block.header.height.get()).collect();
    let expected: Vec<u64> = (6..=heights[0]).rev().collect();
    assert!(expected.len() > 20, "{heights:?}");
    assert_eq!(heights, expected);
}
