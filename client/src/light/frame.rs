//! The check of one frame against the state before it.

mod ids;

use super::{Chain, LightClient, LightError, Position, check_rollup};
use chorale_types::block::Header;
use chorale_types::codec::decode_exact;
use chorale_types::crypto::hash::Digest;
use chorale_types::ids::{Height, LaneId, LaneSeq};
use chorale_types::limits::FRAME_PROOF_BYTES_MAX;
use chorale_types::merkle;
use chorale_types::ordered::delivery_order;
use chorale_types::rollup::{BatchProof, BlockPart, Frame, FrameProof};
use chorale_types::transaction::TransactionId;
use ids::{Claim, Claims};

pub(super) fn decode(frame: &Frame) -> Result<FrameProof, LightError> {
    let (got, max) = (frame.proof.len(), FRAME_PROOF_BYTES_MAX);
    if got > max {
        return Err(LightError::TooLong { got, max });
    }
    Ok(decode_exact(&frame.proof)?)
}

/// Checks that the blocks of a frame are final.
pub(super) fn check_final(chain: &Chain, proof: &FrameProof) -> Result<(), LightError> {
    let parts = proof.parts.iter().map(|part| &part.header);
    let headers: Vec<&Header> = parts.chain(&proof.link).collect();
    chain.check_final(&headers, proof.parts.len(), &proof.certificate)
}

/// Checks a frame, and returns where it leads and what it delivers.
pub(super) fn check(
    client: &LightClient,
    frame: &Frame,
    proof: &FrameProof,
) -> Result<(Position, Vec<TransactionId>), LightError> {
    check_rollup(frame.rollup, client.rollup)?;
    let expected = client.sequence.saturating_add(1);
    if frame.sequence != expected {
        return Err(LightError::OutOfSequence { got: frame.sequence, expected });
    }
    let last = proof.parts.last().ok_or(LightError::NoHeader)?;
    check_labels(frame, proof, &last.header)?;
    check_final(&client.chain, proof)?;
    let start = check_start(client, proof, &last.header)?;

    let mut walk = Walk { client, position: start, claims: Claims::new(frame, proof)? };
    let mut delivered = Vec::new();
    for part in &proof.parts {
        if !delivered.is_empty() {
            return Err(LightError::HiddenBlock { height: walk.position.at.height });
        }
        delivered = walk.part(part)?;
    }
    walk.claims.finish()?;
    if delivered.is_empty() {
        return Err(LightError::EmptyBlock { height: frame.height });
    }
    Ok((walk.position, delivered))
}

fn check_labels(frame: &Frame, proof: &FrameProof, last: &Header) -> Result<(), LightError> {
    let labels = [
        ("rollup", frame.rollup == proof.rollup),
        ("sequence", frame.sequence == proof.sequence),
        ("height", frame.height == last.height),
        ("time", frame.time == last.time),
    ];
    match labels.into_iter().find(|(_, same)| !same) {
        Some((what, _)) => Err(LightError::WrongLabel { what }),
        None => Ok(()),
    }
}

/// The state that the parts are checked from: the client's, or the anchor's where that is above
/// and shows that the rollup got nothing between. Its window is then the client's, less what is
/// forgotten in the meantime.
fn check_start(
    client: &LightClient,
    proof: &FrameProof,
    last: &Header,
) -> Result<Position, LightError> {
    let mut start = client.position.clone();
    if let Some(anchor) = &proof.anchor {
        client.check_anchor(anchor, last)?;
        client.check_stream(anchor)?;
        if anchor.height > start.at.height {
            let (proven, own) = (anchor.leaf.sequence, client.sequence);
            if proven != own {
                return Err(LightError::Missed { proven, own });
            }
            start = anchor.into();
        }
    }
    let (first, at) = (proof.parts.first().map(|part| part.header.height), start.at.height);
    match first {
        Some(first) if first <= at.saturating_add(1) && last.height > at => Ok(start),
        Some(first) if last.height > at => Err(LightError::MissingBlocks { first, at }),
        _ => Err(LightError::Stale { last: last.height, at }),
    }
}

/// The walk through a frame's parts.
struct Walk<'a> {
    client: &'a LightClient,
    position: Position,
    claims: Claims<'a>,
}

