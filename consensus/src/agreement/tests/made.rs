//! Blocks and certificates made by hand.

use crate::testing::root_at;
use chorale_types::block::{Block, Body, Header, VERSION};
use chorale_types::certificate::{CommitCert, QuorumCert, TimeoutCert, TimeoutGroup};
use chorale_types::crypto::bitmap::SignerSet;
use chorale_types::crypto::bls::BlsSignature;
use chorale_types::crypto::ed25519::Signature;
use chorale_types::crypto::hash::Digest;
use chorale_types::ids::{Height, ValidatorIndex, View};
use chorale_types::message::{Proposal, ProposalKind};
use chorale_types::time::Timestamp;
use chorale_types::validators::ValidatorSet;
use chorale_types::vote::{Tip, Vote, VoteKind};
use std::sync::Arc;

/// Empty blocks from height 1 on. They are nobody's: members would not have voted for them.
pub(in crate::agreement) fn blocks(set: &ValidatorSet, count: u64) -> Vec<Arc<Block>> {
    let mut parent = *set.chain();
    let mut made = Vec::new();
    for height in 1..=count {
        let body = Body::new(Vec::new());
        let header = Header {
            chain: *set.chain(),
            version: VERSION,
            epoch: set.epoch(),
            epoch_info_hash: set.info_hash(),
            height: Height::new(height),
            orig_view: View::new(height),
            parent,
            body_root: body.root(),
            ordered_height: Height::ZERO,
            ordered_root: root_at(Height::ZERO),
            reveal: None,
            proposer: ValidatorIndex::new(0),
            time: Timestamp::from_millis(height),
        };
        let block = Block { header, body };
        parent = block.hash();
        made.push(Arc::new(block));
    }
    made
}

/// A certificate of a block, good where signatures are only marked.
pub(in crate::agreement) fn cert(set: &ValidatorSet, block: &Block) -> Arc<CommitCert> {
    let height = block.header.height;
    let vote = Vote { epoch: set.epoch(), view: View::new(1), height, block: block.hash() };
    let signature = BlsSignature::from_bytes([2; 96]);
    let qc = QuorumCert { kind: VoteKind::Commit, vote, signers: set.no_signers(), signature };
    Arc::new(CommitCert::new(qc).expect("of commit kind"))
}

/// Some members of the set.
pub(in crate::agreement) fn signers(set: &ValidatorSet, of: &[u16]) -> SignerSet {
    let mut signers = set.no_signers();
    for index in of {
        assert!(signers.insert(ValidatorIndex::new(*index)));
    }
    signers
}

/// A certificate of view `view` for a block at height 1 that is named by one byte.
pub(in crate::agreement) fn qc(
    set: &ValidatorSet,
    kind: VoteKind,
    view: u64,
    block: u8,
) -> QuorumCert {
    let (view, height, block) = (View::new(view), Height::new(1), Digest::from_bytes([block; 32]));
    let vote = Vote { epoch: set.epoch(), view, height, block };
    let signature = BlsSignature::from_bytes([2; 96]);
    QuorumCert { kind, vote, signers: set.no_signers(), signature }
}

/// Those who gave up a view with one report: the view of their lock, the tip, and who they are.
pub(in crate::agreement) type Group<'a> = (u64, Option<Tip>, &'a [u16]);

/// A tip: the block named by one byte, voted for in `view`.
pub(in crate::agreement) fn tip(view: u64, block: u8) -> Tip {
    Tip { view: View::new(view), height: Height::new(1), block: Digest::from_bytes([block; 32]) }
}

/// A certificate that `view` was given up; its highest lock is block 1.
pub(in crate::agreement) fn tc(set: &ValidatorSet, view: u64, groups: &[Group<'_>]) -> TimeoutCert {
    let highest = groups.iter().map(|(lock, _, _)| *lock).max().expect("a group");
    let group = |(lock, tip, of): &Group<'_>| TimeoutGroup {
        high_qc_view: View::new(*lock),
        tip: *tip,
        signers: signers(set, of),
    };
    TimeoutCert {
        epoch: set.epoch(),
        view: View::new(view),
        groups: groups.iter().map(group).collect(),
        signature: BlsSignature::from_bytes([2; 96]),
        high_qc: qc(set, VoteKind::Prepare, highest, 1),
    }
}

/// A proposal of an empty block at height 1 in `view`, as if it were the first of the epoch.
pub(in crate::agreement) fn proposal(set: &ValidatorSet, view: u64) -> Proposal {
    Proposal {
        epoch: set.epoch(),
        view: View::new(view),
        kind: ProposalKind::EpochStart { start: set.start().clone() },
        block: Some(blocks(set, 1).remove(0)),
        ordered_cert: None,
        signature: Signature::from_bytes([0; 64]),
    }
}
