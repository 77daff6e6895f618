//! What a batch holds of one rollup, or that it holds nothing.

use crate::batch::{BatchHeader, EntrySummary};
use crate::codec::{Decode, DecodeError, Encode, Reader};
use crate::crypto::hash::Digest;
use crate::ids::RollupId;
use crate::merkle::{self, Proof};
use crate::ordered::BatchSummary;
use thiserror::Error;

/// A leaf of a batch's tree, and its place.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct PlacedEntry {
    /// The leaf.
    pub summary: EntrySummary,
    /// The way to the batch's root.
    pub path: Proof,
}
codec_struct!(PlacedEntry { summary, path });

impl PlacedEntry {
    fn new(batch: &BatchSummary, leaves: &[Digest], index: usize) -> Option<Self> {
        let summary = *batch.entries.get(index)?;
        Some(Self { summary, path: Proof::new(leaves, index) })
    }

    fn check(&self, batch: &BatchHeader) -> Result<(), EntryError> {
        if self.path.root(&self.summary.leaf()) == Some(batch.root) {
            Ok(())
        } else {
            Err(EntryError::WrongPath { rollup: self.summary.rollup })
        }
    }
}

/// What a batch holds of one rollup, or that it holds nothing.
///
/// The entries of a batch are by rising rollup: nobody acknowledges a batch where they are not.
/// So two neighbours with the rollup between them show that it has none.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum EntryProof {
    /// The rollup's entry.
    Present(PlacedEntry),
    /// The entries left and right of where it would stand; each `None` only at an end.
    Absent {
        /// The last entry of a lower rollup.
        left: Option<PlacedEntry>,
        /// The first entry of a higher rollup.
        right: Option<PlacedEntry>,
    },
}

/// Why an entry proof was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum EntryError {
    /// A path does not lead to the batch's root.
    #[error("the entry of rollup {rollup} is not in the batch at the place it names")]
    WrongPath {
        /// The rollup of the entry shown.
        rollup: RollupId,
    },
    /// The entry is of another rollup.
    #[error("an entry of rollup {got} is shown for rollup {expected}")]
    WrongRollup {
        /// Whose entry it is.
        got: RollupId,
        /// Whose it should be.
        expected: RollupId,
    },
    /// The entries shown are not neighbours with the rollup's place between them.
    #[error("the entries shown do not enclose the place of rollup {rollup}")]
    NotAbsent {
        /// The rollup said to be absent.
        rollup: RollupId,
    },
}

impl EntryProof {
    /// Proves what `batch` holds of `rollup`.
    #[must_use]
    pub fn new(batch: &BatchSummary, rollup: RollupId) -> Self {
        let leaves: Vec<Digest> = batch.entries.iter().map(EntrySummary::leaf).collect();
        let place = |index| PlacedEntry::new(batch, &leaves, index);
        match batch.entries.binary_search_by_key(&rollup, |entry| entry.rollup) {
            Ok(index) => Self::Present(place(index).expect("just found")),
            Err(index) => {
                let left = index.checked_sub(1).and_then(place);
                Self::Absent { left, right: place(index) }
            }
        }
    }

    /// The rollup's entry in the batch, or `None` when it is proven to have none.
    ///
    /// # Errors
    /// When neither is proven.
    pub fn check(
        &self,
        batch: &BatchHeader,
        rollup: RollupId,
    ) -> Result<Option<&EntrySummary>, EntryError> {
        match self {
            Self::Present(entry) => {
                entry.check(batch)?;
                let got = entry.summary.rollup;
                if got == rollup {
                    Ok(Some(&entry.summary))
                } else {
                    Err(EntryError::WrongRollup { got, expected: rollup })
                }
            }
            Self::Absent { left, right } => {
                for entry in left.iter().chain(right) {
                    entry.check(batch)?;
                }
                if encloses(batch, rollup, left.as_ref(), right.as_ref()) {
                    Ok(None)
                } else {
                    Err(EntryError::NotAbsent { rollup })
                }
            }
        }
    }
}

