//! The state of ordering after a height, one block at a time.

mod rollup;

use chorale_types::batch::{Batch, EntrySummary};
use chorale_types::block::{Block, Frontier};
use chorale_types::crypto::hash::Digest;
use chorale_types::genesis::Genesis;
use chorale_types::ids::{Height, RollupId, Sequence};
use chorale_types::merkle;
use chorale_types::museum::{Bug, planted};
use chorale_types::ordered::{
    BatchSummary, LaneRun, Moment, OrderedRecord, OrderedSummary, RollupContent, RollupLeaf,
    Skipped, WindowError, WindowRule, delivery_order, rollups_root,
};
use chorale_types::time::Timestamp;
use chorale_types::transaction::TransactionId;
use rollup::RollupState;
use std::collections::BTreeMap;
use std::sync::Arc;
use thiserror::Error;

/// A transaction that a rollup got, and where its bytes are.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Delivered {
    /// Its id.
    pub id: TransactionId,
    /// Which of the block's batches it is in, in the order of delivery, from zero.
    pub batch: u32,
    /// Its place in the rollup's entry of that batch, from zero.
    pub index: u32,
}

/// What one rollup got at one height.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct OrderedRollup {
    /// The rollup.
    pub rollup: RollupId,
    /// Its last block. It is this one exactly when something was delivered.
    pub sequence: Sequence,
    /// The transactions delivered, in order. Possibly none: then all were skipped.
    pub delivered: Vec<Delivered>,
    /// The transactions skipped.
    pub skipped: Vec<Skipped>,
}

/// What ordering one block came to.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct OrderedBlock {
    /// Its height.
    pub height: Height,
    /// Its hash.
    pub hash: Digest,
    /// The root of the state after it.
    pub root: Digest,
    /// Every registered rollup with a transaction in it, by rising id.
    pub rollups: Vec<OrderedRollup>,
    /// Transactions of rollups that are not registered: delivered to nobody.
    pub unregistered: u64,
    /// What to store, so that [`OrderState::restore`] and frames can be made from it.
    pub record: OrderedRecord,
}

/// Why stored records do not make up a state.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum RestoreError {
    /// Records are not by rising height.
    #[error("record of height {height} does not follow the one before it")]
    OutOfOrder {
        /// Where the order breaks.
        height: Height,
    },
    /// The last record names other rollups than genesis.
    #[error("record of height {height} is of another chain: it names other rollups")]
    OtherRollups {
        /// The last record's height.
        height: Height,
    },
    /// A record is missing or altered.
    #[error("window of rollup {rollup}: {why}")]
    BadWindow {
        /// Whose window.
        rollup: RollupId,
        /// What is wrong with it.
        why: WindowError,
    },
    /// The parts of the last record do not have its root.
    #[error("record of height {height} leads to root {got}, it names {expected}")]
    WrongRoot {
        /// The last record's height.
        height: Height,
        /// The root its parts have.
        got: Digest,
        /// The root it names.
        expected: Digest,
    },
}

/// The state of ordering after a height. Bounded by what a chain orders inside its dedup window.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct OrderState {
    at: Moment,
    time: Timestamp,
    frontier: Frontier,
    rollups: BTreeMap<RollupId, RollupState>,
    root: Digest,
}

impl OrderState {
    /// The state before the first block: every registered rollup without a block.
    #[must_use]
    pub fn genesis(genesis: &Genesis) -> Self {
        let rule = WindowRule::from(&genesis.params);
        let rollups = genesis.rollups.iter().map(|r| (r.id, RollupState::new(rule))).collect();
        let mut state = Self {
            at: Moment { height: Height::ZERO, clock: 0 },
            time: genesis.time,
            frontier: Frontier::default(),
            rollups,
            root: Digest::ZERO,
        };
        state.root = state.summary(&state.leaves()).root();
        state
    }

    /// The state that these records were stored from, or that of genesis when there are none.
    ///
    /// `records` are by rising height, those at [`OrderedRecord::needed_from`] of the last one to
    /// the last one. Older ones are ignored; one missing between is noticed.
    ///
    /// # Errors
    /// When the records are not all that is needed, or not unchanged.
    pub fn restore<R: AsRef<OrderedRecord>>(
        genesis: &Genesis,
        records: &[R],
    ) -> Result<Self, RestoreError> {
        let mut state = Self::genesis(genesis);
        let Some(last) = records.last().map(AsRef::as_ref) else {
            return Ok(state);
        };
        for pair in records.windows(2) {
            let (before, height) = (pair[0].as_ref().height, pair[1].as_ref().height);
            if before >= height {
                return Err(RestoreError::OutOfOrder { height });
            }
        }
        if !last.leaves.iter().map(|leaf| leaf.rollup).eq(state.rollups.keys().copied()) {
            return Err(RestoreError::OtherRollups { height: last.height });
        }
        let rule = WindowRule::from(&genesis.params);
        for leaf in &last.leaves {
            let restored = RollupState::restore(rule, leaf, records)
                .map_err(|why| RestoreError::BadWindow { rollup: leaf.rollup, why })?;
            state.rollups.insert(leaf.rollup, restored);
        }
        state.at = Moment { height: last.height, clock: last.clock };
        state.time = last.time;
        state.frontier = last.frontier.clone();
        state.root = state.summary(&state.leaves()).root();
        if state.root == last.root {
            Ok(state)
        } else {
            let (got, expected) = (state.root, last.root);
            Err(RestoreError::WrongRoot { height: last.height, got, expected })
        }
    }

