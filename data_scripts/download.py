#!/usr/bin/env python3
"""Step 1: fetches the archives of a data set and holds them against its manifest.

    download.py NAME|MANIFEST --out FOLDER

Mirrors are tried in order; GCG_MIRROR=URL (http, https or file:///folder) takes their place. An interrupted download
goes on where it was. Nothing gets its final name before its digest is right.
"""

import argparse
import http.client
import os
import ssl
import urllib.error
import urllib.request
from pathlib import Path

from manifest import DataError, Lock, check_file, load, progress_line, run

BLOCK = 1 << 18
TIMEOUT_SECONDS = 60
# What a mirror may do wrong, a URL of no known form included; other OSErrors are those of the disk here.
MIRROR_ERRORS = (
    urllib.error.URLError,
    http.client.HTTPException,
    ssl.SSLError,
    TimeoutError,
    ConnectionError,
    ValueError,
)


def mirrors_of(archive):
    mirror = os.environ.get("GCG_MIRROR")
    return [mirror] if mirror else archive.get("mirrors", [])


def fetch_url(url, part, size):
    """Appends what `part` lacks of the url's `size` bytes."""
    have = part.stat().st_size if part.exists() else 0
    if have > size:
        part.unlink()
        have = 0
    if have == size:
        return
    request = urllib.request.Request(url, headers={"Range": f"bytes={have}-"} if have else {})
    with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS) as answer:
        if have and url.startswith("file:"):
            answer.read(have)  # files know no ranges
        elif have and answer.status != 206:
            have = 0  # the server starts over, so do we
        elif have and not answer.headers.get("Content-Range", "").startswith(f"bytes {have}-"):
            raise DataError(url, f"sends another range than bytes {have}-")
        show = progress_line(url, size)
        with open(part, "ab" if have else "wb") as file:
            while block := answer.read(BLOCK):
                have += len(block)
                if have > size:
                    raise DataError(url, f"byte {size}: goes on, but the manifest says {size} bytes")
                file.write(block)
                show(have)
            file.flush()
            os.fsync(file.fileno())
    if have < size:
        raise DataError(url, f"byte {have}: ends, but the manifest says {size} bytes")


def fetch_archive(archive, folder):
    """The path of the archive in the folder, fetched if it is not there, its digest checked."""
    target = folder / archive["name"]
    part = folder / (archive["name"] + ".part")
    if target.exists():
        check_file(target, archive)
        return target
    failures = []
    for mirror in mirrors_of(archive):
        url = mirror.rstrip("/") + "/" + archive["name"]
        try:
            fetch_url(url, part, archive["bytes"])
            check_file(part, archive)
        except MIRROR_ERRORS as error:
            failures.append(f"{url}: {getattr(error, 'reason', None) or error or type(error).__name__}")
            continue
        except DataError as error:
            # What has the wrong content is of no use to the next mirror; what is short is.
            if part.exists() and part.stat().st_size >= archive["bytes"]:
                part.unlink()
            failures.append(str(error))
            continue
        os.replace(part, target)
        return target
    raise DataError(
        target,
        "no mirror has it:\n  " + "\n  ".join(failures or ["the manifest names none"]),
        "set GCG_MIRROR to another source (http://..., https://..., file:///folder), or put the file there yourself",
    )


def download(manifest, folder):
    folder = Path(folder)
    return [fetch_archive(archive, folder) for archive in manifest["archives"]]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("manifest")
    parser.add_argument("--out", required=True)
    arguments = parser.parse_args()
    with Lock(arguments.out):
        for path in download(load(arguments.manifest), arguments.out):
            print(path)


if __name__ == "__main__":
    run(main)
