use crate::codec::{DecodeError, Encode as _, decode_exact};
use crate::crypto::SignerSet;
use crate::ids::ValidatorIndex;
use crate::limits::VALIDATORS_MAX;
use proptest::prelude::*;

fn set(members: u16, signers: &[u16]) -> SignerSet {
    let mut set = SignerSet::new(members);
    for signer in signers {
        assert!(set.insert(ValidatorIndex::new(*signer)));
    }
    set
}

fn listed(set: &SignerSet) -> Vec<u16> {
    set.iter().map(ValidatorIndex::get).collect()
}

#[test]
fn a_member_is_one_bit_counted_from_the_lowest() {
    assert_eq!(set(10, &[0, 3, 9]).to_bytes(), [0, 10, 0b0000_1001, 0b0000_0010]);
    assert_eq!(set(8, &[7]).to_bytes(), [0, 8, 0b1000_0000]);
    assert_eq!(set(0, &[]).to_bytes(), [0, 0]);
}

#[test]
fn a_set_is_shown_as_its_members_and_the_size_of_the_set_they_are_of() {
    assert_eq!(format!("{:?}", set(10, &[0, 9])), "[0, 9]/10");
}

#[test]
fn a_duplicate_and_a_stranger_change_nothing() {
    let mut signers = set(10, &[4]);
    let before = signers;
    assert!(!signers.insert(ValidatorIndex::new(4)));
    assert!(!signers.insert(ValidatorIndex::new(10)));
    assert!(!signers.insert(ValidatorIndex::MAX));
    assert_eq!(signers, before);
    assert!(!signers.contains(ValidatorIndex::new(10)));
    assert!(!signers.contains(ValidatorIndex::MAX));
}

#[test]
fn the_largest_set_holds_all_its_members() {
    let members = u16::try_from(VALIDATORS_MAX).expect("the limit is small");
    let all = set(members, &(0..members).collect::<Vec<_>>());
    assert_eq!(all.count(), VALIDATORS_MAX);
    assert_eq!(decode_exact::<SignerSet>(&all.to_bytes()), Ok(all));
}

#[test]
fn refuses_a_bit_past_the_last_member() {
    for bit in 2..8 {
        let bytes = [0, 10, 0, 1 << bit];
        let refusal = DecodeError::NotCanonical { what: "signer bitmap padding" };
        assert_eq!(decode_exact::<SignerSet>(&bytes), Err(refusal));
    }
}

#[test]
fn refuses_a_bitmap_of_another_length() {
    assert_eq!(
        decode_exact::<SignerSet>(&[0, 10, 0]),
        Err(DecodeError::UnexpectedEnd { missing: 1 })
    );
    assert_eq!(
        decode_exact::<SignerSet>(&[0, 10, 0, 0, 0]),
        Err(DecodeError::TrailingBytes { left: 1 })
    );
}

#[test]
fn refuses_more_members_than_any_set_has() {
    let members = u16::try_from(VALIDATORS_MAX + 1).expect("the limit is small");
    let mut bytes = members.to_bytes();
    bytes.resize(2 + usize::from(members).div_ceil(8), 0);
    assert_eq!(
        decode_exact::<SignerSet>(&bytes),
        Err(DecodeError::TooLong { what: "members", got: VALIDATORS_MAX + 1, max: VALIDATORS_MAX })
    );
}

#[test]
#[should_panic(expected = "members")]
fn a_set_of_too_many_members_is_a_bug_and_stops() {
    let _ = SignerSet::new(u16::MAX);
}

#[test]
fn sets_of_different_widths_still_compare_by_member() {
    let (small, large) = (set(4, &[1, 3]), set(20, &[2, 19]));
    assert!(small.is_disjoint(&large));
    assert_eq!(small.union(&large).members(), 20);
    assert_eq!(listed(&small.union(&large)), [1, 2, 3, 19]);
    assert!(!small.is_disjoint(&set(20, &[3])));
}

prop_compose! {
    fn any_set()(members in 0..=256_u16)(
        members in Just(members),
        signers in prop::collection::btree_set(0..members.max(1), 0..=usize::from(members)),
    ) -> (u16, Vec<u16>) {
        (members, signers.into_iter().filter(|signer| *signer < members).collect())
    }
}

proptest! {
    #[test]
    fn a_set_survives_its_encoding((members, signers) in any_set()) {
        let set = set(members, &signers);
        prop_assert_eq!(set.count(), signers.len());
        prop_assert_eq!(set.is_empty(), signers.is_empty());
        prop_assert_eq!(listed(&set), signers);
        prop_assert_eq!(decode_exact::<SignerSet>(&set.to_bytes()), Ok(set));
    }

    #[test]
    fn whatever_decodes_is_the_one_encoding(
        members in 0..40_u8, bits in prop::collection::vec(any::<u8>(), 0..6),
    ) {
        let bytes = [&[0, members], bits.as_slice()].concat();
        if let Ok(set) = decode_exact::<SignerSet>(&bytes) {
            prop_assert_eq!(set.to_bytes(), bytes);
        }
    }

    #[test]
    fn union_and_disjointness_agree_with_lists((n, a) in any_set(), (m, b) in any_set()) {
        let (left, right) = (set(n, &a), set(m, &b));
        prop_assert_eq!(left.is_disjoint(&right), !a.iter().any(|signer| b.contains(signer)));
        let mut all: Vec<u16> = a.into_iter().chain(b).collect();
        all.sort_unstable();
        all.dedup();
        prop_assert_eq!(listed(&left.union(&right)), all);
    }
}
