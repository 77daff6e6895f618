//! What happens in a simulated world.

use super::queue::Micros;
use chorale_consensus::Input;
use chorale_consensus::input::AskId;
use chorale_consensus::output::Recipients;
use chorale_types::message::{Message, Request, Response};
use std::sync::Arc;

/// One run of a node, from start to stop. What is meant for an earlier one is dropped.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Hash)]
pub(crate) struct Run {
    pub(crate) node: usize,
    pub(crate) boot: u64,
}

/// Something that happens.
#[derive(Clone, Debug)]
pub(crate) enum Event {
    /// A packet arrives.
    Deliver { from: usize, to: usize, packet: Packet },
    /// A node's replica is told something.
    Input(Run, Input),
    /// A statement is signed: it leaves, and comes back to its own replica.
    Signed(Run, Recipients, Message),
    /// The vote record and the blocks it names are written.
    VotesWritten(Run),
    /// Batches and acknowledgements are written.
    LanesWritten(Run),
    /// A node orders what it can.
    Order(Run),
    /// A question has waited long enough.
    AskTimeout { run: Run, to: usize, id: AskId },
    /// A stream between two members opens.
    Connect { from: usize, to: usize },
    /// A node starts.
    Start(usize),
    /// A fault of the plan, by its place there.
    Fault(usize),
    /// The links that a fault cut deliver again.
    HealLinks(usize),
    /// A slow machine is as fast as before.
    Hasten { node: usize, fault: usize },
    /// Users submit.
    Submit,
    /// A user submits to one node what must become final in time.
    Probe { node: usize },
    /// The first phase is over: a quorum is healed.
    Heal,
    /// Sizes and deadlines are looked at.
    Tick,
}

/// What travels.
#[derive(Clone, Debug)]
pub(crate) enum Packet {
    Message(Message),
    /// A message as bytes.
    Wire(Arc<[u8]>),
    Request {
        id: AskId,
        boot: u64,
        request: Request,
    },
    Response {
        id: AskId,
        boot: u64,
        response: Response,
    },
}

impl Event {
    /// A name and three numbers, for the digest of the run.
    pub(crate) fn digest(&self) -> (u8, u64, u64, Micros) {
        let wide = |n: usize| u64::try_from(n).expect("small");
        match self {
            Self::Deliver { from, to, packet } => {
                let kind = match packet {
                    Packet::Message(_) => 0,
                    Packet::Wire(_) => 1,
                    Packet::Request { .. } => 2,
                    Packet::Response { .. } => 3,
                };
                (0, wide(*from), wide(*to), kind)
            }
            Self::Input(run, _) => (1, wide(run.node), run.boot, 0),
            Self::Signed(run, ..) => (2, wide(run.node), run.boot, 0),
            Self::VotesWritten(run) => (3, wide(run.node), run.boot, 0),
            Self::LanesWritten(run) => (4, wide(run.node), run.boot, 0),
            Self::Order(run) => (5, wide(run.node), run.boot, 0),
            Self::AskTimeout { run, to, id } => (6, wide(run.node), wide(*to), id.0),
            Self::Connect { from, to } => (7, wide(*from), wide(*to), 0),
            Self::Start(node) => (8, wide(*node), 0, 0),
            Self::Fault(fault) => (9, wide(*fault), 0, 0),
            Self::HealLinks(fault) => (10, wide(*fault), 0, 0),
            Self::Hasten { node, fault } => (11, wide(*node), wide(*fault), 0),
            Self::Submit => (12, 0, 0, 0),
            Self::Probe { node } => (13, wide(*node), 0, 0),
            Self::Heal => (14, 0, 0, 0),
            Self::Tick => (15, 0, 0, 0),
        }
    }

    /// The node whose process does this; it waits while that process stands still.
    pub(crate) const fn process(&self) -> Option<usize> {
        match self {
            Self::Deliver { to, .. } => Some(*to),
            Self::Connect { from, .. } => Some(*from),
            Self::Input(run, _)
            | Self::Signed(run, ..)
            | Self::VotesWritten(run)
            | Self::LanesWritten(run)
            | Self::Order(run)
            | Self::AskTimeout { run, .. } => Some(run.node),
            Self::Probe { node } => Some(*node),
            Self::Start(_)
            | Self::Fault(_)
            | Self::HealLinks(_)
            | Self::Hasten { .. }
            | Self::Submit
            | Self::Heal
            | Self::Tick => None,
        }
    }
}
