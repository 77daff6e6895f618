use super::*;
use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt as _, symlink};
use tempfile::TempDir;

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().mode() & 0o7777
}

fn made() -> (TempDir, PathBuf) {
    let home = TempDir::new().unwrap();
    let folder = home.path().join("keys");
    generate(&folder).unwrap();
    (home, folder)
}

#[test]
fn keys_are_made_for_their_owner_alone_and_differ() {
    let (_home, folder) = made();
    assert_eq!(mode(&folder), 0o700);
    let mut texts = Vec::new();
    for key in KeyName::ALL {
        let path = folder.join(key.file());
        assert_eq!(mode(&path), 0o600, "{}", key.file());
        texts.push(fs::read_to_string(path).unwrap());
    }
    texts.sort();
    texts.dedup();
    assert_eq!(texts.len(), 3);
    let public = public_keys(&folder).unwrap();
    let keys = load(&folder).unwrap();
    assert_eq!(keys.network.public(), public.network);
    assert_eq!(Fast::public(&keys.bls), public.bls);
}

#[test]
fn keys_are_never_overwritten() {
    let (_home, folder) = made();
    let before = public_keys(&folder).unwrap();
    assert!(matches!(generate(&folder), Err(KeyFileError::Exists { .. })));
    assert_eq!(public_keys(&folder).unwrap(), before);
}

#[test]
fn a_key_that_others_can_read_is_refused_with_what_to_do() {
    let (_home, folder) = made();
    let path = folder.join("bls");
    for exposed in [0o644, 0o640, 0o604, 0o620, 0o601] {
        fs::set_permissions(&path, Permissions::from_mode(exposed)).unwrap();
        let error = load(&folder).map(drop).unwrap_err();
        assert!(
            matches!(error, KeyFileError::Exposed { mode, wanted: 0o600, .. } if mode == exposed)
        );
        assert!(error.to_string().contains("chmod 600"), "{error}");
    }
    fs::set_permissions(&path, Permissions::from_mode(0o400)).unwrap();
    assert!(load(&folder).is_ok(), "less than 0600 exposes nothing");
}

#[test]
fn a_folder_that_others_can_enter_is_refused() {
    let (_home, folder) = made();
    fs::set_permissions(&folder, Permissions::from_mode(0o755)).unwrap();
    for error in [load(&folder).map(drop), public_keys(&folder).map(drop), generate(&folder)] {
        let error = error.unwrap_err();
        assert!(matches!(error, KeyFileError::Exposed { mode: 0o755, wanted: 0o700, .. }));
    }
}

#[test]
fn what_is_no_key_is_refused_and_never_shown() {
    let (_home, folder) = made();
    let path = folder.join("network");
    let good = fs::read_to_string(&path).unwrap();
    let long = format!("{}00\n", good.trim_end());
    let bytes: [&[u8]; 6] =
        [b"", b"secret words", &good.as_bytes()[..62], long.as_bytes(), b"\xff\xfe", &[b'a'; 4096]];
    for text in bytes {
        fs::write(&path, text).unwrap();
        let error = load(&folder).map(drop).unwrap_err();
        assert!(matches!(error, KeyFileError::NotAKey { .. }), "{error:?}");
        assert!(!error.to_string().contains("secret words"));
    }
    fs::write(&path, good.trim_end()).unwrap();
    assert!(load(&folder).is_ok(), "the line end may be missing");
    fs::remove_file(&path).unwrap();
    assert!(matches!(load(&folder).map(drop), Err(KeyFileError::Io { act: "look at", .. })));
}

#[test]
fn a_link_or_a_folder_in_place_of_a_key_is_refused() {
    let (home, folder) = made();
    let path = folder.join("bls");
    let elsewhere = home.path().join("elsewhere");
    fs::rename(&path, &elsewhere).unwrap();
    symlink(&elsewhere, &path).unwrap();
    assert!(matches!(load(&folder).map(drop), Err(KeyFileError::NotAFile { .. })));
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    assert!(matches!(load(&folder).map(drop), Err(KeyFileError::NotAFile { .. })));
}

#[test]
fn keys_are_marked_as_used_once_and_for_good() {
    let (_home, folder) = made();
    assert!(!is_used(&folder).unwrap());
    for _ in 0..2 {
        mark_used(&folder).unwrap();
        assert!(is_used(&folder).unwrap());
    }
}
