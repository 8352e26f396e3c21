#!/usr/bin/env bash
# Measures nodes over 100,000 items: `template` against Go's text/template, `transform` against jq, `jsonpath` and `validate` against
# reading and printing the same items (`echo`), which is the floor.
#   benches/nodes/run.sh [SCRATCH]     needs hyperfine, jq, a release build of Pocket, `fixtures/toolchains/install go`
# RUNS=20 of each command, ITEMS=100000.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
pocket=$(realpath "${POCKET:-$here/../../target/release/pocket}")
toolchains=${POCKET_TOOLCHAINS:-${XDG_CACHE_HOME:-$HOME/.cache}/pocket-toolchains}
scratch=${1:-${TMPDIR:-/tmp}/pocket-nodes-bench}
runs=${RUNS:-20} items=${ITEMS:-100000}
mkdir -p "$scratch"
cd "$scratch"
export POCKET_HOME=$scratch/home

jq -nc --argjson n "$items" '{items: [range($n) | {id: ., name: "item \(.)", price: (. % 97 + 0.5), tags: ["a", "b"]}]}' >items.json
printf '%s' '{{range .items}}{{.id}} {{.name | printf "%-12s"}}{{if gt .price 50.0}}*{{end}} {{range .tags}}{{.}},{{end}}
{{end}}' >items.tmpl
jq -n --rawfile t items.tmpl '{nodes: [{name: "n", type: "template", config: {template: $t}}]}' >template.json
node() { jq -nc --argjson c "$2" --arg t "$1" '{nodes: [{name: "n", type: $t, config: $c}]}'; }
node jsonpath '{"path": "$.items[?@.price > 50].name"}' >jsonpath.json
node transform '{"jq": "[.items[] | select(.price > 50) | .name]"}' >transform.json
node validate '{"schema": {"properties": {"items": {"type": "array", "items": {"type": "object", "required": ["id", "name"],
  "properties": {"id": {"type": "integer"}, "name": {"type": "string", "pattern": "^item [0-9]+$"}, "price": {"minimum": 0},
  "tags": {"items": {"enum": ["a", "b"]}}}}}}}}' >validate.json
node echo '{}' >echo.json
"$toolchains/go/bin/go" build -o go-template "$here/template.go"

# Both must say the same.
cmp <("$pocket" run template.json --input-file items.json) <(./go-template items.tmpl items.json)
cmp <("$pocket" run transform.json --input-file items.json | jq -c .) <(jq -c '[.items[] | select(.price > 50) | .name]' items.json)
cmp <("$pocket" run jsonpath.json --input-file items.json) <("$pocket" run transform.json --input-file items.json)

bench() {
  local name=$1
  shift
  hyperfine -N --warmup 2 --runs "$runs" --export-json "$name.times" "$@" >&2
  printf '| %s | median | user + system | against the first |\n|---|---|---|---|\n' "$name"
  jq -r '.results as $all | $all[] | [.command, (.median * 1000 | round), ((.user + .system) * 1000 | round),
    ((.user + .system) / ($all[0].user + $all[0].system) * 100 | round / 100)] | "| \(.[0]) | \(.[1]) ms | \(.[2]) ms | \(.[3]) |"' "$name.times"
}

ours() { echo "$pocket run $1.json --input-file items.json"; }
bench template -n 'Go text/template' './go-template items.tmpl items.json' -n 'pocket run' "$(ours template)"
bench transform -n jq 'jq -c [.items[]|select(.price>50)|.name] items.json' -n 'pocket run' "$(ours transform)"
bench floor -n 'echo' "$(ours echo)" -n jsonpath "$(ours jsonpath)" -n validate "$(ours validate)"
