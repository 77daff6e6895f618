//! One view: every way in which three honest replicas, a Byzantine leader and the network can get
//! from the state after one view to the state after the next.
//!
//! Runs are sorted by view. What a replica does in view `v` needs certificates of lower views
//! only, so all of view `v` can be played before anything of view `v + 1`, whatever the order was
//! in the run. Three more things need not be tried one by one, because what is left out can do no
//! more harm than what is tried:
//!
//! - A certificate is adopted no earlier than it must be, or than it is reported: nothing but a
//!   timeout tells what the lock is. Before each timeout every certificate there is can be shown.
//! - A commit vote on a certificate of view `v` must precede the voter's first timeout of a view
//!   at or above `v`, so it is cast at the end of view `v`, or never.
//! - Two commit votes are all that a commit certificate needs from honest replicas; one alone, or
//!   a third, does nothing but make its voter adopt.

use super::honest::Honest;
use super::justified::{Options, Target};
use super::rule::{Property, Rule, Rules};
use super::state::{Member, State};
use super::timeout::{HONEST, Report, Tip};
use serde::Serialize;

/// What one honest replica does in a view.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Act {
    /// What it prepares.
    pub vote: Option<Target>,
    /// The lock after.
    pub lock: u8,
    /// The lock it reports when it gives the view up.
    pub gives_up: Option<u8>,
    /// Whether it gave up before it voted.
    pub gave_up_first: bool,
}

/// What happened in a view.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Move {
    /// What each did.
    pub acts: [Act; HONEST],
    /// The block that each voted for, by its name before it was certified.
    pub voted: [Option<u8>; HONEST],
    /// The block certified, by the same name.
    pub certified: Option<u8>,
    /// Who voted to commit it.
    pub committed: [bool; HONEST],
    /// What is broken.
    pub broken: Option<Property>,
}

/// The work of one thread, kept from state to state.
#[derive(Debug, Default)]
pub struct Workspace {
    /// What can be done.
    pub options: Options,
    acts: [Vec<Act>; HONEST],
}

/// Who takes what a view leads to.
pub trait Visitor {
    /// A state, not in canonical form, and how it was reached. `false` to stop.
    fn visit(&mut self, state: &State, how: &Move) -> bool;
}

impl<F: FnMut(&State, &Move) -> bool> Visitor for F {
    fn visit(&mut self, state: &State, how: &Move) -> bool {
        self(state, how)
    }
}

/// Which promises are watched.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Watch {
    /// Agreement and the tail-fork promise.
    Both,
    /// Agreement alone: what all prepared is not remembered.
    Agreement,
}

/// How much of what can happen is tried.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reach {
    /// Everything.
    All,
    /// Without what another way makes worse. Two arguments, each by simulation: the state that is
    /// left out can do nothing that the one that is tried cannot.
    ///
    /// - A lower lock allows more: every timeout certificate then allows the same parents and
    ///   more, the same re-proposals and more, and makes its readers adopt less. So no replica is
    ///   shown a certificate that it need not be shown.
    /// - One more timeout of a view allows more certificates of it. So a replica that has the lock
    ///   that entering the view asks for gives the view up, unless it votes to commit.
    Worst,
}

/// How to play a view.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Game {
    /// The rules in force.
    pub in_force: Rules,
    /// The promises watched.
    pub watch: Watch,
    /// How much is tried.
    pub reach: Reach,
}

/// Two commit votes, with the Byzantine one, are a quorum.
const PAIRS: [[bool; HONEST]; 3] = [[true, true, false], [true, false, true], [false, true, true]];

struct Step<'a, V> {
    before: &'a State,
    view: u8,
    game: Game,
    entry: u8,
    visitor: &'a mut V,
}

impl Workspace {
    /// Plays `view` from the state after the view before, in every way.
    pub fn play<V: Visitor>(
        &mut self,
        before: &State,
        (view, game): (u8, Game),
        visitor: &mut V,
    ) -> bool {
        self.options.find(before, view, game.in_force);
        let Some(entry) = self.options.entry else { return true };
        for (acts, member) in self.acts.iter_mut().zip(&before.members) {
            let site = Site { state: before, view, game, member };
            acts.clear();
            site.acts(entry, &self.options, acts);
        }
        let mut step = Step { before, view, game, entry, visitor };
        let [first, second, third] = &self.acts;
        for a in first {
            for b in second {
                for c in third {
                    if !step.name([*a, *b, *c]) {
                        return false;
                    }
                }
            }
        }
        true
    }
}

