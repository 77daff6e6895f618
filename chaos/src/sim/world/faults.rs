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
/// What a medium writes as one.
const SECTOR_BYTES: u64 = 512;
/// Vote records of a simulated cluster are shorter.
const MISDIRECTED_BYTES_MAX: u64 = 16 * 1024;

impl World {
    /// A fault of the plan happens. What it did is noted where it is felt: a link's at the message
    /// that does not arrive, a pause at the event that waits, the others here.
    pub(super) fn on_fault(&mut self, place: usize) {
        let fault = self.shared.plan.faults[place].fault;
        self.shared.trace.line(self.shared.now, || format!("fault {fault:?}"));
        let felt = match fault {
            Fault::Crash { node, power, down } => {
                let node = node.unwrap_or_else(|| self.leader());
                self.crash(node, power, down)
            }
            Fault::Destroy { node, down } => {
                let ran = self.crash(node, true, down);
                self.nodes[node].destroy();
                self.shared.counters.destroyed += 1;
                ran
            }
            Fault::CrashAtRecord { node, down } => {
                self.nodes[node].trap = Some((down, place));
                false
            }
            Fault::Pause { node, long } => {
                self.pause(node, long, place);
                false
            }
            Fault::Clog { from, to, long } => {
                self.shared.network.clog(from, to, self.shared.now + long, place);
                false
            }
            Fault::Cut { long, .. }
            | Fault::Split { long, .. }
            | Fault::Isolate { long, .. }
            | Fault::Ring { long } => {
                self.cut_links(fault, long, place);
                false
            }
            Fault::Rot { node } => self.rot(node),
            Fault::Misdirect { node } => self.misdirect(node),
            Fault::ClockStep { node, ahead_ms } => {
                let before = std::mem::replace(&mut self.nodes[node].clock_ahead_ms, ahead_ms);
                before != ahead_ms
            }
            Fault::Slow { node, factor, long } => {
                self.shared.slowness[node] = u64::from(factor).max(1);
                self.shared
                    .queue
                    .push(self.shared.now + long, Event::Hasten { node, fault: place });
                factor > 1
            }
        };
        if felt {
            self.shared.felt.insert(place);
        }
    }

    /// Only a process can be stopped, and healing ends every pause: what was put off must not come
    /// later than that.
    fn pause(&mut self, node: usize, long: Micros, place: usize) {
        let end = (self.shared.now + long).min(self.shared.plan.heal_at);
        let node = &mut self.nodes[node];
        if node.running.is_some() && end > node.paused_until {
            (node.paused_until, node.paused_by) = (end, Some(place));
        }
    }

    pub(super) fn on_hasten(&mut self, node: usize, _fault: usize) {
        self.shared.slowness[node] = 1;
    }

    /// The leader of the highest view.
    fn leader(&self) -> usize {
        let views = self.nodes.iter().filter_map(|node| node.running.as_ref());
        let highest = views.map(|running| running.replica.status()).max_by_key(|s| s.view);
        highest.map_or(0, |status| status.leader.as_usize())
    }

    fn cut_links(&mut self, fault: Fault, long: Micros, place: usize) {
        for (from, to) in directions(fault, self.nodes.len()) {
            self.shared.network.cut(from, to, place);
        }
        self.shared.queue.push(self.shared.now + long, Event::HealLinks(place));
    }

    pub(super) fn heal_links(&mut self, place: usize) {
        let fault = self.shared.plan.faults[place].fault;
        for (from, to) in directions(fault, self.nodes.len()) {
            if self.shared.network.heal(from, to, place) {
                self.connect(from, to);
            }
        }
    }

    /// One byte of the first copy of a vote record changes; the second copy is what it is for.
    fn rot(&mut self, node: usize) -> bool {
        let rng = &mut self.shared.disk_rng;
        let at = rng.below(2) * SLOT_BYTES + rng.between(RECORD_PREFIX_BYTES, 1_500);
        let mask = 1 << rng.below(8);
        let at = usize::try_from(at).expect("inside the file");
        self.nodes[node].disk.rot(FILE_NAME, at, mask)
    }

    /// The next write of a first copy lands somewhere among the first copies.
    fn misdirect(&mut self, node: usize) -> bool {
        let rng = &mut self.shared.disk_rng;
        let room = (2 * SLOT_BYTES - MISDIRECTED_BYTES_MAX) / SECTOR_BYTES;
        self.nodes[node].disk.misdirect(FILE_NAME, rng.below(room) * SECTOR_BYTES)
    }

    /// A stream opens in a while.
    pub(super) fn connect(&mut self, from: usize, to: usize) {
        let at = self.shared.now + self.shared.plan.healed.delay_max;
        self.shared.queue.push(at, Event::Connect { from, to });
    }

    /// A node's process ends, and starts again after `down`.
    /// False when it did not run.
    pub(super) fn crash(&mut self, node: usize, power: bool, down: Micros) -> bool {
        let Some(running) = self.nodes[node].running.take() else { return false };
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
        true
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
        if shared.honest[index] {
            shared.coverage.on_restart(index);
        }
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

/// The directions that a fault cuts.
fn directions(fault: Fault, count: usize) -> Vec<(usize, usize)> {
    let pairs = (0..count).flat_map(|from| (0..count).map(move |to| (from, to)));
    let cut = |(from, to): &(usize, usize)| match fault {
        _ if from == to => false,
        Fault::Cut { from: a, to: b, .. } => (*from, *to) == (a, b),
        Fault::Split { side, .. } => (side >> from) & 1 != (side >> to) & 1,
        Fault::Isolate { node, deaf, mute, .. } => (deaf && *to == node) || (mute && *from == node),
        Fault::Ring { .. } => ![1, count - 1].contains(&((from + count - to) % count)),
        _ => false,
    };
    pairs.filter(cut).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_fault_of_links_cuts_its_own_directions() {
        let isolated = Fault::Isolate { node: 1, deaf: true, mute: false, long: 1 };
        assert_eq!(directions(isolated, 3), [(0, 1), (2, 1)]);
        assert_eq!(directions(Fault::Split { side: 0b001, long: 1 }, 3).len(), 4);
        assert_eq!(directions(Fault::Cut { from: 0, to: 2, long: 1 }, 3), [(0, 2)]);
        assert_eq!(directions(Fault::Ring { long: 1 }, 3), []);
        assert_eq!(directions(Fault::Ring { long: 1 }, 4), [(0, 2), (1, 3), (2, 0), (3, 1)]);
        assert_eq!(directions(Fault::Rot { node: 0 }, 4), []);
    }
}
