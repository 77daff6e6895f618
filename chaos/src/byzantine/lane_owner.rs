//! An owner that fills one place of its lane twice.

use super::Outgoing;
use crate::rng::Rng;
use crate::sim::cluster::Signer;
use chorale_types::batch::{Batch, BatchEntry};
use chorale_types::ids::LaneSeq;
use chorale_types::message::Message;
use chorale_types::transaction::Transactions;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Second batches kept, to show the same one again.
const KEPT_MAX: usize = 64;

/// The second batch of each place, and who is shown it.
#[derive(Debug, Default)]
pub(super) struct LaneOwner {
    seconds: BTreeMap<LaneSeq, (Arc<Batch>, u64)>,
}

impl LaneOwner {
    pub(super) fn tamper(&mut self, out: &mut [Outgoing], signer: &Signer, rng: &mut Rng) {
        for (peer, _, message) in out {
            let Message::Batch(batch) = message else { continue };
            if batch.header.lane.owner != signer.index {
                continue;
            }
            let seq = batch.header.seq;
            if !self.seconds.contains_key(&seq) {
                let previous = seq.previous().and_then(|seq| self.seconds.get(&seq));
                let previous = previous.filter(|_| rng.chance(500_000)).map(|(batch, _)| batch);
                let second = second(batch, previous.map(|batch| &**batch), signer);
                let shown_to = if rng.chance(500_000) { rng.any() } else { 0 };
                self.seconds.insert(seq, (Arc::new(second), shown_to));
                while self.seconds.len() > KEPT_MAX {
                    self.seconds.pop_first();
                }
            }
            if let Some((second, shown_to)) = self.seconds.get(&seq)
                && shown_to >> *peer & 1 == 1
            {
                *message = Message::Batch(Arc::clone(second));
            }
        }
    }
}

/// Another batch for the same place, perhaps on the other batch before it.
fn second(batch: &Batch, previous: Option<&Batch>, signer: &Signer) -> Batch {
    let entries: Vec<BatchEntry> = batch
        .entries
        .iter()
        .map(|entry| {
            let mut transactions = Transactions::default();
            for payload in entry.transactions.iter() {
                let mut payload = payload.to_vec();
                payload[0] ^= 0x80;
                transactions.push(&payload);
            }
            BatchEntry { rollup: entry.rollup, transactions }
        })
        .collect();
    let mut header = batch.header;
    header.root = Batch::root(&entries);
    if let Some(previous) = previous {
        header.prev = previous.header.digest();
    }
    Batch { header, owner_signature: signer.batch(&header), entries }
}
