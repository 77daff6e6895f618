//! The three builders.

use super::FrameError;
use super::reader::{ChainReader, Store};
use chorale_types::block::Header;
use chorale_types::certificate::CommitCert;
use chorale_types::codec::Encode;
use chorale_types::crypto::hash::Digest;
use chorale_types::ids::{Height, RollupId};
use chorale_types::limits::{
    FRAME_HEADERS_MAX, FRAME_LINK_HEADERS_MAX, FRAME_PROOF_BYTES_MAX, FRAME_SPELLED_BYTES_MAX,
};
use chorale_types::merkle;
use chorale_types::ordered::{
    BatchSummary, OrderedRecord, RollupContent, RollupLeaf, Skipped, WindowEntry,
};
use chorale_types::rollup::{
    Anchor, BatchProof, BlockPart, Checkpoint, EntryProof, Frame, FrameProof, Heartbeat, Proven,
};
use std::collections::BTreeSet;
use std::sync::Arc;

/// Builds the frame of a rollup's block, which was ordered at `height`.
///
/// It spells out every block since the rollup's block before. Where those are more than
/// [`FRAME_HEADERS_MAX`], or the proof would be longer than [`FRAME_SPELLED_BYTES_MAX`], it starts
/// from the state that this height's header names, where that is not below the block before.
///
/// # Errors
/// When the rollup has no block there, the node lacks something, or the proof is too long.
pub fn build_frame<R: ChainReader>(
    reader: &R,
    rollup: RollupId,
    height: Height,
) -> Result<Frame, FrameError<R::Error>> {
    let store = Store(reader);
    let record = store.record(height)?;
    if record.leaf(rollup).is_none() {
        return Err(FrameError::UnknownRollup { rollup });
    }
    let content = record
        .content(rollup)
        .filter(|content| !content.delivered.is_empty())
        .ok_or(FrameError::NoBlock { rollup, height })?;
    let (link, certificate) = link(&store, height)?;
    let ordered = store.block(height)?.header.ordered_height;

    let far = height.above(content.previous) > FRAME_HEADERS_MAX as u64;
    let mut builder = FrameBuilder { rollup, height, content, link, certificate };
    let mut proof = builder.proof(&store, (!far).then_some(content.previous), ordered)?;
    if proof.len() > FRAME_SPELLED_BYTES_MAX && !far && ordered >= content.previous {
        proof = builder.proof(&store, None, ordered)?;
    }
    if proof.len() > FRAME_PROOF_BYTES_MAX {
        let (bytes, max) = (proof.len(), FRAME_PROOF_BYTES_MAX);
        return Err(FrameError::TooLarge { height, bytes, max });
    }
    let transactions = payloads(&store, &record, content)?;
    let (sequence, time) = (content.sequence, record.time);
    Ok(Frame { rollup, sequence, height, time, transactions, proof })
}

/// Builds a state to start from: the one that the header at `proving` names.
///
/// At height 0 it is the state of genesis. At the height of a rollup's block it is a state before
/// that block, from which its frame verifies, and those of a few blocks before it.
///
/// # Errors
/// When the rollup is not registered, or the node lacks something.
pub fn build_checkpoint<R: ChainReader>(
    reader: &R,
    rollup: RollupId,
    proving: Height,
) -> Result<Checkpoint, FrameError<R::Error>> {
    let store = Store(reader);
    if proving == Height::ZERO {
        return Ok(Checkpoint { rollup, proven: None, entries: Vec::new() });
    }
    let proven = proven(&store, rollup, proving)?;
    let entries = window(&store, &proven.anchor.leaf)?;
    Ok(Checkpoint { rollup, proven: Some(proven), entries })
}

/// Builds the proof that nothing of the rollup was left out up to the height that the header at
/// `proving` names.
///
/// # Errors
/// When the rollup is not registered, or the node lacks something.
pub fn build_heartbeat<R: ChainReader>(
    reader: &R,
    rollup: RollupId,
    proving: Height,
) -> Result<Heartbeat, FrameError<R::Error>> {
    proven(&Store(reader), rollup, proving).map(Heartbeat)
}

type Linked = (Vec<Header>, Arc<CommitCert>);

struct FrameBuilder<'a> {
    rollup: RollupId,
    height: Height,
    content: &'a RollupContent,
    link: Vec<Header>,
    certificate: Arc<CommitCert>,
}

