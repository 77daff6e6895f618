//! Where recent transactions were ordered: some bytes for each, in memory, so that ordering costs
//! no put for a transaction, and a look-up no read of the store for one that was never ordered.
//!
//! An id is held by its first eight bytes. A hit leads to the stored record of a height, which has
//! the whole ids and says whether it was one.
//!
//! # Invariants
//! At most [`IDS_MAX`] ids are held. When more come, the rollup that holds most loses its oldest
//! block first; what is gone is unknown to [`Index::height`].

use chorale_types::ids::{Height, RollupId};
use chorale_types::ordered::OrderedRecord;
use chorale_types::transaction::TransactionId;
use std::collections::{BTreeMap, HashMap, VecDeque};

/// Ids held, all rollups together: about 25 MB of them. Just under 7/8 of a power of two, where
/// the map would double.
pub const IDS_MAX: usize = 900_000;

/// Recent ids, and the heights that ordered them.
#[derive(Clone, Debug)]
pub struct Index {
    heights: HashMap<u64, Height>,
    rollups: BTreeMap<RollupId, Recent>,
    ids: usize,
    ids_max: usize,
}

/// What is held of one rollup, for forgetting.
#[derive(Clone, Debug, Default)]
struct Recent {
    /// By rising height.
    blocks: VecDeque<(Height, Box<[u64]>)>,
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
    pub fn new(ids_max: usize) -> Self {
        Self { heights: HashMap::new(), rollups: BTreeMap::new(), ids: 0, ids_max }
    }

    /// Adds what a height delivered. Heights rise.
    pub fn add(&mut self, record: &OrderedRecord) {
        for content in record.contents.iter().filter(|c| !c.delivered.is_empty()) {
            let heads: Box<[u64]> = content.delivered.iter().map(|id| id.to_u64()).collect();
            self.heights.extend(heads.iter().map(|head| (*head, record.height)));
            let recent = self.rollups.entry(content.rollup).or_default();
            recent.ids = recent.ids.saturating_add(heads.len());
            self.ids = self.ids.saturating_add(heads.len());
            recent.blocks.push_back((record.height, heads));
        }
        while self.ids > self.ids_max && self.forget_one() {}
    }

    fn forget_one(&mut self) -> bool {
        let fullest = self.rollups.values_mut().max_by_key(|recent| recent.ids);
        let Some((recent, (height, heads))) =
            fullest.and_then(|recent| recent.blocks.pop_front().map(|block| (recent, block)))
        else {
            return false;
        };
        recent.ids = recent.ids.saturating_sub(heads.len());
        self.ids = self.ids.saturating_sub(heads.len());
        for head in heads {
            if self.heights.get(&head) == Some(&height) {
                self.heights.remove(&head);
            }
        }
        true
    }

    /// The height that delivered this id, if it is held. The record there tells whether it did:
    /// another id may begin alike.
    #[must_use]
    pub fn height(&self, id: &TransactionId) -> Option<Height> {
        self.heights.get(&id.to_u64()).copied()
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

    fn chain() -> TestChain {
        let mut chain = TestChain::new(&[1, 2], Params::default());
        for n in 0..4_u8 {
            chain.add_batch(0, &[(1, &[n, 1]), (1, &[n, 2]), (2, &[n])]);
            chain.add_block(100);
        }
        chain
    }

    fn found(index: &Index, rollup: u64, payload: &[u8]) -> Option<u64> {
        index.height(&transaction_id(RollupId::new(rollup), payload)).map(Height::get)
    }

    #[test]
    fn finds_the_height_of_every_transaction_and_nothing_else() {
        let (chain, mut index) = (chain(), Index::default());
        chain.records().iter().for_each(|record| index.add(record));
        assert_eq!(index.len(), 12);
        for n in 0..4_u8 {
            assert_eq!(found(&index, 1, &[n, 2]), Some(u64::from(n) + 1));
            assert_eq!(found(&index, 2, &[n]), Some(u64::from(n) + 1));
        }
        assert_eq!(found(&index, 2, &[0, 1]), None, "ids name their rollup");
        assert_eq!(found(&index, 3, &[0]), None);
    }

    #[test]
    fn forgets_the_oldest_of_the_fullest_rollup_at_the_bound() {
        let (chain, mut index) = (chain(), Index::new(8));
        chain.records().iter().for_each(|record| index.add(record));
        assert!(index.len() <= 8);
        assert_eq!(found(&index, 1, &[0, 1]), None);
        assert_eq!(index.heights.len(), index.len());
        assert_eq!(found(&index, 1, &[3, 1]), Some(4));
        assert_eq!(found(&index, 2, &[0]), Some(1), "the small rollup keeps its own");
    }
}
