"""Fetching a data set: mirrors, resumption, digests, unpacking. The data set is 300 bytes in two files."""

import fcntl
import gzip
import hashlib
import io
import json
import resource
import signal
import socket
import tarfile
import tempfile
import threading
import unittest
import zipfile
from pathlib import Path

from mirror import Mirror, run

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

    def test_interrupted_download_goes_on(self):
        size = (self.source / "set.tar.gz").stat().st_size
        with Mirror(self.source, cut=60) as mirror:
            self.check_failed(self.fetch(mirror.url), "byte 60: ends", "remedy")
        self.assertEqual((self.out / "set.tar.gz.part").stat().st_size, 60)
        with Mirror(self.source) as mirror:
            status, output = self.fetch(mirror.url)
        self.assertEqual(status, 0, output)
        self.assertEqual(mirror.requests, [("/set.tar.gz", "bytes=60-")])
        self.assertEqual((self.out / "set.tar.gz").stat().st_size, size)
        self.check_unpacked()

    def test_interrupted_download_goes_on_from_a_folder(self):
        self.out.mkdir()
        (self.out / "set.tar.gz.part").write_bytes((self.source / "set.tar.gz").read_bytes()[:50])
        self.assertEqual(self.fetch(f"file://{self.source}")[0], 0)
        self.check_unpacked()

    def test_server_without_ranges_starts_over(self):
        self.out.mkdir()
        (self.out / "set.tar.gz.part").write_bytes(b"something else")
        with Mirror(self.source, ranges=False) as mirror:
            status, output = self.fetch(mirror.url)
        self.assertEqual(status, 0, output)
        self.check_unpacked()

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
        self.check_failed(self.fetch(f"file://{self.source}"), "goes on, but the manifest says")
        (self.source / "set.tar.gz").write_bytes(b"short")
        self.check_failed(self.fetch(f"file://{self.source}"), "byte 5: ends")

    def test_changed_archive_in_the_folder_is_an_error(self):
        self.out.mkdir()
        archive = bytearray((self.source / "set.tar.gz").read_bytes())
        archive[30] ^= 1
        (self.out / "set.tar.gz").write_bytes(archive)
        self.check_failed(self.fetch(f"file://{self.source}"), "set.tar.gz: sha256 is")

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
        ):
            with self.subTest(text):
                self.publish(tar_bytes(FILES))
                self.manifest.write_text(json.dumps({**json.loads(self.manifest.read_text()), **changes}))
                self.check_failed(self.fetch(), text)
        for text in ("[]", "3", '"name"', "null"):
            self.manifest.write_text(text)
            self.check_failed(self.fetch(), "set.json: no manifest")
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

    def test_a_manifest_can_be_made_from_an_archive(self):
        status, output = run("make_manifest.py", self.manifest, self.source / "set.tar.gz")
        self.assertEqual(status, 0, output)
        made = json.loads(output)
        self.assertEqual(made["files"], {path: facts(content) for path, content in FILES.items()})
        self.manifest.write_text(output)
        self.assertEqual(self.fetch(f"file://{self.source}")[0], 0)

    def test_every_manifest_of_the_project_is_complete(self):
        import sys

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
