//! What an honest node called available is delivered, whatever became of that node.

use super::Check;
use super::ordered_root::OrderedRoot;
use chorale_types::batch::BatchId;
use chorale_types::transaction::TransactionId;
use std::collections::{BTreeMap, BTreeSet};

/// Transactions that were called available and are not delivered yet.
#[derive(Debug, Default)]
pub struct Available {
    /// What is in each batch cut by an honest owner.
    batches: BTreeMap<BatchId, Vec<TransactionId>>,
    promised: BTreeSet<TransactionId>,
    count: u64,
}

impl Available {
    /// An honest owner stored a batch of its own.
    pub fn on_own_batch(&mut self, id: BatchId, transactions: Vec<TransactionId>) {
        self.batches.insert(id, transactions);
    }

    /// An honest node told its users that a batch of its own is available, or more.
    ///
    /// # Errors
    /// When it never stored such a batch.
    pub fn on_available(&mut self, id: BatchId) -> Check {
        match self.batches.remove(&id) {
            Some(transactions) => {
                self.count += u64::try_from(transactions.len()).expect("lengths fit 64 bits");
                self.promised.extend(transactions);
                Ok(())
            }
            None => Ok(()),
        }
    }

    /// How many transactions were ever called available.
    #[must_use]
    pub const fn count(&self) -> u64 {
        self.count
    }

    /// Forgets what is delivered; how many are left.
    pub fn open(&mut self, ordered: &OrderedRoot) -> usize {
        self.promised.retain(|id| !ordered.is_delivered(id));
        self.promised.len()
    }

    /// All is over: nothing may be left.
    ///
    /// # Errors
    /// When something is.
    pub fn finish(&mut self, ordered: &OrderedRoot) -> Check {
        match self.open(ordered) {
            0 => Ok(()),
            left => {
                let first = self.promised.first().expect("some are left");
                Err(format!("{left} available transactions are not delivered, {first:?} is one"))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chorale_types::crypto::hash::Digest;
    use chorale_types::ids::{Epoch, LaneId, LaneSeq, ValidatorIndex};

    #[test]
    fn an_available_transaction_that_is_never_delivered_is_lost() {
        let lane = LaneId { epoch: Epoch::new(1), owner: ValidatorIndex::new(0) };
        let id = BatchId { lane, seq: LaneSeq::new(1), digest: Digest::ZERO };
        let (a, b) = (Digest::from_bytes([1; 32]), Digest::from_bytes([2; 32]));
        let mut ordered = OrderedRoot::default();
        let mut available = Available::default();
        available.on_own_batch(id, vec![a, b]);
        assert_eq!(available.finish(&ordered), Ok(()));
        available.on_available(id).unwrap();
        ordered.on_delivered(a).unwrap();
        assert_eq!((available.count(), available.open(&ordered)), (2, 1));
        assert!(available.finish(&ordered).is_err());
        ordered.on_delivered(b).unwrap();
        assert_eq!(available.finish(&ordered), Ok(()));
    }
}
