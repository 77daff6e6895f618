//! After a quorum is healed, what is submitted to it is final within `b + 3` view timeouts after
//! the views that were under way, where `b` is the longest run of views led by members that are
//! not healed.

use super::Check;
use crate::sim::queue::Micros;
use chorale_types::ids::{ValidatorIndex, View};
use chorale_types::transaction::TransactionId;
use std::collections::BTreeMap;

/// One transaction that is waited for.
#[derive(Clone, Copy, Debug)]
struct Probe {
    node: usize,
    submitted: Micros,
    deadline: Micros,
}

/// What is waited for.
#[derive(Debug, Default)]
pub struct Liveness {
    open: BTreeMap<TransactionId, Probe>,
    /// The longest wait of one that became final.
    pub slowest: Micros,
    /// `b`, the longest run of views led by members that are not healed.
    pub faulty_run: u64,
}

impl Liveness {
    /// A transaction is submitted to a healed node.
    pub fn on_submitted(
        &mut self,
        id: TransactionId,
        node: usize,
        submitted: Micros,
        deadline: Micros,
    ) {
        self.open.insert(id, Probe { node, submitted, deadline });
    }

    /// A node delivered a transaction; the one it was submitted to must.
    pub fn on_delivered(&mut self, id: &TransactionId, node: usize, now: Micros) {
        if self.open.get(id).is_some_and(|probe| probe.node == node) {
            let probe = self.open.remove(id).expect("looked up above");
            self.slowest = self.slowest.max(now - probe.submitted);
        }
    }

    /// A transaction was refused: nothing was promised.
    pub fn forget(&mut self, id: &TransactionId) {
        self.open.remove(id);
    }

    /// How many are waited for.
    #[must_use]
    pub fn open(&self) -> usize {
        self.open.len()
    }

    /// Whether any is late.
    ///
    /// # Errors
    /// When one is.
    pub fn check(&self, now: Micros) -> Check {
        match self.open.iter().find(|(_, probe)| probe.deadline < now) {
            None => Ok(()),
            Some((id, probe)) => Err(format!(
                "transaction {id:?}, submitted to node {} at {} ms, is not final after {} ms; \
                 {} ms were allowed, with b = {}",
                probe.node,
                probe.submitted / 1_000,
                (now - probe.submitted) / 1_000,
                (probe.deadline - probe.submitted) / 1_000,
                self.faulty_run,
            )),
        }
    }
}

/// The longest run of leaders that are not healed, in one cycle of the schedule and the next, from
/// a view on.
#[must_use]
pub fn longest_run(cycle: &[ValidatorIndex], from: View, healed: impl Fn(usize) -> bool) -> u64 {
    let length = u64::try_from(cycle.len()).expect("a cycle is short");
    let (mut longest, mut run) = (0_u64, 0_u64);
    for step in 0..2 * length {
        let slot = (from.get().saturating_sub(1) + step) % length;
        let leader = cycle[usize::try_from(slot).expect("below the length")];
        run = if healed(leader.as_usize()) { 0 } else { run + 1 };
        longest = longest.max(run);
    }
    longest
}

#[cfg(test)]
mod tests {
    use super::*;
    use chorale_types::crypto::hash::Digest;

    #[test]
    fn a_late_transaction_is_found_and_one_in_time_is_not() {
        let id = Digest::from_bytes([1; 32]);
        let mut liveness = Liveness::default();
        liveness.on_submitted(id, 2, 100, 500);
        assert_eq!(liveness.check(500), Ok(()));
        assert!(liveness.check(501).is_err());
        liveness.on_delivered(&id, 1, 300);
        assert_eq!(liveness.open(), 1);
        liveness.on_delivered(&id, 2, 400);
        assert_eq!((liveness.open(), liveness.slowest), (0, 300));
        assert_eq!(liveness.check(900), Ok(()));
    }

    #[test]
    fn the_longest_run_wraps_around_the_cycle() {
        let cycle: Vec<_> = [0, 1, 2, 3].map(ValidatorIndex::new).to_vec();
        let run = |bad: &[usize]| longest_run(&cycle, View::new(2), |node| !bad.contains(&node));
        assert_eq!(run(&[]), 0);
        assert_eq!(run(&[2]), 1);
        assert_eq!(run(&[3, 0]), 2);
    }
}
