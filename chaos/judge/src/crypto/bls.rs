//! BLS signatures: keys in G1, signatures in G2, both compressed.

use bls12_381::hash_to_curve::{ExpandMsgXmd, HashToCurve};
use bls12_381::{
    G1Affine, G1Projective, G2Affine, G2Prepared, G2Projective, Gt, multi_miller_loop,
};
use sha2::Sha256;

/// How messages are hashed to the curve.
pub const MESSAGE_TAG: &[u8] = b"BLS_SIG_BLS12381G2_XMD:SHA-256_SSWU_RO_POP_";
/// How proofs of possession are.
pub const POSSESSION_TAG: &[u8] = b"BLS_POP_BLS12381G2_XMD:SHA-256_SSWU_RO_POP_";

/// A checked public key.
#[derive(Clone, Copy, Debug)]
pub struct Key(G1Affine);

impl Key {
    /// Reads a key; `None` for what is no point of the group, and for the identity.
    #[must_use]
    pub fn read(bytes: &[u8; 48]) -> Option<Self> {
        // Checks the curve and the group.
        let point = Option::<G1Affine>::from(G1Affine::from_compressed(bytes))?;
        (!bool::from(point.is_identity())).then_some(Self(point))
    }

    /// Whether `proof` shows that the key's owner holds its secret.
    #[must_use]
    pub fn is_possessed(&self, binding: &[u8], proof: &[u8; 96]) -> bool {
        let message = [self.0.to_compressed().as_slice(), binding].concat();
        verify(self.0, &message, POSSESSION_TAG, proof)
    }
}

/// Whether `signature` is the sum of a signature of `message` by each key.
#[must_use]
pub fn verify_sum(keys: &[Key], message: &[u8], signature: &[u8; 96]) -> bool {
    let sum = keys.iter().fold(G1Projective::identity(), |sum, key| sum + key.0);
    !bool::from(sum.is_identity()) && verify(sum.into(), message, MESSAGE_TAG, signature)
}

/// `message` on the curve.
#[must_use]
pub fn hash_to_curve(message: &[u8], tag: &[u8]) -> G2Projective {
    <G2Projective as HashToCurve<ExpandMsgXmd<Sha256>>>::hash_to_curve([message], tag)
}

fn verify(key: G1Affine, message: &[u8], tag: &[u8], signature: &[u8; 96]) -> bool {
    // Checks the curve and the group.
    let Some(point) = Option::<G2Affine>::from(G2Affine::from_compressed(signature)) else {
        return false;
    };
    if point.is_identity().into() {
        return false;
    }
    let hashed = G2Prepared::from(G2Affine::from(hash_to_curve(message, tag)));
    let (base, point) = (-G1Affine::generator(), G2Prepared::from(point));
    let product = multi_miller_loop(&[(&key, &hashed), (&base, &point)]);
    product.final_exponentiation() == Gt::identity()
}
