//! What was broken on purpose: `faults.jsonl`.
//!
//! A fault of which nobody can show that it had an effect proves nothing about those who withstood
//! it: it makes the run invalid.

use crate::case::Case;
use crate::history::lines::{Line, Lines};
use serde::Deserialize;
use std::collections::BTreeSet;
use std::io;
use std::path::Path;

/// What may be broken.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// A process killed.
    Crash,
    /// A process stopped for a while.
    Pause,
    /// Nothing passes from `node` to `peer`, or to anybody.
    Cut,
    /// What passes is late, lost, doubled, out of order, or slow.
    Link,
    /// Writes or syncs are slow, or fail.
    Disk,
    /// Unsynced bytes are gone after a crash.
    LostWrite,
    /// Stored bytes were changed.
    Rot,
    /// All data of a node is gone.
    Destroy,
    /// A clock jumped or drifts.
    Clock,
    /// Too little processor or memory.
    Starve,
    /// More load than the chain takes.
    Overload,
    /// An older copy of a node's data, or its keys in a second place.
    Rollback,
    /// A node that does not keep to the rules.
    Byzantine,
}

impl Kind {
    /// Whether a node with this fault may say anything.
    #[must_use]
    pub const fn excuses(self) -> bool {
        matches!(self, Self::Byzantine | Self::Rollback)
    }
}

/// What a probe saw before, while, and after a fault.
#[derive(Clone, PartialEq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Proof {
    /// What was looked at.
    pub probe: String,
    /// What it showed before.
    pub before: serde_json::Value,
    /// What it showed while the fault was in force.
    pub during: serde_json::Value,
    /// What it showed afterwards; absent while the fault lasts.
    pub after: Option<serde_json::Value>,
}

/// One fault.
#[derive(Clone, PartialEq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// What kind.
    pub kind: Kind,
    /// Which node; of a link, the sender. Absent for an overload.
    pub node: Option<String>,
    /// Of a link, the receiver; absent for all.
    pub peer: Option<String>,
    /// When it began, in nanoseconds of the load's clock.
    pub from: u64,
    /// When it ended; absent while it lasted to the end of the run.
    pub to: Option<u64>,
    /// Whether the node is expected to keep up again after `to`.
    pub healed: bool,
    /// That it had an effect.
    pub proof: Option<Proof>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum FaultLine {
    Clock(ClockLine),
    Fault(Box<Fault>),
}

/// One moment on both clocks.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ClockLine {
    clock: u64,
    wall: u64,
}

/// All faults of a run.
#[derive(Clone, Debug, Default)]
pub struct Faults {
    /// Whether there is a log at all.
    pub kept: bool,
    /// The faults.
    pub all: Vec<Fault>,
    /// One moment in nanoseconds of the load's clock, and in milliseconds since 1970.
    pub clock: Option<(u64, u64)>,
}

impl Faults {
    /// Names of nodes that may say anything.
    #[must_use]
    pub fn excused(&self) -> BTreeSet<&str> {
        let excused = self.all.iter().filter(|fault| fault.kind.excuses());
        excused.filter_map(|fault| fault.node.as_deref()).collect()
    }

    /// Names of nodes that are not expected to work at the end.
    #[must_use]
    pub fn broken(&self) -> BTreeSet<&str> {
        let lasting = |fault: &&Fault| fault.kind.excuses() || !fault.healed || fault.to.is_none();
        self.all.iter().filter(lasting).filter_map(|fault| fault.node.as_deref()).collect()
    }

    /// From when on nothing more is broken than what stays broken.
    #[must_use]
    pub fn healed_at(&self) -> u64 {
        self.all.iter().filter_map(|fault| fault.to).max().unwrap_or(0)
    }
}

/// Reads the log, and notes what makes the run invalid.
///
/// # Errors
/// When the file cannot be read.
pub fn read(case: &mut Case<'_>, path: &Path, name: &str) -> io::Result<()> {
    let mut lines = Lines::open(path, name)?;
    case.faults.kept = true;
    while let Some((place, line)) = lines.next_line()? {
        match line {
            Line::Is(FaultLine::Clock(ClockLine { clock, wall })) => {
                case.faults.clock = Some((clock, wall));
            }
            Line::Is(FaultLine::Fault(fault)) | Line::AfterCut(FaultLine::Fault(fault)) => {
                if let Some(why) = invalid(case, &fault) {
                    case.invalid(format!("{place}: {why}"));
                }
                case.faults.all.push(*fault);
            }
            Line::AfterCut(FaultLine::Clock(_)) | Line::Unreadable(_) => {
                case.invalid(format!("{place}: not a fault: unknown kind or key, or cut"));
            }
        }
    }
    Ok(())
}

fn invalid(case: &Case<'_>, fault: &Fault) -> Option<String> {
    let known = |name: &String| case.chain.set.iter().any(|voter| voter.name == *name);
    let names = fault.node.iter().chain(&fault.peer);
    if let Some(stranger) = names.into_iter().find(|name| !known(name)) {
        return Some(format!("a fault of {stranger}, who is no validator"));
    }
    if fault.to.is_some_and(|to| to < fault.from) {
        return Some("a fault that ends before it begins".into());
    }
    match &fault.proof {
        None => Some("a fault without proof that it had an effect".into()),
        Some(proof) if proof.before == proof.during => {
            Some(format!("a fault without effect: {} showed the same before it", proof.probe))
        }
        Some(_) => None,
    }
}
