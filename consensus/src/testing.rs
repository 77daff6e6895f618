//! A committee of replicas in one queue, for scenario tests: links with a delay, records durable
//! at once, signatures that are only marked. The simulator is the thorough version of this.
//!
//! # Invariants
//! The same calls give the same run. Whatever a scenario does, the committee itself asserts that
//! nobody signs two things where the rules allow one, and that blocks become final in height order.

mod answers;
mod members;
mod monitor;
mod random;
mod signing;

pub use members::{config_of, garbage, root_at, set_of};
pub use random::Random;

use crate::agreement::Status;
use crate::input::{HashedTransaction, Input, Ticket};
use crate::job::Job;
use crate::note::{Fault, Note};
use crate::output::{Output, Recipients, Statement};
use crate::record::{Record, Recovered};
use crate::replica::Replica;
use chorale_types::batch::Batch;
use chorale_types::block::{CommittedBlock, Frontier};
use chorale_types::crypto::ed25519::Signature;
use chorale_types::crypto::hash::Digest;
use chorale_types::ids::{RollupId, ValidatorIndex};
use chorale_types::message::{Message, Received, Request, Response};
use chorale_types::time::{Instant, Now, Timestamp};
use chorale_types::transaction::transaction_id;
use chorale_types::validators::ValidatorSet;
use core::fmt::Write as _;
use core::time::Duration;
use members::GENESIS_MILLIS;
use monitor::Monitor;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// One link's delay, unless a scenario sets another.
const DELAY: Duration = Duration::from_millis(1);
/// Final blocks and ordered roots that a restarted replica gets back, when all are ordered.
const RECOVERED_BLOCKS: usize = 64;

/// What a link does with a message, by sender and recipient: `true` lets it pass.
pub type Filter = Box<dyn FnMut(ValidatorIndex, ValidatorIndex, &Message) -> bool>;

/// What becomes of a question, by asker and asked: `true` lets it be answered.
pub type AskFilter = Box<dyn FnMut(ValidatorIndex, ValidatorIndex, &Request) -> bool>;

/// What an answer becomes, by asker and asked: `None` is an answer that does not come.
pub type AnswerFilter =
    Box<dyn FnMut(ValidatorIndex, ValidatorIndex, &Request, Response) -> Option<Response>>;

/// Replicas that talk to each other. Lists are by validator index.
pub struct Committee {
    /// The set.
    pub set: ValidatorSet,
    /// The replicas; `None` for one that is down.
    pub replicas: Vec<Option<Replica>>,
    /// What became final at each, in order, over all its restarts.
    pub committed: Vec<Vec<CommittedBlock>>,
    /// What each noted, over all its restarts.
    pub notes: Vec<Vec<Note>>,
    /// Who reported whom, for what.
    pub faults: BTreeSet<(ValidatorIndex, ValidatorIndex, Fault)>,
    /// Batches that each stored.
    pub stores: Vec<BTreeMap<Digest, Arc<Batch>>>,
    /// What links do with messages; questions and answers are not affected.
    pub filter: Filter,
    /// Which questions are answered.
    pub ask_filter: AskFilter,
    /// What becomes of answers.
    pub answer_filter: AnswerFilter,
    /// One link's delay; a question and its answer take two.
    pub delay: Duration,
    /// Each message takes a random time below this longer, so that messages overtake each other.
    pub jitter: Duration,
    /// Where the random times come from.
    pub random: Random,
    /// Which replicas order what they commit.
    pub orders: Vec<bool>,
    disks: Vec<Recovered>,
    monitor: Monitor,
    queue: BTreeMap<(Instant, u64), (ValidatorIndex, Input)>,
    serial: u64,
    now: Instant,
}

impl core::fmt::Debug for Committee {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Committee").field("now", &self.now).finish_non_exhaustive()
    }
}

impl Committee {
    /// Starts a committee with these stakes: everyone up, every link open.
    #[must_use]
    pub fn new(stakes: &[u64]) -> Self {
        let n = stakes.len();
        let mut committee = Self {
            set: set_of(stakes),
            replicas: vec![None; n],
            committed: vec![Vec::new(); n],
            notes: vec![Vec::new(); n],
            faults: BTreeSet::new(),
            stores: vec![BTreeMap::new(); n],
            filter: Box::new(|_, _, _| true),
            ask_filter: Box::new(|_, _, _| true),
            answer_filter: Box::new(|_, _, _, response| Some(response)),
            delay: DELAY,
            jitter: Duration::ZERO,
            random: Random::new(1),
            orders: vec![true; n],
            disks: vec![Recovered::default(); n],
            monitor: Monitor::default(),
            queue: BTreeMap::new(),
            serial: 0,
            now: Instant::from_micros(1),
        };
        for index in committee.members() {
            committee.start(index, Recovered::default());
        }
        committee
    }

