//! A committee of lanes in one queue: real stores, made-up signatures that are really compared,
//! links that can be cut, and members that can be destroyed. Blocks are the test's own business.

use super::*;
use crate::input::{AskId, RequestToken, Timer};
use crate::job::{Check, Work};
use crate::note::{Fault, Note};
use crate::output::{Recipients, Statement};
use chorale_types::level::Level;
use chorale_types::message::{AckMessage, Message, Request, RescueMessage, Response};
use std::collections::{BTreeMap, VecDeque};

/// What happens to one member next.
enum Event {
    Message(ValidatorIndex, Message),
    Own(Message),
    Durable(RecordId),
    Checked(JobId, Verdict),
    Response(ValidatorIndex, AskId, Option<Response>),
    Timer(Timer),
}

/// Whether a link lets a message pass: from, to, what.
pub(super) type Link = Box<dyn Fn(u16, u16, &Message) -> bool>;

pub(super) struct Net {
    pub(super) config: Config,
    pub(super) nodes: Vec<Option<Node>>,
    pub(super) stores: Vec<BTreeMap<Digest, Arc<Batch>>>,
    pub(super) notes: Vec<Vec<Note>>,
    pub(super) levels: Vec<Vec<(BatchId, Level)>>,
    pub(super) faults: Vec<(u16, u16, Fault)>,
    pub(super) questions: Vec<(u16, u16, Request)>,
    pub(super) acknowledged: Vec<(u16, BatchId)>,
    pub(super) link: Link,
    /// The last header each wrote in its own lane.
    own: Vec<Option<BatchHeader>>,
    queue: VecDeque<(u16, Event)>,
    timers: BTreeMap<(Instant, u64), (u16, Timer)>,
    serial: u64,
    now: Instant,
}

impl Net {
    pub(super) fn new(stakes: &[u64]) -> Self {
        let count = stakes.len();
        let mut net = Self {
            config: config(stakes, 0),
            nodes: Vec::new(),
            stores: vec![BTreeMap::new(); count],
            notes: vec![Vec::new(); count],
            levels: vec![Vec::new(); count],
            faults: Vec::new(),
            questions: Vec::new(),
            acknowledged: Vec::new(),
            link: Box::new(|_, _, _| true),
            own: vec![None; count],
            queue: VecDeque::new(),
            timers: BTreeMap::new(),
            serial: 0,
            now: Instant::from_micros(1_000_000),
        };
        for (at, _) in (0..).zip(stakes) {
            let config = config(stakes, at);
            let (node, out) = Node::recover(&config, Vec::new(), None, Frontier::default());
            net.nodes.push(Some(node));
            net.perform(at, out);
        }
        net
    }

    pub(super) fn node(&mut self, at: u16) -> &mut Node {
        self.nodes[usize::from(at)].as_mut().expect("alive")
    }

    /// Destroys a member, its store and what is on its way to it.
    pub(super) fn destroy(&mut self, at: u16) {
        self.nodes[usize::from(at)] = None;
        self.stores[usize::from(at)].clear();
        self.queue.retain(|(to, _)| *to != at);
    }

    /// Stops a member and starts it again from its store; what was on its way to it is lost.
    pub(super) fn restart(&mut self, at: u16) {
        self.settle();
        let frontier = self.node(at).frontier.clone();
        self.timers.retain(|_, (of, _)| *of != at);
        let known = |batch: &Arc<Batch>| {
            let acknowledged = self.acknowledged.contains(&(at, id(batch)));
            stored(batch, acknowledged)
        };
        let above = |batch: &&Arc<Batch>| batch.header.seq > frontier.seq(batch.header.lane);
        let batches = self.stores[usize::from(at)].values().filter(above).map(known).collect();
        let config = config_with(&self.stakes(), at, Params::default());
        let own = self.own[usize::from(at)];
        let (mut node, _) = Node::recover(&config, batches, own, frontier);
        node.now.monotonic = self.now;
        let first = self.now.after(Duration::from_secs(1));
        self.serial += 1;
        self.timers.insert((first, self.serial), (at, Timer::Lanes));
        self.nodes[usize::from(at)] = Some(node);
        for peer in (0..).take(self.nodes.len()).filter(|peer| *peer != at) {
            self.meet(at, peer);
            self.meet(peer, at);
        }
    }

    fn stakes(&self) -> Vec<u64> {
        self.config.set.info().validators.iter().map(|validator| validator.stake).collect()
    }

