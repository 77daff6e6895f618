//! One rollup's stream as its followers see it: no gap, no repeat, and the same bytes for all.
//!
//! # Invariants
//! A frame's digest is held only until all followers have shown theirs, and for at most
//! `FRAMES_UNCOMPARED_MAX` frames; one that is given up uncompared is reported.

use std::collections::BTreeMap;

/// Frames that one follower may be ahead of another before comparing is given up.
const FRAMES_UNCOMPARED_MAX: usize = 100_000;

/// SHA-256 over what a subscriber reads in a frame; see [`crate::follow::frame_digest`].
pub type FrameDigest = [u8; 32];

/// What is wrong with a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Its sequence number is above the next one.
    Gap,
    /// Its sequence number is below the next one.
    Repeat,
    /// Another follower read other bytes at this sequence number.
    Mismatch,
    /// A frame was never compared, since a follower lags too far behind.
    Uncompared,
}

/// The followers of one rollup.
#[derive(Clone, Debug)]
pub struct Stream {
    next: Vec<Option<u64>>,
    uncompared: BTreeMap<u64, (FrameDigest, usize)>,
    bound: usize,
}

impl Stream {
    /// A stream read by `followers` followers.
    #[must_use]
    pub fn new(followers: usize) -> Self {
        Self {
            next: vec![None; followers],
            uncompared: BTreeMap::new(),
            bound: FRAMES_UNCOMPARED_MAX,
        }
    }

    /// Takes the next frame of one follower. The first may have any sequence number.
    pub fn on_frame(&mut self, follower: usize, sequence: u64, digest: FrameDigest) -> Vec<Fault> {
        let mut faults = Vec::new();
        let expected = self.next[follower].unwrap_or(sequence);
        if sequence < expected {
            return vec![Fault::Repeat];
        }
        if sequence > expected {
            faults.push(Fault::Gap);
        }
        self.next[follower] = Some(sequence.saturating_add(1));
        let (first, seen) = self.uncompared.entry(sequence).or_insert((digest, 0));
        if *first != digest {
            faults.push(Fault::Mismatch);
        }
        *seen += 1;
        if *seen == self.next.len() {
            self.uncompared.remove(&sequence);
        }
        if self.uncompared.len() > self.bound {
            self.uncompared.pop_first();
            faults.push(Fault::Uncompared);
        }
        faults
    }

    /// Frames that not all followers have shown yet.
    #[must_use]
    pub fn uncompared(&self) -> usize {
        self.uncompared.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_equal_readers_of_a_whole_stream_are_content() {
        let mut stream = Stream::new(2);
        for sequence in 5..9_u8 {
            for follower in 0..2 {
                let digest = [sequence; 32];
                assert!(stream.on_frame(follower, u64::from(sequence), digest).is_empty());
            }
        }
        assert_eq!(stream.uncompared(), 0);
    }

    #[test]
    fn a_gap_a_repeat_and_other_bytes_are_caught() {
        let mut stream = Stream::new(2);
        assert!(stream.on_frame(0, 1, [1; 32]).is_empty());
        assert_eq!(stream.on_frame(0, 3, [3; 32]), [Fault::Gap]);
        assert_eq!(stream.on_frame(0, 3, [3; 32]), [Fault::Repeat]);
        assert_eq!(stream.on_frame(1, 1, [9; 32]), [Fault::Mismatch]);
    }

    #[test]
    fn a_reader_that_stays_behind_is_reported() {
        let mut stream = Stream { bound: 2, ..Stream::new(2) };
        assert!(stream.on_frame(0, 1, [1; 32]).is_empty());
        assert!(stream.on_frame(0, 2, [2; 32]).is_empty());
        assert_eq!(stream.on_frame(0, 3, [3; 32]), [Fault::Uncompared]);
    }
}
