//! The command line, and files that an operator got wrong: an exit code that says whose fault it
//! is, a reason with the name of what is wrong, and nothing changed.

use crate::process::Program;
use crate::support::{CHAIN, Place, fails, succeeds, text};
use chorale_node::home::Home;
use serde_json::{Value, json};
use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Output, Stdio};

/// The program in a folder, with `CHORALE_HOME` as given, and nothing to read.
fn run_in(folder: &Path, home: Option<&str>, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_chorale"));
    command.args(arguments).current_dir(folder).stdin(Stdio::null());
    command.env_remove("RUST_LOG").env_remove("XDG_DATA_HOME").env("HOME", folder.join("user"));
    match home {
        Some(home) => command.env("CHORALE_HOME", home),
        None => command.env_remove("CHORALE_HOME"),
    };
    command.output().expect("the program runs")
}

/// The exit code and what is said.
fn said(output: &Output) -> (Option<i32>, String) {
    (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
}

/// Every path below a folder, with the bytes of files.
fn everything(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.push((text(&path), Vec::new()));
            found.extend(everything(&path));
        } else {
            found.push((text(&path), fs::read(&path).unwrap()));
        }
    }
    found.sort();
    found
}

#[test]
fn what_is_not_there_is_named() {
    let place = Place::new();
    let home = place.network(&["one"], &[]).remove(0);
    let card = text(&home.validator());
    fs::write(place.path("file"), "x").unwrap();
    let before = everything(&place.path("."));
    let dead = "http://127.0.0.1:1";
    let new = ["genesis", "new", "--chain-name", CHAIN, "--rollup", "1", "--validator"];
    let cases: [(&[&str], i32, &str); 17] = [
        (&["start", "--home", "nowhere"], 2, "nowhere/config/config.toml"),
        (&["start", "--home", "file"], 2, "file/config/config.toml"),
        (&["start", "--home", ""], 2, "--home"),
        (&["keys", "show", "--home", "nowhere"], 2, "nowhere/keys"),
        (&["status", "--home", "nowhere"], 1, "nowhere/data/run.json"),
        (&["init", "--home", "file", "--chain-name", CHAIN], 2, "cannot make file/config"),
        (&["genesis", "validate", "nowhere.json"], 2, "cannot read nowhere.json"),
        (&["genesis", "validate", "."], 2, "cannot read ."),
        (&["genesis", "install", "nowhere.json", "--home", "one"], 2, "cannot read nowhere.json"),
        (&["genesis", "install", "genesis.json", "--home", "no"], 2, "no/config/config.toml"),
        (
            &["genesis", "install", "genesis.json", "--home", "one", "--peer", "no.json"],
            2,
            "cannot read no.json",
        ),
        (&[&new[..], &["nowhere.json"]].concat(), 2, "cannot read nowhere.json"),
        (&[&new[..], &[&card, "--out", "no/where"]].concat(), 2, "cannot write no/where"),
        (&["submit", "--url", dead, "--rollup", "1", "--file", "no"], 2, "no cannot be opened"),
        (&["follow", "--url", dead, "--rollup", "1", "--genesis", "no"], 2, "no cannot be read"),
        (&["follow", "--url", dead, "--rollup", "1", "--genesis", "file"], 2, "is no genesis"),
        (&["status", "--url", dead], 1, dead),
    ];
    for (arguments, code, reason) in cases {
        let (got, why) = said(&run_in(&place.path("."), None, arguments));
        assert_eq!(got, Some(code), "{arguments:?}: {why}");
        assert!(why.contains(reason), "{arguments:?}: {why}");
        assert!(!why.contains("panicked"), "{why}");
    }
    assert_eq!(everything(&place.path(".")), before, "nothing was changed");
}

