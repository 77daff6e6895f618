//! A real replica of a set of one, with the real threads for records and signatures, over a store
//! and a disk that tell when they sync: what leaves, and when.

use super::*;
use crate::execute::{Executor, Host};
use crate::signer::{Outbox, Signer, rank_of, run};
use crate::storage::{BatchStore, BlockStore, Incarnation, KeyValue, VoteRecord as Record_};
use crate::testing::doubles::{Control, LoggedDisk, LoggedStore};
use crate::testing::stores;
use crate::{barrier::SyncedStore, host::Clock, ledger::Ledger, timers::Timers, wire::Outbound};
use chorale_consensus::input::{AskId, HashedTransaction, RequestToken, Ticket, Timer};
use chorale_consensus::job::{Job, Verdict, Work};
use chorale_consensus::note::{Fault, Note};
use chorale_consensus::ordering::OrderState;
use chorale_consensus::output::{Admission, Recipients, Statement};
use chorale_consensus::{Config, Replica};
use chorale_types::batch::BatchId;
use chorale_types::block::CommittedBlock;
use chorale_types::codec::{Encode, decode_exact};
use chorale_types::crypto::bls::Bls;
use chorale_types::crypto::ed25519::SecretKey;
use chorale_types::crypto::fast::Fast;
use chorale_types::genesis::{
    Genesis, GenesisRollup, GenesisValidator, Params, Policy, possession_binding,
};
use chorale_types::ids::{RollupId, ValidatorIndex};
use chorale_types::level::Level;
use chorale_types::message::{Request, Response};
use chorale_types::time::{Instant as Moment, Timestamp};
use chorale_types::transaction::transaction_id;
use chorale_types::verify::Verifier;
use std::collections::VecDeque;
use std::sync::Mutex;
use std::sync::atomic::Ordering;

const ME: ValidatorIndex = ValidatorIndex::new(0);
const ROLLUP: RollupId = RollupId::new(1);

fn keys() -> NodeKeys {
    let bls = Fast::secret_from_seed(&[1; 32]);
    NodeKeys { bls, network: SecretKey::from_seed([2; 32]) }
}

fn genesis() -> Genesis {
    let operator = SecretKey::from_seed([3; 32]).public();
    let binding = possession_binding("one", &operator);
    let params = Params {
        view_timeout_ms: 600_000,
        idle_block_interval_ms: 1,
        block_interval_min_ms: 0,
        batch_interval_ms: 1,
        ..Params::default()
    };
    Genesis {
        chain_name: "one".into(),
        time: Timestamp::from_millis(1),
        seed: Digest::ZERO,
        params,
        validators: vec![GenesisValidator {
            name: "one".into(),
            operator,
            bls: Fast::public(&keys().bls),
            possession: Fast::prove(&keys().bls, &binding),
            network: keys().network.public(),
            stake: 1,
        }],
        rollups: vec![GenesisRollup { id: ROLLUP, policy: Policy::Open, deposit: 0 }],
    }
}

/// What left, in order.
type Sent = Arc<Mutex<Vec<Message>>>;

/// The parts of a host that matter here.
struct TestHost {
    persisters: Persisters,
    outbox: Arc<Outbox>,
    timers: Timers,
    inbox: Arc<Inbox>,
    judge: crate::verify::Judge,
    committed: u64,
    control: Control,
}

impl Host for TestHost {
    fn persist(&mut self, id: RecordId, record: Record) {
        self.control.push("asked");
        self.persisters.persist(id, record);
    }
    fn send(&mut self, to: Recipients, statement: Statement) {
        self.outbox.push(rank_of(&statement), (to, statement));
    }
    fn verify(&mut self, Job { id, work }: Job) {
        let verdict: Verdict = self.judge.judge(&work);
        let _: &Work = &work;
        self.inbox.urgent(Input::Checked(id, verdict));
    }
    fn arm(&mut self, timer: Timer, at: Moment) {
        self.timers.arm(timer, at);
    }
    fn admitted(&mut self, _: Ticket, admissions: Vec<Admission>) {
        assert_eq!(admissions, [Admission::Accepted]);
    }
    fn level(&mut self, _: BatchId, _: Level) {}
    fn commit(&mut self, _: CommittedBlock) {
        self.committed += 1;
    }
    fn ask(&mut self, _: ValidatorIndex, _: AskId, _: Request) {}
    fn respond(&mut self, _: ValidatorIndex, _: RequestToken, _: Response) {}
    fn serve(&mut self, _: ValidatorIndex, _: RequestToken, _: Request) {}
    fn report(&mut self, peer: ValidatorIndex, fault: Fault) {
        panic!("{peer} is blamed for {fault:?}");
    }
    fn note(&mut self, _: Note) {}
}

