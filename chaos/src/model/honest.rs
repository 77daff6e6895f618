//! One honest replica, reduced to views and names of blocks.
//!
//! What it decides, it decides by the replica's own comparisons
//! (`chorale_consensus::agreement::rules`). What it leaves out (bytes, stake, clocks, fetching) is
//! shown to change nothing by replaying walks of the model on real replicas.
//!
//! # Invariants
//! All views in it only rise.

use super::rule::{Rule, Rules};
use super::timeout::{Report, TimeoutCert, Tip};
use chorale_consensus::agreement::rules;
use chorale_types::ids::View;

fn view(of: u8) -> View {
    View::new(u64::from(of))
}

/// What an honest replica remembers.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Honest {
    /// The current view.
    pub view: u8,
    /// The last view voted in or given up.
    pub last_voted: u8,
    /// The highest view given up.
    pub highest_timeout: u8,
    /// The view of the last commit vote.
    pub last_commit: u8,
    /// The view of the highest certificate adopted; a view has one certified block at most.
    pub lock: u8,
    /// The block prepared last.
    pub tip: Tip,
}

/// How a proposal shows that the view before is over.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Entry {
    /// It is certified, and the block stands on what is; in view 1, where an epoch starts.
    Certified,
    /// It was given up.
    GivenUp(TimeoutCert),
}

/// A proposal.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Proposal {
    /// Its view.
    pub view: u8,
    /// The block.
    pub block: u8,
    /// How the view is entered.
    pub entry: Entry,
    /// The view of the parent's certificate; none when a block is proposed again.
    pub parent: Option<u8>,
    /// The oldest certificate of the parent. Looked at only without [`Rule::AdoptInside`].
    pub oldest: u8,
}

impl Proposal {
    /// V3: whether what it carries allows its block.
    #[must_use]
    pub fn is_justified(&self, in_force: Rules) -> bool {
        let before = self.view.saturating_sub(1);
        match (&self.entry, self.parent) {
            (Entry::Certified, Some(parent)) => parent == before,
            (Entry::Certified, None) => false,
            (Entry::GivenUp(tc), Some(parent)) => {
                tc.view == before && parent <= before && tc.may_stand_on(parent, in_force)
            }
            (Entry::GivenUp(tc), None) => tc.view == before && tc.supports(self.block, in_force),
        }
    }
}

impl Honest {
    /// One that signed nothing yet.
    pub const START: Self = Self {
        view: 1,
        last_voted: 0,
        highest_timeout: 0,
        last_commit: 0,
        lock: 0,
        tip: Tip::NONE,
    };

    /// A1 for a certificate that a rule may be missing for.
    fn adopt(&mut self, certificate: u8, rule: Rule, in_force: Rules) {
        if in_force.has(rule) && rules::adopts(view(self.lock), view(certificate)) {
            self.lock = certificate;
        }
    }

    /// A checked certificate of votes is shown: adopt it, enter the view after it.
    pub fn on_certificate(&mut self, certificate: u8, in_force: Rules) {
        self.adopt(certificate, Rule::AdoptEntry, in_force);
        self.enter(certificate);
    }

    /// Votes to commit what a certificate that was shown certifies, if that is allowed. The lock
    /// is at least that certificate then, whatever else was adopted.
    #[must_use]
    pub fn try_commit(&mut self, certificate: u8, in_force: Rules) -> bool {
        let commits = self.may_commit(certificate, in_force);
        if commits {
            self.last_commit = certificate;
            self.lock = self.lock.max(certificate);
        }
        commits
    }

    /// C1.
    #[must_use]
    pub fn may_commit(&self, certificate: u8, in_force: Rules) -> bool {
        let given_up = if in_force.has(Rule::CommitGate) { self.highest_timeout } else { 0 };
        rules::may_commit(view(certificate), view(given_up), view(self.last_commit))
    }

    /// N1.
    const fn enter(&mut self, closed: u8) {
        if closed >= self.view {
            self.view = closed + 1;
        }
    }

    /// A checked timeout certificate is shown: its certificate is adopted, its view is left.
    pub fn on_timeout_cert(&mut self, tc: &TimeoutCert, in_force: Rules) {
        if in_force.has(Rule::AdoptInside) {
            self.adopt(tc.highest, Rule::AdoptEntry, in_force);
        }
        self.enter(tc.highest);
        self.enter(tc.view);
    }

    /// A proposal of the view's leader is shown: adopt what it carries; `true` for a vote.
    #[must_use]
    pub fn on_proposal(&mut self, proposal: &Proposal, in_force: Rules) -> bool {
        if !proposal.is_justified(in_force) {
            return false;
        }
        let lock_before = self.lock;
        match &proposal.entry {
            Entry::Certified => self.enter(proposal.view.saturating_sub(1)),
            Entry::GivenUp(tc) => self.on_timeout_cert(tc, in_force),
        }
        if let Some(parent) = proposal.parent {
            self.adopt(parent, Rule::AdoptParent, in_force);
        } else if !in_force.has(Rule::AdoptInside) {
            self.adopt(proposal.oldest, Rule::AdoptParent, in_force);
        }
        if !in_force.has(Rule::OwnLockNotAsked) && self.asks_own_lock(proposal, lock_before) {
            return false;
        }
        if !self.may_prepare(proposal.view) {
            return false;
        }
        self.last_voted = proposal.view;
        if proposal.parent.is_some() || in_force.has(Rule::TipMovesAgain) {
            self.tip = Tip { view: proposal.view, block: proposal.block };
        }
        true
    }

    /// V1, V2: whether a vote in a view is possible at all.
    #[must_use]
    pub fn may_prepare(&self, of: u8) -> bool {
        of == self.view && rules::may_prepare(view(of), view(self.last_voted))
    }

    /// The check that is on purpose not made: a parent below the own lock.
    fn asks_own_lock(&self, proposal: &Proposal, lock: u8) -> bool {
        match (&proposal.entry, proposal.parent) {
            (_, Some(parent)) => parent < lock,
            (Entry::GivenUp(tc), None) => tc.highest < lock,
            (Entry::Certified, None) => false,
        }
    }

    /// T1: the view's timer ends.
    #[must_use]
    pub fn on_timer(&mut self, in_force: Rules) -> Option<Report> {
        if !rules::may_time_out(view(self.view), view(self.highest_timeout)) {
            return None;
        }
        self.highest_timeout = self.view;
        if in_force.has(Rule::NoVoteAfterTimeout) {
            self.last_voted = self.last_voted.max(self.view);
        }
        Some(Report { lock: self.lock, tip: self.tip })
    }
}
