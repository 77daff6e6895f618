//! Watches everything that members sign, over all their restarts, for what no honest member may
//! ever sign.
//!
//! # Invariants
//! One prepare vote, one commit vote, one timeout and one proposed block for each member and view.
//! A timeout carries a certificate of at least the view of every commit vote that its signer cast
//! up to the view given up.

use chorale_types::codec::Encode;
use chorale_types::ids::{ValidatorIndex, View};
use chorale_types::message::Message;
use chorale_types::vote::VoteKind;
use std::collections::BTreeMap;

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Kind {
    Vote(VoteKind),
    Timeout,
    Proposal,
}

/// What each member signed so far, by kind and view.
#[derive(Debug, Default)]
pub(super) struct Monitor {
    signed: BTreeMap<(ValidatorIndex, Kind, View), Vec<u8>>,
}

impl Monitor {
    /// Remembers a message that `me` signed.
    ///
    /// # Panics
    /// When it should never have been signed.
    pub(super) fn watch(&mut self, me: ValidatorIndex, message: &Message) {
        let (kind, view, bytes) = match message {
            Message::Vote(vote) => (Kind::Vote(vote.kind), vote.vote.view, vote.vote.to_bytes()),
            Message::Timeout(timeout) => (Kind::Timeout, timeout.view, timeout.vote().to_bytes()),
            Message::Proposal(proposal) => {
                (Kind::Proposal, proposal.view, proposal.block_hash().as_bytes().to_vec())
            }
            _ => return,
        };
        let first = self.signed.entry((me, kind, view)).or_insert_with(|| bytes.clone());
        assert_eq!(*first, bytes, "{me} signed twice in view {view}: {kind:?}");
        if let Message::Timeout(timeout) = message {
            self.check_gate(me, view, timeout.high_qc.view());
        }
    }

    fn check_gate(&self, me: ValidatorIndex, given_up: View, high_qc: View) {
        let commit = Kind::Vote(VoteKind::Commit);
        let votes = self.signed.range((me, commit, View::ZERO)..=(me, commit, given_up));
        let last = votes.last().map_or(View::ZERO, |((_, _, view), _)| *view);
        assert!(
            last <= high_qc,
            "{me} cast a commit vote in view {last} and gave up view {given_up} with a \
             certificate of view {high_qc}"
        );
    }
}