/// One replica in one view.
struct Site<'a> {
    state: &'a State,
    view: u8,
    game: Game,
    member: &'a Member,
}

impl Site<'_> {
    /// Before `view` the replica has done nothing in it; how far below its last vote and timeout
    /// lie makes no difference to any rule.
    fn honest(&self, adopted: u8) -> Honest {
        let before = self.view - 1;
        Honest {
            view: self.view,
            last_voted: before,
            highest_timeout: before,
            last_commit: before,
            lock: self.member.lock.max(adopted),
            tip: self.member.tip,
        }
    }

    fn acts(&self, entry: u8, options: &Options, acts: &mut Vec<Act>) {
        let lock = self.member.lock;
        acts.push(Act { vote: None, lock, gives_up: None, gave_up_first: false });
        self.give_up(self.honest(entry), None, acts);
        for (target, adopted) in &options.targets {
            if !self.game.in_force.has(Rule::OwnLockNotAsked) && *adopted < lock {
                continue;
            }
            let replica = self.honest(*adopted);
            if replica.may_prepare(self.view) {
                let (vote, lock) = (Some(*target), replica.lock);
                acts.push(Act { vote, lock, gives_up: None, gave_up_first: false });
                self.give_up(replica, vote, acts);
            }
            self.vote_late(entry, (*target, *adopted), acts);
        }
    }

    /// The locks that a replica may have when it gives the view up: what it had to adopt, or any
    /// certificate above that it is shown.
    fn locks(&self, least: u8) -> impl Iterator<Item = u8> + '_ {
        let shown =
            move |lock: &u8| self.game.reach == Reach::All && self.state.has_certificate(*lock);
        [least].into_iter().chain((least + 1..self.view).filter(shown))
    }

    fn give_up(&self, replica: Honest, vote: Option<Target>, acts: &mut Vec<Act>) {
        for lock in self.locks(replica.lock) {
            let mut replica = Honest { lock, ..replica };
            if let Some(report) = replica.on_timer(self.game.in_force) {
                let gives_up = Some(report.lock);
                acts.push(Act { vote, lock, gives_up, gave_up_first: false });
            }
        }
    }

    /// The replica gives the view up and votes then: refused unless the rule is missing.
    fn vote_late(&self, entry: u8, (target, adopted): (Target, u8), acts: &mut Vec<Act>) {
        let mut asked = self.honest(entry);
        if asked.on_timer(self.game.in_force).is_none() || !asked.may_prepare(self.view) {
            return;
        }
        for lock in self.locks(self.honest(entry).lock) {
            let (gives_up, vote) = (Some(lock), Some(target));
            acts.push(Act { vote, lock: lock.max(adopted), gives_up, gave_up_first: true });
        }
    }
}

