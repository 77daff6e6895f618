//! The canonical encoding of everything that is hashed, signed, sent or stored.
//!
//! Integers are big-endian and of fixed width. A list is a `u32` count and its items; bytes are a
//! `u32` length and the bytes. An option is a byte, 0 or 1, and the value. A choice is a byte and
//! its fields. There is one encoding of a value, and [`decode_exact`] accepts only that one: no
//! trailing bytes, no other booleans, no unknown choices.
//!
//! # Invariants
//! A decoder allocates no more than the input could hold: list counts are checked against what is
//! left in the reader before memory is taken.

use thiserror::Error;

/// Why bytes were refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum DecodeError {
    /// The input ends inside a value.
    #[error("input ends {missing} bytes early")]
    UnexpectedEnd {
        /// How many bytes were missing.
        missing: usize,
    },
    /// Bytes are left after the value.
    #[error("{left} bytes left after the value")]
    TrailingBytes {
        /// How many bytes are left.
        left: usize,
    },
    /// A count or length over its bound.
    #[error("{what} has {got} items, at most {max} allowed")]
    TooLong {
        /// What is bounded.
        what: &'static str,
        /// The count found.
        got: usize,
        /// The bound.
        max: usize,
    },
    /// A tag that names no choice, or a value outside its range.
    #[error("{what} cannot be {got}")]
    BadValue {
        /// What was read.
        what: &'static str,
        /// The value found.
        got: u64,
    },
    /// Well-formed pieces in an order or combination that is not canonical.
    #[error("{what} is not canonical")]
    NotCanonical {
        /// What is wrong.
        what: &'static str,
    },
    /// A version of the format that this build does not know.
    #[error("version {got} is not known, this build reads {known}")]
    UnknownVersion {
        /// The version found.
        got: u8,
        /// The version this build reads.
        known: u8,
    },
}

/// Writes the canonical encoding.
pub trait Encode {
    /// Appends the encoding of `self` to `out`.
    fn encode(&self, out: &mut Vec<u8>);

    /// The encoding as its own buffer.
    fn to_bytes(&self) -> Vec<u8> {
        // Most of what is encoded is of this order; growing from nothing costs more.
        let mut out = Vec::with_capacity(512);
        self.encode(&mut out);
        out
    }
}

/// Reads the canonical encoding.
pub trait Decode: Sized {
    /// Reads one value from the front of `reader`.
    ///
    /// # Errors
    /// When the bytes are not the canonical encoding of a value.
    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError>;
}

/// Decodes `bytes` as exactly one value.
///
/// # Errors
/// When the bytes are not the canonical encoding of a value, or more than one.
pub fn decode_exact<T: Decode>(bytes: &[u8]) -> Result<T, DecodeError> {
    let mut reader = Reader::new(bytes);
    let value = T::decode(&mut reader)?;
    match reader.left() {
        0 => Ok(value),
        left => Err(DecodeError::TrailingBytes { left }),
    }
}

