#!/usr/bin/env bash
# Measures the registry server against nginx on the same folder, and against the size of the registry.
#   benches/registry/run.sh [SCRATCH]     needs nginx, wrk, curl, jq and a release build: cargo build --release -p pocket-registry --bin pocket-registry --example many_plugins
# SECONDS_EACH=5 of each run, ROUNDS=5 of each pair, CONNECTIONS=32. What is made stays in SCRATCH and is used again.
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
bin=${BIN:-$root/target/release}
scratch=${1:-${TMPDIR:-/tmp}/pocket-registry-bench}
seconds=${SECONDS_EACH:-5} rounds=${ROUNDS:-5} connections=${CONNECTIONS:-32}
port=${PORT:-7990}
mkdir -p "$scratch"
cd "$scratch"

say() { printf '\n== %s\n' "$*"; }
median() { sort -n | awk '{ at[NR] = $1 } END { print NR % 2 ? at[(NR + 1) / 2] : (at[NR / 2] + at[NR / 2 + 1]) / 2 }'; }
stop() { kill "$1" 2>/dev/null && wait "$1" 2>/dev/null || true; }

make_registries() {
  local count
  for count in ${SIZES:-100 1000 10000 100000}; do
    [ -e "r$count/tree/config.json" ] || "$bin/examples/many_plugins" "$count" "r$count"
  done
}

start_nginx() {
  mkdir -p nginx
  cat >nginx/nginx.conf <<CONF
daemon off; user root; worker_processes auto; pid nginx.pid; error_log stderr error;
events { worker_connections 4096; }
http {
  access_log off; sendfile on; tcp_nopush on; keepalive_requests 1000000; etag on;
  client_body_temp_path b; proxy_temp_path p; fastcgi_temp_path f; uwsgi_temp_path u; scgi_temp_path s;
  server { listen 127.0.0.1:$port; root $scratch/r10000/tree; }
}
CONF
  nginx -p nginx -c nginx.conf &
  nginx=$!
  until curl -fs "http://127.0.0.1:$port/config.json" >/dev/null; do sleep 0.1; done
}

# serve <folder>: starts the server, and prints how long it took until it answered, in ms.
serve() {
  local begun
  begun=$(date +%s%N)
  "$bin/pocket-registry" --dir "$1" --addr "127.0.0.1:$((port + 1))" >server.log 2>&1 &
  server=$!
  until grep -q serving server.log; do sleep 0.005; done
  started=$((($(date +%s%N) - begun) / 1000000))
}

# rate <port> <path>: requests a second.
rate() { wrk -t1 -c"$connections" -d"${seconds}s" "http://127.0.0.1:$1$2" | awk '/Requests\/sec/ { print $2 }'; }

# rate_of_many <port>: the same over 10,000 index files in turn.
rate_of_many() {
  cat >many.lua <<'LUA'
local number = 0
request = function()
  number = (number + 7919) % 10000
  return wrk.format("GET", string.format("/index/pl/ug/plugin%06d", number))
end
LUA
  wrk -t1 -c"$connections" -d"${seconds}s" -s many.lua "http://127.0.0.1:$1/" | awk '/Requests\/sec/ { print $2 }'
}

# pair <what> <command> <arguments…>: medians of both, alternately.
pair() {
  local what=$1 number
  shift
  : >ours
  : >theirs
  for number in $(seq "$rounds"); do
    "$1" "$port" "${@:2}" >>theirs
    "$1" "$((port + 1))" "${@:2}" >>ours
  done
  printf '%-28s nginx %9.0f/s   pocket-registry %9.0f/s   %.2fx\n' "$what" "$(median <theirs)" "$(median <ours)" \
    "$(echo "$(median <ours) $(median <theirs)" | awk '{ print $1 / $2 }')"
}

against_nginx() {
  say "against nginx: $rounds x $seconds s each, $connections connections, alternately"
  local archive
  archive=/$(cd r10000/tree && echo a/*/*.tar.gz | cut -d' ' -f1)
  start_nginx
  serve r10000
  pair "one index file" rate /index/pl/ug/plugin000007
  pair "10,000 index files" rate_of_many
  pair "the checkpoint" rate /log/checkpoint
  pair "an archive of 1 MiB" rate "$archive"
  stop "$server"
  stop "$nginx"
}

by_size() {
  say "by size: start, memory (after every index file was read once, and a search), one publish (median of 20)"
  local count number
  for count in ${SIZES:-100 1000 10000 100000}; do
    rm -rf "copy"
    cp -a --reflink=auto "r$count" copy
    serve copy
    local first=$started
    seq -f "url = \"http://127.0.0.1:$((port + 1))/index/pl/ug/plugin%06.0f\"" 0 $((count - 1)) |
      curl -s --no-progress-meter -K - >/dev/null || true
    : >times
    for number in $(seq 20); do
      curl -fs -o answer -w '%{time_total}\n' -T "r$count.publish/$number" "http://127.0.0.1:$((port + 1))/api/v1/publish" >>times
    done
    # Whoever searches needs the words.
    curl -fs "http://127.0.0.1:$((port + 1))/api/v1/search?q=plugn" >/dev/null
    local memory
    memory=$(awk '/VmRSS/ { print $2 / 1024 }' "/proc/$server/status")
    printf '%7d plugins   start %4d ms   memory %5.0f MiB   publish %6.1f ms\n' \
      "$count" "$first" "$memory" "$(median <times | awk '{ print $1 * 1000 }')"
    stop "$server"
  done
  say "the floor of a publish: 14 files written and flushed as it does, median of 20"
  for number in $(seq 20); do
    python3 - <<'PY'
import os, tempfile, time
folder = tempfile.mkdtemp(dir=".")
begun = time.time()
for number in range(7):
    path = f"{folder}/{number}"
    with open(path + ".tmp", "wb") as file:
        file.write(b"x" * 4096)
        os.fsync(file.fileno())
    os.rename(path + ".tmp", path)
    directory = os.open(folder, os.O_RDONLY)
    os.fsync(directory)
    os.close(directory)
print((time.time() - begun) * 1000)
PY
  done | median
}

make_registries
against_nginx
by_size
