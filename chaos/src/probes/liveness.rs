//! What must not stop the chain, and how long a view may take.

use super::{FAULTY, REAL, committee, go_on};
use crate::sim::schedule::{Committee, Letter, Mail};
use chorale_consensus::input::Timer;
use chorale_consensus::note::Fault;
use chorale_types::certificate::EntryCert;
use chorale_types::message::{Message, Response, VoteMessage};
use chorale_types::vote::VoteKind::{Commit, Prepare};

/// The base of the view timer, in microseconds.
const BASE: u64 = 1_000_000;

/// Member 0 leads view 1, the others voted, and no vote has arrived.
fn voted() -> Committee {
    let mut c = committee(&[0, 1, 2, FAULTY]);
    c.propose(0);
    c.deliver(|mail| mail.is_proposal() && mail.to != FAULTY);
    assert!(REAL.iter().all(|member| c.voted(*member, Prepare, 1).is_some()));
    c
}

/// The prepare votes under way to member 0, by sender.
fn votes(c: &Committee) -> Vec<(usize, Message)> {
    let to_zero = |mail: &&Mail| mail.to == 0 && mail.is_vote(Prepare);
    c.mail()
        .filter(to_zero)
        .filter_map(|mail| match &mail.letter {
            Letter::Message(message) => Some((mail.from, message.clone())),
            _ => None,
        })
        .collect()
}

pub(super) fn a_vote_that_comes_twice_hinders_nothing() {
    let mut c = voted();
    let votes = votes(&c);
    assert_eq!(votes.len(), 2);
    for (from, vote) in [&votes[0], &votes[0], &votes[1]] {
        c.say(*from, 0, vote.clone());
    }
    assert_eq!(c.status(0).high_qc_view.get(), 1, "three members voted");
}

pub(super) fn a_bad_share_costs_its_sender_alone() {
    let mut c = voted();
    let votes = votes(&c);
    let Message::Vote(vote) = votes[0].1.clone() else { unreachable!("they are votes") };
    let signature = c.signer(FAULTY).vote(Commit, &vote.vote);
    c.say(FAULTY, 0, Message::Vote(VoteMessage { signature, ..vote }));
    for (from, vote) in votes {
        c.say(from, 0, vote);
    }
    assert_eq!(c.status(0).high_qc_view.get(), 1, "three members voted well");
    assert!(c.reports().contains(&(0, FAULTY, Fault::BadSignature)), "{:?}", c.reports());
}

/// Everybody gives its view up, and nothing but that is heard.
fn give_up(c: &mut Committee) {
    let before = c.status(0).view;
    for member in REAL {
        c.give_up(member);
    }
    c.deliver(|mail| mail.is_timeout() && mail.to != FAULTY);
    c.lose_all();
    assert!(c.status(0).view > before, "a quorum gave {before} up");
}

pub(super) fn the_view_timer_grows_up_to_five_bases_and_a_commit_brings_it_back() {
    let mut c = committee(&[0, 1, 2, FAULTY]);
    assert_eq!(c.view_lasts(0), BASE);
    for _ in 0..8 {
        give_up(&mut c);
    }
    let longest = c.view_lasts(0);
    assert!((5 * BASE..6 * BASE).contains(&longest), "a view lasts {longest} us");
    go_on(&mut c);
    assert!(!c.finals(0).is_empty(), "a block is final");
    give_up(&mut c);
    let lasts = c.view_lasts(0);
    assert!(lasts < 4 * BASE, "after a commit and few timeouts a view lasts {lasts} us");
}

pub(super) fn a_certificate_shown_to_one_member_brings_all_along() {
    let mut c = voted();
    let x = c.proposal(0, 1).unwrap().block.clone().unwrap();
    c.lose_all();
    let entry = c.entry(&c.qc(Prepare, c.vote(1, &x), &[0, 1, FAULTY]));
    c.say(FAULTY, 0, entry);
    c.deliver(|mail| matches!(&mail.letter, Letter::Message(Message::Entry(_))));
    assert_eq!(REAL.map(|member| c.status(member).view.get()), [2; 3], "it was passed on");
}

pub(super) fn a_lost_timeout_is_sent_again() {
    let mut c = committee(&[0, 1, 2, FAULTY]);
    for member in REAL {
        c.give_up(member);
    }
    c.lose_all();
    for member in REAL {
        c.fire(member, |timer| matches!(timer, Timer::Resend(..)));
    }
    c.deliver(|mail| mail.is_timeout() && mail.to != FAULTY);
    assert_eq!(REAL.map(|member| c.status(member).view.get()), [2; 3], "view 1 was given up");
}

pub(super) fn an_answer_that_comes_late_is_no_fault() {
    let mut c = Committee::new(4, &[1, 2, 3, 0], &[1, 2, 3]);
    let x = c.block(&c.start_cert().vote, 1, 0);
    let entry = c.entry(&c.qc(Prepare, c.vote(1, &x), &[1, 2, 3]));
    c.say(2, 0, entry);
    let asks: Vec<Mail> = c.mail().filter(|mail| mail.is_fetch()).cloned().collect();
    assert!(asks.len() > 1, "several who signed for the block are asked at once");
    for ask in &asks {
        c.answer(ask, Response::Block { block: Some(x.clone()) });
    }
    assert_eq!(c.voted(0, Commit, 1), Some(x.hash()), "the first answer was good");
    assert_eq!(c.reports(), [], "and so were the others");
}

pub(super) fn a_member_that_lags_is_shown_the_way_once_in_a_while() {
    let mut c = committee(&[0, 1, 2, FAULTY]);
    let start = c.start_cert().clone();
    give_up(&mut c);
    c.lose_all();
    let entry = EntryCert::Qc(start.clone());
    for _ in 0..50 {
        let timeout = c.make_timeout(FAULTY, 1, (&start, None), &entry);
        c.say(FAULTY, 0, timeout);
    }
    let shown = |mail: &&Mail| mail.to == FAULTY && mail.from == 0;
    let shown = c.mail().filter(shown).count();
    assert!((1..=2).contains(&shown), "{shown} messages for fifty of one that lags");
}
