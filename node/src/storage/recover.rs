//! From what is stored back to a replica, and whether it may still sign.
//!
//! Two promises must not be broken by what was lost. The vote record keeps a key from voting
//! twice: without it, or with an older one, the node observes. The store keeps the node from
//! acknowledging twice: without it, or with an older one, the node owns no lane and acknowledges
//! nothing, and may vote.
//!
//! # Invariants
//! - A vote record is made only where no key of this node can have signed: the store says nothing
//!   of an earlier record, the host knows of no earlier start with this key, and there is no file,
//!   or nothing in it but what making it began to write.
//! - What was refused once stays refused at later starts.

use super::ordered::OrderedStore;
use super::typed::{decode, get, missing};
use super::vote_record::FILE_NAME;
use super::{
    BatchStore, Disk, Family, Incarnation, KeyValue, StorageError, VoteRecord, VoteRecordError,
    WriteBatch, blocks::BlockStore, establish_identity,
};
use crate::barrier::{SyncedStore, VOTE_FLOOR_KEY, VotePayload};
use chorale_consensus::record::{Recovered, VoteRecord as Votes};
use chorale_types::block::{CommittedBlock, Frontier};
use chorale_types::codec::{DecodeError, Encode, decode_exact};
use chorale_types::ids::{Height, LaneId, ValidatorIndex};
use chorale_types::limits::ORDERED_ROOTS_KEPT;
use chorale_types::validators::ValidatorSet;
use std::sync::Arc;

/// The key in `Meta` of the incarnation that the vote record names. There from the moment the
/// record is durable, and so before anything is signed.
const PARTNER_KEY: &[u8] = b"vote_record_goes_with";
/// The key in `Meta` that is there once the store is known to have forgotten something.
const FORGETFUL_KEY: &[u8] = b"forgetful";
/// Committed blocks given back to a replica, beside those not ordered yet.
const COMMITTED_MAX: u64 = 64;

/// Everything a node keeps, by what it means. Cheap to clone.
#[derive(Clone)]
pub struct Stores {
    /// The store itself.
    pub synced: Arc<SyncedStore>,
    /// Blocks and the chain.
    pub blocks: BlockStore,
    /// Batches and acknowledgements.
    pub batches: BatchStore,
    /// What is ordered.
    pub ordered: OrderedStore,
}

impl Stores {
    /// Over a store that was just opened.
    #[must_use]
    pub fn new(store: &Arc<dyn KeyValue>) -> Self {
        Self {
            synced: Arc::new(SyncedStore::new(Arc::clone(store))),
            blocks: BlockStore::new(Arc::clone(store)),
            batches: BatchStore::new(Arc::clone(store)),
            ordered: OrderedStore::new(Arc::clone(store)),
        }
    }

    fn kv(&self) -> &dyn KeyValue {
        self.synced.store().as_ref()
    }
}

/// Why a node may not do all that a member does.
#[derive(Debug, thiserror::Error)]
pub enum Doubt {
    /// It is not in the set.
    #[error("this node is not in the validator set: it follows")]
    NotAMember,
    /// The vote record cannot be used.
    #[error("observer: {0}")]
    VoteRecord(#[from] VoteRecordError),
    /// The vote record is whole, but holds nothing this program reads.
    #[error("observer: the vote record cannot be read: {0}")]
    Unreadable(DecodeError),
    /// The key was used, and vote record and store are gone.
    #[error(
        "observer: this node's key has signed before, and its vote record is gone: register a new \
         key, or put back the whole data folder as it was last"
    )]
    KeyUsedBefore,
    /// The store is not the one that goes with the vote record, or an older copy of it.
    #[error(
        "no lane: the store was lost or is an older copy, so what this node acknowledged is \
         forgotten"
    )]
    StoreForgot,
    /// No lane because of the vote record.
    #[error("no lane: without the vote record nobody knows whether the store is complete")]
    StoreUnknown,
}

