//! A committee of replicas in one queue, for scenario tests: fixed link delay, records durable at
//! once, signatures that are only marked. The simulator is the thorough version of this.

use crate::config::Config;
use crate::input::{Input, Ticket};
use crate::job::{Job, Verdict, Work};
use crate::note::{Fault, Note};
use crate::output::{Output, Recipients, Statement};
use crate::record::{Record, Recovered};
use crate::replica::Replica;
use chorale_types::batch::Batch;
use chorale_types::block::CommittedBlock;
use chorale_types::certificate::QuorumCert;
use chorale_types::crypto::bls::{BlsPublicKey, BlsSignature};
use chorale_types::crypto::ed25519::{PublicKey, Signature};
use chorale_types::crypto::hash::Digest;
use chorale_types::genesis::Params;
use chorale_types::ids::{Epoch, Height, RollupId, ValidatorIndex};
use chorale_types::message::{
    AckMessage, Message, Received, RescueMessage, Response, SignedHeader, VoteMessage,
};
use chorale_types::time::{Instant, Now, Timestamp};
use chorale_types::validators::{EpochInfo, Validator, ValidatorSet};
use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// One link's delay.
const DELAY: Duration = Duration::from_millis(1);

/// A BLS signature that the fake verifier refuses.
#[must_use]
pub fn garbage() -> BlsSignature {
    BlsSignature::from_bytes([0xff; 96])
}

/// A set with these stakes and made-up keys.
#[must_use]
pub fn set_of(stakes: &[u64]) -> ValidatorSet {
    let chain = Digest::from_bytes([7; 32]);
    let key = |kind: u8, at: usize| {
        let mut bytes = [kind; 32];
        bytes[0] = u8::try_from(at).expect("small sets");
        PublicKey::from_bytes(bytes)
    };
    let validators = stakes
        .iter()
        .enumerate()
        .map(|(at, stake)| {
            let mut bls = [3; 48];
            bls[0] = u8::try_from(at).expect("small sets");
            Validator {
                operator: key(1, at),
                bls: BlsPublicKey::from_bytes(bls),
                network: key(2, at),
                stake: *stake,
            }
        })
        .collect();
    let info = EpochInfo {
        epoch: Epoch::new(1),
        first_height: Height::new(1),
        last_height: Height::MAX,
        validators,
        seed: Digest::from_bytes([9; 32]),
        params: Params::default(),
    };
    ValidatorSet::new(chain, info, chain)
}

/// The configuration of one member.
#[must_use]
pub fn config_of(set: &ValidatorSet, me: u16) -> Config {
    Config {
        set: set.clone(),
        me: Some(ValidatorIndex::new(me)),
        votes: true,
        lanes: true,
        genesis_time: Timestamp::from_millis(1_000_000),
        genesis_root: Digest::from_bytes([5; 32]),
        rollups: vec![RollupId::new(1), RollupId::new(2)],
    }
}

/// What a link does with a message: `true` lets it pass.
pub type Filter = Box<dyn FnMut(ValidatorIndex, ValidatorIndex, &Message) -> bool>;

