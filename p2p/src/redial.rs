//! When to try again: a schedule without chance, capped at one view timeout.

use std::time::Duration;

/// Doubling delays between attempts that fail one after the other.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Schedule {
    first: Duration,
    cap: Duration,
}

impl Schedule {
    /// Starts at a sixteenth of the view timeout and is capped at one.
    pub(crate) fn new(view_timeout: Duration) -> Self {
        Self { first: view_timeout / 16, cap: view_timeout }
    }

    /// How long to wait after `failures` failures in a row.
    pub(crate) fn delay(&self, failures: u32) -> Duration {
        match failures.checked_sub(1) {
            None => Duration::ZERO,
            Some(doublings) => {
                let factor = 2u32.saturating_pow(doublings.min(16));
                self.first.saturating_mul(factor).min(self.cap)
            }
        }
    }
}

/// Attempts at one thing: how often it failed in a row and when to try next.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Attempts {
    failures: u32,
    failed: Duration,
    next: Duration,
}

impl Attempts {
    /// When the next attempt is due, on the clock that the other methods are given.
    pub(crate) fn next(&self) -> Duration {
        self.next
    }

    /// Whether the latest attempt failed, and not before `since`.
    pub(crate) fn failed_after(&self, since: Duration) -> bool {
        self.failures > 0 && self.failed >= since
    }

    /// It failed at `now`.
    pub(crate) fn fail(&mut self, now: Duration, schedule: &Schedule) {
        self.failures = self.failures.saturating_add(1);
        self.failed = now;
        self.next = now + schedule.delay(self.failures);
    }

    /// What had begun at `since` ended at `now`: at once again if it had lasted a while.
    pub(crate) fn end(&mut self, since: Duration, now: Duration, schedule: &Schedule) {
        if now.saturating_sub(since) >= schedule.cap {
            self.failures = 0;
            self.next = now;
        } else {
            self.fail(now, schedule);
        }
    }

    /// Something speaks for success: try at `now`, whatever was planned.
    pub(crate) fn hasten(&mut self, now: Duration) {
        self.next = self.next.min(now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const VIEW_TIMEOUT: Duration = Duration::from_millis(1_600);

    #[test]
    fn delays_double_up_to_one_view_timeout_and_stay_there() {
        let schedule = Schedule::new(VIEW_TIMEOUT);
        let millis: Vec<_> = (0..9).map(|n| schedule.delay(n).as_millis()).collect();
        assert_eq!(millis, [0, 100, 200, 400, 800, 1_600, 1_600, 1_600, 1_600]);
        assert_eq!(schedule.delay(u32::MAX), VIEW_TIMEOUT);
    }

    #[test]
    fn what_lasted_is_tried_again_at_once_and_what_did_not_is_not() {
        let schedule = Schedule::new(VIEW_TIMEOUT);
        let mut attempts = Attempts::default();
        let at = Duration::from_millis;
        attempts.end(at(0), at(10), &schedule);
        assert_eq!(attempts.next(), at(110));
        attempts.end(at(110), at(120), &schedule);
        assert_eq!(attempts.next(), at(320));
        attempts.end(at(320), at(1_920), &schedule);
        assert_eq!((attempts.next(), attempts.failed_after(at(0))), (at(1_920), false));
    }

    #[test]
    fn hastening_never_delays() {
        let schedule = Schedule::new(VIEW_TIMEOUT);
        let mut attempts = Attempts::default();
        attempts.hasten(Duration::from_secs(5));
        assert_eq!(attempts.next(), Duration::ZERO);
        attempts.fail(Duration::from_secs(5), &schedule);
        attempts.hasten(Duration::from_secs(5));
        assert_eq!(attempts.next(), Duration::from_secs(5));
    }
}
