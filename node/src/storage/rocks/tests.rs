use std::fs::OpenOptions;
use std::path::PathBuf;

use rocksdb::statistics::Ticker;

use super::*;
use crate::storage::{Incarnation, establish_identity};

crate::storage::kv_tests::store_tests!(fresh(), 24);

fn fresh() -> (tempfile::TempDir, RocksStore) {
    let home = tempfile::tempdir().unwrap();
    let store = RocksStore::open(&home.path().join("store")).unwrap();
    (home, store)
}

fn put(store: &RocksStore, key: u8, value: &[u8], durability: Durability) {
    let mut batch = WriteBatch::default();
    batch.put(Family::Chain, [key], value);
    batch.put(Family::Acks, [key], value);
    store.write(batch, durability).unwrap();
}

fn keys(store: &RocksStore) -> Vec<u8> {
    let chain = store.range(&Range::all(Family::Chain)).unwrap();
    assert_eq!(chain, store.range(&Range::all(Family::Acks)).unwrap(), "batches are whole");
    chain.into_iter().map(|(key, _)| key[0]).collect()
}

/// What a process killed now would leave behind: its files as they are.
fn left_behind(home: &tempfile::TempDir) -> PathBuf {
    let (from, to) = (home.path().join("store"), home.path().join("copy"));
    fs::create_dir(&to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
    }
    to
}

/// The file of a kind with the highest number.
fn newest(folder: &Path, kind: &str) -> PathBuf {
    let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    files.filter(|path| path.extension().is_some_and(|found| found == kind)).max().unwrap()
}

#[test]
fn keeps_everything_when_closed_and_opened() {
    let (home, store) = fresh();
    let one = Incarnation([1; 16]);
    assert_eq!(establish_identity(&store, one).unwrap(), one);
    put(&store, 1, b"synced", Durability::Synced);
    put(&store, 2, b"buffered", Durability::Buffered);
    let sequence = store.sequence();
    drop(store);
    let store = RocksStore::open(&home.path().join("store")).unwrap();
    assert_eq!(keys(&store), [1, 2]);
    assert!(store.sequence() >= sequence);
    assert_eq!(establish_identity(&store, Incarnation([2; 16])).unwrap(), one);
}

#[test]
fn keeps_everything_when_the_process_is_killed() {
    let (home, store) = fresh();
    (0..100).for_each(|key| put(&store, key, &[key; 1000], Durability::Buffered));
    put(&store, 100, b"", Durability::Synced);
    let copy = RocksStore::open(&left_behind(&home)).unwrap();
    assert_eq!(keys(&copy), (0..=100).collect::<Vec<_>>());
    assert!(copy.sequence() >= store.sequence());
}

#[test]
fn a_synced_write_and_a_flush_sync_the_log_and_a_buffered_write_does_not() {
    let home = tempfile::tempdir().unwrap();
    let mut options = store_options(true);
    options.enable_statistics();
    let lock = FolderLock::take(home.path()).unwrap().unwrap();
    let store = RocksStore::open_locked(home.path(), &options, lock).unwrap();
    let syncs = || options.get_ticker_count(Ticker::WalFileSynced);
    let before = syncs();
    put(&store, 1, b"", Durability::Buffered);
    assert_eq!(syncs(), before);
    put(&store, 2, b"", Durability::Synced);
    assert_eq!(syncs(), before + 1);
    put(&store, 3, b"", Durability::Buffered);
    store.flush().unwrap();
    assert_eq!(syncs(), before + 2);
    put(&store, 4, b"", Durability::Buffered);
    store.write(WriteBatch::default(), Durability::Synced).unwrap();
    assert_eq!(syncs(), before + 3);
}

