//! The world as the replica's thread knows it: where each of its outputs goes. Nothing here
//! waits; every method hands on and returns.

use crate::execute::Host;
use crate::fetcher::Fetcher;
use crate::metrics::Metrics;
use crate::persist::Persisters;
use crate::signer::{Outbox, rank_of};
use crate::submissions::Submissions;
use crate::timers::Timers;
use crate::workers::Workers;
use chorale_consensus::input::{AskId, RequestToken, Ticket, Timer};
use chorale_consensus::job::Job;
use chorale_consensus::note::{Fault, Note};
use chorale_consensus::output::{Admission, Recipients, Statement};
use chorale_consensus::record::{Record, RecordId};
use chorale_types::batch::BatchId;
use chorale_types::block::CommittedBlock;
use chorale_types::ids::ValidatorIndex;
use chorale_types::level::Level;
use chorale_types::message::{Request, Response};
use chorale_types::time::{Instant, Now, Timestamp};
use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Both clocks. Cheap to copy.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    start: std::time::Instant,
}

impl Default for Clock {
    fn default() -> Self {
        Self { start: std::time::Instant::now() }
    }
}

impl Clock {
    /// The time.
    #[must_use]
    pub fn now(&self) -> Now {
        let micros = u64::try_from(self.start.elapsed().as_micros()).unwrap_or(u64::MAX);
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
        Now {
            monotonic: Instant::from_micros(micros),
            wall: Timestamp::from_millis(u64::try_from(wall).unwrap_or(u64::MAX)),
        }
    }

    /// A moment of this clock, for waiting; `None` when it is too far away to name.
    #[must_use]
    pub fn moment(&self, at: Instant) -> Option<std::time::Instant> {
        self.start.checked_add(Duration::from_micros(at.as_micros()))
    }
}

/// What the feed's thread is told.
pub enum FeedTask {
    /// A block is final.
    Commit(CommittedBlock),
    /// Batches were stored: one may be among them that the feed waits for.
    Stored,
    /// Finish what can be done and end.
    Stop,
}

/// The real host.
pub struct NodeHost {
    /// Where records become durable.
    pub persisters: Persisters,
    /// Where statements are signed and sent.
    pub outbox: Arc<Outbox>,
    /// Where signatures are checked.
    pub workers: Arc<Workers>,
    /// Moments asked for.
    pub timers: Timers,
    /// Who handed transactions in.
    pub submissions: Submissions,
    /// Where final blocks go.
    pub feed: Sender<FeedTask>,
    /// Questions to and from peers.
    pub fetcher: Arc<Fetcher>,
    /// What is counted.
    pub metrics: Arc<Metrics>,
}

impl Host for NodeHost {
    fn persist(&mut self, id: RecordId, record: Record) {
        self.persisters.persist(id, record);
    }

    fn send(&mut self, to: Recipients, statement: Statement) {
        self.outbox.push(rank_of(&statement), (to, statement));
    }

    fn verify(&mut self, job: Job) {
        self.workers.check(job);
    }

    fn arm(&mut self, timer: Timer, at: Instant) {
        self.timers.arm(timer, at);
    }

    fn admitted(&mut self, ticket: Ticket, admissions: Vec<Admission>) {
        self.metrics.on_admitted(&admissions);
        self.submissions.on_admitted(ticket, admissions);
    }

    fn level(&mut self, batch: BatchId, level: Level) {
        self.submissions.on_level(batch, level);
    }

    fn commit(&mut self, block: CommittedBlock) {
        self.metrics.on_commit(&block);
        // The feed's thread ends only with the node.
        let _ = self.feed.send(FeedTask::Commit(block));
    }

    fn ask(&mut self, to: ValidatorIndex, id: AskId, request: Request) {
        self.fetcher.ask(to, id, &request);
    }

    fn respond(&mut self, to: ValidatorIndex, token: RequestToken, response: Response) {
        self.fetcher.respond(to, token, response);
    }

    fn serve(&mut self, to: ValidatorIndex, token: RequestToken, request: Request) {
        self.fetcher.serve(to, token, request);
    }

    fn report(&mut self, peer: ValidatorIndex, fault: Fault) {
        self.metrics.faults.report(peer, fault.into());
    }

    fn note(&mut self, note: Note) {
        self.metrics.on_note(&note);
        crate::telemetry::trace(&note);
    }
}
