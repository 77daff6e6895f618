//! What the rollup interface is given of a running node: submit, read the ledger, ask how things
//! are, stop. Everything here is cheap to clone and may be called from any thread or task.

use crate::metrics::Metrics;
use chorale_types::genesis::Genesis;
use chorale_types::validators::ValidatorSet;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

pub use crate::ledger::{
    CheckpointView, Frame, FrameView, HeartbeatView, Ledger, LedgerError, RollupHead,
};
pub use crate::status::{NotReady, PeerStatus, Status, StatusHandle};
pub use crate::submissions::{Place, Progress, Submissions, SubmitError};

/// Everything that the rollup interface needs of a node.
#[derive(Clone)]
pub struct Handles {
    /// Hands transactions in and tells how far they are.
    pub submissions: Submissions,
    /// Reads what is ordered, with proofs.
    pub ledger: Ledger,
    /// How the node is.
    pub status: StatusHandle,
    /// What is counted; [`Metrics::text`] is the body of `/metrics`.
    pub metrics: Arc<Metrics>,
    /// The document the chain started from.
    pub genesis: Arc<Genesis>,
    /// The set of the epoch.
    pub set: ValidatorSet,
    /// Cancelled when the node stops: long answers (streams, waits) end then. Cancelling it is
    /// how the admin port asks for a graceful stop.
    pub stop: CancellationToken,
}
