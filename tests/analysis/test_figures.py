"""Intervals, the curve of the fit and what the demo says of every outcome."""

import math
import sys
import tempfile
import unittest
from pathlib import Path
from types import SimpleNamespace

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "analysis"))
import bench
import demo
import execution_agreement
import growth_rules
from study_runs import Part
from intervals import (
    holm,
    holm_differences,
    logistic,
    mean_interval,
    paired,
    student_tail,
    t95,
)


class Intervals(unittest.TestCase):
    def test_mean_interval_of_three_values(self):
        mean, half = mean_interval([1.0, 2.0, 3.0])
        self.assertEqual(mean, 2.0)
        self.assertAlmostEqual(half, 4.302652730 / math.sqrt(3))

    def test_one_value_has_no_interval(self):
        self.assertTrue(math.isnan(mean_interval([1.0])[1]))

    def test_an_interval_excludes_zero_exactly_where_the_test_does(self):
        for degrees in range(1, 200):
            self.assertAlmostEqual(student_tail(t95(degrees), degrees), 0.05, places=7, msg=f"{degrees} degrees")
        self.assertTrue(math.isnan(t95(0)))

    def test_tail_of_student_agrees_with_its_table(self):
        for degrees, quantile in (
            (1, 12.706),
            (2, 4.302652730),
            (3, 3.182),
            (4, 2.776),
            (5, 2.571),
            (10, 2.228),
            (15, 2.131),
            (30, 2.042),
        ):
            self.assertAlmostEqual(student_tail(quantile, degrees), 0.05, delta=1e-4, msg=f"{degrees} degrees")
        self.assertAlmostEqual(student_tail(9.925, 2), 0.01, delta=1e-5)
        self.assertEqual(student_tail(0, 7), 1)

    def test_pairs_are_formed_by_seed(self):
        difference = paired({1: 0.5, 2: 0.6, 4: 0.9}, {1: 0.4, 2: 0.3, 3: 0.0})
        self.assertAlmostEqual(difference["mean"], 0.2)
        self.assertAlmostEqual(difference["half_interval"], 12.706204736 * 0.1)
        self.assertEqual(difference["seeds"], 2)
        self.assertAlmostEqual(difference["p"], student_tail(2, 1))
        self.assertIsNone(paired({1: 0.5}, {2: 0.5}))
        self.assertIsNone(paired({1: 0.5}, {1: 0.4})["p"])

    def test_equal_differences_have_no_spread(self):
        self.assertEqual(paired({1: 1.0, 2: 1.0}, {1: 0.5, 2: 0.5})["p"], 0)
        self.assertEqual(paired({1: 1.0, 2: 1.0}, {1: 1.0, 2: 1.0})["p"], 1)

    def test_holm_multiplies_by_what_is_left_and_never_decreases(self):
        adjusted = holm([0.01, None, 0.04, 0.03, 0.005])
        for found, expected in zip(adjusted, [0.03, None, 0.06, 0.06, 0.02]):
            self.assertEqual(found, expected) if expected is None else self.assertAlmostEqual(found, expected)
        self.assertEqual(holm([0.9, 0.8]), [1.0, 1.0])
        differences = [{"p": 0.02}, {"p": None}]
        self.assertEqual(holm_differences(differences), 1)
        self.assertEqual([d["p_holm"] for d in differences], [0.02, None])

    def test_logistic_passes_halfway_at_dh_and_starts_at_chance(self):
        self.assertAlmostEqual(float(logistic(np.array([0.1]), (0.9, 3.0, 0.1), 0.1)[0]), 0.5)
        self.assertAlmostEqual(float(logistic(np.array([1e-9]), (0.9, 3.0, 0.1), 0.1)[0]), 0.1)


def step_rounds(pairs):
    """Rounds of one network: (LibTorch, sparse at 0.05, sparse at 0.50) in milliseconds; our dense takes 0.8 of
    LibTorch."""
    return {
        "step/resnet20/threads:1": [
            {"label": "batch 128", "LibTorch": torch, "dense": 0.8 * torch, "sparse 0.05": low, "sparse 0.50": high}
            for torch, low, high in pairs
        ]
    }


