//! A genesis that cannot work is refused with the reason; certificates of its set are checked by
//! stake, epoch and domain. Real keys throughout.

use bls12_381::{G1Affine, G1Projective};
use chorale_types::certificate::QuorumCert;
use chorale_types::crypto::bls::{Bls, BlsPublicKey, BlsSignature};
use chorale_types::crypto::ed25519::{PublicKey, SecretKey};
use chorale_types::crypto::hash::Digest;
use chorale_types::crypto::pure::Pure;
use chorale_types::genesis::{
    Genesis, GenesisError, GenesisRollup, GenesisValidator, Params, Policy, possession_binding,
};
use chorale_types::ids::{Epoch, Height, RollupId, ValidatorIndex, View};
use chorale_types::limits::{ROLLUPS_MAX, VALIDATORS_MAX};
use chorale_types::time::Timestamp;
use chorale_types::verify::{Verifier, VerifyError};
use chorale_types::vote::{Vote, VoteKind};

type Secret = <Pure as Bls>::Secret;

fn secret(at: u8) -> Secret {
    Pure::secret_from_seed(&[at + 1; 32])
}

fn validator(at: u8, stake: u64) -> GenesisValidator {
    let operator = SecretKey::from_seed([at + 101; 32]).public();
    let network = SecretKey::from_seed([at + 51; 32]).public();
    let binding = possession_binding("test-1", &operator);
    GenesisValidator {
        name: format!("node{at}"),
        operator,
        bls: Pure::public(&secret(at)),
        possession: Pure::prove(&secret(at), &binding),
        network,
        stake,
    }
}

fn genesis(stakes: &[u64]) -> Genesis {
    let rollup =
        |id: u64| GenesisRollup { id: RollupId::new(id), policy: Policy::Open, deposit: 0 };
    let index = |at: usize| u8::try_from(at).expect("small sets");
    Genesis {
        chain_name: "test-1".into(),
        time: Timestamp::from_millis(1_800_000_000_000),
        seed: Digest::from_bytes([9; 32]),
        params: Params::default(),
        validators: stakes.iter().enumerate().map(|(at, s)| validator(index(at), *s)).collect(),
        rollups: vec![rollup(1), rollup(2)],
    }
}

fn refusal(change: impl Fn(&mut Genesis)) -> GenesisError {
    let mut genesis = genesis(&[10, 10, 10, 10]);
    change(&mut genesis);
    genesis.validate::<Pure>().expect_err("must be refused")
}

#[test]
fn a_genesis_that_works_is_taken_and_survives_its_json() {
    let genesis = genesis(&[10, 10, 10, 10]);
    assert_eq!(genesis.validate::<Pure>(), Ok(()));
    let text = serde_json::to_string_pretty(&genesis).expect("plain data");
    let back: Genesis = serde_json::from_str(&text).expect("its own text");
    assert_eq!((back.chain_id(), &back), (genesis.chain_id(), &genesis));
    assert_eq!(genesis.tolerated_faults(), 1);
    assert_eq!(self::genesis(&[1]).tolerated_faults(), 0);
}

#[test]
fn an_unknown_key_in_the_json_is_refused() {
    let text = serde_json::to_string(&genesis(&[1])).expect("plain data");
    let odd = text.replacen("\"time\"", "\"tiem\":0,\"time\"", 1);
    let error = serde_json::from_str::<Genesis>(&odd).expect_err("unknown key");
    assert!(error.to_string().contains("tiem"), "{error}");
}

#[test]
fn shared_keys_are_refused_whichever_they_are() {
    let key = |error| match error {
        GenesisError::DuplicateKey { key, first: 0, second: 1 } => key,
        other => panic!("{other}"),
    };
    let copy = |g: &mut Genesis| g.validators[1].operator = g.validators[0].operator;
    assert_eq!(key(refusal(copy)), "operator");
    assert_eq!(key(refusal(|g| g.validators[1].bls = g.validators[0].bls)), "BLS");
    assert_eq!(key(refusal(|g| g.validators[1].network = g.validators[0].network)), "network");
}

