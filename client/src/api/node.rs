//! The node that answers.

use chorale_types::ids::{Epoch, Height, ValidatorIndex, View};
use serde::{Deserialize, Serialize};

/// Every refusal, as in RFC 9457.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Problem {
    /// Always `about:blank`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The status in words.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// What was wrong, for people.
    pub detail: String,
    /// What was wrong, for programs; stable.
    pub code: String,
}

/// `GET /v1/status`: this node, now.
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
    /// Its place in the set; `None` for one that only follows.
    pub validator: Option<ValidatorIndex>,
    /// The last final height.
    pub height: Height,
    /// The current view.
    pub view: View,
    /// The current epoch.
    pub epoch: Epoch,
    /// Who leads the view.
    pub leader: ValidatorIndex,
    /// How far the node has ordered.
    pub ordered_height: Height,
    /// Whether it is catching up.
    pub syncing: bool,
    /// Whether it votes.
    pub voting: bool,
    /// Why it does not.
    pub voting_reason: Option<String>,
    /// Whether it owns a lane, and so takes transactions.
    pub owns_lane: bool,
    /// Why it does not.
    #[serde(default)]
    pub lane_reason: Option<String>,
    /// Why the chain makes no blocks, when it makes none.
    pub why_no_blocks: Option<String>,
    /// Milliseconds since the last block became final.
    pub last_commit_ms_ago: Option<u64>,
    /// The other members, as this node sees them.
    pub peers: Vec<Peer>,
}

/// Another member, as a node sees it.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Peer {
    /// Its place in the set.
    pub index: ValidatorIndex,
    /// Its name.
    pub name: String,
    /// Whether there is a connection.
    pub connected: bool,
    /// Whether the stream to it is open.
    pub stream: bool,
    /// The round trip to it, in milliseconds.
    pub rtt_ms: Option<f64>,
}

/// `GET /v1/limits`: every bound that a caller can meet. Sizes in bytes, times in milliseconds.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Limits {
    /// Largest transaction.
    pub transaction_bytes_max: u64,
    /// Most transactions in one submit call.
    pub submit_transactions_max: u64,
    /// Largest body of a submit call.
    pub submit_body_bytes_max: u64,
    /// Most blocks in one answer.
    pub blocks_limit_max: u64,
    /// Most open connections.
    pub connections_max: u64,
    /// Of these, most of one address: one of IPv4, a 64-bit network of IPv6. Callers on the
    /// node's own machine are not counted.
    pub connections_per_address: u64,
    /// Most open streams.
    pub streams_max: u64,
    /// Of these, most of one address, counted as for connections.
    pub streams_per_address: u64,
    /// Most waiting transactions of one rollup, on the chain as it is: many rollups share.
    pub queue_transactions_per_rollup: u64,
    /// Most waiting bytes of one rollup.
    pub queue_bytes_per_rollup: u64,
    /// Longest wait in a submit call.
    pub wait_timeout_ms_max: u64,
    /// How often a stream without blocks has a heartbeat.
    pub heartbeat_ms: u64,
}
