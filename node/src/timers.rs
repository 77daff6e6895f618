//! Moments that the replica asked for.
//!
//! # Invariants
//! A timer comes due once for each time it was asked for; one asked for twice at one moment
//! counts once. Bounded by the replica, which asks for a few timers a view.

use chorale_consensus::input::Timer;
use chorale_types::time::Instant;
use std::collections::BTreeSet;

/// Timers by moment.
#[derive(Debug, Default)]
pub struct Timers(BTreeSet<(Instant, Timer)>);

impl Timers {
    /// Asks for a timer.
    pub fn arm(&mut self, timer: Timer, at: Instant) {
        self.0.insert((at, timer));
    }

    /// The next timer that is due, the earliest first.
    pub fn pop_due(&mut self, now: Instant) -> Option<Timer> {
        let (at, timer) = *self.0.first()?;
        (at <= now).then(|| {
            self.0.pop_first();
            timer
        })
    }

    /// When the next one is due.
    #[must_use]
    pub fn next(&self) -> Option<Instant> {
        self.0.first().map(|(at, _)| *at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(micros: u64) -> Instant {
        Instant::from_micros(micros)
    }

    #[test]
    fn timers_come_due_in_order_of_their_moments() {
        let mut timers = Timers::default();
        timers.arm(Timer::Sync, at(30));
        timers.arm(Timer::Cut, at(10));
        timers.arm(Timer::Cut, at(20));
        timers.arm(Timer::Cut, at(20));
        assert_eq!((timers.next(), timers.pop_due(at(9))), (Some(at(10)), None));
        let due: Vec<_> = std::iter::from_fn(|| timers.pop_due(at(29))).collect();
        assert_eq!(due, [Timer::Cut, Timer::Cut]);
        assert_eq!(timers.pop_due(at(30)), Some(Timer::Sync));
        assert_eq!(timers.next(), None);
    }
}