#[test]
fn a_missing_or_foreign_proof_of_possession_is_refused() {
    let bad = GenesisError::BadPossession { index: 2 };
    assert_eq!(refusal(|g| g.validators[2].possession = g.validators[1].possession), bad);
    let other_chain = |g: &mut Genesis| {
        let binding = possession_binding("test-2", &g.validators[2].operator);
        g.validators[2].possession = Pure::prove(&secret(2), &binding);
    };
    assert_eq!(refusal(other_chain), bad);
    let other_operator = |g: &mut Genesis| {
        let binding = possession_binding("test-1", &g.validators[3].operator);
        g.validators[2].possession = Pure::prove(&secret(2), &binding);
    };
    assert_eq!(refusal(other_operator), bad);
}

#[test]
fn a_key_that_is_none_is_refused() {
    let identity = |g: &mut Genesis| {
        let mut bytes = [0; 48];
        bytes[0] = 0xc0;
        g.validators[1].bls = BlsPublicKey::from_bytes(bytes);
    };
    assert_eq!(refusal(identity), GenesisError::BadKey { index: 1, key: "BLS" });
}

#[test]
fn an_account_or_network_key_that_is_no_point_or_of_small_order_is_refused() {
    let mut small = [0; 32];
    small[0] = 1;
    for bytes in [small, [0; 32], [0xff; 32]] {
        let key = PublicKey::from_bytes(bytes);
        let operator = |g: &mut Genesis| g.validators[3].operator = key;
        assert_eq!(refusal(operator), GenesisError::BadKey { index: 3, key: "operator" });
        let network = |g: &mut Genesis| g.validators[3].network = key;
        assert_eq!(refusal(network), GenesisError::BadKey { index: 3, key: "network" });
    }
}

#[test]
fn a_rogue_key_is_refused_for_want_of_a_proof() {
    // One's own key less all others': a sum with it speaks for all of them.
    let point = |at: u8| {
        let key = Pure::public(&secret(at));
        let point = G1Affine::from_compressed(key.as_bytes()).expect("a key");
        G1Projective::from(point)
    };
    let rogue = G1Affine::from(point(3) - point(0) - point(1) - point(2)).to_compressed();
    let with_rogue = |g: &mut Genesis, binding: &[u8]| {
        g.validators[3].bls = BlsPublicKey::from_bytes(rogue);
        g.validators[3].possession = Pure::prove(&secret(3), binding);
    };
    let bad = GenesisError::BadPossession { index: 3 };
    let honest = possession_binding("test-1", &validator(3, 10).operator);
    assert_eq!(refusal(|g| with_rogue(g, &honest)), bad);
    assert_eq!(refusal(|g| with_rogue(g, &rogue)), bad);
}

#[test]
fn a_proof_of_possession_that_is_no_signature_is_refused() {
    let mut identity = [0; 96];
    identity[0] = 0xc0;
    for bytes in [[0; 96], [0xff; 96], identity] {
        let proof = BlsSignature::from_bytes(bytes);
        let bad = GenesisError::BadPossession { index: 1 };
        assert_eq!(refusal(|g| g.validators[1].possession = proof), bad);
    }
}

#[test]
fn exactly_a_third_is_refused_in_a_set_of_four_and_one_less_is_taken() {
    assert_eq!(genesis(&[20, 20, 21, 30]).validate::<Pure>(), Ok(()), "30 of 91");
    let third = GenesisError::TooMuchStake { index: 3, stake: 30, total: 90, of: 4 };
    assert_eq!(genesis(&[20, 20, 20, 30]).validate::<Pure>(), Err(third));
    assert_eq!(genesis(&[20, 20, 30]).validate::<Pure>(), Ok(()), "three tolerate nothing anyway");
    let huge = u64::MAX / 4;
    assert_eq!(genesis(&[huge; 4]).validate::<Pure>(), Ok(()));
}

