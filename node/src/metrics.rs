//! Every metric's name, unit and help, in one place. Names begin with `chorale_`; the wire's own
//! begin with `chorale_p2p_` and `libp2p_` and are appended to the same page.

use crate::faults::Faults;
use chorale_consensus::Status as Replica;
use chorale_consensus::note::Note;
use chorale_consensus::output::{Admission, Refusal};
use chorale_types::block::CommittedBlock;
use prometheus::core::Collector;
use prometheus::{
    Counter, CounterVec, Histogram, HistogramOpts, IntCounter, IntCounterVec, IntGauge,
    IntGaugeVec, Opts, Registry, TextEncoder,
};
use std::collections::BTreeMap;
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Instant;

/// Sets the gauges that are read off something else when somebody asks.
type Sampler = Box<dyn Fn(&Metrics) + Send + Sync>;

/// What is counted. Shared by every thread.
pub struct Metrics {
    registry: Registry,
    wire: OnceLock<Box<dyn Fn() -> String + Send + Sync>>,
    sampler: OnceLock<Sampler>,
    moments: Mutex<Moments>,
    /// What peers did wrong.
    pub faults: Faults,
    /// What threads do.
    pub work: Work,
    agreement: Agreement,
    data: Data,
}

/// When things happened last.
#[derive(Default)]
struct Moments {
    view: Option<Instant>,
    commit: Option<Instant>,
}

impl Default for Metrics {
    fn default() -> Self {
        let make = Maker(Registry::new());
        let faults = make.counters("chorale_bad_messages_total", "Faults of peers", "fault");
        Self {
            wire: OnceLock::new(),
            sampler: OnceLock::new(),
            moments: Mutex::default(),
            faults: Faults::new(faults),
            work: Work::new(&make),
            agreement: Agreement::new(&make),
            data: Data::new(&make),
            registry: make.0,
        }
    }
}

/// Registers what it makes.
struct Maker(Registry);

impl Maker {
    fn register<C: Collector + Clone + 'static>(&self, made: prometheus::Result<C>) -> C {
        let collector = made.expect("every name below is well formed");
        let registered = self.0.register(Box::new(collector.clone()));
        registered.expect("every name below is there once");
        collector
    }

    fn counter(&self, name: &str, help: &str) -> IntCounter {
        self.register(IntCounter::new(name, help))
    }

    fn counters(&self, name: &str, help: &str, label: &str) -> IntCounterVec {
        self.register(IntCounterVec::new(Opts::new(name, help), &[label]))
    }

    fn gauge(&self, name: &str, help: &str) -> IntGauge {
        self.register(IntGauge::new(name, help))
    }

    fn gauges(&self, name: &str, help: &str, label: &str) -> IntGaugeVec {
        self.register(IntGaugeVec::new(Opts::new(name, help), &[label]))
    }

    /// Buckets from `least` seconds, each double the one before.
    fn histogram(&self, name: &str, help: &str, least: f64) -> Histogram {
        let bounds = prometheus::exponential_buckets(least, 2.0, BUCKETS).expect("rising");
        self.register(Histogram::with_opts(HistogramOpts::new(name, help).buckets(bounds)))
    }
}

/// Buckets of a histogram: the last is 2^15 times the first.
const BUCKETS: usize = 16;

/// What threads do.
pub struct Work {
    /// Time to make a vote record durable.
    pub vote_sync: Histogram,
    /// Time to make a group of batches durable.
    pub batch_sync: Histogram,
    /// Peers' questions that got no answer because too many waited.
    pub unanswered: IntCounter,
    /// Peers' batches and answers dropped because too many bytes waited to be decoded.
    pub bulk_dropped: IntCounter,
    /// Signature checks, by what was checked.
    pub checks: IntCounterVec,
    /// Time they took.
    pub check_seconds: CounterVec,
    /// Inputs the replica took.
    pub inputs: IntCounter,
    /// Time the replica's thread was busy.
    pub step_busy: Counter,
    /// What waits in front of a thread.
    pub waiting: IntGaugeVec,
    /// Sizes of the replica's collections.
    pub sizes: IntGaugeVec,
}

