//! The feed's thread: stores final blocks, orders them as soon as their batches are held, and
//! tells the replica, the readers and whoever waits for a transaction.
//!
//! Final blocks are written buffered: a crash of the process loses nothing, a power cut the last
//! few, which peers give again by certificate. No promise of this node rests on them.

use crate::feed::{Feed, FeedError};
use crate::host::FeedTask;
use crate::inbox::Inbox;
use crate::ledger::Ledger;
use crate::metrics::Metrics;
use crate::recorder::Recorder;
use crate::stop::Stopper;
use crate::submissions::Submissions;
use chorale_consensus::Input;
use chorale_consensus::ordering::OrderedBlock;
use std::sync::Arc;
use std::sync::mpsc::Receiver;

/// Final blocks in one write at most.
const GROUP_MAX: usize = 256;

/// Whom the feed tells.
pub struct Feeder {
    /// The replica.
    pub inbox: Arc<Inbox>,
    /// Readers.
    pub ledger: Ledger,
    /// Those who wait for a transaction.
    pub submissions: Submissions,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// The history.
    pub recorder: Option<Recorder>,
    /// What a failure stops.
    pub stopper: Stopper,
}

impl Feeder {
    /// Works until it is told to stop, or the store fails.
    pub fn run(&self, mut feed: Feed, tasks: &Receiver<FeedTask>) {
        // A restart may have left final blocks that are not ordered.
        let mut done = self.order(&mut feed);
        while done.is_ok() {
            let Ok(first) = tasks.recv() else {
                return;
            };
            let (mut blocks, mut stop) = (Vec::new(), false);
            for task in std::iter::once(first).chain(tasks.try_iter().take(GROUP_MAX - 1)) {
                match task {
                    FeedTask::Commit(block) => blocks.push(block),
                    FeedTask::Stored => {}
                    FeedTask::Stop => stop = true,
                }
            }
            if let Some(recorder) = &self.recorder {
                blocks.iter().for_each(|block| recorder.commit(block));
            }
            done = feed.commit(&blocks).and_then(|()| self.order(&mut feed));
            if stop {
                break;
            }
        }
        if let Err(error) = done {
            self.stopper.fail(format!("final blocks cannot be kept: {error}"));
        }
    }

    fn order(&self, feed: &mut Feed) -> Result<(), FeedError> {
        while let Some(ordered) = feed.order_next()? {
            self.tell(ordered);
        }
        Ok(())
    }

    fn tell(&self, ordered: OrderedBlock) {
        let (height, root) = (ordered.height, ordered.root);
        self.inbox.urgent(Input::Ordered { height, root });
        self.ledger.publish(&ordered);
        self.submissions.on_ordered(&ordered);
        let contents = &ordered.record.contents;
        let delivered = contents.iter().map(|content| content.delivered.len()).sum();
        let skipped = contents.iter().map(|content| content.skipped.len()).sum();
        self.metrics.on_ordered(delivered, skipped);
        if let Some(recorder) = &self.recorder {
            recorder.ordered(&Arc::new(ordered));
        }
    }
}
