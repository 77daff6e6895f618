//! The shape of the code: which crate may use which, what the pure crates must not touch, and how
//! long a file and a line may be.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Every arrow between our crates that may exist: who uses, what is used.
const ARROWS: [(&str, &[&str]); 8] = [
    ("chorale-types", &[]),
    // Shares nothing with what it judges.
    ("chorale-judge", &[]),
    ("chorale-consensus", &["chorale-types"]),
    ("chorale-p2p", &["chorale-types"]),
    ("chorale-client", &["chorale-types"]),
    ("chorale-node", &["chorale-client", "chorale-consensus", "chorale-p2p", "chorale-types"]),
    ("chorale-testnet", &["chorale-client", "chorale-types"]),
    (
        "chorale-chaos",
        &[
            "chorale-client",
            "chorale-consensus",
            "chorale-judge",
            "chorale-node",
            "chorale-testnet",
            "chorale-types",
        ],
    ),
];

/// Arrows that exist for tests alone: nothing that is built for use follows them.
const TEST_ARROWS: [(&str, &str); 2] =
    [("chorale-client", "chorale-consensus"), ("chorale-node", "chorale-consensus")];

/// What the pure crates must not name.
const IMPURE: [&str; 6] = ["tokio", "std::fs", "std::net", "std::thread", "HashMap", "HashSet"];

const LINES_MAX: usize = 500;
const COLUMNS_MAX: usize = 100;

pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_path_buf()
}

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        if path.is_dir() {
            if name != "target" && !name.starts_with('.') {
                sources(&path, found);
            }
        } else if name.ends_with(".rs") {
            found.push(path);
        }
    }
}

/// The Rust files below some folders of the repository, and their text.
pub(crate) fn texts(folders: &[&str]) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for folder in folders {
        sources(&root().join(folder), &mut found);
    }
    found.sort();
    let text = |path: &PathBuf| {
        let name = path.strip_prefix(root()).unwrap().display().to_string();
        (name, fs::read_to_string(path).unwrap())
    };
    found.iter().map(text).collect()
}

#[test]
fn crates_use_only_what_is_drawn() {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    let output = Command::new(cargo)
        .args(["metadata", "--offline", "--no-deps", "--format-version", "1"])
        .current_dir(root())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let mut seen = BTreeSet::new();
    for package in metadata["packages"].as_array().unwrap() {
        let name = package["name"].as_str().unwrap();
        let Some((_, allowed)) = ARROWS.iter().find(|(user, _)| *user == name) else {
            panic!("{name} is not drawn");
        };
        seen.insert(name);
        for dependency in package["dependencies"].as_array().unwrap() {
            let used = dependency["name"].as_str().unwrap();
            let drawn = if dependency["kind"] == "dev" {
                used == name || TEST_ARROWS.contains(&(name, used))
            } else {
                allowed.contains(&used)
            };
            assert!(drawn || !used.starts_with("chorale-"), "{name} uses {used}");
        }
    }
    assert_eq!(seen.len(), ARROWS.len(), "{seen:?}");
}

#[test]
fn the_judge_shares_no_crate_of_ours_and_no_bls_with_the_node() {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    let output = Command::new(cargo)
        .args(["tree", "--offline", "-p", "chorale-judge", "-e", "all", "--prefix", "none"])
        .current_dir(root())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let tree = String::from_utf8(output.stdout).unwrap();
    let names: BTreeSet<&str> = tree.lines().filter_map(|line| line.split(' ').next()).collect();
    assert!(names.contains("chorale-judge") && names.contains("bls12_381"), "{tree}");
    for name in names {
        let ours = name.starts_with("chorale-") && name != "chorale-judge";
        assert!(!ours && name != "blst", "the judge uses {name}");
    }
    for (file, text) in texts(&["chaos/judge"]) {
        for ours in ["chorale_types", "chorale_consensus", "chorale_node", "chorale_client"] {
            assert!(!text.contains(ours), "{file} names {ours}");
        }
    }
}

#[test]
fn the_simulator_needs_no_compiler_for_cplusplus() {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    let output = Command::new(cargo)
        .args(["tree", "--offline", "-p", "chorale-chaos", "-e", "normal,build"])
        .args(["--prefix", "none"])
        .current_dir(root())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let tree = String::from_utf8(output.stdout).unwrap();
    let names: BTreeSet<&str> = tree.lines().filter_map(|line| line.split(' ').next()).collect();
    assert!(names.contains("chorale-consensus"), "{tree}");
    for name in ["rocksdb", "librocksdb-sys", "cmake", "bindgen", "clang-sys"] {
        assert!(!names.contains(name), "{name} is built with the simulator");
    }
}

#[test]
fn the_pure_crates_name_nothing_of_the_world() {
    let texts = texts(&["types/src", "consensus/src"]);
    assert!(texts.len() > 20, "the sources are found");
    for (file, text) in texts {
        for (line, code) in text.lines().enumerate() {
            let code = code.split("//").next().unwrap();
            for word in IMPURE {
                assert!(!code.contains(word), "{file}:{} names {word}", line + 1);
            }
        }
    }
}

/// Whether a line could be shorter: a row of a table cannot, and a text is one piece.
fn breaks(line: &str) -> bool {
    let line = line.trim_start();
    !line.starts_with("//! |") && !line.starts_with("/// |") && !line.contains('"')
}

#[test]
fn no_file_is_longer_than_a_reader_can_hold() {
    let texts = texts(&["."]);
    assert!(texts.len() > 100, "the sources are found");
    let mut long = Vec::new();
    for (file, text) in &texts {
        let lines = text.lines().count();
        if lines > LINES_MAX {
            long.push(format!("{file} has {lines} lines"));
        }
        let wide = text.lines().enumerate();
        let wide = wide.filter(|(_, line)| line.chars().count() > COLUMNS_MAX && breaks(line));
        long.extend(wide.map(|(at, _)| format!("{file}:{} is over {COLUMNS_MAX} wide", at + 1)));
    }
    assert!(long.is_empty(), "{long:#?}");
}
