use std::os::unix::fs::PermissionsExt;

use super::*;

fn scratch() -> (tempfile::TempDir, RealDisk) {
    let home = tempfile::tempdir().unwrap();
    let disk = RealDisk::open(&home.path().join("data")).unwrap();
    (home, disk)
}

#[test]
fn keeps_written_bytes_across_reopening() {
    let (home, mut disk) = scratch();
    disk.create_sized("a", 100).unwrap();
    disk.write_at("a", 40, b"hello").unwrap();
    disk.sync_data("a").unwrap();
    disk.sync_dir().unwrap();
    drop(disk);
    let mut disk = RealDisk::open(&home.path().join("data")).unwrap();
    let bytes = disk.read_all("a", 100).unwrap();
    assert_eq!(bytes.len(), 100);
    assert_eq!(&bytes[40..45], b"hello");
    assert!(bytes[..40].iter().chain(&bytes[45..]).all(|byte| *byte == 0));
}

#[test]
fn makes_files_and_folder_private_and_allocates_them() {
    let (home, mut disk) = scratch();
    disk.create_sized("a", 1 << 18).unwrap();
    disk.sync_data("a").unwrap();
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&home.path().join("data")), 0o700);
    assert_eq!(mode(&home.path().join("data/a")), 0o600);
    assert_eq!(std::fs::metadata(home.path().join("data/a")).unwrap().len(), 1 << 18);
}

#[test]
fn refuses_a_second_user_of_the_folder_until_the_first_ends() {
    let (home, disk) = scratch();
    let path = home.path().join("data");
    assert!(matches!(RealDisk::open(&path), Err(DiskError::InUse { .. })));
    drop(disk);
    RealDisk::open(&path).unwrap();
}

#[test]
fn refuses_to_create_twice_to_read_what_is_missing_and_to_read_too_much() {
    let (_home, mut disk) = scratch();
    assert!(!disk.exists("a").unwrap());
    assert!(matches!(disk.read_all("a", 9), Err(DiskError::NotFound { .. })));
    assert!(matches!(disk.write_at("a", 0, b"x"), Err(DiskError::NotFound { .. })));
    disk.create_sized("a", 10).unwrap();
    assert!(disk.exists("a").unwrap());
    assert!(matches!(disk.create_sized("a", 10), Err(DiskError::Exists { .. })));
    let too_long = disk.read_all("a", 9);
    assert!(matches!(too_long, Err(DiskError::TooLong { bytes: 10, bytes_max: 9, .. })));
    disk.read_all("a", 10).unwrap();
}

#[test]
fn refuses_every_call_after_a_write_that_found_no_space() {
    let (home, mut disk) = scratch();
    std::os::unix::fs::symlink("/dev/full", home.path().join("data/full")).unwrap();
    disk.create_sized("a", 10).unwrap();
    let no_space = disk.write_at("full", 0, b"x");
    assert!(matches!(no_space, Err(DiskError::Io { act: "write", .. })), "{no_space:?}");
    assert!(matches!(disk.write_at("a", 0, b"x"), Err(DiskError::Failed)));
    assert!(matches!(disk.sync_data("a"), Err(DiskError::Failed)));
    assert!(matches!(disk.sync_dir(), Err(DiskError::Failed)));
    assert!(matches!(disk.read_all("a", 10), Err(DiskError::Failed)));
    assert!(matches!(disk.create_sized("b", 10), Err(DiskError::Failed)));
    assert!(matches!(disk.exists("a"), Err(DiskError::Failed)));
}

#[test]
fn never_retries_a_failed_sync() {
    let (_home, mut disk) = scratch();
    disk.create_sized("a", 10).unwrap();
    let failed = disk.settle("sync", "a", Err(io::Error::other("lost page")));
    assert!(matches!(failed, Err(DiskError::Io { act: "sync", .. })));
    assert!(matches!(disk.sync_data("a"), Err(DiskError::Failed)));
}
