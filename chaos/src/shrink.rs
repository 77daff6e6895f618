//! Makes a plan that breaks a promise into a small one that breaks the same promise: fewer faults,
//! honest members, clean links, less to do.
//!
//! Every candidate is run; one that still fails takes the place of the plan it came from. The
//! result is a local least: no single step that is tried here makes it smaller.

use crate::sim::plan::{MILLI, Member, Plan, SECOND};

/// Makes `plan` smaller while `fails` says that it still fails. `fails` is called at most
/// `tries_max` times.
pub fn shrink(plan: Plan, tries_max: usize, mut fails: impl FnMut(&Plan) -> bool) -> Plan {
    let mut best = plan;
    let mut tries = tries_max;
    loop {
        let before = best.clone();
        drop_faults(&mut best, &mut tries, &mut fails);
        while let Some(smaller) = first_failing(&best, &mut tries, &mut fails) {
            best = smaller;
        }
        if best == before || tries == 0 {
            return best;
        }
    }
}

fn attempt(plan: &Plan, tries: &mut usize, fails: &mut impl FnMut(&Plan) -> bool) -> bool {
    if *tries == 0 {
        return false;
    }
    *tries -= 1;
    fails(plan)
}

/// Takes faults away: half of them, then quarters, then one by one.
fn drop_faults(best: &mut Plan, tries: &mut usize, fails: &mut impl FnMut(&Plan) -> bool) {
    let mut chunk = best.faults.len();
    while chunk > 0 {
        let mut from = 0;
        while from < best.faults.len() {
            let mut fewer = best.clone();
            fewer.faults.drain(from..(from + chunk).min(fewer.faults.len()));
            if attempt(&fewer, tries, fails) {
                *best = fewer;
            } else {
                from += chunk;
            }
        }
        chunk /= 2;
    }
}

fn first_failing(
    best: &Plan,
    tries: &mut usize,
    fails: &mut impl FnMut(&Plan) -> bool,
) -> Option<Plan> {
    simpler(best).into_iter().find(|plan| attempt(plan, tries, fails))
}

/// Every plan that is one step simpler. No step undoes another, or there would be no end.
fn simpler(plan: &Plan) -> Vec<Plan> {
    let mut out = Vec::new();
    let mut with = |change: &dyn Fn(&mut Plan)| {
        let mut changed = plan.clone();
        change(&mut changed);
        if changed != *plan && changed.check().is_ok() {
            out.push(changed);
        }
    };
    with(&shorter);
    with(&|plan| plan.encode = false);
    with(&|plan| plan.rollups.truncate(1));
    with(&|plan| (plan.links.loss, plan.links.duplicate, plan.links.tail) = (0, 0, 0));
    with(&|plan| plan.links.reorder = false);
    with(&|plan| (plan.links.delay_min, plan.links.delay_max) = (MILLI / 2, 2 * MILLI));
    with(&|plan| (plan.machine.sync_min, plan.machine.sync_max) = (MILLI / 4, MILLI));
    with(&|plan| (plan.machine.sign_max, plan.machine.verify_max) = (300, 1_000));
    with(&|plan| plan.machine.order_max = 500);
    with(&|plan| (plan.work.burst_max, plan.work.bytes_max, plan.work.twice) = (1, 40, 0));
    with(&|plan| plan.work.every = (plan.work.every * 2).min(10 * SECOND));
    for member in 0..plan.members.len() {
        let of = |plan: &mut Plan, change: &dyn Fn(&mut Member)| change(&mut plan.members[member]);
        with(&|plan| of(plan, &|m| m.clock_ahead_ms = 0));
        with(&|plan| of(plan, &|m| (m.core, m.doomed) = (true, false)));
        with(&|plan| of(plan, &|m| m.behaviour = None));
        for part in 0..7 {
            with(&|plan| of(plan, &|m| without(m, part)));
        }
    }
    out
}

/// Half as long, with the second phase as it is; faults that no longer fit are left out.
fn shorter(plan: &mut Plan) {
    let second_phase = plan.end_min - plan.heal_at;
    plan.heal_at = (plan.heal_at / 2).max(SECOND);
    plan.end_min = plan.heal_at + second_phase;
    let heal_at = plan.heal_at;
    plan.faults.retain(|fault| fault.at < heal_at);
}

/// A member that does one thing less wrong.
fn without(member: &mut Member, part: usize) {
    let Some(behaviour) = &mut member.behaviour else { return };
    match part {
        0 => behaviour.lane = false,
        1 => behaviour.leader = false,
        2 => behaviour.liar = false,
        3 => behaviour.commits = false,
        4 => behaviour.garble = 0,
        5 => behaviour.forks = false,
        _ => behaviour.stall = 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::plan::{Fault, Frame, Timed};

    fn plan() -> Plan {
        let mut plan = Plan::draw(3, Frame { seconds: 60, validators: Some(4) });
        let rot = |at, node| Timed { at: at * SECOND, fault: Fault::Rot { node } };
        plan.faults = (1..30).map(|at| rot(at, if at == 17 { 3 } else { 1 })).collect();
        plan
    }

    #[test]
    fn keeps_only_what_the_failure_needs() {
        let needed = Fault::Rot { node: 3 };
        assert_eq!(plan().check(), Ok(()));
        let small =
            shrink(plan(), 10_000, |plan| plan.faults.iter().any(|timed| timed.fault == needed));
        assert_eq!(small.faults.len(), 1);
        assert_eq!(small.faults[0].fault, needed);
        let plain = small.members.iter().all(|m| m.behaviour.is_none() && m.clock_ahead_ms == 0);
        assert!(plain, "{:?}", small.members);
        assert_eq!((small.links.loss, small.rollups.len()), (0, 1));
        assert!(small.end_min < 60 * SECOND);
        assert_eq!(small.check(), Ok(()));
    }

    #[test]
    fn stops_when_its_tries_are_used_up() {
        let mut calls = 0;
        let _ = shrink(plan(), 7, |_| {
            calls += 1;
            true
        });
        assert_eq!(calls, 7);
    }

    #[test]
    fn a_plan_of_which_everything_is_needed_stays() {
        let whole = plan();
        assert_eq!(shrink(whole.clone(), 10_000, |plan| *plan == whole), whole);
    }
}
