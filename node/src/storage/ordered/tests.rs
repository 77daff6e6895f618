use super::*;
use crate::testing::stores;
use chorale_consensus::ordering::testing::TestChain;
use chorale_types::genesis::Params;

/// Five blocks; rollup 2 has something in the odd ones only. Windows reach back three heights.
fn chain() -> (TestChain, Vec<OrderedBlock>) {
    let params = Params { dedup_ms: 1_000, dedup_heights: 3, ..Params::default() };
    let mut chain = TestChain::new(&[1, 2], params);
    let ordered = (1..6_u8)
        .map(|n| {
            chain.add_batch(0, &[(1, &[n])]);
            if n % 2 == 1 {
                chain.add_batch(1, &[(2, &[n])]);
            }
            chain.add_block(1_000)
        })
        .collect();
    (chain, ordered)
}

#[test]
fn records_and_places_come_back() {
    let ((chain, ordered), (_, stores)) = (chain(), stores());
    let store = &stores.ordered;
    store.start(&chain.records()[0]).unwrap();
    ordered.iter().for_each(|block| store.append(block).unwrap());
    let reopened = OrderedStore::new(Arc::clone(stores.synced.store()));
    for store in [store, &reopened] {
        assert_eq!(store.height().unwrap(), Height::new(5));
        for record in chain.records() {
            assert_eq!(store.record(record.height).unwrap().as_ref(), Some(record));
        }
        assert_eq!(store.record(Height::new(6)).unwrap(), None);
        let at = |rollup, sequence| {
            let found = store.height_of(RollupId::new(rollup), Sequence::new(sequence)).unwrap();
            found.map(Height::get)
        };
        assert_eq!([at(1, 1), at(1, 5), at(1, 6), at(1, 0)], [Some(1), Some(5), None, None]);
        assert_eq!([at(2, 1), at(2, 2), at(2, 3), at(2, 4)], [Some(1), Some(3), Some(5), None]);
    }
}

#[test]
fn the_window_reaches_as_far_as_rollups_remember_and_as_asked() {
    let ((chain, ordered), (_, stores)) = (chain(), stores());
    let store = &stores.ordered;
    assert!(store.window(1).unwrap().is_empty());
    store.start(&chain.records()[0]).unwrap();
    ordered.iter().for_each(|block| store.append(block).unwrap());
    let heights = |least| -> Vec<u64> {
        store.window(least).unwrap().iter().map(|record| record.height.get()).collect()
    };
    assert_eq!(heights(1), [3, 4, 5]);
    assert_eq!(heights(4), [2, 3, 4, 5]);
    assert_eq!(heights(64), [0, 1, 2, 3, 4, 5]);
}

#[test]
fn a_missing_record_inside_the_window_is_damage() {
    let ((chain, ordered), (_, stores)) = (chain(), stores());
    stores.ordered.start(&chain.records()[0]).unwrap();
    ordered.iter().for_each(|block| stores.ordered.append(block).unwrap());
    let mut writes = WriteBatch::default();
    writes.delete(Family::Ordered, key(Height::new(4)));
    stores.synced.write(writes).unwrap();
    let reopened = OrderedStore::new(Arc::clone(stores.synced.store()));
    assert!(matches!(reopened.window(1), Err(StorageError::Corrupt { .. })));
}
