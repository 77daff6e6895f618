//! What both implementations must do. Each function is a test, instantiated at the end.

use crate::crypto::bls::{Bls, BlsPublicKey, BlsSignature, POSSESSION_TAG, possession_bytes};
use crate::crypto::hash::{Digest, Domain};
use crate::crypto::keygen::scalar_from_seed;
use crate::crypto::{KeyError, SignatureError, signing_bytes};
use bls12_381::hash_to_curve::{ExpandMsgXmd, HashToCurve};
use bls12_381::{G1Affine, G2Affine, G2Projective};
use sha2::Sha256;

const MISMATCH: Result<(), SignatureError> = Err(SignatureError::Mismatch);
const SIGN_FLAG: u8 = 0x20;

fn secrets<B: Bls>(count: u8) -> Vec<B::Secret> {
    (0..count).map(|seed| B::secret_from_seed(&[seed; 32])).collect()
}

fn key<B: Bls>(secret: &B::Secret) -> B::Key {
    B::key(&B::public(secret)).expect("an honest key")
}

fn sum<B: Bls>(signatures: &[BlsSignature]) -> BlsSignature {
    B::aggregate(signatures).expect("honest signatures")
}

fn g1(key: &BlsPublicKey) -> G1Affine {
    G1Affine::from_compressed(key.as_bytes()).expect("a point")
}

fn g2(signature: &BlsSignature) -> G2Projective {
    G2Affine::from_compressed(signature.as_bytes()).expect("a point").into()
}

fn bytes(point: G2Projective) -> BlsSignature {
    BlsSignature::from_bytes(G2Affine::from(point).to_compressed())
}

fn negated_key(key: &BlsPublicKey) -> BlsPublicKey {
    let mut bytes = *key.as_bytes();
    bytes[0] ^= SIGN_FLAG;
    BlsPublicKey::from_bytes(bytes)
}

fn negated(signature: &BlsSignature) -> BlsSignature {
    let mut bytes = *signature.as_bytes();
    bytes[0] ^= SIGN_FLAG;
    BlsSignature::from_bytes(bytes)
}

/// A point of the curve of public keys that is not in the group of prime order.
fn stray_key() -> BlsPublicKey {
    let mut bytes = [0; 48];
    bytes[0] = 0x80;
    (1..=u8::MAX)
        .map(|x| {
            bytes[47] = x;
            bytes
        })
        .find(|bytes| {
            let point = Option::<G1Affine>::from(G1Affine::from_compressed_unchecked(bytes));
            point.is_some_and(|point| bool::from(point.is_on_curve() & !point.is_torsion_free()))
        })
        .map(BlsPublicKey::from_bytes)
        .expect("almost every point of the curve is outside the group")
}

/// A point of the curve of signatures that is not in the group of prime order.
fn stray_signature() -> BlsSignature {
    let mut bytes = [0; 96];
    bytes[0] = 0x80;
    (1..=u8::MAX)
        .map(|x| {
            bytes[95] = x;
            bytes
        })
        .find(|bytes| {
            let point = Option::<G2Affine>::from(G2Affine::from_compressed_unchecked(bytes));
            point.is_some_and(|point| bool::from(point.is_on_curve() & !point.is_torsion_free()))
        })
        .map(BlsSignature::from_bytes)
        .expect("almost every point of the curve is outside the group")
}

fn identity_key() -> BlsPublicKey {
    BlsPublicKey::from_bytes(G1Affine::identity().to_compressed())
}

fn identity_signature() -> BlsSignature {
    bytes(G2Projective::identity())
}

/// Signatures that no check may accept, with the refusal.
fn bad_signatures() -> [(BlsSignature, SignatureError); 4] {
    let mut outside_field = [0xff; 96];
    outside_field[0] = 0x9f;
    [
        (BlsSignature::from_bytes([0; 96]), SignatureError::BadEncoding),
        (BlsSignature::from_bytes(outside_field), SignatureError::BadEncoding),
        (identity_signature(), SignatureError::Identity),
        (stray_signature(), SignatureError::NotInSubgroup),
    ]
}