/// Replicas that talk to each other.
pub struct Committee {
    /// The set.
    pub set: ValidatorSet,
    /// The replicas; `None` for one that is down.
    pub replicas: Vec<Option<Replica>>,
    /// What became final at each, in order.
    pub committed: Vec<Vec<CommittedBlock>>,
    /// What each noted.
    pub notes: Vec<Vec<Note>>,
    /// Who reported whom.
    pub faults: BTreeSet<(ValidatorIndex, ValidatorIndex, Fault)>,
    /// Batches that a member stored.
    pub stores: Vec<BTreeMap<Digest, Arc<Batch>>>,
    /// What links do.
    pub filter: Filter,
    /// One link's delay.
    pub delay: Duration,
    /// Which replicas order what they commit.
    pub orders: Vec<bool>,
    /// Durable records.
    pub disks: Vec<Recovered>,
    /// Answers are delayed by this many link delays.
    pub answer_links: u32,
    /// Down peers answer None after this.
    pub patience: Duration,
    /// What each signed, by kind and view.
    pub signed: BTreeMap<(ValidatorIndex, u8, u64), Vec<u8>>,
    /// Commit votes signed, highest view; for the gate.
    pub gate: BTreeMap<ValidatorIndex, Vec<(u64, u64)>>,
    /// Random extra delay below this many microseconds.
    pub jitter: u64,
    /// The generator.
    pub rng: u64,
    /// Whether asks are answered: from, to, request.
    pub ask_filter:
        Box<dyn FnMut(ValidatorIndex, ValidatorIndex, &chorale_types::message::Request) -> bool>,
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
    /// Starts a committee with these stakes.
    #[must_use]
    pub fn new(stakes: &[u64]) -> Self {
        let set = set_of(stakes);
        let n = stakes.len();
        let mut committee = Self {
            set: set.clone(),
            replicas: vec![None; n],
            committed: vec![Vec::new(); n],
            notes: vec![Vec::new(); n],
            faults: BTreeSet::new(),
            stores: vec![BTreeMap::new(); n],
            filter: Box::new(|_, _, _| true),
            delay: DELAY,
            orders: vec![true; n],
            signed: BTreeMap::new(),
            gate: BTreeMap::new(),
            jitter: 0,
            rng: 1,
            disks: vec![Recovered::default(); n],
            answer_links: 2,
            patience: Duration::from_millis(500),
            ask_filter: Box::new(|_, _, _| true),
            queue: BTreeMap::new(),
            serial: 0,
            now: Instant::from_micros(1),
        };
        for index in set.indices() {
            let config = config_of(&set, index.get());
            let (replica, outputs) =
                Replica::recover(&config, Recovered::default(), committee.clock());
            committee.replicas[index.as_usize()] = Some(replica);
            committee.perform(index, outputs);
        }
        committee
    }

    fn clock(&self) -> Now {
        let millis = self.now.as_micros() / 1_000;
        Now { monotonic: self.now, wall: Timestamp::from_millis(1_000_000 + millis) }
    }

    /// Stops a replica for good.
    pub fn kill(&mut self, index: u16) {
        self.replicas[usize::from(index)] = None;
    }

    /// Restarts a replica from its disk.
    pub fn restart(&mut self, index: u16) {
        let at = usize::from(index);
        let me = ValidatorIndex::new(index);
        self.queue.retain(|_, (to, input)| *to != me || matches!(input, Input::Message(_)));
        let mut r = self.disks[at].clone();
        let n = self.committed[at].len();
        r.committed = self.committed[at][n.saturating_sub(64)..].to_vec();
        let head = n as u64;
        r.uncommitted.retain(|b| b.header.height.get() > head);
        let k = r.ordered.len();
        r.ordered = r.ordered[k.saturating_sub(64)..].to_vec();
        let config = config_of(&self.set, index);
        let (replica, outputs) = Replica::recover(&config, r, self.clock());
        self.replicas[at] = Some(replica);
        self.perform(me, outputs);
        let peers: Vec<_> = self.set.indices().filter(|i| *i != me).collect();
        for p in peers {
            self.inject(p, Input::PeerUp(me), Duration::ZERO);
            self.inject(me, Input::PeerUp(p), Duration::ZERO);
        }
    }

    /// Hands an input to a replica after `after`.
    pub fn inject(&mut self, to: ValidatorIndex, input: Input, after: Duration) {
        self.serial += 1;
        self.queue.insert((self.now.after(after), self.serial), (to, input));
    }

    /// A user submits to a member.
    pub fn submit(&mut self, to: u16, rollup: u64, payload: &[u8]) {
        let rollup = RollupId::new(rollup);
        let transaction = crate::input::HashedTransaction {
            rollup,
            id: chorale_types::transaction::transaction_id(rollup, payload),
            payload: Arc::from(payload),
        };
        let input = Input::Submit(Ticket(self.serial), vec![transaction]);
        self.inject(ValidatorIndex::new(to), input, Duration::ZERO);
    }

