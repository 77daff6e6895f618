//! Blocks and certificates made by hand.

use crate::testing::root_at;
use chorale_types::block::{Block, Body, Header, VERSION};
use chorale_types::certificate::{CommitCert, QuorumCert};
use chorale_types::crypto::bls::BlsSignature;
use chorale_types::ids::{Height, ValidatorIndex, View};
use chorale_types::time::Timestamp;
use chorale_types::validators::ValidatorSet;
use chorale_types::vote::{Vote, VoteKind};
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
