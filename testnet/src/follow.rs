//! Followers: clients that read each rollup's stream, at two different nodes where there are two,
//! and verify every frame by themselves. What they read goes to the tracker and the histories.
//!
//! # Invariants
//! All followers of a rollup begin at the same sequence number, before any load. All followers
//! share what they have proven, so that a certificate is verified once.

use crate::clock::now_ns;
use crate::home::State;
use crate::record::History;
use crate::track::stream::FrameDigest;
use crate::track::{Seen, Tracker};
use anyhow::{Context, Result};
use chorale_client::{
    Chain, Client, ClientError, Follow, RollupBlock, RollupStream, StreamEvent, Trouble,
};
use chorale_types::codec::{Encode as _, encode_bytes, encode_count};
use chorale_types::genesis::Genesis;
use chorale_types::ids::{RollupId, Sequence};
use serde_json::json;
use sha2::{Digest as _, Sha256};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// Followers of each rollup, where there are as many nodes.
const FOLLOWERS_PER_ROLLUP: usize = 2;

/// Who is to follow what.
pub struct Plan<'a> {
    /// The testnet.
    pub state: &'a State,
    /// A node that nobody reads from.
    pub unread: Option<usize>,
    /// Where everything that is read goes.
    pub tracker: Arc<Mutex<Tracker>>,
    /// Where histories go, if they are wanted.
    pub record: Option<&'a Path>,
}

/// How many followers a rollup gets on a testnet of `nodes` nodes of which `unread` is left out.
#[must_use]
pub fn readers(nodes: usize, unread: Option<usize>) -> usize {
    nodes.saturating_sub(usize::from(unread.is_some())).clamp(1, FOLLOWERS_PER_ROLLUP)
}

/// SHA-256 over everything that a subscriber reads in a block: sequence, height and time, then
/// each transaction behind its length. Proofs are left out, since nodes may prove differently.
#[must_use]
pub fn frame_digest(block: &RollupBlock) -> FrameDigest {
    let mut hash = Sha256::new();
    for number in [block.sequence.get(), block.height.get(), block.time.as_millis()] {
        hash.update(number.to_be_bytes());
    }
    for payload in &block.transactions {
        hash.update(u32::try_from(payload.len()).unwrap_or(u32::MAX).to_be_bytes());
        hash.update(payload);
    }
    hash.finalize().into()
}

/// A block as it was read, whole: what a judge needs to check its proof once more.
#[must_use]
pub fn frame_bytes(block: &RollupBlock) -> Vec<u8> {
    let mut out = Vec::new();
    block.rollup.encode(&mut out);
    block.sequence.encode(&mut out);
    block.height.encode(&mut out);
    block.time.encode(&mut out);
    encode_count(block.transactions.len(), &mut out);
    block.transactions.iter().for_each(|payload| encode_bytes(payload, &mut out));
    encode_bytes(&block.proof, &mut out);
    out
}

/// All followers of a run.
pub struct Followers {
    tasks: JoinSet<bool>,
    end: CancellationToken,
}

impl Followers {
    /// Starts them.
    ///
    /// # Errors
    /// When the genesis is not one, no node answers, or a history cannot be opened.
    pub async fn open(plan: Plan<'_>) -> Result<Self> {
        let text = std::fs::read(&plan.state.genesis)
            .with_context(|| format!("read {}", plan.state.genesis.display()))?;
        let genesis: Genesis = serde_json::from_slice(&text).context("genesis.json")?;
        let chain = Chain::new(genesis).context("genesis.json")?;
        let nodes = plan.state.nodes.iter().enumerate();
        let read = nodes.filter(|(index, _)| plan.unread != Some(*index));
        let names: Arc<[(String, String)]> =
            read.map(|(_, node)| (node.name.clone(), node.http.clone())).collect();
        let client = Client::new(names.iter().map(|(_, url)| url))?;
        let (mut tasks, end) = (JoinSet::new(), CancellationToken::new());
        for (rollup, id) in plan.state.rollups.iter().enumerate() {
            let id_typed = RollupId::new(*id);
            let newest = client.checkpoint(id_typed, None).await;
            let from = newest.with_context(|| format!("where rollup {id} stands"))?.sequence;
            let follow = Follow { rollup: id_typed, from: Some(from.next()) };
            for slot in 0..readers(plan.state.nodes.len(), plan.unread) {
                let endpoint = (rollup + slot) % names.len();
                let stream = RollupStream::new(client.clone(), Arc::clone(&chain), follow);
                let history = History::open(plan.record, &format!("follower-{id}-{slot}.jsonl"))?;
                let (tracker, names) = (Arc::clone(&plan.tracker), Arc::clone(&names));
                let follower = Follower { rollup, id: *id, slot, names, tracker, history };
                follower.note_start(endpoint, from.next());
                tasks.spawn(follower.run(stream.starting_at(endpoint), end.clone()));
            }
        }
        Ok(Self { tasks, end })
    }

    /// Ends them; says whether all histories were written whole.
    pub async fn finish(self) -> bool {
        self.end.cancel();
        self.tasks.join_all().await.into_iter().all(|complete| complete)
    }
}

