//! The second phase: a quorum is healed and what is submitted to it must become final in time.
//! The others stay as they are, for ever.

use super::World;
use crate::invariants::liveness::longest_run;
use crate::sim::event::Event;
use crate::sim::network::NO_CAUSE;
use crate::sim::plan::{MILLI, SECOND};
use crate::sim::queue::Micros;
use chorale_consensus::Input;
use chorale_types::ids::View;

/// When the watched transactions are submitted, after healing.
const PROBES_AT: [Micros; 3] = [100 * MILLI, 3 * SECOND, 7 * SECOND];

impl World {
    pub(super) fn on_heal(&mut self) {
        self.shared.healed = true;
        self.shared.slowness.fill(1);
        self.shared.trace.line(self.shared.now, || "a quorum is healed".to_owned());
        for node in 0..self.nodes.len() {
            if self.is_left_behind(node) {
                self.leave_behind(node);
            } else {
                self.bring_back(node);
            }
        }
        self.restore_links();
        for node in 0..self.nodes.len() {
            let probes = if self.is_healed(node) { PROBES_AT.as_slice() } else { &[] };
            for after in probes {
                self.shared.queue.push(self.shared.now + after, Event::Probe { node });
            }
        }
    }

    /// Whether a member keeps to the rules and is part of the quorum that is healed.
    fn is_healed(&self, node: usize) -> bool {
        self.shared.plan.members[node].core && self.nodes[node].honest()
    }

    fn is_left_behind(&self, node: usize) -> bool {
        !self.shared.plan.members[node].core && self.nodes[node].honest()
    }

    /// Down for ever, or there and heard by nobody.
    fn leave_behind(&mut self, node: usize) {
        if self.shared.disk_rng.chance(500_000) {
            self.nodes[node].retired = true;
            self.crash(node, false, 0);
        }
    }

    fn bring_back(&mut self, node: usize) {
        self.nodes[node].trap = None;
        self.nodes[node].paused_until = 0;
        self.on_start(node);
    }

    /// Links between members that are not left behind are whole; the others are cut.
    fn restore_links(&mut self) {
        let healed = self.shared.plan.healed;
        let count = self.nodes.len();
        for from in 0..count {
            for to in (0..count).filter(|to| *to != from) {
                if self.is_left_behind(from) || self.is_left_behind(to) {
                    self.shared.network.cut(from, to, NO_CAUSE);
                } else if self.shared.network.restore(from, to, healed) {
                    self.connect(from, to);
                }
            }
        }
    }

    /// A user submits one transaction, and its deadline is set.
    pub(super) fn on_probe(&mut self, node: usize) {
        let Some(run) = self.run_of(node) else { return };
        let deadline = self.shared.now + self.grace();
        let (ticket, transaction) = self.shared.workload.probe();
        let (id, now) = (transaction.id, self.shared.now);
        self.shared.judge.liveness.on_submitted(id, node, now, deadline);
        self.step(run, Input::Submit(ticket, vec![transaction]));
    }

    /// The longest view under way, `b` views of faulty leaders with timers that go on growing from
    /// there as T5 says, and three view timeouts.
    fn grace(&mut self) -> Micros {
        let healed: Vec<bool> = (0..self.nodes.len()).map(|node| self.is_healed(node)).collect();
        let bodies = self.nodes.iter().filter(|node| healed[node.index]);
        let bodies = bodies.filter_map(|node| node.running.as_ref().map(|running| &running.body));
        let timers: Vec<(View, Micros, Micros)> = bodies.map(|body| body.view_timer).collect();
        let from = timers.iter().map(|timer| timer.0).max().unwrap_or(View::ZERO);
        let under_way = timers.iter().map(|timer| timer.2 - timer.1).max().unwrap_or(0);
        let faulty = longest_run(self.shared.leaders.cycle(), from, |node| healed[node]);
        self.shared.judge.liveness.faulty_run = faulty;
        let base = self.shared.plan.params.view_timeout_ms * MILLI;
        under_way + given_up(under_way.max(base), faulty, base) + 3 * base
    }
}

/// How long so many views last that are given up one after another, the first after one of
/// `length`: each half as long again, up to the base times 1.5 to the fourth. (Rule T5.)
fn given_up(length: Micros, views: u64, base: Micros) -> Micros {
    let longest = base * 81 / 16;
    let next = |length: &Micros| Some((length * 3 / 2).min(longest.max(*length)));
    let after = std::iter::successors(Some(length), next).skip(1);
    (0..views).zip(after).map(|(_, length)| length).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn views_given_up_grow_by_half_up_to_the_longest() {
        assert_eq!(given_up(1_000, 0, 1_000), 0);
        assert_eq!(given_up(1_000, 2, 1_000), 1_500 + 2_250);
        assert_eq!(given_up(3_375, 2, 1_000), 5_062 + 5_062);
    }
}
