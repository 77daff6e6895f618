//! Batches: what one validator's lane is made of.
//!
//! A batch's digest covers a small header; the header commits to the transactions rollup by
//! rollup, so that a rollup can be shown its own part, or that it has none, without the rest.

use crate::codec::{Decode, DecodeError, Encode, Reader, encode_list};
use crate::crypto::bitmap::SignerSet;
use crate::crypto::ed25519::Signature;
use crate::crypto::hash::{Digest, Domain, hash_of};
use crate::crypto::signing_bytes;
use crate::ids::{LaneId, LaneSeq, RollupId};
use crate::limits::{
    BATCH_BYTES_MAX, BATCH_CHARGE_BYTES, BATCH_TRANSACTIONS_MAX, ROLLUPS_MAX,
    TRANSACTION_CHARGE_BYTES, VALIDATORS_MAX,
};
use crate::merkle;
use crate::transaction::Transactions;
use thiserror::Error;

/// Which batch: its place in a lane, and which of the ones a faulty owner may have put there.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct BatchId {
    /// The lane.
    pub lane: LaneId,
    /// The place in the lane, from 1.
    pub seq: LaneSeq,
    /// The hash of the header.
    pub digest: Digest,
}
codec_struct!(BatchId { lane, seq, digest });

/// What a batch's digest covers.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct BatchHeader {
    /// The lane.
    pub lane: LaneId,
    /// The place in the lane, from 1.
    pub seq: LaneSeq,
    /// The digest of the batch before it; the epoch info hash for the first.
    pub prev: Digest,
    /// Merkle root over [`EntrySummary::leaf`] of each rollup, in order of rollup.
    pub root: Digest,
    /// Charged bytes of the lane up to and including this batch.
    pub bytes_through: u64,
}
codec_struct!(BatchHeader { lane, seq, prev, root, bytes_through });

impl BatchHeader {
    /// The batch's digest.
    #[must_use]
    pub fn digest(&self) -> Digest {
        hash_of(Domain::Batch, self)
    }

    /// The batch's id.
    #[must_use]
    pub fn id(&self) -> BatchId {
        BatchId { lane: self.lane, seq: self.seq, digest: self.digest() }
    }

    /// What the owner and every acknowledging member sign about this batch.
    #[must_use]
    pub fn acknowledgement(&self) -> Acknowledgement {
        Acknowledgement {
            lane: self.lane,
            seq: self.seq,
            digest: self.digest(),
            prev: self.prev,
            bytes_through: self.bytes_through,
        }
    }
}

/// One rollup's part of a batch, as committed: what the leaf of the batch's tree hashes.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct EntrySummary {
    /// The rollup.
    pub rollup: RollupId,
    /// How many transactions it has in this batch.
    pub count: u32,
    /// Merkle root over their ids in order.
    pub ids_root: Digest,
}
codec_struct!(EntrySummary { rollup, count, ids_root });

impl EntrySummary {
    /// The leaf.
    #[must_use]
    pub fn leaf(&self) -> Digest {
        hash_of(Domain::BatchEntry, self)
    }
}

/// One rollup's part of a batch.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct BatchEntry {
    /// The rollup.
    pub rollup: RollupId,
    /// Its transactions in order; at least one.
    pub transactions: Transactions,
}
codec_struct!(BatchEntry { rollup, transactions });

impl BatchEntry {
    /// What the batch commits to of this part.
    #[must_use]
    pub fn summary(&self) -> EntrySummary {
        EntrySummary {
            rollup: self.rollup,
            count: u32::try_from(self.transactions.len()).expect("bounded by the batch"),
            ids_root: merkle::root(&self.transactions.ids(self.rollup)),
        }
    }
}

/// Why a batch is malformed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum BatchError {
    /// Rollups are not in strictly rising order.
    #[error("rollups are not in rising order")]
    Unsorted,
    /// A rollup is named without a transaction, or the batch is empty.
    #[error("a batch or a part of it is empty")]
    Empty,
    /// More charged bytes or transactions than a batch may hold.
    #[error("batch of {transactions} transactions and {charge} charged bytes is too large")]
    TooLarge {
        /// Transactions found.
        transactions: usize,
        /// What it is charged.
        charge: usize,
    },
    /// The header's root is not the root over the entries.
    #[error("header root does not match the entries")]
    WrongRoot,
    /// The sequence number is zero.
    #[error("sequence numbers start at 1")]
    ZeroSequence,
}

/// What a lane is charged for a batch of so many transactions with so many bytes: what is counted
/// in `bytes_through`, and so against the lane's quota and the block's cap. Bytes alone would let a
/// block order millions of transactions of one byte, and no client could be shown that they are
/// copies.
#[must_use]
pub const fn charged_bytes(transactions: usize, bytes: usize) -> usize {
    let each = transactions.saturating_mul(TRANSACTION_CHARGE_BYTES);
    BATCH_CHARGE_BYTES.saturating_add(each).saturating_add(bytes)
}