impl FrameBuilder<'_> {
    /// The encoded proof: from above the rollup's block before, or from the ordered height.
    fn proof<R: ChainReader>(
        &mut self,
        store: &Store<'_, R>,
        previous: Option<Height>,
        ordered: Height,
    ) -> Result<Vec<u8>, FrameError<R::Error>> {
        let anchor = match previous {
            Some(_) => None,
            None => Some(anchor(store, self.rollup, ordered)?),
        };
        let from = previous.unwrap_or(ordered).next();
        let (mut parts, mut skipped) = (Vec::new(), Vec::new());
        let (mut at, mut position) = (from, 0_u32);
        while at <= self.height {
            let record = store.record(at)?;
            let block = store.block(at)?;
            let batches = record.batches.iter().map(|batch| self.batch(batch)).collect();
            let (header, body) = (block.header.clone(), block.body.clone());
            parts.push(BlockPart { header, body, batches });
            if let Some(content) = record.content(self.rollup) {
                skipped.extend(content.skipped.iter().map(|claim| Skipped {
                    position: claim.position.saturating_add(position),
                    ..*claim
                }));
                let count = content.delivered.len().saturating_add(content.skipped.len());
                let count = u32::try_from(count).expect("bounded by the batches of a block");
                position = position.saturating_add(count);
            }
            at = at.next();
        }
        let proof = FrameProof {
            rollup: self.rollup,
            sequence: self.content.sequence,
            anchor,
            parts,
            skipped,
            link: std::mem::take(&mut self.link),
            certificate: (*self.certificate).clone(),
        };
        let bytes = proof.to_bytes();
        self.link = proof.link;
        Ok(bytes)
    }

    fn batch(&self, batch: &BatchSummary) -> BatchProof {
        BatchProof { header: batch.header, entry: EntryProof::new(batch, self.rollup) }
    }
}

/// The headers above `height` up to the next one with a certificate, and that certificate.
fn link<R: ChainReader>(
    store: &Store<'_, R>,
    height: Height,
) -> Result<Linked, FrameError<R::Error>> {
    let (certified, certificate) = store.certificate(height)?;
    if certified.above(height) > FRAME_LINK_HEADERS_MAX as u64 {
        return Err(FrameError::TooFarBelow { height, certified });
    }
    let mut headers = Vec::new();
    // The highest first: it is the one that a node on its way there lacks.
    let mut at = certified;
    while at > height {
        let header = store.0.header(at)?;
        headers.push(header.ok_or(FrameError::NotLinked { height, certified })?);
        at = at.saturating_sub(1);
    }
    headers.reverse();
    Ok((headers, certificate))
}

fn anchor<R: ChainReader>(
    store: &Store<'_, R>,
    rollup: RollupId,
    height: Height,
) -> Result<Anchor, FrameError<R::Error>> {
    let record = store.record(height)?;
    let (index, leaf) = record.leaf(rollup).ok_or(FrameError::UnknownRollup { rollup })?;
    let leaves: Vec<Digest> = record.leaves.iter().map(RollupLeaf::digest).collect();
    Ok(Anchor {
        height,
        time: record.time,
        clock: record.clock,
        leaf: *leaf,
        path: merkle::Proof::new(&leaves, index),
        frontier: record.frontier.clone(),
        ledger: record.ledger,
    })
}

fn proven<R: ChainReader>(
    store: &Store<'_, R>,
    rollup: RollupId,
    proving: Height,
) -> Result<Proven, FrameError<R::Error>> {
    let header = store.block(proving)?.header.clone();
    let anchor = anchor(store, rollup, header.ordered_height)?;
    let (link, certificate) = link(store, proving)?;
    let headers = std::iter::once(header).chain(link).collect();
    Ok(Proven { anchor, headers, certificate: (*certificate).clone() })
}

/// The window that a leaf commits to, by rising height.
fn window<R: ChainReader>(
    store: &Store<'_, R>,
    leaf: &RollupLeaf,
) -> Result<Vec<WindowEntry>, FrameError<R::Error>> {
    let mut entries = Vec::new();
    let start = leaf.window.start;
    let mut at = leaf.height;
    while start != Height::ZERO && at >= start {
        let record = store.record(at)?;
        let content = record
            .content(leaf.rollup)
            .ok_or(FrameError::Missing { what: "ordering record", height: at })?;
        let mut ids = content.delivered.clone();
        ids.sort_unstable();
        entries.push(WindowEntry { height: at, clock: record.clock, ids });
        at = content.previous;
    }
    entries.reverse();
    Ok(entries)
}

/// The bytes of what was delivered at a height, in order.
fn payloads<R: ChainReader>(
    store: &Store<'_, R>,
    record: &OrderedRecord,
    content: &RollupContent,
) -> Result<Vec<Vec<u8>>, FrameError<R::Error>> {
    let skipped: BTreeSet<u32> = content.skipped.iter().map(|claim| claim.position).collect();
    let mut payloads = Vec::with_capacity(content.delivered.len());
    let mut position = 0_u32;
    for summary in &record.batches {
        if summary.entries.iter().all(|entry| entry.rollup != content.rollup) {
            continue;
        }
        let batch = store.batch(&summary.header.id(), record.height)?;
        let entry = batch.entry(content.rollup);
        for payload in entry.iter().flat_map(|entry| entry.transactions.iter()) {
            if !skipped.contains(&position) {
                payloads.push(payload.to_vec());
            }
            position = position.saturating_add(1);
        }
    }
    Ok(payloads)
}
