use super::*;
use crate::barrier::{BatchBarrier, LaneWrite, VoteBarrier};
use crate::feed::Feed;
use crate::storage::{Damage, Durability, MemoryStore, RealDisk, Stores};
use crate::testing::{batches, chain, committed_range};
use chorale_consensus::ordering::testing::TestChain;
use chorale_types::ids::{LaneSeq, View};
use std::path::PathBuf;
use tempfile::TempDir;

/// A node's home: a folder for the vote record, and a store that may be exchanged.
struct Home {
    folder: TempDir,
    memory: Arc<MemoryStore>,
    chain: TestChain,
    fresh: u8,
    key_used: bool,
}

impl Home {
    fn new() -> Self {
        let folder = TempDir::new().unwrap();
        let memory = Arc::new(MemoryStore::new());
        Self { folder, memory, chain: chain(3), fresh: 1, key_used: false }
    }

    fn stores(&self) -> Stores {
        let store: Arc<dyn KeyValue> = Arc::clone(&self.memory) as Arc<dyn KeyValue>;
        Stores::new(&store)
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join(FILE_NAME)
    }

    fn lose_store(&mut self) {
        self.memory = Arc::new(MemoryStore::new());
    }

    fn start(&mut self) -> Recovery<RealDisk> {
        self.start_as(Some(ValidatorIndex::new(1)))
    }

    fn start_as(&mut self, me: Option<ValidatorIndex>) -> Recovery<RealDisk> {
        let fresh = Incarnation([self.fresh; 16]);
        self.fresh += 1;
        let set = self.chain.set().clone();
        let identity = Identity { set, me, key_used: self.key_used, fresh };
        let disk = RealDisk::open(self.folder.path()).unwrap();
        recover(&self.stores(), disk, &identity).unwrap()
    }

    /// Starts, stores a block and a vote for `view`, stops.
    fn vote(&mut self, view: u64) {
        let recovery = self.start();
        let stores = self.stores();
        let record = recovery.vote_record.expect("it may vote");
        let mut barrier =
            VoteBarrier::new(record, stores.blocks.clone(), Arc::clone(&stores.synced));
        let mut votes = Votes::new(self.chain.set().start().clone());
        votes.last_voted_view = View::new(view);
        barrier.write(&[Arc::clone(self.chain.block_at(view))], &votes).unwrap();
    }
}

fn refused<D>(recovery: &Recovery<D>) -> (bool, bool) {
    assert_eq!(recovery.votes.is_ok(), recovery.vote_record.is_some());
    (recovery.votes.is_err(), recovery.lanes.is_err())
}

#[test]
fn the_first_start_makes_a_vote_record_and_the_next_takes_it_up() {
    let mut home = Home::new();
    let first = home.start();
    assert_eq!(refused(&first), (false, false));
    assert_eq!(first.recovered.vote, None);
    drop(first);
    home.vote(2);
    let next = home.start();
    assert_eq!(refused(&next), (false, false));
    assert_eq!(next.recovered.vote.unwrap().last_voted_view, View::new(2));
    assert_eq!(next.recovered.uncommitted, [Arc::clone(home.chain.block_at(2))]);
}

/// What the first start writes.
fn born() -> Vec<u8> {
    let mut home = Home::new();
    home.start();
    std::fs::read(home.file()).unwrap()
}

/// A home whose first start ended with this in the file.
fn interrupted(file: &[u8]) -> Home {
    let mut home = Home::new();
    establish_identity(&*home.memory, Incarnation([1; 16])).unwrap();
    home.fresh = 2;
    std::fs::write(home.file(), file).unwrap();
    home
}

#[test]
fn a_first_start_that_was_interrupted_is_finished_by_the_next() {
    let born = born();
    let copy = born.len() / 4;
    for cut in [0, 8, 12, 60, 100, copy, copy + 60, 2 * copy, 2 * copy + 60, 3 * copy + 100] {
        let mut file = born.clone();
        file[cut..].fill(0);
        let mut home = interrupted(&file);
        assert_eq!(refused(&home.start()), (false, false), "cut at {cut}");
        assert_eq!(std::fs::read(home.file()).unwrap(), born);
        home.vote(1);
        assert_eq!(home.start().recovered.vote.unwrap().last_voted_view, View::new(1));
    }
}

#[test]
fn only_what_making_a_vote_record_writes_is_taken_for_an_interrupted_start() {
    let mut file = born();
    file[100..].fill(0);
    let mut used = interrupted(&file);
    used.key_used = true;
    let mut elsewhere = interrupted(&file);
    elsewhere.lose_store();
    let (mut short, mut changed) = (interrupted(&file[..1_000]), file.clone());
    changed[99] ^= 1;
    changed[5_000] = 1;
    let mut changed = interrupted(&changed);
    for home in [&mut used, &mut elsewhere, &mut short, &mut changed] {
        let recovery = home.start();
        assert_eq!(refused(&recovery), (true, true));
        let why = recovery.votes.unwrap_err();
        assert!(matches!(why, Doubt::VoteRecord(VoteRecordError::Damaged { .. })), "{why}");
    }
}

