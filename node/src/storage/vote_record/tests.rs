//! Every way to lose bytes of a vote record, over a disk that loses what the test says.

mod crash;
mod disk;
mod rot;

use disk::FaultyDisk;

use super::super::RealDisk;
use super::*;

const STORE: Incarnation = Incarnation([7; 16]);

/// A record that went through several writes, so that both slots hold old bytes.
fn worn(payloads: &[&[u8]]) -> VoteRecord<FaultyDisk> {
    let mut record = VoteRecord::create(FaultyDisk::default(), STORE, b"born").unwrap();
    for payload in payloads {
        record.write(payload).unwrap();
    }
    record
}

fn damage(opened: Result<Opened<FaultyDisk>, VoteRecordError>) -> Damage {
    match opened {
        Err(VoteRecordError::Damaged { why }) => why,
        other => panic!("expected damage, got {other:?}"),
    }
}

#[test]
fn reads_back_the_newest_payload_and_goes_on() {
    let home = tempfile::tempdir().unwrap();
    let mut record =
        VoteRecord::create(RealDisk::open(home.path()).unwrap(), STORE, b"born").unwrap();
    let mut newest = b"born".to_vec();
    for round in 0..9u8 {
        if round > 0 {
            newest = vec![round; usize::from(round) * 700];
            assert_eq!(record.write(&newest).unwrap(), 2 + u64::from(round));
        }
        drop(record);
        let opened =
            VoteRecord::open(RealDisk::open(home.path()).unwrap(), 2 + u64::from(round)).unwrap();
        assert_eq!(opened.payload, newest);
        assert_eq!(opened.unreadable_copies, 0);
        assert_eq!(opened.record.sequence(), 2 + u64::from(round));
        record = opened.record;
    }
}

#[test]
fn keeps_its_bytes_as_documented() {
    let bytes = worn(&[b"ballot"]).into_disk().visible(FILE_NAME).to_vec();
    let mut expected = b"chorvote".to_vec();
    expected.extend([0, 0, 0, 1, 0, 0, 0, 6, 0, 0, 0, 0, 0, 0, 0, 3]);
    expected.extend([7; 16]);
    // printf 'chorale vote record<the 40 bytes above>ballot' | sha256sum
    expected.extend(DOCUMENTED_CHECKSUM);
    expected.extend(b"ballot");
    assert_eq!(bytes.len(), 4 * 65536);
    assert_eq!(&bytes[65536..][..expected.len()], expected);
    assert_eq!(&bytes[3 * 65536..][..expected.len()], expected);
    assert_eq!(&bytes[16..24], 2u64.to_be_bytes());
}

#[rustfmt::skip]
const DOCUMENTED_CHECKSUM: [u8; 32] = [
    0x21, 0x89, 0x6e, 0x99, 0xd3, 0x15, 0x32, 0x87, 0xc7, 0x89, 0xad, 0x3c,
    0x3a, 0xc6, 0x8d, 0xbd, 0x73, 0x78, 0x03, 0x19, 0xd7, 0x16, 0x3f, 0x7e,
    0x17, 0xf3, 0x22, 0xd7, 0x99, 0xed, 0x5e, 0x38,
];

#[test]
fn refuses_to_make_a_second_record_or_to_open_a_missing_one() {
    let disk = worn(&[]).into_disk();
    let again = VoteRecord::create(disk, STORE, b"again");
    assert!(matches!(again, Err(VoteRecordError::Disk(DiskError::Exists { .. }))), "{again:?}");
    let missing = VoteRecord::open(FaultyDisk::default(), 0);
    assert!(matches!(missing, Err(VoteRecordError::Missing)), "{missing:?}");
}

#[test]
fn takes_a_payload_that_fills_the_slot_and_refuses_a_longer_one_untouched() {
    let mut record = worn(&[b"before"]);
    let full = vec![9; PAYLOAD_BYTES_MAX];
    record.write(&full).unwrap();
    let before = record.disk.clone();
    let refused = record.write(&vec![9; PAYLOAD_BYTES_MAX + 1]);
    assert!(matches!(refused, Err(VoteRecordError::TooLarge { bytes_max: PAYLOAD_BYTES_MAX, .. })));
    assert_eq!(record.disk, before);
    record.write(&full).unwrap();
    let opened = VoteRecord::open(record.into_disk(), 0).unwrap();
    assert_eq!(opened.payload, full);
    let created = VoteRecord::create(FaultyDisk::default(), STORE, &vec![9; REGION_BYTES]);
    assert!(matches!(created, Err(VoteRecordError::TooLarge { .. })));
}

#[test]
fn reports_a_store_it_does_not_go_with_and_stays_readable() {
    let opened = VoteRecord::open(worn(&[b"vote"]).into_disk(), 0).unwrap();
    opened.record.check_incarnation(STORE).unwrap();
    let other = Incarnation([8; 16]);
    let refused = opened.record.check_incarnation(other);
    assert!(matches!(
        refused,
        Err(VoteRecordError::WrongIncarnation { found: STORE, expected }) if expected == other
    ));
    assert_eq!(opened.payload, b"vote");
}

#[test]
fn notices_an_older_copy_put_back_alone_but_not_with_its_floor() {
    let mut record = worn(&[b"first"]);
    let (old, old_floor) = (record.disk.clone(), record.sequence());
    record.write(b"second").unwrap();
    let floor = record.sequence();
    let refused = VoteRecord::open(old.clone(), floor);
    assert!(matches!(refused, Err(VoteRecordError::RolledBack { found: 3, floor: 4 })));
    // The whole folder put back brings the old floor with it: nothing here can know.
    assert_eq!(VoteRecord::open(old, old_floor).unwrap().payload, b"first");
}

#[test]
fn writes_nothing_after_a_failed_sync_and_promises_nothing() {
    let mut record = worn(&[b"kept"]);
    record.disk.fail_next_sync();
    let failed = record.write(b"lost");
    assert!(matches!(failed, Err(VoteRecordError::Disk(DiskError::Io { .. }))), "{failed:?}");
    assert_eq!(record.sequence(), 3);
    let refused = record.write(b"later");
    assert!(matches!(refused, Err(VoteRecordError::Disk(DiskError::Failed))), "{refused:?}");
}

#[test]
fn opening_makes_what_it_returns_durable() {
    let mut record = worn(&[b"kept"]);
    // The process dies between writing and syncing; the system shows what was written.
    record.disk.fail_next_sync();
    record.write(b"seen").unwrap_err();
    let opened = VoteRecord::open(record.into_disk().restarted(), 0).unwrap();
    assert_eq!(opened.payload, b"seen");
    // Then the power goes, and takes everything that was not synced.
    let disk = opened.record.into_disk().crashed(|_, _| false);
    assert_eq!(VoteRecord::open(disk, 0).unwrap().payload, b"seen");
}

#[test]
fn a_failing_disk_at_open_is_an_error_and_not_a_record() {
    let mut disk = worn(&[b"kept"]).into_disk();
    disk.fail_next_sync();
    let failed = VoteRecord::open(disk, 0);
    assert!(matches!(failed, Err(VoteRecordError::Disk(DiskError::Io { .. }))), "{failed:?}");
}
