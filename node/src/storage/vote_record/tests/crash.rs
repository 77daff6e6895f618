//! Power cuts at every point of a write.

use proptest::prelude::*;

use super::*;

const SECTOR: usize = 512;

/// The disk of a write that was interrupted before its sync.
fn interrupted(mut record: VoteRecord<FaultyDisk>, payload: &[u8]) -> FaultyDisk {
    record.disk.fail_next_sync();
    record.write(payload).unwrap_err();
    record.into_disk()
}

#[test]
fn a_write_cut_at_any_byte_leaves_the_old_record_or_the_new() {
    let disk = interrupted(worn(&[b"older", b"old"]), &[5; 90]);
    let length = disk.unsynced_bytes(FILE_NAME);
    assert_eq!(length, 2 * (HEADER_BYTES + 90));
    for cut in 0..=length {
        let disk = disk.clone().crashed(|index, _| index < cut);
        let mut opened = VoteRecord::open(disk, 4).unwrap();
        let new = cut >= length / 2;
        assert_eq!(opened.payload, if new { &[5; 90][..] } else { b"old" }, "cut at {cut}");
        assert_eq!(opened.record.sequence(), if new { 5 } else { 4 });
        // And the node goes on from there.
        opened.record.write(b"next").unwrap();
        let opened = VoteRecord::open(opened.record.into_disk(), 0).unwrap();
        assert_eq!(opened.payload, b"next");
    }
}

#[test]
fn a_write_of_which_nothing_or_only_the_second_copy_arrived_is_readable() {
    let disk = interrupted(worn(&[b"old"]), b"new");
    let half = disk.unsynced_bytes(FILE_NAME) / 2;
    let nothing = disk.clone().crashed(|_, _| false);
    assert_eq!(VoteRecord::open(nothing, 3).unwrap().payload, b"old");
    let second = VoteRecord::open(disk.crashed(|index, _| index >= half), 3).unwrap();
    assert_eq!(second.payload, b"new");
}

#[test]
fn a_file_whose_name_was_not_synced_is_missing_and_not_new() {
    let disk = FaultyDisk::ignoring_sync_dir();
    let mut record = VoteRecord::create(disk, STORE, b"born").unwrap();
    record.write(b"vote").unwrap();
    let gone = VoteRecord::open(record.into_disk().crashed(|_, _| true), 0);
    assert!(matches!(gone, Err(VoteRecordError::Missing)), "{gone:?}");
}

#[test]
fn a_record_that_was_ever_written_is_not_an_unfinished_one() {
    let is_unfinished = |disk: &FaultyDisk, store, payload: &[u8]| {
        VoteRecord::is_unfinished(&mut disk.clone(), store, payload).unwrap()
    };
    let born = worn(&[]).into_disk();
    assert!(is_unfinished(&born, STORE, b"born"));
    assert!(!is_unfinished(&born, Incarnation([8; 16]), b"born"));
    assert!(!is_unfinished(&born, STORE, b"other"));
    assert!(!is_unfinished(&FaultyDisk::default(), STORE, b"born"));
    // Whatever else happened to it, one copy of what was written is enough to know.
    let mut voted = worn(&[b"vote"]).into_disk();
    let written = layout::offset(1, 1)..layout::offset(1, 1) + HEADER_BYTES + 4;
    voted.damage(FILE_NAME, |bytes| {
        bytes[..written.start].fill(0);
        bytes[written.end..].fill(0);
    });
    assert!(!is_unfinished(&voted, STORE, b"born"));
    voted.damage(FILE_NAME, |bytes| bytes.truncate(FILE_BYTES / 2));
    assert!(!is_unfinished(&voted, STORE, b"born"));
}

