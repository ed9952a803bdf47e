"""Laying out ILSVRC2012 archives: a tar of one tar per class, a flat tar of validation images, a list of labels."""

import hashlib
import io
import json
import tarfile
import tempfile
import unittest
from pathlib import Path

from mirror import run

TRAIN = {"n00000001": {"n00000001_1.JPEG": b"a", "n00000001_2.JPEG": b"b"}, "n00000002": {"n00000002_7.JPEG": b"c"}}
VALIDATION = {"ILSVRC2012_val_00000001.JPEG": b"d", "ILSVRC2012_val_00000002.JPEG": b"e"}
KAGGLE = (
    "ImageId,PredictionString\nILSVRC2012_val_00000002,n00000001 1 2 3 4 \nILSVRC2012_val_00000001,n00000002 1 2 3 4\n"
)
PLAIN = "ILSVRC2012_val_00000001.JPEG n00000002\nILSVRC2012_val_00000002.JPEG n00000001\n"


def tar_bytes(files):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


class ImageNetTest(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.root = Path(self.folder.name)
        self.out = self.root / "out"
        self.publish({f"{name}.tar": tar_bytes(files) for name, files in TRAIN.items()}, VALIDATION)
        (self.root / "labels").write_text(KAGGLE)

    def publish(self, train, validation, train_tar=None):
        archives = []
        for part, files in (("train", train), ("val", validation)):
            name, content = f"ILSVRC2012_img_{part}.tar", tar_bytes(files)
            if part == "train" and train_tar:
                content = train_tar
            (self.root / name).write_bytes(content)
            archives.append(
                {"name": name, "part": part, "bytes": len(content), "md5": hashlib.md5(content).hexdigest()}
            )
        (self.root / "m.json").write_text(
            json.dumps(
                {"name": "imagenet", "licence": "yours", "citation": "c", "folder": "imagenet", "archives": archives}
            )
        )

    def lay_out(self):
        return run(
            "imagenet.py",
            "--archives",
            self.root,
            "--labels",
            self.root / "labels",
            "--out",
            self.out,
            "--manifest",
            self.root / "m.json",
        )

    def check_laid_out(self):
        found = {
            str(path.relative_to(self.out)): path.read_bytes()
            for path in self.out.rglob("*")
            if path.is_file() and path.name != ".lock"
        }
        self.assertEqual(
            found,
            {
                "train/n00000001/n00000001_1.JPEG": b"a",
                "train/n00000001/n00000001_2.JPEG": b"b",
                "train/n00000002/n00000002_7.JPEG": b"c",
                "val/n00000002/ILSVRC2012_val_00000001.JPEG": b"d",
                "val/n00000001/ILSVRC2012_val_00000002.JPEG": b"e",
            },
        )

    def check_failed(self, text):
        status, output = self.lay_out()
        self.assertEqual(status, 1, output)
        self.assertIn(text, output)
        self.assertNotIn("Traceback", output)

    def test_classes_become_folders(self):
        status, output = self.lay_out()
        self.assertEqual(status, 0, output)
        self.check_laid_out()

    def test_labels_may_be_a_plain_list(self):
        (self.root / "labels").write_text(PLAIN)
        self.assertEqual(self.lay_out()[0], 0)
        self.check_laid_out()

    def test_goes_on_after_an_interruption(self):
        done = self.out / "train/n00000001"
        done.mkdir(parents=True)
        for name, content in TRAIN["n00000001"].items():
            (done / name).write_bytes(content)
        (self.out / ".train-n00000002").mkdir()
        (self.out / ".train-n00000002/half").write_bytes(b"x")
        status, output = self.lay_out()
        self.assertEqual(status, 0, output)
        self.assertNotIn("train/n00000001", output)
        self.check_laid_out()

    def test_wrong_digest_is_an_error_before_anything_is_unpacked(self):
        path = self.root / "ILSVRC2012_img_val.tar"
        content = bytearray(path.read_bytes())
        content[600] ^= 1
        path.write_bytes(content)
        self.check_failed("ILSVRC2012_img_val.tar: md5 is")
        self.assertFalse((self.out / "train").exists())

    def test_labels_and_images_must_match(self):
        (self.root / "labels").write_text(PLAIN.splitlines()[0])
        self.check_failed("ILSVRC2012_val_00000002.JPEG: the list of labels does not name this image")
        (self.root / "labels").write_text(PLAIN + "ILSVRC2012_val_00000003.JPEG n00000001\n")
        self.check_failed("1 images of the list of labels are missing, ILSVRC2012_val_00000003 first")
        self.assertFalse((self.out / "val").exists())
        (self.root / "labels").write_text("ILSVRC2012_val_00000001.JPEG dog\n")
        self.check_failed("labels: line 1: no image and class")
        (self.root / "labels").write_bytes(b"\xff\xd8\xff\xe0")
        self.check_failed("labels: line 1: no image and class")

    def test_cut_class_archives_are_errors_that_name_them(self):
        whole = tar_bytes(TRAIN["n00000001"])
        for size, text in ((2 * 512, "ends without its end mark"), (3 * 512, "cannot be unpacked"), (0, "cannot be")):
            self.publish({"n00000002.tar": tar_bytes(TRAIN["n00000002"]), "n00000001.tar": whole[:size]}, VALIDATION)
            self.check_failed("ILSVRC2012_img_train.tar, member n00000001.tar: ")
            self.check_failed(text)
            self.check_failed("remedy: get the archive again")
            self.assertFalse((self.out / "train/n00000001").exists())

    def test_classes_and_images_that_occur_twice_are_errors(self):
        class_tar = tar_bytes(TRAIN["n00000001"])
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w") as archive:
            for _ in range(2):
                member = tarfile.TarInfo("n00000001.tar")
                member.size = len(class_tar)
                archive.addfile(member, io.BytesIO(class_tar))
        self.publish({}, VALIDATION, train_tar=buffer.getvalue())
        self.check_failed("member 'n00000001.tar' occurs twice")

    def test_a_manifest_can_be_made_from_archives_of_ones_own(self):
        archives = [self.root / f"ILSVRC2012_img_{part}.tar" for part in ("train", "val")]
        (self.root / "m.json").unlink()
        status, output = run("make_manifest.py", "imagenet", *archives)
        self.assertEqual(status, 0, output)
        self.assertEqual(json.loads(output)["files"], {})
        (self.root / "m.json").write_text(output)
        status, output = self.lay_out()
        self.assertEqual(status, 0, output)
        self.check_laid_out()

    def test_a_manifest_without_a_part_is_an_error(self):
        manifest = json.loads((self.root / "m.json").read_text())
        for part in ("train", "val"):
            changed = json.loads(json.dumps(manifest))
            del changed["archives"][0 if part == "train" else 1]["part"]
            (self.root / "m.json").write_text(json.dumps(changed))
            self.check_failed(f"m.json: no archive has the part '{part}'")

    def test_labels_may_begin_with_a_byte_order_mark(self):
        (self.root / "labels").write_text(KAGGLE, encoding="utf-8-sig")
        status, output = self.lay_out()
        self.assertEqual(status, 0, output)
        self.check_laid_out()

    def test_hostile_members_are_errors(self):
        self.publish({"../n00000001.tar": b""}, VALIDATION)
        self.check_failed("is no archive of a class")
        self.publish({"n00000001.tar": tar_bytes({"../x": b"y"})}, VALIDATION)
        self.check_failed("'../x' is no image file")
        self.assertFalse((self.out / "train/n00000001").exists())


if __name__ == "__main__":
    unittest.main()
