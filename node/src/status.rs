//! How the node is, for people and for readiness checks.

use crate::host::Clock;
use chorale_consensus::Status as Replica;
use chorale_types::genesis::Genesis;
use chorale_types::ids::{Epoch, Height, ValidatorIndex, View};
use chorale_types::limits::ORDERED_LAG_MAX;
use chorale_types::time::Instant;
use chorale_types::validators::ValidatorSet;
use serde::{Deserialize, Serialize};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use thiserror::Error;
use tokio_util::sync::CancellationToken;

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
    /// Why not, if not.
    pub lane_reason: Option<String>,
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

/// What never changes about a node, for its status.
#[derive(Clone, Debug)]
pub struct Facts {
    /// The program's version and commit.
    pub version: String,
    /// The node's name.
    pub name: String,
    /// The document the chain started from.
    pub genesis: Arc<Genesis>,
    /// The set of the epoch.
    pub set: ValidatorSet,
    /// This node's place in it.
    pub me: Option<ValidatorIndex>,
    /// Why it signs no votes, if so.
    pub voting_reason: Option<String>,
    /// Why it owns no lane and acknowledges nothing, if so.
    pub lane_reason: Option<String>,
}

/// What the replica's thread last said.
#[derive(Clone, Copy, Debug)]
struct Seen {
    replica: Replica,
    last_commit: Option<Instant>,
    started: Instant,
}

/// Answers how the node is. Cheap to clone.
#[derive(Clone)]
pub struct StatusHandle {
    inner: Arc<Inner>,
}

struct Inner {
    facts: Facts,
    clock: Clock,
    seen: Mutex<Seen>,
    peers: Box<dyn Fn() -> Vec<Peer> + Send + Sync>,
    stop: CancellationToken,
}

/// A member as the wire sees it.
#[derive(Clone, Copy, Debug)]
pub struct Peer {
    /// Its place in the set.
    pub index: ValidatorIndex,
    /// Whether there is a connection.
    pub connected: bool,
    /// Whether the stream to it is open.
    pub stream: bool,
    /// Round-trip time.
    pub rtt: Option<Duration>,
}

impl From<chorale_p2p::PeerStatus> for Peer {
    fn from(peer: chorale_p2p::PeerStatus) -> Self {
        let chorale_p2p::PeerStatus { index, connections, outbound_open: stream, rtt, .. } = peer;
        Self { index, connected: connections > 0, stream, rtt }
    }
}

/// Why a replica that saw what is final contradicted at this height signs nothing, and what its
/// operator is to do.
pub(crate) fn contradiction(height: Height) -> String {
    format!(
        "observer: a commit certificate contradicts what is final here at height {height}, so more \
         than a third of the stake signed two chains: this node signs nothing more, also after a \
         restart; keep its data folder as evidence, agree with the other operators which chain \
         goes on, and join that one with a new key"
    )
}

/// How long a node may be without a commit, in view timeouts, before it says why.
const QUIET_VIEW_TIMEOUTS: u32 = 3;
/// How many blocks behind a node counts as catching up.
const BEHIND_BLOCKS: u64 = ORDERED_LAG_MAX;

impl StatusHandle {
    /// Tells of a node that starts as `replica`. `peers` reads how the wire is.
    pub fn new(
        facts: Facts,
        clock: Clock,
        replica: Replica,
        peers: impl Fn() -> Vec<Peer> + Send + Sync + 'static,
        stop: CancellationToken,
    ) -> Self {
        let started = clock.now().monotonic;
        let seen = Mutex::new(Seen { replica, last_commit: None, started });
        let inner = Inner { facts, clock, seen, peers: Box::new(peers), stop };
        Self { inner: Arc::new(inner) }
    }

    /// The replica took a step.
    pub(crate) fn update(&self, replica: Replica) {
        let mut seen = self.lock();
        if replica.height > seen.replica.height {
            seen.last_commit = Some(self.inner.clock.now().monotonic);
        }
        seen.replica = replica;
    }

