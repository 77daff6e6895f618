//! Schedule 17: One tip, reported by two members who hold different certificates: counted together.

use crate::sim::schedule::Committee;
use chorale_types::certificate::EntryCert;
use chorale_types::message::ProposalKind;
use chorale_types::vote::VoteKind::Prepare;

pub(super) fn support_for_a_tip_is_counted_over_all_groups() {
    let mut c = Committee::new(4, &[1, 2, 3, 0], &[1, 2, 3]);
    let start = c.start_cert().clone();
    let a = c.block(&start.vote, 1, 0);
    let kind = ProposalKind::EpochStart { start: start.clone() };
    let proposal = c.make_proposal(1, kind, Some(a.clone()));
    c.say(1, 0, proposal);
    let first = c.qc(Prepare, c.vote(1, &a), &[0, 1, 2]);
    let b = c.block(&first.vote, 2, 0);
    let kind = ProposalKind::Normal { qc: first.clone() };
    let proposal = c.make_proposal(2, kind, Some(b.clone()));
    c.say(2, 0, proposal);
    assert_eq!(c.voted(0, Prepare, 2), Some(b.hash()));

    let tip = Some(c.tip(2, &b));
    let tc = c.tc(2, &[], &[(1, &start, tip), (2, &first, tip), (3, &first, None)]);
    assert_eq!(tc.groups.len(), 3, "the two reports stand in two groups");
    let beside = c.block(&first.vote, 3, 9);
    let kind = ProposalKind::Fallback { tc: tc.clone(), parent_qc: first };
    let proposal = c.make_proposal(3, kind, Some(beside));
    c.say(3, 0, proposal);
    assert_eq!(c.voted(0, Prepare, 3), None, "a tip of two members is not dropped");

    let mut c = again(&c);
    let kind = ProposalKind::Repropose { by: EntryCert::Tc(tc), block: b.hash() };
    let proposal = c.make_proposal(3, kind, None);
    c.say(3, 0, proposal);
    assert_eq!(c.voted(0, Prepare, 3), Some(b.hash()), "it is proposed again");
}

/// The same committee up to the vote in view 2.
fn again(_: &Committee) -> Committee {
    let mut c = Committee::new(4, &[1, 2, 3, 0], &[1, 2, 3]);
    let start = c.start_cert().clone();
    let a = c.block(&start.vote, 1, 0);
    let proposal = c.make_proposal(1, ProposalKind::EpochStart { start }, Some(a.clone()));
    c.say(1, 0, proposal);
    let qc = c.qc(Prepare, c.vote(1, &a), &[0, 1, 2]);
    let b = c.block(&qc.vote, 2, 0);
    let proposal = c.make_proposal(2, ProposalKind::Normal { qc }, Some(b));
    c.say(2, 0, proposal);
    c
}
