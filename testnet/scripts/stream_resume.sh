#!/bin/sh
# Follows a rollup's stream with curl, kills the node under it, starts it again, goes on with
# Last-Event-ID, and checks that the sequence numbers have no gap and no repeat.
# Usage: stream_resume.sh [DIR]      the programs are taken from $BIN, by default where make puts them
# Exit code 0: no gap, no repeat.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
testnet=${BIN:-${CARGO_TARGET_DIR:-${XDG_CACHE_HOME:-$HOME/.cache}/chorale/target}/release}/testnet
dir=${1:-$(mktemp -d)}
"$testnet" up --detach --rollups 1 --rate 50 --home "$dir"
trap '"$testnet" down --home "$dir"' EXIT
url=$(sed -n 's/.*"http": "\(.*\)",/\1/p' "$dir/testnet.json" | head -1)/v1/rollups/91001/stream
sleep 2

curl -sN "$url?from=1" >"$dir/before.txt" &
curl=$!
sleep 5
"$testnet" kill node0 --home "$dir"
wait "$curl" || true
# Only whole events count: what was torn off by the kill is read again.
last=$(awk '/^id:/ {id = $2} /^$/ && id != "" {whole = id; id = ""} END {print whole}' \
    "$dir/before.txt")
"$testnet" start node0 --home "$dir"
curl -sN --max-time 5 -H "Last-Event-ID: $last" "$url" >"$dir/after.txt" || true

awk -v last="$last" '
    /^id:/ {
        if (FNR != NR && !resumed) { resumed = 1; expected = last + 1 }
        if (FNR == NR && $2 > last) next
        if (expected && $2 != expected) { print "expected", expected, "got", $2; bad = 1 }
        expected = $2 + 1
        count[resumed ? "after" : "before"]++
    }
    END {
        print count["before"] + 0, "events before the kill,", count["after"] + 0, "after it"
        exit bad || !count["before"] || !count["after"]
    }' "$dir/before.txt" "$dir/after.txt"
echo "no gap, no repeat; resumed after $last"
