#![allow(clippy::unwrap_used)]

use super::*;
use crate::codec::decode_exact;
use proptest::prelude::*;

const RULE: WindowRule = WindowRule { dedup_ms: 60_000, dedup_heights: 10 };

fn at(height: u64, clock: u64) -> Moment {
    Moment { height: Height::new(height), clock }
}

fn id(n: u8) -> TransactionId {
    hash(Domain::Transaction, &[&[n]])
}

fn remembers(window: &Window, at: Moment, n: u8) -> bool {
    window.earlier(at, &[id(n)])[0].is_some()
}

#[test]
fn an_id_is_forgotten_only_when_both_spans_have_passed() {
    let mut window = Window::new(RULE);
    window.remember(at(5, 1_000), vec![id(1)]);
    assert!(remembers(&window, at(14, 61_000), 1), "9 heights are not 10");
    assert!(remembers(&window, at(15, 60_999), 1), "59,999 ms are not 60,000");
    assert!(!remembers(&window, at(15, 61_000), 1));
    window.expire(at(15, 60_999));
    assert_eq!(window.len(), 1);
    window.expire(at(15, 61_000));
    assert!(window.is_empty());
}

#[test]
fn a_long_outage_moves_the_clock_by_one_step() {
    let hour = Timestamp::from_millis(3_600_000);
    let after = at(5, 1_000).step(Timestamp::from_millis(1), hour);
    assert_eq!(after, at(6, 2_000));
    assert_eq!(after.step(hour, hour.saturating_add(40)), at(7, 2_040));
    assert_eq!(after.step(hour, Timestamp::from_millis(3)), at(7, 2_000), "never back");
}

#[test]
fn an_id_twice_at_one_height_is_delivered_once() {
    let mut window = Window::new(RULE);
    window.remember(at(1, 0), vec![id(1)]);
    let earlier = window.earlier(at(2, 20), &[id(2), id(1), id(2), id(3)]);
    assert_eq!(earlier, [None, Some(Height::new(1)), Some(Height::new(2)), None]);
}

#[test]
fn a_forgotten_id_can_come_again_and_is_remembered_anew() {
    let mut window = Window::new(RULE);
    window.remember(at(1, 0), vec![id(1)]);
    window.remember(at(20, 100_000), vec![id(1), id(2)]);
    assert_eq!(window.earlier(at(21, 100_000), &[id(1)]), [Some(Height::new(20))]);
    assert_eq!(window.len(), 2);
}

#[test]
#[should_panic(expected = "delivered once")]
fn delivering_a_remembered_id_is_a_bug_and_stops() {
    let mut window = Window::new(RULE);
    window.remember(at(1, 0), vec![id(1)]);
    window.remember(at(2, 0), vec![id(1)]);
}

#[test]
fn an_empty_window_still_commits_to_its_past() {
    let mut window = Window::new(RULE);
    window.remember(at(1, 0), vec![id(1)]);
    let full = window.commitment();
    window.expire(at(100, 100_000));
    let empty = window.commitment();
    assert_eq!(empty, WindowCommitment { start: Height::ZERO, base: full.tip, tip: full.tip });
    assert_ne!(empty, Window::new(RULE).commitment());
}

#[test]
fn refuses_entries_that_were_not_committed_to() {
    let mut window = Window::new(RULE);
    window.remember(at(1, 0), vec![id(1), id(2)]);
    window.remember(at(2, 0), vec![id(3)]);
    let commitment = window.commitment();
    let good: Vec<WindowEntry> = window.entries().map(|entry| (**entry).clone()).collect();
    let restore = |entries: Vec<WindowEntry>| Window::restore(RULE, &commitment, entries);
    assert_eq!(restore(good.clone()), Ok(window));

    assert!(matches!(restore(good[..1].to_vec()), Err(WindowError::WrongEntries { .. })));
    assert!(matches!(restore(good[1..].to_vec()), Err(WindowError::WrongEntries { .. })));
    let mut swapped = good.clone();
    swapped[0].ids.reverse();
    assert!(matches!(restore(swapped), Err(WindowError::OutOfOrder { .. })));
    let mut empty = good.clone();
    empty[1].ids.clear();
    assert!(matches!(restore(empty), Err(WindowError::OutOfOrder { .. })));
    let mut repeated = good.clone();
    repeated[1].ids = vec![good[0].ids[0]];
    assert!(matches!(restore(repeated), Err(WindowError::Repeated { .. })));
    let mut later = good;
    later[1].clock = 7;
    assert!(matches!(restore(later), Err(WindowError::WrongEntries { .. })));
}

#[test]
fn what_others_give_has_a_bound_and_what_was_lived_through_comes_back() {
    let mut window = Window::new(RULE);
    window.remember(at(1, 0), vec![id(1), id(2)]);
    window.remember(at(2, 0), vec![id(3)]);
    let commitment = window.commitment();
    let entries: Vec<WindowEntry> = window.entries().map(|entry| (**entry).clone()).collect();
    let with = |ids_max| Window::rebuild(RULE, &commitment, entries.clone(), ids_max);
    assert_eq!(with(2), Err(WindowError::TooMany { got: 3 }));
    assert_eq!(with(3).as_ref(), Ok(&window));
    assert_eq!(Window::resume(RULE, &commitment, entries.clone()), with(usize::MAX));
}

proptest! {
    /// A window kept up to date, one asked ahead of time, and one rebuilt from its entries agree.
    #[test]
    fn a_window_is_what_its_entries_say(
        steps in prop::collection::vec((0u64..3_000, prop::collection::vec(0u8..40, 0..6)), 1..60),
    ) {
        let rule = WindowRule { dedup_ms: 4_000, dedup_heights: 5 };
        let mut window = Window::new(rule);
        let mut now = at(0, 0);
        let mut time = Timestamp::from_millis(0);
        // What an unhurried reader would do: every delivery of each id, with its moment.
        let mut history: Vec<(TransactionId, Moment)> = Vec::new();
        for (step, numbers) in steps {
            let next = time.saturating_add(step);
            let before = now;
            now = now.step(time, next);
            time = next;
            let ids: Vec<TransactionId> = numbers.into_iter().map(id).collect();
            let asked = window.earlier(now, &ids);
            window.expire(now);
            prop_assert_eq!(&window.earlier(now, &ids), &asked);
            let mut delivered = Vec::new();
            for (id, earlier) in ids.iter().zip(&asked) {
                let known = history.iter().rev().find(|(known, _)| known == id).map(|(_, m)| *m);
                let known = known.filter(|then| {
                    now.clock - then.clock < 4_000 || now.height.above(then.height) < 5
                });
                prop_assert_eq!(known.map(|then| then.height), *earlier);
                if earlier.is_none() {
                    delivered.push(*id);
                    history.push((*id, now));
                }
            }
            window.remember(now, delivered);
            prop_assert!(before.clock <= now.clock && now.clock - before.clock <= 1_000);
            let entries: Vec<WindowEntry> = window
                .entries()
                .map(|entry| decode_exact(&entry.to_bytes()).unwrap())
                .collect();
            let restored = Window::restore(rule, &window.commitment(), entries);
            prop_assert_eq!(restored, Ok(window.clone()));
        }
    }
}
