//! Answers to peers that catch up, read from the store. Every answer is bounded, and may be empty:
//! the asker then tries another peer.

use super::blocks::BlockStore;
use super::{BatchStore, StorageError};
use chorale_types::batch::BatchId;
use chorale_types::codec::Encode;
use chorale_types::ids::{Height, LaneSeq};
use chorale_types::limits::{SYNC_BATCHES_MAX, SYNC_BLOCKS_MAX, SYNC_BYTES_MAX, SYNC_HEADERS_MAX};
use chorale_types::message::{Request, Response};
use std::sync::Arc;

/// Reads answers. Cheap to clone.
#[derive(Clone)]
pub struct Archive {
    blocks: BlockStore,
    batches: BatchStore,
}

impl Archive {
    /// Answers from these.
    #[must_use]
    pub const fn new(blocks: BlockStore, batches: BatchStore) -> Self {
        Self { blocks, batches }
    }

    /// The answer to a question; an availability certificate is never stored, so that answer is
    /// empty.
    ///
    /// # Errors
    /// When the store cannot be read or is damaged.
    pub fn answer(&self, request: &Request) -> Result<Response, StorageError> {
        match request {
            Request::Chain { from } => self.chain(*from),
            Request::Block { hash } => Ok(Response::Block { block: self.blocks.block(hash)? }),
            Request::Ancestors { tip, above } => {
                Response::ancestors(tip, *above, |hash| self.blocks.block(hash))
            }
            Request::Headers { tip, above } => self.headers(*tip, *above),
            Request::Batches { ids } => self.batches(ids),
            Request::Availability { .. } => Ok(Response::Availability { cert: None }),
        }
    }

    /// Final blocks from a height, up to the last one in reach that has a certificate of its own;
    /// where none has, the certificate that covers the first.
    fn chain(&self, from: Height) -> Result<Response, StorageError> {
        let Some(first) = self.blocks.entry(from)? else {
            return Ok(Response::Chain { blocks: Vec::new(), cert: None });
        };
        let (mut blocks, mut whole, mut cert) = (Vec::new(), 0, first.cert);
        let (mut height, mut bytes) = (from, 0_usize);
        let in_reach = cert.vote().height.above(from) < SYNC_BLOCKS_MAX as u64;
        while in_reach && blocks.len() < SYNC_BLOCKS_MAX {
            let Some(next) = self.blocks.committed(height)? else {
                break;
            };
            bytes = bytes.saturating_add(next.block.to_bytes().len());
            if bytes > SYNC_BYTES_MAX {
                break;
            }
            blocks.push(next.block);
            if next.cert.vote().height == height {
                (whole, cert) = (blocks.len(), next.cert);
            }
            height = height.next();
        }
        blocks.truncate(whole);
        Ok(Response::Chain { blocks, cert: Some(cert.as_ref().clone()) })
    }

    fn headers(&self, tip: BatchId, above: LaneSeq) -> Result<Response, StorageError> {
        let (mut headers, mut next) = (Vec::new(), tip);
        while next.seq > above && headers.len() < SYNC_HEADERS_MAX {
            let Some(signed) = self.batches.header(&next)? else {
                break;
            };
            headers.push(signed);
            let Some(seq) = next.seq.previous() else {
                break;
            };
            next = BatchId { seq, digest: signed.header.prev, ..next };
        }
        Ok(Response::Headers { headers })
    }

    fn batches(&self, ids: &[BatchId]) -> Result<Response, StorageError> {
        let (mut batches, mut bytes) = (Vec::new(), 0_usize);
        for id in ids.iter().take(SYNC_BATCHES_MAX) {
            let Some(batch) = self.batches.batch(id)? else {
                continue;
            };
            bytes = bytes.saturating_add(batch.bytes());
            if bytes > SYNC_BYTES_MAX {
                break;
            }
            batches.push(Arc::clone(&batch));
        }
        Ok(Response::Batches { batches })
    }
}

#[cfg(test)]
mod tests;
