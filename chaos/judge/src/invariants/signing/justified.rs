//! Whether a leader may propose what it proposes: the rule that keeps what might be final. A voter
//! decides by it too, so an honest leader that breaks it would be held to a lie by everyone.

use crate::case::Case;
use crate::wire::Id;
use crate::wire::certificate::{Entry, Qc, Tc, Vote};
use crate::wire::message::{Justify, Proposal};
use std::collections::BTreeMap;

/// Why it may not, if so.
pub(super) fn objection(case: &Case<'_>, proposal: &Proposal) -> Option<String> {
    let view = proposal.view;
    match &proposal.justify {
        Justify::Normal(qc) if qc.vote.view + 1 != view => {
            Some(format!("proposes in view {view} on a certificate of view {}", qc.vote.view))
        }
        Justify::Normal(qc) => stands_on(proposal, &qc.vote),
        Justify::EpochStart(qc) if *qc != case.chain.start() || view != 1 => {
            Some(format!("starts the epoch in view {view}, or on another block than its first"))
        }
        Justify::EpochStart(qc) => stands_on(proposal, &qc.vote),
        Justify::Fallback(tc, qc) => follows(tc, view)
            .or_else(|| above(case, tc, qc))
            .or_else(|| stands_on(proposal, &qc.vote)),
        Justify::Repropose(Entry::Tc(tc), block) => follows(tc, view).or_else(|| {
            let known = supported(case, tc).contains_key(block);
            (!known).then(|| format!("proposes {block} again, which too few reported"))
        }),
        Justify::Repropose(Entry::Qc(_), _) => Some("proposes a certified block again".into()),
        Justify::Optimistic(_) => Some("proposes before its parent is certified".into()),
    }
}

fn stands_on(proposal: &Proposal, parent: &Vote) -> Option<String> {
    let header = &proposal.block.as_ref()?.header;
    let stands = header.parent == parent.block && header.height == parent.height + 1;
    (!stands).then(|| format!("proposes height {} on another block than it shows", header.height))
}

fn follows(tc: &Tc, view: u64) -> Option<String> {
    let given_up = tc.0.view;
    (given_up + 1 != view).then(|| format!("proposes in view {view} after view {given_up}"))
}

/// A fresh block's parent is not below the highest lock, nor below what might be final.
fn above(case: &Case<'_>, tc: &Tc, qc: &Qc) -> Option<String> {
    let least = supported(case, tc).into_values().max().unwrap_or(tc.0.lock.vote.view);
    let view = qc.vote.view;
    (view < least).then(|| format!("proposes on a certificate of view {view}, below {least}"))
}

/// Blocks that stake with an honest member in it reports to have prepared above the highest lock,
/// with the highest view that anybody reports for each.
fn supported(case: &Case<'_>, tc: &Tc) -> BTreeMap<Id, u64> {
    let mut reported: BTreeMap<Id, (u64, u128)> = BTreeMap::new();
    for group in &tc.0.groups.0 {
        let tip = group.tip.as_ref().filter(|tip| tip.view > tc.0.lock.vote.view);
        if let Some(tip) = tip {
            let (view, stake) = reported.entry(tip.block).or_default();
            *view = (*view).max(tip.view);
            *stake += case.chain.stake(group.signers.places());
        }
    }
    let enough = |stake: u128| stake > case.chain.faulty_max();
    let kept = reported.into_iter().filter(|(_, (_, stake))| enough(*stake));
    kept.map(|(block, (view, _))| (block, view)).collect()
}
