//! Numbers with a meaning. Each is a newtype without arithmetic and without `From<u64>`, so that a
//! view can never be passed where a height is meant, and no counter can wrap.

use crate::codec::{Decode, DecodeError, Encode, Reader};
use core::fmt;

macro_rules! number {
    ($(#[$doc:meta])* $name:ident($raw:ty)) => {
        $(#[$doc])*
        #[derive(
            Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default,
            serde::Serialize, serde::Deserialize,
        )]
        #[serde(transparent)]
        pub struct $name($raw);

        impl $name {
            /// The smallest value.
            pub const ZERO: Self = Self(0);
            /// The largest value.
            pub const MAX: Self = Self(<$raw>::MAX);

            /// Names a raw number. Write it only where a number enters from outside.
            #[must_use]
            pub const fn new(raw: $raw) -> Self {
                Self(raw)
            }

            /// The raw number.
            #[must_use]
            pub const fn get(self) -> $raw {
                self.0
            }

            /// The one after this.
            ///
            /// # Panics
            /// At the largest value, which no honest history reaches.
            #[must_use]
            pub const fn next(self) -> Self {
                match self.0.checked_add(1) {
                    Some(raw) => Self(raw),
                    None => panic!("counter exhausted"),
                }
            }

            /// The one before this; `None` at zero.
            #[must_use]
            pub const fn previous(self) -> Option<Self> {
                match self.0.checked_sub(1) {
                    Some(raw) => Some(Self(raw)),
                    None => None,
                }
            }

            /// `n` steps further, held at the largest value.
            #[must_use]
            pub const fn saturating_add(self, n: $raw) -> Self {
                Self(self.0.saturating_add(n))
            }

            /// `n` steps back, held at zero.
            #[must_use]
            pub const fn saturating_sub(self, n: $raw) -> Self {
                Self(self.0.saturating_sub(n))
            }

            /// How far `self` lies above `lower`; zero when it does not.
            #[must_use]
            pub const fn above(self, lower: Self) -> $raw {
                self.0.saturating_sub(lower.0)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({})", stringify!($name), self.0)
            }
        }

        impl Encode for $name {
            fn encode(&self, out: &mut Vec<u8>) {
                self.0.encode(out);
            }
        }

        impl Decode for $name {
            fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
                Ok(Self(<$raw>::decode(reader)?))
            }
        }
    };
}

number! {
    /// One attempt to certify a block, with one leader. Starts at 1 in each epoch.
    View(u64)
}
number! {
    /// The position of a block in the chain. Genesis is 0.
    Height(u64)
}
number! {
    /// A span of heights with one validator set. The first is 1.
    Epoch(u64)
}
number! {
    /// A rollup's id; for an EVM rollup its EIP-155 chain id.
    RollupId(u64)
}
number! {
    /// A validator's place in its epoch's set, fixed for the epoch.
    ValidatorIndex(u16)
}
number! {
    /// The position of a batch in its lane. The first is 1.
    LaneSeq(u64)
}
number! {
    /// The position of a rollup block in its rollup's stream. The first is 1; no gaps.
    Sequence(u64)
}

impl ValidatorIndex {
    /// The index for slices.
    #[must_use]
    pub const fn as_usize(self) -> usize {
        self.0 as usize
    }
}

/// A lane: the batches of one validator in one epoch.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct LaneId {
    /// The epoch whose set certifies the lane.
    pub epoch: Epoch,
    /// The owner's place in that set.
    pub owner: ValidatorIndex,
}

impl Encode for LaneId {
    fn encode(&self, out: &mut Vec<u8>) {
        self.epoch.encode(out);
        self.owner.encode(out);
    }
}

impl Decode for LaneId {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self { epoch: Epoch::decode(reader)?, owner: ValidatorIndex::decode(reader)? })
    }
}

impl fmt::Display for LaneId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.epoch, self.owner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn next_and_previous_walk_one_step() {
        assert_eq!(View::new(4).next(), View::new(5));
        assert_eq!(View::new(4).previous(), Some(View::new(3)));
        assert_eq!(View::ZERO.previous(), None);
    }

    #[test]
    fn distance_never_wraps() {
        assert_eq!(Height::new(3).above(Height::new(5)), 0);
        assert_eq!(Height::new(5).above(Height::new(3)), 2);
        assert_eq!(Height::MAX.saturating_add(1), Height::MAX);
    }

    #[test]
    #[should_panic(expected = "counter exhausted")]
    fn next_at_the_end_is_a_bug_and_stops() {
        let _ = Epoch::MAX.next();
    }
}
