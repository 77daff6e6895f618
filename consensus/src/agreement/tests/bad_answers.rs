//! Answers of members that lie, and questions that make no sense: nothing becomes final by them,
//! and what is wrong is reported.

use super::scene::{Answer, Forgery, SIGNED, Scene, before_a_proposal, overheard};
use super::{Arc, Fault, Height, Message, SECOND, ValidatorIndex, VoteKind, all_but};
use crate::input::{AskId, Input, RequestToken, Timer};
use crate::output::Output;
use chorale_types::batch::{BatchId, LaneTip};
use chorale_types::block::{Block, CommittedBlock};
use chorale_types::certificate::CommitCert;
use chorale_types::crypto::bls::BlsSignature;
use chorale_types::crypto::hash::Digest;
use chorale_types::ids::{Epoch, LaneId, LaneSeq};
use chorale_types::message::{Request, Response, VoteMessage};
use chorale_types::vote::Vote;

/// A member that lags, the question it asks, and the final blocks above its head.
struct Behind {
    scene: Scene,
    from: ValidatorIndex,
    id: AskId,
    above: Vec<CommittedBlock>,
}

fn chain(blocks: &[CommittedBlock], cert: &CommitCert) -> Response {
    let blocks = blocks.iter().map(|block| Arc::clone(&block.block)).collect();
    Response::Chain { blocks, cert: Some(cert.clone()) }
}

fn tip_of_nothing(epoch: Epoch) -> LaneTip {
    let lane = LaneId { epoch, owner: ValidatorIndex::ZERO };
    LaneTip { lane, seq: LaneSeq::new(1), digest: Digest::ZERO, bytes_through: 1 }
}

impl Behind {
    fn new() -> Self {
        let (mut committee, said) = overheard();
        committee.filter = all_but(3);
        committee.run(SECOND * 20);
        let mut scene = Scene::of(&committee, ValidatorIndex::new(3), &said);
        let head = committee.chain(3).len();
        let above = committee.committed[0][head..].to_vec();
        assert!(above.len() > 20, "{}", committee.summary());
        let last = Arc::clone(&above.last().expect("some").cert);
        let answer = scene.hear(ValidatorIndex::new(0), Message::Commit(last));
        let ask = answer.done.iter().find_map(|output| match output {
            Output::Ask(to, id, Request::Chain { from }) => Some((*to, *id, *from)),
            _ => None,
        });
        let (from, id, first) = ask.expect("it asks for the chain");
        assert_eq!(first, above[0].block.header.height);
        Self { scene, from, id, above }
    }

    fn take(&self, response: Option<Response>) -> (Scene, Answer) {
        let mut after = self.scene.clone();
        let answer = after.step(Input::Response { from: self.from, id: self.id, response });
        (after, answer)
    }

    /// Asserts that the answer makes nothing final, and that the next member is asked then.
    fn assert_useless(&self, what: &str, response: Option<Response>, faults: &[Fault]) {
        let (mut after, answer) = self.take(response);
        let faults = faults.iter().map(|fault| (self.from, *fault)).collect();
        assert_eq!(answer, Answer { faults, ..Answer::default() }, "{what}");
        self.scene.assert_no_progress(&after, what);
        let again = after.step(Input::Timer(Timer::Sync));
        let asks_another = |output: &Output| match output {
            Output::Ask(to, _, Request::Chain { .. }) => *to != self.from,
            _ => false,
        };
        assert!(again.done.iter().any(asks_another), "{what}: nobody else is asked");
    }

    fn cert(&self, at: usize) -> &CommitCert {
        &self.above[at].cert
    }
}

#[test]
fn a_part_of_the_chain_with_its_certificate_is_taken() {
    let behind = Behind::new();
    for count in [1, 5, behind.above.len()] {
        let part = chain(&behind.above[..count], behind.cert(count - 1));
        let (after, answer) = behind.take(Some(part));
        assert_eq!(answer.faults, []);
        let head = behind.above[count - 1].block.header.height;
        assert_eq!(after.replica.status().height, head);
    }
}

#[test]
fn no_answer_and_an_empty_one_are_no_fault_and_another_is_asked() {
    let behind = Behind::new();
    behind.assert_useless("none", None, &[]);
    let empty = Response::Chain { blocks: Vec::new(), cert: None };
    behind.assert_useless("empty", Some(empty), &[]);
}

