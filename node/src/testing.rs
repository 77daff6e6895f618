//! What tests of storage, feed and ledger share: a chain made by hand, put into a store in memory.

pub(crate) mod doubles;

use crate::storage::blocks::Head;
use crate::storage::{Durability, KeyValue, MemoryStore, Stores, WriteBatch};
use chorale_consensus::ordering::testing::TestChain;
use chorale_consensus::ordering::{ChainReader, delivery_order};
use chorale_types::batch::{Batch, BatchId};
use chorale_types::block::CommittedBlock;
use chorale_types::genesis::Params;
use chorale_types::ids::Height;
use std::sync::Arc;

/// Rollups 1 and 2, a batch of each of two lanes in every block.
pub(crate) fn chain(blocks: u8) -> TestChain {
    let mut chain = TestChain::new(&[1, 2], Params::default());
    for n in 0..blocks {
        chain.add_batch(0, &[(1, &[n, 1]), (2, &[n, 2])]);
        chain.add_batch(1, &[(1, &[n, 3])]);
        chain.add_block(100);
    }
    chain
}

/// An empty store, and what is kept in it.
pub(crate) fn stores() -> (Arc<MemoryStore>, Stores) {
    let memory = Arc::new(MemoryStore::new());
    let store: Arc<dyn KeyValue> = Arc::clone(&memory) as Arc<dyn KeyValue>;
    (memory, Stores::new(&store))
}

/// The block at a height with its certificate, or that of the descendant that has one.
pub(crate) fn committed(chain: &TestChain, height: u64) -> CommittedBlock {
    let block = Arc::clone(chain.block_at(height));
    let (_, cert) = chain.certificate(Height::new(height)).unwrap().expect("a final block");
    CommittedBlock { hash: block.hash(), block, cert }
}

/// The blocks of some heights.
pub(crate) fn committed_range(
    chain: &TestChain,
    heights: std::ops::Range<u64>,
) -> Vec<CommittedBlock> {
    heights.map(|height| committed(chain, height)).collect()
}

/// The ids of the batches that the block at a height newly orders.
pub(crate) fn batch_ids(chain: &TestChain, height: u64) -> Vec<BatchId> {
    let records = chain.records();
    let before = &records[usize::try_from(height - 1).unwrap()].frontier;
    let block = chain.block_at(height);
    let runs = delivery_order(&block.hash(), &block.body, before);
    runs.iter().map(|run| run.tip.id()).collect()
}

/// The batches that the block at a height newly orders, one for each lane in it.
pub(crate) fn batches(chain: &TestChain, height: u64) -> Vec<Arc<Batch>> {
    let ids = batch_ids(chain, height);
    ids.iter().map(|id| chain.batch(id).unwrap().expect("in the chain")).collect()
}

/// Puts batches into a store.
pub(crate) fn store_batches(stores: &Stores, batches: &[Arc<Batch>], acknowledge: bool) {
    let mut writes = WriteBatch::default();
    batches.iter().for_each(|batch| stores.batches.stage(batch, acknowledge, &mut writes));
    stores.synced.write(writes).unwrap();
}

/// Puts final blocks into a store.
pub(crate) fn store_blocks(stores: &Stores, blocks: &[CommittedBlock]) -> Head {
    let mut head = stores.blocks.head().unwrap();
    let mut writes = WriteBatch::default();
    stores.blocks.stage_final(&mut head, blocks, &mut writes).unwrap();
    stores.synced.store().write(writes, Durability::Buffered).unwrap();
    head
}
