//! The same protocol step by step, in any order: what the search sorts by view happens here as it
//! comes. Certificates are shown, proposals made and timers ended one at a time, each to one
//! replica, whenever they exist.
//!
//! Tests walk here at random and compare: with real replicas, whether they decide the same; with
//! the search, whether it knows the place, or a worse one.

use super::honest::{Entry, Honest, Proposal};
use super::rule::{Property, Rules};
use super::state::{LOOSE, Member, State, VIEWS_MAX};
use super::timeout::{HONEST, Report, TimeoutCert, Tip};

/// Views in which votes are remembered, and 0.
const VIEWS: usize = VIEWS_MAX as usize + 1;
/// Blocks: three a view, and genesis.
const BLOCKS_MAX: usize = HONEST * VIEWS_MAX as usize + 1;

/// Something that happens to one replica.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Event {
    /// It is shown the certificate of a view.
    Certificate(u8),
    /// It is shown a timeout certificate.
    Timeouts(TimeoutCert),
    /// It is shown a proposal.
    Proposal(Proposal),
    /// Its view has lasted its time.
    Timer,
}

/// What a replica says to it.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Said {
    /// The block it prepares.
    pub prepared: Option<u8>,
    /// The views in which it votes to commit.
    pub commits: Vec<u8>,
    /// The view it gives up, and what it reports.
    pub gave_up: Option<(u8, Report)>,
}

/// Everything so far. Blocks are named by numbers from 1.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct World {
    /// The honest replicas.
    pub replicas: [Honest; HONEST],
    /// What each prepared in each view; 0 for nothing.
    pub votes: [[u8; HONEST]; VIEWS],
    /// What each reported of each view.
    pub reports: [[Option<Report>; HONEST]; VIEWS],
    /// Who voted to commit in each view.
    pub commits: [[bool; HONEST]; VIEWS],
    /// The parent of each block.
    pub parents: [u8; BLOCKS_MAX],
    /// The view of each block.
    pub made_in: [u8; BLOCKS_MAX],
    /// How many blocks there are, genesis among them.
    pub blocks: u8,
    /// The highest final block.
    pub last_final: u8,
    /// The highest block that all prepared in one view.
    pub kept: u8,
    /// The first promise that broke.
    pub broken: Option<Property>,
}

impl Default for World {
    fn default() -> Self {
        Self {
            replicas: [Honest::START; HONEST],
            votes: [[0; HONEST]; VIEWS],
            reports: [[None; HONEST]; VIEWS],
            commits: [[false; HONEST]; VIEWS],
            parents: [0; BLOCKS_MAX],
            made_in: [0; BLOCKS_MAX],
            blocks: 1,
            last_final: 0,
            kept: 0,
            broken: None,
        }
    }
}

impl World {
    /// The block certified in a view: two honest votes and the Byzantine one.
    #[must_use]
    pub fn certified(&self, view: u8) -> Option<u8> {
        if view == 0 {
            return Some(0);
        }
        let [a, b, c] = self.votes[usize::from(view)];
        let block = if a == b || a == c { a } else { b };
        (block != 0 && (a == b || a == c || b == c)).then_some(block)
    }

    /// Whether `block` is `base` or stands on it.
    #[must_use]
    pub fn extends(&self, block: u8, base: u8) -> bool {
        let mut at = block;
        while at != base && at != 0 {
            at = self.parents[usize::from(at)];
        }
        at == base
    }

    /// A new block of a view; none when there is no name left.
    pub fn make_block(&mut self, parent: u8, view: u8) -> Option<u8> {
        let name = self.blocks;
        let slot = usize::from(name);
        *self.parents.get_mut(slot)? = parent;
        self.made_in[slot] = view;
        self.blocks += 1;
        Some(name)
    }

    /// Something happens to replica `to`.
    pub fn step(&mut self, to: usize, event: &Event, in_force: Rules) -> Said {
        let mut said = Said::default();
        match event {
            Event::Certificate(view) => {
                if self.is_news(to, *view, *view) {
                    self.replicas[to].on_certificate(*view, in_force);
                    self.commit(to, *view, &mut said, in_force);
                }
            }
            Event::Timeouts(cert) => {
                if self.is_news(to, cert.view, cert.highest) {
                    self.replicas[to].on_timeout_cert(cert, in_force);
                    self.commit(to, cert.highest, &mut said, in_force);
                }
            }
            Event::Proposal(proposal) => self.propose(to, proposal, &mut said, in_force),
            Event::Timer => {
                let view = self.replicas[to].view;
                if let Some(report) = self.replicas[to].on_timer(in_force) {
                    self.reports[usize::from(view)][to] = Some(report);
                    said.gave_up = Some((view, report));
                }
            }
        }
        said
    }

