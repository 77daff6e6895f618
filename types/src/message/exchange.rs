//! Questions of a node that lacks something, and their answers.

use crate::batch::{Availability, Batch, BatchHeader, BatchId};
use crate::block::Block;
use crate::certificate::CommitCert;
use crate::codec::{Decode, DecodeError, Encode, Reader, encode_count, encode_list};
use crate::crypto::ed25519::Signature;
use crate::crypto::hash::Digest;
use crate::ids::{Height, LaneSeq};
use crate::limits::{SYNC_BATCHES_MAX, SYNC_BLOCKS_MAX, SYNC_BYTES_MAX, SYNC_HEADERS_MAX};
use std::sync::Arc;

/// A batch header with its owner's signature.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct SignedHeader {
    /// The header.
    pub header: BatchHeader,
    /// The owner's signature on it.
    pub signature: Signature,
}
codec_struct!(SignedHeader { header, signature });

/// Questions that a node which is behind asks.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Request {
    /// Committed blocks from this height on.
    Chain {
        /// The first height wanted.
        from: Height,
    },
    /// A block and those below it, by its hash, committed or not.
    Ancestors {
        /// The block.
        tip: Digest,
        /// The last height not wanted.
        above: Height,
    },
    /// One block by its hash, committed or not.
    Block {
        /// The block.
        hash: Digest,
    },
    /// The headers of a lane from a batch down to, not including, a sequence.
    Headers {
        /// The batch to start from.
        tip: BatchId,
        /// The last sequence not wanted.
        above: LaneSeq,
    },
    /// Batches.
    Batches {
        /// Which.
        ids: Vec<BatchId>,
    },
    /// The availability certificate of one batch, or of a higher one in its lane.
    Availability {
        /// Which.
        id: BatchId,
    },
}

impl Encode for Request {
    fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Self::Chain { from } => {
                out.push(0);
                from.encode(out);
            }
            Self::Block { hash } => {
                out.push(1);
                hash.encode(out);
            }
            Self::Batches { ids } => {
                out.push(2);
                encode_list(ids.iter(), out);
            }
            Self::Availability { id } => {
                out.push(3);
                id.encode(out);
            }
            Self::Headers { tip, above } => {
                out.push(4);
                tip.encode(out);
                above.encode(out);
            }
            Self::Ancestors { tip, above } => {
                out.push(5);
                tip.encode(out);
                above.encode(out);
            }
        }
    }
}

impl Decode for Request {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(match u8::decode(reader)? {
            0 => Self::Chain { from: Height::decode(reader)? },
            1 => Self::Block { hash: Digest::decode(reader)? },
            2 => Self::Batches { ids: reader.list("batches asked for", SYNC_BATCHES_MAX)? },
            3 => Self::Availability { id: BatchId::decode(reader)? },
            4 => Self::Headers { tip: BatchId::decode(reader)?, above: LaneSeq::decode(reader)? },
            5 => Self::Ancestors { tip: Digest::decode(reader)?, above: Height::decode(reader)? },
            got => return Err(DecodeError::BadValue { what: "request", got: u64::from(got) }),
        })
    }
}

/// Answers. Every one may be empty: the asker tries another peer.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Response {
    /// Consecutive committed blocks from the height asked for, and a certificate of the last. With
    /// a certificate alone: it made the block there final, and is too far above for one answer.
    Chain {
        /// The blocks by rising height.
        blocks: Vec<Arc<Block>>,
        /// The certificate; never absent where there are blocks.
        cert: Option<CommitCert>,
    },
    /// The block asked for and its ancestors, as far as they are held and fit.
    Ancestors {
        /// The blocks by falling height.
        blocks: Vec<Arc<Block>>,
    },
    /// The block, if held.
    Block {
        /// The block.
        block: Option<Arc<Block>>,
    },
    /// Those of the batches that are held and fit.
    Batches {
        /// The batches.
        batches: Vec<Arc<Batch>>,
    },
    /// The certificate, if held.
    Availability {
        /// The certificate.
        cert: Option<Availability>,
    },
    /// Headers with their owner's signatures, from the batch asked for downwards.
    Headers {
        /// The headers by falling sequence.
        headers: Vec<SignedHeader>,
    },
}

impl Encode for Response {
    fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Self::Chain { blocks, cert } => {
                out.push(0);
                encode_list(blocks.iter(), out);
                cert.encode(out);
            }
            Self::Block { block } => {
                out.push(1);
                block.encode(out);
            }
            Self::Batches { batches } => {
                out.push(2);
                encode_count(batches.len(), out);
                batches.iter().for_each(|batch| batch.encode(out));
            }
            Self::Availability { cert } => {
                out.push(3);
                cert.encode(out);
            }
            Self::Headers { headers } => {
                out.push(4);
                encode_list(headers.iter(), out);
            }
            Self::Ancestors { blocks } => {
                out.push(5);
                encode_list(blocks.iter(), out);
            }
        }
    }
}

impl Decode for Response {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(match u8::decode(reader)? {
            0 => {
                let blocks: Vec<Arc<Block>> = reader.list("blocks", SYNC_BLOCKS_MAX)?;
                let cert: Option<CommitCert> = Option::decode(reader)?;
                if !blocks.is_empty() && cert.is_none() {
                    return Err(DecodeError::NotCanonical { what: "a chain's certificate" });
                }
                Self::Chain { blocks, cert }
            }
            1 => Self::Block { block: Option::decode(reader)? },
            2 => Self::Batches { batches: reader.list("batches", SYNC_BATCHES_MAX)? },
            3 => Self::Availability { cert: Option::decode(reader)? },
            4 => Self::Headers { headers: reader.list("lane headers", SYNC_HEADERS_MAX)? },
            5 => Self::Ancestors { blocks: reader.list("ancestors", SYNC_BLOCKS_MAX)? },
            got => return Err(DecodeError::BadValue { what: "response", got: u64::from(got) }),
        })
    }
}

impl Response {
    /// The answer to [`Request::Ancestors`] of one who finds blocks with `find`: down to, not
    /// including, the height `above`, at most [`SYNC_BLOCKS_MAX`] blocks, and after the first at
    /// most [`SYNC_BYTES_MAX`] bytes.
    ///
    /// # Errors
    /// When `find` fails.
    pub fn ancestors<E>(
        tip: &Digest,
        above: Height,
        mut find: impl FnMut(&Digest) -> Result<Option<Arc<Block>>, E>,
    ) -> Result<Self, E> {
        let (mut blocks, mut next, mut bytes) = (Vec::new(), *tip, 0_usize);
        while blocks.len() < SYNC_BLOCKS_MAX {
            let Some(block) = find(&next)?.filter(|block| block.header.height > above) else {
                break;
            };
            bytes = bytes.saturating_add(block.to_bytes().len());
            if bytes > SYNC_BYTES_MAX && !blocks.is_empty() {
                break;
            }
            next = block.header.parent;
            blocks.push(block);
        }
        Ok(Self::Ancestors { blocks })
    }
}
