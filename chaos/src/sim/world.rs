//! The world: one queue of events, and a clock that is whatever the queue says.
//!
//! # Invariants
//! A run is a function of its plan: nothing here reads a clock, a file, an address or the order of
//! a hash map.

mod faults;
mod heal;
mod net;
mod writers;

use super::cluster::{Cluster, schedule_seed};
use super::event::{Event, Run};
use super::host::SimHost;
use super::network::Network;
use super::node::{Node, Running};
use super::plan::{Plan, SECOND};
use super::queue::{Micros, Queue};
use super::trace::Trace;
use super::verify::SimVerifier;
use super::workload::Workload;
use crate::byzantine::Adversary;
use crate::counters::Counters;
use crate::coverage::{Coverage, History};
use crate::invariants::{Check, Judge, Violation, bounded_memory};
use crate::rng::{Rng, Stream};
use chorale_consensus::agreement::leaders::Leaders;
use chorale_consensus::note::{Fault, Note};
use chorale_consensus::{Input, Output};
use chorale_types::block::CommittedBlock;
use chorale_types::museum::{Bug, planted};
use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// How long after its least length a run may go on until everything available is delivered.
const PATIENCE: Micros = 60 * SECOND;

/// Everything but the nodes.
pub(crate) struct Shared {
    pub(crate) now: Micros,
    pub(crate) queue: Queue<Event>,
    pub(crate) network: Network,
    pub(crate) plan: Plan,
    pub(crate) cluster: Cluster,
    pub(crate) verifier: SimVerifier,
    pub(crate) judge: Judge,
    pub(crate) counters: Counters,
    pub(crate) coverage: Coverage,
    pub(crate) trace: Trace,
    pub(crate) workload: Workload,
    disk_rng: Rng,
    honest: Vec<bool>,
    /// Members whose process is not there now.
    down: BTreeSet<usize>,
    healed: bool,
    leaders: Leaders,
    forker: Option<usize>,
    /// Faults of the plan, by place, that are known to have had an effect.
    felt: BTreeSet<usize>,
    /// How much slower each node's machine is now.
    slowness: Vec<u64>,
}

/// A cluster in a run.
pub struct World {
    shared: Shared,
    nodes: Vec<Node>,
}

/// What came of a run.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Outcome {
    /// The seed.
    pub seed: u64,
    /// The first promise that was broken.
    pub violation: Option<Violation>,
    /// The hash of everything that happened.
    pub digest: u64,
    /// What happened, counted.
    pub counters: Counters,
    /// What the honest replicas went through.
    pub histories: BTreeSet<History>,
    /// How long the run was, in simulated microseconds.
    pub simulated: Micros,
    /// The longest wait of a transaction submitted after healing.
    pub slowest_after_heal: Micros,
    /// The longest run of views whose leaders were not healed: `b` of the bound.
    pub faulty_run: u64,
    /// Faults of the plan, by place, that had no effect that could be shown.
    pub unfelt: Vec<usize>,
    /// The last lines, if lines were kept.
    pub lines: Vec<String>,
}

impl World {
    /// A cluster that starts by a plan.
    #[must_use]
    pub fn new(plan: Plan, trace: Trace) -> Self {
        let cluster =
            Cluster::new(&plan.stakes(), &plan.rollups, plan.params, schedule_seed(plan.schedule));
        let seed = plan.seed;
        let nodes: Vec<Node> = cluster
            .set
            .indices()
            .zip(&plan.members)
            .map(|(index, member)| {
                let signer = cluster.signer(index);
                let adversary = member
                    .behaviour
                    .map(|behaviour| Adversary::new(behaviour, signer, &cluster.set, seed));
                Node::new(signer, adversary, member.clock_ahead_ms)
            })
            .collect();
        let mut shared = Shared {
            now: 0,
            queue: Queue::default(),
            network: Network::new(nodes.len(), plan.links, seed),
            verifier: SimVerifier::new(cluster.set.clone()),
            judge: Judge::default(),
            counters: Counters::default(),
            coverage: Coverage::new(nodes.len()),
            trace,
            workload: Workload::new(plan.work, plan.rollups.clone(), seed),
            disk_rng: Rng::new(seed, Stream::Disk),
            honest: nodes.iter().map(Node::honest).collect(),
            down: BTreeSet::new(),
            healed: false,
            felt: BTreeSet::new(),
            slowness: vec![1; nodes.len()],
            leaders: Leaders::new(&cluster.set),
            forker: plan.members.iter().position(|m| m.behaviour.is_some_and(|b| b.forks)),
            cluster,
            plan,
        };
        (0..nodes.len()).for_each(|node| shared.queue.push(0, Event::Start(node)));
        for (fault, timed) in shared.plan.faults.iter().enumerate() {
            shared.queue.push(timed.at, Event::Fault(fault));
        }
        shared.queue.push(100_000, Event::Submit);
        shared.queue.push(SECOND, Event::Tick);
        shared.queue.push(shared.plan.heal_at, Event::Heal);
        Self { shared, nodes }
    }

