"""Texts that come out the same under every locale: files are UTF-8 and replaced whole, printed text degrades."""

import errno
import json
import os
import sys
from pathlib import Path


def write(path, text):
    """Writes a file in UTF-8 beside `path` and renames it: a full disk or a kill leaves the old file as it was. Links
    are followed; what is no regular file ends the program with a message. Bytes that are no UTF-8 (of file names;
    surrogate escapes) come out as they went in."""
    if os.path.exists(path) and not os.path.isfile(path):
        sys.exit(
            f"{path}: is not a regular file and is not replaced; name a regular file, or a path that does not exist yet"
        )
    path = Path(os.path.realpath(path))
    temporary = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    try:
        with open(temporary, "w", encoding="utf-8", errors="surrogateescape", newline="\n") as file:
            file.write(text)
            file.flush()
            try:
                os.fsync(file.fileno())
            except OSError as error:  # of a file system that cannot flush at all; what is drawn can be drawn again
                if error.errno not in (errno.EINVAL, errno.ENOTSUP, errno.ENOSYS):
                    raise
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


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
