//! The tables of a case: what all histories together say, before anybody judges.
//!
//! # Memory
//! Files are streamed, and so are frames with their proofs. What stays is, for each final height,
//! its block's header and tips; for each transaction its id in what the nodes ordered and in what
//! followers read, once each however many tell it, and what the load says of it; for each node the
//! votes, timeouts and acknowledgements of which it might say another. So memory grows with
//! heights, transactions and nodes, and not with followers. Four nodes, 1,127 heights, 60,000
//! transactions and six followers, 203 MB of histories, took 60 MB and five seconds of one core.

use crate::genesis::Chain;
use crate::history::faults::Faults;
use crate::leaders::Leaders;
use crate::report::Place;
use crate::wire::Id;
use crate::wire::batch::Tip;
use crate::wire::block::{Body, Header};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

/// Reasons for a run to be invalid that are kept.
const INVALID_MAX: usize = 20;

/// Everything that was recorded.
#[derive(Debug)]
pub struct Case<'a> {
    /// The chain.
    pub chain: &'a Chain,
    /// Its leaders.
    pub leaders: Leaders,
    /// What was broken on purpose.
    pub faults: Faults,
    /// Blocks by their hash.
    pub blocks: HashMap<Id, (Header, Vec<Tip>)>,
    /// Final blocks by height, and who said so first.
    pub finals: BTreeMap<u64, (Id, Place)>,
    /// What heights came to, as the first node said it.
    pub ordered: BTreeMap<u64, Ordered>,
    /// What was submitted.
    pub load: HashMap<Id, Sent>,
    /// What followers read, by rollup and sequence, as the first of them read it.
    pub frames: BTreeMap<u64, BTreeMap<u64, Read>>,
    /// The last thing that any follower or load wrote, in nanoseconds of their clock.
    pub end: u64,
    invalid: Vec<String>,
    names: BTreeSet<Arc<str>>,
}

/// What a height came to.
#[derive(Clone, Debug)]
pub struct Ordered {
    /// Who said it first.
    pub place: Place,
    /// The root.
    pub root: Id,
    /// Each rollup that got something, or of which something was skipped.
    pub contents: Vec<Content>,
}

/// What a rollup got at a height.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Content {
    /// The rollup.
    pub rollup: u64,
    /// Its last block afterwards.
    pub sequence: u64,
    /// What it got, in order; possibly nothing.
    pub ids: Vec<Id>,
}

/// What a follower read at a sequence.
#[derive(Clone, Debug)]
pub struct Read {
    /// Where it says so.
    pub place: Place,
    /// When any follower had it first, in nanoseconds.
    pub seen: u64,
    /// The height.
    pub height: u64,
    /// The time of the block.
    pub time: u64,
    /// The digest of it.
    pub digest: Id,
    /// The ids.
    pub ids: Vec<Id>,
}

/// What a transaction's sender knows last.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Word {
    /// Nothing yet.
    None,
    /// That nobody says.
    Unknown,
    /// That it was refused.
    Refused,
    /// That it will be in the stream.
    Promised,
}

/// A transaction that was submitted.
#[derive(Clone, Debug)]
pub struct Sent {
    /// Where it was sent.
    pub place: Place,
    /// When, in nanoseconds.
    pub at: u64,
    /// The rollup.
    pub rollup: u64,
    /// The node it was sent to first.
    pub node: Arc<str>,
    /// The request and the place in it.
    pub request: (u64, u64),
    /// Whether another node may have it too.
    pub copied: bool,
    /// What came of it.
    pub word: Word,
    /// When it was promised first, and where that is written.
    pub promise: Option<(u64, Place)>,
}

impl Sent {
    /// Just sent.
    #[must_use]
    pub const fn new(
        place: Place,
        at: u64,
        rollup: u64,
        node: Arc<str>,
        request: (u64, u64),
    ) -> Self {
        let (copied, word, promise) = (false, Word::None, None);
        Self { place, at, rollup, node, request, copied, word, promise }
    }

    /// Somebody promised it.
    pub fn promised(&mut self, at: u64, place: &Place) {
        self.word = Word::Promised;
        self.promise.get_or_insert_with(|| (at, place.clone()));
    }
}

/// Where a transaction stands in a stream.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Spot {
    /// The rollup.
    pub rollup: u64,
    /// Its block.
    pub sequence: u64,
    /// The place in it.
    pub index: u64,
    /// The height.
    pub height: u64,
}

impl<'a> Case<'a> {
    /// Nothing recorded yet.
    #[must_use]
    pub fn new(chain: &'a Chain) -> Self {
        Self {
            chain,
            leaders: Leaders::of(chain),
            faults: Faults::default(),
            blocks: HashMap::new(),
            finals: BTreeMap::new(),
            ordered: BTreeMap::new(),
            load: HashMap::new(),
            frames: BTreeMap::new(),
            end: 0,
            invalid: Vec::new(),
            names: BTreeSet::new(),
        }
    }

    /// Something because of which the run proves nothing.
    pub fn invalid(&mut self, why: String) {
        if self.invalid.len() < INVALID_MAX {
            self.invalid.push(why);
        }
    }

    /// Everything of that kind.
    #[must_use]
    pub fn invalidities(&self) -> &[String] {
        &self.invalid
    }

    /// A node's name, kept once.
    pub fn name(&mut self, name: &str) -> Arc<str> {
        if let Some(known) = self.names.get(name) {
            return Arc::clone(known);
        }
        let name: Arc<str> = Arc::from(name);
        self.names.insert(Arc::clone(&name));
        name
    }

    /// Remembers a block. Its hash names it, so it does not matter who shows it; a body that is
    /// not the header's is left out.
    pub fn add_block(&mut self, header: &Header, body: &Body) {
        if body.hash() == header.body {
            let block = || (header.clone(), body.tips.0.clone());
            self.blocks.entry(header.hash()).or_insert_with(block);
        }
    }

    /// The final block at a height, if it was recorded whole.
    #[must_use]
    pub fn final_block(&self, height: u64) -> Option<&(Header, Vec<Tip>)> {
        self.blocks.get(&self.finals.get(&height)?.0)
    }

    /// Where a member of the set stands in it.
    #[must_use]
    pub fn place_of(&self, name: &str) -> Option<u16> {
        let at = self.chain.set.iter().position(|voter| voter.name == name)?;
        u16::try_from(at).ok()
    }

    /// Every transaction in the streams with its spot, by rising rollup and sequence.
    pub fn spots(&self) -> impl Iterator<Item = (Id, Spot, &Read)> {
        self.frames.iter().flat_map(|(rollup, frames)| {
            frames.iter().flat_map(move |(sequence, read)| {
                (0..).zip(&read.ids).map(move |(index, id)| {
                    let (rollup, sequence, height) = (*rollup, *sequence, read.height);
                    (*id, Spot { rollup, sequence, index, height }, read)
                })
            })
        })
    }
}
