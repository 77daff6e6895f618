//! What every part of a replica works with during one step: the time, the names of new records
//! and jobs, and where outputs go.

use crate::input::{AskId, Timer};
use crate::job::{Job, JobId, Work};
use crate::note::{Fault, Note};
use crate::output::{Output, Recipients, Statement};
use crate::record::{Record, RecordId};
use chorale_types::ids::ValidatorIndex;
use chorale_types::message::{Message, Request};
use chorale_types::time::{Instant, Now};

/// The last name given of each kind.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub(crate) struct Names {
    record: u64,
    job: u64,
    ask: u64,
}

fn fresh(counter: &mut u64) -> u64 {
    *counter = counter.checked_add(1).expect("fewer than 2^64 names in a run");
    *counter
}

/// One step's surroundings.
#[derive(Debug)]
pub(crate) struct Context<'a> {
    /// The time of the step.
    pub(crate) now: Now,
    names: &'a mut Names,
    out: &'a mut Vec<Output>,
}

impl<'a> Context<'a> {
    pub(crate) const fn new(now: Now, names: &'a mut Names, out: &'a mut Vec<Output>) -> Self {
        Self { now, names, out }
    }

    pub(crate) fn emit(&mut self, output: Output) {
        self.out.push(output);
    }

    pub(crate) fn persist(&mut self, record: Record) -> RecordId {
        let id = RecordId(fresh(&mut self.names.record));
        self.emit(Output::Persist(id, record));
        id
    }

    pub(crate) fn send(&mut self, to: Recipients, statement: Statement, after: Option<RecordId>) {
        self.emit(Output::Send(to, statement, after));
    }

    /// Sends something that needs neither signature nor record.
    pub(crate) fn tell(&mut self, to: Recipients, message: Message) {
        self.send(to, Statement::Message(message), None);
    }

    pub(crate) fn verify(&mut self, work: Work) -> JobId {
        let id = JobId(fresh(&mut self.names.job));
        self.emit(Output::Verify(Job { id, work }));
        id
    }

    pub(crate) fn ask(&mut self, to: ValidatorIndex, request: Request) -> AskId {
        let id = AskId(fresh(&mut self.names.ask));
        self.emit(Output::Ask(to, id, request));
        id
    }

    pub(crate) fn arm(&mut self, timer: Timer, at: Instant) {
        self.emit(Output::Arm(timer, at));
    }

    pub(crate) fn note(&mut self, note: Note) {
        self.emit(Output::Note(note));
    }

    pub(crate) fn report(&mut self, peer: ValidatorIndex, fault: Fault) {
        self.emit(Output::Report(peer, fault));
    }
}
