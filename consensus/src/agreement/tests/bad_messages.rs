//! Votes, timeouts and certificates that no honest member sends: each is answered with a fault of
//! its sender, or dropped, and leaves no trace.

use super::scene::{Answer, Said, Scene, last, listen, overheard};
use super::{Arc, Fault, Height, Message, SECOND, ValidatorIndex, View, VoteKind};
use chorale_types::certificate::{CommitCert, EntryCert, QuorumCert, TimeoutCert};
use chorale_types::codec::Encode;
use chorale_types::crypto::bitmap::SignerSet;
use chorale_types::crypto::bls::BlsSignature;
use chorale_types::crypto::hash::Digest;
use chorale_types::ids::Epoch;
use chorale_types::limits::{VALIDATORS_MAX, VIEWS_AHEAD_MAX, VIEWS_BEHIND_MAX};
use chorale_types::message::{ProposalKind, VoteMessage};
use chorale_types::vote::{Timeout, Vote};
use std::collections::BTreeMap;

const OTHER_EPOCHS: [Epoch; 3] = [Epoch::ZERO, Epoch::new(2), Epoch::MAX];
/// Another signature than any that was made: zeros, the identity, no point.
const FORGED: [BlsSignature; 3] = [
    BlsSignature::from_bytes([0; 96]),
    BlsSignature::from_bytes({
        let mut identity = [0; 96];
        identity[0] = 0xc0;
        identity
    }),
    BlsSignature::from_bytes([0xff; 96]),
];

/// Everybody of a set with so many members, or nobody.
fn signers(members: u16, all: bool) -> SignerSet {
    let mut set = SignerSet::new(members);
    for at in (0..members).filter(|_| all) {
        assert!(set.insert(ValidatorIndex::new(at)));
    }
    set
}

fn odd_signers(set: u16) -> Vec<SignerSet> {
    let most = u16::try_from(VALIDATORS_MAX).expect("small");
    let others = [0, set - 1, set + 1, most].map(|members| signers(members, true));
    [&[signers(set, false), signers(set, true)][..], &others].concat()
}

/// Member 0 of a committee that runs well, and the last vote that member 1 sent.
fn running() -> (Scene, VoteMessage) {
    let (mut committee, said) = overheard();
    committee.run(SECOND * 12);
    let member = ValidatorIndex::new(1);
    let vote = last(&said, |from, message| match message {
        Message::Vote(vote) if from == member && vote.kind == VoteKind::Prepare => Some(*vote),
        _ => None,
    });
    (Scene::of(&committee, ValidatorIndex::new(0), &said), vote)
}

fn certificate(said: &Said) -> QuorumCert {
    last(said, |_, message| match message {
        Message::Proposal(proposal) => match &proposal.kind {
            ProposalKind::Normal { qc } => Some(qc.clone()),
            _ => None,
        },
        _ => None,
    })
}

/// Member 0, which gave up a view, and member 1's timeout of it, which it has not got.
fn giving_up() -> (Scene, Timeout) {
    let (mut committee, said) = overheard();
    committee.kill(2);
    committee.kill(3);
    listen(&mut committee, &said, |_, message| !matches!(message, Message::Timeout(_)));
    committee.run(SECOND * 5);
    let member = ValidatorIndex::new(1);
    let timeout = last(&said, |from, message| match message {
        Message::Timeout(timeout) if from == member => Some(Timeout::clone(timeout)),
        _ => None,
    });
    let scene = Scene::of(&committee, ValidatorIndex::new(0), &said);
    assert!(scene.replica.status().timed_out);
    assert_eq!(scene.replica.status().view, timeout.view);
    (scene, timeout)
}

#[test]
fn whatever_a_stranger_sends_is_reported_and_leaves_no_trace() {
    let (mut committee, said) = overheard();
    committee.submit(1, 1, b"so that lanes speak too");
    committee.run(SECOND);
    committee.kill(2);
    committee.run(SECOND * 5);
    let scene = Scene::of(&committee, ValidatorIndex::new(0), &said);
    let mut kinds = BTreeMap::new();
    for (_, message) in said.borrow().iter() {
        let kind: &mut u32 = kinds.entry(message.to_bytes()[1]).or_default();
        *kind += 1;
        if *kind > 20 {
            continue;
        }
        for from in [scene.set.len(), u16::MAX].map(ValidatorIndex::new) {
            let fault = Answer::fault(from, Fault::WrongContext);
            scene.assert_refused("a stranger", (from, message.clone()), &fault);
        }
    }
    assert!(kinds.len() >= 8, "messages of kinds {kinds:?} alone");
}

