//! How keys are written: fixed-width fields, integers big-endian, so that the order of bytes is the
//! order of what they mean and a range of heights is a range of keys.

/// A key under construction. Fields of varying length may only come last.
///
/// ```
/// # use chorale_node::storage::Key;
/// let key: Vec<u8> = Key::default().u64(7).u32(2).bytes(b"digest").into();
/// assert_eq!(key, [&[0, 0, 0, 0, 0, 0, 0, 7, 0, 0, 0, 2], &b"digest"[..]].concat());
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub struct Key(Vec<u8>);

impl Key {
    /// Adds a number of 8 bytes: a height, an epoch, a sequence.
    #[must_use]
    pub fn u64(mut self, field: u64) -> Self {
        self.0.extend_from_slice(&field.to_be_bytes());
        self
    }

    /// Adds a number of 4 bytes: a lane, a rollup.
    #[must_use]
    pub fn u32(mut self, field: u32) -> Self {
        self.0.extend_from_slice(&field.to_be_bytes());
        self
    }

    /// Adds bytes as they are: a digest, or a last field of any length.
    #[must_use]
    pub fn bytes(mut self, field: &[u8]) -> Self {
        self.0.extend_from_slice(field);
        self
    }

    /// The smallest key above every key that begins with this one; `None` if there is none, because
    /// this one is empty or all 0xff.
    #[must_use]
    pub fn after_prefix(&self) -> Option<Self> {
        let mut end = self.0.clone();
        while let Some(last) = end.pop() {
            if let Some(next) = last.checked_add(1) {
                end.push(next);
                return Some(Self(end));
            }
        }
        None
    }
}

impl From<Key> for Vec<u8> {
    fn from(key: Key) -> Self {
        key.0
    }
}

impl AsRef<[u8]> for Key {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn keys_sort_as_their_fields(a: (u64, u32, [u8; 4]), b: (u64, u32, [u8; 4])) {
            let key = |(x, y, z): (u64, u32, [u8; 4])| Key::default().u64(x).u32(y).bytes(&z);
            prop_assert_eq!(key(a).cmp(&key(b)), a.cmp(&b));
        }

        #[test]
        fn a_prefix_ends_where_the_first_other_key_begins(
            prefix in prop::collection::vec(0xfdu8.., 0..4),
            other in prop::collection::vec(0xfdu8.., 0..6),
        ) {
            let prefix = Key(prefix);
            let inside = other >= prefix.0
                && prefix.after_prefix().is_none_or(|end| other < end.0);
            prop_assert_eq!(inside, other.starts_with(&prefix.0));
        }
    }
}
