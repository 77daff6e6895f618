//! What the command says.

use super::explain::schedule;
use super::gates::{Gate, LIVENESS_VIEWS, game_without, try_without};
use super::layer::{Game, Reach, Watch};
use super::liveness::check_liveness;
use super::rule::{Property, Rule, Rules};
use super::search::{Found, Level, Order, search};
use super::worse::{Compared, compare_steps};
use serde::Serialize;
use std::fmt::Write as _;
use std::time::Instant;

/// What the model leaves out, said in every report.
pub const NOT_COVERED: [&str; 6] = [
    "the end of an epoch: it is not built",
    "optimistic proposals: they are not built",
    "restarts: a replica here forgets nothing",
    "uneven stake, and more than four members",
    "times: how long a view lasts is not asked",
    "lanes, bodies and fetching: every block is held",
];

/// What to run.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Ask {
    /// Views.
    pub views: u8,
    /// How much of what can happen is tried.
    pub reach: Reach,
    /// A rule to switch off.
    pub without: Option<Rule>,
    /// Threads.
    pub jobs: usize,
}

/// The report of a search.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// Who there is.
    pub members: &'static str,
    /// Views worked out: the depth.
    pub views: u8,
    /// How much was tried.
    pub reach: Reach,
    /// The rule that was switched off.
    pub without: Option<Rule>,
    /// Threads.
    pub jobs: usize,
    /// Different states, of all views.
    pub states: u64,
    /// Ways from a state to the next.
    pub transitions: u64,
    /// Each view.
    pub levels: Vec<LevelReport>,
    /// Seconds.
    pub seconds: f64,
    /// The most memory the process had, in bytes; none where the system does not say.
    pub peak_memory_bytes: Option<u64>,
    /// What broke.
    pub broken: Option<Property>,
    /// How, step by step.
    pub schedule: Vec<String>,
    /// Whether it moves; none where something broke before.
    pub liveness: Option<Liveness>,
    /// What the model leaves out.
    pub not_covered: [&'static str; 6],
}

/// One view of a report.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct LevelReport {
    /// The view.
    pub view: u8,
    /// States after it.
    pub states: u64,
    /// Ways to them.
    pub transitions: u64,
}

impl From<Level> for LevelReport {
    fn from(level: Level) -> Self {
        let Level { view, states, transitions } = level;
        Self { view, states, transitions }
    }
}

/// Whether every state leads on.
#[derive(Clone, Debug, Serialize)]
pub struct Liveness {
    /// From every state after so many views, everything tried.
    pub after_views: u8,
    /// How many states those are.
    pub states: u64,
    /// Certificates, leaders and locks tried from them.
    pub cases: u64,
    /// Views with an honest leader and fair delivery that it takes.
    pub bound_views: u8,
    /// Where it gets stuck.
    pub stuck: Option<String>,
}

/// Searches, and asks about liveness where nothing broke.
#[must_use]
pub fn run(ask: &Ask, progress: &mut impl FnMut(&str)) -> Report {
    let game = match ask.without {
        Some(rule) => Game { reach: ask.reach, ..game_without(rule) },
        None => Game { in_force: Rules::ALL, watch: Watch::Both, reach: ask.reach },
    };
    let found = search(&Order { views: ask.views, game, jobs: ask.jobs }, &mut *progress);
    let broken = found.broken.as_ref();
    let liveness = broken.is_none().then(|| liveness(ask, game, progress));
    let stuck = liveness.as_ref().is_some_and(|liveness| liveness.stuck.is_some());
    let broken_property = broken.map(|broken| broken.property);
    Report {
        members: "three honest of equal stake, one Byzantine that leads every view",
        views: u8::try_from(found.levels.len()).expect("few views"),
        reach: ask.reach,
        without: ask.without,
        jobs: ask.jobs,
        states: found.levels.iter().map(|level| level.states).sum(),
        transitions: found.levels.iter().map(|level| level.transitions).sum(),
        seconds: found.took.as_secs_f64(),
        peak_memory_bytes: peak_memory(),
        broken: broken_property.or(stuck.then_some(Property::Liveness)),
        schedule: broken.map(|broken| schedule(broken, game)).unwrap_or_default(),
        levels: found.levels.into_iter().map(LevelReport::from).collect(),
        liveness,
        not_covered: NOT_COVERED,
    }
}

fn liveness(ask: &Ask, game: Game, progress: &mut impl FnMut(&str)) -> Liveness {
    let game = Game { reach: Reach::All, ..game };
    let views = ask.views.min(LIVENESS_VIEWS);
    let mut liveness =
        Liveness { after_views: views, states: 0, cases: 0, bound_views: 1, stuck: None };
    for after in 1..=views {
        let order = Order { views: after, game, jobs: ask.jobs };
        let Found { last, .. } = search(&order, &mut *progress);
        let lively = check_liveness(&last, after, game.in_force);
        liveness.states += lively.states;
        liveness.cases += lively.cases;
        if let Some(stuck) = lively.stuck {
            liveness.stuck = Some(format!("after view {after}: {}", stuck.why));
            break;
        }
    }
    liveness
}

/// The most resident memory this process had, in bytes.
fn peak_memory() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kib.checked_mul(1024)
}

fn mebibytes(bytes: Option<u64>) -> String {
    bytes.map_or_else(|| "unknown".to_owned(), |bytes| format!("{} MiB", bytes / (1024 * 1024)))
}

