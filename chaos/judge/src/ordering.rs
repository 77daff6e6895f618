//! The ordering state, computed from final blocks and from what each rollup got (section 6 of the
//! document).

use crate::case::Content;
use crate::crypto::{hash, merkle};
use crate::genesis::Chain;
use crate::wire::batch::{Lane, Tip};
use crate::wire::block::Header;
use crate::wire::proof::{Frontier, Leaf, Window};
use crate::wire::{Id, List, Wire as _};
use std::collections::{BTreeMap, VecDeque};

/// The most that one block moves the clock, in milliseconds.
const STEP_MAX: u64 = 1_000;
/// Most ids of a rollup that a height may hold.
const IDS_MAX: usize = 64 * 1024 * 1024;

/// An entry of a window: its height, clock, and the chain after it.
type Entry = (u64, u64, Id);

struct Rollup {
    leaf: Leaf,
    entries: VecDeque<Entry>,
}

/// The state after some height.
pub struct State<'a> {
    chain: &'a Chain,
    height: u64,
    time: u64,
    clock: u64,
    frontier: BTreeMap<Lane, Tip>,
    rollups: BTreeMap<u64, Rollup>,
}

impl<'a> State<'a> {
    /// The state of genesis.
    #[must_use]
    pub fn new(chain: &'a Chain) -> Self {
        let window = Window { start: 0, base: Id::default(), tip: Id::default() };
        let rollup = |rollup: &u64| {
            let stream_root = Id::default();
            let window = window.clone();
            let leaf = Leaf { rollup: *rollup, sequence: 0, height: 0, stream_root, window };
            (*rollup, Rollup { leaf, entries: VecDeque::new() })
        };
        let rollups = chain.rollups.iter().map(rollup).collect();
        let (time, frontier) = (chain.time, BTreeMap::new());
        Self { chain, height: 0, time, clock: 0, frontier, rollups }
    }

    /// One block on, in which rollups got `contents`.
    ///
    /// # Errors
    /// When the block cannot stand on the one before, or rollups cannot have got that.
    pub fn step(
        &mut self,
        header: &Header,
        tips: &[Tip],
        contents: &[Content],
    ) -> Result<(), String> {
        let step = header.time.saturating_sub(self.time).min(STEP_MAX);
        self.clock = self.clock.saturating_add(step);
        (self.height, self.time) = (header.height, header.time);
        for tip in tips {
            let before = self.frontier.insert(tip.lane, tip.clone());
            if before.is_some_and(|before| before.seq >= tip.seq) {
                return Err(format!("block {} orders lane {:?} again", header.height, tip.lane));
            }
        }
        for rollup in self.rollups.values_mut() {
            rollup.forget(self.chain, (self.height, self.clock));
        }
        for content in contents {
            let Some(rollup) = self.rollups.get_mut(&content.rollup) else {
                return Err(format!("rollup {} is not in the genesis", content.rollup));
            };
            if !content.ids.is_empty() {
                rollup.extend((self.height, self.time, self.clock), &content.ids);
            }
            if rollup.leaf.sequence != content.sequence {
                let (rollup, due) = (content.rollup, rollup.leaf.sequence);
                return Err(format!("rollup {rollup} is at {}, not at {due}", content.sequence));
            }
        }
        Ok(())
    }

    /// How many blocks a rollup has.
    #[must_use]
    pub fn sequence(&self, rollup: u64) -> Option<u64> {
        self.rollups.get(&rollup).map(|rollup| rollup.leaf.sequence)
    }

    /// The root that headers name.
    #[must_use]
    pub fn root(&self) -> Id {
        let leaf = |rollup: &Rollup| hash("chorale/1/ordered", &[&rollup.leaf.bytes()]);
        let rollups = merkle::root(&self.rollups.values().map(leaf).collect::<Vec<_>>());
        let frontier = Frontier(List(self.frontier.values().cloned().collect()));
        let frontier = hash("chorale/1/frontier", &[&frontier.bytes()]);
        let mut summary = Vec::new();
        (self.height, (self.time, self.clock)).put(&mut summary);
        (rollups, (frontier, Id::default())).put(&mut summary);
        hash("chorale/1/ordered", &[&summary])
    }
}

impl Rollup {
    fn forget(&mut self, chain: &Chain, (height, clock): (u64, u64)) {
        let (ms, heights) = (chain.params.dedup_ms, chain.params.dedup_heights);
        let old = |entry: &Entry| {
            clock.saturating_sub(entry.1) >= ms && height.saturating_sub(entry.0) >= heights
        };
        while let Some((_, _, tip)) = self.entries.pop_front_if(|entry| old(entry)) {
            self.leaf.window.base = tip;
        }
        self.leaf.window.start = self.entries.front().map_or(0, |entry| entry.0);
    }

    fn extend(&mut self, (height, time, clock): (u64, u64, u64), ids: &[Id]) {
        let leaf = &mut self.leaf;
        leaf.sequence = leaf.sequence.saturating_add(1);
        leaf.height = height;
        let place = (leaf.sequence, (height, time)).bytes();
        leaf.stream_root =
            hash("chorale/1/stream", &[&leaf.stream_root.0, &place, &merkle::root(ids).0]);
        let mut rising = ids.to_vec();
        rising.sort_unstable();
        let list = hash("chorale/1/id-list", &[&List::<Id, IDS_MAX>(rising).bytes()]);
        let place = (height, clock).bytes();
        leaf.window.tip = hash("chorale/1/window", &[&leaf.window.tip.0, &place, &list.0]);
        self.entries.push_back((height, clock, leaf.window.tip));
        if leaf.window.start == 0 {
            leaf.window.start = height;
        }
    }
}
