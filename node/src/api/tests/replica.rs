//! The replica in the middle, as far as submit calls see it.

use crate::inbox::Inbox;
use crate::submissions::Submissions;
use chorale_consensus::input::HashedTransaction;
use chorale_consensus::output::Admission;
use chorale_consensus::{Input, Status};
use chorale_types::batch::BatchId;
use chorale_types::crypto::hash::Digest;
use chorale_types::ids::{Epoch, Height, LaneId, LaneSeq, ValidatorIndex, View};
use chorale_types::time::Instant;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

/// What the replica would do.
pub(super) struct Replica {
    /// What it answers to every new transaction.
    pub(super) answer: Admission,
    /// How many transactions it was handed.
    pub(super) handed_in: usize,
    /// Taken and not ordered.
    pub(super) pending: Vec<HashedTransaction>,
    batches: u64,
}

impl Replica {
    /// Starts its thread, which answers every submit call until the inbox closes.
    pub(super) fn start(inbox: &Arc<Inbox>, submissions: &Submissions) -> Arc<Mutex<Self>> {
        let answer = Admission::Accepted;
        let idle = Self { answer, handed_in: 0, pending: Vec::new(), batches: 0 };
        let replica = Arc::new(Mutex::new(idle));
        let (inbox, submissions) = (Arc::clone(inbox), submissions.clone());
        let taken = Arc::clone(&replica);
        std::thread::spawn(move || {
            let mut turn = VecDeque::new();
            while inbox.take(&mut turn, None).is_ok() {
                for input in turn.drain(..) {
                    let Input::Submit(ticket, all) = input else { continue };
                    let mut replica = taken.lock().unwrap();
                    let admissions = all.into_iter().map(|one| replica.admit(one)).collect();
                    submissions.on_admitted(ticket, admissions);
                }
            }
        });
        replica
    }

    fn admit(&mut self, transaction: HashedTransaction) -> Admission {
        self.handed_in += 1;
        if self.pending.iter().any(|pending| pending.id == transaction.id) {
            return Admission::AlreadyKnown;
        }
        if self.answer == Admission::Accepted {
            self.pending.push(transaction);
        }
        self.answer
    }

    /// The name of its next batch.
    pub(super) const fn next_batch(&mut self) -> BatchId {
        self.batches += 1;
        let lane = LaneId { epoch: Epoch::new(1), owner: ValidatorIndex::new(0) };
        BatchId { lane, seq: LaneSeq::new(self.batches), digest: Digest::ZERO }
    }
}

/// A replica that did nothing yet.
pub(super) const IDLE: Status = Status {
    view: View::new(1),
    leader: ValidatorIndex::new(0),
    entered: Instant::from_micros(0),
    timed_out: false,
    timeout_stake: 0,
    proposal_seen: false,
    height: Height::ZERO,
    target_height: Height::ZERO,
    ordered_height: Height::ZERO,
    high_qc_view: View::ZERO,
    voting: true,
    contradicted: None,
    lane_lost: None,
};
