//! The vote record: the one file that keeps a node from signing twice. The newest thing the own key
//! promised is written here and synced before any byte of it leaves; what the bytes mean is the
//! caller's affair.
//!
//! Two slots take turns, so that a record is never overwritten by its successor, and each slot is
//! stored twice, 128 KiB apart. A write puts both copies of one slot into the file and then syncs
//! once. The private module `layout` lists the bytes.
//!
//! # Why falling back to the older slot is safe
//! If neither copy of a slot is whole, one of two things happened:
//! - *A write was interrupted.* It never returned, so nothing was sent on it, and the older slot is
//!   the truth: [`VoteRecord::open`] returns it.
//! - *A record that was promised rotted.* Then the older slot is stale, and voting from it could
//!   sign twice.
//!
//! Both copies broken at once is what tells them apart, as far as anything can: one fault of the
//! medium, a flipped bit or a lost page, hits one copy, and the other still yields the newest
//! record. An interrupted write also leaves alone what it would not have changed, so a slot whose
//! first bytes, equal in all records, are gone was damaged and not interrupted. And the host passes
//! a floor: the highest sequence it has noted elsewhere, after the write returned. A newest record
//! below it is refused as [`VoteRecordError::RolledBack`].
//!
//! *What cannot be told*: two faults, one in each copy of the newest slot, past its first bytes,
//! before the host noted the sequence; and an older copy of the whole data folder put back, for
//! then the floor is old too. Only the network remembers more than this machine.
//!
//! # Invariants
//! - [`VoteRecord::write`] returns `Ok` only when the record survives a power cut.
//! - What [`VoteRecord::open`] returned is durable: after a crash of the process alone the file may
//!   show a record that was never synced, so it is written again in place and synced first. In
//!   place, because bytes mixed with equal bytes stay equal, while any other slot may hold the only
//!   durable record.
//! - Slots hold consecutive sequences; anything else is damage.
//! - A record that is missing or damaged is an error that says why. It is never a guess.

mod error;
mod layout;
#[cfg(test)]
mod tests;

use chorale_types::museum::{Bug, planted};
pub use error::{Damage, VoteRecordError};
use layout::{COPIES, Entry, FILE_BYTES, HEADER_BYTES, REGION_BYTES, SLOTS};

use super::{Disk, DiskError, Incarnation};

/// The file's name in the data folder.
pub const FILE_NAME: &str = "vote_record";

/// The most bytes a payload may have.
pub const PAYLOAD_BYTES_MAX: usize = REGION_BYTES - HEADER_BYTES;

/// The sequence a new file ends with.
const FIRST_SEQUENCE: u64 = 2;

/// The open vote record.
#[derive(Debug)]
pub struct VoteRecord<D> {
    disk: D,
    incarnation: Incarnation,
    /// Of the newest durable record.
    sequence: u64,
}

/// What [`VoteRecord::open`] found.
#[derive(Debug)]
pub struct Opened<D> {
    /// The record, ready to be written.
    pub record: VoteRecord<D>,
    /// The newest payload, durable.
    pub payload: Vec<u8>,
    /// Of four stored copies, how many could not be read. An interrupted write leaves one or two;
    /// if the node was not interrupted, the medium is failing. Worth a warning, not a refusal.
    pub unreadable_copies: usize,
}

impl<D: Disk> VoteRecord<D> {
    /// Makes the file with a first payload and returns once it and its name are durable. Refuses
    /// with [`DiskError::Exists`] if there is one: a key gets one record in its life.
    ///
    /// An end before this returns may leave a file that [`VoteRecord::open`] calls damaged. Nothing
    /// was signed then: [`VoteRecord::is_unfinished`] knows it, and [`VoteRecord::finish`] goes on.
    pub fn create(
        mut disk: D,
        incarnation: Incarnation,
        payload: &[u8],
    ) -> Result<Self, VoteRecordError> {
        check_size(payload)?;
        let file_bytes = u64::try_from(FILE_BYTES).expect("a constant that fits");
        disk.create_sized(FILE_NAME, file_bytes)?;
        Self::finish(disk, incarnation, payload)
    }

