use super::*;
use crate::testing::{batches, chain, store_batches, stores};
use chorale_types::ids::{Epoch, ValidatorIndex};
use chorale_types::limits::LANE_BATCHES_MAX;

fn lane(owner: u16) -> LaneId {
    LaneId { epoch: Epoch::new(1), owner: ValidatorIndex::new(owner) }
}

/// The same store, without what is kept in memory.
fn reopened(stores: &crate::storage::Stores) -> BatchStore {
    BatchStore::new(Arc::clone(stores.synced.store()))
}

#[test]
fn a_batch_comes_back_from_memory_and_from_the_store() {
    let (chain, (_, stores)) = (chain(1), stores());
    let stored = batches(&chain, 1);
    store_batches(&stores, &stored, true);
    stores.batches.remember(stored[0].header.id(), Arc::clone(&stored[0]));
    for from in [&stores.batches, &reopened(&stores)] {
        for batch in &stored {
            let id = batch.header.id();
            assert_eq!(from.batch(&id).unwrap().as_ref(), Some(batch));
            let signed = SignedHeader { header: batch.header, signature: batch.owner_signature };
            assert_eq!(from.header(&id).unwrap(), Some(signed));
            assert_eq!(from.acknowledged(id.lane, id.seq).unwrap(), Some(id.digest));
            let other = BatchId { digest: Digest::ZERO, ..id };
            assert_eq!(from.batch(&other).unwrap(), None);
        }
    }
}

#[test]
fn a_lane_is_read_above_a_sequence_with_what_was_acknowledged() {
    let (chain, (_, stores)) = (chain(4), stores());
    for height in 1..5 {
        store_batches(&stores, &batches(&chain, height), height < 4);
    }
    let above = reopened(&stores).above(lane(1), LaneSeq::new(1)).unwrap();
    let seen: Vec<_> = above.iter().map(|b| (b.batch.header.seq.get(), b.acknowledged)).collect();
    assert_eq!(seen, [(2, true), (3, true), (4, false)]);
    assert!(above.iter().all(|b| b.batch.header.lane == lane(1)));
    assert!(reopened(&stores).above(lane(2), LaneSeq::ZERO).unwrap().is_empty());
}

#[test]
fn a_lane_is_read_to_its_end_however_far_ordering_is_behind() {
    let (mut chain, (_, stores)) = (chain(0), stores());
    let count = LANE_BATCHES_MAX + 2;
    for n in 0..count {
        chain.add_batch(1, &[(1, n.to_be_bytes().as_slice())]);
        chain.add_block(100);
        store_batches(&stores, &batches(&chain, n + 1), true);
    }
    let above = reopened(&stores).above(lane(1), LaneSeq::ZERO).unwrap();
    let seen: Vec<_> = above.iter().map(|b| (b.batch.header.seq.get(), b.acknowledged)).collect();
    assert_eq!(seen, (1..=count).map(|seq| (seq, true)).collect::<Vec<_>>());
}

#[test]
fn the_last_acknowledged_batch_of_a_lane_is_the_one_of_the_highest_sequence() {
    let (chain, (_, stores)) = (chain(3), stores());
    assert_eq!(stores.batches.last_acknowledged(lane(0)).unwrap(), None);
    for height in 1..4 {
        store_batches(&stores, &batches(&chain, height), true);
    }
    for owner in 0..2 {
        let last = stores.batches.last_acknowledged(lane(owner)).unwrap().unwrap();
        assert_eq!((last.lane, last.seq), (lane(owner), LaneSeq::new(3)));
    }
}

#[test]
fn memory_forgets_the_oldest_batches_at_its_bound() {
    let (_, stores) = stores();
    let mut chain = chain(0);
    let payload = vec![7; 100_000];
    let bytes = 4 * payload.len();
    let mut ids = Vec::new();
    for _ in 0..CACHE_BYTES_MAX / bytes + 2 {
        let part = (1, payload.as_slice());
        chain.add_batch(0, &[part, part, part, part]);
        chain.add_block(100);
        let stored = batches(&chain, chain.head().get());
        stores.batches.remember(stored[0].header.id(), Arc::clone(&stored[0]));
        ids.push(stored[0].header.id());
    }
    let recent = stores.batches.recent();
    assert!(recent.bytes <= CACHE_BYTES_MAX);
    assert_eq!(recent.batches.len(), recent.order.len());
    assert!(!recent.batches.contains_key(&ids[0]));
    assert!(recent.batches.contains_key(ids.last().unwrap()));
}

#[test]
fn a_header_without_its_entries_is_damage() {
    let (chain, (_, stores)) = (chain(1), stores());
    let batch = &batches(&chain, 1)[0];
    let id = batch.header.id();
    store_batches(&stores, std::slice::from_ref(batch), false);
    let mut writes = WriteBatch::default();
    writes.delete(Family::Batches, batch_key(&id, ENTRIES));
    stores.synced.write(writes).unwrap();
    assert!(matches!(reopened(&stores).batch(&id), Err(StorageError::Corrupt { .. })));
}
