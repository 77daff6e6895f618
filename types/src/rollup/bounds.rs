//! Why every block of a rollup can be shown: the longest proof of a frame, added up.
//!
//! A frame that starts from an anchor spells out the blocks above the height that its last header
//! names as ordered. That block delivers something, so its body is not empty, so it names a height
//! at most [`ORDERED_LAG_MAX`] below itself. Without an anchor the blocks start above the rollup's
//! last one; [`FRAME_PROOF_BYTES_MAX`] is reached only where that one is above the ordered height,
//! so they are even fewer.
//!
//! Each block orders at most [`BLOCK_BYTES_MAX`] charged bytes. A batch is shown by its header, at
//! most two entries with their paths, and an entry in the list of skipped ones for each of the
//! rollup's transactions that were delivered before. It is charged more than [`CHARGED_FOR_SHOWN`]
//! times that, whatever a faulty owner puts into it: below for each depth of its tree of rollups,
//! and for each further copy. The rest of a proof is of fixed size.

use crate::batch::charged_bytes;
use crate::limits::{
    BLOCK_BYTES_MAX, BLOCK_TIPS_MAX, FRAME_LINK_HEADERS_MAX, FRAME_PROOF_BYTES_MAX,
    ORDERED_LAG_MAX, ROLLUPS_MAX, TRANSACTION_CHARGE_BYTES, VALIDATORS_MAX,
};

/// Bytes that a batch is charged, at least, for each byte that shows it.
const CHARGED_FOR_SHOWN: usize = 4;

const DIGEST: usize = 32;
/// Position, id, earlier height.
const SKIPPED: usize = 4 + DIGEST + 8;
/// Lane, place, predecessor, root, charged bytes.
const BATCH_HEADER: usize = 10 + 8 + DIGEST + DIGEST + 8;
/// Rollup, count, root of ids; index, count and length of the path.
const PLACED: usize = 8 + 4 + DIGEST + 4 + 4 + 4;
/// Lane, place, digest, charged bytes.
const TIP: usize = 10 + 8 + DIGEST + 8;
/// Chain, version, epoch and its hash, height, view, parent, body, the ordered pair, a reveal,
/// proposer, time.
const HEADER: usize =
    DIGEST + 1 + 8 + DIGEST + 8 + 8 + DIGEST + DIGEST + 8 + DIGEST + (1 + 96) + 2 + 8;
/// Tips; no operations; no evidence.
const BODY: usize = 4 + BLOCK_TIPS_MAX * TIP + 4 + 4;
/// Kind, vote, signers, signature.
const CERTIFICATE: usize = 1 + (8 + 8 + 8 + DIGEST) + (2 + VALIDATORS_MAX / 8) + 96;
/// Rollup, sequence, height, stream root; start, base and tip of the window.
const LEAF: usize = 8 + 8 + 8 + DIGEST + 8 + DIGEST + DIGEST;
/// Height, time, clock, leaf, its path, frontier, ledger.
const ANCHOR: usize =
    8 + 8 + 8 + LEAF + (4 + 4 + 4 + DEPTH_MAX * DIGEST) + (4 + BLOCK_TIPS_MAX * TIP) + DIGEST;
/// Everything but the parts and the skipped: version, rollup, sequence, anchor, three list lengths,
/// link, certificate.
const FRAME: usize =
    1 + 8 + 8 + (1 + ANCHOR) + 4 + 4 + (4 + FRAME_LINK_HEADERS_MAX * HEADER) + CERTIFICATE;

/// The depth of a tree over every rollup.
const DEPTH_MAX: usize = ROLLUPS_MAX.next_power_of_two().trailing_zeros() as usize;

/// Shows that a batch has nothing of a rollup: two neighbours in a tree of this depth.
const fn absence(depth: usize) -> usize {
    BATCH_HEADER + 1 + 2 * (1 + PLACED + depth * DIGEST)
}

/// Shows what a batch has of a rollup, where that is one transaction delivered before.
const fn one_copy(depth: usize) -> usize {
    BATCH_HEADER + 1 + PLACED + depth * DIGEST + SKIPPED
}

/// What a batch with a tree of this depth is charged at least: it has more than half of the
/// rollups that fit, each with a transaction of a byte.
const fn least_charge(depth: usize) -> usize {
    let rollups = if depth == 0 { 1 } else { (1 << (depth - 1)) + 1 };
    charged_bytes(rollups, rollups)
}

/// The longest proof, in bytes.
const LONGEST: u64 = {
    let part = (HEADER + BODY + 4) as u64 + BLOCK_BYTES_MAX / CHARGED_FOR_SHOWN as u64;
    FRAME as u64 + ORDERED_LAG_MAX * part
};

