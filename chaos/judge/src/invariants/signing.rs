//! I7. Nobody honest signs two things where it may sign one, across restarts: one prepare vote, one
//! commit vote and one timeout in a view, one proposal of a class, one batch and one
//! acknowledgement at a number of a lane. A view that was given up gets no vote afterwards, a
//! timeout hides no lock and no vote, and only the leader proposes, what it may.
//!
//! Statements may be sent again, byte for byte in what they say. Signatures of ed25519 are
//! verified; those of votes are not one by one, since certificates are.
//!
//! # Invariants
//! The marks of a [`Signer`] never fall.

mod justified;

use crate::case::Case;
use crate::crypto::{ed25519, signed};
use crate::report::{Finding, Outcome, Place};
use crate::wire::batch::{Ack, BatchHeader, SignedHeader};
use crate::wire::certificate::{Kind, TimeoutVote, TipVote, Vote};
use crate::wire::message::{Message, Proposal, Timeout};
use crate::wire::{Id, Malformed, Wire as _};
use std::collections::HashMap;
use std::collections::hash_map::Entry;

/// Where at most one thing may be signed.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum Slot {
    /// In epoch and view.
    Prepare(u64, u64),
    Commit(u64, u64),
    Timeout(u64, u64),
    /// In epoch, view, of a class.
    Proposal(u64, u64, u8),
    /// In the lane of an epoch and owner, at a number.
    Ack(u64, u16, u64),
}

/// What was signed, and on which line of the signer's file.
struct Signed {
    what: Id,
    line: u64,
}

/// What one node signed so far.
pub struct Signer {
    index: Option<u16>,
    slots: HashMap<Slot, Signed>,
    prepared: Option<TipVote>,
    committed: u64,
    given_up: u64,
    proposed: u64,
    /// After a kill the last of each is said again first, and its first sending may not have been
    /// written down.
    excused: [bool; 3],
}

impl Signer {
    /// The member at a place in the set, or a node that is none.
    #[must_use]
    pub fn new(index: Option<u16>) -> Self {
        let (slots, prepared, excused) = (HashMap::new(), None, [false; 3]);
        Self { index, slots, prepared, committed: 0, given_up: 0, proposed: 0, excused }
    }

    /// Something that was signed may be missing from the history here.
    pub const fn may_have_missed(&mut self) {
        self.excused = [true; 3];
    }

    fn excuse(&mut self, kind: usize) -> bool {
        std::mem::take(&mut self.excused[kind])
    }
}

/// Watches what is signed.
#[derive(Debug, Default)]
pub struct Signing {
    finding: Finding,
    /// How many messages there were, of whomever.
    pub statements: u64,
}

impl Signing {
    /// Bytes that are no message.
    pub fn unreadable(&mut self, place: &Place, why: &Malformed) {
        self.finding.breach(place, format!("says what is no message: {why}"));
    }

    /// A node signs a message.
    pub fn on_statement(
        &mut self,
        case: &Case<'_>,
        signer: &mut Signer,
        place: &Place,
        message: &Message,
    ) {
        match message {
            Message::Proposal(proposal) => self.on_proposal(case, signer, place, proposal),
            Message::Vote(vote) => match vote.kind {
                Kind::Prepare => self.on_prepare(signer, place, &vote.vote),
                Kind::Commit => self.on_commit(signer, place, &vote.vote),
            },
            Message::Timeout(timeout) => self.on_timeout(signer, place, timeout),
            Message::Ack(ack) => {
                self.on_ack(case, signer, place, (&ack.statement, &ack.signature));
            }
            Message::Rescue(rescue) => {
                let ack = rescue.header.acknowledgement();
                self.on_ack(case, signer, place, (&ack, &rescue.signature));
                self.on_owner(case, place, &rescue.header, &rescue.owner_signature);
            }
            Message::Batch(batch) => {
                let (header, signature) = (batch.header.clone(), batch.signature);
                self.on_own_batch(case, signer, place, &SignedHeader { header, signature });
            }
            Message::Entry(_)
            | Message::Commit(_)
            | Message::Availability(_)
            | Message::LaneStatus(_) => {}
        }
    }

    /// Fills a slot; false when the same stands there already. A second content is a breach.
    fn fill(&mut self, signer: &mut Signer, place: &Place, slot: Slot, what: Id) -> bool {
        self.finding.checked();
        match signer.slots.entry(slot) {
            Entry::Vacant(free) => {
                free.insert(Signed { what, line: place.line });
                true
            }
            Entry::Occupied(known) => {
                let Signed { what: first, line } = known.get();
                if *first != what {
                    let what = format!("double {slot:?}: another was signed at line {line}");
                    self.finding.breach(place, what);
                }
                false
            }
        }
    }

    fn on_prepare(&mut self, signer: &mut Signer, place: &Place, vote: &Vote) {
        let Vote { epoch, view, height, block } = *vote;
        let excused = signer.excuse(0);
        if !self.fill(signer, place, Slot::Prepare(epoch, view), name(vote)) {
            return;
        }
        let last = signer.prepared.as_ref().map_or(0, |tip| tip.view);
        self.finding.check(excused || view > last, place, || {
            format!("prepares in view {view} after view {last}")
        });
        self.finding.check(excused || view > signer.given_up, place, || {
            format!("prepares in view {view} after giving up view {}", signer.given_up)
        });
        if view > last {
            signer.prepared = Some(TipVote { view, height, block });
        }
    }

