#!/usr/bin/env bash
# Measures calls of a WebAssembly plugin: Pocket and bare wasmtime in one program, Extism in another, in turns.
#   benches/wasm/run.sh [turns]
# Extism brings a wasmtime of its own, so it is a package of its own, which is built in target/extism.
set -euo pipefail
cd "$(dirname "$0")/../.."
turns=${1:-3}
build=$PWD/target/extism
fixtures/toolchains/install zig
zig=${POCKET_TOOLCHAINS:-${XDG_CACHE_HOME:-$HOME/.cache}/pocket-toolchains}/zig/bin/zig
mkdir -p "$build"
env -u CARGO_BUILD_BUILD_DIR CARGO_TARGET_DIR="$build" \
  cargo build --release --locked --quiet --manifest-path benches/wasm/extism/Cargo.toml
(cd benches/wasm/extism && "$zig" build-exe echo.zig -target wasm32-freestanding -O ReleaseSmall -fno-entry -rdynamic \
  -femit-bin="$build/echo.wasm")
cargo bench --quiet --bench wasm --no-run
for ((turn = 0; turn < turns; turn++)); do
  cargo bench --quiet --bench wasm
  "$build/release/extism-echo" "$build/echo.wasm"
done
