//! Level by level through all states, a view at a time, on a few threads.
//!
//! Every state of a view is kept, as 16 bytes and exactly: no two states are ever taken for one.
//! The level before is dropped from the table and kept as a sorted list, from which a
//! counterexample is worked out backwards. What is found does not depend on the threads; only how
//! many states of the last view were seen by then does, where something breaks.

use super::layer::{Game, Move, Workspace};
use super::rule::Property;
use super::state::State;
use std::collections::HashSet;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Parts of the table of states, each with a lock of its own.
const SHARDS: usize = 64;
/// States that a thread takes at once.
const CHUNK: usize = 64;
/// States that a thread gathers for a part before it takes the lock.
const BATCH: usize = 256;
/// How often progress is told.
const PROGRESS: Duration = Duration::from_secs(2);

/// What to search.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Order {
    /// Views, at most [`super::state::VIEWS_MAX`].
    pub views: u8,
    /// How each is played.
    pub game: Game,
    /// Threads.
    pub jobs: usize,
}

/// What one view added.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Level {
    /// The view.
    pub view: u8,
    /// States after it.
    pub states: u64,
    /// Ways from the states before to the states after.
    pub transitions: u64,
}

/// A broken promise, and the states that lead to it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Broken {
    /// Which promise.
    pub property: Property,
    /// The states after each view, from the first on, up to the view in which it breaks.
    pub path: Vec<u128>,
    /// The view in which it breaks.
    pub view: u8,
}

/// What a search found.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Found {
    /// Each view.
    pub levels: Vec<Level>,
    /// The states after the last view worked out, sorted.
    pub last: Vec<u128>,
    /// What broke, if anything.
    pub broken: Option<Broken>,
    /// How long it took.
    pub took: Duration,
}

/// A hash of 128 bits that are spread badly.
#[derive(Default)]
struct Mix(u64);

impl Hasher for Mix {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u128(u128::from(*byte));
        }
    }

    fn write_u128(&mut self, bits: u128) {
        let low = u64::try_from(bits & u128::from(u64::MAX)).expect("64 bits");
        let high = u64::try_from(bits >> 64).expect("64 bits");
        let folded = (self.0 ^ low).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(31);
        let mixed = (folded ^ high).wrapping_mul(0xc2b2_ae3d_27d4_eb4f);
        self.0 = mixed ^ (mixed >> 29);
    }
}

type Table = HashSet<u128, BuildHasherDefault<Mix>>;

fn shard_of(packed: u128) -> usize {
    let mut mix = Mix::default();
    mix.write_u128(packed);
    usize::try_from(mix.finish() >> 58).expect("six bits")
}

/// What the threads share while they play one view.
struct Shared<'a> {
    order: &'a Order,
    view: u8,
    from: &'a [u128],
    next: AtomicUsize,
    done: AtomicUsize,
    transitions: AtomicU64,
    table: Vec<Mutex<Table>>,
    /// The first state from which a promise breaks.
    broken: Mutex<Option<(usize, Property)>>,
    limit: AtomicUsize,
}

/// Plays all views, or up to the first in which a promise breaks.
#[must_use]
pub fn search(order: &Order, mut progress: impl FnMut(&str)) -> Found {
    let begun = Instant::now();
    let mut levels = Vec::new();
    let mut lists = vec![vec![State::default().pack()]];
    for view in 1..=order.views {
        let from = lists.last().expect("the first is there");
        let (list, transitions, broken) = play_level(order, view, from, &mut progress);
        let states = u64::try_from(list.len()).expect("fits");
        levels.push(Level { view, states, transitions });
        if let Some((index, property)) = broken {
            let path = path_to(order, &lists, from[index]);
            let broken = Some(Broken { property, path, view });
            return Found { levels, last: list, broken, took: begun.elapsed() };
        }
        lists.push(list);
    }
    let last = lists.pop().expect("the first is there");
    Found { levels, last, broken: None, took: begun.elapsed() }
}

type Played = (Vec<u128>, u64, Option<(usize, Property)>);