class Bench(unittest.TestCase):
    def test_ratios_are_formed_within_rounds(self):
        # The machine slows down by half from round to round; every round says twice as fast.
        step = bench.steps_summary(step_rounds([(100, 50, 200), (200, 100, 400), (400, 200, 800)]))[0]
        low, high = step["densities"]
        self.assertEqual((low["density"], low["ratio"]), (0.05, {"median": 2, "low": 2, "high": 2, "rounds": 3}))
        self.assertEqual(high["ratio"]["median"], 0.5)
        self.assertEqual(step["libtorch_ms"]["median"], 200)
        self.assertAlmostEqual(low["ratio_to_own_dense"]["median"], 1.6)
        # Halfway between a ratio of 2 and one of 1/2, in logarithms.
        self.assertAlmostEqual(step["break_even_density"], math.sqrt(0.05 * 0.5))

    def test_what_falls_short_is_said(self):
        step = bench.steps_summary(step_rounds([(100, 50, 60)]))[0]
        low, high = bench.step_table(step)[1:]
        self.assertEqual(low[4], "4.2 (short)")
        self.assertEqual(high[4], "1.6")
        self.assertIsNone(step["break_even_density"])

    def test_bf16_is_held_against_both_dense_steps(self):
        rounds = step_rounds([(120, 50, 60), (240, 100, 120)])
        for entry, milliseconds in zip(rounds["step/resnet20/threads:1"], (1, 2)):
            entry |= {"sparse bf16 0.05": 20 * milliseconds, "LibTorch bf16": 80 * milliseconds}
        step = bench.steps_summary(rounds)[0]
        self.assertEqual((step["best_dense"], step["best_dense_ms"]["median"]), ("LibTorch bf16", 120))
        low, high = step["densities"]
        self.assertNotIn("bf16", high)
        self.assertEqual(low["bf16"]["ratio"]["median"], 6)
        self.assertEqual(low["bf16"]["ratio_to_best_dense"]["median"], 4)
        self.assertEqual(low["bf16"]["ratio_to_fp32"]["median"], 2.5)
        self.assertEqual(bench.bf16_table(step, "bf16", "sparse bf16")[1][3], "4.8")
        self.assertEqual(bench.bf16_table(step, "bf16_tiles", "sparse bf16 tiles"), [])

    def test_tiles_have_a_table_of_their_own_or_a_reason(self):
        rounds = step_rounds([(120, 50, 60), (240, 100, 120)])
        for entry, milliseconds in zip(rounds["step/resnet20/threads:1"], (1, 2)):
            entry |= {"sparse bf16 0.05": 20 * milliseconds, "sparse bf16 tiles 0.05": 24 * milliseconds}
        lines = bench.bf16_lines(bench.steps_summary(rounds)[0], bench.plain_table)
        (row,) = (line for line in lines[lines.index("") + 1 :] if "5.2 (short)" in line)
        self.assertIn(" 36.0 ", row)
        self.assertEqual(bench.tiles_lines({"tiles": "AMX"}), [])
        self.assertEqual(bench.tiles_lines({}), [])
        self.assertEqual(bench.tiles_lines({"tiles": "none: it has no AMX"}), ["No rows by tiles: it has no AMX.", ""])

    def test_a_bench_without_bf16_has_no_table_of_it(self):
        step = bench.steps_summary(step_rounds([(100, 50, 60)]))[0]
        self.assertEqual(step["best_dense"], "LibTorch")
        self.assertEqual(bench.bf16_lines(step, bench.plain_table), [])

    def test_the_executor_of_devices_has_its_table_where_it_was_timed(self):
        rounds = step_rounds([(120, 50, 60), (240, 100, 120)])
        self.assertEqual(bench.device_lines(bench.steps_summary(rounds)[0], bench.plain_table), [])
        for entry, milliseconds in zip(rounds["step/resnet20/threads:1"], (1, 2)):
            entry |= {"device": 100 * milliseconds, "device bf16": 60 * milliseconds}
        step = bench.steps_summary(rounds)[0]
        self.assertEqual(step["device"]["fp32"]["ratio"]["median"], 1.2)
        lines = bench.device_lines(step, bench.plain_table)
        self.assertRegex(lines[1], r"^fp32 +150\.0 +1\.20 \[1\.20, 1\.20\]$")
        self.assertRegex(lines[2], r"^bf16 +90\.0 +2\.00 ")

    def test_the_tensors_of_a_batch_are_held_against_their_limit(self):
        rows = [{"network": "vgg16", "batch": 128, "fp32_bytes": 200e6, "bf16_bytes": b} for b in (104e6, 120e6)]
        self.assertEqual([row[5] for row in bench.batch_table(rows)[1:]], ["0.55", "0.55 (short)"])

    def test_shares_are_of_the_peak_of_the_same_round(self):
        rounds = {
            "layer/a/threads:1": [
                {"peak": 2.0, "peak multiply-adds": 200.0, "forward 0.10": 1.0, "multiply-adds 0.10": 50.0},
                {"peak": 4.0, "peak multiply-adds": 200.0, "forward 0.10": 2.0, "multiply-adds 0.10": 50.0},
            ]
        }
        (row,) = bench.layers_summary(rounds)
        self.assertEqual((row["kernel"], row["density"], row["share_of_peak"]["median"]), ("forward", 0.1, 0.5))
        self.assertEqual(bench.geometric_means([row], 1)["forward"], {0.1: 0.5})

    def test_columns_are_lined_up(self):
        self.assertEqual(bench.plain_table([["a", "bb"], ["ccc", "d"]]), ["a    bb", "ccc   d"])