    /// The stream of one member to another opens.
    fn meet(&mut self, at: u16, peer: u16) {
        if let Some(node) = &mut self.nodes[usize::from(at)] {
            let out = node.step(|lanes, ctx| lanes.on_peer_up(index(peer), ctx));
            self.perform(at, out);
        }
    }

    pub(super) fn submit(&mut self, at: u16, payload: &[u8]) {
        let payload = transaction(1, payload);
        let out = self.node(at).submit(1, vec![payload]);
        self.perform(at, out);
    }

    pub(super) fn deliver(&mut self, from: u16, to: u16, message: Message) {
        self.queue.push_back((to, Event::Message(index(from), message)));
        self.settle();
    }

    pub(super) fn commit(&mut self, tips: &[LaneTip]) {
        for at in (0..).take(self.nodes.len()) {
            if self.nodes[usize::from(at)].is_some() {
                let out = self.node(at).commit(tips.to_vec());
                self.perform(at, out);
            }
        }
        self.settle();
    }

    /// Lets time pass.
    pub(super) fn run(&mut self, millis: u64) {
        self.settle();
        let end = self.now.after(Duration::from_millis(millis));
        while let Some(entry) = self.timers.first_entry().filter(|entry| entry.key().0 <= end) {
            let ((at, _), (to, timer)) = entry.remove_entry();
            self.now = self.now.max(at);
            self.queue.push_back((to, Event::Timer(timer)));
            self.settle();
        }
        self.now = end;
    }

    fn settle(&mut self) {
        let mut steps = 0;
        while let Some((to, event)) = self.queue.pop_front() {
            steps += 1;
            assert!(steps < 100_000, "the committee comes to rest");
            let now = self.now;
            let Some(node) = &mut self.nodes[usize::from(to)] else { continue };
            node.now.monotonic = now;
            let out = node.step(|lanes, ctx| act(lanes, event, ctx));
            self.perform(to, out);
        }
    }

    fn perform(&mut self, me: u16, outputs: Vec<Output>) {
        for output in outputs {
            match output {
                Output::Persist(record, content) => {
                    if let Some(batch) = self.persist(me, content) {
                        self.queue.push_back((me, Event::Own(Message::Batch(batch))));
                    }
                    self.queue.push_back((me, Event::Durable(record)));
                }
                Output::Send(to, statement, _) => self.send(me, to, statement),
                Output::Verify(job) => {
                    let verdict = self.check(&job.work);
                    self.queue.push_back((me, Event::Checked(job.id, verdict)));
                }
                Output::Arm(timer, at) => {
                    self.serial += 1;
                    self.timers.insert((at, self.serial), (me, timer));
                }
                Output::Level(id, level) => self.levels[usize::from(me)].push((id, level)),
                Output::Ask(to, id, request) => self.ask(me, to, id, &request),
                Output::Report(peer, fault) => self.faults.push((me, peer.get(), fault)),
                Output::Note(note) => self.notes[usize::from(me)].push(note),
                Output::Admitted(..) => {}
                Output::Commit(_) | Output::Respond(..) | Output::Serve(..) => {
                    unreachable!("lanes do not")
                }
            }
        }
    }

    fn persist(&mut self, me: u16, record: Record) -> Option<Arc<Batch>> {
        let store = &mut self.stores[usize::from(me)];
        match record {
            Record::OwnBatch { header, entries } => {
                let owner_signature = sign(index(me), &header.acknowledgement());
                let batch = Arc::new(Batch { header, owner_signature, entries });
                store.insert(header.digest(), Arc::clone(&batch));
                self.acknowledged.push((me, id(&batch)));
                self.own[usize::from(me)] = Some(header);
                Some(batch)
            }
            Record::Batch { batch, acknowledge } => {
                if acknowledge {
                    self.acknowledged.push((me, id(&batch)));
                }
                store.insert(batch.header.digest(), batch);
                None
            }
            Record::Vote { .. } | Record::Acknowledgement { .. } => unreachable!("lanes do not"),
        }
    }

    fn send(&mut self, me: u16, to: Recipients, statement: Statement) {
        let message = match statement {
            Statement::Message(message) => message,
            Statement::Acknowledge(statement) => {
                let signature = sign(index(me), &statement);
                Message::Ack(AckMessage { statement, signature })
            }
            Statement::Rescue(SignedHeader { header, signature: owner_signature }) => {
                let signature = sign(index(me), &header.acknowledgement());
                Message::Rescue(RescueMessage { header, owner_signature, signature })
            }
            other => unreachable!("lanes do not send {other:?}"),
        };
        if matches!(message, Message::Ack(_) | Message::Rescue(_)) {
            self.queue.push_back((me, Event::Own(message.clone())));
        }
        for at in (0..).take(self.nodes.len()).filter(|at| *at != me) {
            let meant = to == Recipients::All || to == Recipients::One(index(at));
            if meant && (self.link)(me, at, &message) {
                self.queue.push_back((at, Event::Message(index(me), message.clone())));
            }
        }
    }

