//! The documents of the interface that are not frames.

use chorale_types::crypto::bls::BlsPublicKey;
use chorale_types::crypto::ed25519::PublicKey;
use chorale_types::crypto::hash::Digest;
use chorale_types::ids::{Epoch, Height, RollupId, Sequence, ValidatorIndex};
use chorale_types::level::Level;
use chorale_types::transaction::TransactionId;
use serde::Serialize;

/// RFC 9457.
#[derive(Serialize)]
pub(super) struct Problem {
    #[serde(rename = "type")]
    pub(super) kind: String,
    pub(super) title: String,
    pub(super) status: u16,
    pub(super) detail: String,
    pub(super) code: String,
}

/// The answer to a submit call: one entry a transaction, in order.
#[derive(Serialize)]
pub(super) struct Submitted {
    pub(super) transactions: Vec<Outcome>,
}

/// What became of one transaction.
#[derive(Serialize)]
#[serde(untagged)]
pub(super) enum Outcome {
    /// It was taken, now or before.
    Taken(Taken),
    /// It was not.
    Refused { id: TransactionId, error: OutcomeError },
}

/// A transaction that was taken.
#[derive(Serialize)]
pub(super) struct Taken {
    pub(super) id: TransactionId,
    pub(super) level: Level,
    pub(super) already_known: bool,
    pub(super) timed_out: bool,
    #[serde(flatten)]
    pub(super) place: Option<Place>,
}

/// Why one transaction was not taken.
#[derive(Serialize)]
pub(super) struct OutcomeError {
    pub(super) code: &'static str,
    pub(super) detail: String,
}

/// Where a transaction stands, once ordered.
#[derive(Serialize)]
pub(super) struct Place {
    pub(super) sequence: Sequence,
    pub(super) height: Height,
    pub(super) index: u32,
}

impl From<crate::submissions::Place> for Place {
    fn from(place: crate::submissions::Place) -> Self {
        let crate::submissions::Place { sequence, height, index } = place;
        Self { sequence, height, index }
    }
}

/// How far one transaction is.
#[derive(Serialize)]
pub(super) struct Transaction {
    pub(super) id: TransactionId,
    pub(super) level: Level,
    #[serde(flatten)]
    pub(super) place: Option<Place>,
}

/// A state from which frames verify.
#[derive(Serialize)]
pub(super) struct Checkpoint {
    pub(super) rollup: RollupId,
    pub(super) sequence: Sequence,
    pub(super) height: Height,
    pub(super) checkpoint: String,
}

/// Every bound that a caller can meet.
#[derive(Serialize)]
pub(super) struct Limits {
    pub(super) transaction_bytes_max: usize,
    pub(super) submit_transactions_max: usize,
    pub(super) submit_body_bytes_max: usize,
    pub(super) blocks_limit_max: u64,
    pub(super) streams_max: usize,
    pub(super) queue_transactions_per_rollup: usize,
    pub(super) queue_bytes_per_rollup: usize,
    pub(super) wait_timeout_ms_max: u64,
    pub(super) heartbeat_ms: u128,
}

/// The set in force.
#[derive(Serialize)]
pub(super) struct Validators {
    pub(super) epoch: Epoch,
    pub(super) total_stake: u64,
    pub(super) quorum_stake: u64,
    pub(super) validators: Vec<Validator>,
}

/// One member of the set.
#[derive(Serialize)]
pub(super) struct Validator {
    pub(super) index: ValidatorIndex,
    pub(super) name: String,
    pub(super) operator: PublicKey,
    pub(super) bls: BlsPublicKey,
    pub(super) network: PublicKey,
    pub(super) stake: u64,
}

/// A block of the chain.
#[derive(Serialize)]
pub(super) struct Block {
    pub(super) height: Height,
    pub(super) hash: Digest,
    pub(super) header: Header,
    pub(super) tips: Vec<Tip>,
}

/// What the block's hash covers.
#[derive(Serialize)]
pub(super) struct Header {
    pub(super) chain: Digest,
    pub(super) version: u8,
    pub(super) epoch: Epoch,
    pub(super) epoch_info_hash: Digest,
    pub(super) height: Height,
    pub(super) orig_view: chorale_types::ids::View,
    pub(super) parent: Digest,
    pub(super) body_root: Digest,
    pub(super) ordered_height: Height,
    pub(super) ordered_root: Digest,
    pub(super) proposer: ValidatorIndex,
    pub(super) time: chorale_types::time::Timestamp,
}

/// How far the block orders a lane.
#[derive(Serialize)]
pub(super) struct Tip {
    pub(super) epoch: Epoch,
    pub(super) lane: ValidatorIndex,
    pub(super) seq: chorale_types::ids::LaneSeq,
    pub(super) digest: Digest,
    pub(super) bytes_through: u64,
}

impl From<&chorale_types::block::CommittedBlock> for Block {
    fn from(committed: &chorale_types::block::CommittedBlock) -> Self {
        let from = &committed.block.header;
        let header = Header {
            chain: from.chain,
            version: from.version,
            epoch: from.epoch,
            epoch_info_hash: from.epoch_info_hash,
            height: from.height,
            orig_view: from.orig_view,
            parent: from.parent,
            body_root: from.body_root,
            ordered_height: from.ordered_height,
            ordered_root: from.ordered_root,
            proposer: from.proposer,
            time: from.time,
        };
        let tip = |tip: &chorale_types::batch::LaneTip| Tip {
            epoch: tip.lane.epoch,
            lane: tip.lane.owner,
            seq: tip.seq,
            digest: tip.digest,
            bytes_through: tip.bytes_through,
        };
        let tips = committed.block.body.tips.iter().map(tip).collect();
        Self { height: from.height, hash: committed.hash, header, tips }
    }
}
