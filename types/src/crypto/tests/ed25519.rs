use crate::crypto::ed25519::{PublicKey, SecretKey, Signature, verify_batch};
use crate::crypto::hash::{Domain, hash};
use crate::crypto::{Digest, KeyError, SignatureError, signing_bytes};
use ed25519_dalek::{Verifier as _, VerifyingKey};

const ORDER: [u8; 32] = [
    0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
];

/// One encoding of each point of order 1, 2, 4 and 8, up to the sign bit.
const SMALL_ORDER: [&str; 5] = [
    "0100000000000000000000000000000000000000000000000000000000000000",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "0000000000000000000000000000000000000000000000000000000000000000",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
];

/// Every domain under which something is signed.
const SIGNED: [Domain; 8] = [
    Domain::Prepare,
    Domain::Commit,
    Domain::Timeout,
    Domain::Proposal,
    Domain::Acknowledge,
    Domain::Reveal,
    Domain::Possession,
    Domain::Envelope,
];

fn chain(name: &[u8]) -> Digest {
    hash(Domain::Genesis, &[name])
}

fn point(key: &PublicKey) -> VerifyingKey {
    VerifyingKey::from_bytes(key.as_bytes()).expect("a point")
}

#[test]
fn accepts_its_own_signature_and_no_other_message_or_key() {
    let (key, other) = (SecretKey::from_seed([1; 32]), SecretKey::from_seed([2; 32]));
    let signature = key.sign(b"message");
    assert_eq!(key.public().verify(b"message", &signature), Ok(()));
    let mismatch = Err(SignatureError::Mismatch);
    assert_eq!(key.public().verify(b"massage", &signature), mismatch);
    assert_eq!(other.public().verify(b"message", &signature), mismatch);
}

#[test]
fn refuses_every_other_domain_and_chain() {
    let key = SecretKey::from_seed([3; 32]);
    for signed in SIGNED {
        let signature = key.sign(&signing_bytes(signed, &chain(b"one"), b"body"));
        for read in SIGNED {
            let verdict = |name| {
                let message = signing_bytes(read, &chain(name), b"body");
                key.public().verify(&message, &signature)
            };
            assert_eq!(verdict(b"one").is_ok(), read == signed, "{signed:?} read as {read:?}");
            assert_eq!(verdict(b"two"), Err(SignatureError::Mismatch));
        }
    }
}

#[test]
fn refuses_a_second_form_of_a_valid_signature() {
    let key = SecretKey::from_seed([4; 32]);
    let mut bytes = *key.sign(b"message").as_bytes();
    let mut carry = 0_u16;
    for (byte, add) in bytes[32..].iter_mut().zip(ORDER) {
        let sum = u16::from(*byte) + u16::from(add) + carry;
        *byte = u8::try_from(sum & 0xff).expect("masked");
        carry = sum >> 8;
    }
    assert_eq!(carry, 0);
    let signature = Signature::from_bytes(bytes);
    assert_eq!(key.public().verify(b"message", &signature), Err(SignatureError::Mismatch));
}

#[test]
fn refuses_keys_of_small_order_though_the_lax_rule_accepts_them() {
    for text in SMALL_ORDER {
        let key: PublicKey = text.parse().expect("32 bytes");
        assert_eq!(key.check(), Err(KeyError::SmallOrder), "{text}");
    }
    // The identity as key and nonce, with a zero scalar, "signs" every message.
    let key: PublicKey = SMALL_ORDER[0].parse().expect("32 bytes");
    let mut bytes = [0; 64];
    bytes[..32].copy_from_slice(key.as_bytes());
    let lax = point(&key).verify(b"anything", &ed25519_dalek::Signature::from_bytes(&bytes));
    assert!(lax.is_ok());
    let strict = key.verify(b"anything", &Signature::from_bytes(bytes));
    assert_eq!(strict, Err(SignatureError::Mismatch));
}

#[test]
fn refuses_a_key_that_is_no_point() {
    let no_point = (0..=u8::MAX)
        .map(|first| PublicKey::from_bytes([first; 32]))
        .find(|key| VerifyingKey::from_bytes(key.as_bytes()).is_err())
        .expect("half of all strings are no points");
    assert_eq!(no_point.check(), Err(KeyError::BadEncoding));
    let refusal = Err(SignatureError::Key(KeyError::BadEncoding));
    assert_eq!(no_point.verify(b"message", &Signature::from_bytes([0; 64])), refusal);
}

#[test]
fn refuses_to_admit_a_second_encoding_of_a_point() {
    let mut found = 0;
    for y in 2..=18 {
        // `p + y`, which reads as `y` where it is not refused.
        let mut bytes = [0xff; 32];
        (bytes[0], bytes[31]) = (0xed + y, 0x7f);
        let key = PublicKey::from_bytes(bytes);
        if VerifyingKey::from_bytes(key.as_bytes()).is_ok_and(|point| !point.is_weak()) {
            found += 1;
            assert_eq!(key.check(), Err(KeyError::BadEncoding));
        }
    }
    assert!(found > 0, "no such encoding was tried");
}

#[test]
fn refuses_to_admit_a_key_with_a_part_of_small_order() {
    let honest = SecretKey::from_seed([5; 32]).public();
    assert_eq!(honest.check(), Ok(()));
    for text in &SMALL_ORDER[1..] {
        let small = text.parse().expect("32 bytes");
        let sum = point(&honest).to_edwards() + point(&small).to_edwards();
        let key = PublicKey::from_bytes(sum.compress().to_bytes());
        assert_eq!(key.check(), Err(KeyError::NotInSubgroup), "{text}");
    }
}

#[test]
fn a_batch_is_valid_only_when_every_signature_is() {
    let keys: Vec<_> = (0..10).map(|seed| SecretKey::from_seed([seed; 32])).collect();
    let mut items: Vec<(PublicKey, &[u8], Signature)> = keys
        .iter()
        .map(|key| (key.public(), b"message".as_slice(), key.sign(b"message")))
        .collect();
    assert_eq!(verify_batch(&items), Ok(()));
    assert_eq!(verify_batch(&[]), Ok(()));
    for bad in 0..items.len() {
        let good = std::mem::replace(&mut items[bad].2, keys[bad].sign(b"other"));
        assert_eq!(verify_batch(&items), Err(SignatureError::Mismatch));
        items[bad].2 = good;
    }
}

#[test]
fn a_secret_key_survives_its_seed_and_is_not_printed() {
    let key = SecretKey::from_seed([0xab; 32]);
    assert_eq!(SecretKey::from_seed(*key.to_seed()).public(), key.public());
    assert!(!format!("{key:?}").contains("abab"));
}
