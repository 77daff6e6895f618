//! A rollup's blocks, and the events of its stream.

use super::{Base64, Hex};
use chorale_types::ids::{Height, RollupId, Sequence};
use chorale_types::rollup;
use chorale_types::time::Timestamp;
use serde::{Deserialize, Serialize};

/// One block of a rollup with its proof: an event `block`, and what the block calls answer.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(tag = "type", rename = "block")]
pub struct Frame {
    /// The rollup.
    pub rollup: RollupId,
    /// Its place in the rollup's stream; the event's id.
    pub sequence: Sequence,
    /// The height it was ordered at.
    pub height: Height,
    /// The time of the block there.
    pub time: Timestamp,
    /// The transactions, in order.
    pub transactions: Vec<Hex>,
    /// How far it proves that nothing was left out.
    pub complete: Complete,
    /// A `FrameProof`, encoded.
    pub proof: Base64,
}

impl From<rollup::Frame> for Frame {
    fn from(frame: rollup::Frame) -> Self {
        Self {
            rollup: frame.rollup,
            sequence: frame.sequence,
            height: frame.height,
            time: frame.time,
            transactions: frame.transactions.into_iter().map(Hex).collect(),
            complete: Complete::Now,
            proof: Base64(frame.proof),
        }
    }
}

impl From<Frame> for rollup::Frame {
    fn from(frame: Frame) -> Self {
        Self {
            rollup: frame.rollup,
            sequence: frame.sequence,
            height: frame.height,
            time: frame.time,
            transactions: frame.transactions.into_iter().map(|payload| payload.0).collect(),
            proof: frame.proof.0,
        }
    }
}

/// Up to where nothing of the rollup was left out.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Complete {
    /// Up to this very block.
    Now,
    /// Up to this height.
    AtHeight(Height),
}

/// An event `heartbeat`: nothing new, and a proof of up to where nothing was left out.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(tag = "type", rename = "heartbeat")]
pub struct Heartbeat {
    /// The rollup.
    pub rollup: RollupId,
    /// The sequence of the rollup's next block.
    pub next_sequence: Sequence,
    /// The node's last final height.
    pub height: Height,
    /// What the proof shows; always [`Complete::AtHeight`].
    pub complete: Complete,
    /// A `Heartbeat` of the proof formats, encoded; empty before the chain's first block.
    pub proof: Base64,
}

impl Heartbeat {
    /// Whether it says only that the chain has no block yet, which needs no proof and gives none.
    #[must_use]
    pub fn claims_nothing(&self) -> bool {
        self.proof.0.is_empty() && self.complete == Complete::AtHeight(Height::ZERO)
    }
}

/// An event `lagging`: the reader was slow and goes on from storage. Nothing is skipped.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(tag = "type", rename = "lagging")]
pub struct Lagging {
    /// The rollup.
    pub rollup: RollupId,
    /// The sequence that comes next.
    pub from_sequence: Sequence,
}

/// `GET …/blocks?from=&limit=`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct BlocksPage {
    /// Consecutive blocks from the sequence asked for; possibly fewer than asked for.
    pub blocks: Vec<Frame>,
    /// The sequence to ask for next.
    pub next: Sequence,
    /// The rollup's last block; zero while it has none.
    pub head: Sequence,
}

/// `GET …/checkpoint?sequence=`: a state to start from.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct CheckpointPage {
    /// The rollup.
    pub rollup: RollupId,
    /// The rollup's last block in that state, below the one asked for.
    pub sequence: Sequence,
    /// The state's height.
    pub height: Height,
    /// A `Checkpoint` of the proof formats, encoded.
    pub checkpoint: Base64,
}
