//! One run of load from the first signature to the summary: followers first, then the stock, then
//! the clock, then the wait until everything submitted has been read everywhere.

use super::account::{SIZE_MAX, SIZE_MIN, has_size};
use super::pace::{Pace, TICK};
use super::submit::{Answered, Sender};
use super::supply::{Demand, LaneOf, Supply};
use crate::clock::now_ns;
use crate::follow::{self, Followers};
use crate::home::{Home, State};
use crate::http::Http;
use crate::monitor::{Monitor, NodeUse, Picture, rounded};
use crate::process;
use crate::record::History;
use crate::report::{Second, Summary};
use crate::stop::Stop;
use crate::track::Tracker;
use crate::track::latency::{Durations, Percentiles};
use anyhow::{Result, bail};
use futures::StreamExt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::{Notify, Semaphore, watch};
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Requests that may wait for one node's answer; what falls due beyond that is refused here.
const REQUESTS_PER_NODE_MAX: usize = 256;
/// The wait for outstanding transactions ends after this long without progress.
const DRAIN_STALL: Duration = Duration::from_secs(20);
/// The wait for outstanding transactions ends after this long.
const DRAIN_LIMIT: Duration = Duration::from_secs(180);
/// Most blocks whose times are read for the block interval; the last ones.
const BLOCK_TIMES_MAX: u64 = 5_000;
/// Highest rate that can be asked for.
pub const RATE_MAX: u64 = 200_000;

/// What to run.
#[derive(Clone, Debug)]
pub struct Load {
    /// The testnet.
    pub home: Home,
    /// How much.
    pub demand: Demand,
    /// A node that no follower reads from, since it will be destroyed.
    pub unread: Option<usize>,
    /// What happens during the run, for whoever waits for it.
    pub events: Arc<Events>,
}

impl Load {
    /// A load on the testnet in `home` with followers everywhere.
    #[must_use]
    pub fn new(home: &Home, demand: Demand) -> Self {
        Self { home: home.clone(), demand, unread: None, events: Arc::default() }
    }
}

/// What happens during a run.
#[derive(Debug, Default)]
pub struct Events {
    /// Told once, when the clock starts.
    pub begun: Notify,
    /// The last answer of `available` or better.
    pub answered: watch::Sender<Option<Answered>>,
}

/// What every part of a run shares.
struct Run {
    state: State,
    lanes: Vec<LaneOf>,
    supply: Arc<Supply>,
    sender: Arc<Sender>,
    tracker: Arc<Mutex<Tracker>>,
}

