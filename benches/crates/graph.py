#!/usr/bin/env python3
"""Dependency graphs as text, made from the crates.io index that cargo keeps, and written as an index that cargo reads.

    graph.py read  [CACHE] > graph.txt      the graph of every crate in cargo's cache of the sparse index
    graph.py cargo graph.txt DIR            the same graph as a sparse index for cargo
    graph.py slice graph.txt SEED COUNT     some plugins of a graph, with everything that they may need

A line a release, in the order of publishing: `name version[ yanked][: name requirement; name requirement]`.

What is kept of a crate: its versions, whether each is yanked, and its ordinary dependencies, those for certain targets
included. What is not: features (so nothing optional is ever brought in, and optional dependencies are dropped), build and
development dependencies, `links` and the Rust version. Names are written as plugins are: lower case, `-` for `_`. Where a
crate asks twice for another one, the first requirement counts. Needs of crates that are not in the cache are left out. Build
metadata is cut off versions.
"""

import hashlib
import json
import pathlib
import random
import re
import sys

PLUGIN_NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
DEVICES = {"con", "nul", "aux", "prn"} | {f"{kind}{number}" for kind in ("com", "lpt") for number in range(10)}


def main(arguments):
    match arguments:
        case ["read"]:
            read(default_cache())
        case ["read", cache]:
            read(pathlib.Path(cache))
        case ["cargo", graph, folder]:
            write_cargo_index(load(graph), pathlib.Path(folder))
        case ["slice", graph, seed, count]:
            print_slice(load(graph), int(seed), int(count))
        case _:
            sys.exit(__doc__)


def default_cache():
    caches = list(pathlib.Path.home().glob(".cargo/registry/index/index.crates.io-*/.cache"))
    if not caches:
        sys.exit("no cache of crates.io's sparse index below ~/.cargo: run `cargo generate-lockfile` anywhere first")
    return caches[0]


def read(cache):
    """Prints the graph of every crate in a cache; each file there holds one JSON document a version, between NULs."""
    files = sorted(path for path in cache.rglob("*") if path.is_file())
    present = {plugin_name(path.name) for path in files}
    for path in files:
        documents = [json.loads(part) for part in path.read_bytes().split(b"\0") if part.startswith(b"{")]
        seen = set()
        for document in documents:
            name, version = plugin_name(document["name"]), document["vers"].split("+")[0]
            if name and version not in seen:
                seen.add(version)
                needs = dependencies(name, document["deps"])
                present_needs = {of: needs[of] for of in needs if of in present}
                print(line(name, version, document["yanked"], present_needs))


def plugin_name(crate):
    name = crate.lower().replace("_", "-")
    fits = PLUGIN_NAME.fullmatch(name) and len(name) <= 64 and name not in DEVICES
    return name if fits else None


def dependencies(of, listed):
    found = {}
    for one in listed:
        name = plugin_name(one.get("package") or one["name"])
        if name and name != of and (one["kind"] or "normal") == "normal" and not one["optional"]:
            found.setdefault(name, one["req"])
    return found


def line(name, version, yanked, needs):
    text = f"{name} {version}" + (" yanked" if yanked else "")
    return text + (": " + "; ".join(f"{of} {requirement}" for of, requirement in sorted(needs.items())) if needs else "")


def load(path):
    """name -> [(version, yanked, {name: requirement})]"""
    graph = {}
    for text in pathlib.Path(path).read_text().splitlines():
        if not text or text.startswith("#"):
            continue
        head, _, needs = text.partition(": ")
        name, version, *flags = head.split()
        needs = dict(need.split(" ", 1) for need in needs.split("; ") if need)
        graph.setdefault(name, []).append((version, "yanked" in flags, needs))
    return graph


def write_cargo_index(graph, folder):
    """Crates without features; nothing is ever downloaded, so no crate has a file."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text('{"dl":"http://127.0.0.1:9/","api":null}')
    for name, versions in graph.items():
        path = folder / place(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(json.dumps(index_line(name, *version)) + "\n" for version in versions))


def place(name):
    match len(name):
        case 1 | 2:
            return f"{len(name)}/{name}"
        case 3:
            return f"3/{name[0]}/{name}"
        case _:
            return f"{name[:2]}/{name[2:4]}/{name}"


def index_line(name, version, yanked, needs):
    deps = [
        {"name": of, "req": requirement, "features": [], "optional": False, "default_features": True, "target": None,
         "kind": "normal"}
        for of, requirement in needs.items()
    ]
    digest = hashlib.sha256(f"{name} {version}".encode()).hexdigest()
    return {"name": name, "vers": version, "deps": deps, "cksum": digest, "features": {}, "yanked": yanked}


def print_slice(graph, seed, count):
    """Some plugins with everything that their last versions may need, the last versions of each."""
    choice = random.Random(seed)
    open_names, kept = choice.sample(sorted(graph), count), {}
    while open_names:
        name = open_names.pop()
        if name in graph and name not in kept:
            kept[name] = graph[name][-12:]
            open_names += kept[name][-1][2]
    for name in sorted(kept):
        for version, yanked, needs in kept[name]:
            print(line(name, version, yanked, needs))


if __name__ == "__main__":
    main(sys.argv[1:])
