//! The document a chain starts from, read from `genesis.json`, and the set it names.

use crate::crypto::bls::Key;
use crate::crypto::hash;
use crate::hex::Hex;
use crate::wire::certificate::{Kind, Qc, Vote};
use crate::wire::genesis::{EpochInfo, GenesisFields, Member, Params, Rollup, Validator};
use crate::wire::signers::Signers;
use crate::wire::{Blob, Id, List, Wire as _};
use serde::Deserialize;
use std::collections::{BTreeSet, HashSet};
use std::sync::{Arc, Mutex};
use thiserror::Error;

/// Why a genesis cannot be judged by.
#[derive(Debug, Error)]
pub enum GenesisError {
    /// It is no such document.
    #[error("not a genesis: {0}")]
    Json(#[from] serde_json::Error),
    /// A rule that it breaks.
    #[error("{what}")]
    Rule {
        /// The rule.
        what: String,
    },
}

#[derive(Deserialize)]
struct Document {
    chain_name: String,
    time: u64,
    seed: Hex<32>,
    params: ParamsDocument,
    validators: Vec<ValidatorDocument>,
    rollups: Vec<RollupDocument>,
}

#[derive(Deserialize)]
struct ParamsDocument {
    view_timeout_ms: u64,
    block_interval_min_ms: u64,
    idle_block_interval_ms: u64,
    batch_interval_ms: u64,
    lane_quota_bytes: u64,
    block_bytes_max: u64,
    dedup_ms: u64,
    dedup_heights: u64,
    schedule_slots_per_validator: u16,
}

#[derive(Deserialize)]
struct ValidatorDocument {
    name: String,
    operator: Hex<32>,
    bls: Hex<48>,
    possession: Hex<96>,
    network: Hex<32>,
    stake: u64,
}

#[derive(Deserialize)]
struct RollupDocument {
    id: u64,
    policy: String,
    deposit: u64,
}

/// A member of the set, with its keys checked.
#[derive(Clone, Debug)]
pub struct Voter {
    /// Its name in the genesis.
    pub name: String,
    /// Signs votes.
    pub bls: Key,
    /// Signs proposals and acknowledgements.
    pub network: [u8; 32],
    /// Its weight.
    pub stake: u64,
}

/// A chain, as its genesis defines it.
#[derive(Clone, Debug)]
pub struct Chain {
    /// Its id, which is the parent of block 1.
    pub id: Id,
    /// The time of genesis.
    pub time: u64,
    /// What it chose.
    pub params: Params,
    /// What leaders are drawn from.
    pub seed: Id,
    /// The set, in order.
    pub set: Vec<Voter>,
    /// The rollups, rising.
    pub rollups: Vec<u64>,
    /// The hash of the first epoch's description.
    pub epoch_info: Id,
    /// Certificates that were verified before: they hold in every run of the chain.
    pub verified: Arc<Mutex<HashSet<Id>>>,
}

/// The one epoch of this version.
pub const EPOCH: u64 = 1;

impl Chain {
    /// Reads `genesis.json`, and checks every key, with its proof of possession.
    ///
    /// # Errors
    /// When it is no genesis or breaks a rule.
    pub fn read(json: &[u8]) -> Result<Self, GenesisError> {
        let fields = fields(serde_json::from_slice(json)?)?;
        Self::new(&fields)
    }

    /// Takes a document that is read already.
    ///
    /// # Errors
    /// When it breaks a rule.
    pub fn new(fields: &GenesisFields) -> Result<Self, GenesisError> {
        let rule = |what: String| GenesisError::Rule { what };
        let set: Vec<Voter> = fields
            .validators
            .0
            .iter()
            .map(|validator| member(&fields.name.0, validator).map_err(rule))
            .collect::<Result<_, _>>()?;
        if set.is_empty() {
            return Err(rule("no validators".into()));
        }
        let keys: BTreeSet<_> = fields.validators.0.iter().map(|v| v.bls).collect();
        if keys.len() < set.len() {
            return Err(rule("a BLS key is there twice".into()));
        }
        let rollups: Vec<u64> = fields.rollups.0.iter().map(|rollup| rollup.id).collect();
        if !rollups.is_sorted_by(|a, b| a < b) {
            return Err(rule("rollups are not by rising id".into()));
        }
        let info = EpochInfo {
            epoch: EPOCH,
            first: 1,
            last: u64::MAX,
            members: List(fields.validators.0.iter().map(as_member).collect()),
            seed: fields.seed,
            params: fields.params,
        };
        Ok(Self {
            id: hash("chorale/1/genesis", &[&fields.bytes()]),
            time: fields.time,
            params: fields.params,
            seed: fields.seed,
            set,
            rollups,
            epoch_info: hash("chorale/1/epoch-info", &[&info.bytes()]),
            verified: Arc::default(),
        })
    }

