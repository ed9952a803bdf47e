"""Manifests: what a data set's archives must be, and digests to hold them against."""

import errno
import fcntl
import functools
import hashlib
import json
import os
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent


class DataError(Exception):
    """A failure that is told to the user: where, what, and what to do about it."""

    def __init__(self, where, problem, remedy=""):
        super().__init__(f"{where}: {problem}" + (f"\n  remedy: {remedy}" if remedy else ""))


def check_list(values, kind, what):
    """A ValueError if these are not a list of values of the kind."""
    if not isinstance(values, list) or not all(isinstance(value, kind) for value in values):
        raise ValueError(f"'{values}' is no list of {what}")


def check_form(manifest):
    """Raises an error of Python's that says what is missing or wrong."""
    for key in ("name", "licence", "citation", "archives", "folder"):
        manifest[key]
    names = [manifest["folder"]]
    for archive in manifest["archives"]:
        if not {"sha256", "md5"} & set(archive):
            raise ValueError(f"archive {archive['name']} has no digest (sha256 or md5)")
        names.append(archive["name"])
        check_list(archive.get("mirrors", []), str, "mirrors")
    for name in names:
        if not name or "/" in name or name.startswith(".") or "\0" in name:
            raise ValueError(f"{name!r} is no name of an archive or a folder")
        name.encode()
    files = manifest.get("files", {})
    for name in files:
        os.fsencode(name)
        if not name or "\0" in name or name.startswith("/") or ".." in name.split("/"):
            raise ValueError(f"{name!r} is no name of a file in the folder")
    for facts in (*manifest["archives"], *files.values()):
        if not isinstance(facts["bytes"], int):
            raise ValueError(f"'{facts['bytes']}' is no number of bytes")
        for kind in {"sha256", "md5"} & set(facts):
            if not isinstance(facts[kind], str):
                raise ValueError(f"'{facts[kind]}' is no digest")
    most = manifest.get("unpacked_bytes_at_most", 0)
    if not isinstance(most, int):
        raise ValueError(f"'{most}' is no number of bytes")
    for part in ("train", "test"):
        check_list(manifest.get(part, {}).get("labels", []), int, "numbers of images")


def load(source):
    """The manifest of a data set's name ("cifar10") or of a file."""
    path = Path(source)
    if path.suffix != ".json":
        path = HERE / "manifests" / f"{source}.json"
    try:
        manifest = json.loads(path.read_bytes())
    except OSError as error:
        raise DataError(path, f"cannot read the manifest: {error.strerror}", "check the path") from error
    except (ValueError, RecursionError) as error:
        raise DataError(path, f"no JSON: {error}") from error
    try:
        check_form(manifest)
    except KeyError as error:
        raise DataError(path, f"the manifest or a part of it has no {error}") from error
    except (TypeError, AttributeError, ValueError) as error:
        raise DataError(path, f"no manifest: {error}", "compare it with those in data_scripts/manifests") from error
    return manifest


def file_digest(path, kind, progress=None):
    """Hexadecimal digest of a file ("sha256", "md5")."""
    digest = hashlib.new(kind, usedforsecurity=False)
    done = 0
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
            done += len(block)
            if progress:
                progress(done)
    return digest.hexdigest()


def check_file(path, expected, progress=None, remedy="fetch it again, from another mirror if it stays so"):
    """Holds a file against {"bytes": N, "sha256": HEX, "md5": HEX}; a DataError if it differs."""
    try:
        size = os.path.getsize(path)
    except OSError as error:
        raise DataError(path, f"cannot read: {error.strerror}") from error
    if "bytes" in expected and size != expected["bytes"]:
        raise DataError(
            path,
            f"byte {min(size, expected['bytes'])}: {size} bytes, but the manifest says {expected['bytes']}",
            remedy,
        )
    for kind in ("sha256", "md5"):
        if kind in expected:
            found = file_digest(path, kind, progress)
            if found != expected[kind].lower():
                raise DataError(
                    path,
                    f"{kind} is {found}, but the manifest says {expected[kind]}",
                    remedy,
                )
            break  # the strongest one is enough


@functools.cache
def warn_once(text):
    """Says once in a process what is not guaranteed."""
    print(f"warning: {text}", file=sys.stderr)


def flush_to_disk(file):
    """Makes what was written outlive a power cut. Some file systems cannot: then nobody can, and that is said."""
    file.flush()
    try:
        os.fsync(file.fileno())
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP, errno.ENOSYS):
            raise
        folder = Path(file.name).parent
        warn_once(f"{folder}: this file system cannot flush to disk: after a power cut the newest files may be missing")


class Lock:
    """An exclusive lock on a folder, until the process ends or the block does."""

    def __init__(self, folder):
        self.folder = Path(folder)

    def __enter__(self):
        self.folder.mkdir(parents=True, exist_ok=True)
        self.file = open(self.folder / ".lock", "w")
        try:
            fcntl.flock(self.file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise DataError(
                self.folder, "another process is working in this folder", "wait for it to end, or choose another folder"
            ) from None
        except OSError as error:
            if error.errno not in (errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP, errno.EINVAL):
                raise
            warn_once(f"{self.folder}: this file system has no locks: start no second process in this folder")
        return self

    def __exit__(self, *_):
        self.file.close()


def progress_line(what, all_bytes):
    """A function that shows how many bytes are done, on a terminal only."""

    def show(done):
        if sys.stderr.isatty():
            end = "\n" if done >= all_bytes else ""
            print(f"\r{what}: {done / 1e6:,.1f} of {all_bytes / 1e6:,.1f} MB", end=end, file=sys.stderr, flush=True)

    return show


def run(main):
    """Runs a program's main: 0, or 1 with the error on one line and the remedy on the next; 130 after Ctrl-C."""
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        print("\ninterrupted: the same command goes on where it was", file=sys.stderr)
        sys.exit(130)
    except DataError as error:
        print(f"error: {error}", file=sys.stderr)
    except OSError as error:
        print(
            (
                f"error: {error.filename or 'disk'}: {error.strerror or error}\n"
                "  remedy: the same command goes on where it was, once the reason is gone"
            ),
            file=sys.stderr,
        )
    sys.exit(1)