    /// Runs to the end, or to the first violation.
    #[must_use]
    pub fn run(mut self) -> Outcome {
        while self.shared.judge.violation().is_none() && !self.is_over() {
            let (at, event) = self.shared.queue.pop().expect("there is always a next tick");
            self.shared.now = at;
            self.handle(event);
        }
        self.outcome()
    }

    fn is_over(&mut self) -> bool {
        let shared = &mut self.shared;
        if shared.now < shared.plan.end_min {
            return false;
        }
        let open = shared.judge.available.open(&shared.judge.ordered_root);
        if open == 0 && shared.judge.liveness.open() == 0 {
            return true;
        }
        if shared.now < shared.plan.end_min + PATIENCE {
            return false;
        }
        let check = shared.judge.available.finish(&shared.judge.ordered_root);
        shared.judge.settle("available", None, shared.now, check);
        true
    }

    fn outcome(self) -> Outcome {
        let Self { mut shared, nodes } = self;
        for adversary in nodes.iter().filter_map(|node| node.adversary.as_ref()) {
            let (shown, closed) = adversary.forks();
            shared.counters.tampered += adversary.tampered;
            shared.counters.forks_shown += shown;
            shared.counters.forks_closed += closed;
        }
        shared.felt.extend(shared.network.felt());
        let planned = 0..shared.plan.faults.len();
        let unfelt: Vec<usize> = planned.filter(|fault| !shared.felt.contains(fault)).collect();
        let count = |n: usize| u64::try_from(n).expect("lengths fit 64 bits");
        shared.counters.faults = count(shared.plan.faults.len());
        shared.counters.faults_felt = count(shared.plan.faults.len() - unfelt.len());
        shared.counters.available = shared.judge.available.count();
        let delivered = shared.judge.ordered_root.delivered();
        shared.counters.delivered = u64::try_from(delivered).expect("lengths fit 64 bits");
        Outcome {
            seed: shared.plan.seed,
            violation: shared.judge.violation().cloned(),
            digest: shared.trace.digest(),
            counters: shared.counters,
            histories: shared.coverage.into_histories(),
            simulated: shared.now,
            slowest_after_heal: shared.judge.liveness.slowest,
            faulty_run: shared.judge.liveness.faulty_run,
            unfelt,
            lines: shared.trace.last_lines(),
        }
    }

    fn handle(&mut self, event: Event) {
        if let Some(node) = event.process() {
            let until = self.nodes[node].paused_until;
            if until > self.shared.now {
                self.shared.felt.extend(self.nodes[node].paused_by);
                self.shared.queue.push(until, event);
                return;
            }
        }
        self.shared.trace.add(&(self.shared.now, event.digest()));
        match event {
            Event::Deliver { from, to, packet } => self.deliver(from, to, packet),
            Event::Input(run, input) => self.step(run, input),
            Event::Signed(run, to, message) => self.on_signed(run, to, message),
            Event::VotesWritten(run) => self.on_votes_written(run),
            Event::LanesWritten(run) => self.on_lanes_written(run),
            Event::Order(run) => self.on_order(run),
            Event::AskTimeout { run, to, id } => self.on_ask_timeout(run, to, id),
            Event::Connect { from, to } => self.on_connect(from, to),
            Event::Start(node) => self.on_start(node),
            Event::Fault(fault) => self.on_fault(fault),
            Event::HealLinks(fault) => self.heal_links(fault),
            Event::Hasten { node, fault } => self.on_hasten(node, fault),
            Event::Submit => self.on_submit(),
            Event::Probe { node } => self.on_probe(node),
            Event::Heal => self.on_heal(),
            Event::Tick => self.on_tick(),
        }
    }

    /// The run of a node, if it is still that one.
    fn running(&mut self, run: Run) -> Option<&mut Running> {
        let running = self.nodes[run.node].running.as_mut()?;
        (running.body.run == run).then_some(running)
    }

    fn run_of(&self, node: usize) -> Option<Run> {
        self.nodes[node].running.as_ref().map(|running| running.body.run)
    }

    /// One step of a replica, and what its host does about it.
    fn step(&mut self, run: Run, input: Input) {
        let node = &mut self.nodes[run.node];
        let now = node.now(self.shared.now);
        let Some(running) = node.running.as_mut().filter(|r| r.body.run == run) else { return };
        self.shared.counters.steps += 1;
        self.shared.trace.line(self.shared.now, || format!("node {} <- {input:?}", run.node));
        let replica = &mut running.replica;
        let outputs = if node.adversary.is_none() {
            replica.step(now, input)
        } else {
            match catch_unwind(AssertUnwindSafe(|| replica.step(now, input))) {
                Ok(outputs) => outputs,
                Err(_) => return self.give_up(run.node),
            }
        };
        self.perform(run, outputs);
    }

    /// A faulty member that contradicted itself until its own assertions failed is gone for good.
    fn give_up(&mut self, node: usize) {
        self.nodes[node].retired = true;
        self.nodes[node].running = None;
        self.shared.down.insert(node);
    }

