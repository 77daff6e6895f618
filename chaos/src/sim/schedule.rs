//! A few replicas driven by hand: every message is delivered or lost as a test says, and members
//! that the test plays sign whatever it wants.
//!
//! Disk, signer and checks answer at once; time stands still unless a timer is fired. What a node
//! stores survives a restart by the real node's own recovery.

mod craft;
mod hand;
mod look;

use super::cluster::Cluster;
use super::node::{Node, Running};
use super::queue::Micros;
use super::verify::SimVerifier;
use chorale_consensus::agreement::leaders::Leaders;
use chorale_consensus::input::{AskId, RequestToken, Timer};
use chorale_consensus::note::{Fault, Note};
use chorale_consensus::{Input, Output, Status};
use chorale_types::crypto::hash::Digest;
use chorale_types::genesis::Params;
use chorale_types::ids::{Height, RollupId, ValidatorIndex, View};
use chorale_types::message::{Message, Proposal, Received, Request, Response};
use chorale_types::vote::{Timeout, VoteKind};
use hand::{Act, Hand};
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

/// Seeds tried to find a schedule with the leaders asked for.
const SEEDS_MAX: u64 = 100_000;

/// More messages in one go than any schedule has: replicas answer each other for ever.
const DELIVERED_MAX: usize = 100_000;

/// How far a twin's clock is ahead, in milliseconds.
const TWIN_AHEAD_MS: u64 = 3;

/// Something under way.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Mail {
    /// The sender.
    pub from: usize,
    /// The receiver.
    pub to: usize,
    /// What it is.
    pub letter: Letter,
}

/// What is under way.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Letter {
    /// A message.
    Message(Message),
    /// A question.
    Ask(AskId, Request),
    /// An answer.
    Answer(AskId, Response),
}

impl Mail {
    /// Whether it is a vote of this kind.
    #[must_use]
    pub fn is_vote(&self, kind: VoteKind) -> bool {
        matches!(&self.letter, Letter::Message(Message::Vote(vote)) if vote.kind == kind)
    }

    /// Whether it is a proposal.
    #[must_use]
    pub const fn is_proposal(&self) -> bool {
        matches!(&self.letter, Letter::Message(Message::Proposal(_)))
    }

    /// Whether it is a timeout.
    #[must_use]
    pub const fn is_timeout(&self) -> bool {
        matches!(&self.letter, Letter::Message(Message::Timeout(_)))
    }

    /// Whether it is a question or an answer.
    #[must_use]
    pub const fn is_fetch(&self) -> bool {
        matches!(&self.letter, Letter::Ask(..) | Letter::Answer(..))
    }
}

/// The members, and everything that happened between them.
pub struct Committee {
    cluster: Cluster,
    verifier: SimVerifier,
    leaders: Leaders,
    /// Absent for members that the test plays. Behind the members come their twins.
    nodes: Vec<Option<Node>>,
    /// Which member each process is.
    identities: Vec<usize>,
    now: Micros,
    timers: BTreeMap<usize, Vec<(Micros, Timer)>>,
    mail: VecDeque<Mail>,
    log: Log,
}

/// What real members did.
#[derive(Debug, Default)]
pub(crate) struct Log {
    said: Vec<(usize, Message)>,
    notes: Vec<(usize, Note)>,
    reports: Vec<(usize, usize, Fault)>,
    finals: BTreeMap<usize, BTreeMap<Height, Digest>>,
    asked: Vec<(usize, Request)>,
    checks: u64,
}

impl Committee {
    /// `members` members of equal stake, of whom the test plays `played`. The first views are led
    /// by `leaders`.
    ///
    /// # Panics
    /// When no schedule has these leaders: with equal stakes each member leads once in `members`
    /// views.
    #[must_use]
    pub fn new(members: usize, leaders: &[usize], played: &[usize]) -> Self {
        Self::of(cluster_led_by(members, leaders), played, &[])
    }

    /// All members of a cluster run, and those in `twins` twice: the second process has the same
    /// keys and a store of its own, and its number is above all members'.
    #[must_use]
    pub fn with_twins(cluster: Cluster, twins: &[usize]) -> Self {
        Self::of(cluster, &[], twins)
    }

