//! Proposals that an honest leader never makes. What is wrong in form is reported and leaves no
//! trace; what is wrong only on its parent is not voted for, and promises nothing.

use super::scene::{Answer, Forgery, Scene, before_a_fallback, before_a_proposal};
use super::{Arc, Fault, Height, Message, ValidatorIndex, View, VoteKind};
use crate::agreement::leaders::Leaders;
use crate::agreement::safety::Refused;
use chorale_types::batch::LaneTip;
use chorale_types::block::{Block, BlockError, Body, FrontierError};
use chorale_types::certificate::{CommitCert, EntryCert, QuorumCert};
use chorale_types::crypto::bls::BlsSignature;
use chorale_types::crypto::ed25519::Signature;
use chorale_types::crypto::hash::Digest;
use chorale_types::ids::{Epoch, LaneId, LaneSeq};
use chorale_types::message::{Proposal, ProposalKind};
use chorale_types::time::Timestamp;

const TEN_YEARS_MS: u64 = 10 * 365 * 24 * 3_600 * 1_000;

type Change<'a> = &'a dyn Fn(&mut Block);

fn with_block(good: &Proposal, change: Change<'_>) -> Proposal {
    let mut block = Block::clone(good.block.as_ref().expect("a fresh block"));
    change(&mut block);
    Proposal { block: Some(Arc::new(block)), ..good.clone() }
}

/// A body of one tip of this lane, and the header that names it.
fn with_tips(block: &mut Block, tips: Vec<LaneTip>) {
    block.body = Body::new(tips);
    block.header.body_root = block.body.root();
}

fn tip(epoch: u64, owner: u16, seq: u64, bytes_through: u64) -> LaneTip {
    let lane = LaneId { epoch: Epoch::new(epoch), owner: ValidatorIndex::new(owner) };
    let digest = Digest::from_bytes([6; 32]);
    LaneTip { lane, seq: LaneSeq::new(seq), digest, bytes_through }
}

fn malformed(leader: ValidatorIndex, why: Refused) -> Answer {
    Answer { refused: vec![why], ..Answer::fault(leader, Fault::Malformed) }
}

fn assert_malformed(scene: &Scene, leader: ValidatorIndex, bad: Proposal, why: Refused) {
    let what = format!("{why}");
    let message = (leader, Message::Proposal(Arc::new(bad)));
    scene.assert_refused(&what, message, &malformed(leader, why));
}

const fn unjustified(why: &'static str) -> Refused {
    Refused::NotJustified { why }
}

#[test]
fn the_good_proposal_would_be_voted_for() {
    for (mut scene, leader, good) in [before_a_proposal(), before_a_fallback()] {
        let answer = scene.hear(leader, Message::Proposal(Arc::new(good)));
        assert!(answer.faults.is_empty() && answer.refused.is_empty(), "{answer:?}");
        let voted = scene.replica.vote_record().last_voted_view;
        assert_eq!(voted, scene.replica.status().view, "else nothing here shows anything");
    }
}

#[test]
fn a_proposal_of_another_epoch_view_or_sender_is_reported_or_dropped() {
    let (scene, leader, good) = before_a_proposal();
    let of = |proposal: Proposal| Message::Proposal(Arc::new(proposal));
    for epoch in [Epoch::ZERO, Epoch::new(2), Epoch::MAX] {
        let fault = Answer::fault(leader, Fault::WrongContext);
        let bad = Proposal { epoch, ..good.clone() };
        scene.assert_refused(&format!("epoch {epoch}"), (leader, of(bad)), &fault);
    }
    for view in [View::ZERO, good.view.previous().expect("above 0")] {
        let bad = Proposal { view, ..good.clone() };
        scene.assert_refused("a view gone by", (leader, of(bad)), &Answer::default());
    }
    for from in scene.set.indices().filter(|from| *from != leader) {
        let fault = Answer::fault(from, Fault::NotLeader);
        scene.assert_refused("not the leader", (from, of(good.clone())), &fault);
    }
    let leaders = Leaders::new(&scene.set);
    for view in [good.view.next(), View::new(u64::MAX - 1), View::MAX] {
        let bad = Proposal { view, ..good.clone() };
        for from in scene.set.indices() {
            let expected = if leaders.leader(view) == from {
                malformed(from, Refused::Header { what: "view" })
            } else {
                Answer::fault(from, Fault::NotLeader)
            };
            scene.assert_refused(&format!("view {view}"), (from, of(bad.clone())), &expected);
        }
    }
    let signature = Signature::from_bytes([9; 64]);
    let forged = Proposal { signature, ..good };
    let fault = Answer::fault(leader, Fault::BadSignature);
    scene.assert_refused("signed by another", (leader, of(forged)), &fault);
}

