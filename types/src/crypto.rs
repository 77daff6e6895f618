//! Hashing, keys, signatures and signer bitmaps: thin, strict layers over known libraries.
//!
//! Every signature is over [`signing_bytes`], so that bytes signed for one purpose or chain never
//! verify for another. A signature is valid or invalid for everyone alike: there is one strict rule
//! for each scheme and no faster check that would accept more.

pub mod bitmap;
pub mod bls;
mod bytes;
pub mod ed25519;
#[cfg(feature = "fast")]
pub mod fast;
pub mod hash;
mod keygen;
pub mod pure;

#[cfg(test)]
mod tests;

use crate::museum::{Bug, planted};
pub use bitmap::SignerSet;
pub use bls::{Bls, BlsPublicKey, BlsSignature};
pub use hash::{Digest, Domain};

use thiserror::Error;

/// Why a key was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum KeyError {
    /// The bytes are not the one encoding of a point on the curve.
    #[error("key is not the encoding of a point on the curve")]
    BadEncoding,
    /// The point at infinity, which every signature of the identity satisfies.
    #[error("key is the point at infinity")]
    Identity,
    /// A point on the curve outside the group of prime order.
    #[error("key is outside the group of prime order")]
    NotInSubgroup,
    /// A point of small order, under which one signature fits many messages.
    #[error("key is a point of small order")]
    SmallOrder,
}

/// Why a signature was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum SignatureError {
    /// The bytes are not the one encoding of a point on the curve.
    #[error("signature is not the encoding of a point on the curve")]
    BadEncoding,
    /// The point at infinity: signed by nobody, or by keys that cancel.
    #[error("signature is the point at infinity")]
    Identity,
    /// A point on the curve outside the group of prime order.
    #[error("signature is outside the group of prime order")]
    NotInSubgroup,
    /// No signature to add up, or a message without a key.
    #[error("nobody signed")]
    Empty,
    /// The keys that signed one message cancel each other. Their owners must have arranged it.
    #[error("the keys that signed one message add up to the point at infinity")]
    KeysCancel,
    /// The key itself is refused.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// Well formed, but not made by this key over these bytes.
    #[error("signature does not match key and message")]
    Mismatch,
}

/// The bytes that are signed: the domain, the chain, and `body`, one behind the other.
///
/// The first two have a fixed length under each domain, so no two statements share their bytes.
/// `chain` is the hash of the genesis document.
#[must_use]
pub fn signing_bytes(domain: Domain, chain: &Digest, body: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(64 + body.len());
    domain.prefix(&mut out);
    if !planted(Bug::ChainUnbound) {
        out.extend_from_slice(chain.as_bytes());
    }
    out.extend_from_slice(body);
    out
}
