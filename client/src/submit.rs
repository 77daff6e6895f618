//! Submitting, again if need be. The same bytes are the same transaction, so a retry can never
//! put it into the stream twice.

mod attempt;

use crate::api::Place;
use crate::client::Client;
use attempt::Attempt;
use chorale_types::ids::RollupId;
use chorale_types::level::Level;
use chorale_types::limits::{BATCH_BYTES_MAX, SUBMIT_TRANSACTIONS_MAX};
use chorale_types::transaction::TransactionId;
use std::time::Duration;
use tokio::time::Instant;

/// The longest that anything is tried: a year. A longer patience is one of a year.
pub const PATIENCE_MAX: Duration = Duration::from_secs(365 * 86_400);

/// What to wait for, and for how long.
#[derive(Clone, Copy, Debug)]
pub struct SubmitOptions {
    /// The level to wait for. [`Level::Available`] is the first with a promise.
    pub wait: Level,
    /// How long to try, over all nodes and retries; at most [`PATIENCE_MAX`].
    pub patience: Duration,
}

impl Default for SubmitOptions {
    fn default() -> Self {
        Self { wait: Level::Available, patience: Duration::from_secs(30) }
    }
}

/// What became of a transaction. Levels and places are the word of the node that answered; the
/// proof comes with the rollup's stream.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// A node took it.
    Submitted {
        /// Its id.
        id: TransactionId,
        /// The level reached: the one asked for, or a lower one when time ran out.
        level: Level,
        /// Whether a node had it already.
        already_known: bool,
        /// Where it is, once ordered.
        place: Option<Place>,
    },
    /// A node refused it for a reason that another try does not change.
    Refused {
        /// Its id.
        id: TransactionId,
        /// The stable code.
        code: String,
        /// For people.
        detail: String,
    },
    /// Nobody answered for it in time. It may or may not be ordered; submitting the same bytes
    /// again is safe.
    Unknown {
        /// Its id.
        id: TransactionId,
        /// The last failure.
        why: String,
    },
}

impl Outcome {
    /// The transaction's id.
    #[must_use]
    pub const fn id(&self) -> &TransactionId {
        match self {
            Self::Submitted { id, .. } | Self::Refused { id, .. } | Self::Unknown { id, .. } => id,
        }
    }

    /// The level reached, when it was taken.
    #[must_use]
    pub const fn level(&self) -> Option<Level> {
        match self {
            Self::Submitted { level, .. } => Some(*level),
            Self::Refused { .. } | Self::Unknown { .. } => None,
        }
    }
}

impl Client {
    /// Submits one transaction. Overload, connection failures and a level not reached are tried
    /// again at the next node, until the patience is spent.
    pub async fn submit(
        &self,
        rollup: RollupId,
        payload: &[u8],
        options: SubmitOptions,
    ) -> Outcome {
        let mut outcomes = self.submit_many(rollup, &[payload], options).await;
        outcomes.pop().expect("one outcome for each transaction")
    }

    /// Submits several transactions, in calls as large as the interface allows; one outcome for
    /// each, in order. A later call starts only when the one before is settled.
    pub async fn submit_many<P: AsRef<[u8]> + Sync>(
        &self,
        rollup: RollupId,
        payloads: &[P],
        options: SubmitOptions,
    ) -> Vec<Outcome> {
        let deadline = Instant::now() + options.patience.min(PATIENCE_MAX);
        let mut outcomes = Vec::with_capacity(payloads.len());
        let mut rest = payloads;
        while !rest.is_empty() {
            let (call, later) = rest.split_at(call_size(rest));
            let attempt = Attempt::new(rollup, call, options.wait, deadline);
            outcomes.extend(attempt.run(self).await);
            rest = later;
        }
        outcomes
    }
}

/// How many of the next transactions fit into one call: as many as are allowed, and no more bytes
/// than a batch holds, at least one.
fn call_size<P: AsRef<[u8]>>(payloads: &[P]) -> usize {
    let mut bytes = 0_usize;
    let fits = payloads.iter().take(SUBMIT_TRANSACTIONS_MAX).take_while(|payload| {
        bytes = bytes.saturating_add(payload.as_ref().len());
        bytes <= BATCH_BYTES_MAX
    });
    fits.count().max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_stay_inside_the_bounds_and_always_move() {
        let small = vec![vec![0_u8; 10]; 3_000];
        assert_eq!(call_size(&small), SUBMIT_TRANSACTIONS_MAX);
        let large = vec![vec![0_u8; 200 * 1024]; 5];
        assert_eq!(call_size(&large), 2);
        assert_eq!(call_size(&[vec![0_u8; 2 * BATCH_BYTES_MAX]]), 1);
    }
}
