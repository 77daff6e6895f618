//! Documents that no chain can start from.

use crate::support::{Place, fails, succeeds, text};
use serde_json::{Value, json};
use std::fs;

/// The genesis of four validators.
fn four(place: &Place) -> Value {
    place.network(&["a", "b", "c", "d"], &["view_timeout_ms=500", "idle_block_interval_ms=200"]);
    let text = fs::read_to_string(place.path("genesis.json")).unwrap();
    serde_json::from_str(&text).unwrap()
}

#[test]
fn a_good_genesis_is_described() {
    let place = Place::new();
    let genesis = four(&place);
    assert_eq!(genesis["params"]["view_timeout_ms"], 500);
    let ids: Vec<_> = genesis["rollups"].as_array().unwrap().iter().map(|r| &r["id"]).collect();
    assert_eq!(ids, [&json!(1), &json!(2)], "sorted whatever order they were named in");
    let shown = succeeds(&["genesis", "validate", &place.text("genesis.json"), "--json"]);
    let shown: Value = serde_json::from_str(&shown).unwrap();
    let expected = (&json!(4), &json!(1), &json!(2));
    assert_eq!((&shown["validators"], &shown["tolerated_faults"], &shown["rollups"]), expected);
}

#[test]
fn a_small_set_is_told_that_it_tolerates_nothing() {
    let place = Place::new();
    place.network(&["a", "b", "c"], &[]);
    let output = crate::support::chorale(&["genesis", "validate", &place.text("genesis.json")]);
    let warning = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success());
    assert!(warning.contains("tolerates no faulty validator"), "{warning}");
}

#[test]
fn what_cannot_work_is_refused_with_the_reason() {
    let place = Place::new();
    let good = four(&place);
    let with = |pointer: &str, value: Value| {
        let mut changed = good.clone();
        *changed.pointer_mut(pointer).expect(pointer) = value;
        changed
    };
    let at = |pointer: &str| good.pointer(pointer).expect(pointer).clone();
    let mut without = good.clone();
    without["validators"][0].as_object_mut().unwrap().remove("possession");
    let mut unknown = good.clone();
    unknown["colour"] = json!("red");
    let cases = [
        (with("/chain_name", json!("Test")), "chain name"),
        (with("/validators", json!([])), "0 validators"),
        (with("/validators/1/bls", at("/validators/0/bls")), "same BLS key"),
        (with("/validators/1/network", at("/validators/0/network")), "same network key"),
        (with("/validators/1/possession", at("/validators/0/possession")), "possession"),
        (without, "missing field `possession`"),
        (unknown, "unknown field `colour`"),
        (with("/validators/2/stake", json!(0)), "no stake"),
        (with("/validators/2/stake", json!(2)), "a third or more"),
        (with("/validators/2/stake", json!(u64::MAX)), "total stake"),
        (with("/validators/2/stake", json!(-1)), "invalid value"),
        (with("/validators/2/stake", json!(1.5)), "invalid type"),
        (with("/params/view_timeout_ms", json!(0)), "view_timeout_ms is 0"),
        (with("/params/idle_block_interval_ms", json!(400)), "idle_block_interval_ms is 400"),
        (with("/rollups/1/id", json!(1)), "rising order"),
        (with("/rollups/0/policy", json!("closed")), "unknown variant"),
    ];
    let file = place.path("bad.json");
    for (genesis, reason) in cases {
        fs::write(&file, genesis.to_string()).unwrap();
        let (code, why) = fails(&["genesis", "validate", &text(&file)]);
        assert_eq!(code, 2);
        assert!(why.contains(reason) && why.contains("bad.json"), "{reason}: {why}");
    }
    for garbage in ["", "null", "[]", "{", "\u{feff}{}"] {
        fs::write(&file, garbage).unwrap();
        assert_eq!(fails(&["genesis", "validate", &text(&file)]).0, 2);
    }
}

#[test]
fn a_parameter_that_is_not_one_is_refused() {
    let place = Place::new();
    let home = place.init("a");
    let card = text(&home.validator());
    for (param, reason) in [
        ("view_timeout", "has no ="),
        ("view_timeout=1", "no parameter \"view_timeout\""),
        ("view_timeout_ms=1s", "is no number"),
        ("view_timeout_ms=1", "must be 100 to"),
        ("schedule_slots_per_validator=70000", "too large"),
    ] {
        let (code, why) = fails(&[
            "genesis",
            "new",
            "--chain-name",
            "test",
            "--rollup",
            "1",
            "--validator",
            &card,
            "--param",
            param,
        ]);
        assert_eq!(code, 2);
        assert!(why.contains(reason), "{param}: {why}");
    }
}

#[test]
fn a_home_keeps_the_chain_it_has() {
    let place = Place::new();
    let home = place.network(&["a"], &[]).remove(0);
    let before = fs::read(home.genesis()).unwrap();
    let card = text(&home.validator());
    let other = place.text("other.json");
    succeeds(&[
        "genesis",
        "new",
        "--chain-name",
        "test",
        "--rollup",
        "9",
        "--validator",
        &card,
        "--out",
        &other,
    ]);
    let (code, why) = fails(&["genesis", "install", &other, "--home", &text(home.path())]);
    assert_eq!(code, 2);
    assert!(why.contains("is of another chain"), "{why}");
    assert_eq!(fs::read(home.genesis()).unwrap(), before);
    succeeds(&["genesis", "install", &place.text("genesis.json"), "--home", &text(home.path())]);
}
