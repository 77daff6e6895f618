//! Schedule 11: Two certificates in a row make nothing final: the tip of the side branch may be
//! proposed again. This is what a build that commits on two certificates falls to.

use super::{FAULTY, REAL, assert_one_chain, committee, go_on};
use chorale_types::message::ProposalKind;
use chorale_types::vote::VoteKind::Prepare;

pub(super) fn two_certificates_in_a_row_do_not_beat_a_supported_tip() {
    let mut c = committee(&[1, FAULTY, 0, 2]);
    let start = c.start_cert().clone();
    // View 1: b is voted by 0, 1 and the faulty member, who hides the certificate.
    c.propose(1);
    let b = c.proposal(1, 1).unwrap().block.clone().unwrap();
    c.deliver(|mail| mail.is_proposal() && mail.to == 0);
    c.lose_all();
    let hidden = c.qc(Prepare, c.vote(1, &b), &[0, 1, FAULTY]);
    c.give_up(0);
    c.give_up(2);
    c.lose_all();
    let tc = c.tc(1, &[0, 2], &[(FAULTY, &start, None)]);

    // View 2: the faulty leader shows a child of b to 0 and 1, and a block beside b to 2.
    let child = c.block(&hidden.vote, 2, 0);
    let beside = c.block(&start.vote, 2, 7);
    let normal = ProposalKind::Normal { qc: hidden };
    let fallback = ProposalKind::Fallback { tc, parent_qc: start.clone() };
    let to_two = c.make_proposal(2, normal, Some(child.clone()));
    let to_one = c.make_proposal(2, fallback, Some(beside.clone()));
    c.say(FAULTY, 0, to_two.clone());
    c.say(FAULTY, 1, to_two);
    c.say(FAULTY, 2, to_one);
    let voted = REAL.map(|m| c.voted(m, Prepare, 2).unwrap());
    assert_eq!(voted, [child.hash(), child.hash(), beside.hash()]);
    c.lose_all();

    // Its certificate reaches 1 alone; 0, 2 and the faulty member give the view up.
    let second = c.qc(Prepare, c.vote(2, &child), &[0, 1, FAULTY]);
    c.give_up(0);
    c.give_up(2);
    c.lose_all();
    let tc = c.tc(2, &[0, 2], &[(FAULTY, &start, Some(c.tip(2, &beside)))]);
    let entry = c.entry(&second);
    c.say(FAULTY, 1, entry);
    c.lose_all();
    assert_eq!(REAL.map(|m| c.finals(m).len()), [0; 3], "nothing is final");

    // View 3: the leader must propose the block beside again, and it becomes final.
    let entry = c.entry_by_timeout(&tc);
    c.say(FAULTY, 0, entry.clone());
    c.say(FAULTY, 2, entry.clone());
    c.say(FAULTY, 1, entry);
    c.flow(&REAL);
    assert_eq!(c.proposed(0, 3), beside.hash());
    assert_one_chain(&c, 1);
    assert_eq!(c.finals(1).values().next(), Some(&beside.hash()));
    go_on(&mut c);
    assert_one_chain(&c, 2);
}
