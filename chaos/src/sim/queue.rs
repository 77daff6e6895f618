//! What is to happen, in order of time. Events of one moment happen in the order in which they
//! were put in, so that a run is a function of its seed.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// A moment: microseconds since the run began.
pub type Micros = u64;

/// Events by time. The heap holds small keys; the events lie still beside it.
#[derive(Debug)]
pub struct Queue<E> {
    keys: BinaryHeap<Reverse<(Micros, u64, usize)>>,
    events: Vec<Option<E>>,
    free: Vec<usize>,
    next: u64,
}

impl<E> Default for Queue<E> {
    fn default() -> Self {
        Self { keys: BinaryHeap::new(), events: Vec::new(), free: Vec::new(), next: 0 }
    }
}

impl<E> Queue<E> {
    /// Puts an event in.
    pub fn push(&mut self, at: Micros, event: E) {
        let slot = match self.free.pop() {
            Some(slot) => slot,
            None => {
                self.events.push(None);
                self.events.len() - 1
            }
        };
        self.events[slot] = Some(event);
        self.keys.push(Reverse((at, self.next, slot)));
        self.next += 1;
    }

    /// Takes the next event out.
    pub fn pop(&mut self) -> Option<(Micros, E)> {
        let Reverse((at, _, slot)) = self.keys.pop()?;
        let event = self.events[slot].take().expect("a key has its event");
        self.free.push(slot);
        Some((at, event))
    }

    /// How many events wait.
    #[must_use]
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// Whether none waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gives_events_by_time_and_then_by_arrival() {
        let mut queue = Queue::default();
        for (at, name) in [(5, "d"), (1, "a"), (3, "b"), (3, "c")] {
            queue.push(at, name);
        }
        assert_eq!(queue.len(), 4);
        let order: Vec<_> = std::iter::from_fn(|| queue.pop()).collect();
        assert_eq!(order, [(1, "a"), (3, "b"), (3, "c"), (5, "d")]);
        queue.push(0, "e");
        assert_eq!(queue.pop(), Some((0, "e")));
        assert!(queue.is_empty());
    }
}