impl Report {
    /// The report for people.
    #[must_use]
    pub fn text(&self) -> String {
        let mut out = format!("{}\n", self.members);
        if let Some(rule) = self.without {
            let _ = writeln!(out, "without {} ({})", rule.name(), rule.stated_in());
        }
        for level in &self.levels {
            let LevelReport { view, states, transitions } = level;
            let _ = writeln!(out, "view {view}: {states} states, {transitions} transitions");
        }
        let memory = mebibytes(self.peak_memory_bytes);
        let _ = writeln!(
            out,
            "{} states, {} transitions, depth {} views, {:.1} s on {} threads, peak memory {memory}",
            self.states, self.transitions, self.views, self.seconds, self.jobs,
        );
        for line in &self.schedule {
            let _ = writeln!(out, "{line}");
        }
        if let Some(liveness) = &self.liveness {
            let Liveness { after_views, states, cases, bound_views, stuck } = liveness;
            let verdict = stuck.as_deref().unwrap_or("always");
            let _ = writeln!(
                out,
                "final within {bound_views} view of an honest leader, from {states} states after up \
                 to {after_views} views, {cases} cases: {verdict}"
            );
        }
        for what in self.not_covered {
            let _ = writeln!(out, "not covered: {what}");
        }
        let verdict = match self.broken {
            None if self.without.is_some() => "nothing breaks in so many views",
            None => "agreement holds, the tail-fork promise holds",
            Some(Property::Agreement) => "BROKEN: agreement",
            Some(Property::TailFork) => "BROKEN: the tail-fork promise",
            Some(Property::Liveness) => "BROKEN: liveness",
        };
        out + verdict
    }
}

/// The report on going everywhere step by step.
#[derive(Clone, Debug, Serialize)]
pub struct StepsReport {
    /// Views.
    pub views: u8,
    /// Different places.
    pub states: u64,
    /// Steps from one to the next.
    pub transitions: u64,
    /// Places that end a view, looked up in the search.
    pub compared: u64,
    /// One that the search does not know, nor one that allows more.
    pub unknown: Option<String>,
    /// What broke.
    pub broken: Option<Property>,
    /// Seconds.
    pub seconds: f64,
    /// The most memory the process had, in bytes; none where the system does not say.
    pub peak_memory_bytes: Option<u64>,
}

/// Goes everywhere step by step, and looks every place up in the search.
#[must_use]
pub fn run_steps(views: u8, jobs: usize) -> StepsReport {
    let begun = Instant::now();
    let Compared { states, transitions, compared, unknown, broken } =
        compare_steps(views, u64::MAX, jobs);
    let unknown = unknown.map(|state| format!("{state:?}"));
    let seconds = begun.elapsed().as_secs_f64();
    let peak_memory_bytes = peak_memory();
    StepsReport {
        views,
        states,
        transitions,
        compared,
        unknown,
        broken,
        seconds,
        peak_memory_bytes,
    }
}

impl StepsReport {
    /// Whether nothing broke and the search knows everything.
    #[must_use]
    pub const fn is_good(&self) -> bool {
        self.broken.is_none() && self.unknown.is_none()
    }

    /// The report for people.
    #[must_use]
    pub fn text(&self) -> String {
        let Self { views, states, transitions, compared, seconds, .. } = self;
        let unknown = self.unknown.as_deref().unwrap_or("none");
        let broken = self.broken.map_or_else(|| "nothing".to_owned(), |what| format!("{what:?}"));
        format!(
            "step by step, {views} views: {states} states, {transitions} transitions, {seconds:.1} s, \
             peak memory {}\n{compared} places looked up in the search by views; not known there: \
             {unknown}\nbroken: {broken}",
            mebibytes(self.peak_memory_bytes),
        )
    }
}

/// The report on the gates.
#[derive(Clone, Debug, Serialize)]
pub struct GatesReport {
    /// Each rule.
    pub gates: Vec<Gate>,
    /// How many were noticed.
    pub caught: usize,
    /// How many there are.
    pub total: usize,
    /// Rules that cannot be switched off because what they belong to is not built.
    pub not_built: [&'static str; 2],
}

/// Tries every rule.
#[must_use]
pub fn run_gates(views: u8, jobs: usize, progress: &mut impl FnMut(&str)) -> GatesReport {
    let each = |rule: Rule| {
        progress(&format!("without {}", rule.name()));
        try_without(rule, views, jobs, progress)
    };
    let gates: Vec<Gate> = Rule::ALL.into_iter().map(each).collect();
    let caught = gates.iter().filter(|gate| gate.is_caught()).count();
    let not_built = ["the end of an epoch", "optimistic proposals"];
    GatesReport { caught, total: gates.len(), gates, not_built }
}

impl GatesReport {
    /// The report for people.
    #[must_use]
    pub fn text(&self) -> String {
        let mut out = String::new();
        for gate in &self.gates {
            let verdict = if gate.is_caught() { "caught" } else { "MISSED" };
            let views = gate.views.map_or_else(|| "-".to_owned(), |views| views.to_string());
            let _ = writeln!(
                out,
                "{verdict}: without {} ({}), {:?} breaks in view {views}; {} states, {:.2} s",
                gate.rule.name(),
                gate.stated_in,
                gate.broken.unwrap_or(gate.expected),
                gate.states,
                gate.seconds,
            );
            for line in &gate.schedule {
                let _ = writeln!(out, "    {line}");
            }
        }
        for what in self.not_built {
            let _ = writeln!(out, "not built, so nothing to switch off: {what}");
        }
        let _ = write!(out, "{} of {} caught", self.caught, self.total);
        out
    }
}
