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
        let spots = place_all(case, &mut finding);
        for (id, sent) in &case.load {
            judge(&mut finding, id, sent, spots.get(id));
        }
        self.decide_told(case, &mut finding);
        finding.outcome()
    }

    fn decide_told(self, case: &Case<'_>, finding: &mut Finding) {
        if self.told.is_empty() {
            return;
        }
        let contents = case.ordered.values().flat_map(|ordered| &ordered.contents);
        let known: std::collections::HashSet<(u64, Id)> =
            contents.flat_map(|c| c.ids.iter().map(|id| (c.rollup, *id))).collect();
        for (place, rollup, id) in self.told {
            finding.check(known.contains(&(rollup, id)), &place, || {
                format!("lost: told to be final, but no height has {id} of rollup {rollup}")
            });
        }
    }
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
