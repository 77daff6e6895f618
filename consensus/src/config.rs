//! What a replica is told when it is made.

use chorale_types::crypto::hash::Digest;
use chorale_types::ids::{RollupId, ValidatorIndex};
use chorale_types::time::Timestamp;
use chorale_types::validators::ValidatorSet;

/// What a replica is told when it is made.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Config {
    /// The set of the epoch.
    pub set: ValidatorSet,
    /// This replica's place in it; `None` for one that only follows.
    pub me: Option<ValidatorIndex>,
    /// Whether it may sign votes, timeouts and proposals: its vote record is whole.
    pub votes: bool,
    /// Whether it may own a lane and acknowledge: its batch store is the one it had before.
    pub lanes: bool,
    /// The block time of genesis.
    pub genesis_time: Timestamp,
    /// The ordering state's root at height 0.
    pub genesis_root: Digest,
    /// The registered rollups, by rising id.
    pub rollups: Vec<RollupId>,
}