    fn perform(&mut self, run: Run, outputs: Vec<Output>) {
        for output in &outputs {
            self.shared.trace.add(output);
            self.shared.trace.line(self.shared.now, || format!("node {} -> {output:?}", run.node));
        }
        self.with_host(run, |executor, host| executor.execute(outputs, host));
    }

    fn with_host(
        &mut self,
        run: Run,
        act: impl FnOnce(&mut chorale_node::execute::Executor, &mut SimHost<'_>),
    ) {
        let Node { running, signer, adversary, .. } = &mut self.nodes[run.node];
        let Some(Running { executor, body, .. }) = running.as_mut() else { return };
        let shared = &mut self.shared;
        act(executor, &mut SimHost { body, signer, adversary, shared });
    }

    fn on_tick(&mut self) {
        self.shared.queue.push(self.shared.now + SECOND, Event::Tick);
        for node in &self.nodes {
            let Some(running) = &node.running else { continue };
            let sizes = running.replica.sizes();
            let check = bounded_memory::check(&sizes, self.nodes.len());
            if node.honest() {
                self.shared.settle("bounded_memory", node.index, check);
            }
        }
        let check = self.shared.judge.liveness.check(self.shared.now);
        self.shared.judge.settle("liveness", None, self.shared.now, check);
    }
}

impl Shared {
    pub(crate) fn settle(&mut self, invariant: &'static str, node: usize, check: Check) {
        self.judge.settle(invariant, Some(node), self.now, check);
    }

    pub(crate) fn sync_delay(&mut self, node: usize) -> Micros {
        let machine = self.plan.machine;
        self.disk_rng.between(machine.sync_min, machine.sync_max) * self.slowness[node]
    }

    pub(crate) fn sign_delay(&mut self, node: usize) -> Micros {
        let most = self.plan.machine.sign_max;
        self.disk_rng.between(20, most) * self.slowness[node]
    }

    pub(crate) fn verify_delay(&mut self, node: usize) -> Micros {
        let most = self.plan.machine.verify_max;
        self.disk_rng.between(50, most) * self.slowness[node]
    }

    pub(crate) fn order_delay(&mut self, node: usize) -> Micros {
        let most = self.plan.machine.order_max;
        self.disk_rng.between(10, most) * self.slowness[node]
    }

    /// A block became final on an honest node.
    pub(crate) fn on_commit(&mut self, node: usize, committed: &CommittedBlock) {
        let check = self.judge.commit_order.on_commit(node, committed);
        self.settle("commit_order", node, check);
        match self.judge.agreement.on_commit(committed.block.header.height, committed.hash) {
            Ok(first) => self.counters.commits += u64::from(first),
            Err(what) => self.settle("agreement", node, Err(what)),
        }
    }

    /// An honest replica says that a peer did wrong: that peer must be a faulty one.
    pub(crate) fn on_report(&mut self, node: usize, peer: usize, fault: Fault) {
        self.counters.reports += 1;
        // That planted bug forges certificates, which peers notice; what it must be caught for is
        // the fork.
        let provable =
            !matches!(fault, Fault::BadAnswer | Fault::Flood) && !planted(Bug::TwoChainCommit);
        if provable && self.honest.get(peer) == Some(&true) {
            self.settle("blame", node, Err(format!("reports honest node {peer} for {fault:?}")));
        }
    }

    /// An honest replica tells what happened.
    pub(crate) fn on_note(&mut self, node: usize, note: &Note) {
        self.coverage.on_note(node, note);
        let counters = &mut self.counters;
        match note {
            Note::EnteredView { view, .. } => counters.views = counters.views.max(view.get()),
            Note::Reproposed { .. } => counters.reproposals += 1,
            Note::TimedOut { .. } => counters.view_timeouts += 1,
            Note::QuorumCertFormed { backup, .. } => counters.backup_certs += u64::from(*backup),
            Note::TimeoutCertFormed { tips, .. } => {
                counters.timeout_certs += 1;
                counters.timeout_certs_with_tips += u64::from(*tips > 0);
            }
            Note::CaughtUp { .. } => counters.catch_ups += 1,
            Note::LaneEquivocation { .. } => counters.lane_equivocations += 1,
            Note::Rescued { id } => {
                let owner = id.lane.owner.as_usize();
                let dead = self.down.contains(&owner) && owner != node;
                counters.rescues_of_dead_owners += u64::from(dead);
            }
            Note::AgreementBroken { .. } => {
                self.settle("agreement", node, Err(format!("{note:?}")));
            }
            Note::Refused { .. } => counters.refused_proposals += 1,
            Note::Dropped { .. } => counters.dropped += 1,
            Note::Proposed { .. }
            | Note::Voted { .. }
            | Note::CommitCertFormed { .. }
            | Note::Committed { .. }
            | Note::WentDown { .. }
            | Note::LaneLost(_)
            | Note::RescueSent { .. }
            | Note::BatchCut { .. }
            | Note::BatchAvailable { .. } => {}
        }
    }
}
