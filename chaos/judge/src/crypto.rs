//! Hashes, Merkle trees and signatures (sections 2 and 3 of the document).
//!
//! BLS is checked with the pure Rust implementation: nodes use another one, so a flaw in either
//! shows as a disagreement.

pub mod bls;
pub mod merkle;

use crate::wire::Id;
use ed25519_dalek::{Signature, VerifyingKey};
use sha2::{Digest as _, Sha256};

/// `len(D) ‖ D`.
fn prefix(domain: &str) -> Vec<u8> {
    let length = u8::try_from(domain.len()).expect("the names are short");
    [&[length], domain.as_bytes()].concat()
}

/// SHA-256 over the name and the parts, one behind the other.
#[must_use]
pub fn hash(domain: &str, parts: &[&[u8]]) -> Id {
    let mut hasher = Sha256::new_with_prefix(prefix(domain));
    parts.iter().for_each(|part| hasher.update(part));
    Id(hasher.finalize().into())
}

/// Plain SHA-256, as digests of frames use it.
#[must_use]
pub fn sha256(parts: &[&[u8]]) -> Id {
    let mut hasher = Sha256::new();
    parts.iter().for_each(|part| hasher.update(part));
    Id(hasher.finalize().into())
}

/// The bytes that are signed for a statement.
#[must_use]
pub fn signed(domain: &str, chain: &Id, statement: &[u8]) -> Vec<u8> {
    [&prefix(domain), chain.0.as_slice(), statement].concat()
}

/// The id of a transaction.
#[must_use]
pub fn transaction_id(rollup: u64, payload: &[u8]) -> Id {
    hash("chorale/1/transaction", &[&rollup.to_be_bytes(), payload])
}

/// Whether an ed25519 signature is strictly valid.
#[must_use]
pub fn ed25519(key: &[u8; 32], message: &[u8], signature: &[u8; 64]) -> bool {
    VerifyingKey::from_bytes(key)
        .is_ok_and(|key| key.verify_strict(message, &Signature::from_bytes(signature)).is_ok())
}
