//! Ctrl-C and its kin. The first asks for a clean end: no more load, wait for what is under way,
//! stop the nodes, print the summary. The second skips the waiting.

use anyhow::{Context, Result};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// Whether an end was asked for, and how urgently.
#[derive(Clone, Debug, Default)]
pub struct Stop {
    soft: CancellationToken,
    hard: CancellationToken,
}

impl Stop {
    /// Starts to listen for interrupt and terminate signals.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn on_signals() -> Result<Self> {
        let stop = Self::default();
        let mut interrupt = signal(SignalKind::interrupt()).context("listen for Ctrl-C")?;
        let mut terminate = signal(SignalKind::terminate()).context("listen for SIGTERM")?;
        let heard = stop.clone();
        tokio::spawn(async move {
            loop {
                tokio::select! {
                    _ = interrupt.recv() => {}
                    _ = terminate.recv() => {}
                }
                heard.ask();
            }
        });
        Ok(stop)
    }

    /// Asks for an end; the second time, at once.
    pub fn ask(&self) {
        if self.soft.is_cancelled() {
            self.hard.cancel();
        } else {
            self.soft.cancel();
        }
    }

    /// Whether an end was asked for.
    #[must_use]
    pub fn is_asked(&self) -> bool {
        self.soft.is_cancelled()
    }

    /// Waits until an end is asked for.
    pub async fn asked(&self) {
        self.soft.cancelled().await;
    }

    /// Whether an end was asked for a second time.
    #[must_use]
    pub fn is_hard(&self) -> bool {
        self.hard.is_cancelled()
    }

    /// Waits until an end is asked for a second time.
    pub async fn hard(&self) {
        self.hard.cancelled().await;
    }
}
