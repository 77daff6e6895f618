//! The threads of a node and what joins them.

mod start;

use super::opening::Opened;
use crate::fetcher::{Answer, Fetcher};
use crate::handles::Handles;
use crate::host::{FeedTask, NodeHost};
use crate::inbox::Inbox;
use crate::intake::Intake;
use crate::ledger::Ledger;
use crate::metrics::Metrics;
use crate::persist::{PersistQueues, Persisters};
use crate::recorder::Recorder;
use crate::runtime::Runtime;
use crate::signer::Outbox;
use crate::status::{Peer, StatusHandle};
use crate::stop::Stopper;
use crate::submissions::Submissions;
use crate::threads::Threads;
use crate::timers::Timers;
use crate::workers::Workers;
use anyhow::Result;
use chorale_consensus::{Config, Output, Replica};
use chorale_p2p::Network;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::available_parallelism;

/// The threads, and what ends them.
pub(super) struct Parts {
    threads: Threads,
    inbox: Arc<Inbox>,
    workers: Arc<Workers>,
    outbox: Arc<Outbox>,
    fetcher: Arc<Fetcher>,
    feed: Sender<FeedTask>,
}

/// A node that runs, but for its network events and its interface.
pub(super) struct Built {
    pub(super) parts: Parts,
    pub(super) handles: Handles,
    pub(super) intake: Intake,
}

/// What the threads share.
struct Shared {
    inbox: Arc<Inbox>,
    metrics: Arc<Metrics>,
    ledger: Ledger,
    submissions: Submissions,
    workers: Arc<Workers>,
    outbox: Arc<Outbox>,
    fetcher: Arc<Fetcher>,
    network: Network,
    recorder: Option<Recorder>,
    stopper: Stopper,
}

impl Parts {
    /// Starts every thread.
    pub(super) fn build(
        mut opened: Opened,
        network: Network,
        recorder: Option<Recorder>,
        stopper: &Stopper,
    ) -> Result<Built> {
        let (inbox, metrics) = (Arc::new(Inbox::default()), Arc::new(Metrics::default()));
        let ledger = Ledger::open(opened.stores.clone(), &opened.genesis)?;
        let submissions = Submissions::new(Arc::clone(&inbox), ledger.clone(), recorder.clone());
        let (fetcher, answers) =
            Fetcher::new(network.clone(), Arc::clone(&inbox), Arc::clone(&metrics));
        let cores = available_parallelism().map_or(1, usize::from);
        let shared = Shared {
            workers: Workers::new(cores, Arc::clone(&metrics)),
            outbox: Arc::new(Outbox::default()),
            stopper: stopper.clone(),
            inbox,
            metrics,
            ledger,
            submissions,
            fetcher,
            network,
            recorder,
        };
        let (replica, outputs) = replica(&mut opened);
        let status = status(&opened, &shared, &replica);
        let handles = shared.handles(&opened, status.clone());
        shared.watch();
        let (feed, tasks) = channel();
        let (persisters, queues) = Persisters::new();
        let runtime = Runtime {
            host: shared.host(persisters, feed.clone()),
            inbox: Arc::clone(&shared.inbox),
            clock: opened.clock,
            replica,
            status,
        };
        let ends = Ends { queues, tasks, answers, feed: feed.clone() };
        let mut threads = shared.start(opened, ends)?;
        threads.spawn("replica", move || runtime.run(outputs))?;
        let Shared { inbox, workers, outbox, fetcher, .. } = shared;
        let intake = Intake {
            workers: Arc::clone(&workers),
            fetcher: Arc::clone(&fetcher),
            inbox: Arc::clone(&inbox),
        };
        let parts = Self { threads, inbox, workers, outbox, fetcher, feed };
        Ok(Built { parts, handles, intake })
    }

    /// Takes nothing more in: neither the replica nor the workers.
    pub(super) fn close(&self) {
        self.inbox.close();
        self.workers.close();
    }

    /// Ends every thread, each when what it was given is done.
    pub(super) fn end(mut self) {
        self.close();
        self.threads.join("replica");
        // The replica's thread held the queues of the persisters: they end when they are empty.
        self.threads.join("votes");
        self.threads.join("lanes");
        self.outbox.close();
        self.fetcher.close();
        // The feed's thread ends only by this.
        let _ = self.feed.send(FeedTask::Stop);
        self.threads.join_all();
    }
}

fn replica(opened: &mut Opened) -> (Replica, Vec<Output>) {
    let config = Config {
        set: opened.set.clone(),
        me: opened.me,
        votes: opened.recovery.votes.is_ok(),
        lanes: opened.recovery.lanes.is_ok(),
        genesis_time: opened.genesis.time,
        genesis_root: opened.genesis_root,
        rollups: opened.genesis.rollups.iter().map(|rollup| rollup.id).collect(),
    };
    let recovered = std::mem::take(&mut opened.recovery.recovered);
    Replica::recover(&config, recovered, opened.clock.now())
}

fn status(opened: &Opened, shared: &Shared, replica: &Replica) -> StatusHandle {
    let network = shared.network.clone();
    let peers = move || network.peers().into_iter().map(Peer::from).collect();
    let stop = shared.stopper.token().clone();
    StatusHandle::new(opened.facts.clone(), opened.clock, replica.status(), peers, stop)
}

/// The receiving ends of the queues.
struct Ends {
    queues: PersistQueues,
    tasks: Receiver<FeedTask>,
    answers: Receiver<Answer>,
    feed: Sender<FeedTask>,
}

impl Shared {
    fn handles(&self, opened: &Opened, status: StatusHandle) -> Handles {
        Handles {
            submissions: self.submissions.clone(),
            ledger: self.ledger.clone(),
            status,
            metrics: Arc::clone(&self.metrics),
            genesis: Arc::clone(&opened.genesis),
            set: opened.set.clone(),
            stop: self.stopper.token().clone(),
        }
    }

    /// Lets `/metrics` look at the queues and the wire.
    fn watch(&self) {
        let (inbox, workers) = (Arc::downgrade(&self.inbox), Arc::downgrade(&self.workers));
        let outbox = Arc::downgrade(&self.outbox);
        self.metrics.set_sampler(move |metrics| {
            let set = |queue, length: usize| {
                let length = i64::try_from(length).unwrap_or(i64::MAX);
                metrics.work.waiting.with_label_values(&[queue]).set(length);
            };
            if let (Some(inbox), Some(workers)) = (inbox.upgrade(), workers.upgrade()) {
                let (waiting, (checks, undecoded)) = (inbox.waiting(), workers.waiting());
                set("urgent", waiting.urgent);
                set("network", waiting.network);
                set("bulk", waiting.bulk);
                set("submits", waiting.submits);
                set("checks", checks);
                set("undecoded", undecoded);
            }
            if let Some(outbox) = outbox.upgrade() {
                set("outbox", outbox.len());
            }
        });
        let network = self.network.clone();
        self.metrics.set_wire(move || network.metrics_text());
    }

    fn host(&self, persisters: Persisters, feed: Sender<FeedTask>) -> NodeHost {
        NodeHost {
            persisters,
            outbox: Arc::clone(&self.outbox),
            workers: Arc::clone(&self.workers),
            timers: Timers::default(),
            submissions: self.submissions.clone(),
            feed,
            fetcher: Arc::clone(&self.fetcher),
            metrics: Arc::clone(&self.metrics),
        }
    }
}
