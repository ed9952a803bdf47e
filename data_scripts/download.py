#!/usr/bin/env python3
"""Step 1: fetches the archives of a data set and holds them against its manifest.

    download.py NAME|MANIFEST --out FOLDER

Mirrors are tried in order; GCG_MIRROR=URL (http, https or file:///folder) takes their place. An interrupted download
goes on where it was if the server says that its file is still the same (ETag, Last-Modified). Nothing gets its final
name before its digest is right.
"""

import argparse
import http.client
import json
import os
import ssl
import urllib.error
import urllib.request
from pathlib import Path

from manifest import DataError, Lock, check_file, flush_to_disk, load, progress_line, run

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


class WrongContent(DataError):
    """What a mirror sent is not the archive: of no use to go on with."""


def validator(headers):
    """What tells two contents of one URL apart: a strong ETag, or else the time of the last change; "" if neither."""
    tag = headers.get("ETag", "")
    return tag if tag.startswith('"') else headers.get("Last-Modified", "")


class Partial:
    """What was fetched of an archive so far, and whose bytes they are: NAME.part and NAME.part.json.

    Bytes of one mirror are continued by the same URL, or by another one with the same strong ETag, and only where a
    server says by its answer to If-Range that its content is still the same.
    """

    def __init__(self, folder, archive):
        self.path = folder / (archive["name"] + ".part")
        self.origin_path = folder / (archive["name"] + ".part.json")
        self.size = archive["bytes"]

    def remove(self):
        self.path.unlink(missing_ok=True)
        self.origin_path.unlink(missing_ok=True)

    def start(self, url, headers):
        """Begins anew; the origin stands before the first byte."""
        self.remove()
        origin = {"url": url, "validator": validator(headers)}
        if origin["validator"]:
            self.origin_path.write_text(json.dumps(origin))

    def resume_point(self, url):
        """How many bytes of this URL are there, and the validator to name; (0, "") if it is to begin anew."""
        try:
            origin = json.loads(self.origin_path.read_text())
            have, kept = self.path.stat().st_size, origin["validator"]
            same = origin["url"] == url or kept.startswith('"')
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return 0, ""
        return (have, kept) if same and kept and 0 < have < self.size else (0, "")


def fetch_url(url, partial):
    """Fetches the url's bytes into the partial file. Returns whether it went on with bytes that were there."""
    have, kept = partial.resume_point(url)
    size = partial.size
    request = urllib.request.Request(url, headers={"Range": f"bytes={have}-", "If-Range": kept} if have else {})
    with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS) as answer:
        resumed = have > 0 and answer.status == 206
        sent, _, total = answer.headers.get("Content-Range", "").partition("/")
        if resumed and (not sent.startswith(f"bytes {have}-") or total not in (str(size), "*")):
            raise WrongContent(url, f"sends '{sent}' of {total} bytes, not those from {have} of {size}")
        if not resumed:
            have = 0
            length = answer.headers.get("Content-Length")
            if length is not None and length != str(size):
                raise WrongContent(url, f"has {length} bytes, but the manifest says {size}")
            partial.start(url, answer.headers)
        show = progress_line(url, size)
        with open(partial.path, "ab" if resumed else "wb") as file:
            while block := answer.read(BLOCK):
                have += len(block)
                if have > size:
                    raise WrongContent(url, f"byte {size}: goes on, but the manifest says {size} bytes")
                file.write(block)
                show(have)
            flush_to_disk(file)
        if have < size:
            # A connection that broke, where the length was known; else the content is short.
            broken = answer.headers.get("Content-Length") is not None
            raise (DataError if broken else WrongContent)(url, f"byte {have}: ends, but the manifest says {size} bytes")
    return resumed


def fetch_from(url, partial, archive):
    """Leaves the archive, its digest right, in the partial file. What was resumed and came out wrong is fetched once
    more from its first byte; so is what the server has no rest of."""
    while True:
        begun = partial.resume_point(url)[0] > 0
        resumed = False
        try:
            resumed = fetch_url(url, partial)
            check_file(partial.path, archive)
            return
        except urllib.error.HTTPError as error:
            if error.code != 416 or not begun:
                raise
            partial.remove()  # it has no more bytes than those that are here: another file
        except WrongContent:
            partial.remove()
            raise
        except DataError:
            if partial.path.exists() and partial.path.stat().st_size < archive["bytes"]:
                raise  # short, but right as far as is known
            partial.remove()
            if not resumed:
                raise


def fetch_archive(archive, folder):
    """The path of the archive in the folder, fetched if it is not there, its digest checked."""
    target = folder / archive["name"]
    partial = Partial(folder, archive)
    if target.exists():
        check_file(target, archive, remedy="remove this file, then fetch it again")
        partial.remove()  # its origin, of a process that was killed
        return target
    failures = []
    for mirror in mirrors_of(archive):
        url = mirror.rstrip("/") + "/" + archive["name"]
        try:
            fetch_from(url, partial, archive)
        except MIRROR_ERRORS as error:
            failures.append(f"{url}: {getattr(error, 'reason', None) or error or type(error).__name__}")
            continue
        except DataError as error:
            # The name of the URL, not of the file its bytes went to.
            failures.append(str(error).replace(str(partial.path), url))
            continue
        os.replace(partial.path, target)
        partial.remove()
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
