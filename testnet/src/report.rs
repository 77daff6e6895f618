//! What a run came to: one line a second while it lasts, then a summary for people and for
//! programs, and the verdict that decides the exit code.

use crate::monitor::{NodeUse, Picture, rounded};
use crate::track::Counts;
use crate::track::latency::Percentiles;
use anyhow::{Context, Result};
use owo_colors::{OwoColorize, Stream};
use serde::Serialize;
use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

/// Everything about a run, as `--json` writes it. Times are in milliseconds, rates per second,
/// sizes in megabytes of a million bytes.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Summary {
    /// The totals.
    #[serde(flatten)]
    pub counts: Counts,
    /// Submitted, but not read by every follower when the wait was over.
    pub lost: u64,
    /// Final transactions, from the first sending to the last final one.
    pub tx_per_second: f64,
    /// Their bytes.
    pub mb_per_second: f64,
    /// From sending to a verified final frame at the rollup's first follower.
    pub latency_ms: Percentiles,
    /// From sending to the answer `available`.
    pub available_ms: Percentiles,
    /// Blocks committed during the run.
    pub blocks: u64,
    /// Time between two blocks, by their own times.
    pub block_interval_ms: Percentiles,
    /// The longest time between two blocks that any follower read while there was load.
    pub longest_commit_gap_ms: u64,
    /// Views given up, as the node that gave up most counts them; `null` if no node has said.
    pub timeouts: Option<u64>,
    /// What each node used.
    pub nodes: Vec<NodeUse>,
    /// What load and followers together used.
    pub client: NodeUse,
    /// Seconds from the first sending to the end of the load.
    pub seconds: f64,
    /// Whether everything was signed before the clock started.
    pub signed_before: bool,
    /// Whether histories were asked for and could not be written whole.
    pub history_incomplete: bool,
}

impl Default for NodeUse {
    fn default() -> Self {
        Self { name: "client".to_owned(), cpu_seconds: 0.0, rss_mb: 0.0 }
    }
}

impl Summary {
    /// What went wrong, in words; empty if nothing did.
    #[must_use]
    pub fn failures(&self) -> Vec<String> {
        let counts = &self.counts;
        let kinds = [
            (self.lost, "lost"),
            (counts.duplicated, "duplicated"),
            (counts.reordered, "reordered"),
            (counts.gaps, "gaps or repeats in a stream"),
            (counts.mismatched, "frames differ between followers"),
            (counts.unverifiable, "unverifiable"),
            (u64::from(self.history_incomplete), "history incomplete"),
        ];
        let bad = kinds.iter().filter(|(count, _)| *count > 0);
        bad.map(|(count, kind)| format!("{count} {kind}")).collect()
    }

    /// Fills in the rates from what was counted over `span` seconds.
    pub fn set_rates(&mut self, span: Option<f64>) {
        let Some(span) = span.filter(|span| *span > 0.0) else { return };
        self.tx_per_second = rounded(self.counts.finalized as f64 / span);
        self.mb_per_second = rounded(self.counts.final_bytes as f64 / 1e6 / span);
    }

    /// The summary as a person reads it.
    #[must_use]
    pub fn text(&self) -> String {
        let (c, mut out) = (&self.counts, String::new());
        let mut row = |name: &str, value: String| {
            writeln!(out, "  {name:<18}{value}").expect("a string takes everything");
        };
        row("offered", format!("{} in {:.1} s", c.offered, self.seconds));
        row("refused", with_reasons(c));
        row("submitted", format!("{} answered available or better", c.submitted));
        row("unknown", format!("{} ({} of them final)", c.unknown, c.unknown_final));
        row("retried", format!("{} offered to a second node", c.retried));
        row("final", format!("{} read and verified by every follower", c.finalized));
        row("lost", self.lost.to_string());
        row("duplicated", c.duplicated.to_string());
        row("reordered", c.reordered.to_string());
        row("unverifiable", (c.unverifiable + c.mismatched + c.gaps).to_string());
        row("rate", format!("{:.0} tx/s, {:.2} MB/s", self.tx_per_second, self.mb_per_second));
        row("to available", percentiles(self.available_ms));
        row("to final", percentiles(self.latency_ms));
        let interval = percentiles(self.block_interval_ms);
        row("blocks", format!("{}, one every {interval}", self.blocks));
        row("longest pause", format!("{} ms between commits", self.longest_commit_gap_ms));
        row("timeouts", known(self.timeouts));
        for node in self.nodes.iter().chain([&self.client]) {
            let NodeUse { name, cpu_seconds, rss_mb } = node;
            row(name, format!("{cpu_seconds:.1} s processor, {rss_mb:.0} MB"));
        }
        out
    }