#[test]
fn a_vote_of_another_epoch_or_of_view_zero_is_reported() {
    let (scene, vote) = running();
    let from = ValidatorIndex::new(1);
    let fault = Answer::fault(from, Fault::WrongContext);
    for kind in [VoteKind::Prepare, VoteKind::Commit] {
        let assert_refused = |what: String, vote: Vote, signed: VoteMessage| {
            let message = Message::Vote(VoteMessage { kind, vote, ..signed });
            scene.assert_refused(&what, (from, message), &fault);
        };
        for epoch in OTHER_EPOCHS {
            assert_refused(format!("epoch {epoch}"), Vote { epoch, ..vote.vote }, vote);
        }
        assert_refused("view 0".into(), Vote { view: View::ZERO, ..vote.vote }, vote);
    }
}

#[test]
fn a_vote_of_a_view_far_off_is_dropped() {
    let (scene, vote) = running();
    let from = ValidatorIndex::new(1);
    let now = scene.replica.status().view;
    let ahead = now.saturating_add(VIEWS_AHEAD_MAX);
    let behind = now.saturating_sub(VIEWS_BEHIND_MAX);
    assert!(behind > View::new(1), "only in view {now}");
    for kind in [VoteKind::Prepare, VoteKind::Commit] {
        for view in [View::new(1), behind, ahead.next(), View::new(u64::MAX - 1), View::MAX] {
            let message =
                Message::Vote(VoteMessage { kind, vote: Vote { view, ..vote.vote }, ..vote });
            scene.assert_refused(&format!("view {view}"), (from, message), &Answer::default());
        }
    }
}

#[test]
fn a_second_vote_in_a_view_is_reported_and_the_first_stays() {
    let (mut scene, vote) = running();
    let from = ValidatorIndex::new(1);
    let view = scene.replica.status().view.saturating_add(VIEWS_AHEAD_MAX);
    let first = VoteMessage { vote: Vote { view, ..vote.vote }, ..vote };
    let message = |vote| Message::Vote(vote);
    assert_eq!(scene.hear(from, message(first)), Answer::default());
    scene.assert_refused("again", (from, message(first)), &Answer::default());
    let fault = Answer::fault(from, Fault::Equivocation);
    for height in [Height::ZERO, Height::MAX] {
        let second = VoteMessage { vote: Vote { height, ..first.vote }, ..first };
        scene.assert_refused("another height", (from, message(second)), &fault);
    }
    for block in [Digest::ZERO, Digest::from_bytes([0xff; 32])] {
        let second = VoteMessage { vote: Vote { block, ..first.vote }, ..first };
        scene.assert_refused("another block", (from, message(second)), &fault);
    }
}

#[test]
fn votes_for_what_does_not_exist_take_their_senders_slot_and_no_more() {
    let (scene, vote) = running();
    let view = scene.replica.status().view;
    for (height, block) in
        [(Height::ZERO, Digest::ZERO), (Height::MAX, Digest::from_bytes([8; 32]))]
    {
        let mut after = scene.clone();
        for member in [1, 2] {
            let vote = Vote { height, block, view, ..vote.vote };
            let kind = VoteKind::Commit;
            let ordered_height = Height::MAX;
            let message =
                Message::Vote(VoteMessage { kind, vote, ordered_height, ..vote_of(vote) });
            let answer = after.hear(ValidatorIndex::new(member), message);
            assert_eq!(answer, Answer::default());
        }
        scene.assert_no_progress(&after, "two of four vote for nothing");
    }
}

fn vote_of(vote: Vote) -> VoteMessage {
    let (kind, ordered_height) = (VoteKind::Prepare, Height::ZERO);
    VoteMessage { kind, vote, signature: super::scene::SIGNED, ordered_height }
}

#[test]
fn votes_with_a_signature_of_somebody_else_are_shut_out_and_make_nothing() {
    let (scene, vote) = running();
    let view = scene.replica.status().view.saturating_add(1);
    for signature in FORGED {
        let mut after = scene.clone();
        let forged = VoteMessage { signature, ..vote_of(Vote { view, ..vote.vote }) };
        let liars = [1, 2, 3].map(ValidatorIndex::new);
        let answers = liars.map(|from| after.hear(from, Message::Vote(forged)));
        let faults: Vec<_> = answers.iter().flat_map(|answer| answer.faults.clone()).collect();
        assert_eq!(faults, liars.map(|from| (from, Fault::BadSignature)));
        assert!(answers.iter().all(|answer| answer.done.is_empty()));
        scene.assert_no_progress(&after, "three forged votes");
        // A good vote of the same member comes too late.
        let again = Message::Vote(vote_of(forged.vote));
        assert_eq!(after.hear(liars[0], again), Answer::default());
    }
}

