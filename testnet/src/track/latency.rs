//! Times of a run: how long until `available` and until `final`, how long the chain paused.

use hdrhistogram::Histogram;
use serde::Serialize;

/// The longest time told apart, ten minutes in microseconds; longer ones count as this.
const LONGEST_US: u64 = 600_000_000;

/// The middle and the slow end, in milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Percentiles {
    /// Half took no longer.
    pub p50: f64,
    /// All but one in a hundred took no longer.
    pub p99: f64,
}

/// A set of durations, held as a histogram of three digits.
#[derive(Clone, Debug)]
pub struct Durations(Histogram<u64>);

impl Default for Durations {
    fn default() -> Self {
        Self(Histogram::new_with_bounds(1, LONGEST_US, 3).expect("bounds in rising order"))
    }
}

impl Durations {
    /// Adds one, in microseconds.
    pub fn add_us(&mut self, us: u64) {
        self.0.saturating_record(us.max(1));
    }

    /// Forgets all.
    pub fn clear(&mut self) {
        self.0.clear();
    }

    /// The percentiles; zeros while there is none.
    #[must_use]
    pub fn percentiles(&self) -> Percentiles {
        let at = |quantile| self.0.value_at_quantile(quantile) as f64 / 1_000.0;
        if self.0.is_empty() {
            return Percentiles::default();
        }
        Percentiles { p50: at(0.5), p99: at(0.99) }
    }
}

/// All times of a run. Instants are monotonic nanoseconds.
#[derive(Clone, Debug, Default)]
pub struct Latency {
    /// From sending to the answer `available`.
    pub available: Durations,
    /// From sending to a verified final frame at the rollup's first follower.
    pub finalized: Durations,
    /// As `finalized`, since it was last cleared.
    pub recent: Durations,
    first_invoke: Option<u64>,
    last_final: Option<u64>,
    newest: Option<(u64, u64)>,
    longest_gap: u64,
    gaps_end: Option<u64>,
}

impl Latency {
    /// A request leaves.
    pub fn on_invoke(&mut self, at: u64) {
        self.first_invoke.get_or_insert(at);
    }

    /// An answer came after `nanos`.
    pub fn on_available(&mut self, nanos: u64) {
        self.available.add_us(nanos / 1_000);
    }

    /// A transaction was read `nanos` after it was sent.
    pub fn on_final(&mut self, at: u64, nanos: u64) {
        self.finalized.add_us(nanos / 1_000);
        self.recent.add_us(nanos / 1_000);
        self.last_final = self.last_final.max(Some(at));
    }

    /// Some follower read a block of this height.
    pub fn on_height(&mut self, at: u64, height: u64) {
        match self.newest {
            Some((_, newest)) if newest >= height => return,
            Some((before, _)) => self.add_gap(before, at),
            None => {}
        }
        self.newest = Some((at, height));
    }

    /// The load is over: from here on nothing keeps blocks coming, and pauses do not count.
    pub fn on_load_end(&mut self, at: u64) {
        if let Some((before, _)) = self.newest {
            self.add_gap(before, at);
        }
        self.gaps_end = Some(at);
    }

    fn add_gap(&mut self, before: u64, at: u64) {
        let at = self.gaps_end.unwrap_or(at).min(at);
        self.longest_gap = self.longest_gap.max(at.saturating_sub(before));
    }

    /// The longest time between two commits that any follower saw while there was load, in
    /// milliseconds.
    #[must_use]
    pub const fn longest_gap_ms(&self) -> u64 {
        self.longest_gap / 1_000_000
    }

    /// Seconds from the first sending to the last final transaction.
    #[must_use]
    pub fn span_seconds(&self) -> Option<f64> {
        let nanos = self.last_final?.checked_sub(self.first_invoke?)?;
        Some(nanos as f64 / 1e9)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_of_known_durations() {
        let mut durations = Durations::default();
        assert_eq!(durations.percentiles(), Percentiles::default());
        (1..=100).for_each(|ms| durations.add_us(ms * 1_000));
        let Percentiles { p50, p99 } = durations.percentiles();
        assert!((p50 - 50.0).abs() < 0.1 && (p99 - 99.0).abs() < 0.2, "{p50} {p99}");
    }

    #[test]
    fn the_longest_pause_counts_only_new_heights_under_load() {
        let mut latency = Latency::default();
        let ms = |n: u64| n * 1_000_000;
        for (at, height) in [(ms(10), 1), (ms(30), 2), (ms(500), 2), (ms(530), 4), (ms(540), 3)] {
            latency.on_height(at, height);
        }
        assert_eq!(latency.longest_gap_ms(), 500);
        latency.on_load_end(ms(1_200));
        assert_eq!(latency.longest_gap_ms(), 670, "a stall at the end counts");
        latency.on_height(ms(9_000), 5);
        assert_eq!(latency.longest_gap_ms(), 670, "a pause after the load does not");
    }
}