/// What is left of an input.
#[derive(Debug)]
pub struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    /// Starts at the front of `bytes`.
    #[must_use]
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// How many bytes are left.
    #[must_use]
    pub const fn left(&self) -> usize {
        self.rest.len()
    }

    /// Takes the next `n` bytes.
    ///
    /// # Errors
    /// When fewer are left.
    pub fn take(&mut self, n: usize) -> Result<&'a [u8], DecodeError> {
        match self.rest.split_at_checked(n) {
            Some((head, rest)) => {
                self.rest = rest;
                Ok(head)
            }
            None => Err(DecodeError::UnexpectedEnd { missing: n.saturating_sub(self.rest.len()) }),
        }
    }

    /// Takes the next `N` bytes as an array.
    ///
    /// # Errors
    /// When fewer are left.
    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        let mut out = [0; N];
        out.copy_from_slice(self.take(N)?);
        Ok(out)
    }

    /// Reads a count and refuses one over `max`, or one that the rest cannot hold when an item
    /// takes at least one byte.
    ///
    /// # Errors
    /// When the count is over either bound.
    pub fn count(&mut self, what: &'static str, max: usize) -> Result<usize, DecodeError> {
        let raw = u32::decode(self)?;
        let got = usize::try_from(raw).unwrap_or(usize::MAX);
        if got > max {
            return Err(DecodeError::TooLong { what, got, max });
        }
        if got > self.left() {
            return Err(DecodeError::UnexpectedEnd { missing: got.saturating_sub(self.left()) });
        }
        Ok(got)
    }

    /// Reads bytes of at most `max`.
    ///
    /// # Errors
    /// When longer, or cut short.
    pub fn bytes(&mut self, what: &'static str, max: usize) -> Result<&'a [u8], DecodeError> {
        let length = self.count(what, max)?;
        self.take(length)
    }

    /// Reads a list of at most `max` items.
    ///
    /// # Errors
    /// When longer, or an item is refused.
    pub fn list<T: Decode>(
        &mut self,
        what: &'static str,
        max: usize,
    ) -> Result<Vec<T>, DecodeError> {
        let count = self.count(what, max)?;
        let mut items =
            Vec::with_capacity(count.min(self.left() / core::mem::size_of::<T>().max(1)));
        for _ in 0..count {
            items.push(T::decode(self)?);
        }
        Ok(items)
    }

    /// Reads the version byte that starts every stored or sent object.
    ///
    /// # Errors
    /// When it is not `known`.
    pub fn version(&mut self, known: u8) -> Result<(), DecodeError> {
        match u8::decode(self)? {
            got if got == known => Ok(()),
            got => Err(DecodeError::UnknownVersion { got, known }),
        }
    }
}

/// Appends a `u32` count.
///
/// # Panics
/// When the count does not fit; every list in the system is bounded far below.
pub fn encode_count(count: usize, out: &mut Vec<u8>) {
    u32::try_from(count).expect("lists are bounded far below 2^32").encode(out);
}

/// Appends a length and the bytes.
pub fn encode_bytes(bytes: &[u8], out: &mut Vec<u8>) {
    encode_count(bytes.len(), out);
    out.extend_from_slice(bytes);
}

/// Appends a count and the items.
pub fn encode_list<'a, T: Encode + 'a>(
    items: impl ExactSizeIterator<Item = &'a T>,
    out: &mut Vec<u8>,
) {
    encode_count(items.len(), out);
    for item in items {
        item.encode(out);
    }
}

macro_rules! integer {
    ($($raw:ty),*) => {$(
        impl Encode for $raw {
            fn encode(&self, out: &mut Vec<u8>) {
                out.extend_from_slice(&self.to_be_bytes());
            }
        }
        impl Decode for $raw {
            fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
                Ok(Self::from_be_bytes(reader.array()?))
            }
        }
    )*};
}
integer!(u8, u16, u32, u64, u128);

impl<const N: usize> Encode for [u8; N] {
    fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self);
    }
}

impl<const N: usize> Decode for [u8; N] {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        reader.array()
    }
}

impl<T: Encode> Encode for Option<T> {
    fn encode(&self, out: &mut Vec<u8>) {
        match self {
            None => out.push(0),
            Some(value) => {
                out.push(1);
                value.encode(out);
            }
        }
    }
}

impl<T: Decode> Decode for Option<T> {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        match u8::decode(reader)? {
            0 => Ok(None),
            1 => Ok(Some(T::decode(reader)?)),
            got => Err(DecodeError::BadValue { what: "option tag", got: u64::from(got) }),
        }
    }
}

impl<T: Encode> Encode for std::sync::Arc<T> {
    fn encode(&self, out: &mut Vec<u8>) {
        T::encode(self, out);
    }
}

impl<T: Decode> Decode for std::sync::Arc<T> {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self::new(T::decode(reader)?))
    }
}

