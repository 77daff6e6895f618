//! Batches and acknowledgements.
//!
//! | Family | Key | Value |
//! |---|---|---|
//! | `Batches` | epoch, owner, seq, digest, 0 | the header with its owner's signature |
//! | `Batches` | epoch, owner, seq, digest, 1 | the entries |
//! | `Acks` | epoch, owner, seq | the digest acknowledged there |
//!
//! The header is apart so that a lane can be walked without reading its bodies. A batch and its
//! acknowledgement are one synced write, before the acknowledgement leaves; nothing is deleted
//! while frames are built from it.
//!
//! # Invariants
//! A stored header has its entries: they are written together. An acknowledged digest is never
//! replaced by another.

use super::typed::{decode, get, missing, number};
use super::{Family, Key, KeyValue, Range, StorageError, WriteBatch};
use chorale_consensus::record::StoredBatch;
use chorale_types::batch::{Batch, BatchEntry, BatchHeader, BatchId};
use chorale_types::codec::{Decode, DecodeError, Encode, Reader, encode_list};
use chorale_types::crypto::hash::Digest;
use chorale_types::ids::{LaneId, LaneSeq};
use chorale_types::limits::ROLLUPS_MAX;
use chorale_types::message::SignedHeader;
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard};

const HEADER: u8 = 0;
const ENTRIES: u8 = 1;
/// Bytes of recent batches kept in memory, for ordering and for peers that fetch.
pub const CACHE_BYTES_MAX: usize = 32 << 20;

/// Batches in the store, the recent ones also in memory. Cheap to clone.
#[derive(Clone)]
pub struct BatchStore {
    store: Arc<dyn KeyValue>,
    recent: Arc<Mutex<Recent>>,
}

/// The batches written last; the oldest go when their bytes pass [`CACHE_BYTES_MAX`].
#[derive(Default)]
struct Recent {
    batches: BTreeMap<BatchId, Arc<Batch>>,
    order: VecDeque<BatchId>,
    bytes: usize,
}

impl BatchStore {
    /// The batches of `store`.
    #[must_use]
    pub fn new(store: Arc<dyn KeyValue>) -> Self {
        Self { store, recent: Arc::default() }
    }

    /// Adds to `batch` what stores a batch, with its acknowledgement if asked. Call
    /// [`Self::remember`] once it is written.
    pub fn stage(&self, stored: &Batch, acknowledge: bool, batch: &mut WriteBatch) {
        let header = &stored.header;
        let id = header.id();
        let signed = SignedHeader { header: *header, signature: stored.owner_signature };
        batch.put(Family::Batches, batch_key(&id, HEADER), signed.to_bytes());
        let mut entries = Vec::with_capacity(stored.bytes().saturating_add(1024));
        encode_list(stored.entries.iter(), &mut entries);
        batch.put(Family::Batches, batch_key(&id, ENTRIES), entries);
        if acknowledge {
            Self::stage_acknowledgement(&id, batch);
        }
    }

    /// Adds to `batch` what stores an acknowledgement.
    pub fn stage_acknowledgement(id: &BatchId, batch: &mut WriteBatch) {
        batch.put(Family::Acks, ack_key(id.lane, id.seq), id.digest.as_bytes());
    }

    /// Keeps a batch that is stored in memory for a while.
    pub fn remember(&self, id: BatchId, batch: Arc<Batch>) {
        let mut recent = self.recent();
        recent.bytes = recent.bytes.saturating_add(batch.bytes());
        if let Some(before) = recent.batches.insert(id, batch) {
            recent.bytes = recent.bytes.saturating_sub(before.bytes());
        } else {
            recent.order.push_back(id);
        }
        while recent.bytes > CACHE_BYTES_MAX {
            let Some(oldest) = recent.order.pop_front() else {
                break;
            };
            let gone = recent.batches.remove(&oldest).map_or(0, |batch| batch.bytes());
            recent.bytes = recent.bytes.saturating_sub(gone);
        }
    }

