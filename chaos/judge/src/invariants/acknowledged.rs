//! I3. What was answered `available` or better is in its rollup's stream, exactly once; nothing is
//! there twice; and what was refused is not there.

use crate::case::{Case, Sent, Spot, Word};
use crate::report::{Finding, Outcome, Place};
use crate::wire::Id;
use std::collections::HashMap;

/// Remembers what nodes told to be final.
#[derive(Debug, Default)]
pub struct Acknowledged {
    told: Vec<(Place, u64, Id)>,
}

impl Acknowledged {
    /// A node tells a user that transactions are final.
    pub fn on_told_final(&mut self, place: &Place, named: impl Iterator<Item = (u64, Id)>) {
        self.told.extend(named.map(|(rollup, id)| (place.clone(), rollup, id)));
    }

    /// Compares promises with streams.
    #[must_use]
    pub fn decide(self, case: &Case<'_>) -> Outcome {
        let mut finding = Finding::default();
        let (spots, ordered) = (place_all(case, &mut finding), ordered(case));
        let mut unread = 0_u64;
        for (id, sent) in &case.load {
            match spots.get(id) {
                None if is_unread(case, sent.rollup, ordered.get(&(sent.rollup, *id))) => {
                    unread += 1;
                }
                spot => judge(&mut finding, id, sent, spot),
            }
        }
        if unread > 0 {
            finding.note(format!("{unread} were ordered before any follower began"));
        }
        for (place, rollup, id) in self.told {
            finding.check(ordered.contains_key(&(rollup, id)), &place, || {
                format!("lost: told to be final, but no height has {id} of rollup {rollup}")
            });
        }
        finding.outcome()
    }
}

/// What nodes ordered, and at which sequence of the rollup.
fn ordered(case: &Case<'_>) -> HashMap<(u64, Id), u64> {
    let contents = case.ordered.values().flat_map(|ordered| &ordered.contents);
    let ids = contents.flat_map(|c| c.ids.iter().map(|id| ((c.rollup, *id), c.sequence)));
    ids.collect()
}

/// Whether something was ordered at a sequence below the first that anybody read.
fn is_unread(case: &Case<'_>, rollup: u64, sequence: Option<&u64>) -> bool {
    let first = case.frames.get(&rollup).and_then(|frames| frames.keys().next());
    sequence.is_some_and(|sequence| first.is_none_or(|first| sequence < first))
}

/// Where each transaction stands; tells those that stand in two places.
fn place_all(case: &Case<'_>, finding: &mut Finding) -> HashMap<Id, Spot> {
    let mut spots: HashMap<Id, Spot> = HashMap::new();
    for (id, spot, read) in case.spots() {
        let Some(first) = spots.insert(id, spot) else { continue };
        // The window forgets: bytes sent again much later may count again.
        let apart = spot.height.saturating_sub(first.height);
        if case.load.contains_key(&id) || apart < case.chain.params.dedup_heights {
            let what = format!(
                "doubled: {id} is in rollup {} at sequence {} and in rollup {} at {}",
                first.rollup, first.sequence, spot.rollup, spot.sequence
            );
            finding.breach(&read.place, what);
        }
    }
    spots
}

fn judge(finding: &mut Finding, id: &Id, sent: &Sent, spot: Option<&Spot>) {
    let place = sent.promise.as_ref().map_or(&sent.place, |(_, place)| place);
    let rollup = sent.rollup;
    match (sent.promise.is_some(), spot) {
        (true, None) => finding.breach(place, format!("lost: {id} was promised and is nowhere")),
        (_, Some(spot)) if spot.rollup != rollup => {
            let what = format!("{id} was sent to rollup {rollup} and is in {}", spot.rollup);
            finding.breach(place, what);
        }
        (_, Some(spot)) if sent.word == Word::Refused => {
            let what = format!("{id} was refused and is at sequence {}", spot.sequence);
            finding.breach(place, what);
        }
        (true, Some(_)) => finding.checked(),
        (false, _) => {}
    }
}
