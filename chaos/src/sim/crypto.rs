//! A cheap signature scheme for simulated members, in place of BLS and ed25519.
//!
//! A signature is a keyed hash, and the key that checks it is the key that makes it: simulated
//! faulty members are given only their own keys, so nobody forges. Signatures add up as numbers
//! do, so aggregates, bad shares and cancelling shares behave as real ones. It protects nothing
//! outside the simulator.

use chorale_types::crypto::bls::{Bls, BlsPublicKey, BlsSignature, Groups};
use chorale_types::crypto::ed25519::{PublicKey, Signature};
use chorale_types::crypto::{KeyError, SignatureError};

const ODD: [u64; 4] =
    [0x9e37_79b9_7f4a_7c15, 0xc2b2_ae3d_27d4_eb4f, 0x1656_67b1_9e37_79f9, 0xd6e8_feb8_6659_fd93];

/// What fills the bytes of a key or signature that carry nothing.
const FILLER: u8 = 0xc4;

/// Two independent 64-bit hashes of some bytes.
fn hash(bytes: &[u8]) -> [u64; 2] {
    let (mut a, mut b) = (ODD[0], ODD[1]);
    let mut take = |word: u64| {
        a = (a ^ word).wrapping_mul(ODD[2]).rotate_left(29);
        b = (b.rotate_left(17) ^ word).wrapping_mul(ODD[3]);
    };
    let mut words = bytes.chunks_exact(8);
    for word in &mut words {
        take(u64::from_le_bytes(word.try_into().expect("chunks of eight")));
    }
    let mut last = [0; 8];
    let rest = words.remainder();
    last[..rest.len()].copy_from_slice(rest);
    take(u64::from_le_bytes(last));
    take(u64::try_from(bytes.len()).expect("lengths fit 64 bits"));
    [finish(a), finish(b)]
}

const fn finish(mut word: u64) -> u64 {
    word = (word ^ (word >> 31)).wrapping_mul(ODD[0]);
    word = (word ^ (word >> 29)).wrapping_mul(ODD[1]);
    word ^ (word >> 32)
}

fn mac(key: [u64; 2], message: [u64; 2]) -> [u64; 2] {
    [finish(key[0] ^ message[0]), finish(key[1] ^ message[1])]
}

fn add(a: [u64; 2], b: [u64; 2]) -> [u64; 2] {
    [a[0].wrapping_add(b[0]), a[1].wrapping_add(b[1])]
}

fn put<const N: usize>(words: [u64; 2]) -> [u8; N] {
    let mut out = [FILLER; N];
    out[..8].copy_from_slice(&words[0].to_le_bytes());
    out[8..16].copy_from_slice(&words[1].to_le_bytes());
    out
}

fn get<const N: usize>(bytes: &[u8; N]) -> Option<[u64; 2]> {
    let word = |at: usize| u64::from_le_bytes(bytes[at..at + 8].try_into().expect("eight bytes"));
    bytes[16..].iter().all(|byte| *byte == FILLER).then(|| [word(0), word(8)])
}

/// The stand-in for BLS.
#[derive(Clone, Copy, Default, Debug)]
pub struct Cheap;

/// A key, secret and public in one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CheapKey([u64; 2]);

fn sum_of(keys: &[&CheapKey], message: &[u8]) -> [u64; 2] {
    let message = hash(message);
    keys.iter().fold([0, 0], |sum, key| add(sum, mac(key.0, message)))
}

fn check(expected: [u64; 2], signature: &BlsSignature) -> Result<(), SignatureError> {
    let got = get(signature.as_bytes()).ok_or(SignatureError::BadEncoding)?;
    if got == expected { Ok(()) } else { Err(SignatureError::Mismatch) }
}

impl Bls for Cheap {
    type Secret = CheapKey;
    type Key = CheapKey;

    fn secret_from_seed(seed: &[u8; 32]) -> CheapKey {
        CheapKey(hash(seed))
    }

    fn public(secret: &CheapKey) -> BlsPublicKey {
        BlsPublicKey::from_bytes(put(secret.0))
    }

    fn sign(secret: &CheapKey, message: &[u8]) -> BlsSignature {
        BlsSignature::from_bytes(put(mac(secret.0, hash(message))))
    }

    fn prove(secret: &CheapKey, binding: &[u8]) -> BlsSignature {
        Self::sign(secret, &[b"possession", binding].concat())
    }

    fn check_proof(
        key: &BlsPublicKey,
        binding: &[u8],
        proof: &BlsSignature,
    ) -> Result<(), SignatureError> {
        Self::verify(&Self::key(key)?, &[b"possession", binding].concat(), proof)
    }

