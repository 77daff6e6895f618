//! I5. A rollup's stream is the chain, filtered: each frame holds what the nodes ordered for its
//! rollup at its height, nothing ordered is left out, and where a frame was recorded with its proof
//! the proof leads from final blocks to exactly its transactions.

mod proof;

use crate::case::Case;
use crate::crypto::transaction_id;
use crate::history::follower::FrameLine;
use crate::invariants::certificates::Certificates;
use crate::report::{Finding, Outcome, Place};
use crate::wire::proof::{Frame, FrameProof};
use crate::wire::{Id, Wire as _};
use proof::{Proven, Walk};
use std::collections::{BTreeMap, BTreeSet};

/// Watches frames.
#[derive(Debug, Default)]
pub struct Projection {
    finding: Finding,
    walks: BTreeMap<u64, Walk>,
    /// Frames whose proof was checked already, by rollup and sequence.
    known: BTreeSet<(u64, u64)>,
    /// Frames without a proof, or with one below which a block is in no history.
    unproven: u64,
}

impl Projection {
    /// A follower read a frame.
    pub fn on_frame(
        &mut self,
        case: &mut Case<'_>,
        certificates: &mut Certificates,
        place: &Place,
        line: &FrameLine,
    ) {
        let Some(bytes) = &line.bytes else {
            self.unproven += 1;
            return;
        };
        let frame = match Frame::read(&bytes.0) {
            Ok(frame) => frame,
            Err(why) => return self.finding.breach(place, format!("no frame: {why}")),
        };
        let named = (frame.rollup, frame.sequence, frame.height, frame.time);
        let same = named == (line.rollup, line.sequence, line.height, line.time);
        self.finding.check(same, place, || "the frame is another than its line says".into());
        let ids: Vec<Id> =
            frame.transactions.0.iter().map(|tx| transaction_id(frame.rollup, &tx.0)).collect();
        self.finding.check(ids == line.ids, place, || {
            format!("sequence {} holds other transactions than its ids say", line.sequence)
        });
        let proof = match FrameProof::read(&frame.proof.0) {
            Ok(proof) => proof,
            Err(why) => return self.finding.breach(place, format!("no proof: {why}")),
        };
        for part in &proof.parts.0 {
            case.add_block(&part.header, &part.body);
        }
        certificates.verify(case, place, &proof.certificate.0);
        // The proof of a sequence is the same from every node, but for the certificate.
        if self.known.insert((line.rollup, line.sequence)) {
            let walk = self.walks.entry(line.rollup);
            let walk = walk.or_insert_with(|| Walk::new(case, line.rollup));
            match walk.check(case, &Proven { frame: &frame, proof: &proof, ids: &ids }) {
                Ok(true) => self.finding.checked(),
                Ok(false) => self.unproven += 1,
                Err(what) => self.finding.breach(place, what),
            }
        }
    }

    /// Compares streams with what the nodes ordered.
    #[must_use]
    pub fn decide(mut self, case: &Case<'_>) -> Outcome {
        self.contents(case);
        if self.unproven > 0 {
            let what = "frames were compared with nodes' words, without a proof";
            self.finding.note(format!("{} {what}", self.unproven));
        }
        self.finding.outcome()
    }

    fn contents(&mut self, case: &Case<'_>) {
        let mut expected = BTreeSet::new();
        for (height, ordered) in &case.ordered {
            for content in ordered.contents.iter().filter(|content| !content.ids.is_empty()) {
                let (rollup, sequence) = (content.rollup, content.sequence);
                expected.insert((rollup, sequence));
                let Some(frames) = case.frames.get(&rollup) else { continue };
                let Some(read) = frames.get(&sequence) else {
                    // Before a follower began, after it ended, or a hole: I4 tells.
                    continue;
                };
                self.finding.check(read.height == *height, &read.place, || {
                    format!("sequence {sequence} is of height {height}, at {}", ordered.place)
                });
                self.finding.check(read.ids == content.ids, &read.place, || {
                    format!("sequence {sequence} holds other ids than at {}", ordered.place)
                });
                if let Some((header, _)) = case.final_block(*height) {
                    self.finding.check(read.time == header.time, &read.place, || {
                        format!("sequence {sequence} has another time than block {height}")
                    });
                }
            }
        }
        let last = case.ordered.keys().next_back().copied().unwrap_or(0);
        for (rollup, frames) in &case.frames {
            for (sequence, read) in frames {
                let told = expected.contains(&(*rollup, *sequence)) || read.height > last;
                self.finding.check(told, &read.place, || {
                    format!("the nodes ordered no sequence {sequence} for rollup {rollup}")
                });
            }
        }
    }
}
