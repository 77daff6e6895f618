//! Who leads a view: slots in proportion to stake, exact to one slot, without floats.
//!
//! One cycle of slots is drawn from the epoch's description alone and repeats through the epoch.
//! It is spread by smooth weighted round-robin, so nobody leads twice running unless it holds
//! over half the stake, and a dead leader costs one timer, not two. (Rule P1.)

use chorale_types::crypto::hash::{Domain, hash};
use chorale_types::ids::{ValidatorIndex, View};
use chorale_types::validators::ValidatorSet;

/// The leaders of one epoch.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Leaders {
    cycle: Vec<ValidatorIndex>,
}

impl Leaders {
    /// Draws the cycle.
    #[must_use]
    pub fn new(set: &ValidatorSet) -> Self {
        let slots = u64::from(set.len())
            .saturating_mul(u64::from(set.params().schedule_slots_per_validator));
        let order = tie_order(set);
        Self { cycle: spread(&quotas(set, slots, &order), &order) }
    }

    /// The leader of a view; view 1 is the first slot.
    #[must_use]
    pub fn leader(&self, view: View) -> ValidatorIndex {
        let length = u64::try_from(self.cycle.len()).expect("a cycle is short");
        let slot = view.get().saturating_sub(1).checked_rem(length).expect("a set has members");
        self.cycle[usize::try_from(slot).expect("below the length")]
    }

    /// The slots of one cycle.
    #[must_use]
    pub fn cycle(&self) -> &[ValidatorIndex] {
        &self.cycle
    }
}

/// The members in an order drawn from the seed: who goes first where stakes say nothing.
fn tie_order(set: &ValidatorSet) -> Vec<ValidatorIndex> {
    let seed = set.info().seed;
    let mut order: Vec<ValidatorIndex> = set.indices().collect();
    order.sort_by_key(|index| {
        hash(Domain::Schedule, &[seed.as_bytes(), &index.get().to_be_bytes()])
    });
    order
}

/// Slots of each member: the whole part of its share, then the largest remainders.
fn quotas(set: &ValidatorSet, slots: u64, order: &[ValidatorIndex]) -> Vec<u64> {
    let total = u128::from(set.total()).max(1);
    let share = |index: &ValidatorIndex| {
        u128::from(slots).checked_mul(u128::from(set.stake(*index))).expect("u64 times u64")
    };
    let whole = |share: u128| u64::try_from(share / total).expect("at most the slots");
    let mut quotas: Vec<u64> = set.indices().map(|index| whole(share(&index))).collect();
    let given: u64 = quotas.iter().sum();
    let mut by_remainder: Vec<&ValidatorIndex> = order.iter().collect();
    by_remainder.sort_by_key(|index| core::cmp::Reverse(share(index) % total));
    let left = usize::try_from(slots.saturating_sub(given)).expect("fewer than members");
    for index in by_remainder.into_iter().take(left) {
        let quota = &mut quotas[index.as_usize()];
        *quota = quota.saturating_add(1);
    }
    quotas
}

/// Smooth weighted round-robin: in each slot everyone gains its quota, the richest leads and
/// pays all that was gained. Whoever led last waits, and whoever could otherwise not be placed
/// without leading twice running goes first.
fn spread(quotas: &[u64], order: &[ValidatorIndex]) -> Vec<ValidatorIndex> {
    let slots: u64 = quotas.iter().sum();
    let mut left = quotas.to_vec();
    let mut credit = vec![0_i128; quotas.len()];
    let mut cycle: Vec<ValidatorIndex> = Vec::new();
    for slot in 0..slots {
        for (credit, quota) in credit.iter_mut().zip(quotas) {
            *credit = credit.saturating_add(i128::from(*quota));
        }
        let half = slots.saturating_sub(slot) / 2;
        let key = |index: &&ValidatorIndex| {
            let at = index.as_usize();
            let rested = cycle.last() != Some(*index);
            (left[at] > 0, rested, left[at] > half, credit[at])
        };
        // The first of the best in the drawn order: `max_by_key` would take the last.
        let next = *order.iter().rev().max_by_key(key).expect("a set has members");
        let at = next.as_usize();
        left[at] = left[at].saturating_sub(1);
        credit[at] = credit[at].saturating_sub(i128::from(slots));
        cycle.push(next);
    }
    close(cycle)
}

/// The cycle repeats: its last leader must not be its first. Moves the last slot to where both
/// neighbours are others, if there is such a place.
fn close(mut cycle: Vec<ValidatorIndex>) -> Vec<ValidatorIndex> {
    if cycle.len() < 3 || cycle.first() != cycle.last() {
        return cycle;
    }
    let Some(moved) = cycle.pop() else { return cycle };
    let gap = cycle.windows(2).position(|pair| !pair.contains(&moved));
    let at = gap.map_or(cycle.len(), |at| at.saturating_add(1));
    cycle.insert(at, moved);
    cycle
}