    fn of(cluster: Cluster, played: &[usize], twins: &[usize]) -> Self {
        let identities: Vec<usize> = (0..cluster.len()).chain(twins.iter().copied()).collect();
        let nodes = identities.iter().enumerate().map(|(process, identity)| {
            let real = !played.contains(identity);
            real.then(|| {
                // A twin's clock differs, so that its blocks do.
                let ahead = if process < cluster.len() { 0 } else { TWIN_AHEAD_MS };
                let mut node = Node::new(cluster.signer(index(*identity)), None, ahead);
                node.index = process;
                node
            })
        });
        let mut committee = Self {
            nodes: nodes.collect(),
            identities,
            verifier: SimVerifier::new(cluster.set.clone()),
            leaders: Leaders::new(&cluster.set),
            cluster,
            now: 0,
            timers: BTreeMap::new(),
            mail: VecDeque::new(),
            log: Log::default(),
        };
        (0..committee.nodes.len()).for_each(|node| committee.start(node));
        committee
    }

    fn start(&mut self, index: usize) {
        let Some(node) = &mut self.nodes[index] else { return };
        let started = node.start(&self.cluster, self.now).expect("a node starts");
        self.timers.remove(&index);
        self.perform(index, started.outputs);
    }

    /// A node's process ends and starts again from what is durable.
    pub fn restart(&mut self, index: usize) {
        if let Some(node) = &mut self.nodes[index] {
            node.running = None;
        }
        self.start(index);
    }

    /// A node loses all it had and starts as if it never had signed: what no node does by itself.
    pub fn forget(&mut self, index: usize) {
        if let Some(node) = &mut self.nodes[index] {
            node.running = None;
            node.destroy();
            node.boot = 0;
        }
        self.start(index);
    }

    /// Delivers what is wanted, and what comes of it if that is wanted too, until nothing is left
    /// of it. How much that was.
    pub fn deliver(&mut self, wanted: impl Fn(&Mail) -> bool) -> usize {
        let (mut count, mut left) = (0, VecDeque::new());
        while let Some(mail) = self.mail.pop_front() {
            if wanted(&mail) {
                self.hand_over(mail);
                count += 1;
                assert!(count < DELIVERED_MAX, "messages without end");
            } else {
                left.push_back(mail);
            }
        }
        self.mail = left;
        count
    }

    /// Delivers everything between these members, also what comes of it.
    pub fn flow(&mut self, members: &[usize]) -> usize {
        self.deliver(|mail| members.contains(&mail.from) && members.contains(&mail.to))
    }

    /// Loses what is meant.
    pub fn lose(&mut self, meant: impl Fn(&Mail) -> bool) {
        self.mail.retain(|mail| !meant(mail));
    }

    /// Loses everything under way.
    pub fn lose_all(&mut self) {
        self.mail.clear();
    }

    fn hand_over(&mut self, mail: Mail) {
        let from = index(self.identities[mail.from]);
        let input = match mail.letter {
            Letter::Message(message) => Input::Message(Received { from, message }),
            Letter::Answer(id, response) => Input::Response { from, id, response: Some(response) },
            Letter::Ask(id, request) => {
                let Some(body) = self.running(mail.to).map(|running| &mut running.body) else {
                    return;
                };
                body.tokens_given += 1;
                let token = RequestToken(body.tokens_given);
                body.tokens.insert(token, (mail.from, id, 0));
                Input::Request { from, token, request }
            }
        };
        self.step(mail.to, input);
    }

    fn running(&mut self, index: usize) -> Option<&mut Running> {
        self.nodes[index].as_mut().and_then(|node| node.running.as_mut())
    }

    /// A real member is told something.
    pub fn step(&mut self, index: usize, input: Input) {
        let now = self.now;
        let Some(node) = &mut self.nodes[index] else { return };
        let now = node.now(now);
        let Some(running) = &mut node.running else { return };
        let outputs = running.replica.step(now, input);
        self.perform(index, outputs);
    }

