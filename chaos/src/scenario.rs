//! Scenario files: a plan in TOML, as people and the shrinker write it. Unknown keys are errors,
//! and so is a fault for which nothing shows that it did anything: such a run is invalid, not
//! passed.

pub mod span;

use crate::runner::run_plan;
use crate::sim::plan::{Plan, PlanError};
use crate::sim::trace::Trace;
use crate::sim::world::Outcome;
use thiserror::Error;

/// Why a scenario cannot be run.
#[derive(Debug, Error)]
pub enum ScenarioError {
    /// Not a plan; the line and the key are in the text.
    #[error(transparent)]
    Form(#[from] toml::de::Error),
    /// A plan that makes no sense.
    #[error(transparent)]
    Plan(#[from] PlanError),
}

/// What came of a scenario.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// Every promise was kept, and every fault was felt.
    Passed,
    /// A promise was broken.
    Failed,
    /// No promise was broken, but some fault did nothing that could be shown.
    Invalid,
}

/// Reads a scenario.
///
/// # Errors
/// When it is not one, or cannot be run.
pub fn read(text: &str) -> Result<Plan, ScenarioError> {
    let plan: Plan = toml::from_str(text)?;
    plan.check()?;
    Ok(plan)
}

/// Writes a plan as a scenario.
///
/// # Panics
/// Never: every plan that [`Plan::check`] passes can be written.
#[must_use]
pub fn write(plan: &Plan) -> String {
    toml::to_string(plan).expect("a plan has numbers below 2^63, words and tables")
}

/// Runs a scenario.
#[must_use]
pub fn run(plan: &Plan, trace: Trace) -> (Outcome, Verdict) {
    let outcome = run_plan(plan.clone(), trace);
    let verdict = match (&outcome.violation, outcome.unfelt.is_empty()) {
        (Some(_), _) => Verdict::Failed,
        (None, true) => Verdict::Passed,
        (None, false) => Verdict::Invalid,
    };
    (outcome, verdict)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::plan::{Fault, Frame, SECOND, Timed};

    #[test]
    fn a_drawn_plan_reads_as_it_is_written() {
        for seed in 0..50 {
            let plan = Plan::draw(seed, Frame::of(20));
            assert_eq!(read(&write(&plan)).unwrap(), plan, "seed {seed}");
        }
    }

    #[test]
    fn an_unknown_key_is_refused_with_its_line() {
        let text = write(&Plan::draw(1, Frame::of(20))).replacen("seed = ", "sead = 3\nseed = ", 1);
        let error = read(&text).unwrap_err().to_string();
        assert!(error.contains("sead") && error.contains("line"), "{error}");
        let text = write(&Plan::draw(1, Frame::of(20)))
            + "\n[[faults]]\nat = \"1s\"\n\
             fault = { kind = \"rot\", node = 0, nood = 1 }\n";
        let error = read(&text).unwrap_err().to_string();
        assert!(error.contains("nood"), "{error}");
    }

    #[test]
    fn a_fault_that_nobody_feels_makes_the_run_invalid() {
        let mut plan = Plan::draw(1, Frame { seconds: 10, validators: Some(4) });
        plan.members.iter_mut().for_each(|m| (m.behaviour, m.core, m.doomed) = (None, true, false));
        let down = 5 * SECOND;
        let crash = |at| Timed { at, fault: Fault::Crash { node: Some(0), power: false, down } };
        plan.faults = vec![crash(SECOND)];
        assert_eq!(run(&plan, Trace::new(false, false)).1, Verdict::Passed);
        plan.faults.push(crash(2 * SECOND));
        let (outcome, verdict) = run(&plan, Trace::new(false, false));
        assert_eq!((verdict, outcome.unfelt), (Verdict::Invalid, vec![1]));
    }

    #[test]
    fn a_plan_that_makes_no_sense_is_refused() {
        let good = Plan::draw(1, Frame { seconds: 10, validators: Some(4) });
        let refused = |change: &dyn Fn(&mut Plan)| {
            let mut plan = good.clone();
            change(&mut plan);
            plan.check().is_err()
        };
        assert!(refused(&|plan| plan.members.clear()));
        assert!(refused(&|plan| plan.members[0].stake = 0));
        assert!(refused(&|plan| plan.members[0].stake = u64::MAX));
        assert!(refused(&|plan| plan.rollups.clear()));
        assert!(refused(&|plan| plan.heal_at = plan.end_min));
        assert!(refused(&|plan| plan.links.loss = 1_000_001));
        assert!(refused(&|plan| plan.links.delay_min = plan.links.delay_max + 1));
        let rot = |at, node| Timed { at, fault: Fault::Rot { node } };
        assert!(refused(&|plan| plan.faults = vec![rot(SECOND, 4)]));
        assert!(refused(&|plan| plan.faults = vec![rot(2 * SECOND, 0), rot(SECOND, 0)]));
        assert!(refused(&|plan| plan.faults = vec![rot(plan.heal_at, 0)]));
        let destroy = Fault::Destroy { node: 1, down: SECOND };
        assert!(refused(&|plan| {
            plan.members[1].core = true;
            plan.faults = vec![Timed { at: SECOND, fault: destroy }];
        }));
    }
}
