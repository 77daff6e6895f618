//! The host of a replica that is driven by hand: everything it is asked to do is done at once,
//! except that messages wait to be delivered and timers to be fired.

use super::{Letter, Log, Mail};
use crate::sim::cluster::Signer;
use crate::sim::host::sign;
use crate::sim::node::Body;
use crate::sim::queue::Micros;
use crate::sim::verify::SimVerifier;
use chorale_consensus::input::{AskId, RequestToken, Ticket, Timer};
use chorale_consensus::job::Job;
use chorale_consensus::note::{Fault, Note};
use chorale_consensus::output::{Admission, Recipients, Statement};
use chorale_consensus::record::{Record, RecordId};
use chorale_consensus::{Input, Output};
use chorale_node::barrier::LaneWrite;
use chorale_node::execute::Host;
use chorale_types::batch::{Batch, BatchId};
use chorale_types::block::CommittedBlock;
use chorale_types::ids::ValidatorIndex;
use chorale_types::level::Level;
use chorale_types::message::{Message, Request, Response};
use chorale_types::time::Instant;
use std::collections::VecDeque;
use std::sync::Arc;

/// What is to be done next for one replica.
#[allow(clippy::large_enum_variant, reason = "few are held, and each is used at once")]
pub(super) enum Act {
    Perform(Vec<Output>),
    Durable(RecordId),
    Tell(Input),
}

pub(super) struct Hand<'a> {
    pub(super) body: &'a mut Body,
    pub(super) signer: &'a Signer,
    pub(super) verifier: &'a SimVerifier,
    /// Which member each process is.
    pub(super) identities: &'a [usize],
    pub(super) timers: &'a mut Vec<(Micros, Timer)>,
    pub(super) mail: &'a mut VecDeque<Mail>,
    pub(super) log: &'a mut Log,
    pub(super) acts: &'a mut VecDeque<Act>,
}

impl Hand<'_> {
    const fn me(&self) -> usize {
        self.body.run.node
    }

    /// To every process of a member. A member's twins do not write to each other.
    fn post(&mut self, to: usize, letter: &Letter) {
        let from = self.me();
        let processes = self.identities.iter().enumerate();
        for (process, _) in processes.filter(|(_, identity)| **identity == to) {
            self.mail.push_back(Mail { from, to: process, letter: letter.clone() });
        }
    }

    fn write(&mut self, id: RecordId, write: LaneWrite) {
        self.body.batches.write(&[write]).expect("a simulated store takes every write");
        self.acts.push_back(Act::Durable(id));
    }

    fn order(&mut self) {
        while let Some(ordered) = self.body.feed.order_next().expect("a store that is whole") {
            let (height, root) = (ordered.height, ordered.root);
            self.acts.push_back(Act::Tell(Input::Ordered { height, root }));
        }
    }
}

impl Host for Hand<'_> {
    fn persist(&mut self, id: RecordId, record: Record) {
        match record {
            Record::Vote { blocks, record } => {
                let votes = self.body.votes.as_mut().expect("a node that votes");
                votes.write(&blocks, &record).expect("a simulated disk takes every write");
                self.acts.push_back(Act::Durable(id));
            }
            Record::OwnBatch { header, entries } => {
                let owner_signature = self.signer.batch(&header);
                let batch = Arc::new(Batch { header, owner_signature, entries });
                self.acts.push_back(Act::Tell(Input::Own(Message::Batch(Arc::clone(&batch)))));
                self.write(id, LaneWrite::Batch(batch, true));
            }
            Record::Batch { batch, acknowledge } => {
                self.write(id, LaneWrite::Batch(batch, acknowledge));
                self.order();
            }
            Record::Acknowledgement { header } => {
                self.write(id, LaneWrite::Acknowledgement(header));
            }
        }
    }

    fn send(&mut self, to: Recipients, statement: Statement) {
        let (message, own) = sign(statement, self.signer);
        self.log.said.push((self.me(), message.clone()));
        match to {
            Recipients::One(peer) => self.post(peer.as_usize(), &Letter::Message(message.clone())),
            Recipients::All => {
                let me = self.identities[self.me()];
                let letter = Letter::Message(message.clone());
                for to in (0..self.identities.len()).filter(|to| self.identities[*to] != me) {
                    self.mail.push_back(Mail { from: self.me(), to, letter: letter.clone() });
                }
            }
        }
        if own {
            self.acts.push_back(Act::Tell(Input::Own(message)));
        }
    }

    fn verify(&mut self, job: Job) {
        self.log.checks += 1;
        let verdict = self.verifier.answer(&job.work);
        self.acts.push_back(Act::Tell(Input::Checked(job.id, verdict)));
    }

    fn arm(&mut self, timer: Timer, at: Instant) {
        self.timers.push((at.as_micros(), timer));
    }

    fn admitted(&mut self, _ticket: Ticket, _admissions: Vec<Admission>) {}

    fn level(&mut self, _batch: BatchId, _level: Level) {}

    fn commit(&mut self, block: CommittedBlock) {
        let finals = self.log.finals.entry(self.body.run.node).or_default();
        finals.insert(block.block.header.height, block.hash);
        self.body.feed.commit(&[block]).expect("a simulated store takes every write");
        self.order();
    }

    fn ask(&mut self, to: ValidatorIndex, id: AskId, request: Request) {
        self.log.asked.push((self.me(), request.clone()));
        self.post(to.as_usize(), &Letter::Ask(id, request));
    }

    fn respond(&mut self, to: ValidatorIndex, token: RequestToken, response: Response) {
        if let Some((_, id, _)) = self.body.tokens.remove(&token) {
            self.post(to.as_usize(), &Letter::Answer(id, response));
        }
    }

    fn serve(&mut self, to: ValidatorIndex, token: RequestToken, request: Request) {
        let response = self.body.archive.answer(&request).expect("a store that is whole");
        self.respond(to, token, response);
    }

    fn report(&mut self, peer: ValidatorIndex, fault: Fault) {
        self.log.reports.push((self.me(), peer.as_usize(), fault));
    }

    fn note(&mut self, note: Note) {
        self.log.notes.push((self.me(), note));
    }
}