#[test]
fn a_log_cut_at_any_length_leaves_a_prefix_of_whole_batches_and_shows_the_loss() {
    let (home, store) = fresh();
    (0..20).for_each(|key| put(&store, key, &[key; 100], Durability::Synced));
    let sequence = store.sequence();
    let copy = left_behind(&home);
    let log = newest(&copy, "log");
    let bytes = fs::read(&log).unwrap();
    assert!(bytes.len() > 20 * 200, "the writes are in this log");
    let mut shortest = u8::MAX;
    for cut in (0..=bytes.len()).rev().step_by(97) {
        // Opening tidies the folder up, so each cut gets a fresh copy.
        fs::remove_dir_all(&copy).unwrap();
        let copy = left_behind(&home);
        OpenOptions::new()
            .write(true)
            .open(&log)
            .unwrap()
            .set_len(cut.try_into().unwrap())
            .unwrap();
        let opened = RocksStore::open(&copy).unwrap();
        let found = keys(&opened);
        let length = u8::try_from(found.len()).unwrap();
        assert_eq!(found, (0..length).collect::<Vec<_>>(), "cut at {cut}");
        assert_eq!(opened.sequence() < sequence, length < 20, "cut at {cut}");
        assert!(length <= shortest);
        shortest = length;
    }
    assert_eq!(shortest, 0);
}

#[test]
fn a_second_opener_is_told_that_the_folder_is_in_use() {
    let (home, store) = fresh();
    let folder = home.path().join("store");
    let refused = RocksStore::open(&folder).unwrap_err();
    assert!(matches!(refused, StorageError::InUse { .. }));
    assert!(refused.to_string().starts_with("another process uses the folder "));
    drop(store);
    RocksStore::open(&folder).unwrap();
}

#[test]
fn damaged_files_are_typed_refusals() {
    let (home, store) = fresh();
    put(&store, 1, &[1; 5000], Durability::Synced);
    drop(store);
    // Closing wrote no sorted file yet; opening does.
    drop(RocksStore::open(&home.path().join("store")).unwrap());
    for kind in ["CURRENT", "MANIFEST", "sst"] {
        let copy = left_behind(&home);
        let path = if kind == "sst" {
            newest(&copy, kind)
        } else {
            let files = fs::read_dir(&copy).unwrap().map(|entry| entry.unwrap().path());
            let named =
                |path: &PathBuf| path.file_name().unwrap().to_str().unwrap().starts_with(kind);
            files.into_iter().find(named).unwrap()
        };
        let length = fs::metadata(&path).unwrap().len();
        fs::write(&path, vec![0; length.try_into().unwrap()]).unwrap();
        let refused = RocksStore::open(&copy).and_then(|store| {
            store.get(Family::Acks, &[1])?;
            store.get(Family::Chain, &[1])
        });
        assert!(
            matches!(refused, Err(StorageError::Corrupt { .. } | StorageError::Engine { .. })),
            "{kind}: {refused:?}"
        );
        fs::remove_dir_all(copy).unwrap();
    }
}

#[test]
fn never_starts_anew_over_remains() {
    let (home, store) = fresh();
    put(&store, 1, b"", Durability::Synced);
    let copy = left_behind(&home);
    fs::remove_file(copy.join("CURRENT")).unwrap();
    let refused = RocksStore::open(&copy);
    assert!(matches!(refused, Err(StorageError::Incomplete { .. })), "{refused:?}");
    assert!(newest(&copy, "log").exists(), "and nothing was deleted");
}

#[test]
fn a_folder_that_is_a_file_is_refused() {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("file");
    fs::write(&file, b"").unwrap();
    assert!(matches!(RocksStore::open(&file), Err(StorageError::Folder { .. })));
}

#[test]
fn writes_nothing_after_a_failed_write() {
    let (_home, store) = fresh();
    // A real error of the engine: there is no store at this place.
    let missing = || DB::open(&Options::default(), "/dev/null/none").map(drop);
    let failed = store.finally("writing", missing);
    assert!(matches!(failed, Err(StorageError::Engine { .. })), "{failed:?}");
    let mut batch = WriteBatch::default();
    batch.put(Family::Chain, *b"a", *b"");
    assert!(matches!(store.write(batch, Durability::Buffered), Err(StorageError::Failed)));
    assert!(matches!(store.flush(), Err(StorageError::Failed)));
}
