//! Would the search notice? Each rule is switched off in turn, and the promise that it protects
//! must break. What the search leaves out is no worse under the rules as they are; without one of
//! them that may be different, but what breaks then breaks in a run that can happen.

use super::explain::schedule;
use super::layer::{Game, Reach, Watch};
use super::liveness::{Stuck, check_liveness};
use super::rule::{Property, Rule, Rules};
use super::search::{Order, search};
use serde::Serialize;

/// Views to which a rule's absence must show at the latest.
pub const GATE_VIEWS: u8 = 6;

/// What came of a search without a rule.
#[derive(Clone, Debug, Serialize)]
pub struct Gate {
    /// The rule that was switched off.
    pub rule: Rule,
    /// Where the protocol states it.
    pub stated_in: &'static str,
    /// What had to break.
    pub expected: Property,
    /// What broke.
    pub broken: Option<Property>,
    /// In which view.
    pub views: Option<u8>,
    /// States that the search had seen by then.
    pub states: u64,
    /// Seconds.
    pub seconds: f64,
    /// How it breaks, step by step.
    pub schedule: Vec<String>,
}

impl Gate {
    /// Whether the expected promise broke.
    #[must_use]
    pub fn is_caught(&self) -> bool {
        self.broken == Some(self.expected)
    }
}

/// How the search without a rule is played.
#[must_use]
pub const fn game_without(rule: Rule) -> Game {
    let in_force = Rules::without(rule);
    match rule.protects() {
        Property::Agreement => Game { in_force, watch: Watch::Agreement, reach: Reach::Worst },
        Property::TailFork => Game { in_force, watch: Watch::Both, reach: Reach::Worst },
        Property::Liveness => Game { in_force, watch: Watch::Agreement, reach: Reach::All },
    }
}

/// Searches without `rule`, up to `views` views.
#[must_use]
pub fn try_without(rule: Rule, views: u8, jobs: usize, progress: &mut impl FnMut(&str)) -> Gate {
    let game = game_without(rule);
    let mut gate = Gate {
        rule,
        stated_in: rule.stated_in(),
        expected: rule.protects(),
        broken: None,
        views: None,
        states: 0,
        seconds: 0.0,
        schedule: Vec::new(),
    };
    if rule.protects() == Property::Liveness {
        return try_liveness(gate, game, jobs, progress);
    }
    let found = search(&Order { views, game, jobs }, progress);
    gate.states = found.levels.iter().map(|level| level.states).sum();
    gate.seconds = found.took.as_secs_f64();
    if let Some(broken) = &found.broken {
        gate.broken = Some(broken.property);
        gate.views = Some(broken.view);
        gate.schedule = schedule(broken, game);
    }
    gate
}

/// Views after which liveness is asked about.
pub const LIVENESS_VIEWS: u8 = 3;

fn try_liveness(mut gate: Gate, game: Game, jobs: usize, progress: &mut impl FnMut(&str)) -> Gate {
    for views in 1..=LIVENESS_VIEWS {
        let found = search(&Order { views, game, jobs }, &mut *progress);
        gate.states += found.levels.last().map_or(0, |level| level.states);
        gate.seconds += found.took.as_secs_f64();
        let lively = check_liveness(&found.last, views, game.in_force);
        if let Some(Stuck { state, why }) = lively.stuck {
            gate.broken = Some(Property::Liveness);
            gate.views = Some(views);
            gate.schedule = vec![format!("{state:?}"), why];
            return gate;
        }
    }
    gate
}
