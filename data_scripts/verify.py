#!/usr/bin/env python3
"""Holds the archives (where they are still there) and files of a fetched data set against its manifest.

    verify.py NAME|MANIFEST FOLDER
"""

import argparse
from pathlib import Path

from manifest import check_file, load, run
from unpack import check_folder


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("manifest")
    parser.add_argument("folder")
    arguments = parser.parse_args()
    manifest = load(arguments.manifest)
    for archive in manifest["archives"]:
        if (path := Path(arguments.folder) / archive["name"]).exists():
            check_file(path, archive)
    check_folder(manifest, arguments.folder)
    print(f"{arguments.folder}: as in the manifest of {manifest['name']}")


if __name__ == "__main__":
    run(main)
