//! A simulated node's host: the same duties as the real one's, done by events.

use super::event::{Event, Packet};
use super::node::{Body, VoteJob};
use super::world::Shared;
use crate::byzantine::Adversary;
use crate::sim::cluster::Signer;
use chorale_consensus::Input;
use chorale_consensus::input::{AskId, RequestToken, Ticket, Timer};
use chorale_consensus::job::Job;
use chorale_consensus::note::{Fault, Note};
use chorale_consensus::output::{
    Admission, Recipients, Statement, TimeoutStatement, VoteStatement,
};
use chorale_consensus::record::{Record, RecordId};
use chorale_node::barrier::LaneWrite;
use chorale_node::execute::Host;
use chorale_types::batch::{Batch, BatchId};
use chorale_types::block::CommittedBlock;
use chorale_types::ids::ValidatorIndex;
use chorale_types::level::Level;
use chorale_types::message::{AckMessage, Message, Request, RescueMessage, Response, VoteMessage};
use chorale_types::time::Instant;
use chorale_types::vote::{Timeout, TimeoutVote};
use std::sync::Arc;

/// How long an answer is waited for.
const ASK_TIMEOUT: u64 = 1_000_000;

/// One node's host during one step.
pub(crate) struct SimHost<'a> {
    pub(crate) body: &'a mut Body,
    pub(crate) signer: &'a Signer,
    pub(crate) adversary: &'a mut Option<Adversary>,
    pub(crate) shared: &'a mut Shared,
}

impl SimHost<'_> {
    const fn me(&self) -> usize {
        self.body.run.node
    }

    const fn honest(&self) -> bool {
        self.adversary.is_none()
    }

    fn later(&mut self, delay: u64, event: Event) {
        let at = self.shared.now + delay;
        self.shared.queue.push(at, event);
    }

    fn write_lane(&mut self, id: RecordId, write: LaneWrite) {
        if self.body.lane_writer.push((id, write)) {
            let delay = self.shared.sync_delay(self.body.run.node);
            self.later(delay, Event::LanesWritten(self.body.run));
        }
    }

    fn signed_later(&mut self, to: Recipients, message: Message) {
        let delay = self.shared.sign_delay(self.body.run.node);
        self.body.signing += 1;
        self.later(delay, Event::Signed(self.body.run, to, message));
    }
}

