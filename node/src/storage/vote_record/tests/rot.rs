//! Damage to bytes that were durable.

use super::*;

const PAGE: usize = 4096;

/// A disk with records 3 and 4 in slots 1 and 0, and the offsets of their bytes.
fn two_records() -> (FaultyDisk, Vec<usize>) {
    let (older, newest) = ([3; 40], [4; 40]);
    let disk = worn(&[&older, &newest]).into_disk();
    let starts = (0..SLOTS * COPIES).map(|region| region * REGION_BYTES);
    (disk, starts.flat_map(|start| start..start + HEADER_BYTES + 40).collect())
}

fn flip(disk: &FaultyDisk, offsets: &[usize], bit: u8) -> FaultyDisk {
    let mut disk = disk.clone();
    disk.damage(FILE_NAME, |bytes| offsets.iter().for_each(|&at| bytes[at] ^= bit));
    disk
}

#[test]
fn one_flipped_bit_anywhere_still_yields_the_newest_record_and_is_counted() {
    let (disk, offsets) = two_records();
    for at in offsets {
        for bit in (0..8).map(|shift| 1 << shift) {
            let opened = VoteRecord::open(flip(&disk, &[at], bit), 0).unwrap();
            assert_eq!(opened.payload, [4; 40], "bit {bit} at {at}");
            assert_eq!(opened.unreadable_copies, 1, "bit {bit} at {at}");
        }
    }
}

#[test]
fn one_lost_page_anywhere_still_yields_the_newest_record() {
    let newest = vec![4; PAYLOAD_BYTES_MAX];
    let disk = worn(&[&vec![3; PAYLOAD_BYTES_MAX], &newest]).into_disk();
    for page in 0..FILE_BYTES / PAGE {
        for filler in [0x00, 0xff, 0x5a] {
            let mut disk = disk.clone();
            disk.damage(FILE_NAME, |bytes| bytes[page * PAGE..][..PAGE].fill(filler));
            let opened = VoteRecord::open(disk, 0).unwrap();
            assert_eq!(opened.payload, newest, "page {page} filled with {filler}");
            assert_eq!(opened.unreadable_copies, 1);
        }
    }
}

#[test]
fn opening_heals_a_copy_of_the_newest_record() {
    let (disk, _) = two_records();
    let opened = VoteRecord::open(flip(&disk, &[HEADER_BYTES], 1), 0).unwrap();
    assert_eq!(opened.unreadable_copies, 1);
    let opened = VoteRecord::open(opened.record.into_disk(), 0).unwrap();
    assert_eq!(opened.unreadable_copies, 0);
}

#[test]
fn both_copies_of_the_newest_record_flipped_never_vote_from_the_older_with_a_floor() {
    let (disk, _) = two_records();
    for at in 0..HEADER_BYTES + 40 {
        let both = [layout::offset(0, 0) + at, layout::offset(0, 1) + at];
        let refused = VoteRecord::open(flip(&disk, &both, 1), 4);
        match refused {
            Err(VoteRecordError::Damaged { why: Damage::NotInterrupted { slot: 0 } }) => {
                assert!(at < 12, "at {at}");
            }
            Err(VoteRecordError::RolledBack { found: 3, floor: 4 }) => {
                assert!(at >= 12, "at {at}");
            }
            other => panic!("at {at}: {other:?}"),
        }
    }
}

#[test]
fn a_slot_wiped_in_both_copies_is_damage_even_without_a_floor() {
    let (disk, _) = two_records();
    for slot in 0..SLOTS {
        for filler in [0x00, 0xff] {
            let mut disk = disk.clone();
            disk.damage(FILE_NAME, |bytes| {
                for copy in 0..COPIES {
                    bytes[layout::offset(slot, copy)..][..REGION_BYTES].fill(filler);
                }
            });
            let why = damage(VoteRecord::open(disk, 0));
            assert_eq!(why, Damage::NotInterrupted { slot });
        }
    }
}

