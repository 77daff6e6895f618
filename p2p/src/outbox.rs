//! What waits to be sent to one peer: a bounded queue per class, most urgent class first.
//!
//! # Invariants
//! - A class never holds more than its count and byte bounds; making room drops the oldest of
//!   that same class, and every drop is counted.
//! - Within a class, frames leave in the order they came.

use std::collections::VecDeque;

use bytes::Bytes;

use crate::config::Class;

/// The frames waiting for one peer.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    lanes: [Lane; Class::ALL.len()],
}

#[derive(Debug, Default)]
struct Lane {
    frames: VecDeque<Bytes>,
    bytes: usize,
    dropped: u64,
}

impl Outbox {
    /// Queues a frame. Returns how many older ones of its class were dropped for it.
    pub(crate) fn push(&mut self, class: Class, frame: Bytes) -> u64 {
        let lane = &mut self.lanes[class.index()];
        lane.bytes += frame.len();
        lane.frames.push_back(frame);
        let mut dropped = 0;
        while lane.frames.len() > class.queue_max() || lane.bytes > class.queue_bytes_max() {
            let Some(oldest) = lane.frames.pop_front() else { break };
            lane.bytes -= oldest.len();
            dropped += 1;
        }
        lane.dropped += dropped;
        dropped
    }

    /// Takes the most urgent frame. Bulk classes stay while `bulk` is false.
    pub(crate) fn pop(&mut self, bulk: bool) -> Option<(Class, Bytes)> {
        for class in Class::ALL {
            if class.is_bulk() && !bulk {
                continue;
            }
            let lane = &mut self.lanes[class.index()];
            if let Some(frame) = lane.frames.pop_front() {
                lane.bytes -= frame.len();
                return Some((class, frame));
            }
        }
        None
    }

    /// Frames waiting, over all classes.
    pub(crate) fn len(&self) -> usize {
        self.lanes.iter().map(|lane| lane.frames.len()).sum()
    }

    /// Bytes waiting, over all classes.
    pub(crate) fn bytes(&self) -> usize {
        self.lanes.iter().map(|lane| lane.bytes).sum()
    }

    /// Frames dropped so far, over all classes.
    pub(crate) fn dropped(&self) -> u64 {
        self.lanes.iter().map(|lane| lane.dropped).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(tag: usize, len: usize) -> Bytes {
        let mut bytes = vec![0; len.max(8)];
        bytes[..8].copy_from_slice(&(tag as u64).to_be_bytes());
        Bytes::from(bytes)
    }

    fn tag(frame: &Bytes) -> u64 {
        u64::from_be_bytes(frame[..8].try_into().unwrap())
    }

    #[test]
    fn urgent_classes_overtake_and_a_class_keeps_its_order() {
        let mut outbox = Outbox::default();
        for (number, class) in Class::ALL.into_iter().rev().enumerate() {
            outbox.push(class, frame(10 * number, 8));
            outbox.push(class, frame(10 * number + 1, 8));
        }
        let order: Vec<_> = std::iter::from_fn(|| outbox.pop(true))
            .map(|(class, frame)| (class, tag(&frame)))
            .collect();
        let expected: Vec<_> = Class::ALL
            .into_iter()
            .zip([40, 30, 20, 10, 0])
            .flat_map(|(class, first)| [(class, first), (class, first + 1)])
            .collect();
        assert_eq!(order, expected);
        assert_eq!((outbox.len(), outbox.bytes()), (0, 0));
    }

    #[test]
    fn a_full_class_drops_its_oldest_and_no_other_class() {
        let mut outbox = Outbox::default();
        outbox.push(Class::Timeout, frame(7, 8));
        for number in 0..Class::Vote.queue_max() + 3 {
            outbox.push(Class::Vote, frame(number, 8));
        }
        assert_eq!(outbox.dropped(), 3);
        assert_eq!(outbox.len(), Class::Vote.queue_max() + 1);
        assert_eq!(outbox.pop(true).map(|(c, f)| (c, tag(&f))), Some((Class::Timeout, 7)));
        assert_eq!(outbox.pop(true).map(|(c, f)| (c, tag(&f))), Some((Class::Vote, 3)));
    }

    #[test]
    fn the_byte_bound_holds_where_the_count_bound_does_not() {
        let mut outbox = Outbox::default();
        let size = Class::Batch.bytes_max();
        for number in 0..12 {
            outbox.push(Class::Batch, frame(number, size));
            assert!(outbox.bytes() <= Class::Batch.queue_bytes_max());
        }
        assert_eq!((outbox.len(), outbox.dropped()), (8, 4));
        assert_eq!(outbox.pop(true).map(|(_, f)| tag(&f)), Some(4));
    }

    #[test]
    fn the_largest_frame_of_each_class_always_fits() {
        for class in Class::ALL {
            let mut outbox = Outbox::default();
            assert_eq!(outbox.push(class, frame(0, class.bytes_max())), 0);
            assert_eq!(outbox.len(), 1);
        }
    }

    #[test]
    fn bulk_waits_while_it_is_held_back_and_urgent_frames_do_not() {
        let mut outbox = Outbox::default();
        outbox.push(Class::Batch, frame(1, 8));
        outbox.push(Class::Sync, frame(2, 8));
        outbox.push(Class::Proposal, frame(3, 8));
        assert_eq!(outbox.pop(false).map(|(_, f)| tag(&f)), Some(3));
        assert_eq!(outbox.pop(false), None);
        assert_eq!(outbox.pop(true).map(|(_, f)| tag(&f)), Some(1));
    }
}
