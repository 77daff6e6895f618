//! All walks of [`World`] there are, step by step, in every order.
//!
//! It reaches much less far than the search by views, and is how that is checked: nothing is
//! sorted here, and nothing left out but proposals that are refused. They do no more than the
//! certificates in them, which are shown by themselves too.

use super::honest::{Entry, Proposal};
use super::justified::timeout_certs;
use super::rule::{Property, Rules};
use super::state::State;
use super::timeout::{HONEST, TimeoutCert};
use super::world::{Event, World};
use std::collections::HashSet;

/// What was found.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Steps {
    /// Different places.
    pub states: u64,
    /// Steps from one to the next.
    pub transitions: u64,
    /// The first promise that broke.
    pub broken: Option<Property>,
}

/// Goes everywhere up to view `views`, or to `limit` places, and shows each place once.
#[must_use]
pub fn explore(views: u8, in_force: Rules, limit: u64, mut visit: impl FnMut(&World)) -> Steps {
    let start = World::default();
    let mut steps = Steps { states: 1, transitions: 0, broken: None };
    let mut seen = HashSet::from([start.clone()]);
    let mut open = vec![start];
    while let Some(world) = open.pop() {
        visit(&world);
        for to in 0..HONEST {
            each_event(&world, to, views, in_force, &mut |mut after: World, event: &Event| {
                let said = after.step(to, event, in_force);
                if matches!(event, Event::Proposal(_)) && said.prepared.is_none() {
                    return;
                }
                steps.transitions += 1;
                steps.broken = steps.broken.or(after.broken);
                if after != world && seen.insert(after.clone()) {
                    steps.states += 1;
                    open.push(after);
                }
            });
        }
        if steps.broken.is_some() || steps.states >= limit {
            return steps;
        }
    }
    steps
}

/// What can happen to a replica: the world in which it does (with a new block, where one is
/// proposed), and what it is. Two timeout certificates that carry the same one do the same to who
/// is shown them.
fn each_event(
    world: &World,
    to: usize,
    views: u8,
    in_force: Rules,
    each: &mut impl FnMut(World, &Event),
) {
    let replica = world.replicas[to];
    if replica.view <= views {
        each(world.clone(), &Event::Timer);
    }
    for view in (1..=views).filter(|view| world.certified(*view).is_some()) {
        each(world.clone(), &Event::Certificate(view));
    }
    for closed in 0..=views {
        let mut certs: Vec<TimeoutCert> = Vec::new();
        if closed > 0 {
            timeout_certs(&reported(world, closed), closed, in_force, &mut |tc| {
                if !certs.contains(tc) {
                    certs.push(*tc);
                }
            });
        }
        let mut highest: Vec<u8> = certs.iter().map(|tc| tc.highest).collect();
        highest.sort_unstable();
        highest.dedup();
        for inside in highest {
            let tc = certs.iter().find(|tc| tc.highest == inside).expect("one of them");
            each(world.clone(), &Event::Timeouts(*tc));
        }
        if closed < views && closed + 1 >= replica.view {
            each_proposal(world, closed + 1, &certs, each);
        }
    }
}

/// What was reported of a view, in the form that certificates are made from.
fn reported(world: &World, view: u8) -> State {
    let mut state = State::default();
    for (certified, block) in state.certified.iter_mut().zip(0..) {
        *certified = world.certified(block).unwrap_or(0);
    }
    for (member, report) in state.members.iter_mut().zip(world.reports[usize::from(view)]) {
        member.report = report;
    }
    state
}

fn each_proposal(
    world: &World,
    view: u8,
    certs: &[TimeoutCert],
    each: &mut impl FnMut(World, &Event),
) {
    let before = view - 1;
    let mut fresh = |entry: Entry, parent: u8| {
        let Some(on) = world.certified(parent) else { return };
        let same = |block: &u8| {
            let at = usize::from(*block);
            world.parents[at] == on && world.made_in[at] == view
        };
        let known: Vec<u8> = (1..world.blocks).filter(same).collect();
        let mut with_new = world.clone();
        let new = with_new.make_block(on, view).filter(|_| known.len() < HONEST);
        let proposal = |block| Proposal { view, block, entry, parent: Some(parent), oldest: 0 };
        for block in known {
            each(world.clone(), &Event::Proposal(proposal(block)));
        }
        if let Some(block) = new {
            each(with_new, &Event::Proposal(proposal(block)));
        }
    };
    if world.certified(before).is_some() {
        fresh(Entry::Certified, before);
    }
    for tc in certs {
        for parent in 0..=before {
            fresh(Entry::GivenUp(*tc), parent);
        }
    }
    for tc in certs {
        let mut blocks: Vec<u8> = tc.reports().iter().map(|report| report.tip.block).collect();
        blocks.sort_unstable();
        blocks.dedup();
        for block in blocks.into_iter().filter(|block| *block != 0) {
            let entry = Entry::GivenUp(*tc);
            let proposal = Proposal { view, block, entry, parent: None, oldest: 0 };
            each(world.clone(), &Event::Proposal(proposal));
        }
    }
}
