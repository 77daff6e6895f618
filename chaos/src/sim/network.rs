//! The links between members: each direction by itself, with delay, jitter, loss, duplication,
//! reordering, cuts and clogs.
//!
//! # Invariants
//! A link that does not reorder delivers in the order of sending. A cut link delivers nothing that
//! was sent while it was cut.

use super::queue::Micros;
use crate::rng::{Rng, Stream};

/// How a link behaves while it is whole.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LinkProfile {
    /// Least delay, in microseconds.
    pub delay_min: Micros,
    /// Most delay, in microseconds.
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

#[derive(Clone, Copy, Debug)]
struct Link {
    profile: LinkProfile,
    /// Cuts in force; a message passes when there is none.
    cuts: u32,
    clogged_until: Micros,
    last_arrival: Micros,
}

/// When copies of one message arrive: none, one or two.
pub type Arrivals = [Option<Micros>; 2];

/// All links.
#[derive(Debug)]
pub struct Network {
    members: usize,
    links: Vec<Link>,
    rng: Rng,
}

impl Network {
    /// `members` members, every link of one profile.
    #[must_use]
    pub fn new(members: usize, profile: LinkProfile, seed: u64) -> Self {
        let link = Link { profile, cuts: 0, clogged_until: 0, last_arrival: 0 };
        Self { members, links: vec![link; members * members], rng: Rng::new(seed, Stream::Network) }
    }

    fn link(&mut self, from: usize, to: usize) -> &mut Link {
        &mut self.links[from * self.members + to]
    }

    /// When a message that is sent now arrives.
    pub fn route(&mut self, now: Micros, from: usize, to: usize) -> Arrivals {
        let Link { profile, cuts, .. } = *self.link(from, to);
        if cuts > 0 || self.rng.chance(profile.loss) {
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
        let link = self.link(from, to);
        let mut at = (now + delay).max(link.clogged_until);
        if !profile.reorder {
            at = at.max(link.last_arrival + 1);
            link.last_arrival = at;
        }
        at
    }

    /// Cuts one direction. Cuts add up.
    pub fn cut(&mut self, from: usize, to: usize) {
        self.link(from, to).cuts += 1;
    }

    /// Takes one cut away. True when the direction is whole again by that.
    pub fn heal(&mut self, from: usize, to: usize) -> bool {
        let link = self.link(from, to);
        let was = link.cuts;
        link.cuts = was.saturating_sub(1);
        was == 1
    }

    /// Puts a new link in the place of this one: whole, with a profile, and not behind what is
    /// still under way on the old one. True when the direction was cut.
    pub fn restore(&mut self, from: usize, to: usize, profile: LinkProfile) -> bool {
        let link = self.link(from, to);
        let was_cut = link.cuts > 0;
        *link = Link { profile, cuts: 0, clogged_until: 0, last_arrival: 0 };
        was_cut
    }

    /// Whether the direction delivers.
    #[must_use]
    pub fn is_whole(&self, from: usize, to: usize) -> bool {
        self.links[from * self.members + to].cuts == 0
    }

    /// Holds everything back until a moment.
    pub fn clog(&mut self, from: usize, to: usize, until: Micros) {
        let link = self.link(from, to);
        link.clogged_until = link.clogged_until.max(until);
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
        network.cut(0, 1);
        network.cut(0, 1);
        assert_eq!(network.route(0, 0, 1), [None, None]);
        assert!(network.route(0, 1, 0)[0].is_some());
        assert!(!network.heal(0, 1));
        assert_eq!(network.route(0, 0, 1), [None, None]);
        assert!(network.heal(0, 1));
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
        network.clog(0, 1, 9_000);
        assert!(one(&mut network, 0) >= 9_000);
        network.restore(0, 1, STEADY);
        assert!(one(&mut network, 0) <= 500, "a new link is not behind the old one");
    }
}
