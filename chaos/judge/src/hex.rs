//! Bytes as histories write them: `0x` and hexadecimal.

use crate::wire::Id;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use std::borrow::Cow;

fn digits<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Cow<'de, str>, D::Error> {
    #[derive(Deserialize)]
    struct Text<'a>(#[serde(borrow)] Cow<'a, str>);
    let Text(text) = Text::deserialize(deserializer)?;
    match text.strip_prefix("0x") {
        Some(digits) => Ok(Cow::Owned(digits.to_owned())),
        None => Err(D::Error::custom("bytes do not begin with 0x")),
    }
}

/// So many bytes.
#[derive(Clone, Copy, Debug)]
pub struct Hex<const N: usize>(pub [u8; N]);

impl<'de, const N: usize> Deserialize<'de> for Hex<N> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut bytes = [0; N];
        let digits = digits(deserializer)?;
        hex::decode_to_slice(digits.as_bytes(), &mut bytes).map_err(D::Error::custom)?;
        Ok(Self(bytes))
    }
}

/// Any number of bytes.
#[derive(Clone, Debug)]
pub struct HexBytes(pub Vec<u8>);

impl<'de> Deserialize<'de> for HexBytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        hex::decode(digits(deserializer)?.as_bytes()).map(Self).map_err(D::Error::custom)
    }
}

impl<'de> Deserialize<'de> for Id {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Hex::<32>::deserialize(deserializer).map(|hex| Self(hex.0))
    }
}
