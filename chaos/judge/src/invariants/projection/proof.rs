//! The proof of one frame, checked against the final chain: its blocks are the final ones, their
//! batches are all that they newly order, in the order of delivery, and of the rollup's
//! transactions in them those that were delivered before are left out and no others.

use crate::case::Case;
use crate::crypto::{hash, merkle};
use crate::wire::batch::{BatchHeader, Lane, Tip};
use crate::wire::proof::{EntryProof, Frame, FrameProof, Part, Placed};
use crate::wire::{Id, Wire as _};
use std::collections::{BTreeMap, HashMap};

/// A frame with its proof.
pub(super) struct Proven<'a> {
    pub(super) frame: &'a Frame,
    pub(super) proof: &'a FrameProof,
    pub(super) ids: &'a [Id],
}

/// How far lanes are ordered below a height, walked upwards.
#[derive(Debug)]
struct Frontier {
    below: u64,
    lanes: BTreeMap<Lane, Tip>,
}

impl Frontier {
    /// Walks up to just below `height`; false when a block on the way was not recorded.
    fn walk(&mut self, case: &Case<'_>, height: u64) -> bool {
        while self.below < height {
            if self.below > 0 {
                let Some((_, tips)) = case.final_block(self.below) else { return false };
                self.lanes.extend(tips.iter().map(|tip| (tip.lane, tip.clone())));
            }
            self.below += 1;
        }
        self.below == height
    }
}

/// One rollup's frames, checked as they come.
#[derive(Debug)]
pub(super) struct Walk {
    frontier: Frontier,
    delivered: HashMap<Id, Vec<u64>>,
}

impl Walk {
    pub(super) fn new(case: &Case<'_>, rollup: u64) -> Self {
        let frontier = Frontier { below: 0, lanes: BTreeMap::new() };
        Self { frontier, delivered: delivered_of(case, rollup) }
    }

    /// Whether a proof holds, or says too little: a block below it is in no history.
    ///
    /// # Errors
    /// With what is wrong with it.
    pub(super) fn check(&mut self, case: &Case<'_>, proven: &Proven<'_>) -> Result<bool, String> {
        check(case, &mut self.frontier, &self.delivered, proven)
    }
}

/// Where each id of a rollup was delivered, all heights of it.
fn delivered_of(case: &Case<'_>, rollup: u64) -> HashMap<Id, Vec<u64>> {
    let mut found: HashMap<Id, Vec<u64>> = HashMap::new();
    for (height, ordered) in &case.ordered {
        for content in ordered.contents.iter().filter(|content| content.rollup == rollup) {
            for id in &content.ids {
                found.entry(*id).or_default().push(*height);
            }
        }
    }
    found
}

fn check(
    case: &Case<'_>,
    frontier: &mut Frontier,
    delivered: &HashMap<Id, Vec<u64>>,
    proven: &Proven<'_>,
) -> Result<bool, String> {
    let Proven { proof, ids, .. } = proven;
    let Frame { rollup, sequence, height, .. } = proven.frame;
    if (proof.rollup, proof.sequence) != (*rollup, *sequence) {
        return Err("a proof of another frame".into());
    }
    let (Some(first), Some(last)) = (proof.parts.0.first(), proof.parts.0.last()) else {
        return Err("a proof without a block".into());
    };
    if last.header.height != *height {
        return Err(format!("a proof of height {}, not {height}", last.header.height));
    }
    check_headers(case, proof)?;
    if first.header.height < frontier.below {
        // Another follower began lower.
        *frontier = Frontier { below: 0, lanes: BTreeMap::new() };
    }
    let mut claims = Claims { ids, proof, delivered, at: 0, taken: 0, skipped: 0 };
    for part in &proof.parts.0 {
        if !frontier.walk(case, part.header.height) {
            return Ok(false);
        }
        check_part(&frontier.lanes, part, *rollup, &mut claims)?;
        let before = part.header.height < *height;
        if before && claims.taken > 0 {
            return Err(format!("a transaction of height {}, below the frame", part.header.height));
        }
    }
    claims.finish()?;
    Ok(true)
}

/// The blocks are final, and follow each other up to the certified one.
fn check_headers(case: &Case<'_>, proof: &FrameProof) -> Result<(), String> {
    let headers = proof.parts.0.iter().map(|part| &part.header).chain(&proof.link.0);
    let mut before: Option<(u64, Id)> = None;
    for header in headers {
        let (hash, height) = (header.hash(), header.height);
        if before.is_some_and(|(h, parent)| h + 1 != height || header.parent != parent) {
            return Err(format!("block {height} does not stand on the one before it"));
        }
        if case.finals.get(&height).is_some_and(|(known, _)| *known != hash) {
            return Err(format!("block {height} is not the final one"));
        }
        before = Some((height, hash));
    }
    let vote = &proof.certificate.0.vote;
    match before {
        Some(last) if last == (vote.height, vote.block) => Ok(()),
        _ => Err("a certificate of another block than the last one shown".into()),
    }
}

