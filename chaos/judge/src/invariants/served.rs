//! I15. Nobody honest says anything that a follower can show to be untrue: a damaged node refuses,
//! repairs itself, or stops.

use crate::case::Case;
use crate::report::{Finding, Outcome, Place};

/// Watches what followers complain about.
#[derive(Debug, Default)]
pub struct Served {
    finding: Finding,
    followers: u64,
}

impl Served {
    /// A follower was read to its end, or had trouble with a node; `untrue` says what the node said
    /// that is not true.
    pub fn on_trouble(
        &mut self,
        case: &Case<'_>,
        place: &Place,
        node: &str,
        untrue: Option<&String>,
    ) {
        match untrue {
            Some(_) if case.faults.excused().contains(node) => {}
            Some(why) => {
                let known = case.place_of(node).is_some() || case.faults.excused().is_empty();
                if known {
                    self.finding.breach(place, format!("{node} said what is not true: {why}"));
                } else {
                    self.finding.note(format!("{node} may be one that is faulty by plan"));
                }
            }
            None => self.finding.checked(),
        }
    }

    /// A follower read a history's frames.
    pub const fn on_follower(&mut self) {
        self.followers += 1;
        self.finding.checked();
    }

    /// The end of it.
    #[must_use]
    pub fn decide(self) -> Outcome {
        self.finding.outcome()
    }
}