fn accepts_its_own_signature_and_no_other_message_or_key<B: Bls>() {
    let secrets = secrets::<B>(2);
    let signature = B::sign(&secrets[0], b"message");
    assert_eq!(B::verify(&key::<B>(&secrets[0]), b"message", &signature), Ok(()));
    assert_eq!(B::verify(&key::<B>(&secrets[0]), b"massage", &signature), MISMATCH);
    assert_eq!(B::verify(&key::<B>(&secrets[0]), b"", &signature), MISMATCH);
    assert_eq!(B::verify(&key::<B>(&secrets[1]), b"message", &signature), MISMATCH);
    assert_eq!(B::verify(&key::<B>(&secrets[0]), b"message", &negated(&signature)), MISMATCH);
}

fn refuses_every_other_domain_and_chain<B: Bls>() {
    let domains = [Domain::Prepare, Domain::Commit, Domain::Timeout, Domain::Reveal];
    let (chain, other) = (Digest::from_bytes([1; 32]), Digest::from_bytes([2; 32]));
    let secret = &secrets::<B>(1)[0];
    for signed in domains {
        let signature = B::sign(secret, &signing_bytes(signed, &chain, b"body"));
        for read in domains {
            let verdict = |chain| {
                B::verify(&key::<B>(secret), &signing_bytes(read, chain, b"body"), &signature)
            };
            assert_eq!(verdict(&chain).is_ok(), read == signed, "{signed:?} read as {read:?}");
            assert_eq!(verdict(&other), MISMATCH);
        }
    }
}

fn refuses_bad_keys<B: Bls>() {
    let mut outside_field = [0xff; 48];
    outside_field[0] = 0x9f;
    let mut uncompressed = *B::public(&secrets::<B>(1)[0]).as_bytes();
    uncompressed[0] &= 0x7f;
    let mut loud_identity = *identity_key().as_bytes();
    loud_identity[47] = 1;
    for (bytes, refusal) in [
        ([0; 48], KeyError::BadEncoding),
        (outside_field, KeyError::BadEncoding),
        (uncompressed, KeyError::BadEncoding),
        (loud_identity, KeyError::BadEncoding),
        (*identity_key().as_bytes(), KeyError::Identity),
        (*stray_key().as_bytes(), KeyError::NotInSubgroup),
    ] {
        let key = BlsPublicKey::from_bytes(bytes);
        assert_eq!(B::key(&key).err(), Some(refusal), "{key}");
        let proof = B::prove(&secrets::<B>(1)[0], b"");
        assert_eq!(B::check_proof(&key, b"", &proof), Err(refusal.into()));
    }
}

fn refuses_bad_signatures_in_every_check<B: Bls>() {
    let secret = &secrets::<B>(1)[0];
    let (key, public) = (key::<B>(secret), B::public(secret));
    let good = B::sign(secret, b"message");
    for (bad, refusal) in bad_signatures() {
        let refused = Err(refusal);
        assert_eq!(B::verify(&key, b"message", &bad), refused);
        assert_eq!(B::verify_same(&[&key], b"message", &bad), refused);
        let groups = [(vec![&key], b"message".to_vec())];
        assert_eq!(B::verify_groups(&groups, &bad), refused);
        assert_eq!(B::check_proof(&public, b"", &bad), refused);
        assert_eq!(B::aggregate(&[good, bad]), Err(refusal));
        assert_eq!(B::aggregate(&[bad, good]), Err(refusal));
    }
}

fn accepts_a_sum_only_from_exactly_its_signers<B: Bls>() {
    let secrets = secrets::<B>(5);
    let keys: Vec<_> = secrets.iter().map(key::<B>).collect();
    let keys: Vec<_> = keys.iter().collect();
    let signatures: Vec<_> = secrets.iter().map(|secret| B::sign(secret, b"message")).collect();
    let sum4 = sum::<B>(&signatures[..4]);
    assert_eq!(B::verify_same(&keys[..4], b"message", &sum4), Ok(()));
    assert_eq!(B::verify_same(&keys[..3], b"message", &sum4), MISMATCH);
    assert_eq!(B::verify_same(&keys, b"message", &sum4), MISMATCH);
    assert_eq!(B::verify_same(&keys[1..], b"message", &sum4), MISMATCH);
    assert_eq!(B::verify_same(&keys[..4], b"massage", &sum4), MISMATCH);
    let shuffled: Vec<_> = signatures[..4].iter().rev().copied().collect();
    assert_eq!(sum::<B>(&shuffled), sum4);
    assert_eq!(sum::<B>(&signatures[..1]), signatures[0]);
}

