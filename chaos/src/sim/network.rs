//! The links between members: each direction by itself, with delay, jitter, loss, duplication,
//! reordering, cuts and clogs.
//!
//! # Invariants
//! A link that does not reorder delivers in the order of sending. A cut link delivers nothing that
//! was sent while it was cut.

use super::queue::Micros;
use crate::rng::{Rng, Stream};
use crate::scenario::span;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// How a link behaves while it is whole.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LinkProfile {
    /// Least delay.
    #[serde(with = "span")]
    pub delay_min: Micros,
    /// Most delay.
    #[serde(with = "span")]
    pub delay_max: Micros,
    /// Chance in a million that a message takes ten times as long.
    pub tail: u32,
    /// Chance in a million that a message is lost.
    pub loss: u32,
    /// Chance in a million that a message arrives twice.
    pub duplicate: u32,
    /// Whether messages may overtake each other.
    pub reorder: bool,
}

/// Names what was done to a link, for the proof that it had an effect.
pub type Cause = usize;

/// The cause of cuts that no fault of a plan made.
pub const NO_CAUSE: Cause = Cause::MAX;

#[derive(Clone, Debug)]
struct Link {
    profile: LinkProfile,
    /// Cuts in force; a message passes when there is none.
    cuts: Vec<Cause>,
    clogged_until: Micros,
    clogged_by: Cause,
    last_arrival: Micros,
}

impl Link {
    const fn whole(profile: LinkProfile) -> Self {
        Self { profile, cuts: Vec::new(), clogged_until: 0, clogged_by: NO_CAUSE, last_arrival: 0 }
    }
}

/// When copies of one message arrive: none, one or two.
pub type Arrivals = [Option<Micros>; 2];

/// All links.
#[derive(Debug)]
pub struct Network {
    members: usize,
    links: Vec<Link>,
    rng: Rng,
    /// What dropped or delayed a message so far.
    felt: BTreeSet<Cause>,
}

impl Network {
    /// `members` members, every link of one profile.
    #[must_use]
    pub fn new(members: usize, profile: LinkProfile, seed: u64) -> Self {
        let links = vec![Link::whole(profile); members * members];
        let rng = Rng::new(seed, Stream::Network);
        Self { members, links, rng, felt: BTreeSet::new() }
    }

    fn link(&mut self, from: usize, to: usize) -> &mut Link {
        &mut self.links[from * self.members + to]
    }

    /// When a message that is sent now arrives.
    pub fn route(&mut self, now: Micros, from: usize, to: usize) -> Arrivals {
        let link = &self.links[from * self.members + to];
        let profile = link.profile;
        if !link.cuts.is_empty() {
            self.felt.extend(link.cuts.iter().copied().filter(|cause| *cause != NO_CAUSE));
            return [None, None];
        }
        if self.rng.chance(profile.loss) {
            return [None, None];
        }
        let first = Some(self.arrival(now, from, to));
        let second = self.rng.chance(profile.duplicate).then(|| self.arrival(now, from, to));
        [first, second]
    }

    fn arrival(&mut self, now: Micros, from: usize, to: usize) -> Micros {
        let profile = self.link(from, to).profile;
        let mut delay = self.rng.between(profile.delay_min, profile.delay_max);
        if self.rng.chance(profile.tail) {
            delay *= 10;
        }
        let link = &mut self.links[from * self.members + to];
        let mut at = now + delay;
        if at < link.clogged_until {
            at = link.clogged_until;
            self.felt.insert(link.clogged_by);
        }
        if !profile.reorder {
            at = at.max(link.last_arrival + 1);
            link.last_arrival = at;
        }
        at
    }

    /// Cuts one direction. Cuts add up.
    pub fn cut(&mut self, from: usize, to: usize, cause: Cause) {
        self.link(from, to).cuts.push(cause);
    }

