#!/usr/bin/env python3
"""From a mirror to an unpacked folder: download.py, then unpack.py; verify.py where the folder is there.

    fetch.py NAME [--manifest FILE] --out FOLDER
"""

import argparse
from pathlib import Path

from download import download
from manifest import Lock, load, run
from unpack import remove_unfinished, unpack
from verify import verify


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name")
    parser.add_argument("--manifest", help="a file that takes the place of the name's own manifest")
    parser.add_argument("--out", required=True)
    arguments = parser.parse_args()
    manifest = load(arguments.manifest or arguments.name)
    print(f"{manifest['name']}: {manifest['licence']}\n  cite: {manifest['citation']}")
    out = Path(arguments.out)
    with Lock(out):
        if (out / manifest["folder"]).exists():
            remove_unfinished(out)
            print("\n".join(verify(manifest, out)))
        else:
            download(manifest, out)
            unpack(manifest, out)
    print(out / manifest["folder"])


if __name__ == "__main__":
    run(main)
