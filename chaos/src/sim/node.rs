//! One simulated node: what survives a crash, and what runs between two.
//!
//! Replica, order of effects, durability barriers, recovery, ordering and the archive are the real
//! node's own code; the disk, the store's engine, the signatures and the clock are not.

use super::cluster::{Cluster, Signer, WALL_START_MS};
use super::disk::SimDisk;
use super::event::Run;
use super::queue::Micros;
use crate::byzantine::Adversary;
use chorale_consensus::input::{AskId, RequestToken};
use chorale_consensus::ordering::OrderState;
use chorale_consensus::record::{RecordId, VoteRecord};
use chorale_consensus::{Config, Output, Replica};
use chorale_node::barrier::{BatchBarrier, LaneWrite, VoteBarrier};
use chorale_node::execute::Executor;
use chorale_node::feed::Feed;
use chorale_node::storage::recover::{Identity, recover};
use chorale_node::storage::serve::Archive;
use chorale_node::storage::{Incarnation, KeyValue, MemoryStore, Stores};
use chorale_types::block::Block;
use chorale_types::crypto::hash::Digest;
use chorale_types::ids::{Height, RollupId, View};
use chorale_types::time::{Instant, Now, Timestamp};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// A node, running or not.
pub(crate) struct Node {
    pub(crate) index: usize,
    pub(crate) signer: Signer,
    /// Between the replica and the wire, if the member is faulty.
    pub(crate) adversary: Option<Adversary>,
    pub(crate) clock_ahead_ms: u64,
    pub(crate) disk: SimDisk,
    pub(crate) store: Arc<MemoryStore>,
    /// How often it started: names the current run.
    pub(crate) boot: u64,
    pub(crate) running: Option<Running>,
    /// Its process stands still until then.
    pub(crate) paused_until: Micros,
    /// Which fault of the plan did that.
    pub(crate) paused_by: Option<usize>,
    /// It crashes when its next vote record is durable, and is down this long; by which fault.
    pub(crate) trap: Option<(Micros, usize)>,
    /// It lost its data for good; what runs now is another machine with its keys.
    pub(crate) destroyed: bool,
    /// It does not start again.
    pub(crate) retired: bool,
}

/// What runs between two crashes.
pub(crate) struct Running {
    pub(crate) replica: Replica,
    pub(crate) executor: Executor,
    pub(crate) body: Body,
}

/// The host's half of a running node.
pub(crate) struct Body {
    pub(crate) run: Run,
    pub(crate) archive: Archive,
    pub(crate) feed: Feed,
    pub(crate) votes: Option<VoteBarrier<SimDisk>>,
    pub(crate) batches: BatchBarrier,
    pub(crate) vote_writer: Writer<VoteJob>,
    pub(crate) lane_writer: Writer<(RecordId, LaneWrite)>,
    /// Questions without an answer so far.
    pub(crate) asks: BTreeSet<AskId>,
    /// Who asked what this node has not answered yet.
    pub(crate) tokens: BTreeMap<RequestToken, (usize, AskId, u64)>,
    pub(crate) tokens_given: u64,
    /// Statements being signed.
    pub(crate) signing: usize,
    /// Whether an ordering event is on its way.
    pub(crate) ordering: bool,
    /// The current view's timer: the view, when it was armed and when it ends.
    pub(crate) view_timer: (View, Micros, Micros),
}

/// A vote record to write, and the blocks it names.
#[derive(Clone, Debug)]
pub(crate) struct VoteJob {
    pub(crate) id: RecordId,
    pub(crate) blocks: Vec<Arc<Block>>,
    pub(crate) record: Arc<VoteRecord>,
}

/// A thread that writes: what it writes now, and what waits. Everything that waits is written at
/// once when its turn comes.
#[derive(Debug)]
pub(crate) struct Writer<T> {
    pub(crate) now: Vec<T>,
    pub(crate) waiting: Vec<T>,
}

impl<T> Default for Writer<T> {
    fn default() -> Self {
        Self { now: Vec::new(), waiting: Vec::new() }
    }
}

impl<T> Writer<T> {
    /// Hands in a job. True when the writer was idle and starts with it now.
    pub(crate) fn push(&mut self, job: T) -> bool {
        self.waiting.push(job);
        self.now.is_empty() && self.begin()
    }

    /// What was written; the writer goes on with what waits. True when something does.
    pub(crate) fn finish(&mut self) -> (Vec<T>, bool) {
        let done = std::mem::take(&mut self.now);
        (done, self.begin())
    }

    fn begin(&mut self) -> bool {
        std::mem::swap(&mut self.now, &mut self.waiting);
        !self.now.is_empty()
    }
}

