//! Making homes, and what is refused about them before anything runs.

use crate::support::{Place, chorale, fails, succeeds, text};
use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};

#[test]
fn init_makes_a_home_once() {
    let place = Place::new();
    let home = place.init("node");
    for (path, mode) in [(home.keys(), 0o700), (home.keys().join("bls"), 0o600)] {
        assert_eq!(fs::metadata(path).unwrap().mode() & 0o777, mode);
    }
    let card: serde_json::Value =
        serde_json::from_str(&fs::read_to_string(home.validator()).unwrap()).unwrap();
    assert_eq!(card["validator"]["name"], "node");
    assert_eq!(card["p2p"], serde_json::json!(["/ip4/127.0.0.1/tcp/0"]));
    let before = fs::read_to_string(home.validator()).unwrap();
    let again = ["init", "--home", &place.text("node"), "--chain-name", "test"];
    let (code, why) = fails(&again);
    assert_eq!(code, 2, "{why}");
    assert!(why.contains("this home was made before"), "{why}");
    assert_eq!(fs::read_to_string(home.validator()).unwrap(), before);
}

#[test]
fn keys_are_shown_without_their_secrets() {
    let place = Place::new();
    let home = place.init("node");
    let shown = succeeds(&["keys", "show", "--home", &place.text("node"), "--json"]);
    let keys: serde_json::Value = serde_json::from_str(&shown).unwrap();
    let card: serde_json::Value =
        serde_json::from_str(&fs::read_to_string(home.validator()).unwrap()).unwrap();
    for key in ["bls", "network", "operator"] {
        assert_eq!(keys[key], card["validator"][key]);
        let secret = fs::read_to_string(home.keys().join(key)).unwrap();
        assert!(!shown.contains(secret.trim()));
    }
}

#[test]
fn exposed_keys_stop_a_start_with_what_to_do() {
    let place = Place::new();
    let home = place.network(&["node"], &[]).remove(0);
    fs::set_permissions(home.keys().join("bls"), Permissions::from_mode(0o644)).unwrap();
    for command in [vec!["start"], vec!["keys", "show"]] {
        let home = text(home.path());
        let (code, why) = fails(&[command, vec!["--home", &home]].concat());
        assert_eq!(code, 2, "{why}");
        assert!(why.contains("chmod 600"), "{why}");
    }
}

#[test]
fn a_mistake_in_the_configuration_is_shown_with_its_line() {
    let place = Place::new();
    let home = place.network(&["node"], &[]).remove(0);
    let good = fs::read_to_string(home.config()).unwrap();
    fs::write(home.config(), format!("{good}\n[[peers]]\nnetwrok = \"0x00\"\n")).unwrap();
    let (code, why) = fails(&["start", "--home", &text(home.path())]);
    assert_eq!(code, 2);
    let line = good.lines().count() + 3;
    assert!(why.contains(&format!("config.toml:{line}:")), "{why}");
    assert!(why.contains("unknown field `netwrok`"), "{why}");
    assert!(why.contains("| netwrok = \"0x00\""), "{why}");
}

#[test]
fn a_start_without_genesis_or_with_another_key_says_so() {
    let place = Place::new();
    let home = place.init("alone");
    let (code, why) = fails(&["start", "--home", &text(home.path())]);
    assert_eq!(code, 2);
    assert!(why.contains("chorale genesis install"), "{why}");

    let homes = place.network(&["one", "two"], &[]);
    fs::copy(homes[1].keys().join("bls"), homes[0].keys().join("bls")).unwrap();
    let (code, why) = fails(&["start", "--home", &text(homes[0].path())]);
    assert_eq!(code, 2);
    assert!(why.contains("validator 0 of genesis has this node's network key"), "{why}");
}

#[test]
fn a_peer_that_is_no_member_is_refused() {
    let place = Place::new();
    let home = place.network(&["node"], &[]).remove(0);
    let stranger = place.init("stranger");
    let card = text(&stranger.validator());
    let genesis = place.text("genesis.json");
    let install = ["genesis", "install", &genesis, "--home", &text(home.path()), "--peer", &card];
    let (code, why) = fails(&install);
    assert_eq!(code, 2);
    assert!(why.contains("stranger is not in this genesis"), "{why}");
    let key = succeeds(&["keys", "show", "--home", &text(stranger.path())]);
    let key = key.lines().find_map(|line| line.strip_prefix("network ")).unwrap().trim();
    let mut config = fs::read_to_string(home.config()).unwrap();
    config.push_str(&format!("\n[[peers]]\nnetwork = \"{key}\"\naddresses = []\n"));
    fs::write(home.config(), config).unwrap();
    let (code, why) = fails(&["start", "--home", &text(home.path())]);
    assert_eq!(code, 2);
    assert!(why.contains("the network key of no validator"), "{why}");
}

#[test]
fn usage_errors_have_their_own_exit_code_and_the_version_names_the_commit() {
    for arguments in [&["strat"][..], &["start", "--hmoe", "x"], &["genesis"], &[]] {
        assert_eq!(chorale(arguments).status.code(), Some(2), "{arguments:?}");
    }
    let version = succeeds(&["--version"]);
    let commit = version.trim().strip_prefix(concat!("chorale ", env!("CARGO_PKG_VERSION"), " ("));
    assert!(commit.is_some_and(|rest| rest.len() > 2 && rest.ends_with(')')), "{version}");
}
