use super::*;
use crate::storage::{Incarnation, Stores};
use crate::testing::doubles::{Control, LoggedDisk, LoggedStore};
use crate::testing::{batches, chain, committed_range, store_blocks};
use chorale_consensus::output::TimeoutStatement;
use chorale_types::certificate::{CommitCert, EntryCert, QuorumCert, TimeoutCert, TimeoutGroup};
use chorale_types::crypto::bitmap::SignerSet;
use chorale_types::ids::{ValidatorIndex, View};
use chorale_types::limits::VALIDATORS_MAX;
use chorale_types::message::ProposalClass;
use chorale_types::vote::{Tip, VoteKind};

struct Setup {
    control: Control,
    store: Arc<SyncedStore>,
    vote: VoteBarrier<LoggedDisk>,
    batch: BatchBarrier,
}

fn setup() -> Setup {
    let control = Control::default();
    let store: Arc<dyn KeyValue> =
        Arc::new(LoggedStore { control: control.clone(), ..LoggedStore::default() });
    let disk = LoggedDisk { control: control.clone(), ..LoggedDisk::default() };
    let record = VoteRecord::create(disk, Incarnation([1; 16]), b"").unwrap();
    let synced = Arc::new(SyncedStore::new(Arc::clone(&store)));
    let vote = VoteBarrier::new(record, BlockStore::new(Arc::clone(&store)), Arc::clone(&synced));
    let batch = BatchBarrier::new(BatchStore::new(store), Arc::clone(&synced));
    control.take();
    Setup { control, store: synced, vote, batch }
}

fn blocks_and_votes() -> (Vec<Arc<Block>>, Votes) {
    let chain = chain(2);
    let blocks = (1..3).map(|height| Arc::clone(chain.block_at(height))).collect();
    (blocks, Votes::new(chain.set().start().clone()))
}

#[test]
fn blocks_are_durable_before_the_vote_record_that_names_them() {
    let (mut setup, (blocks, votes)) = (setup(), blocks_and_votes());
    setup.vote.write(&blocks[..1], &votes).unwrap();
    assert_eq!(setup.control.take(), ["store", "record"]);
    setup.vote.write(&[], &votes).unwrap();
    assert_eq!(setup.control.take(), ["record"], "no block, nothing to sync for");
    setup.vote.write(&blocks, &votes).unwrap();
    assert_eq!(setup.control.take(), ["store", "record"]);
}

#[test]
fn a_block_that_only_a_buffered_write_stored_is_synced_before_the_vote_record() {
    let (mut setup, (blocks, votes)) = (setup(), blocks_and_votes());
    let stores = Stores::new(setup.store.store());
    store_blocks(&stores, &committed_range(&chain(2), 1..2));
    setup.vote.write(&blocks[..1], &votes).unwrap();
    assert_eq!(setup.control.take(), ["store", "record"]);
    assert_eq!(setup.store.floor(), setup.store.store().sequence());

    let mut setup = self::setup();
    store_blocks(&Stores::new(setup.store.store()), &committed_range(&chain(2), 1..2));
    setup.control.store_fails.store(true, Ordering::SeqCst);
    assert!(matches!(setup.vote.write(&blocks[..1], &votes), Err(BarrierError::Store(_))));
    assert!(setup.control.take().is_empty());
}

#[test]
fn no_vote_record_names_a_block_that_could_not_be_stored() {
    let (mut setup, (blocks, votes)) = (setup(), blocks_and_votes());
    setup.control.store_fails.store(true, Ordering::SeqCst);
    assert!(matches!(setup.vote.write(&blocks, &votes), Err(BarrierError::Store(_))));
    assert!(setup.control.take().is_empty());
}

#[test]
fn a_vote_record_that_could_not_be_synced_is_an_error() {
    let (mut setup, (blocks, votes)) = (setup(), blocks_and_votes());
    setup.control.disk_fails.store(true, Ordering::SeqCst);
    assert!(matches!(setup.vote.write(&blocks, &votes), Err(BarrierError::VoteRecord(_))));
}

