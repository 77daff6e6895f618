//! Schedule 1: A leader shows one block to two members and another to the third, and votes for
//! both.

use super::{FAULTY, REAL, assert_one_chain, committee, go_on};
use chorale_types::message::ProposalKind;
use chorale_types::vote::VoteKind::Prepare;

pub(super) fn a_leader_with_two_blocks_gets_at_most_one_certified() {
    let mut c = committee(&[FAULTY, 0, 1, 2]);
    let start = c.start_cert().clone();
    let (x, other) = (c.block(&start.vote, 1, 0), c.block(&start.vote, 1, 1));
    let kind = ProposalKind::EpochStart { start: start.clone() };
    let first = c.make_proposal(1, kind.clone(), Some(x.clone()));
    let second = c.make_proposal(1, kind, Some(other.clone()));
    for (member, proposal) in [(0, &first), (1, &first), (2, &second)] {
        c.say(FAULTY, member, proposal.clone());
    }
    assert_eq!(REAL.map(|m| c.voted(m, Prepare, 1)), [&x, &x, &other].map(|b| Some(b.hash())));
    // Each hears the other proposal too, and votes no second time.
    for (member, proposal) in [(0, &second), (1, &second), (2, &first)] {
        c.say(FAULTY, member, proposal.clone());
    }
    for member in REAL {
        let seen = if member == 2 { &other } else { &x };
        let vote = c.make_vote(FAULTY, Prepare, c.vote(1, seen));
        c.say(FAULTY, member, vote);
    }
    c.flow(&REAL);
    assert_eq!(REAL.map(|m| c.voted(m, Prepare, 1)), [&x, &x, &other].map(|b| Some(b.hash())));
    assert_eq!(c.status(0).high_qc_view.get(), 1, "the block of two and the leader is certified");
    go_on(&mut c);
    go_on(&mut c);
    assert_one_chain(&c, 2);
    assert_eq!(c.finals(2).values().next(), Some(&x.hash()), "and it is the one that is kept");
}
