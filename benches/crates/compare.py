#!/usr/bin/env python3
"""Compares Pocket's choice of versions with cargo's, and the time both take, on the same dependency graph.

    compare.py GRAPH TREE WORK [--pocket PROGRAM] [--sets 40] [--seed 1] [--runs 5] [--answers FILE]

GRAPH is from `graph.py read`, TREE from the example `graph_index`. WORK is a folder to work in. For every random set of needs,
`pocket plugin lock` and `cargo generate-lockfile --offline` run alternately on warm caches, each from nothing to a lock file.
Where the answers differ, both are checked against the graph and the differences are shown. --answers writes the sets with
cargo's answers, for `tests/`.
"""

import argparse
import functools
import http.server
import os
import pathlib
import random
import re
import shutil
import statistics
import subprocess
import sys
import threading
import time
import tomllib

import graph as graphs


def main():
    options = arguments()
    graph = graphs.load(options.graph)
    work = options.work.resolve()
    work.mkdir(parents=True, exist_ok=True)
    graphs.write_cargo_index(graph, work / "cargo-index")
    peers = Cargo(work), Pocket(work, options.pocket, options.tree.resolve())
    outcomes = []
    with serve(work / "cargo-index") as url:
        for number, roots in enumerate(root_sets(graph, options.sets, options.seed)):
            for peer in peers:
                peer.prepare(number, roots, url)
            outcomes.append(Outcome(roots, *(peer.warm_up(number) for peer in peers)))
    times = measure(peers, len(outcomes), options.runs)
    same = report(graph, outcomes, times)
    if options.answers:
        options.answers.write_text("".join(outcome.as_fixture() for outcome in outcomes))
    sys.exit(0 if same else 1)


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("graph", type=pathlib.Path)
    parser.add_argument("tree", type=pathlib.Path)
    parser.add_argument("work", type=pathlib.Path)
    parser.add_argument("--pocket", default="pocket")
    parser.add_argument("--sets", type=int, default=40)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--answers", type=pathlib.Path)
    return parser.parse_args()


def root_sets(graph, count, seed):
    """Each asks for 3 to 30 plugins; most for the range of the newest version, some for others."""
    choice = random.Random(seed)
    for _ in range(count):
        names = choice.sample(sorted(graph), min(len(graph), choice.randint(3, 30)))
        yield {name: wanted(choice, graph[name]) for name in names}


def wanted(choice, versions):
    usable = [version for version, yanked, _ in versions if not yanked and "-" not in version] or [versions[-1][0]]
    usable.sort(key=precedence)
    operator = choice.choices(["^ newest", "^", "~", "=", ">="], [70, 15, 5, 5, 5])[0]
    return operator[0] + usable[-1] if operator == "^ newest" else operator + choice.choice(usable)


def serve(folder):
    """The index on a port of this machine, while cargo fills its cache."""
    handler = functools.partial(Quiet, directory=folder)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 8765), handler)

    class Serving:
        def __enter__(self):
            threading.Thread(target=server.serve_forever, daemon=True).start()
            return f"http://127.0.0.1:{server.server_port}/"

        def __exit__(self, *_):
            server.shutdown()

    return Serving()


