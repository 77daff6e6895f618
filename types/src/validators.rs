//! Who decides in an epoch, and how much each counts. Everything counts stake, never heads.

use crate::certificate::QuorumCert;
use crate::crypto::bitmap::SignerSet;
use crate::crypto::bls::BlsPublicKey;
use crate::crypto::ed25519::PublicKey;
use crate::crypto::hash::{Digest, Domain, hash_of};
use crate::genesis::Params;
use crate::ids::{Epoch, Height, ValidatorIndex};
use crate::limits::VALIDATORS_MAX;
use crate::museum::{Bug, planted};
use std::sync::Arc;

/// One validator, as an epoch fixes it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Validator {
    /// Its account, which stays when other keys change.
    pub operator: PublicKey,
    /// Signs votes and timeouts.
    pub bls: BlsPublicKey,
    /// Names it on the wire; signs proposals and acknowledgements.
    pub network: PublicKey,
    /// Its weight; above zero.
    pub stake: u64,
}
codec_struct!(Validator { operator, bls, network, stake });

/// Everything about an epoch that its members must agree on. Its hash is in every header.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct EpochInfo {
    /// Which epoch.
    pub epoch: Epoch,
    /// Its first block.
    pub first_height: Height,
    /// Its last block; the largest height while epochs do not change.
    pub last_height: Height,
    /// The set. A validator's index is its place here.
    pub validators: Vec<Validator>,
    /// What the leader schedule is drawn from.
    pub seed: Digest,
    /// The parameters in force.
    pub params: Params,
}
codec_struct!(EpochInfo {
    epoch, first_height, last_height, validators: max VALIDATORS_MAX, seed, params,
});

/// `F`: the most stake that may be faulty, the largest number below a third of `total`.
#[must_use]
pub const fn faulty_stake_max(total: u64) -> u64 {
    total.saturating_sub(1) / 3
}

/// `Q = W - F`: a quorum. Two quorums share more than `F`.
#[must_use]
pub const fn quorum_stake(total: u64) -> u64 {
    total.saturating_sub(faulty_stake_max(total))
}

/// `A = F + 1`: stake that contains an honest member.
#[must_use]
pub const fn one_honest_stake(total: u64) -> u64 {
    faulty_stake_max(total).saturating_add(1)
}

/// An epoch's set, ready to count with. Cheap to clone.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct ValidatorSet {
    chain: Digest,
    info: Arc<EpochInfo>,
    info_hash: Digest,
    total: u64,
    start: QuorumCert,
}

impl ValidatorSet {
    /// The set of an epoch that starts after `last_block`, the last block of the epoch before, or
    /// genesis.
    ///
    /// # Panics
    /// When the total stake passes `u64::MAX`, or there are more than [`VALIDATORS_MAX`] members:
    /// genesis and the rules for changing the set refuse both.
    #[must_use]
    pub fn new(chain: Digest, info: EpochInfo, last_block: Digest) -> Self {
        let total: u128 = info.validators.iter().map(|v| u128::from(v.stake)).sum();
        let total = u64::try_from(total).expect("total stake is checked before a set is made");
        assert!(info.validators.len() <= VALIDATORS_MAX);
        let before = info.first_height.previous().expect("the first block has height 1 or more");
        let start = QuorumCert::start(info.epoch, before, last_block);
        let info_hash = hash_of(Domain::EpochInfo, &info);
        Self { chain, info: Arc::new(info), info_hash, total, start }
    }

    /// The chain.
    #[must_use]
    pub const fn chain(&self) -> &Digest {
        &self.chain
    }

    /// The description of the epoch.
    #[must_use]
    pub fn info(&self) -> &EpochInfo {
        &self.info
    }

    /// The parameters in force.
    #[must_use]
    pub fn params(&self) -> &Params {
        &self.info.params
    }

    /// The hash of the description.
    #[must_use]
    pub const fn info_hash(&self) -> Digest {
        self.info_hash
    }

    /// The epoch.
    #[must_use]
    pub fn epoch(&self) -> Epoch {
        self.info.epoch
    }

    /// The virtual certificate of view 0.
    #[must_use]
    pub const fn start(&self) -> &QuorumCert {
        &self.start
    }

    /// How many members there are.
    #[must_use]
    pub fn len(&self) -> u16 {
        u16::try_from(self.info.validators.len()).expect("checked when made")
    }

