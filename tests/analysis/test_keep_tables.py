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
