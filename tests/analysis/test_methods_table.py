"""Accuracy, paired differences and relative costs of the table of methods, from invented runs."""

import math
import sys
import unittest
from pathlib import Path
from types import SimpleNamespace

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "analysis"))
sys.path.insert(0, str(Path(__file__).resolve().parent))
import methods_table
from fakes import cell, study, summary_of


def run(accuracy, density=1.0, flops=100.0, scoring=0.0, dense_gradients=0.0, seconds=10.0, grow=0.0, warnings=()):
    return SimpleNamespace(
        final={"test_accuracy": accuracy, "density": density, "inference_flops": 8.0 * density},
        cost={
            "training_flops": flops,
            "scoring_flops": scoring,
            "dense_gradient_flops": dense_gradients,
            "train_seconds": seconds,
            "grow_seconds": grow,
            "peak_memory_bytes": 1000 * density,
            "epochs": 20,
        },
        warnings=list(warnings),
    )


class Cell(unittest.TestCase):
    def setUp(self):
        self.dense = {1: run(0.90), 2: run(0.92), 3: run(0.91)}

    def test_accuracy_and_paired_difference_over_seeds(self):
        cell = methods_table.cell({1: run(0.80), 2: run(0.83), 3: run(0.80)}, self.dense)
        self.assertEqual(cell["seeds"], [1, 2, 3])
        self.assertAlmostEqual(cell["test_accuracy"], 0.81)
        # Differences -0.10, -0.09, -0.11: deviation 0.01, t of 2 degrees 4.303.
        self.assertAlmostEqual(cell["gap"]["mean"], -0.10)
        self.assertAlmostEqual(cell["gap"]["half_interval"], 4.302652730 * 0.01 / math.sqrt(3))
        self.assertEqual(list(cell["gap"]["by_seed"]), ["1", "2", "3"])

    def test_every_kind_of_flops_and_the_mask_changes_are_paid(self):
        cell = methods_table.cell({1: run(0.8, 0.25, 20, 3, 7, 4, 1)}, self.dense)
        self.assertAlmostEqual(cell["training_flops"], 0.30)
        self.assertAlmostEqual(cell["seconds"], 0.5)
        self.assertAlmostEqual(cell["inference_flops"], 0.25)
        self.assertAlmostEqual(cell["peak_memory"], 0.25)

    def test_seeds_without_a_dense_run_count_for_the_accuracy_alone(self):
        cell = methods_table.cell({3: run(0.81), 4: run(0.71)}, self.dense)
        self.assertAlmostEqual(cell["test_accuracy"], 0.76)
        self.assertAlmostEqual(cell["gap"]["mean"], -0.10)
        self.assertIsNone(cell["gap"]["half_interval"])  # of one pair

    def test_without_dense_runs_there_is_no_relative_cost(self):
        cell = methods_table.cell({1: run(0.8)}, {})
        self.assertNotIn("gap", cell)
        self.assertNotIn("seconds", cell)

    def test_one_seed_has_no_interval_and_warnings_are_counted(self):
        cell = methods_table.cell({1: run(0.8, warnings=["a", "b"])}, self.dense)
        self.assertIsNone(cell["half_interval"])
        self.assertEqual(cell["warnings"], 2)


class Tables(unittest.TestCase):
    def summary(self, dense=None):
        dense = {1: run(0.90), 2: run(0.92)} if dense is None else dense
        curves = {
            "dense": dense,
            "SET: density 0.20": {1: run(0.80, 0.2, 20), 2: run(0.85, 0.2, 20)},
            "RigL: density 0.20": {1: run(0.85, 0.2, 20)},
            "RigL: density 0.05": {9: run(0.70, 0.05, 5)},
            "growth, path: density 0.20": {1: run(0.7, 0.2), 2: run(0.7201, 0.2)},
        }
        parts = {
            f"{method}: density {density:.2f}": cell(method, density)
            for method in ("SET", "RigL", "growth, path")
            for density in (0.2, 0.05)
        }
        return summary_of(methods_table, study({n: c for n, c in curves.items() if c}, parts=parts))

    def test_a_row_per_method_and_a_dash_for_what_is_missing(self):
        accuracy, differences, cost = methods_table.tables(self.summary())
        self.assertEqual(accuracy.header, ["method", "0.20", "0.05"])
        self.assertEqual(accuracy.rows[:2], [["SET", "82.5 ± 31.8", "-"], ["RigL", "85.0", "70.0"]])
        self.assertEqual(accuracy.notes[0], "Dense: 91.0 ± 12.7 (n = 2, 20 epochs).")
        # Seed 9 of RigL has no dense run; one pair has no interval.
        self.assertEqual(differences.rows[:2], [["SET", "-8.5 ± 19.1", "-"], ["RigL", "-5.0", "-"]])
        self.assertEqual(
            cost.rows[:2],
            [["SET", "0.200 / 1.00 / 0.200 / 0.20; 20", "-"], ["RigL", "0.200 / 1.00 / 0.200 / 0.20; 20", "-"]],
        )

    def test_differences_are_corrected_for_their_number_and_marked(self):
        summary = self.summary()
        self.assertEqual(summary["comparisons"], 2)  # SET and growth; RigL has one pair
        gap = summary["cells"]["growth, path: density 0.20"]["gap"]
        self.assertLess(gap["p"], 0.001)
        self.assertEqual(gap["p_holm"], 2 * gap["p"])
        table = methods_table.tables(summary)[1]
        self.assertEqual(table.rows[2][:2], ["growth, path", "-20.0 ± 0.1*"])
        self.assertEqual(
            table.notes, ["*: differs from 0 at 5 % after Holm's correction for the 2 comparisons of this table."]
        )

    def test_findings_rank_without_presuming(self):
        said = methods_table.findings(self.summary())
        self.assertEqual(
            said[0],
            (
                "At density 0.20 the highest mean test accuracy of 3 methods is that of RigL (85.0 %; n = 1; a maximum"
                " over methods is biased upwards); path growth has rank 3 with 71.0 ± 12.8 %."
            ),
        )
        self.assertEqual(
            said[1],
            (
                "At density 0.20: path growth is less accurate than dense training: -20.0 ± 0.1 points (n = 2), also"
                " significant after Holm's correction."
            ),
        )
        self.assertEqual(
            said[-1],
            (
                "Of 2 comparisons with dense training, 1 are significantly below it after Holm's correction and 0 above"
                " it."
            ),
        )

    def test_without_dense_runs_the_table_still_stands(self):
        accuracy, differences, _ = methods_table.tables(self.summary(dense={}))
        self.assertEqual(accuracy.notes, ["Seeds per cell: 1 or 2."])
        self.assertEqual(differences.rows[0], ["SET", "-", "-"])


if __name__ == "__main__":
    unittest.main()