    /// Whether the file holds nothing but what [`VoteRecord::create`], called with the same
    /// arguments, left behind when it was interrupted: each byte is the zero it was born with, or
    /// the one that creation writes there. No record that was ever promised looks like this.
    pub fn is_unfinished(
        disk: &mut D,
        incarnation: Incarnation,
        payload: &[u8],
    ) -> Result<bool, VoteRecordError> {
        check_size(payload)?;
        let file = match read(disk) {
            Ok(file) => file,
            Err(VoteRecordError::Missing | VoteRecordError::Damaged { .. }) => return Ok(false),
            Err(error) => return Err(error),
        };
        let mut born = vec![0; FILE_BYTES];
        for sequence in 1..=FIRST_SEQUENCE {
            let entry = Entry { sequence, incarnation, payload: payload.to_vec() };
            let bytes = layout::encode(&entry);
            for copy in 0..COPIES {
                let offset = layout::offset(layout::slot_of(sequence), copy);
                born[offset..][..bytes.len()].copy_from_slice(&bytes);
            }
        }
        Ok(file.iter().zip(&born).all(|(found, born)| *found == 0 || found == born))
    }

    /// Finishes an interrupted creation. The caller has asked [`VoteRecord::is_unfinished`].
    pub fn finish(
        mut disk: D,
        incarnation: Incarnation,
        payload: &[u8],
    ) -> Result<Self, VoteRecordError> {
        // Both slots are filled from birth, so that an empty slot is always damage.
        for sequence in 1..=FIRST_SEQUENCE {
            put(&mut disk, &Entry { sequence, incarnation, payload: payload.to_vec() })?;
        }
        disk.sync_data(FILE_NAME)?;
        if !planted(Bug::FolderNotSynced) {
            disk.sync_dir()?;
        }
        Ok(Self { disk, incarnation, sequence: FIRST_SEQUENCE })
    }

    /// Reads the newest record and makes sure that it is durable. `sequence_floor` is the highest
    /// [`VoteRecord::sequence`] that the host noted elsewhere after a write returned; 0 if none.
    pub fn open(mut disk: D, sequence_floor: u64) -> Result<Opened<D>, VoteRecordError> {
        let bytes = read(&mut disk)?;
        let (newest, unreadable_copies) =
            newest(&bytes).map_err(|why| VoteRecordError::Damaged { why })?;
        if newest.sequence < sequence_floor {
            let found = newest.sequence;
            return Err(VoteRecordError::RolledBack { found, floor: sequence_floor });
        }
        put(&mut disk, &newest)?;
        disk.sync_data(FILE_NAME)?;
        if !planted(Bug::FolderNotSynced) {
            disk.sync_dir()?;
        }
        let record = Self { disk, incarnation: newest.incarnation, sequence: newest.sequence };
        Ok(Opened { record, payload: newest.payload, unreadable_copies })
    }

    /// Makes `payload` the newest record and returns its sequence once it is durable: only then may
    /// anything be sent on it. Blocks for one sync. After an error of the disk nothing more can be
    /// written, and nothing may be sent on this payload.
    pub fn write(&mut self, payload: &[u8]) -> Result<u64, VoteRecordError> {
        check_size(payload)?;
        let sequence = self.sequence.checked_add(1).expect("2^64 writes take longer than we have");
        let incarnation = self.incarnation;
        put(&mut self.disk, &Entry { sequence, incarnation, payload: payload.to_vec() })?;
        self.disk.sync_data(FILE_NAME)?;
        self.sequence = sequence;
        Ok(sequence)
    }

    /// Whether this record goes with the store of that incarnation. If not, the node may still
    /// vote, for the promises of its key are here, but it has forgotten what it acknowledged.
    pub fn check_incarnation(&self, expected: Incarnation) -> Result<(), VoteRecordError> {
        let found = self.incarnation;
        if found == expected {
            Ok(())
        } else {
            Err(VoteRecordError::WrongIncarnation { found, expected })
        }
    }

