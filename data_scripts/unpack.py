#!/usr/bin/env python3
"""Step 2: unpacks the archives of a data set into its folder.

    unpack.py NAME|MANIFEST --out FOLDER      # FOLDER has the archives

Archives are held against the manifest first. Files go to a temporary folder, are held against the manifest there, and
the folder is renamed: what has its final name is whole.
"""

import argparse
import gzip
import lzma
import os
import shutil
import tarfile
import tempfile
import zipfile
import zlib
from pathlib import Path, PurePosixPath

from manifest import DataError, Lock, check_file, load, run

# What the libraries raise for archives that are damaged, encrypted or packed by a method they do not know.
DAMAGED = (
    tarfile.TarError,
    zipfile.BadZipFile,
    gzip.BadGzipFile,
    lzma.LZMAError,
    zlib.error,
    EOFError,
    RuntimeError,
    ValueError,
)
# Of an archive that has the right digest, so that it is not fetched again as long as it lies there.
FETCH_AGAIN = "remove it, then fetch it again"


def safe_parts(archive, name):
    """The parts of a member's path; a DataError if it would leave the folder or names no file in it."""
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or "\0" in name:
        raise DataError(
            archive,
            f"member '{name}' would be written outside of the folder",
            "this is not the archive it claims to be",
        )
    if not path.parts:
        raise DataError(archive, f"member '{name}' is no name of a file", "this is not the archive it claims to be")
    return path.parts


class Target:
    """A folder that files are written into, up to a number of bytes."""

    def __init__(self, archive, folder, most_bytes):
        self.archive, self.folder, self.left = archive, folder, most_bytes

    def write(self, name, source):
        path = self.folder.joinpath(*safe_parts(self.archive, name))
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            file = open(path, "xb")
        except (FileExistsError, NotADirectoryError):
            raise DataError(
                self.archive, f"member '{name}' occurs twice", "this is not the archive it claims to be"
            ) from None
        with file:
            while block := source.read(1 << 20):
                self.left -= len(block)
                if self.left < 0:
                    raise DataError(self.archive, "unpacks to more bytes than the manifest allows")
                file.write(block)


def check_tar_end(archive, where, remedy):
    """Raises an error if a tar that was read to its end lacks the block of zeros that marks it: it was cut."""
    archive.fileobj.seek(archive.offset)
    if archive.fileobj.read(tarfile.BLOCKSIZE) != bytes(tarfile.BLOCKSIZE):
        raise DataError(where, f"byte {archive.offset}: ends without its end mark, members are missing", remedy)


def unpack_tar(path, target, remedy):
    with tarfile.open(path, "r:*") as archive:
        for member in archive:
            if member.isfile():
                target.write(member.name, archive.extractfile(member))
            elif not member.isdir():
                raise DataError(
                    path,
                    f"member '{member.name}' is neither a file nor a folder",
                    "this is not the archive it claims to be",
                )
        check_tar_end(archive, path, remedy)


def unpack_zip(path, target):
    with zipfile.ZipFile(path) as archive:
        for member in archive.infolist():
            if not member.is_dir():
                with archive.open(member) as source:
                    target.write(member.filename, source)


def unpack_archive(path, folder, most_bytes, remedy=FETCH_AGAIN):
    target = Target(path, folder, most_bytes)
    try:
        if zipfile.is_zipfile(path):
            unpack_zip(path, target)
        else:
            unpack_tar(path, target, remedy)
    except DAMAGED as error:
        raise DataError(path, f"cannot be unpacked: {error}", remedy) from error


def check_folder(manifest, folder):
    """Holds the files of an unpacked folder against the manifest."""
    for name, expected in manifest.get("files", {}).items():
        check_file(Path(folder) / name, expected, remedy="remove the unpacked folder, then unpack it again")


def remove_unfinished(out):
    """Removes what a process that was killed left; the folder has to be locked."""
    for left in out.glob(".unpack-*"):
        shutil.rmtree(left)


def unpack(manifest, out):
    """The data set's folder in `out`, unpacked if it is not there, its files checked."""
    out = Path(out)
    folder = out / manifest["folder"]
    remove_unfinished(out)
    if folder.exists():
        check_folder(manifest, out)
        return folder
    temporary = Path(tempfile.mkdtemp(prefix=".unpack-", dir=out))
    try:
        for archive in manifest["archives"]:
            path = out / archive["name"]
            check_file(path, archive, remedy="remove this file, then fetch it again")
            unpack_archive(path, temporary, manifest.get("unpacked_bytes_at_most", 1 << 34))
        if not (temporary / manifest["folder"]).is_dir():
            raise DataError(out, f"the archives have no folder {manifest['folder']}")
        check_folder(manifest, temporary)
        os.sync()
        os.rename(temporary / manifest["folder"], folder)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return folder


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("manifest")
    parser.add_argument("--out", required=True)
    arguments = parser.parse_args()
    with Lock(arguments.out):
        print(unpack(load(arguments.manifest), arguments.out))


if __name__ == "__main__":
    run(main)
