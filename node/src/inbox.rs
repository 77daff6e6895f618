//! What waits for the replica: inputs from every other thread, the urgent ones first.
//!
//! - *urgent*: own signed statements, durable records, verdicts, ordered heights. Bounded by what
//!   the replica asked for.
//! - *network*: messages, requests and answers of peers, [`NETWORK_MAX`] of them and
//!   [`NETWORK_BYTES_MAX`] bytes; then the thread that decodes them waits.
//! - *bulk*: batches of peers, [`BULK_MAX`] of them; then likewise.
//! - *submit*: calls of this node's users, [`SUBMITS_MAX`] of them; one more is refused.
//!
//! # Invariants
//! Inputs of one rank leave in the order they came. A turn takes every urgent input and a bounded
//! number of the others, so an urgent one waits for at most one turn.

use chorale_consensus::Input;
use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// Messages that may wait.
pub const NETWORK_MAX: usize = 8_192;
/// Bytes on the wire of messages that may wait; the last one may go beyond.
pub const NETWORK_BYTES_MAX: usize = 64 << 20;
/// Batches that may wait: with half a megabyte each, 32 MiB.
pub const BULK_MAX: usize = 64;
/// Submit calls that may wait.
pub const SUBMITS_MAX: usize = 1_024;

/// Of each rank, what one turn takes at most.
const NETWORK_PER_TURN: usize = 64;
const BULK_PER_TURN: usize = 4;
const SUBMITS_PER_TURN: usize = 4;

/// The queue in front of the replica.
#[derive(Debug, Default)]
pub struct Inbox {
    queues: Mutex<Queues>,
    /// Rung when something is put in.
    filled: Condvar,
    /// Rung when something is taken out.
    room: Condvar,
}

#[derive(Debug, Default)]
struct Queues {
    urgent: VecDeque<Input>,
    /// With the bytes that each had on the wire.
    network: VecDeque<(Input, usize)>,
    network_bytes: usize,
    bulk: VecDeque<Input>,
    submits: VecDeque<Input>,
    closed: bool,
}

/// How much waits.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Waiting {
    /// Urgent inputs.
    pub urgent: usize,
    /// Messages.
    pub network: usize,
    /// Batches.
    pub bulk: usize,
    /// Submit calls.
    pub submits: usize,
}

/// The inbox is closed: the node stops.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Closed;

/// Why a submit call was not queued; it comes back.
#[derive(Debug)]
pub enum NotQueued {
    /// [`SUBMITS_MAX`] wait.
    Full,
    /// The node stops.
    Closed,
}

impl Inbox {
    fn lock(&self) -> MutexGuard<'_, Queues> {
        self.queues.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts in an answer to something that the replica asked for.
    pub fn urgent(&self, input: Input) {
        self.lock().urgent.push_back(input);
        self.filled.notify_one();
    }

    /// Puts in several at once.
    pub fn urgent_all(&self, inputs: impl IntoIterator<Item = Input>) {
        self.lock().urgent.extend(inputs);
        self.filled.notify_one();
    }

    /// Puts in something of a peer that had so many bytes on the wire. Waits while there is no
    /// room.
    ///
    /// # Errors
    /// When the inbox is closed.
    pub fn network(&self, input: Input, bytes: usize) -> Result<(), Closed> {
        let mut queues = self.wait_for_room(|queues| {
            queues.network.len() < NETWORK_MAX && queues.network_bytes < NETWORK_BYTES_MAX
        })?;
        queues.network.push_back((input, bytes));
        queues.network_bytes = queues.network_bytes.saturating_add(bytes);
        drop(queues);
        self.filled.notify_one();
        Ok(())
    }

    /// Puts in a peer's batch. Waits while there is no room.
    ///
    /// # Errors
    /// When the inbox is closed.
    pub fn bulk(&self, input: Input) -> Result<(), Closed> {
        let mut queues = self.wait_for_room(|queues| queues.bulk.len() < BULK_MAX)?;
        queues.bulk.push_back(input);
        drop(queues);
        self.filled.notify_one();
        Ok(())
    }

