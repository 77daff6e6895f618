//! The one clock of histories and measurements: the system's monotonic clock in nanoseconds, the
//! same for all processes of a machine until it restarts.

use rustix::time::{ClockId, clock_gettime};

/// Nanoseconds on the monotonic clock.
#[must_use]
pub fn now_ns() -> u64 {
    let time = clock_gettime(ClockId::Monotonic);
    let part = |value: i64| u64::try_from(value).unwrap_or(0);
    part(time.tv_sec).saturating_mul(1_000_000_000).saturating_add(part(time.tv_nsec))
}
