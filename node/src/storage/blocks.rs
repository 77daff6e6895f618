//! Blocks by hash, and which of them are final.
//!
//! | Family | Key | Value |
//! |---|---|---|
//! | `Blocks` | hash | the block |
//! | `Chain` | height | hash and `CommitCert` of the final block there |
//! | `Chain` | height, hash | nothing: a stored block at this height, not final yet |
//! | `Meta` | `head` | the last final height and the lane frontier after it |
//!
//! A block is synced before the vote record that names it. What is final is buffered: it can be
//! fetched again by certificate, and nothing was promised on it.
//!
//! # Invariants
//! The head and its entry are written in one batch, and entries below it before or with it: so
//! the chain has no gap up to the head, after any crash.

use super::typed::{decode, get, missing, number};
use super::{Family, Key, KeyValue, Range, StorageError, WriteBatch};
use chorale_types::block::{Block, CommittedBlock, Frontier};
use chorale_types::certificate::CommitCert;
use chorale_types::codec::Encode;
use chorale_types::codec_struct;
use chorale_types::crypto::hash::Digest;
use chorale_types::ids::Height;
use chorale_types::limits::UNCOMMITTED_BLOCKS_MAX;
use std::sync::Arc;

const HEAD_KEY: &[u8] = b"head";
/// Bytes of a key of `Chain` that ends with a hash.
const MARKER_BYTES: usize = 8 + 32;

/// What is known of the final block at a height.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ChainEntry {
    /// The block.
    pub hash: Digest,
    /// The certificate of this block, or of the nearest descendant that has one.
    pub cert: Arc<CommitCert>,
}
codec_struct!(ChainEntry { hash, cert });

/// How far the stored chain goes.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Head {
    /// The last final height; zero before the first block.
    pub height: Height,
    /// How far each lane is ordered by the chain up to there.
    pub frontier: Frontier,
}
codec_struct!(Head { height, frontier });

/// Blocks in the store. Cheap to clone.
#[derive(Clone)]
pub struct BlockStore {
    store: Arc<dyn KeyValue>,
}

impl BlockStore {
    /// The blocks of `store`.
    #[must_use]
    pub fn new(store: Arc<dyn KeyValue>) -> Self {
        Self { store }
    }

    /// Adds to `batch` what is needed to store blocks that are not final, those that are not
    /// stored yet.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn stage_voted(
        &self,
        blocks: &[Arc<Block>],
        batch: &mut WriteBatch,
    ) -> Result<(), StorageError> {
        for block in blocks {
            let hash = block.hash();
            if !self.holds(&hash)? {
                batch.put(Family::Blocks, hash.as_bytes(), block.to_bytes());
                batch.put(Family::Chain, marker(block.header.height, &hash), []);
            }
        }
        Ok(())
    }

    /// Adds to `batch` what is needed to store the next final blocks, by rising height, on top
    /// of `head`, which moves to the last of them.
    ///
    /// # Errors
    /// When the store cannot be read.
    ///
    /// # Panics
    /// When a block is not the next one, or its body does not stand on the frontier: final
    /// blocks come in order and were checked.
    pub fn stage_final(
        &self,
        head: &mut Head,
        blocks: &[CommittedBlock],
        batch: &mut WriteBatch,
    ) -> Result<(), StorageError> {
        for CommittedBlock { block, hash, cert } in blocks {
            let height = block.header.height;
            assert_eq!(height, head.height.next(), "final blocks come in order of height");
            let frontier = head.frontier.advance(&block.body, u64::MAX);
            head.frontier = frontier.expect("a final block stands on its parent's frontier");
            head.height = height;
            if !self.holds(hash)? {
                batch.put(Family::Blocks, hash.as_bytes(), block.to_bytes());
            }
            let entry = ChainEntry { hash: *hash, cert: Arc::clone(cert) };
            batch.put(Family::Chain, Key::default().u64(height.get()), entry.to_bytes());
            batch.delete(Family::Chain, marker(height, hash));
        }
        if !blocks.is_empty() {
            batch.put(Family::Meta, HEAD_KEY, head.to_bytes());
        }
        Ok(())
    }

    fn holds(&self, hash: &Digest) -> Result<bool, StorageError> {
        Ok(self.store.get(Family::Blocks, hash.as_bytes())?.is_some())
    }

    /// A block by its hash, final or not.
    ///
    /// # Errors
    /// When the store cannot be read or is damaged.
    pub fn block(&self, hash: &Digest) -> Result<Option<Arc<Block>>, StorageError> {
        get(&*self.store, Family::Blocks, hash.as_bytes(), "reading a block")
    }

    /// How far the chain goes.
    ///
    /// # Errors
    /// When the store cannot be read or is damaged.
    pub fn head(&self) -> Result<Head, StorageError> {
        let head = get(&*self.store, Family::Meta, HEAD_KEY, "reading the head")?;
        Ok(head.unwrap_or_default())
    }

    /// What is final at a height; `None` above the head and for genesis.
    ///
    /// # Errors
    /// When the store cannot be read or is damaged.
    pub fn entry(&self, height: Height) -> Result<Option<ChainEntry>, StorageError> {
        let key = Key::default().u64(height.get());
        get(&*self.store, Family::Chain, key.as_ref(), "reading the chain")
    }

    /// The final block at a height; `None` above the head and for genesis.
    ///
    /// # Errors
    /// When the store cannot be read or is damaged.
    pub fn committed(&self, height: Height) -> Result<Option<CommittedBlock>, StorageError> {
        let Some(ChainEntry { hash, cert }) = self.entry(height)? else {
            return Ok(None);
        };
        let block = self.block(&hash)?;
        let block = block.ok_or_else(|| missing("reading the chain", "a final block"))?;
        Ok(Some(CommittedBlock { block, hash, cert }))
    }

    /// Stored blocks above `head`, at most [`UNCOMMITTED_BLOCKS_MAX`], lowest first.
    ///
    /// # Errors
    /// When the store cannot be read or is damaged.
    pub fn above(&self, head: Height) -> Result<Vec<Arc<Block>>, StorageError> {
        let range = Range::all(Family::Chain)
            .from(Key::default().u64(head.next().get()))
            .entries_max(UNCOMMITTED_BLOCKS_MAX);
        let mut blocks = Vec::new();
        for (key, _) in self.store.range(&range)? {
            let Some(hash) = key.get(8..MARKER_BYTES) else {
                continue;
            };
            let hash: Digest = decode("reading a block's place", hash)?;
            let block = self.block(&hash)?;
            blocks.push(block.ok_or_else(|| missing("reading the chain", "a stored block"))?);
        }
        Ok(blocks)
    }
}

fn marker(height: Height, hash: &Digest) -> Key {
    Key::default().u64(height.get()).bytes(hash.as_bytes())
}

/// The height in a key of `Chain`.
#[must_use]
pub fn height_of(key: &[u8]) -> Option<Height> {
    number(key, 0).map(Height::new)
}

#[cfg(test)]
mod tests;