    /// Lets `duration` pass.
    pub fn run(&mut self, duration: Duration) {
        let end = self.now.after(duration);
        while let Some(entry) = self.queue.first_entry().filter(|entry| entry.key().0 <= end) {
            let ((at, _), (to, input)) = entry.remove_entry();
            self.now = at;
            let now = self.clock();
            let Some(replica) = &mut self.replicas[to.as_usize()] else { continue };
            let outputs = replica.step(now, input);
            self.perform(to, outputs);
        }
        self.now = end;
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
                    self.inject(me, Input::Checked(id, check(&work)), Duration::ZERO);
                }
                Output::Arm(timer, at) => {
                    let after = at.since(self.now);
                    self.inject(me, Input::Timer(timer), after);
                }
                Output::Commit(block) => {
                    let height = block.block.header.height;
                    let n = self.committed[me.as_usize()].len() as u64 + 1;
                    if height.get() < n {
                        assert_eq!(
                            self.committed[me.as_usize()][height.get() as usize - 1].hash,
                            block.hash
                        );
                    } else {
                        assert_eq!(height.get(), n, "contiguous");
                        self.committed[me.as_usize()].push(block);
                    }
                    let root = root_at(height);
                    if self.orders[me.as_usize()] {
                        self.disks[me.as_usize()].ordered.push((height, root));
                        self.inject(me, Input::Ordered { height, root }, Duration::ZERO);
                    }
                }
                Output::Ask(to, id, request) => {
                    let pass = (self.ask_filter)(me, to, &request);
                    let response = if pass { self.answer(to, &request) } else { None };
                    let after = if response.is_some() {
                        self.delay * self.answer_links
                    } else {
                        self.patience
                    };
                    let input = Input::Response { from: to, id, response };
                    self.inject(me, input, after);
                }
                Output::Report(peer, fault) => {
                    self.faults.insert((me, peer, fault));
                }
                Output::Note(note) => self.notes[me.as_usize()].push(note),
                Output::Admitted(..)
                | Output::Level(..)
                | Output::Respond(..)
                | Output::Serve(..) => {}
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
                for b in blocks {
                    if !disk.uncommitted.contains(&b) {
                        disk.uncommitted.push(b);
                    }
                }
            }
            Record::Acknowledgement { .. } => {}
        }
    }

    /// Signs where needed and puts a message on its links.
    pub fn send(&mut self, me: ValidatorIndex, to: Recipients, statement: Statement) {
        let own = !matches!(statement, Statement::Message(_));
        let message = sign(statement);
        if own {
            self.monitor(me, &message);
        }
        if own {
            self.inject(me, Input::Own(message.clone()), Duration::ZERO);
        }
        let targets: Vec<ValidatorIndex> = match to {
            Recipients::All => self.set.indices().filter(|index| *index != me).collect(),
            Recipients::One(index) => vec![index],
        };
        for target in targets {
            if (self.filter)(me, target, &message) {
                let received = Received { from: me, message: message.clone() };
                let d = self.delay + Duration::from_micros(self.random(self.jitter.max(1)));
                self.inject(target, Input::Message(received), d);
            }
        }
    }

    /// The next random number below `below`.
    pub fn random(&mut self, below: u64) -> u64 {
        self.rng ^= self.rng << 13;
        self.rng ^= self.rng >> 7;
        self.rng ^= self.rng << 17;
        self.rng % below
    }

    fn monitor(&mut self, me: ValidatorIndex, m: &Message) {
        use chorale_types::codec::Encode;
        let (kind, view, bytes) = match m {
            Message::Vote(v) => (v.kind as u8, v.vote.view.get(), v.vote.to_bytes()),
            Message::Timeout(t) => (2, t.view.get(), t.vote().to_bytes()),
            Message::Proposal(p) => (3, p.view.get(), p.block_hash().as_bytes().to_vec()),
            _ => return,
        };
        let old = self.signed.entry((me, kind, view)).or_insert_with(|| bytes.clone());
        assert_eq!(*old, bytes, "{me} signed twice: kind {kind} view {view}");
        if let Message::Timeout(t) = m {
            let hq = t.high_qc.view().get();
            for ((_, _, v), _) in self.signed.range((me, 1, 0)..=(me, 1, view)) {
                assert!(*v <= hq, "{me} commit {v} then timeout {view} hq {hq}");
            }
        }
    }

    /// Answers a question from what a live member has made final or stored.
    fn answer(
        &mut self,
        of: ValidatorIndex,
        request: &chorale_types::message::Request,
    ) -> Option<Response> {
        use chorale_types::message::Request;
        self.replicas[of.as_usize()].as_ref()?;
        if let Request::Block { .. } = request {
            let now = self.clock();
            let input = Input::Request {
                from: ValidatorIndex::new(0),
                token: crate::input::RequestToken(0),
                request: request.clone(),
            };
            let out = self.replicas[of.as_usize()].as_mut()?.step(now, input);
            for o in out {
                if let Output::Respond(_, _, r) = o {
                    return Some(r);
                }
            }
            if let Request::Block { hash } = request {
                let stored =
                    self.disks[of.as_usize()].uncommitted.iter().find(|b| b.hash() == *hash);
                if let Some(b) = stored {
                    return Some(Response::Block { block: Some(b.clone()) });
                }
            }
        }
        let committed = &self.committed[of.as_usize()];
        Some(match request {
            Request::Chain { from } => {
                let piece: Vec<_> = committed
                    .iter()
                    .filter(|b| b.block.header.height >= *from)
                    .take(chorale_types::limits::SYNC_BLOCKS_MAX)
                    .collect();
                let whole = piece.iter().rposition(|b| b.cert.vote().block == b.hash);
                let piece = &piece[..whole.map_or(0, |at| at + 1)];
                let cert = piece.last().map(|b| (*b.cert).clone());
                Response::Chain { blocks: piece.iter().map(|b| b.block.clone()).collect(), cert }
            }
            Request::Block { hash } => {
                let block = committed.iter().find(|b| b.hash == *hash);
                Response::Block { block: block.map(|b| b.block.clone()) }
            }
            Request::Batches { ids } => {
                let store = &self.stores[of.as_usize()];
                let batches = ids.iter().filter_map(|id| store.get(&id.digest).cloned()).collect();
                Response::Batches { batches }
            }
            Request::Headers { tip, above } => {
                let store = &self.stores[of.as_usize()];
                let (mut headers, mut at) = (Vec::new(), tip.digest);
                while let Some(batch) = store.get(&at).filter(|b| b.header.seq > *above) {
                    let signature = batch.owner_signature;
                    headers.push(SignedHeader { header: batch.header, signature });
                    at = batch.header.prev;
                }
                Response::Headers { headers }
            }
            Request::Availability { .. } => Response::Availability { cert: None },
        })
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

/// The made-up root of the ordering state at a height.
#[must_use]
pub fn root_at(height: Height) -> Digest {
    chorale_types::crypto::hash::hash_of(chorale_types::crypto::hash::Domain::Ordered, &height)
}

/// Everything is good but garbage, and certificates below a quorum are not made here.
fn check(work: &Work) -> Verdict {
    let aggregate = Some(BlsSignature::from_bytes([2; 96]));
    let bad = |shares: Vec<(ValidatorIndex, BlsSignature)>| {
        shares.into_iter().filter(|(_, s)| *s == garbage()).map(|(index, _)| index).collect()
    };
    match work {
        Work::All(_) => Verdict::All { good: true },
        Work::Votes { shares, .. } => Verdict::Shares { bad: bad(shares.clone()), aggregate },
        Work::Timeouts { shares } => {
            let shares = shares.iter().map(|(index, _, signature)| (*index, *signature)).collect();
            Verdict::Shares { bad: bad(shares), aggregate }
        }
        Work::Acks { .. } => Verdict::Shares { bad: Vec::new(), aggregate: None },
    }
}

fn sign(statement: Statement) -> Message {
    let bls = BlsSignature::from_bytes([1; 96]);
    let ed = Signature::from_bytes([1; 64]);
    match statement {
        Statement::Message(message) => message,
        Statement::Vote(cleared) => {
            let vote = cleared.into_statement();
            Message::Vote(VoteMessage {
                kind: vote.kind,
                vote: vote.vote,
                signature: bls,
                ordered_height: vote.ordered_height,
            })
        }
        Statement::Timeout(cleared) => {
            Message::Timeout(Arc::new(cleared.into_statement().signed(bls)))
        }
        Statement::Proposal(cleared) => Message::Proposal(Arc::new(cleared.into_statement())),
        Statement::Acknowledge(statement) => Message::Ack(AckMessage { statement, signature: ed }),
        Statement::Rescue(SignedHeader { header, signature }) => {
            Message::Rescue(RescueMessage { header, owner_signature: signature, signature: ed })
        }
    }
}

/// The certificate view 0 starts from, for tests that build their own.
#[must_use]
pub fn start_of(set: &ValidatorSet) -> QuorumCert {
    set.start().clone()
}
