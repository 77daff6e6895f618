//! What the network tells the application, and the queue it travels through.
//!
//! # Invariants
//! - Every event that a peer can cause is paid for out of that peer's own budget, given back when
//!   the application takes the event. So the queue is bounded by the sum of the budgets, and a
//!   peer that floods fills only its own share.

use bytes::Bytes;
use chorale_types::ids::ValidatorIndex;
use std::sync::Arc;
use tokio::sync::mpsc::{self, error::TryRecvError};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::config::Class;
use crate::error::FetchError;
use crate::fetch::{RequestId, ResponseToken};
use crate::limits;

/// What happened on the wire.
#[derive(Debug)]
pub enum Event {
    /// A message from a member. It came over the member's own connection, or in an envelope that
    /// the member signed.
    Message {
        /// Who said it.
        from: ValidatorIndex,
        /// What it is for.
        class: Class,
        /// The message: at least one byte, at most [`Class::bytes_max`].
        bytes: Bytes,
    },
    /// The stream to this member is open.
    Up {
        /// Which member.
        peer: ValidatorIndex,
    },
    /// The stream to this member was lost. It is being reopened.
    Down {
        /// Which member.
        peer: ValidatorIndex,
    },
    /// Somebody asks for something. Answer with [`crate::Network::respond`] within two view
    /// timeouts, or drop the token to answer nothing.
    Request {
        /// Which member asks; `None` for a follower.
        from: Option<ValidatorIndex>,
        /// What the answer is given with.
        token: ResponseToken,
        /// At least one byte, at most [`limits::REQUEST_BYTES_MAX`].
        bytes: Bytes,
    },
    /// The outcome of a request of ours. Every accepted request has exactly one, unless the
    /// network stops first.
    Response {
        /// Who was asked.
        from: ValidatorIndex,
        /// Which request.
        request: RequestId,
        /// The answer, at most [`limits::RESPONSE_BYTES_MAX`].
        result: Result<Bytes, FetchError>,
    },
}

struct Queued {
    event: Event,
    // Given back to the peer's budget when the application takes the event.
    _paid: Option<OwnedSemaphorePermit>,
}

/// The network's events, in the order in which they happened per peer.
pub struct Events {
    queue: mpsc::UnboundedReceiver<Queued>,
}

impl Events {
    /// Waits for the next event. `None` once the network has stopped and the queue is empty.
    pub async fn recv(&mut self) -> Option<Event> {
        self.queue.recv().await.map(|queued| queued.event)
    }

    /// As [`Self::recv`], from a thread outside the runtime.
    ///
    /// # Panics
    /// When called from within an asynchronous task.
    pub fn blocking_recv(&mut self) -> Option<Event> {
        self.queue.blocking_recv().map(|queued| queued.event)
    }

    /// The next event if one is waiting.
    ///
    /// # Errors
    /// `Empty` when none is waiting, `Disconnected` when none will come.
    pub fn try_recv(&mut self) -> Result<Event, TryRecvError> {
        self.queue.try_recv().map(|queued| queued.event)
    }
}

/// The network's end of the queue.
#[derive(Clone)]
pub(crate) struct EventSink {
    queue: mpsc::UnboundedSender<Queued>,
}

/// The application has dropped its [`Events`].
#[derive(Debug)]
pub(crate) struct Gone;

/// A queue of events, both ends.
pub(crate) fn queue() -> (EventSink, Events) {
    let (sender, receiver) = mpsc::unbounded_channel();
    (EventSink { queue: sender }, Events { queue: receiver })
}

impl EventSink {
    /// Queues an event that was paid for.
    pub(crate) fn put(&self, event: Event, paid: Option<OwnedSemaphorePermit>) -> Result<(), Gone> {
        self.queue.send(Queued { event, _paid: paid }).map_err(|_| Gone)
    }
}

/// What an event of so many bytes costs: permits of a budget.
pub(crate) fn cost(bytes: usize) -> u32 {
    u32::try_from(bytes + limits::EVENT_OVERHEAD_BYTES)
        .unwrap_or(u32::MAX)
        .min(limits::EVENT_BYTES_PER_PEER_MAX)
}

/// Pays for an event now, or not at all.
pub(crate) fn try_pay(budget: &Arc<Semaphore>, bytes: usize) -> Option<OwnedSemaphorePermit> {
    Arc::clone(budget).try_acquire_many_owned(cost(bytes)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn taking_an_event_gives_its_cost_back() {
        let budget = Arc::new(Semaphore::new(2_000));
        let (sink, mut events) = queue();
        for _ in 0..2 {
            let paid = try_pay(&budget, 400).expect("within the budget");
            sink.put(Event::Up { peer: ValidatorIndex::new(1) }, Some(paid)).unwrap();
        }
        assert!(try_pay(&budget, 400).is_none(), "the budget is spent");
        events.try_recv().unwrap();
        assert!(try_pay(&budget, 400).is_some());
    }

    #[test]
    fn nothing_costs_nothing() {
        assert_eq!(cost(0), 512);
        assert_eq!(cost(usize::MAX / 2), limits::EVENT_BYTES_PER_PEER_MAX);
    }

    #[test]
    fn the_network_notices_that_nobody_listens() {
        let (sink, events) = queue();
        drop(events);
        assert!(sink.put(Event::Up { peer: ValidatorIndex::new(1) }, None).is_err());
    }
}