class Quiet(http.server.SimpleHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass


class Cargo:
    def __init__(self, work):
        self.work = work / "cargo"
        self.environment = os.environ | {"CARGO_HOME": str(work / "cargo-home")}

    def prepare(self, number, roots, url):
        folder = self.folder(number)
        (folder / "src").mkdir(parents=True, exist_ok=True)
        (folder / "src/lib.rs").write_text("")
        needs = "".join(f'{name} = "{requirement}"\n' for name, requirement in roots.items())
        package = '[workspace]\n[package]\nname = "the-project"\nversion = "0.0.0"\nedition = "2021"\n[dependencies]\n'
        (folder / "Cargo.toml").write_text(package + needs)
        config = f'[source.crates-io]\nreplace-with = "graph"\n[source.graph]\nregistry = "sparse+{url}"\n'
        (folder / ".cargo").mkdir(exist_ok=True)
        (folder / ".cargo/config.toml").write_text(config)

    def warm_up(self, number):
        run(["cargo", "generate-lockfile"], self.folder(number), self.environment)
        return self.lock(number)

    def lock(self, number):
        folder = self.folder(number)
        (folder / "Cargo.lock").unlink(missing_ok=True)
        result = run(["cargo", "generate-lockfile", "--offline"], folder, self.environment)
        if result.returncode:
            return result.stderr
        packages = tomllib.loads((folder / "Cargo.lock").read_text())["package"]
        return {(package["name"], package["version"]) for package in packages if "source" in package}

    def folder(self, number):
        return self.work / f"{number:02}"


class Pocket:
    def __init__(self, work, program, tree):
        self.work, self.program, self.tree = work / "pocket", shutil.which(program), tree
        self.environment = os.environ | {"POCKET_HOME": str(work / "pocket-home")}

    def prepare(self, number, roots, _):
        folder = self.folder(number)
        folder.mkdir(parents=True, exist_ok=True)
        needs = "".join(f'    {name}: "{requirement}"\n' for name, requirement in roots.items())
        registry = f"registries:\n  default:\n    url: file://{self.tree}\n    max_age: 36500d\n"
        (folder / "pocket.yaml").write_text(registry + "plugins:\n  dependencies:\n" + needs)

    def warm_up(self, number):
        return self.lock(number)

    def lock(self, number):
        folder = self.folder(number)
        (folder / "pocket.lock").unlink(missing_ok=True)
        result = run([self.program, "plugin", "lock"], folder, self.environment)
        if result.returncode:
            return result.stderr
        plugins = tomllib.loads((folder / "pocket.lock").read_text()).get("plugin", [])
        return {(plugin["name"], plugin["version"]) for plugin in plugins}

    def folder(self, number):
        return self.work / f"{number:02}"


def run(command, folder, environment):
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


class Outcome:
    def __init__(self, roots, cargo, pocket):
        self.roots, self.cargo, self.pocket = roots, cargo, pocket

    def agrees(self):
        both_failed = isinstance(self.cargo, str) and isinstance(self.pocket, str)
        return both_failed or self.cargo == self.pocket

    def as_fixture(self):
        needs = "; ".join(f"{name} {requirement}" for name, requirement in sorted(self.roots.items()))
        if isinstance(self.cargo, str):
            return f"{needs} = nothing\n"
        return f"{needs} = {', '.join(f'{name} {version}' for name, version in sorted(self.cargo))}\n"


def measure(peers, sets, runs):
    """Medians in seconds, for each set: cargo's, Pocket's."""
    times = []
    for number in range(sets):
        taken = [[], []]
        for _ in range(runs):
            for peer, seconds in zip(peers, taken):
                start = time.perf_counter()
                peer.lock(number)
                seconds.append(time.perf_counter() - start)
        times.append([statistics.median(seconds) for seconds in taken])
    return times


def report(graph, outcomes, times):
    differing = 0
    for number, (outcome, (cargo, pocket)) in enumerate(zip(outcomes, times)):
        size = "no answer" if isinstance(outcome.cargo, str) else f"{len(outcome.cargo)} plugins"
        verdict = "the same" if outcome.agrees() else "DIFFERENT"
        print(f"set {number:2}: {len(outcome.roots):2} needs, {size:>11}: {verdict}, "
              f"cargo {cargo * 1000:6.1f} ms, pocket {pocket * 1000:6.1f} ms, {cargo / pocket:5.1f}x")
        if not outcome.agrees():
            differing += 1
            explain(graph, outcome)
    cargo, pocket = (statistics.median(column) for column in zip(*times))
    print(f"{len(outcomes) - differing} of {len(outcomes)} sets have the same answer; medians: cargo {cargo * 1000:.1f} ms, "
          f"pocket {pocket * 1000:.1f} ms, {cargo / pocket:.1f}x; slowest: pocket {max(t[1] for t in times) * 1000:.1f} ms")
    return differing == 0


def explain(graph, outcome):
    for who, answer in [("cargo", outcome.cargo), ("pocket", outcome.pocket)]:
        if isinstance(answer, str):
            print(f"    {who} has no answer: {' | '.join(answer.strip().splitlines()[:12])}")
            continue
        for problem in problems(graph, outcome.roots, answer):
            print(f"    {who}'s answer is wrong: {problem}")
    if isinstance(outcome.cargo, str) or isinstance(outcome.pocket, str):
        return
    for name in sorted({name for name, _ in outcome.cargo ^ outcome.pocket}):
        chosen = [", ".join(sorted(version for of, version in answer if of == name)) or "none"
                  for answer in (outcome.cargo, outcome.pocket)]
        print(f"    {name}: cargo {chosen[0]}, pocket {chosen[1]}")


def problems(graph, roots, answer):
    """What is wrong with an answer: unknown or yanked versions, needs that nothing meets, two in a range, what nothing needs."""
    known = {(name, version): needs for name, versions in graph.items() for version, yanked, needs in versions if not yanked}
    needed, open_needs = set(), list(roots.items())
    while open_needs:
        name, requirement = open_needs.pop()
        meeting = [version for of, version in answer if of == name and matches(requirement, version)]
        if not meeting:
            yield f"nothing meets `{name} {requirement}`"
        for version in meeting:
            if (name, version) not in known:
                yield f"`{name}` {version} is unknown or yanked"
            elif (name, version) not in needed:
                needed.add((name, version))
                open_needs += known[name, version].items()
    yield from (f"nothing needs `{name}` {version}" for name, version in answer - needed)
    ranges = [(name, compatible(numbers(version))) for name, version in answer]
    yield from (f"two versions of `{name}` in one range" for name, within in set(ranges) if ranges.count((name, within)) > 1)


def numbers(version):
    return tuple(int(number) for number in version.split("-")[0].split("."))


def precedence(version):
    _, _, pre = version.partition("-")
    parts = [(0, int(part), "") if part.isdigit() else (1, 0, part) for part in pre.split(".")] if pre else []
    return numbers(version), not pre, parts


def compatible(triple):
    first = next((index for index, number in enumerate(triple) if number), 2)
    return triple[: first + 1]


def matches(requirement, version):
    """Cargo's requirements, for versions and requirements without pre-releases; others are taken to match."""
    if "-" in version or "-" in requirement or requirement == "*":
        return True
    return all(compare(part.strip(), numbers(version)) for part in requirement.split(","))


def compare(comparator, version):
    operator, text = re.fullmatch(r"(\^|~|=|>=|<=|>|<)?\s*(.*)", comparator).groups()
    parts = [int(part) for part in text.split(".") if part not in "*xX"]
    least = tuple(parts + [0] * (3 - len(parts)))
    upper = tuple(parts[:-1] + [parts[-1] + 1])
    match operator:
        case ">=":
            return version >= least
        case ">":
            return version > least if len(parts) == 3 else version[: len(parts)] >= upper
        case "<":
            return version < least
        case "<=":
            return version[: len(parts)] <= tuple(parts)
        case "=":
            return version[: len(parts)] == tuple(parts)
        case "~":
            return version >= least and version[: min(len(parts), 2)] == tuple(parts[:2])
        case _ if "*" in text:
            return version[: len(parts)] == tuple(parts)
        case _:
            fixed = next((index for index, number in enumerate(parts) if number), len(parts) - 1)
            return version >= least and version[: fixed + 1] == tuple(parts[: fixed + 1])


if __name__ == "__main__":
    main()