impl Work {
    fn new(make: &Maker) -> Self {
        let vote_sync = "Time to make a vote record durable, blocks included";
        let batch_sync = "Time to make a group of batches durable";
        let unanswered = "Questions of peers dropped because too many waited";
        let bulk = "Batches and answers of peers dropped because too many bytes waited";
        let seconds = Opts::new("chorale_check_seconds_total", "Time that signature checks took");
        let busy = "Time the thread of the replica worked";
        let sizes = "Entries in collections of the replica";
        Self {
            vote_sync: make.histogram("chorale_vote_record_sync_seconds", vote_sync, 0.000_05),
            batch_sync: make.histogram("chorale_batch_sync_seconds", batch_sync, 0.000_05),
            unanswered: make.counter("chorale_unanswered_questions_total", unanswered),
            bulk_dropped: make.counter("chorale_bulk_dropped_total", bulk),
            checks: make.counters("chorale_checks_total", "Signature checks", "what"),
            check_seconds: make.register(CounterVec::new(seconds, &["what"])),
            inputs: make.counter("chorale_inputs_total", "Inputs the replica took"),
            step_busy: make.register(Counter::new("chorale_step_busy_seconds_total", busy)),
            waiting: make.gauges("chorale_waiting", "Things that wait for a thread", "queue"),
            sizes: make.gauges("chorale_replica_size", sizes, "collection"),
        }
    }
}

/// Views, votes, certificates and blocks.
struct Agreement {
    view: IntGauge,
    height: IntGauge,
    target_height: IntGauge,
    ordered_height: IntGauge,
    ordered_lag: IntGauge,
    views: IntCounterVec,
    view_seconds: Histogram,
    commit_interval: Histogram,
    commits: IntCounter,
    timeouts: IntCounter,
    qcs: IntCounterVec,
    ccs: IntCounter,
    tcs: IntCounterVec,
    proposals: IntCounterVec,
    votes: IntCounterVec,
    refused: IntCounter,
    caught_up: IntCounter,
    broken: IntCounter,
}

impl Agreement {
    fn new(make: &Maker) -> Self {
        let target = "The highest final height known to exist";
        let lag = "Final blocks that this node has not ordered yet";
        let view_seconds = "Time from entering a view to entering the next";
        let qcs = "QuorumCerts assembled here; backup: from votes inside timeouts";
        let tcs = "TimeoutCerts assembled here; with tips: a block must be proposed again";
        let refused = "Proposals that this node did not vote for";
        let caught_up = "Blocks learnt from peers by certificate";
        let broken = "Certificates that contradict what is final: a third of the stake is faulty";
        Self {
            view: make.gauge("chorale_consensus_view", "The current view"),
            height: make.gauge("chorale_consensus_height", "The last final height"),
            target_height: make.gauge("chorale_consensus_target_height", target),
            ordered_height: make.gauge("chorale_ordered_height", "How far this node has ordered"),
            ordered_lag: make.gauge("chorale_ordered_lag", lag),
            views: make.counters("chorale_views_entered_total", "Views entered", "by"),
            view_seconds: make.histogram("chorale_view_duration_seconds", view_seconds, 0.001),
            commit_interval: make.histogram(
                "chorale_commit_interval_seconds",
                "Time between final blocks",
                0.001,
            ),
            commits: make.counter("chorale_commits_total", "Blocks that became final here"),
            timeouts: make.counter("chorale_timeouts_total", "Views that this node gave up"),
            qcs: make.counters("chorale_qc_formed_total", qcs, "kind"),
            ccs: make.counter("chorale_cc_formed_total", "CommitCerts assembled here"),
            tcs: make.counters("chorale_tc_formed_total", tcs, "kind"),
            proposals: make.counters("chorale_proposals_total", "Blocks proposed here", "kind"),
            votes: make.counters("chorale_votes_total", "Votes of this node", "kind"),
            refused: make.counter("chorale_proposals_refused_total", refused),
            caught_up: make.counter("chorale_caught_up_blocks_total", caught_up),
            broken: make.counter("chorale_agreement_broken_total", broken),
        }
    }
}

