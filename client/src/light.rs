//! The check of everything a node says about one rollup, without any network.
//!
//! A [`LightClient`] holds the state of one rollup's stream: how far it is, the lane frontier, and
//! the ids that the rollup remembers. It starts from genesis or from a checkpoint, and each frame
//! moves it one block on, if every claim in it holds: the block is final, the transactions are in
//! it in this order, none of this rollup is missing, and none was delivered before. What fails
//! changes nothing, so the next node can be asked for the same block.
//!
//! # Invariants
//! The state is the one that every honest node has for this rollup at `position`, as long as less
//! than a third of the stake is Byzantine; `recent` ends with the current sequence.

mod chain;
mod error;
mod frame;

pub use chain::{Chain, FINAL_BLOCKS_MAX};
pub use error::LightError;

use crate::api::Complete;
use chorale_types::block::{Frontier, Header};
use chorale_types::codec::decode_exact;
use chorale_types::crypto::hash::Digest;
use chorale_types::ids::{Height, RollupId, Sequence};
use chorale_types::ordered::{Moment, StreamLink, Window, stream_root};
use chorale_types::rollup::{Anchor, Checkpoint, Frame, FrameProof, Heartbeat, Proven};
use chorale_types::time::Timestamp;
use chorale_types::transaction::TransactionId;
use std::collections::VecDeque;
use std::sync::Arc;

/// Own stream roots kept to compare heartbeats with, which lie a few blocks back.
const RECENT_ROOTS_KEPT: usize = 256;

/// A block of a rollup, verified: final, complete, in order, nothing delivered twice.
///
/// Two are equal when they deliver the same, however that was proven.
#[derive(Clone, Debug)]
pub struct RollupBlock {
    /// The rollup.
    pub rollup: RollupId,
    /// Its place in the rollup's stream.
    pub sequence: Sequence,
    /// The height it was ordered at.
    pub height: Height,
    /// The time of the block there.
    pub time: Timestamp,
    /// The transactions, in order.
    pub transactions: Vec<Vec<u8>>,
    /// Their ids.
    pub ids: Vec<TransactionId>,
    /// Up to where the client knows that it missed nothing. A client that holds the rollup's
    /// window, as this one does, always knows it up to this block.
    pub complete: Complete,
    /// The proof as the node sent it, for those who keep it or check it once more. Another node may
    /// prove the same block otherwise.
    pub proof: Vec<u8>,
}

impl PartialEq for RollupBlock {
    fn eq(&self, other: &Self) -> bool {
        let Self { rollup, sequence, height, time, transactions, ids, complete, proof: _ } = self;
        (rollup, sequence, height, time)
            == (&other.rollup, &other.sequence, &other.height, &other.time)
            && (transactions, ids, complete) == (&other.transactions, &other.ids, &other.complete)
    }
}

impl Eq for RollupBlock {}

/// Where in the chain a state stands.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Position {
    at: Moment,
    time: Timestamp,
    frontier: Frontier,
    /// The block there, where it was seen itself.
    block: Option<Digest>,
}

impl From<&Anchor> for Position {
    fn from(anchor: &Anchor) -> Self {
        Self {
            at: anchor.moment(),
            time: anchor.time,
            frontier: anchor.frontier.clone(),
            block: None,
        }
    }
}

/// Checks one rollup's stream.
#[derive(Clone, Debug)]
pub struct LightClient {
    chain: Arc<Chain>,
    rollup: RollupId,
    position: Position,
    sequence: Sequence,
    window: Window,
    recent: VecDeque<(Sequence, Digest)>,
}

impl LightClient {
    /// Starts before the rollup's first block.
    ///
    /// # Errors
    /// When the chain's genesis does not register the rollup.
    pub fn genesis(chain: &Arc<Chain>, rollup: RollupId) -> Result<Self, LightError> {
        let genesis = chain.genesis();
        if genesis.rollups.iter().all(|registered| registered.id != rollup) {
            return Err(LightError::UnknownRollup { rollup });
        }
        let position = Position {
            at: Moment { height: Height::ZERO, clock: 0 },
            time: genesis.time,
            frontier: Frontier::default(),
            block: Some(genesis.chain_id()),
        };
        Ok(Self {
            chain: Arc::clone(chain),
            rollup,
            position,
            sequence: Sequence::ZERO,
            window: Window::new(chain.rule()),
            recent: VecDeque::from([(Sequence::ZERO, Digest::ZERO)]),
        })
    }

    /// Starts from a checkpoint as a node sent it.
    ///
    /// # Errors
    /// When the state is not one that the chain's validators named, or the remembered ids are not
    /// that state's.
    pub fn start(
        chain: &Arc<Chain>,
        rollup: RollupId,
        checkpoint: &[u8],
    ) -> Result<Self, LightError> {
        let mut client = Self::genesis(chain, rollup)?;
        let checkpoint: Checkpoint = decode_exact(checkpoint)?;
        check_rollup(checkpoint.rollup, rollup)?;
        let commitment = match &checkpoint.proven {
            None => client.window.commitment(),
            Some(proven) => {
                let anchor = client.check_proven(proven)?;
                client.position = anchor.into();
                client.sequence = anchor.leaf.sequence;
                client.recent = VecDeque::from([(client.sequence, anchor.leaf.stream_root)]);
                anchor.leaf.window
            }
        };
        client.window = Window::restore(chain.rule(), &commitment, checkpoint.entries)?;
        Ok(client)
    }

