//! Published test vectors.

use crate::crypto::bls::{Bls, BlsPublicKey, BlsSignature};
use crate::crypto::ed25519;
use crate::crypto::keygen::scalar_from_seed;
use bls12_381::hash_to_curve::{ExpandMsgXmd, HashToCurve};
use bls12_381::{G2Affine, G2Projective};
use sha2::Sha256;

/// RFC 9380, section J.10.1: the suite under which signatures are made, with the tag of the tests.
const HASH_TAG: &[u8] = b"QUUX-V01-CS02-with-BLS12381G2_XMD:SHA-256_SSWU_RO_";
/// Message, and the point uncompressed.
const HASHED: [(&[u8], &str); 3] = [
    (
        b"",
        "05cb8437535e20ecffaef7752baddf98034139c38452458baeefab379ba13dff\
         5bf5dd71b72418717047f5b0f37da03d0141ebfbdca40eb85b87142e130ab689\
         c673cf60f1a3e98d69335266f30d9b8d4ac44c1038e9dcdd5393faf5c41fb78a\
         12424ac32561493f3fe3c260708a12b7c620e7be00099a974e259ddc7d1f6395\
         c3c811cdd19f1e8dbf3e9ecfdcbab8d60503921d7f6a12805e72940b963c0cf3\
         471c7b2a524950ca195d11062ee75ec076daf2d4bc358c4b190c0c98064fdd92",
    ),
    (
        b"abc",
        "139cddbccdc5e91b9623efd38c49f81a6f83f175e80b06fc374de9eb4b41dfe4\
         ca3a230ed250fbe3a2acf73a41177fd802c2d18e033b960562aae3cab37a27ce\
         00d80ccd5ba4b7fe0e7a210245129dbec7780ccc7954725f4168aff2787776e6\
         00aa65dae3c8d732d10ecd2c50f8a1baf3001578f71c694e03866e9f3d49ac1e\
         1ce70dd94a733534f106d4cec0eddd161787327b68159716a37440985269cf58\
         4bcb1e621d3a7202be6ea05c4cfe244aeb197642555a0645fb87bf7466b2ba48",
    ),
    (
        b"abcdef0123456789",
        "190d119345b94fbd15497bcba94ecf7db2cbfd1e1fe7da034d26cbba169fb396\
         8288b3fafb265f9ebd380512a71c3f2c121982811d2491fde9ba7ed31ef9ca47\
         4f0e1501297f68c298e9f4c0028add35aea8bb83d53c08cfc007c1e005723cd0\
         0bb5e7572275c567462d91807de765611490205a941a5a6af3b1691bfe596c31\
         225d3aabdf15faff860cb4ef17c7c3be05571a0f8d3c08d094576981f4a3b8ed\
         a0a8e771fcdcc8ecceaf1356a6acf17574518acb506e435b639353c2e14827c8",
    ),
];

#[test]
fn messages_hash_to_the_points_of_rfc_9380() {
    for (message, expected) in HASHED {
        let hash = <G2Projective as HashToCurve<ExpandMsgXmd<Sha256>>>::hash_to_curve;
        let point = G2Affine::from(hash([message], HASH_TAG));
        assert_eq!(hex::encode(point.to_uncompressed()), expected);
    }
}

#[cfg(feature = "fast")]
#[test]
fn the_fast_library_hashes_to_the_points_of_rfc_9380() {
    // A signature by the secret key 1 is the hashed point itself.
    let mut one = [0; 32];
    one[31] = 1;
    let one = blst::min_pk::SecretKey::from_bytes(&one).expect("a scalar");
    for (message, expected) in HASHED {
        assert_eq!(hex::encode(one.sign(message, HASH_TAG, &[]).serialize()), expected);
    }
}

#[test]
fn a_seed_gives_the_master_key_of_eip_2333() {
    let seed = "3141592653589793238462643383279502884197169399375105820974944592";
    let mut bytes = [0; 32];
    hex::decode_to_slice(seed, &mut bytes).expect("32 bytes");
    let mut scalar = scalar_from_seed(&bytes).to_bytes();
    scalar.reverse();
    let expected = "41c9e07822b092a93fd6797396338c3ada4170cc81829fdfce6b5d34bd5e7ec7";
    assert_eq!(hex::encode(scalar), expected);
}

fn accepts_a_signature_of_the_ethereum_vectors<B: Bls>() {
    let key: BlsPublicKey = "0xa491d1b0ecd9bb917989f0e74f0dea0422eac4a873e5e2644f368dffb9a6e20f\
        d6e10c1b77654d067c0618f6e5a7f79a"
        .parse()
        .expect("48 bytes");
    let signature: BlsSignature =
        "0xb6ed936746e01f8ecf281f020953fbf1f01debd5657c4a383940b020b26507f6\
        076334f91e2366c96e9ab279fb5158090352ea1c5b0c9274504f4f0e7053af24\
        802e51e4568d164fe986834f41e55c8e850ce1f98458c0cfc9ab380b55285a55"
            .parse()
            .expect("96 bytes");
    let key = B::key(&key).expect("a key");
    assert_eq!(B::verify(&key, &[0; 32], &signature), Ok(()));
    assert!(B::verify(&key, &[1; 32], &signature).is_err());
}

#[test]
fn the_pure_one_accepts_a_signature_of_the_ethereum_vectors() {
    accepts_a_signature_of_the_ethereum_vectors::<crate::crypto::pure::Pure>();
}

#[cfg(feature = "fast")]
#[test]
fn the_fast_one_accepts_a_signature_of_the_ethereum_vectors() {
    accepts_a_signature_of_the_ethereum_vectors::<crate::crypto::fast::Fast>();
}

#[test]
fn ed25519_signs_like_rfc_8032() {
    let seed = "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60";
    let mut bytes = [0; 32];
    hex::decode_to_slice(seed, &mut bytes).expect("32 bytes");
    let key = ed25519::SecretKey::from_seed(bytes);
    let public = "0xd75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a";
    assert_eq!(key.public().to_string(), public);
    let signature = "0xe5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555\
        fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b";
    assert_eq!(key.sign(b"").to_string(), signature);
}
