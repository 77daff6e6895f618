//! Starts the threads around the replica's, one for each kind of waiting.

use super::{Ends, Shared};
use crate::barrier::{BatchBarrier, VoteBarrier};
use crate::feed::Feed;
use crate::feeder::Feeder;
use crate::fetcher::{self, Answer};
use crate::host::FeedTask;
use crate::node::opening::Opened;
use crate::persist::{LaneWriter, Told, VoteTask, run_lanes, run_votes, run_votes_of_observer};
use crate::signer::{self, Signer};
use crate::storage::serve::Archive;
use crate::storage::{RealDisk, Stores, VoteRecord};
use crate::threads::Threads;
use crate::verify::Judge;
use crate::wire::Outbound;
use crate::workers::Desk;
use anyhow::Result;
use std::sync::Arc;
use std::sync::mpsc::Receiver;

impl Shared {
    /// Starts every thread but the replica's.
    pub(super) fn start(&self, opened: Opened, ends: Ends) -> Result<Threads> {
        let mut threads = Threads::new(self.stopper.clone());
        let Opened { set, keys, stores, feed, recovery, .. } = opened;
        let Ends { queues, tasks, answers, feed: fed } = ends;
        self.start_votes(&mut threads, &stores, recovery.vote_record, queues.votes)?;
        let writer = LaneWriter {
            barrier: BatchBarrier::new(stores.batches.clone(), Arc::clone(&stores.synced)),
            keys: Arc::clone(&keys),
            chain: *set.chain(),
            submissions: self.submissions.clone(),
            feed: fed,
            recorder: self.recorder.clone(),
        };
        let told = self.told();
        threads.spawn("lanes", move || run_lanes(&queues.lanes, &writer, &told))?;
        self.start_signer(&mut threads, Signer::new(keys, *set.chain()))?;
        self.start_workers(&mut threads, &Arc::new(Judge::new(&set)?))?;
        self.start_answers(&mut threads, Archive::new(stores.blocks, stores.batches), answers)?;
        self.start_feed(&mut threads, feed, tasks)?;
        Ok(threads)
    }

    fn told(&self) -> Told {
        Told {
            inbox: Arc::clone(&self.inbox),
            stopper: self.stopper.clone(),
            metrics: Arc::clone(&self.metrics),
        }
    }

    fn start_votes(
        &self,
        threads: &mut Threads,
        stores: &Stores,
        record: Option<VoteRecord<RealDisk>>,
        tasks: Receiver<VoteTask>,
    ) -> Result<()> {
        let told = self.told();
        match record {
            Some(record) => {
                let (blocks, synced) = (stores.blocks.clone(), Arc::clone(&stores.synced));
                let barrier = VoteBarrier::new(record, blocks, synced);
                threads.spawn("votes", move || run_votes(&tasks, barrier, &told))?;
            }
            None => threads.spawn("votes", move || run_votes_of_observer(&tasks, &told))?,
        }
        Ok(())
    }

    fn start_signer(&self, threads: &mut Threads, signer: Signer) -> Result<()> {
        let outbound = Outbound::over(self.network.clone());
        let (outbox, inbox) = (Arc::clone(&self.outbox), Arc::clone(&self.inbox));
        let recorder = self.recorder.clone();
        Ok(threads.spawn("signer", move || {
            signer::run(&outbox, &signer, &outbound, &inbox, recorder.as_ref());
        })?)
    }

    fn start_workers(&self, threads: &mut Threads, judge: &Arc<Judge>) -> Result<()> {
        for thread in 0..self.workers.threads() {
            let (workers, judge) = (Arc::clone(&self.workers), Arc::clone(judge));
            let desk = Desk {
                inbox: Arc::clone(&self.inbox),
                fetcher: Arc::clone(&self.fetcher),
                metrics: Arc::clone(&self.metrics),
            };
            threads.spawn("worker", move || workers.run(thread, &judge, &desk))?;
        }
        Ok(())
    }

    fn start_answers(
        &self,
        threads: &mut Threads,
        archive: Archive,
        answers: Receiver<Answer>,
    ) -> Result<()> {
        let (network, stopper) = (self.network.clone(), self.stopper.clone());
        Ok(threads.spawn("answers", move || {
            fetcher::run(
                &answers,
                &archive,
                |token, bytes| network.respond(token, bytes),
                &stopper,
            );
        })?)
    }

    fn start_feed(
        &self,
        threads: &mut Threads,
        feed: Feed,
        tasks: Receiver<FeedTask>,
    ) -> Result<()> {
        let feeder = Feeder {
            inbox: Arc::clone(&self.inbox),
            ledger: self.ledger.clone(),
            submissions: self.submissions.clone(),
            metrics: Arc::clone(&self.metrics),
            recorder: self.recorder.clone(),
            stopper: self.stopper.clone(),
        };
        Ok(threads.spawn("feed", move || feeder.run(feed, &tasks))?)
    }
}
