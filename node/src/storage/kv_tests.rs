//! What every store must do, run over each of them: `store_tests!(fresh)` makes the tests for
//! stores that `fresh` makes, whose first part is kept alive for as long as the store.

use std::collections::BTreeMap;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use super::{Durability, Family, KeyValue, MemoryStore, Pair, Range, WriteBatch};

macro_rules! store_tests {
    ($fresh:expr, $cases:expr) => {
        $crate::storage::kv_tests::store_tests! { @each $fresh,
            returns_what_was_put_and_nothing_after_delete,
            applies_a_batch_in_order_and_together,
            keeps_families_apart,
            ranges_run_both_ways_within_their_bounds,
            ranges_stop_at_entries_and_bytes,
            empty_ranges_and_batches_are_harmless,
            takes_keys_and_values_of_any_bytes,
            counts_every_change,
        }

        #[test]
        fn agrees_with_an_ordered_map_whatever_is_written() {
            $crate::storage::kv_tests::agrees_with_an_ordered_map($cases, || $fresh);
        }
    };
    (@each $fresh:expr, $($name:ident,)*) => {
        $(#[test]
        fn $name() {
            let (_home, store) = $fresh;
            $crate::storage::kv_tests::$name(&store);
        })*
    };
}
pub(super) use store_tests;

mod memory {
    super::store_tests!(((), super::MemoryStore::new()), 256);
}

fn put(store: &dyn KeyValue, family: Family, key: &[u8], value: &[u8]) {
    let mut batch = WriteBatch::default();
    batch.put(family, key, value);
    store.write(batch, Durability::Buffered).unwrap();
}

fn keys(store: &dyn KeyValue, range: &Range) -> Vec<u8> {
    store.range(range).unwrap().iter().map(|(key, _)| key[0]).collect()
}

pub(super) fn returns_what_was_put_and_nothing_after_delete(store: &dyn KeyValue) {
    assert_eq!(store.get(Family::Blocks, b"a").unwrap(), None);
    put(store, Family::Blocks, b"a", b"1");
    put(store, Family::Blocks, b"a", b"2");
    assert_eq!(store.get(Family::Blocks, b"a").unwrap(), Some(b"2".to_vec()));
    let mut batch = WriteBatch::default();
    batch.delete(Family::Blocks, *b"a");
    batch.delete(Family::Blocks, *b"never there");
    store.write(batch, Durability::Synced).unwrap();
    assert_eq!(store.get(Family::Blocks, b"a").unwrap(), None);
}

pub(super) fn applies_a_batch_in_order_and_together(store: &dyn KeyValue) {
    let mut batch = WriteBatch::default();
    batch.put(Family::Chain, *b"a", *b"1");
    batch.delete(Family::Chain, *b"a");
    batch.put(Family::Acks, *b"b", *b"1");
    batch.put(Family::Acks, *b"b", *b"2");
    store.write(batch, Durability::Synced).unwrap();
    assert_eq!(store.get(Family::Chain, b"a").unwrap(), None);
    assert_eq!(store.get(Family::Acks, b"b").unwrap(), Some(b"2".to_vec()));
}

pub(super) fn keeps_families_apart(store: &dyn KeyValue) {
    for family in Family::ALL {
        put(store, family, b"same", family.name().as_bytes());
        put(store, family, family.name().as_bytes(), b"own");
    }
    for family in Family::ALL {
        let value = store.get(family, b"same").unwrap();
        assert_eq!(value, Some(family.name().as_bytes().to_vec()));
        assert_eq!(store.range(&Range::all(family)).unwrap().len(), 2);
        assert_eq!(store.range(&Range::all(family).backward()).unwrap().len(), 2);
    }
}

pub(super) fn ranges_run_both_ways_within_their_bounds(store: &dyn KeyValue) {
    (10..20).for_each(|key| put(store, Family::Chain, &[key], b""));
    let all = Range::all(Family::Chain);
    assert_eq!(keys(store, &all), (10..20).collect::<Vec<_>>());
    assert_eq!(keys(store, &all.clone().backward()), (10..20).rev().collect::<Vec<_>>());
    let some = all.from([12]).to([15]);
    assert_eq!(keys(store, &some), [12, 13, 14]);
    assert_eq!(keys(store, &some.clone().backward()), [14, 13, 12]);
    let outside = some.from([5]).to([11]);
    assert_eq!(keys(store, &outside), [10]);
    assert_eq!(keys(store, &outside.clone().backward()), [10]);
    assert!(keys(store, &outside.from([19, 0]).to([255])).is_empty());
}

pub(super) fn ranges_stop_at_entries_and_bytes(store: &dyn KeyValue) {
    (0..10).for_each(|key| put(store, Family::Streams, &[key], &[0; 99]));
    let all = Range::all(Family::Streams);
    assert_eq!(keys(store, &all.clone().entries_max(3)), [0, 1, 2]);
    assert_eq!(keys(store, &all.clone().entries_max(2).backward()), [9, 8]);
    assert_eq!(keys(store, &all.clone().bytes_max(300)), [0, 1, 2]);
    assert_eq!(keys(store, &all.clone().bytes_max(301)), [0, 1, 2, 3]);
    assert_eq!(keys(store, &all.bytes_max(0)), [0], "one entry, else a reader never gets on");
}