struct Rig {
    control: Control,
    sent: Sent,
    stopper: Stopper,
    replica: Replica,
    executor: Executor,
    host: TestHost,
    clock: Clock,
    threads: Vec<std::thread::JoinHandle<()>>,
}

impl Rig {
    fn new() -> Self {
        let (genesis, control, sent) = (genesis(), Control::default(), Sent::default());
        let (set, inbox, stopper) =
            (genesis.first_set(), Arc::new(Inbox::default()), Stopper::default());
        let told = Told {
            inbox: Arc::clone(&inbox),
            stopper: stopper.clone(),
            metrics: Arc::new(Metrics::default()),
        };
        let (persisters, queues) = Persisters::new();
        let threads = start_threads(&set, &control, &told, queues, &sent);
        let outbox = Arc::clone(&threads.outbox);
        let clock = Clock::default();
        let config = Config {
            set: set.clone(),
            me: Some(ME),
            votes: true,
            lanes: true,
            genesis_time: genesis.time,
            genesis_root: OrderState::genesis_record(&genesis).root,
            rollups: vec![ROLLUP],
        };
        let recovered = chorale_consensus::record::Recovered::default();
        let (replica, outputs) = Replica::recover(&config, recovered, clock.now());
        let judge = crate::verify::Judge::new(&set).unwrap();
        let mut host = TestHost {
            persisters,
            outbox,
            timers: Timers::default(),
            inbox,
            judge,
            committed: 0,
            control: control.clone(),
        };
        let mut executor = Executor::default();
        executor.execute(outputs, &mut host);
        let threads = threads.handles;
        Self { control, sent, stopper, replica, executor, host, clock, threads }
    }

    /// Steps the replica until something is so. Nothing here depends on how long that takes.
    fn until(&mut self, is_so: impl Fn(&Self) -> bool) {
        let mut turn = VecDeque::new();
        while !is_so(self) {
            let now = std::time::Instant::now() + std::time::Duration::from_millis(1);
            self.host.inbox.take(&mut turn, Some(now)).unwrap();
            while let Some(timer) = self.host.timers.pop_due(self.clock.now().monotonic) {
                self.step(Input::Timer(timer));
            }
            while let Some(input) = turn.pop_front() {
                self.step(input);
            }
        }
    }

    fn step(&mut self, input: Input) {
        if let Input::Durable(id) = &input {
            self.executor.durable(*id, &mut self.host);
        }
        let outputs = self.replica.step(self.clock.now(), input);
        self.executor.execute(outputs, &mut self.host);
    }

    fn sent(&self) -> Vec<Message> {
        self.sent.lock().unwrap().clone()
    }

    fn submit(&mut self, payload: &[u8]) {
        let id = transaction_id(ROLLUP, payload);
        let transaction = HashedTransaction { rollup: ROLLUP, id, payload: payload.into() };
        self.step(Input::Submit(Ticket(1), vec![transaction]));
    }

    fn end(self) {
        self.host.outbox.close();
        drop(self.host);
        self.threads.into_iter().for_each(|thread| thread.join().unwrap());
    }
}

fn logged_store(control: &Control) -> (Arc<dyn KeyValue>, Arc<SyncedStore>) {
    let store: Arc<dyn KeyValue> =
        Arc::new(LoggedStore { control: control.clone(), ..LoggedStore::default() });
    (Arc::clone(&store), Arc::new(SyncedStore::new(store)))
}

