#!/bin/sh
# Checks whose tools are not part of a Rust installation. Each is run or counted as skipped.
set -eu
skipped=0

skip() {
    echo "skipped: $1"
    skipped=$((skipped + 1))
}

if command -v cargo-deny >/dev/null 2>&1; then
    cargo deny --offline check bans licenses sources
else
    skip "licences and sources of dependencies: cargo-deny is not installed (cargo install cargo-deny)"
fi
if command -v typos >/dev/null 2>&1; then
    typos
else
    skip "spelling: typos is not installed (cargo install typos-cli)"
fi
echo "optional checks: $skipped skipped"
