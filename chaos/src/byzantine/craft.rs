//! What a faulty member makes: timeouts, timeout certificates and blocks that are well formed and
//! say what suits it.

use super::forker::Memory;
use crate::sim::cluster::{Signer, WALL_START_MS};
use crate::sim::crypto::Cheap;
use chorale_types::block::{Block, Body, Header, VERSION};
use chorale_types::certificate::{QuorumCert, TimeoutCert, TimeoutGroup};
use chorale_types::crypto::bls::{Bls, BlsSignature};
use chorale_types::crypto::ed25519::Signature;
use chorale_types::crypto::hash::Digest;
use chorale_types::ids::{Height, ValidatorIndex, View};
use chorale_types::message::{Proposal, ProposalKind};
use chorale_types::time::Timestamp;
use chorale_types::validators::ValidatorSet;
use chorale_types::vote::{Timeout, TimeoutVote, Tip};
use std::collections::BTreeMap;
use std::sync::Arc;

/// One report for a timeout certificate: who, what, and the certificate it names.
pub(crate) type Share = (ValidatorIndex, TimeoutVote, BlsSignature, QuorumCert);

/// A timeout that names another certificate and tip than the true one.
pub(super) fn timeout(
    truth: &Timeout,
    high_qc: &QuorumCert,
    tip: Option<Tip>,
    signer: &Signer,
) -> Timeout {
    let mut lie = truth.clone();
    lie.high_qc = high_qc.clone();
    lie.tip = tip;
    lie.prepare = None;
    lie.signature = signer.timeout(&lie.vote());
    lie
}

/// An own report of a view.
pub(crate) fn timeout_vote(
    view: View,
    high_qc: &QuorumCert,
    tip: Option<Tip>,
    signer: &Signer,
) -> Share {
    let epoch = high_qc.vote.epoch;
    let vote = TimeoutVote { epoch, view, high_qc_view: high_qc.view(), tip };
    (signer.index, vote, signer.timeout(&vote), high_qc.clone())
}

/// A certificate from an own report and those of others: first of those who are not `avoided`,
/// then no more than needed.
pub(super) fn timeout_cert(
    set: &ValidatorSet,
    others: Vec<(ValidatorIndex, Arc<Timeout>)>,
    own: Share,
    avoided: &dyn Fn(ValidatorIndex) -> bool,
) -> Option<TimeoutCert> {
    let mut others = others;
    others.sort_by_key(|(who, _)| avoided(*who));
    let mut shares = vec![own];
    for (who, timeout) in others {
        let stake = set.stake_of_indices(shares.iter().map(|share| share.0));
        if stake >= set.quorum() {
            break;
        }
        if shares.iter().all(|share| share.0 != who) {
            shares.push((who, timeout.vote(), timeout.signature, timeout.high_qc.clone()));
        }
    }
    timeout_cert_of(set, &shares)
}

/// The certificate of some reports; `None` when they are no quorum.
pub(crate) fn timeout_cert_of(set: &ValidatorSet, shares: &[Share]) -> Option<TimeoutCert> {
    let stake = set.stake_of_indices(shares.iter().map(|share| share.0));
    let high_qc = shares.iter().map(|share| &share.3).max_by_key(|qc| qc.view())?.clone();
    if stake < set.quorum() {
        return None;
    }
    let mut groups: BTreeMap<(View, Option<Tip>), TimeoutGroup> = BTreeMap::new();
    for (who, vote, _, _) in shares {
        let group = groups.entry((vote.high_qc_view, vote.tip)).or_insert_with(|| TimeoutGroup {
            high_qc_view: vote.high_qc_view,
            tip: vote.tip,
            signers: set.no_signers(),
        });
        group.signers.insert(*who);
    }
    let signatures: Vec<BlsSignature> = shares.iter().map(|share| share.2).collect();
    let signature = Cheap::aggregate(&signatures).ok()?;
    let (epoch, view) = (shares[0].1.epoch, shares[0].1.view);
    Some(TimeoutCert { epoch, view, groups: groups.into_values().collect(), signature, high_qc })
}

/// The stake that reports a block as a tip that counts.
pub(super) fn support(tc: &TimeoutCert, block: &Digest, set: &ValidatorSet) -> u64 {
    tc.reported_tips().get(block).map_or(0, |(_, signers)| set.stake_of(signers))
}

/// A proposal for the same view whose block stands on what the certificate allows.
pub(super) fn beside(
    first: &Proposal,
    tc: &TimeoutCert,
    memory: &Memory,
    set: &ValidatorSet,
    signer: &Signer,
) -> Option<Proposal> {
    let parent_qc = tc.high_qc.clone();
    let parent = memory.block(&parent_qc.vote.block).map(|block| &block.header);
    let model = &first.block.as_ref()?.header;
    let (height, time, ordered) = match parent {
        Some(parent) => {
            let ordered = (parent.ordered_height, parent.ordered_root);
            (parent.height.next(), parent.time.as_millis() + 1, ordered)
        }
        // Nobody but genesis has no proposal, and its ordered root is what the model's chain
        // began with; it is known only while nothing is ordered.
        None if parent_qc.view() == View::ZERO && model.ordered_height == Height::ZERO => {
            (Height::new(1), WALL_START_MS + 1, (Height::ZERO, model.ordered_root))
        }
        None => return None,
    };
    let body = Body::default();
    let header = Header {
        chain: *set.chain(),
        version: VERSION,
        epoch: set.epoch(),
        epoch_info_hash: set.info_hash(),
        height,
        orig_view: first.view,
        parent: parent_qc.vote.block,
        body_root: body.root(),
        ordered_height: ordered.0,
        ordered_root: ordered.1,
        reveal: None,
        proposer: signer.index,
        time: Timestamp::from_millis(time),
    };
    let mut proposal = Proposal {
        epoch: first.epoch,
        view: first.view,
        kind: ProposalKind::Fallback { tc: tc.clone(), parent_qc },
        block: Some(Arc::new(Block { header, body })),
        ordered_cert: None,
        signature: Signature::from_bytes([0; 64]),
    };
    proposal.signature = signer.proposal(&proposal.vote());
    Some(proposal)
}

/// What a voter for the proposal's block reports.
pub(super) fn tip_of(proposal: &Proposal) -> Option<Tip> {
    let block = proposal.block.as_ref()?;
    Some(Tip { view: proposal.view, height: block.header.height, block: block.hash() })
}
