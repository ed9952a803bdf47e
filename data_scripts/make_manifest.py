#!/usr/bin/env python3
"""Writes a manifest for archives of one's own, from an existing manifest and what the archives are.

    make_manifest.py NAME|MANIFEST ARCHIVE... > FILE

Sizes and SHA-256 of the archives and of every file in them are measured; label counts and channel statistics of the
old manifest are dropped, for they belong to other images.
"""

import argparse
import json
import os
import tempfile
from pathlib import Path

from manifest import file_digest, load, run
from unpack import unpack_archive


def measured(path):
    return {"bytes": os.path.getsize(path), "sha256": file_digest(path, "sha256")}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("manifest")
    parser.add_argument("archives", nargs="+")
    arguments = parser.parse_args()
    manifest = load(arguments.manifest)
    for key in ("train", "test", "channels"):
        manifest.pop(key, None)
    manifest["archives"] = [{"name": Path(path).name, **measured(path)} for path in arguments.archives]
    manifest["files"] = {}
    with tempfile.TemporaryDirectory() as folder:
        for path in arguments.archives:
            unpack_archive(path, Path(folder), 1 << 36)
        for path in sorted(Path(folder).rglob("*")):
            if path.is_file():
                manifest["files"][path.relative_to(folder).as_posix()] = measured(path)
    print(json.dumps(manifest, indent=1))


if __name__ == "__main__":
    run(main)
