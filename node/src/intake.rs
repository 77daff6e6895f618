//! Takes events from the network and hands them to the workers.
//!
//! # Invariants
//! An event is taken from the network only when the one before it found room, so what peers send
//! beyond the workers' bounds stays in the network's own budgets, and slows those peers down.

use crate::fetcher::Fetcher;
use crate::inbox::Inbox;
use crate::workers::{Full, Incoming, Workers};
use chorale_consensus::Input;
use chorale_p2p::{Event, Events};
use std::sync::Arc;
use std::time::Duration;

/// How long to wait until there may be room again.
const ROOM_EVERY: Duration = Duration::from_millis(1);

/// Where events go.
pub struct Intake {
    /// To be decoded.
    pub workers: Arc<Workers>,
    /// Where questions of this replica are noted.
    pub fetcher: Arc<Fetcher>,
    /// Straight to the replica.
    pub inbox: Arc<Inbox>,
}

impl Intake {
    /// Hands events on until the network stops.
    pub async fn run(self, mut events: Events) {
        while let Some(event) = events.recv().await {
            let Some(mut incoming) = self.sort(event) else {
                continue;
            };
            while let Err(Full(back)) = self.workers.offer(incoming) {
                incoming = back;
                tokio::time::sleep(ROOM_EVERY).await;
            }
        }
    }

    /// What is to be decoded of an event.
    fn sort(&self, event: Event) -> Option<Incoming> {
        match event {
            Event::Message { from, class, bytes } => Some(Incoming::Message { from, class, bytes }),
            Event::Request { from, token, bytes } => Some(Incoming::Request { from, token, bytes }),
            Event::Response { from, request, result } => {
                let id = self.fetcher.answered(request)?;
                if let Err(error) = &result {
                    tracing::debug!(%from, %error, "a question has no answer");
                }
                Some(Incoming::Response { from, id, bytes: result.ok() })
            }
            Event::Up { peer } => {
                tracing::debug!(%peer, "the stream to a peer is open");
                // Few: the network bounds the notices of each peer that wait.
                self.inbox.urgent(Input::PeerUp(peer));
                None
            }
            Event::Down { peer } => {
                tracing::debug!(%peer, "the stream to a peer was lost");
                None
            }
        }
    }
}
