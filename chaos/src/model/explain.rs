//! A counterexample as a schedule that a person can play.
//!
//! The search keeps states without names. Here the views are played once more from the start,
//! each time into the state that the search found, with every replica and block keeping its name.

use super::honest::Entry;
use super::justified::{Options, Target, timeout_certs};
use super::layer::{Act, Game, Move, Workspace};
use super::search::Broken;
use super::state::State;
use super::timeout::{HONEST, Report, TimeoutCert, Tip};
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// Plays a counterexample again and says what happens, a line for each thing.
///
/// # Panics
/// When it is not one: the states do not follow from each other.
#[must_use]
pub fn schedule(broken: &Broken, game: Game) -> Vec<String> {
    let mut teller = Teller::new(game);
    for (index, wanted) in broken.path.iter().enumerate().skip(1) {
        let view = u8::try_from(index).expect("few views");
        teller.play(view, |after, _| after.canonical().pack() == *wanted);
    }
    teller.play(broken.view, |_, how| how.broken == Some(broken.property));
    teller.lines.push(format!("{} is broken", teller.verdict));
    teller.lines
}

struct Teller {
    game: Game,
    state: State,
    names: BTreeMap<u8, String>,
    used: u8,
    lines: Vec<String>,
    verdict: &'static str,
}

impl Teller {
    fn new(game: Game) -> Self {
        let names = BTreeMap::from([(0, "genesis".to_owned())]);
        let (state, lines) = (State::default(), Vec::new());
        Self { game, state, names, used: 0, lines, verdict: "nothing" }
    }

    fn play(&mut self, view: u8, wanted: impl Fn(&State, &Move) -> bool) {
        let mut found = None;
        let mut workspace = Workspace::default();
        workspace.play(&self.state, (view, self.game), &mut |after: &State, how: &Move| {
            if wanted(after, how) {
                found = Some((*after, *how));
            }
            found.is_none()
        });
        let (after, how) = found.expect("the search went this way");
        self.tell(view, &after, &how, &workspace.options);
        self.state = after;
    }

    fn tell(&mut self, view: u8, after: &State, how: &Move, options: &Options) {
        self.name_fresh(how);
        self.lines.push(format!("view {view}:"));
        for index in 0..HONEST {
            let line = self.tell_act(view, index, how, options);
            self.lines.push(line);
        }
        if let Some(block) = how.certified {
            let name = self.name(block);
            self.lines.push(format!("  {name} is certified in view {view}"));
            self.names.insert(after.certified[usize::from(view)], name);
        }
        if how.committed.contains(&true) {
            let who = numbers(&how.committed);
            let block = self.name(after.certified[usize::from(view)]);
            self.lines.push(format!("  {who} and 4 vote to commit {block}: it is final"));
        }
        self.verdict = match how.broken {
            Some(super::rule::Property::Agreement) => "agreement",
            Some(super::rule::Property::TailFork) => {
                let kept = self.name(after.kept.min(self.state.kept));
                self.lines.push(format!("  {kept}, which all had prepared, is dropped"));
                "the tail-fork promise"
            }
            Some(super::rule::Property::Liveness) | None => "nothing",
        };
    }

    fn name_fresh(&mut self, how: &Move) {
        let voted = how.acts.iter().zip(how.voted);
        let mut fresh: Vec<u8> = voted
            .filter(|(act, _)| matches!(act.vote, Some(Target::Fresh(_))))
            .filter_map(|(_, block)| block)
            .collect();
        fresh.sort_unstable();
        fresh.dedup();
        for block in fresh {
            let letter = char::from(b'A' + self.used);
            self.used += 1;
            self.names.insert(block, letter.to_string());
        }
    }

    fn name(&self, block: u8) -> String {
        self.names.get(&block).cloned().unwrap_or_else(|| format!("block {block}"))
    }

    fn tell_act(&self, view: u8, index: usize, how: &Move, options: &Options) -> String {
        let (act, voted) = (&how.acts[index], how.voted[index]);
        let mut line = format!("  {}", index + 1);
        if act.gave_up_first {
            self.tell_giving_up(&mut line, index, view, act, None);
            line.push_str(", then");
        }
        match (act.vote, voted) {
            (Some(target), Some(block)) => {
                let what = match target {
                    Target::Fresh(parent) => format!("new on {}", self.name(parent)),
                    Target::Again(_) => "again".to_owned(),
                };
                let _ = write!(line, " prepares {} ({what}", self.name(block));
                let _ = write!(line, ", by {})", self.reason(view, target, options));
            }
            _ if act.gives_up.is_none() => line.push_str(" does nothing"),
            _ => {}
        }
        if !act.gave_up_first && act.gives_up.is_some() {
            let tip = voted.map(|block| Tip { view, block });
            self.tell_giving_up(&mut line, index, view, act, tip);
        }
        line
    }

    fn tell_giving_up(
        &self,
        line: &mut String,
        index: usize,
        view: u8,
        act: &Act,
        tip: Option<Tip>,
    ) {
        let Some(lock) = act.gives_up else { return };
        let tip = tip.unwrap_or(self.state.members[index].tip);
        let report = self.report(&Report { lock, tip });
        let _ = write!(line, " gives up view {view} ({report})");
    }

    fn report(&self, report: &Report) -> String {
        let Report { lock, tip } = report;
        match tip.view {
            0 => format!("lock {lock}, no tip"),
            view => format!("lock {lock}, tip {} of view {view}", self.name(tip.block)),
        }
    }

    /// A certificate that allows a target and makes a voter adopt no more than it has to.
    fn reason(&self, view: u8, target: Target, options: &Options) -> String {
        let before = view - 1;
        let least = options.targets.iter().find(|(known, _)| *known == target);
        let least = least.map_or(0, |(_, least)| *least);
        let mut single = Options::default();
        let mut found = None;
        timeout_certs(&self.state, before, self.game.in_force, &mut |tc| {
            if found.is_none() {
                single.targets.clear();
                single.after_timeout(&self.state, tc, self.game.in_force);
                found = single.targets.contains(&(target, least)).then_some(*tc);
            }
        });
        match found.map(Entry::GivenUp) {
            Some(Entry::GivenUp(tc)) => self.certificate(&tc),
            Some(Entry::Certified) | None if before == 0 => "the start".to_owned(),
            Some(Entry::Certified) | None => format!("the certificate of view {before}"),
        }
    }

    fn certificate(&self, tc: &TimeoutCert) -> String {
        let reports: Vec<String> = tc.reports().iter().map(|r| self.report(r)).collect();
        let (view, inside) = (tc.view, tc.highest);
        format!(
            "a timeout certificate of view {view} with certificate {inside} [{}]",
            reports.join(" | ")
        )
    }
}

fn numbers(of: &[bool; HONEST]) -> String {
    let who = of.iter().enumerate().filter(|(_, votes)| **votes);
    who.map(|(index, _)| (index + 1).to_string()).collect::<Vec<_>>().join(", ")
}