    fn wait_for_room(
        &self,
        has_room: impl Fn(&Queues) -> bool,
    ) -> Result<MutexGuard<'_, Queues>, Closed> {
        let mut queues = self.lock();
        while !queues.closed && !has_room(&queues) {
            queues = self.room.wait(queues).unwrap_or_else(PoisonError::into_inner);
        }
        if queues.closed { Err(Closed) } else { Ok(queues) }
    }

    /// Puts in a submit call, or refuses it.
    ///
    /// # Errors
    /// When too many wait, or the inbox is closed.
    pub fn submit(&self, input: Input) -> Result<(), NotQueued> {
        let mut queues = self.lock();
        if queues.closed {
            return Err(NotQueued::Closed);
        }
        if queues.submits.len() >= SUBMITS_MAX {
            return Err(NotQueued::Full);
        }
        queues.submits.push_back(input);
        drop(queues);
        self.filled.notify_one();
        Ok(())
    }

    /// Waits until something is there, the deadline passes or the inbox is closed, and takes one
    /// turn's worth into `turn`, the urgent first.
    ///
    /// # Errors
    /// When the inbox is closed: what was in it is dropped.
    pub fn take(&self, turn: &mut VecDeque<Input>, until: Option<Instant>) -> Result<(), Closed> {
        let mut queues = self.lock();
        loop {
            if queues.closed {
                return Err(Closed);
            }
            if !queues.is_empty() {
                break;
            }
            let Some(until) = until else {
                queues = self.filled.wait(queues).unwrap_or_else(PoisonError::into_inner);
                continue;
            };
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(());
            }
            let waited = self.filled.wait_timeout(queues, left);
            queues = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        turn.append(&mut queues.urgent);
        queues.take_network(turn);
        move_some(&mut queues.bulk, turn, BULK_PER_TURN);
        move_some(&mut queues.submits, turn, SUBMITS_PER_TURN);
        drop(queues);
        self.room.notify_all();
        Ok(())
    }

    /// Takes the urgent inputs that came meanwhile, without waiting.
    pub fn take_urgent(&self, turn: &mut VecDeque<Input>) {
        turn.append(&mut self.lock().urgent);
    }

    /// Refuses everything from now on and wakes whoever waits.
    pub fn close(&self) {
        self.lock().closed = true;
        self.filled.notify_all();
        self.room.notify_all();
    }

    /// How much waits.
    #[must_use]
    pub fn waiting(&self) -> Waiting {
        let queues = self.lock();
        Waiting {
            urgent: queues.urgent.len(),
            network: queues.network.len(),
            bulk: queues.bulk.len(),
            submits: queues.submits.len(),
        }
    }
}

impl Queues {
    fn take_network(&mut self, turn: &mut VecDeque<Input>) {
        let count = self.network.len().min(NETWORK_PER_TURN);
        for (input, bytes) in self.network.drain(..count) {
            self.network_bytes = self.network_bytes.saturating_sub(bytes);
            turn.push_back(input);
        }
    }

    fn is_empty(&self) -> bool {
        self.urgent.is_empty()
            && self.network.is_empty()
            && self.bulk.is_empty()
            && self.submits.is_empty()
    }
}

fn move_some(from: &mut VecDeque<Input>, to: &mut VecDeque<Input>, max: usize) {
    let count = from.len().min(max);
    to.extend(from.drain(..count));
}

#[cfg(test)]
mod tests {
    use super::*;
    use chorale_consensus::input::{Ticket, Timer};
    use chorale_consensus::record::RecordId;
    use chorale_types::ids::ValidatorIndex;
    use std::sync::Arc;

    fn submit(n: u64) -> Input {
        Input::Submit(Ticket(n), Vec::new())
    }

    fn message(n: u16) -> Input {
        Input::PeerUp(ValidatorIndex::new(n))
    }