    fn lock(&self) -> MutexGuard<'_, Seen> {
        self.inner.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How the node is now.
    #[must_use]
    pub fn status(&self) -> Status {
        let (seen, peers) = (*self.lock(), (self.inner.peers)());
        let Facts { genesis, set, .. } = &self.inner.facts;
        let Replica { view, leader, height, ordered_height, voting, .. } = seen.replica;
        let contradicted = seen.replica.contradicted.map(contradiction);
        let lost = seen.replica.lane_lost.map(|why| why.to_string());
        let lane_reason = self.inner.facts.lane_reason.clone().or(lost);
        let lane_reason = lane_reason.or_else(|| contradicted.clone());
        let now = self.inner.clock.now().monotonic;
        let ago = seen.last_commit.map(|at| now.since(at).as_millis());
        Status {
            version: self.inner.facts.version.clone(),
            chain: set.chain().to_string(),
            chain_name: genesis.chain_name.clone(),
            name: self.inner.facts.name.clone(),
            validator: self.inner.facts.me,
            height,
            view,
            epoch: set.epoch(),
            leader,
            ordered_height,
            syncing: is_syncing(&seen.replica),
            voting,
            voting_reason: contradicted.or_else(|| self.inner.facts.voting_reason.clone()),
            owns_lane: lane_reason.is_none(),
            lane_reason,
            why_no_blocks: self.why_no_blocks(&seen, &peers, now),
            last_commit_ms_ago: ago.map(|ms| u64::try_from(ms).unwrap_or(u64::MAX)),
            peers: peers.iter().map(|peer| self.peer(peer)).collect(),
        }
    }

    fn peer(&self, peer: &Peer) -> PeerStatus {
        PeerStatus {
            index: peer.index,
            name: self.name(peer.index),
            connected: peer.connected,
            stream: peer.stream,
            rtt_ms: peer.rtt.map(|rtt| rtt.as_secs_f64() * 1_000.0),
        }
    }

    fn name(&self, index: ValidatorIndex) -> String {
        let validator = self.inner.facts.genesis.validators.get(index.as_usize());
        validator.map_or_else(|| index.to_string(), |validator| validator.name.clone())
    }

    /// Why there were no blocks for a while; `None` when there were.
    fn why_no_blocks(&self, seen: &Seen, peers: &[Peer], now: Instant) -> Option<String> {
        let Facts { set, me, .. } = &self.inner.facts;
        let quiet_max = set.params().view_timeout() * QUIET_VIEW_TIMEOUTS;
        let replica = &seen.replica;
        if now.since(seen.last_commit.unwrap_or(seen.started)) < quiet_max {
            return None;
        }
        let connected = peers.iter().filter(|peer| peer.stream).map(|peer| peer.index);
        let connected = set.stake_of_indices(connected.chain(*me));
        let quorum = set.quorum();
        Some(if connected < quorum {
            format!("no quorum: connected stake {connected} of {quorum} needed")
        } else if is_syncing(replica) {
            format!("catching up: {} behind", behind(replica))
        } else if !replica.proposal_seen {
            let leader = self.name(replica.leader);
            format!("no proposal from leader {leader} in view {}", replica.view)
        } else if replica.timed_out {
            let stake = replica.timeout_stake;
            format!("view {} is given up by stake {stake} of {quorum} needed", replica.view)
        } else {
            format!("no quorum of votes yet in view {}", replica.view)
        })
    }

    /// Whether it serves: not catching up, a quorum connected, blocks coming.
    ///
    /// # Errors
    /// With the reason why not.
    pub fn readiness(&self) -> Result<(), NotReady> {
        if self.inner.stop.is_cancelled() {
            return Err(NotReady::Stopping);
        }
        let (seen, peers) = (*self.lock(), (self.inner.peers)());
        if is_syncing(&seen.replica) {
            return Err(NotReady::CatchingUp { behind: behind(&seen.replica) });
        }
        let now = self.inner.clock.now().monotonic;
        match self.why_no_blocks(&seen, &peers, now) {
            Some(reason) => Err(NotReady::NoBlocks { reason }),
            None if seen.last_commit.is_none() => {
                Err(NotReady::NoBlocks { reason: "no block since the start yet".to_owned() })
            }
            None => Ok(()),
        }
    }
}

/// How many blocks are missing: final ones not held, or held ones not ordered.
fn behind(replica: &Replica) -> u64 {
    replica.target_height.max(replica.height).above(replica.ordered_height)
}

fn is_syncing(replica: &Replica) -> bool {
    behind(replica) > BEHIND_BLOCKS
}

#[cfg(test)]
mod tests;
