//! The way from a final block down to the own head, by hash. (Rule S4.)
//!
//! # Invariants
//! Every block and hash held is the one that a checked certificate names, or an ancestor of it that
//! the block above it names: nothing is a peer's word. At most [`SYNC_BLOCKS_MAX`] blocks are held,
//! and beside the certificate's own one hash for every so many heights: with a certificate at most
//! [`chorale_types::limits::SYNC_COVER_BLOCKS_MAX`] above the head, 4,097 hashes.

use chorale_types::block::Block;
use chorale_types::certificate::CommitCert;
use chorale_types::crypto::hash::Digest;
use chorale_types::ids::Height;
use chorale_types::limits::SYNC_BLOCKS_MAX;
use std::sync::Arc;

/// A way down, as far as it came.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) struct Descent {
    cert: Arc<CommitCert>,
    /// Final blocks to go down from, by falling height: the certificate's, and below it one at each
    /// multiple of [`SYNC_BLOCKS_MAX`] passed. The last one is being gone down from.
    marks: Vec<(Height, Digest)>,
    /// The blocks from the last mark down, by falling height.
    piece: Vec<Arc<Block>>,
    /// Questions in a row that brought nothing.
    pub(super) fruitless: usize,
}

/// Not the block that is named next.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct NotNamed;

impl Descent {
    /// Starts at the block of a checked certificate.
    pub(super) fn new(cert: Arc<CommitCert>) -> Self {
        let marks = vec![(cert.vote().height, cert.vote().block)];
        Self { cert, marks, piece: Vec::new(), fruitless: 0 }
    }

    /// The certificate that everything here is final by.
    pub(super) const fn cert(&self) -> &Arc<CommitCert> {
        &self.cert
    }

    /// Blocks and hashes held, for the bound on memory.
    pub(super) fn len(&self) -> usize {
        self.piece.len().saturating_add(self.marks.len())
    }

    /// The next block on the way; `None` when there is nothing left to go down from.
    pub(super) fn next(&self) -> Option<(Height, Digest)> {
        match self.piece.last() {
            Some(block) => Some((block.header.height.previous()?, block.header.parent)),
            None => self.marks.last().copied(),
        }
    }

    /// Takes the next block.
    pub(super) fn take(&mut self, block: &Arc<Block>) -> Result<(), NotNamed> {
        let (height, hash) = (block.header.height, block.hash());
        if self.next() != Some((height, hash)) || block.validate().is_err() {
            return Err(NotNamed);
        }
        if height.get().is_multiple_of(SYNC_BLOCKS_MAX as u64) && !self.piece.is_empty() {
            self.piece.clear();
            self.marks.push((height, hash));
        }
        self.piece.push(Arc::clone(block));
        Ok(())
    }

    /// Forgets what is final at the own head and below.
    pub(super) fn reached(&mut self, head: Height) {
        while self.marks.last().is_some_and(|(height, _)| *height <= head) {
            self.marks.pop();
            self.piece.clear();
        }
        self.piece.retain(|block| block.header.height > head);
    }

    /// The blocks from just above the head up to the last mark, once the way came down there. It
    /// goes on from the mark above.
    pub(super) fn finish(&mut self, head: Height) -> Option<Vec<Arc<Block>>> {
        self.piece.last().filter(|block| block.header.height == head.next())?;
        self.marks.pop();
        let mut blocks = std::mem::take(&mut self.piece);
        blocks.reverse();
        Some(blocks)
    }
}

#[cfg(test)]
mod tests;
