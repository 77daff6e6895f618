//! What must hold in every run, judged from what leaves honest members and reaches their users.
//!
//! | File | Promise | Rules behind it |
//! |---|---|---|
//! | [`agreement`] | one block for each height, on every honest node, for ever | C2, V3 |
//! | [`commit_order`] | blocks become final by height, without a gap, each once a run | C3 |
//! | [`durable_votes`] | an honest key never contradicts what it signed, across restarts | V2, C1, T1, P2, L2 |
//! | [`ordered_root`] | one ordering root for each height; each transaction delivered once | L6, L7 |
//! | [`available`] | what an honest node called available is delivered | L2, L3 |
//! | [`lane_chain`] | certified batches of one lane lie on one chain | L2 |
//! | [`bounded_memory`] | nothing that peers can fill grows past its bound | limits |
//! | [`liveness`] | a healed quorum makes what is submitted to it final in time | T1 to T5 |
//!
//! Beside these a run fails when a replica's own assertion does (`panic`), when a message does not
//! survive its bytes (`codec`), when an honest member blames another (`blame`), when a store
//! refuses what it promised (`storage`), and when a node to which nothing but crashes happened
//! does not come back as a member that votes and owns its lane (`recovery`).

pub mod agreement;
pub mod available;
pub mod bounded_memory;
pub mod commit_order;
pub mod durable_votes;
pub mod lane_chain;
pub mod liveness;
pub mod ordered_root;

use crate::sim::queue::Micros;
use serde::Serialize;

/// A promise that was broken.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Violation {
    /// Which promise.
    pub invariant: &'static str,
    /// By which node, if by one.
    pub node: Option<usize>,
    /// When, in microseconds since the run began.
    pub at: Micros,
    /// How.
    pub what: String,
}

/// A checker's answer: how the promise is broken.
pub type Check = Result<(), String>;

/// Everything that is judged as it happens.
#[derive(Debug, Default)]
pub struct Judge {
    /// One block a height.
    pub agreement: agreement::Agreement,
    /// By height, once.
    pub commit_order: commit_order::CommitOrder,
    /// No contradictions.
    pub durable_votes: durable_votes::DurableVotes,
    /// One root a height, one delivery a transaction.
    pub ordered_root: ordered_root::OrderedRoot,
    /// Nothing lost.
    pub available: available::Available,
    /// One chain a lane.
    pub lane_chain: lane_chain::LaneChain,
    /// In time after healing.
    pub liveness: liveness::Liveness,
    first: Option<Violation>,
}

impl Judge {
    /// Takes a checker's answer. The first violation is the one reported.
    pub fn settle(
        &mut self,
        invariant: &'static str,
        node: Option<usize>,
        at: Micros,
        check: Check,
    ) {
        if let Err(what) = check
            && self.first.is_none()
        {
            self.first = Some(Violation { invariant, node, at, what });
        }
    }

    /// The first violation, if there was one.
    #[must_use]
    pub const fn violation(&self) -> Option<&Violation> {
        self.first.as_ref()
    }
}