/// Implements [`Encode`] and [`Decode`] for a struct as its fields in the order written.
///
/// A field decodes by its type; `field: max N` reads a list of at most `N` items.
#[macro_export]
macro_rules! codec_struct {
    ($name:ident { $($field:ident $(: max $max:expr)?),* $(,)? }) => {
        impl $crate::codec::Encode for $name {
            fn encode(&self, out: &mut Vec<u8>) {
                $($crate::codec_struct!(@encode self.$field, out $(, $max)?);)*
            }
        }
        impl $crate::codec::Decode for $name {
            fn decode(
                reader: &mut $crate::codec::Reader<'_>,
            ) -> Result<Self, $crate::codec::DecodeError> {
                Ok(Self {
                    $($field: $crate::codec_struct!(@decode reader, $field $(, $max)?),)*
                })
            }
        }
    };
    (@encode $value:expr, $out:ident) => { $crate::codec::Encode::encode(&$value, $out) };
    (@encode $value:expr, $out:ident, $max:expr) => {
        $crate::codec::encode_list($value.iter(), $out)
    };
    (@decode $reader:ident, $field:ident) => { $crate::codec::Decode::decode($reader)? };
    (@decode $reader:ident, $field:ident, $max:expr) => {
        $reader.list(stringify!($field), $max)?
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_are_big_endian_and_exact() {
        assert_eq!(0x0102_u16.to_bytes(), [1, 2]);
        assert_eq!(decode_exact::<u16>(&[1, 2]), Ok(0x0102));
        assert_eq!(decode_exact::<u16>(&[1]), Err(DecodeError::UnexpectedEnd { missing: 1 }));
        assert_eq!(decode_exact::<u16>(&[1, 2, 3]), Err(DecodeError::TrailingBytes { left: 1 }));
    }

    #[test]
    fn an_option_has_two_tags_and_no_third() {
        assert_eq!(decode_exact::<Option<u8>>(&[0]), Ok(None));
        assert_eq!(decode_exact::<Option<u8>>(&[1, 9]), Ok(Some(9)));
        assert!(matches!(
            decode_exact::<Option<u8>>(&[2, 9]),
            Err(DecodeError::BadValue { what: "option tag", got: 2 })
        ));
    }

    #[test]
    fn a_count_larger_than_the_input_takes_no_memory() {
        let bytes = [0xff, 0xff, 0xff, 0xff, 1, 2];
        assert!(matches!(
            Reader::new(&bytes).list::<u64>("things", usize::MAX),
            Err(DecodeError::UnexpectedEnd { .. })
        ));
        assert!(matches!(
            Reader::new(&bytes).list::<u64>("things", 8),
            Err(DecodeError::TooLong { what: "things", max: 8, .. })
        ));
    }

    #[test]
    fn a_count_reaches_its_bound_and_what_is_left_and_passes_neither() {
        let count = |bytes: &[u8], max| Reader::new(bytes).count("things", max);
        assert_eq!(count(&[0, 0, 0, 2, 1, 2], 2), Ok(2));
        assert_eq!(count(&[0, 0, 0, 2, 1, 2], 3), Ok(2));
        let over = DecodeError::TooLong { what: "things", got: 2, max: 1 };
        assert_eq!(count(&[0, 0, 0, 2, 1, 2], 1), Err(over));
        assert_eq!(count(&[0, 0, 0, 2, 1], 2), Err(DecodeError::UnexpectedEnd { missing: 1 }));
    }

    #[test]
    fn fixed_bytes_have_no_length_before_them() {
        assert_eq!([1_u8, 2, 3].to_bytes(), [1, 2, 3]);
        assert_eq!(decode_exact::<[u8; 3]>(&[1, 2, 3]), Ok([1, 2, 3]));
    }

    #[test]
    fn an_unknown_version_is_named() {
        assert_eq!(Reader::new(&[1]).version(1), Ok(()));
        assert_eq!(
            Reader::new(&[7]).version(1),
            Err(DecodeError::UnknownVersion { got: 7, known: 1 })
        );
    }
}
