//! A member that tries to make two blocks final at one height, with all that it hears and its own
//! keys.
//!
//! It never shows its votes, so that a certificate which needs one is known to it alone. When it
//! leads the view after such a certificate, it shows those who voted a child of the certified
//! block, and the others a block beside it, allowed by a timeout certificate that it put together
//! from those who knew least. Then it reports the block beside as its tip, so that the next leader
//! must propose that one again, and shows the child's certificate to one member that missed this.
//! Under the rules this never makes anything final that is not; with a commit rule on two
//! certificates in a row it does.

mod memory;

use super::{Outgoing, craft};
use crate::rng::Rng;
use crate::sim::cluster::Signer;
use crate::sim::plan::MILLI;
use chorale_consensus::agreement::leaders::Leaders;
use chorale_types::certificate::{EntryCert, QuorumCert};
use chorale_types::crypto::hash::Digest;
use chorale_types::ids::{ValidatorIndex, View};
use chorale_types::message::{Message, Proposal, ProposalKind};
use chorale_types::validators::ValidatorSet;
use chorale_types::vote::{Tip, VoteKind};
pub(super) use memory::Memory;
use std::collections::BTreeMap;
use std::sync::Arc;

/// A view in which two blocks were shown.
#[derive(Debug)]
struct Plot {
    /// The child of the hidden certificate's block.
    child: Digest,
    /// The block beside it.
    beside: Tip,
}

/// What it knows and what it is about.
#[derive(Debug)]
pub(super) struct Forker {
    signer: Signer,
    set: ValidatorSet,
    leaders: Leaders,
    memory: Memory,
    /// An own proposal on a certificate that nobody else may know.
    held: Option<Arc<Proposal>>,
    plots: BTreeMap<View, Plot>,
    /// Views in which it showed two blocks.
    pub(super) shown: u64,
    /// Of those, the ones after which the block beside had to be proposed again.
    pub(super) closed: u64,
}

impl Forker {
    pub(super) fn new(signer: Signer, set: &ValidatorSet) -> Self {
        Self {
            signer,
            set: set.clone(),
            leaders: Leaders::new(set),
            memory: Memory::default(),
            held: None,
            plots: BTreeMap::new(),
            shown: 0,
            closed: 0,
        }
    }

    /// What its replica wants to send, and what is sent instead.
    pub(super) fn leave(&mut self, out: &mut Vec<Outgoing>, rng: &mut Rng) {
        let Some((_, _, message)) = out.first().cloned() else { return };
        match &message {
            Message::Vote(vote) => {
                if vote.kind == VoteKind::Prepare {
                    self.memory.on_vote(self.signer.index, vote, &self.set);
                }
                out.clear();
            }
            Message::Commit(_) => out.clear(),
            Message::Entry(cert) => {
                self.memory.on_cert(cert.qc());
                let hidden = matches!(**cert, EntryCert::Qc(_));
                if hidden || self.leaders.leader(cert.view().next()) == self.signer.index {
                    out.clear();
                }
            }
            Message::Proposal(proposal) => {
                self.memory.on_proposal(proposal);
                let worth_it = matches!(proposal.kind, ProposalKind::Normal { .. });
                if worth_it && rng.chance(800_000) {
                    self.held = Some(Arc::clone(proposal));
                    out.clear();
                }
            }
            Message::Timeout(timeout) => {
                let tip = self.plots.get(&timeout.view).map(|plot| plot.beside);
                let lie = craft::timeout(timeout, self.set.start(), tip, &self.signer);
                for (_, _, message) in out.iter_mut() {
                    *message = Message::Timeout(Arc::new(lie.clone()));
                }
            }
            Message::Batch(_)
            | Message::Ack(_)
            | Message::Availability(_)
            | Message::Rescue(_)
            | Message::LaneStatus(_) => {}
        }
        self.act(out, rng);
    }