    /// Everything up to here is ordered.
    #[must_use]
    pub const fn height(&self) -> Height {
        self.at.height
    }

    /// The root that later headers name for this height.
    #[must_use]
    pub const fn root(&self) -> Digest {
        self.root
    }

    /// How far each lane is ordered.
    #[must_use]
    pub const fn frontier(&self) -> &Frontier {
        &self.frontier
    }

    /// The last sequence of a rollup; `None` when it is not registered.
    #[must_use]
    pub fn sequence(&self, rollup: RollupId) -> Option<Sequence> {
        self.rollups.get(&rollup).map(RollupState::sequence)
    }

    /// The record of genesis, which a node stores before any other.
    #[must_use]
    pub fn genesis_record(genesis: &Genesis) -> OrderedRecord {
        Self::genesis(genesis).record(Vec::new(), Vec::new())
    }

    /// Orders the next final block.
    ///
    /// `hash` is the block's, and `batches` are all that it newly orders, in the order of
    /// delivery: the runs of [`delivery_order`], each from its first batch to its tip.
    ///
    /// # Panics
    /// When the block is not the next one or the batches are others: a bug of the host, which
    /// must not go on to sign a root.
    pub fn order(&mut self, hash: Digest, block: &Block, batches: &[Arc<Batch>]) -> OrderedBlock {
        let header = &block.header;
        let at = self.at.step(self.time, header.time);
        assert_eq!(header.height, at.height, "blocks are ordered one after another");
        let runs = delivery_order(&hash, &block.body, &self.frontier);
        self.check_batches(&runs, batches);
        self.frontier = self
            .frontier
            .advance(&block.body, u64::MAX)
            .expect("a final block stands on its parent's frontier");
        (self.at, self.time) = (at, header.time);

        let (mut arrivals, summaries) = unpack(batches);
        if planted(Bug::DropsAtBoundary) && batches.len() > 1 {
            for arrivals in arrivals.values_mut() {
                arrivals.pop();
            }
        }
        self.rollups.values_mut().for_each(|state| state.expire(at));
        let mut rollups = Vec::new();
        let mut contents = Vec::new();
        for (rollup, state) in &mut self.rollups {
            if let Some(arrivals) = arrivals.remove(rollup) {
                let (ordered, content) = state.deliver(*rollup, at, header.time, &arrivals);
                rollups.push(ordered);
                contents.push(content);
            }
        }
        let unregistered = arrivals.values().map(Vec::len).sum::<usize>();
        let unregistered = u64::try_from(unregistered).expect("transactions of one block");
        let record = self.record(summaries, contents);
        self.root = record.root;
        let (height, root) = (at.height, self.root);
        OrderedBlock { height, hash, root, rollups, unregistered, record }
    }

    fn check_batches(&self, runs: &[LaneRun], batches: &[Arc<Batch>]) {
        let mut batches = batches.iter();
        for run in runs {
            let lane = run.lane();
            let mut previous = self.frontier.tip(lane).map(|tip| tip.digest);
            let mut seq = run.first;
            while seq <= run.tip.seq {
                let header = &batches.next().expect("every batch of a block is at hand").header;
                assert_eq!((header.lane, header.seq), (lane, seq), "batches in order of delivery");
                assert!(previous.is_none_or(|digest| digest == header.prev), "one chain a lane");
                previous = Some(header.digest());
                seq = seq.next();
            }
            assert_eq!(previous, Some(run.tip.digest), "the lane of {lane} ends at the tip");
        }
        assert!(batches.next().is_none(), "no batch that the block does not order");
    }

    fn leaves(&self) -> Vec<RollupLeaf> {
        self.rollups.iter().map(|(rollup, state)| state.leaf(*rollup)).collect()
    }

    fn summary(&self, leaves: &[RollupLeaf]) -> OrderedSummary {
        OrderedSummary {
            height: self.at.height,
            time: self.time,
            clock: self.at.clock,
            rollups: rollups_root(leaves),
            frontier: self.frontier.hash(),
            ledger: Digest::ZERO,
        }
    }

    fn record(&self, batches: Vec<BatchSummary>, contents: Vec<RollupContent>) -> OrderedRecord {
        let leaves = self.leaves();
        let summary = self.summary(&leaves);
        OrderedRecord {
            height: summary.height,
            time: summary.time,
            clock: summary.clock,
            root: summary.root(),
            frontier: self.frontier.clone(),
            ledger: summary.ledger,
            leaves,
            batches,
            contents,
        }
    }
}

/// Every rollup's transactions in the order of delivery, and what the batches commit to.
fn unpack(batches: &[Arc<Batch>]) -> (BTreeMap<RollupId, Vec<Delivered>>, Vec<BatchSummary>) {
    let mut arrivals: BTreeMap<RollupId, Vec<Delivered>> = BTreeMap::new();
    let mut summaries = Vec::with_capacity(batches.len());
    for (batch, at) in batches.iter().zip(0_u32..) {
        let mut entries = Vec::with_capacity(batch.entries.len());
        for entry in &batch.entries {
            let ids = entry.transactions.ids(entry.rollup);
            entries.push(EntrySummary {
                rollup: entry.rollup,
                count: u32::try_from(ids.len()).expect("bounded by the batch"),
                ids_root: merkle::root(&ids),
            });
            let placed = ids.into_iter().zip(0_u32..);
            let placed = placed.map(|(id, index)| Delivered { id, batch: at, index });
            arrivals.entry(entry.rollup).or_default().extend(placed);
        }
        summaries.push(BatchSummary { header: batch.header, entries });
    }
    (arrivals, summaries)
}
