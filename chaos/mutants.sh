#!/bin/sh
# Builds the simulator with each planted bug and shows what catches it: the first seed and the
# invariant it breaks, and, apart from that, the fixed schedules that fail.
# Exit code 1 when a bug is caught by neither or by one alone.
#
# usage: chaos/mutants.sh [most seeds to try, 500 by default]
set -u
cd "$(dirname "$0")/.." || exit 2
seeds=${1:-500}
missed=0
log=$(mktemp)
trap 'rm -f "$log"' EXIT
for mutant in mutant-quorum mutant-commit-gate mutant-two-chain mutant-vote-record; do
    run="cargo run --quiet --release -p chorale-chaos --features $mutant --bin chaos --"
    if RUST_BACKTRACE=0 $run sim --seeds "$seeds" --jobs 1 >"$log" 2>&1; then
        echo "$mutant: NOT CAUGHT by $seeds seeds"
        missed=1
    elif grep -q '^seed ' "$log"; then
        grep '^seed ' "$log" | head -1 | sed "s/^/$mutant: /"
    else
        cat "$log"
        exit 2
    fi
    if RUST_BACKTRACE=0 cargo test --quiet --release -p chorale-chaos --features $mutant \
        --test it schedules:: >"$log" 2>&1; then
        echo "$mutant: NOT CAUGHT by a fixed schedule"
        missed=1
    elif grep -q '^    schedules::' "$log"; then
        grep '^    schedules::' "$log" | sort -u | sed "s/^    schedules::/$mutant: schedule /"
    else
        cat "$log"
        exit 2
    fi
done
exit $missed
