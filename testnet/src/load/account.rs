//! Accounts of an EVM rollup, and the transactions they sign.
//!
//! # Invariants
//! Nonces of an account rise by one from zero; each encoded transaction has exactly the size that
//! was asked for.

use alloy_consensus::{SignableTransaction, TxEip1559};
use alloy_eips::eip2718::Encodable2718;
use alloy_primitives::{Address, Bytes, Signature, TxKind, U256};
use chorale_types::ids::RollupId;
use chorale_types::limits::TRANSACTION_BYTES_MAX;
use chorale_types::transaction::{TransactionId, transaction_id};
use k256::ecdsa::SigningKey;
use sha2::{Digest as _, Sha256};

/// Smallest size that can be asked for: an empty call with all its fields, and some room.
pub const SIZE_MIN: usize = 160;
/// Largest size that can be asked for.
pub const SIZE_MAX: usize = TRANSACTION_BYTES_MAX;
/// Sizes within the bounds that no such transaction has: the length prefix of the whole grows by a
/// byte where its content passes 255 and 65,535 bytes, and one size is stepped over each time.
const SIZES_WITHOUT: [usize; 2] = [259, 65_540];
/// Attempts at an exact size. A signature's numbers are a byte short once in 128 times each, and a
/// few sizes are out of reach of one form of the transaction, so a handful is plenty.
const ATTEMPTS_MAX: u64 = 1_000;
/// Attempts with one form of the transaction before the other is tried.
const ATTEMPTS_PER_FORM: u64 = 8;

/// Whether transactions of `size` bytes can be made.
#[must_use]
pub fn has_size(size: usize) -> bool {
    (SIZE_MIN..=SIZE_MAX).contains(&size) && !SIZES_WITHOUT.contains(&size)
}

/// A transaction that is ready to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signed {
    /// Its EIP-2718 encoding.
    pub bytes: Vec<u8>,
    /// Its name on the chain.
    pub id: TransactionId,
}

/// One account on one rollup.
#[derive(Clone)]
pub struct Account {
    key: SigningKey,
    chain_id: u64,
    nonce: u64,
    /// The last size asked for, and the padding that met it.
    fitted: (usize, usize),
}

impl Account {
    /// Derives account `index` of lane `lane` on rollup `chain_id` from the run's seed.
    #[must_use]
    pub fn derive(seed: &[u8; 32], chain_id: u64, lane: u64, index: u64) -> Self {
        // All but about 2^-128 of the hashes are keys; the counter walks past the others.
        let hashes = (0_u64..).map(|attempt| {
            let mut hash = Sha256::new_with_prefix(seed);
            for part in [chain_id, lane, index, attempt] {
                hash.update(part.to_be_bytes());
            }
            hash.finalize()
        });
        let key = hashes.filter_map(|hash| SigningKey::from_slice(&hash).ok()).next();
        let key = key.expect("almost every hash is a key");
        Self { key, chain_id, nonce: 0, fitted: (SIZE_MIN, 0) }
    }

    /// The account's address.
    #[must_use]
    pub fn address(&self) -> Address {
        Address::from_private_key(&self.key)
    }

    /// Signs the account's next transaction, `size` bytes when encoded.
    ///
    /// # Panics
    /// When there is no transaction of `size` bytes; see [`has_size`].
    pub fn sign_next(&mut self, size: usize) -> Signed {
        assert!(has_size(size), "size {size} was checked at the entrance");
        let bytes = self.sign_sized(size);
        self.nonce += 1;
        let id = transaction_id(RollupId::new(self.chain_id), &bytes);
        Signed { bytes, id }
    }

    fn sign_sized(&mut self, size: usize) -> Vec<u8> {
        let (size_before, padding_before) = self.fitted;
        let mut padding = (padding_before + size).saturating_sub(size_before);
        for attempt in 0..ATTEMPTS_MAX {
            let bytes = self.sign(padding, attempt);
            if bytes.len() == size {
                self.fitted = (size, padding);
                return bytes;
            }
            padding = (padding + size).saturating_sub(bytes.len());
        }
        unreachable!("no {size} byte transaction of nonce {}", self.nonce)
    }

    fn sign(&self, padding: usize, attempt: u64) -> Vec<u8> {
        // Each attempt is another message. One form is three bytes longer than the other: where a
        // length prefix grows, it reaches the size that padding alone steps over.
        let longer = (attempt / ATTEMPTS_PER_FORM) % 2 == 1;
        let value = 1 + attempt % ATTEMPTS_PER_FORM + if longer { attempt << 16 } else { 0 };
        let transaction = TxEip1559 {
            chain_id: self.chain_id,
            nonce: self.nonce,
            gas_limit: 21_000 + 16 * padding as u64,
            max_fee_per_gas: 30_000_000_000,
            max_priority_fee_per_gas: 1_000_000_000,
            to: TxKind::Call(Address::repeat_byte(0x42)),
            value: U256::from(value),
            access_list: Default::default(),
            input: Bytes::from(self.filler(padding)),
        };
        let hash = transaction.signature_hash();
        let signed = self.key.sign_prehash_recoverable(hash.as_slice());
        let signature = Signature::from(signed.expect("a 32-byte hash can be signed"));
        transaction.into_signed(signature).encoded_2718()
    }

    /// Calldata that does not compress, as real calldata hardly does.
    fn filler(&self, length: usize) -> Vec<u8> {
        let mut state = self.nonce ^ self.chain_id.rotate_left(32);
        let mut out = Vec::with_capacity(length + 8);
        while out.len() < length {
            state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut word = state;
            word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            out.extend_from_slice(&(word ^ (word >> 31)).to_be_bytes());
        }
        out.truncate(length);
        out
    }
}