    /// Something arrives for its replica.
    pub(super) fn arrive(
        &mut self,
        from: usize,
        message: &Message,
        out: &mut Vec<Outgoing>,
        rng: &mut Rng,
    ) {
        let from = ValidatorIndex::new(u16::try_from(from).expect("few members"));
        match message {
            Message::Vote(vote) if vote.kind == VoteKind::Prepare => {
                self.memory.on_vote(from, vote, &self.set);
            }
            Message::Proposal(proposal) => self.memory.on_proposal(proposal),
            Message::Timeout(timeout) => self.memory.on_timeout(from, timeout),
            Message::Entry(cert) => self.memory.on_cert(cert.qc()),
            Message::Vote(_)
            | Message::Commit(_)
            | Message::Batch(_)
            | Message::Ack(_)
            | Message::Availability(_)
            | Message::Rescue(_)
            | Message::LaneStatus(_) => return,
        }
        self.act(out, rng);
    }

    fn act(&mut self, out: &mut Vec<Outgoing>, rng: &mut Rng) {
        self.try_fork(out);
        self.try_close(out, rng);
    }

    /// Shows two blocks in a view that it leads, once a timeout certificate allows the second.
    fn try_fork(&mut self, out: &mut Vec<Outgoing>) -> Option<()> {
        let first = self.held.clone()?;
        let before = first.view.previous()?;
        let ProposalKind::Normal { qc } = &first.kind else { return None };
        let voters = self.memory.voters(before, &qc.vote.block);
        let timeouts = self.memory.timeouts(before);
        let own = craft::timeout_vote(before, self.set.start(), None, &self.signer);
        let tc = craft::timeout_cert(&self.set, timeouts, own, &|who| voters.contains(&who))?;
        let supported = craft::support(&tc, &qc.vote.block, &self.set) >= self.set.one_honest();
        if tc.high_qc.view() >= before || supported {
            return None;
        }
        let second = craft::beside(&first, &tc, &self.memory, &self.set, &self.signer)?;
        self.held = None;
        self.shown += 1;
        let tip = craft::tip_of(&second)?;
        self.plots.insert(first.view, Plot { child: first.block_hash(), beside: tip });
        let (first, second) = (Message::Proposal(first), Message::Proposal(Arc::new(second)));
        for peer in self.set.indices().filter(|peer| *peer != self.signer.index) {
            let message = if voters.contains(&peer) { &first } else { &second };
            out.push((peer.as_usize(), 0, message.clone()));
        }
        Some(())
    }

    /// Ends a view with two blocks: the next leader gets a certificate by which it must propose the
    /// block beside again, and those left out of it get the child's certificate.
    fn try_close(&mut self, out: &mut Vec<Outgoing>, rng: &mut Rng) -> Option<()> {
        let (view, plot) = self.plots.iter().next_back().map(|(view, plot)| (*view, plot))?;
        let hidden = self.memory.cert(view).filter(|qc| qc.vote.block == plot.child)?.clone();
        let believers = self.memory.voters(view, &plot.child);
        let own = craft::timeout_vote(view, self.set.start(), Some(plot.beside), &self.signer);
        let timeouts = self.memory.timeouts(view);
        let tc = craft::timeout_cert(&self.set, timeouts, own, &|who| believers.contains(&who))?;
        let child = craft::support(&tc, &plot.child, &self.set);
        let beside = craft::support(&tc, &plot.beside.block, &self.set);
        let one_honest = self.set.one_honest();
        if tc.high_qc.view() >= view || child >= one_honest || beside < one_honest {
            return None;
        }
        let signers = tc.signers();
        let entry = Message::Entry(Arc::new(EntryCert::Tc(tc)));
        let secret = Message::Entry(Arc::new(EntryCert::Qc(QuorumCert::clone(&hidden))));
        for peer in self.set.indices().filter(|peer| *peer != self.signer.index) {
            out.push((peer.as_usize(), 0, entry.clone()));
            if !signers.contains(peer) {
                out.push((peer.as_usize(), rng.between(50, 900) * MILLI, secret.clone()));
            }
        }
        self.plots.remove(&view);
        self.closed += 1;
        Some(())
    }
}
