"""What gcg_data_prepare accepts on its command line, and what it and gcg_data_check tell of a data set.

    test_prepare.py GCG_DATA_PREPARE GCG_DATA_CHECK
"""

import struct
import subprocess
import sys
import tempfile
import unittest
import zlib
from pathlib import Path

PREPARE, CHECK = sys.argv[1:3]


def png(width, height, level):
    """An RGB image of one colour."""

    def chunk(kind, content):
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    rows = (b"\0" + bytes((level,)) * 3 * width) * height
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


class PrepareTest(unittest.TestCase):
    def check_refused(self, text, *arguments):
        result = subprocess.run(
            [PREPARE, "--from", "/nowhere", *arguments],
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=60,
        )
        self.assertEqual(result.returncode, 2, result.stdout)
        self.assertIn(text, result.stdout)

    def test_options_that_would_be_ignored_are_errors(self):
        for name in ("cifar10", "idx", "tinyimagenet"):
            self.check_refused("--short-side: has no effect here", "--data", name, "--short-side", "256")
            self.check_refused("--quality: has no effect here", "--quality", "80", "--data", name)
        self.check_refused("--quality: has no effect here", "--data", "imagenet", "--quality", "80")
        for option in ("--skip-damaged", "--pass-over"):
            self.check_refused(f"{option}: has no effect here", "--data", "cifar100-fine", option, "on")

    def test_an_option_given_twice_is_an_error(self):
        self.check_refused("--data: is given twice", "--data", "cifar10", "--data", "idx")


class WhatIsTold(unittest.TestCase):
    def setUp(self):
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.folder = Path(temporary.name)

    def output(self, program, *arguments, status=0):
        """The lines of its output, or of its error."""
        command = [program, *map(str, arguments), "--threads", "1"]
        done = subprocess.run(command, text=True, capture_output=True, timeout=60, check=False)
        self.assertEqual(done.returncode, status, done.stdout + done.stderr)
        return (done.stderr if status else done.stdout).splitlines()

    def write_idx(self, labels):
        """Images of 8 x 8 pixels with these labels, {"train" or "t10k": [label]}."""
        for part, numbers in labels.items():
            head = struct.pack(">IIII", 0x803, len(numbers), 8, 8)
            pixels = bytes((17 * i + p) % 256 for i in range(len(numbers)) for p in range(64))
            (self.folder / f"{part}-images-idx3-ubyte").write_bytes(head + pixels)
            (self.folder / f"{part}-labels-idx1-ubyte").write_bytes(
                struct.pack(">II", 0x801, len(numbers)) + bytes(numbers)
            )

    def write_images(self):
        """Folders in ImageNet's layout: two classes of three training images and one for the test."""
        for part, count in (("train", 3), ("val", 1)):
            for number in (1, 2):
                folder = self.folder / part / f"n{number:08}"
                folder.mkdir(parents=True)
                for i in range(count):
                    (folder / f"{i}.png").write_bytes(png(16, 16, 40 * number + 10 * i + count))

    def test_the_images_of_every_class_are_counted(self):
        self.write_idx({"train": [0, 1, 2, 0, 1, 0], "t10k": [2, 1, 0, 2]})
        lines = self.output(CHECK, "--data", "idx", "--data-dir", self.folder)
        self.assertEqual(
            [line for line in lines if "images" in line],
            [
                "train  6 images in 3 classes of 1 to 3, 0 of them twice",
                "       images by class: 0 3, 1 2, 2 1",
                "test   4 images in 3 classes of 1 to 2, 0 of them twice",
                "       images by class: 0 1, 1 1, 2 2",
                "4 images of test are in train too",
            ],
        )

    def test_a_sheet_replaces_nothing_but_an_earlier_sheet(self):
        self.write_images()
        data = ("--data", "imagenet", "--data-dir", self.folder)
        image = self.folder / "train" / "n00000001" / "0.png"
        before = image.read_bytes()
        self.assertIn("lies in the folder", self.output(CHECK, *data, "--sheet", image, status=2)[0])
        self.assertEqual(image.read_bytes(), before)
        with tempfile.TemporaryDirectory() as elsewhere:
            notes, sheet = Path(elsewhere) / "notes.txt", Path(elsewhere) / "sheet.png"
            notes.write_text("mine")
            self.assertIn("is no PNG file", self.output(CHECK, *data, "--sheet", notes, status=1)[0])
            self.assertEqual(notes.read_text(), "mine")
            for _ in range(2):
                self.output(CHECK, *data, "--sheet", sheet)

    def test_an_option_is_never_the_value_of_the_one_before_it(self):
        said = self.output(CHECK, "--data", "imagenet", "--sheet", "--data-dir", self.folder, status=2)[0]
        self.assertIn("--sheet: has no value: the option --data-dir follows it", said)

    def test_classes_are_counted_under_their_names(self):
        self.write_images()
        lines = self.output(CHECK, "--data", "imagenet", "--data-dir", self.folder)
        self.assertIn("       images by class: n00000001 3, n00000002 3", lines)
        self.assertIn("       images by class: n00000001 1, n00000002 1", lines)

    def test_what_is_passed_over_is_counted_and_named(self):
        self.write_images()
        strays = [self.folder / "train" / "n00000002" / name for name in ("0.webp", "notes.txt")]
        for stray in strays:
            stray.write_text("x")
        told = [
            "2 files or folders are not in the data set:",
            f"  {strays[0]}: neither JPEG nor PNG",
            f"  {strays[1]}: no image",
        ]
        for program, arguments in (
            (CHECK, ("--data-dir", self.folder)),
            (PREPARE, ("--from", self.folder, "--to", self.folder / "prepared")),
        ):
            with self.subTest(program):
                refused = self.output(program, "--data", "imagenet", *arguments, status=1)
                self.assertIn(f"{strays[0]}: neither JPEG nor PNG: it would be left out", "\n".join(refused))
                self.assertIn("--pass-over on", "\n".join(refused))
                lines = self.output(program, "--data", "imagenet", *arguments, "--pass-over", "on")
                first = lines.index(told[0])
                self.assertEqual(lines[first : first + 3], told)

    def test_damaged_images_that_are_left_out_are_counted_and_listed(self):
        self.write_images()
        for name in ("train/n00000001/0.png", "train/n00000002/2.png"):
            (self.folder / name).write_bytes((self.folder / name).read_bytes()[:40])
        to = self.folder / "prepared"
        arguments = ("--data", "imagenet", "--from", self.folder, "--to", to)
        refused = self.output(PREPARE, *arguments, status=1)
        self.assertIn(f"{self.folder}/train/n00000001/0.png: ", "\n".join(refused))
        lines = self.output(PREPARE, *arguments, "--skip-damaged", "on")
        self.assertIn(f"2 damaged images were left out: {to}/train.left_out.txt", lines)
        self.assertFalse([line for line in lines if "test.left_out" in line])
        listed = (to / "train.left_out.txt").read_text().splitlines()
        self.assertTrue(listed[0].startswith(f"{self.folder}/train/n00000001/0.png: "), listed)
        checked = self.output(CHECK, "--data", "imagenet", "--data-dir", self.folder)
        self.assertIn("       images by class: n00000001 2, n00000002 2", checked)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