class Agreement(unittest.TestCase):
    def run_with(self, accuracy):
        return SimpleNamespace(
            identity={"validation_images": 30, "test_images": 10},
            trajectory={"train_loss": [1.0]},
            final={"validation_accuracy": accuracy, "test_accuracy": accuracy},
        )

    def test_equivalent_is_what_has_its_interval_within_the_margin(self):
        near = execution_agreement.compare(
            {s: self.run_with(0.5 + 0.001 * s) for s in (1, 2, 3)}, {s: self.run_with(0.5) for s in (1, 2, 3)}
        )
        self.assertAlmostEqual(near["difference"], 0.002)
        self.assertTrue(near["equivalent"])
        far = execution_agreement.compare(
            {s: self.run_with(0.5 + 0.01 * s) for s in (1, 2, 3)}, {s: self.run_with(0.5) for s in (1, 2, 3)}
        )
        self.assertFalse(far["equivalent"])
        one = execution_agreement.compare({1: self.run_with(0.5)}, {1: self.run_with(0.5)})
        self.assertEqual(execution_agreement.verdict(one), "one seed says nothing")

    def test_curves_are_means_over_the_seeds_that_every_way_has(self):
        def run(*losses):
            return SimpleNamespace(trajectory={"train_loss": losses, "validation_accuracy": [0.5] * len(losses)})

        found = {
            "sparse": {1: run(2.0, 1.0), 2: run(4.0, 2.0)},
            "bf16": {1: run(3.0, 2.0), 2: run(5.0, 4.0), 3: run(9, 9)},
        }
        curves = execution_agreement.curves(found)
        self.assertEqual(curves["sparse"]["train_loss"], [3.0, 1.5])
        self.assertEqual(curves["bf16"]["train_loss"], [4.0, 3.0])
        self.assertEqual(execution_agreement.curves({"sparse": {1: run(1.0)}, "bf16": {2: run(1.0)}}), {})
        with tempfile.TemporaryDirectory() as folder:
            summary = {"curves": {"0.10": curves, "1.00": {}}}
            (path,) = execution_agreement.figures(summary, Path(folder) / "agreement")
            self.assertGreater(Path(path).stat().st_size, 10_000)
            self.assertEqual(execution_agreement.figures({"curves": {"1.00": {}}}, Path(folder) / "none"), [])

    def test_the_verdict_is_one_clause_a_pair(self):
        row = {"half_interval": 0.01, "equivalent": True}
        said = execution_agreement.verdicts(
            {"pairs": {"bf16-sparse": {"1.0": row, "0.1": row | {"equivalent": False}}}}
        )
        self.assertEqual(len(said), len(execution_agreement.PAIRS))
        self.assertIn("sparse training in bf16 and fp32: not shown at density 0.1, equivalent at density 1", said)
        self.assertTrue(said[0].endswith(": not measured"))


