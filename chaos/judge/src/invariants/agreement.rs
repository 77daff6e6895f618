//! I1. At each height one block, whoever tells it and whenever; blocks stand on each other without
//! a gap, from genesis on.

use crate::case::Case;
use crate::history::node::Node;
use crate::report::{Finding, Outcome, Place};
use crate::wire::Id;
use crate::wire::certificate::Vote;

/// Watches what nodes tell to be final.
#[derive(Debug, Default)]
pub struct Agreement {
    finding: Finding,
    unknown: u64,
}

impl Agreement {
    /// A node tells that a block is final.
    pub fn on_commit(
        &mut self,
        case: &mut Case<'_>,
        node: &mut Node,
        place: &Place,
        (height, hash): (u64, Id),
    ) {
        self.finals(case, place, height, hash);
        let due = node.committed.and_then(|last| last.checked_add(1));
        // After a restart heights may be told again, or were told to nobody who wrote it down.
        let free = std::mem::take(&mut node.gap.0) || due == Some(height);
        self.finding.check(free, place, || {
            format!("height {height} is final where {} was due", due.unwrap_or(1))
        });
        node.committed = node.committed.max(Some(height));
    }

    fn finals(&mut self, case: &mut Case<'_>, place: &Place, height: u64, hash: Id) {
        let first = case.finals.entry(height).or_insert_with(|| (hash, place.clone()));
        self.finding.check(first.0 == hash, place, || {
            format!("height {height} is {hash}, and {} at {}", first.0, first.1)
        });
    }

    /// Looks at certificates that were verified, and at the chain from end to end.
    #[must_use]
    pub fn decide(mut self, case: &Case<'_>) -> Outcome {
        let mut before: Option<(u64, Id)> = Some((0, case.chain.id));
        for (height, (hash, place)) in &case.finals {
            if let (Some((header, _)), Some((below, parent))) = (case.blocks.get(hash), before) {
                if below + 1 == *height {
                    self.finding.check(header.parent == parent, place, || {
                        format!("final block {height} stands on {}, not on {parent}", header.parent)
                    });
                }
            } else {
                self.unknown += 1;
            }
            before = Some((*height, *hash));
        }
        if self.unknown > 0 {
            self.finding.note(format!("{} final blocks are in no history", self.unknown));
        }
        self.finding.outcome()
    }
}

fn conflict(case: &Case<'_>, vote: &Vote) -> Option<String> {
    let (hash, place) = case.finals.get(&vote.height)?;
    (*hash != vote.block).then(|| {
        let (height, block) = (vote.height, vote.block);
        format!("a certificate makes {block} final at height {height}, which is {hash} at {place}")
    })
}

impl Agreement {
    /// A certificate of commit votes was verified.
    pub fn on_verified(&mut self, case: &Case<'_>, place: &Place, vote: &Vote) {
        let conflict = conflict(case, vote);
        self.finding.check(conflict.is_none(), place, || conflict.unwrap_or_default());
    }
}
