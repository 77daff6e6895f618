//! What a node stores for each height it has ordered: enough to go on from there, to prove the
//! root's parts to a client, and to build frames without hashing any transaction again.

use super::{OrderedSummary, RollupLeaf, rollups_root};
use crate::batch::{BatchHeader, EntrySummary, charged_bytes};
use crate::block::Frontier;
use crate::codec::{Decode, DecodeError, Encode, Reader, encode_list};
use crate::crypto::hash::Digest;
use crate::ids::{Height, RollupId, Sequence};
use crate::limits::{BLOCK_BYTES_MAX, ROLLUPS_MAX, TRANSACTION_CHARGE_BYTES};
use crate::time::Timestamp;
use crate::transaction::TransactionId;

/// The version of [`OrderedRecord`] that this build writes.
const VERSION: u8 = 1;
/// Most batches that one block can newly order: each has a transaction of a byte at least.
#[allow(clippy::cast_possible_truncation)] // 16 Mi
pub const ORDERED_BATCHES_MAX: usize = BLOCK_BYTES_MAX as usize / charged_bytes(1, 1);
/// Most transactions that one block can newly order: each has a byte at least.
#[allow(clippy::cast_possible_truncation)] // 16 Mi
const ORDERED_IDS_MAX: usize = BLOCK_BYTES_MAX as usize / (TRANSACTION_CHARGE_BYTES + 1);

/// A batch as far as it is committed to: its header, and the leaves under the header's root.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct BatchSummary {
    /// The header.
    pub header: BatchHeader,
    /// Each rollup's part, by rising rollup.
    pub entries: Vec<EntrySummary>,
}
codec_struct!(BatchSummary { header, entries: max ROLLUPS_MAX });

/// A transaction that was ordered again inside the window, and not delivered.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Skipped {
    /// Its place among all of the rollup's transactions in the order of delivery, delivered or
    /// not, from zero. In a record these are the transactions of one height, in a frame those of
    /// all its heights.
    pub position: u32,
    /// Its id.
    pub id: TransactionId,
    /// Where it was delivered; the same height when it is twice in one block.
    pub earlier: Height,
}
codec_struct!(Skipped { position, id, earlier });

/// What one rollup got at one height. One with nothing delivered is no block of the rollup, but
/// a frame must account for what was skipped.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct RollupContent {
    /// The rollup.
    pub rollup: RollupId,
    /// Its last block after this height.
    pub sequence: Sequence,
    /// The height of the rollup's block before this one; zero when there is none.
    pub previous: Height,
    /// The ids delivered, in order.
    pub delivered: Vec<TransactionId>,
    /// The ids skipped, by rising position.
    pub skipped: Vec<Skipped>,
}
codec_struct!(RollupContent {
    rollup, sequence, previous, delivered: max ORDERED_IDS_MAX, skipped: max ORDERED_IDS_MAX,
});

/// What a node stores for each height it has ordered.
///
/// # Invariants
/// Kept by decoding: leaves and contents by rising rollup.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct OrderedRecord {
    /// The height.
    pub height: Height,
    /// The time of the block there.
    pub time: Timestamp,
    /// The window clock there, in milliseconds.
    pub clock: u64,
    /// The root there.
    pub root: Digest,
    /// The lane frontier after the block.
    pub frontier: Frontier,
    /// The root of the system ledger.
    pub ledger: Digest,
    /// Every registered rollup.
    pub leaves: Vec<RollupLeaf>,
    /// The batches newly ordered, in the order of delivery.
    pub batches: Vec<BatchSummary>,
    /// What each rollup got, for those that had a transaction in the batches.
    pub contents: Vec<RollupContent>,
}

impl OrderedRecord {
    /// What the root covers.
    #[must_use]
    pub fn summary(&self) -> OrderedSummary {
        OrderedSummary {
            height: self.height,
            time: self.time,
            clock: self.clock,
            rollups: rollups_root(&self.leaves),
            frontier: self.frontier.hash(),
            ledger: self.ledger,
        }
    }

    /// The leaf of a rollup, and its place among the leaves; `None` when it is not registered.
    #[must_use]
    pub fn leaf(&self, rollup: RollupId) -> Option<(usize, &RollupLeaf)> {
        let at = self.leaves.binary_search_by_key(&rollup, |leaf| leaf.rollup).ok()?;
        Some((at, self.leaves.get(at)?))
    }

    /// What a rollup got at this height, if it had a transaction in it.
    #[must_use]
    pub fn content(&self, rollup: RollupId) -> Option<&RollupContent> {
        let at = self.contents.binary_search_by_key(&rollup, |content| content.rollup).ok()?;
        self.contents.get(at)
    }

    /// The lowest height whose record is needed, beside this one, to go on from here: the oldest
    /// that any rollup remembers an id of.
    #[must_use]
    pub fn needed_from(&self) -> Height {
        let starts = self.leaves.iter().map(|leaf| leaf.window.start);
        starts.filter(|start| *start != Height::ZERO).min().unwrap_or(self.height)
    }
}

impl Encode for OrderedRecord {
    fn encode(&self, out: &mut Vec<u8>) {
        out.push(VERSION);
        self.height.encode(out);
        self.time.encode(out);
        self.clock.encode(out);
        self.root.encode(out);
        self.frontier.encode(out);
        self.ledger.encode(out);
        encode_list(self.leaves.iter(), out);
        encode_list(self.batches.iter(), out);
        encode_list(self.contents.iter(), out);
    }
}

impl Decode for OrderedRecord {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        reader.version(VERSION)?;
        let record = Self {
            height: Height::decode(reader)?,
            time: Timestamp::decode(reader)?,
            clock: u64::decode(reader)?,
            root: Digest::decode(reader)?,
            frontier: Frontier::decode(reader)?,
            ledger: Digest::decode(reader)?,
            leaves: reader.list("rollup leaves", ROLLUPS_MAX)?,
            batches: reader.list("ordered batches", ORDERED_BATCHES_MAX)?,
            contents: reader.list("rollup contents", ROLLUPS_MAX)?,
        };
        let leaves = record.leaves.is_sorted_by(|a, b| a.rollup < b.rollup);
        if !leaves || !record.contents.is_sorted_by(|a, b| a.rollup < b.rollup) {
            return Err(DecodeError::NotCanonical { what: "order of rollups" });
        }
        Ok(record)
    }
}
