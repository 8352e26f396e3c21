#!/usr/bin/env python3
"""Makes packages with the same files twice: as folders that `pocket plugin publish` takes, and as wheels with an index.

    packages.py FOLDER COUNT

Each package is about 1 MiB to download and 1.6 MiB unpacked, in ten files. Half of the bytes are noise and half are
words, so that unpacking is neither free nor all of the work. The bytes depend on nothing but the package's number.
"""

import base64
import hashlib
import random
import sys
import zipfile
from pathlib import Path

NOISE_FILES, TEXT_FILES, FILE_BYTES = 5, 5, 160 << 10
MANIFEST = """name: {name}
version: 1.0.0
description: A package to measure installs with
license: MIT
runtime: lua
binary: main.lua
nodes:
  - type: {name}
    description: Returns what it is given
"""


def files(number):
    """The files of a package, by path."""
    chance = random.Random(number)
    name = f"bench-{number:03}"
    found = {
        "manifest.yaml": MANIFEST.format(name=name).encode(),
        "main.lua": b"return { ['" + name.encode() + b"'] = function(input) return input end }\n",
    }
    for index in range(NOISE_FILES):
        found[f"data/noise-{index}.bin"] = chance.randbytes(FILE_BYTES)
    words = ["".join(chance.choices("etaoinshrdlu", k=chance.randint(2, 9))) for _ in range(2000)]
    for index in range(TEXT_FILES):
        text = " ".join(chance.choices(words, k=FILE_BYTES // 5)).encode()
        found[f"data/words-{index}.txt"] = text[:FILE_BYTES]
    return name, found


def write_folder(root, name, found):
    for path, content in found.items():
        place = root / name / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content)


def write_wheel(root, name, found):
    """A wheel with its line of the package index, and its metadata beside it as the newest indexes have it."""
    module, metadata = name.replace("-", "_"), f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0.0\n".encode()
    info = f"{module}-1.0.0.dist-info"
    content = {f"{module}/{path}": data for path, data in found.items()}
    content[f"{info}/METADATA"] = metadata
    content[f"{info}/WHEEL"] = b"Wheel-Version: 1.0\nGenerator: bench\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    record = [f"{path},sha256={digest64(data)},{len(data)}" for path, data in content.items()]
    content[f"{info}/RECORD"] = "\n".join([*record, f"{info}/RECORD,,"]).encode() + b"\n"
    folder = root / "simple" / name
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{module}-1.0.0-py3-none-any.whl"
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as wheel:
        for path, data in content.items():
            wheel.writestr(path, data)
    (folder / f"{file.name}.metadata").write_bytes(metadata)
    wheel, meta = (hashlib.sha256(data).hexdigest() for data in (file.read_bytes(), metadata))
    (folder / "index.html").write_text(
        "<!DOCTYPE html><html><body>"
        f'<a href="{file.name}#sha256={wheel}" data-core-metadata="sha256={meta}">{file.name}</a></body></html>\n'
    )


def digest64(data):
    return base64.urlsafe_b64encode(hashlib.sha256(data).digest()).decode().rstrip("=")


def main():
    root, count = Path(sys.argv[1]), int(sys.argv[2])
    for number in range(count):
        name, found = files(number)
        write_folder(root / "plugins", name, found)
        write_wheel(root / "wheels", name, found)


main()