#[test]
fn a_block_whose_header_does_not_fit_is_malformed() {
    let (scene, leader, good) = before_a_proposal();
    let bad = |why: Refused, change: Change<'_>| {
        assert_malformed(&scene, leader, with_block(&good, change), why);
    };
    let header = |what| Refused::Header { what };
    bad(header("chain"), &|b| b.header.chain = Digest::ZERO);
    for epoch in [0, 2, u64::MAX] {
        bad(header("epoch"), &|b| b.header.epoch = Epoch::new(epoch));
    }
    bad(header("epoch info"), &|b| b.header.epoch_info_hash = Digest::ZERO);
    for view in [View::ZERO, good.view.next(), View::MAX] {
        bad(header("view"), &|b| b.header.orig_view = view);
    }
    for proposer in (0..5).chain([u16::MAX]).filter(|at| *at != leader.get()) {
        bad(header("proposer"), &|b| b.header.proposer = ValidatorIndex::new(proposer));
    }
    for lane in [tip(0, 0, 1, 1), tip(2, 0, 1, 1), tip(1, 4, 1, 1), tip(1, u16::MAX, 1, 1)] {
        bad(header("lane"), &|b| with_tips(b, vec![lane]));
    }
}

#[test]
fn a_block_of_wrong_form_is_malformed() {
    let (scene, leader, good) = before_a_proposal();
    let bad = |why: BlockError, change: Change<'_>| {
        assert_malformed(&scene, leader, with_block(&good, change), why.into());
    };
    for got in [0, 2, u8::MAX] {
        bad(BlockError::WrongVersion { got }, &|b| b.header.version = got);
    }
    bad(BlockError::GenesisHeight, &|b| b.header.height = Height::ZERO);
    let height = good.block.as_ref().expect("a fresh block").header.height;
    for ordered in [height, Height::MAX] {
        let why = BlockError::OrderedAhead { ordered, height };
        bad(why, &|b| b.header.ordered_height = ordered);
    }
    bad(BlockError::UnexpectedReveal, &|b| {
        b.header.reveal = Some(BlsSignature::from_bytes([1; 96]));
    });
    bad(BlockError::WrongBody, &|b| b.header.body_root = Digest::ZERO);
    bad(BlockError::WrongBody, &|b| b.body = Body::new(vec![tip(1, 0, 1, 1)]));
    let lane = tip(1, 1, 1, 1);
    bad(BlockError::Unsorted, &|b| with_tips(b, vec![lane, lane]));
    bad(BlockError::Unsorted, &|b| with_tips(b, vec![lane, tip(1, 0, 1, 1)]));
}

#[test]
fn a_parent_that_is_unknown_or_the_block_itself_is_malformed() {
    let (scene, leader, good) = before_a_proposal();
    let own = good.block_hash();
    let not_parent = unjustified("the certificate is not the parent's");
    for parent in [Digest::ZERO, Digest::from_bytes([8; 32]), own] {
        let bad = with_block(&good, &|b| b.header.parent = parent);
        assert_malformed(&scene, leader, bad, not_parent);
    }
    // The certificate names the block itself: nothing can name itself as its parent, for its id
    // covers the parent's.
    let ProposalKind::Normal { qc } = &good.kind else { panic!("a normal proposal") };
    let mut of_itself = qc.clone();
    of_itself.vote.block = own;
    let kind = ProposalKind::Normal { qc: of_itself };
    assert_malformed(&scene, leader, Proposal { kind, ..good.clone() }, not_parent);
    let jump = unjustified("the height does not follow the parent's");
    let height = good.block.as_ref().expect("a fresh block").header.height;
    for height in [height.next(), height.saturating_add(1_000), Height::new(u64::MAX - 1)] {
        let bad = with_block(&good, &|b| b.header.height = height);
        assert_malformed(&scene, leader, bad, jump);
    }
}