impl<V: Visitor> Step<'_, V> {
    /// Every way in which fresh blocks on one parent can be the same or different ones.
    fn name(&mut self, acts: [Act; HONEST]) -> bool {
        let fresh = acts.map(|act| match act.vote {
            Some(Target::Fresh(parent)) => Some(parent),
            Some(Target::Again(_)) | None => None,
        });
        let mut state = *self.before;
        let mut taken = state.taken();
        let again = |act: &Act| match act.vote {
            Some(Target::Again(block)) => Some(block),
            Some(Target::Fresh(_)) | None => None,
        };
        let mut voted = [0, 1, 2].map(|index: usize| again(&acts[index]));
        self.name_from(0, (&acts, &fresh), (&mut state, &mut taken), &mut voted)
    }

    fn name_from(
        &mut self,
        at: usize,
        (acts, fresh): (&[Act; HONEST], &[Option<u8>; HONEST]),
        (state, taken): (&mut State, &mut u16),
        voted: &mut [Option<u8>; HONEST],
    ) -> bool {
        if at == HONEST {
            return self.apply(acts, voted, state);
        }
        let Some(parent) = fresh[at] else {
            return self.name_from(at + 1, (acts, fresh), (state, taken), voted);
        };
        for other in 0..at {
            let seen = (0..other).any(|earlier| voted[earlier] == voted[other]);
            if fresh[other] == Some(parent) && !seen {
                voted[at] = voted[other];
                if !self.name_from(at + 1, (acts, fresh), (state, taken), voted) {
                    return false;
                }
            }
        }
        let (mut state, mut taken) = (*state, *taken);
        voted[at] = Some(state.name_block(parent, &mut taken));
        self.name_from(at + 1, (acts, fresh), (&mut state, &mut taken), voted)
    }

    fn apply(&mut self, acts: &[Act; HONEST], voted: &[Option<u8>; HONEST], named: &State) -> bool {
        let certified = majority(voted);
        let idle = acts.map(|act| self.waits_for_nothing(&act));
        let waiting = idle.iter().filter(|idle| **idle).count();
        if waiting == HONEST || (waiting > 0 && certified.is_none()) {
            return true;
        }
        let drops = |block: &Option<u8>| block.is_some_and(|b| !named.extends(b, named.kept));
        let dropped = voted.iter().any(drops);
        let reports = acts.iter().filter(|act| act.gives_up.is_some()).count();
        let needed = if self.game.in_force.has(Rule::OneReportEach) { 2 } else { 1 };
        if certified.is_none() && reports < needed && !dropped {
            return true;
        }
        let mut state = *named;
        for (index, act) in acts.iter().enumerate() {
            state.members[index] = self.member_after(index, act, voted[index]);
        }
        if let Some(block) = certified {
            let name = state.certify(block, self.view);
            let by_all = voted.iter().all(|vote| *vote == certified);
            if by_all && self.game.watch == Watch::Both {
                state.kept = name;
            }
        }
        let broken = dropped.then_some(Property::TailFork);
        let committed = [false; HONEST];
        let (acts, voted) = (*acts, *voted);
        let mut how = Move { acts, voted, certified, committed, broken };
        if !self.game.in_force.has(Rule::NoTwoChain) {
            self.finish_two_chain(&mut state, &mut how);
        }
        let go_on = waiting > 0 || self.visitor.visit(&state, &how);
        go_on && self.commit(&state, how, idle)
    }

    /// Whether a replica keeps a view that it could as well give up, unless it votes to commit.
    fn waits_for_nothing(&self, act: &Act) -> bool {
        self.game.reach == Reach::Worst && act.gives_up.is_none() && act.lock >= self.entry
    }

    fn member_after(&self, index: usize, act: &Act, voted: Option<u8>) -> Member {
        let before = self.before.members[index].tip;
        let moves = match act.vote {
            Some(Target::Fresh(_)) => true,
            Some(Target::Again(_)) => self.game.in_force.has(Rule::TipMovesAgain),
            None => false,
        };
        let voted = voted.filter(|_| moves).map(|block| Tip { view: self.view, block });
        let tip = voted.unwrap_or(before);
        let reported = if act.gave_up_first { before } else { tip };
        let report = act.gives_up.map(|lock| Report { lock, tip: reported });
        Member { lock: act.lock, tip, report }
    }

    /// C1, C2: any two that may vote to commit do.
    fn commit(&mut self, state: &State, how: Move, idle: [bool; HONEST]) -> bool {
        let Some(_) = how.certified else { return true };
        let may = |index: usize| {
            let given_up = how.acts[index].gives_up.is_some();
            let highest_timeout = if given_up { self.view } else { self.view - 1 };
            let honest = Honest { highest_timeout, ..Honest::START };
            honest.may_commit(self.view, self.game.in_force)
        };
        let may = [may(0), may(1), may(2)];
        for pair in PAIRS {
            let fits = |index: usize| if pair[index] { may[index] } else { !idle[index] };
            if !(0..HONEST).all(fits) {
                continue;
            }
            let mut state = *state;
            for (member, _) in state.members.iter_mut().zip(pair).filter(|(_, votes)| *votes) {
                member.lock = self.view;
            }
            let mut how = Move { committed: pair, ..how };
            let block = state.certified[usize::from(self.view)];
            finish(&mut state, block, &mut how);
            if !self.visitor.visit(&state, &how) {
                return false;
            }
        }
        true
    }

    /// The commit rule that there is not: a certified block under a block certified next.
    fn finish_two_chain(&self, state: &mut State, how: &mut Move) {
        let child = state.certified[usize::from(self.view)];
        let block = state.certified[usize::from(self.view - 1)];
        if child != 0 && block != 0 && state.parent_of(child) == block {
            finish(state, block, how);
        }
    }
}

/// The block that two of three voted for: with the Byzantine vote, a quorum.
fn majority(voted: &[Option<u8>; HONEST]) -> Option<u8> {
    let [a, b, c] = *voted;
    if a.is_some() && (a == b || a == c) { a } else { b.filter(|_| b == c) }
}

/// A block becomes final.
fn finish(state: &mut State, block: u8, how: &mut Move) {
    if state.extends(block, state.last_final) {
        state.last_final = block;
    } else if !state.extends(state.last_final, block) {
        how.broken = Some(Property::Agreement);
    }
}
