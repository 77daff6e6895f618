//! How long a view may take. (Rule T5.)

use chorale_types::ids::View;
use chorale_types::time::Instant;
use core::time::Duration;

/// Growth stops here: 1.5^4, about five base timeouts.
const BACKOFF_STEPS_MAX: u32 = 4;

/// The view timer: its base, and how often views in a row were given up.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Pacemaker {
    base: Duration,
    given_up: u32,
    view: View,
    entered: Instant,
}

impl Pacemaker {
    pub(crate) const fn new(base: Duration, view: View, entered: Instant) -> Self {
        Self { base, given_up: 0, view, entered }
    }

    /// A view is entered; `by_timeout` when the one before was given up.
    pub(crate) const fn enter(&mut self, view: View, by_timeout: bool, now: Instant) {
        self.view = view;
        self.entered = now;
        if by_timeout {
            self.given_up = self.given_up.saturating_add(1);
        }
    }

    /// Something was committed: the network is fast enough for the base again. `true` when that
    /// brings the current view's deadline forward, so that it must be asked for again.
    pub(crate) const fn committed(&mut self) -> bool {
        let shorter = self.given_up > 0;
        self.given_up = 0;
        shorter
    }

    /// When the view was entered.
    pub(crate) const fn entered(&self) -> Instant {
        self.entered
    }

    /// How long the current view may take: half as long again for each view given up since the
    /// last commit, up to about five times the base.
    pub(crate) fn timeout(&self) -> Duration {
        let steps = self.given_up.min(BACKOFF_STEPS_MAX);
        let (mut up, mut down) = (1_u32, 1_u32);
        for _ in 0..steps {
            up = up.saturating_mul(3);
            down = down.saturating_mul(2);
        }
        self.base.saturating_mul(up).checked_div(down).expect("a power of two")
    }

    /// When the current view is given up.
    pub(crate) fn deadline(&self) -> Instant {
        self.entered.after(self.timeout())
    }

    /// How often a timeout is sent again.
    pub(crate) fn resend_period(&self) -> Duration {
        self.base.checked_div(2).expect("two is not zero")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_timer_grows_by_half_for_each_view_given_up_and_stops_growing() {
        let mut pacemaker =
            Pacemaker::new(Duration::from_secs(1), View::new(1), Instant::default());
        let mut seen = Vec::new();
        for view in 2..9 {
            seen.push(pacemaker.timeout().as_millis());
            pacemaker.enter(View::new(view), true, Instant::default());
        }
        assert_eq!(seen, [1000, 1500, 2250, 3375, 5062, 5062, 5062]);
        assert!(pacemaker.committed(), "the deadline comes forward");
        assert_eq!(pacemaker.timeout().as_millis(), 1000);
    }
}
