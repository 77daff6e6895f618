//! A bug that rides along with an ordinary campaign: if the campaign cannot find it, what the
//! campaign says means nothing.

use super::Killer;
use super::campaign::{Finding, Limits, visit};
use super::exhibits::{EXHIBITS, Exhibit};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// What is looked for, and what came of it.
#[derive(Clone, Debug)]
pub struct Canary {
    /// The bug.
    pub name: &'static str,
    /// How it was noticed; absent when it was not, and the campaign is invalid.
    pub finding: Option<Finding>,
}

/// The first of the seeds that a canary is looked for in: none that a campaign runs by itself.
const FROM: u64 = 1 << 40;
const SEEDS_MAX: u64 = 5_000;
const TIME_MAX: Duration = Duration::from_secs(60);

/// Plants a bug that this way of looking is known to find, drawn by the clock, and looks for it in
/// seeds of its own.
#[must_use]
pub fn watch(killer: Killer, jobs: usize) -> Canary {
    let known: Vec<&Exhibit> =
        EXHIBITS.iter().filter(|exhibit| exhibit.killers.contains(&killer)).collect();
    let since = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_micros());
    let at = usize::try_from(since % (known.len() as u128)).expect("below a length");
    let alone = known[at].only(match killer {
        Killer::Twins => &[Killer::Twins],
        _ => &[Killer::Sim],
    });
    let limits = Limits { time: TIME_MAX, seeds: SEEDS_MAX, from: FROM, jobs, everywhere: false };
    let seen = visit(&alone, limits);
    Canary { name: seen.name, finding: seen.findings.into_iter().next() }
}