#[test]
fn all_batches_that_wait_are_one_synced_write() {
    let (setup, chain) = (setup(), chain(3));
    let mut group = Vec::new();
    for height in 1..4 {
        for batch in batches(&chain, height) {
            group.push(LaneWrite::Batch(batch, height == 1));
        }
    }
    group.push(LaneWrite::Acknowledgement(batches(&chain, 2)[0].header));
    setup.batch.write(&group).unwrap();
    assert_eq!(setup.control.take(), ["store"]);
    let store = BatchStore::new(Arc::clone(setup.store.store()));
    for (height, acknowledged) in [(1, [true, true]), (2, [true, false]), (3, [false, false])] {
        for (batch, acknowledged) in batches(&chain, height).iter().zip(acknowledged) {
            let id = batch.header.id();
            assert_eq!(store.batch(&id).unwrap().as_ref(), Some(batch));
            assert_eq!(store.acknowledged(id.lane, id.seq).unwrap().is_some(), acknowledged);
        }
    }
    setup.batch.write(&[]).unwrap();
    assert!(setup.control.take().is_empty(), "nothing to write, nothing to sync");
}

#[test]
fn a_batch_that_could_not_be_stored_is_not_served_from_memory() {
    let (setup, chain) = (setup(), chain(1));
    let batch = Arc::clone(&batches(&chain, 1)[0]);
    setup.control.store_fails.store(true, Ordering::SeqCst);
    assert!(setup.batch.write(&[LaneWrite::Batch(Arc::clone(&batch), true)]).is_err());
    let store = setup.batch.batches;
    assert_eq!(store.batch(&batch.header.id()).unwrap(), None);
}

#[test]
fn the_floor_covers_only_what_returned_before_a_synced_write() {
    let (setup, chain) = (setup(), chain(1));
    let mut buffered = WriteBatch::default();
    buffered.put(Family::Meta, b"x", b"y");
    setup.store.store().write(buffered.clone(), Durability::Buffered).unwrap();
    assert_eq!(setup.store.floor(), 0);
    setup.batch.write(&[LaneWrite::Acknowledgement(batches(&chain, 1)[0].header)]).unwrap();
    assert_eq!(setup.store.floor(), 1, "the buffered write before it is covered");
    setup.store.store().write(buffered, Durability::Buffered).unwrap();
    assert_eq!(setup.store.floor(), 1);
}

/// The timeout certificate of the most members, each of whom reports something else.
fn largest_timeout_cert(high_qc: &QuorumCert, tip: Tip) -> TimeoutCert {
    let members = high_qc.signers.members();
    let group = |member: u16| {
        let mut signers = SignerSet::new(members);
        signers.insert(ValidatorIndex::new(member));
        TimeoutGroup { high_qc_view: View::new(u64::from(member)), tip: Some(tip), signers }
    };
    TimeoutCert {
        epoch: high_qc.vote.epoch,
        view: View::MAX,
        groups: (0..members).map(group).collect(),
        signature: high_qc.signature,
        high_qc: high_qc.clone(),
    }
}

#[test]
fn the_largest_vote_record_of_the_largest_set_has_room_in_its_file() {
    let members = u16::try_from(VALIDATORS_MAX).unwrap();
    let start = blocks_and_votes().1.high_qc;
    let qc = QuorumCert { signers: SignerSet::new(members), ..start };
    let (vote, tip) = (qc.vote, qc.vote.tip());
    let tc = largest_timeout_cert(&qc, tip);
    let commit = QuorumCert { kind: VoteKind::Commit, ..qc.clone() };
    let timeout = TimeoutStatement {
        view: View::MAX,
        high_qc: qc.clone(),
        tip: Some(tip),
        entry: EntryCert::Tc(tc.clone()),
        prepare: Some((vote, qc.signature)),
    };
    let votes = Votes {
        last_prepare: Some(vote),
        last_timeout: Some(timeout),
        last_commit: Some(vote),
        tip: Some(tip),
        last_proposed: Some((View::MAX, ProposalClass::Justified, vote.block)),
        high_tc: Some(tc),
        high_cc: CommitCert::new(commit),
        ..Votes::new(qc)
    };
    assert!(votes.high_cc.is_some());
    setup().vote.write(&[], &votes).unwrap();
}
