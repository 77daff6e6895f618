//! The second opinion, in Python, on the good history and on the planted ones that it judges.

use crate::good::history::History;
use crate::planted::{Planted, all, base};
use serde_json::Value;
use std::path::Path;
use std::process::{Command, Output};
use tempfile::TempDir;

/// What it does not look at: messages between nodes, what nodes told their users, and the proofs
/// inside frames.
const BEYOND: [&str; 15] = [
    "a fork's certificate is passed on",
    "a frame is proven by a fork's certificate",
    "a node says final of what no height has",
    "a node says final of what another rollup got",
    "another frame's proof",
    "an unreadable proof",
    "a proof without a block",
    "a proof that hides a batch",
    "a proof with a batch twice",
    "a proof with a batch that is not the chain's",
    "a proof with another body",
    "a proof of a block that is not final",
    "a proof that shows another rollup's part",
    "a proof that counts one transaction less",
    "a proof whose blocks do not follow each other",
];

/// What it does not look at in certificates: those inside messages, and ways through blocks.
const BEYOND_CERTIFICATES: [&str; 7] = [
    "a proposal on a certificate of too few",
    "a view given up by too few",
    "an availability certificate of too few",
    "a commit certificate of too few inside a proposal",
    "the certificate of a block that nobody knows",
    "a final block of another set",
    "a final block that says another height",
];

/// Runs it, with so many signatures to check; `None` where there is no Python.
fn ask(history: &History, signatures: &str) -> Option<Output> {
    let folder = TempDir::new().unwrap();
    history.write(folder.path());
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("second_opinion.py");
    let python = std::env::var("PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let arguments = ["--signatures", signatures];
    Command::new(python).arg(program).args(arguments).arg(folder.path()).output().ok()
}

#[test]
fn it_agrees_on_good_and_bad() {
    let (world, good) = base();
    let Some(output) = ask(good, "2") else {
        println!("skipped: 1 good history and all planted ones: there is no python3");
        return;
    };
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{said}{errors}");
    let said: Value = serde_json::from_str(&said).unwrap();
    for invariant in ["I1", "I2", "I3", "I4", "I5"] {
        assert!(said[invariant]["checked"].as_u64() > Some(0), "{invariant}: {said}");
    }
    println!("signatures: {}", said["signatures"]);

    let (mut wrong, mut agreed) = (Vec::new(), 0);
    for Planted { name, invariant, change } in all() {
        if !["I1", "I3", "I4", "I5"].contains(&invariant) {
            continue;
        }
        let mut bad = good.clone();
        change(world, &mut bad);
        let output = ask(&bad, "0").unwrap();
        let said: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
        let refused =
            output.status.code() == Some(1) && said[invariant]["violated"].as_u64() > Some(0);
        if refused == BEYOND.contains(&name) {
            wrong.push(format!("{invariant} {name}: refused {refused}: {said}"));
        }
        agreed += u32::from(refused);
    }
    println!("{agreed} planted histories refused, {} beyond it", BEYOND.len());
    assert!(agreed >= 30);
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Takes minutes, and needs the package `py_ecc`: `PYTHON=… cargo test … -- --ignored`.
#[test]
#[ignore = "takes minutes and needs py_ecc"]
fn it_agrees_on_signatures() {
    let (world, good) = base();
    let said: Value = serde_json::from_slice(&ask(good, "99").unwrap().stdout).unwrap();
    assert!(said["passed"] == true && said["signatures"]["skipped"] == 0, "{said}");
    for Planted { name, invariant, change } in all() {
        if invariant != "I2" || BEYOND_CERTIFICATES.contains(&name) {
            continue;
        }
        let mut bad = good.clone();
        change(world, &mut bad);
        let output = ask(&bad, "99").unwrap();
        let said: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
        assert!(said["I2"]["violated"].as_u64() > Some(0), "{name}: {said}");
    }
}
