//! The order that a node promises: transactions of one rollup that it accepted keep their order.
//! A transaction comes before another if it was answered before the other was sent, or if both
//! were in one request and it stood first.
//!
//! # Invariants
//! Whoever also reached another node is left out: a copy may be ordered first. At most
//! `REQUESTS_REMEMBERED` requests of a lane are held.

use std::collections::BTreeMap;

/// Requests of a lane whose inner order is still watched. A request's transactions are ordered
/// within a second or so, in which a lane sends a hundred requests.
const REQUESTS_REMEMBERED: usize = 4_096;

/// When and how one transaction was sent, in monotonic nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SentAt {
    /// When its request left.
    pub invoked: u64,
    /// When the answer came; `u64::MAX` before that.
    pub answered: u64,
    /// The number of its request.
    pub request: u64,
    /// Its place in the request.
    pub index: u32,
}

/// One node's transactions of one rollup, in the order in which they became final.
#[derive(Clone, Debug, Default)]
pub struct LaneOrder {
    newest_sent: u64,
    requests: BTreeMap<u64, u32>,
}

impl LaneOrder {
    /// Takes the next transaction in final order; says whether one that is already final should
    /// have come after it.
    pub fn is_out_of_order(&mut self, sent: &SentAt) -> bool {
        // An answer that comes after this moment is later than every sending seen so far, so a
        // missing answer cannot hide a violation.
        let overtaken = sent.answered < self.newest_sent;
        self.newest_sent = self.newest_sent.max(sent.invoked);
        let highest = self.requests.entry(sent.request).or_insert(sent.index);
        let swapped = sent.index < *highest;
        *highest = sent.index.max(*highest);
        if self.requests.len() > REQUESTS_REMEMBERED {
            self.requests.pop_first();
        }
        overtaken || swapped
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(invoked: u64, answered: u64, request: u64, index: u32) -> SentAt {
        SentAt { invoked, answered, request, index }
    }

    #[test]
    fn overlapping_requests_may_land_in_any_order() {
        let mut lane = LaneOrder::default();
        assert!(!lane.is_out_of_order(&sent(20, 40, 2, 0)));
        assert!(!lane.is_out_of_order(&sent(10, 30, 1, 0)));
        assert!(!lane.is_out_of_order(&sent(10, u64::MAX, 3, 0)));
    }

    #[test]
    fn an_answered_one_must_come_before_what_was_sent_later() {
        let mut lane = LaneOrder::default();
        assert!(!lane.is_out_of_order(&sent(20, 40, 2, 0)));
        assert!(lane.is_out_of_order(&sent(10, 19, 1, 0)));
    }

    #[test]
    fn the_order_inside_a_request_is_kept() {
        let mut lane = LaneOrder::default();
        assert!(!lane.is_out_of_order(&sent(1, 9, 7, 0)));
        assert!(!lane.is_out_of_order(&sent(1, 9, 7, 4)));
        assert!(lane.is_out_of_order(&sent(1, 9, 7, 3)));
        assert!(!lane.is_out_of_order(&sent(1, 9, 7, 5)));
    }
}