    fn perform(&mut self, index: usize, outputs: Vec<Output>) {
        let mut acts = VecDeque::from([Act::Perform(outputs)]);
        while let Some(act) = acts.pop_front() {
            let Self { nodes, identities, verifier, now, timers, mail, log, .. } = self;
            let Some(node) = &mut nodes[index] else { return };
            let clock = node.now(*now);
            let Node { running: Some(running), signer, .. } = node else { return };
            let Running { replica, executor, body } = running;
            let timers = timers.entry(index).or_default();
            let more = &mut acts;
            let mut hand =
                Hand { body, signer, verifier, identities, timers, mail, log, acts: more };
            match act {
                Act::Perform(outputs) => executor.execute(outputs, &mut hand),
                Act::Durable(id) => {
                    executor.durable(id, &mut hand);
                    acts.push_back(Act::Tell(Input::Durable(id)));
                }
                Act::Tell(input) => {
                    let outputs = replica.step(clock, input);
                    acts.push_front(Act::Perform(outputs));
                }
            }
        }
    }

    /// A member that the test plays says something to one member.
    pub fn say(&mut self, from: usize, to: usize, message: Message) {
        let received = Received { from: index(from), message };
        self.step(to, Input::Message(received));
    }

    /// A member that the test plays answers a question.
    pub fn answer(&mut self, question: &Mail, response: Response) {
        if let Letter::Ask(id, _) = &question.letter {
            let (from, id) = (index(question.to), *id);
            self.mail.retain(|mail| mail != question);
            let input = Input::Response { from, id, response: Some(response) };
            self.step(question.from, input);
        }
    }

    /// Questions to members that the test plays stay without an answer.
    pub fn refuse_asks(&mut self) {
        let played = |mail: &&Mail| self.nodes[mail.to].is_none();
        let asks: Vec<Mail> = self.mail.iter().filter(played).cloned().collect();
        for mail in asks {
            let Letter::Ask(id, _) = mail.letter else { continue };
            self.mail.retain(|other| *other != mail);
            self.step(mail.from, Input::Response { from: index(mail.to), id, response: None });
        }
    }

    /// Loses everything under way; who asked hears that there is no answer.
    pub fn lose_all_and_say_so(&mut self) {
        for mail in std::mem::take(&mut self.mail) {
            let (asker, asked, id) = match mail.letter {
                Letter::Ask(id, _) => (mail.from, mail.to, id),
                Letter::Answer(id, _) => (mail.to, mail.from, id),
                Letter::Message(_) => continue,
            };
            let from = index(self.identities[asked]);
            self.step(asker, Input::Response { from, id, response: None });
        }
    }

    /// Which member a process is.
    #[must_use]
    pub fn identity(&self, process: usize) -> usize {
        self.identities[process]
    }

    /// Members and twins.
    #[must_use]
    pub fn processes(&self) -> usize {
        self.nodes.len()
    }

    /// The clock runs until a leader is asked to propose in its view, and it does.
    pub fn propose(&mut self, leader: usize) {
        let view = self.status(leader).view;
        self.fire(leader, |timer| matches!(timer, Timer::Propose(_, of) if *of == view));
    }

    /// The clock runs until a member's view has lasted its time.
    pub fn give_up(&mut self, member: usize) {
        let view = self.status(member).view;
        self.fire(member, |timer| matches!(timer, Timer::View(_, of) if *of == view));
    }

    /// The clock runs until a timer of a member ends.
    pub fn fire(&mut self, member: usize, which: impl Fn(&Timer) -> bool) {
        let timers = self.timers.entry(member).or_default();
        let Some(at) = timers.iter().position(|(_, timer)| which(timer)) else { return };
        let (at, timer) = timers.remove(at);
        self.now = self.now.max(at);
        self.step(member, Input::Timer(timer));
    }

    /// Where a real member is.
    ///
    /// # Panics
    /// When the test plays the member.
    #[must_use]
    pub fn status(&self, member: usize) -> Status {
        let node = self.nodes[member].as_ref().expect("a real member");
        node.running.as_ref().expect("a running node").replica.status()
    }

    /// Who leads a view.
    #[must_use]
    pub fn leader(&self, view: u64) -> usize {
        self.leaders.leader(View::new(view)).as_usize()
    }

