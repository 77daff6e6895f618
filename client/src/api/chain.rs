//! The chain itself.

use chorale_types::crypto::bls::BlsPublicKey;
use chorale_types::crypto::ed25519::PublicKey;
use chorale_types::crypto::hash::Digest;
use chorale_types::ids::{Epoch, Height, LaneSeq, ValidatorIndex, View};
use chorale_types::time::Timestamp;
use serde::{Deserialize, Serialize};

/// `GET /v1/validators`: the set in force.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Validators {
    /// The epoch.
    pub epoch: Epoch,
    /// All stake.
    pub total_stake: u64,
    /// The stake that decides.
    pub quorum_stake: u64,
    /// The members by index.
    pub validators: Vec<Validator>,
}

/// A member of the set.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Validator {
    /// Its place in the set.
    pub index: ValidatorIndex,
    /// A name for people.
    pub name: String,
    /// Its account.
    pub operator: PublicKey,
    /// Its voting key.
    pub bls: BlsPublicKey,
    /// Its network identity.
    pub network: PublicKey,
    /// Its weight.
    pub stake: u64,
}

/// `GET /v1/blocks/{height}`: a final block of the chain.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Block {
    /// Its height.
    pub height: Height,
    /// Its id.
    pub hash: Digest,
    /// What the hash covers.
    pub header: Header,
    /// The lane tips it orders up to.
    pub tips: Vec<Tip>,
}

/// What a block's hash covers.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Header {
    /// The chain's id.
    pub chain: Digest,
    /// The version of the rules.
    pub version: u8,
    /// The epoch.
    pub epoch: Epoch,
    /// The hash of the epoch's description.
    pub epoch_info_hash: Digest,
    /// The height.
    pub height: Height,
    /// The view it was first proposed in.
    pub orig_view: View,
    /// The block before it.
    pub parent: Digest,
    /// The hash of the body.
    pub body_root: Digest,
    /// The height whose ordering root it names.
    pub ordered_height: Height,
    /// That root.
    pub ordered_root: Digest,
    /// Who proposed it first.
    pub proposer: ValidatorIndex,
    /// The block time.
    pub time: Timestamp,
}

/// How far a block orders one lane.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Tip {
    /// The lane's epoch.
    pub epoch: Epoch,
    /// The lane's owner.
    pub lane: ValidatorIndex,
    /// The last batch to order.
    pub seq: LaneSeq,
    /// Its digest.
    pub digest: Digest,
    /// Charged bytes of the lane up to and including it.
    pub bytes_through: u64,
}
