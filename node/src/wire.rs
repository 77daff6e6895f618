//! Which messages travel in which class, and the way out.
//!
//! Acknowledgements, availability certificates, rescues and lane statuses are small and hold back
//! what is small too (a batch becomes available only through them), so they share the votes'
//! class and never wait behind half a megabyte of somebody's batch.

use bytes::Bytes;
use chorale_consensus::output::Recipients;
use chorale_p2p::{Class, Network};
use chorale_types::message::Message;
use std::sync::Arc;

/// The class that a message travels in. A message that comes in another was sent by a peer that
/// wants it to overtake, and is refused.
#[must_use]
pub const fn class_of(message: &Message) -> Class {
    match message {
        Message::Timeout(_) | Message::Entry(_) | Message::Commit(_) => Class::Timeout,
        Message::Vote(_)
        | Message::Ack(_)
        | Message::Availability(_)
        | Message::Rescue(_)
        | Message::LaneStatus(_) => Class::Vote,
        Message::Proposal(_) => Class::Proposal,
        Message::Batch(_) => Class::Batch,
    }
}

type Transmit = dyn Fn(Recipients, Class, Bytes) + Send + Sync;

/// The way out. Cheap to clone.
#[derive(Clone)]
pub struct Outbound(Arc<Transmit>);

impl Outbound {
    /// Sends by `transmit`, which must not wait.
    pub fn new(transmit: impl Fn(Recipients, Class, Bytes) + Send + Sync + 'static) -> Self {
        Self(Arc::new(transmit))
    }

    /// Sends over a network. What cannot be queued is lost, as on any network; the replica sends
    /// again what matters.
    #[must_use]
    pub fn over(network: Network) -> Self {
        Self::new(move |to, class, bytes| {
            let sent = match to {
                Recipients::All => network.broadcast(class, bytes),
                Recipients::One(to) => network.send(to, class, bytes),
            };
            if let Err(error) = sent {
                tracing::warn!(%error, "a message was not sent");
            }
        })
    }

    /// Sends one message.
    pub fn send(&self, to: Recipients, class: Class, bytes: Bytes) {
        (self.0)(to, class, bytes);
    }
}