impl Run {
    fn tracker(&self) -> MutexGuard<'_, Tracker> {
        self.tracker.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Runs load on a testnet that is up, and returns what it came to.
///
/// # Errors
/// When the demand is out of bounds, or a follower cannot start. Anything that goes wrong later is
/// in the summary.
pub async fn run(load: &Load, stop: &Stop) -> Result<Summary> {
    check(&load.demand)?;
    let run = Arc::new(prepare(load)?);
    let followers = open_followers(load, &run).await?;
    let signed_before = sign(&run, &load.demand, stop).await?;
    let mut monitor = Monitor::new(&load.home, Http::new()?)?;
    let start = monitor.look().await;
    let own_before = process::usage(std::process::id()).unwrap_or_default();

    let ended = CancellationToken::new();
    load.events.begun.notify_one();
    let watch = tokio::spawn(watch_nodes(Arc::clone(&run), monitor, ended.clone()));
    let clock = Instant::now();
    offer(&run, &load.demand, stop).await;
    run.supply.end();
    run.tracker().latency().on_load_end(now_ns());
    let seconds = clock.elapsed().as_secs_f64();
    drain(&run, stop).await;
    ended.cancel();
    let mut monitor = watch.await?;
    let complete = followers.finish().await;
    let history_incomplete = !(complete && run.sender.history().finish());

    let end = monitor.look().await;
    let mut summary = summary(&run, &monitor, &start, &end).await;
    summary.seconds = rounded(seconds);
    summary.signed_before = signed_before;
    summary.history_incomplete = history_incomplete;
    let own = process::usage(std::process::id()).unwrap_or_default();
    let cpu_ms = own.cpu_ms.saturating_sub(own_before.cpu_ms);
    let cpu_seconds = cpu_ms as f64 / 1_000.0;
    summary.client = NodeUse { cpu_seconds, rss_mb: rounded(own.rss_mb), ..NodeUse::default() };
    Ok(summary)
}

/// Checks that a demand is within bounds.
///
/// # Errors
/// With the bound that it breaks.
pub fn check(demand: &Demand) -> Result<()> {
    if demand.rate == 0 || demand.rate > RATE_MAX {
        bail!("--rate {}: must be 1 to {RATE_MAX} transactions a second", demand.rate);
    }
    if !has_size(demand.size) {
        let bounds = format!("{SIZE_MIN} to {SIZE_MAX}, and neither 259 nor 65540");
        bail!("--tx-bytes {}: EIP-1559 transactions here have {bounds} bytes", demand.size);
    }
    if demand.seconds == Some(0) {
        bail!("--seconds must be 1 or more");
    }
    Ok(())
}

fn prepare(load: &Load) -> Result<Run> {
    let state = load.home.load()?;
    let (nodes, rollups) = (state.nodes.len(), state.rollups.len());
    let lane = |i: usize| {
        let rollup = i / nodes;
        LaneOf { node: i % nodes, rollup, rollup_id: state.rollups[rollup] }
    };
    let lanes: Vec<LaneOf> = (0..nodes * rollups).map(lane).collect();
    let readers = follow::readers(nodes, load.unread);
    let tracker = Arc::new(Mutex::new(Tracker::new(lanes.len(), rollups, readers)));
    let folder = state.recording.then(|| load.home.record());
    let history = History::open(folder.as_deref(), "client.jsonl")?;
    let names = state.nodes.iter().map(|node| (node.name.clone(), node.http.clone())).collect();
    let sender = Sender::new(names, Arc::clone(&tracker), history, Arc::clone(&load.events))?;
    let sender = Arc::new(sender);
    Ok(Run { supply: Supply::new(&lanes, &load.demand), state, lanes, sender, tracker })
}

async fn open_followers(load: &Load, run: &Run) -> Result<Followers> {
    let folder = run.state.recording.then(|| load.home.record());
    let plan = follow::Plan {
        state: &run.state,
        unread: load.unread,
        tracker: Arc::clone(&run.tracker),
        record: folder.as_deref(),
    };
    Followers::open(plan).await
}

/// Fills the stock; says whether it holds the whole run.
async fn sign(run: &Run, demand: &Demand, stop: &Stop) -> Result<bool> {
    let rolling = demand.whole().is_none();
    let threads = run.supply.sign_in_background(rolling)?;
    let (began, mut told) = (Instant::now(), Instant::now());
    loop {
        let (signed, wanted) = run.supply.progress();
        let failed = !rolling && threads.iter().all(|t| t.is_finished()) && signed < wanted;
        if failed {
            bail!("signing ended at {signed} of {wanted}");
        }
        if signed >= wanted || stop.is_asked() {
            let took = began.elapsed().as_secs_f64();
            eprintln!("signed {signed} transactions in {took:.1} s");
            return Ok(!rolling);
        }
        if told.elapsed() >= Duration::from_secs(1) {
            told = Instant::now();
            eprintln!("signing: {signed} of {wanted}");
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Offers the load until its time is over or a stop is asked for, then waits for the answers.
async fn offer(run: &Arc<Run>, demand: &Demand, stop: &Stop) {
    let limit = demand.seconds.map(|seconds| demand.rate.saturating_mul(seconds));
    let mut pace = Pace::new(demand.rate, run.lanes.len(), limit);
    let room: Vec<_> =
        run.state.nodes.iter().map(|_| Arc::new(Semaphore::new(REQUESTS_PER_NODE_MAX))).collect();
    let (requests, mut number) = (TaskTracker::new(), 0_u64);
    let mut ticks = tokio::time::interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let clock = Instant::now();
    while !pace.is_over() && !stop.is_asked() {
        ticks.tick().await;
        for due in pace.due(clock.elapsed()) {
            let (of, count) = (run.lanes[due.lane], usize::try_from(due.count).unwrap_or(0));
            let Ok(permit) = Arc::clone(&room[of.node]).try_acquire_owned() else {
                run.tracker().on_held_back(due.count, "client_requests_in_flight");
                continue;
            };
            if run.tracker().is_full() {
                run.tracker().on_held_back(due.count, "client_tracker_full");
                continue;
            }
            let batch = run.supply.take(due.lane, count);
            if batch.len() < count {
                let missing = u64::try_from(count - batch.len()).unwrap_or(u64::MAX);
                run.tracker().on_held_back(missing, "client_not_signed_yet");
            }
            if batch.is_empty() {
                continue;
            }
            number += 1;
            let (sender, number) = (Arc::clone(&run.sender), number);
            requests.spawn(async move {
                sender.send(number, due.lane, of, batch).await;
                drop(permit);
            });
        }
    }
    requests.close();
    tokio::select! {
        () = requests.wait() => {}
        () = stop.hard() => {}
    }
}

/// Waits until every submitted transaction was read by every follower.
async fn drain(run: &Run, stop: &Stop) {
    let (began, mut moved, mut least) = (Instant::now(), Instant::now(), u64::MAX);
    while began.elapsed() < DRAIN_LIMIT && moved.elapsed() < DRAIN_STALL && !stop.is_hard() {
        let (outstanding, uncompared) = {
            let tracker = run.tracker();
            (tracker.outstanding(), tracker.uncompared() as u64)
        };
        if outstanding == 0 && uncompared == 0 {
            return;
        }
        if outstanding + uncompared < least {
            least = outstanding + uncompared;
            moved = Instant::now();
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Prints a line a second until `ended`; gives the monitor back.
async fn watch_nodes(run: Arc<Run>, mut monitor: Monitor, ended: CancellationToken) -> Monitor {
    let clock = Instant::now();
    let (mut submitted, mut finalized) = (0, 0);
    let mut seconds = tokio::time::interval(Duration::from_secs(1));
    seconds.set_missed_tick_behavior(MissedTickBehavior::Skip);
    seconds.tick().await;
    loop {
        tokio::select! {
            _ = seconds.tick() => {}
            () = ended.cancelled() => return monitor,
        }
        let picture = monitor.look().await;
        let mut tracker = run.tracker();
        let counts = tracker.counts().clone();
        let mut second = Second {
            elapsed: clock.elapsed(),
            picture,
            submitted: counts.submitted - submitted,
            finalized: counts.finalized - finalized,
            outstanding: tracker.outstanding(),
            ..Second::default()
        };
        second.latency = tracker.latency().recent.percentiles();
        tracker.latency().recent.clear();
        drop(tracker);
        (submitted, finalized) = (counts.submitted, counts.finalized);
        second.failures = Summary { counts, ..Summary::default() }.failures();
        eprintln!("{}", second.line());
    }
}

async fn summary(run: &Run, monitor: &Monitor, start: &Picture, end: &Picture) -> Summary {
    let block_interval_ms = block_intervals(monitor, start.height, end.height).await;
    let mut tracker = run.tracker();
    let (lost, counts) = (tracker.outstanding(), tracker.counts().clone());
    let latency = tracker.latency();
    let mut summary = Summary {
        counts,
        lost,
        latency_ms: latency.finalized.percentiles(),
        available_ms: latency.available.percentiles(),
        longest_commit_gap_ms: latency.longest_gap_ms(),
        blocks: end.height.saturating_sub(start.height),
        block_interval_ms,
        timeouts: end.timeouts,
        nodes: monitor.uses(),
        ..Summary::default()
    };
    summary.set_rates(latency.span_seconds());
    summary
}

/// Times between blocks, out of their headers at the highest node.
async fn block_intervals(monitor: &Monitor, start: u64, end: u64) -> Percentiles {
    let (Some(base), Ok(http)) = (monitor.highest(), Http::new()) else {
        return Percentiles::default();
    };
    let first = start.max(end.saturating_sub(BLOCK_TIMES_MAX)) + 1;
    let times = futures::stream::iter(first..=end)
        .map(|height| http.block_time(base, height))
        .buffered(8)
        .map(Result::ok);
    let times: Vec<Option<u64>> = times.collect().await;
    let mut intervals = Durations::default();
    for pair in times.windows(2) {
        if let [Some(before), Some(after)] = pair {
            intervals.add_us(after.saturating_sub(*before).saturating_mul(1_000));
        }
    }
    intervals.percentiles()
}
