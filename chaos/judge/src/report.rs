//! What the judge says.

use serde::Serialize;
use std::fmt;
use std::sync::Arc;

/// Breaches of one invariant that are spelled out; all are counted.
const SHOWN_MAX: usize = 20;

/// A line of a history.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Place {
    /// The file, from the folder judged.
    pub file: Arc<str>,
    /// The line, from 1; 0 for the file as a whole.
    pub line: u64,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file, self.line)
    }
}

impl Serialize for Place {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// One way in which an invariant does not hold.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Breach {
    /// Where it shows.
    pub place: Place,
    /// What is wrong.
    pub what: String,
}

/// What became of one invariant.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum Outcome {
    /// It holds.
    Held {
        /// How many things were compared or verified for it.
        checked: u64,
        /// What is worth knowing beside: what could not be looked at, or by which bound.
        #[serde(skip_serializing_if = "Option::is_none")]
        note: Option<String>,
    },
    /// It does not.
    Violated {
        /// How often.
        count: u64,
        /// The first of them.
        breaches: Vec<Breach>,
    },
    /// This run does not say.
    NotJudged {
        /// Why.
        why: String,
    },
}

/// What was found about one invariant while reading.
#[derive(Debug, Default)]
pub struct Finding {
    checked: u64,
    count: u64,
    breaches: Vec<Breach>,
    note: Option<String>,
    why_not: Option<String>,
}

impl Finding {
    /// One more thing was looked at.
    pub const fn checked(&mut self) {
        self.checked = self.checked.saturating_add(1);
    }

    /// Something is wrong.
    pub fn breach(&mut self, place: &Place, what: impl Into<String>) {
        self.count = self.count.saturating_add(1);
        if self.breaches.len() < SHOWN_MAX {
            self.breaches.push(Breach { place: place.clone(), what: what.into() });
        }
    }

    /// Looks at something: `what` is said of it when it does not hold.
    pub fn check(&mut self, holds: bool, place: &Place, what: impl FnOnce() -> String) {
        self.checked();
        if !holds {
            self.breach(place, what());
        }
    }

    /// Something is worth knowing: what could not be looked at, or by which bound.
    pub fn note(&mut self, what: impl Into<String>) {
        self.note = Some(what.into());
    }

    /// Nothing of it can be decided, unless it is violated all the same.
    pub fn not_judged(&mut self, why: impl Into<String>) {
        self.why_not = Some(why.into());
    }

    /// What became of it. What was looked at zero times did not hold.
    #[must_use]
    pub fn outcome(self) -> Outcome {
        let Self { checked, count, breaches, note, why_not } = self;
        match why_not {
            _ if count > 0 => Outcome::Violated { count, breaches },
            Some(why) => Outcome::NotJudged { why },
            None if checked == 0 => {
                Outcome::NotJudged { why: "the run holds nothing to judge it by".into() }
            }
            None => Outcome::Held { checked, note },
        }
    }
}

/// An invariant and what became of it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Ruling {
    /// `I1` to `I16`.
    pub id: &'static str,
    /// What it promises, in a few words.
    pub promise: &'static str,
    /// What became of it.
    #[serde(flatten)]
    pub outcome: Outcome,
}

/// The end of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// Everything that could be judged holds. Exit code 0.
    Pass,
    /// Something does not. Exit code 1.
    Fail,
    /// The run proves nothing: too little in it, or a fault of which nobody knows whether it
    /// happened. Exit code 2.
    Invalid,
}

impl Verdict {
    /// The exit code.
    #[must_use]
    pub const fn code(self) -> u8 {
        match self {
            Self::Pass => 0,
            Self::Fail => 1,
            Self::Invalid => 2,
        }
    }
}

/// How much there was.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize)]
pub struct Sizes {
    /// Histories of nodes.
    pub nodes: u64,
    /// Statements they signed.
    pub statements: u64,
    /// Final heights.
    pub heights: u64,
    /// Certificates whose signatures were verified.
    pub certificates: u64,
    /// Transactions that were sent.
    pub submitted: u64,
    /// Those that somebody promised.
    pub promised: u64,
    /// Histories of followers.
    pub followers: u64,
    /// Frames they read.
    pub frames: u64,
    /// Transactions in streams that no recorded load sent.
    pub foreign: u64,
    /// Faults that were injected.
    pub faults: u64,
}

/// Everything that the judge has to say.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Report {
    /// The end of it.
    pub verdict: Verdict,
    /// Why the run proves nothing, if so.
    pub invalid: Vec<String>,
    /// Every invariant, in order.
    pub invariants: Vec<Ruling>,
    /// How much there was.
    pub sizes: Sizes,
}

impl Report {
    /// Puts the rulings together. A breach is one also in a run that proves nothing else.
    #[must_use]
    pub fn new(invariants: Vec<Ruling>, invalid: Vec<String>, sizes: Sizes) -> Self {
        let violated = |ruling: &Ruling| matches!(ruling.outcome, Outcome::Violated { .. });
        let verdict = if invariants.iter().any(violated) {
            Verdict::Fail
        } else if invalid.is_empty() {
            Verdict::Pass
        } else {
            Verdict::Invalid
        };
        Self { verdict, invalid, invariants, sizes }
    }

    /// The names of the invariants that are violated.
    #[must_use]
    pub fn violated(&self) -> Vec<&'static str> {
        let violated = |ruling: &&Ruling| matches!(ruling.outcome, Outcome::Violated { .. });
        self.invariants.iter().filter(violated).map(|ruling| ruling.id).collect()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for Ruling { id, promise, outcome } in &self.invariants {
            match outcome {
                Outcome::Held { checked, note } => {
                    write!(f, "{id:<4} held        {promise}: {checked} checked")?;
                    writeln!(
                        f,
                        "{}",
                        note.as_ref().map_or(String::new(), |note| format!("; {note}"))
                    )?;
                }
                Outcome::NotJudged { why } => writeln!(f, "{id:<4} not judged  {promise}: {why}")?,
                Outcome::Violated { count, breaches } => {
                    writeln!(f, "{id:<4} VIOLATED    {promise}: {count} times")?;
                    for Breach { place, what } in breaches {
                        writeln!(f, "       {place}: {what}")?;
                    }
                }
            }
        }
        for why in &self.invalid {
            writeln!(f, "invalid: {why}")?;
        }
        let Sizes { nodes, statements, heights, certificates, .. } = self.sizes;
        let Sizes { submitted, promised, followers, frames, foreign, faults, .. } = self.sizes;
        writeln!(
            f,
            "{nodes} nodes, {statements} statements, {heights} heights, {certificates} \
             certificates; {submitted} submitted, {promised} promised; {followers} followers, \
             {frames} frames, {foreign} foreign; {faults} faults"
        )?;
        let verdict = match self.verdict {
            Verdict::Pass => "pass",
            Verdict::Fail => "FAIL",
            Verdict::Invalid => "INVALID",
        };
        write!(f, "verdict: {verdict}")
    }
}
