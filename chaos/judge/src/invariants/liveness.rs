//! I8. Once everything is healed that heals, a transaction is final within the view under way, as
//! long as it may have grown, and `b + 3` view timeouts; `b` is the longest run of views that only
//! those lead who stay broken.

use crate::case::{Case, Word};
use crate::report::{Finding, Outcome};
use crate::wire::Id;
use std::collections::HashMap;

/// How far a view timeout grows: one and a half to the fourth power, as a fraction.
const GROWN: (u64, u64) = (81, 16);
/// Nanoseconds in a millisecond.
const MILLISECOND: u64 = 1_000_000;

/// Compares the load with the fault log.
#[must_use]
pub fn decide(case: &Case<'_>) -> Outcome {
    let mut finding = Finding::default();
    if !case.faults.kept {
        finding.not_judged("there is no fault log");
        return finding.outcome();
    }
    let broken: Vec<u16> =
        case.faults.broken().into_iter().filter_map(|name| case.place_of(name)).collect();
    let stake = case.chain.stake(broken.iter().copied());
    let run = case.leaders.longest_run(&broken).filter(|_| stake <= case.chain.faulty_max());
    let Some(run) = run else {
        finding.not_judged(format!("stake {stake} stays broken: more than the chain stands"));
        return finding.outcome();
    };
    let base = case.chain.params.view_timeout_ms.saturating_mul(MILLISECOND);
    let bound = base.saturating_mul(GROWN.0) / GROWN.1 + base.saturating_mul(run + 3);
    let final_at: HashMap<Id, u64> = case.spots().map(|(id, _, read)| (id, read.seen)).collect();
    let mut open = 0_u64;
    for (id, sent) in &case.load {
        let broken = case.faults.broken().contains(&*sent.node);
        if sent.at < case.faults.healed_at() || broken || sent.word != Word::Promised {
            continue;
        }
        let until = sent.at.saturating_add(bound);
        match final_at.get(id) {
            None if case.end < until => open += 1,
            at => finding.check(at.is_some_and(|at| *at <= until), &sent.place, || {
                let ms = |ns: u64| ns / MILLISECOND;
                let took = at.map_or("never".into(), |at| format!("after {} ms", ms(at - sent.at)));
                format!("final {took}, bound {} ms (b = {run})", ms(bound))
            }),
        }
    }
    let bound = bound / MILLISECOND;
    finding.note(format!("b = {run}, bound {bound} ms, {open} sent too late to say"));
    finding.outcome()
}