struct Follower {
    rollup: usize,
    id: u64,
    slot: usize,
    /// Nodes' names and their addresses.
    names: Arc<[(String, String)]>,
    tracker: Arc<Mutex<Tracker>>,
    history: History,
}

impl Follower {
    async fn run(self, mut stream: RollupStream, end: CancellationToken) -> bool {
        loop {
            let event = tokio::select! {
                event = stream.next() => event,
                () = end.cancelled() => break,
            };
            match event {
                StreamEvent::Block(block) => self.on_block(&block),
                StreamEvent::Trouble(trouble) => self.on_trouble(&trouble),
                StreamEvent::Complete { .. } | StreamEvent::Lagging { .. } => {}
            }
        }
        let next = stream.cursor().map(|cursor| cursor.next().get());
        self.history.write([json!({"type": "end", "t": now_ns(), "rollup": self.id,
            "next": next})]);
        self.history.finish()
    }

    fn on_block(&self, block: &RollupBlock) {
        let seen = Seen {
            at: now_ns(),
            sequence: block.sequence.get(),
            height: block.height.get(),
            time: block.time.as_millis(),
            digest: frame_digest(block),
            ids: block.ids.clone(),
        };
        let mut tracker = self.tracker.lock().unwrap_or_else(PoisonError::into_inner);
        tracker.on_frame(self.rollup, self.slot, &seen);
        drop(tracker);
        if self.history.is_kept() {
            self.history.write([json!({"type": "frame", "t": seen.at, "rollup": self.id,
                "sequence": seen.sequence, "height": seen.height, "time": seen.time,
                "digest": format!("0x{}", hex::encode(seen.digest)), "ids": seen.ids,
                "bytes": format!("0x{}", hex::encode(frame_bytes(block)))})]);
        }
    }

    /// A node that went away is no fault of the stream; one that said something untrue is.
    fn on_trouble(&self, trouble: &Trouble) {
        let Trouble { endpoint, error } = trouble;
        let untrue = match error {
            ClientError::Untrue { .. }
            | ClientError::BadAnswer { .. }
            | ClientError::NotEvents { .. }
            | ClientError::TooLong { .. } => true,
            ClientError::NoEndpoint
            | ClientError::BadEndpoint { .. }
            | ClientError::Unreachable { .. }
            | ClientError::Refused { .. }
            | ClientError::Silent { .. }
            | ClientError::Deadline { .. } => false,
        };
        if untrue {
            eprintln!("rollup {}: cannot verify what {endpoint} says: {error}", self.id);
            self.tracker.lock().unwrap_or_else(PoisonError::into_inner).on_unverifiable();
        }
        let address = endpoint.trim_end_matches('/');
        let known = self.names.iter().find(|(_, url)| url.trim_end_matches('/') == address);
        let node = known.map_or(endpoint, |(name, _)| name);
        self.history.write([json!({"type": "trouble", "t": now_ns(), "rollup": self.id,
            "node": node, "why": error.to_string(), "untrue": untrue})]);
    }

    fn note_start(&self, endpoint: usize, from: Sequence) {
        let node = &self.names[endpoint].0;
        self.history.write([json!({"type": "start", "t": now_ns(), "rollup": self.id,
            "node": node, "from": from})]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chorale_client::api::Complete;
    use chorale_types::ids::Height;
    use chorale_types::time::Timestamp;

    fn block(transactions: &[&[u8]]) -> RollupBlock {
        RollupBlock {
            rollup: RollupId::new(7),
            sequence: Sequence::new(1),
            height: Height::new(2),
            time: Timestamp::from_millis(3),
            complete: Complete::Now,
            proof: vec![9, 9],
            transactions: transactions.iter().map(|bytes| bytes.to_vec()).collect(),
            ids: Vec::new(),
        }
    }

    #[test]
    fn the_digest_is_the_documented_one_and_tells_cuts_apart() {
        let digest = hex::encode(frame_digest(&block(&[b"ab"])));
        let mut bytes = vec![0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 2];
        bytes.extend([0, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 2, b'a', b'b']);
        assert_eq!(digest, hex::encode(Sha256::digest(&bytes)));
        assert_ne!(frame_digest(&block(&[b"ab"])), frame_digest(&block(&[b"a", b"b"])));
    }

    #[test]
    fn a_frame_is_recorded_as_the_document_says() {
        let mut bytes = vec![0, 0, 0, 0, 0, 0, 0, 7];
        for number in [1, 2, 3] {
            bytes.extend([0, 0, 0, 0, 0, 0, 0, number]);
        }
        bytes.extend([0, 0, 0, 1, 0, 0, 0, 2, b'a', b'b', 0, 0, 0, 2, 9, 9]);
        assert_eq!(frame_bytes(&block(&[b"ab"])), bytes);
    }

    #[test]
    fn two_nodes_are_read_where_there_are_two() {
        assert_eq!([readers(1, None), readers(2, None), readers(7, None)], [1, 2, 2]);
        assert_eq!([readers(4, Some(1)), readers(2, Some(1))], [2, 1]);
    }
}