fn accepts_groups_only_with_their_own_messages<B: Bls>() {
    let secrets = secrets::<B>(6);
    let keys: Vec<_> = secrets.iter().map(key::<B>).collect();
    let message = |member: usize| [b"first".as_slice(), b"second", b"third"][member % 3];
    let signed = secrets.iter().enumerate();
    let total = sum::<B>(&signed.map(|(i, s)| B::sign(s, message(i))).collect::<Vec<_>>());
    let group =
        |a: usize, b: usize, text: usize| (vec![&keys[a], &keys[b]], message(text).to_vec());
    let groups = [group(0, 3, 0), group(1, 4, 1), group(2, 5, 2)];
    assert_eq!(B::verify_groups(&groups, &total), Ok(()));
    let reordered = [group(5, 2, 2), group(3, 0, 0), group(4, 1, 1)];
    assert_eq!(B::verify_groups(&reordered, &total), Ok(()));
    assert_eq!(B::verify_groups(&groups[..2], &total), MISMATCH);
    let swapped_messages = [group(0, 3, 1), group(1, 4, 0), group(2, 5, 2)];
    assert_eq!(B::verify_groups(&swapped_messages, &total), MISMATCH);
    let swapped_members = [group(0, 1, 0), group(3, 4, 1), group(2, 5, 2)];
    assert_eq!(B::verify_groups(&swapped_members, &total), MISMATCH);
}

fn groups_with_equal_messages_count_as_one<B: Bls>() {
    let secrets = secrets::<B>(3);
    let keys: Vec<_> = secrets.iter().map(key::<B>).collect();
    let total = sum::<B>(&secrets.iter().map(|s| B::sign(s, b"same")).collect::<Vec<_>>());
    let split = [(vec![&keys[0]], b"same".to_vec()), (vec![&keys[1], &keys[2]], b"same".to_vec())];
    assert_eq!(B::verify_groups(&split, &total), Ok(()));
    assert_eq!(B::verify_groups(&split[..1], &total), MISMATCH);
}

fn refuses_to_say_that_nobody_signed<B: Bls>() {
    let secret = &secrets::<B>(1)[0];
    let (key, signature) = (key::<B>(secret), B::sign(secret, b"message"));
    assert_eq!(B::aggregate(&[]), Err(SignatureError::Empty));
    let empty = Err(SignatureError::Empty);
    assert_eq!(B::verify_same(&[], b"message", &signature), empty);
    assert_eq!(B::verify_groups(&[], &signature), empty);
    let groups = [(vec![&key], b"message".to_vec()), (vec![], b"message".to_vec())];
    assert_eq!(B::verify_groups(&groups, &signature), empty);
}

fn refuses_keys_and_signatures_that_cancel<B: Bls>() {
    let secrets = secrets::<B>(2);
    let key0 = key::<B>(&secrets[0]);
    let opposite = B::key(&negated_key(&B::public(&secrets[0]))).expect("valid alone");
    let signature = B::sign(&secrets[0], b"message");
    assert_eq!(B::verify(&opposite, b"message", &negated(&signature)), Ok(()));
    let identity = Err(SignatureError::Identity);
    assert_eq!(B::aggregate(&[signature, negated(&signature)]), identity);
    let cancel = Err(SignatureError::KeysCancel);
    assert_eq!(B::verify_same(&[&key0, &opposite], b"message", &signature), cancel);
    let other = key::<B>(&secrets[1]);
    let groups = [(vec![&other], b"other".to_vec()), (vec![&key0, &opposite], b"message".to_vec())];
    assert_eq!(B::verify_groups(&groups, &B::sign(&secrets[1], b"other")), cancel);
}

