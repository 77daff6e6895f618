//! Which members of a validator set signed.

use crate::codec::{Decode, DecodeError, Encode, Reader};
use crate::ids::ValidatorIndex;
use crate::museum::{Bug, planted};
use core::fmt;

const MEMBERS_MAX: usize = crate::limits::VALIDATORS_MAX;
const WIDTH_MAX: usize = MEMBERS_MAX.div_ceil(8);

/// A set of members of a validator set, one bit each: member `i` is bit `i % 8`, counted from the
/// lowest, of byte `i / 8`.
///
/// Encoded as the number of members in the validator set (`u16`) and exactly the bytes that hold
/// that many bits. There is one encoding of a set: the bits past the last member are zero.
///
/// # Invariants
/// No bit at or past `members` is set, and `members` is at most [`crate::limits::VALIDATORS_MAX`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SignerSet {
    members: u16,
    bits: [u8; WIDTH_MAX],
}

impl SignerSet {
    /// Nobody, of a validator set with `members` members.
    ///
    /// # Panics
    /// When `members` is over [`crate::limits::VALIDATORS_MAX`]; validator sets are bounded when
    /// they are made.
    #[must_use]
    pub fn new(members: u16) -> Self {
        assert!(usize::from(members) <= MEMBERS_MAX, "{members} members, {MEMBERS_MAX} allowed");
        Self { members, bits: [0; WIDTH_MAX] }
    }

    /// How many members the validator set has.
    #[must_use]
    pub const fn members(&self) -> u16 {
        self.members
    }

    /// Adds a member. False, and nothing changes, when it is in already or there is no such member.
    pub fn insert(&mut self, index: ValidatorIndex) -> bool {
        let fresh = index.get() < self.members && !self.contains(index);
        if fresh {
            self.bits[index.as_usize() / 8] |= mask(index);
        }
        fresh
    }

    /// Whether a member is in. False when there is no such member.
    #[must_use]
    pub fn contains(&self, index: ValidatorIndex) -> bool {
        self.bits.get(index.as_usize() / 8).is_some_and(|byte| byte & mask(index) != 0)
    }

    /// The members, in ascending order.
    pub fn iter(&self) -> impl Iterator<Item = ValidatorIndex> + '_ {
        (0..self.members).map(ValidatorIndex::new).filter(|index| self.contains(*index))
    }

    /// How many members are in.
    #[must_use]
    pub fn count(&self) -> usize {
        self.iter().count()
    }

    /// Whether nobody is in.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.bits == [0; WIDTH_MAX]
    }

    /// Whether no member is in both.
    #[must_use]
    pub fn is_disjoint(&self, other: &Self) -> bool {
        self.bits.iter().zip(&other.bits).all(|(a, b)| a & b == 0)
    }

    /// The members of either, of the larger of the two validator sets.
    #[must_use]
    pub fn union(&self, other: &Self) -> Self {
        let mut out = Self::new(self.members.max(other.members));
        for (to, (a, b)) in out.bits.iter_mut().zip(self.bits.iter().zip(&other.bits)) {
            *to = a | b;
        }
        out
    }

    fn width(members: u16) -> usize {
        usize::from(members).div_ceil(8)
    }
}

fn mask(index: ValidatorIndex) -> u8 {
    1 << (index.get() % 8)
}

impl fmt::Debug for SignerSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let signers: Vec<u16> = self.iter().map(ValidatorIndex::get).collect();
        write!(f, "{signers:?}/{}", self.members)
    }
}

impl Encode for SignerSet {
    fn encode(&self, out: &mut Vec<u8>) {
        self.members.encode(out);
        out.extend_from_slice(&self.bits[..Self::width(self.members)]);
    }
}

impl Decode for SignerSet {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let members = u16::decode(reader)?;
        let got = usize::from(members);
        if got > MEMBERS_MAX {
            return Err(DecodeError::TooLong { what: "members", got, max: MEMBERS_MAX });
        }
        let mut set = Self::new(members);
        let width = Self::width(members);
        set.bits[..width].copy_from_slice(reader.take(width)?);
        let used = members % 8;
        if used != 0 && set.bits[width - 1] >> used != 0 && !planted(Bug::BitmapPadding) {
            return Err(DecodeError::NotCanonical { what: "signer bitmap padding" });
        }
        Ok(set)
    }
}
