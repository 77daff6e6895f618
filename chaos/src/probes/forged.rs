//! Messages that no honest member sends, each wrong in one thing.

use super::{FAULTY, REAL, committee};
use crate::invariants::bounded_memory;
use crate::sim::schedule::Committee;
use chorale_types::block::Block;
use chorale_types::certificate::{CommitCert, QuorumCert};
use chorale_types::ids::ValidatorIndex;
use chorale_types::message::{Message, ProposalKind, Response};
use chorale_types::vote::VoteKind::{self, Commit, Prepare};
use std::sync::Arc;

/// A certificate in the name of a quorum, with the signature of the faulty member alone.
fn forge(c: &Committee, kind: VoteKind, view: u64, block: &Block) -> QuorumCert {
    let vote = c.vote(view, block);
    let mut signers = c.set().no_signers();
    for member in [0, 1, 3] {
        signers.insert(ValidatorIndex::new(member));
    }
    QuorumCert { kind, vote, signers, signature: c.signer(FAULTY).vote(kind, &vote) }
}

pub(super) fn a_forged_certificate_in_a_proposal_is_not_adopted() {
    let mut c = committee(&[0, FAULTY, 1, 2]);
    let x = c.block(&c.start_cert().vote, 1, 0);
    let qc = forge(&c, Prepare, 1, &x);
    let child = c.block(&qc.vote, 2, 0);
    let proposal = c.make_proposal(2, ProposalKind::Normal { qc }, Some(child));
    c.say(FAULTY, 0, proposal);
    assert_eq!(c.status(0).high_qc_view.get(), 0, "the lock is of what a quorum signed");
    assert_eq!(c.status(0).view.get(), 1);
}

pub(super) fn a_forged_entry_certificate_moves_no_view() {
    let mut c = committee(&[0, FAULTY, 1, 2]);
    let x = c.block(&c.start_cert().vote, 1, 0);
    let entry = c.entry(&forge(&c, Prepare, 7, &x));
    c.say(FAULTY, 0, entry);
    assert_eq!(c.status(0).view.get(), 1, "nobody enters a view on one member's word");
}

pub(super) fn a_forged_commit_certificate_is_no_aim() {
    let mut c = committee(&[0, FAULTY, 1, 2]);
    let x = c.block(&c.start_cert().vote, 1, 0);
    let cc = CommitCert::new(forge(&c, Commit, 5, &x)).unwrap();
    c.say(FAULTY, 0, Message::Commit(Arc::new(cc)));
    assert_eq!(c.status(0).target_height.get(), 0, "nothing is chased on one member's word");
}

pub(super) fn a_proposal_for_a_view_gone_by_gets_no_vote() {
    let mut c = Committee::new(4, &[1, 2, 3, 0], &[1, 2, 3]);
    let start = c.start_cert().clone();
    let x = c.block(&start.vote, 1, 0);
    let entry = c.entry(&c.qc(Prepare, c.vote(1, &x), &[1, 2, 3]));
    c.say(2, 0, entry);
    assert_eq!(c.status(0).view.get(), 2);
    let proposal = c.make_proposal(1, ProposalKind::EpochStart { start }, Some(x));
    c.say(1, 0, proposal);
    assert_eq!(c.voted(0, Prepare, 1), None, "view 1 is gone by");
}

pub(super) fn a_member_that_does_not_lead_gets_no_vote() {
    let mut c = committee(&[0, 1, 2, FAULTY]);
    let start = c.start_cert().clone();
    let proposal = c.usurp(FAULTY, 1, ProposalKind::EpochStart { start }, 5);
    c.say(FAULTY, 1, proposal);
    assert_eq!(c.voted(1, Prepare, 1), None, "member 3 does not lead view 1");
}

pub(super) fn a_proposal_of_a_member_that_does_not_lead_costs_no_check() {
    let mut c = committee(&[0, 1, 2, FAULTY]);
    let start = c.start_cert().clone();
    let before = c.checks();
    for variant in 0..50 {
        let kind = ProposalKind::EpochStart { start: start.clone() };
        let proposal = c.usurp(FAULTY, 1, kind, variant);
        c.say(FAULTY, 1, proposal);
    }
    assert_eq!(c.checks(), before, "who leads is known without a signature");
}

pub(super) fn a_certificate_of_another_block_than_the_parent_is_refused() {
    let mut c = committee(&[0, FAULTY, 1, 2]);
    c.propose(0);
    let x = c.proposal(0, 1).unwrap().block.clone().unwrap();
    c.deliver(|mail| !mail.is_vote(Commit) && mail.to != FAULTY);
    let qc = c.qc(Prepare, c.vote(1, &x), &REAL);
    let beside = c.block(&c.start_cert().vote, 2, 5);
    let proposal = c.make_proposal(2, ProposalKind::Normal { qc }, Some(beside));
    c.say(FAULTY, 1, proposal);
    assert_eq!(c.voted(1, Prepare, 2), None, "the certificate is not the parent's");
}

pub(super) fn a_block_below_the_highest_certificate_reported_is_refused() {
    let mut c = Committee::new(4, &[1, 2, 3, 0], &[1, 2, 3]);
    let start = c.start_cert().clone();
    let x = c.block(&start.vote, 1, 0);
    let first = c.qc(Prepare, c.vote(1, &x), &[1, 2, 3]);
    let tc = c.tc(2, &[], &[(1, &first, None), (2, &first, None), (3, &start, None)]);
    let below = c.block(&start.vote, 3, 9);
    let kind = ProposalKind::Fallback { tc: tc.clone(), parent_qc: start };
    let proposal = c.make_proposal(3, kind, Some(below));
    c.say(3, 0, proposal);
    assert_eq!(c.voted(0, Prepare, 3), None, "two members hold a certificate of view 1");
    // On the block of that certificate it is voted for.
    let on_top = c.block(&first.vote, 3, 0);
    let kind = ProposalKind::Fallback { tc, parent_qc: first };
    let mut c = Committee::new(4, &[1, 2, 3, 0], &[1, 2, 3]);
    let proposal = c.make_proposal(3, kind, Some(on_top.clone()));
    c.say(3, 0, proposal);
    let asks: Vec<_> = c.mail().filter(|mail| mail.is_fetch()).cloned().collect();
    for ask in asks {
        c.answer(&ask, Response::Block { block: Some(x.clone()) });
    }
    assert_eq!(c.voted(0, Prepare, 3), Some(on_top.hash()));
}

pub(super) fn votes_for_views_far_ahead_are_not_kept() {
    let mut c = committee(&[0, 1, 2, FAULTY]);
    let x = c.block(&c.start_cert().vote, 1, 0);
    for view in 1..2_000 {
        let vote = c.make_vote(FAULTY, Prepare, c.vote(view, &x));
        c.say(FAULTY, 0, vote);
    }
    assert_eq!(bounded_memory::check(&c.sizes(0), 4), Ok(()));
}
