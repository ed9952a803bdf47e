"""Files that are damaged, malformed or none, and places that cannot be replaced: one message each, and one bad run file
does not stop the others. GCG_SAMPLE_RUN names a run file, GCG_RUN gcg_run, with gcg_export and gcg_replay beside it."""

import contextlib
import errno
import io
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path
from unittest import mock

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "analysis"), str(Path(__file__).resolve().parent)]

import h5py

import analyse
import bench
import compare
import demo
import example_page
import figures
import gcg_runs
import heads
import pareto
import report
import texts
from run_files import ENTRY, STUDY, edited, toy_study
from study_runs import open_study
from synthetic import agreement

SAMPLE = Path(os.environ["GCG_SAMPLE_RUN"])
PROGRAMS = Path(os.environ["GCG_RUN"]).parent


def truncated(path):
    path.write_bytes(path.read_bytes()[:-1])


def flipped(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def empty(path):
    path.write_bytes(b"")


def sealed_nonsense(path):
    path.unlink()
    with edited(path):
        pass


def other_schema(path):
    with edited(path) as file:
        file.attrs["schema_version"] = 99


def of_another_run(path):
    with edited(path) as file:
        file["identity"].attrs["name"] = "another"


def without_column(path):
    with edited(path) as file:
        del file["stages/density"]


def without_attribute(path):
    with edited(path) as file:
        del file["cost"].attrs["epochs"]


def other_mask(path):
    with edited(path) as file:
        file["masks/stage_000/stem.conv"][0] ^= 1


def folder(path):
    path.unlink()
    path.mkdir()


def pipe(path):
    path.unlink()
    os.mkfifo(path)


DAMAGES = (
    *(truncated, flipped, empty, sealed_nonsense, other_schema, of_another_run, without_column, without_attribute),
    *(other_mask, folder, pipe),
)
# What is no study file, each for another reason.
NO_STUDIES = [
    *(b"", b"{", b"[]", b"7", b'{"version": 2}', b"\xff\xfe{", b'{"runs": "\xe9"}', b"[" * 100_000),
    *(json.dumps(STUDY | {"runs": runs}).encode() for runs in ({}, [1], [{}], [ENTRY | {"name": "../one"}])),
    *(json.dumps(STUDY | {"runs": [ENTRY | {key: None}]}).encode() for key in ("curve", "seed", "name")),
]
NO_ANALYSIS = [
    *(json.dumps(STUDY | {"runs": [ENTRY | {key: None}]}).encode() for key in ("role", "values", "of", "command")),
    json.dumps(STUDY | {"runs": [ENTRY | {"values": {"density": "x"}}]}).encode(),
    json.dumps(STUDY | {"experiment": 7, "runs": [ENTRY]}).encode(),
    json.dumps(STUDY | {"experiment": "os.path", "runs": []}).encode(),
]


def ended(main, *arguments):
    """What a program says as it ends with an error, and nothing else: a traceback would be another exception."""
    with contextlib.redirect_stdout(io.StringIO()), mock.patch.object(sys, "argv", ["program", *map(str, arguments)]):
        try:
            main()
        except SystemExit as end:
            return str(end)
    raise AssertionError(f"{main} accepts {arguments}")


def printed(main, *arguments):
    """What a program prints that succeeds."""
    with contextlib.redirect_stdout(io.StringIO()) as said:
        with mock.patch.object(sys, "argv", ["program", *map(str, arguments)]):
            main()
    return said.getvalue()


class Folder(unittest.TestCase):
    def setUp(self):
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.folder = Path(temporary.name)

    def run_program(self, *command, **environment):
        known = os.environ | {"PYTHONPATH": str(self.folder), "PYTHONDONTWRITEBYTECODE": "1"} | environment
        return subprocess.run(list(map(str, command)), env=known, capture_output=True, check=False)


class DamagedRuns(Folder):
    def setUp(self):
        super().setUp()
        self.damaged = [damage.__name__ for damage in DAMAGES]
        self.path = toy_study(self.folder, ["whole", *self.damaged])
        for damage in DAMAGES:
            damage(self.folder / damage.__name__ / "run.h5")

    def test_analysis_export_and_replay_come_to_one_verdict(self):
        with contextlib.redirect_stderr(io.StringIO()):
            study = open_study(self.path)
        self.assertEqual(list(study.curves["a"]), [0])
        self.assertEqual(len(study.missing), len(DAMAGES))
        replay = self.run_program(PROGRAMS / "gcg_replay", self.path).stderr.decode()
        self.assertIn(f"{len(DAMAGES)} of {len(DAMAGES) + 1} runs cannot be read and are left out:\n", replay)
        for name, missing in zip(self.damaged, study.missing):
            with self.subTest(name):
                self.assertRegex(missing, r"^a, seed \d+ \(.*\)$")
                self.assertIn(f"  {self.folder / name / 'run.h5'}: ", replay)
                if name != "of_another_run":  # a folder may have any name
                    export = self.run_program(PROGRAMS / "gcg_export", self.folder / name)
                    self.assertEqual(export.returncode, 1)
                    self.assertIn(f"{self.folder / name / 'run.h5'}: ", export.stderr.decode())

    def test_whatever_is_missing_export_and_analysis_say_so(self):
        path = self.folder / "whole" / "run.h5"
        whole = path.read_bytes()
        places = []
        with h5py.File(path) as file:
            file.visititems(lambda name, item: places.extend([(name, None), *((name, key) for key in item.attrs)]))
        for place, attribute in random.Random(7).sample(places, 20):
            with self.subTest(place, attribute=attribute):
                path.write_bytes(whole)
                with edited(path) as file:
                    if attribute is None:
                        del file[place]
                    else:
                        del file[place].attrs[attribute]
                export = self.run_program(PROGRAMS / "gcg_export", path.parent).stderr.decode()
                try:
                    gcg_runs.check(path)
                    self.assertNotIn("run.h5: ", export)
                except gcg_runs.RunFileError:
                    self.assertIn("run.h5: ", export)

    def test_the_study_is_analysed_without_them(self):
        done = self.run_program("/usr/bin/python3", ROOT / "analysis" / "analyse.py", self.path)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn(
            f"{len(DAMAGES)} of {len(DAMAGES) + 1} runs cannot be read and are left out:", done.stderr.decode()
        )
        summary = json.loads((self.folder / "toy-smoke.summary.json").read_bytes())
        self.assertEqual(summary["accuracy"], {"0": 0.625})
        self.assertEqual(
            summary["missing"][1],
            f"a, seed 2 (the checksum does not match: the file is damaged; {gcg_runs.REBUILD})",
        )
        self.assertIn("**Not finished (11):** a, seed 1 (is not a run file", done.stdout.decode())

    def test_the_other_readers_leave_them_out(self):
        errors = []
        study = gcg_runs.load_study(self.path, errors)
        self.assertEqual(({curve: list(runs) for curve, runs in study.items()}, len(errors)), ({"a": [0]}, 11))
        said = io.StringIO()
        with contextlib.redirect_stderr(said), contextlib.redirect_stdout(said):
            gcg_runs.load_study(self.path)
            compare.main([str(self.path), str(self.path)])
        self.assertEqual(said.getvalue().count("runs cannot be read and are left out:"), 3)
        self.assertIn("seed 2 (the checksum does not match", said.getvalue())

    def test_the_demo_names_them(self):
        shutil.copy(self.path, self.folder / "demo-smoke.json")
        with contextlib.redirect_stderr(io.StringIO()):
            self.assertIn("not finished: a, seed 1 (is not a run file", ended(demo.main, self.folder))


class StudyFiles(Folder):
    def test_what_is_no_study_file_is_told_with_its_name_and_the_remedy(self):
        path = self.folder / "demo-smoke.json"
        for content in NO_STUDIES + NO_ANALYSIS:
            with self.subTest(content[:90]):
                path.write_bytes(content)
                for main, argument in ((analyse.main, path), (demo.main, self.folder)):
                    said = ended(main, argument)
                    if b"os.path" not in content:
                        self.assertRegex(said, rf"{path}: .*; give the experiment's command again")
        for content in NO_STUDIES:
            with self.subTest(content[:90]):
                path.write_bytes(content)
                self.assertIn(f"{path}: ", ended(compare.main, path, path))
                with self.assertRaisesRegex(gcg_runs.RunFileError, rf"{path}: .*; give the experiment's command again"):
                    gcg_runs.load_study(path)
                done = self.run_program(PROGRAMS / "gcg_replay", path)
                self.assertEqual(done.returncode, 1)
                self.assertRegex(done.stderr.decode(errors="replace"), rf"^gcg_replay: {path}: .*(\n  remedy: .*)?\n$")

    def test_the_report_names_a_file_that_is_none(self):
        path = self.folder / "demo-smoke.json"
        for content in NO_STUDIES:
            with self.subTest(content[:90]):
                path.write_bytes(content)
                self.assertRegex(ended(report.main, self.folder), rf"{path}: |no summary and no study file is there")

    def test_a_summary_that_is_none_is_told(self):
        path = self.folder / "execution_agreement-small.summary.json"
        for content in (b"[]", b"{}", b"\xff", b"{", json.dumps({"experiment": "growth_rules"}).encode()):
            with self.subTest(content):
                path.write_bytes(content)
                for main, arguments in ((analyse.main, ("--redraw", path)), (report.main, (self.folder,))):
                    self.assertRegex(ended(main, *arguments), rf"{path}: is no .*; make it anew: analyse.py")


class Examples(Folder):
    def test_what_is_no_example_is_told(self):
        page, example = self.folder / "x.html", self.folder / "example.py"
        self.assertIn(
            f"{example}: cannot be read: No such file or directory; name an", ended(example_page.main, example, page)
        )
        for content in (b"", b"print(1)", b"# %%\nprint(1)", b"# %% [markdown]\n# No heading.\n", b"\xff"):
            example.write_bytes(content)
            self.assertRegex(ended(example_page.main, example, page), f"^{example}: is no (example|text in UTF-8)")
        example.write_text("# %% [markdown]\n# # Title\n\n# %%\nimport gcg_runs\ngcg_runs.load('nowhere')\n")
        self.assertEqual(ended(example_page.main, example, page), "nowhere: no such file")
        self.assertFalse(page.exists())


class Benches(Folder):
    def test_what_make_bench_has_not_written_is_told(self):
        steps, kept = self.folder / "steps.json", self.folder / "kept.json"
        self.assertIn(f"{steps}: there is no such file; `make bench` writes it", ended(bench.main, self.folder))
        for content in (b"", b"[]", b"{}", b"\xff"):
            steps.write_bytes(content)
            kept.write_bytes(content)
            self.assertRegex(ended(bench.main, self.folder), f"^{steps}: is no .*; give `make bench` again")
            self.assertRegex(ended(bench.main, kept), f"^{kept}: is no .*; name ")
        self.assertEqual(sorted(path.name for path in self.folder.iterdir()), ["kept.json", "steps.json"])

    def test_a_kept_summary_may_be_drawn_where_it_lies(self):
        kept = self.folder / "bench.json"
        shutil.copy(ROOT / "docs" / "results" / "amx" / "bench.json", kept)
        printed(bench.main, kept, "--into", self.folder)
        self.assertTrue((self.folder / "bench.md").exists())


class Places(Folder):
    def test_a_text_is_written_through_links(self):
        target, link = self.folder / "far" / "page.html", self.folder / "link"
        target.parent.mkdir()
        for content in ("first", "second"):
            link.unlink(missing_ok=True)
            link.symlink_to(target)
            texts.write(link, content)
            self.assertTrue(link.is_symlink())
            self.assertEqual(target.read_text(), content)
        self.assertEqual(sorted(path.name for path in self.folder.rglob("*")), ["far", "link", "page.html"])

    def test_what_is_no_regular_file_is_not_replaced(self):
        pipe_ = self.folder / "pipe"
        os.mkfifo(pipe_)
        (self.folder / "link").symlink_to(pipe_)
        for place in (pipe_, self.folder / "link", self.folder, "/dev/null"):
            with self.assertRaisesRegex(SystemExit, f"{place}: is not a regular file and is not replaced; name"):
                texts.write(place, "text")
        self.assertTrue(pipe_.is_fifo())

    def test_a_file_of_another_kind_is_not_replaced(self):
        (self.folder / "execution_agreement-small.summary.json").write_text(json.dumps(agreement()))
        example = self.folder / "example.py"
        example.write_text("# %% [markdown]\n# # Title\n")
        page = self.folder / "page.html"
        for main, *arguments in ((report.main, self.folder, "--out", page), (example_page.main, example, page)):
            with self.subTest(main):
                for mine in (SAMPLE.read_bytes(), b"<html>", b"x"):
                    page.write_bytes(mine)
                    self.assertEqual(
                        ended(main, *arguments),
                        f"{page}: does not begin with '<!DOCTYPE html': it is a file of another kind and is not"
                        " replaced; name another",
                    )
                    self.assertEqual(page.read_bytes(), mine)
                for ours in (b"", b"<!doctype HTML>\n<title>old</title>"):
                    page.write_bytes(ours)
                    printed(main, *arguments)
                    self.assertTrue(page.read_text().startswith("<!DOCTYPE html>\n"))
                    self.assertNotIn("<title>old", page.read_text())
        readme = self.folder / "README.md"
        readme.write_text("mine")
        self.assertIn(
            f"{readme}: does not begin with '![connections of",
            ended(heads.main, SAMPLE, "--out", self.folder / "README"),
        )

    def test_a_folder_that_cannot_be_made_is_told_and_another_is_made(self):
        study = toy_study(self.folder, ["whole"])
        summary = self.folder / "execution_agreement-small.summary.json"
        summary.write_text(json.dumps(agreement()))
        example = self.folder / "example.py"
        example.write_text("# %% [markdown]\n# # Title\n")
        file = self.folder / "file"
        file.touch()
        commands = (
            (analyse.main, study, "--into", "PLACE"),
            (analyse.main, "--redraw", summary, "--into", "PLACE"),
            (pareto.main, "--into", "PLACE"),
            (bench.main, ROOT / "docs" / "results" / "amx" / "bench.json", "--into", "PLACE"),
            (report.main, summary, "--out", "PLACE/page.html"),
            (example_page.main, example, "PLACE/page.html"),
        )
        with mock.patch.object(sys, "path", [str(self.folder), *sys.path]):
            for number, (main, *arguments) in enumerate(commands):
                at = lambda place: [str(word).replace("PLACE", str(place)) for word in arguments]
                with self.subTest(main, number=number):
                    for place, reason in (
                        (file / "x", "a file is in its place"),
                        ("/proc/x", os.strerror(errno.ENOENT)),
                    ):
                        said = f"{place}: the folder cannot be made: {reason}; name another"
                        self.assertEqual(ended(main, *at(place)), said)
                    if main in (analyse.main, example_page.main):  # the others likewise, in more time
                        place = self.folder / str(number) / "new"
                        printed(main, *at(place))
                        self.assertTrue(list(place.iterdir()))

    def test_a_full_disk_leaves_the_old_file(self):
        study = toy_study(self.folder, ["whole"])
        summary = self.folder / "toy-smoke.summary.json"
        command = ["/usr/bin/python3", ROOT / "analysis" / "analyse.py", study]
        self.assertEqual(self.run_program(*command).returncode, 0)
        before = summary.read_bytes()
        names = sorted(self.folder.iterdir())
        # No file may grow beyond so many bytes, as on a full disk; Python ignores the signal that says so.
        limited = [
            "/usr/bin/python3",
            "-c",
            "import os, resource, sys;"
            f"resource.setrlimit(resource.RLIMIT_FSIZE, ({len(before) // 2},) * 2);"
            "os.execv(sys.argv[1], sys.argv[1:])",
        ]
        done = self.run_program(*limited, *command, "--data-name", "other")
        self.assertEqual(done.returncode, 1)
        self.assertEqual(
            done.stderr.decode(),
            f"{summary}: cannot be written: File too large; make room for it and start the same command again\n",
        )
        self.assertEqual((summary.read_bytes(), sorted(self.folder.iterdir())), (before, names))
        out = self.folder / "report.html"
        report_of = ["/usr/bin/python3", ROOT / "analysis" / "report.py", self.folder, "--out", out]
        done = self.run_program(*report_of)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("0.625", out.read_text())
        # The same of the report.
        before = out.read_bytes()
        done = self.run_program(*limited, *report_of)
        self.assertEqual(done.returncode, 1)
        self.assertIn(f"{out}: cannot be written: File too large", done.stderr.decode())
        self.assertEqual(out.read_bytes(), before)

    def test_a_figure_that_cannot_be_written_leaves_the_old_one(self):
        names = ["figure.pdf", "figure.png", "figure.svg"]
        for name in names:
            (self.folder / name).write_text("old")
        figure = figures.new_figure()[0]
        full = OSError(errno.ENOSPC, "No space left on device")
        with mock.patch("os.replace", side_effect=full), self.assertRaisesRegex(SystemExit, "figure.png: .*make room"):
            figures.save(figure, self.folder / "figure")
        self.assertEqual([(self.folder / name).read_text() for name in names], ["old"] * 3)
        self.assertEqual(sorted(os.listdir(self.folder)), names)

    def test_the_report_leaves_standard_output_in_its_place(self):
        (self.folder / "execution_agreement-small.summary.json").write_text(json.dumps(agreement()))
        before = os.lstat("/dev/stdout").st_ino
        done = self.run_program(
            "/usr/bin/python3", ROOT / "analysis" / "report.py", self.folder, "--out", "/dev/stdout"
        )
        self.assertEqual((done.returncode, os.lstat("/dev/stdout").st_ino), (1, before), done.stderr)
        self.assertIn(b"/dev/stdout: is not a regular file", done.stderr)


if __name__ == "__main__":
    unittest.main()
