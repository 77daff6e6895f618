//! The replica's own thread: takes what waits, steps the replica with each, does what it asks.
//!
//! # Invariants
//! The thread waits for nothing but its inbox and its next timer: disk, signatures and network
//! answer as inputs. Urgent inputs and due timers go before messages, messages before batches,
//! batches before submit calls.

use crate::execute::Executor;
use crate::host::{Clock, NodeHost};
use crate::inbox::Inbox;
use crate::status::StatusHandle;
use chorale_consensus::{Input, Output, Replica};
use chorale_types::time::Instant;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

/// How often the sizes of the replica's collections are told, at most.
const SIZES_EVERY: Duration = Duration::from_secs(1);

/// The replica with everything around it.
pub struct Runtime {
    /// The state machine.
    pub replica: Replica,
    /// What its outputs do.
    pub host: NodeHost,
    /// What waits for it.
    pub inbox: Arc<Inbox>,
    /// Who is told how it is.
    pub status: StatusHandle,
    /// The time.
    pub clock: Clock,
}

impl Runtime {
    /// Runs until the inbox is closed. `outputs` are what the replica asked for when it was made.
    pub fn run(mut self, outputs: Vec<Output>) {
        let mut executor = Executor::default();
        executor.execute(outputs, &mut self.host);
        let (mut turn, mut sizes_at) = (VecDeque::new(), Instant::default());
        loop {
            let next = self.host.timers.next().and_then(|at| self.clock.moment(at));
            if self.inbox.take(&mut turn, next).is_err() {
                return;
            }
            let started = self.clock.now().monotonic;
            while let Some(timer) = self.host.timers.pop_due(self.clock.now().monotonic) {
                self.step(&mut executor, Input::Timer(timer));
            }
            self.host.metrics.work.inputs.inc_by(u64::try_from(turn.len()).unwrap_or(u64::MAX));
            while let Some(input) = turn.pop_front() {
                self.step(&mut executor, input);
            }
            self.tell(started, &mut sizes_at);
        }
    }

    fn step(&mut self, executor: &mut Executor, input: Input) {
        if let Input::Durable(record) = &input {
            executor.durable(*record, &mut self.host);
        }
        let outputs = self.replica.step(self.clock.now(), input);
        executor.execute(outputs, &mut self.host);
    }

    fn tell(&self, started: Instant, sizes_at: &mut Instant) {
        let (status, now) = (self.replica.status(), self.clock.now().monotonic);
        let metrics = &self.host.metrics;
        self.status.update(status);
        metrics.on_status(&status);
        metrics.work.step_busy.inc_by(now.since(started).as_secs_f64());
        if now.since(*sizes_at) >= SIZES_EVERY {
            *sizes_at = now;
            for (collection, size) in self.replica.sizes() {
                let size = i64::try_from(size).unwrap_or(i64::MAX);
                metrics.work.sizes.with_label_values(&[collection]).set(size);
            }
        }
    }
}
