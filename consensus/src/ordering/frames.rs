//! Frames, checkpoints and heartbeats: what lets a client check a rollup's stream by itself, built
//! from what a node stores.

use chorale_types::batch::{Batch, BatchId};
use chorale_types::block::Block;
use chorale_types::certificate::CommitCert;
use chorale_types::ids::Height;
use chorale_types::ordered::OrderedRecord;
use std::sync::Arc;

/// What a node stores of the chain, as far as frames need it. Everything is final; `None` is
/// what the node does not have, or no longer.
pub trait ChainReader {
    /// Why the store could not be read.
    type Error: std::error::Error;

    /// The final block at a height.
    ///
    /// # Errors
    /// When the store fails.
    fn block(&self, height: Height) -> Result<Option<Arc<Block>>, Self::Error>;

    /// A batch that a final block ordered.
    ///
    /// # Errors
    /// When the store fails.
    fn batch(&self, id: &BatchId) -> Result<Option<Arc<Batch>>, Self::Error>;

    /// What ordering a height came to. The record at height 0 is
    /// [`super::OrderState::genesis_record`].
    ///
    /// # Errors
    /// When the store fails.
    fn record(&self, height: Height) -> Result<Option<Arc<OrderedRecord>>, Self::Error>;

    /// The lowest height at or above `height` whose own block has a stored `CommitCert`, and that
    /// certificate.
    ///
    /// # Errors
    /// When the store fails.
    fn certificate(&self, height: Height)
    -> Result<Option<(Height, Arc<CommitCert>)>, Self::Error>;
}
