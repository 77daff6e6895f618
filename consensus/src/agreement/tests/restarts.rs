//! Members that die and come back at random, on links that lose and reorder.

use super::{Committee, Duration, SECOND};
use crate::testing::Random;
use std::cell::Cell;
use std::rc::Rc;

const SEEDS: u64 = 40;
/// Deaths and restarts in one storm.
const BLOWS: u32 = 60;
/// How much longer than a link's delay a message may take, in milliseconds, by seed.
const JITTERS: [u64; 4] = [0, 5, 100, 400];
/// How many of a hundred messages are lost, by seed.
const LOSSES: [u64; 4] = [0, 5, 20, 50];

fn pick(from: [u64; 4], at: u64) -> u64 {
    from[usize::try_from(at % 4).expect("below four")]
}

/// Links that lose `losses` of a hundred messages while `storm` is set.
fn lose(committee: &mut Committee, losses: u64, mut random: Random, storm: &Rc<Cell<bool>>) {
    let storm = Rc::clone(storm);
    committee.filter = Box::new(move |_, _, _| !storm.get() || random.below(100) >= losses);
}

/// Kills and restarts members, one or several at a time.
fn strike(committee: &mut Committee, random: &mut Random) {
    let members = committee.set.len();
    let index = u16::try_from(random.below(members.into())).expect("below the members");
    match random.below(4) {
        0 => committee.kill(index),
        1 => (0..members).filter(|_| random.below(3) == 0).for_each(|i| committee.restart(i)),
        _ => committee.restart(index),
    }
}

/// A committee that has been through a storm: as many members as may be faulty are dead now, and
/// all others up on good links.
fn after_a_storm(seed: u64) -> Committee {
    let members = if seed.is_multiple_of(3) { 7 } else { 4 };
    let mut committee = Committee::new(&vec![1; members]);
    let mut random = Random::new(seed);
    committee.random = Random::new(seed.rotate_left(32));
    committee.jitter = Duration::from_millis(pick(JITTERS, seed));
    let storm = Rc::new(Cell::new(true));
    lose(&mut committee, pick(LOSSES, seed / 4), Random::new(!seed), &storm);
    for _ in 0..BLOWS {
        committee.run(random.duration_below(Duration::from_millis(700)));
        strike(&mut committee, &mut random);
    }
    storm.set(false);
    committee.jitter = Duration::ZERO;
    for index in 0..committee.set.len() {
        if index < faulty(&committee) { committee.kill(index) } else { committee.restart(index) }
    }
    committee
}

/// How many members may be faulty.
fn faulty(committee: &Committee) -> u16 {
    (committee.set.len() - 1) / 3
}

#[test]
fn random_restarts_and_losses_never_fork_and_always_heal() {
    for seed in 1..=SEEDS {
        let mut committee = after_a_storm(seed);
        committee.run(SECOND * 60);
        assert!(committee.agrees(), "seed {seed}: a fork");
        let alive = faulty(&committee)..committee.set.len();
        let before = alive.clone().map(|index| committee.chain(index).len()).max().unwrap_or(0);
        committee.run(SECOND * 40);
        assert!(committee.agrees(), "seed {seed}: a fork");
        for index in alive {
            let after = committee.chain(index).len();
            let grew = after > before + 5;
            assert!(
                grew,
                "seed {seed}: {index} at {after}, {before} before; {}",
                committee.summary()
            );
        }
    }
}
