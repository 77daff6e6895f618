//! Numbers that look random and are the same in every run.

use core::time::Duration;

/// Turns a seed into a state, so that neighbouring seeds start far apart.
const SPREAD: u64 = 0x9E37_79B9_7F4A_7C15;
/// First numbers that are thrown away, until the bits of the seed are mixed.
const WARM_UP: u32 = 10;

/// A xorshift generator: good enough to shuffle scenarios, and nothing else.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Random(u64);

impl Random {
    /// The sequence of a seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        let mut random = Self(seed.wrapping_mul(SPREAD) | 1);
        for _ in 0..WARM_UP {
            random.next();
        }
        random
    }

    /// The next number below `bound`; 0 when `bound` is 0.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.next().checked_rem(bound).unwrap_or(0)
    }

    /// The next duration below `bound`, in microseconds; zero when `bound` is.
    pub fn duration_below(&mut self, bound: Duration) -> Duration {
        let micros = u64::try_from(bound.as_micros()).unwrap_or(u64::MAX);
        Duration::from_micros(self.below(micros))
    }

    const fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }
}
