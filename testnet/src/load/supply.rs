//! A stock of signed transactions. A run of known length that fits into memory is signed whole
//! before its clock starts; any other starts with a full stock that threads keep topped up.
//!
//! # Invariants
//! A lane's transactions leave in the order in which they were signed. The stock never holds more
//! than [`STOCK_BYTES_MAX`].

use super::account::{Account, Signed};
use anyhow::{Context, Result};
use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// Most bytes of signed transactions in stock.
pub const STOCK_BYTES_MAX: u64 = 512 * 1024 * 1024;
/// Accounts of each lane; they take turns.
pub const ACCOUNTS_PER_LANE: u64 = 16;
/// How many seconds of load a rolling stock starts with.
const ROLLING_SECONDS: u64 = 5;
/// How often a rolling stock is topped up.
const TOP_UP_EVERY: Duration = Duration::from_millis(20);

/// A lane of load: what is sent to one rollup through one node. Its accounts send through no other
/// node, so that the order that a node promises can be checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LaneOf {
    /// The index of the node.
    pub node: usize,
    /// The index of the rollup in the testnet's list.
    pub rollup: usize,
    /// The rollup's id.
    pub rollup_id: u64,
}

/// How much is wanted.
#[derive(Clone, Copy, Debug)]
pub struct Demand {
    /// Transactions per second over all lanes.
    pub rate: u64,
    /// Bytes of each.
    pub size: usize,
    /// How long; `None` is until told to stop.
    pub seconds: Option<u64>,
}

impl Demand {
    /// How many transactions the whole run needs, if that is known and fits into the stock.
    #[must_use]
    pub fn whole(&self) -> Option<u64> {
        let count = self.rate.checked_mul(self.seconds?)?;
        let bytes = count.checked_mul(u64::try_from(self.size).ok()?)?;
        (bytes <= STOCK_BYTES_MAX).then_some(count)
    }

    /// How many to have in each of `lanes` lanes before the clock starts.
    fn first_stock(&self, lanes: u64) -> u64 {
        let size = u64::try_from(self.size).unwrap_or(u64::MAX);
        let fits = STOCK_BYTES_MAX / size.max(1);
        let wanted = match self.whole() {
            Some(count) => count,
            None => self.rate.saturating_mul(ROLLING_SECONDS).min(fits),
        };
        wanted.div_ceil(lanes).max(1)
    }
}

struct Lane {
    of: LaneOf,
    stock: Mutex<VecDeque<Signed>>,
}

/// The stock of all lanes.
pub struct Supply {
    lanes: Vec<Lane>,
    size: usize,
    per_lane: u64,
    signed: AtomicU64,
    ended: AtomicBool,
}

impl Supply {
    /// An empty stock for these lanes.
    #[must_use]
    pub fn new(lanes: &[LaneOf], demand: &Demand) -> Arc<Self> {
        let count = u64::try_from(lanes.len()).unwrap_or(u64::MAX).max(1);
        let lane = |of: &LaneOf| Lane { of: *of, stock: Mutex::default() };
        Arc::new(Self {
            lanes: lanes.iter().map(lane).collect(),
            size: demand.size,
            per_lane: demand.first_stock(count),
            signed: AtomicU64::new(0),
            ended: AtomicBool::new(false),
        })
    }

    /// How many have been signed, and how many the first stock is.
    #[must_use]
    pub fn progress(&self) -> (u64, u64) {
        let lanes = u64::try_from(self.lanes.len()).unwrap_or(u64::MAX);
        (self.signed.load(Ordering::Relaxed), self.per_lane.saturating_mul(lanes))
    }

    /// Starts one signing thread for each core. With `rolling` they go on until [`Self::end`].
    ///
    /// # Errors
    /// When the system has no randomness or starts no thread.
    pub fn sign_in_background(self: &Arc<Self>, rolling: bool) -> Result<Vec<JoinHandle<()>>> {
        let mut seed = [0; 32];
        getrandom::fill(&mut seed).context("no randomness")?;
        let threads = thread::available_parallelism().map_or(1, usize::from).min(self.lanes.len());
        let start = |which: usize| {
            let supply = Arc::clone(self);
            let work = move || supply.sign_share(&seed, which, threads, rolling);
            thread::Builder::new().name(format!("sign-{which}")).spawn(work).context("a thread")
        };
        (0..threads).map(start).collect()
    }

    fn sign_share(&self, seed: &[u8; 32], which: usize, threads: usize, rolling: bool) {
        let mine: Vec<(usize, &Lane)> =
            self.lanes.iter().enumerate().filter(|(i, _)| i % threads == which).collect();
        let account = |lane: usize, of: &LaneOf, index: u64| {
            Account::derive(seed, of.rollup_id, u64::try_from(lane).unwrap_or(0), index)
        };
        let mut signers: Vec<(VecDeque<Account>, &Lane)> = mine
            .iter()
            .map(|(i, lane)| {
                ((0..ACCOUNTS_PER_LANE).map(|k| account(*i, &lane.of, k)).collect(), *lane)
            })
            .collect();
        loop {
            for (accounts, lane) in &mut signers {
                while stock(lane).len() < usize::try_from(self.per_lane).unwrap_or(usize::MAX) {
                    if self.ended.load(Ordering::Relaxed) {
                        return;
                    }
                    accounts.rotate_left(1);
                    let signed = accounts[0].sign_next(self.size);
                    stock(lane).push_back(signed);
                    self.signed.fetch_add(1, Ordering::Relaxed);
                }
            }
            if !rolling || self.ended.load(Ordering::Relaxed) {
                return;
            }
            thread::sleep(TOP_UP_EVERY);
        }
    }

    /// Takes up to `count` of a lane's transactions, oldest first.
    #[must_use]
    pub fn take(&self, lane: usize, count: usize) -> Vec<Signed> {
        let mut stock = stock(&self.lanes[lane]);
        let count = count.min(stock.len());
        stock.drain(..count).collect()
    }

    /// Ends the threads.
    pub fn end(&self) {
        self.ended.store(true, Ordering::Relaxed);
    }
}

fn stock(lane: &Lane) -> MutexGuard<'_, VecDeque<Signed>> {
    lane.stock.lock().unwrap_or_else(PoisonError::into_inner)
}
