//! BLS in Rust alone, for programs without a C toolchain, and as the judge of the fast one.

use super::bls::{
    Bls, BlsPublicKey, BlsSignature, Groups, POSSESSION_TAG, SIGNATURE_TAG, merge_groups,
    possession_bytes,
};
use super::keygen::scalar_from_seed;
use super::{KeyError, SignatureError};
use crate::museum::{Bug, planted};
use bls12_381::hash_to_curve::{ExpandMsgXmd, HashToCurve};
use bls12_381::{
    G1Affine, G1Projective, G2Affine, G2Prepared, G2Projective, Gt, Scalar, multi_miller_loop,
};
use core::fmt;
use sha2::Sha256;
use zeroize::Zeroizing;

/// The implementation on the crate `bls12_381`, which is not audited: nodes run the other one.
#[derive(Clone, Copy, Debug, Default)]
pub struct Pure;

/// A secret key.
#[derive(Clone)]
pub struct Secret(Zeroizing<Scalar>);

/// A checked public key: of prime order, not the identity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Key(G1Affine);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

impl Bls for Pure {
    type Secret = Secret;
    type Key = Key;

    fn secret_from_seed(seed: &[u8; 32]) -> Secret {
        Secret(scalar_from_seed(seed))
    }

    fn public(secret: &Secret) -> BlsPublicKey {
        let point = G1Affine::generator() * *secret.0;
        BlsPublicKey::from_bytes(G1Affine::from(point).to_compressed())
    }

    fn sign(secret: &Secret, message: &[u8]) -> BlsSignature {
        sign(secret, message, SIGNATURE_TAG)
    }

    fn prove(secret: &Secret, binding: &[u8]) -> BlsSignature {
        sign(secret, &possession_bytes(&Self::public(secret), binding), POSSESSION_TAG)
    }

    fn check_proof(
        key: &BlsPublicKey,
        binding: &[u8],
        proof: &BlsSignature,
    ) -> Result<(), SignatureError> {
        let Key(point) = Self::key(key)?;
        let message = possession_bytes(key, binding);
        check(&[(point, &message)], POSSESSION_TAG, &decode(proof)?)
    }

    fn key(bytes: &BlsPublicKey) -> Result<Key, KeyError> {
        let point = Option::from(G1Affine::from_compressed_unchecked(bytes.as_bytes()));
        let point: G1Affine = point.ok_or(KeyError::BadEncoding)?;
        if point.is_identity().into() {
            return Err(KeyError::Identity);
        }
        if !bool::from(point.is_torsion_free()) && !planted(Bug::PointsUnchecked) {
            return Err(KeyError::NotInSubgroup);
        }
        Ok(Key(point))
    }

    fn aggregate(signatures: &[BlsSignature]) -> Result<BlsSignature, SignatureError> {
        if signatures.is_empty() {
            return Err(SignatureError::Empty);
        }
        let mut sum = G2Projective::identity();
        for signature in signatures {
            sum += decode(signature)?;
        }
        if sum.is_identity().into() {
            return Err(SignatureError::Identity);
        }
        Ok(BlsSignature::from_bytes(G2Affine::from(sum).to_compressed()))
    }

    fn verify(key: &Key, message: &[u8], signature: &BlsSignature) -> Result<(), SignatureError> {
        check(&[(key.0, message)], SIGNATURE_TAG, &decode(signature)?)
    }

    fn verify_same(
        keys: &[&Key],
        message: &[u8],
        aggregate: &BlsSignature,
    ) -> Result<(), SignatureError> {
        check(&[(add_keys(keys)?, message)], SIGNATURE_TAG, &decode(aggregate)?)
    }

    fn verify_groups(
        groups: &Groups<'_, Key>,
        aggregate: &BlsSignature,
    ) -> Result<(), SignatureError> {
        let pairs = merge_groups(groups)?
            .into_iter()
            .map(|(message, keys)| Ok((add_keys(&keys)?, message)))
            .collect::<Result<Vec<_>, SignatureError>>()?;
        check(&pairs, SIGNATURE_TAG, &decode(aggregate)?)
    }
}

fn hash_to_g2(message: &[u8], tag: &[u8]) -> G2Affine {
    <G2Projective as HashToCurve<ExpandMsgXmd<Sha256>>>::hash_to_curve([message], tag).into()
}

fn sign(secret: &Secret, message: &[u8], tag: &[u8]) -> BlsSignature {
    let point = hash_to_g2(message, tag) * *secret.0;
    BlsSignature::from_bytes(G2Affine::from(point).to_compressed())
}

fn decode(signature: &BlsSignature) -> Result<G2Affine, SignatureError> {
    let point = Option::from(G2Affine::from_compressed_unchecked(signature.as_bytes()));
    let point: G2Affine = point.ok_or(SignatureError::BadEncoding)?;
    if point.is_identity().into() {
        return Err(SignatureError::Identity);
    }
    if !bool::from(point.is_torsion_free()) {
        return Err(SignatureError::NotInSubgroup);
    }
    Ok(point)
}

fn add_keys(keys: &[&Key]) -> Result<G1Affine, SignatureError> {
    if keys.is_empty() {
        return Err(SignatureError::Empty);
    }
    let sum = keys.iter().fold(G1Projective::identity(), |sum, key| sum + key.0);
    if sum.is_identity().into() {
        return Err(SignatureError::KeysCancel);
    }
    Ok(sum.into())
}

/// Whether the product of `e(key, H(message))` over all pairs is `e(generator, signature)`.
fn check(
    pairs: &[(G1Affine, &[u8])],
    tag: &[u8],
    signature: &G2Affine,
) -> Result<(), SignatureError> {
    let mut terms: Vec<(G1Affine, G2Prepared)> =
        pairs.iter().map(|(key, message)| (*key, hash_to_g2(message, tag).into())).collect();
    terms.push((-G1Affine::generator(), G2Prepared::from(*signature)));
    let terms: Vec<_> = terms.iter().map(|(key, point)| (key, point)).collect();
    if multi_miller_loop(&terms).final_exponentiation() == Gt::identity() {
        Ok(())
    } else {
        Err(SignatureError::Mismatch)
    }
}
