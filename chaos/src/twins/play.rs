//! Plays one scenario with real replicas.

use super::generate::{Leading, Scenario, Size};
use crate::invariants::durable_votes::DurableVotes;
use crate::sim::cluster::Cluster;
use crate::sim::schedule::{Committee, Letter, Mail, cluster_led_by, cluster_of};
use chorale_consensus::note::{Fault, Note};
use chorale_types::ids::{Height, View};
use chorale_types::message::Message;
use std::collections::{BTreeMap, BTreeSet};

/// What came of a scenario.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Outcome {
    /// Which promise was broken, and how.
    pub violation: Option<String>,
    /// Rounds of the tail until every honest member had a new final block.
    pub tail: u64,
    /// Views in which twins proposed different blocks.
    pub equivocations: u64,
    /// Timeout certificates assembled by honest members.
    pub timeout_certs: u64,
    /// Of those, with a tip that must be proposed again.
    pub with_tips: u64,
    /// Blocks that honest members proposed again.
    pub reproposals: u64,
    /// The highest final block of an honest member at the end.
    pub final_height: u64,
}

/// Plays scenarios of one size. Keeps the clusters it made.
#[derive(Debug)]
pub struct Player {
    size: Size,
    clusters: BTreeMap<Leading, Cluster>,
}

impl Player {
    /// For clusters of one size.
    #[must_use]
    pub const fn new(size: Size) -> Self {
        Self { size, clusters: BTreeMap::new() }
    }

    /// Plays one.
    pub fn play(&mut self, scenario: &Scenario) -> Outcome {
        let Self { size, clusters } = self;
        let cluster =
            clusters.entry(scenario.leaders.clone()).or_insert_with(|| match &scenario.leaders {
                Leading::InOrder(leaders) => cluster_led_by(size.members, leaders),
                Leading::Schedule(seed) => cluster_of(size.members, *seed),
            });
        let mut game = Game {
            committee: Committee::with_twins(cluster.clone(), &size.twinned()),
            honest: size.members - size.twins,
        };
        for round in &scenario.rounds {
            game.round(|mail| {
                let same = round.groups[mail.from] == round.groups[mail.to];
                same || (round.timeouts_cross && gives_up(mail))
            });
        }
        // Twins lead at most this many views running.
        let faulty = u64::try_from(size.twins).expect("few twins");
        let tail = game.tail(faulty + 3);
        game.outcome(tail)
    }
}

/// Whether a message serves to leave a view.
fn gives_up(mail: &Mail) -> bool {
    matches!(&mail.letter, Letter::Message(Message::Timeout(_)))
}

struct Game {
    committee: Committee,
    /// So many members run once; the others are twins.
    honest: usize,
}

impl Game {
    fn views(&self) -> Vec<View> {
        (0..self.committee.processes()).map(|process| self.committee.status(process).view).collect()
    }

    /// Every leader proposes in its own view, what may be heard is heard, and who got nowhere
    /// gives up its view.
    fn round(&mut self, heard: impl Fn(&Mail) -> bool) {
        let before = self.views();
        for process in 0..before.len() {
            let status = self.committee.status(process);
            if status.leader.as_usize() == self.committee.identity(process) {
                self.committee.propose(process);
            }
        }
        self.committee.deliver(|mail| heard(mail));
        for (process, view) in before.iter().enumerate() {
            if self.committee.status(process).view == *view {
                self.committee.give_up(process);
            }
        }
        self.committee.deliver(|mail| heard(mail));
        self.committee.lose_all_and_say_so();
    }

    /// Everybody hears everybody: rounds until each honest member has a new final block, at most
    /// `rounds_max`; `None` when that was not enough.
    fn tail(&mut self, rounds_max: u64) -> Option<u64> {
        // What was under way when the network healed comes first, as one round of its own.
        self.wake();
        self.round(|_| true);
        let before = self.heights();
        for round in 1..=rounds_max {
            self.wake();
            self.round(|_| true);
            let grown = self.heights().iter().zip(&before).all(|(now, before)| now > before);
            if grown {
                return Some(round);
            }
        }
        None
    }

    /// Streams open again, and what was asked in vain is asked again.
    fn wake(&mut self) {
        for process in 0..self.committee.processes() {
            self.committee.wake(process);
        }
    }

    fn heights(&self) -> Vec<Height> {
        let last = |member| self.committee.finals(member).keys().last().copied();
        (0..self.honest).map(|member| last(member).unwrap_or(Height::ZERO)).collect()
    }

    fn violation(&self, tail: Option<u64>) -> Option<String> {
        if self.committee.is_forked_among(self.honest) {
            return Some("agreement: two final blocks at one height".to_owned());
        }
        let mut votes = DurableVotes::default();
        for member in 0..self.honest {
            for message in self.committee.said(member) {
                if let Err(what) = votes.on_left(member, message) {
                    return Some(format!("durable_votes: member {member}: {what}"));
                }
            }
        }
        let provable = |fault: Fault| !matches!(fault, Fault::BadAnswer | Fault::Flood);
        let mut reports = self.committee.reports().iter();
        if let Some((who, whom, fault)) = reports.find(|(who, whom, fault)| {
            *who < self.honest && *whom < self.honest && provable(*fault)
        }) {
            return Some(format!("blame: member {who} reports honest member {whom} for {fault:?}"));
        }
        let stuck = || format!("liveness: final heights {:?} after the tail", self.heights());
        tail.is_none().then(stuck)
    }

    fn equivocations(&self) -> u64 {
        let mut first = BTreeMap::new();
        let mut views = BTreeSet::new();
        for process in self.honest..self.committee.processes() {
            for message in self.committee.said(process) {
                let Message::Proposal(proposal) = message else { continue };
                let place = (self.committee.identity(process), proposal.view);
                let block = proposal.block_hash();
                if *first.entry(place).or_insert(block) != block {
                    views.insert(place);
                }
            }
        }
        u64::try_from(views.len()).expect("few views")
    }

    fn outcome(&self, tail: Option<u64>) -> Outcome {
        let mut outcome = Outcome {
            violation: self.violation(tail),
            tail: tail.unwrap_or(0),
            equivocations: self.equivocations(),
            timeout_certs: 0,
            with_tips: 0,
            reproposals: 0,
            final_height: self.heights().iter().max().map_or(0, |height| height.get()),
        };
        for note in (0..self.honest).flat_map(|member| self.committee.notes(member)) {
            match note {
                Note::TimeoutCertFormed { tips, .. } => {
                    outcome.timeout_certs += 1;
                    outcome.with_tips += u64::from(*tips > 0);
                }
                Note::Reproposed { .. } => outcome.reproposals += 1,
                _ => {}
            }
        }
        outcome
    }
}
