//! What frames are built from.

use super::FrameError;
use chorale_types::batch::{Batch, BatchId};
use chorale_types::block::{Block, Header};
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

    /// The header of the final block at a height. A proof may need up to
    /// [`chorale_types::limits::FRAME_LINK_HEADERS_MAX`] of them, and the next one the same
    /// again: a reader for which that is dear keeps some.
    ///
    /// # Errors
    /// When the store fails.
    fn header(&self, height: Height) -> Result<Option<Header>, Self::Error> {
        Ok(self.block(height)?.map(|block| block.header.clone()))
    }

    /// A batch that a final block ordered.
    ///
    /// # Errors
    /// When the store fails.
    fn batch(&self, id: &BatchId) -> Result<Option<Arc<Batch>>, Self::Error>;

    /// What ordering a height came to. The record at height 0 is
    /// [`crate::ordering::OrderState::genesis_record`].
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

/// A reader where what is missing is an error.
pub(super) struct Store<'a, R>(pub(super) &'a R);

type Found<T, R> = Result<Arc<T>, FrameError<<R as ChainReader>::Error>>;

impl<R: ChainReader> Store<'_, R> {
    pub(super) fn block(&self, height: Height) -> Found<Block, R> {
        self.0.block(height)?.ok_or(FrameError::Missing { what: "block", height })
    }

    pub(super) fn record(&self, height: Height) -> Found<OrderedRecord, R> {
        self.0.record(height)?.ok_or(FrameError::Missing { what: "ordering record", height })
    }

    /// A batch that the block at `height` ordered.
    pub(super) fn batch(&self, id: &BatchId, height: Height) -> Found<Batch, R> {
        self.0.batch(id)?.ok_or(FrameError::Missing { what: "batch", height })
    }

    pub(super) fn certificate(
        &self,
        height: Height,
    ) -> Result<(Height, Arc<CommitCert>), FrameError<R::Error>> {
        self.0.certificate(height)?.ok_or(FrameError::Missing { what: "certificate", height })
    }
}