#[test]
fn one_copy_wiped_and_the_other_flipped_is_damage_even_without_a_floor() {
    let copies = [layout::offset(0, 0), layout::offset(0, 1)];
    for (wiped, flipped) in [(copies[0], copies[1]), (copies[1], copies[0])] {
        let (mut disk, _) = two_records();
        disk.damage(FILE_NAME, |bytes| {
            bytes[wiped..][..PAGE].fill(0);
            bytes[flipped + HEADER_BYTES] ^= 1;
        });
        assert_eq!(damage(VoteRecord::open(disk, 0)), Damage::NotInterrupted { slot: 0 });
    }
}

#[test]
fn a_slot_put_back_from_an_older_time_leaves_a_gap() {
    let mut record = worn(&[b"3", b"4"]);
    let old = record.disk.visible(FILE_NAME).to_vec();
    for payload in [b"5", b"6", b"7", b"8"] {
        record.write(payload).unwrap();
    }
    let mut disk = record.into_disk();
    disk.damage(FILE_NAME, |bytes| {
        for at in (0..COPIES).map(|copy| layout::offset(0, copy)) {
            bytes[at..at + REGION_BYTES].copy_from_slice(&old[at..at + REGION_BYTES]);
        }
    });
    assert_eq!(damage(VoteRecord::open(disk, 0)), Damage::Gap { older: 4, newer: 7 });
}

#[test]
fn slots_exchanged_or_copied_are_not_read() {
    let (disk, _) = two_records();
    let mut exchanged = disk.clone();
    exchanged.damage(FILE_NAME, |bytes| bytes.rotate_left(REGION_BYTES));
    assert_eq!(damage(VoteRecord::open(exchanged, 0)), Damage::Unreadable);
    let mut doubled = disk;
    doubled.damage(FILE_NAME, |bytes| {
        bytes.copy_within(..REGION_BYTES, layout::offset(1, 0));
    });
    assert_eq!(VoteRecord::open(doubled, 4).unwrap().payload, [4; 40]);
}

#[test]
fn a_file_cut_or_grown_at_any_length_is_damage() {
    let whole = two_records().0.visible(FILE_NAME).to_vec();
    let mut disk = FaultyDisk::default();
    for bytes in (0..FILE_BYTES).step_by(509).chain([1, 511, FILE_BYTES - 1]) {
        disk.put_file(FILE_NAME, whole[..bytes].to_vec());
        let why = damage(VoteRecord::open(disk.clone(), 0));
        assert_eq!(why, Damage::Size { bytes: u64::try_from(bytes).unwrap() });
    }
    disk.put_file(FILE_NAME, [&whole[..], &[0]].concat());
    assert!(matches!(damage(VoteRecord::open(disk, 0)), Damage::Size { .. }));
}

#[test]
fn a_cut_file_filled_up_with_zeros_never_yields_an_older_record() {
    let whole = two_records().0.visible(FILE_NAME).to_vec();
    for cut in (0..whole.len()).step_by(61) {
        let mut disk = FaultyDisk::default();
        let mut bytes = whole.clone();
        bytes[cut..].fill(0);
        disk.put_file(FILE_NAME, bytes);
        match VoteRecord::open(disk, 0) {
            Ok(opened) => assert_eq!(opened.payload, [4; 40], "cut at {cut}"),
            Err(error) => assert!(matches!(error, VoteRecordError::Damaged { .. })),
        }
    }
}

#[test]
fn a_file_of_zeros_and_a_file_of_another_version_are_damage() {
    let mut disk = FaultyDisk::default();
    disk.put_file(FILE_NAME, vec![0; FILE_BYTES]);
    assert_eq!(damage(VoteRecord::open(disk, 0)), Damage::Unreadable);
    let (mut disk, _) = two_records();
    disk.damage(FILE_NAME, |bytes| {
        (0..SLOTS * COPIES).for_each(|region| bytes[region * REGION_BYTES + 11] = 2);
    });
    let why = damage(VoteRecord::open(disk, 0));
    assert_eq!(why, Damage::Version { found: 2 });
    assert!(why.to_string().contains("format 2"));
}