    /// The last line: what it comes to, coloured on a terminal.
    #[must_use]
    pub fn verdict(&self) -> String {
        let failures = self.failures();
        let out = Stream::Stdout;
        if failures.is_empty() {
            let text = "nothing lost, doubled, reordered or unverifiable";
            return text.if_supports_color(out, |text| text.green()).to_string();
        }
        let text = format!("FAILED: {}", failures.join(", "));
        text.if_supports_color(out, |text| text.red()).to_string()
    }
}

fn with_reasons(counts: &Counts) -> String {
    let reasons = counts.refused_by.iter().map(|(code, count)| format!("{code} {count}"));
    let reasons = reasons.collect::<Vec<_>>().join(", ");
    if reasons.is_empty() {
        counts.refused.to_string()
    } else {
        format!("{} ({reasons})", counts.refused)
    }
}

fn known(count: Option<u64>) -> String {
    count.map_or("not known".to_owned(), |count| count.to_string())
}

fn percentiles(value: Percentiles) -> String {
    format!("{:.1} ms (p50), {:.1} ms (p99)", value.p50, value.p99)
}

/// The state of a run at one second.
#[derive(Clone, Debug, Default)]
pub struct Second {
    /// Since the clock started.
    pub elapsed: Duration,
    /// The nodes.
    pub picture: Picture,
    /// Answered `available` in this second.
    pub submitted: u64,
    /// Final in this second.
    pub finalized: u64,
    /// Submitted so far and not final.
    pub outstanding: u64,
    /// To final, of those that became final in this second.
    pub latency: Percentiles,
    /// What has gone wrong so far.
    pub failures: Vec<String>,
}

impl Second {
    /// The line for standard error, coloured on a terminal.
    #[must_use]
    pub fn line(&self) -> String {
        let err = Stream::Stderr;
        let Picture { height, leader, voting, nodes, timeouts, .. } = &self.picture;
        let mut line = format!(
            "{:>5}s  height {height:<7} {:>6} tx/s in  {:>6} tx/s final  waiting {:<6} \
             p50 {:>5.0} ms  p99 {:>5.0} ms  timeouts {:<4} leader {}",
            self.elapsed.as_secs(),
            self.submitted,
            self.finalized,
            self.outstanding,
            self.latency.p50,
            self.latency.p99,
            known(*timeouts),
            leader.as_deref().unwrap_or("?"),
        );
        if voting < nodes {
            let text = format!("  {voting} of {nodes} vote");
            line += &text.if_supports_color(err, |text| text.yellow()).to_string();
        }
        if let Some(why) = &self.picture.why_no_blocks {
            line += &format!("  {why}").if_supports_color(err, |text| text.yellow()).to_string();
        }
        for failure in &self.failures {
            line += &format!("  {failure}").if_supports_color(err, |text| text.red()).to_string();
        }
        line
    }
}

/// Writes a report as JSON to `file`, or to standard output when the file is `-`.
///
/// # Errors
/// When it cannot be written.
pub fn write_json<T: Serialize>(value: &T, file: &Path) -> Result<()> {
    let text = serde_json::to_string_pretty(value).context("encode the report")?;
    if file == Path::new("-") {
        println!("{text}");
        return Ok(());
    }
    std::fs::write(file, text + "\n").with_context(|| format!("write {}", file.display()))
}
