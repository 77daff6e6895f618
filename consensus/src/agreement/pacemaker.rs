//! How long a view may take. (Rule T5.)

use chorale_types::ids::View;
use chorale_types::museum::{Bug, planted};
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
    deadline: Instant,
}

impl Pacemaker {
    pub(crate) fn new(base: Duration, view: View, entered: Instant) -> Self {
        Self { base, given_up: 0, view, entered, deadline: entered.after(base) }
    }

    /// A view is entered; `given_up` when this replica or a quorum gave up the one before.
    pub(crate) fn enter(&mut self, view: View, given_up: bool, now: Instant) {
        self.view = view;
        self.entered = now;
        if given_up {
            self.given_up = self.given_up.saturating_add(1);
        }
        self.deadline = now.after(self.timeout());
    }

    /// Something was committed: the network is fast enough for the base again. `true` when that
    /// brings the current view's deadline forward, so that it must be asked for again; it always
    /// leaves one base timeout from now.
    pub(crate) fn committed(&mut self, now: Instant) -> bool {
        if !planted(Bug::BackoffNeverResets) {
            self.given_up = 0;
        }
        let earlier = now.after(self.base);
        let forward = earlier < self.deadline;
        self.deadline = self.deadline.min(earlier);
        forward
    }

    /// When the view was entered.
    pub(crate) const fn entered(&self) -> Instant {
        self.entered
    }

    /// How long the current view may take: half as long again for each view given up since the
    /// last commit, up to about five times the base.
    fn timeout(&self) -> Duration {
        let most = if planted(Bug::BackoffUncapped) { 19 } else { BACKOFF_STEPS_MAX };
        let steps = self.given_up.min(most);
        let (mut up, mut down) = (1_u32, 1_u32);
        for _ in 0..steps {
            up = up.saturating_mul(3);
            down = down.saturating_mul(2);
        }
        self.base.saturating_mul(up).checked_div(down).expect("a power of two")
    }

    /// When the current view is given up.
    pub(crate) const fn deadline(&self) -> Instant {
        self.deadline
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
        assert!(pacemaker.committed(Instant::default()), "the deadline comes forward");
        assert_eq!(pacemaker.deadline(), Instant::from_micros(1_000_000));
        assert_eq!(pacemaker.timeout().as_millis(), 1000);
    }
}
