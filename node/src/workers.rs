//! The threads that decode what comes from the network and check signatures.
//!
//! A worker takes, in this order: checks that agreement waits for; its peers' small messages;
//! other checks; its peers' batches and answers. Each peer belongs to one worker, so that what it
//! sent in one class stays in order.
//!
//! # Invariants
//! - At most [`SMALL_MAX`] small messages wait, of at most [`SMALL_BYTES_MAX`] bytes; then the
//!   network is not read further. At most
//!   [`BULK_BYTES_MAX`] bytes of batches and answers wait, [`BULK_BYTES_PER_PEER_MAX`] of them of
//!   one peer, so that one that floods takes no other's room. A batch beyond is dropped: its owner
//!   sends again what was not acknowledged. An answer beyond loses its bytes and stays an answer:
//!   the replica hears that there is none, and asks another member.
//! - Jobs are bounded by the replica.
//! - What reaches the inbox is decoded, bounded and in its own class; everything else is counted
//!   against its sender.

use crate::faults::Misdeed;
use crate::fetcher::Fetcher;
use crate::inbox::{Closed, Inbox};
use crate::metrics::Metrics;
use crate::verify::Judge;
use crate::wire::class_of;
use bytes::Bytes;
use chorale_consensus::Input;
use chorale_consensus::input::AskId;
use chorale_consensus::job::{Check, Job, Work};
use chorale_p2p::{Class, ResponseToken};
use chorale_types::codec::decode_exact;
use chorale_types::ids::ValidatorIndex;
use chorale_types::message::{Message, Received, Request, Response};
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// Threads at most, however many cores there are.
pub const THREADS_MAX: usize = 4;
/// Small messages that may wait to be decoded.
pub const SMALL_MAX: usize = 4_096;
/// Bytes of small messages that may wait to be decoded; the last one may go beyond.
pub const SMALL_BYTES_MAX: usize = 32 << 20;
/// Bytes of batches and answers that may wait to be decoded.
pub const BULK_BYTES_MAX: usize = 64 << 20;
/// Bytes of batches and answers of one peer that may wait to be decoded: as much as all answers
/// that one peer may owe, and some batches.
pub const BULK_BYTES_PER_PEER_MAX: usize = 24 << 20;
/// What a batch or an answer counts beside its bytes, so that empty ones are bounded too.
const BULK_OVERHEAD_BYTES: usize = 512;

/// Something from the network.
pub enum Incoming {
    /// A message on the sender's stream, or in its envelope.
    Message {
        /// The member.
        from: ValidatorIndex,
        /// The class it came in.
        class: Class,
        /// The message.
        bytes: Bytes,
    },
    /// A question.
    Request {
        /// The member; `None` for a follower.
        from: Option<ValidatorIndex>,
        /// For the answer.
        token: ResponseToken,
        /// The question.
        bytes: Bytes,
    },
    /// The answer to a question of this replica.
    Response {
        /// Who was asked.
        from: ValidatorIndex,
        /// Which question.
        id: AskId,
        /// The answer, if there is one.
        bytes: Option<Bytes>,
    },
}

impl Incoming {
    const fn bytes(&self) -> usize {
        match self {
            Self::Message { bytes, .. }
            | Self::Request { bytes, .. }
            | Self::Response { bytes: Some(bytes), .. } => bytes.len(),
            Self::Response { bytes: None, .. } => 0,
        }
    }

    /// What it counts among what waits.
    const fn cost(&self) -> usize {
        match self {
            // As many as the replica asked for.
            Self::Response { bytes: None, .. } => 0,
            _ => self.bytes().saturating_add(BULK_OVERHEAD_BYTES),
        }
    }

    const fn is_bulk(&self) -> bool {
        match self {
            Self::Message { class, .. } => class.is_bulk(),
            Self::Request { .. } => false,
            Self::Response { .. } => true,
        }
    }

    fn peer(&self) -> usize {
        match self {
            Self::Message { from, .. }
            | Self::Response { from, .. }
            | Self::Request { from: Some(from), .. } => from.as_usize(),
            Self::Request { from: None, .. } => 0,
        }
    }
}

/// The queues in front of the threads.
pub struct Workers {
    queues: Mutex<Queues>,
    filled: Condvar,
    metrics: Arc<Metrics>,
}

#[derive(Default)]
struct Queues {
    urgent: VecDeque<Job>,
    checks: VecDeque<Job>,
    /// One for each thread.
    decks: Vec<Deck>,
    small: usize,
    small_bytes: usize,
    bulk: BulkBytes,
    closed: bool,
}

/// What waits in bulk, in bytes.
#[derive(Default)]
struct BulkBytes {
    all: usize,
    /// By peer, without those of whom nothing waits.
    peers: BTreeMap<usize, usize>,
}

