//! Faults happen, and pass.

use super::World;
use super::writers::merged;
use crate::sim::event::Event;
use crate::sim::plan::Fault;
use crate::sim::queue::Micros;
use chorale_node::storage::vote_record::FILE_NAME;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

/// Bytes at the front of a stored vote record that are the same in all.
const RECORD_PREFIX_BYTES: u64 = 12;
/// Where the second slot of a vote record begins.
const SLOT_BYTES: u64 = 64 * 1024;

impl World {
    pub(super) fn on_fault(&mut self, fault: Fault) {
        self.shared.trace.line(self.shared.now, || format!("fault {fault:?}"));
        match fault {
            Fault::Crash { node, power, down } => {
                let node = node.unwrap_or_else(|| self.leader());
                self.crash(node, power, down);
            }
            Fault::CrashAtRecord { node, down } => self.nodes[node].trap = Some(down),
            Fault::Destroy { node, down } => {
                self.crash(node, true, down);
                self.nodes[node].destroy();
                self.shared.counters.destroyed += 1;
            }
            Fault::Pause { node, long } => {
                // Only a process can be stopped, and healing ends every pause: what was put off
                // must not come later than that.
                let end = (self.shared.now + long).min(self.shared.plan.heal_at);
                let node = &mut self.nodes[node];
                if node.running.is_some() {
                    node.paused_until = node.paused_until.max(end);
                }
            }
            Fault::Cut { from, to, long } => {
                self.shared.network.cut(from, to);
                let at = self.shared.now + long;
                self.shared.queue.push(at, Event::HealCut { from, to });
            }
            Fault::Split { side, long } => {
                for (from, to) in self.across(side) {
                    self.shared.network.cut(from, to);
                }
                let at = self.shared.now + long;
                self.shared.queue.push(at, Event::HealSplit { side });
            }
            Fault::Clog { from, to, long } => {
                self.shared.network.clog(from, to, self.shared.now + long);
            }
            Fault::Rot { node } => self.rot(node),
        }
    }

    /// The leader of the highest view.
    fn leader(&self) -> usize {
        let views = self.nodes.iter().filter_map(|node| node.running.as_ref());
        let highest = views.map(|running| running.replica.status()).max_by_key(|s| s.view);
        highest.map_or(0, |status| status.leader.as_usize())
    }

    /// Every direction between the two sides of a line.
    fn across(&self, side: u32) -> Vec<(usize, usize)> {
        let on = |node: usize| side >> node & 1 == 1;
        let all = 0..self.nodes.len();
        all.clone()
            .flat_map(|from| all.clone().map(move |to| (from, to)))
            .filter(|(from, to)| on(*from) != on(*to))
            .collect()
    }

    /// One byte of the first copy of a vote record changes; the second copy is what it is for.
    fn rot(&mut self, node: usize) {
        let rng = &mut self.shared.disk_rng;
        let at = rng.below(2) * SLOT_BYTES + rng.between(RECORD_PREFIX_BYTES, 1_500);
        let mask = 1 << rng.below(8);
        let at = usize::try_from(at).expect("inside the file");
        self.nodes[node].disk.rot(FILE_NAME, at, mask);
    }

    pub(super) fn heal_cut(&mut self, from: usize, to: usize) {
        if self.shared.network.heal(from, to) {
            self.connect(from, to);
        }
    }

    pub(super) fn heal_split(&mut self, side: u32) {
        for (from, to) in self.across(side) {
            self.heal_cut(from, to);
        }
    }

    /// A stream opens in a while.
    pub(super) fn connect(&mut self, from: usize, to: usize) {
        let at = self.shared.now + self.shared.plan.healed.delay_max;
        self.shared.queue.push(at, Event::Connect { from, to });
    }

    /// A node's process ends, and starts again after `down`.
    pub(super) fn crash(&mut self, node: usize, power: bool, down: Micros) {
        let Some(running) = self.nodes[node].running.take() else { return };
        let shared = &mut self.shared;
        shared.counters.crashes += 1;
        shared.counters.power_cuts += u64::from(power);
        let at = shared.now;
        shared.trace.line(at, || format!("node {node} crashes, power {power}"));
        let mut body = running.body;
        let node = &mut self.nodes[node];
        let jobs = std::mem::take(&mut body.vote_writer.now);
        let mut done = body.signing > 0;
        if let Some(barrier) = body.votes.as_mut().filter(|_| !jobs.is_empty()) {
            // Calls to the disk that still come through: both copies, and the sync.
            let calls = shared.disk_rng.below(5);
            if let Some(calls) = calls.checked_sub(1) {
                node.disk.fail_after(u32::try_from(calls).expect("below five"));
                let (blocks, record) = merged(&jobs);
                let written = barrier.write(&blocks, record).is_ok();
                done |= written;
                shared.counters.torn_vote_records += u64::from(power && !written && calls > 0);
            }
        }
        shared.counters.crashes_between_persist_and_send += u64::from(done);
        if shared.disk_rng.chance(500_000) {
            let writes: Vec<_> = body.lane_writer.now.drain(..).map(|(_, write)| write).collect();
            let written = body.batches.write(&writes).map_err(|error| error.to_string());
            shared.settle("storage", node.index, written);
        }
        drop(body);
        if power {
            node.disk.lose_power(&mut shared.disk_rng);
            node.store.crash(shared.disk_rng.any());
        } else {
            node.disk.restart();
        }
        node.trap = None;
        node.paused_until = 0;
        shared.down.insert(node.index);
        shared.queue.push(at + down, Event::Start(node.index));
    }

    /// A node starts, if it is not running and may.
    pub(super) fn on_start(&mut self, node: usize) {
        let Self { shared, nodes } = self;
        let count = nodes.len();
        let node = &mut nodes[node];
        if node.running.is_some() || node.retired {
            return;
        }
        let index = node.index;
        let start = || node.start(&shared.cluster, shared.now);
        let started = match catch_unwind(AssertUnwindSafe(start)) {
            Ok(Ok(started)) => started,
            Err(_) if !shared.honest[index] => return self.give_up(index),
            Err(panic) => resume_unwind(panic),
            Ok(Err(why)) => {
                shared.settle("storage", index, Err(why));
                return;
            }
        };
        shared.down.remove(&index);
        shared.trace.line(shared.now, || {
            format!("node {index} starts at height {}, {:?}", started.head.0, started.observes)
        });
        shared.counters.observers += u64::from(started.observes.is_some());
        if let Some(why) = started.observes.or(started.no_lane).filter(|_| !node.destroyed) {
            shared.settle("recovery", index, Err(why));
        }
        shared.judge.commit_order.on_start(index, started.head.0, started.head.1);
        shared.judge.ordered_root.on_start(index, started.ordered);
        let run = node.running.as_mut().map(|running| {
            running.body.ordering = true;
            running.body.run
        });
        let run = run.expect("it just started");
        shared.queue.push(shared.now, Event::Order(run));
        self.perform(run, started.outputs);
        for peer in (0..count).filter(|peer| *peer != index) {
            self.connect(index, peer);
            self.connect(peer, index);
        }
    }
}