#[test]
fn a_total_of_exactly_the_most_is_taken_and_one_more_is_refused() {
    let most = u64::MAX / 5;
    assert_eq!(most * 5, u64::MAX);
    assert_eq!(genesis(&[most; 5]).validate::<Pure>(), Ok(()));
    let over = [most, most, most, most, most + 1];
    assert_eq!(genesis(&over).validate::<Pure>(), Err(GenesisError::TotalOverflow));
}

#[test]
fn more_validators_or_rollups_than_a_set_has_are_refused() {
    let many = |g: &mut Genesis| g.validators = vec![validator(0, 1); VALIDATORS_MAX + 1];
    let got = VALIDATORS_MAX + 1;
    assert_eq!(refusal(many), GenesisError::ValidatorCount { got });
    let many = |g: &mut Genesis| {
        let rollup = |id: usize| GenesisRollup {
            id: RollupId::new(id as u64),
            policy: Policy::Open,
            deposit: 0,
        };
        g.rollups = (0..=ROLLUPS_MAX).map(rollup).collect();
    };
    assert_eq!(refusal(many), GenesisError::RollupCount { got: ROLLUPS_MAX + 1 });
}

#[test]
fn a_key_given_twice_in_the_json_is_refused() {
    let text = serde_json::to_string(&genesis(&[1])).expect("plain data");
    for key in ["time", "chain_name", "stake", "possession"] {
        let (name, at) = (format!("\"{key}\":"), text.find(&format!("\"{key}\"")));
        let at = at.expect("it is there");
        let value = text[at + name.len()..].split([',', '}']).next().expect("a value");
        let twice = format!("{}{name}{value},{}", &text[..at], &text[at..]);
        let error = serde_json::from_str::<Genesis>(&twice).expect_err("twice");
        assert!(error.to_string().contains("duplicate field"), "{key}: {error}");
    }
}

#[test]
fn stakes_that_cannot_work_are_refused() {
    assert_eq!(refusal(|g| g.validators[1].stake = 0), GenesisError::ZeroStake { index: 1 });
    let overflow = |g: &mut Genesis| {
        g.validators[0].stake = u64::MAX;
        g.validators[1].stake = u64::MAX;
    };
    assert_eq!(refusal(overflow), GenesisError::TotalOverflow);
    let third = GenesisError::TooMuchStake { index: 3, stake: 15, total: 45, of: 4 };
    assert_eq!(refusal(|g| g.validators[3].stake = 15), third);
    assert_eq!(refusal(|g| g.validators.clear()), GenesisError::ValidatorCount { got: 0 });
    assert_eq!(genesis(&[1]).validate::<Pure>(), Ok(()), "one validator is a sequencer");
    assert_eq!(genesis(&[5, 1, 1]).validate::<Pure>(), Ok(()), "three tolerate nothing anyway");
}

#[test]
fn names_rollups_and_parameters_outside_their_bounds_are_refused() {
    let bad_names = ["", "Upper", "a/b", "this-name-is-longer-than-thirty-two-chars"];
    for name in bad_names {
        assert!(matches!(refusal(|g| g.chain_name = name.into()), GenesisError::BadName { .. }));
    }
    let id = RollupId::new(1);
    assert_eq!(refusal(|g| g.rollups[1].id = id), GenesisError::RollupOrder { id });
    let field = |error| match error {
        GenesisError::ParamOutOfRange { field, .. } => field,
        other => panic!("{other}"),
    };
    assert_eq!(field(refusal(|g| g.params.view_timeout_ms = 0)), "view_timeout_ms");
    let idle = |g: &mut Genesis| g.params.idle_block_interval_ms = 501;
    assert_eq!(field(refusal(idle)), "idle_block_interval_ms");
    let above = |g: &mut Genesis| g.params.block_interval_min_ms = 491;
    assert_eq!(field(refusal(above)), "block_interval_min_ms");
    let quota = |g: &mut Genesis| g.params.lane_quota_bytes = g.params.block_bytes_max + 1;
    assert_eq!(field(refusal(quota)), "lane_quota_bytes");
}