/// What a node starts from.
pub struct Recovery<D> {
    /// For the replica.
    pub recovered: Recovered,
    /// The vote record, if votes may be signed.
    pub vote_record: Option<VoteRecord<D>>,
    /// Why no vote is signed, if none is.
    pub votes: Result<(), Doubt>,
    /// Why it owns no lane and acknowledges nothing, if so.
    pub lanes: Result<(), Doubt>,
    /// Of four stored copies of vote records, how many could not be read: see
    /// [`super::Opened::unreadable_copies`].
    pub unreadable_copies: usize,
}

/// Whose records these are.
#[derive(Clone, Debug)]
pub struct Identity {
    /// The set of the epoch.
    pub set: ValidatorSet,
    /// This node's place in it.
    pub me: Option<ValidatorIndex>,
    /// Whether the host knows that this key was used in an earlier start.
    pub key_used: bool,
    /// A random name, for a store that has none yet.
    pub fresh: Incarnation,
}

/// Opens the vote record, makes it on the first start, and gives back what the replica knew.
///
/// # Errors
/// When the store or the disk fails or is damaged: the node does not start.
pub fn recover<D: Disk>(
    stores: &Stores,
    disk: D,
    identity: &Identity,
) -> Result<Recovery<D>, StorageError> {
    // After a process died the store may show writes that are not durable yet. What is counted as
    // durable from here on must be.
    stores.kv().flush()?;
    let incarnation = establish_identity(stores.kv(), identity.fresh)?;
    let mut recovery = match identity.me {
        None => Recovery {
            recovered: Recovered::default(),
            vote_record: None,
            votes: Err(Doubt::NotAMember),
            lanes: Err(Doubt::NotAMember),
            unreadable_copies: 0,
        },
        Some(_) => open_votes(stores, disk, identity, incarnation)?,
    };
    let vote = recovery.recovered.vote.take();
    recovery.recovered = Recovered { vote, ..read_chain(stores, identity)? };
    Ok(recovery)
}

fn open_votes<D: Disk>(
    stores: &Stores,
    mut disk: D,
    identity: &Identity,
    incarnation: Incarnation,
) -> Result<Recovery<D>, StorageError> {
    let partner = stores.kv().get(Family::Meta, PARTNER_KEY)?;
    let partner: Option<[u8; 16]> =
        partner.map(|bytes| decode("reading the vote record's incarnation", &bytes)).transpose()?;
    let partner = partner.map(Incarnation);
    let there = disk.exists(FILE_NAME).map_err(|error| failed(error.into()))?;
    if partner.is_none() && !identity.key_used {
        let votes = Votes::new(identity.set.start().clone());
        let payload = VotePayload { store_sequence: 0, votes }.to_bytes();
        if !there {
            let record = VoteRecord::create(disk, incarnation, &payload);
            return first_start(stores, record, incarnation);
        }
        if VoteRecord::is_unfinished(&mut disk, incarnation, &payload).map_err(failed)? {
            let record = VoteRecord::finish(disk, incarnation, &payload);
            return first_start(stores, record, incarnation);
        }
    } else if partner.is_none() && !there {
        return Ok(observer(Doubt::KeyUsedBefore));
    }
    let floor: Option<u64> = get(stores.kv(), Family::Meta, VOTE_FLOOR_KEY, "reading its floor")?;
    let opened = match VoteRecord::open(disk, floor.unwrap_or(0)) {
        Ok(opened) => opened,
        Err(VoteRecordError::Disk(error)) => return Err(failed(error.into())),
        Err(why) => return Ok(observer(why.into())),
    };
    let payload: VotePayload = match decode_exact(&opened.payload) {
        Ok(payload) => payload,
        Err(why) => return Ok(observer(Doubt::Unreadable(why))),
    };
    match partner {
        Some(partner) => {
            if let Err(why) = opened.record.check_incarnation(partner) {
                return Ok(observer(why.into()));
            }
        }
        None => set_partner(stores, named_by(&opened.record, incarnation))?,
    }
    let lanes = check_store(stores, &opened.record, incarnation, payload.store_sequence)?;
    Ok(Recovery {
        recovered: Recovered { vote: Some(payload.votes), ..Recovered::default() },
        vote_record: Some(opened.record),
        votes: Ok(()),
        lanes,
        unreadable_copies: opened.unreadable_copies,
    })
}