fn check_part(
    lanes: &BTreeMap<Lane, Tip>,
    part: &Part,
    rollup: u64,
    claims: &mut Claims<'_>,
) -> Result<(), String> {
    let height = part.header.height;
    if part.body.hash() != part.header.body {
        return Err(format!("block {height} is shown with another body"));
    }
    let mut tips = part.body.tips.0.clone();
    if let Some(count) = u64::try_from(tips.len()).ok().filter(|count| *count > 0) {
        let drawn = hash("chorale/1/rotation", &[&part.header.hash().0]).0;
        let drawn = u64::read(&drawn[..8]).expect("eight bytes");
        tips.rotate_left(usize::try_from(drawn % count).expect("below their number"));
    }
    let mut batches = part.batches.0.iter();
    for tip in tips {
        let (mut seq, mut prev) = match lanes.get(&tip.lane) {
            Some(before) => (before.seq + 1, before.digest),
            None => (1, part.header.epoch_info),
        };
        while seq <= tip.seq {
            let due = || format!("block {height}: batch {seq} of {:?} is not the next", tip.lane);
            let batch = batches.next().ok_or_else(due)?;
            let BatchHeader { lane, seq: got, prev: below, .. } = batch.header;
            if (lane, got, below) != (tip.lane, seq, prev) {
                return Err(due());
            }
            prev = batch.header.digest();
            if let Some(placed) = check_entry(&batch.header, &batch.entry, rollup)? {
                claims.take(height, placed)?;
            }
            seq += 1;
        }
        if prev != tip.digest {
            return Err(format!(
                "block {height} orders another batch {} of {:?}",
                tip.seq, tip.lane
            ));
        }
    }
    match batches.next() {
        None => Ok(()),
        Some(_) => Err(format!("block {height} is shown with a batch too many")),
    }
}

/// What a batch holds of the rollup, if anything.
fn check_entry<'a>(
    batch: &BatchHeader,
    entry: &'a EntryProof,
    rollup: u64,
) -> Result<Option<&'a Placed>, String> {
    let leads = |placed: &Placed| {
        let mut leaf = Vec::new();
        (placed.rollup, (placed.count, placed.ids_root)).put(&mut leaf);
        let leaf = hash("chorale/1/batch-entry", &[&leaf]);
        merkle::root_by(&placed.path, &leaf) == Some(batch.root)
    };
    let wrong = |what: &str| Err(format!("batch {} of {:?}: {what}", batch.seq, batch.lane));
    match entry {
        EntryProof::Present(placed) if placed.rollup != rollup => wrong("another rollup's part"),
        EntryProof::Present(placed) if !leads(placed) => wrong("a part that is not in it"),
        EntryProof::Present(placed) => Ok(Some(placed)),
        EntryProof::Absent(left, right) => {
            if !left.iter().chain(right).all(leads) {
                return wrong("a part that is not in it");
            }
            let apart = left.as_ref().is_none_or(|placed| placed.rollup < rollup)
                && right.as_ref().is_none_or(|placed| placed.rollup > rollup);
            let next = match (left, right) {
                (Some(left), Some(right)) => left.path.index + 1 == right.path.index,
                (Some(left), None) => left.path.index + 1 == left.path.count,
                (None, Some(right)) => right.path.index == 0,
                (None, None) => batch.root == merkle::root(&[]),
            };
            if apart && next { Ok(None) } else { wrong("parts that leave room for another") }
        }
    }
}

/// The rollup's transactions in the parts: those in the frame, and between them those skipped.
struct Claims<'a> {
    ids: &'a [Id],
    proof: &'a FrameProof,
    delivered: &'a HashMap<Id, Vec<u64>>,
    at: u32,
    taken: usize,
    skipped: usize,
}

impl Claims<'_> {
    fn take(&mut self, height: u64, placed: &Placed) -> Result<(), String> {
        let mut ids = Vec::new();
        for _ in 0..placed.count {
            let skipped = self.proof.skipped.0.get(self.skipped);
            if let Some(skipped) = skipped.filter(|skipped| skipped.position == self.at) {
                let known = self.delivered.get(&skipped.id);
                let earlier = skipped.earlier;
                if earlier > height || !known.is_some_and(|heights| heights.contains(&earlier)) {
                    return Err(format!("{} is left out and was not delivered", skipped.id));
                }
                ids.push(skipped.id);
                self.skipped += 1;
            } else if let Some(id) = self.ids.get(self.taken) {
                ids.push(*id);
                self.taken += 1;
            } else {
                return Err(format!("height {height} holds more than the frame and what it skips"));
            }
            self.at += 1;
        }
        if merkle::root(&ids) == placed.ids_root {
            Ok(())
        } else {
            Err(format!("a batch of height {height} holds other transactions"))
        }
    }

    fn finish(&self) -> Result<(), String> {
        if self.taken == self.ids.len() && self.skipped == self.proof.skipped.0.len() {
            Ok(())
        } else {
            Err("a frame with transactions that no batch holds".into())
        }
    }
}
