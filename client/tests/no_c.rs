//! A rollup that links this crate needs no C compiler.
#![allow(clippy::unwrap_used)]

use std::process::Command;

/// Crates that compile C or look for C libraries; with their build scripts everything that does is
/// found, whatever its own name.
const COMPILES_C: [&str; 6] = ["cc", "cmake", "bindgen", "pkg-config", "vcpkg", "nasm-rs"];
/// Named like bindings, but Rust alone.
const PURE: [&str; 4] = ["linux-raw-sys", "windows-sys", "js-sys", "web-sys"];

fn tree(package: &str) -> Vec<String> {
    let output = Command::new(env!("CARGO"))
        .args(["tree", "--offline", "--prefix", "none", "--format", "{p}"])
        .args(["--edges", "normal,build", "--package", package])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().filter_map(|line| line.split(' ').next()).map(Into::into).collect()
}

fn is_c(name: &str) -> bool {
    let named = ["blst", "ring", "openssl", "secp256k1"].contains(&name)
        || name.starts_with("aws-lc")
        || name.starts_with("zstd");
    let binds = name.ends_with("-sys") && !PURE.contains(&name);
    named || binds || COMPILES_C.contains(&name)
}

#[test]
fn nothing_that_this_crate_builds_is_c() {
    let crates = tree("chorale-client");
    for expected in ["chorale-types", "bls12_381", "reqwest", "tokio"] {
        assert!(crates.iter().any(|name| name == expected), "no {expected} in {crates:?}");
    }
    let c: Vec<&String> = crates.iter().filter(|name| is_c(name)).collect();
    assert!(c.is_empty(), "{c:?}");
}

#[test]
fn c_would_be_noticed() {
    for name in ["cc", "blst", "aws-lc-rs", "librocksdb-sys", "zstd-safe"] {
        assert!(is_c(name), "{name}");
    }
    assert!(!is_c("linux-raw-sys") && !is_c("bls12_381"));
}