/// Over a store of its own.
fn lane_writer(control: &Control, told: &Told, chain: Digest) -> LaneWriter {
    let (store, synced) = logged_store(control);
    let ledger = Ledger::open(stores().1, &genesis()).unwrap();
    LaneWriter {
        barrier: BatchBarrier::new(BatchStore::new(store), synced),
        keys: Arc::new(keys()),
        chain,
        submissions: Submissions::new(Arc::clone(&told.inbox), ledger, None),
        feed: channel().0,
        recorder: None,
    }
}

struct Started {
    outbox: Arc<Outbox>,
    handles: Vec<std::thread::JoinHandle<()>>,
}

fn start_threads(
    set: &chorale_types::validators::ValidatorSet,
    control: &Control,
    told: &Told,
    queues: PersistQueues,
    sent: &Sent,
) -> Started {
    let (store, synced) = logged_store(control);
    let disk = LoggedDisk { control: control.clone(), ..LoggedDisk::default() };
    let record = Record_::create(disk, Incarnation([1; 16]), b"").unwrap();
    control.take();
    let barrier = VoteBarrier::new(record, BlockStore::new(store), synced);
    let writer = lane_writer(control, told, *set.chain());
    let (outbox, signer) =
        (Arc::new(Outbox::default()), Signer::new(Arc::new(keys()), *set.chain()));
    let outbound = {
        let (sent, control) = (Arc::clone(sent), control.clone());
        Outbound::new(move |_, _, bytes| {
            control.push("sent");
            sent.lock().unwrap().push(decode_exact(&bytes).unwrap());
        })
    };
    let (votes_told, lanes_told, inbox) = (told.clone(), told.clone(), Arc::clone(&told.inbox));
    let queue = Arc::clone(&outbox);
    let handles = vec![
        std::thread::spawn(move || run_votes(&queues.votes, barrier, &votes_told)),
        std::thread::spawn(move || run_lanes(&queues.lanes, &writer, &lanes_told)),
        std::thread::spawn(move || run(&queue, &signer, &outbound, &inbox, None)),
    ];
    Started { outbox, handles }
}

#[test]
fn nothing_that_names_a_record_leaves_before_a_slow_disk_has_it() {
    let mut rig = Rig::new();
    let hang = Arc::clone(&rig.control.hang);
    let held = hang.write().unwrap();
    rig.until(|rig| rig.executor.waiting() > 0);
    // The replica goes on, the record does not become durable: nothing may leave.
    for _ in 0..20 {
        rig.until(|_| true);
        let happened = rig.control.take();
        assert!(happened.iter().all(|what| *what == "asked"), "{happened:?}");
    }
    assert!(rig.sent().is_empty());
    drop(held);
    rig.until(|rig| rig.host.committed >= 3);
    let happened = rig.control.take();
    let first_sent = happened.iter().position(|what| *what == "sent").expect("something left");
    assert!(happened[..first_sent].contains(&"record"), "{happened:?}");
    rig.end();
}

#[test]
fn a_failing_disk_stops_the_node_and_nothing_leaves() {
    let mut rig = Rig::new();
    rig.control.disk_fails.store(true, Ordering::SeqCst);
    rig.until(|rig| rig.stopper.token().is_cancelled());
    let reason = rig.stopper.failure().unwrap();
    assert!(reason.contains("vote record cannot be written"), "{reason}");
    assert!(rig.sent().is_empty());
    assert!(!rig.control.take().contains(&"sent"));
    assert_eq!(rig.host.committed, 0);
    rig.end();
}

#[test]
fn a_failing_store_stops_the_node_and_no_batch_leaves() {
    let mut rig = Rig::new();
    rig.control.store_fails.store(true, Ordering::SeqCst);
    rig.submit(b"a transaction");
    rig.until(|rig| rig.stopper.token().is_cancelled());
    assert!(!rig.sent().iter().any(|message| matches!(message, Message::Batch(_))));
    rig.end();
}

