//! Who signed: one bit for each member of the set.

use super::{Cursor, Malformed, Wire};

/// Most members of a set.
pub const MEMBERS_MAX: usize = 256;

/// Some members of a set of `members`; member `i` is bit `i mod 8`, lowest first, of byte `i / 8`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub struct Signers {
    members: u16,
    bits: Vec<u8>,
}

impl Signers {
    /// The members at `places`, of a set of `members`.
    ///
    /// # Panics
    /// When a place is not below `members`.
    #[must_use]
    pub fn of(members: u16, places: &[u16]) -> Self {
        let mut bits = vec![0; usize::from(members).div_ceil(8)];
        for place in places {
            assert!(*place < members, "member {place} of {members}");
            bits[usize::from(*place) / 8] |= 1 << (place % 8);
        }
        Self { members, bits }
    }

    /// How many members the set has.
    #[must_use]
    pub const fn members(&self) -> u16 {
        self.members
    }

    /// The places of those who signed, rising.
    pub fn places(&self) -> impl Iterator<Item = u16> + '_ {
        (0..self.members).filter(|place| self.bits[usize::from(*place) / 8] >> (place % 8) & 1 == 1)
    }

    /// How many signed.
    #[must_use]
    pub fn count(&self) -> usize {
        self.places().count()
    }
}

impl Wire for Signers {
    fn put(&self, out: &mut Vec<u8>) {
        self.members.put(out);
        out.extend(&self.bits);
    }

    fn take(from: &mut Cursor<'_>) -> Result<Self, Malformed> {
        let members = u16::take(from)?;
        let got = usize::from(members);
        if got > MEMBERS_MAX {
            return Err(Malformed::TooMany { got, max: MEMBERS_MAX });
        }
        let bits = from.next(got.div_ceil(8))?.to_vec();
        let beyond = (got..bits.len() * 8).any(|bit| bits[bit / 8] >> (bit % 8) & 1 == 1);
        if beyond {
            return Err(Malformed::Form { what: "a signer beyond the last member" });
        }
        Ok(Self { members, bits })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_beyond_the_last_member_are_refused() {
        let signers = Signers::of(10, &[0, 3, 9]);
        assert_eq!(signers.bytes(), [0, 10, 0b1001, 0b10]);
        assert_eq!(Signers::read(&signers.bytes()), Ok(signers));
        assert!(matches!(Signers::read(&[0, 10, 0, 0b100]), Err(Malformed::Form { .. })));
        assert!(matches!(Signers::read(&[1, 1, 0]), Err(Malformed::TooMany { .. })));
        assert!(matches!(Signers::read(&[0, 10, 0]), Err(Malformed::Short { .. })));
    }
}
