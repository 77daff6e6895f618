//! What ordering comes to: everything that a node and a client must compute alike.
//!
//! A node that has ordered every block up to a height holds a state that is a pure function of
//! those blocks. Later headers name its root, so that a client can check a node's word about one
//! rollup against a quorum's. The root covers, for each rollup, how many blocks it has, a chain
//! over their contents ([`stream_root`]) and the ids it remembers ([`Window`]).

mod delivery;
mod record;
mod window;

pub use delivery::{LaneRun, delivery_order};
pub use record::{BatchSummary, ORDERED_BATCHES_MAX, OrderedRecord, RollupContent, Skipped};
pub use window::{Moment, Window, WindowCommitment, WindowEntry, WindowError, WindowRule};

use crate::codec::Encode;
use crate::crypto::hash::{Digest, Domain, hash, hash_of};
use crate::ids::{Height, RollupId, Sequence};
use crate::merkle;
use crate::time::Timestamp;
use crate::transaction::TransactionId;

/// What the root says of one rollup.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct RollupLeaf {
    /// The rollup.
    pub rollup: RollupId,
    /// Its last block; zero while it has none.
    pub sequence: Sequence,
    /// The height that block was ordered at; zero while there is none.
    pub height: Height,
    /// The chain over its blocks, by [`stream_root`]; all zeros while there is none.
    pub stream_root: Digest,
    /// The ids it remembers.
    pub window: WindowCommitment,
}
codec_struct!(RollupLeaf { rollup, sequence, height, stream_root, window });

impl RollupLeaf {
    /// The leaf of the tree over all rollups.
    ///
    /// It shares a domain with [`OrderedSummary::root`]; the two have different fixed lengths.
    #[must_use]
    pub fn digest(&self) -> Digest {
        hash_of(Domain::Ordered, self)
    }
}

/// What the root covers, with everything large already hashed.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct OrderedSummary {
    /// Everything up to here is ordered.
    pub height: Height,
    /// The time of the block there.
    pub time: Timestamp,
    /// The window clock there, in milliseconds; see [`Moment`].
    pub clock: u64,
    /// Merkle root over [`RollupLeaf::digest`] of every registered rollup, by rising id.
    pub rollups: Digest,
    /// The hash of the lane frontier.
    pub frontier: Digest,
    /// The root of the system ledger; all zeros while there is none.
    pub ledger: Digest,
}
codec_struct!(OrderedSummary { height, time, clock, rollups, frontier, ledger });

impl OrderedSummary {
    /// The root that headers name.
    #[must_use]
    pub fn root(&self) -> Digest {
        hash_of(Domain::Ordered, self)
    }
}

/// The Merkle root over the leaves of all rollups, which are by rising id.
#[must_use]
pub fn rollups_root(leaves: &[RollupLeaf]) -> Digest {
    merkle::root(&leaves.iter().map(RollupLeaf::digest).collect::<Vec<_>>())
}

/// One more block of a rollup: what it is chained by.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct StreamLink<'a> {
    /// The chain's value before it; all zeros before the first.
    pub previous: Digest,
    /// Its sequence.
    pub sequence: Sequence,
    /// The height it was ordered at.
    pub height: Height,
    /// The time of the block at that height.
    pub time: Timestamp,
    /// Its transactions in order.
    pub ids: &'a [TransactionId],
}

/// The value of a rollup's chain after one more block.
#[must_use]
pub fn stream_root(link: &StreamLink<'_>) -> Digest {
    hash(
        Domain::Stream,
        &[
            link.previous.as_bytes(),
            &link.sequence.to_bytes(),
            &link.height.to_bytes(),
            &link.time.to_bytes(),
            merkle::root(link.ids).as_bytes(),
        ],
    )
}
