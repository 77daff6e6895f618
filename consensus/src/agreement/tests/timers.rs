//! How long replicas wait, and how often they say the same thing.

use super::{Committee, Duration, Message, SECOND};
use std::cell::Cell;
use std::rc::Rc;

#[test]
fn commits_resume_when_links_are_slower_than_assumed() {
    // Three link delays make a block final; from 260 ms on that is more than a view's base
    // timeout leaves room for.
    for millis in [150, 200, 260, 300, 400] {
        let mut committee = Committee::new(&[1, 1, 1, 1]);
        committee.delay = Duration::from_millis(millis);
        committee.run(SECOND * 120);
        let blocks = committee.chain(0).len();
        assert!(blocks >= 60, "{millis} ms: {blocks} blocks, {}", committee.summary());
        assert!(committee.agrees(), "{millis} ms: a fork");
    }
}

#[test]
fn a_timeout_is_sent_again_once_a_period() {
    let mut committee = Committee::new(&[1, 1, 1, 1]);
    committee.kill(2);
    committee.kill(3);
    let sent = Rc::new(Cell::new(0));
    let counter = Rc::clone(&sent);
    committee.filter = Box::new(move |from, to, message| {
        if (from.get(), to.get()) == (0, 1) && matches!(message, Message::Timeout(_)) {
            counter.set(counter.get() + 1);
        }
        true
    });
    committee.run(SECOND * 11);
    let sent = sent.get();
    assert!((18..=22).contains(&sent), "{sent} in ten seconds at two a second");
}