    /// What became final on a real member, over all its runs.
    #[must_use]
    pub fn finals(&self, member: usize) -> BTreeMap<Height, Digest> {
        self.log.finals.get(&member).cloned().unwrap_or_default()
    }

    /// Streams to all others open, and what was asked in vain is asked again.
    pub fn wake(&mut self, process: usize) {
        let me = self.identities[process];
        for peer in (0..self.cluster.len()).filter(|peer| *peer != me) {
            self.step(process, Input::PeerUp(index(peer)));
        }
        self.fire(process, |timer| matches!(timer, Timer::Sync));
    }

    /// Whether two real members have different final blocks at one height.
    #[must_use]
    pub fn is_forked(&self) -> bool {
        self.is_forked_among(self.nodes.len())
    }

    /// Whether two of the first so many members have different final blocks at one height.
    #[must_use]
    pub fn is_forked_among(&self, members: usize) -> bool {
        let mut first: BTreeMap<Height, Digest> = BTreeMap::new();
        self.log
            .finals
            .range(..members)
            .flat_map(|(_, finals)| finals)
            .any(|(height, hash)| *first.entry(*height).or_insert(*hash) != *hash)
    }

    /// Everything a real member said, over all its runs.
    pub fn said(&self, member: usize) -> impl Iterator<Item = &Message> {
        self.log.said.iter().filter(move |(who, _)| *who == member).map(|(_, message)| message)
    }

    /// What a real member voted for in a view.
    #[must_use]
    pub fn voted(&self, member: usize, kind: VoteKind, view: u64) -> Option<Digest> {
        self.said(member).find_map(|message| match message {
            Message::Vote(vote) if vote.kind == kind && vote.vote.view == View::new(view) => {
                Some(vote.vote.block)
            }
            _ => None,
        })
    }

    /// The timeout of a real member for a view.
    #[must_use]
    pub fn timeout(&self, member: usize, view: u64) -> Option<Arc<Timeout>> {
        self.said(member).find_map(|message| match message {
            Message::Timeout(timeout) if timeout.view == View::new(view) => {
                Some(Arc::clone(timeout))
            }
            _ => None,
        })
    }

    /// The proposal that a real member made in a view.
    #[must_use]
    pub fn proposal(&self, member: usize, view: u64) -> Option<Arc<Proposal>> {
        self.said(member).find_map(|message| match message {
            Message::Proposal(proposal) if proposal.view == View::new(view) => {
                Some(Arc::clone(proposal))
            }
            _ => None,
        })
    }

    /// What a real member noted.
    pub fn notes(&self, member: usize) -> impl Iterator<Item = &Note> {
        self.log.notes.iter().filter(move |(who, _)| *who == member).map(|(_, note)| note)
    }

    /// What real members reported of others: who, whom, what.
    #[must_use]
    pub fn reports(&self) -> &[(usize, usize, Fault)] {
        &self.log.reports
    }

    /// What a real member asked others for.
    pub fn asked(&self, member: usize) -> impl Iterator<Item = &Request> {
        self.log.asked.iter().filter(move |(who, _)| *who == member).map(|(_, request)| request)
    }

    /// What is under way.
    pub fn mail(&self) -> impl Iterator<Item = &Mail> {
        self.mail.iter()
    }
}

fn index(member: usize) -> ValidatorIndex {
    ValidatorIndex::new(u16::try_from(member).expect("few members"))
}

/// A cluster of equal stakes with the schedule of a seed.
#[must_use]
pub fn cluster_of(members: usize, seed: u64) -> Cluster {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_be_bytes());
    Cluster::new(&vec![1; members], &[RollupId::new(1)], Params::default(), bytes)
}

/// A cluster of equal stakes whose first views are led as asked.
///
/// # Panics
/// When no schedule has these leaders.
#[must_use]
pub fn cluster_led_by(members: usize, leaders: &[usize]) -> Cluster {
    for seed in 0..SEEDS_MAX {
        let cluster = cluster_of(members, seed);
        let schedule = Leaders::new(&cluster.set);
        let led = schedule.cycle().iter().map(|leader| leader.as_usize());
        if led.take(leaders.len()).eq(leaders.iter().copied()) {
            return cluster;
        }
    }
    panic!("no schedule starts with {leaders:?}");
}
