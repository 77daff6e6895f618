//! Whether the search knows a state, or one that allows more.
//!
//! The search leaves out what another way makes worse ([`super::layer::Reach::Worst`]), and sorts
//! by view what happens in any order. Both are claims about runs, and both can be checked on
//! states: for every state reached the long way there is one in the search with the same blocks,
//! tips and final block, no lock higher and no report missing.

use super::layer::{Game, Reach, Watch};
use super::rule::{Property, Rules};
use super::search::{Order, search};
use super::state::{LOOSE, State};
use super::steps::explore;
use std::collections::BTreeMap;

/// A state without the locks: the certified blocks and the tree, then each tip.
type Shape = (Vec<u8>, [(u8, u8); 3]);
/// Each lock, and the lock reported.
type Locks = [(u8, Option<u8>); 3];

const ORDERS: [[usize; 3]; 6] = [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]];

fn shape(state: &State, order: [usize; 3]) -> (Shape, Locks) {
    let members = order.map(|index| state.members[index]);
    let mut named = Vec::new();
    let mut tree = [state.certified.as_slice(), &state.parent].concat();
    let tips = members.map(|member| {
        let block = member.tip.block;
        if block < LOOSE {
            return (member.tip.view, block);
        }
        let known = named.iter().position(|name| *name == block);
        let place = known.unwrap_or_else(|| {
            named.push(block);
            tree.push(state.parent_of(block));
            named.len() - 1
        });
        (member.tip.view, LOOSE + u8::try_from(place).expect("three at most"))
    });
    tree.extend([state.last_final, state.kept]);
    let locks = members.map(|member| (member.lock, member.report.map(|report| report.lock)));
    ((tree, tips), locks)
}

/// The states after a view, as the search knows them, in every order of the replicas.
#[derive(Debug)]
pub struct Known(BTreeMap<Shape, Vec<Locks>>);

impl Known {
    /// Searches.
    #[must_use]
    pub fn after(views: u8, jobs: usize) -> Self {
        let game = Game { in_force: Rules::ALL, watch: Watch::Both, reach: Reach::Worst };
        let mut known: BTreeMap<Shape, Vec<Locks>> = BTreeMap::new();
        for packed in search(&Order { views, game, jobs }, |_| ()).last {
            for order in ORDERS {
                let (shape, locks) = shape(&State::unpack(packed), order);
                known.entry(shape).or_default().push(locks);
            }
        }
        Self(known)
    }

    /// Whether one of them is this state, or allows all that it allows.
    #[must_use]
    pub fn has_worse(&self, state: &State) -> bool {
        let (shape, locks) = shape(state, [0, 1, 2]);
        let worse = |known: &Locks| {
            known.iter().zip(&locks).all(|((lock, reported), (more, said))| {
                lock <= more && said.is_none_or(|said| reported.is_some_and(|r| r <= said))
            })
        };
        self.0.get(&shape).is_some_and(|all| all.iter().any(worse))
    }
}

/// What came of going everywhere step by step.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Compared {
    /// Different places.
    pub states: u64,
    /// Steps from one to the next.
    pub transitions: u64,
    /// Places that end a view, looked up in the search.
    pub compared: u64,
    /// One that the search does not know.
    pub unknown: Option<State>,
    /// The first promise that broke.
    pub broken: Option<Property>,
}

/// Goes everywhere step by step, at most to `limit` places, and looks each up.
#[must_use]
pub fn compare_steps(views: u8, limit: u64, jobs: usize) -> Compared {
    let known: Vec<Known> = (1..=views).map(|view| Known::after(view, jobs)).collect();
    let (mut compared, mut unknown) = (0, None);
    let steps = explore(views, Rules::ALL, limit, |world| {
        for (view, known) in (1..).zip(&known) {
            let Some(state) = world.project(view) else { continue };
            compared += 1;
            if unknown.is_none() && !known.has_worse(&state) {
                unknown = Some(state);
            }
        }
    });
    Compared {
        states: steps.states,
        transitions: steps.transitions,
        compared,
        unknown,
        broken: steps.broken,
    }
}
