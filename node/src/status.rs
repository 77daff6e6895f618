//! How the node is, for people and for readiness checks.

use chorale_types::ids::{Epoch, Height, ValidatorIndex, View};
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// The body of `/v1/status`.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Status {
    /// The program's version and commit.
    pub version: String,
    /// The chain's id, `0x` and hex.
    pub chain: String,
    /// The chain's name.
    pub chain_name: String,
    /// The node's name.
    pub name: String,
    /// The node's place in the set; `None` for one that only follows.
    pub validator: Option<ValidatorIndex>,
    /// The last committed height.
    pub height: Height,
    /// The current view.
    pub view: View,
    /// The current epoch.
    pub epoch: Epoch,
    /// Who leads the view.
    pub leader: ValidatorIndex,
    /// How far this node has ordered.
    pub ordered_height: Height,
    /// Whether it is behind and catching up.
    pub syncing: bool,
    /// Whether it may vote.
    pub voting: bool,
    /// Why not, if not.
    pub voting_reason: Option<String>,
    /// Whether it may own a lane and acknowledge.
    pub owns_lane: bool,
    /// Why there are no blocks, if there are none.
    pub why_no_blocks: Option<String>,
    /// Time since the last commit, in milliseconds.
    pub last_commit_ms_ago: Option<u64>,
    /// The other members.
    pub peers: Vec<PeerStatus>,
}

/// Another member, as this node is connected to it.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct PeerStatus {
    /// Its place in the set.
    pub index: ValidatorIndex,
    /// Its name in genesis.
    pub name: String,
    /// Whether there is a connection.
    pub connected: bool,
    /// Whether the stream to it is open.
    pub stream: bool,
    /// Round-trip time, in milliseconds.
    pub rtt_ms: Option<f64>,
}

/// Why the node is not ready to serve.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum NotReady {
    /// It is behind.
    #[error("catching up: {behind} blocks behind")]
    CatchingUp {
        /// By how many blocks.
        behind: u64,
    },
    /// The chain makes no blocks.
    #[error("{reason}")]
    NoBlocks {
        /// Why, as in [`Status::why_no_blocks`].
        reason: String,
    },
    /// It stops.
    #[error("stopping")]
    Stopping,
}

/// Answers how the node is. Cheap to clone.
#[derive(Clone)]
pub struct StatusHandle {}

impl StatusHandle {
    /// How the node is now.
    #[must_use]
    pub fn status(&self) -> Status {
        todo!()
    }

    /// Whether it serves: not catching up, a quorum connected, blocks coming.
    ///
    /// # Errors
    /// With the reason why not.
    pub fn readiness(&self) -> Result<(), NotReady> {
        todo!()
    }
}
