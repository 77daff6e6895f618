//! The two implementations agree byte for byte and verdict for verdict.

use crate::crypto::bls::{Bls, BlsPublicKey, BlsSignature};
use crate::crypto::fast::Fast;
use crate::crypto::pure::Pure;
use proptest::prelude::*;

fn seed(number: u8) -> [u8; 32] {
    let mut seed = [0x5a; 32];
    seed[0] = number;
    seed
}

#[test]
fn a_hundred_keys_signatures_and_proofs_are_the_same_bytes() {
    let mut signatures = Vec::new();
    for number in 0..100_u8 {
        let message = vec![number; usize::from(number)];
        let pure = Pure::secret_from_seed(&seed(number));
        let fast = Fast::secret_from_seed(&seed(number));
        assert_eq!(Pure::public(&pure), Fast::public(&fast));
        assert_eq!(Pure::prove(&pure, &message), Fast::prove(&fast, &message));
        let signature = Pure::sign(&pure, &message);
        assert_eq!(signature, Fast::sign(&fast, &message));
        signatures.push(signature);
    }
    assert_eq!(Pure::aggregate(&signatures), Fast::aggregate(&signatures));
    assert!(Pure::aggregate(&signatures).is_ok());
}

#[test]
fn each_accepts_what_the_other_made() {
    for number in 0..8_u8 {
        let pure = Pure::secret_from_seed(&seed(number));
        let fast = Fast::secret_from_seed(&seed(number));
        let public = Pure::public(&pure);
        let by_pure = Pure::key(&public).expect("an honest key");
        let by_fast = Fast::key(&public).expect("an honest key");
        assert_eq!(Pure::verify(&by_pure, b"message", &Fast::sign(&fast, b"message")), Ok(()));
        assert_eq!(Fast::verify(&by_fast, b"message", &Pure::sign(&pure, b"message")), Ok(()));
        assert_eq!(Pure::check_proof(&public, b"x", &Fast::prove(&fast, b"x")), Ok(()));
        assert_eq!(Fast::check_proof(&public, b"x", &Pure::prove(&pure, b"x")), Ok(()));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_bytes_are_refused_as_a_key_alike(mut bytes in any::<[u8; 32]>(), flags in 0..8_u8) {
        bytes[0] = (bytes[0] & 0x1f) | (flags << 5);
        let mut whole = [0; 48];
        whole[..32].copy_from_slice(&bytes);
        let key = BlsPublicKey::from_bytes(whole);
        prop_assert_eq!(Pure::key(&key).err(), Fast::key(&key).err());
    }

    #[test]
    fn any_flipped_bit_of_a_key_gets_one_verdict(number in 0..4_u8, bit in 0..384_usize) {
        let mut bytes = *Pure::public(&Pure::secret_from_seed(&seed(number))).as_bytes();
        bytes[bit / 8] ^= 1 << (bit % 8);
        let key = BlsPublicKey::from_bytes(bytes);
        prop_assert_eq!(Pure::key(&key).err(), Fast::key(&key).err());
    }

    #[test]
    fn any_flipped_bit_of_a_signature_is_refused_alike(number in 0..4_u8, bit in 0..768_usize) {
        let secret = Pure::secret_from_seed(&seed(number));
        let mut bytes = *Pure::sign(&secret, b"message").as_bytes();
        bytes[bit / 8] ^= 1 << (bit % 8);
        let signature = BlsSignature::from_bytes(bytes);
        let key = Pure::public(&secret);
        let pure = Pure::verify(&Pure::key(&key).expect("honest"), b"message", &signature);
        let fast = Fast::verify(&Fast::key(&key).expect("honest"), b"message", &signature);
        prop_assert!(pure.is_err());
        prop_assert_eq!(pure, fast);
    }
}
