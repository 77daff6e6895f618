//! Every choice of a run, drawn from one seed. Each part of the world has a stream of its own, so
//! that one more draw in one part does not change what happens in another.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};

/// One million, the whole of a chance.
pub const MILLION: u32 = 1_000_000;

/// A stream of choices.
#[derive(Clone, Debug)]
pub struct Rng(ChaCha8Rng);

/// What a stream is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stream {
    /// The plan: cluster, links, faults.
    Plan,
    /// Delays and losses.
    Network,
    /// Latencies, torn and lost writes.
    Disk,
    /// Transactions.
    Workload,
    /// What faulty members do.
    Byzantine,
}

impl Rng {
    /// The stream of a seed.
    #[must_use]
    pub fn new(seed: u64, stream: Stream) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        rng.set_stream(match stream {
            Stream::Plan => 1,
            Stream::Network => 2,
            Stream::Disk => 3,
            Stream::Workload => 4,
            Stream::Byzantine => 5,
        });
        Self(rng)
    }

    /// Any number.
    pub fn any(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// A number below `bound`; 0 when `bound` is 0.
    pub fn below(&mut self, bound: u64) -> u64 {
        let wide = u128::from(self.any()) * u128::from(bound);
        u64::try_from(wide >> 64).expect("the product of two 64-bit numbers has 128 bits")
    }

    /// An index below `len`; 0 when `len` is 0.
    pub fn index(&mut self, len: usize) -> usize {
        let bound = u64::try_from(len).expect("lengths fit 64 bits");
        usize::try_from(self.below(bound)).expect("below a length")
    }

    /// A number from `low` to `high`, both included.
    pub fn between(&mut self, low: u64, high: u64) -> u64 {
        low + self.below(high.saturating_sub(low).saturating_add(1))
    }

    /// True with a chance of `parts` in a million.
    pub fn chance(&mut self, parts: u32) -> bool {
        parts > 0 && self.below(u64::from(MILLION)) < u64::from(parts)
    }

    /// One of several.
    ///
    /// # Panics
    /// When there is none.
    pub fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.index(from.len())]
    }

    /// Puts a slice into a random order.
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.index(last + 1));
        }
    }

    /// 32 bytes.
    pub fn bytes32(&mut self) -> [u8; 32] {
        let mut out = [0; 32];
        self.0.fill_bytes(&mut out);
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_of_one_seed_differ_and_repeat() {
        let draw = |stream| Rng::new(7, stream).any();
        assert_eq!(draw(Stream::Plan), draw(Stream::Plan));
        assert_ne!(draw(Stream::Plan), draw(Stream::Network));
        assert_ne!(Rng::new(8, Stream::Plan).any(), draw(Stream::Plan));
    }

    #[test]
    fn draws_stay_in_their_bounds() {
        let mut rng = Rng::new(1, Stream::Plan);
        for _ in 0..1_000 {
            assert!((3..=5).contains(&rng.between(3, 5)));
            assert!(rng.below(7) < 7);
        }
        assert_eq!(rng.below(0), 0);
        assert!(!rng.chance(0));
        assert!(rng.chance(MILLION));
    }
}
