//! The order of effects: what must be durable before what leaves.
//!
//! A replica's outputs are done in order. A send that names a record waits until the host says
//! that record is durable; everything else is handed on at once. This file is the whole crash
//! rule, and the simulator runs the same one.
//!
//! # Invariants
//! A statement that waits for a record is released exactly once, after the record, in the order
//! in which the statements were made; after a crash none is.

use chorale_consensus::input::{AskId, RequestToken, Ticket, Timer};
use chorale_consensus::job::Job;
use chorale_consensus::note::{Fault, Note};
use chorale_consensus::output::{Admission, Output, Recipients, Statement};
use chorale_consensus::record::{Record, RecordId};
use chorale_types::batch::BatchId;
use chorale_types::block::CommittedBlock;
use chorale_types::ids::ValidatorIndex;
use chorale_types::level::Level;
use chorale_types::message::{Request, Response};
use chorale_types::museum::{Bug, planted};
use chorale_types::time::Instant;
use std::collections::BTreeMap;

/// What a replica needs of the world. Nothing here waits: answers come back as inputs.
pub trait Host {
    /// Starts making a record durable; answered by `Input::Durable`.
    fn persist(&mut self, id: RecordId, record: Record);
    /// Signs, if it is to be signed, and sends.
    fn send(&mut self, to: Recipients, statement: Statement);
    /// Starts a check; answered by `Input::Checked`.
    fn verify(&mut self, job: Job);
    /// Asks for `Input::Timer` at that moment.
    fn arm(&mut self, timer: Timer, at: Instant);
    /// Answers a submit call.
    fn admitted(&mut self, ticket: Ticket, admissions: Vec<Admission>);
    /// Tells users how far a batch of this node is.
    fn level(&mut self, batch: BatchId, level: Level);
    /// Hands a final block to storage and to the ordering of its transactions.
    fn commit(&mut self, block: CommittedBlock);
    /// Asks a peer; answered by `Input::Response`.
    fn ask(&mut self, to: ValidatorIndex, id: AskId, request: Request);
    /// Answers a peer's question.
    fn respond(&mut self, to: ValidatorIndex, token: RequestToken, response: Response);
    /// Answers a peer's question from storage.
    fn serve(&mut self, to: ValidatorIndex, token: RequestToken, request: Request);
    /// Counts a peer's fault, and acts on it.
    fn report(&mut self, peer: ValidatorIndex, fault: Fault);
    /// Records what happened.
    fn note(&mut self, note: Note);
}

/// Statements that wait for their record.
#[derive(Debug, Default)]
pub struct Executor {
    waiting: BTreeMap<RecordId, Vec<(Recipients, Statement)>>,
    /// Records asked for and not yet durable.
    pending: BTreeMap<RecordId, ()>,
}

impl Executor {
    /// Does `outputs` in order.
    pub fn execute(&mut self, outputs: Vec<Output>, host: &mut impl Host) {
        for output in outputs {
            self.execute_one(output, host);
        }
    }

    fn execute_one(&mut self, output: Output, host: &mut impl Host) {
        match output {
            Output::Persist(id, record) => {
                self.pending.insert(id, ());
                host.persist(id, record);
            }
            Output::Send(to, statement, after) => self.send(to, statement, after, host),
            Output::Verify(job) => host.verify(job),
            Output::Arm(timer, at) => host.arm(timer, at),
            Output::Admitted(ticket, admissions) => host.admitted(ticket, admissions),
            Output::Level(batch, level) => host.level(batch, level),
            Output::Commit(block) => host.commit(block),
            Output::Ask(to, id, request) => host.ask(to, id, request),
            Output::Respond(to, token, response) => host.respond(to, token, response),
            Output::Serve(to, token, request) => host.serve(to, token, request),
            Output::Report(peer, fault) => host.report(peer, fault),
            Output::Note(note) => host.note(note),
        }
    }

    fn send(
        &mut self,
        to: Recipients,
        statement: Statement,
        after: Option<RecordId>,
        host: &mut impl Host,
    ) {
        let waits =
            |id: &RecordId| self.pending.contains_key(id) && !planted(Bug::SentBeforeDurable);
        match after.filter(waits) {
            Some(id) => self.waiting.entry(id).or_default().push((to, statement)),
            None => host.send(to, statement),
        }
    }

    /// A record is durable: what waited for it leaves.
    pub fn durable(&mut self, id: RecordId, host: &mut impl Host) {
        self.pending.remove(&id);
        for (to, statement) in self.waiting.remove(&id).unwrap_or_default() {
            host.send(to, statement);
        }
    }

    /// How many statements wait.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.waiting.values().map(Vec::len).sum()
    }
}
