//! How a node ends: asked to, or because something failed that must not be tried again.

use std::sync::{Arc, Mutex, PoisonError};
use tokio_util::sync::CancellationToken;

/// Stops the node. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Stopper {
    token: CancellationToken,
    failure: Arc<Mutex<Option<String>>>,
}

impl Stopper {
    /// Cancelled when the node is to stop.
    #[must_use]
    pub const fn token(&self) -> &CancellationToken {
        &self.token
    }

    /// Something failed for good: the first reason counts.
    pub fn fail(&self, reason: String) {
        tracing::error!(%reason, "the node stops");
        self.lock().get_or_insert(reason);
        self.token.cancel();
    }

    /// Why it failed, if it did.
    #[must_use]
    pub fn failure(&self) -> Option<String> {
        self.lock().clone()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<String>> {
        self.failure.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
