#!/usr/bin/env python3
"""From a mirror to an unpacked folder: download.py, then unpack.py.

    fetch.py NAME [--manifest FILE] --out FOLDER
"""

import argparse
from pathlib import Path

from download import download
from manifest import Lock, load, run
from unpack import unpack


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name")
    parser.add_argument("--manifest", help="a file that takes the place of the name's own manifest")
    parser.add_argument("--out", required=True)
    arguments = parser.parse_args()
    manifest = load(arguments.manifest or arguments.name)
    print(f"{manifest['name']}: {manifest['licence']}\n  cite: {manifest['citation']}")
    with Lock(arguments.out):
        if not (Path(arguments.out) / manifest["folder"]).exists():
            download(manifest, arguments.out)
        print(unpack(manifest, arguments.out))


if __name__ == "__main__":
    run(main)