impl BulkBytes {
    /// Counts something in, if there is room for it.
    fn take(&mut self, peer: usize, cost: usize) -> bool {
        let of_peer = self.peers.get(&peer).copied().unwrap_or(0).saturating_add(cost);
        let all = self.all.saturating_add(cost);
        if all > BULK_BYTES_MAX || of_peer > BULK_BYTES_PER_PEER_MAX {
            return false;
        }
        self.all = all;
        if of_peer > 0 {
            self.peers.insert(peer, of_peer);
        }
        true
    }

    fn give_back(&mut self, peer: usize, cost: usize) {
        self.all = self.all.saturating_sub(cost);
        if let Some(of_peer) = self.peers.get_mut(&peer) {
            *of_peer = of_peer.saturating_sub(cost);
            if *of_peer == 0 {
                self.peers.remove(&peer);
            }
        }
    }
}

/// What the peers of one thread sent.
#[derive(Default)]
struct Deck {
    small: VecDeque<Incoming>,
    bulk: VecDeque<Incoming>,
}

enum Task {
    Check(Job),
    Decode(Incoming),
}

/// There is no room: the network waits.
pub struct Full(pub Incoming);

impl Workers {
    /// Queues for so many threads, each of which calls [`Self::run`].
    #[must_use]
    pub fn new(threads: usize, metrics: Arc<Metrics>) -> Arc<Self> {
        let decks = (0..threads.clamp(1, THREADS_MAX)).map(|_| Deck::default()).collect();
        let queues = Mutex::new(Queues { decks, ..Queues::default() });
        Arc::new(Self { queues, filled: Condvar::new(), metrics })
    }

    fn lock(&self) -> MutexGuard<'_, Queues> {
        self.queues.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many threads there are to be.
    #[must_use]
    pub fn threads(&self) -> usize {
        self.lock().decks.len()
    }

    /// Starts a check.
    pub fn check(&self, job: Job) {
        let mut queues = self.lock();
        if is_urgent(&job.work) {
            queues.urgent.push_back(job);
        } else {
            queues.checks.push_back(job);
        }
        drop(queues);
        self.filled.notify_all();
    }

    /// Takes something from the network. When the threads have ended it is dropped.
    ///
    /// # Errors
    /// When there is no room: it comes back, to be offered again later.
    pub fn offer(&self, incoming: Incoming) -> Result<(), Full> {
        let mut queues = self.lock();
        if queues.closed {
            return Ok(());
        }
        let deck = incoming.peer() % queues.decks.len();
        if incoming.is_bulk() {
            if let Some(incoming) = self.within_bounds(&mut queues.bulk, incoming) {
                queues.decks[deck].bulk.push_back(incoming);
            }
        } else {
            if queues.small >= SMALL_MAX || queues.small_bytes >= SMALL_BYTES_MAX {
                return Err(Full(incoming));
            }
            queues.small += 1;
            queues.small_bytes = queues.small_bytes.saturating_add(incoming.bytes());
            queues.decks[deck].small.push_back(incoming);
        }
        drop(queues);
        self.filled.notify_all();
        Ok(())
    }

    /// What is left of something when there is no room for it.
    fn within_bounds(&self, waiting: &mut BulkBytes, incoming: Incoming) -> Option<Incoming> {
        if waiting.take(incoming.peer(), incoming.cost()) {
            return Some(incoming);
        }
        self.metrics.work.bulk_dropped.inc();
        match incoming {
            Incoming::Response { from, id, .. } => {
                Some(Incoming::Response { from, id, bytes: None })
            }
            Incoming::Message { .. } | Incoming::Request { .. } => None,
        }
    }

    /// Checks that wait, and things to decode.
    #[must_use]
    pub fn waiting(&self) -> (usize, usize) {
        let queues = self.lock();
        let bulk: usize = queues.decks.iter().map(|deck| deck.bulk.len()).sum();
        (queues.urgent.len() + queues.checks.len(), queues.small + bulk)
    }

    /// Ends every thread; what waits is dropped.
    pub fn close(&self) {
        self.lock().closed = true;
        self.filled.notify_all();
    }