/// Every way to forge a certificate of this view, with what is wrong.
fn forged_certificates(good: &QuorumCert, view: View, members: u16) -> Vec<(String, QuorumCert)> {
    let mut all = Vec::new();
    let mut add = |what: String, change: &dyn Fn(&mut QuorumCert)| {
        let mut cert = good.clone();
        cert.vote.view = view;
        change(&mut cert);
        all.push((what, cert));
    };
    add("another view".into(), &|_| {});
    add("the last view".into(), &|cert| cert.vote.view = View::MAX);
    add("commit votes".into(), &|cert| cert.kind = VoteKind::Commit);
    for height in [Height::ZERO, Height::MAX, good.vote.height.next()] {
        add(format!("height {height}"), &|cert| cert.vote.height = height);
    }
    add("another block".into(), &|cert| cert.vote.block = Digest::ZERO);
    for signers in odd_signers(members) {
        add(format!("signers {signers:?}"), &|cert| cert.signers = signers);
    }
    for signature in FORGED {
        add(format!("signature {signature:?}"), &|cert| cert.signature = signature);
    }
    all
}

#[test]
fn a_forged_certificate_is_reported_whoever_passes_it_on() {
    let (committee, said) = overheard();
    let scene = Scene::of(&committee, ValidatorIndex::new(0), &said);
    let (from, good) = (ValidatorIndex::new(2), certificate(&said));
    let view = scene.replica.status().view.next();
    let fault = Answer::fault(from, Fault::BadSignature);
    for (what, cert) in forged_certificates(&good, view, scene.set.len()) {
        if let Some(cc) = CommitCert::new(QuorumCert { kind: VoteKind::Commit, ..cert.clone() }) {
            let message = Message::Commit(Arc::new(cc));
            scene.assert_refused(&format!("final by {what}"), (from, message), &fault);
        }
        let message = Message::Entry(Arc::new(EntryCert::Qc(cert)));
        scene.assert_refused(&format!("entry by {what}"), (from, message), &fault);
    }
}

#[test]
fn a_certificate_of_another_epoch_is_reported_unchecked() {
    let (committee, said) = overheard();
    let scene = Scene::of(&committee, ValidatorIndex::new(0), &said);
    let (from, mut cert) = (ValidatorIndex::new(2), certificate(&said));
    let fault = Answer::fault(from, Fault::WrongContext);
    for epoch in OTHER_EPOCHS {
        (cert.kind, cert.vote.epoch) = (VoteKind::Commit, epoch);
        let cc = CommitCert::new(cert.clone()).expect("of commit votes");
        let what = format!("epoch {epoch}");
        scene.assert_refused(&what, (from, Message::Commit(Arc::new(cc))), &fault);
        let entry = Message::Entry(Arc::new(EntryCert::Qc(cert.clone())));
        scene.assert_refused(&what, (from, entry), &fault);
    }
}

#[test]
fn the_certificate_of_genesis_and_old_ones_are_no_news() {
    let (committee, said) = overheard();
    let scene = Scene::of(&committee, ValidatorIndex::new(0), &said);
    let from = ValidatorIndex::new(2);
    let start = scene.set.start().clone();
    let mut forged = start.clone();
    forged.vote.block = Digest::from_bytes([8; 32]);
    forged.vote.height = Height::MAX;
    for (what, cert) in [("the start", start), ("a forged start", forged)] {
        let entry = Message::Entry(Arc::new(EntryCert::Qc(cert.clone())));
        scene.assert_refused(what, (from, entry), &Answer::default());
        let cc = Arc::new(CommitCert::new(cert).expect("of commit votes"));
        let fault = Answer::fault(from, Fault::BadSignature);
        let known = cc.as_qc() == scene.set.start();
        let expected = if known { Answer::default() } else { fault };
        scene.assert_refused(what, (from, Message::Commit(cc)), &expected);
    }
}

