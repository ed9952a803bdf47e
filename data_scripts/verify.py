#!/usr/bin/env python3
"""Holds a fetched data set against its manifest, and says what was checked and what could not be.

    verify.py NAME|MANIFEST FOLDER

Archives that are still there: their digests. Files: their digests where the manifest has them; else those of the
archive's own directory (zip) where the archive is there. Images in folders of classes: their number by class where the
manifest has it. Nothing to check is an error.
"""

import argparse
import os
import zipfile
import zlib
from pathlib import Path

from manifest import DataError, check_file, load, run
from unpack import check_folder

IMAGE_ENDINGS = {".jpeg", ".jpg", ".jpe", ".jfif", ".png"}


def is_of_the_system(name):
    """What systems and tools leave in folders: never a part of a data set (as lib/data/folder_scan.cpp has it)."""
    return name.startswith(".") or name in ("__MACOSX", "Thumbs.db", "desktop.ini", "@eaDir")


def is_image(path):
    return path.suffix.lower() in IMAGE_ENDINGS and not is_of_the_system(path.name) and path.is_file()


def count_images(folder):
    """Images in the folder and below it."""
    count = 0
    for at, folders, files in os.walk(folder):
        folders[:] = (name for name in folders if not is_of_the_system(name))
        count += sum(is_image(Path(at, name)) for name in files)
    return count


def classes_in(folder):
    """The folders in it, in the order of their names."""
    return sorted(path for path in folder.iterdir() if path.is_dir() and not is_of_the_system(path.name))


def crc32(path):
    value = 0
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            value = zlib.crc32(block, value)
    return value


def check_against_zip(archive, folder):
    """The number of files that are as in the archive; a DataError for the first that is not."""
    count = 0
    with zipfile.ZipFile(archive) as members:
        for member in members.infolist():
            path = folder / member.filename
            if member.is_dir():
                continue
            if not path.is_file():
                raise DataError(
                    path, f"is missing, but {archive.name} has it", "remove the folder, then unpack it again"
                )
            if path.stat().st_size != member.file_size or crc32(path) != member.CRC:
                raise DataError(path, f"differs from that in {archive.name}", "remove the folder, then unpack it again")
            count += 1
    return count


def counts_by_class(place, part):
    """Images of each class in the order of their names; None if the folder is not laid out by classes."""
    annotations = place / part / "val_annotations.txt"
    if annotations.is_file():
        counts = {path.name: 0 for path in classes_in(place / "train")}
        for line in annotations.read_text(encoding="utf-8-sig", errors="replace").splitlines():
            name, label = (line.split("\t") + ["", ""])[:2]
            if is_image(annotations.parent / "images" / name):
                counts[label] = counts.get(label, 0) + 1
        return [counts[name] for name in sorted(counts)]
    if not (place / part).is_dir():
        return None
    return [count_images(folder) for folder in classes_in(place / part)]


def check_counts(manifest, place):
    """What is said of images by class; a DataError if their number is another."""
    said = []
    for key, part in (("train", "train"), ("test", "val")):
        wanted = manifest.get(key, {}).get("labels")
        found = counts_by_class(place, part) if wanted else None
        if found is None:
            continue
        if found != wanted:
            wrong = [i for i, (a, b) in enumerate(zip(found, wanted)) if a != b]
            first = f"; class {wrong[0]} has {found[wrong[0]]}, not {wanted[wrong[0]]}" if wrong else ""
            raise DataError(
                place / part,
                f"{sum(found)} images in {len(found)} classes, but the manifest says {sum(wanted)} in "
                f"{len(wanted)}{first}",
                "remove the folder, then unpack it again",
            )
        said.append(f"{part}: {sum(found)} images in {len(found)} classes, as in the manifest")
    return said


def verify(manifest, folder):
    """Lines that say what was checked and what was not; a DataError for the first that is wrong."""
    if not folder.is_dir():
        raise DataError(folder, "there is no such folder", "name the folder that the data set was fetched to")
    checked, not_checked = [], []
    zips = []
    for archive in manifest["archives"]:
        path = folder / archive["name"]
        if path.exists():
            check_file(path, archive, remedy="remove this file, then fetch it again")
            checked.append(f"{archive['name']}: digest as in the manifest")
            zips += [path] if zipfile.is_zipfile(path) else []
        else:
            not_checked.append(f"{archive['name']}: not there")
    files = manifest.get("files", {})
    place = folder / manifest["folder"]
    place = place if place.is_dir() else folder
    if files:
        check_folder(manifest, folder)
        checked.append(f"{len(files)} files: digests as in the manifest")
    elif zips:
        for path in zips:
            checked.append(f"{check_against_zip(path, folder)} files: as in {path.name}")
    else:
        counts = check_counts(manifest, place)
        checked += counts
        not_checked.append("content of the files: the manifest has no digests of them, and no zip archive is there")
        if not counts:
            not_checked.append(f"{place}: no images in folders of classes that the manifest counts")
    if not checked:
        raise DataError(folder, "nothing could be checked:\n  " + "\n  ".join(not_checked))
    return [*checked, *(f"not checked: {line}" for line in not_checked)]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("manifest")
    parser.add_argument("folder")
    arguments = parser.parse_args()
    manifest = load(arguments.manifest)
    for line in verify(manifest, Path(arguments.folder)):
        print(f"{arguments.folder}: {line}")


if __name__ == "__main__":
    run(main)