    fn next(&self, thread: usize) -> Option<Task> {
        let mut queues = self.lock();
        loop {
            if queues.closed {
                return None;
            }
            if let Some(task) = queues.next(thread) {
                return Some(task);
            }
            queues = self.filled.wait(queues).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// One thread's work, until the queues are closed.
    pub fn run(&self, thread: usize, judge: &Judge, desk: &Desk) {
        while let Some(task) = self.next(thread) {
            let done = match task {
                Task::Check(job) => {
                    desk.check(judge, job);
                    Ok(())
                }
                Task::Decode(incoming) => desk.decode(incoming),
            };
            if done == Err(Closed) {
                return;
            }
        }
    }
}

impl Queues {
    fn next(&mut self, thread: usize) -> Option<Task> {
        if let Some(job) = self.urgent.pop_front() {
            return Some(Task::Check(job));
        }
        if let Some(incoming) = self.decks[thread].small.pop_front() {
            self.small -= 1;
            self.small_bytes = self.small_bytes.saturating_sub(incoming.bytes());
            return Some(Task::Decode(incoming));
        }
        if let Some(job) = self.checks.pop_front() {
            return Some(Task::Check(job));
        }
        let incoming = self.decks[thread].bulk.pop_front()?;
        self.bulk.give_back(incoming.peer(), incoming.cost());
        Some(Task::Decode(incoming))
    }
}

/// Whether agreement waits for it.
fn is_urgent(work: &Work) -> bool {
    match work {
        Work::Votes { .. } | Work::Timeouts { .. } => true,
        Work::Acks { .. } => false,
        Work::All(checks) => checks.iter().any(|check| match check {
            Check::Entry(_) | Check::Proposal(..) | Check::Vote(..) => true,
            Check::Header(_) | Check::Batch(_) | Check::Ack(..) | Check::Availability(_) => false,
        }),
    }
}

/// Where decoded things go.
pub struct Desk {
    /// To the replica.
    pub inbox: Arc<Inbox>,
    /// Where questions are named.
    pub fetcher: Arc<Fetcher>,
    /// Where faults are counted.
    pub metrics: Arc<Metrics>,
}

/// What is checked, for metrics.
fn name_of(work: &Work) -> &'static str {
    match work {
        Work::Votes { .. } => "votes",
        Work::Timeouts { .. } => "timeouts",
        Work::Acks { .. } => "acknowledgements",
        Work::All(checks) => match checks.first() {
            None => "nothing",
            Some(Check::Entry(_)) => "certificate",
            Some(Check::Proposal(..)) => "proposal",
            Some(Check::Vote(..)) => "vote",
            Some(Check::Header(_) | Check::Batch(_)) => "batch",
            Some(Check::Ack(..)) => "acknowledgement",
            Some(Check::Availability(_)) => "availability",
        },
    }
}

impl Desk {
    fn check(&self, judge: &Judge, Job { id, work }: Job) {
        let started = Instant::now();
        let verdict = judge.judge(&work);
        let (what, took) = (name_of(&work), started.elapsed().as_secs_f64());
        self.metrics.work.checks.with_label_values(&[what]).inc();
        self.metrics.work.check_seconds.with_label_values(&[what]).inc_by(took);
        self.inbox.urgent(Input::Checked(id, verdict));
    }

    fn decode(&self, incoming: Incoming) -> Result<(), Closed> {
        let length = incoming.bytes();
        match incoming {
            Incoming::Message { from, class, bytes } => self.message(from, class, &bytes),
            Incoming::Request { from, token, bytes } => match decode_exact::<Request>(&bytes) {
                Ok(request) => self.request(from, token, request, length),
                Err(_) => {
                    self.blame(from, Misdeed::Undecodable);
                    Ok(())
                }
            },
            Incoming::Response { from, id, bytes } => {
                let response = bytes.and_then(|bytes| self.response(from, &bytes));
                self.inbox.network(Input::Response { from, id, response }, length)
            }
        }
    }

    fn blame(&self, from: Option<ValidatorIndex>, misdeed: Misdeed) {
        match from {
            Some(from) => self.metrics.faults.report(from, misdeed),
            None => self.metrics.faults.report_follower(misdeed),
        }
    }

    fn message(&self, from: ValidatorIndex, class: Class, bytes: &[u8]) -> Result<(), Closed> {
        let message = match read_message(class, bytes) {
            Ok(message) => message,
            Err(misdeed) => {
                self.blame(Some(from), misdeed);
                return Ok(());
            }
        };
        let is_batch = matches!(message, Message::Batch(_));
        let input = Input::Message(Received { from, message });
        if is_batch { self.inbox.bulk(input) } else { self.inbox.network(input, bytes.len()) }
    }

    fn request(
        &self,
        from: Option<ValidatorIndex>,
        token: ResponseToken,
        request: Request,
        length: usize,
    ) -> Result<(), Closed> {
        match from {
            Some(from) => {
                let token = self.fetcher.open(token);
                self.inbox.network(Input::Request { from, token, request }, length)
            }
            None => {
                self.fetcher.serve_follower(token, request);
                Ok(())
            }
        }
    }

    fn response(&self, from: ValidatorIndex, bytes: &[u8]) -> Option<Response> {
        let response = decode_exact(bytes);
        if response.is_err() {
            self.blame(Some(from), Misdeed::Undecodable);
        }
        response.ok()
    }
}

/// Decodes a message and checks what needs no state.
fn read_message(class: Class, bytes: &[u8]) -> Result<Message, Misdeed> {
    let message: Message = decode_exact(bytes).map_err(|_| Misdeed::Undecodable)?;
    if class_of(&message) != class {
        return Err(Misdeed::WrongClass);
    }
    match &message {
        Message::Batch(batch) if batch.validate().is_err() => Err(Misdeed::BadBatch),
        _ => Ok(message),
    }
}

#[cfg(test)]
mod tests;
