//! A queue between threads with two ranks: everything of the first leaves before the second.
//!
//! # Invariants
//! Things of one rank leave in the order they came. Unbounded: whoever puts in has a bound of its
//! own, named where the queue is made.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// Which rank.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Rank {
    /// Leaves first.
    First,
    /// Leaves when nothing of the first rank waits.
    Second,
}

/// The queue.
#[derive(Debug)]
pub struct RankedQueue<T> {
    inner: Mutex<Inner<T>>,
    filled: Condvar,
}

#[derive(Debug)]
struct Inner<T> {
    first: VecDeque<T>,
    second: VecDeque<T>,
    closed: bool,
}

impl<T> Default for RankedQueue<T> {
    fn default() -> Self {
        let inner = Inner { first: VecDeque::new(), second: VecDeque::new(), closed: false };
        Self { inner: Mutex::new(inner), filled: Condvar::new() }
    }
}

impl<T> RankedQueue<T> {
    fn lock(&self) -> MutexGuard<'_, Inner<T>> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts something in. What comes after the queue was closed is dropped.
    pub fn push(&self, rank: Rank, item: T) {
        let mut inner = self.lock();
        if inner.closed {
            return;
        }
        match rank {
            Rank::First => inner.first.push_back(item),
            Rank::Second => inner.second.push_back(item),
        }
        drop(inner);
        self.filled.notify_one();
    }

    /// Waits for the next thing; `None` when the queue is closed and empty.
    pub fn pop(&self) -> Option<T> {
        let mut inner = self.lock();
        loop {
            if let Some(item) = inner.first.pop_front().or_else(|| inner.second.pop_front()) {
                return Some(item);
            }
            if inner.closed {
                return None;
            }
            inner = self.filled.wait(inner).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Takes nothing more in. What is in it still leaves.
    pub fn close(&self) {
        self.lock().closed = true;
        self.filled.notify_all();
    }

    /// How much waits.
    #[must_use]
    pub fn len(&self) -> usize {
        let inner = self.lock();
        inner.first.len().saturating_add(inner.second.len())
    }

    /// Whether nothing waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_rank_leaves_first_and_each_in_order() {
        let queue = RankedQueue::default();
        for (rank, item) in
            [(Rank::Second, 1), (Rank::First, 2), (Rank::Second, 3), (Rank::First, 4)]
        {
            queue.push(rank, item);
        }
        queue.close();
        queue.push(Rank::First, 5);
        let out: Vec<i32> = std::iter::from_fn(|| queue.pop()).collect();
        assert_eq!(out, [2, 4, 1, 3]);
        assert!(queue.is_empty());
    }
}
