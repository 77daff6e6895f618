//! Ed25519 for node identities, leaders' proposals, lane acknowledgements and operator accounts.
//!
//! There is one rule of validity, the strict one: canonical scalar and points, no point of small
//! order, and the exact equation without the cofactor.

use super::bytes::fixed_bytes;
use super::{KeyError, SignatureError};
use core::fmt;
use ed25519_dalek::{Signer as _, SigningKey, VerifyingKey};
use zeroize::Zeroizing;

fixed_bytes! {
    /// An Ed25519 public key. Any 32 bytes decode; [`PublicKey::check`] and
    /// [`PublicKey::verify`] refuse what is no point.
    PublicKey[32]
}

fixed_bytes! {
    /// An Ed25519 signature. Any 64 bytes decode; [`PublicKey::verify`] judges them.
    Signature[64]
}

impl PublicKey {
    /// Whether the key may be admitted to a validator set.
    ///
    /// # Errors
    /// When the bytes are not the one encoding of a point of the group of prime order.
    pub fn check(&self) -> Result<(), KeyError> {
        let key = VerifyingKey::from_bytes(&self.0).map_err(|_| KeyError::BadEncoding)?;
        if key.is_weak() {
            return Err(KeyError::SmallOrder);
        }
        let point = key.to_edwards();
        if point.compress().as_bytes() != &self.0 {
            return Err(KeyError::BadEncoding);
        }
        if !point.is_torsion_free() {
            return Err(KeyError::NotInSubgroup);
        }
        Ok(())
    }

    /// Verifies `signature` over `message`, which is made by [`super::signing_bytes`].
    ///
    /// # Errors
    /// When the key is no point, or the signature is not strictly valid.
    pub fn verify(&self, message: &[u8], signature: &Signature) -> Result<(), SignatureError> {
        let key = VerifyingKey::from_bytes(&self.0).map_err(|_| KeyError::BadEncoding)?;
        let signature = ed25519_dalek::Signature::from_bytes(&signature.0);
        key.verify_strict(message, &signature).map_err(|_| SignatureError::Mismatch)
    }
}

/// Verifies every signature over its message; all of none is valid.
///
/// Each is verified by itself. The usual batch equation adds up all signatures with factors drawn
/// from the batch: errors that lie in the small subgroup can cancel there, and a sender may try
/// batches until they do. Such a batch would be valid for those who check it as one and invalid
/// for those who check one by one, and nodes would disagree about a certificate.
///
/// # Errors
/// The refusal of the first signature that is not strictly valid.
pub fn verify_batch(items: &[(PublicKey, &[u8], Signature)]) -> Result<(), SignatureError> {
    items.iter().try_for_each(|(key, message, signature)| key.verify(message, signature))
}

/// An Ed25519 secret key. It is wiped from memory when dropped, and never printed.
#[derive(Clone)]
pub struct SecretKey(SigningKey);

impl SecretKey {
    /// The key of a 32-byte seed, as in RFC 8032.
    #[must_use]
    pub fn from_seed(seed: [u8; 32]) -> Self {
        Self(SigningKey::from_bytes(&Zeroizing::new(seed)))
    }

    /// The seed; wiped when dropped.
    #[must_use]
    pub fn to_seed(&self) -> Zeroizing<[u8; 32]> {
        Zeroizing::new(self.0.to_bytes())
    }

    /// The public key.
    #[must_use]
    pub fn public(&self) -> PublicKey {
        PublicKey(self.0.verifying_key().to_bytes())
    }

    /// Signs `message`, which is made by [`super::signing_bytes`].
    #[must_use]
    pub fn sign(&self, message: &[u8]) -> Signature {
        Signature(self.0.sign(message).to_bytes())
    }
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SecretKey(of {})", self.public())
    }
}
