#!/usr/bin/env python3
"""Lays one's own ILSVRC2012 archives out as train/CLASS/FILE and val/CLASS/FILE. Nothing is downloaded.

    imagenet.py --archives FOLDER --labels FILE --out FOLDER [--manifest FILE]

FOLDER has ILSVRC2012_img_train.tar and ILSVRC2012_img_val.tar, which are held against the manifest first. FILE says
the class of every validation image, a line each: LOC_val_solution.csv of the challenge's Kaggle page
(ILSVRC2012_val_00000001,n01751748 ...) or "ILSVRC2012_val_00000001.JPEG n01751748". An interrupted run goes on with the
first class that is missing.
"""

import argparse
import os
import re
import shutil
import tarfile
from pathlib import Path

from manifest import DataError, Lock, check_file, load, progress_line, run
from unpack import DAMAGED, Target, check_tar_end, unpack_archive

MOST_CLASS_BYTES = 1 << 33
GET_AGAIN = "get the archive again"  # from where it came from: nothing is downloaded here


def read_labels(path):
    """The class by name of the validation image, without its ending."""
    labels = {}
    for number, line in enumerate(Path(path).read_text(encoding="utf-8-sig", errors="replace").splitlines(), 1):
        if not line.strip() or line.startswith("ImageId"):
            continue
        match = re.match(r"^([\w.-]+?)(?:\.JPEG)?[,\s]+(n\d{8})\b", line)
        if not match:
            raise DataError(path, f"line {number}: no image and class: '{line[:60]}'")
        if labels.setdefault(match[1], match[2]) != match[2]:
            raise DataError(path, f"line {number}: image {match[1]} has two classes")
    return labels


def replace_folder(temporary, final):
    os.sync()
    os.rename(temporary, final)


def unpack_class(file, target, where):
    with tarfile.open(fileobj=file, mode="r:") as inner:
        for image in inner:
            if not image.isfile() or "/" in image.name:
                raise DataError(where, f"member '{image.name}' is no image file")
            target.write(image.name, inner.extractfile(image))
        check_tar_end(inner, where, GET_AGAIN)


def unpack_train(archive, out):
    """A tar of one tar for each class."""
    (out / "train").mkdir(exist_ok=True)
    seen = set()
    with tarfile.open(archive, "r:") as outer:
        for member in outer:
            name = member.name.removesuffix(".tar")
            if not member.isfile() or not re.fullmatch(r"n\d{8}", name):
                raise DataError(archive, f"member '{member.name}' is no archive of a class")
            if name in seen:
                raise DataError(archive, f"member '{member.name}' occurs twice")
            seen.add(name)
            where = f"{archive}, member {member.name}"
            final, temporary = out / "train" / name, out / f".train-{name}"
            if final.exists():
                continue
            shutil.rmtree(temporary, ignore_errors=True)
            temporary.mkdir()
            try:
                unpack_class(outer.extractfile(member), Target(where, temporary, MOST_CLASS_BYTES), where)
            except DAMAGED as error:
                raise DataError(where, f"cannot be unpacked: {error}", GET_AGAIN) from error
            replace_folder(temporary, final)
            print(f"train/{name}")
        check_tar_end(outer, archive, GET_AGAIN)


def unpack_validation(archive, labels, out):
    """A tar of images, whose classes are known from elsewhere."""
    final, flat, temporary = out / "val", out / ".val-images", out / ".val"
    if final.exists():
        return
    for left in (flat, temporary):
        shutil.rmtree(left, ignore_errors=True)
    flat.mkdir()
    unpack_archive(archive, flat, MOST_CLASS_BYTES, GET_AGAIN)
    temporary.mkdir()
    for image in sorted(path for path in flat.rglob("*") if path.is_file()):
        name = labels.pop(image.stem, None)
        if name is None:
            raise DataError(image, "the list of labels does not name this image")
        (temporary / name).mkdir(exist_ok=True)
        os.rename(image, temporary / name / image.name)
    if labels:
        raise DataError(archive, f"{len(labels)} images of the list of labels are missing, {min(labels)} first")
    shutil.rmtree(flat)
    replace_folder(temporary, final)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--archives", required=True)
    parser.add_argument("--labels", required=True)
    parser.add_argument("--out", required=True)
    parser.add_argument("--manifest", default="imagenet")
    arguments = parser.parse_args()
    manifest = load(arguments.manifest)
    print(f"{manifest['name']}: {manifest['licence']}\n  cite: {manifest['citation']}")
    archives = {archive.get("part"): archive for archive in manifest["archives"]}
    for part in ("train", "val"):
        if part not in archives:
            raise DataError(
                arguments.manifest,
                f"no archive has the part '{part}'",
                "give the archives their publisher's names, ILSVRC2012_img_train.tar and ILSVRC2012_img_val.tar, and "
                f'make the manifest again, or add "part": "{part}" to what it says of the archive',
            )
    labels = read_labels(arguments.labels)
    out = Path(arguments.out)
    with Lock(out):
        paths = {}
        for part in ("train", "val"):
            path = Path(arguments.archives) / archives[part]["name"]
            line = progress_line(f"digest of {path}", archives[part]["bytes"])
            check_file(path, archives[part], line, remedy=GET_AGAIN)
            paths[part] = path
        try:
            unpack_train(paths["train"], out)
            unpack_validation(paths["val"], labels, out)
        except tarfile.TarError as error:
            raise DataError(paths["train"], f"cannot be unpacked: {error}", GET_AGAIN) from error
    print(out)


if __name__ == "__main__":
    run(main)
