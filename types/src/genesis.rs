//! The document a chain starts from. Its hash is the chain's id.

use crate::codec::{Decode, DecodeError, Encode, Reader, encode_bytes, encode_list};
use crate::crypto::bls::{Bls, BlsPublicKey, BlsSignature};
use crate::crypto::ed25519::PublicKey;
use crate::crypto::hash::{Digest, Domain, hash_of};
use crate::ids::{Epoch, Height, RollupId};
use crate::limits::{
    BATCH_BYTES_MAX, BLOCK_BYTES_MAX, CHAIN_NAME_BYTES_MAX, LANE_QUOTA_BYTES_MAX, ROLLUPS_MAX,
    VALIDATORS_MAX,
};
use crate::museum::{Bug, planted};
use crate::time::Timestamp;
use crate::validators::{EpochInfo, Validator, ValidatorSet};
use core::time::Duration;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use thiserror::Error;

/// What a chain may choose. Times are in milliseconds, sizes in bytes.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Params {
    /// How long a view may take before it is given up; 100 to 600,000.
    pub view_timeout_ms: u64,
    /// A leader with work waits this long after entering its view; below the idle interval.
    pub block_interval_min_ms: u64,
    /// A leader without work waits this long; at most half a view timeout.
    pub idle_block_interval_ms: u64,
    /// An owner cuts a batch when its oldest transaction waited this long.
    pub batch_interval_ms: u64,
    /// Most charged bytes of a lane above the ordered frontier.
    pub lane_quota_bytes: u64,
    /// Most charged bytes that one block newly orders.
    pub block_bytes_max: u64,
    /// A transaction's id is remembered for this much block time, and for `dedup_heights`.
    pub dedup_ms: u64,
    /// See `dedup_ms`.
    pub dedup_heights: u64,
    /// Slots in a cycle of the leader schedule for each validator; at least 16.
    pub schedule_slots_per_validator: u16,
}
codec_struct!(Params {
    view_timeout_ms,
    block_interval_min_ms,
    idle_block_interval_ms,
    batch_interval_ms,
    lane_quota_bytes,
    block_bytes_max,
    dedup_ms,
    dedup_heights,
    schedule_slots_per_validator,
});

impl Default for Params {
    fn default() -> Self {
        Self {
            view_timeout_ms: 1_000,
            block_interval_min_ms: 20,
            idle_block_interval_ms: 490,
            batch_interval_ms: 10,
            lane_quota_bytes: 8 * 1024 * 1024,
            block_bytes_max: 16 * 1024 * 1024,
            dedup_ms: 60_000,
            dedup_heights: 3_000,
            schedule_slots_per_validator: 16,
        }
    }
}

impl Params {
    /// The base view timeout.
    #[must_use]
    pub const fn view_timeout(&self) -> Duration {
        Duration::from_millis(self.view_timeout_ms)
    }

    fn validate(&self) -> Result<(), GenesisError> {
        let bound = |field, got: u64, min: u64, max: u64| {
            if (min..=max).contains(&got) {
                Ok(())
            } else {
                Err(GenesisError::ParamOutOfRange { field, got, min, max })
            }
        };
        let (idle, batch) = (self.idle_block_interval_ms, BATCH_BYTES_MAX as u64);
        bound("view_timeout_ms", self.view_timeout_ms, 100, 600_000)?;
        bound("idle_block_interval_ms", idle, 1, self.view_timeout_ms / 2)?;
        bound("block_interval_min_ms", self.block_interval_min_ms, 0, idle)?;
        bound("batch_interval_ms", self.batch_interval_ms, 1, idle)?;
        bound("block_bytes_max", self.block_bytes_max, batch, BLOCK_BYTES_MAX)?;
        let quota_max = LANE_QUOTA_BYTES_MAX.min(self.block_bytes_max);
        bound("lane_quota_bytes", self.lane_quota_bytes, batch, quota_max)?;
        bound("dedup_ms", self.dedup_ms, 1_000, 86_400_000)?;
        bound("dedup_heights", self.dedup_heights, 1, 1_000_000)?;
        let slots = u64::from(self.schedule_slots_per_validator);
        bound("schedule_slots_per_validator", slots, 16, 256)
    }
}

/// Who may submit to a rollup.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Policy {
    /// Anyone.
    Open,
}

impl Encode for Policy {
    fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Self::Open => out.push(0),
        }
    }
}

impl Decode for Policy {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        match u8::decode(reader)? {
            0 => Ok(Self::Open),
            got => Err(DecodeError::BadValue { what: "policy", got: u64::from(got) }),
        }
    }
}

/// A rollup that the chain starts with.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GenesisRollup {
    /// Its id.
    pub id: RollupId,
    /// Who may submit.
    pub policy: Policy,
    /// What its fees are taken from.
    pub deposit: u64,
}
codec_struct!(GenesisRollup { id, policy, deposit });

