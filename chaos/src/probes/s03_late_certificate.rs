//! Schedule 3: A certificate that comes after its view was given up: no commit vote on it by those
//! who gave the view up. This is what a build without that gate falls to.

use super::{FAULTY, assert_one_chain, committee, go_on};
use chorale_types::vote::VoteKind::{Commit, Prepare};

pub(super) fn who_gave_a_view_up_does_not_vote_to_commit_in_it() {
    let mut c = committee(&[2, 1, 0, FAULTY]);
    let start = c.start_cert().clone();
    c.propose(2);
    let x = c.proposal(2, 1).unwrap();
    c.deliver(|mail| mail.is_proposal() && mail.to == 0);
    c.lose_all();
    assert_eq!([0, 1, 2].map(|m| c.voted(m, Prepare, 1).is_some()), [true, false, true]);

    c.give_up(0);
    c.give_up(1);
    c.lose_all();
    let tc = c.tc(1, &[0, 1], &[(FAULTY, &start, None)]);
    let entry = c.entry_by_timeout(&tc);
    c.say(FAULTY, 0, entry.clone());
    c.say(FAULTY, 1, entry);
    let y = c.proposed(1, 2);
    assert_ne!(y, x.block_hash(), "a tip of one member does not bind the leader");
    c.deliver(|mail| mail.is_proposal() && mail.to == 0);
    assert_eq!([0, 1].map(|m| c.voted(m, Prepare, 2)), [Some(y); 2]);
    c.lose_all();

    let x = c.vote(1, x.block.as_ref().unwrap());
    let late = c.qc(Prepare, x, &[0, 2, FAULTY]);
    for member in [0, 2] {
        let entry = c.entry(&late);
        c.say(FAULTY, member, entry);
    }
    assert_eq!(c.voted(2, Commit, 1), Some(x.block), "member 2 did not give view 1 up");
    assert_eq!(c.voted(0, Commit, 1), None, "member 0 did");
    go_on(&mut c);
    assert_one_chain(&c, 1);
}