/// A batch with its owner's signature, as it travels and is stored.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Batch {
    /// What the digest covers.
    pub header: BatchHeader,
    /// The owner's acknowledgement, which is its signature on the batch.
    pub owner_signature: Signature,
    /// The transactions, by rising rollup.
    pub entries: Vec<BatchEntry>,
}
codec_struct!(Batch { header, owner_signature, entries: max ROLLUPS_MAX });

impl Batch {
    /// The root over `entries`.
    #[must_use]
    pub fn root(entries: &[BatchEntry]) -> Digest {
        let leaves: Vec<Digest> = entries.iter().map(|entry| entry.summary().leaf()).collect();
        merkle::root(&leaves)
    }

    /// Transaction bytes in this batch.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.entries.iter().map(|entry| entry.transactions.bytes()).sum()
    }

    /// What its lane is charged for this batch: [`charged_bytes`].
    #[must_use]
    pub fn charge(&self) -> usize {
        charged_bytes(self.len(), self.bytes())
    }

    /// Transactions in this batch.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.iter().map(|entry| entry.transactions.len()).sum()
    }

    /// Whether it holds no transaction; such a batch is malformed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// This rollup's part, if it has one.
    #[must_use]
    pub fn entry(&self, rollup: RollupId) -> Option<&BatchEntry> {
        let at = self.entries.binary_search_by_key(&rollup, |entry| entry.rollup).ok()?;
        self.entries.get(at)
    }

    /// Checks the form: order, sizes, and that the header commits to these entries.
    ///
    /// # Errors
    /// With the first rule that does not hold.
    pub fn validate(&self) -> Result<(), BatchError> {
        if self.header.seq == LaneSeq::ZERO {
            return Err(BatchError::ZeroSequence);
        }
        if self.entries.is_empty() || self.entries.iter().any(|e| e.transactions.is_empty()) {
            return Err(BatchError::Empty);
        }
        if !self.entries.is_sorted_by(|a, b| a.rollup < b.rollup) {
            return Err(BatchError::Unsorted);
        }
        let (transactions, charge) = (self.len(), self.charge());
        if transactions > BATCH_TRANSACTIONS_MAX || charge > BATCH_BYTES_MAX {
            return Err(BatchError::TooLarge { transactions, charge });
        }
        if Self::root(&self.entries) != self.header.root {
            return Err(BatchError::WrongRoot);
        }
        Ok(())
    }
}

/// What is signed to say "I store this batch durably": by its owner with the batch, by a member
/// when its own write is synced. One digest per (lane, seq), for ever.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Acknowledgement {
    /// The lane.
    pub lane: LaneId,
    /// The place in the lane.
    pub seq: LaneSeq,
    /// The batch's digest.
    pub digest: Digest,
    /// The digest of the batch before it.
    pub prev: Digest,
    /// Charged bytes of the lane up to and including it.
    pub bytes_through: u64,
}
codec_struct!(Acknowledgement { lane, seq, digest, prev, bytes_through });

impl Acknowledgement {
    /// The bytes that are signed (ed25519).
    #[must_use]
    pub fn signing_bytes(&self, chain: &Digest) -> Vec<u8> {
        signing_bytes(Domain::Acknowledge, chain, &self.to_bytes())
    }

    /// The batch it speaks of.
    #[must_use]
    pub const fn id(&self) -> BatchId {
        BatchId { lane: self.lane, seq: self.seq, digest: self.digest }
    }

    /// The lane's tip when everything through this batch is ordered.
    #[must_use]
    pub const fn tip(&self) -> LaneTip {
        LaneTip {
            lane: self.lane,
            seq: self.seq,
            digest: self.digest,
            bytes_through: self.bytes_through,
        }
    }
}

/// Proof that this batch and its lane below it can be fetched from honest members:
/// acknowledgements of a quorum of stake.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Availability {
    /// What was acknowledged.
    pub statement: Acknowledgement,
    /// By whom.
    pub signers: SignerSet,
    /// Their signatures, in rising order of signer.
    pub signatures: Vec<Signature>,
}

impl Encode for Availability {
    fn encode(&self, out: &mut Vec<u8>) {
        self.statement.encode(out);
        self.signers.encode(out);
        encode_list(self.signatures.iter(), out);
    }
}

impl Decode for Availability {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let statement = Acknowledgement::decode(reader)?;
        let signers = SignerSet::decode(reader)?;
        let signatures: Vec<Signature> = reader.list("acknowledgements", VALIDATORS_MAX)?;
        if signatures.len() != signers.count() {
            return Err(DecodeError::NotCanonical { what: "one signature for each signer" });
        }
        Ok(Self { statement, signers, signatures })
    }
}

/// How far a lane is ordered: what a block carries.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct LaneTip {
    /// The lane.
    pub lane: LaneId,
    /// The last batch to order.
    pub seq: LaneSeq,
    /// Its digest.
    pub digest: Digest,
    /// Charged bytes of the lane up to and including it.
    pub bytes_through: u64,
}
codec_struct!(LaneTip { lane, seq, digest, bytes_through });

impl LaneTip {
    /// The batch at the tip.
    #[must_use]
    pub const fn id(&self) -> BatchId {
        BatchId { lane: self.lane, seq: self.seq, digest: self.digest }
    }
}