pub(super) fn empty_ranges_and_batches_are_harmless(store: &dyn KeyValue) {
    put(store, Family::Chain, b"b", b"");
    let all = Range::all(Family::Chain);
    for backward in [false, true] {
        let all = Range { backward, ..all.clone() };
        assert!(keys(store, &all.clone().entries_max(0)).is_empty());
        assert!(keys(store, &all.clone().from(*b"b").to(*b"b")).is_empty());
        assert!(keys(store, &all.clone().from(*b"c").to(*b"a")).is_empty());
        assert!(keys(store, &all.to(Vec::new())).is_empty());
    }
    store.write(WriteBatch::default(), Durability::Synced).unwrap();
    store.write(WriteBatch::default(), Durability::Buffered).unwrap();
    store.flush().unwrap();
    assert_eq!(keys(store, &all), [b'b']);
}

pub(super) fn takes_keys_and_values_of_any_bytes(store: &dyn KeyValue) {
    let large = vec![0xab; 3 << 20];
    for key in [&b""[..], b"\0", b"\0\0", b"\xff", b"\xff\xff\xff", &[7; 300]] {
        put(store, Family::Blocks, key, b"");
        assert_eq!(store.get(Family::Blocks, key).unwrap(), Some(vec![]));
    }
    put(store, Family::Blocks, b"large", &large);
    assert_eq!(store.get(Family::Blocks, b"large").unwrap(), Some(large));
    assert_eq!(store.range(&Range::all(Family::Blocks)).unwrap().len(), 7);
}

pub(super) fn counts_every_change(store: &dyn KeyValue) {
    let before = store.sequence();
    let mut batch = WriteBatch::default();
    batch.put(Family::Chain, *b"a", *b"1");
    batch.put(Family::Acks, *b"a", *b"1");
    batch.delete(Family::Acks, *b"a");
    store.write(batch, Durability::Synced).unwrap();
    assert_eq!(store.sequence(), before + 3);
}

/// A change: a family, a key, a value or none to delete.
type Change = (Family, Vec<u8>, Option<Vec<u8>>);
type Model = BTreeMap<(Family, Vec<u8>), Vec<u8>>;

fn key() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(prop::sample::select(vec![0, 1, 0x7f, 0xff]), 0..4)
}

fn family() -> impl Strategy<Value = Family> {
    prop::sample::select(vec![Family::Meta, Family::Chain, Family::Evidence])
}

fn range() -> impl Strategy<Value = Range> {
    let bounds = (key(), prop::option::of(key()), 0usize..8, 0usize..12);
    (family(), any::<bool>(), bounds).prop_map(
        |(family, backward, (from, to, entries_max, bytes_max))| Range {
            family,
            from,
            to,
            backward,
            entries_max,
            bytes_max,
        },
    )
}

/// What a range must return, said the slow way.
fn expected(model: &Model, range: &Range) -> Vec<Pair> {
    let inside = |key: &Vec<u8>| *key >= range.from && range.to.as_ref().is_none_or(|to| key < to);
    let own = model.iter().filter(|((family, key), _)| *family == range.family && inside(key));
    let mut pairs: Vec<Pair> = own.map(|((_, key), value)| (key.clone(), value.clone())).collect();
    if range.backward {
        pairs.reverse();
    }
    let mut bytes = 0;
    let mut count = 0;
    pairs.retain(|(key, value)| {
        let wanted = count < range.entries_max && (count == 0 || bytes < range.bytes_max);
        count += 1;
        bytes += key.len() + value.len();
        wanted
    });
    pairs
}

pub(super) fn agrees_with_an_ordered_map<H, S: KeyValue>(cases: u32, fresh: impl Fn() -> (H, S)) {
    let value = prop::option::weighted(0.7, prop::collection::vec(any::<u8>(), 0..5));
    let batch = prop::collection::vec((family(), key(), value), 0..8);
    let steps = prop::collection::vec((batch, any::<bool>()), 0..12);
    let inputs = (steps, prop::collection::vec(range(), 1..12));
    let config = Config { cases, failure_persistence: None, ..Config::default() };
    let run = |(steps, ranges): (Vec<(Vec<Change>, bool)>, Vec<Range>)| {
        let (_home, store) = fresh();
        let mut model = Model::new();
        for (changes, synced) in steps {
            let mut batch = WriteBatch::default();
            for (family, key, value) in changes {
                match value {
                    Some(value) => {
                        batch.put(family, key.clone(), value.clone());
                        model.insert((family, key), value);
                    }
                    None => {
                        batch.delete(family, key.clone());
                        model.remove(&(family, key));
                    }
                }
            }
            let how = if synced { Durability::Synced } else { Durability::Buffered };
            store.write(batch, how).unwrap();
        }
        for range in ranges {
            prop_assert_eq!(store.range(&range).unwrap(), expected(&model, &range));
            let found = store.get(range.family, &range.from).unwrap();
            prop_assert_eq!(found, model.get(&(range.family, range.from)).cloned());
        }
        Ok(())
    };
    TestRunner::new(config).run(&inputs, run).unwrap();
}