#[test]
fn values_that_mean_nothing_are_wrong_usage() {
    let place = Place::new();
    let url = ["--url", "http://127.0.0.1:1"];
    let submit = [&["submit", "--rollup", "1", "--hex", "0x01"], &url[..]].concat();
    let follow = [&["follow", "--rollup", "1"], &url[..]].concat();
    let new = ["genesis", "new", "--chain-name", CHAIN, "--validator", "v.json", "--rollup"];
    let init = ["init", "--home", "home", "--chain-name", CHAIN];
    let cases: [Vec<&str>; 25] = [
        [&submit[..], &["--patience", "18446744073709551615"]].concat(),
        [&submit[..], &["--patience", "86401"]].concat(),
        [&submit[..], &["--patience", "-1"]].concat(),
        [&submit[..], &["--patience", "10s"]].concat(),
        [&submit[..], &["--wait", "sure"]].concat(),
        [&submit[..], &["--file", "x"]].concat(),
        vec!["submit", "--rollup", "1", "--hex", "01", "--url", "http://127.0.0.1:1"],
        vec!["submit", "--rollup", "1", "--hex", "0xz", "--url", "http://127.0.0.1:1"],
        vec!["submit", "--rollup", "1e400", "--hex", "0x01", "--url", "http://127.0.0.1:1"],
        vec!["submit", "--rollup", "1", "--hex", "0x01"],
        vec!["submit", "--rollup", "1", "--hex", "0x01", "--url", "ftp://x"],
        [&follow[..], &["--from", "0"]].concat(),
        [&follow[..], &["--from", "-1"]].concat(),
        [&follow[..], &["--from", "18446744073709551616"]].concat(),
        [&new[..], &["-1"]].concat(),
        [&new[..], &["1.5"]].concat(),
        [&new[..], &["18446744073709551616"]].concat(),
        [&new[..], &["1", "--seed", "0x12"]].concat(),
        [&init[..], &["--stake", "-1"]].concat(),
        [&init[..], &["--http", "127.0.0.1:70000"]].concat(),
        [&init[..], &["--admin", "0.0.0.0:0"]].concat(),
        [&init[..], &["--p2p", "127.0.0.1:1"]].concat(),
        [&init[..], &["--name", "../up"]].concat(),
        vec!["start", "--home", "home", "--log-format", "xml"],
        vec!["status", "--home", "home", "--url", "http://127.0.0.1:1"],
    ];
    for arguments in cases {
        let (code, why) = said(&run_in(&place.path("."), None, &arguments));
        assert_eq!(code, Some(2), "{arguments:?}: {why}");
        assert!(!why.is_empty() && !why.contains("panicked"), "{arguments:?}: {why}");
    }
    assert_eq!(everything(&place.path(".")), [], "nothing was made");
}

#[test]
fn a_home_in_the_environment_hinders_no_command() {
    let place = Place::new();
    let home = place.network(&["one"], &[]).remove(0);
    let mut program = Program::start(&home, &[]);
    let addresses = program.addresses(&home);
    let url = format!("http://{}", addresses["http"].as_str().unwrap());
    let submit = ["submit", "--url", &url, "--rollup", "1", "--hex", "0x01", "--wait", "final"];
    let cases: [&[&str]; 7] = [
        &["status", "--url", &url],
        &["status", "--home", "one"],
        &submit,
        &["keys", "show", "--home", "one"],
        &["genesis", "validate", "genesis.json"],
        &["genesis", "install", "genesis.json", "--home", "one"],
        &["init", "--home", "new", "--chain-name", CHAIN],
    ];
    for named in [Some("elsewhere"), Some("one"), Some(""), None] {
        for arguments in cases {
            let (code, why) = said(&run_in(&place.path("."), named, arguments));
            assert_eq!(code, Some(0), "CHORALE_HOME={named:?} {arguments:?}: {why}");
        }
        fs::remove_dir_all(place.path("new")).unwrap();
    }
    assert!(!place.path("elsewhere").exists());
    // It is the home where none is named; an empty one is none.
    let shown = run_in(&place.path("."), Some("one"), &["keys", "show"]);
    assert_eq!(shown.status.code(), Some(0), "{shown:?}");
    let none = said(&run_in(&place.path("."), Some(""), &["keys", "show"]));
    assert!(none.1.contains("user/.local/share/chorale/keys"), "{none:?}");
    assert_eq!(run_in(&place.path("."), Some("one"), &["status"]).status.code(), Some(0));
}

#[test]
fn a_home_named_from_here_is_one_named_from_the_root() {
    let place = Place::new();
    let init = ["init", "--home", "./a/../home", "--chain-name", CHAIN, "--name", "one"];
    fs::create_dir(place.path("a")).unwrap();
    let (code, why) = said(&run_in(&place.path("."), None, &init));
    assert_eq!(code, Some(0), "{why}");
    let here = run_in(&place.path("."), None, &["keys", "show", "--home", "home"]);
    assert_eq!(
        String::from_utf8(here.stdout).unwrap(),
        succeeds(&["keys", "show", "--home", &place.text("home")])
    );
}

