#!/usr/bin/env bash
# Measures the verification of 100 installed plugins against sha256sum over the same bytes, and each check by itself.
#   benches/trust/run.sh [SCRATCH]     needs hyperfine, curl, jq, python3, a release build of Pocket
# COUNT=100 plugins, RUNS=20 of each command. What is made stays in SCRATCH and is used again.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
pocket=${POCKET:-$root/target/release/pocket}
scratch=${1:-${TMPDIR:-/tmp}/pocket-trust-bench}
count=${COUNT:-100} runs=${RUNS:-20} port=${PORT:-7981}
mkdir -p "$scratch"
cd "$scratch"
export POCKET_HOME=$scratch/home

if [ ! -e done ]; then
  printf '== making and installing %s plugins\n' "$count" >&2
  python3 "$root/benches/install/packages.py" packages "$count"
  "$pocket" registry serve --dir registry --addr "127.0.0.1:$port" >server.log 2>&1 &
  server=$!
  trap 'kill "$server"' EXIT
  until curl -fs "http://127.0.0.1:$port/healthz" >/dev/null; do sleep 0.1; done
  [ -e home/keys/default.key ] || "$pocket" key new
  mkdir -p project
  printf 'registries:\n  default: http://127.0.0.1:%s/\nplugins:\n  dependencies:\n' "$port" >project/pocket.yaml
  for plugin in packages/plugins/*; do
    "$pocket" plugin publish "$plugin" --registry "http://127.0.0.1:$port/" >/dev/null 2>&1
    printf '    %s: ^1.0\n' "$(basename "$plugin")" >>project/pocket.yaml
  done
  (cd project && "$pocket" plugin install --yes -q)
  touch done
fi
find home/plugins -type f -not -name '*.tree' -not -path '*/.*' -print0 >files
cat >all.sh <<SH
xargs -0 sha256sum <files >/dev/null
SH
cat >parallel.sh <<SH
xargs -0 -n 64 -P $(nproc) sha256sum <files >/dev/null
SH
hyperfine --warmup 2 --runs "$runs" --export-json trust.json \
  -n sha256sum 'sh all.sh' \
  -n "sha256sum, $(nproc) at once" 'sh parallel.sh' \
  -n 'pocket plugin verify --offline' "cd project && $pocket plugin verify --offline" >&2
printf '%s files, %s MiB\n' "$(tr -dc '\0' <files | wc -c)" "$(du -cm --apparent-size home/plugins | tail -n 1 | cut -f 1)"
printf '| verifying %s plugins | median | user + system | against the first |\n|---|---|---|---|\n' "$count"
jq -r '.results as $all | $all[] | [.command, (.median * 1000 | round), ((.user + .system) * 1000 | round),
  (.median / $all[0].median * 100 | round / 100)] | "| \(.[0]) | \(.[1]) ms | \(.[2]) ms | \(.[3]) |"' trust.json
