//! The blocks this replica knows around the head of its chain: recent committed ones and all
//! candidates above, with the lane frontier after each.
//!
//! # Invariants
//! Every block held has its parent held, or is the oldest committed one kept. At most
//! [`UNCOMMITTED_BLOCKS_MAX`] candidates are held; over that the oldest one that nothing needs
//! goes. Committed heights only rise, one by one.

use chorale_types::block::{Block, CommittedBlock, Frontier, FrontierError};
use chorale_types::certificate::CommitCert;
use chorale_types::crypto::hash::Digest;
use chorale_types::ids::Height;
use chorale_types::limits::UNCOMMITTED_BLOCKS_MAX;
use chorale_types::time::Timestamp;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Committed blocks kept below the head, to tell a contradiction from old news.
const COMMITTED_KEPT: u64 = 2 * UNCOMMITTED_BLOCKS_MAX as u64;

/// What the rules need to know of a block.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Place {
    /// Its height.
    pub(crate) height: Height,
    /// Its parent.
    pub(crate) parent: Digest,
    /// Its time.
    pub(crate) time: Timestamp,
    /// Its ordered pair.
    pub(crate) ordered: (Height, Digest),
    /// How far each lane is ordered after it.
    pub(crate) frontier: Frontier,
    /// The block; absent for genesis.
    pub(crate) block: Option<Arc<Block>>,
}

/// Why a block was not taken.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum NotTaken {
    /// Its parent is not held.
    NoParent,
    /// Its height or time does not follow its parent's.
    DoesNotFollow,
    /// Its body does not stand on its parent's frontier.
    Frontier(FrontierError),
}

/// What came of a commit.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Commit {
    /// These became final, by rising height.
    Done(Vec<CommittedBlock>),
    /// It is final already, or lies below the head.
    Known,
    /// This ancestor is not held.
    Missing(Digest),
    /// It contradicts what is final here: more than a third of the stake is faulty.
    Conflict,
}

/// The blocks around the head.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Chain {
    blocks: BTreeMap<Digest, Place>,
    committed: BTreeMap<Height, Digest>,
    bytes_max: u64,
}

impl Chain {
    /// Starts at a block that is final: genesis, or the oldest one recovered.
    pub(crate) fn new(hash: Digest, place: Place, bytes_max: u64) -> Self {
        let committed = BTreeMap::from([(place.height, hash)]);
        Self { blocks: BTreeMap::from([(hash, place)]), committed, bytes_max }
    }

    /// The last final block.
    pub(crate) fn head(&self) -> (Height, Digest) {
        let (height, hash) = self.committed.last_key_value().expect("starts with one");
        (*height, *hash)
    }

    pub(crate) fn get(&self, hash: &Digest) -> Option<&Place> {
        self.blocks.get(hash)
    }

    pub(crate) fn block(&self, hash: &Digest) -> Option<&Arc<Block>> {
        self.blocks.get(hash).and_then(|place| place.block.as_ref())
    }

    /// Candidates held.
    pub(crate) fn uncommitted(&self) -> usize {
        self.blocks.len().saturating_sub(self.committed.len())
    }

    /// Takes a block whose form was checked. `needed` are blocks that must not be dropped to make
    /// room; their ancestors are kept with them.
    pub(crate) fn insert(
        &mut self,
        hash: Digest,
        block: Arc<Block>,
        needed: &[Digest],
    ) -> Result<(), NotTaken> {
        if self.blocks.contains_key(&hash) {
            return Ok(());
        }
        let header = &block.header;
        let parent = self.blocks.get(&header.parent).ok_or(NotTaken::NoParent)?;
        let follows = Some(parent.height) == header.height.previous() && header.time > parent.time;
        if !follows || header.ordered_height < parent.ordered.0 {
            return Err(NotTaken::DoesNotFollow);
        }
        let frontier =
            parent.frontier.advance(&block.body, self.bytes_max).map_err(NotTaken::Frontier)?;
        let place = Place {
            height: header.height,
            parent: header.parent,
            time: header.time,
            ordered: (header.ordered_height, header.ordered_root),
            frontier,
            block: Some(block),
        };
        self.blocks.insert(hash, place);
        self.make_room(hash, needed);
        Ok(())
    }

    fn make_room(&mut self, newest: Digest, needed: &[Digest]) {
        if self.uncommitted() <= UNCOMMITTED_BLOCKS_MAX {
            return;
        }
        let mut kept: BTreeSet<Digest> = self.committed.values().copied().collect();
        for tip in needed.iter().chain([&newest]) {
            let mut at = *tip;
            while let Some(place) = self.blocks.get(&at).filter(|_| kept.insert(at)) {
                at = place.parent;
            }
        }
        // Leaves first: a block that is nobody's parent, of the lowest height.
        let parents: BTreeSet<Digest> = self.blocks.values().map(|place| place.parent).collect();
        let victim = self
            .blocks
            .iter()
            .filter(|(hash, _)| !kept.contains(*hash) && !parents.contains(*hash))
            .min_by_key(|(hash, place)| (place.height, **hash))
            .map(|(hash, _)| *hash);
        if let Some(victim) = victim {
            self.blocks.remove(&victim);
        }
    }

    /// C2: a `CommitCert` makes its block and all below it final.
    pub(crate) fn commit(&mut self, cert: &Arc<CommitCert>) -> Commit {
        self.commit_through((cert.vote().height, cert.vote().block), cert)
    }

    /// C2, as far as `block`: the certificate's block or an ancestor of it.
    pub(crate) fn commit_through(
        &mut self,
        (height, block): (Height, Digest),
        cert: &Arc<CommitCert>,
    ) -> Commit {
        let (head_height, head) = self.head();
        if height <= head_height {
            return match self.committed.get(&height) {
                Some(hash) if *hash != block => Commit::Conflict,
                _ => Commit::Known,
            };
        }
        let mut path = Vec::new();
        let mut at = block;
        while at != head {
            let Some(place) = self.get(&at) else { return Commit::Missing(at) };
            if place.height <= head_height {
                return Commit::Conflict;
            }
            path.push(at);
            at = place.parent;
        }
        path.reverse();
        let done = path.into_iter().map(|hash| self.finalize(hash, cert)).collect();
        Commit::Done(done)
    }

    fn finalize(&mut self, hash: Digest, cert: &Arc<CommitCert>) -> CommittedBlock {
        let place = self.blocks.get(&hash).expect("on the path just walked");
        let block = Arc::clone(place.block.as_ref().expect("only genesis has none"));
        self.committed.insert(place.height, hash);
        CommittedBlock { block, hash, cert: Arc::clone(cert) }
    }

    /// Drops candidates that can never be final any more, and old final blocks.
    pub(crate) fn prune(&mut self) {
        let (height, _) = self.head();
        let oldest = height.saturating_sub(COMMITTED_KEPT);
        self.committed = self.committed.split_off(&oldest);
        let committed = &self.committed;
        self.blocks.retain(|hash, place| {
            place.height > height || committed.get(&place.height) == Some(hash)
        });
        // A candidate whose parent went is on a dead branch.
        loop {
            let dead: Vec<Digest> = self
                .blocks
                .iter()
                .filter(|(_, p)| p.height > height && !self.blocks.contains_key(&p.parent))
                .map(|(hash, _)| *hash)
                .collect();
            if dead.is_empty() {
                return;
            }
            for hash in dead {
                self.blocks.remove(&hash);
            }
        }
    }
}
