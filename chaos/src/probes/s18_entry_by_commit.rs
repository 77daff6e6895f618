//! Schedule 18: A member that enters a view by a commit certificate alone can give that view up,
//! also after a restart, and goes on.

use super::{FAULTY, REAL, assert_one_chain, committee, go_on};
use chorale_types::certificate::CommitCert;
use chorale_types::message::Message;
use chorale_types::vote::VoteKind::Commit;
use std::sync::Arc;

pub(super) fn a_member_that_knows_only_a_commit_certificate_is_not_mute() {
    let mut c = committee(&[0, 1, FAULTY, 2]);
    c.propose(0);
    let x = c.proposal(0, 1).unwrap().block.clone().unwrap();
    // Member 2 hears nothing; the faulty member votes for everything.
    c.deliver(|mail| [0, 1].contains(&mail.from) && [0, 1].contains(&mail.to));
    for kind in [chorale_types::vote::VoteKind::Prepare, Commit] {
        let vote = c.make_vote(FAULTY, kind, c.vote(1, &x));
        c.say(FAULTY, 0, vote.clone());
        c.say(FAULTY, 1, vote);
        c.deliver(|mail| [0, 1].contains(&mail.from) && [0, 1].contains(&mail.to));
    }
    assert_eq!(c.finals(0).len(), 1);
    c.lose_all();

    let cc = c.qc(Commit, c.vote(1, &x), &[0, 1, FAULTY]);
    let cc = CommitCert::new(cc).unwrap();
    c.say(FAULTY, 2, Message::Commit(Arc::new(cc)));
    assert_eq!(c.status(2).view.get(), 2, "it enters the view after the certificate's");
    c.give_up(2);
    let before = c.timeout(2, 2).expect("it gives the view up");
    c.lose_all();
    c.restart(2);
    let sent_again = c.mail().filter(|mail| mail.is_timeout() && mail.from == 2).count();
    assert_eq!(sent_again, 3, "it sends its timeout again");
    assert_eq!(c.timeout(2, 2).unwrap().vote(), before.vote());

    c.flow(&REAL);
    go_on(&mut c);
    go_on(&mut c);
    assert_one_chain(&c, 2);
}
