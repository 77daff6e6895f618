//! All transactions of the rollup that a frame's batches hold, in the order of delivery: those in
//! the frame, and between them those it says were skipped.

use super::LightError;
use chorale_types::ids::Height;
use chorale_types::ordered::Skipped;
use chorale_types::rollup::{Frame, FrameProof};
use chorale_types::transaction::{TransactionId, transaction_id};
use std::iter::Peekable;
use std::slice;

/// A transaction, and what the frame says became of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Claim {
    /// Its id.
    pub(super) id: TransactionId,
    /// Where it is said to have been delivered before; `None` when this frame delivers it.
    pub(super) skipped: Option<Height>,
}

/// Claims not yet matched with a batch.
pub(super) struct Claims<'a> {
    position: u32,
    ids: std::vec::IntoIter<TransactionId>,
    skipped: Peekable<slice::Iter<'a, Skipped>>,
}

impl<'a> Claims<'a> {
    pub(super) fn new(frame: &Frame, proof: &'a FrameProof) -> Result<Self, LightError> {
        let pairs = proof.skipped.iter().zip(proof.skipped.iter().skip(1));
        for (before, after) in pairs {
            if before.position >= after.position {
                return Err(LightError::BadSkipList { position: after.position });
            }
        }
        let id = |payload: &Vec<u8>| transaction_id(frame.rollup, payload);
        let ids: Vec<TransactionId> = frame.transactions.iter().map(id).collect();
        Ok(Self { position: 0, ids: ids.into_iter(), skipped: proof.skipped.iter().peekable() })
    }

    /// The next `count`; `None` when there are fewer.
    pub(super) fn take(&mut self, count: u32) -> Option<Vec<Claim>> {
        let mut claims = Vec::new();
        for _ in 0..count {
            let here = self.skipped.next_if(|skipped| skipped.position == self.position);
            claims.push(match here {
                Some(skipped) => Claim { id: skipped.id, skipped: Some(skipped.earlier) },
                None => Claim { id: self.ids.next()?, skipped: None },
            });
            self.position = self.position.checked_add(1)?;
        }
        Some(claims)
    }

    /// Checks that nothing is left.
    pub(super) fn finish(mut self) -> Result<(), LightError> {
        if let Some(skipped) = self.skipped.next() {
            return Err(LightError::BadSkipList { position: skipped.position });
        }
        match self.ids.len() {
            0 => Ok(()),
            left => Err(LightError::ExtraTransactions { left }),
        }
    }
}
