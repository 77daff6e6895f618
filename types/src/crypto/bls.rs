//! BLS signatures on BLS12-381: what they are as bytes, and what an implementation must do.
//!
//! Keys are points of G1 (48 bytes), signatures points of G2 (96 bytes), in the ciphersuite with
//! proofs of possession of the IETF draft. Two implementations give the same bytes and the same
//! verdicts: [`super::pure::Pure`] in Rust alone, and `super::fast::Fast` behind the feature
//! `fast`.
//!
//! # What an aggregate proves
//! A valid aggregate over keys whose possession was proven shows that every owner agreed to the
//! message. It does not show that each single signature was valid: two owners can shift theirs by
//! opposite amounts, so that both are invalid alone and their sum is valid. Whoever blames a
//! sender must verify the sender's own signature, and what is put in a certificate must be the
//! very sum that was verified.

use super::bytes::fixed_bytes;
use super::{KeyError, SignatureError};
use std::collections::BTreeMap;

/// The tag under which messages are hashed to the curve.
pub const SIGNATURE_TAG: &[u8] = b"BLS_SIG_BLS12381G2_XMD:SHA-256_SSWU_RO_POP_";
/// The tag under which proofs of possession are hashed to the curve.
pub const POSSESSION_TAG: &[u8] = b"BLS_POP_BLS12381G2_XMD:SHA-256_SSWU_RO_POP_";

fixed_bytes! {
    /// A BLS public key, compressed. Any 48 bytes decode; [`Bls::key`] judges them.
    BlsPublicKey[48]
}

fixed_bytes! {
    /// A BLS signature or a sum of signatures, compressed. Any 96 bytes decode; the functions of
    /// [`Bls`] judge them.
    BlsSignature[96]
}

/// The keys that signed one message each, and the messages.
pub type Groups<'a, K> = [(Vec<&'a K>, Vec<u8>)];

/// An implementation of the signature scheme.
///
/// Messages are made by [`super::signing_bytes`]. All decoding checks that a point is on the curve,
/// in the group of prime order, and not the identity.
pub trait Bls: Clone + Default + Send + Sync + 'static {
    /// A secret key, wiped from memory when dropped.
    type Secret: Clone + Send + Sync;
    /// A public key that was decoded and checked once.
    type Key: Clone + Send + Sync;

    /// Derives the secret key of a seed by the draft's `KeyGen` with empty key info.
    fn secret_from_seed(seed: &[u8; 32]) -> Self::Secret;

    /// The public key of `secret`.
    fn public(secret: &Self::Secret) -> BlsPublicKey;

    /// Signs `message`.
    fn sign(secret: &Self::Secret, message: &[u8]) -> BlsSignature;

    /// Proves possession of `secret`: a signature under a tag of its own over the public key and
    /// `binding`, which names the chain and the owner so that nobody else can present the proof.
    fn prove(secret: &Self::Secret, binding: &[u8]) -> BlsSignature;

    /// Checks a proof made by [`Bls::prove`] for the same `binding`.
    ///
    /// # Errors
    /// When the key is refused, or the proof is not its owner's for this binding.
    fn check_proof(
        key: &BlsPublicKey,
        binding: &[u8],
        proof: &BlsSignature,
    ) -> Result<(), SignatureError>;

    /// Decodes and checks a public key.
    ///
    /// # Errors
    /// When it is not the one encoding of a point, the identity, or outside the group.
    fn key(bytes: &BlsPublicKey) -> Result<Self::Key, KeyError>;

    /// Adds up signatures.
    ///
    /// # Errors
    /// When there is none, one is refused, or the sum is the identity.
    fn aggregate(signatures: &[BlsSignature]) -> Result<BlsSignature, SignatureError>;

    /// Verifies one signer's signature.
    ///
    /// # Errors
    /// When the signature is refused or does not match.
    fn verify(
        key: &Self::Key,
        message: &[u8],
        signature: &BlsSignature,
    ) -> Result<(), SignatureError>;

    /// Verifies a sum of signatures of one message, one by each of `keys`. Two pairings.
    ///
    /// Only keys whose possession was proven may be passed: otherwise one owner can choose a key
    /// that makes the others appear to have signed.
    ///
    /// # Errors
    /// When there is no key, the keys cancel, or the signature is refused or does not match.
    fn verify_same(
        keys: &[&Self::Key],
        message: &[u8],
        aggregate: &BlsSignature,
    ) -> Result<(), SignatureError>;

    /// Verifies a sum of signatures where every key of a group signed the group's message. One
    /// pairing for each distinct message and one more.
    ///
    /// Groups with equal messages count as one. Only keys whose possession was proven may be
    /// passed.
    ///
    /// # Errors
    /// When there is no group, one has no key, the keys of one message cancel, or the signature is
    /// refused or does not match.
    fn verify_groups(
        groups: &Groups<'_, Self::Key>,
        aggregate: &BlsSignature,
    ) -> Result<(), SignatureError>;
}

/// The groups with equal messages put together.
pub(super) fn merge_groups<'a, K>(
    groups: &'a Groups<'a, K>,
) -> Result<BTreeMap<&'a [u8], Vec<&'a K>>, SignatureError> {
    let mut merged: BTreeMap<&[u8], Vec<&K>> = BTreeMap::new();
    for (keys, message) in groups {
        if keys.is_empty() {
            return Err(SignatureError::Empty);
        }
        merged.entry(message).or_default().extend(keys);
    }
    if merged.is_empty() { Err(SignatureError::Empty) } else { Ok(merged) }
}

/// What a proof of possession signs: the key and what binds it.
pub(super) fn possession_bytes(key: &BlsPublicKey, binding: &[u8]) -> Vec<u8> {
    [key.as_bytes().as_slice(), binding].concat()
}
