//! Transactions: opaque bytes for one rollup. Chorale orders them and looks into none.

use crate::codec::{Decode, DecodeError, Encode, Reader, encode_bytes, encode_count};
use crate::crypto::hash::{Digest, Domain, hash};
use crate::ids::RollupId;
use crate::limits::{BATCH_BYTES_MAX, BATCH_TRANSACTIONS_MAX, TRANSACTION_BYTES_MAX};

/// The name of a transaction: the hash of its rollup and its bytes, so equal bytes sent to two
/// rollups are two transactions.
pub type TransactionId = Digest;

/// Names a transaction.
#[must_use]
pub fn transaction_id(rollup: RollupId, payload: &[u8]) -> TransactionId {
    hash(Domain::Transaction, &[&rollup.get().to_be_bytes(), payload])
}

/// Some transactions of one rollup in order: their bytes in one buffer, and where each ends.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct Transactions {
    lengths: Vec<u32>,
    data: Vec<u8>,
}

impl Transactions {
    /// Appends one.
    ///
    /// # Panics
    /// When it is empty or larger than [`TRANSACTION_BYTES_MAX`]; intake refuses those.
    pub fn push(&mut self, payload: &[u8]) {
        assert!(!payload.is_empty() && payload.len() <= TRANSACTION_BYTES_MAX);
        self.lengths.push(u32::try_from(payload.len()).expect("bounded above"));
        self.data.extend_from_slice(payload);
    }

    /// How many there are.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.lengths.len()
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.lengths.is_empty()
    }

    /// Their bytes, added up.
    #[must_use]
    pub const fn bytes(&self) -> usize {
        self.data.len()
    }

    /// Each in order.
    pub fn iter(&self) -> impl Iterator<Item = &[u8]> {
        let mut rest = self.data.as_slice();
        self.lengths.iter().map(move |length| {
            let (head, tail) = rest.split_at(usize::try_from(*length).unwrap_or(usize::MAX));
            rest = tail;
            head
        })
    }

    /// Their ids in order.
    #[must_use]
    pub fn ids(&self, rollup: RollupId) -> Vec<TransactionId> {
        self.iter().map(|payload| transaction_id(rollup, payload)).collect()
    }
}

impl<'a> FromIterator<&'a [u8]> for Transactions {
    fn from_iter<I: IntoIterator<Item = &'a [u8]>>(payloads: I) -> Self {
        let mut all = Self::default();
        for payload in payloads {
            all.push(payload);
        }
        all
    }
}

impl Encode for Transactions {
    fn encode(&self, out: &mut Vec<u8>) {
        encode_count(self.lengths.len(), out);
        for length in &self.lengths {
            length.encode(out);
        }
        encode_bytes(&self.data, out);
    }
}

impl Decode for Transactions {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let lengths: Vec<u32> = reader.list("transactions", BATCH_TRANSACTIONS_MAX)?;
        let mut total = 0_usize;
        for length in &lengths {
            let length = usize::try_from(*length).unwrap_or(usize::MAX);
            if length == 0 {
                return Err(DecodeError::BadValue { what: "transaction length", got: 0 });
            }
            if length > TRANSACTION_BYTES_MAX {
                let what = "transaction";
                return Err(DecodeError::TooLong { what, got: length, max: TRANSACTION_BYTES_MAX });
            }
            total = total.saturating_add(length);
        }
        let data = reader.bytes("transaction bytes", BATCH_BYTES_MAX)?.to_vec();
        if data.len() != total {
            return Err(DecodeError::NotCanonical { what: "sum of transaction lengths" });
        }
        Ok(Self { lengths, data })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::decode_exact;

    #[test]
    fn transactions_come_back_in_order() {
        let all: Transactions = [b"a".as_slice(), b"bcd", b"ef"].into_iter().collect();
        assert_eq!(all.iter().collect::<Vec<_>>(), [b"a".as_slice(), b"bcd", b"ef"]);
        assert_eq!(decode_exact::<Transactions>(&all.to_bytes()), Ok(all));
    }

    #[test]
    fn an_empty_transaction_and_a_wrong_sum_are_refused() {
        assert!(matches!(
            decode_exact::<Transactions>(&[0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0]),
            Err(DecodeError::BadValue { .. })
        ));
        assert!(matches!(
            decode_exact::<Transactions>(&[0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 1, 9]),
            Err(DecodeError::NotCanonical { .. })
        ));
    }

    #[test]
    fn the_same_bytes_for_two_rollups_are_two_transactions() {
        let (one, two) = (RollupId::new(1), RollupId::new(2));
        assert_ne!(transaction_id(one, b"x"), transaction_id(two, b"x"));
    }
}