    fn check(&self, work: &Work) -> Verdict {
        let right = |statement: &Acknowledgement, signer, signature: &Signature| {
            sign(signer, statement) == *signature
        };
        match work {
            Work::All(checks) => Verdict::All {
                good: checks.iter().all(|check| match check {
                    Check::Header(SignedHeader { header, signature }) => {
                        right(&header.acknowledgement(), header.lane.owner, signature)
                    }
                    Check::Batch(batch) => {
                        let (header, signature) = (&batch.header, &batch.owner_signature);
                        batch.validate().is_ok()
                            && right(&header.acknowledgement(), header.lane.owner, signature)
                    }
                    Check::Ack(statement, signer, signature) => {
                        right(statement, *signer, signature)
                    }
                    Check::Availability(cert) => {
                        let mut shares = cert.signers.iter().zip(&cert.signatures);
                        self.config.set.stake_of(&cert.signers) >= self.config.set.quorum()
                            && shares.all(|(signer, s)| right(&cert.statement, signer, s))
                    }
                    other => unreachable!("lanes do not check {other:?}"),
                }),
            },
            Work::Acks { statement, shares } => {
                let bad = shares.iter().filter(|(at, s)| !right(statement, *at, s));
                Verdict::Shares { bad: bad.map(|(at, _)| *at).collect(), aggregate: None }
            }
            other => unreachable!("lanes do not check {other:?}"),
        }
    }

    fn ask(&mut self, me: u16, to: ValidatorIndex, id: AskId, request: &Request) {
        self.questions.push((me, to.get(), request.clone()));
        let store = &self.stores[to.as_usize()];
        let response = self.nodes[to.as_usize()].as_mut().map(|node| {
            let token = RequestToken(id.0);
            let out = node.step(|lanes, ctx| lanes.on_request(index(me), token, request, ctx));
            match out.into_iter().next() {
                Some(Output::Respond(_, _, response)) => response,
                Some(Output::Serve(_, _, request)) => serve(store, &request),
                other => unreachable!("an answer, not {other:?}"),
            }
        });
        self.queue.push_back((me, Event::Response(to, id, response)));
    }
}

/// What a node's storage answers.
pub(super) fn serve(store: &BTreeMap<Digest, Arc<Batch>>, request: &Request) -> Response {
    match request {
        Request::Batches { ids } => {
            let batches = ids.iter().filter_map(|id| store.get(&id.digest).cloned()).collect();
            Response::Batches { batches }
        }
        Request::Headers { tip, above } => {
            let (mut headers, mut at) = (Vec::new(), tip.digest);
            while let Some(batch) = store.get(&at).filter(|batch| batch.header.seq > *above) {
                headers.push(signed(batch));
                at = batch.header.prev;
            }
            Response::Headers { headers }
        }
        other => unreachable!("storage does not answer {other:?}"),
    }
}

fn act(lanes: &mut Lanes, event: Event, ctx: &mut Context<'_>) {
    match event {
        Event::Message(from, Message::Batch(batch)) => lanes.on_batch(from, batch, ctx),
        Event::Message(from, Message::Ack(ack)) => lanes.on_ack(from, ack, ctx),
        Event::Message(from, Message::Availability(cert)) => lanes.on_availability(from, cert, ctx),
        Event::Message(from, Message::Rescue(rescue)) => lanes.on_rescue(from, rescue, ctx),
        Event::Message(from, Message::LaneStatus(status)) => {
            lanes.on_lane_status(from, status, ctx)
        }
        Event::Message(_, other) => unreachable!("lanes do not send {other:?}"),
        Event::Own(message) => lanes.on_own(message, ctx),
        Event::Durable(record) => lanes.on_durable(record, ctx),
        Event::Checked(job, verdict) => assert!(lanes.on_checked(job, &verdict, ctx)),
        Event::Response(from, id, response) => {
            assert!(lanes.on_response(from, id, response.as_ref(), ctx));
        }
        Event::Timer(Timer::Cut) => lanes.on_cut_timer(ctx),
        Event::Timer(Timer::Lanes) => lanes.on_lanes_timer(ctx),
        Event::Timer(other) => unreachable!("lanes do not arm {other:?}"),
    }
}