#[test]
fn a_chain_that_is_not_linked_from_the_head_to_its_certificate_is_reported() {
    let behind = Behind::new();
    let (above, cert) = (&behind.above, behind.cert(4));
    let bad = |what: &str, response: Response| {
        behind.assert_useless(what, Some(response), &[Fault::BadAnswer]);
    };
    let mut reversed = above[..5].to_vec();
    reversed.reverse();
    bad("in falling order", chain(&reversed, cert));
    let mut swapped = above[..5].to_vec();
    swapped.swap(1, 2);
    bad("two exchanged", chain(&swapped, cert));
    let mut twice = above[..5].to_vec();
    twice.insert(1, twice[0].clone());
    bad("one twice", chain(&twice, cert));
    bad("the first missing", chain(&above[1..5], cert));
    let mut gap = above[..5].to_vec();
    gap.remove(2);
    bad("one missing", chain(&gap, cert));
    bad("shorter than its certificate", chain(&above[..4], cert));
    bad("longer than its certificate", chain(&above[..6], cert));
    let mut hollow = above[..5].to_vec();
    let mut block = Block::clone(&hollow[2].block);
    block.body.tips.push(tip_of_nothing(behind.scene.set.epoch()));
    assert_eq!(block.hash(), hollow[2].hash, "its id does not cover the body itself");
    hollow[2].block = Arc::new(block);
    bad("another body under a header", chain(&hollow, cert));
}

#[test]
fn an_answer_to_another_question_is_reported() {
    let behind = Behind::new();
    let block = Some(Arc::clone(&behind.above[0].block));
    let others = [
        Response::Block { block },
        Response::Batches { batches: Vec::new() },
        Response::Availability { cert: None },
        Response::Headers { headers: Vec::new() },
    ];
    for response in others {
        let what = format!("{response:?}");
        behind.assert_useless(&what, Some(response), &[Fault::BadAnswer]);
    }
}

#[test]
fn blocks_below_the_head_are_dropped_without_blame() {
    // The head may have moved on while the answer was on its way.
    let behind = Behind::new();
    let (mut after, _) = behind.take(Some(chain(&behind.above[..5], behind.cert(4))));
    let again = after.step(Input::Timer(Timer::Sync));
    let id = again.done.iter().find_map(|output| match output {
        Output::Ask(from, id, Request::Chain { .. }) => Some((*from, *id)),
        _ => None,
    });
    let (from, id) = id.unwrap_or((behind.from, AskId(u64::MAX)));
    let before = after.clone();
    let response = Some(chain(&behind.above[..5], behind.cert(4)));
    let answer = after.step(Input::Response { from, id, response });
    assert_eq!(answer, Answer::default());
    before.assert_no_progress(&after, "old blocks");
}

#[test]
fn a_chain_whose_certificate_is_forged_is_reported() {
    let behind = Behind::new();
    let good = behind.cert(4).as_qc();
    let changes: [Forgery<'_>; 4] = [
        ("signature", &|qc| qc.signature = BlsSignature::from_bytes([0xff; 96])),
        ("signers", &|qc| qc.signers = behind.scene.set.no_signers()),
        ("epoch", &|qc| qc.vote.epoch = Epoch::new(2)),
        ("view", &|qc| qc.vote.view = qc.vote.view.next()),
    ];
    for (what, change) in changes {
        let mut forged = good.clone();
        change(&mut forged);
        let forged = CommitCert::new(forged).expect("of commit votes");
        let response = chain(&behind.above[..5], &forged);
        behind.assert_useless(what, Some(response), &[Fault::BadSignature]);
    }
}

#[test]
fn blocks_of_another_chain_are_reported_although_they_are_linked() {
    let behind = Behind::new();
    let mut parent = behind.above[0].block.header.parent;
    let blocks: Vec<Arc<Block>> = behind.above[..5]
        .iter()
        .map(|block| {
            let mut block = Block::clone(&block.block);
            (block.header.chain, block.header.parent) = (Digest::from_bytes([0xcc; 32]), parent);
            parent = block.hash();
            Arc::new(block)
        })
        .collect();
    let mut qc = behind.cert(4).as_qc().clone();
    qc.vote.block = parent;
    let cert = CommitCert::new(qc);
    let response = Response::Chain { blocks, cert };
    behind.assert_useless("another chain", Some(response), &[Fault::BadSignature]);
}

