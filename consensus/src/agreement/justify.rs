//! Rule V3: what a proposal carries must allow its parent, or the block it proposes again.
//!
//! Pure: it reads the proposal and the set, never the voter's own certificates. A check against
//! the voter's own lock would make dead states, because a re-proposed block's parent may lie
//! below it.

use super::rules;
use super::safety::Refused;
use chorale_types::block::Block;
use chorale_types::certificate::{EntryCert, QuorumCert, TimeoutCert};
use chorale_types::crypto::hash::Digest;
use chorale_types::ids::View;
use chorale_types::message::{Proposal, ProposalKind};
use chorale_types::museum::{Bug, planted};
use chorale_types::validators::ValidatorSet;
use chorale_types::vote::Tip;
use std::collections::BTreeMap;

/// `S`: blocks reported as tip, voted above the highest certificate, by stake A of the signers,
/// counted per block over all groups.
#[must_use]
pub fn supported_tips(tc: &TimeoutCert, set: &ValidatorSet) -> BTreeMap<Digest, Tip> {
    tc.reported_tips()
        .into_iter()
        .filter(|(_, (_, signers))| {
            set.stake_of(signers) >= set.one_honest() || planted(Bug::TipUnsupported)
        })
        .map(|(block, (tip, _))| (block, tip))
        .collect()
}

const fn no(why: &'static str) -> Refused {
    Refused::NotJustified { why }
}

/// Checks V3 for a proposal of the right leader. The signatures in it are checked elsewhere.
///
/// # Errors
/// With the clause that fails.
pub fn check_justified(proposal: &Proposal, set: &ValidatorSet) -> Result<(), Refused> {
    let before = proposal.view.previous().ok_or(no("view 0 has no proposals"))?;
    match (&proposal.kind, &proposal.block) {
        (ProposalKind::Normal { qc }, Some(block)) => {
            check_parent(block, qc)?;
            if qc.view() != before || before == View::ZERO {
                return Err(no("the certificate is not of the view before"));
            }
            Ok(())
        }
        (ProposalKind::Fallback { tc, parent_qc }, Some(block)) => {
            check_parent(block, parent_qc)?;
            check_given_up(tc, before)?;
            if parent_qc.view() > before {
                return Err(no("the parent's certificate is of this view or a later one"));
            }
            check_bound(tc, parent_qc, set)
        }
        (ProposalKind::Repropose { by: EntryCert::Tc(tc), block }, None) => {
            check_given_up(tc, before)?;
            if supported_tips(tc, set).contains_key(block) {
                Ok(())
            } else {
                Err(no("the re-proposed block is not supported"))
            }
        }
        (ProposalKind::Repropose { by: EntryCert::Qc(_), .. }, None) => {
            Err(no("only an epoch's last block is proposed again by its certificate"))
        }
        (ProposalKind::EpochStart { start }, Some(block)) => {
            check_parent(block, start)?;
            if before != View::ZERO || start != set.start() {
                return Err(no("an epoch starts at view 1 from the block before it"));
            }
            Ok(())
        }
        (ProposalKind::Optimistic { .. }, _) => Err(no("optimistic proposals are not in force")),
        (_, _) => Err(no("a fresh proposal has a block and a re-proposal has none")),
    }
}

fn check_parent(block: &Block, qc: &QuorumCert) -> Result<(), Refused> {
    if planted(Bug::ParentMismatch) {
        return Ok(());
    }
    if block.header.parent != qc.vote.block {
        return Err(no("the certificate is not the parent's"));
    }
    if Some(qc.vote.height) != block.header.height.previous() {
        return Err(no("the height does not follow the parent's"));
    }
    Ok(())
}

fn check_given_up(tc: &TimeoutCert, before: View) -> Result<(), Refused> {
    if tc.view == before { Ok(()) } else { Err(no("the view before was not given up")) }
}

/// V3(b) for a fresh block: its parent is certified at or above what the signers reported.
fn check_bound(tc: &TimeoutCert, parent: &QuorumCert, set: &ValidatorSet) -> Result<(), Refused> {
    let highest_tip = supported_tips(tc, set).values().map(|tip| tip.view).max();
    let highest_tip = highest_tip.filter(|_| !planted(Bug::TipDropped));
    let high_qc = if planted(Bug::HighQcIgnored) { View::ZERO } else { tc.high_qc.view() };
    if rules::may_stand_on(parent.view(), high_qc, highest_tip) {
        return Ok(());
    }
    if parent.view() < high_qc {
        return Err(no("the parent lies below the highest certificate reported"));
    }
    Err(no("a supported tip was dropped"))
}

#[cfg(test)]
mod tests;
