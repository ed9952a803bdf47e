"""The example of an analysis from run files alone."""

import contextlib
import io
import sys
import tempfile
import unittest
from pathlib import Path
from types import SimpleNamespace
from unittest import mock

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "analysis" / "examples"), str(ROOT / "analysis")]  # as the package installs them
import stem_share


class StemShare(unittest.TestCase):
    def test_rows_are_the_stages_of_growth_with_a_mask(self):
        run = SimpleNamespace(
            layers={"name": ["stem.conv", "fc"]},
            statistics={"stage": np.array([0, 1, 2]), "layers": {"present": np.array([[1, 3], [2, 2], [4, 0]])}},
            stages={"stage": [0, 1, 2], "phase": ["stage", "stage", "final"], "validation_accuracy": [0.3, 0.4, 0.5]},
        )
        self.assertEqual(stem_share.stage_rows(run, "stem.conv"), [(0, 0.25, 0.3), (1, 0.5, 0.4)])
        with self.assertRaisesRegex(SystemExit, "no layer head; the layers are stem.conv, fc"):
            stem_share.stage_rows(SimpleNamespace(path="x", layers=run.layers), "head")

    def test_rules_are_compared_at_stages_that_all_have_and_where_masks_differ(self):
        found = stem_share.deviations(
            {"a": [(0, 0.5, 0.3), (1, 0.4, 0.5), (2, 0.3, 0.9)], "b": [(0, 0.5, 0.3), (1, 0.2, 0.6)]}
        )
        np.testing.assert_allclose(found["a"], [[0.1, -0.05]])
        np.testing.assert_allclose(found["b"], [[-0.1, 0.05]])

    def test_correlation_of_a_seed(self):
        self.assertAlmostEqual(stem_share.correlation({"a": [(1, 2), (2, 4)], "b": [(3, 6)]}), 1)
        self.assertIsNone(stem_share.correlation({"a": [(1, 2), (1, 4), (1, 3)]}))
        self.assertIsNone(stem_share.correlation({"a": [(1, 2)]}))

    def main(self, *arguments):
        with mock.patch.object(sys, "argv", ["stem_share.py", *map(str, arguments)]):
            with contextlib.redirect_stdout(io.StringIO()):
                stem_share.main()

    def test_the_folder_of_the_figure_is_made(self):
        def run(share, accuracy):
            present = np.array([[10, 90], [share, 100 - share]])
            return SimpleNamespace(
                identity={"method": "gcg"},
                layers={"name": ["stem.conv", "fc"]},
                statistics={"stage": np.array([0, 1]), "layers": {"present": present}},
                stages={"stage": [0, 1], "phase": ["stage", "stage"], "validation_accuracy": [0.3, accuracy]},
            )

        study = {"a": {1: run(10, 0.4)}, "b": {1: run(20, 0.5)}}
        with tempfile.TemporaryDirectory() as folder, mock.patch("gcg_runs.load_study", return_value=study):
            self.main("study.json", "--into", f"{folder}/new/x")
            self.assertTrue(Path(f"{folder}/new/x/stem_share.png").exists())
            Path(f"{folder}/file").touch()
            for place in (f"{folder}/file", "/proc/x"):
                with self.assertRaisesRegex(
                    SystemExit, f"^{place}/stem_share.png: cannot be written: .*; name another"
                ):
                    self.main("study.json", "--into", place)

    def test_a_study_that_is_not_there_is_told(self):
        with self.assertRaisesRegex(SystemExit, "nowhere.json: no such study file"):
            self.main("nowhere.json")


if __name__ == "__main__":
    unittest.main()
