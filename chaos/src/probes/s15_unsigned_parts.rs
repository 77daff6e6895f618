//! Schedule 15: What is not signed in a timeout proves nothing: another entry certificate, a
//! prepare vote left out.

use crate::sim::schedule::Committee;
use chorale_types::certificate::EntryCert;
use chorale_types::message::Message;
use chorale_types::vote::VoteKind::Prepare;
use std::sync::Arc;

pub(super) fn the_same_report_with_other_unsigned_parts_is_no_contradiction() {
    let mut c = Committee::new(4, &[1, 2, 3, 0], &[1, 2, 3]);
    let start = c.start_cert().clone();
    let x = c.block(&start.vote, 1, 0);
    let (one, two) = ((1, &start, None), (2, &start, None));
    let first = EntryCert::Tc(c.tc(1, &[], &[one, two, (3, &start, None)]));
    let tip = Some(c.tip(1, &x));
    let second = EntryCert::Tc(c.tc(1, &[], &[one, two, (3, &start, tip)]));
    assert_ne!(first, second);

    let plain = c.make_timeout(1, 2, (&start, tip), &first);
    let other = c.make_timeout(1, 2, (&start, tip), &second);
    let Message::Timeout(timeout) = &plain else { unreachable!() };
    let mut with_vote = (**timeout).clone();
    let vote = c.vote(2, &c.block(&start.vote, 2, 0));
    with_vote.prepare = Some((vote, c.signer(1).vote(Prepare, &vote)));
    for message in [plain, other, Message::Timeout(Arc::new(with_vote))] {
        c.say(1, 0, message);
    }
    assert_eq!(c.status(0).view.get(), 2, "the entry certificate counts");
    assert_eq!(c.reports(), [], "and nobody is blamed");
}