fn encloses(
    batch: &BatchHeader,
    rollup: RollupId,
    left: Option<&PlacedEntry>,
    right: Option<&PlacedEntry>,
) -> bool {
    let below = left.is_none_or(|entry| entry.summary.rollup < rollup);
    let above = right.is_none_or(|entry| entry.summary.rollup > rollup);
    let neighbours = match (left, right) {
        (Some(left), Some(right)) => left.path.index.checked_add(1) == Some(right.path.index),
        (Some(last), None) => last.path.index.checked_add(1) == Some(last.path.count),
        (None, Some(first)) => first.path.index == 0,
        (None, None) => batch.root == merkle::root(&[]),
    };
    below && above && neighbours
}

impl Encode for EntryProof {
    fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Self::Present(entry) => {
                out.push(0);
                entry.encode(out);
            }
            Self::Absent { left, right } => {
                out.push(1);
                left.encode(out);
                right.encode(out);
            }
        }
    }
}

impl Decode for EntryProof {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        match u8::decode(reader)? {
            0 => Ok(Self::Present(PlacedEntry::decode(reader)?)),
            1 => Ok(Self::Absent { left: Option::decode(reader)?, right: Option::decode(reader)? }),
            got => Err(DecodeError::BadValue { what: "entry proof", got: u64::from(got) }),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::codec::decode_exact;
    use crate::ids::{Epoch, LaneId, LaneSeq, ValidatorIndex};

    fn batch(rollups: &[u64]) -> BatchSummary {
        let entries: Vec<EntrySummary> = rollups
            .iter()
            .map(|id| EntrySummary {
                rollup: RollupId::new(*id),
                count: 1,
                ids_root: Digest::from_bytes([u8::try_from(*id).unwrap(); 32]),
            })
            .collect();
        let leaves: Vec<Digest> = entries.iter().map(EntrySummary::leaf).collect();
        let header = BatchHeader {
            lane: LaneId { epoch: Epoch::new(1), owner: ValidatorIndex::new(0) },
            seq: LaneSeq::new(1),
            prev: Digest::ZERO,
            root: merkle::root(&leaves),
            bytes_through: 1,
        };
        BatchSummary { header, entries }
    }

    #[test]
    fn presence_and_absence_are_proven_at_every_place() {
        for rollups in [&[][..], &[4], &[4, 8], &[4, 8, 12, 16, 20]] {
            let batch = batch(rollups);
            for id in 0..24 {
                let proof = EntryProof::new(&batch, RollupId::new(id));
                assert_eq!(decode_exact(&proof.to_bytes()).as_ref(), Ok(&proof));
                let found = proof.check(&batch.header, RollupId::new(id)).unwrap();
                assert_eq!(found.is_some(), rollups.contains(&id));
            }
        }
    }

    #[test]
    fn absence_of_what_is_present_cannot_be_shown() {
        let batch = batch(&[4, 8, 12]);
        let eight = RollupId::new(8);
        let leaves: Vec<Digest> = batch.entries.iter().map(EntrySummary::leaf).collect();
        let place = |index| PlacedEntry::new(&batch, &leaves, index);
        let mut tries = Vec::new();
        for left in [None, place(0), place(1), place(2)] {
            for right in [None, place(0), place(1), place(2)] {
                tries.push(EntryProof::Absent { left: left.clone(), right });
            }
        }
        for proof in tries {
            assert!(matches!(proof.check(&batch.header, eight), Err(EntryError::NotAbsent { .. })));
        }
    }

    #[test]
    fn refuses_the_entry_of_another_rollup_or_of_no_batch() {
        let batch = batch(&[4, 8, 12]);
        let (four, eight) = (RollupId::new(4), RollupId::new(8));
        let proof = EntryProof::new(&batch, eight);
        let wrong = EntryError::WrongRollup { got: eight, expected: four };
        assert_eq!(proof.check(&batch.header, four), Err(wrong));
        let EntryProof::Present(mut entry) = proof else { panic!("present") };
        entry.summary.count = 2;
        let forged = EntryProof::Present(entry);
        let error = EntryError::WrongPath { rollup: eight };
        assert_eq!(forged.check(&batch.header, eight), Err(error));
    }
}
