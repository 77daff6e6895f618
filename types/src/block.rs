//! Blocks: ordered references to batches, chained by hash.

use crate::batch::LaneTip;
use crate::certificate::CommitCert;
use crate::codec::{Decode, DecodeError, Encode, Reader, encode_count, encode_list};
use crate::crypto::bls::BlsSignature;
use crate::crypto::hash::{Digest, Domain, hash, hash_of};
use crate::ids::{Epoch, Height, LaneId, ValidatorIndex, View};
use crate::limits::BLOCK_TIPS_MAX;
use crate::time::Timestamp;
use std::collections::BTreeMap;
use std::sync::Arc;
use thiserror::Error;

/// The version of blocks and messages that this build writes.
pub const VERSION: u8 = 1;

/// What a block's hash covers.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Header {
    /// The chain: the hash of its genesis.
    pub chain: Digest,
    /// The version of the rules this block follows.
    pub version: u8,
    /// The epoch.
    pub epoch: Epoch,
    /// The hash of that epoch's description.
    pub epoch_info_hash: Digest,
    /// Position in the chain.
    pub height: Height,
    /// The view it was first proposed in; a re-proposal keeps it.
    pub orig_view: View,
    /// The block before it.
    pub parent: Digest,
    /// The hash of the body.
    pub body_root: Digest,
    /// How far the proposer had ordered, and named with a commit certificate.
    pub ordered_height: Height,
    /// The state of ordering there, a pure function of the committed prefix.
    pub ordered_root: Digest,
    /// The proposer's contribution to later seeds; absent while epochs have one fixed seed.
    pub reveal: Option<BlsSignature>,
    /// Who proposed it first.
    pub proposer: ValidatorIndex,
    /// Later than the parent's.
    pub time: Timestamp,
}
codec_struct!(Header {
    chain,
    version,
    epoch,
    epoch_info_hash,
    height,
    orig_view,
    parent,
    body_root,
    ordered_height,
    ordered_root,
    reveal,
    proposer,
    time,
});

impl Header {
    /// The block's id.
    #[must_use]
    pub fn hash(&self) -> Digest {
        hash_of(Domain::Header, self)
    }

    /// How many blocks the ordered height lies behind.
    #[must_use]
    pub const fn ordered_lag(&self) -> u64 {
        self.height.above(self.ordered_height)
    }
}

/// An operation on the validator set or the registry. None exists before epochs change.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum SystemOp {}

/// Proof of misbehaviour carried in a block. None exists before accountability is built.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Evidence {}

/// What a block orders.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct Body {
    /// New lane tips by rising lane, each above the parent's frontier.
    pub tips: Vec<LaneTip>,
    /// Operations on the set; empty in this version.
    pub system_ops: Vec<SystemOp>,
    /// Proofs of misbehaviour; empty in this version.
    pub evidence: Vec<Evidence>,
}

impl Body {
    /// A body that orders up to `tips`.
    #[must_use]
    pub const fn new(tips: Vec<LaneTip>) -> Self {
        Self { tips, system_ops: Vec::new(), evidence: Vec::new() }
    }

    /// The hash that the header names.
    #[must_use]
    pub fn root(&self) -> Digest {
        hash(Domain::Body, &[&self.to_bytes()])
    }

    /// Whether it orders nothing.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.tips.is_empty()
    }
}

impl Encode for Body {
    fn encode(&self, out: &mut Vec<u8>) {
        encode_list(self.tips.iter(), out);
        encode_count(self.system_ops.len(), out);
        encode_count(self.evidence.len(), out);
    }
}

impl Decode for Body {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let tips = reader.list("lane tips", BLOCK_TIPS_MAX)?;
        reader.count("system operations", 0)?;
        reader.count("evidence", 0)?;
        Ok(Self::new(tips))
    }
}

/// Why a block is malformed, whatever the state of the reader.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Error)]
pub enum BlockError {
    /// The header names another body.
    #[error("header names another body")]
    WrongBody,
    /// Lane tips are not in strictly rising order of lane.
    #[error("lane tips are not in rising order")]
    Unsorted,
    /// The version is not the one in force.
    #[error("version {got} is not in force")]
    WrongVersion {
        /// The version found.
        got: u8,
    },
    /// Height 0 is genesis and never proposed.
    #[error("height 0 cannot be proposed")]
    GenesisHeight,
    /// The ordered height is not below the block's.
    #[error("ordered height {ordered} is not below the block's {height}")]
    OrderedAhead {
        /// The ordered height named.
        ordered: Height,
        /// The block's height.
        height: Height,
    },
    /// A reveal is present although this version has none.
    #[error("a reveal is not part of version 1")]
    UnexpectedReveal,
}

