//! Where recent transactions were ordered: eight bytes for each, in memory, so that ordering
//! costs no put for a transaction.
//!
//! A rollup block has its ids' first eight bytes in rising order. A hit leads to the stored record
//! of that height, which has the whole ids and says whether it was one.
//!
//! # Invariants
//! At most [`IDS_MAX`] ids are held. When more come, the rollup that holds most loses its oldest
//! block first; what is gone is unknown to [`Index::candidates`].

use chorale_types::ids::{Height, RollupId};
use chorale_types::ordered::OrderedRecord;
use chorale_types::transaction::TransactionId;
use std::collections::{BTreeMap, VecDeque};

/// Ids held, all rollups together: 16 MiB of them.
pub const IDS_MAX: usize = 2 << 20;

/// Recent ids by rollup.
#[derive(Clone, Debug)]
pub struct Index {
    rollups: BTreeMap<RollupId, Recent>,
    ids: usize,
    ids_max: usize,
}

#[derive(Clone, Debug, Default)]
struct Recent {
    /// By rising height.
    blocks: VecDeque<(Height, Vec<u64>)>,
    ids: usize,
}

impl Default for Index {
    fn default() -> Self {
        Self::new(IDS_MAX)
    }
}

impl Index {
    /// An empty index of at most so many ids.
    #[must_use]
    pub const fn new(ids_max: usize) -> Self {
        Self { rollups: BTreeMap::new(), ids: 0, ids_max }
    }

    /// Adds what a height delivered. Heights rise.
    pub fn add(&mut self, record: &OrderedRecord) {
        for content in record.contents.iter().filter(|c| !c.delivered.is_empty()) {
            let mut heads: Vec<u64> = content.delivered.iter().map(|id| id.to_u64()).collect();
            heads.sort_unstable();
            let recent = self.rollups.entry(content.rollup).or_default();
            recent.ids = recent.ids.saturating_add(heads.len());
            self.ids = self.ids.saturating_add(heads.len());
            recent.blocks.push_back((record.height, heads));
        }
        while self.ids > self.ids_max && self.forget_one() {}
    }

    fn forget_one(&mut self) -> bool {
        let fullest = self.rollups.values_mut().max_by_key(|recent| recent.ids);
        let Some((recent, (_, heads))) =
            fullest.and_then(|recent| recent.blocks.pop_front().map(|block| (recent, block)))
        else {
            return false;
        };
        recent.ids = recent.ids.saturating_sub(heads.len());
        self.ids = self.ids.saturating_sub(heads.len());
        true
    }

    /// Heights that may have delivered this id to the rollup, newest first. Nearly always none or
    /// one; a height may be wrong, and the record there tells.
    pub fn candidates(
        &self,
        rollup: RollupId,
        id: &TransactionId,
    ) -> impl Iterator<Item = Height> + use<'_> {
        let head = id.to_u64();
        let blocks = self.rollups.get(&rollup).into_iter().flat_map(|r| r.blocks.iter().rev());
        blocks.filter(move |(_, heads)| heads.binary_search(&head).is_ok()).map(|(at, _)| *at)
    }

    /// How many ids are held.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.ids
    }

    /// Whether none is held.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.ids == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chorale_consensus::ordering::testing::TestChain;
    use chorale_types::genesis::Params;
    use chorale_types::transaction::transaction_id;

    const ONE: RollupId = RollupId::new(1);

    fn chain() -> TestChain {
        let mut chain = TestChain::new(&[1, 2], Params::default());
        for n in 0..4_u8 {
            chain.add_batch(0, &[(1, &[n, 1]), (1, &[n, 2]), (2, &[n])]);
            chain.add_block(100);
        }
        chain
    }

    fn found(index: &Index, rollup: u64, payload: &[u8]) -> Vec<u64> {
        let rollup = RollupId::new(rollup);
        let id = transaction_id(rollup, payload);
        index.candidates(rollup, &id).map(Height::get).collect()
    }

    #[test]
    fn finds_the_height_of_every_transaction_and_nothing_else() {
        let (chain, mut index) = (chain(), Index::default());
        chain.records().iter().for_each(|record| index.add(record));
        assert_eq!(index.len(), 12);
        for n in 0..4_u8 {
            assert_eq!(found(&index, 1, &[n, 2]), [u64::from(n) + 1]);
            assert_eq!(found(&index, 2, &[n]), [u64::from(n) + 1]);
        }
        assert!(found(&index, 2, &[0, 1]).is_empty(), "ids name their rollup");
        assert!(found(&index, 3, &[0]).is_empty());
    }

    #[test]
    fn forgets_the_oldest_of_the_fullest_rollup_at_the_bound() {
        let (chain, mut index) = (chain(), Index::new(8));
        chain.records().iter().for_each(|record| index.add(record));
        assert!(index.len() <= 8);
        assert!(found(&index, 1, &[0, 1]).is_empty());
        assert_eq!(found(&index, 1, &[3, 1]), [4]);
        assert_eq!(found(&index, 2, &[0]), [1], "the small rollup keeps its own");
        assert_eq!(index.candidates(ONE, &Default::default()).count(), 0);
    }
}
