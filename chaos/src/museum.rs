//! Bugs planted on purpose, one at a time, and what notices them.
//!
//! An exhibit names what must notice it: a probe, scenarios with twins, the simulator. If none of
//! those does, everything is tried before the bug is said to survive. Afterwards all of it runs
//! once with no bug planted, and must find nothing.

mod campaign;
mod canary;
pub mod exhibits;
pub mod history;
mod table;

pub use campaign::{Finding, Limits, Report, Visit, control, visit};
pub use canary::{Canary, watch};
pub use table::table;

use chorale_types::museum::planted;
use exhibits::EXHIBITS;

/// What notices a bug.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Killer {
    /// A probe of this name.
    Probe(&'static str),
    /// Scenarios with members that run twice.
    Twins,
    /// The simulator.
    Sim,
}

/// The name of the bug that is planted in this process now.
#[must_use]
pub fn now() -> Option<&'static str> {
    EXHIBITS.iter().find(|exhibit| planted(exhibit.bug)).map(|exhibit| exhibit.name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::probes::PROBES;
    use chorale_types::museum::Bug;
    use std::collections::BTreeSet;

    #[test]
    fn every_bug_has_one_exhibit_and_every_killer_is_there() {
        let bugs: BTreeSet<u16> = EXHIBITS.iter().map(|exhibit| exhibit.bug as u16).collect();
        assert!(bugs.into_iter().eq(1..=Bug::DropsAtBoundary as u16), "each bug once");
        let names: BTreeSet<&str> = EXHIBITS.iter().map(|exhibit| exhibit.name).collect();
        assert_eq!(names.len(), EXHIBITS.len(), "each name once");
        for killer in EXHIBITS.iter().flat_map(|exhibit| exhibit.killers) {
            let Killer::Probe(name) = killer else { continue };
            assert!(PROBES.iter().any(|probe| probe.name == *name), "no probe {name}");
        }
    }

    #[test]
    fn every_exhibit_is_in_the_published_table() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/museum.md");
        let text = std::fs::read_to_string(path).unwrap();
        for exhibit in EXHIBITS {
            assert!(text.contains(&format!("| {} |", exhibit.name)), "{} is missing", exhibit.name);
        }
        assert!(!text.contains("**survives**"), "no survivor is published as if it were killed");
    }
}
