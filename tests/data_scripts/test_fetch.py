"""Fetching a data set: mirrors, resumption, digests, unpacking. The data set is 300 bytes in two files."""

import fcntl
import gzip
import hashlib
import io
import json
import os
import resource
import shutil
import signal
import socket
import subprocess
import sys
import tarfile
import tempfile
import threading
import time
import unittest
import warnings
import zipfile
from pathlib import Path

from mirror import SCRIPTS, Mirror, run

FILES = {"set/a.bin": bytes(range(200)), "set/sub/b.bin": b"b" * 100}


def tar_bytes(files, extra=()):
    """Equal files give equal bytes: gzip would write the time."""
    buffer = io.BytesIO()
    with gzip.GzipFile(fileobj=buffer, mode="wb", mtime=0) as packed, tarfile.open(fileobj=packed, mode="w") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
        for member in extra:
            archive.addfile(member)
    return buffer.getvalue()


def zip_bytes(files):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in files.items():
            archive.writestr(zipfile.ZipInfo(name), content)
    return buffer.getvalue()


def facts(content):
    return {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}


class FetchTest(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.root = Path(self.folder.name)
        self.out = self.root / "out"
        self.source = self.root / "mirror"
        self.source.mkdir()
        self.manifest = self.root / "set.json"
        self.publish(tar_bytes(FILES))

    def publish(self, archive, name="set.tar.gz", mirrors=(), files=None, **changes):
        """Puts an archive on the mirror and writes its manifest, with these changes."""
        (self.source / name).write_bytes(archive)
        manifest = {
            "name": "set",
            "licence": "free",
            "citation": "nobody",
            "folder": "set",
            "archives": [{"name": name, **facts(archive), "mirrors": list(mirrors)}],
            "files": {path: facts(content) for path, content in (files or FILES).items()},
            **changes,
        }
        self.manifest.write_text(json.dumps(manifest))

    def fetch(self, mirror=None, **more):
        return run("fetch.py", "set", "--manifest", self.manifest, "--out", self.out, mirror=mirror, **more)

    def check_unpacked(self):
        for name, content in FILES.items():
            self.assertEqual((self.out / name).read_bytes(), content)

    def check_failed(self, outcome, *texts):
        status, output = outcome
        self.assertEqual(status, 1, output)
        for text in texts:
            self.assertIn(text, output)
        self.assertNotIn("Traceback", output)
        self.assertFalse((self.out / "set").exists())
        self.assertEqual(list(self.out.glob(".unpack-*")), [])

    def test_from_a_folder(self):
        status, output = self.fetch(f"file://{self.source}")
        self.assertEqual(status, 0, output)
        self.check_unpacked()
        self.assertIn("free", output)

    def test_from_a_server(self):
        with Mirror(self.source) as mirror:
            status, output = self.fetch(mirror.url)
        self.assertEqual(status, 0, output)
        self.check_unpacked()
        self.assertEqual(mirror.requests, [("/set.tar.gz", None)])

    def test_again_asks_nobody(self):
        self.fetch(f"file://{self.source}")
        status, output = self.fetch("http://127.0.0.1:9")
        self.assertEqual(status, 0, output)

    def test_again_without_the_archive_checks_what_is_there(self):
        self.fetch(f"file://{self.source}")
        (self.out / "set.tar.gz").unlink()
        self.assertEqual(self.fetch("http://127.0.0.1:9")[0], 0)
        (self.out / "set/a.bin").write_bytes(b"x" * 200)
        status, output = self.fetch("http://127.0.0.1:9")
        self.assertEqual(status, 1)
        self.assertIn("set/a.bin: sha256 is", output)

    def test_zip_archives_too(self):
        self.publish(zip_bytes(FILES), "set.zip")
        self.assertEqual(self.fetch(f"file://{self.source}")[0], 0)
        self.check_unpacked()

    def interrupt(self, mirror, at=60):
        """A download that ends after so many bytes."""
        mirror.cut = at
        self.check_failed(self.fetch(mirror.url), f"byte {at}: ends", "remedy")
        self.assertEqual((self.out / "set.tar.gz.part").stat().st_size, at)
        mirror.cut = None
        mirror.requests.clear()

    def check_fetched(self, outcome):
        self.assertEqual(outcome[0], 0, outcome[1])
        self.check_unpacked()
        self.assertEqual(list(self.out.glob("*.part*")), [])

    def test_interrupted_download_goes_on(self):
        with Mirror(self.source, tag='"one"') as mirror:
            self.interrupt(mirror)
            self.check_fetched(self.fetch(mirror.url))
        self.assertEqual(mirror.requests, [("/set.tar.gz", "bytes=60-")])

    def test_interrupted_download_of_a_changed_file_starts_over(self):
        with Mirror(self.source, tag='"one"') as mirror:
            self.interrupt(mirror)
            mirror.tag = '"two"'
            self.check_fetched(self.fetch(mirror.url))
        self.assertEqual(mirror.requests, [("/set.tar.gz", "bytes=60-")])

    def test_interrupted_download_without_a_validator_starts_over(self):
        with Mirror(self.source, ranges="always") as mirror:
            self.interrupt(mirror)
            self.check_fetched(self.fetch(mirror.url))
        self.assertEqual(mirror.requests, [("/set.tar.gz", None)])

    def test_bytes_of_one_mirror_are_continued_by_another_with_the_same_tag_only(self):
        for tag, wanted in (('"one"', "bytes=60-"), ('"two"', "bytes=60-"), ("W/one", "bytes=60-")):
            with self.subTest(tag):
                shutil.rmtree(self.out, ignore_errors=True)
                with Mirror(self.source, tag='"one"') as first, Mirror(self.source, tag=tag) as second:
                    self.interrupt(first)
                    self.check_fetched(self.fetch(second.url))
                self.assertEqual(second.requests, [("/set.tar.gz", wanted)])

    def test_resumed_file_with_a_wrong_digest_is_fetched_again_from_its_first_byte(self):
        with Mirror(self.source, tag='"one"') as mirror:
            self.interrupt(mirror)
            (self.out / "set.tar.gz.part").write_bytes(b"x" * 60)
            self.check_fetched(self.fetch(mirror.url))
        self.assertEqual(mirror.requests, [("/set.tar.gz", "bytes=60-"), ("/set.tar.gz", None)])

    def test_mirror_with_another_file_does_not_spoil_a_good_one(self):
        size = (self.source / "set.tar.gz").stat().st_size
        other = self.root / "other"
        other.mkdir()
        for content in (b"<html>moved</html>", b"x" * size, b"x" * (size + 50), b""):
            for page in (None, content):
                with self.subTest(content=content[:20], length_told=page is None):
                    shutil.rmtree(self.out, ignore_errors=True)
                    (other / "set.tar.gz").write_bytes(content)
                    with Mirror(other, page=page, tag='"bad"') as bad, Mirror(self.source, tag='"good"') as good:
                        self.publish(tar_bytes(FILES), mirrors=[bad.url])
                        self.check_failed(self.fetch(), "no mirror has it")
                        self.assertEqual([p.name for p in self.out.iterdir()], [".lock"])
                        self.publish(tar_bytes(FILES), mirrors=[bad.url, good.url])
                        self.check_fetched(self.fetch())

    def test_mirror_that_has_no_such_range_is_asked_once_more_at_most(self):
        with Mirror(self.source, tag='"one"') as bad, Mirror(self.source, tag='"two"') as good:
            for begun in (False, True):
                with self.subTest(begun=begun):
                    shutil.rmtree(self.out, ignore_errors=True)
                    bad.status = None
                    if begun:
                        self.interrupt(bad)
                    bad.status = 416
                    bad.requests.clear()
                    good.requests.clear()
                    self.publish(tar_bytes(FILES), mirrors=[bad.url, good.url])
                    self.check_fetched(self.fetch(timeout=60))
                    wanted = ["bytes=60-", None] if begun else [None]
                    self.assertEqual(bad.requests, [("/set.tar.gz", range) for range in wanted])
                    self.assertEqual(len(good.requests), 1)

    def test_partial_file_of_unknown_origin_is_not_continued(self):
        for ranges in (True, False, "always"):
            shutil.rmtree(self.out, ignore_errors=True)
            self.out.mkdir()
            (self.out / "set.tar.gz.part").write_bytes(b"something else")
            with Mirror(self.source, ranges=ranges, tag='"one"') as mirror:
                self.check_fetched(self.fetch(mirror.url))
        shutil.rmtree(self.out)
        self.out.mkdir()
        (self.out / "set.tar.gz.part").write_bytes(b"something else")
        self.check_fetched(self.fetch(f"file://{self.source}"))

    def test_interrupted_by_the_user(self):
        with Mirror(self.source, tag='"one"') as mirror:
            mirror.hold = threading.Event()
            process = subprocess.Popen(
                [sys.executable, str(SCRIPTS / "fetch.py"), "set", "--manifest", self.manifest, "--out", self.out],
                env={**os.environ, "GCG_MIRROR": mirror.url},
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            )
            while not mirror.requests:
                time.sleep(0.01)
            process.send_signal(signal.SIGINT)
            output, _ = process.communicate(timeout=60)
            mirror.hold.set()
        self.assertEqual(process.returncode, 130, output)
        self.assertIn("interrupted: the same command goes on where it was", output)
        self.assertNotIn("Traceback", output)

    def test_mirrors_are_tried_in_order(self):
        empty = self.root / "empty"
        empty.mkdir()
        with Mirror(empty) as first, Mirror(self.source) as second, Mirror(self.source) as third:
            self.publish(tar_bytes(FILES), mirrors=["http://127.0.0.1:9", first.url, second.url, third.url])
            status, output = self.fetch()
        self.assertEqual(status, 0, output)
        self.check_unpacked()
        self.assertEqual([len(m.requests) for m in (first, second, third)], [1, 1, 0])

    def test_no_mirror_left_tells_all_reasons(self):
        with Mirror(self.root / "nothing") as mirror:
            self.publish(tar_bytes(FILES), mirrors=[mirror.url, "file:///nowhere"])
            self.check_failed(self.fetch(), "no mirror has it", "Not Found", "/nowhere", "GCG_MIRROR")

    def test_mirror_that_is_no_url_is_told(self):
        self.check_failed(self.fetch(str(self.source)), "unknown url type", "file:///folder")

    def test_mirror_that_speaks_another_protocol_is_passed_over(self):
        with socket.create_server(("127.0.0.1", 0)) as server, Mirror(self.source) as good:

            def answer():
                connection, _ = server.accept()
                with connection:
                    connection.recv(4096)
                    connection.sendall(b"220 mail server\r\n")

            thread = threading.Thread(target=answer)
            thread.start()
            self.publish(tar_bytes(FILES), mirrors=[f"http://127.0.0.1:{server.getsockname()[1]}", good.url])
            status, output = self.fetch()
            thread.join()
        self.assertEqual(status, 0, output)
        self.check_unpacked()

    def test_wrong_digest_is_an_error_and_nothing_is_unpacked(self):
        good = (self.source / "set.tar.gz").read_bytes()
        (self.source / "set.tar.gz").write_bytes(good[:-1] + bytes([good[-1] ^ 1]))
        self.check_failed(self.fetch(f"file://{self.source}"), "sha256 is", "but the manifest says")
        self.assertEqual([p.name for p in self.out.iterdir()], [".lock"])

    def test_wrong_size_is_an_error(self):
        with open(self.source / "set.tar.gz", "ab") as file:
            file.write(b"more")
        self.check_failed(self.fetch(f"file://{self.source}"), "bytes, but the manifest says")
        (self.source / "set.tar.gz").write_bytes(b"short")
        self.check_failed(self.fetch(f"file://{self.source}"), "has 5 bytes, but the manifest says")

    def test_changed_archive_in_the_folder_is_an_error(self):
        self.out.mkdir()
        archive = bytearray((self.source / "set.tar.gz").read_bytes())
        archive[30] ^= 1
        (self.out / "set.tar.gz").write_bytes(archive)
        self.check_failed(self.fetch(f"file://{self.source}"), "set.tar.gz: sha256 is", "remedy: remove this file")
        (self.out / "set.tar.gz").write_bytes(archive[:40])
        self.check_failed(self.fetch(f"file://{self.source}"), "byte 40: 40 bytes", "remedy: remove this file")

    def test_wrong_file_inside_is_an_error(self):
        self.publish(tar_bytes(FILES), files={"set/a.bin": b"x" * 200})
        self.check_failed(self.fetch(f"file://{self.source}"), "set/a.bin: sha256 is")
        self.publish(tar_bytes(FILES), files={"set/c.bin": b"x"})
        self.check_failed(self.fetch(f"file://{self.source}"), "set/c.bin: cannot read")

    def test_hostile_archives_write_nowhere(self):
        link = tarfile.TarInfo("set/link")
        link.type = tarfile.SYMTYPE
        link.linkname = "/etc"
        for archive, text in (
            (tar_bytes({"../outside": b"x"}), "outside of the folder"),
            (tar_bytes({"/tmp/gcg-outside": b"x"}), "outside of the folder"),
            (tar_bytes(FILES, [link]), "neither a file nor a folder"),
            (b"no archive at all", "cannot be unpacked"),
            (tar_bytes({**FILES, ".": b"x"}), "member '.' is no name of a file"),
            (tar_bytes({**FILES, "set/./a.bin": b"x"}), "member 'set/./a.bin' occurs twice"),
            (tar_bytes({**FILES, "set/a.bin/b": b"x"}), "member 'set/a.bin/b' occurs twice"),
        ):
            self.publish(archive)
            self.check_failed(self.fetch(f"file://{self.source}"), text)
            (self.out / "set.tar.gz").unlink()
        self.publish(zip_bytes({"set/../../outside": b"x"}), "set.zip")
        self.check_failed(self.fetch(f"file://{self.source}"), "outside of the folder")
        self.assertFalse((self.root / "outside").exists())

    def test_archives_that_cannot_be_unpacked_are_errors(self):
        encrypted = bytearray(zip_bytes(FILES))
        encrypted[6] |= 1  # the flag, before the file and in the directory behind the files
        encrypted[encrypted.index(b"PK\1\2") + 8] |= 1
        self.publish(bytes(encrypted), "set.zip")
        self.check_failed(self.fetch(f"file://{self.source}"), "set.zip: cannot be unpacked", "encrypted")
        self.publish(tar_bytes(FILES)[:100])
        self.check_failed(self.fetch(f"file://{self.source}"), "set.tar.gz: cannot be unpacked")

    def test_archives_cut_between_two_members_are_errors(self):
        cut = gzip.decompress(tar_bytes(FILES))[: 2 * 512]
        for archive in (cut, gzip.compress(cut)):
            self.publish(archive, files={"set/a.bin": FILES["set/a.bin"]})
            self.check_failed(
                self.fetch(f"file://{self.source}"),
                "byte 1024: ends without its end mark",
                "remedy: remove it, then fetch it again",
            )
            (self.out / "set.tar.gz").unlink()

    def test_members_that_occur_twice_are_errors(self):
        buffer = io.BytesIO()
        with warnings.catch_warnings(), zipfile.ZipFile(buffer, "w") as archive:
            warnings.simplefilter("ignore")
            for content in (b"first", b"second"):
                archive.writestr(zipfile.ZipInfo("set/a.bin"), content)
        self.publish(buffer.getvalue(), "set.zip", files={"set/a.bin": b"second"})
        self.check_failed(self.fetch(f"file://{self.source}"), "set.zip: member 'set/a.bin' occurs twice")

    def test_archive_larger_than_allowed_is_an_error(self):
        self.publish(tar_bytes(FILES), unpacked_bytes_at_most=250)
        self.check_failed(self.fetch(f"file://{self.source}"), "more bytes than the manifest allows")

    def test_full_disk_is_an_error_and_the_same_command_goes_on(self):
        files = {"set/a.bin": bytes(range(256)) * 300}
        self.publish(zip_bytes(files), "set.zip", files=files)

        def small_files():
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (5000, 5000))

        self.check_failed(self.fetch(f"file://{self.source}", preexec_fn=small_files), "remedy", "goes on where it was")
        self.assertEqual(self.fetch(f"file://{self.source}")[0], 0)
        self.assertEqual((self.out / "set/a.bin").read_bytes(), files["set/a.bin"])

    def test_two_processes_at_once(self):
        self.out.mkdir()
        with open(self.out / ".lock", "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            self.check_failed(self.fetch(f"file://{self.source}"), "another process is working in this folder")

    def test_manifests_that_are_none(self):
        self.manifest.write_text("{")
        self.check_failed(self.fetch(), "set.json: no JSON")
        self.publish(tar_bytes(FILES), archives=[{"name": "x", "bytes": 1}])
        self.check_failed(self.fetch(), "has no digest")
        self.publish(tar_bytes(FILES), archives=[{"name": "../x", "bytes": 1, "md5": "0"}])
        self.check_failed(self.fetch(), "is no name of an archive")
        for changes, text in (
            ({"folder": "../set"}, "'../set' is no name"),
            ({"folder": ""}, "'' is no name"),
            ({"archives": ["x"]}, "no manifest"),
            ({"archives": [{"bytes": 1, "md5": "0"}]}, "has no 'name'"),
            ({"archives": [{"name": "x", "bytes": "1", "md5": "0"}]}, "'1' is no number of bytes"),
            ({"files": {"a": 1}}, "no manifest"),
            ({"files": {"a\0": facts(b"")}}, "is no name of a file"),
            ({"files": {"a/../../b": facts(b"")}}, "is no name of a file"),
            ({"files": {"/b": facts(b"")}}, "is no name of a file"),
            ({"files": {"a": {"bytes": 1, "sha256": 5}}}, "'5' is no digest"),
            ({"archives": [{"name": "a\ud800", "bytes": 1, "md5": "0"}]}, "surrogates not allowed"),
            ({"archives": [{"name": "a\0", "bytes": 1, "md5": "0"}]}, "is no name of an archive"),
            ({"archives": [{"name": "x", "bytes": 1, "sha256": 5}]}, "'5' is no digest"),
            ({"archives": [{"name": "x", "bytes": 1, "md5": "0", "mirrors": [3]}]}, "no list of mirrors"),
            ({"archives": [{"name": "x", "bytes": 1, "md5": "0", "mirrors": "http://x"}]}, "no list of mirrors"),
            ({"unpacked_bytes_at_most": "5"}, "'5' is no number of bytes"),
            ({"train": 3}, "no manifest"),
            ({"test": {"labels": ["5"]}}, "no list of numbers"),
        ):
            with self.subTest(text):
                self.publish(tar_bytes(FILES))
                self.manifest.write_text(json.dumps({**json.loads(self.manifest.read_text()), **changes}))
                self.check_failed(self.fetch(), text)
        for text in ("[]", "3", '"name"', "null"):
            self.manifest.write_text(text)
            self.check_failed(self.fetch(), "set.json: no manifest")
        self.manifest.write_text("[" * 100_000)
        self.check_failed(self.fetch(), "set.json: no JSON")
        status, output = run("fetch.py", "nothing", "--out", self.out)
        self.assertEqual(status, 1)
        self.assertIn("nothing.json: cannot read the manifest", output)

    def test_verify_finds_changes_later(self):
        self.fetch(f"file://{self.source}")
        status, output = run("verify.py", self.manifest, self.out)
        self.assertEqual(status, 0, output)
        (self.out / "set/sub/b.bin").write_bytes(b"c" * 100)
        status, output = run("verify.py", self.manifest, self.out)
        self.assertEqual(status, 1)
        self.assertIn("set/sub/b.bin: sha256 is", output)

    def verify(self):
        return run("verify.py", self.manifest, self.out)

    def test_verify_says_what_it_checked(self):
        self.fetch(f"file://{self.source}")
        status, output = self.verify()
        self.assertEqual(status, 0, output)
        self.assertIn("set.tar.gz: digest as in the manifest", output)
        self.assertIn("2 files: digests as in the manifest", output)
        (self.out / "set.tar.gz").unlink()
        status, output = self.verify()
        self.assertEqual(status, 0, output)
        self.assertIn("not checked: set.tar.gz: not there", output)

    def test_verify_of_nothing_is_an_error(self):
        for files in (FILES, None):
            self.publish(tar_bytes(FILES), files=files)
            if files is None:
                manifest = json.loads(self.manifest.read_text())
                self.manifest.write_text(json.dumps({**manifest, "files": {}}))
            shutil.rmtree(self.out, ignore_errors=True)
            status, output = self.verify()
            self.assertEqual(status, 1, output)
            self.assertIn("there is no such folder", output)
            self.out.mkdir()
            status, output = self.verify()
            self.assertEqual(status, 1, output)
            self.assertIn("cannot read" if files else "nothing could be checked", output)

    def publish_images(self, form):
        """Two classes of three training and two validation images, without digests of files."""
        images = {
            f"set/{part}/n0{c}/{i}.JPEG": f"{part} {c} {i}".encode()
            for part, count in (("train", 3), ("val", 2))
            for c in (1, 2)
            for i in range(count)
        }
        self.publish(form(images), "set.zip" if form is zip_bytes else "set.tar.gz")
        manifest = json.loads(self.manifest.read_text())
        counts = {"train": {"labels": [3, 3]}, "test": {"labels": [2, 2]}}
        self.manifest.write_text(json.dumps({**manifest, "files": {}, **counts}))

    def test_verify_holds_files_without_digests_against_their_archive(self):
        self.publish_images(zip_bytes)
        self.assertEqual(self.fetch(f"file://{self.source}")[0], 0)
        status, output = self.verify()
        self.assertEqual(status, 0, output)
        self.assertIn("10 files: as in set.zip", output)
        image = self.out / "set/train/n01/2.JPEG"
        image.write_bytes(b"train 1 x")
        status, output = self.verify()
        self.assertEqual(status, 1, output)
        self.assertIn("n01/2.JPEG: differs from that in set.zip", output)
        image.unlink()
        self.assertIn("n01/2.JPEG: is missing", self.verify()[1])

    def test_verify_counts_images_where_there_is_nothing_else(self):
        self.publish_images(tar_bytes)
        self.assertEqual(self.fetch(f"file://{self.source}")[0], 0)
        (self.out / "set.tar.gz").unlink()
        status, output = self.verify()
        self.assertEqual(status, 0, output)
        self.assertIn("train: 6 images in 2 classes, as in the manifest", output)
        self.assertIn("val: 4 images in 2 classes, as in the manifest", output)
        self.assertIn("not checked: content of the files", output)
        (self.out / "set/val/n02/1.JPEG").unlink()
        status, output = self.verify()
        self.assertEqual(status, 1, output)
        self.assertIn("3 images in 2 classes, but the manifest says 4 in 2; class 1 has 1, not 2", output)

    def test_a_folder_that_is_there_is_verified(self):
        self.publish_images(tar_bytes)
        self.assertEqual(self.fetch(f"file://{self.source}")[0], 0)
        status, output = self.fetch("http://127.0.0.1:9")
        self.assertEqual(status, 0, output)
        self.assertIn("train: 6 images in 2 classes, as in the manifest", output)
        (self.out / "set/train/n02/1.JPEG").unlink()
        status, output = self.fetch("http://127.0.0.1:9")
        self.assertEqual(status, 1, output)
        self.assertIn("5 images in 2 classes, but the manifest says 6 in 2", output)

    def test_verify_reads_annotations_of_any_bytes(self):
        files = {"set/train/n01/images/a.JPEG": b"a", "set/val/images/b.JPEG": b"b"}
        for annotations in (b"\xef\xbb\xbfb.JPEG\tn01\t0\n", b"b.JPEG\tn01\t0\n\xff.JPEG\tn01\t0\n"):
            shutil.rmtree(self.out, ignore_errors=True)
            self.publish(tar_bytes({**files, "set/val/val_annotations.txt": annotations}))
            counts = {"test": {"labels": [1]}, "files": {}}
            self.manifest.write_text(json.dumps({**json.loads(self.manifest.read_text()), **counts}))
            self.assertEqual(self.fetch(f"file://{self.source}")[0], 0)
            (self.out / "set.tar.gz").unlink()
            status, output = self.verify()
            self.assertEqual(status, 0, output)
            self.assertIn("val: 1 images in 1 classes", output)

    def test_what_systems_leave_behind_is_no_class_and_no_image(self):
        train = {f"set/train/n0{c}/images/{i}.JPEG": b"a" for c in (1, 2) for i in (1, 2)}
        annotated = {f"set/val/images/{i}.JPEG": b"b" for i in (1, 2)}
        annotated["set/val/val_annotations.txt"] = b"1.JPEG\tn01\t0\n2.JPEG\tn02\t0\n"
        counts = {"train": {"labels": [2, 2]}, "test": {"labels": [1, 1]}, "files": {}}
        for validation in (annotated, {f"set/val/n0{c}/1.JPEG": b"b" for c in (1, 2)}):
            shutil.rmtree(self.out, ignore_errors=True)
            self.publish(tar_bytes({**train, **validation}))
            self.manifest.write_text(json.dumps({**json.loads(self.manifest.read_text()), **counts}))
            self.assertEqual(self.fetch(f"file://{self.source}")[0], 0)
            (self.out / "set.tar.gz").unlink()
            for left in (
                *("train/.ipynb_checkpoints/a.JPEG", "train/__MACOSX/images/a.JPEG", "train/@eaDir/a.JPEG"),
                *("train/n01/images/._1.JPEG", "train/n01/.ipynb_checkpoints/1.JPEG", "val/__MACOSX/a.JPEG"),
            ):
                path = self.out / "set" / left
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(b"left")
            status, output = self.verify()
            self.assertEqual(status, 0, output)
            self.assertIn("train: 4 images in 2 classes, as in the manifest", output)
            self.assertIn("val: 2 images in 2 classes, as in the manifest", output)

    def test_a_made_manifest_keeps_what_is_said_of_an_archive_of_the_same_name(self):
        self.publish(tar_bytes(FILES), mirrors=["http://127.0.0.1:9"])
        manifest = json.loads(self.manifest.read_text())
        manifest["archives"][0].update(md5="0", note="kept")
        self.manifest.write_text(json.dumps(manifest))
        other = tar_bytes({"set/a.bin": b"other"})
        (self.source / "set.tar.gz").write_bytes(other)
        status, output = run("make_manifest.py", self.manifest, self.source / "set.tar.gz")
        self.assertEqual(status, 0, output)
        self.assertEqual(json.loads(output)["archives"], [{"name": "set.tar.gz", "note": "kept", **facts(other)}])

    def test_a_manifest_can_be_made_from_an_archive(self):
        status, output = run("make_manifest.py", self.manifest, self.source / "set.tar.gz")
        self.assertEqual(status, 0, output)
        made = json.loads(output)
        self.assertEqual(made["files"], {path: facts(content) for path, content in FILES.items()})
        self.manifest.write_text(output)
        self.assertEqual(self.fetch(f"file://{self.source}")[0], 0)

    def test_every_manifest_of_the_project_is_complete(self):
        sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "data_scripts"))
        import manifest

        images = {"cifar10": (50000, 10000), "cifar100": (50000, 10000), "tinyimagenet": (100000, 10000)}
        for path in sorted(manifest.HERE.glob("manifests/*.json")):
            loaded = manifest.load(path)
            self.assertEqual(loaded["name"], path.stem)
            if path.stem in images:
                self.assertTrue(all(a["mirrors"] and len(a["sha256"]) == 64 for a in loaded["archives"]))
                self.assertEqual((sum(loaded["train"]["labels"]), sum(loaded["test"]["labels"])), images[path.stem])
                self.assertEqual([len(v) for v in loaded["channels"].values()], [3, 3])
        self.assertEqual(sum(manifest.load("imagenet")["test"]["labels"]), 50000)


if __name__ == "__main__":
    unittest.main()