#[test]
fn a_timeout_whose_views_do_not_fit_is_reported_as_malformed() {
    let (scene, good) = giving_up();
    let from = ValidatorIndex::new(1);
    let view = good.view;
    let bad = |what: &str, fault: Fault, change: &dyn Fn(&mut Timeout)| {
        let mut timeout = good.clone();
        change(&mut timeout);
        let message = Message::Timeout(Arc::new(timeout));
        scene.assert_refused(what, (from, message), &Answer::fault(from, fault));
    };
    let entry = |timeout: &mut Timeout, change: &dyn Fn(&mut Vote)| match &mut timeout.entry {
        EntryCert::Qc(qc) => change(&mut qc.vote),
        EntryCert::Tc(_) => panic!("entered by a certificate of votes"),
    };
    for odd in [View::ZERO, view.next(), View::MAX] {
        bad("its view is not the one after its entry", Fault::Malformed, &|t| t.view = odd);
        bad("the entry is of another view", Fault::Malformed, &|t| entry(t, &|v| v.view = odd));
    }
    for above in [view, view.next(), View::MAX] {
        bad("the lock is not below", Fault::Malformed, &|t| t.high_qc.vote.view = above);
    }
    for above in [view.next(), View::MAX] {
        bad("the tip lies above", Fault::Malformed, &|t| {
            t.tip = Some(Vote { view: above, ..good.high_qc.vote }.tip());
        });
    }
    let prepare = |view| Some((Vote { view, ..good.high_qc.vote }, good.signature));
    for other in [View::ZERO, view.previous().expect("above 0"), view.next(), View::MAX] {
        bad("a vote of another view", Fault::Malformed, &|t| t.prepare = prepare(other));
    }
    for epoch in OTHER_EPOCHS {
        bad("lock", Fault::WrongContext, &|t| t.high_qc.vote.epoch = epoch);
        bad("entry", Fault::WrongContext, &|t| entry(t, &|v| v.epoch = epoch));
        bad("vote", Fault::WrongContext, &|t| {
            t.prepare = Some((Vote { epoch, view, ..good.high_qc.vote }, good.signature));
        });
    }
}

#[test]
fn a_timeout_with_a_forged_certificate_is_reported_and_forgotten() {
    let (scene, good) = giving_up();
    let from = ValidatorIndex::new(1);
    let fault = Answer::fault(from, Fault::BadSignature);
    let (members, lock) = (scene.set.len(), good.high_qc.view());
    for (what, cert) in forged_certificates(&good.high_qc, lock, members) {
        if cert == good.high_qc || cert.view() != lock {
            continue;
        }
        let timeout = Timeout { high_qc: cert, ..good.clone() };
        let message = Message::Timeout(Arc::new(timeout));
        scene.assert_refused(&format!("lock: {what}"), (from, message), &fault);
    }
    for ahead in [good.view.next(), View::MAX] {
        let before = ahead.previous().expect("above 0");
        for (what, cert) in forged_certificates(&good.high_qc, before, members) {
            if cert.view() == before {
                let (view, entry) = (ahead, EntryCert::Qc(cert));
                let message = Timeout { view, entry, prepare: None, ..good.clone() };
                let message = Message::Timeout(Arc::new(message));
                let what = format!("entry to view {ahead}: {what}");
                scene.assert_refused(&what, (from, message), &fault);
            }
        }
    }
}

#[test]
fn a_timeout_signed_by_somebody_else_counts_for_nothing() {
    let (scene, good) = giving_up();
    let from = ValidatorIndex::new(1);
    for signature in FORGED {
        let mut after = scene.clone();
        let forged = Message::Timeout(Arc::new(Timeout { signature, ..good.clone() }));
        assert_eq!(after.hear(from, forged), Answer::fault(from, Fault::BadSignature));
        scene.assert_no_progress(&after, "a forged timeout");
        // Its place in the view is closed.
        let again = Message::Timeout(Arc::new(good.clone()));
        after.assert_refused("a good one after it", (from, again), &Answer::default());
    }
}

#[test]
fn a_timeout_certificate_of_the_last_view_or_of_odd_signers_is_reported() {
    let (_, _, proposal) = super::scene::before_a_fallback();
    let ProposalKind::Fallback { tc: good, .. } = proposal.kind else { panic!("a fallback") };
    let (committee, said) = overheard();
    let scene = Scene::of(&committee, ValidatorIndex::new(0), &said);
    let from = ValidatorIndex::new(2);
    let fault = Answer::fault(from, Fault::BadSignature);
    let view = scene.replica.status().view.saturating_add(9);
    let bad = |what: String, change: &dyn Fn(&mut TimeoutCert)| {
        let mut tc = good.clone();
        tc.view = view;
        change(&mut tc);
        let message = Message::Entry(Arc::new(EntryCert::Tc(tc)));
        scene.assert_refused(&what, (from, message), &fault);
    };
    bad("another view".into(), &|_| {});
    bad("the last view".into(), &|tc| tc.view = View::MAX);
    bad("no groups".into(), &|tc| tc.groups.clear());
    bad("a group twice".into(), &|tc| tc.groups.push(tc.groups[0].clone()));
    for signers in odd_signers(scene.set.len()) {
        bad(format!("signers {signers:?}"), &|tc| tc.groups[0].signers = signers);
    }
    bad("another lock".into(), &|tc| tc.high_qc.vote.block = Digest::ZERO);
    for signature in FORGED {
        bad(format!("signature {signature:?}"), &|tc| tc.signature = signature);
    }
}