fn certificate(genesis: &Genesis, kind: VoteKind, signers: &[u8]) -> QuorumCert {
    let set = genesis.first_set();
    let block = Digest::from_bytes([3; 32]);
    let (epoch, view, height) = (Epoch::new(1), View::new(5), Height::new(4));
    let vote = Vote { epoch, view, height, block };
    let message = vote.signing_bytes(kind, set.chain());
    let shares: Vec<_> = signers.iter().map(|at| Pure::sign(&secret(*at), &message)).collect();
    let mut bitmap = set.no_signers();
    for at in signers {
        bitmap.insert(ValidatorIndex::new(u16::from(*at)));
    }
    let signature = Pure::aggregate(&shares).expect("good shares");
    QuorumCert { kind, vote, signers: bitmap, signature }
}

#[test]
fn a_certificate_counts_stake_and_not_heads() {
    let genesis = genesis(&[40, 40, 40, 5, 5]);
    let verifier = Verifier::<Pure>::new(genesis.first_set()).expect("good keys");
    let check = |of: &[u8]| verifier.verify_qc(&certificate(&genesis, VoteKind::Prepare, of));
    assert_eq!(check(&[0, 1, 3, 4]), Ok(()), "90 of 130 is a quorum");
    assert_eq!(check(&[0, 1, 2]), Ok(()));
    assert_eq!(check(&[0, 3, 4]), Err(VerifyError::NoQuorum { got: 50, quorum: 87 }));
}

#[test]
fn a_certificate_is_bound_to_kind_view_epoch_and_chain() {
    let genesis = genesis(&[10, 10, 10, 10]);
    let verifier = Verifier::<Pure>::new(genesis.first_set()).expect("good keys");
    let good = certificate(&genesis, VoteKind::Prepare, &[0, 1, 2]);
    assert_eq!(verifier.verify_qc(&good), Ok(()));
    let broken = |change: &dyn Fn(&mut QuorumCert)| {
        let mut cert = good.clone();
        change(&mut cert);
        verifier.verify_qc(&cert).expect_err("must be refused")
    };
    let mismatch = |error| assert!(matches!(error, VerifyError::Signature(_)), "{error}");
    mismatch(broken(&|c| c.kind = VoteKind::Commit));
    mismatch(broken(&|c| c.vote.view = View::new(6)));
    mismatch(broken(&|c| c.vote.height = Height::new(5)));
    mismatch(broken(&|c| {
        c.signers.insert(ValidatorIndex::new(3));
    }));
    assert!(matches!(broken(&|c| c.vote.epoch = Epoch::new(2)), VerifyError::WrongEpoch { .. }));
    assert_eq!(broken(&|c| c.vote.view = View::ZERO), VerifyError::WrongStart);

    let mut other = genesis.clone();
    other.seed = Digest::from_bytes([8; 32]);
    let elsewhere = Verifier::<Pure>::new(other.first_set()).expect("good keys");
    mismatch(elsewhere.verify_qc(&good).expect_err("of another chain"));
}

#[test]
fn a_bitmap_of_another_set_size_is_refused() {
    let genesis = genesis(&[10, 10, 10, 10]);
    let small = self::genesis(&[10, 10, 10]);
    let verifier = Verifier::<Pure>::new(genesis.first_set()).expect("good keys");
    let cert = certificate(&small, VoteKind::Prepare, &[0, 1, 2]);
    assert_eq!(verifier.verify_qc(&cert), Err(VerifyError::WrongSet { got: 3, expected: 4 }));
}