#[test]
fn a_missing_vote_record_beside_a_store_makes_an_observer_that_stays_one() {
    let mut home = Home::new();
    home.vote(1);
    std::fs::remove_file(home.file()).unwrap();
    for _ in 0..2 {
        let recovery = home.start();
        assert_eq!(refused(&recovery), (true, true));
        assert!(matches!(recovery.votes, Err(Doubt::VoteRecord(VoteRecordError::Missing))));
        assert_eq!(recovery.recovered.vote, None);
        assert!(!home.file().exists(), "no record is made anew");
    }
}

#[test]
fn a_damaged_vote_record_makes_an_observer_that_says_how() {
    let mut home = Home::new();
    home.vote(1);
    let whole = std::fs::read(home.file()).unwrap();
    std::fs::write(home.file(), &whole[..whole.len() / 2]).unwrap();
    let recovery = home.start();
    assert_eq!(refused(&recovery), (true, true));
    let why = recovery.votes.unwrap_err();
    assert!(matches!(
        why,
        Doubt::VoteRecord(VoteRecordError::Damaged { why: Damage::Size { .. } })
    ));
    assert!(why.to_string().contains("damaged"), "{why}");
}

#[test]
fn whatever_lies_in_the_place_of_a_vote_record_makes_an_observer_that_says_why() {
    let mut home = Home::new();
    home.vote(1);
    let whole = std::fs::read(home.file()).unwrap();
    let shifted = [&[0][..], &whole[..whole.len() - 1]].concat();
    let mut of_later_version = whole.clone();
    for region in of_later_version.chunks_mut(whole.len() / 4) {
        region[11] = 2;
    }
    let cases = [
        ("an empty file", vec![], "0 bytes"),
        ("one byte too few", whole[..whole.len() - 1].to_vec(), "bytes, not"),
        ("one byte too many", [&whole[..], &[0]].concat(), "bytes, not"),
        ("a huge file", vec![0; 8 << 20], "bytes, not"),
        ("zeros", vec![0; whole.len()], "no stored copy is whole"),
        ("ones", vec![0xff; whole.len()], "no stored copy is whole"),
        ("all moved by one", shifted, "no stored copy is whole"),
        ("a later version", of_later_version, "format 2"),
        ("text", b"{}".to_vec(), "bytes, not"),
    ];
    for (what, bytes, reason) in cases {
        std::fs::write(home.file(), &bytes).unwrap();
        let recovery = home.start();
        assert_eq!(refused(&recovery), (true, true), "{what}");
        assert_eq!(recovery.recovered.vote, None, "{what}");
        let why = recovery.votes.unwrap_err().to_string();
        assert!(why.contains("damaged") && why.contains(reason), "{what}: {why}");
        assert_eq!(std::fs::read(home.file()).unwrap(), bytes, "{what}: it is left as found");
    }
}

#[test]
fn a_vote_record_of_another_store_makes_an_observer() {
    let (mut home, mut other) = (Home::new(), Home::new());
    home.vote(1);
    other.fresh = 100;
    other.vote(1);
    std::fs::copy(other.file(), home.file()).unwrap();
    let recovery = home.start();
    assert_eq!(refused(&recovery), (true, true));
    let why = recovery.votes.unwrap_err();
    assert!(matches!(why, Doubt::VoteRecord(VoteRecordError::WrongIncarnation { .. })));
}

#[test]
fn an_older_vote_record_put_back_makes_an_observer() {
    let mut home = Home::new();
    home.vote(1);
    let older = std::fs::read(home.file()).unwrap();
    home.vote(2);
    home.vote(3);
    std::fs::write(home.file(), older).unwrap();
    let recovery = home.start();
    assert_eq!(refused(&recovery), (true, true));
    let why = recovery.votes.unwrap_err();
    assert!(matches!(why, Doubt::VoteRecord(VoteRecordError::RolledBack { .. })));
}

#[test]
fn a_lost_store_leaves_the_vote_and_takes_the_lane_for_good() {
    let mut home = Home::new();
    home.vote(2);
    home.lose_store();
    for _ in 0..3 {
        let recovery = home.start();
        assert_eq!(refused(&recovery), (false, true));
        assert!(matches!(recovery.lanes, Err(Doubt::StoreForgot)));
        let vote = recovery.recovered.vote.expect("what the key promised is known");
        assert_eq!(vote.last_voted_view, View::new(2));
    }
}