/// A validator that the chain starts with.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GenesisValidator {
    /// A name for people; not part of any rule.
    pub name: String,
    /// Its account.
    pub operator: PublicKey,
    /// Its voting key.
    pub bls: BlsPublicKey,
    /// Proof that it holds the voting key, over chain name and operator.
    pub possession: BlsSignature,
    /// Its network identity.
    pub network: PublicKey,
    /// Its weight; above zero.
    pub stake: u64,
}

impl Encode for GenesisValidator {
    fn encode(&self, out: &mut Vec<u8>) {
        encode_bytes(self.name.as_bytes(), out);
        self.operator.encode(out);
        self.bls.encode(out);
        self.possession.encode(out);
        self.network.encode(out);
        self.stake.encode(out);
    }
}

/// The document.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Genesis {
    /// The chain's name: 1 to 32 of `a-z 0-9 -`.
    pub chain_name: String,
    /// When the chain starts, in milliseconds since the Unix epoch.
    pub time: Timestamp,
    /// The seed of the leader schedule.
    pub seed: Digest,
    /// What the chain chose.
    #[serde(default)]
    pub params: Params,
    /// The first set, in order of index.
    pub validators: Vec<GenesisValidator>,
    /// The first rollups, by rising id.
    pub rollups: Vec<GenesisRollup>,
}

impl Encode for Genesis {
    fn encode(&self, out: &mut Vec<u8>) {
        encode_bytes(self.chain_name.as_bytes(), out);
        self.time.encode(out);
        self.seed.encode(out);
        self.params.encode(out);
        encode_list(self.validators.iter(), out);
        encode_list(self.rollups.iter(), out);
    }
}

/// Why a genesis cannot work.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum GenesisError {
    /// The name is empty, too long, or has other characters.
    #[error("chain name {name:?} must be 1 to 32 of a-z, 0-9 and -")]
    BadName {
        /// The name found.
        name: String,
    },
    /// There is no validator, or there are too many.
    #[error("{got} validators; a set has 1 to {VALIDATORS_MAX}")]
    ValidatorCount {
        /// How many there are.
        got: usize,
    },
    /// Two validators share a key.
    #[error("validators {first} and {second} have the same {key} key")]
    DuplicateKey {
        /// Which kind of key.
        key: &'static str,
        /// The first holder's index.
        first: usize,
        /// The second holder's index.
        second: usize,
    },
    /// A key is not one.
    #[error("validator {index}: the {key} key is not valid")]
    BadKey {
        /// The validator.
        index: usize,
        /// Which kind of key.
        key: &'static str,
    },
    /// The proof of possession is missing or of another key, chain or operator.
    #[error("validator {index}: no valid proof of possession for its BLS key on this chain")]
    BadPossession {
        /// The validator.
        index: usize,
    },
    /// A validator without stake.
    #[error("validator {index} has no stake")]
    ZeroStake {
        /// The validator.
        index: usize,
    },
    /// The total passes what stake can count.
    #[error("total stake passes {}", u64::MAX)]
    TotalOverflow,
    /// One validator could stop the chain alone.
    #[error("validator {index} has {stake} of {total} stake, a third or more of a set of {of}")]
    TooMuchStake {
        /// The validator.
        index: usize,
        /// Its stake.
        stake: u64,
        /// All stake.
        total: u64,
        /// How many validators there are.
        of: usize,
    },
    /// A parameter outside what the rules work with.
    #[error("{field} is {got}, must be {min} to {max}")]
    ParamOutOfRange {
        /// Which parameter.
        field: &'static str,
        /// Its value.
        got: u64,
        /// The least allowed.
        min: u64,
        /// The most allowed.
        max: u64,
    },
    /// Rollups are not in rising order of id, or one is there twice.
    #[error("rollups are not in rising order of id at {id}")]
    RollupOrder {
        /// Where the order breaks.
        id: RollupId,
    },
    /// Too many rollups.
    #[error("{got} rollups, at most {ROLLUPS_MAX} allowed")]
    RollupCount {
        /// How many there are.
        got: usize,
    },
}

/// The bytes a proof of possession binds beside the key.
#[must_use]
pub fn possession_binding(chain_name: &str, operator: &PublicKey) -> Vec<u8> {
    let mut out = Vec::new();
    Domain::Possession.prefix(&mut out);
    encode_bytes(chain_name.as_bytes(), &mut out);
    operator.encode(&mut out);
    out
}

impl Genesis {
    /// The chain's id, and the hash that block 1 names as its parent.
    #[must_use]
    pub fn chain_id(&self) -> Digest {
        hash_of(Domain::Genesis, self)
    }

