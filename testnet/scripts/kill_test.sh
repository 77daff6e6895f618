#!/bin/sh
# Kills and destroys nodes under load, then recounts every promise from the recorded histories.
# Usage: kill_test.sh [DIR] [extra arguments of `testnet crash-test`]
# The programs `testnet` and `chorale` are taken from $BIN, by default where make puts them.
# Exit code 0: every scenario passed, and so did the recount.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
bin=${BIN:-${CARGO_TARGET_DIR:-${XDG_CACHE_HOME:-$HOME/.cache}/chorale/target}/release}
case "${1-}" in
'' | -*) dir=$(mktemp -d) ;;
*) dir=$1 && shift ;;
esac
status=0
"$bin/testnet" crash-test --home "$dir" --json "$dir/crash-test.json" "$@" || status=$?
for record in "$dir"/crash-test/*/record; do
    python3 "$here/recount.py" "$record" || status=1
done
echo "report in $dir/crash-test.json"
exit "$status"
