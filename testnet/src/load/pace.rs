//! What is due when. The rate is constant and does not wait for answers (an open loop). Transaction
//! `j` of the run belongs to lane `j mod lanes`; each tick a few lanes in turn hand over all that
//! has fallen due for them, so that the cost of HTTP is bounded and all shares are equal.
//!
//! # Invariants
//! Over a run of `n` transactions, each lane hands over exactly its share of `n`.

use std::time::Duration;

/// Time between two looks at the clock.
pub const TICK: Duration = Duration::from_millis(10);
/// Transactions that a request should carry, where the rate allows.
const REQUEST_TRANSACTIONS: u64 = 8;
/// Transactions that a request carries at most.
const REQUEST_TRANSACTIONS_MAX: u64 = chorale_types::limits::SUBMIT_TRANSACTIONS_MAX as u64;

/// One request that is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Due {
    /// The lane whose turn it is.
    pub lane: usize,
    /// How many transactions; 1 or more.
    pub count: u64,
}

/// The schedule of one run.
#[derive(Clone, Debug)]
pub struct Pace {
    rate: u64,
    limit: Option<u64>,
    total: u64,
    given: Vec<u64>,
    turn: usize,
}

impl Pace {
    /// `rate` transactions a second over `lanes` lanes, `limit` in all.
    ///
    /// # Panics
    /// Without a lane.
    #[must_use]
    pub fn new(rate: u64, lanes: usize, limit: Option<u64>) -> Self {
        assert!(lanes > 0, "a load has at least one lane");
        Self { rate, limit, total: 0, given: vec![0; lanes], turn: 0 }
    }

    /// What to send now, `elapsed` after the start.
    pub fn due(&mut self, elapsed: Duration) -> Vec<Due> {
        let total = u128::from(self.rate) * elapsed.as_micros() / 1_000_000;
        let total = u64::try_from(total).unwrap_or(u64::MAX).min(self.limit.unwrap_or(u64::MAX));
        let fresh = total.saturating_sub(self.total);
        self.total = self.total.max(total);
        let lanes = self.given.len();
        let visits = usize::try_from(fresh.div_ceil(REQUEST_TRANSACTIONS)).unwrap_or(lanes);
        // At the end every lane hands over what it still holds.
        let visits = if self.limit == Some(self.total) { lanes } else { visits.clamp(1, lanes) };
        let mut out = Vec::new();
        let mut visited = 0;
        for _ in 0..lanes {
            let lane = self.turn;
            if visited == visits {
                break;
            }
            self.turn = (self.turn + 1) % lanes;
            visited += usize::from(self.hand_over(lane, &mut out));
        }
        out
    }

    fn hand_over(&mut self, lane: usize, out: &mut Vec<Due>) -> bool {
        let mut left = share(self.total, self.given.len(), lane) - self.given[lane];
        let any = left > 0;
        self.given[lane] += left;
        while left > 0 {
            let count = left.min(REQUEST_TRANSACTIONS_MAX);
            out.push(Due { lane, count });
            left -= count;
        }
        any
    }

    /// Whether everything has been given out.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.limit.is_some_and(|limit| self.given.iter().sum::<u64>() >= limit)
    }
}

/// How many of `total` transactions belong to `lane`.
#[must_use]
pub fn share(total: u64, lanes: usize, lane: usize) -> u64 {
    let (lanes, lane) = (lanes as u64, lane as u64);
    total / lanes + u64::from(lane < total % lanes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn shares_are_equal_and_the_whole_is_exact_however_unevenly_the_clock_is_read() {
        let mut pace = Pace::new(2_000, 12, Some(2_003));
        let mut given = vec![0; 12];
        let times = (0..50).map(|i| i * 7).chain([600, 601, 602, 950, 1_001, 1_002, 1_003]);
        for due in times.flat_map(|t| pace.due(ms(t))) {
            given[due.lane] += due.count;
        }
        assert!(pace.is_over());
        assert_eq!(given, (0..12).map(|lane| share(2_003, 12, lane)).collect::<Vec<_>>());
        assert_eq!(given.iter().sum::<u64>(), 2_003);
    }

    #[test]
    fn a_steady_rate_leaves_in_a_few_requests_a_tick() {
        let mut pace = Pace::new(2_000, 12, None);
        let ticks: Vec<usize> = (1..=100).map(|tick| pace.due(TICK * tick).len()).collect();
        assert!(ticks.iter().all(|requests| *requests == 3), "{ticks:?}");
        let late = 2_000 - pace.given.iter().sum::<u64>();
        assert!(late < 60, "{late} are held back by more than one round of turns");
    }

    #[test]
    fn a_backlog_is_cut_into_allowed_requests() {
        let mut pace = Pace::new(100_000, 2, None);
        let due = pace.due(ms(1_000));
        assert_eq!(due.iter().map(|d| d.count).sum::<u64>(), 100_000);
        assert!(due.iter().all(|d| d.count <= REQUEST_TRANSACTIONS_MAX));
    }

    #[test]
    fn a_slow_rate_waits_for_a_whole_transaction_and_no_longer() {
        let mut pace = Pace::new(1, 4, None);
        assert!(pace.due(ms(999)).is_empty());
        assert_eq!(pace.due(ms(1_000)), [Due { lane: 0, count: 1 }]);
        assert!(pace.due(ms(1_010)).is_empty());
        assert_eq!(pace.due(ms(2_000)), [Due { lane: 1, count: 1 }]);
    }
}