    /// The last block verified; zero before the first.
    #[must_use]
    pub const fn sequence(&self) -> Sequence {
        self.sequence
    }

    /// The rollup.
    #[must_use]
    pub const fn rollup(&self) -> RollupId {
        self.rollup
    }

    /// The height up to which the state stands.
    #[must_use]
    pub const fn height(&self) -> Height {
        self.position.at.height
    }

    /// Checks the rollup's next block and moves on by it.
    ///
    /// # Errors
    /// With the first claim that does not hold; then the client stands where it stood.
    pub fn verify_frame(&mut self, frame: &Frame) -> Result<RollupBlock, LightError> {
        let proof = frame::decode(frame)?;
        self.accept(frame, &proof)
    }

    /// Checks several consecutive blocks. One certificate can prove them all: the last one's is
    /// verified first, and the headers chain down from it.
    ///
    /// Returns the blocks up to the first that was refused, and why it was.
    pub fn verify_frames(&mut self, frames: &[Frame]) -> (Vec<RollupBlock>, Option<LightError>) {
        let proofs: Vec<_> = frames.iter().map(frame::decode).collect();
        for proof in proofs.iter().rev().flatten() {
            // A refusal here is found again, and reported, when it is the frame's turn.
            let _ = frame::check_final(&self.chain, proof);
        }
        let mut blocks = Vec::with_capacity(frames.len());
        for (frame, proof) in frames.iter().zip(proofs) {
            match proof.and_then(|proof| self.accept(frame, &proof)) {
                Ok(block) => blocks.push(block),
                Err(error) => return (blocks, Some(error)),
            }
        }
        (blocks, None)
    }

    fn accept(&mut self, frame: &Frame, proof: &FrameProof) -> Result<RollupBlock, LightError> {
        let (position, ids) = frame::check(self, frame, proof)?;
        let root = stream_root(&StreamLink {
            previous: self.stream_root(),
            sequence: frame.sequence,
            height: frame.height,
            time: frame.time,
            ids: &ids,
        });
        self.window.remember(position.at, ids.clone());
        self.position = position;
        self.sequence = frame.sequence;
        self.recent.push_back((frame.sequence, root));
        while self.recent.len() > RECENT_ROOTS_KEPT {
            self.recent.pop_front();
        }
        Ok(RollupBlock {
            rollup: self.rollup,
            sequence: frame.sequence,
            height: frame.height,
            time: frame.time,
            transactions: frame.transactions.clone(),
            ids,
            complete: Complete::Now,
            proof: frame.proof.clone(),
        })
    }

    /// Checks a heartbeat. Returns the height up to which the client is proven to have missed
    /// nothing: the one that the heartbeat names, or the client's own where that is above.
    ///
    /// # Errors
    /// When the proof does not hold, or shows that a block was kept back or altered.
    pub fn verify_heartbeat(&self, heartbeat: &[u8]) -> Result<Height, LightError> {
        let Heartbeat(proven) = decode_exact(heartbeat)?;
        let anchor = self.check_proven(&proven)?;
        self.check_stream(anchor)?;
        Ok(anchor.height.max(self.height()))
    }

    fn stream_root(&self) -> Digest {
        self.recent.back().map_or(Digest::ZERO, |(_, root)| *root)
    }

    fn check_proven<'a>(&self, proven: &'a Proven) -> Result<&'a Anchor, LightError> {
        let headers: Vec<&Header> = proven.headers.iter().collect();
        self.chain.check_final(&headers, 1, &proven.certificate)?;
        let header = proven.headers.first().ok_or(LightError::NoHeader)?;
        self.check_anchor(&proven.anchor, header)?;
        Ok(&proven.anchor)
    }

    fn check_anchor(&self, anchor: &Anchor, header: &Header) -> Result<(), LightError> {
        if !anchor.is_named_by(header) {
            return Err(LightError::WrongAnchor { height: anchor.height });
        }
        check_rollup(anchor.leaf.rollup, self.rollup)
    }

    /// Whether the rollup's blocks in a proven state are those that were verified here. A state
    /// further back than is remembered says nothing new.
    fn check_stream(&self, anchor: &Anchor) -> Result<(), LightError> {
        let (proven, own) = (anchor.leaf.sequence, self.sequence);
        if proven > own {
            return Err(LightError::Missed { proven, own });
        }
        match self.recent.iter().rev().find(|(sequence, _)| *sequence == proven) {
            Some((_, root)) if *root != anchor.leaf.stream_root => {
                Err(LightError::Diverged { sequence: proven })
            }
            _ => Ok(()),
        }
    }
}

fn check_rollup(got: RollupId, expected: RollupId) -> Result<(), LightError> {
    if got == expected { Ok(()) } else { Err(LightError::WrongRollup { got, expected }) }
}
