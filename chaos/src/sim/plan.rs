//! Everything that will be done to a cluster: drawn from a seed, or written by hand in a scenario
//! file. Printed whole, a plan says what a run was.

mod check;
mod draw;

pub use check::PlanError;
pub use draw::Frame;

use super::network::LinkProfile;
use super::queue::Micros;
use crate::byzantine::Behaviour;
use crate::scenario::span;
use chorale_types::genesis::Params;
use chorale_types::ids::RollupId;
use serde::{Deserialize, Serialize};

/// One second.
pub const SECOND: Micros = 1_000_000;
/// One millisecond.
pub const MILLI: Micros = 1_000;

/// Something done to the cluster at a moment.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Fault {
    /// A node's process ends, with or without the power, and starts again.
    Crash {
        /// Which; the leader of the highest view when absent.
        node: Option<usize>,
        /// Whether unsynced bytes may be lost.
        power: bool,
        /// How long it is down.
        #[serde(with = "span")]
        down: Micros,
    },
    /// The same, at the moment when the node's next vote record became durable and before
    /// anything was sent on it.
    CrashAtRecord {
        /// Which.
        node: usize,
        /// How long it is down.
        #[serde(with = "span")]
        down: Micros,
    },
    /// A node is lost with all its data; another starts empty with its keys.
    Destroy {
        /// Which.
        node: usize,
        /// How long until the other starts.
        #[serde(with = "span")]
        down: Micros,
    },
    /// A node stands still and then goes on as if nothing had happened.
    Pause {
        /// Which.
        node: usize,
        /// How long.
        #[serde(with = "span")]
        long: Micros,
    },
    /// One direction of a link delivers nothing.
    Cut {
        /// The sender.
        from: usize,
        /// The receiver.
        to: usize,
        /// How long.
        #[serde(with = "span")]
        long: Micros,
    },
    /// Members on the two sides of a line do not hear each other.
    Split {
        /// One side, a bit for each member.
        side: u32,
        /// How long.
        #[serde(with = "span")]
        long: Micros,
    },
    /// One direction of a link holds messages back and then delivers all of them.
    Clog {
        /// The sender.
        from: usize,
        /// The receiver.
        to: usize,
        /// How long.
        #[serde(with = "span")]
        long: Micros,
    },
    /// One member hears nobody, or is heard by nobody, or both.
    Isolate {
        /// Which.
        node: usize,
        /// Whether it hears nobody.
        deaf: bool,
        /// Whether nobody hears it.
        mute: bool,
        /// How long.
        #[serde(with = "span")]
        long: Micros,
    },
    /// Everybody hears the two members beside it and nobody else.
    Ring {
        /// How long.
        #[serde(with = "span")]
        long: Micros,
    },
    /// A byte of one copy of a vote record rots.
    Rot {
        /// Whose.
        node: usize,
    },
    /// The next write of one copy of a vote record lands elsewhere in the file.
    Misdirect {
        /// Whose.
        node: usize,
    },
    /// The wall clock of a node jumps.
    ClockStep {
        /// Whose.
        node: usize,
        /// How far ahead it is from then on, in milliseconds.
        ahead_ms: u64,
    },
    /// A node's disk and processor are slow.
    Slow {
        /// Whose.
        node: usize,
        /// Everything takes so many times as long.
        factor: u32,
        /// How long.
        #[serde(with = "span")]
        long: Micros,
    },
}

/// A fault and its moment.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Timed {
    /// When.
    #[serde(with = "span")]
    pub at: Micros,
    /// What.
    pub fault: Fault,
}

/// Latencies of one node's own machine, in microseconds.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Machine {
    /// Least time for a synced write.
    #[serde(with = "span")]
    pub sync_min: Micros,
    /// Most time for a synced write.
    #[serde(with = "span")]
    pub sync_max: Micros,
    /// Most time to sign.
    #[serde(with = "span")]
    pub sign_max: Micros,
    /// Most time to check signatures.
    #[serde(with = "span")]
    pub verify_max: Micros,
    /// Most time to order a block.
    #[serde(with = "span")]
    pub order_max: Micros,
}

/// What users do.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Work {
    /// Mean time between submit calls.
    #[serde(with = "span")]
    pub every: Micros,
    /// Most transactions in a call.
    pub burst_max: u64,
    /// Most bytes of a transaction.
    pub bytes_max: u64,
    /// Chance in a million that a call is repeated at another node.
    pub twice: u32,
}

/// One member.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Member {
    /// Its weight.
    pub stake: u64,
    /// What it does wrong; `None` for an honest one.
    pub behaviour: Option<Behaviour>,
    /// Its wall clock is ahead by this many milliseconds.
    pub clock_ahead_ms: u64,
    /// Whether it is healed when the second phase begins. Those that are not stay as they are.
    pub core: bool,
    /// Whether it will lose its data for good.
    pub doomed: bool,
}

/// Everything that will be done.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// What it was drawn from.
    pub seed: u64,
    /// What the leader schedule is drawn from, with the seed: another number, another schedule.
    pub schedule: u64,
    /// The members.
    pub members: Vec<Member>,
    /// The rollups.
    pub rollups: Vec<RollupId>,
    /// The chain's parameters.
    pub params: Params,
    /// Links in the first phase.
    pub links: LinkProfile,
    /// Links of the core in the second.
    pub healed: LinkProfile,
    /// The machines.
    pub machine: Machine,
    /// The users.
    pub work: Work,
    /// Faults by time.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub faults: Vec<Timed>,
    /// When the second phase begins.
    #[serde(with = "span")]
    pub heal_at: Micros,
    /// No run is shorter.
    #[serde(with = "span")]
    pub end_min: Micros,
    /// Whether messages pass the wire as bytes.
    pub encode: bool,
}

impl Plan {
    /// The stakes in order.
    #[must_use]
    pub fn stakes(&self) -> Vec<u64> {
        self.members.iter().map(|member| member.stake).collect()
    }
}
