"""Accuracy, paired differences and relative costs of the table of methods, from invented runs."""

import math
import sys
import unittest
from pathlib import Path
from types import SimpleNamespace

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "analysis"))
import methods_table  # noqa: E402


def run(accuracy, density=1.0, flops=100.0, scoring=0.0, dense_gradients=0.0, seconds=10.0, grow=0.0, warnings=()):
    return SimpleNamespace(
        final={"test_accuracy": accuracy, "density": density, "inference_flops": 8.0 * density},
        cost={"training_flops": flops, "scoring_flops": scoring, "dense_gradient_flops": dense_gradients,
              "train_seconds": seconds, "grow_seconds": grow, "peak_memory_bytes": 1000 * density, "epochs": 20},
        warnings=list(warnings))


class Cell(unittest.TestCase):
    def setUp(self):
        self.dense = {1: run(0.90), 2: run(0.92), 3: run(0.91)}

    def test_accuracy_and_paired_difference_over_seeds(self):
        cell = methods_table.cell({1: run(0.80), 2: run(0.83), 3: run(0.80)}, self.dense)
        self.assertEqual(cell["seeds"], [1, 2, 3])
        self.assertAlmostEqual(cell["test_accuracy"], 0.81)
        # Differences -0.10, -0.09, -0.11: deviation 0.01, t of 2 degrees 4.303.
        self.assertAlmostEqual(cell["gap"], -0.10)
        self.assertAlmostEqual(cell["gap_half_interval"], 4.303 * 0.01 / math.sqrt(3))

    def test_every_kind_of_flops_and_the_mask_changes_are_paid(self):
        cell = methods_table.cell({1: run(0.8, 0.25, 20, 3, 7, 4, 1)}, self.dense)
        self.assertAlmostEqual(cell["training_flops"], 0.30)
        self.assertAlmostEqual(cell["seconds"], 0.5)
        self.assertAlmostEqual(cell["inference_flops"], 0.25)
        self.assertAlmostEqual(cell["peak_memory"], 0.25)

    def test_seeds_without_a_dense_run_count_for_the_accuracy_alone(self):
        cell = methods_table.cell({3: run(0.81), 4: run(0.71)}, self.dense)
        self.assertAlmostEqual(cell["test_accuracy"], 0.76)
        self.assertAlmostEqual(cell["gap"], -0.10)
        self.assertIsNone(cell["gap_half_interval"])  # of one pair

    def test_without_dense_runs_there_is_no_relative_cost(self):
        cell = methods_table.cell({1: run(0.8)}, {})
        self.assertNotIn("gap", cell)
        self.assertNotIn("seconds", cell)

    def test_one_seed_has_no_interval_and_warnings_are_counted(self):
        cell = methods_table.cell({1: run(0.8, warnings=["a", "b"])}, self.dense)
        self.assertIsNone(cell["half_interval"])
        self.assertEqual(cell["warnings"], 2)


class Table(unittest.TestCase):
    def summary(self):
        dense = {1: run(0.90), 2: run(0.92)}
        cells = {"dense": methods_table.cell(dense, dense)}
        cells["SET: density 0.20"] = methods_table.cell({1: run(0.80, 0.2, 20), 2: run(0.82, 0.2, 20)}, dense)
        cells["RigL: density 0.20"] = methods_table.cell({1: run(0.85, 0.2, 20)}, dense)
        cells["RigL: density 0.05"] = methods_table.cell({9: run(0.70, 0.05, 5)}, dense)
        return {"cells": cells, "data": "images", "network": "resnet8", "densities": ["0.20", "0.05"],
                "methods": ["SET", "RigL"]}

    def test_a_row_per_method_and_a_dash_for_what_is_missing(self):
        text = methods_table.markdown(self.summary())
        rows = [line for line in text.splitlines() if line.startswith("| SET") or line.startswith("| RigL")]
        self.assertEqual(rows[0], "| SET | 81.0 ± 12.7 | - |")
        self.assertEqual(rows[1], "| RigL | 85.0 | 70.0 |")
        self.assertEqual(rows[2], "| SET | 0.200 / 1.00 / 0.200 / 0.20; 20 | - |")
        self.assertEqual(rows[3], "| RigL | 0.200 / 1.00 / 0.200 / 0.20; 20 | - |")  # seed 9 has no dense run
        self.assertIn("Dense: 91.0 ± 12.7 (2 seeds, 20 epochs).", text)

    def test_without_dense_runs_the_table_still_stands(self):
        summary = self.summary()
        del summary["cells"]["dense"]
        self.assertNotIn("Dense:", methods_table.markdown(summary))


if __name__ == "__main__":
    unittest.main()
