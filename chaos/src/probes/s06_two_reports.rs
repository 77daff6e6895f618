//! Schedule 6: A member reports one thing to two and another to the third: the timeout certificates
//! differ, and whichever leads on, the block that may be final stays.

use super::{FAULTY, REAL, assert_one_chain, committee, go_on};
use chorale_consensus::note::Fault;
use chorale_types::certificate::EntryCert;
use chorale_types::vote::VoteKind::Prepare;

pub(super) fn two_timeout_certificates_of_one_view_lead_to_the_same_block() {
    for leader in [0, 2] {
        let mut c = committee(&[1, FAULTY, leader, 2 - leader]);
        let start = c.start_cert().clone();
        c.propose(1);
        let x = c.proposal(1, 1).unwrap().block.clone().unwrap();
        c.deliver(|mail| mail.is_proposal() && mail.to == 0);
        c.lose_all();
        let hidden = c.qc(Prepare, c.vote(1, &x), &[0, 1, FAULTY]);
        for member in REAL {
            c.give_up(member);
        }
        c.flow(&REAL);
        assert_eq!(REAL.map(|m| c.status(m).view.get()), [2; 3]);
        c.lose_all();

        for member in REAL {
            c.give_up(member);
        }
        let entry = EntryCert::Tc(c.tc(1, &REAL, &[]));
        let low = c.make_timeout(FAULTY, 2, (&start, None), &entry);
        let high = c.make_timeout(FAULTY, 2, (&hidden, Some(c.tip(1, &x))), &entry);
        c.say(FAULTY, 0, low.clone());
        c.say(FAULTY, 1, low);
        c.say(FAULTY, 2, high.clone());
        c.say(FAULTY, 0, high);
        go_on(&mut c);
        assert_one_chain(&c, 1);
        assert_eq!(c.finals(0).values().next(), Some(&x.hash()), "leader {leader}");
        let caught = c.reports().contains(&(0, FAULTY, Fault::Equivocation));
        assert!(caught, "member 0 heard both reports: {:?}", c.reports());
    }
}