    fn key(bytes: &BlsPublicKey) -> Result<CheapKey, KeyError> {
        get(bytes.as_bytes()).map(CheapKey).ok_or(KeyError::BadEncoding)
    }

    fn aggregate(signatures: &[BlsSignature]) -> Result<BlsSignature, SignatureError> {
        if signatures.is_empty() {
            return Err(SignatureError::Empty);
        }
        let mut sum = [0, 0];
        for signature in signatures {
            let words = get(signature.as_bytes()).ok_or(SignatureError::BadEncoding)?;
            sum = add(sum, words);
        }
        Ok(BlsSignature::from_bytes(put(sum)))
    }

    fn verify(
        key: &CheapKey,
        message: &[u8],
        signature: &BlsSignature,
    ) -> Result<(), SignatureError> {
        check(mac(key.0, hash(message)), signature)
    }

    fn verify_same(
        keys: &[&CheapKey],
        message: &[u8],
        aggregate: &BlsSignature,
    ) -> Result<(), SignatureError> {
        if keys.is_empty() {
            return Err(SignatureError::Empty);
        }
        check(sum_of(keys, message), aggregate)
    }

    fn verify_groups(
        groups: &Groups<'_, CheapKey>,
        aggregate: &BlsSignature,
    ) -> Result<(), SignatureError> {
        if groups.is_empty() || groups.iter().any(|(keys, _)| keys.is_empty()) {
            return Err(SignatureError::Empty);
        }
        let sum =
            groups.iter().fold([0, 0], |sum, (keys, message)| add(sum, sum_of(keys, message)));
        check(sum, aggregate)
    }
}

fn network_key(key: &PublicKey) -> [u64; 2] {
    hash(key.as_bytes())
}

/// Signs in place of the network key whose public half is given.
#[must_use]
pub fn sign_network(key: &PublicKey, message: &[u8]) -> Signature {
    Signature::from_bytes(put(mac(network_key(key), hash(message))))
}

/// Checks what [`sign_network`] made.
#[must_use]
pub fn check_network(key: &PublicKey, message: &[u8], signature: &Signature) -> bool {
    get(signature.as_bytes()) == Some(mac(network_key(key), hash(message)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(n: u8) -> CheapKey {
        Cheap::secret_from_seed(&[n; 32])
    }

    #[test]
    fn a_signature_fits_its_key_and_message_alone() {
        let signature = Cheap::sign(&key(1), b"x");
        assert_eq!(Cheap::verify(&key(1), b"x", &signature), Ok(()));
        assert_eq!(Cheap::verify(&key(2), b"x", &signature), Err(SignatureError::Mismatch));
        assert_eq!(Cheap::verify(&key(1), b"y", &signature), Err(SignatureError::Mismatch));
        let bytes = BlsSignature::from_bytes([0; 96]);
        assert_eq!(Cheap::verify(&key(1), b"x", &bytes), Err(SignatureError::BadEncoding));
    }

    #[test]
    fn an_aggregate_proves_every_signer_over_one_or_many_messages() {
        let (a, b, c) = (key(1), key(2), key(3));
        let both = [Cheap::sign(&a, b"x"), Cheap::sign(&b, b"x")];
        let aggregate = Cheap::aggregate(&both).unwrap();
        assert_eq!(Cheap::verify_same(&[&a, &b], b"x", &aggregate), Ok(()));
        assert!(Cheap::verify_same(&[&a, &c], b"x", &aggregate).is_err());
        let all = Cheap::aggregate(&[aggregate, Cheap::sign(&c, b"y")]).unwrap();
        let groups = [(vec![&a, &b], b"x".to_vec()), (vec![&c], b"y".to_vec())];
        assert_eq!(Cheap::verify_groups(&groups, &all), Ok(()));
        assert!(Cheap::verify_groups(&groups[..1], &all).is_err());
        assert_eq!(Cheap::aggregate(&[]), Err(SignatureError::Empty));
    }

    #[test]
    fn keys_and_proofs_survive_their_bytes() {
        let public = Cheap::public(&key(1));
        assert_eq!(Cheap::key(&public), Ok(key(1)));
        let proof = Cheap::prove(&key(1), b"chain");
        assert_eq!(Cheap::check_proof(&public, b"chain", &proof), Ok(()));
        assert!(Cheap::check_proof(&public, b"other", &proof).is_err());
    }

    #[test]
    fn network_signatures_fit_their_key_and_message_alone() {
        let (a, b) = (PublicKey::from_bytes([1; 32]), PublicKey::from_bytes([2; 32]));
        let signature = sign_network(&a, b"x");
        assert!(check_network(&a, b"x", &signature));
        assert!(!check_network(&b, b"x", &signature));
        assert!(!check_network(&a, b"y", &signature));
    }
}