fn failed(error: VoteRecordError) -> StorageError {
    StorageError::Engine { doing: "opening the vote record", source: Box::new(error) }
}

fn observer<D>(why: Doubt) -> Recovery<D> {
    Recovery {
        recovered: Recovered::default(),
        vote_record: None,
        votes: Err(why),
        lanes: Err(Doubt::StoreUnknown),
        unreadable_copies: 0,
    }
}

fn first_start<D: Disk>(
    stores: &Stores,
    made: Result<VoteRecord<D>, VoteRecordError>,
    incarnation: Incarnation,
) -> Result<Recovery<D>, StorageError> {
    let record = made.map_err(failed)?;
    set_partner(stores, incarnation)?;
    Ok(Recovery {
        recovered: Recovered::default(),
        vote_record: Some(record),
        votes: Ok(()),
        lanes: Ok(()),
        unreadable_copies: 0,
    })
}

fn set_partner(stores: &Stores, incarnation: Incarnation) -> Result<(), StorageError> {
    let mut batch = WriteBatch::default();
    batch.put(Family::Meta, PARTNER_KEY, incarnation.0);
    stores.synced.write(batch)
}

/// The incarnation that an open record names.
fn named_by<D: Disk>(record: &VoteRecord<D>, guess: Incarnation) -> Incarnation {
    match record.check_incarnation(guess) {
        Err(VoteRecordError::WrongIncarnation { found, .. }) => found,
        _ => guess,
    }
}

/// Whether the store is the one that goes with the vote record, with all it promised to keep.
fn check_store<D: Disk>(
    stores: &Stores,
    record: &VoteRecord<D>,
    incarnation: Incarnation,
    noted: u64,
) -> Result<Result<(), Doubt>, StorageError> {
    let known = stores.kv().get(Family::Meta, FORGETFUL_KEY)?.is_some();
    let other = record.check_incarnation(incarnation).is_err();
    if !known && !other && stores.kv().sequence() >= noted {
        return Ok(Ok(()));
    }
    if !known {
        let mut batch = WriteBatch::default();
        batch.put(Family::Meta, FORGETFUL_KEY, []);
        stores.synced.write(batch)?;
    }
    Ok(Err(Doubt::StoreForgot))
}

fn read_chain(stores: &Stores, identity: &Identity) -> Result<Recovered, StorageError> {
    let head = stores.blocks.head()?;
    let records = stores.ordered.window(ORDERED_ROOTS_KEPT)?;
    let (ordered_height, ordered_frontier) = records
        .last()
        .map_or((Height::ZERO, Frontier::default()), |last| (last.height, last.frontier.clone()));
    // Everything not ordered yet, whose batches may have to be fetched, and a few below.
    let recent = head.height.saturating_sub(COMMITTED_MAX.saturating_sub(1));
    let from = recent.min(ordered_height.next()).get().max(1);
    let committed: Vec<CommittedBlock> = (from..=head.height.get())
        .map(|height| {
            let block = stores.blocks.committed(Height::new(height))?;
            block.ok_or_else(|| missing("reading the chain", "a final block"))
        })
        .collect::<Result<_, _>>()?;
    let kept = records.len().saturating_sub(ORDERED_ROOTS_KEPT);
    let ordered = records[kept..].iter().map(|record| (record.height, record.root)).collect();
    let epoch = identity.set.epoch();
    let mut batches = Vec::new();
    for owner in 0..identity.set.len() {
        let lane = LaneId { epoch, owner: ValidatorIndex::new(owner) };
        batches.extend(stores.batches.above(lane, ordered_frontier.seq(lane))?);
    }
    let own_lane = match identity.me {
        Some(owner) => stores.batches.last_acknowledged(LaneId { epoch, owner })?,
        None => None,
    };
    Ok(Recovered {
        vote: None,
        committed,
        uncommitted: stores.blocks.above(head.height)?,
        frontier: head.frontier,
        ordered,
        ordered_frontier,
        batches,
        own_lane,
    })
}

#[cfg(test)]
mod tests;
