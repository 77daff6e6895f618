//! From here on, does it move? From every state after a view, one view with an honest leader and
//! messages that arrive must make a block final.
//!
//! Whatever the adversary did up to the state, and whatever it still chooses: by which certificate
//! the leader enters (the last view's, or any timeout certificate that the reports and one more
//! lie allow), which certificates the leader has seen, and which replica leads. Then the leader
//! proposes by P3, everyone honest gets the proposal, all votes and the certificate. The Byzantine
//! member is silent, so all three must vote, twice. A view with a faulty leader in between ends in
//! a state that is looked at too.

use super::honest::{Entry, Honest, Proposal};
use super::justified::timeout_certs;
use super::rule::Rules;
use super::state::{Member, State};
use super::timeout::{HONEST, TimeoutCert};
use chorale_consensus::agreement::rules;
use chorale_types::ids::View;

/// What the check found.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Lively {
    /// States looked at.
    pub states: u64,
    /// Ways to go on from them.
    pub cases: u64,
    /// The first from which nothing becomes final.
    pub stuck: Option<Stuck>,
}

/// A dead end.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Stuck {
    /// Where.
    pub state: State,
    /// Why.
    pub why: String,
}

/// Checks every state of a list of states after view `view`.
#[must_use]
pub fn check_liveness(states: &[u128], view: u8, in_force: Rules) -> Lively {
    let mut lively = Lively { states: 0, cases: 0, stuck: None };
    for packed in states {
        let state = State::unpack(*packed);
        let mut case = Case { state: &state, view, in_force, cases: 0, stuck: None };
        case.check();
        lively.states += 1;
        lively.cases += case.cases;
        if let Some(why) = case.stuck {
            lively.stuck = Some(Stuck { state, why });
            break;
        }
    }
    lively
}

struct Case<'a> {
    state: &'a State,
    view: u8,
    in_force: Rules,
    cases: u64,
    stuck: Option<String>,
}

impl Case<'_> {
    fn check(&mut self) {
        let next = self.view + 1;
        if self.state.has_certificate(self.view) {
            let block = self.state.certified[usize::from(self.view)];
            let (entry, parent) = (Entry::Certified, Some(self.view));
            self.lead(&Proposal { view: next, block: 0, entry, parent, oldest: 0 }, block);
        }
        let (state, in_force) = (self.state, self.in_force);
        timeout_certs(state, self.view, in_force, &mut |tc| self.lead_after_timeout(tc));
    }

    /// P3, for every lock that the leader may have: its own, the one inside, any that is shown.
    fn lead_after_timeout(&mut self, tc: &TimeoutCert) {
        let view = self.view + 1;
        for leader in self.state.members {
            let least = leader.lock.max(tc.highest);
            let shown = |lock: &u8| *lock == least || self.state.has_certificate(*lock);
            let locks: Vec<u8> = (least..=self.view).filter(shown).collect();
            for lock in locks {
                let tip = tc.highest_supported(self.in_force);
                let at = |of: u8| View::new(u64::from(of));
                let again = tip.filter(|tip| rules::proposes_again(at(lock), at(tip.view)));
                let entry = Entry::GivenUp(*tc);
                let (block, parent, oldest) = match again {
                    Some(tip) => (tip.block, None, self.state.parent_of(tip.block)),
                    None => (0, Some(lock), 0),
                };
                let stands_on = match again {
                    Some(tip) => tip.block,
                    None => self.state.certified[usize::from(lock)],
                };
                self.lead(&Proposal { view, block, entry, parent, oldest }, stands_on);
            }
        }
    }

    /// `stands_on` is the parent of a fresh block, or the block proposed again.
    fn lead(&mut self, proposal: &Proposal, stands_on: u8) {
        self.cases += 1;
        if self.stuck.is_some() {
            return;
        }
        let prepared = self.state.members.map(|member| {
            let mut replica = self.honest(&member);
            replica.on_proposal(proposal, self.in_force).then_some(replica)
        });
        let votes = prepared.iter().flatten().count();
        let commits = prepared.into_iter().flatten().filter_map(|mut replica| {
            replica.on_certificate(proposal.view, self.in_force);
            let commits = replica.try_commit(proposal.view, self.in_force);
            commits.then_some(())
        });
        let commits = commits.count();
        let on_final = self.state.extends(stands_on, self.state.last_final);
        if votes < HONEST || commits < HONEST || !on_final {
            self.stuck = Some(format!(
                "{votes} prepare and {commits} commit votes for {proposal:?}, on the last final \
                 block: {on_final}"
            ));
        }
    }

    fn honest(&self, member: &Member) -> Honest {
        let given_up = if member.report.is_some() { self.view } else { self.view - 1 };
        Honest {
            view: self.view,
            last_voted: self.view,
            highest_timeout: given_up,
            last_commit: self.view,
            lock: member.lock,
            tip: member.tip,
        }
    }
}
