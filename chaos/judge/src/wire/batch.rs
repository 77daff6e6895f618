//! Batches and what is said about them (section 4 of the document).

use super::signers::{MEMBERS_MAX, Signers};
use super::{Blob, Cursor, Id, List, Malformed, Wire, layout};

/// An ed25519 signature.
pub type EdBytes = [u8; 64];
/// Most rollups on a chain.
pub const ROLLUPS_MAX: usize = 1_024;
/// Most transactions in a batch.
const TRANSACTIONS_MAX: usize = 2_048;
/// Largest transaction, in bytes.
pub const TRANSACTION_BYTES_MAX: usize = 128 * 1024;
/// Most bytes of transactions in a batch.
const BATCH_BYTES_MAX: usize = 512 * 1024;

layout!(
    /// A lane: whose, and in which epoch.
    #[derive(Copy)]
    Lane {
        /// The epoch.
        epoch: u64,
        /// The owner's place in the set.
        owner: u16,
    }
);

layout!(
    /// What a batch's digest covers.
    BatchHeader {
        /// The lane.
        lane: Lane,
        /// Its number there, from 1.
        seq: u64,
        /// The batch before.
        prev: Id,
        /// The root over its rollups' parts.
        root: Id,
        /// Bytes of transactions in the lane up to here.
        bytes_through: u64,
    }
);

impl BatchHeader {
    /// What an owner or a member signs of it.
    #[must_use]
    pub fn acknowledgement(&self) -> Ack {
        let Self { lane, seq, prev, bytes_through, .. } = *self;
        Ack { lane, seq, digest: self.digest(), prev, bytes_through }
    }

    /// Its digest.
    #[must_use]
    pub fn digest(&self) -> Id {
        crate::crypto::hash("chorale/1/batch", &[&self.bytes()])
    }
}

layout!(
    /// "I store this batch."
    Ack {
        /// The lane.
        lane: Lane,
        /// Its number.
        seq: u64,
        /// Its digest.
        digest: Id,
        /// The batch before.
        prev: Id,
        /// Bytes of transactions in the lane up to here.
        bytes_through: u64,
    }
);

layout!(
    /// A batch's header with its owner's signature.
    SignedHeader {
        /// The header.
        header: BatchHeader,
        /// The owner's, over the acknowledgement.
        signature: EdBytes,
    }
);

layout!(
    /// How far a block orders a lane.
    Tip {
        /// The lane.
        lane: Lane,
        /// The last batch.
        seq: u64,
        /// Its digest.
        digest: Id,
        /// Bytes of transactions in the lane up to it.
        bytes_through: u64,
    }
);

/// Transactions: their lengths, then all their bytes.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Transactions {
    lengths: List<u32, TRANSACTIONS_MAX>,
    bytes: Blob<BATCH_BYTES_MAX>,
}

impl Wire for Transactions {
    fn put(&self, out: &mut Vec<u8>) {
        self.lengths.put(out);
        self.bytes.put(out);
    }
    fn take(from: &mut Cursor<'_>) -> Result<Self, Malformed> {
        let (lengths, bytes) =
            (List::<u32, TRANSACTIONS_MAX>::take(from)?, Blob::<BATCH_BYTES_MAX>::take(from)?);
        let mut sum = 0_usize;
        for length in &lengths.0 {
            let length = usize::try_from(*length).unwrap_or(usize::MAX);
            if length == 0 || length > TRANSACTION_BYTES_MAX {
                return Err(Malformed::Form { what: "an empty or too long transaction" });
            }
            sum = sum.saturating_add(length);
        }
        if sum != bytes.0.len() {
            return Err(Malformed::Form { what: "lengths that are not the transactions'" });
        }
        Ok(Self { lengths, bytes })
    }
}

layout!(
    /// A batch.
    Batch {
        /// Its header.
        header: BatchHeader,
        /// The owner's signature, over the acknowledgement.
        signature: EdBytes,
        /// Each rollup's part.
        entries: List<(u64, Transactions), ROLLUPS_MAX>,
    }
);

layout!(
    /// An availability certificate, as its fields.
    AvailabilityFields {
        /// What was acknowledged.
        statement: Ack,
        /// By whom.
        signers: Signers,
        /// Their signatures by rising place.
        signatures: List<EdBytes, MEMBERS_MAX>,
    }
);

/// An availability certificate.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Availability(pub AvailabilityFields);

impl Wire for Availability {
    fn put(&self, out: &mut Vec<u8>) {
        self.0.put(out);
    }
    fn take(from: &mut Cursor<'_>) -> Result<Self, Malformed> {
        let fields = AvailabilityFields::take(from)?;
        if fields.signers.count() == fields.signatures.0.len() {
            Ok(Self(fields))
        } else {
            Err(Malformed::Form { what: "other than one signature for each signer" })
        }
    }
}
