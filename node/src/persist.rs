//! The two threads that make records durable, and say so.
//!
//! The vote thread writes the newest vote record of all that wait: a later record replaces every
//! earlier one, so all become durable together. The batch thread writes all batches and
//! acknowledgements that wait in one go, and signs own batches before.
//!
//! # Invariants
//! - `Durable` is said only after the write returned, in the order in which records were made.
//! - After a failed write nothing is said any more: the node stops, and nothing is tried again.
//! - Both queues are bounded by the replica, which waits for `Durable` before it goes on.

use crate::barrier::{BatchBarrier, LaneWrite, VoteBarrier};
use crate::host::FeedTask;
use crate::inbox::Inbox;
use crate::keys::NodeKeys;
use crate::metrics::Metrics;
use crate::recorder::Recorder;
use crate::stop::Stopper;
use crate::storage::Disk;
use crate::submissions::Submissions;
use chorale_consensus::Input;
use chorale_consensus::record::{Record, RecordId, VoteRecord};
use chorale_types::batch::{Batch, BatchEntry, BatchHeader};
use chorale_types::block::Block;
use chorale_types::crypto::hash::Digest;
use chorale_types::message::{Message, SignedHeader};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Instant;

/// Batches and acknowledgements in one write at most.
const GROUP_MAX: usize = 64;

/// A vote record to write.
pub struct VoteTask {
    id: RecordId,
    blocks: Vec<Arc<Block>>,
    votes: Arc<VoteRecord>,
}

/// Something of the lanes to write.
pub enum LaneTask {
    /// The next batch of the own lane.
    Own(RecordId, BatchHeader, Vec<BatchEntry>),
    /// Anything else.
    Other(RecordId, LaneWrite),
}

/// Hands records to the two threads.
pub struct Persisters {
    votes: Sender<VoteTask>,
    lanes: Sender<LaneTask>,
}

/// The other ends, for the two threads.
pub struct PersistQueues {
    /// For [`run_votes`].
    pub votes: Receiver<VoteTask>,
    /// For [`run_lanes`].
    pub lanes: Receiver<LaneTask>,
}

impl Persisters {
    /// The two queues.
    #[must_use]
    pub fn new() -> (Self, PersistQueues) {
        let (votes, votes_end) = channel();
        let (lanes, lanes_end) = channel();
        (Self { votes, lanes }, PersistQueues { votes: votes_end, lanes: lanes_end })
    }

    /// Starts making a record durable.
    pub fn persist(&self, id: RecordId, record: Record) {
        // The threads end only with the node: what cannot be handed on is not needed any more.
        let _ = match record {
            Record::Vote { blocks, record } => {
                self.votes.send(VoteTask { id, blocks, votes: record }).is_ok()
            }
            Record::OwnBatch { header, entries } => {
                self.lanes.send(LaneTask::Own(id, header, entries)).is_ok()
            }
            Record::Batch { batch, acknowledge } => {
                self.other(id, LaneWrite::Batch(batch, acknowledge))
            }
            Record::Acknowledgement { header } => {
                self.other(id, LaneWrite::Acknowledgement(header))
            }
        };
    }

    fn other(&self, id: RecordId, write: LaneWrite) -> bool {
        self.lanes.send(LaneTask::Other(id, write)).is_ok()
    }
}

/// What both threads tell.
#[derive(Clone)]
pub struct Told {
    /// Where `Durable` goes.
    pub inbox: Arc<Inbox>,
    /// What a failure stops.
    pub stopper: Stopper,
    /// Where times are counted.
    pub metrics: Arc<Metrics>,
}

/// Writes vote records until the queue ends or a write fails.
pub fn run_votes<D: Disk>(tasks: &Receiver<VoteTask>, mut barrier: VoteBarrier<D>, told: &Told) {
    while let Ok(first) = tasks.recv() {
        let group: Vec<VoteTask> = std::iter::once(first).chain(tasks.try_iter()).collect();
        let blocks: Vec<_> = group.iter().flat_map(|task| task.blocks.iter().cloned()).collect();
        let newest = group.last().expect("the first is there");
        let started = Instant::now();
        if let Err(error) = barrier.write(&blocks, &newest.votes) {
            told.stopper.fail(format!("the vote record cannot be written: {error}"));
            return;
        }
        told.metrics.work.vote_sync.observe(started.elapsed().as_secs_f64());
        told.inbox.urgent_all(group.iter().map(|task| Input::Durable(task.id)));
    }
}

/// Answers for a node that signs no votes: nothing leaves that would need the record.
pub fn run_votes_of_observer(tasks: &Receiver<VoteTask>, told: &Told) {
    while let Ok(task) = tasks.recv() {
        told.inbox.urgent(Input::Durable(task.id));
    }
}

/// What the batch thread works with.
pub struct LaneWriter {
    /// Where batches are made durable.
    pub barrier: BatchBarrier,
    /// Signs own batches.
    pub keys: Arc<NodeKeys>,
    /// The chain.
    pub chain: Digest,
    /// Learns what is in own batches.
    pub submissions: Submissions,
    /// Learns that batches are stored.
    pub feed: Sender<FeedTask>,
    /// Learns what was signed.
    pub recorder: Option<Recorder>,
}

/// Writes batches and acknowledgements until the queue ends or a write fails.
pub fn run_lanes(tasks: &Receiver<LaneTask>, writer: &LaneWriter, told: &Told) {
    while let Ok(first) = tasks.recv() {
        let rest = tasks.try_iter().take(GROUP_MAX - 1);
        let group: Vec<LaneTask> = std::iter::once(first).chain(rest).collect();
        let (mut writes, mut answers, mut signed) = (Vec::new(), Vec::new(), Vec::new());
        for task in group {
            match task {
                LaneTask::Own(id, header, entries) => {
                    let batch = writer.own_batch(header, entries);
                    signed.push(SignedHeader { header, signature: batch.owner_signature });
                    writes.push(LaneWrite::Batch(Arc::clone(&batch), true));
                    answers.push(Input::Own(Message::Batch(batch)));
                    answers.push(Input::Durable(id));
                }
                LaneTask::Other(id, write) => {
                    writes.push(write);
                    answers.push(Input::Durable(id));
                }
            }
        }
        let started = Instant::now();
        if let Err(error) = writer.barrier.write(&writes) {
            told.stopper.fail(format!("batches cannot be stored: {error}"));
            return;
        }
        told.metrics.work.batch_sync.observe(started.elapsed().as_secs_f64());
        if let Some(recorder) = &writer.recorder {
            // Not before: a batch that a crash undoes is made anew, and says something else.
            signed.into_iter().for_each(|header| recorder.batch(header));
        }
        told.inbox.urgent_all(answers);
        // The feed's thread ends only with the node.
        let _ = writer.feed.send(FeedTask::Stored);
    }
}

impl LaneWriter {
    fn own_batch(&self, header: BatchHeader, entries: Vec<BatchEntry>) -> Arc<Batch> {
        let statement = header.acknowledgement();
        let signature = self.keys.network.sign(&statement.signing_bytes(&self.chain));
        let ids = entries.iter().flat_map(|entry| entry.transactions.ids(entry.rollup));
        self.submissions.on_batch(statement.id(), ids.collect());
        Arc::new(Batch { header, owner_signature: signature, entries })
    }
}

#[cfg(test)]
mod tests;