impl Host for SimHost<'_> {
    fn persist(&mut self, id: RecordId, record: Record) {
        match record {
            Record::Vote { blocks, record } => {
                if self.body.vote_writer.push(VoteJob { id, blocks, record }) {
                    let delay = self.shared.sync_delay(self.body.run.node);
                    self.later(delay, Event::VotesWritten(self.body.run));
                }
            }
            Record::OwnBatch { header, entries } => {
                let owner_signature = self.signer.batch(&header);
                let batch = Arc::new(Batch { header, owner_signature, entries });
                self.write_lane(id, LaneWrite::Batch(batch, true));
            }
            Record::Batch { batch, acknowledge } => {
                self.shared.judge.lane_chain.on_stored(&batch.header);
                self.write_lane(id, LaneWrite::Batch(batch, acknowledge));
            }
            Record::Acknowledgement { header } => {
                self.write_lane(id, LaneWrite::Acknowledgement(header));
            }
        }
    }

    fn send(&mut self, to: Recipients, statement: Statement) {
        let (message, own) = sign(statement, self.signer);
        if own {
            self.signed_later(to, message);
        } else {
            let (me, now) = (self.me(), self.shared.now);
            self.shared.transmit(me, now, (to, message), self.adversary);
        }
    }

    fn verify(&mut self, job: Job) {
        let verdict = self.shared.verifier.answer(&job.work);
        let delay = self.shared.verify_delay(self.body.run.node);
        self.later(delay, Event::Input(self.body.run, Input::Checked(job.id, verdict)));
    }

    fn arm(&mut self, timer: Timer, at: Instant) {
        let (now, at) = (self.shared.now, at.as_micros().max(self.shared.now));
        if let Timer::View(_, view) = timer {
            if self.body.view_timer.0 == view {
                self.body.view_timer.2 = at;
            } else {
                self.body.view_timer = (view, now, at);
            }
        }
        self.shared.queue.push(at, Event::Input(self.body.run, Input::Timer(timer)));
    }

    fn admitted(&mut self, ticket: Ticket, admissions: Vec<Admission>) {
        self.shared.workload.on_admitted(ticket, &admissions, &mut self.shared.judge);
    }

    fn level(&mut self, batch: BatchId, level: Level) {
        if self.honest() && level >= Level::Available {
            let check = self.shared.judge.available.on_available(batch);
            self.shared.settle("available", self.body.run.node, check);
        }
    }

    fn commit(&mut self, block: CommittedBlock) {
        let me = self.me();
        if self.honest() {
            self.shared.on_commit(me, &block);
        }
        if let Err(error) = self.body.feed.commit(&[block]) {
            self.shared.settle("storage", me, Err(error.to_string()));
        }
        if !self.body.ordering {
            self.body.ordering = true;
            let delay = self.shared.order_delay(self.body.run.node);
            self.later(delay, Event::Order(self.body.run));
        }
    }

    fn ask(&mut self, to: ValidatorIndex, id: AskId, request: Request) {
        let to = to.as_usize();
        self.body.asks.insert(id);
        let packet = Packet::Request { id, boot: self.body.run.boot, request };
        self.shared.route(self.me(), to, self.shared.now, packet);
        let run = self.body.run;
        self.later(ASK_TIMEOUT, Event::AskTimeout { run, to, id });
    }

    fn respond(&mut self, to: ValidatorIndex, token: RequestToken, response: Response) {
        let asked = self.body.tokens.remove(&token);
        let Some((from, id, boot)) = asked.filter(|asked| asked.0 == to.as_usize()) else {
            let what = format!("an answer to {to} that did not ask");
            self.shared.settle("host", self.body.run.node, Err(what));
            return;
        };
        let packet = Packet::Response { id, boot, response };
        self.shared.route(self.me(), from, self.shared.now, packet);
    }

    fn serve(&mut self, to: ValidatorIndex, token: RequestToken, request: Request) {
        match self.body.archive.answer(&request) {
            Ok(response) => self.respond(to, token, response),
            Err(error) => self.shared.settle("storage", self.body.run.node, Err(error.to_string())),
        }
    }

    fn report(&mut self, peer: ValidatorIndex, fault: Fault) {
        if self.honest() {
            self.shared.on_report(self.body.run.node, peer.as_usize(), fault);
        }
    }

    fn note(&mut self, note: Note) {
        if self.honest() {
            self.shared.on_note(self.body.run.node, &note);
        }
    }
}

/// The message that a statement becomes, and whether it is the signer's own.
pub(crate) fn sign(statement: Statement, signer: &Signer) -> (Message, bool) {
    let message = match statement {
        Statement::Message(message) => return (message, false),
        Statement::Vote(vote) => {
            let VoteStatement { kind, vote, ordered_height } = vote.into_statement();
            let signature = signer.vote(kind, &vote);
            Message::Vote(VoteMessage { kind, vote, signature, ordered_height })
        }
        Statement::Timeout(timeout) => {
            Message::Timeout(Arc::new(sign_timeout(timeout.into_statement(), signer)))
        }
        Statement::Proposal(proposal) => {
            let mut proposal = proposal.into_statement();
            proposal.signature = signer.proposal(&proposal.vote());
            Message::Proposal(Arc::new(proposal))
        }
        Statement::Acknowledge(statement) => {
            let signature = signer.acknowledge(&statement);
            Message::Ack(AckMessage { statement, signature })
        }
        Statement::Rescue(signed) => Message::Rescue(RescueMessage {
            header: signed.header,
            owner_signature: signed.signature,
            signature: signer.acknowledge(&signed.header.acknowledgement()),
        }),
    };
    (message, true)
}

/// A timeout with its signature.
fn sign_timeout(statement: TimeoutStatement, signer: &Signer) -> Timeout {
    let unsigned = TimeoutVote {
        epoch: statement.high_qc.vote.epoch,
        view: statement.view,
        high_qc_view: statement.high_qc.view(),
        tip: statement.tip,
    };
    let signature = signer.timeout(&unsigned);
    statement.signed(signature)
}