#[test]
fn a_port_in_use_is_named_and_the_next_start_works() {
    let place = Place::new();
    let home = place.network(&["one"], &[]).remove(0);
    let good = fs::read_to_string(home.config()).unwrap();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let http = "interface for rollups: submit";
    for (section, before, after) in [
        (http, "listen = \"127.0.0.1:0\"", format!("listen = \"127.0.0.1:{port}\"")),
        ("[admin]", "listen = \"127.0.0.1:0\"", format!("listen = \"127.0.0.1:{port}\"")),
        ("[p2p]", "tcp/0", format!("tcp/{port}")),
    ] {
        let (head, tail) = good.split_once(section).expect(section);
        let config = format!("{head}{section}{}", tail.replacen(before, &after, 1));
        fs::write(home.config(), config).unwrap();
        let (code, why) = fails(&["start", "--home", &text(home.path())]);
        assert_eq!(code, 1, "{why}");
        assert!(why.contains(&port.to_string()), "{section}: {why}");
        assert!(why.to_lowercase().contains("in use"), "{section}: {why}");
        assert!(!home.run().exists(), "nobody is told that it listens");
    }
    fs::write(home.config(), good).unwrap();
    let mut program = Program::start(&home, &[]);
    program.addresses(&home);
    program.signal("TERM");
    assert_eq!(program.code(), Some(0));
}

#[test]
fn files_that_are_no_text_of_theirs_are_refused() {
    let place = Place::new();
    let home = place.network(&["one"], &[]).remove(0);
    let config = fs::read(home.config()).unwrap();
    let genesis = fs::read_to_string(home.genesis()).unwrap();
    let start = ["start", "--home", &text(home.path())];
    let deep = "[".repeat(100_000);
    let twice = String::from_utf8(config.clone()).unwrap() + "\n[http]\nlisten = \"127.0.0.1:0\"\n";
    let deep_toml = format!("name = {deep}");
    for bad in [b"\xff\xfe".as_slice(), b"\0", deep_toml.as_bytes(), twice.as_bytes(), b""] {
        fs::write(home.config(), bad).unwrap();
        let (code, why) = fails(&start);
        assert_eq!(code, 2);
        assert!(why.contains("config.toml"), "{why}");
        assert!(why.len() < 200_500, "{}", why.len());
    }
    fs::write(home.config(), &config).unwrap();
    let named_twice = genesis.replacen("{", "{\"chain_name\": \"test\",", 1);
    let endless = genesis.replacen("\"stake\": 1", "\"stake\": 1e400", 1);
    let nan = genesis.replacen("\"stake\": 1", "\"stake\": NaN", 1);
    for bad in
        [named_twice.as_bytes(), endless.as_bytes(), nan.as_bytes(), deep.as_bytes(), b"\xff"]
    {
        fs::write(home.genesis(), bad).unwrap();
        for command in [&start[..], &["genesis", "validate", &text(&home.genesis())]] {
            let (code, why) = fails(command);
            assert_eq!(code, 2);
            assert!(why.contains("genesis.json"), "{why}");
        }
    }
    assert!(!home.store().exists(), "nothing was opened");
}

