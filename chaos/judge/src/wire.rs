//! Reading and writing the canonical encoding, after `docs/wire.md` alone.
//!
//! Integers are big-endian and of fixed width, a list is a `u32` count and its items, a choice is a
//! tag byte. One value has one encoding: a reader that would accept a second one would accept a
//! certificate that two programs read differently, so everything else is [`Malformed`].

pub mod batch;
pub mod block;
pub mod certificate;
pub mod genesis;
pub mod message;
pub mod proof;
pub mod signers;

use std::fmt;
use std::str::FromStr;
use thiserror::Error;

/// Why bytes are no value.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum Malformed {
    /// The bytes end inside the value.
    #[error("the bytes end {missing} early")]
    Short {
        /// How many are missing at least.
        missing: usize,
    },
    /// Something follows the value.
    #[error("{left} bytes follow the value")]
    Trailing {
        /// How many.
        left: usize,
    },
    /// A count over its bound.
    #[error("{got} items where at most {max} may be")]
    TooMany {
        /// The count.
        got: usize,
        /// The bound.
        max: usize,
    },
    /// A tag, version or number that means nothing.
    #[error("{what} cannot be {got}")]
    Unknown {
        /// What was read.
        what: &'static str,
        /// Its value.
        got: u64,
    },
    /// Pieces that do not go together.
    #[error("{what}")]
    Form {
        /// The rule that is broken.
        what: &'static str,
    },
}

/// What is left to read.
#[derive(Debug)]
pub struct Cursor<'a>(&'a [u8]);

impl<'a> Cursor<'a> {
    /// Starts at the front.
    #[must_use]
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// The next `count` bytes.
    ///
    /// # Errors
    /// When there are fewer.
    pub fn next(&mut self, count: usize) -> Result<&'a [u8], Malformed> {
        let missing = count.saturating_sub(self.0.len());
        let (head, rest) = self.0.split_at_checked(count).ok_or(Malformed::Short { missing })?;
        self.0 = rest;
        Ok(head)
    }

    /// A `u32` count of things of at least one byte each, at most `max`.
    ///
    /// # Errors
    /// When it is over `max`, or over what is left to read.
    pub fn count(&mut self, max: usize) -> Result<usize, Malformed> {
        let got = usize::try_from(u32::take(self)?).unwrap_or(usize::MAX);
        if got > max {
            return Err(Malformed::TooMany { got, max });
        }
        match got.checked_sub(self.0.len()) {
            None | Some(0) => Ok(got),
            Some(missing) => Err(Malformed::Short { missing }),
        }
    }

    /// A version byte.
    ///
    /// # Errors
    /// When it is not 1.
    pub fn version(&mut self) -> Result<(), Malformed> {
        match u8::take(self)? {
            1 => Ok(()),
            got => Err(Malformed::Unknown { what: "version", got: got.into() }),
        }
    }
}

/// Something with a canonical encoding.
pub trait Wire: Sized {
    /// Appends the encoding.
    fn put(&self, out: &mut Vec<u8>);