    fn recent(&self) -> MutexGuard<'_, Recent> {
        self.recent.lock().expect("nothing panics while holding the recent batches")
    }

    /// A batch.
    ///
    /// # Errors
    /// When the store cannot be read or is damaged.
    pub fn batch(&self, id: &BatchId) -> Result<Option<Arc<Batch>>, StorageError> {
        if let Some(batch) = self.recent().batches.get(id) {
            return Ok(Some(Arc::clone(batch)));
        }
        let Some(signed) = self.stored_header(id)? else {
            return Ok(None);
        };
        let key = batch_key(id, ENTRIES);
        let entries: Option<Entries> =
            get(&*self.store, Family::Batches, key.as_ref(), "reading a batch")?;
        let entries = entries.ok_or_else(|| missing("reading a batch", "its entries"))?;
        Ok(Some(Arc::new(assemble(&signed, entries))))
    }

    /// A batch's header and its owner's signature.
    ///
    /// # Errors
    /// When the store cannot be read or is damaged.
    pub fn header(&self, id: &BatchId) -> Result<Option<SignedHeader>, StorageError> {
        if let Some(batch) = self.recent().batches.get(id) {
            let signature = batch.owner_signature;
            return Ok(Some(SignedHeader { header: batch.header, signature }));
        }
        self.stored_header(id)
    }

    fn stored_header(&self, id: &BatchId) -> Result<Option<SignedHeader>, StorageError> {
        let key = batch_key(id, HEADER);
        get(&*self.store, Family::Batches, key.as_ref(), "reading a batch's header")
    }

    /// The digest acknowledged at a place.
    ///
    /// # Errors
    /// When the store cannot be read or is damaged.
    pub fn acknowledged(&self, lane: LaneId, seq: LaneSeq) -> Result<Option<Digest>, StorageError> {
        let key = ack_key(lane, seq);
        get(&*self.store, Family::Acks, key.as_ref(), "reading an acknowledgement")
    }

    /// The last batch acknowledged in a lane; in the node's own, the last it ever made.
    ///
    /// # Errors
    /// When the store cannot be read or is damaged.
    pub fn last_acknowledged(&self, lane: LaneId) -> Result<Option<BatchHeader>, StorageError> {
        let range = Range::prefix(Family::Acks, lane_key(lane)).backward().entries_max(1);
        let Some((key, digest)) = self.store.range(&range)?.pop() else {
            return Ok(None);
        };
        let doing = "reading the last acknowledgement";
        let seq = number(&key, LANE_BYTES).map(LaneSeq::new);
        let seq = seq.ok_or_else(|| missing(doing, "the end of its key"))?;
        let id = BatchId { lane, seq, digest: decode(doing, &digest)? };
        let signed = self.stored_header(&id)?;
        Ok(Some(signed.ok_or_else(|| missing(doing, "the batch acknowledged"))?.header))
    }

    /// The stored batches of a lane above `seq`, all of them, by rising sequence. A replica
    /// acknowledges up to a window above what is final, and that may be far above what is ordered:
    /// what is left out here could be acknowledged a second time.
    ///
    /// # Errors
    /// When the store cannot be read or is damaged.
    pub fn above(&self, lane: LaneId, seq: LaneSeq) -> Result<Vec<StoredBatch>, StorageError> {
        let mut from = Vec::from(lane_key(lane).u64(seq.next().get()));
        let (mut found, mut header) = (Vec::new(), None);
        loop {
            let range = Range::prefix(Family::Batches, lane_key(lane)).from(from);
            let pairs = self.store.range(&range)?;
            let Some((last_key, _)) = pairs.last() else {
                return Ok(found);
            };
            from = [last_key.as_slice(), &[0]].concat();
            for (key, value) in &pairs {
                match key.last() {
                    Some(&HEADER) => header = Some(decode("reading a lane", value)?),
                    _ => found.push(self.stored(header.take(), value)?),
                }
            }
        }
    }

    fn stored(
        &self,
        header: Option<SignedHeader>,
        entries: &[u8],
    ) -> Result<StoredBatch, StorageError> {
        let signed = header.ok_or_else(|| missing("reading a lane", "a batch's header"))?;
        let batch = assemble(&signed, decode("reading a lane", entries)?);
        let id = batch.header.id();
        let acknowledged = self.acknowledged(id.lane, id.seq)? == Some(id.digest);
        Ok(StoredBatch { batch: Arc::new(batch), acknowledged })
    }
}

/// A batch's entries as stored.
struct Entries(Vec<BatchEntry>);

impl Decode for Entries {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        reader.list("entries", ROLLUPS_MAX).map(Self)
    }
}

fn assemble(signed: &SignedHeader, Entries(entries): Entries) -> Batch {
    let SignedHeader { header, signature } = *signed;
    Batch { header, owner_signature: signature, entries }
}

/// Bytes of a key up to the sequence.
const LANE_BYTES: usize = 8 + 4;

fn lane_key(lane: LaneId) -> Key {
    Key::default().u64(lane.epoch.get()).u32(u32::from(lane.owner.get()))
}

fn ack_key(lane: LaneId, seq: LaneSeq) -> Key {
    lane_key(lane).u64(seq.get())
}

fn batch_key(id: &BatchId, part: u8) -> Key {
    lane_key(id.lane).u64(id.seq.get()).bytes(id.digest.as_bytes()).bytes(&[part])
}

#[cfg(test)]
mod tests;