    fn take(inbox: &Inbox) -> Vec<Input> {
        let mut turn = VecDeque::new();
        inbox.take(&mut turn, Some(Instant::now())).unwrap();
        turn.into()
    }

    #[test]
    fn a_turn_takes_the_urgent_first_and_each_rank_in_order() {
        let inbox = Inbox::default();
        inbox.submit(submit(1)).unwrap();
        inbox.bulk(message(7)).unwrap();
        inbox.network(message(1), 10).unwrap();
        inbox.network(message(2), 10).unwrap();
        inbox.urgent_all([Input::Durable(RecordId(1)), Input::Timer(Timer::Cut)]);
        let expected = [
            Input::Durable(RecordId(1)),
            Input::Timer(Timer::Cut),
            message(1),
            message(2),
            message(7),
            submit(1),
        ];
        assert_eq!(take(&inbox), expected);
        assert_eq!(inbox.waiting(), Waiting::default());
    }

    #[test]
    fn an_urgent_input_waits_for_one_turn_however_much_else_is_there() {
        let inbox = Inbox::default();
        (0..1_000).for_each(|n| inbox.network(message(n), 10).unwrap());
        assert_eq!(take(&inbox).len(), NETWORK_PER_TURN);
        inbox.urgent(Input::Durable(RecordId(1)));
        assert_eq!(take(&inbox)[0], Input::Durable(RecordId(1)));
    }

    #[test]
    fn submit_calls_are_refused_at_their_bound() {
        let inbox = Inbox::default();
        for n in 0..SUBMITS_MAX {
            inbox.submit(submit(u64::try_from(n).unwrap())).unwrap();
        }
        assert!(matches!(inbox.submit(submit(0)), Err(NotQueued::Full)));
        take(&inbox);
        inbox.submit(submit(0)).unwrap();
    }

    #[test]
    fn whoever_feeds_messages_waits_for_room_and_is_woken_by_the_end() {
        let inbox = Arc::new(Inbox::default());
        (0..BULK_MAX).for_each(|_| inbox.bulk(message(0)).unwrap());
        let feeder = {
            let inbox = Arc::clone(&inbox);
            std::thread::spawn(move || (inbox.bulk(message(1)), inbox.bulk(message(2))))
        };
        assert_eq!(take(&inbox).len(), BULK_PER_TURN);
        while inbox.waiting().bulk < BULK_MAX - BULK_PER_TURN + 2 {
            std::thread::yield_now();
        }
        assert_eq!(feeder.join().unwrap(), (Ok(()), Ok(())));
        (0..2).for_each(|_| inbox.bulk(message(0)).unwrap());
        let stuck = {
            let inbox = Arc::clone(&inbox);
            std::thread::spawn(move || inbox.bulk(message(1)))
        };
        inbox.close();
        assert_eq!(stuck.join().unwrap(), Err(Closed));
        assert!(matches!(inbox.submit(submit(0)), Err(NotQueued::Closed)));
        assert_eq!(inbox.take(&mut VecDeque::new(), None), Err(Closed));
    }

    #[test]
    fn few_large_messages_fill_it_like_many_small_ones() {
        let inbox = Arc::new(Inbox::default());
        let large = NETWORK_BYTES_MAX / 2;
        (0..2).for_each(|_| inbox.network(message(0), large).unwrap());
        let feeder = {
            let inbox = Arc::clone(&inbox);
            std::thread::spawn(move || (inbox.network(message(1), 1), inbox.network(message(2), 1)))
        };
        // Whatever the feeder does, nothing of it is among what was there.
        assert_eq!(take(&inbox), [message(0), message(0)]);
        assert_eq!(feeder.join().unwrap(), (Ok(()), Ok(())));
        assert_eq!(take(&inbox), [message(1), message(2)]);
        assert_eq!(inbox.lock().network_bytes, 0);
    }

    #[test]
    fn nothing_to_do_ends_at_the_deadline() {
        assert!(take(&Inbox::default()).is_empty());
    }
}
