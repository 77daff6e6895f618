//! Which scenarios there are.

use crate::rng::Rng;
use serde::Serialize;

/// How large the clusters are.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
pub struct Size {
    /// Members.
    pub members: usize,
    /// Of those, how many run twice: the last ones.
    pub twins: usize,
}

impl Size {
    /// Members and twins.
    #[must_use]
    pub const fn processes(self) -> usize {
        self.members + self.twins
    }

    /// The members that run twice.
    #[must_use]
    pub fn twinned(self) -> Vec<usize> {
        (self.members - self.twins..self.members).collect()
    }
}

/// Who hears whom in one round.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize)]
pub struct Round {
    /// The group of each process; a process hears its own group. Groups are numbered in the order
    /// in which they first appear.
    pub groups: Vec<u8>,
    /// Whether timeouts reach everybody.
    pub timeouts_cross: bool,
}

/// Who leads the views.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize)]
pub enum Leading {
    /// The first views in this order.
    InOrder(Vec<usize>),
    /// As the schedule of this number says.
    Schedule(u64),
}

/// One scenario.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize)]
pub struct Scenario {
    /// Who leads.
    pub leaders: Leading,
    /// The rounds.
    pub rounds: Vec<Round>,
}

/// Every way to split `processes` processes into groups, each once.
#[must_use]
pub fn partitions(processes: usize) -> Vec<Vec<u8>> {
    let mut all = vec![Vec::new()];
    for _ in 0..processes {
        all = all
            .into_iter()
            .flat_map(|groups: Vec<u8>| {
                let next = groups.iter().max().map_or(0, |most| most + 1);
                (0..=next).map(move |group| [groups.as_slice(), &[group]].concat())
            })
            .collect();
    }
    all
}

/// Numbers groups in the order in which they first appear.
fn renumbered(groups: &[u8]) -> Vec<u8> {
    let mut names: Vec<u8> = Vec::new();
    groups
        .iter()
        .map(|group| {
            let known = names.iter().position(|name| name == group);
            let at = known.unwrap_or_else(|| {
                names.push(*group);
                names.len() - 1
            });
            u8::try_from(at).expect("few groups")
        })
        .collect()
}

/// The canonical scenarios of four members, one of them twice: all of them, by number.
#[derive(Clone, Debug)]
pub struct Canonical {
    partitions: Vec<Vec<u8>>,
    /// The place of each partition with the twins exchanged.
    exchanged: Vec<usize>,
    rounds: u32,
}

/// The size of canonical scenarios.
const CANONICAL: Size = Size { members: 4, twins: 1 };
/// The twin's view among the first four, or beyond the rounds.
const LEADER_ORDERS: [[usize; 4]; 4] = [[3, 0, 1, 2], [0, 3, 1, 2], [0, 1, 3, 2], [0, 1, 2, 3]];

impl Canonical {
    /// Those of so many rounds, 1 to 4. Timeouts reach everybody in all of them.
    ///
    /// # Panics
    /// When there are more rounds than members, for then the leaders would not be determined.
    #[must_use]
    pub fn new(rounds: u32) -> Self {
        assert!((1..=4).contains(&rounds), "a member leads one view in four");
        let partitions = partitions(CANONICAL.processes());
        let exchanged = |groups: &Vec<u8>| {
            let mut groups = groups.clone();
            groups.swap(3, 4);
            let groups = renumbered(&groups);
            partitions.iter().position(|other| *other == groups).expect("all partitions are there")
        };
        let exchanged = partitions.iter().map(exchanged).collect();
        Self { partitions, exchanged, rounds }
    }

    /// How many numbers there are; not each is a canonical scenario.
    #[must_use]
    pub fn numbers(&self) -> u64 {
        let leaders = u64::try_from(LEADER_ORDERS.len()).expect("four");
        leaders * self.base().pow(self.rounds)
    }

    fn base(&self) -> u64 {
        u64::try_from(self.partitions.len()).expect("few partitions")
    }

    /// The scenario of a number, if it is the least of its class.
    #[must_use]
    pub fn get(&self, number: u64) -> Option<Scenario> {
        let each = self.base().pow(self.rounds);
        let order = usize::try_from(number / each).expect("few orders");
        let mut rest = number % each;
        let mut places = Vec::new();
        for _ in 0..self.rounds {
            places.push(usize::try_from(rest % self.base()).expect("few partitions"));
            rest /= self.base();
        }
        let twin: Vec<usize> = places.iter().map(|place| self.exchanged[*place]).collect();
        if twin < places {
            return None;
        }
        let round =
            |place: &usize| Round { groups: self.partitions[*place].clone(), timeouts_cross: true };
        let leaders = Leading::InOrder(LEADER_ORDERS.get(order)?.to_vec());
        Some(Scenario { leaders, rounds: places.iter().map(round).collect() })
    }
}

/// Schedules that scenarios are drawn with; a player keeps a cluster for each.
const SCHEDULES: u64 = 256;

/// A scenario drawn: any leaders the schedule can give, two or three groups a round mostly.
#[must_use]
pub fn sampled(size: Size, rounds: usize, rng: &mut Rng) -> Scenario {
    let leaders = Leading::Schedule(rng.below(SCHEDULES));
    let round = |_| {
        let kinds = rng.pick(&[1, 2, 2, 2, 2, 3, 3, 5]);
        let draw = |rng: &mut Rng| u8::try_from(rng.below(kinds)).expect("few groups");
        let groups: Vec<u8> = (0..size.processes()).map(|_| draw(rng)).collect();
        Round { groups: renumbered(&groups), timeouts_cross: rng.chance(700_000) }
    };
    let rounds = (0..rounds).map(round).collect();
    Scenario { leaders, rounds }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Stream;
    use std::collections::BTreeSet;

    #[test]
    fn there_are_as_many_partitions_as_bell_counted() {
        assert_eq!([1, 2, 3, 4, 5].map(|n| partitions(n).len()), [1, 2, 5, 15, 52]);
    }

    /// By Burnside: half of all triples and of those that the exchange of twins leaves alone.
    #[test]
    fn each_class_is_played_once() {
        let canonical = Canonical::new(2);
        let all: Vec<Scenario> =
            (0..canonical.numbers()).filter_map(|number| canonical.get(number)).collect();
        assert_eq!(all.len(), 4 * (52 * 52 + 20 * 20) / 2);
        assert_eq!(all.iter().collect::<BTreeSet<_>>().len(), all.len());
    }

    #[test]
    fn a_drawn_scenario_is_a_function_of_its_seed() {
        let size = Size { members: 7, twins: 2 };
        let draw = |seed| sampled(size, 7, &mut Rng::new(seed, Stream::Plan));
        assert_eq!(draw(1), draw(1));
        assert_ne!(draw(1), draw(2));
        assert_eq!(draw(1).rounds.len(), 7);
        assert!(draw(1).rounds.iter().all(|round| round.groups.len() == 9));
    }
}
