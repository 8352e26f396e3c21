#!/usr/bin/env bash
# Measures the Lua node against plain lua5.4 with cjson: 100,000 items with JSON in and out, and fib(30).
#   benches/lua/run.sh [SCRATCH]     needs hyperfine, jq, Debian's lua5.4 and lua-cjson, a release build of Pocket
# RUNS=20 of each command, ITEMS=100000.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
pocket=${POCKET:-$here/../../target/release/pocket}
pocket=$(realpath "$pocket")
scratch=${1:-${TMPDIR:-/tmp}/pocket-lua-bench}
runs=${RUNS:-20} items=${ITEMS:-100000}
mkdir -p "$scratch"
cd "$scratch"
export POCKET_HOME=$scratch/home

jq -nc --argjson n "$items" '[range($n) | {id: ., name: "item \(.)", price: (. % 97 + 0.5), count: (. % 7)}]' >map.json
echo 30 >fib.json
for name in map fib; do
  cp "$here/$name.lua" .
  printf 'nodes:\n  - {name: %s, type: lua, config: {file: %s.lua}}\n' $name $name >$name.yaml
done
echo '[]' >none.json

# Both must say the same.
for name in map fib; do
  "$pocket" run $name.yaml --input-file $name.json | jq -cS . >$name.pocket
  lua5.4 "$here/plain.lua" "$here/$name.lua" $name.json | jq -cS . >$name.plain
  cmp $name.pocket $name.plain
done

bench() {
  local name=$1
  shift
  hyperfine -N --warmup 2 --runs "$runs" --export-json "$name.times" "$@" >&2
  printf '| %s | median | user + system | against the first |\n|---|---|---|---|\n' "$name"
  jq -r '.results as $all | $all[] | [.command, (.median * 1000 | round), ((.user + .system) * 1000 | round),
    (.median / $all[0].median * 100 | round / 100)] | "| \(.[0]) | \(.[1]) ms | \(.[2]) ms | \(.[3]) |"' "$name.times"
}

for name in map fib; do
  bench $name \
    -n 'lua5.4 and cjson' "lua5.4 $here/plain.lua $here/$name.lua $name.json" \
    -n 'pocket run' "$pocket run $name.yaml --input-file $name.json"
done
bench start \
  -n 'lua5.4 and cjson, nothing to do' "lua5.4 $here/plain.lua $here/map.lua none.json" \
  -n 'pocket run, nothing to do' "$pocket run map.yaml --input-file none.json"
