//! `KeyGen` of the IETF BLS draft: a secret scalar from a seed by HKDF with SHA-256.

use bls12_381::Scalar;
use hmac::{Hmac, Mac as _};
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

/// Bytes drawn for a scalar: `ceil(3 * ceil(log2(r)) / 16)`, so that the reduction shows no bias.
const DRAWN: u8 = 48;

/// Derives the scalar of `seed`, with empty key info.
pub(super) fn scalar_from_seed(seed: &[u8; 32]) -> Zeroizing<Scalar> {
    let mut salt = Sha256::digest(b"BLS-SIG-KEYGEN-SALT-");
    loop {
        let extracted = mac(&salt, &[seed, &[0]]);
        let first = mac(&*extracted, &[&[0, DRAWN], &[1]]);
        let second = mac(&*extracted, &[&*first, &[0, DRAWN], &[2]]);
        // The drawn bytes are a big-endian number, the scalar's are little-endian.
        let mut wide = Zeroizing::new([0; 64]);
        wide[..32].copy_from_slice(&*first);
        wide[32..usize::from(DRAWN)].copy_from_slice(&second[..usize::from(DRAWN) - 32]);
        wide[..usize::from(DRAWN)].reverse();
        let scalar = Zeroizing::new(Scalar::from_bytes_wide(&wide));
        if *scalar != Scalar::zero() {
            return scalar;
        }
        salt = Sha256::digest(salt);
    }
}

fn mac(key: &[u8], parts: &[&[u8]]) -> Zeroizing<[u8; 32]> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("any length is a key");
    for part in parts {
        mac.update(part);
    }
    Zeroizing::new(mac.finalize().into_bytes().into())
}