    /// The sequence of the newest durable record. Noted in the store, it is the floor of the next
    /// [`VoteRecord::open`].
    pub const fn sequence(&self) -> u64 {
        self.sequence
    }

    /// Gives the disk back.
    pub fn into_disk(self) -> D {
        self.disk
    }
}

fn check_size(payload: &[u8]) -> Result<(), VoteRecordError> {
    let (bytes, bytes_max) = (payload.len(), PAYLOAD_BYTES_MAX);
    if bytes > bytes_max {
        return Err(VoteRecordError::TooLarge { bytes, bytes_max });
    }
    Ok(())
}

/// Writes both copies of an entry, unsynced.
fn put(disk: &mut impl Disk, entry: &Entry) -> Result<(), DiskError> {
    let bytes = layout::encode(entry);
    for copy in 0..COPIES {
        let offset = layout::offset(layout::slot_of(entry.sequence), copy);
        let offset = u64::try_from(offset).expect("an offset inside 256 KiB");
        disk.write_at(FILE_NAME, offset, &bytes)?;
    }
    Ok(())
}

/// The whole file, of the right size.
fn read(disk: &mut impl Disk) -> Result<Vec<u8>, VoteRecordError> {
    let damaged = |bytes| VoteRecordError::Damaged { why: Damage::Size { bytes } };
    let file_bytes = u64::try_from(FILE_BYTES).expect("a constant that fits");
    match disk.read_all(FILE_NAME, file_bytes) {
        Ok(bytes) if bytes.len() == FILE_BYTES => Ok(bytes),
        Ok(bytes) => Err(damaged(u64::try_from(bytes.len()).expect("below the limit"))),
        Err(DiskError::TooLong { bytes, .. }) => Err(damaged(bytes)),
        Err(DiskError::NotFound { .. }) => Err(VoteRecordError::Missing),
        Err(error) => Err(error.into()),
    }
}

/// The newest entry of the file and how many copies were unreadable. The module's page says why the
/// older slot may stand in for one that cannot be read.
fn newest(file: &[u8]) -> Result<(Entry, usize), Damage> {
    let mut slots: [Option<Entry>; SLOTS] = [const { None }; SLOTS];
    let mut unreadable = 0;
    for (slot, best) in slots.iter_mut().enumerate() {
        for region in copies(file, slot) {
            match layout::decode(slot, region) {
                // Two copies differ only after an interrupted write. If they differ and yet have
                // one sequence, neither was ever promised, so either will do.
                Some(entry) if best.as_ref().is_none_or(|b| b.sequence < entry.sequence) => {
                    *best = Some(entry);
                }
                Some(_) => {}
                None => unreadable += 1,
            }
        }
    }
    let entry = match slots {
        [Some(a), Some(b)] => later(a, b)?,
        [Some(entry), None] => check_interrupted(file, 1).map(|()| entry)?,
        [None, Some(entry)] => check_interrupted(file, 0).map(|()| entry)?,
        [None, None] => return Err(unreadable_file(file)),
    };
    Ok((entry, unreadable))
}

fn copies(file: &[u8], slot: usize) -> impl Iterator<Item = &[u8]> {
    (0..COPIES).map(move |copy| &file[layout::offset(slot, copy)..][..REGION_BYTES])
}

fn later(a: Entry, b: Entry) -> Result<Entry, Damage> {
    let (older, newer) = if a.sequence < b.sequence { (a, b) } else { (b, a) };
    if older.sequence.checked_add(1) != Some(newer.sequence) {
        return Err(Damage::Gap { older: older.sequence, newer: newer.sequence });
    }
    Ok(newer)
}

fn check_interrupted(file: &[u8], slot: usize) -> Result<(), Damage> {
    if copies(file, slot).all(layout::begins_like_an_entry) {
        return Ok(());
    }
    Err(Damage::NotInterrupted { slot })
}

fn unreadable_file(file: &[u8]) -> Damage {
    let version = (0..SLOTS).flat_map(|slot| copies(file, slot)).find_map(layout::foreign_version);
    version.map_or(Damage::Unreadable, |found| Damage::Version { found })
}