/// Transactions and lanes.
struct Data {
    lane_events: IntCounterVec,
    batch_transactions: IntCounter,
    batch_bytes: IntCounter,
    admissions: IntCounterVec,
    ordered_transactions: IntCounter,
    skipped_transactions: IntCounter,
    dropped: IntCounterVec,
}

impl Data {
    fn new(make: &Maker) -> Self {
        let batch_transactions = "Transactions in batches of this node";
        let batch_bytes = "Transaction bytes in batches of this node";
        let admissions = "Transactions submitted here, by what became of them";
        let ordered = "Transactions delivered to rollups";
        let skipped = "Transactions ordered a second time and skipped";
        let dropped = "Things of peers dropped at a bound";
        Self {
            lane_events: make.counters("chorale_lane_events_total", "Events of lanes", "event"),
            batch_transactions: make
                .counter("chorale_batch_transactions_total", batch_transactions),
            batch_bytes: make.counter("chorale_batch_bytes_total", batch_bytes),
            admissions: make.counters(
                "chorale_submitted_transactions_total",
                admissions,
                "outcome",
            ),
            ordered_transactions: make.counter("chorale_ordered_transactions_total", ordered),
            skipped_transactions: make.counter("chorale_skipped_transactions_total", skipped),
            dropped: make.counters("chorale_dropped_total", dropped, "what"),
        }
    }
}

impl std::fmt::Debug for Metrics {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Metrics")
    }
}

impl Metrics {
    /// The content type of [`Self::text`].
    pub const CONTENT_TYPE: &'static str =
        "application/openmetrics-text; version=1.0.0; charset=utf-8";

    /// Appends the wire's metrics, which end with `# EOF`, to the page.
    pub fn set_wire(&self, text: impl Fn() -> String + Send + Sync + 'static) {
        self.wire.get_or_init(|| Box::new(text));
    }

    /// Sets gauges that are read only when somebody looks.
    pub fn set_sampler(&self, sample: impl Fn(&Self) + Send + Sync + 'static) {
        self.sampler.get_or_init(|| Box::new(sample));
    }

    /// The body of `/metrics`: the node's own metrics, then the wire's, ended by `# EOF`.
    #[must_use]
    pub fn text(&self) -> String {
        if let Some(sample) = self.sampler.get() {
            sample(self);
        }
        let mut text = String::new();
        let encoded = TextEncoder::new().encode_utf8(&self.registry.gather(), &mut text);
        encoded.expect("every metric has a name and a value");
        match self.wire.get() {
            Some(wire) => text.push_str(&wire()),
            None => text.push_str("# EOF\n"),
        }
        text
    }

    /// The replica took a turn.
    pub fn on_status(&self, replica: &Replica) {
        let set = |gauge: &IntGauge, value| gauge.set(i64::try_from(value).unwrap_or(i64::MAX));
        set(&self.agreement.view, replica.view.get());
        set(&self.agreement.height, replica.height.get());
        set(&self.agreement.target_height, replica.target_height.get());
        set(&self.agreement.ordered_height, replica.ordered_height.get());
        set(&self.agreement.ordered_lag, replica.height.above(replica.ordered_height));
    }

    /// A submit call was answered.
    pub fn on_admitted(&self, admissions: &[Admission]) {
        let mut counts: BTreeMap<&'static str, u64> = BTreeMap::new();
        for admission in admissions {
            let count = counts.entry(outcome(admission)).or_default();
            *count = count.saturating_add(1);
        }
        for (outcome, count) in counts {
            self.data.admissions.with_label_values(&[outcome]).inc_by(count);
        }
    }