class Demo(unittest.TestCase):
    def run_with(self, outcome, low=0.2, high=0.3):
        return SimpleNamespace(search={"outcome": outcome, "density": 0.25, "low": low, "high": high})

    def test_every_outcome_has_its_own_words(self):
        found = demo.finding(self.run_with("found"))
        self.assertIn("density 0.250, below which validation loss rises", found)
        self.assertIn("0.200 to 0.300", found)
        words = {demo.finding(self.run_with(o)) for o in ("found", "needs_dense", "budget", "smallest")}
        self.assertEqual(len(words), 4)
        self.assertIn("set by the budget, not searched", demo.finding(self.run_with("budget")))

    def test_an_interval_of_one_density_is_not_told(self):
        self.assertNotIn("not told", demo.finding(self.run_with("found", 0.25, 0.25)))
        self.assertNotIn("not told", demo.finding(self.run_with("budget", math.nan, math.nan)))


class Reader(unittest.TestCase):
    def curve(self, density, by_seed):
        return {"density": [density], "seeds": [1, 2, 3], "by_seed": [[a] for a in by_seed]}

    def parts(self, curves):
        return {name: Part("control" if len(c["density"]) == 1 else "growth", name) for name, c in curves.items()}

    def test_reader_tells_clearly_worse_from_clearly_within(self):
        curves = {
            "control: density 0.1": self.curve(0.1, [0.50, 0.51, 0.50]),
            "control: density 0.4": self.curve(0.4, [0.60, 0.605, 0.60]),
            "control: density 1.0": self.curve(1.0, [0.60, 0.605, 0.60]),
        }
        reader = growth_rules.reader_of_the_control(curves, self.parts(curves), 0.02)
        self.assertEqual(reader["by_mean"], 0.4)
        self.assertEqual(reader["clearly_worse_up_to"], 0.1)
        self.assertEqual(reader["clearly_within_from"], 0.4)

    def test_path_is_compared_with_every_rule_and_with_the_control_of_its_density(self):
        def by_rule(*stages):
            return {"density": [0.1, 0.2, 0.4], "seeds": [1, 2, 3], "by_seed": [[0.3, *row] for row in stages]}

        curves = {
            "path, sampled": by_rule([0.50, 0.60], [0.51, 0.61], [0.52, 0.62]),
            "random": by_rule([0.40, 0.60], [0.412, 0.60], [0.42, 0.63]),
            "control: density 0.2": self.curve(0.2, [0.55, 0.56, 0.581]),
            "control: density 1.0": self.curve(1.0, [0.6, 0.6, 0.6]),
        }
        found = growth_rules.differences(curves, self.parts(curves))
        first, second = found["rules"]["random"]  # the seed mask is the same and not compared
        self.assertEqual((first["density"], second["density"]), (0.2, 0.4))
        self.assertAlmostEqual(first["mean"], 0.2986 / 3, places=3)
        self.assertEqual(found["comparisons"], 2)
        self.assertLess(first["p_holm"], 0.05)
        self.assertAlmostEqual(second["mean"], 0)
        self.assertEqual([row["density"] for row in found["controls"]], [0.2])
        self.assertAlmostEqual(found["controls"][0]["mean"], -0.161 / 3)
        summary = {"data": "images", "curves": {}, "differences": found, "reader_of_the_control": []}
        self.assertEqual(
            growth_rules.findings(summary),
            [
                (
                    "Accuracy of path growth (sampled) compared with random: significantly higher at 1 of 2 stage"
                    " densities, lower at 0, no significant difference at 1 (+0.0 to +9.9 points; n = 3; 1 of 2"
                    " significant after Holm's correction)."
                ),
                (
                    "Accuracy of path growth when it reaches a density, compared with a network trained at this density"
                    " for all stages: significantly higher at 0 of 1 densities, lower at 1, no significant difference"
                    " at"
                    " 0 (-5.4 to -5.4 points; n = 3; 1 of 1 significant after Holm's correction)."
                ),
            ],
        )
        table = growth_rules.difference_table(summary)
        self.assertEqual(table.header, ["minus", "seeds", "0.200", "0.400"])
        self.assertEqual(table.rows[0][2], "+9.9 ± 0.3*")

    def test_d_star_over_seeds_counts_outcomes_and_averages_logarithms(self):
        fits = [
            {"outcome": "found", "d_star": 0.2},
            {"outcome": "found", "d_star": 0.8},
            {"outcome": "undetermined", "d_star": None},
        ]
        result = growth_rules.over_seeds(fits)
        self.assertAlmostEqual(result["d_star"], 0.4)
        self.assertEqual(result["outcomes"], "2 found, 1 undetermined")
        self.assertEqual(result["found"], 2)


if __name__ == "__main__":
    unittest.main()
