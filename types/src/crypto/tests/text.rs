use crate::codec::{Decode, Encode, decode_exact};
use crate::crypto::{BlsPublicKey, BlsSignature, ed25519};
use core::fmt::{Debug, Display};
use core::str::FromStr;
use proptest::prelude::*;
use serde::{Serialize, de::DeserializeOwned};

fn survives<T>(value: T, length: usize)
where
    T: Copy
        + Debug
        + Display
        + FromStr
        + PartialEq
        + Serialize
        + DeserializeOwned
        + Encode
        + Decode,
    T::Err: Debug,
{
    let text = value.to_string();
    assert_eq!((text.len(), &text[..2]), (2 + 2 * length, "0x"));
    assert_eq!(text.parse::<T>().expect("own text"), value);
    let json = serde_json::to_string(&value).expect("text");
    assert_eq!(json, format!("\"{text}\""));
    assert_eq!(serde_json::from_str::<T>(&json).expect("own text"), value);
    assert_eq!(value.to_bytes().len(), length);
    assert_eq!(decode_exact::<T>(&value.to_bytes()), Ok(value));
    assert!(text[..text.len() - 2].parse::<T>().is_err());
    assert!(format!("{text}00").parse::<T>().is_err());
    assert!(text.replacen("0x", "0g", 1).parse::<T>().is_err());
    assert!(decode_exact::<T>(&value.to_bytes()[1..]).is_err());
}

proptest! {
    #[test]
    fn keys_and_signatures_survive_their_text_and_encoding(bytes in any::<[u8; 32]>()) {
        let tiled = |n: usize| bytes.iter().copied().cycle().take(n).collect::<Vec<_>>();
        survives(ed25519::PublicKey::from_bytes(bytes), 32);
        survives(ed25519::Signature::from_bytes(tiled(64).try_into().expect("64")), 64);
        survives(BlsPublicKey::from_bytes(tiled(48).try_into().expect("48")), 48);
        survives(BlsSignature::from_bytes(tiled(96).try_into().expect("96")), 96);
    }
}
