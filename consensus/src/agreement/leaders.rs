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
/// pays all that was gained.
fn spread(quotas: &[u64], order: &[ValidatorIndex]) -> Vec<ValidatorIndex> {
    let slots: u64 = quotas.iter().sum();
    let mut credit = vec![0_i128; quotas.len()];
    let mut cycle = Vec::new();
    for _ in 0..slots {
        let mut richest = order[0];
        for index in order {
            let gained = i128::from(quotas[index.as_usize()]);
            credit[index.as_usize()] = credit[index.as_usize()].saturating_add(gained);
        }
        for index in order {
            if credit[index.as_usize()] > credit[richest.as_usize()] {
                richest = *index;
            }
        }
        let paid = &mut credit[richest.as_usize()];
        *paid = paid.saturating_sub(i128::from(slots));
        cycle.push(richest);
    }
    cycle
}