    /// The moment that every replica's clocks show.
    #[must_use]
    pub fn now(&self) -> Now {
        let millis = self.now.as_micros() / 1_000;
        Now { monotonic: self.now, wall: Timestamp::from_millis(GENESIS_MILLIS + millis) }
    }

    /// Stops a replica: what was in its memory is lost, what it made durable is kept.
    pub fn kill(&mut self, index: u16) {
        self.replicas[usize::from(index)] = None;
    }

    /// Starts a replica, up or down, from what it made durable, and opens its links again.
    /// Messages on their way still arrive.
    ///
    /// # Panics
    /// When it stored batches: lanes are not brought back here.
    pub fn restart(&mut self, index: u16) {
        let me = ValidatorIndex::new(index);
        assert!(self.stores[me.as_usize()].is_empty(), "{me} would lose its batches");
        self.queue.retain(|_, (to, input)| *to != me || matches!(input, Input::Message(_)));
        let recovered = self.recovered(me);
        self.start(me, recovered);
        for peer in self.members().into_iter().filter(|peer| *peer != me) {
            self.reconnect(me, peer);
        }
    }

    fn start(&mut self, me: ValidatorIndex, recovered: Recovered) {
        let config = config_of(&self.set, me.get());
        let (replica, outputs) = Replica::recover(&config, recovered, self.now());
        self.replicas[me.as_usize()] = Some(replica);
        self.perform(me, outputs);
    }

    /// What storage gives back: the vote record and every block that is not final, but only the
    /// last of what is final and ordered.
    fn recovered(&self, me: ValidatorIndex) -> Recovered {
        let (disk, committed) = (&self.disks[me.as_usize()], &self.committed[me.as_usize()]);
        let unordered = committed.len() - disk.ordered.len();
        let kept = committed.len().saturating_sub(unordered.max(RECOVERED_BLOCKS));
        Recovered {
            committed: committed[kept..].to_vec(),
            frontier: frontier_after(committed),
            ordered: disk.ordered[disk.ordered.len().saturating_sub(RECOVERED_BLOCKS)..].to_vec(),
            ordered_frontier: frontier_after(&committed[..disk.ordered.len()]),
            ..disk.clone()
        }
    }

    /// Tells two members that the streams between them opened again.
    pub fn reconnect(&mut self, one: ValidatorIndex, other: ValidatorIndex) {
        self.inject(other, Input::PeerUp(one), Duration::ZERO);
        self.inject(one, Input::PeerUp(other), Duration::ZERO);
    }

    /// Hands an input to a replica after `after`, if it is up then.
    pub fn inject(&mut self, to: ValidatorIndex, input: Input, after: Duration) {
        self.serial += 1;
        self.queue.insert((self.now.after(after), self.serial), (to, input));
    }

    /// A user submits to a member.
    pub fn submit(&mut self, to: u16, rollup: u64, payload: &[u8]) {
        let rollup = RollupId::new(rollup);
        let id = transaction_id(rollup, payload);
        let transaction = HashedTransaction { rollup, id, payload: Arc::from(payload) };
        let input = Input::Submit(Ticket(self.serial), vec![transaction]);
        self.inject(ValidatorIndex::new(to), input, Duration::ZERO);
    }

    /// Lets `duration` pass.
    pub fn run(&mut self, duration: Duration) {
        let end = self.now.after(duration);
        while let Some(entry) = self.queue.first_entry().filter(|entry| entry.key().0 <= end) {
            let ((at, _), (to, input)) = entry.remove_entry();
            self.now = at;
            let now = self.now();
            let Some(replica) = &mut self.replicas[to.as_usize()] else { continue };
            let outputs = replica.step(now, input);
            self.perform(to, outputs);
        }
        self.now = end;
    }

    /// Lets time pass in steps of a tenth of a millisecond until `done`; `false` when it is not
    /// after `limit`.
    pub fn run_until(&mut self, limit: Duration, mut done: impl FnMut(&Self) -> bool) -> bool {
        let end = self.now.after(limit);
        while self.now < end {
            if done(self) {
                return true;
            }
            self.run(Duration::from_micros(100));
        }
        done(self)
    }

    fn perform(&mut self, me: ValidatorIndex, outputs: Vec<Output>) {
        for output in outputs {
            match output {
                Output::Persist(id, record) => {
                    self.persist(me, record);
                    self.inject(me, Input::Durable(id), Duration::ZERO);
                }
                Output::Send(to, statement, _) => self.send(me, to, statement),
                Output::Verify(Job { id, work }) => {
                    self.inject(me, Input::Checked(id, signing::check(&work)), Duration::ZERO);
                }
                Output::Arm(timer, at) => {
                    self.inject(me, Input::Timer(timer), at.since(self.now));
                }
                Output::Commit(block) => self.commit(me, block),
                Output::Ask(to, id, request) => self.ask(me, (to, id), &request),
                Output::Report(peer, fault) => {
                    self.faults.insert((me, peer, fault));
                }
                Output::Note(note) => self.notes[me.as_usize()].push(note),
                Output::Admitted(..) | Output::Level(..) => {}
                Output::Respond(..) | Output::Serve(..) => unreachable!("only `answer` asks"),
            }
        }
    }

