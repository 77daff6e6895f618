//! Frames, checkpoints and heartbeats: what lets a client check a rollup's stream by itself, built
//! from what a node stores. The same store gives the same bytes, whoever asks.

mod build;
mod reader;

#[cfg(test)]
mod tests;

pub use build::{build_checkpoint, build_frame, build_heartbeat};
pub use reader::ChainReader;

use chorale_types::ids::{Height, RollupId};
use thiserror::Error;

/// Why something could not be built.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum FrameError<E: std::error::Error> {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] E),
    /// The node does not have it, or no longer.
    #[error("no {what} at height {height}")]
    Missing {
        /// What is missing.
        what: &'static str,
        /// Of which height.
        height: Height,
    },
    /// Nobody registered this rollup.
    #[error("rollup {rollup} is not registered")]
    UnknownRollup {
        /// The rollup.
        rollup: RollupId,
    },
    /// The rollup has no block at this height.
    #[error("rollup {rollup} has no block at height {height}")]
    NoBlock {
        /// The rollup.
        rollup: RollupId,
        /// The height.
        height: Height,
    },
    /// The next block with a certificate of its own lies too far above.
    #[error("the next certificate above height {height} is at {certified}")]
    TooFarBelow {
        /// The height to prove.
        height: Height,
        /// The next one with a certificate.
        certified: Height,
    },
    /// The block with the nearest certificate, or one below it, is not stored yet: the node is on
    /// its way there.
    #[error("height {height} is final by the block at {certified}, which is not here yet")]
    NotLinked {
        /// The height to prove.
        height: Height,
        /// The one with the certificate.
        certified: Height,
    },
    /// The proof would be longer than any client takes.
    #[error("proof for height {height} has {bytes} bytes, at most {max} are taken")]
    TooLarge {
        /// The height.
        height: Height,
        /// Its length.
        bytes: usize,
        /// The bound.
        max: usize,
    },
}