    /// A block is final.
    pub fn on_commit(&self, _: &CommittedBlock) {
        self.agreement.commits.inc();
        let mut moments = self.moments.lock().unwrap_or_else(PoisonError::into_inner);
        observe_since(&mut moments.commit, &self.agreement.commit_interval);
    }

    /// A block is ordered.
    pub fn on_ordered(&self, delivered: usize, skipped: usize) {
        self.data.ordered_transactions.inc_by(u64::try_from(delivered).unwrap_or(u64::MAX));
        self.data.skipped_transactions.inc_by(u64::try_from(skipped).unwrap_or(u64::MAX));
    }

    /// Something happened in the replica.
    pub fn on_note(&self, note: &Note) {
        let count = |counters: &IntCounterVec, label| counters.with_label_values(&[label]).inc();
        let size = |value: usize| u64::try_from(value).unwrap_or(u64::MAX);
        match note {
            Note::EnteredView { by_timeout, .. } => {
                count(
                    &self.agreement.views,
                    if *by_timeout { "timeout_cert" } else { "quorum_cert" },
                );
                let mut moments = self.moments.lock().unwrap_or_else(PoisonError::into_inner);
                observe_since(&mut moments.view, &self.agreement.view_seconds);
            }
            Note::Proposed { .. } => count(&self.agreement.proposals, "fresh"),
            Note::Reproposed { .. } => count(&self.agreement.proposals, "again"),
            Note::Voted { kind, .. } => count(
                &self.agreement.votes,
                match kind {
                    chorale_types::vote::VoteKind::Prepare => "prepare",
                    chorale_types::vote::VoteKind::Commit => "commit",
                },
            ),
            Note::TimedOut { .. } => self.agreement.timeouts.inc(),
            Note::QuorumCertFormed { backup, .. } => {
                count(&self.agreement.qcs, if *backup { "backup" } else { "votes" });
            }
            Note::CommitCertFormed { .. } => self.agreement.ccs.inc(),
            Note::TimeoutCertFormed { tips, .. } => {
                count(&self.agreement.tcs, if *tips > 0 { "with_tips" } else { "plain" });
            }
            Note::Committed { .. } | Note::WentDown { .. } => {}
            Note::CaughtUp { from, to } => self.agreement.caught_up.inc_by(to.above(*from)),
            Note::LaneEquivocation { .. } => count(&self.data.lane_events, "equivocation"),
            Note::LaneLost(_) => count(&self.data.lane_events, "lost"),
            Note::RescueSent { .. } => count(&self.data.lane_events, "rescue_sent"),
            Note::Rescued { .. } => count(&self.data.lane_events, "rescued"),
            Note::BatchCut { transactions, bytes, .. } => {
                count(&self.data.lane_events, "batch_cut");
                self.data.batch_transactions.inc_by(size(*transactions));
                self.data.batch_bytes.inc_by(size(*bytes));
            }
            Note::BatchAvailable { .. } => count(&self.data.lane_events, "batch_available"),
            Note::Refused { .. } => self.agreement.refused.inc(),
            Note::AgreementBroken { .. } => self.agreement.broken.inc(),
            Note::Dropped { what, .. } => count(&self.data.dropped, what),
        }
    }
}

/// The label of what became of a transaction.
const fn outcome(admission: &Admission) -> &'static str {
    match admission {
        Admission::Accepted => "accepted",
        Admission::AlreadyKnown => "already_known",
        Admission::Refused(refusal) => match refusal {
            Refusal::UnknownRollup { .. } => "unknown_rollup",
            Refusal::Empty => "empty",
            Refusal::TooLarge { .. } => "too_large",
            Refusal::QueueFull { .. } => "queue_full",
            Refusal::NoLane => "no_lane",
        },
    }
}

/// Observes the time since `last`, which becomes now.
fn observe_since(last: &mut Option<Instant>, histogram: &Histogram) {
    let now = Instant::now();
    if let Some(before) = last.replace(now) {
        histogram.observe(now.duration_since(before).as_secs_f64());
    }
}

#[cfg(test)]
mod tests;