    /// A certificate that moves neither view nor lock is not looked at.
    const fn is_news(&self, to: usize, closes: u8, certified: u8) -> bool {
        closes >= self.replicas[to].view || certified > self.replicas[to].lock
    }

    /// C1, on a certificate that was shown; every block is held.
    fn commit(&mut self, to: usize, view: u8, said: &mut Said, in_force: Rules) {
        if view > 0 && self.replicas[to].try_commit(view, in_force) {
            said.commits.push(view);
            self.commits[usize::from(view)][to] = true;
            if self.commits[usize::from(view)].iter().filter(|votes| **votes).count() == 2 {
                self.finish(view);
            }
        }
    }

    fn propose(&mut self, to: usize, proposal: &Proposal, said: &mut Said, in_force: Rules) {
        if proposal.view < self.replicas[to].view || !proposal.is_justified(in_force) {
            return;
        }
        if self.replicas[to].on_proposal(proposal, in_force) {
            said.prepared = Some(proposal.block);
            self.prepare(to, proposal);
        }
        let entry = match &proposal.entry {
            Entry::Certified => proposal.view - 1,
            Entry::GivenUp(cert) => cert.highest,
        };
        for certificate in [Some(entry), proposal.parent].into_iter().flatten() {
            self.commit(to, certificate, said, in_force);
        }
    }

    fn prepare(&mut self, to: usize, proposal: &Proposal) {
        let view = usize::from(proposal.view);
        self.votes[view][to] = proposal.block;
        if !self.extends(proposal.block, self.kept) {
            self.broken.get_or_insert(Property::TailFork);
        }
        if self.votes[view].iter().all(|vote| *vote == proposal.block) {
            self.kept = proposal.block;
        }
    }

    fn finish(&mut self, view: u8) {
        let block = self.certified(view).expect("it is voted to commit");
        if self.extends(block, self.last_final) {
            self.last_final = block;
        } else if !self.extends(self.last_final, block) {
            self.broken = Some(Property::Agreement);
        }
    }

    /// The same as a state of the search after `view`, if nothing happened after it and the next
    /// one can be entered. The order of the replicas is kept, and locks are what they are.
    #[must_use]
    pub fn project(&self, view: u8) -> Option<State> {
        let last = usize::from(view);
        let reports = self.reports[last].iter().flatten().count();
        let later = last + 1..VIEWS;
        let happened = |v: usize| {
            self.votes[v].iter().any(|vote| *vote != 0)
                || self.reports[v].iter().any(Option::is_some)
        };
        if (self.certified(view).is_none() && reports < 2) || later.clone().any(happened) {
            return None;
        }
        let mut state = State::default();
        let mut names = [0; BLOCKS_MAX];
        for certified in 1..=view {
            let Some(block) = self.certified(certified) else { continue };
            let name = &mut names[usize::from(block)];
            if *name == 0 {
                *name = certified;
                let parent = names[usize::from(self.parents[usize::from(block)])];
                state.parent[usize::from(certified)] = parent;
            }
            state.certified[usize::from(certified)] = names[usize::from(block)];
        }
        let mut next = 0;
        for (index, replica) in self.replicas.iter().enumerate() {
            let block = usize::from(replica.tip.block);
            if block != 0 && names[block] == 0 {
                names[block] = LOOSE + next;
                state.loose[usize::from(next)] = names[usize::from(self.parents[block])];
                next += 1;
            }
            let tip = Tip { block: names[block], ..replica.tip };
            let renamed = |r: Report| Report {
                tip: Tip { block: names[usize::from(r.tip.block)], ..r.tip },
                ..r
            };
            let report = self.reports[last][index].map(renamed);
            state.members[index] = Member { lock: replica.lock, tip, report };
        }
        state.last_final = names[usize::from(self.last_final)];
        state.kept = names[usize::from(self.kept)];
        Some(state)
    }
}
