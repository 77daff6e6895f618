//! Schedule 2: A certificate that only the faulty member can put together; then it leads.

use super::{FAULTY, REAL, assert_one_chain, committee, go_on};
use chorale_consensus::note::Fault;
use chorale_types::message::ProposalKind;
use chorale_types::vote::VoteKind::Prepare;

pub(super) fn what_everybody_prepared_is_kept_although_its_certificate_is_hidden() {
    let mut c = committee(&[0, FAULTY, 1, 2]);
    c.propose(0);
    let x = c.proposed(0, 1);
    c.deliver(|mail| mail.is_proposal() && mail.to != FAULTY);
    assert_eq!(REAL.map(|m| c.voted(m, Prepare, 1)), [Some(x); 3]);
    c.lose_all();
    for member in REAL {
        c.give_up(member);
    }
    c.lose_all();
    let tc = c.tc(1, &REAL, &[]);
    let entry = c.entry_by_timeout(&tc);
    for member in REAL {
        c.say(FAULTY, member, entry.clone());
        assert_eq!(c.status(member).view.get(), 2);
    }
    c.lose_all();

    let start = c.start_cert().clone();
    let beside = c.block(&start.vote, 2, 5);
    let kind = ProposalKind::Fallback { tc, parent_qc: start };
    let proposal = c.make_proposal(2, kind, Some(beside));
    for member in REAL {
        c.say(FAULTY, member, proposal.clone());
    }
    assert_eq!(REAL.map(|m| c.voted(m, Prepare, 2)), [None; 3], "a supported tip is not dropped");
    go_on(&mut c);
    assert_one_chain(&c, 1);
    assert_eq!(c.finals(0).values().next(), Some(&x));
    let framed = c.reports().iter().any(|(_, whom, _)| *whom != FAULTY);
    assert!(!framed, "nobody blames an honest member: {:?}", c.reports());
    assert!(c.reports().iter().all(|(.., fault)| *fault != Fault::Equivocation));
}
