#!/bin/sh
# Mutation testing of what must not be wrong: each comparison, boolean and result of these files is
# changed, one at a time, and the tests beside them are run. Prints counts and what nobody noticed.
# Exit code 1 when a mutant survives or a group cannot be run. docs/mutants.md says what came out.
#
# usage: scripts/mutation.sh [group ...]      groups: see below; all of them without an argument
set -u
cd "$(dirname "$0")/.." || exit 2
CACHE=${XDG_CACHE_HOME:-$HOME/.cache}
# A folder of its own: everything is compiled with other flags here than anywhere else.
CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$CACHE/chorale/target}/mutation
export CARGO_TARGET_DIR
VERSION=27.1.0

PATH=$CARGO_TARGET_DIR/tools/bin:$PATH
if ! command -v cargo-mutants >/dev/null 2>&1; then
    echo "installing cargo-mutants $VERSION"
    cargo install --quiet --locked --version "$VERSION" --root "$CARGO_TARGET_DIR/tools" \
        cargo-mutants || exit 2
fi
if ! command -v python3 >/dev/null 2>&1; then
    echo "python3 is missing" >&2
    exit 2
fi
mkdir -p "$CARGO_TARGET_DIR" || exit 2
# Two runs at once would test each other's mutants.
if ! mkdir "$CARGO_TARGET_DIR/running" 2>/dev/null; then
    echo "another run is using $CARGO_TARGET_DIR (if none is, remove its folder running)" >&2
    exit 2
fi
trap 'rmdir "$CARGO_TARGET_DIR/running"' EXIT
trap 'exit 2' INT TERM
failed=0

# mutate <group> <package> <files> <cargo test options> <test filters>, lists separated by spaces.
mutate() {
    case " $wanted " in *" $1 "*) ;; *) return ;; esac
    python3 scripts/mutation.py "$@" 2>"$CARGO_TARGET_DIR/$1.log" && return
    failed=1
    grep -vE '^(caught|missed|timeout|uncompilable) ' "$CARGO_TARGET_DIR/$1.log" | tail -20 >&2
}

wanted=${*:-"agreement lanes quorum certificates codec record client"}
agreement=consensus/src/agreement
vote_record=node/src/storage/vote_record
mutate agreement chorale-consensus \
    "$agreement/safety.rs $agreement/justify.rs $agreement/tally.rs $agreement/timeouts.rs" --lib \
    "agreement::safety agreement::justify agreement::tally agreement::timeouts"
mutate lanes chorale-consensus consensus/src/lanes/rules.rs --lib lanes::rules
mutate quorum chorale-types "types/src/validators.rs types/src/crypto/bitmap.rs" --lib \
    "validators bitmap"
mutate certificates chorale-types "types/src/certificate.rs types/src/verify.rs" \
    "--test=bad_certificates --test=refusals" ""
mutate codec chorale-types types/src/codec.rs "--lib" ""
mutate record chorale-node "$vote_record.rs $vote_record/layout.rs" \
    "--no-default-features --lib" storage::vote_record
mutate client chorale-client client/src/stream.rs --test=stream ""
exit $failed
