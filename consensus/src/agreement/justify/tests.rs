//! V3 at its edges: the lowest certificate that is enough, and the one below it.

use super::*;
use crate::agreement::tests::made::{Group, blocks, proposal, qc, tc, tip};
use crate::testing::set_of;
use chorale_types::ids::Height;
use chorale_types::vote::VoteKind;
use std::sync::Arc;

/// Ten units of stake: a quorum is 7, stake A is 4.
fn set() -> ValidatorSet {
    set_of(&[3, 3, 3, 1])
}

/// A proposal in `view`: the second block on a certificate of `parent_view` for the first.
fn fresh(view: u64, parent_view: u64, kind: impl FnOnce(QuorumCert) -> ProposalKind) -> Proposal {
    let blocks = blocks(&set(), 2);
    let mut parent = qc(&set(), VoteKind::Prepare, parent_view, 1);
    parent.vote.block = blocks[0].hash();
    let block = Some(Arc::clone(&blocks[1]));
    Proposal { kind: kind(parent), block, ..proposal(&set(), view) }
}

fn normal(view: u64, parent_view: u64) -> Proposal {
    fresh(view, parent_view, |qc| ProposalKind::Normal { qc })
}

fn fallback(view: u64, parent_view: u64, tc: TimeoutCert) -> Proposal {
    fresh(view, parent_view, |parent_qc| ProposalKind::Fallback { tc, parent_qc })
}

/// A certificate that view 6 was given up.
fn given_up(groups: &[Group<'_>]) -> TimeoutCert {
    tc(&set(), 6, groups)
}

fn check(proposal: &Proposal) -> Result<(), &'static str> {
    check_justified(proposal, &set()).map_err(|refused| match refused {
        Refused::NotJustified { why } => why,
        other => panic!("{other}"),
    })
}

#[test]
fn a_normal_block_stands_on_the_view_before_and_on_no_other() {
    assert_eq!(check(&normal(7, 6)), Ok(()));
    for parent in [0, 5, 7, 8] {
        let refused = Err("the certificate is not of the view before");
        assert_eq!(check(&normal(7, parent)), refused, "view {parent}");
    }
}

#[test]
fn nothing_is_proposed_in_view_0_and_view_1_has_no_normal_block() {
    assert_eq!(check(&proposal(&set(), 0)), Err("view 0 has no proposals"));
    let on_the_start = ProposalKind::Normal { qc: set().start().clone() };
    let normal = Proposal { kind: on_the_start, ..proposal(&set(), 1) };
    assert_eq!(check(&normal), Err("the certificate is not of the view before"));
}

#[test]
fn an_epoch_starts_in_view_1_from_exactly_its_certificate() {
    let refused = Err("an epoch starts at view 1 from the block before it");
    assert_eq!(check(&proposal(&set(), 1)), Ok(()));
    assert_eq!(check(&proposal(&set(), 2)), refused);
    let mut start = set().start().clone();
    start.kind = VoteKind::Prepare;
    let kind = ProposalKind::EpochStart { start };
    assert_eq!(check(&Proposal { kind, ..proposal(&set(), 1) }), refused);
}

#[test]
fn a_block_on_another_parent_or_height_is_refused() {
    let changed = |change: &dyn Fn(&mut Block)| {
        let mut bad = normal(7, 6);
        let mut block = Block::clone(bad.block.as_ref().expect("a fresh block"));
        change(&mut block);
        bad.block = Some(Arc::new(block));
        check(&bad)
    };
    let parent = Err("the certificate is not the parent's");
    assert_eq!(changed(&|block| block.header.parent = Digest::ZERO), parent);
    for height in [0, 1, 3] {
        let refused = Err("the height does not follow the parent's");
        assert_eq!(changed(&|block| block.header.height = Height::new(height)), refused);
    }
}

#[test]
fn a_fallback_needs_the_view_before_given_up() {
    for view in [6, 8] {
        let refused = Err("the view before was not given up");
        assert_eq!(check(&fallback(view, 4, given_up(&[(4, None, &[0, 1, 2])]))), refused);
    }
    assert_eq!(check(&fallback(7, 4, given_up(&[(4, None, &[0, 1, 2])]))), Ok(()));
}

