//! Schedule 5: Everybody gives a view up with the prepare vote it cast: the votes make a
//! certificate.

use super::{REAL, assert_one_chain, committee, go_on};
use chorale_consensus::note::Note;
use chorale_types::vote::VoteKind::{Commit, Prepare};

pub(super) fn prepare_votes_inside_timeouts_complete_the_certificate() {
    let mut c = committee(&[0, 1, 2, 3]);
    c.propose(0);
    c.flow(&REAL);
    c.propose(1);
    let second = c.proposed(1, 2);
    c.deliver(|mail| mail.is_proposal());
    assert_eq!(REAL.map(|m| c.voted(m, Prepare, 2)), [Some(second); 3]);
    c.lose_all();
    for member in REAL {
        c.give_up(member);
    }
    c.deliver(|mail| mail.is_timeout());
    for member in REAL {
        let backup = |note: &Note| matches!(note, Note::QuorumCertFormed { backup: true, .. });
        assert!(c.notes(member).any(backup), "member {member} makes the certificate");
        assert_eq!(c.status(member).high_qc_view.get(), 2);
        assert_eq!(c.voted(member, Commit, 2), None, "but does not vote to commit: it gave up");
    }
    go_on(&mut c);
    assert_one_chain(&c, 3);
    assert_eq!(c.finals(0).into_values().nth(1), Some(second));
}
