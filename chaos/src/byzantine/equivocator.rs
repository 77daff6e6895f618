//! A leader with two blocks for one view, and a voter for both.

use super::Outgoing;
use crate::rng::Rng;
use crate::sim::cluster::Signer;
use chorale_types::block::Block;
use chorale_types::crypto::hash::Digest;
use chorale_types::ids::View;
use chorale_types::message::{Message, Proposal, VoteMessage};
use chorale_types::time::Timestamp;
use chorale_types::vote::{Vote, VoteKind};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Views remembered, to vote for the second block as well.
const KEPT_MAX: usize = 16;

/// The second block of each view that this member led, and who is shown it.
#[derive(Debug, Default)]
pub(super) struct Equivocator {
    seconds: BTreeMap<View, (Arc<Proposal>, u64)>,
}

impl Equivocator {
    pub(super) fn tamper(&mut self, out: &mut [Outgoing], signer: &Signer, rng: &mut Rng) {
        for (peer, _, message) in out {
            match message {
                Message::Proposal(proposal) if proposal.block.is_some() => {
                    let (second, shown_to) = self
                        .seconds
                        .entry(proposal.view)
                        .or_insert_with(|| (Arc::new(second(proposal, signer)), rng.any()));
                    if *shown_to >> *peer & 1 == 1 {
                        *message = Message::Proposal(Arc::clone(second));
                    }
                }
                Message::Vote(vote) => {
                    let Some((second, shown_to)) = self.seconds.get(&vote.vote.view) else {
                        continue;
                    };
                    if *shown_to >> *peer & 1 == 1 {
                        vote.vote.block = second.block_hash();
                        vote.signature = signer.vote(vote.kind, &vote.vote);
                    }
                }
                _ => {}
            }
        }
        while self.seconds.len() > KEPT_MAX {
            self.seconds.pop_first();
        }
    }
}

/// The same proposal with a block that is one millisecond later.
fn second(first: &Proposal, signer: &Signer) -> Proposal {
    let mut proposal = first.clone();
    if let Some(block) = &first.block {
        let mut block = Block::clone(block);
        block.header.time = Timestamp::from_millis(block.header.time.as_millis() + 1);
        proposal.block = Some(Arc::new(block));
    }
    proposal.signature = signer.proposal(&proposal.vote());
    proposal
}

/// Follows every prepare vote with a commit vote for the same block, certified or not, and every
/// vote of either kind with one for a block that is none.
pub(super) fn commit_early(out: &mut Vec<Outgoing>, signer: &Signer) {
    let mut more = Vec::new();
    for (peer, delay, message) in out.iter() {
        let Message::Vote(vote) = message else { continue };
        if vote.kind == VoteKind::Prepare {
            let kind = VoteKind::Commit;
            let signature = signer.vote(kind, &vote.vote);
            more.push((*peer, *delay, Message::Vote(VoteMessage { kind, signature, ..*vote })));
        }
        let nothing = Vote { block: Digest::from_bytes([9; 32]), ..vote.vote };
        let signature = signer.vote(vote.kind, &nothing);
        let vote = VoteMessage { vote: nothing, signature, ..*vote };
        more.push((*peer, *delay, Message::Vote(vote)));
    }
    out.append(&mut more);
}