#[test]
fn an_older_store_put_back_takes_the_lane_for_good() {
    let mut home = Home::new();
    home.vote(1);
    let stores = home.stores();
    let barrier = BatchBarrier::new(stores.batches.clone(), Arc::clone(&stores.synced));
    for batch in batches(&home.chain, 1) {
        barrier.write(&[LaneWrite::Batch(batch, true)]).unwrap();
    }
    home.vote(2);
    home.vote(3);
    // The older copy: everything but the newest entries, whose absence the sequence shows.
    let older = MemoryStore::new();
    for family in [Family::Meta] {
        for (key, value) in home.memory.range(&super::super::Range::all(family)).unwrap() {
            let mut batch = WriteBatch::default();
            batch.put(family, key, value);
            older.write(batch, Durability::Synced).unwrap();
        }
    }
    home.memory = Arc::new(older);
    for _ in 0..2 {
        let recovery = home.start();
        assert_eq!(refused(&recovery), (false, true));
        assert!(matches!(recovery.lanes, Err(Doubt::StoreForgot)));
    }
}

#[test]
fn a_used_key_without_vote_record_and_store_makes_an_observer() {
    let mut home = Home::new();
    home.key_used = true;
    let recovery = home.start();
    assert_eq!(refused(&recovery), (true, true));
    assert!(matches!(recovery.votes, Err(Doubt::KeyUsedBefore)));
}

#[test]
fn a_start_cut_before_the_store_knew_of_the_vote_record_goes_on() {
    let mut home = Home::new();
    drop(home.start());
    let mut batch = WriteBatch::default();
    batch.delete(Family::Meta, PARTNER_KEY);
    home.stores().synced.write(batch).unwrap();
    for _ in 0..2 {
        assert_eq!(refused(&home.start()), (false, false));
    }
}

#[test]
fn a_node_outside_the_set_follows_and_makes_no_vote_record() {
    let mut home = Home::new();
    let recovery = home.start_as(None);
    assert_eq!(refused(&recovery), (true, true));
    assert!(matches!(recovery.votes, Err(Doubt::NotAMember)));
    assert!(!home.file().exists());
}

#[test]
fn a_payload_of_other_bytes_makes_an_observer() {
    let mut home = Home::new();
    let mut record = home.start().vote_record.unwrap();
    record.write(b"something else").unwrap();
    drop(record);
    let recovery = home.start();
    assert_eq!(refused(&recovery), (true, true));
    assert!(matches!(recovery.votes, Err(Doubt::Unreadable(_))));
}

#[test]
fn a_contradiction_comes_back_with_the_vote_record_at_every_start() {
    let mut home = Home::new();
    let mut record = home.start().vote_record.unwrap();
    let contradiction = Some(home.chain.certify(1, &[0, 1, 2]));
    let start = home.chain.set().start().clone();
    let votes = Votes { contradiction: contradiction.clone(), ..Votes::new(start) };
    record.write(&VotePayload { store_sequence: 0, votes }.to_bytes()).unwrap();
    drop(record);
    for _ in 0..2 {
        assert_eq!(home.start().recovered.vote.unwrap().contradiction, contradiction);
    }
}

#[test]
fn a_replica_gets_back_its_chain_its_batches_and_its_lane() {
    let mut home = Home::new();
    drop(home.start());
    let stores = home.stores();
    let barrier = BatchBarrier::new(stores.batches.clone(), Arc::clone(&stores.synced));
    for height in 1..4 {
        for batch in batches(&home.chain, height) {
            barrier.write(&[LaneWrite::Batch(batch, true)]).unwrap();
        }
    }
    let mut feed = Feed::open(stores.clone(), home.chain.genesis()).unwrap();
    feed.commit(&committed_range(&home.chain, 1..3)).unwrap();
    feed.order_next().unwrap().expect("its batches are held");
    let mut voted = WriteBatch::default();
    stores.blocks.stage_voted(&[Arc::clone(home.chain.block_at(3))], &mut voted).unwrap();
    stores.synced.write(voted).unwrap();

    let recovered = home.start().recovered;
    assert_eq!(recovered.committed, committed_range(&home.chain, 1..3));
    let records = home.chain.records();
    assert_eq!(recovered.frontier, records[2].frontier);
    assert_eq!(recovered.uncommitted, [Arc::clone(home.chain.block_at(3))]);
    let ordered: Vec<_> = records[..2].iter().map(|r| (r.height, r.root)).collect();
    assert_eq!(recovered.ordered, ordered);
    assert_eq!(recovered.ordered_frontier, records[1].frontier);
    let seqs = |batch: &chorale_consensus::record::StoredBatch| {
        (batch.batch.header.lane.owner.get(), batch.batch.header.seq.get())
    };
    let above: Vec<_> = recovered.batches.iter().map(seqs).collect();
    assert_eq!(above, [(0, 2), (0, 3), (1, 2), (1, 3)], "what is not ordered, final or not");
    assert!(recovered.batches.iter().all(|batch| batch.acknowledged));
    let own = recovered.own_lane.unwrap();
    assert_eq!((own.lane.owner, own.seq), (ValidatorIndex::new(1), LaneSeq::new(3)));
}
