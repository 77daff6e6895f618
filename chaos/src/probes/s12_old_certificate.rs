//! Schedule 12: Six views in which a member that does not adopt the certificate inside a timeout
//! certificate lets a block that everybody prepared be dropped. One real member; the test plays the
//! others.

use crate::sim::schedule::Committee;
use chorale_types::message::{Message, ProposalKind, Response};
use chorale_types::vote::VoteKind::Prepare;

const ME: usize = 1;

pub(super) fn a_certificate_inside_a_timeout_certificate_is_adopted_before_the_vote() {
    let mut c = Committee::new(4, &[0, 3, 2, 1], &[0, 2, 3]);
    let start = c.start_cert().clone();
    // View 1: x, voted by 1 and 2 and, in secret, by 3. 0 and 2 give up.
    let x = c.block(&start.vote, 1, 0);
    let kind = ProposalKind::EpochStart { start: start.clone() };
    let proposal = c.make_proposal(1, kind, Some(x.clone()));
    c.say(0, ME, proposal);
    assert_eq!(c.voted(ME, Prepare, 1), Some(x.hash()));
    let tc = c.tc(1, &[], &[(0, &start, None), (2, &start, Some(c.tip(1, &x))), (3, &start, None)]);
    let entry = c.entry_by_timeout(&tc);
    c.say(3, ME, entry);

    // View 2: y beside x goes to 0 and 2 alone; the real member gives the view up.
    let y = c.block(&start.vote, 2, 5);
    let second = c.qc(Prepare, c.vote(2, &y), &[0, 2, 3]);
    c.give_up(ME);
    let lie = (3, &start, Some(c.tip(1, &x)));
    let tc = c.tc(2, &[ME], &[(2, &start, Some(c.tip(2, &y))), lie]);
    let entry = c.entry_by_timeout(&tc);
    c.say(3, ME, entry);
    // View 3: x again, and everybody prepares it; the certificate reaches 2 alone.
    let again = ProposalKind::Repropose {
        by: chorale_types::certificate::EntryCert::Tc(tc),
        block: x.hash(),
    };
    let proposal = c.make_proposal(3, again, None);
    c.say(2, ME, proposal);
    assert_eq!(c.voted(ME, Prepare, 3), Some(x.hash()));
    let third = c.qc(Prepare, c.vote(3, &x), &[0, ME, 2]);
    c.give_up(ME);
    let tc = c.tc(3, &[ME], &[(0, &start, Some(c.tip(3, &x))), (3, &start, None)]);
    let entry = c.entry_by_timeout(&tc);
    c.say(3, ME, entry);

    // View 4 is led by the real member, which proposes x again; 2 and 3 go on without it: z over
    // the certificate of view 3 is their tip.
    c.give_up(ME);
    assert_eq!(c.timeout(ME, 4).unwrap().high_qc.view().get(), 0, "it knows no certificate yet");
    let z = c.block(&third.vote, 4, 0);
    let tip = Some(c.tip(4, &z));
    let tc = c.tc(4, &[ME], &[(2, &third, tip), (3, &third, tip)]);
    // View 5: z again. The voter fetches it, and adopts the certificate of view 3 that came along.
    let again = ProposalKind::Repropose {
        by: chorale_types::certificate::EntryCert::Tc(tc),
        block: z.hash(),
    };
    let proposal = c.make_proposal(5, again, None);
    c.say(0, ME, proposal);
    let asks: Vec<_> = c.mail().filter(|mail| mail.is_fetch()).cloned().collect();
    for ask in asks {
        let response = Response::Block { block: Some(z.clone()) };
        c.answer(&ask, response);
    }
    assert_eq!(c.voted(ME, Prepare, 5), Some(z.hash()));
    c.give_up(ME);
    let timeout = c.timeout(ME, 5).unwrap();
    assert_eq!(timeout.high_qc.view().get(), 3, "the certificate inside was adopted");

    // View 6: a fresh block over y would drop x. What the real member reported forbids it.
    let tc = c.tc(5, &[ME], &[(0, &start, Some(c.tip(3, &x))), (3, &start, None)]);
    let over_y = c.block(&second.vote, 6, 0);
    let kind = ProposalKind::Fallback { tc, parent_qc: second };
    let proposal = c.make_proposal(6, kind, Some(over_y));
    assert!(matches!(proposal, Message::Proposal(_)));
    c.say(3, ME, proposal);
    assert_eq!(c.voted(ME, Prepare, 6), None, "x is not dropped");
}
