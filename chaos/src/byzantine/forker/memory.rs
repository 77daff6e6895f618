//! What a forker remembers of what it hears. Bounded: old views go first.

use crate::sim::crypto::Cheap;
use chorale_types::block::Block;
use chorale_types::certificate::QuorumCert;
use chorale_types::crypto::bls::{Bls, BlsSignature};
use chorale_types::crypto::hash::Digest;
use chorale_types::ids::{ValidatorIndex, View};
use chorale_types::message::{Proposal, ProposalKind, VoteMessage};
use chorale_types::validators::ValidatorSet;
use chorale_types::vote::{Timeout, VoteKind};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Views of which votes and timeouts are remembered.
const VIEWS_MAX: usize = 32;
/// Blocks and certificates remembered.
const BLOCKS_MAX: usize = 256;

type Shares = BTreeMap<ValidatorIndex, BlsSignature>;

#[derive(Debug, Default)]
pub(in crate::byzantine) struct Memory {
    blocks: BTreeMap<Digest, Arc<Block>>,
    votes: BTreeMap<View, BTreeMap<Digest, Shares>>,
    certs: BTreeMap<View, QuorumCert>,
    timeouts: BTreeMap<View, BTreeMap<ValidatorIndex, Arc<Timeout>>>,
}

impl Memory {
    /// A prepare vote, which may complete a certificate.
    pub(in crate::byzantine) fn on_vote(
        &mut self,
        from: ValidatorIndex,
        message: &VoteMessage,
        set: &ValidatorSet,
    ) {
        let vote = message.vote;
        let shares = self.votes.entry(vote.view).or_default().entry(vote.block).or_default();
        shares.insert(from, message.signature);
        if set.stake_of_indices(shares.keys().copied()) >= set.quorum() {
            let mut signers = set.no_signers();
            shares.keys().for_each(|index| {
                signers.insert(*index);
            });
            let signatures: Vec<BlsSignature> = shares.values().copied().collect();
            if let Ok(signature) = Cheap::aggregate(&signatures) {
                let kind = VoteKind::Prepare;
                self.on_cert(&QuorumCert { kind, vote, signers, signature });
            }
        }
        while self.votes.len() > VIEWS_MAX {
            self.votes.pop_first();
        }
    }

    pub(in crate::byzantine) fn on_cert(&mut self, qc: &QuorumCert) {
        self.certs.entry(qc.view()).or_insert_with(|| qc.clone());
        while self.certs.len() > BLOCKS_MAX {
            self.certs.pop_first();
        }
    }

    pub(in crate::byzantine) fn on_proposal(&mut self, proposal: &Proposal) {
        if let Some(block) = &proposal.block {
            self.blocks.insert(block.hash(), Arc::clone(block));
        }
        if let ProposalKind::Fallback { parent_qc, .. } = &proposal.kind {
            self.on_cert(parent_qc);
        }
        if let Some(entry) = proposal.kind.entry() {
            self.on_cert(entry.qc());
        }
        while self.blocks.len() > BLOCKS_MAX {
            let oldest = self.blocks.iter().min_by_key(|(_, block)| block.header.height);
            let oldest = oldest.map(|(hash, _)| *hash).expect("there are many");
            self.blocks.remove(&oldest);
        }
    }

    pub(in crate::byzantine) fn on_timeout(
        &mut self,
        from: ValidatorIndex,
        timeout: &Arc<Timeout>,
    ) {
        self.on_cert(&timeout.high_qc);
        let view = self.timeouts.entry(timeout.view).or_default();
        view.entry(from).or_insert_with(|| Arc::clone(timeout));
        while self.timeouts.len() > VIEWS_MAX {
            self.timeouts.pop_first();
        }
    }

    /// Who voted for a block in a view, as far as heard.
    pub(in crate::byzantine) fn voters(
        &self,
        view: View,
        block: &Digest,
    ) -> BTreeSet<ValidatorIndex> {
        let shares = self.votes.get(&view).and_then(|blocks| blocks.get(block));
        shares.map(|shares| shares.keys().copied().collect()).unwrap_or_default()
    }

    /// The timeouts of a view.
    pub(in crate::byzantine) fn timeouts(&self, view: View) -> Vec<(ValidatorIndex, Arc<Timeout>)> {
        let timeouts = self.timeouts.get(&view).into_iter().flatten();
        timeouts.map(|(from, timeout)| (*from, Arc::clone(timeout))).collect()
    }

    /// The certificate of a view.
    pub(in crate::byzantine) fn cert(&self, view: View) -> Option<&QuorumCert> {
        self.certs.get(&view)
    }

    pub(in crate::byzantine) fn block(&self, hash: &Digest) -> Option<&Arc<Block>> {
        self.blocks.get(hash)
    }
}