    /// Takes the cuts of one cause away. True when the direction is whole again by that.
    pub fn heal(&mut self, from: usize, to: usize, cause: Cause) -> bool {
        let cuts = &mut self.link(from, to).cuts;
        let before = cuts.len();
        cuts.retain(|cut| *cut != cause);
        before > 0 && cuts.is_empty()
    }

    /// Puts a new link in the place of this one: whole, with a profile, and not behind what is
    /// still under way on the old one. True when the direction was cut.
    pub fn restore(&mut self, from: usize, to: usize, profile: LinkProfile) -> bool {
        let link = self.link(from, to);
        let was_cut = !link.cuts.is_empty();
        *link = Link::whole(profile);
        was_cut
    }

    /// What dropped or delayed at least one message.
    #[must_use]
    pub const fn felt(&self) -> &BTreeSet<Cause> {
        &self.felt
    }

    /// Whether the direction delivers.
    #[must_use]
    pub fn is_whole(&self, from: usize, to: usize) -> bool {
        self.links[from * self.members + to].cuts.is_empty()
    }

    /// Holds everything back until a moment.
    pub fn clog(&mut self, from: usize, to: usize, until: Micros, cause: Cause) {
        let link = self.link(from, to);
        if until > link.clogged_until {
            (link.clogged_until, link.clogged_by) = (until, cause);
        }
    }

    /// Changes the behaviour of one direction.
    pub fn set_profile(&mut self, from: usize, to: usize, profile: LinkProfile) {
        self.link(from, to).profile = profile;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::MILLION;

    const STEADY: LinkProfile = LinkProfile {
        delay_min: 10,
        delay_max: 500,
        tail: 0,
        loss: 0,
        duplicate: 0,
        reorder: false,
    };

    fn one(network: &mut Network, now: Micros) -> Micros {
        network.route(now, 0, 1)[0].unwrap()
    }

    #[test]
    fn a_link_without_reordering_keeps_the_order() {
        let mut network = Network::new(2, STEADY, 3);
        let arrivals: Vec<_> = (0..200).map(|now| one(&mut network, now)).collect();
        assert!(arrivals.is_sorted_by(|a, b| a < b));
    }

    #[test]
    fn a_link_with_reordering_does_not() {
        let mut network = Network::new(2, LinkProfile { reorder: true, ..STEADY }, 3);
        let arrivals: Vec<_> = (0..200).map(|now| one(&mut network, now)).collect();
        assert!(!arrivals.is_sorted());
    }

    #[test]
    fn a_cut_drops_one_direction_until_the_last_cut_heals() {
        let mut network = Network::new(2, STEADY, 3);
        network.cut(0, 1, 4);
        network.cut(0, 1, 5);
        assert!(network.felt().is_empty());
        assert_eq!(network.route(0, 0, 1), [None, None]);
        assert!(network.route(0, 1, 0)[0].is_some());
        assert_eq!(network.felt().iter().collect::<Vec<_>>(), [&4, &5]);
        assert!(!network.heal(0, 1, 4));
        assert_eq!(network.route(0, 0, 1), [None, None]);
        assert!(network.heal(0, 1, 5));
        assert!(!network.heal(0, 1, 5), "it was whole already");
        assert!(network.route(0, 0, 1)[0].is_some());
    }

    #[test]
    fn loss_and_duplication_follow_their_chances() {
        let lossy = LinkProfile { loss: MILLION, ..STEADY };
        assert_eq!(Network::new(2, lossy, 3).route(0, 0, 1), [None, None]);
        let twice = LinkProfile { duplicate: MILLION, ..STEADY };
        assert!(Network::new(2, twice, 3).route(0, 0, 1)[1].is_some());
    }

    #[test]
    fn a_clog_holds_messages_back() {
        let mut network = Network::new(2, STEADY, 3);
        network.clog(0, 1, 9_000, 7);
        assert!(one(&mut network, 0) >= 9_000);
        network.restore(0, 1, STEADY);
        assert!(one(&mut network, 0) <= 500, "a new link is not behind the old one");
    }
}