impl Walk<'_> {
    /// Checks one part and moves on by it. Returns what the rollup got there.
    fn part(&mut self, part: &BlockPart) -> Result<Vec<TransactionId>, LightError> {
        let header = &part.header;
        let height = header.height;
        if part.body.root() != header.body_root {
            return Err(LightError::WrongBody { height });
        }
        let at = self.position.at.height;
        if height <= at {
            // Below the client's state, where the rollup got nothing: a frame is the same for
            // all, and another client may stand lower.
            self.check_known(height, &header.hash())?;
            let claims = self.claims_of(part)?;
            // Its batches are not checked against a frontier, so nothing may be taken from them.
            let taken = claims.iter().any(|claim| claim.skipped.is_none());
            return if taken { Err(LightError::HiddenBlock { height }) } else { Ok(Vec::new()) };
        }
        if let Some(known) = self.position.block.filter(|known| *known != header.parent) {
            return Err(LightError::Fork { height: at, got: header.parent, known });
        }
        self.check_batches(part)?;
        let claims = self.claims_of(part)?;
        let why = |why| LightError::BadFrontier { height, why };
        self.position.frontier =
            self.position.frontier.advance(&part.body, u64::MAX).map_err(why)?;
        self.position.at = self.position.at.step(self.position.time, header.time);
        self.position.time = header.time;
        self.position.block = Some(header.hash());
        self.check_claims(&claims)
    }

    fn check_known(&self, height: Height, got: &Digest) -> Result<(), LightError> {
        match self.position.block {
            Some(known) if height == self.position.at.height && known != *got => {
                Err(LightError::Fork { height, got: *got, known })
            }
            _ => Ok(()),
        }
    }

    /// Checks that a part's batches are all that its body newly orders, in the order of delivery.
    fn check_batches(&self, part: &BlockPart) -> Result<(), LightError> {
        let height = part.header.height;
        let runs = delivery_order(&part.header.hash(), &part.body, &self.position.frontier);
        let expected = runs.iter().fold(0_u64, |sum, run| sum.saturating_add(run.count()));
        let got = part.batches.len();
        if u64::try_from(got) != Ok(expected) {
            return Err(LightError::HiddenBatch { height, got, expected });
        }
        let mut batches = part.batches.iter().map(|batch| &batch.header);
        for run in runs {
            let lane = run.lane();
            let mut previous = self.position.frontier.tip(lane).map(|tip| tip.digest);
            let mut seq = run.first;
            // As many rounds as there are batches: the counts were compared above.
            while seq <= run.tip.seq {
                let batch = batches.next();
                let fits = batch.filter(|batch| (batch.lane, batch.seq) == (lane, seq));
                let fits = fits.filter(|batch| previous.is_none_or(|digest| digest == batch.prev));
                let fits = fits.ok_or(LightError::WrongBatch { height, lane, seq })?;
                previous = Some(fits.digest());
                seq = seq.saturating_add(1);
            }
            if previous != Some(run.tip.digest) {
                return Err(LightError::WrongBatch { height, lane, seq: run.tip.seq });
            }
        }
        Ok(())
    }

    /// The rollup's transactions in a part, each with what the frame claims of it.
    fn claims_of(&mut self, part: &BlockPart) -> Result<Vec<Claim>, LightError> {
        let mut all = Vec::new();
        for batch in &part.batches {
            all.extend(self.claims_of_batch(part.header.height, batch)?);
        }
        Ok(all)
    }

    fn claims_of_batch(
        &mut self,
        height: Height,
        batch: &BatchProof,
    ) -> Result<Vec<Claim>, LightError> {
        let (lane, seq): (LaneId, LaneSeq) = (batch.header.lane, batch.header.seq);
        let entry = batch.entry.check(&batch.header, self.client.rollup);
        let entry = entry.map_err(|why| LightError::BadEntry { height, lane, seq, why })?;
        let Some(summary) = entry else {
            return Ok(Vec::new());
        };
        let claims = self.claims.take(summary.count);
        let claims = claims.ok_or(LightError::MissingTransactions { height })?;
        let ids: Vec<TransactionId> = claims.iter().map(|claim| claim.id).collect();
        if merkle::root(&ids) == summary.ids_root {
            Ok(claims)
        } else {
            Err(LightError::WrongTransactions { height, lane, seq })
        }
    }

    /// Checks what was claimed against the ids that the rollup remembers. Returns what is
    /// delivered at the position.
    fn check_claims(&self, claims: &[Claim]) -> Result<Vec<TransactionId>, LightError> {
        let ids: Vec<TransactionId> = claims.iter().map(|claim| claim.id).collect();
        let mut delivered = Vec::new();
        let known = self.client.window.earlier(self.position.at, &ids);
        for (claim, known) in claims.iter().zip(known) {
            let id = claim.id;
            match (claim.skipped, known) {
                (None, None) => delivered.push(id),
                (None, Some(earlier)) => return Err(LightError::Repeated { id, earlier }),
                (Some(claimed), known) if known != Some(claimed) => {
                    return Err(LightError::FalseSkip { id, claimed, known });
                }
                (Some(_), _) => {}
            }
        }
        Ok(delivered)
    }
}