    /// How many members the set has.
    #[must_use]
    pub fn members(&self) -> u16 {
        u16::try_from(self.set.len()).expect("a genesis has at most 256")
    }

    /// All stake.
    #[must_use]
    pub fn total(&self) -> u128 {
        self.set.iter().map(|member| u128::from(member.stake)).sum()
    }

    /// The most stake that may be faulty: the largest below a third.
    #[must_use]
    pub fn faulty_max(&self) -> u128 {
        self.total().saturating_sub(1) / 3
    }

    /// The stake of a quorum.
    #[must_use]
    pub fn quorum(&self) -> u128 {
        self.total().saturating_sub(self.faulty_max())
    }

    /// The stake of those at `places`, each of which is named once.
    #[must_use]
    pub fn stake(&self, places: impl Iterator<Item = u16>) -> u128 {
        let stake = |place: u16| self.set.get(usize::from(place)).map_or(0, |m| m.stake);
        places.map(|place| u128::from(stake(place))).sum()
    }

    /// The virtual certificate of view 0.
    #[must_use]
    pub fn start(&self) -> Qc {
        Qc {
            kind: Kind::Commit,
            vote: Vote { epoch: EPOCH, view: 0, height: 0, block: self.id },
            signers: Signers::default(),
            signature: [0; 96],
        }
    }
}

fn as_member(validator: &Validator) -> Member {
    let Validator { operator, bls, network, stake, .. } = validator.clone();
    Member { operator, bls, network, stake }
}

fn member(chain_name: &[u8], validator: &Validator) -> Result<Voter, String> {
    let name = String::from_utf8_lossy(&validator.name.0).into_owned();
    let Some(bls) = Key::read(&validator.bls) else {
        return Err(format!("{name} has no valid BLS key"));
    };
    const DOMAIN: &str = "chorale/1/possession";
    let mut binding = vec![u8::try_from(DOMAIN.len()).expect("a short name")];
    binding.extend(DOMAIN.as_bytes());
    Blob::<32>(chain_name.to_vec()).put(&mut binding);
    validator.operator.put(&mut binding);
    if !bls.is_possessed(&binding, &validator.possession) {
        return Err(format!("{name} does not prove that it holds its BLS key"));
    }
    if validator.stake == 0 {
        return Err(format!("{name} has no stake"));
    }
    Ok(Voter { name, bls, network: validator.network, stake: validator.stake })
}

fn fields(document: Document) -> Result<GenesisFields, GenesisError> {
    let Document { chain_name, time, seed, params: p, validators, rollups } = document;
    let validators = validators.into_iter().map(|v| Validator {
        name: Blob(v.name.into_bytes()),
        operator: v.operator.0,
        bls: v.bls.0,
        possession: v.possession.0,
        network: v.network.0,
        stake: v.stake,
    });
    let rollups = rollups.into_iter().map(|r| match r.policy.as_str() {
        "open" => Ok(Rollup { id: r.id, policy: 0, deposit: r.deposit }),
        other => Err(GenesisError::Rule { what: format!("rollup {} is {other}", r.id) }),
    });
    let params = Params {
        view_timeout_ms: p.view_timeout_ms,
        block_interval_min_ms: p.block_interval_min_ms,
        idle_block_interval_ms: p.idle_block_interval_ms,
        batch_interval_ms: p.batch_interval_ms,
        lane_quota_bytes: p.lane_quota_bytes,
        block_bytes_max: p.block_bytes_max,
        dedup_ms: p.dedup_ms,
        dedup_heights: p.dedup_heights,
        slots_per_validator: p.schedule_slots_per_validator,
    };
    Ok(GenesisFields {
        name: Blob(chain_name.into_bytes()),
        time,
        seed: Id(seed.0),
        params,
        validators: List(validators.collect()),
        rollups: List(rollups.collect::<Result<_, _>>()?),
    })
}
