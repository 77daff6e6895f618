//! The same seed is the same run, also in another process.

use std::process::Command;

fn digest(arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_chaos")).arg("sim").args(arguments).output();
    let output = output.unwrap();
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["failures"], serde_json::json!([]), "seed of {arguments:?} is clean");
    report["digest"].as_str().unwrap().to_owned()
}

#[test]
fn one_seed_gives_one_digest_in_two_processes() {
    let order = ["--from", "3", "--seeds", "4", "--seconds", "10", "--json"];
    let first = digest(&order);
    assert_eq!(first, digest(&order));
    let alone = [&order[..], &["--jobs", "1"]].concat();
    assert_eq!(first, digest(&alone), "whatever the number of threads");
    let other = ["--from", "7", "--seeds", "4", "--seconds", "10", "--json"];
    assert_ne!(first, digest(&other));
}

#[test]
fn nonsense_on_the_command_line_is_a_usage_error() {
    for arguments in [&["--seconds", "0"][..], &["--jobs", "0"], &["--trace"], &["--bogus"]] {
        let output = Command::new(env!("CARGO_BIN_EXE_chaos")).arg("sim").args(arguments).output();
        assert_eq!(output.unwrap().status.code(), Some(2), "{arguments:?}");
    }
}

#[test]
fn a_clean_run_in_which_rare_cases_never_came_up_says_so() {
    let arguments = ["sim", "--seed", "0", "--seconds", "8", "--require-counters"];
    let output = Command::new(env!("CARGO_BIN_EXE_chaos")).args(arguments).output().unwrap();
    assert_eq!(output.status.code(), Some(3));
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("never happened: "), "{text}");
}

#[test]
fn a_folder_without_histories_cannot_be_judged() {
    let folder = env!("CARGO_TARGET_TMPDIR");
    let output = Command::new(env!("CARGO_BIN_EXE_chaos")).args(["judge", folder]).output();
    let output = output.unwrap();
    assert_eq!(output.status.code(), Some(2));
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(text.contains("genesis.json"), "{text}");
}