#[test]
fn a_certificate_that_does_not_justify_is_malformed() {
    let (scene, leader, good) = before_a_proposal();
    let ProposalKind::Normal { qc } = &good.kind else { panic!("a normal proposal") };
    let bad = |kind: ProposalKind, why: &'static str| {
        assert_malformed(&scene, leader, Proposal { kind, ..good.clone() }, unjustified(why));
    };
    let at = |view: View| {
        let mut qc: QuorumCert = qc.clone();
        qc.vote.view = view;
        qc
    };
    let not_before = "the certificate is not of the view before";
    let two_before = qc.view().previous().expect("above 0");
    for view in [View::ZERO, two_before, good.view, View::MAX] {
        bad(ProposalKind::Normal { qc: at(view) }, not_before);
    }
    let not_the_start = "an epoch starts at view 1 from the block before it";
    bad(ProposalKind::EpochStart { start: qc.clone() }, not_the_start);
    bad(ProposalKind::EpochStart { start: at(View::ZERO) }, not_the_start);
    let parent = "the certificate is not the parent's";
    bad(ProposalKind::EpochStart { start: scene.set.start().clone() }, parent);
    bad(ProposalKind::Normal { qc: scene.set.start().clone() }, parent);
    let parent = qc.vote.block;
    bad(ProposalKind::Optimistic { parent }, "optimistic proposals are not in force");
    let both = "a fresh proposal has a block and a re-proposal has none";
    let by = EntryCert::Qc(qc.clone());
    bad(ProposalKind::Repropose { by: by.clone(), block: parent }, both);
    let without = Proposal { block: None, ..good.clone() };
    assert_malformed(&scene, leader, without.clone(), unjustified(both));
    let again = Proposal { kind: ProposalKind::Repropose { by, block: parent }, ..without };
    let why = "only an epoch's last block is proposed again by its certificate";
    assert_malformed(&scene, leader, again, unjustified(why));
}

#[test]
fn a_block_on_genesis_is_malformed_once_the_chain_has_begun() {
    let (scene, leader, good) = before_a_proposal();
    let start = scene.set.start().clone();
    let on_genesis = with_block(&good, &|b| {
        b.header.parent = start.vote.block;
        b.header.height = Height::new(1);
        b.header.ordered_height = Height::ZERO;
    });
    let normal = ProposalKind::Normal { qc: start.clone() };
    let why = unjustified("the certificate is not of the view before");
    assert_malformed(&scene, leader, Proposal { kind: normal, ..on_genesis.clone() }, why);
    let epoch_start = ProposalKind::EpochStart { start };
    let why = unjustified("an epoch starts at view 1 from the block before it");
    assert_malformed(&scene, leader, Proposal { kind: epoch_start, ..on_genesis }, why);
}

#[test]
fn a_fallback_that_its_timeouts_do_not_allow_is_malformed() {
    let (scene, leader, good) = before_a_fallback();
    let ProposalKind::Fallback { tc, parent_qc } = &good.kind else { panic!("a fallback") };
    let bad = |kind: ProposalKind, why: &'static str| {
        assert_malformed(&scene, leader, Proposal { kind, ..good.clone() }, unjustified(why));
    };
    for view in [View::ZERO, good.view, View::MAX] {
        let (mut tc, parent_qc) = (tc.clone(), parent_qc.clone());
        tc.view = view;
        bad(ProposalKind::Fallback { tc, parent_qc }, "the view before was not given up");
    }
    let parent_at = |view: View| {
        let (tc, mut parent_qc) = (tc.clone(), parent_qc.clone());
        parent_qc.vote.view = view;
        ProposalKind::Fallback { tc, parent_qc }
    };
    for view in [good.view, View::MAX] {
        bad(parent_at(view), "the parent's certificate is of this view or a later one");
    }
    for view in [View::ZERO, tc.high_qc.view().previous().expect("above 0")] {
        bad(parent_at(view), "the parent lies below the highest certificate reported");
    }
    let by = EntryCert::Tc(tc.clone());
    for block in [Digest::ZERO, parent_qc.vote.block] {
        let kind = ProposalKind::Repropose { by: by.clone(), block };
        let again = Proposal { kind, block: None, ..good.clone() };
        let why = unjustified("the re-proposed block is not supported");
        assert_malformed(&scene, leader, again, why);
    }
}

