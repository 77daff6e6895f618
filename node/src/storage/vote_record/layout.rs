//! The bytes of the vote record file.
//!
//! The file is four regions of 64 KiB: slot 0, slot 1, slot 0 again, slot 1 again. A region holds
//! one entry from its start; what lies behind the entry is left over and means nothing.
//!
//! ```text
//!  0  magic        8 bytes  "chorvote"
//!  8  version      4 bytes  big-endian, 1
//! 12  length       4 bytes  big-endian, bytes of payload
//! 16  sequence     8 bytes  big-endian; its lowest bit is the slot
//! 24  incarnation 16 bytes
//! 40  checksum    32 bytes  SHA-256 of "chorale vote record", bytes 0..40, payload
//! 72  payload
//! ```

use sha2::{Digest, Sha256};

use super::super::Incarnation;

/// Bytes of one region.
pub(super) const REGION_BYTES: usize = 64 * 1024;
/// Slots, which take turns.
pub(super) const SLOTS: usize = 2;
/// Copies of each slot.
pub(super) const COPIES: usize = 2;
/// Bytes of the file.
pub(super) const FILE_BYTES: usize = REGION_BYTES * SLOTS * COPIES;
/// Bytes in front of the payload.
pub(super) const HEADER_BYTES: usize = CHECKSUM_AT + 32;

const MAGIC: [u8; 8] = *b"chorvote";
const VERSION: u32 = 1;
const DOMAIN: &[u8] = b"chorale vote record";
/// Bytes that are the same in every entry: magic and version.
const CONSTANT_BYTES: usize = 12;
const CHECKSUM_AT: usize = 40;

/// One record with its place in the row of records.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Entry {
    pub(super) sequence: u64,
    pub(super) incarnation: Incarnation,
    pub(super) payload: Vec<u8>,
}

/// The slot a sequence number is written to.
pub(super) const fn slot_of(sequence: u64) -> usize {
    if sequence.is_multiple_of(2) { 0 } else { 1 }
}

/// Where a copy of a slot begins in the file.
pub(super) const fn offset(slot: usize, copy: usize) -> usize {
    (copy * SLOTS + slot) * REGION_BYTES
}

/// The bytes of an entry. The payload must fit the region.
pub(super) fn encode(entry: &Entry) -> Vec<u8> {
    let length = u32::try_from(entry.payload.len()).expect("the caller checked the payload's size");
    let mut bytes = Vec::with_capacity(HEADER_BYTES + entry.payload.len());
    bytes.extend_from_slice(&MAGIC);
    bytes.extend_from_slice(&VERSION.to_be_bytes());
    bytes.extend_from_slice(&length.to_be_bytes());
    bytes.extend_from_slice(&entry.sequence.to_be_bytes());
    bytes.extend_from_slice(&entry.incarnation.0);
    let checksum = checksum(&bytes, &entry.payload);
    bytes.extend_from_slice(&checksum);
    bytes.extend_from_slice(&entry.payload);
    bytes
}

/// The entry in a region of `slot`, if there is a whole one that belongs there.
pub(super) fn decode(slot: usize, region: &[u8]) -> Option<Entry> {
    if !begins_like_an_entry(region) {
        return None;
    }
    let length = u32::from_be_bytes(field(region, 12)?);
    let entry = Entry {
        sequence: u64::from_be_bytes(field(region, 16)?),
        incarnation: Incarnation(field(region, 24)?),
        payload: region.get(HEADER_BYTES..)?.get(..usize::try_from(length).ok()?)?.to_vec(),
    };
    let expected = checksum(region.get(..CHECKSUM_AT)?, &entry.payload);
    let whole = field::<32>(region, CHECKSUM_AT)? == expected;
    (whole && slot_of(entry.sequence) == slot).then_some(entry)
}

/// Whether the bytes that no write ever changes are there.
pub(super) fn begins_like_an_entry(region: &[u8]) -> bool {
    region.starts_with(&MAGIC)
        && region.get(MAGIC.len()..CONSTANT_BYTES) == Some(VERSION.to_be_bytes().as_slice())
}

/// The version a region names, if it is one of a vote record and not this program's.
pub(super) fn foreign_version(region: &[u8]) -> Option<u32> {
    let version = u32::from_be_bytes(field(region, MAGIC.len())?);
    (region.starts_with(&MAGIC) && version != VERSION).then_some(version)
}

fn field<const N: usize>(region: &[u8], at: usize) -> Option<[u8; N]> {
    region.get(at..)?.first_chunk().copied()
}

fn checksum(header: &[u8], payload: &[u8]) -> [u8; 32] {
    Sha256::new().chain_update(DOMAIN).chain_update(header).chain_update(payload).finalize().into()
}
