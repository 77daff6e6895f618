//! I12. The same blocks come to the same: every node has the same root and the same contents at a
//! height, the root is what the blocks come to when it is computed here anew, and headers that are
//! final name it.

use crate::case::{Case, Ordered};
use crate::history::node::Node;
use crate::ordering::State;
use crate::report::{Finding, Outcome};

/// Watches what heights came to.
#[derive(Debug, Default)]
pub struct Ordering {
    finding: Finding,
}

impl Ordering {
    /// A node tells what a height came to.
    pub fn on_ordered(
        &mut self,
        case: &mut Case<'_>,
        node: &mut Node,
        height: u64,
        ordered: Ordered,
    ) {
        let finding = &mut self.finding;
        let due = node.ordered.and_then(|last| last.checked_add(1));
        let free = std::mem::take(&mut node.gap.1) || due == Some(height);
        finding.check(free, &ordered.place, || {
            format!("height {height} is ordered where {} was due", due.unwrap_or(1))
        });
        finding.check(node.committed.is_some_and(|last| height <= last), &ordered.place, || {
            format!("height {height} is ordered before it is final")
        });
        node.ordered = node.ordered.max(Some(height));
        let Some(first) = case.ordered.get(&height) else {
            case.ordered.insert(height, ordered);
            return;
        };
        finding.check(first.root == ordered.root, &ordered.place, || {
            format!("height {height} has another root at {}", first.place)
        });
        finding.check(first.contents == ordered.contents, &ordered.place, || {
            format!("height {height} came to something else at {}", first.place)
        });
    }

    /// Computes every height anew, as far as its blocks were recorded.
    #[must_use]
    pub fn decide(mut self, case: &Case<'_>) -> Outcome {
        let mut state = State::new(case.chain);
        let mut computed = 0_u64;
        for (height, ordered) in &case.ordered {
            let Some((header, tips)) = case.final_block(*height) else { break };
            if *height != computed + 1 {
                break;
            }
            if let Err(what) = state.step(header, tips, &ordered.contents) {
                self.finding.breach(&ordered.place, what);
                break;
            }
            computed = *height;
            let root = state.root();
            self.finding.check(root == ordered.root, &ordered.place, || {
                format!("height {height} comes to {root}, not to {}", ordered.root)
            });
        }
        self.headers(case);
        let all = case.ordered.len();
        if u64::try_from(all) != Ok(computed) {
            self.finding.note(format!("{computed} of {all} heights computed anew"));
        }
        self.finding.outcome()
    }

    /// What final headers say of earlier heights.
    fn headers(&mut self, case: &Case<'_>) {
        let genesis = State::new(case.chain).root();
        for (height, (hash, place)) in &case.finals {
            let Some((header, _)) = case.blocks.get(hash) else { continue };
            let named = header.ordered_height;
            let known = case.ordered.get(&named).map(|ordered| ordered.root);
            let Some(root) = known.or((named == 0).then_some(genesis)) else { continue };
            self.finding.check(header.ordered_root == root, place, || {
                format!("final block {height} names another root of height {named}")
            });
        }
    }
}