    fn persist(&mut self, me: ValidatorIndex, record: Record) {
        match record {
            Record::OwnBatch { header, entries } => {
                let owner_signature = Signature::from_bytes([1; 64]);
                let batch = Arc::new(Batch { header, owner_signature, entries });
                self.stores[me.as_usize()].insert(header.digest(), Arc::clone(&batch));
                self.inject(me, Input::Own(Message::Batch(batch)), Duration::ZERO);
            }
            Record::Batch { batch, .. } => {
                self.stores[me.as_usize()].insert(batch.header.digest(), batch);
            }
            Record::Vote { blocks, record } => {
                let disk = &mut self.disks[me.as_usize()];
                disk.vote = Some((*record).clone());
                for block in blocks {
                    if !disk.uncommitted.contains(&block) {
                        disk.uncommitted.push(block);
                    }
                }
            }
            Record::Acknowledgement { .. } => {}
        }
    }

    fn commit(&mut self, me: ValidatorIndex, block: CommittedBlock) {
        let height = block.block.header.height;
        let committed = &mut self.committed[me.as_usize()];
        let heights = committed.len() as u64;
        assert_eq!(height.get(), heights + 1, "{me} commits heights in order, each once");
        committed.push(block);
        let disk = &mut self.disks[me.as_usize()];
        disk.uncommitted.retain(|block| block.header.height > height);
        if self.orders[me.as_usize()] {
            let root = root_at(height);
            disk.ordered.push((height, root));
            self.inject(me, Input::Ordered { height, root }, Duration::ZERO);
        }
    }

    /// Signs where needed, and puts the message on its links and, if it is the sender's own, into
    /// the sender's hands.
    fn send(&mut self, me: ValidatorIndex, to: Recipients, statement: Statement) {
        let own = !matches!(statement, Statement::Message(_));
        let message = signing::sign(statement);
        if own {
            self.monitor.watch(me, &message);
            self.inject(me, Input::Own(message.clone()), Duration::ZERO);
        }
        let targets = match to {
            Recipients::All => self.members(),
            Recipients::One(index) => vec![index],
        };
        for target in targets.into_iter().filter(|target| *target != me) {
            if (self.filter)(me, target, &message) {
                let after = self.delay + self.random.duration_below(self.jitter);
                let received = Received { from: me, message: message.clone() };
                self.inject(target, Input::Message(received), after);
            }
        }
    }

    fn members(&self) -> Vec<ValidatorIndex> {
        self.set.indices().collect()
    }

    /// What a replica tells about itself.
    ///
    /// # Panics
    /// When it is down.
    #[must_use]
    pub fn status(&self, index: u16) -> Status {
        self.replicas[usize::from(index)].as_ref().expect("it is up").status()
    }

    /// Where each replica is, in one line, for what a failed assertion says.
    #[must_use]
    pub fn summary(&self) -> String {
        let mut line = String::new();
        for (index, replica) in self.replicas.iter().enumerate() {
            let Some(status) = replica.as_ref().map(Replica::status) else {
                write!(line, "[{index}: down]").expect("strings grow");
                continue;
            };
            let Status { view, height, target_height, high_qc_view, ordered_height, .. } = status;
            write!(line, "[{index}: view {view}, height {height} of {target_height}, ")
                .and_then(|()| write!(line, "lock {high_qc_view}, ordered {ordered_height}]"))
                .expect("strings grow");
        }
        line
    }

    /// The hashes that a member made final, by height.
    #[must_use]
    pub fn chain(&self, index: u16) -> Vec<Digest> {
        self.committed[usize::from(index)].iter().map(|block| block.hash).collect()
    }

    /// Whether every member's chain is a prefix of the longest.
    #[must_use]
    pub fn agrees(&self) -> bool {
        let chains: Vec<_> = (0..self.set.len()).map(|index| self.chain(index)).collect();
        let longest = chains.iter().max_by_key(|chain| chain.len()).cloned().unwrap_or_default();
        chains.iter().all(|chain| longest.starts_with(chain))
    }
}

fn frontier_after(blocks: &[CommittedBlock]) -> Frontier {
    blocks.iter().fold(Frontier::default(), |frontier, block| {
        frontier.advance(&block.block.body, u64::MAX).expect("a final chain stands on itself")
    })
}