    /// Reads one value.
    ///
    /// # Errors
    /// When the bytes are not its encoding.
    fn take(from: &mut Cursor<'_>) -> Result<Self, Malformed>;

    /// The encoding.
    fn bytes(&self) -> Vec<u8> {
        let mut out = Vec::new();
        self.put(&mut out);
        out
    }

    /// Reads exactly one value.
    ///
    /// # Errors
    /// When the bytes are not its encoding, or more than that.
    fn read(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut cursor = Cursor::new(bytes);
        let value = Self::take(&mut cursor)?;
        match cursor.0.len() {
            0 => Ok(value),
            left => Err(Malformed::Trailing { left }),
        }
    }
}

/// Appends a `u32` count.
fn put_count(count: usize, out: &mut Vec<u8>) {
    u32::try_from(count).expect("what was read or built in memory is far shorter").put(out);
}

macro_rules! number {
    ($($number:ty),*) => {$(
        impl Wire for $number {
            fn put(&self, out: &mut Vec<u8>) {
                out.extend(self.to_be_bytes());
            }
            fn take(from: &mut Cursor<'_>) -> Result<Self, Malformed> {
                <[u8; size_of::<Self>()]>::take(from).map(Self::from_be_bytes)
            }
        }
    )*};
}
number!(u8, u16, u32, u64);

impl<const N: usize> Wire for [u8; N] {
    fn put(&self, out: &mut Vec<u8>) {
        out.extend(self);
    }
    fn take(from: &mut Cursor<'_>) -> Result<Self, Malformed> {
        let bytes = from.next(N)?;
        Ok(bytes.try_into().expect("as many bytes as asked for"))
    }
}

impl<T: Wire> Wire for Option<T> {
    fn put(&self, out: &mut Vec<u8>) {
        out.push(u8::from(self.is_some()));
        if let Some(value) = self {
            value.put(out);
        }
    }
    fn take(from: &mut Cursor<'_>) -> Result<Self, Malformed> {
        match u8::take(from)? {
            0 => Ok(None),
            1 => T::take(from).map(Some),
            got => Err(Malformed::Unknown { what: "tag of an option", got: got.into() }),
        }
    }
}

impl<A: Wire, B: Wire> Wire for (A, B) {
    fn put(&self, out: &mut Vec<u8>) {
        self.0.put(out);
        self.1.put(out);
    }
    fn take(from: &mut Cursor<'_>) -> Result<Self, Malformed> {
        Ok((A::take(from)?, B::take(from)?))
    }
}

/// A list of at most `MAX` items.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub struct List<T, const MAX: usize>(pub Vec<T>);

impl<T: Wire, const MAX: usize> Wire for List<T, MAX> {
    fn put(&self, out: &mut Vec<u8>) {
        put_count(self.0.len(), out);
        self.0.iter().for_each(|item| item.put(out));
    }
    fn take(from: &mut Cursor<'_>) -> Result<Self, Malformed> {
        // Grown as items come: a count alone must not take memory.
        (0..from.count(MAX)?).map(|_| T::take(from)).collect::<Result<_, _>>().map(Self)
    }
}

/// At most `MAX` bytes behind their length.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub struct Blob<const MAX: usize>(pub Vec<u8>);

impl<const MAX: usize> Wire for Blob<MAX> {
    fn put(&self, out: &mut Vec<u8>) {
        put_count(self.0.len(), out);
        out.extend(&self.0);
    }
    fn take(from: &mut Cursor<'_>) -> Result<Self, Malformed> {
        let length = from.count(MAX)?;
        from.next(length).map(|bytes| Self(bytes.to_vec()))
    }
}

/// A digest: the name of a block, a batch, a transaction or a state.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Id(pub [u8; 32]);

impl Wire for Id {
    fn put(&self, out: &mut Vec<u8>) {
        self.0.put(out);
    }
    fn take(from: &mut Cursor<'_>) -> Result<Self, Malformed> {
        Wire::take(from).map(Self)
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "0x{}", hex::encode(self.0))
    }
}

impl fmt::Debug for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}…", hex::encode(&self.0[..4]))
    }
}

impl FromStr for Id {
    type Err = hex::FromHexError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut id = Self::default();
        let digits = text.strip_prefix("0x").ok_or(hex::FromHexError::InvalidStringLength)?;
        hex::decode_to_slice(digits, &mut id.0)?;
        Ok(id)
    }
}

/// Declares a structure that is encoded as its fields in the order written.
macro_rules! layout {
    ($(#[$about:meta])* $name:ident { $($(#[$what:meta])* $field:ident: $kind:ty,)* }) => {
        $(#[$about])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
        pub struct $name {
            $($(#[$what])* pub $field: $kind,)*
        }
        impl $crate::wire::Wire for $name {
            fn put(&self, out: &mut Vec<u8>) {
                $(self.$field.put(out);)*
            }
            fn take(
                from: &mut $crate::wire::Cursor<'_>,
            ) -> Result<Self, $crate::wire::Malformed> {
                $(let $field = $crate::wire::Wire::take(from)?;)*
                Ok(Self { $($field,)* })
            }
        }
    };
}
use layout;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_value_has_one_encoding() {
        assert_eq!(u16::read(&[1, 2]), Ok(258));
        assert_eq!(u16::read(&[1]), Err(Malformed::Short { missing: 1 }));
        assert_eq!(u16::read(&[1, 2, 3]), Err(Malformed::Trailing { left: 1 }));
        assert_eq!(Option::<u8>::read(&[0]), Ok(None));
        let two = Malformed::Unknown { what: "tag of an option", got: 2 };
        assert_eq!(Option::<u8>::read(&[2, 9]), Err(two));
    }

    #[test]
    fn a_count_over_its_bound_or_over_what_is_there_is_refused_before_any_item() {
        let many = [255, 255, 255, 255, 0];
        assert_eq!(
            List::<u8, 4>::read(&many),
            Err(Malformed::TooMany { got: 0xffff_ffff, max: 4 })
        );
        assert!(matches!(List::<u64, { usize::MAX }>::read(&many), Err(Malformed::Short { .. })));
        assert_eq!(Blob::<3>::read(&[0, 0, 0, 1, 7]), Ok(Blob(vec![7])));
    }

    #[test]
    fn an_id_is_read_as_it_is_written() {
        let id = Id([0xab; 32]);
        assert_eq!(id.to_string().parse(), Ok(id));
        assert!("abab".parse::<Id>().is_err(), "without 0x it is none");
    }
}