fn a_shifted_pair_is_valid_only_as_a_sum<B: Bls>() {
    let secrets = secrets::<B>(2);
    let keys: Vec<_> = secrets.iter().map(key::<B>).collect();
    let signatures: Vec<_> = secrets.iter().map(|s| B::sign(s, b"message")).collect();
    let shift = G2Projective::generator();
    let shifted = [bytes(g2(&signatures[0]) + shift), bytes(g2(&signatures[1]) - shift)];
    assert_eq!(B::verify(&keys[0], b"message", &shifted[0]), MISMATCH);
    assert_eq!(B::verify(&keys[1], b"message", &shifted[1]), MISMATCH);
    let total = sum::<B>(&shifted);
    assert_eq!(total, sum::<B>(&signatures));
    assert_eq!(B::verify_same(&[&keys[0], &keys[1]], b"message", &total), Ok(()));
}

fn a_rogue_key_speaks_for_others_but_cannot_prove_possession<B: Bls>() {
    let secrets = secrets::<B>(2);
    let (victim, attacker) = (B::public(&secrets[0]), B::public(&secrets[1]));
    let rogue = G1Affine::from(bls12_381::G1Projective::from(g1(&attacker)) - g1(&victim));
    let rogue = BlsPublicKey::from_bytes(rogue.to_compressed());
    let key0 = key::<B>(&secrets[0]);
    let rogue_key = B::key(&rogue).expect("a point like any other");
    let forged = B::sign(&secrets[1], b"never signed by the victim");
    let keys = [&key0, &rogue_key];
    assert_eq!(B::verify_same(&keys, b"never signed by the victim", &forged), Ok(()));

    let hash = <G2Projective as HashToCurve<ExpandMsgXmd<Sha256>>>::hash_to_curve;
    let message = possession_bytes(&rogue, b"owner");
    let best_effort = bytes(hash([message], POSSESSION_TAG) * *scalar_from_seed(&[1; 32]));
    assert_eq!(B::check_proof(&rogue, b"owner", &best_effort), MISMATCH);
    let own = B::prove(&secrets[1], b"owner");
    assert_eq!(B::check_proof(&rogue, b"owner", &own), MISMATCH);
    let shifted = bytes(g2(&own) - g2(&B::prove(&secrets[0], b"victim")));
    assert_eq!(B::check_proof(&rogue, b"owner", &shifted), MISMATCH);
}

fn a_proof_of_possession_holds_for_one_key_and_binding<B: Bls>() {
    let secrets = secrets::<B>(2);
    let public = B::public(&secrets[0]);
    let proof = B::prove(&secrets[0], b"chain and owner");
    assert_eq!(B::check_proof(&public, b"chain and owner", &proof), Ok(()));
    assert_eq!(B::check_proof(&public, b"chain and another", &proof), MISMATCH);
    assert_eq!(B::check_proof(&B::public(&secrets[1]), b"chain and owner", &proof), MISMATCH);
    let signed = B::sign(&secrets[0], &possession_bytes(&public, b"chain and owner"));
    assert_eq!(B::check_proof(&public, b"chain and owner", &signed), MISMATCH);
    let message = possession_bytes(&public, b"chain and owner");
    assert_eq!(B::verify(&key::<B>(&secrets[0]), &message, &proof), MISMATCH);
}

macro_rules! both {
    ($($name:ident),* $(,)?) => {
        mod pure {
            $(#[test] fn $name() { super::$name::<crate::crypto::pure::Pure>(); })*
        }
        #[cfg(feature = "fast")]
        mod fast {
            $(#[test] fn $name() { super::$name::<crate::crypto::fast::Fast>(); })*
        }
    };
}
both! {
    accepts_its_own_signature_and_no_other_message_or_key,
    refuses_every_other_domain_and_chain,
    refuses_bad_keys,
    refuses_bad_signatures_in_every_check,
    accepts_a_sum_only_from_exactly_its_signers,
    accepts_groups_only_with_their_own_messages,
    groups_with_equal_messages_count_as_one,
    refuses_to_say_that_nobody_signed,
    refuses_keys_and_signatures_that_cancel,
    a_shifted_pair_is_valid_only_as_a_sum,
    a_rogue_key_speaks_for_others_but_cannot_prove_possession,
    a_proof_of_possession_holds_for_one_key_and_binding,
}
