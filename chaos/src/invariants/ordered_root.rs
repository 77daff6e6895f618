//! One ordering root for each height on every honest node, in order, and every transaction
//! delivered once.

use super::Check;
use chorale_types::crypto::hash::Digest;
use chorale_types::ids::Height;
use chorale_types::transaction::TransactionId;
use std::collections::{BTreeMap, BTreeSet};

/// The roots, and what was delivered.
#[derive(Debug, Default)]
pub struct OrderedRoot {
    roots: BTreeMap<Height, Digest>,
    last: BTreeMap<usize, Height>,
    delivered: BTreeSet<TransactionId>,
}

impl OrderedRoot {
    /// A node starts having ordered this far.
    pub fn on_start(&mut self, node: usize, height: Height) {
        self.last.insert(node, height);
    }

    /// An honest node ordered a height. True when it is the first to.
    ///
    /// # Errors
    /// When the height is not the node's next, or another node came to another root.
    pub fn on_ordered(
        &mut self,
        node: usize,
        height: Height,
        root: Digest,
    ) -> Result<bool, String> {
        let last = self.last.get(&node).copied().unwrap_or(Height::ZERO);
        if height != last.next() {
            return Err(format!("ordered height {height} after {last}"));
        }
        self.last.insert(node, height);
        match self.roots.get(&height) {
            None => {
                self.roots.insert(height, root);
                Ok(true)
            }
            Some(first) if *first == root => Ok(false),
            Some(first) => Err(format!("roots {first:?} and {root:?} at height {height}")),
        }
    }

    /// A transaction is delivered for the first time, or again.
    ///
    /// # Errors
    /// When it is again.
    pub fn on_delivered(&mut self, id: TransactionId) -> Check {
        if self.delivered.insert(id) {
            Ok(())
        } else {
            Err(format!("transaction {id:?} is delivered twice"))
        }
    }

    /// Whether a transaction was delivered.
    #[must_use]
    pub fn is_delivered(&self, id: &TransactionId) -> bool {
        self.delivered.contains(id)
    }

    /// How many transactions were delivered.
    #[must_use]
    pub fn delivered(&self) -> usize {
        self.delivered.len()
    }

    /// How far a node has ordered.
    #[must_use]
    pub fn height_of(&self, node: usize) -> Height {
        self.last.get(&node).copied().unwrap_or(Height::ZERO)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_roots_a_gap_and_a_second_delivery_are_found() {
        let (a, b) = (Digest::from_bytes([1; 32]), Digest::from_bytes([2; 32]));
        let mut roots = OrderedRoot::default();
        assert_eq!(roots.on_ordered(0, Height::new(1), a), Ok(true));
        assert_eq!(roots.on_ordered(1, Height::new(1), a), Ok(false));
        assert!(roots.on_ordered(2, Height::new(1), b).is_err());
        assert!(roots.on_ordered(0, Height::new(3), a).is_err());
        roots.on_start(0, Height::ZERO);
        assert_eq!(roots.on_ordered(0, Height::new(1), a), Ok(false));
        assert_eq!(roots.on_delivered(a), Ok(()));
        assert!(roots.on_delivered(a).is_err());
        assert!(roots.is_delivered(&a) && !roots.is_delivered(&b));
    }
}