    /// How many faulty validators of the largest stakes the set stands.
    #[must_use]
    pub fn tolerated_faults(&self) -> usize {
        let mut stakes: Vec<u64> = self.validators.iter().map(|v| v.stake).collect();
        stakes.sort_unstable_by(|a, b| b.cmp(a));
        let total = stakes.iter().fold(0_u64, |sum, stake| sum.saturating_add(*stake));
        let allowed = crate::validators::faulty_stake_max(total);
        let mut sum = 0_u64;
        stakes
            .iter()
            .take_while(|stake| {
                sum = sum.saturating_add(**stake);
                sum <= allowed
            })
            .count()
    }

    /// The set of the first epoch. Call [`Self::validate`] first.
    #[must_use]
    pub fn first_set(&self) -> ValidatorSet {
        let info = EpochInfo {
            epoch: Epoch::new(1),
            first_height: Height::new(1),
            last_height: Height::MAX,
            validators: self
                .validators
                .iter()
                .map(|v| Validator {
                    operator: v.operator,
                    bls: v.bls,
                    network: v.network,
                    stake: v.stake,
                })
                .collect(),
            seed: self.seed,
            params: self.params,
        };
        let chain = self.chain_id();
        ValidatorSet::new(chain, info, chain)
    }

    /// Checks that a chain can start from this and stay safe.
    ///
    /// # Errors
    /// With the first rule that does not hold.
    pub fn validate<B: Bls>(&self) -> Result<(), GenesisError> {
        self.check_name()?;
        self.params.validate()?;
        self.check_rollups()?;
        self.check_stakes()?;
        self.check_keys::<B>()
    }

    fn check_name(&self) -> Result<(), GenesisError> {
        let allowed = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'-';
        let bytes = self.chain_name.as_bytes();
        if bytes.is_empty()
            || bytes.len() > CHAIN_NAME_BYTES_MAX
            || !bytes.iter().all(|c| allowed(*c))
        {
            return Err(GenesisError::BadName { name: self.chain_name.clone() });
        }
        Ok(())
    }

    fn check_rollups(&self) -> Result<(), GenesisError> {
        if self.rollups.len() > ROLLUPS_MAX {
            return Err(GenesisError::RollupCount { got: self.rollups.len() });
        }
        match self.rollups.windows(2).find(|pair| pair[0].id >= pair[1].id) {
            Some(pair) => Err(GenesisError::RollupOrder { id: pair[1].id }),
            None => Ok(()),
        }
    }

    fn check_stakes(&self) -> Result<(), GenesisError> {
        let of = self.validators.len();
        if of == 0 || of > VALIDATORS_MAX {
            return Err(GenesisError::ValidatorCount { got: of });
        }
        if let Some(index) = self.validators.iter().position(|v| v.stake == 0) {
            return Err(GenesisError::ZeroStake { index });
        }
        let total: u128 = self.validators.iter().map(|v| u128::from(v.stake)).sum();
        let total = u64::try_from(total).map_err(|_| GenesisError::TotalOverflow)?;
        let third = |stake: u64| u128::from(stake) * 3 >= u128::from(total);
        match self.validators.iter().position(|v| of >= 4 && third(v.stake)) {
            Some(index) => {
                let stake = self.validators[index].stake;
                Err(GenesisError::TooMuchStake { index, stake, total, of })
            }
            None => Ok(()),
        }
    }

    fn check_keys<B: Bls>(&self) -> Result<(), GenesisError> {
        let mut seen = BTreeSet::new();
        for (index, validator) in self.validators.iter().enumerate() {
            let keys: [(&'static str, Vec<u8>); 3] = [
                ("operator", validator.operator.to_bytes()),
                ("BLS", validator.bls.to_bytes()),
                ("network", validator.network.to_bytes()),
            ];
            for (key, bytes) in keys {
                if !seen.insert((key, bytes.clone())) {
                    let first = self.holder_of(key, &bytes);
                    return Err(GenesisError::DuplicateKey { key, first, second: index });
                }
            }
            let bad = |key| GenesisError::BadKey { index, key };
            validator.operator.check().map_err(|_| bad("operator"))?;
            validator.network.check().map_err(|_| bad("network"))?;
            B::key(&validator.bls).map_err(|_| bad("BLS"))?;
            let binding = possession_binding(&self.chain_name, &validator.operator);
            let proof = B::check_proof(&validator.bls, &binding, &validator.possession);
            if proof.is_err() && !planted(Bug::NoPossession) {
                return Err(GenesisError::BadPossession { index });
            }
        }
        Ok(())
    }

    fn holder_of(&self, key: &str, bytes: &[u8]) -> usize {
        let holds = |v: &GenesisValidator| match key {
            "operator" => v.operator.to_bytes() == bytes,
            "BLS" => v.bls.to_bytes() == bytes,
            _ => v.network.to_bytes() == bytes,
        };
        self.validators.iter().position(holds).unwrap_or(0)
    }
}