/// A header with its body.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Block {
    /// What the hash covers.
    pub header: Header,
    /// What it orders.
    pub body: Body,
}
codec_struct!(Block { header, body });

impl Block {
    /// The block's id.
    #[must_use]
    pub fn hash(&self) -> Digest {
        self.header.hash()
    }

    /// Checks everything that needs no other block.
    ///
    /// # Errors
    /// With the first rule that does not hold.
    pub fn validate(&self) -> Result<(), BlockError> {
        let Header { version, height, ordered_height, .. } = self.header;
        if version != VERSION {
            return Err(BlockError::WrongVersion { got: version });
        }
        if height == Height::ZERO {
            return Err(BlockError::GenesisHeight);
        }
        if ordered_height >= height {
            return Err(BlockError::OrderedAhead { ordered: ordered_height, height });
        }
        if self.header.reveal.is_some() {
            return Err(BlockError::UnexpectedReveal);
        }
        if !self.body.tips.is_sorted_by(|a, b| a.lane < b.lane) {
            return Err(BlockError::Unsorted);
        }
        if self.body.root() != self.header.body_root {
            return Err(BlockError::WrongBody);
        }
        Ok(())
    }
}

/// How far each lane is ordered by a chain up to some block.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct Frontier(BTreeMap<LaneId, LaneTip>);

/// Why a body does not stand on a frontier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Error)]
pub enum FrontierError {
    /// A tip is not above the one already ordered.
    #[error("lane {lane} is already ordered this far")]
    NotAbove {
        /// The lane.
        lane: LaneId,
    },
    /// Lane bytes fall although the sequence rises.
    #[error("lane {lane} has fewer bytes at a higher sequence")]
    BytesFall {
        /// The lane.
        lane: LaneId,
    },
    /// The block orders more bytes than allowed.
    #[error("block orders {bytes} bytes, at most {max} allowed")]
    TooManyBytes {
        /// Bytes newly ordered.
        bytes: u64,
        /// The bound.
        max: u64,
    },
}

impl Frontier {
    /// The tip of a lane, if anything of it is ordered.
    #[must_use]
    pub fn tip(&self, lane: LaneId) -> Option<&LaneTip> {
        self.0.get(&lane)
    }

    /// Lane bytes ordered so far.
    #[must_use]
    pub fn bytes_through(&self, lane: LaneId) -> u64 {
        self.0.get(&lane).map_or(0, |tip| tip.bytes_through)
    }

    /// The last ordered sequence of a lane; zero when none is.
    #[must_use]
    pub fn seq(&self, lane: LaneId) -> crate::ids::LaneSeq {
        self.0.get(&lane).map_or(crate::ids::LaneSeq::ZERO, |tip| tip.seq)
    }

    /// The tips by rising lane.
    pub fn tips(&self) -> impl ExactSizeIterator<Item = &LaneTip> {
        self.0.values()
    }

    /// The frontier after `body`, and how many bytes it newly orders.
    ///
    /// # Errors
    /// When a tip is not above this frontier, or the bytes pass `bytes_max`.
    pub fn advance(&self, body: &Body, bytes_max: u64) -> Result<Self, FrontierError> {
        let mut next = self.clone();
        let mut bytes = 0_u64;
        for tip in &body.tips {
            let lane = tip.lane;
            if tip.seq <= self.seq(lane) {
                return Err(FrontierError::NotAbove { lane });
            }
            let before = self.bytes_through(lane);
            if tip.bytes_through <= before {
                return Err(FrontierError::BytesFall { lane });
            }
            bytes = bytes.saturating_add(tip.bytes_through.saturating_sub(before));
            next.0.insert(lane, *tip);
        }
        if bytes > bytes_max {
            return Err(FrontierError::TooManyBytes { bytes, max: bytes_max });
        }
        Ok(next)
    }

    /// What the ordering state commits to.
    #[must_use]
    pub fn hash(&self) -> Digest {
        hash_of(Domain::Frontier, self)
    }
}

impl Encode for Frontier {
    fn encode(&self, out: &mut Vec<u8>) {
        encode_list(self.0.values(), out);
    }
}

impl Decode for Frontier {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let tips: Vec<LaneTip> = reader.list("frontier", BLOCK_TIPS_MAX)?;
        if !tips.is_sorted_by(|a, b| a.lane < b.lane) {
            return Err(DecodeError::NotCanonical { what: "frontier order" });
        }
        Ok(Self(tips.into_iter().map(|tip| (tip.lane, tip)).collect()))
    }
}

/// A block that can never change, with what proves it.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct CommittedBlock {
    /// The block.
    pub block: Arc<Block>,
    /// Its hash, computed once.
    pub hash: Digest,
    /// The certificate of this block, or of the descendant that committed it.
    pub cert: Arc<CommitCert>,
}
