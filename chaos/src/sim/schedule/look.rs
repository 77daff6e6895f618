//! What else a probe can see and say.

use super::{Committee, Log, index};
use crate::sim::queue::Micros;
use chorale_consensus::input::Timer;
use chorale_types::message::{Message, ProposalKind};
use std::sync::Arc;

impl Committee {
    /// How long the current view of a real member may take from its entry, in microseconds.
    ///
    /// # Panics
    /// When the probe plays the member, or its timer was never armed.
    #[must_use]
    pub fn view_lasts(&self, member: usize) -> Micros {
        let status = self.status(member);
        let timers = self.timers.get(&member).map_or(&[][..], Vec::as_slice);
        let view = |timer: &Timer| matches!(timer, Timer::View(_, view) if *view == status.view);
        let (at, _) = timers.iter().rev().find(|(_, timer)| view(timer)).expect("a view timer");
        at.saturating_sub(status.entered.as_micros())
    }

    /// The size of every collection of a real member that peers can fill, by name.
    ///
    /// # Panics
    /// When the probe plays the member.
    #[must_use]
    pub fn sizes(&self, member: usize) -> Vec<(&'static str, usize)> {
        let node = self.nodes[member].as_ref().expect("a real member");
        node.running.as_ref().expect("a running node").replica.sizes()
    }

    /// How many signature checks real members asked for.
    #[must_use]
    pub const fn checks(&self) -> u64 {
        let Log { checks, .. } = self.log;
        checks
    }

    /// A proposal of a view, with the name of its leader and the signature of another member, whom
    /// the probe plays.
    ///
    /// # Panics
    /// When the probe does not play the signer.
    #[must_use]
    pub fn usurp(&self, signer: usize, view: u64, kind: ProposalKind, variant: u64) -> Message {
        let block = self.block(&self.start_cert().vote, view, variant);
        let mut proposal = self.unsigned_proposal(view, kind, Some(block));
        proposal.signature = self.cluster.signer(index(signer)).proposal(&proposal.vote());
        Message::Proposal(Arc::new(proposal))
    }
}