#[test]
fn what_leaves_is_signed_for_this_chain() {
    let mut rig = Rig::new();
    rig.submit(b"a transaction");
    let has = |rig: &Rig, is: fn(&Message) -> bool| rig.sent().iter().any(is);
    rig.until(|rig| {
        has(rig, |m| matches!(m, Message::Batch(_)))
            && has(rig, |m| matches!(m, Message::Proposal(_)))
            && rig.host.committed >= 2
    });
    let verifier = Verifier::<Fast>::new(genesis().first_set()).unwrap();
    let (mut votes, mut batches) = (0, 0);
    for message in rig.sent() {
        match &message {
            Message::Vote(vote) => {
                votes += 1;
                verifier.verify_vote(vote.kind, &vote.vote, ME, &vote.signature).unwrap();
            }
            Message::Proposal(proposal) => {
                verifier.verify_proposal(&proposal.vote(), ME, &proposal.signature).unwrap();
            }
            Message::Batch(batch) => {
                batches += 1;
                assert_eq!(batch.validate(), Ok(()));
                verifier.verify_batch(&batch.header, &batch.owner_signature).unwrap();
            }
            _ => {}
        }
        assert_eq!(decode_exact::<Message>(&message.to_bytes()), Ok(message));
    }
    assert!(votes >= 4 && batches >= 1, "{votes} votes, {batches} batches");
    rig.end();
}

#[test]
fn vote_records_that_wait_become_durable_by_the_newest() {
    let (control, chain) = (Control::default(), crate::testing::chain(3));
    let told = Told {
        inbox: Arc::default(),
        stopper: Stopper::default(),
        metrics: Arc::new(Metrics::default()),
    };
    let store: Arc<dyn KeyValue> =
        Arc::new(LoggedStore { control: control.clone(), ..LoggedStore::default() });
    let disk = LoggedDisk { control: control.clone(), ..LoggedDisk::default() };
    let record = Record_::create(disk, Incarnation([1; 16]), b"").unwrap();
    control.take();
    let barrier = VoteBarrier::new(
        record,
        BlockStore::new(Arc::clone(&store)),
        Arc::new(SyncedStore::new(Arc::clone(&store))),
    );
    let (persisters, queues) = Persisters::new();
    let votes = Arc::new(VoteRecord::new(chain.set().start().clone()));
    for n in 1..4 {
        let blocks = vec![Arc::clone(chain.block_at(n))];
        persisters.persist(RecordId(n), Record::Vote { blocks, record: Arc::clone(&votes) });
    }
    drop(persisters);
    run_votes(&queues.votes, barrier, &told);
    assert_eq!(control.take(), ["store", "record"]);
    let mut turn = VecDeque::new();
    told.inbox.take(&mut turn, None).unwrap();
    assert_eq!(turn, [1, 2, 3].map(|n| Input::Durable(RecordId(n))));
    for n in 1..4 {
        let hash = chain.block_at(n).hash();
        assert!(BlockStore::new(Arc::clone(&store)).block(&hash).unwrap().is_some());
    }
}

#[test]
fn a_history_names_a_batch_only_when_it_is_durable() {
    for fails in [false, true] {
        let (folder, control) = (tempfile::TempDir::new().unwrap(), Control::default());
        let start = crate::recorder::Start {
            program: "test".into(),
            chain: Digest::ZERO,
            name: "one".into(),
            validator: Some(ME),
        };
        let (recorder, thread) = Recorder::start(folder.path(), start, Clock::default()).unwrap();
        let told = Told {
            inbox: Arc::default(),
            stopper: Stopper::default(),
            metrics: Arc::new(Metrics::default()),
        };
        let writer =
            LaneWriter { recorder: Some(recorder), ..lane_writer(&control, &told, Digest::ZERO) };
        let batch = crate::testing::batches(&crate::testing::chain(1), 1).remove(0);
        let (persisters, queues) = Persisters::new();
        let entries = batch.entries.clone();
        persisters.persist(RecordId(1), Record::OwnBatch { header: batch.header, entries });
        drop(persisters);
        control.store_fails.store(fails, Ordering::SeqCst);
        run_lanes(&queues.lanes, &writer, &told);
        drop(writer);
        thread.join().unwrap().unwrap();
        let history = std::fs::read_to_string(folder.path().join("one.jsonl")).unwrap();
        assert_eq!(history.contains("\"kind\":\"batch\""), !fails, "{history}");
    }
}
