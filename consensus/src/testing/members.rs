//! Members with made-up keys, and what else the fakes agree on.

use crate::config::Config;
use chorale_types::crypto::bls::{BlsPublicKey, BlsSignature};
use chorale_types::crypto::ed25519::PublicKey;
use chorale_types::crypto::hash::{Digest, Domain, hash_of};
use chorale_types::genesis::Params;
use chorale_types::ids::{Epoch, Height, RollupId, ValidatorIndex};
use chorale_types::time::Timestamp;
use chorale_types::validators::{EpochInfo, Validator, ValidatorSet};

/// The wall clock at the start of every run, in milliseconds.
pub(super) const GENESIS_MILLIS: u64 = 1_000_000;

/// A BLS signature that the fake check refuses.
#[must_use]
pub const fn garbage() -> BlsSignature {
    BlsSignature::from_bytes([0xff; 96])
}

/// The made-up root of the ordering state at a height.
#[must_use]
pub fn root_at(height: Height) -> Digest {
    hash_of(Domain::Ordered, &height)
}

/// A set with these stakes and made-up keys.
///
/// # Panics
/// With more than 256 members.
#[must_use]
pub fn set_of(stakes: &[u64]) -> ValidatorSet {
    let chain = Digest::from_bytes([7; 32]);
    let validators = stakes.iter().enumerate().map(|(at, stake)| validator(at, *stake)).collect();
    let info = EpochInfo {
        epoch: Epoch::new(1),
        first_height: Height::new(1),
        last_height: Height::MAX,
        validators,
        seed: Digest::from_bytes([9; 32]),
        params: Params::default(),
    };
    ValidatorSet::new(chain, info, chain)
}

fn validator(at: usize, stake: u64) -> Validator {
    let at = u8::try_from(at).expect("small sets");
    let key = |kind: u8| {
        let mut bytes = [kind; 32];
        bytes[0] = at;
        PublicKey::from_bytes(bytes)
    };
    let mut bls = [3; 48];
    bls[0] = at;
    Validator { operator: key(1), bls: BlsPublicKey::from_bytes(bls), network: key(2), stake }
}

/// The configuration of one member.
#[must_use]
pub fn config_of(set: &ValidatorSet, me: u16) -> Config {
    Config {
        set: set.clone(),
        me: Some(ValidatorIndex::new(me)),
        votes: true,
        lanes: true,
        genesis_time: Timestamp::from_millis(GENESIS_MILLIS),
        genesis_root: Digest::from_bytes([5; 32]),
        rollups: vec![RollupId::new(1), RollupId::new(2)],
    }
}