#[test]
fn a_proposal_with_a_forged_certificate_is_reported_and_forgotten() {
    let fault = |leader| Answer::fault(leader, Fault::BadSignature);
    let (scene, leader, good) = before_a_proposal();
    let ProposalKind::Normal { qc } = &good.kind else { panic!("a normal proposal") };
    let of = |proposal: Proposal| (leader, Message::Proposal(Arc::new(proposal)));
    let changes: [Forgery<'_>; 4] = [
        ("signature", &|qc| qc.signature = BlsSignature::from_bytes([0xff; 96])),
        ("signers", &|qc| qc.signers = scene.set.no_signers()),
        ("kind", &|qc| qc.kind = VoteKind::Commit),
        ("epoch", &|qc| qc.vote.epoch = Epoch::new(2)),
    ];
    for (what, change) in changes {
        let mut forged = qc.clone();
        change(&mut forged);
        let kind = ProposalKind::Normal { qc: forged.clone() };
        let bad = Proposal { kind, ..good.clone() };
        scene.assert_refused(what, of(bad), &fault(leader));
        forged.kind = VoteKind::Commit;
        let ordered_cert = CommitCert::new(forged);
        let bad = Proposal { ordered_cert, ..good.clone() };
        scene.assert_refused(&format!("ordered: {what}"), of(bad), &fault(leader));
    }
    let (scene, leader, good) = before_a_fallback();
    let ProposalKind::Fallback { tc, parent_qc } = &good.kind else { panic!("a fallback") };
    let mut forged = tc.clone();
    forged.groups[0].signers = scene.set.no_signers();
    let kind = ProposalKind::Fallback { tc: forged, parent_qc: parent_qc.clone() };
    let bad = (leader, Message::Proposal(Arc::new(Proposal { kind, ..good.clone() })));
    scene.assert_refused("timeouts of nobody", bad, &fault(leader));
}

/// Asserts that a block of the right form is not voted for, and promises nothing.
fn assert_no_vote(change: Change<'_>, why: Refused) {
    assert_no_vote_for(|good| with_block(good, change), why);
}

fn assert_no_vote_for(change: impl FnOnce(&Proposal) -> Proposal, why: Refused) {
    let (scene, leader, good) = before_a_proposal();
    let mut after = scene.clone();
    let bad = change(&good);
    let answer = after.hear(leader, Message::Proposal(Arc::new(bad)));
    assert_eq!(answer, Answer { refused: vec![why], ..Answer::default() });
    scene.assert_no_progress(&after, &format!("{why}"));
}

#[test]
fn a_block_whose_time_lies_years_off_is_not_voted_for() {
    let order = Refused::Header { what: "height, time or ordered height" };
    assert_no_vote(&|b| b.header.time = Timestamp::from_millis(0), order);
    let past = |b: &mut Block| {
        let time = b.header.time.as_millis().saturating_sub(TEN_YEARS_MS);
        b.header.time = Timestamp::from_millis(time);
    };
    assert_no_vote(&past, order);
    let future = |b: &mut Block| b.header.time = b.header.time.saturating_add(TEN_YEARS_MS);
    assert_no_vote(&future, Refused::Time);
    assert_no_vote(&|b| b.header.time = Timestamp::from_millis(u64::MAX), Refused::Time);
}

#[test]
fn a_tip_that_does_not_rise_or_orders_too_much_is_not_voted_for() {
    let lane = tip(1, 0, 1, 1).lane;
    let with =
        |seq: u64, bytes: u64| move |b: &mut Block| with_tips(b, vec![tip(1, 0, seq, bytes)]);
    assert_no_vote(&with(0, 1), FrontierError::NotAbove { lane }.into());
    assert_no_vote(&with(1, 0), FrontierError::BytesFall { lane }.into());
    let max = before_a_proposal().0.set.params().block_bytes_max;
    for bytes in [max + 1, u64::MAX] {
        assert_no_vote(&with(1, bytes), FrontierError::TooManyBytes { bytes, max }.into());
        assert_no_vote(&with(u64::MAX, bytes), FrontierError::TooManyBytes { bytes, max }.into());
    }
}

#[test]
fn an_ordered_pair_that_is_not_shown_or_not_known_is_not_voted_for() {
    let another = Refused::Ordered { what: "another root is known there" };
    assert_no_vote(&|b| b.header.ordered_root = Digest::ZERO, another);
    let unshown = Refused::Ordered { what: "no commit certificate for the ordered height" };
    assert_no_vote_for(|good| Proposal { ordered_cert: None, ..good.clone() }, unshown);
    let backwards = Refused::Header { what: "height, time or ordered height" };
    assert_no_vote(&|b| b.header.ordered_height = Height::ZERO, backwards);
}

#[test]
fn a_second_proposal_in_a_view_is_reported_and_the_first_stays() {
    let (mut scene, leader, good) = before_a_proposal();
    let twin = with_block(&good, &|b| b.header.time = b.header.time.saturating_add(1));
    scene.hear(leader, Message::Proposal(Arc::new(good)));
    let fault = Answer::fault(leader, Fault::Equivocation);
    let twin = (leader, Message::Proposal(Arc::new(twin)));
    scene.assert_refused("a twin", twin, &fault);
}
