//! A seed made into a plan: the only place where chance becomes parameters.

mod faults;

use super::{MILLI, Machine, Member, Plan, SECOND, Work};
use crate::byzantine::Behaviour;
use crate::rng::{Rng, Stream};
use crate::sim::network::LinkProfile;
use chorale_types::genesis::Params;
use chorale_types::ids::RollupId;
use chorale_types::validators::faulty_stake_max;

/// What a seed does not decide.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Frame {
    /// Least simulated seconds; a run shorter than eight is eight long.
    pub seconds: u64,
    /// How many members; drawn when absent.
    pub validators: Option<u16>,
}

impl Frame {
    /// Runs of at least `seconds`, of clusters of any size.
    #[must_use]
    pub const fn of(seconds: u64) -> Self {
        Self { seconds, validators: None }
    }
}

impl Plan {
    /// Draws the plan of a seed.
    #[must_use]
    pub fn draw(seed: u64, frame: Frame) -> Self {
        let mut rng = Rng::new(seed, Stream::Plan);
        let end_min = frame.seconds.max(8) * SECOND;
        let heal_at = (end_min - end_min / 4).max(end_min.saturating_sub(15 * SECOND));
        let mut members = draw_members(frame.validators, &mut rng);
        draw_roles(&mut members, &mut rng);
        let rollups = (1..=rng.between(1, 3)).map(RollupId::new).collect();
        let mut links = draw_links(&mut rng);
        if members.iter().any(|member| member.behaviour.is_some_and(|b| b.forks)) {
            // Forks need many views, and messages that arrive.
            links.loss = links.loss.min(20_000);
            links.delay_max = links.delay_max.min(120 * MILLI);
        }
        let faults = faults::draw(&members, heal_at, &mut rng);
        Self {
            seed,
            schedule: rng.any() >> 1,
            members,
            rollups,
            params: draw_params(&mut rng),
            links,
            healed: LinkProfile {
                delay_min: MILLI / 2,
                delay_max: rng.pick(&[2, 20, 60]) * MILLI,
                tail: 0,
                loss: 0,
                duplicate: links.duplicate,
                reorder: links.reorder,
            },
            machine: draw_machine(&mut rng),
            work: draw_work(&mut rng),
            faults,
            heal_at,
            end_min,
            encode: rng.chance(250_000),
        }
    }
}

fn draw_members(count: Option<u16>, rng: &mut Rng) -> Vec<Member> {
    let drawn = match rng.below(32) {
        0 | 1 => 1,
        2 => 2,
        3 | 4 => 3,
        5 | 6 => 5,
        7 => 6,
        8 | 9 => 7,
        10 => 8,
        11 => 9,
        12 => 10,
        _ => 4,
    };
    let count = count.unwrap_or(drawn);
    let even = rng.chance(700_000) || count < 4;
    let mut members: Vec<Member> = (0..count)
        .map(|_| Member {
            stake: if even { 1 } else { rng.between(10, 19) },
            behaviour: None,
            clock_ahead_ms: rng.below(150),
            core: true,
            doomed: false,
        })
        .collect();
    if even && rng.chance(200_000) {
        let unit = rng.between(1, 1_000_000_000);
        members.iter_mut().for_each(|member| member.stake = unit);
    }
    members
}

/// Who is faulty, who will lose everything, and who is left behind: at most the stake that the
/// chain stands, all together.
fn draw_roles(members: &mut [Member], rng: &mut Rng) {
    let total = members.iter().map(|member| member.stake).sum();
    let mut left = faulty_stake_max(total);
    let mut order: Vec<usize> = (0..members.len()).collect();
    rng.shuffle(&mut order);
    for index in order {
        let member = &mut members[index];
        if member.stake > left || rng.chance(100_000) {
            continue;
        }
        left -= member.stake;
        match rng.below(10) {
            0..6 => member.behaviour = Some(Behaviour::draw(rng)),
            6..8 => {
                member.doomed = true;
                member.core = false;
            }
            _ => member.core = false,
        }
    }
}

fn draw_params(rng: &mut Rng) -> Params {
    Params {
        block_interval_min_ms: rng.pick(&[20, 20, 50, 100]),
        idle_block_interval_ms: rng.pick(&[40, 80, 120, 200, 500]),
        batch_interval_ms: rng.pick(&[10, 10, 50]),
        ..Params::default()
    }
}

fn draw_links(rng: &mut Rng) -> LinkProfile {
    let (low, high) = rng.pick(&[(1, 2), (1, 2), (5, 30), (20, 120), (60, 240), (5, 900)]);
    LinkProfile {
        delay_min: low * MILLI / 2,
        delay_max: high * MILLI,
        tail: rng.pick(&[0, 0, 2_000, 20_000]),
        loss: rng.pick(&[0, 0, 1_000, 20_000, 100_000, 250_000]),
        duplicate: rng.pick(&[0, 1_000, 50_000]),
        reorder: rng.chance(600_000),
    }
}

fn draw_machine(rng: &mut Rng) -> Machine {
    let sync_max = rng.pick(&[1, 4, 4, 20, 120]) * MILLI;
    Machine {
        sync_min: MILLI / 4,
        sync_max,
        sign_max: rng.pick(&[300, 300, 3_000]),
        verify_max: rng.pick(&[1_000, 1_000, 10_000]),
        order_max: rng.pick(&[500, 500, 200_000]),
    }
}

fn draw_work(rng: &mut Rng) -> Work {
    Work {
        every: rng.pick(&[100, 400, 1_000, 2_500, 6_000]) * MILLI,
        burst_max: rng.pick(&[1, 2, 4, 12]),
        bytes_max: rng.pick(&[40, 200]),
        twice: rng.pick(&[0, 50_000, 300_000]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_faulty_and_the_left_behind_are_within_what_the_chain_stands() {
        let mut sizes = std::collections::BTreeSet::new();
        for seed in 0..2_000 {
            let plan = Plan::draw(seed, Frame::of(60));
            sizes.insert(plan.members.len());
            let total: u64 = plan.stakes().iter().sum();
            let bad = |m: &&Member| m.behaviour.is_some() || m.doomed || !m.core;
            let faulty: u64 = plan.members.iter().filter(bad).map(|m| m.stake).sum();
            assert!(faulty <= faulty_stake_max(total), "seed {seed}");
            assert_eq!(plan.check(), Ok(()), "seed {seed}");
            assert!(plan.faults.is_sorted_by_key(|fault| fault.at), "seed {seed}");
            assert!(plan.faults.iter().all(|fault| fault.at < plan.heal_at), "seed {seed}");
        }
        assert_eq!(sizes.into_iter().collect::<Vec<_>>(), (1..=10).collect::<Vec<_>>());
    }

    #[test]
    fn a_plan_is_a_function_of_its_seed() {
        assert_eq!(Plan::draw(5, Frame::of(60)), Plan::draw(5, Frame::of(60)));
        assert_ne!(Plan::draw(5, Frame::of(60)).schedule, Plan::draw(6, Frame::of(60)).schedule);
    }
}
