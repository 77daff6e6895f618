//! What a node's other threads finish: records written, blocks ordered.

use super::World;
use crate::sim::event::{Event, Run};
use crate::sim::node::VoteJob;
use chorale_consensus::Input;
use chorale_consensus::record::RecordId;
use chorale_node::barrier::LaneWrite;
use chorale_types::batch::Batch;
use chorale_types::block::Block;
use chorale_types::message::Message;
use std::sync::Arc;

impl World {
    /// The vote writer is done: everything it held becomes durable with the last record.
    pub(super) fn on_votes_written(&mut self, run: Run) {
        let Some(running) = self.running(run) else { return };
        let jobs = running.body.vote_writer.now.as_slice();
        let written = match running.body.votes.as_mut() {
            None => Err("a vote record although the node observes".to_owned()),
            Some(barrier) => {
                let (blocks, record) = merged(jobs);
                barrier.write(&blocks, record).map_err(|error| error.to_string())
            }
        };
        self.shared.settle("storage", run.node, written);
        if let Some((down, fault)) = self.nodes[run.node].trap.take() {
            self.shared.felt.insert(fault);
            self.crash(run.node, true, down);
            return;
        }
        let Some(running) = self.running(run) else { return };
        let (done, more) = running.body.vote_writer.finish();
        if more {
            let at = self.shared.now + self.shared.sync_delay(run.node);
            self.shared.queue.push(at, Event::VotesWritten(run));
        }
        for job in done {
            self.durable(run, job.id);
        }
    }

    /// The lane writer is done.
    pub(super) fn on_lanes_written(&mut self, run: Run) {
        let Some(running) = self.running(run) else { return };
        let (done, more) = running.body.lane_writer.finish();
        let (ids, writes): (Vec<RecordId>, Vec<LaneWrite>) = done.into_iter().unzip();
        let written = running.body.batches.write(&writes).map_err(|error| error.to_string());
        let wanting = running.body.feed.wanted().is_some() && !running.body.ordering;
        running.body.ordering |= wanting;
        self.shared.settle("storage", run.node, written);
        if more {
            let at = self.shared.now + self.shared.sync_delay(run.node);
            self.shared.queue.push(at, Event::LanesWritten(run));
        }
        if wanting {
            let at = self.shared.now + self.shared.order_delay(run.node);
            self.shared.queue.push(at, Event::Order(run));
        }
        for (id, write) in ids.into_iter().zip(writes) {
            if let LaneWrite::Batch(batch, _) = write
                && batch.header.lane.owner.as_usize() == run.node
            {
                self.on_own_batch(run, batch);
            }
            self.durable(run, id);
        }
    }

    fn on_own_batch(&mut self, run: Run, batch: Arc<Batch>) {
        if self.nodes[run.node].honest() {
            let ids = batch.entries.iter().flat_map(|entry| entry.transactions.ids(entry.rollup));
            self.shared.judge.available.on_own_batch(batch.header.id(), ids.collect());
        }
        self.step(run, Input::Own(Message::Batch(batch)));
    }

    /// A record is durable: what waited for it leaves, and the replica hears of it.
    fn durable(&mut self, run: Run, id: RecordId) {
        if self.running(run).is_none() {
            return;
        }
        self.with_host(run, |executor, host| executor.durable(id, host));
        self.step(run, Input::Durable(id));
    }

    /// A node orders what it can.
    pub(super) fn on_order(&mut self, run: Run) {
        let Some(running) = self.running(run) else { return };
        running.body.ordering = false;
        loop {
            let Some(running) = self.running(run) else { return };
            let ordered = match running.body.feed.order_next() {
                Ok(Some(ordered)) => ordered,
                Ok(None) => {
                    let (wanted, head) =
                        (running.body.feed.wanted().copied(), running.body.feed.head());
                    self.shared.trace.line(self.shared.now, || {
                        format!("node {} has head {head}, waits for {wanted:?}", run.node)
                    });
                    return;
                }
                Err(error) => {
                    self.shared.settle("storage", run.node, Err(error.to_string()));
                    return;
                }
            };
            let (height, root) = (ordered.height, ordered.root);
            let delivered = ordered.rollups.iter().flat_map(|rollup| &rollup.delivered);
            if self.nodes[run.node].honest() {
                let ids: Vec<_> = delivered.map(|delivered| delivered.id).collect();
                self.on_ordered(run.node, height, root, &ids);
            }
            self.step(run, Input::Ordered { height, root });
        }
    }

    fn on_ordered(
        &mut self,
        node: usize,
        height: chorale_types::ids::Height,
        root: chorale_types::crypto::hash::Digest,
        delivered: &[chorale_types::transaction::TransactionId],
    ) {
        let shared = &mut self.shared;
        match shared.judge.ordered_root.on_ordered(node, height, root) {
            Err(what) => shared.settle("ordered_root", node, Err(what)),
            Ok(first) => {
                for id in delivered {
                    if first {
                        let check = shared.judge.ordered_root.on_delivered(*id);
                        shared.settle("ordered_root", node, check);
                    }
                    shared.judge.liveness.on_delivered(id, node, shared.now);
                }
            }
        }
    }
}

/// All blocks of some jobs, and the record that stands for all of theirs: the last.
pub(super) fn merged(
    jobs: &[VoteJob],
) -> (Vec<Arc<Block>>, &chorale_consensus::record::VoteRecord) {
    let blocks = jobs.iter().flat_map(|job| job.blocks.iter().cloned()).collect();
    (blocks, &jobs.last().expect("a writer that is done wrote something").record)
}
