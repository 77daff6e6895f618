//! The faults of a run, by time.

use crate::rng::Rng;
use crate::sim::plan::{Fault, MILLI, Member, SECOND, Timed};
use crate::sim::queue::Micros;

/// Mean time between faults, for the four intensities.
const EVERY: [Micros; 4] = [20 * SECOND, 8 * SECOND, 3 * SECOND, SECOND];

/// Draws faults between the first second and `end`.
pub(super) fn draw(members: &[Member], end: Micros, rng: &mut Rng) -> Vec<Timed> {
    let every = rng.pick(&EVERY);
    let mut faults = Vec::new();
    let mut at = SECOND / 2;
    loop {
        at += rng.between(every / 4, every + every * 3 / 4);
        if at >= end {
            break;
        }
        faults.push(Timed { at, fault: one(members.len(), rng) });
    }
    for (node, member) in members.iter().enumerate() {
        if member.doomed {
            let at = rng.between(SECOND, end - SECOND);
            faults.push(Timed { at, fault: Fault::Destroy { node, down: long(rng) } });
        }
    }
    if rng.chance(100_000) {
        everyone_at_once(members.len(), end, rng, &mut faults);
    }
    if rng.chance(150_000) {
        hailstorm(members.len(), end, rng, &mut faults);
    }
    faults.sort_by_key(|fault| fault.at);
    faults
}

fn one(count: usize, rng: &mut Rng) -> Fault {
    let node = rng.index(count);
    let other = (node + 1 + rng.index(count.saturating_sub(1))) % count;
    let leader = rng.chance(300_000);
    match rng.below(22) {
        0..3 => Fault::Crash {
            node: (!leader).then_some(node),
            power: rng.chance(600_000),
            down: long(rng),
        },
        3..6 => Fault::CrashAtRecord { node, down: long(rng) },
        6..8 => Fault::Pause { node, long: long(rng) },
        8..11 => Fault::Cut { from: node, to: other, long: long(rng) },
        11..14 => {
            let sides = (1_u64 << count) - 1;
            let side = u32::try_from(rng.between(0, sides)).expect("few members");
            Fault::Split { side, long: long(rng) }
        }
        14 => Fault::Clog { from: node, to: other, long: long(rng) },
        15 => Fault::Rot { node },
        16 => Fault::Misdirect { node },
        17 | 18 => {
            let (deaf, mute) = rng.pick(&[(true, false), (false, true), (true, true)]);
            Fault::Isolate { node, deaf, mute, long: long(rng) }
        }
        19 => Fault::Ring { long: long(rng) },
        20 => Fault::ClockStep { node, ahead_ms: rng.below(400) },
        _ => Fault::Slow { node, factor: rng.pick(&[3, 10, 40]), long: long(rng) },
    }
}

/// Short, about a view, or long.
fn long(rng: &mut Rng) -> Micros {
    match rng.below(6) {
        0 | 1 => rng.between(MILLI, 200 * MILLI),
        2..5 => rng.between(200 * MILLI, 3 * SECOND),
        _ => rng.between(3 * SECOND, 12 * SECOND),
    }
}

/// Every node loses its power within a moment.
fn everyone_at_once(count: usize, end: Micros, rng: &mut Rng, faults: &mut Vec<Timed>) {
    let at = rng.between(SECOND, end - SECOND);
    for node in 0..count {
        let down = rng.between(100 * MILLI, 2 * SECOND);
        let at = at + rng.below(20 * MILLI);
        faults.push(Timed { at, fault: Fault::Crash { node: Some(node), power: true, down } });
    }
}

/// Nodes go down and come back for ten seconds without a rest.
fn hailstorm(count: usize, end: Micros, rng: &mut Rng, faults: &mut Vec<Timed>) {
    let from = rng.between(SECOND, end - SECOND);
    let to = (from + 10 * SECOND).min(end);
    let mut at = from;
    while at < to {
        let node = Some(rng.index(count));
        let down = rng.between(10 * MILLI, 500 * MILLI);
        let power = rng.chance(500_000);
        faults.push(Timed { at, fault: Fault::Crash { node, power, down } });
        at += rng.between(50 * MILLI, 600 * MILLI);
    }
}
