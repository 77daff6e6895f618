//! I16. A node that was broken and healed comes back without help: its commits reach what the
//! others had when it was healed.

use crate::case::Case;
use crate::report::{Finding, Outcome, Place};
use std::collections::BTreeMap;
use std::sync::Arc;

/// How long that may take, in milliseconds, beside ten view timeouts.
const CATCH_UP_MS: u64 = 20_000;

/// One node's commits: its wall time in milliseconds, and the height.
type Commits = Vec<(u64, u64)>;

/// Remembers when who committed what.
#[derive(Debug, Default)]
pub struct Recovery {
    commits: BTreeMap<String, Commits>,
    places: BTreeMap<String, Place>,
}

impl Recovery {
    /// A node committed.
    pub fn on_commit(&mut self, node: &str, at: u64, height: u64) {
        if let Some(commits) = self.commits.get_mut(node) {
            // Only what rises matters.
            if commits.last().is_none_or(|(_, last)| *last < height) {
                commits.push((at, height));
            }
        } else {
            self.commits.insert(node.to_owned(), vec![(at, height)]);
        }
    }

    /// A node's history ends.
    pub fn on_history(&mut self, node: &str, place: &Place) {
        let place = Place { file: Arc::clone(&place.file), line: 0 };
        self.places.insert(node.to_owned(), place);
    }

    /// Compares with the fault log.
    #[must_use]
    pub fn decide(self, case: &Case<'_>) -> Outcome {
        let mut finding = Finding::default();
        let Some((clock, wall)) = case.faults.clock.filter(|_| case.faults.kept) else {
            let why = if case.faults.kept { "it has no clock line" } else { "there is none" };
            finding.not_judged(format!("not without a fault log: {why}"));
            return finding.outcome();
        };
        let on_wall =
            |at: u64| wall.saturating_add(at / 1_000_000).saturating_sub(clock / 1_000_000);
        let bound = CATCH_UP_MS + case.chain.params.view_timeout_ms.saturating_mul(10);
        let broken = case.faults.broken();
        let mut open = 0_u64;
        for fault in case.faults.all.iter().filter(|fault| fault.healed) {
            let (Some(node), Some(to)) = (&fault.node, fault.to.map(on_wall)) else { continue };
            let until = to.saturating_add(bound);
            let again = |other: &crate::history::faults::Fault| {
                other.node.as_ref() == Some(node)
                    && on_wall(other.from) <= until
                    && other.to.is_none_or(|end| on_wall(end) > to)
            };
            if broken.contains(node.as_str()) || case.faults.all.iter().any(again) {
                continue;
            }
            let Some(place) = self.places.get(node) else { continue };
            let due = self.commits.values().filter_map(|c| height_at(c, to)).max();
            let own = self.commits.get(node).and_then(|c| height_at(c, until));
            if own < due && on_wall(case.end) < until {
                open += 1;
                continue;
            }
            finding.check(own >= due, place, || {
                format!(
                    "healed at {to}, and at height {} by {until}, others had {}",
                    own.unwrap_or(0),
                    due.unwrap_or(0)
                )
            });
        }
        if open > 0 {
            finding.note(format!("{open} nodes were healed too late to say"));
        }
        finding.outcome()
    }
}

/// The highest height at a moment.
fn height_at(commits: &Commits, at: u64) -> Option<u64> {
    let count = commits.partition_point(|(time, _)| *time <= at);
    commits.get(count.checked_sub(1)?).map(|(_, height)| *height)
}
