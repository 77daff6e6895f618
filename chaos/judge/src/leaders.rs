//! Who leads which view (section 5 of the document), counted here anew.

use crate::crypto::hash;
use crate::genesis::Chain;
use std::cmp::Reverse;

/// One cycle of leaders, which repeats.
#[derive(Clone, Debug)]
pub struct Leaders(Vec<u16>);

impl Leaders {
    /// Draws the cycle of a chain's epoch.
    #[must_use]
    pub fn of(chain: &Chain) -> Self {
        let mut drawn: Vec<u16> = (0..chain.members()).collect();
        drawn.sort_by_key(|at| hash("chorale/1/schedule", &[&chain.seed.0, &at.to_be_bytes()]));
        let slots = i128::from(chain.members()) * i128::from(chain.params.slots_per_validator);
        let quotas = quotas(chain, slots, &drawn);
        Self(close(spread(&quotas, slots, &drawn)))
    }

    /// The leader of a view, from 1.
    #[must_use]
    pub fn of_view(&self, view: u64) -> u16 {
        let length = u64::try_from(self.0.len()).expect("a cycle is short");
        let at = view.saturating_sub(1) % length;
        self.0[usize::try_from(at).expect("below the length")]
    }

    /// The longest run of views in a row, over the repeating cycle, that only such members lead.
    /// `None` when they lead all.
    #[must_use]
    pub fn longest_run(&self, among: &[u16]) -> Option<u64> {
        let twice = self.0.iter().chain(&self.0).map(|leader| among.contains(leader));
        let (mut run, mut longest) = (0, 0);
        for bad in twice {
            run = if bad { run + 1 } else { 0 };
            longest = longest.max(run);
        }
        (!self.0.iter().all(|leader| among.contains(leader))).then_some(longest)
    }
}

/// Whole shares, then one more slot each for the largest remainders.
fn quotas(chain: &Chain, slots: i128, drawn: &[u16]) -> Vec<i128> {
    let total = i128::try_from(chain.total()).expect("a sum of at most 256 stakes of 64 bits");
    let share = |at: u16| i128::from(chain.set[usize::from(at)].stake) * slots;
    let mut quotas: Vec<i128> = (0..chain.members()).map(|at| share(at) / total).collect();
    let left = slots - quotas.iter().sum::<i128>();
    let mut by_remainder = drawn.to_vec();
    by_remainder.sort_by_key(|at| Reverse(share(*at) % total));
    for at in by_remainder.into_iter().take(usize::try_from(left).unwrap_or(0)) {
        quotas[usize::from(at)] += 1;
    }
    quotas
}

/// In each slot everyone gains its quota and the leader pays all that was gained.
fn spread(quotas: &[i128], slots: i128, drawn: &[u16]) -> Vec<u16> {
    let (mut left, mut credit) = (quotas.to_vec(), vec![0_i128; quotas.len()]);
    let mut cycle: Vec<u16> = Vec::new();
    for slot in 0..slots {
        for (credit, quota) in credit.iter_mut().zip(quotas) {
            *credit += quota;
        }
        let half = (slots - slot) / 2;
        let key = |at: u16| {
            let i = usize::from(at);
            (left[i] > 0, cycle.last() != Some(&at), left[i] > half, credit[i])
        };
        // The first of the best in the drawn order.
        let mut best = drawn[0];
        for at in drawn {
            if key(*at) > key(best) {
                best = *at;
            }
        }
        left[usize::from(best)] -= 1;
        credit[usize::from(best)] -= slots;
        cycle.push(best);
    }
    cycle
}

/// Where the cycle would have one member twice running at its seam, the last slot moves to the
/// first place between two others, if there is one.
fn close(mut cycle: Vec<u16>) -> Vec<u16> {
    if cycle.len() > 2 && cycle.first() == cycle.last() {
        let moved = cycle.pop().expect("it has more than two");
        let gap = cycle.windows(2).position(|pair| !pair.contains(&moved));
        cycle.insert(gap.map_or(cycle.len(), |at| at + 1), moved);
    }
    cycle
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_are_counted_across_the_seam_of_the_cycle() {
        let leaders = Leaders(vec![1, 0, 2, 0, 1]);
        assert_eq!(leaders.longest_run(&[]), Some(0));
        assert_eq!(leaders.longest_run(&[1]), Some(2));
        assert_eq!(leaders.longest_run(&[0, 1]), Some(4));
        assert_eq!(leaders.longest_run(&[0, 1, 2]), None);
        assert_eq!([1, 5, 6].map(|view| leaders.of_view(view)), [1, 1, 1]);
    }

    #[test]
    fn slots_are_shared_by_stake_and_nobody_leads_twice_running() {
        let drawn = [2, 0, 1];
        let cycle = close(spread(&[4, 2, 2], 8, &drawn));
        assert_eq!(cycle.iter().filter(|at| **at == 0).count(), 4);
        assert!(cycle.iter().zip(cycle.iter().cycle().skip(1)).all(|(a, b)| a != b), "{cycle:?}");
    }
}