#[test]
fn a_fallback_stands_on_the_highest_certificate_reported_or_a_higher_one() {
    let check = |parent| check(&fallback(7, parent, given_up(&[(4, None, &[0, 1, 2])])));
    for parent in [0, 2, 3] {
        let refused = Err("the parent lies below the highest certificate reported");
        assert_eq!(check(parent), refused, "view {parent}");
    }
    for parent in [4, 5, 6] {
        assert_eq!(check(parent), Ok(()), "view {parent}");
    }
    for parent in [7, 8] {
        let refused = Err("the parent's certificate is of this view or a later one");
        assert_eq!(check(parent), refused, "view {parent}");
    }
}

#[test]
fn a_fallback_does_not_drop_a_supported_tip() {
    // Stake 6 prepared block 8 in view 5, above the highest certificate, of view 3.
    let groups: [Group<'_>; 2] = [(3, None, &[2]), (3, Some(tip(5, 8)), &[0, 1])];
    let check = |parent| check(&fallback(7, parent, given_up(&groups)));
    for parent in [3, 4] {
        assert_eq!(check(parent), Err("a supported tip was dropped"), "view {parent}");
    }
    for parent in [5, 6] {
        assert_eq!(check(parent), Ok(()), "view {parent}");
    }
    // Of two supported tips the higher vote counts.
    let lower = (3, Some(tip(4, 9)), &[2, 3][..]);
    let groups: [Group<'_>; 2] = [lower, (3, Some(tip(5, 8)), &[0, 1])];
    let two = |parent| self::check(&fallback(7, parent, given_up(&groups)));
    assert_eq!(two(4), Err("a supported tip was dropped"));
    assert_eq!(two(5), Ok(()));
}

#[test]
fn a_tip_is_supported_by_stake_a_over_all_groups() {
    let supported = |groups: &[Group<'_>]| {
        let found = supported_tips(&given_up(groups), &set());
        found.into_iter().map(|(block, tip)| (block, tip.view.get())).collect::<Vec<_>>()
    };
    let eight = Digest::from_bytes([8; 32]);
    assert_eq!(supported(&[(3, None, &[0, 1]), (3, Some(tip(5, 8)), &[2])]), [], "stake 3");
    assert_eq!(supported(&[(3, None, &[0, 1]), (3, Some(tip(5, 8)), &[2, 3])]), [(eight, 5)]);
    let over_groups: [Group<'_>; 3] =
        [(2, Some(tip(4, 8)), &[3]), (3, None, &[0, 1]), (3, Some(tip(5, 8)), &[2])];
    assert_eq!(supported(&over_groups), [(eight, 5)], "one block, voted for in two views");
    assert_eq!(supported(&[(3, None, &[0]), (3, Some(tip(3, 8)), &[1, 2])]), [], "not above");
}

#[test]
fn a_block_is_proposed_again_while_its_support_lasts() {
    let again = |view: u64, block: u8, groups: &[Group<'_>]| {
        let by = EntryCert::Tc(given_up(groups));
        let kind = ProposalKind::Repropose { by, block: Digest::from_bytes([block; 32]) };
        check(&Proposal { kind, block: None, ..proposal(&set(), view) })
    };
    let groups: [Group<'_>; 2] = [(3, None, &[0, 1]), (3, Some(tip(5, 8)), &[2, 3])];
    assert_eq!(again(7, 8, &groups), Ok(()));
    assert_eq!(again(7, 9, &groups), Err("the re-proposed block is not supported"));
    for view in [6, 8] {
        assert_eq!(again(view, 8, &groups), Err("the view before was not given up"));
    }
    let few: [Group<'_>; 2] = [(3, None, &[0, 1]), (3, Some(tip(5, 8)), &[2])];
    assert_eq!(again(7, 8, &few), Err("the re-proposed block is not supported"));
}
