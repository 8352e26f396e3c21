#!/usr/bin/env bash
# Measures installs against uv and against curl + sha256sum + tar, all from one nginx on the loopback address.
#   benches/install/run.sh [SCRATCH]     needs nginx, hyperfine, curl, jq, python3 with venv, a release build of Pocket
# COUNT=100 packages, RUNS=10 of each command. What is made stays in SCRATCH and is used again.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
pocket=${POCKET:-$root/target/release/pocket}
scratch=${1:-${TMPDIR:-/tmp}/pocket-install-bench}
count=${COUNT:-100} runs=${RUNS:-10} port=${PORT:-7979}
mkdir -p "$scratch"
cd "$scratch"
export POCKET_HOME=$scratch/home

say() { printf '\n== %s\n' "$*" >&2; }

make_packages() {
  [ -e packages/done ] && return
  say "making $count packages"
  python3 "$here/packages.py" packages "$count"
  "$pocket" registry serve --dir registry --addr 127.0.0.1:$((port + 1)) >server.log 2>&1 &
  local server=$!
  until curl -fs "http://127.0.0.1:$((port + 1))/healthz" >/dev/null; do sleep 0.1; done
  [ -e home/keys/default.key ] || "$pocket" key new
  for plugin in packages/plugins/*; do
    "$pocket" plugin publish "$plugin" --registry "http://127.0.0.1:$((port + 1))/" >/dev/null 2>&1
  done
  kill "$server"
  touch packages/done
}

get_uv() {
  [ -x uv/bin/uv ] && return
  say "fetching uv"
  python3 -m venv uv
  uv/bin/pip install -q uv
}

serve() {
  mkdir -p nginx www
  ln -sfn "$scratch/registry/tree" www/registry
  ln -sfn "$scratch/packages/wheels/simple" www/simple
  cat >nginx/nginx.conf <<CONF
daemon off; user $(id -un); worker_processes 1; pid nginx.pid; error_log stderr; events {}
http { access_log off; sendfile on; keepalive_requests 100000; index index.html; types { text/html html; }
  client_body_temp_path b; proxy_temp_path p; fastcgi_temp_path f; uwsgi_temp_path u; scgi_temp_path s;
  server { listen 127.0.0.1:$port; root $scratch/www; } }
CONF
  nginx -p nginx -c nginx.conf 2>nginx/error.log &
  trap "kill $!" EXIT
  until curl -fs "http://127.0.0.1:$port/registry/config.json" >/dev/null; do sleep 0.1; done
}

make_projects() {
  mkdir -p project floor
  {
    printf 'registries:\n  default: http://127.0.0.1:%s/registry/\nplugins:\n  dependencies:\n' "$port"
    for plugin in packages/plugins/*; do printf '    %s: ^1.0\n' "$(basename "$plugin")"; done
  } >project/pocket.yaml
  for plugin in packages/plugins/*; do basename "$plugin"; done >requirements.txt
  (cd registry/tree && find a -type f) >archives.txt
  while read -r path; do
    printf 'url = "http://127.0.0.1:%s/registry/%s"\noutput = "floor/%s"\n' "$port" "$path" "$(basename "$path")"
  done <archives.txt >floor.curl
  while read -r path; do
    file=$(basename "$path")
    printf '%s  floor/%s\n' "${file%.tar.gz}" "$file"
  done <archives.txt >floor.sums
  uv/bin/uv venv -q --clear venv
  cat >floor.sh <<'SH'
set -e
curl -sf --parallel --parallel-max 16 --config floor.curl
sha256sum --quiet -c floor.sums
ls floor/*.tar.gz | xargs -P "$(nproc)" -I{} sh -c 'mkdir {}.d && tar -xzf {} -C {}.d'
SH
}

bench() {
  local name=$1
  shift
  say "$name"
  hyperfine --warmup 1 --runs "$runs" --export-json "$name.json" "$@" >&2
  rm -rf "$scratch"/gone/*
  sleep 6
}

table() {
  printf '| %s | median | user + system | against the first |\n|---|---|---|---|\n' "$1"
  jq -r '.results as $all | $all[] | [.command, (.median * 1000 | round), ((.user + .system) * 1000 | round),
    (.median / $all[0].median * 100 | round / 100)] | "| \(.[0]) | \(.[1]) ms | \(.[2]) ms | \(.[3]) |"' "$1.json"
}

make_packages
get_uv
serve
make_projects
install="cd project && $pocket plugin install --yes -q"
uv="uv/bin/uv pip install -q --python venv/bin/python --cache-dir uvcache --index-url http://127.0.0.1:$port/simple/ -r requirements.txt"
# Moved away and not removed: for five seconds ext4 looks for other inodes than those that were just freed, which would be
# measured instead.
mkdir -p gone
cat >away.sh <<'SH'
aside=$(mktemp -d gone/XXXXXX)
for path in "$@"; do [ ! -e "$path" ] || mv "$path" "$aside/"; done
SH
fresh_venv="bash away.sh venv/lib/python*/site-packages/bench*"
no_home="bash away.sh home/plugins home/cache home/trust project/pocket.lock"

bench cold \
  -n pocket --prepare "$no_home; sync" "$install" \
  -n uv --prepare "bash away.sh uvcache; $fresh_venv; sync" "$uv" \
  -n 'curl + sha256sum + tar' --prepare 'bash away.sh floor; mkdir floor; sync' 'bash floor.sh'
bench warm \
  -n 'pocket, another project' --prepare 'bash away.sh project/pocket.lock; sync' "$install" \
  -n uv --prepare "$fresh_venv; sync" "$uv" \
  -n 'pocket, store empty' --prepare 'bash away.sh home/plugins project/pocket.lock; sync' "$install"
(eval "$install")
$uv
cd project
bench noop -N \
  -n 'pocket plugin install --locked' "$pocket plugin install --locked -q" \
  -n 'uv pip install' "$(sed "s#uv/bin#$scratch/uv/bin#; s#venv/bin#$scratch/venv/bin#; s#uvcache#$scratch/uvcache#; s#requirements#$scratch/requirements#" <<<"$uv")" \
  -n 'cat pocket.lock' 'cat pocket.lock' \
  -n true true
cd "$scratch"
mv project/noop.json .
for name in cold warm noop; do table "$name"; done
