use super::*;
use crate::storage::{Durability, MemoryStore};
use crate::testing::{chain, committed, committed_range, store_blocks, stores};

fn vote_for(stores: &crate::storage::Stores, blocks: &[Arc<Block>]) {
    let mut writes = WriteBatch::default();
    stores.blocks.stage_voted(blocks, &mut writes).unwrap();
    stores.synced.write(writes).unwrap();
}

#[test]
fn final_blocks_come_back_by_height_and_by_hash() {
    let (chain, (_, stores)) = (chain(3), stores());
    store_blocks(&stores, &committed_range(&chain, 1..4));
    let head = stores.blocks.head().unwrap();
    assert_eq!((head.height, &head.frontier), (Height::new(3), chain.state().frontier()));
    for height in 1..4 {
        let block = committed(&chain, height);
        assert_eq!(stores.blocks.block(&block.hash).unwrap(), Some(Arc::clone(&block.block)));
        assert_eq!(stores.blocks.committed(Height::new(height)).unwrap(), Some(block));
    }
    assert_eq!(stores.blocks.committed(Height::ZERO).unwrap(), None);
    assert_eq!(stores.blocks.committed(Height::new(4)).unwrap(), None);
}

#[test]
fn blocks_that_are_not_final_are_found_above_the_head_until_they_are() {
    let (chain, (_, stores)) = (chain(3), stores());
    let voted: Vec<_> = (1..4).map(|height| Arc::clone(chain.block_at(height))).collect();
    vote_for(&stores, &voted);
    assert_eq!(stores.blocks.above(Height::ZERO).unwrap(), voted);
    assert_eq!(stores.blocks.committed(Height::new(1)).unwrap(), None);
    store_blocks(&stores, &committed_range(&chain, 1..3));
    assert_eq!(stores.blocks.above(Height::new(2)).unwrap(), voted[2..]);
    let mut again = WriteBatch::default();
    stores.blocks.stage_voted(&voted, &mut again).unwrap();
    assert!(again.is_empty(), "what is stored is not stored again");
}

#[test]
fn a_crash_leaves_a_chain_without_a_gap_whose_head_has_a_certificate() {
    for choice in 0..6 {
        let (chain, (memory, stores)) = (chain(5), stores());
        for height in 1..6 {
            store_blocks(&stores, &[committed(&chain, height)]);
        }
        memory.crash(choice);
        let store: Arc<dyn KeyValue> = memory;
        let blocks = BlockStore::new(store);
        let head = blocks.head().unwrap();
        assert_eq!(head.height.get(), 5 - choice);
        for height in 1..=head.height.get() {
            assert_eq!(
                blocks.committed(Height::new(height)).unwrap(),
                Some(committed(&chain, height))
            );
        }
        let frontier = &chain.records()[usize::try_from(head.height.get()).unwrap()].frontier;
        assert_eq!(&head.frontier, frontier);
    }
}

#[test]
fn a_damaged_entry_is_an_error_and_never_a_guess() {
    let (chain, (memory, stores)) = (chain(1), stores());
    store_blocks(&stores, &[committed(&chain, 1)]);
    let mut writes = WriteBatch::default();
    writes.delete(Family::Blocks, committed(&chain, 1).hash.as_bytes());
    MemoryStore::write(&memory, writes, Durability::Synced).unwrap();
    let missing = stores.blocks.committed(Height::new(1));
    assert!(matches!(missing, Err(StorageError::Corrupt { .. })));

    let mut writes = WriteBatch::default();
    writes.put(Family::Meta, HEAD_KEY, [0; 3]);
    MemoryStore::write(&memory, writes, Durability::Synced).unwrap();
    assert!(matches!(stores.blocks.head(), Err(StorageError::Corrupt { .. })));
}

#[test]
#[should_panic(expected = "final blocks come in order of height")]
fn a_gap_in_the_chain_is_a_bug_and_stops() {
    let (chain, (_, stores)) = (chain(2), stores());
    store_blocks(&stores, &[committed(&chain, 2)]);
}
