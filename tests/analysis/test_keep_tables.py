"""Kept tables stand in for run files in an analysis; those of several machines come together; damage is found."""

import contextlib
import io
import json
import sys
import tempfile
import unittest
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "analysis"))
import analyse
import gcg_runs
import keep_tables
import run_files
import study_runs

KEPT_STUDY = Path(__file__).resolve().parents[2] / "docs" / "results" / "medium" / "grow_return-medium.json"


class Kept(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.study = run_files.toy_study(self.folder / "runs", ["one", "two"])
        self.into = self.folder / "kept"

    def keep(self, study=None):
        with contextlib.redirect_stdout(io.StringIO()) as said:
            keep_tables.main([str(study or self.study), "--into", str(self.into)])
        return said.getvalue().strip()

    def test_hold_what_an_analysis_reads_to_the_last_bit(self):
        self.assertEqual(self.keep(), f"{self.into}: 2 runs added, 2 in all")
        whole = study_runs.open_study(self.study).curves["a"]
        kept = study_runs.open_study(self.into / self.study.name).curves["a"]
        self.assertEqual(list(kept), [0, 1])
        for seed, run in kept.items():
            for part in set(gcg_runs.KEPT) - {"identity", "options", "option_table"}:
                np.testing.assert_equal(getattr(run, part), getattr(whole[seed], part), part)
            for name, number in run.final.items():
                np.testing.assert_equal(number, whole[seed].final[name], name)
            self.assertIn("test_accuracy", run.final)

    def test_have_the_provenance_of_their_runs(self):
        self.keep()
        of_runs, of_tables = (
            analyse.provenance(study_runs.open_study(path), "toys")
            for path in (self.study, self.into / self.study.name)
        )
        self.assertEqual(of_tables | {"commands": {}}, of_runs | {"commands": {}})

    def test_name_no_folder_of_the_machine(self):
        command = "gcg_run --method dense --out '/a b/runs' --seed 7 --data-dir=/c/d --network lenet5"
        self.assertEqual(keep_tables.without_places(command), "gcg_run --method dense --seed 7 --network lenet5")
        self.keep()
        run = study_runs.open_study(self.into / self.study.name).curves["a"][0]
        self.assertFalse({"out", "data-dir"} & {*run.options, *run.option_table["name"]})
        self.assertNotIn(str(self.folder), (self.into / self.study.name).read_text())

    def test_say_that_the_rest_is_where_the_run_was_made(self):
        self.keep()
        run = study_runs.open_study(self.into / self.study.name).curves["a"][0]
        for name in ("masks", "predictions", "statistics"):
            with self.assertRaisesRegex(gcg_runs.RunFileError, f"has no {name}: only the tables of this run were kept"):
                getattr(run, name)

    def test_of_several_machines_come_together(self):
        self.keep()
        other = run_files.toy_study(self.folder / "other", ["three"])
        content = json.loads(other.read_text())
        content["scale"] += "+first-seed=7"
        content["runs"][0]["seed"] = 7
        other = other.with_name("toy-smoke+first-seed=7.json")
        other.write_text(json.dumps(content))
        self.assertEqual(self.keep(other), f"{self.into}: 1 runs added, 3 in all")
        self.assertEqual(self.keep(), f"{self.into}: 0 runs added, 3 in all")
        self.assertEqual(list(study_runs.open_study(self.into / self.study.name).curves["a"]), [0, 1, 7])

    def test_of_another_training_under_the_same_name_are_refused(self):
        self.keep()
        with run_files.edited(self.folder / "runs" / "one" / "run.h5") as file:
            file["trajectory/train_loss"][0] += 1
        with self.assertRaisesRegex(SystemExit, "was trained otherwise than"):
            self.keep()

    def test_of_two_studies_do_not_mix(self):
        self.keep()
        content = json.loads(self.study.read_text())
        content["runs"][0]["name"] = "two"
        self.study.write_text(json.dumps(content))
        with self.assertRaisesRegex(SystemExit, "these are two studies"):
            self.keep()

    def changed(self, name, change, scale="smoke+first-seed=7"):
        """The study file of another run, seed 7, in a folder of its own, after change(content)."""
        path = run_files.toy_study(self.folder / name, [name])
        content = json.loads(path.read_text())
        content["scale"] = scale
        content["runs"][0]["seed"] = 7
        change(content)
        path.write_text(json.dumps(content))
        return path

    def test_of_a_scale_with_another_change_are_another_study(self):
        self.keep()
        for scale, kept in (
            ("smoke+first-seed=9+width=2", "smoke+width=2"),
            ("smoke+epochs=3+first-seed=12", "smoke+epochs=3"),
            ("smoke+longer-epochs=8,9+first-seed=1+width=2", "smoke+longer-epochs=8,9+width=2"),
        ):
            study = self.changed(kept, lambda content: None, scale)
            self.keep(study)
            self.assertEqual(json.loads((self.into / f"toy-{kept}.json").read_text())["scale"], kept)
        self.assertEqual(len(json.loads((self.into / self.study.name).read_text())["runs"]), 2)

    def test_of_studies_that_differ_are_refused_with_what_differs(self):
        def same(content):
            content |= {"data": "cifar10", "settings": {"width": ["8"], "longer-epochs": ["1", "2"], "seeds": ["3"]}}
            content["runs"][0] |= {"execution": "sparse", "trunk": "other curve"}
            # Another run of the study, which this one starts from.
            trunk = f"trunk-s{content['runs'][0]['seed']}"
            content["runs"].append(content["runs"][0] | {"curve": "other curve", "name": trunk, "options": {}})
            content["runs"][0]["options"] = {
                "epochs": "9",
                "seed": "7",
                "trunk": trunk,
                "out": content["runs"][0]["name"],
            }

        self.keep(self.changed("first", same, "smoke"))
        kept = self.into / "toy-smoke.json"
        before = kept.read_text()
        for name, said, change in (
            ("a", "data is tinyimagenet here and cifar10 there", lambda c: c.update(data="tinyimagenet")),
            ("b", "setting width is 2 here and 8 there", lambda c: c["settings"].update(width=["2"])),
            (
                "c",
                "setting longer-epochs is 1 here and 1, 2 there",
                lambda c: c["settings"].update({"longer-epochs": ["1"]}),
            ),
            ("d", "setting warmup is 1 here and not given there", lambda c: c["settings"].update(warmup=["1"])),
            ("e", "a: option epochs is 3 here and 9 there", lambda c: c["runs"][0]["options"].update(epochs="3")),
            ("f", "a: option beta is 1 here and not given there", lambda c: c["runs"][0]["options"].update(beta="1")),
            ("g", "a: execution is dense here and sparse there", lambda c: c["runs"][0].update(execution="dense")),
        ):
            with self.subTest(said):
                study = self.changed(name, lambda content, change=change: (same(content), change(content)))
                with self.assertRaises(SystemExit) as end:
                    self.keep(study)
                self.assertEqual(str(end.exception), f"{kept}: {said}: these are two studies; keep them in two folders")
                self.assertEqual(kept.read_text(), before)
                self.assertFalse((self.into / name).exists())

        def another_seed(content):
            content["runs"][0]["seed"] = 8
            same(content)
            content["settings"] |= {"seeds": ["1"], "first-seed": ["8"]}

        self.assertEqual(self.keep(self.changed("z", another_seed)), f"{self.into}: 1 runs added, 2 in all")

    def test_of_other_images_are_refused(self):
        self.keep()
        study = self.changed("other", lambda content: None)
        with run_files.edited(study.parent / "other" / "run.h5") as file:
            there = file["identity"].attrs["data_digest"]
            file["identity"].attrs["data_digest"] = "beef"
        with self.assertRaisesRegex(SystemExit, f"a: the data digest is beef here and {there} there: these are two"):
            self.keep(study)
        self.assertFalse((self.into / "other").exists())

    def test_of_another_seed_join_those_that_are_kept_in_this_project(self):
        self.into.mkdir()
        kept = KEPT_STUDY.read_text()
        (self.into / KEPT_STUDY.name).write_text(kept)
        content = json.loads(kept.replace("-s7-", "-s8-"))
        content["scale"] += "+first-seed=8"
        content["settings"]["first-seed"] = ["8"]
        content["settings"]["seeds"] = ["1"]
        for entry in content["runs"]:
            entry["seed"], entry["options"]["seed"] = 8, "8"
        study = self.folder / "grow_return-medium+first-seed=8.json"
        study.write_text(json.dumps(content))
        self.keep(study)
        joined = json.loads((self.into / KEPT_STUDY.name).read_text())
        self.assertEqual(len(joined["runs"]), 2 * len(content["runs"]))

    def test_that_cannot_be_placed_are_one_message(self):
        file = self.folder / "file"
        file.touch()
        for into, reason in (
            (file, "a file is in its place"),
            (file / "below", "a file is"),
            ("/proc/x", "No such file"),
        ):
            self.into = into
            with self.assertRaisesRegex(SystemExit, f"{into}: the folder cannot be made: {reason}"):
                self.keep()

    def test_that_are_damaged_are_no_traceback_where_others_are_added(self):
        self.keep()
        (self.into / "one" / gcg_runs.TABLES_NAME).write_text("[]")
        with self.assertRaisesRegex(SystemExit, rf"holds no tables of a run.*: remove {self.into / 'one'} first"):
            self.keep()
        (self.into / self.study.name).write_text("[]")
        with self.assertRaisesRegex(SystemExit, "is no study file"):
            self.keep()

    def test_that_are_damaged_are_left_out_by_name(self):
        self.keep()
        path = self.into / "one" / gcg_runs.TABLES_NAME
        whole = path.read_text()
        content = json.loads(whole)
        content["run"]["cost"]["epochs"] += 1
        for text, problem in (
            (json.dumps(content), "the checksum does not match"),
            (whole[:-20], "holds no tables of a run"),
            ("[]", "holds no tables of a run"),
            (json.dumps(content | {"version": 0}), "has version 0, this module reads 2"),
        ):
            path.write_text(text)
            with self.assertRaisesRegex(gcg_runs.RunFileError, problem):
                gcg_runs.load_tables(path)
        with contextlib.redirect_stderr(io.StringIO()) as said:
            self.assertEqual(list(study_runs.open_study(self.into / self.study.name).curves["a"]), [1])
        self.assertIn("1 of 2 runs cannot be read", said.getvalue())


if __name__ == "__main__":
    unittest.main()
