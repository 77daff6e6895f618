//! Schedule 4: Certificates of views 1, 2 on a side branch, and 3 over 1: nothing is final without
//! a commit certificate.

use super::{FAULTY, REAL, assert_one_chain, committee, go_on};
use chorale_types::message::ProposalKind;
use chorale_types::vote::VoteKind::{Commit, Prepare};

pub(super) fn certificates_of_prepare_votes_make_nothing_final() {
    let mut c = committee(&[1, FAULTY, 0, 2]);
    c.propose(1);
    let a = c.proposal(1, 1).unwrap().block.clone().unwrap();
    let quiet = |mail: &crate::sim::schedule::Mail| !mail.is_vote(Commit) && mail.to != 3;
    c.deliver(quiet);
    assert_eq!(REAL.map(|m| c.status(m).view.get()), [2; 3]);
    let first = c.qc(Prepare, c.vote(1, &a), &REAL);

    let side = c.block(&first.vote, 2, 0);
    let proposal =
        c.make_proposal(2, ProposalKind::Normal { qc: first.clone() }, Some(side.clone()));
    c.say(FAULTY, 1, proposal.clone());
    c.say(FAULTY, 2, proposal);
    c.lose(|mail| !mail.is_vote(Commit));
    let hidden = c.qc(Prepare, c.vote(2, &side), &[1, 2, FAULTY]);
    let entry = c.entry(&hidden);
    c.say(FAULTY, 2, entry);
    assert_eq!(c.status(2).high_qc_view.get(), 2);

    c.give_up(0);
    c.give_up(1);
    let tc = c.tc(2, &[0, 1], &[(FAULTY, &first, None)]);
    let entry = c.entry_by_timeout(&tc);
    c.lose(|mail| !mail.is_vote(Commit));
    c.say(FAULTY, 0, entry.clone());
    c.say(FAULTY, 1, entry);
    let over = c.proposal(0, 3).unwrap().block.clone().unwrap();
    assert_eq!(over.header.parent, a.hash());
    c.deliver(quiet);
    assert_eq!(c.status(2).high_qc_view.get(), 3, "view 3 is certified over view 1");
    assert_eq!(REAL.map(|m| c.finals(m).len()), [0; 3], "and nothing is final");

    c.flow(&REAL);
    assert_one_chain(&c, 2);
    assert_eq!(c.finals(2).into_values().collect::<Vec<_>>(), [a.hash(), over.hash()]);
    go_on(&mut c);
    assert_one_chain(&c, 3);
}
