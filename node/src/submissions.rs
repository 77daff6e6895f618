//! The way in: transactions of this node's own users, and how far each of them is.

use chorale_consensus::input::HashedTransaction;
use chorale_consensus::output::Admission;
use chorale_types::ids::{Height, RollupId, Sequence};
use chorale_types::level::Level;
use chorale_types::transaction::TransactionId;
use std::time::Duration;
use thiserror::Error;

/// Why a submit call was not taken at all. Refusals of single transactions are in the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum SubmitError {
    /// Too many submit calls wait already; try again shortly. (429 `queue_full`)
    #[error("too many submit calls wait")]
    Busy,
    /// The node stops or has stopped. (503 `not_ready`)
    #[error("the node is stopping")]
    Stopping,
}

/// Where a transaction stands in its rollup's stream, for ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// The rollup block.
    pub sequence: Sequence,
    /// The height of the block that ordered it.
    pub height: Height,
    /// Its index among the rollup block's transactions, from zero.
    pub index: u32,
}

/// How far a transaction is, as this node knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// The level reached: `Accepted`, `Available` or `Final`.
    pub level: Level,
    /// Its place; present exactly at level `Final`.
    pub place: Option<Place>,
}

/// Hands transactions in and tells how far they are. Cheap to clone.
///
/// # Invariants
/// At most [`Self::TRACKED_MAX`] transactions are tracked; older ones are forgotten first, which
/// ends their waits early at the level known then.
#[derive(Clone)]
pub struct Submissions {}

impl Submissions {
    /// Most transactions whose level is tracked at once.
    pub const TRACKED_MAX: usize = 1 << 20;

    /// Hands transactions in; one admission for each, in order. At most
    /// [`chorale_types::limits::SUBMIT_TRANSACTIONS_MAX`] a call. The caller computes the ids and
    /// checks sizes and rollups, which the replica checks again. Answers within milliseconds.
    ///
    /// # Errors
    /// When the call could not be queued, or the node stops.
    pub async fn submit(
        &self,
        transactions: Vec<HashedTransaction>,
    ) -> Result<Vec<Admission>, SubmitError> {
        let _ = transactions;
        todo!()
    }

    /// Waits until every one of these reached `level` (`Available` or `Final`), at most
    /// `timeout`. Answers for each, in order, how far it is then; `None` for one that this node
    /// does not know (not submitted here, or long ago and not in the index).
    pub async fn wait(
        &self,
        transactions: &[(RollupId, TransactionId)],
        level: Level,
        timeout: Duration,
    ) -> Vec<Option<Progress>> {
        let _ = (transactions, level, timeout);
        todo!()
    }

    /// How far one transaction is; `None` when this node does not know it. May read the disk:
    /// call it from a task that may block, or through `spawn_blocking`.
    #[must_use]
    pub fn progress(&self, rollup: RollupId, id: TransactionId) -> Option<Progress> {
        let _ = (rollup, id);
        todo!()
    }
}
