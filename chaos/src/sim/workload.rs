//! Users: they submit transactions to nodes, sometimes the same one to two.

use super::plan::Work;
use super::queue::Micros;
use crate::invariants::Judge;
use crate::rng::{Rng, Stream};
use chorale_consensus::input::{HashedTransaction, Ticket};
use chorale_consensus::output::Admission;
use chorale_types::ids::RollupId;
use chorale_types::transaction::{TransactionId, transaction_id};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Who submits what, and which calls are watched.
#[derive(Debug)]
pub struct Workload {
    work: Work,
    rollups: Vec<RollupId>,
    rng: Rng,
    made: u64,
    tickets: u64,
    /// Calls whose transactions must become final in time.
    watched: BTreeMap<Ticket, Vec<TransactionId>>,
}

impl Workload {
    /// The users of a run.
    #[must_use]
    pub fn new(work: Work, rollups: Vec<RollupId>, seed: u64) -> Self {
        let rng = Rng::new(seed, Stream::Workload);
        Self { work, rollups, rng, made: 0, tickets: 0, watched: BTreeMap::new() }
    }

    /// How long until the next call.
    pub fn pause(&mut self) -> Micros {
        self.rng.between(self.work.every / 2, self.work.every * 3 / 2)
    }

    /// Which of `count` nodes gets the next call, and perhaps which second one gets it too.
    pub fn targets(&mut self, count: usize) -> (usize, Option<usize>) {
        let first = self.rng.index(count);
        let second = self.rng.chance(self.work.twice).then(|| self.rng.index(count));
        (first, second)
    }

    /// New transactions of one call.
    pub fn call(&mut self) -> Vec<HashedTransaction> {
        (0..self.rng.between(1, self.work.burst_max)).map(|_| self.transaction()).collect()
    }

    /// One new transaction. Its first byte is below 128, so that a second batch with that bit
    /// flipped holds other ones.
    fn transaction(&mut self) -> HashedTransaction {
        self.made += 1;
        let rollup = self.rng.pick(&self.rollups);
        let length = usize::try_from(self.rng.between(9, self.work.bytes_max)).expect("small");
        let mut payload = vec![0x5a; length];
        payload[1..9].copy_from_slice(&self.made.to_be_bytes());
        let id = transaction_id(rollup, &payload);
        HashedTransaction { rollup, id, payload: payload.into() }
    }

    /// A name for a call.
    pub fn ticket(&mut self) -> Ticket {
        self.tickets += 1;
        Ticket(self.tickets)
    }

    /// A call of one transaction that is watched.
    pub fn probe(&mut self) -> (Ticket, HashedTransaction) {
        let (ticket, transaction) = (self.ticket(), self.transaction());
        self.watched.insert(ticket, vec![transaction.id]);
        (ticket, transaction)
    }

    /// A node answered a call. What it refused is not waited for.
    pub fn on_admitted(&mut self, ticket: Ticket, admissions: &[Admission], judge: &mut Judge) {
        let Some(ids) = self.watched.remove(&ticket) else { return };
        for (id, admission) in ids.iter().zip(admissions) {
            if matches!(admission, Admission::Refused(_)) {
                judge.liveness.forget(id);
            }
        }
    }
}

/// A payload as it stands in a batch, named.
#[must_use]
pub fn hashed(rollup: RollupId, payload: &[u8]) -> HashedTransaction {
    HashedTransaction { rollup, id: transaction_id(rollup, payload), payload: Arc::from(payload) }
}