const _: () = {
    let mut depth = 0;
    while depth <= DEPTH_MAX {
        assert!(CHARGED_FOR_SHOWN * absence(depth) <= least_charge(depth));
        assert!(CHARGED_FOR_SHOWN * one_copy(depth) <= least_charge(depth));
        depth += 1;
    }
    // Every further copy.
    assert!(CHARGED_FOR_SHOWN * SKIPPED <= TRANSACTION_CHARGE_BYTES);
    assert!(LONGEST <= FRAME_PROOF_BYTES_MAX as u64);
};

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::batch::{BatchHeader, EntrySummary, LaneTip};
    use crate::block::{Body, Header};
    use crate::certificate::{CommitCert, QuorumCert};
    use crate::codec::Encode;
    use crate::crypto::bitmap::SignerSet;
    use crate::crypto::bls::BlsSignature;
    use crate::crypto::hash::Digest;
    use crate::ids::{Epoch, Height, LaneId, LaneSeq, RollupId, Sequence, ValidatorIndex, View};
    use crate::merkle::Proof;
    use crate::ordered::{RollupLeaf, Skipped, WindowCommitment};
    use crate::rollup::{Anchor, EntryProof, PlacedEntry};
    use crate::time::Timestamp;
    use crate::vote::{Vote, VoteKind};

    const ZERO: Digest = Digest::ZERO;

    fn length(value: &impl Encode) -> usize {
        value.to_bytes().len()
    }

    fn tip(owner: usize) -> LaneTip {
        let owner = ValidatorIndex::new(u16::try_from(owner).unwrap());
        let lane = LaneId { epoch: Epoch::new(1), owner };
        LaneTip { lane, seq: LaneSeq::new(1), digest: ZERO, bytes_through: 1 }
    }

    fn batch_header() -> BatchHeader {
        let LaneTip { lane, seq, .. } = tip(0);
        BatchHeader { lane, seq, prev: ZERO, root: ZERO, bytes_through: 1 }
    }

    fn header() -> Header {
        Header {
            chain: ZERO,
            version: 1,
            epoch: Epoch::new(1),
            epoch_info_hash: ZERO,
            height: Height::new(1),
            orig_view: View::new(1),
            parent: ZERO,
            body_root: ZERO,
            ordered_height: Height::ZERO,
            ordered_root: ZERO,
            reveal: Some(BlsSignature::from_bytes([0; 96])),
            proposer: ValidatorIndex::new(0),
            time: Timestamp::from_millis(1),
        }
    }

    fn certificate() -> CommitCert {
        let (epoch, view, height) = (Epoch::new(1), View::new(1), Height::new(1));
        let vote = Vote { epoch, view, height, block: ZERO };
        let signers = SignerSet::new(u16::try_from(VALIDATORS_MAX).unwrap());
        let signature = BlsSignature::from_bytes([0; 96]);
        CommitCert::new(QuorumCert { kind: VoteKind::Commit, vote, signers, signature }).unwrap()
    }

    /// A path of the most steps there are.
    fn path() -> Proof {
        Proof { index: 0, count: 1, path: vec![ZERO; DEPTH_MAX] }
    }

    fn placed() -> PlacedEntry {
        let summary = EntrySummary { rollup: RollupId::new(1), count: 1, ids_root: ZERO };
        PlacedEntry { summary, path: path() }
    }

    #[test]
    fn the_parts_of_a_proof_have_the_lengths_that_the_bound_is_made_of() {
        let body = Body::new((0..BLOCK_TIPS_MAX).map(tip).collect());
        let skipped = Skipped { position: 1, id: ZERO, earlier: Height::new(1) };
        assert_eq!(length(&skipped), SKIPPED);
        assert_eq!((length(&header()), length(&body)), (HEADER, BODY));
        assert_eq!(length(&certificate()), CERTIFICATE);
        assert_eq!((length(&tip(0)), length(&batch_header())), (TIP, BATCH_HEADER));
        let absent = EntryProof::Absent { left: Some(placed()), right: Some(placed()) };
        assert_eq!(length(&batch_header()) + length(&absent), absence(DEPTH_MAX));
        let copy = length(&batch_header()) + length(&EntryProof::Present(placed()));
        assert_eq!(copy + SKIPPED, one_copy(DEPTH_MAX));
    }

    #[test]
    fn an_anchor_has_the_length_that_the_bound_is_made_of() {
        let tips = Body::new((0..BLOCK_TIPS_MAX).map(tip).collect());
        let frontier = crate::block::Frontier::default().advance(&tips, u64::MAX).unwrap();
        let leaf = RollupLeaf {
            rollup: RollupId::new(1),
            sequence: Sequence::new(1),
            height: Height::new(1),
            stream_root: ZERO,
            window: WindowCommitment::default(),
        };
        let (height, time) = (Height::new(1), Timestamp::from_millis(1));
        let path = path();
        let anchor = Anchor { height, time, clock: 1, leaf, path, frontier, ledger: ZERO };
        assert_eq!((length(&leaf), length(&anchor)), (LEAF, ANCHOR));
    }
}
