#!/bin/sh
# Runs everything that speaks for the protocol and the code, at full size, and writes what came of
# it to docs/evidence.md. Takes about a quarter of an hour on two cores. Exit code 1 when anything
# failed; the page then says what.
#
# usage: scripts/evidence.sh [folder of the programs]
set -u
cd "$(dirname "$0")/.." || exit 2
bin=${1:-${CARGO_TARGET_DIR:-${XDG_CACHE_HOME:-$HOME/.cache}/chorale/target}/release}
page=docs/evidence.md
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failed=0

say() { printf '%s\n' "$@" >>"$work/page"; }

# part TITLE LINES COMMAND...: runs it and keeps the last lines of what it says.
part() {
    title=$1 lines=$2
    shift 2
    echo "evidence: $title" >&2
    began=$(date +%s)
    "$@" >"$work/out" 2>"$work/err"
    code=$?
    took=$(($(date +%s) - began))
    [ $code -eq 0 ] || failed=1
    [ $code -eq 0 ] || tail -20 "$work/err" >>"$work/out"
    shown=$(echo "$*" | sed "s|$bin/||g; s|$work|DIR|g")
    say "## $title" "" "\`$shown\`: exit code $code after $took s." "" '```'
    tail -n "$lines" "$work/out" | cut -c1-160 >>"$work/page"
    say '```' ""
}

say "# Evidence"
say ""
say "Written by \`make evidence\` at commit \`$(git rev-parse --short HEAD)\`$(git diff --quiet || echo ' with changes'), on $(nproc) cores ($(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -1)), $(date -u +%Y-%m-%d). Each part is one command; what it does not cover stands in [status.md](status.md)."
say ""
part "Simulator: 10,000 seeds" 16 "$bin/chaos" sim --seeds 10000 --require-counters
part "Simulator: its rate with four validators, one thread" 9 "$bin/chaos" sim --seeds 500 --validators 4 --jobs 1
part "The same seeds, the same digest: first process" 3 "$bin/chaos" sim --from 500 --seeds 50
part "The same seeds, the same digest: second process" 3 "$bin/chaos" sim --from 500 --seeds 50 --jobs 1
part "Twins: every canonical scenario of four members over three rounds" 6 "$bin/chaos" twins --exhaustive
part "Twins: seven members, two twins, seven rounds, drawn" 6 "$bin/chaos" twins --members 7 --rounds 7 --count 20000
part "Model: agreement and tail-fork over six views" 14 "$bin/chaos" model --views 6
part "Model: each rule switched off" 40 "$bin/chaos" model --gates
part "A recorded run of real processes" 4 "$bin/testnet" up --validators 4 --rollups 3 --rate 500 --seconds 20 --record --home "$work/run"
part "The judge on that run" 20 "$bin/chaos" judge "$work/run"
cp "$work/page" "$page"
echo "evidence: written to $page" >&2
exit $failed