#[test]
fn an_answer_that_nobody_asked_for_leaves_no_trace() {
    let behind = Behind::new();
    let good = chain(&behind.above[..5], behind.cert(4));
    for id in [0, u64::MAX - 1, u64::MAX] {
        let mut after = behind.scene.clone();
        let response = Some(good.clone());
        let answer = after.step(Input::Response { from: behind.from, id: AskId(id), response });
        assert_eq!(answer, Answer::default());
        behind.scene.assert_same(&after, "not asked for");
    }
    let (mut after, _) = behind.take(None);
    let before = after.clone();
    let again = Input::Response { from: behind.from, id: behind.id, response: Some(good) };
    assert_eq!(after.step(again), Answer::default(), "a second answer to one question");
    before.assert_same(&after, "a second answer to one question");
}

/// A member that asks for the block of a checked certificate, the question, and the block.
fn wants_a_block() -> (Scene, (ValidatorIndex, AskId), Arc<Block>) {
    let (mut scene, _, proposal) = before_a_proposal();
    let block = proposal.block.expect("a fresh block");
    let vote = Vote {
        epoch: scene.set.epoch(),
        view: proposal.view,
        height: block.header.height,
        block: block.hash(),
    };
    let (kind, ordered_height) = (VoteKind::Prepare, Height::ZERO);
    let message = Message::Vote(VoteMessage { kind, vote, signature: SIGNED, ordered_height });
    let outputs = scene.set.indices().flat_map(|from| scene.hear(from, message.clone()).done);
    let asked = outputs.filter_map(|output| match output {
        Output::Ask(to, id, Request::Block { .. }) => Some((to, id)),
        _ => None,
    });
    let asked: Vec<_> = asked.collect();
    assert!(asked.len() >= 2, "stake that contains an honest member is asked");
    (scene, asked[0], block)
}

#[test]
fn a_block_that_is_not_the_one_asked_for_is_reported() {
    let (scene, (from, id), block) = wants_a_block();
    let mut other = Block::clone(&block);
    other.header.time = other.header.time.saturating_add(1);
    let mut hollow = Block::clone(&block);
    hollow.body.tips.push(tip_of_nothing(scene.set.epoch()));
    let bad = [
        Response::Block { block: Some(Arc::new(other)) },
        Response::Block { block: Some(Arc::new(hollow)) },
        Response::Chain { blocks: Vec::new(), cert: None },
        Response::Headers { headers: Vec::new() },
    ];
    for response in bad {
        let what = format!("{response:?}");
        let mut after = scene.clone();
        let answer = after.step(Input::Response { from, id, response: Some(response) });
        assert_eq!(answer, Answer::fault(from, Fault::BadAnswer), "{what}");
        scene.assert_no_progress(&after, &what);
    }
    for response in [None, Some(Response::Block { block: None })] {
        let mut after = scene.clone();
        let answer = after.step(Input::Response { from, id, response });
        assert_eq!(answer, Answer::default(), "to have none is no fault");
        scene.assert_no_progress(&after, "no block");
    }
    let mut after = scene.clone();
    let response = Some(Response::Block { block: Some(block) });
    assert_eq!(after.step(Input::Response { from, id, response }).faults, [], "the good one");
}

#[test]
fn a_thousand_questions_at_once_are_handed_on_and_leave_no_trace() {
    let (committee, said) = overheard();
    let scene = Scene::of(&committee, ValidatorIndex::new(0), &said);
    let from = ValidatorIndex::new(2);
    let lane = LaneId { epoch: Epoch::MAX, owner: ValidatorIndex::MAX };
    let tip = BatchId { lane, seq: LaneSeq::new(5), digest: Digest::ZERO };
    let odd = [
        Request::Chain { from: Height::ZERO },
        Request::Chain { from: Height::MAX },
        Request::Block { hash: Digest::ZERO },
        Request::Headers { tip, above: LaneSeq::MAX },
        Request::Headers { tip: BatchId { seq: LaneSeq::MAX, ..tip }, above: LaneSeq::ZERO },
        Request::Batches { ids: Vec::new() },
        Request::Availability { id: BatchId { seq: LaneSeq::MAX, ..tip } },
    ];
    let mut after = scene.clone();
    for token in 0..1_000 {
        for request in odd.clone() {
            let is_kept = matches!(request, Request::Availability { .. });
            let token = RequestToken(token);
            let input = Input::Request { from, token, request: request.clone() };
            let expected = if is_kept {
                Output::Respond(from, token, Response::Availability { cert: None })
            } else {
                Output::Serve(from, token, request)
            };
            assert_eq!(after.step(input).done, [expected]);
        }
    }
    scene.assert_same(&after, "a thousand questions");
}
