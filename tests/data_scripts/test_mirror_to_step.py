"""Real images the whole way: mirror, manifest, unpacking, prepared form, check, training steps, run file.

    test_mirror_to_step.py GCG_DATA_PREPARE GCG_DATA_CHECK GCG_RUN

Ends with status 77 (skipped) if GCG_TEST_DATA does not name the folder of real images.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

from mirror import Mirror, run

PREPARE, CHECK, RUN = sys.argv[1:4]
DATA = Path(os.environ.get("GCG_TEST_DATA") or "/nonexistent")


def program(*arguments):
    result = subprocess.run(
        [str(a) for a in arguments], text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=500
    )
    return result.returncode, result.stdout


class MirrorToStep(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.root = Path(self.folder.name)

    def fetch(self, name, archive):
        """Fetches an archive of the folder `mirror` of the real data by HTTP, with a manifest made for it."""
        status, manifest = run("make_manifest.py", name, archive)
        self.assertEqual(status, 0, manifest)
        (self.root / "manifest.json").write_text(manifest)
        with Mirror(archive.parent) as mirror:
            status, output = run(
                "fetch.py",
                name,
                "--manifest",
                self.root / "manifest.json",
                "--out",
                self.root / name,
                mirror=mirror.url,
            )
        self.assertEqual(status, 0, output)
        return self.root / name

    def prepare(self, name, folder, *arguments):
        status, output = program(PREPARE, "--data", name, "--from", folder, *arguments)
        self.assertEqual(status, 0, output)

    def digest_by_check(self, name, folder, *arguments):
        sheet = self.root / "sheet.png"
        status, output = program(CHECK, "--data", name, "--data-dir", folder, "--sheet", sheet, *arguments)
        self.assertEqual(status, 0, output)
        self.assertEqual(sheet.read_bytes()[:8], b"\x89PNG\r\n\x1a\n")
        self.assertIn("0 images of test are in train too", output)
        return re.search(r"digest ([0-9a-f]{64})", output)[1]

    def train(self, name, folder, *arguments):
        """One epoch of a small dense network: digest of the data and training loss of the run file."""
        out = self.root / "runs"
        shutil.rmtree(out, ignore_errors=True)
        status, output = program(
            RUN,
            "--method",
            "dense",
            "--network",
            "resnet8",
            "--width",
            4,
            "--epochs",
            1,
            "--data",
            name,
            "--data-dir",
            folder,
            "--out",
            out,
            *arguments,
        )
        self.assertEqual(status, 0, output)
        self.assertRegex(output, r"[0-9.]+ % of training waiting for data")
        import h5py

        with h5py.File(next(out.glob("*/run.h5"))) as file:
            self.assertGreater(file["cost"].attrs["steps"], 0)
            digest = file["identity"].attrs["data_digest"]
            loss = file["trajectory/train_loss"][0]
        return (digest.decode() if isinstance(digest, bytes) else digest), loss

    def test_cifar10(self):
        lossless = DATA / "cifar-10-lossless"
        archive = self.root / "mirror" / "cifar-10-binary.tar.gz"
        archive.parent.mkdir()
        subprocess.run(["tar", "-C", lossless, "-czf", archive, "cifar-10-batches-bin"], check=True)
        folder = self.fetch("cifar10", archive)
        from_files = self.train("cifar10", folder)
        self.prepare("cifar10", folder)
        self.assertTrue((folder / "prepared/train.images").is_file())
        prepared = self.train("cifar10", folder, "--data-threads", 2)
        self.assertEqual(prepared, from_files, "the same bits from the prepared form and with other threads")
        self.assertEqual(self.digest_by_check("cifar10", folder), from_files[0])

    def test_cifar10_full_size_from_its_mirror(self):
        folder = self.fetch("cifar10", DATA / "mirror" / "cifar-10-binary.tar.gz")
        self.prepare("cifar10", folder)
        status, output = program(CHECK, "--data", "cifar10", "--data-dir", folder)
        self.assertEqual(status, 0, output)
        self.assertIn("train  50000 images in 10 classes of 5000 to 5000", output)

    def test_tinyimagenet(self):
        folder = self.fetch("tinyimagenet", DATA / "mirror" / "tiny-imagenet-200.zip")
        self.prepare("tinyimagenet", folder)
        digest = self.digest_by_check("tinyimagenet", folder)
        self.assertEqual(self.train("tinyimagenet", folder)[0], digest)
        shutil.rmtree(folder / "prepared")
        self.assertEqual(self.digest_by_check("tinyimagenet", folder), digest, "of the JPEG files themselves")

    def test_imagenet(self):
        source = DATA / "imagenet10"
        self.prepare("imagenet", source, "--to", self.root / "kept")
        self.prepare("imagenet", source, "--to", self.root / "small", "--short-side", 96)
        for folder in (source, self.root / "kept", self.root / "small"):
            digest = self.digest_by_check("imagenet", folder, "--image-edge", 32)
            self.assertEqual(self.train("imagenet", folder, "--image-edge", 32, "--batch-size", 50)[0], digest)


if __name__ == "__main__":
    missing = [part for part in ("cifar-10-lossless", "imagenet10", "mirror") if not (DATA / part).is_dir()]
    if missing:
        print(f"skipped: GCG_TEST_DATA names no folder with {', '.join(missing)}")
        sys.exit(77)
    unittest.main(argv=sys.argv[:1])