#[test]
fn members_that_cannot_make_a_chain_are_refused_before_it_is_written() {
    let place = Place::new();
    let cards: Vec<String> = ["a", "b", "c", "d"].map(|n| text(&place.init(n).validator())).into();
    let nothing = place.text("nothing");
    succeeds(&["init", "--home", &nothing, "--chain-name", CHAIN, "--stake", "0"]);
    let nothing = text(&Home::new(&nothing).validator());
    let out = place.text("made.json");
    let new = |chain: &str, rollups: &[String], cards: &[&str], params: &[&str]| {
        let mut all = vec!["genesis", "new", "--chain-name", chain, "--out", &out];
        all.extend(rollups.iter().flat_map(|id| ["--rollup", id]));
        all.extend(cards.iter().flat_map(|card| ["--validator", card]));
        all.extend(params.iter().flat_map(|param| ["--param", param]));
        fails(&all)
    };
    let four: Vec<&str> = cards.iter().map(String::as_str).collect();
    let one = [String::from("1")];
    let many: Vec<String> = (0..=1_024).map(|id| id.to_string()).collect();
    let twice = [four.clone(), vec![four[0]]].concat();
    let cases = [
        (new(CHAIN, &one, &twice, &[]), "same operator key"),
        (new(CHAIN, &one, &[&four[..], &[nothing.as_str()]].concat(), &[]), "no stake"),
        (new(CHAIN, &one, &[&nothing], &[]), "no stake"),
        (new(CHAIN, &["1".into(), "1".into()], &four, &[]), "rising order of id at 1"),
        (new(CHAIN, &many, &four, &[]), "1025 rollups"),
        (new("other", &one, &four, &[]), "possession"),
        (new("Test", &one, &four, &[]), "chain name"),
        (new(&"x".repeat(33), &one, &four, &[]), "chain name"),
        (new(CHAIN, &one, &four, &["view_timeout_ms=0"]), "view_timeout_ms is 0"),
        (new(CHAIN, &one, &four, &["block_interval_min_ms=491"]), "block_interval_min_ms is 491"),
        (new(CHAIN, &one, &four, &["lane_quota_bytes=16777217"]), "lane_quota_bytes is 16777217"),
        (new(CHAIN, &one, &four, &["dedup_ms=-1"]), "is no number"),
        (new(CHAIN, &one, &four, &["dedup_ms=60s"]), "is no number"),
        (new(CHAIN, &one, &four, &["dedup_ms=18446744073709551616"]), "is no number"),
    ];
    for ((code, why), reason) in cases {
        assert_eq!(code, 2, "{reason}: {why}");
        assert!(why.contains(reason), "{reason}: {why}");
    }
    assert!(!Path::new(&out).exists());
}

#[test]
fn a_card_says_where_a_member_is_and_no_more() {
    let place = Place::new();
    let homes = place.network(&["one", "two"], &[]);
    let (home, genesis) = (text(homes[0].path()), place.text("genesis.json"));
    let mut card: Value =
        serde_json::from_str(&fs::read_to_string(homes[1].validator()).unwrap()).unwrap();
    let install = |card: &Value| {
        fs::write(place.path("card.json"), card.to_string()).unwrap();
        let file = place.text("card.json");
        ["genesis", "install", &genesis, "--home", &home, "--peer", &file].map(str::to_owned)
    };
    let before = fs::read(homes[0].config()).unwrap();
    for wrong in
        [json!(["x"]), json!(["/ip4/1.2.3.4/tcp/70000"]), json!([1]), json!("x"), json!({})]
    {
        card["p2p"] = wrong;
        let arguments = install(&card);
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let (code, why) = fails(&arguments);
        assert_eq!(code, 2);
        assert!(why.contains("card.json"), "{why}");
    }
    assert_eq!(fs::read(homes[0].config()).unwrap(), before);
    // An address in which a name tries to be a part of the configuration.
    card["p2p"] = json!(["/dns4/x\"]\n[[peers]]\nnetwork = \"0x00\"\naddresses = [\"/tcp/1"]);
    let arguments = install(&card);
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    succeeds(&arguments);
    let config = chorale_node::config::Config::read(&homes[0].config()).unwrap();
    assert_eq!(config.peers.len(), 1);
    let addresses: Vec<String> =
        config.peers[0].addresses.iter().map(ToString::to_string).collect();
    assert_eq!(json!(addresses), card["p2p"]);
}

#[test]
fn a_node_that_is_told_of_itself_runs() {
    let place = Place::new();
    let home = place.network(&["one"], &[]).remove(0);
    let card = text(&home.validator());
    let genesis = place.text("genesis.json");
    succeeds(&["genesis", "install", &genesis, "--home", &text(home.path()), "--peer", &card]);
    let mut program = Program::start(&home, &[]);
    let addresses = program.addresses(&home);
    let url = format!("http://{}", addresses["http"].as_str().unwrap());
    let submit = ["submit", "--url", &url, "--rollup", "1", "--hex", "0x01", "--wait", "final"];
    assert!(succeeds(&submit).contains("final"));
    program.signal("TERM");
    assert_eq!(program.code(), Some(0));
}
