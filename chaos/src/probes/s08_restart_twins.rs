//! Schedule 8: Members that come back without their vote record, as if they had never voted. One is
//! within what four members stand; two are not, and then this harness must see the fork. A member
//! that keeps its record votes once, however often it starts.

use crate::sim::schedule::Committee;
use chorale_types::message::{Message, ProposalKind};
use chorale_types::vote::VoteKind::{Commit, Prepare};

/// Block x is final at member 0 alone, by the votes of 0, 1 and 3. Then `forgetful` start anew and
/// meet member 2, which heard nothing.
fn play(forgetful: &[usize]) -> Committee {
    let mut c = Committee::new(4, &[0, 1, 2, 3], &[]);
    c.propose(0);
    let group = [0, 1, 3];
    c.deliver(|mail| {
        let inside = group.contains(&mail.from) && group.contains(&mail.to);
        inside && (!mail.is_vote(Commit) || mail.to == 0)
    });
    assert_eq!(c.finals(0).len(), 1, "x is final at member 0");
    c.lose_all();
    for member in forgetful {
        c.forget(*member);
    }
    c.lose_all();
    let others = [1, 2, 3];
    for _ in 0..8 {
        let view = c.status(2).view;
        let leader = c.status(2).leader.as_usize();
        if leader != 0 && c.status(leader).view == view {
            c.propose(leader);
            c.flow(&others);
        }
        if c.status(2).view == view {
            for member in others {
                c.give_up(member);
            }
            c.flow(&others);
        }
    }
    c.flow(&[0, 1, 2, 3]);
    c
}

pub(super) fn one_member_that_forgot_its_votes_does_not_fork_the_chain() {
    let c = play(&[3]);
    assert!(!c.is_forked());
    assert!(c.finals(2).len() > 1, "and the others go on");
}

pub(super) fn two_members_that_forgot_their_votes_fork_it_and_that_is_seen() {
    assert!(play(&[1, 3]).is_forked());
}

pub(super) fn a_member_that_starts_again_does_not_vote_again_in_the_view() {
    let mut c = Committee::new(4, &[3, 0, 1, 2], &[3]);
    let start = c.start_cert().clone();
    let (x, other) = (c.block(&start.vote, 1, 0), c.block(&start.vote, 1, 1));
    let kind = ProposalKind::EpochStart { start };
    let first = c.make_proposal(1, kind.clone(), Some(x.clone()));
    let second = c.make_proposal(1, kind, Some(other));
    c.say(3, 0, first);
    assert_eq!(c.voted(0, Prepare, 1), Some(x.hash()));
    for _ in 0..3 {
        c.restart(0);
        c.say(3, 0, second.clone());
        let votes = c.said(0).filter_map(|message| match message {
            Message::Vote(vote) => Some(vote.vote.block),
            _ => None,
        });
        assert!(votes.into_iter().all(|block| block == x.hash()), "one vote in one view");
    }
}