/// What starting a node came to.
pub(crate) struct Started {
    pub(crate) outputs: Vec<Output>,
    /// Its last final block.
    pub(crate) head: (Height, Digest),
    pub(crate) ordered: Height,
    /// Why it does not vote, if so.
    pub(crate) observes: Option<String>,
    /// Why it owns no lane, if so.
    pub(crate) no_lane: Option<String>,
}

impl Node {
    pub(crate) fn new(signer: Signer, adversary: Option<Adversary>, clock_ahead_ms: u64) -> Self {
        Self {
            index: signer.index.as_usize(),
            signer,
            adversary,
            clock_ahead_ms,
            disk: SimDisk::default(),
            store: Arc::new(MemoryStore::new()),
            boot: 0,
            running: None,
            paused_until: 0,
            paused_by: None,
            trap: None,
            destroyed: false,
            retired: false,
        }
    }

    /// Whether it keeps to the rules.
    pub(crate) const fn honest(&self) -> bool {
        self.adversary.is_none()
    }

    pub(crate) fn now(&self, at: Micros) -> Now {
        Now {
            monotonic: Instant::from_micros(at),
            wall: Timestamp::from_millis(WALL_START_MS + self.clock_ahead_ms + at / 1_000),
        }
    }

    /// All its data is gone.
    pub(crate) fn destroy(&mut self) {
        self.disk.wipe();
        self.store = Arc::new(MemoryStore::new());
        self.destroyed = true;
    }

    /// Starts it from what is stored, as the real node does.
    ///
    /// # Errors
    /// When the real node would not start: why.
    pub(crate) fn start(&mut self, cluster: &Cluster, at: Micros) -> Result<Started, String> {
        assert!(self.running.is_none(), "a node runs once at a time");
        let key_used = self.boot > 0;
        self.boot += 1;
        let mut fresh = [0; 16];
        fresh[0] = u8::try_from(self.index).expect("few members");
        fresh[8..].copy_from_slice(&self.boot.to_be_bytes());
        let identity = Identity {
            set: cluster.set.clone(),
            me: Some(self.signer.index),
            key_used,
            fresh: Incarnation(fresh),
        };
        let store: Arc<dyn KeyValue> = self.store.clone();
        let stores = Stores::new(&store);
        let recovery = recover(&stores, self.disk.clone(), &identity)
            .map_err(|error| format!("does not start: {error}"))?;
        let feed = Feed::open(stores.clone(), &cluster.genesis)
            .map_err(|error| format!("does not start: {error}"))?;
        let config = Config {
            set: cluster.set.clone(),
            me: identity.me,
            votes: recovery.votes.is_ok(),
            lanes: recovery.lanes.is_ok(),
            genesis_time: cluster.genesis.time,
            genesis_root: OrderState::genesis(&cluster.genesis).root(),
            rollups: cluster
                .genesis
                .rollups
                .iter()
                .map(|rollup| rollup.id)
                .collect::<Vec<RollupId>>(),
        };
        let genesis = (Height::ZERO, *cluster.set.chain());
        let head = recovery.recovered.committed.last();
        let head = head.map_or(genesis, |head| (head.block.header.height, head.hash));
        let ordered = feed.ordered_height();
        let now = self.now(at);
        let (replica, outputs) = Replica::recover(&config, recovery.recovered, now);
        let (synced, blocks) = (Arc::clone(&stores.synced), stores.blocks.clone());
        let votes = recovery.vote_record;
        let body = Body {
            run: Run { node: self.index, boot: self.boot },
            archive: Archive::new(stores.blocks.clone(), stores.batches.clone()),
            feed,
            votes: votes.map(|record| VoteBarrier::new(record, blocks, Arc::clone(&synced))),
            batches: BatchBarrier::new(stores.batches, synced),
            vote_writer: Writer::default(),
            lane_writer: Writer::default(),
            asks: BTreeSet::new(),
            tokens: BTreeMap::new(),
            tokens_given: 0,
            signing: 0,
            ordering: false,
            view_timer: (View::ZERO, at, at),
        };
        self.running = Some(Running { replica, executor: Executor::default(), body });
        let observes = recovery.votes.err().map(|why| why.to_string());
        let no_lane = recovery.lanes.err().map(|why| why.to_string());
        Ok(Started { outputs, head, ordered, observes, no_lane })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_writer_writes_what_waits_in_one_go() {
        let mut writer = Writer::default();
        assert!(writer.push(1));
        assert!(!writer.push(2));
        assert!(!writer.push(3));
        assert_eq!(writer.finish(), (vec![1], true));
        assert!(!writer.push(4));
        assert_eq!(writer.finish(), (vec![2, 3], true));
        assert_eq!(writer.finish(), (vec![4], false));
        assert!(writer.push(5));
    }
}