#[test]
fn a_creation_cut_at_any_byte_is_missing_damaged_or_whole() {
    let mut disk = FaultyDisk::default();
    disk.fail_next_sync();
    disk.create_sized(FILE_NAME, u64::try_from(FILE_BYTES).unwrap()).unwrap();
    for sequence in 1..=FIRST_SEQUENCE {
        put(&mut disk, &Entry { sequence, incarnation: STORE, payload: b"born".to_vec() }).unwrap();
    }
    let nameless = disk.clone().crashed(|_, _| true);
    assert!(matches!(VoteRecord::open(nameless, 0), Err(VoteRecordError::Missing)));

    // The name survived, as it may; then so many bytes.
    let mut whole = 0;
    for cut in 0..=disk.unsynced_bytes(FILE_NAME) {
        let mut disk = disk.clone().restarted();
        disk.sync_dir().unwrap();
        let disk = disk.crashed(|index, _| index < cut);
        assert!(VoteRecord::is_unfinished(&mut disk.clone(), STORE, b"born").unwrap());
        let finished = VoteRecord::finish(disk.clone(), STORE, b"born").unwrap();
        let opened = VoteRecord::open(finished.into_disk(), FIRST_SEQUENCE).unwrap();
        assert_eq!((opened.payload.as_slice(), opened.unreadable_copies), (&b"born"[..], 0));
        match VoteRecord::open(disk, 0) {
            Ok(opened) => {
                assert_eq!(opened.payload, b"born");
                whole += 1;
            }
            Err(VoteRecordError::Damaged { .. }) => assert_eq!(whole, 0, "cut at {cut}"),
            Err(other) => panic!("{other}"),
        }
    }
    assert!(whole > 0);
}

/// One life of the process: it writes some payloads and is cut in the last of them.
type Life = (Vec<Vec<u8>>, Vec<u8>, u64, bool);

fn lives() -> impl Strategy<Value = Vec<Life>> {
    let payload = || prop::collection::vec(any::<u8>(), 0..3000);
    let life = (prop::collection::vec(payload(), 0..3), payload(), any::<u64>(), any::<bool>());
    prop::collection::vec(life, 1..6)
}

proptest! {
    /// Whatever sectors of interrupted writes arrive, in life after life, with power cuts or mere
    /// deaths of the process: what opens is the last promised payload or one begun after it, and
    /// what opened once stays.
    #[test]
    fn never_forgets_a_promise_whatever_sectors_arrive(lives in lives()) {
        let mut disk = worn(&[]).into_disk();
        let mut promised = b"born".to_vec();
        let mut begun: Vec<Vec<u8>> = vec![];
        for (writes, cut, sectors, power) in lives {
            let opened = VoteRecord::open(disk, 0).unwrap();
            prop_assert!(opened.payload == promised || begun.contains(&opened.payload));
            begun.clear();
            promised = opened.payload;
            let mut record = opened.record;
            for payload in writes {
                record.write(&payload).unwrap();
                promised = payload;
            }
            disk = interrupted(record, &cut);
            begun.push(cut);
            disk = if power {
                disk.crashed(|_, offset| {
                    // Sectors of both copies, chosen by the bits of a number; 61 is no divisor
                    // of a copy's sectors, so the copies are cut differently.
                    let sector = u32::try_from(offset / SECTOR % 61).unwrap();
                    sectors.rotate_left(sector) & 1 == 1
                })
            } else {
                disk.restarted()
            };
        }
        let opened = VoteRecord::open(disk, 0).unwrap();
        prop_assert!(opened.payload == promised || begun.contains(&opened.payload));
    }

    /// Also when opening itself is cut.
    #[test]
    fn survives_a_cut_while_opening(first: u64, second: u64, process_only: bool) {
        let arrives = |bits: u64| move |_: usize, offset: usize| {
            bits.rotate_left(u32::try_from(offset / 7 % 61).unwrap()) & 1 == 1
        };
        let disk = interrupted(worn(&[b"older", b"promised"]), b"begun");
        let disk = if process_only { disk.restarted() } else { disk.crashed(arrives(first)) };
        let mut view = disk.clone();
        // What opening writes before its sync, on a disk that is then cut.
        let found = newest(&read(&mut view).unwrap()).unwrap().0;
        put(&mut view, &found).unwrap();
        let opened = VoteRecord::open(view.crashed(arrives(second)), 4).unwrap();
        prop_assert!([&b"promised"[..], b"begun"].contains(&opened.payload.as_slice()));
        prop_assert!(opened.payload == b"promised" || found.payload == b"begun");
    }
}
