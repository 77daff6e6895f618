//! Waiting longer after each failure.

use std::time::Duration;

const FIRST: Duration = Duration::from_millis(50);
/// The longest wait between two tries.
const LONGEST: Duration = Duration::from_secs(2);

/// How long to wait before the next round over all endpoints: doubling, up to a bound.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Backoff(Duration);

impl Default for Backoff {
    fn default() -> Self {
        Self(FIRST)
    }
}

impl Backoff {
    /// The wait now; the next one is twice as long.
    pub(crate) fn next(&mut self) -> Duration {
        let now = self.0;
        self.0 = now.saturating_mul(2).min(LONGEST);
        now
    }

    pub(crate) fn reset(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_a_bound_and_start_anew() {
        let mut backoff = Backoff::default();
        let waits: Vec<Duration> = (0..8).map(|_| backoff.next()).collect();
        assert!(waits.windows(2).all(|pair| pair[0] <= pair[1]));
        assert_eq!(waits[7], LONGEST);
        backoff.reset();
        assert_eq!(backoff.next(), FIRST);
    }
}