fn play_level(order: &Order, view: u8, from: &[u128], progress: &mut impl FnMut(&str)) -> Played {
    let shared = Shared {
        order,
        view,
        from,
        next: AtomicUsize::new(0),
        done: AtomicUsize::new(0),
        transitions: AtomicU64::new(0),
        table: (0..SHARDS).map(|_| Mutex::default()).collect(),
        broken: Mutex::new(None),
        limit: AtomicUsize::new(from.len()),
    };
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..order.jobs).map(|_| scope.spawn(|| work(&shared))).collect();
        let mut told = Instant::now();
        while !threads.iter().all(std::thread::ScopedJoinHandle::is_finished) {
            std::thread::park_timeout(Duration::from_millis(1));
            if told.elapsed() >= PROGRESS {
                told = Instant::now();
                progress(&shared.say());
            }
        }
    });
    let transitions = shared.transitions.into_inner();
    let broken = shared.broken.into_inner().unwrap_or_else(PoisonError::into_inner);
    let mut list = Vec::new();
    for shard in shared.table {
        list.extend(shard.into_inner().unwrap_or_else(PoisonError::into_inner));
    }
    list.sort_unstable();
    (list, transitions, broken)
}

impl Shared<'_> {
    fn say(&self) -> String {
        let states: usize = self.table.iter().map(|shard| locked(shard).len()).sum();
        let (done, of) = (self.done.load(Ordering::Relaxed), self.from.len());
        let transitions = self.transitions.load(Ordering::Relaxed);
        let view = self.view;
        format!("view {view}: {done} of {of} states, {transitions} transitions, {states} new")
    }

    fn flush(&self, shard: usize, batch: &mut Vec<u128>) {
        locked(&self.table[shard]).extend(batch.drain(..));
    }

    fn broken(&self, index: usize, property: Property) {
        let mut first = locked(&self.broken);
        if first.is_none_or(|(known, _)| index < known) {
            *first = Some((index, property));
            self.limit.fetch_min(index, Ordering::Relaxed);
        }
    }
}

fn locked<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// One thread: takes states in their order until there are none, or none before the first from
/// which a promise breaks.
fn work(shared: &Shared<'_>) {
    let mut workspace = Workspace::default();
    let mut batches: Vec<Vec<u128>> = vec![Vec::new(); SHARDS];
    let how = (shared.view, shared.order.game);
    loop {
        let start = shared.next.fetch_add(CHUNK, Ordering::Relaxed);
        let end = (start + CHUNK).min(shared.from.len());
        if start >= shared.limit.load(Ordering::Relaxed) {
            break;
        }
        let mut transitions = 0;
        for (index, packed) in shared.from.iter().enumerate().take(end).skip(start) {
            let state = State::unpack(*packed);
            workspace.play(&state, how, &mut |after: &State, how: &Move| {
                transitions += 1;
                if let Some(property) = how.broken {
                    shared.broken(index, property);
                    return false;
                }
                let packed = after.canonical().pack();
                let shard = shard_of(packed);
                batches[shard].push(packed);
                if batches[shard].len() == BATCH {
                    shared.flush(shard, &mut batches[shard]);
                }
                true
            });
        }
        shared.transitions.fetch_add(transitions, Ordering::Relaxed);
        shared.done.fetch_add(end - start, Ordering::Relaxed);
    }
    for (shard, batch) in batches.iter_mut().enumerate() {
        shared.flush(shard, batch);
    }
}

/// One state of each level that leads to `last`, which is of the last of `lists`.
fn path_to(order: &Order, lists: &[Vec<u128>], last: u128) -> Vec<u128> {
    let mut path = vec![last];
    let mut workspace = Workspace::default();
    for view in (1..lists.len()).rev() {
        let wanted = path[path.len() - 1];
        let how = (u8::try_from(view).expect("few views"), order.game);
        let leads = |packed: &&u128| {
            let state = State::unpack(**packed);
            !workspace.play(&state, how, &mut |after: &State, _: &Move| {
                after.canonical().pack() != wanted
            })
        };
        let before = lists[view - 1].iter().find(leads).expect("it was found from there");
        path.push(*before);
    }
    path.reverse();
    path
}
