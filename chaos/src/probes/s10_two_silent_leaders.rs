//! Schedule 10: Two silent leaders between two that work, among seven.

use crate::sim::schedule::Committee;
use chorale_consensus::note::Note;

pub(super) fn two_silent_leaders_cost_two_timeouts_and_lose_nothing() {
    let real = [0, 1, 2, 3, 4];
    let mut c = Committee::new(7, &[0, 5, 6, 1], &[5, 6]);
    c.propose(0);
    let first = c.proposed(0, 1);
    c.flow(&real);
    for member in real {
        assert_eq!(c.finals(member).into_values().collect::<Vec<_>>(), [first]);
    }
    for _ in 0..2 {
        for member in real {
            c.give_up(member);
        }
        c.flow(&real);
    }
    c.flow(&real);
    for member in real {
        let given_up = c.notes(member).filter(|note| matches!(note, Note::TimedOut { .. }));
        assert_eq!(given_up.count(), 2, "member {member}");
        assert_eq!(c.finals(member).len(), 2, "member {member} has the block of view 4");
        assert_eq!(c.finals(member).values().next(), Some(&first));
    }
}
