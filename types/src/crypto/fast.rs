//! BLS on the audited C and assembly library `blst`, for nodes.

use super::bls::{
    Bls, BlsPublicKey, BlsSignature, Groups, POSSESSION_TAG, SIGNATURE_TAG, merge_groups,
    possession_bytes,
};
use super::{KeyError, SignatureError};
use blst::BLST_ERROR;
use blst::min_pk::{AggregatePublicKey, AggregateSignature, PublicKey, SecretKey, Signature};
use core::fmt;

/// The flag of the point at infinity in the first byte of a compressed point.
const IDENTITY_FLAG: u8 = 0x40;

/// The implementation on the crate `blst`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Fast;

/// A secret key.
#[derive(Clone)]
pub struct Secret(SecretKey);

/// A checked public key: of prime order, not the identity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Key(PublicKey);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

impl Bls for Fast {
    type Secret = Secret;
    type Key = Key;

    fn secret_from_seed(seed: &[u8; 32]) -> Secret {
        Secret(SecretKey::key_gen(seed, &[]).expect("32 bytes of seed are enough"))
    }

    fn public(secret: &Secret) -> BlsPublicKey {
        BlsPublicKey::from_bytes(secret.0.sk_to_pk().to_bytes())
    }

    fn sign(secret: &Secret, message: &[u8]) -> BlsSignature {
        BlsSignature::from_bytes(secret.0.sign(message, SIGNATURE_TAG, &[]).to_bytes())
    }

    fn prove(secret: &Secret, binding: &[u8]) -> BlsSignature {
        let message = possession_bytes(&Self::public(secret), binding);
        BlsSignature::from_bytes(secret.0.sign(&message, POSSESSION_TAG, &[]).to_bytes())
    }

    fn check_proof(
        key: &BlsPublicKey,
        binding: &[u8],
        proof: &BlsSignature,
    ) -> Result<(), SignatureError> {
        let Key(point) = Self::key(key)?;
        let message = possession_bytes(key, binding);
        check(&[point], &[&message], POSSESSION_TAG, &decode(proof)?)
    }

    fn key(bytes: &BlsPublicKey) -> Result<Key, KeyError> {
        let check = || {
            let point = PublicKey::uncompress(bytes.as_bytes())?;
            point.validate()?;
            Ok(Key(point))
        };
        check().map_err(|error| match error {
            BLST_ERROR::BLST_PK_IS_INFINITY => KeyError::Identity,
            BLST_ERROR::BLST_POINT_NOT_IN_GROUP => KeyError::NotInSubgroup,
            _ => KeyError::BadEncoding,
        })
    }

    fn aggregate(signatures: &[BlsSignature]) -> Result<BlsSignature, SignatureError> {
        let points = signatures.iter().map(decode).collect::<Result<Vec<_>, _>>()?;
        let points: Vec<_> = points.iter().collect();
        // The points were checked one by one above; the library refuses only an empty list.
        let sum = AggregateSignature::aggregate(&points, false);
        let sum = sum.map_err(|_| SignatureError::Empty)?.to_signature().to_bytes();
        if sum[0] & IDENTITY_FLAG != 0 {
            return Err(SignatureError::Identity);
        }
        Ok(BlsSignature::from_bytes(sum))
    }

    fn verify(key: &Key, message: &[u8], signature: &BlsSignature) -> Result<(), SignatureError> {
        check(&[key.0], &[message], SIGNATURE_TAG, &decode(signature)?)
    }

    fn verify_same(
        keys: &[&Key],
        message: &[u8],
        aggregate: &BlsSignature,
    ) -> Result<(), SignatureError> {
        check(&[add_keys(keys)?], &[message], SIGNATURE_TAG, &decode(aggregate)?)
    }

    fn verify_groups(
        groups: &Groups<'_, Key>,
        aggregate: &BlsSignature,
    ) -> Result<(), SignatureError> {
        let merged = merge_groups(groups)?;
        let sums = merged.values().map(|keys| add_keys(keys)).collect::<Result<Vec<_>, _>>()?;
        let messages: Vec<_> = merged.into_keys().collect();
        check(&sums, &messages, SIGNATURE_TAG, &decode(aggregate)?)
    }
}

fn decode(signature: &BlsSignature) -> Result<Signature, SignatureError> {
    let check = || {
        let point = Signature::uncompress(signature.as_bytes())?;
        point.validate(true)?;
        Ok(point)
    };
    check().map_err(|error| match error {
        BLST_ERROR::BLST_PK_IS_INFINITY => SignatureError::Identity,
        BLST_ERROR::BLST_POINT_NOT_IN_GROUP => SignatureError::NotInSubgroup,
        _ => SignatureError::BadEncoding,
    })
}

fn add_keys(keys: &[&Key]) -> Result<PublicKey, SignatureError> {
    let points: Vec<_> = keys.iter().map(|key| &key.0).collect();
    // The points were checked when decoded; the library refuses only an empty list.
    let sum = AggregatePublicKey::aggregate(&points, false).map_err(|_| SignatureError::Empty)?;
    let sum = sum.to_public_key();
    if sum.to_bytes()[0] & IDENTITY_FLAG != 0 {
        return Err(SignatureError::KeysCancel);
    }
    Ok(sum)
}

/// Whether the product of `e(key, H(message))` over all pairs is `e(generator, signature)`.
fn check(
    keys: &[PublicKey],
    messages: &[&[u8]],
    tag: &[u8],
    signature: &Signature,
) -> Result<(), SignatureError> {
    let keys: Vec<_> = keys.iter().collect();
    match signature.aggregate_verify(false, messages, tag, &keys, false) {
        BLST_ERROR::BLST_SUCCESS => Ok(()),
        _ => Err(SignatureError::Mismatch),
    }
}
