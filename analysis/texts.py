"""Texts that come out the same under every locale: files are UTF-8 and replaced whole, printed text degrades."""

import contextlib
import errno
import json
import os
import sys
from pathlib import Path

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def write(path, text):
    """As write_bytes, in UTF-8. Bytes that are no UTF-8 (of file names; surrogate escapes) come out as they went in."""
    write_bytes(path, text.encode("utf-8", "surrogateescape"))


def write_bytes(path, content):
    """Writes a file beside `path` and renames it: a full disk or a kill leaves the old file as it was. Links are
    followed. What is no regular file and what cannot be written end the program with a message."""
    if os.path.exists(path) and not os.path.isfile(path):
        sys.exit(
            f"{path}: is not a regular file and is not replaced; name a regular file, or a path that does not exist yet"
        )
    target = Path(os.path.realpath(path))
    temporary = target.with_name(f"{target.name}.{os.getpid()}.tmp")
    try:
        with open(temporary, "wb") as file:
            file.write(content)
            file.flush()
            try:
                os.fsync(file.fileno())
            except OSError as error:  # of a file system that cannot flush at all; what is drawn can be drawn again
                if error.errno not in (errno.EINVAL, errno.ENOTSUP, errno.ENOSYS):
                    raise
        os.replace(temporary, target)
    except BaseException as error:
        with contextlib.suppress(OSError):
            temporary.unlink()
        if not isinstance(error, OSError):
            raise
        remedy = "; make room for it and start the same command again" if error.errno in FULL else ""
        sys.exit(f"{path}: cannot be written: {error.strerror}{remedy}")


HTML = "<!DOCTYPE html"  # how every page of ours begins


def keep_others(path, beginning):
    """Ends the program if a file at `path` does not begin as what is to be written there does, in letters of any case:
    it is something else, and would be lost."""
    if not os.path.isfile(path):
        return
    try:
        with open(path, "rb") as file:
            start = file.read(len(beginning))
    except OSError as error:
        sys.exit(f"{path}: cannot be read: {error.strerror}")
    if start and start.lower() != beginning.encode().lower():
        sys.exit(
            f"{path}: does not begin with '{beginning}': it is a file of another kind and is not replaced; name another"
        )


def make_folder(path):
    """The folder, with those above it, unless it is there; if it cannot be made, the program ends with a message."""
    try:
        Path(path).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        reason = "a file is in its place" if error.errno in (errno.EEXIST, errno.ENOTDIR) else error.strerror
        sys.exit(f"{path}: the folder cannot be made: {reason}; name another")


def read_json(path, remedy):
    """What a JSON file holds; if it cannot be read, the program ends with one message: the file, why, the remedy."""
    try:
        return json.loads(Path(path).read_bytes())
    except OSError as error:
        sys.exit(f"{path}: cannot be read: {error.strerror}")
    except (ValueError, RecursionError) as error:  # of bytes that are no UTF-8 too
        sys.exit(f"{path}: is no JSON file ({error}); {remedy}")


def degrade():
    """Of a text that the terminal's encoding does not have, the escapes are printed: no traceback."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
