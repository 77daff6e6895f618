//! Blocks (section 4 of the document).

use super::batch::Tip;
use super::certificate::BlsBytes;
use super::signers::MEMBERS_MAX;
use super::{Cursor, Id, List, Malformed, Wire, layout};
use crate::crypto::hash;

/// Most tips in a block: each lane of two epochs.
pub const TIPS_MAX: usize = 2 * MEMBERS_MAX;

layout!(
    /// What a block's hash covers.
    Header {
        /// The chain's id.
        chain: Id,
        /// The version of the rules.
        version: u8,
        /// The epoch.
        epoch: u64,
        /// The hash of the epoch's description.
        epoch_info: Id,
        /// The place in the chain.
        height: u64,
        /// The view it was first proposed in.
        original_view: u64,
        /// The block before.
        parent: Id,
        /// The body's hash.
        body: Id,
        /// How far the proposer had ordered.
        ordered_height: u64,
        /// The root there.
        ordered_root: Id,
        /// Absent in this version.
        reveal: Option<BlsBytes>,
        /// Who proposed it first.
        proposer: u16,
        /// Milliseconds since 1970.
        time: u64,
    }
);

impl Header {
    /// The block's id.
    #[must_use]
    pub fn hash(&self) -> Id {
        hash("chorale/1/header", &[&self.bytes()])
    }
}

/// What a block orders.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Body {
    /// Tips by rising lane.
    pub tips: List<Tip, TIPS_MAX>,
}

impl Body {
    /// Its hash, as the header names it.
    #[must_use]
    pub fn hash(&self) -> Id {
        hash("chorale/1/body", &[&self.bytes()])
    }
}

impl Wire for Body {
    fn put(&self, out: &mut Vec<u8>) {
        self.tips.put(out);
        // Operations on the set and evidence: lists without items in this version.
        [0_u8; 8].put(out);
    }
    fn take(from: &mut Cursor<'_>) -> Result<Self, Malformed> {
        let tips = List::take(from)?;
        from.count(0)?;
        from.count(0)?;
        Ok(Self { tips })
    }
}

layout!(
    /// A block.
    Block {
        /// What the hash covers.
        header: Header,
        /// What it orders.
        body: Body,
    }
);
