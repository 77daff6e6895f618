//! Keys that sign, and the genesis that names them.

use super::{Plan, Random, WALL_START};
use bls12_381::{G1Affine, G2Affine, Scalar};
use chorale_judge::crypto::bls::{MESSAGE_TAG, POSSESSION_TAG, hash_to_curve};
use chorale_judge::wire::genesis::{GenesisFields, Params, Rollup, Validator};
use chorale_judge::wire::{Blob, Id, List, Wire as _};
use ed25519_dalek::{Signer as _, SigningKey};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::sync::Mutex;

/// The secrets of all members.
pub struct Keys {
    pub bls: Vec<Scalar>,
    pub network: Vec<SigningKey>,
    /// Many histories are written of one chain.
    sums: Mutex<HashMap<Signing, [u8; 96]>>,
}

/// Who signs what.
type Signing = (Vec<u16>, Vec<u8>);

impl Keys {
    pub fn draw(random: &mut Random, members: usize) -> Self {
        let scalar =
            |random: &mut Random| Scalar::from_bytes_wide(&random.bytes(64).try_into().unwrap());
        let bls = (0..members).map(|_| scalar(random)).collect();
        let key =
            |random: &mut Random| SigningKey::from_bytes(&random.bytes(32).try_into().unwrap());
        let network = (0..members).map(|_| key(random)).collect();
        Self { bls, network, sums: Mutex::default() }
    }

    /// The sum of the signatures of `places`.
    pub fn sum(&self, places: &[u16], message: &[u8]) -> [u8; 96] {
        let name = (places.to_vec(), message.to_vec());
        *self.sums.lock().unwrap().entry(name).or_insert_with(|| {
            let secrets = places.iter().map(|place| self.bls[usize::from(*place)]);
            bls(&secrets.fold(Scalar::zero(), |sum, secret| sum + secret), message, MESSAGE_TAG)
        })
    }

    /// The signature of one under its network key.
    pub fn ed(&self, place: u16, message: &[u8]) -> [u8; 64] {
        self.network[usize::from(place)].sign(message).to_bytes()
    }
}

fn bls(secret: &Scalar, message: &[u8], tag: &[u8]) -> [u8; 96] {
    G2Affine::from(hash_to_curve(message, tag) * secret).to_compressed()
}

fn validator(keys: &Keys, place: usize, stake: u64) -> Validator {
    let operator = [u8::try_from(place).unwrap(); 32];
    let public = G1Affine::from(G1Affine::generator() * keys.bls[place]).to_compressed();
    let mut message = public.to_vec();
    message.extend(b"\x14chorale/1/possession");
    Blob::<32>(b"made-up".to_vec()).put(&mut message);
    operator.put(&mut message);
    Validator {
        name: Blob(format!("node{place}").into_bytes()),
        operator,
        bls: public,
        possession: bls(&keys.bls[place], &message, POSSESSION_TAG),
        network: keys.network[place].verifying_key().to_bytes(),
        stake,
    }
}

/// A genesis for these keys.
pub fn genesis(keys: &Keys, plan: &Plan) -> GenesisFields {
    let validators = plan.stakes.iter().enumerate().map(|(at, stake)| validator(keys, at, *stake));
    let rollups = (1..=plan.rollups).map(|id| Rollup { id, policy: 0, deposit: 0 });
    GenesisFields {
        name: Blob(b"made-up".to_vec()),
        time: WALL_START - 500,
        seed: Id([u8::try_from(plan.seed % 251).unwrap(); 32]),
        params: Params {
            view_timeout_ms: 1_000,
            block_interval_min_ms: 20,
            idle_block_interval_ms: 490,
            batch_interval_ms: 10,
            lane_quota_bytes: 8 << 20,
            block_bytes_max: 16 << 20,
            dedup_ms: 60_000,
            dedup_heights: 3_000,
            slots_per_validator: 16,
        },
        validators: List(validators.collect()),
        rollups: List(rollups.collect()),
    }
}

/// The same as `genesis.json` has it.
pub fn document(fields: &GenesisFields) -> Value {
    let hex = |bytes: &[u8]| format!("0x{}", hex::encode(bytes));
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    let p = &fields.params;
    let validators = fields.validators.0.iter().map(|v| {
        json!({"name": text(&v.name.0), "operator": hex(&v.operator), "bls": hex(&v.bls),
               "possession": hex(&v.possession), "network": hex(&v.network), "stake": v.stake})
    });
    let rollups = fields.rollups.0.iter();
    let rollups = rollups.map(|r| json!({"id": r.id, "policy": "open", "deposit": r.deposit}));
    json!({
        "chain_name": text(&fields.name.0),
        "time": fields.time,
        "seed": fields.seed.to_string(),
        "params": {
            "view_timeout_ms": p.view_timeout_ms,
            "block_interval_min_ms": p.block_interval_min_ms,
            "idle_block_interval_ms": p.idle_block_interval_ms,
            "batch_interval_ms": p.batch_interval_ms,
            "lane_quota_bytes": p.lane_quota_bytes,
            "block_bytes_max": p.block_bytes_max,
            "dedup_ms": p.dedup_ms,
            "dedup_heights": p.dedup_heights,
            "schedule_slots_per_validator": p.slots_per_validator,
        },
        "validators": validators.collect::<Vec<_>>(),
        "rollups": rollups.collect::<Vec<_>>(),
    })
}
