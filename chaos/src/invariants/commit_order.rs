//! Blocks become final by height, without a gap, each once a run of a node, and each on the one
//! before it.

use super::Check;
use chorale_types::block::CommittedBlock;
use chorale_types::crypto::hash::Digest;
use chorale_types::ids::Height;
use std::collections::BTreeMap;

/// Each node's head.
#[derive(Debug, Default)]
pub struct CommitOrder {
    heads: BTreeMap<usize, (Height, Digest)>,
}

impl CommitOrder {
    /// A node starts with this head.
    pub fn on_start(&mut self, node: usize, height: Height, hash: Digest) {
        self.heads.insert(node, (height, hash));
    }

    /// A block became final on a node.
    ///
    /// # Errors
    /// When it is not the next one on the node's head.
    pub fn on_commit(&mut self, node: usize, committed: &CommittedBlock) -> Check {
        let header = &committed.block.header;
        if committed.hash != header.hash() {
            return Err(format!("block {} is handed out under another hash", header.height));
        }
        let Some((height, hash)) = self.heads.get(&node).copied() else {
            return Err("a block before the node started".to_owned());
        };
        if header.height != height.next() {
            return Err(format!("height {} after height {height}", header.height));
        }
        if header.parent != hash {
            return Err(format!("block {} does not stand on the one before", header.height));
        }
        if committed.cert.vote().height < header.height {
            return Err(format!("block {} with a certificate of a lower one", header.height));
        }
        self.heads.insert(node, (header.height, committed.hash));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chorale_types::block::{Block, Body, Header, VERSION};
    use chorale_types::certificate::{CommitCert, QuorumCert};
    use chorale_types::ids::{Epoch, ValidatorIndex, View};
    use chorale_types::time::Timestamp;
    use std::sync::Arc;

    fn block(height: u64, parent: Digest) -> CommittedBlock {
        let header = Header {
            chain: Digest::ZERO,
            version: VERSION,
            epoch: Epoch::new(1),
            epoch_info_hash: Digest::ZERO,
            height: Height::new(height),
            orig_view: View::new(height),
            parent,
            body_root: Body::default().root(),
            ordered_height: Height::ZERO,
            ordered_root: Digest::ZERO,
            reveal: None,
            proposer: ValidatorIndex::new(0),
            time: Timestamp::from_millis(height),
        };
        let block = Arc::new(Block { header, body: Body::default() });
        let hash = block.hash();
        let cert = QuorumCert::start(Epoch::new(1), Height::new(height), hash);
        CommittedBlock { block, hash, cert: Arc::new(CommitCert::new(cert).unwrap()) }
    }

    #[test]
    fn a_gap_a_repeat_or_another_parent_is_out_of_order() {
        let genesis = Digest::from_bytes([7; 32]);
        let (one, other) = (block(1, genesis), block(2, genesis));
        let two = block(2, one.hash);
        let mut order = CommitOrder::default();
        assert!(order.on_commit(0, &one).is_err());
        order.on_start(0, Height::ZERO, genesis);
        assert!(order.on_commit(0, &two).is_err());
        assert_eq!(order.on_commit(0, &one), Ok(()));
        assert!(order.on_commit(0, &one).is_err());
        assert!(order.on_commit(0, &other).is_err());
        assert_eq!(order.on_commit(0, &two), Ok(()));
    }
}
