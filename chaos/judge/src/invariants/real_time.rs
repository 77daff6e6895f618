//! I6. The order that is promised, and no other: transactions of one rollup that one node accepted
//! keep their order, unless one of them also went to another node; and one that was final before
//! another was submitted precedes it.

use crate::case::{Case, Sent, Spot};
use crate::report::{Finding, Outcome, Place};
use std::collections::{BTreeMap, HashMap};

/// Compares the load with the streams.
#[must_use]
pub fn decide(case: &Case<'_>) -> Outcome {
    let mut finding = Finding::default();
    let mut lanes: BTreeMap<(&str, u64), Vec<(Spot, &Sent)>> = BTreeMap::new();
    let mut later: Vec<(&Sent, u64)> = Vec::new();
    for (id, spot, _) in case.spots() {
        let Some(sent) = case.load.get(&id) else { continue };
        if !sent.copied {
            lanes.entry((&sent.node, sent.rollup)).or_default().push((spot, sent));
        }
        later.push((sent, spot.height));
    }
    for lane in lanes.into_values() {
        judge_lane(&mut finding, lane);
    }
    judge_finality(case, &mut finding, later);
    finding.outcome()
}

/// Of what one node took of one rollup: nothing stands behind what was sent only after its promise,
/// or behind what stood after it in the same request.
fn judge_lane(finding: &mut Finding, mut lane: Vec<(Spot, &Sent)>) {
    lane.sort_by_key(|(spot, _)| *spot);
    let mut newest: Option<&Sent> = None;
    let mut highest: HashMap<u64, (u64, &Place)> = HashMap::new();
    for (_, sent) in lane {
        finding.checked();
        let answered = sent.promise.as_ref().map_or(u64::MAX, |(at, _)| *at);
        if let Some(newest) = newest.filter(|newest| answered < newest.at) {
            let what =
                format!("stands behind one sent only after its promise, at {}", newest.place);
            finding.breach(&sent.place, what);
        }
        let (request, index) = sent.request;
        if let Some((_, place)) = highest.get(&request).filter(|(other, _)| *other > index) {
            let what = format!("stands behind one that followed it in its request, at {place}");
            finding.breach(&sent.place, what);
        }
        newest = newest.filter(|newest| newest.at > sent.at).or(Some(sent));
        let highest = highest.entry(request).or_insert((index, &sent.place));
        if highest.0 < index {
            *highest = (index, &sent.place);
        }
    }
}

/// What any follower had before a transaction was sent stands below it.
fn judge_finality(case: &Case<'_>, finding: &mut Finding, mut later: Vec<(&Sent, u64)>) {
    let reads = case.frames.values().flat_map(BTreeMap::values);
    let mut seen: Vec<(u64, u64, &Place)> =
        reads.map(|read| (read.seen, read.height, &read.place)).collect();
    seen.sort();
    later.sort_by_key(|(sent, _)| sent.at);
    let mut seen = seen.into_iter().peekable();
    let mut highest: Option<(u64, &Place)> = None;
    for (sent, height) in later {
        while let Some((_, final_height, place)) = seen.next_if(|(at, ..)| *at < sent.at) {
            if highest.is_none_or(|(known, _)| known < final_height) {
                highest = Some((final_height, place));
            }
        }
        let below = highest.filter(|(known, _)| *known >= height);
        finding.check(below.is_none(), &sent.place, || {
            let (known, place) = below.expect("just seen");
            format!("is at height {height}, but was sent after {known} was final, at {place}")
        });
    }
}
