//! In which order a block's batches are delivered.

use crate::batch::LaneTip;
use crate::block::{Body, Frontier};
use crate::crypto::hash::{Digest, Domain, hash};
use crate::ids::{LaneId, LaneSeq};

/// The batches of one lane that a block newly orders: those at `first` to `tip.seq`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct LaneRun {
    /// The first of them.
    pub first: LaneSeq,
    /// The last of them, as the block names it.
    pub tip: LaneTip,
}

impl LaneRun {
    /// The lane.
    #[must_use]
    pub const fn lane(&self) -> LaneId {
        self.tip.lane
    }

    /// How many batches they are; zero when the tip is not above the frontier.
    #[must_use]
    pub const fn count(&self) -> u64 {
        self.tip.seq.saturating_add(1).above(self.first)
    }
}

/// The lanes of a block in the order in which they are delivered: rising, from a place drawn from
/// the block's hash, so that no lane is always first. `before` is the frontier of the parent.
#[must_use]
pub fn delivery_order(block: &Digest, body: &Body, before: &Frontier) -> Vec<LaneRun> {
    let mut runs: Vec<LaneRun> = body
        .tips
        .iter()
        .map(|tip| LaneRun { first: before.seq(tip.lane).saturating_add(1), tip: *tip })
        .collect();
    if let Some(lanes) = u64::try_from(runs.len()).ok().filter(|lanes| *lanes > 0) {
        let start = hash(Domain::Rotation, &[block.as_bytes()]).to_u64() % lanes;
        runs.rotate_left(usize::try_from(start).expect("below the number of lanes"));
    }
    runs
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::ids::{Epoch, ValidatorIndex};
    use std::collections::BTreeSet;

    fn tip(owner: u16, seq: u64) -> LaneTip {
        LaneTip {
            lane: LaneId { epoch: Epoch::new(1), owner: ValidatorIndex::new(owner) },
            seq: LaneSeq::new(seq),
            digest: Digest::ZERO,
            bytes_through: seq,
        }
    }

    #[test]
    fn runs_start_above_the_frontier_and_end_at_the_tip() {
        let before = Frontier::default().advance(&Body::new(vec![tip(0, 3)]), u64::MAX).unwrap();
        let body = Body::new(vec![tip(0, 5), tip(1, 2)]);
        let mut runs = delivery_order(&Digest::ZERO, &body, &before);
        runs.sort_by_key(LaneRun::lane);
        assert_eq!((runs[0].first, runs[0].count()), (LaneSeq::new(4), 2));
        assert_eq!((runs[1].first, runs[1].count()), (LaneSeq::new(1), 2));
    }

    #[test]
    fn every_lane_comes_first_at_some_block_and_the_circle_is_kept() {
        let body = Body::new((0..5).map(|owner| tip(owner, 1)).collect());
        let mut firsts = BTreeSet::new();
        for n in 0..100_u8 {
            let runs = delivery_order(&Digest::from_bytes([n; 32]), &body, &Frontier::default());
            let owners: Vec<u16> = runs.iter().map(|run| run.lane().owner.get()).collect();
            firsts.insert(owners[0]);
            assert!(owners.windows(2).all(|pair| (pair[0] + 1) % 5 == pair[1]), "{owners:?}");
        }
        assert_eq!(firsts.len(), 5);
    }

    #[test]
    fn an_empty_body_delivers_nothing() {
        assert!(delivery_order(&Digest::ZERO, &Body::default(), &Frontier::default()).is_empty());
    }
}