    fn on_commit(&mut self, signer: &mut Signer, place: &Place, vote: &Vote) {
        let view = vote.view;
        let excused = signer.excuse(1);
        if !self.fill(signer, place, Slot::Commit(vote.epoch, view), name(vote)) {
            return;
        }
        self.finding.check(excused || view > signer.committed, place, || {
            format!("votes to commit in view {view} after view {}", signer.committed)
        });
        self.finding.check(excused || view > signer.given_up, place, || {
            format!("votes to commit in view {view} after giving up view {}", signer.given_up)
        });
        signer.committed = signer.committed.max(view);
    }

    fn on_timeout(&mut self, signer: &mut Signer, place: &Place, timeout: &Timeout) {
        let statement = timeout.statement();
        let TimeoutVote { epoch, view, lock, .. } = statement;
        if let Some((vote, _)) = &timeout.prepare {
            // It was cast before; only its first sending may be missing.
            let slot = Slot::Prepare(vote.epoch, vote.view);
            let fresh = self.fill(signer, place, slot, name(vote));
            if fresh && signer.prepared.as_ref().is_none_or(|tip| tip.view < vote.view) {
                let Vote { view, height, block, .. } = *vote;
                signer.prepared = Some(TipVote { view, height, block });
            }
        }
        let excused = signer.excuse(2);
        if !self.fill(signer, place, Slot::Timeout(epoch, view), name(&statement)) {
            return;
        }
        self.finding.check(excused || view > signer.given_up, place, || {
            format!("gives up view {view} after view {}", signer.given_up)
        });
        // A vote to commit in a view needs its certificate, which is a lock from then on.
        let locked = signer.committed.min(view.saturating_sub(1));
        self.finding.check(lock >= locked, place, || {
            format!("reports a lock of view {lock} after voting to commit in view {locked}")
        });
        let tip = &statement.tip;
        let kept = match (&signer.prepared, tip) {
            (Some(last), _) if last.view > view => true,
            (Some(last), Some(tip)) => tip == last || tip.view > last.view,
            (Some(_), None) => false,
            (None, _) => true,
        };
        self.finding.check(kept, place, || {
            let last = signer.prepared.as_ref().map_or(0, |tip| tip.view);
            format!("reports another tip than it prepared in view {last}")
        });
        signer.given_up = signer.given_up.max(view);
    }

    fn on_proposal(
        &mut self,
        case: &Case<'_>,
        signer: &mut Signer,
        place: &Place,
        proposal: &Proposal,
    ) {
        let (epoch, view, class) = (proposal.epoch, proposal.view, proposal.class());
        let statement = proposal.statement();
        let slot = Slot::Proposal(epoch, view, class);
        let what = crate::crypto::sha256(&[&statement]);
        if !self.fill(signer, place, slot, what) {
            return;
        }
        let leader = case.leaders.of_view(view);
        self.finding.check(signer.index == Some(leader), place, || {
            format!("proposes in view {view}, which member {leader} leads")
        });
        let objection = justified::objection(case, proposal);
        self.finding.check(objection.is_none(), place, || objection.unwrap_or_default());
        self.finding.check(view > signer.given_up, place, || {
            format!("proposes in view {view} after giving up view {}", signer.given_up)
        });
        self.finding.check(view >= signer.proposed, place, || {
            format!("proposes in view {view} after view {}", signer.proposed)
        });
        signer.proposed = signer.proposed.max(view);
        self.on_signature(
            case,
            place,
            leader,
            ("chorale/1/proposal", &statement, &proposal.signature),
        );
    }

    /// A node signs a batch of its own: that is its acknowledgement of it, too.
    pub fn on_own_batch(
        &mut self,
        case: &Case<'_>,
        signer: &mut Signer,
        place: &Place,
        batch: &SignedHeader,
    ) {
        let owner = batch.header.lane.owner;
        self.finding.check(signer.index == Some(owner), place, || {
            format!("makes a batch in the lane of member {owner}")
        });
        self.on_ack(case, signer, place, (&batch.header.acknowledgement(), &batch.signature));
    }

    fn on_ack(
        &mut self,
        case: &Case<'_>,
        signer: &mut Signer,
        place: &Place,
        (ack, signature): (&Ack, &[u8; 64]),
    ) {
        let slot = Slot::Ack(ack.lane.epoch, ack.lane.owner, ack.seq);
        let what = crate::crypto::sha256(&[&ack.bytes()]);
        if self.fill(signer, place, slot, what)
            && let Some(index) = signer.index
        {
            let statement = ack.bytes();
            self.on_signature(case, place, index, ("chorale/1/acknowledge", &statement, signature));
        }
    }

    fn on_owner(
        &mut self,
        case: &Case<'_>,
        place: &Place,
        header: &BatchHeader,
        signature: &[u8; 64],
    ) {
        let (owner, statement) = (header.lane.owner, header.acknowledgement().bytes());
        self.on_signature(case, place, owner, ("chorale/1/acknowledge", &statement, signature));
    }

    fn on_signature(
        &mut self,
        case: &Case<'_>,
        place: &Place,
        member: u16,
        (domain, statement, signature): (&str, &[u8], &[u8; 64]),
    ) {
        let message = signed(domain, &case.chain.id, statement);
        let voter = case.chain.set.get(usize::from(member));
        let valid = voter.is_some_and(|voter| ed25519(&voter.network, &message, signature));
        self.finding.check(valid, place, || {
            format!("the signature under {domain} is not member {member}'s")
        });
    }

    /// The end of it.
    #[must_use]
    pub fn decide(self) -> Outcome {
        self.finding.outcome()
    }
}

fn name(statement: &impl crate::wire::Wire) -> Id {
    crate::crypto::sha256(&[&statement.bytes()])
}
