#!/usr/bin/env python3
"""Writes a manifest for archives of one's own, from an existing manifest and what the archives are.

    make_manifest.py NAME|MANIFEST ARCHIVE... > FILE

Sizes and SHA-256 of the archives and of every file in them are measured. What else the old manifest says of an archive
of the same name is kept, but not its mirrors, which have other bytes; label counts and channel statistics are dropped,
for they belong to other images. The files of ImageNet's archives, which name their part, are not listed: laid out, they
have other names.
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


def entry(path, old):
    """What the manifest says of an archive; `old`: what it said of that name before."""
    kept = {key: value for key, value in old.items() if key not in ("bytes", "sha256", "md5", "mirrors")}
    return {"name": Path(path).name, **kept, **measured(path)}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("manifest")
    parser.add_argument("archives", nargs="+")
    arguments = parser.parse_args()
    manifest = load(arguments.manifest)
    for key in ("train", "test", "channels"):
        manifest.pop(key, None)
    old = {archive["name"]: archive for archive in manifest["archives"]}
    manifest["archives"] = [entry(path, old.get(Path(path).name, {})) for path in arguments.archives]
    manifest["files"] = {}
    with tempfile.TemporaryDirectory() as folder:
        for path, archive in zip(arguments.archives, manifest["archives"]):
            if "part" not in archive:
                unpack_archive(path, Path(folder), 1 << 36)
        for path in sorted(Path(folder).rglob("*")):
            if path.is_file():
                manifest["files"][path.relative_to(folder).as_posix()] = measured(path)
    print(json.dumps(manifest, indent=1))


if __name__ == "__main__":
    run(main)