    /// Whether the set is empty; genesis refuses that.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.info.validators.is_empty()
    }

    /// Every index, in order.
    pub fn indices(&self) -> impl Iterator<Item = ValidatorIndex> + use<> {
        (0..self.len()).map(ValidatorIndex::new)
    }

    /// The member at `index`.
    #[must_use]
    pub fn get(&self, index: ValidatorIndex) -> Option<&Validator> {
        self.info.validators.get(index.as_usize())
    }

    /// The index of the member with this network key.
    #[must_use]
    pub fn index_of(&self, network: &PublicKey) -> Option<ValidatorIndex> {
        self.indices().zip(&self.info.validators).find(|(_, v)| v.network == *network).map(|p| p.0)
    }

    /// A member's stake; zero for a stranger.
    #[must_use]
    pub fn stake(&self, index: ValidatorIndex) -> u64 {
        if planted(Bug::HeadsNotStake) {
            return self.total / u64::from(self.len());
        }
        self.get(index).map_or(0, |validator| validator.stake)
    }

    /// All stake, `W`.
    #[must_use]
    pub const fn total(&self) -> u64 {
        self.total
    }

    /// A quorum, `Q`.
    #[must_use]
    pub fn quorum(&self) -> u64 {
        quorum_stake(self.total) - u64::from(planted(Bug::QuorumOneShort))
    }

    /// Stake that contains an honest member, `A`.
    #[must_use]
    pub const fn one_honest(&self) -> u64 {
        one_honest_stake(self.total)
    }

    /// The stake of some members.
    #[must_use]
    pub fn stake_of(&self, signers: &SignerSet) -> u64 {
        self.stake_of_indices(signers.iter())
    }

    /// The stake of some members, each named once.
    #[must_use]
    pub fn stake_of_indices(&self, members: impl Iterator<Item = ValidatorIndex>) -> u64 {
        let sum: u128 = members.map(|index| u128::from(self.stake(index))).sum();
        u64::try_from(sum).unwrap_or(u64::MAX)
    }

    /// An empty signer set of the right size.
    #[must_use]
    pub fn no_signers(&self) -> SignerSet {
        SignerSet::new(self.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::View;
    use proptest::prelude::*;

    const CHAIN: Digest = Digest::from_bytes([7; 32]);
    const LAST: Digest = Digest::from_bytes([8; 32]);

    fn key(kind: u8, at: usize) -> PublicKey {
        PublicKey::from_bytes([kind + u8::try_from(at).expect("small sets"); 32])
    }

    fn info(stakes: &[u64]) -> EpochInfo {
        let validator = |(at, stake): (usize, &u64)| Validator {
            operator: key(100, at),
            bls: BlsPublicKey::from_bytes([3; 48]),
            network: key(200, at),
            stake: *stake,
        };
        EpochInfo {
            epoch: Epoch::new(5),
            first_height: Height::new(21),
            last_height: Height::MAX,
            validators: stakes.iter().enumerate().map(validator).collect(),
            seed: Digest::ZERO,
            params: Params { lane_quota_bytes: 4_711, ..Params::default() },
        }
    }

    fn set(stakes: &[u64]) -> ValidatorSet {
        ValidatorSet::new(CHAIN, info(stakes), LAST)
    }

    fn index(at: u16) -> ValidatorIndex {
        ValidatorIndex::new(at)
    }

    #[test]
    fn stake_is_counted_of_members_alone() {
        let set = set(&[3, 30, 67]);
        assert_eq!((set.total(), set.quorum(), set.one_honest()), (100, 67, 34));
        assert_eq!([0, 1, 2, 3].map(|at| set.stake(index(at))), [3, 30, 67, 0]);
        let mut signers = set.no_signers();
        assert_eq!((signers.members(), set.stake_of(&signers)), (3, 0));
        signers.insert(index(0));
        signers.insert(index(2));
        assert_eq!(set.stake_of(&signers), 70);
        assert_eq!(set.stake_of_indices([1, 9].map(index).into_iter()), 30);
        let twice = [2, 2].map(index).into_iter();
        assert_eq!(self::set(&[1, 1, u64::MAX - 2]).stake_of_indices(twice), u64::MAX);
    }

    #[test]
    fn a_member_is_found_by_its_place_and_by_its_network_key() {
        let set = set(&[3, 30, 67]);
        assert_eq!((set.len(), set.is_empty()), (3, false));
        assert!(set.indices().eq([0, 1, 2].map(index)));
        for at in 0..3 {
            let place = index(u16::try_from(at).expect("small"));
            assert_eq!(set.index_of(&key(200, at)), Some(place));
            assert_eq!(set.get(place).map(|member| member.network), Some(key(200, at)));
        }
        assert_eq!((set.index_of(&key(100, 0)), set.get(index(3))), (None, None));
        assert!(self::set(&[]).is_empty());
    }

    #[test]
    fn a_set_tells_what_it_was_made_of() {
        let (info, set) = (info(&[3, 30, 67]), set(&[3, 30, 67]));
        assert_eq!((set.chain(), set.info(), set.epoch()), (&CHAIN, &info, Epoch::new(5)));
        assert_eq!(set.params().lane_quota_bytes, 4_711);
        assert_eq!(set.info_hash(), hash_of(Domain::EpochInfo, &info));
        let start = set.start().vote;
        assert_eq!((start.view, start.height, start.block), (View::ZERO, Height::new(20), LAST));
    }

    fn check(total: u64) {
        let (q, f) = (u128::from(quorum_stake(total)), u128::from(faulty_stake_max(total)));
        let w = u128::from(total);
        assert!(2 * q - w > f, "two quorums of {total} share an honest member");
        assert!(q <= w - f, "the honest of {total} are a quorum");
        assert!(3 * f < w, "less than a third of {total} is faulty");
        assert!(3 * (f + 1) >= w, "no more could be tolerated of {total}");
        assert_eq!(u128::from(one_honest_stake(total)), f + 1);
    }

    #[test]
    fn quorums_intersect_in_an_honest_member_for_every_small_total() {
        (1..=10_000).for_each(check);
        (u64::MAX - 10..=u64::MAX).for_each(check);
    }

    proptest! {
        #[test]
        fn quorums_intersect_in_an_honest_member(total in 1u64..) {
            check(total);
        }
    }
}
