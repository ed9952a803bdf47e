"""Searches against dense training: differences at equal cost and at equal epochs, verdicts by rule, both legs."""

import copy
import json
import math
import sys
import tempfile
import unittest
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "analysis"))
sys.path.insert(0, str(Path(__file__).resolve().parent))
import costs
import fakes
import grow_return
import return_regime
from study_runs import Part

NONE = {"outcome": "none", "stage": -1, "density": math.nan, "low": math.nan, "high": math.nan}


def run(accuracy, density=1.0, density_epochs=20.0, epochs=20, search=None, stages=None):
    made = fakes.run(accuracy=accuracy, density=density, density_epochs=density_epochs, epochs=epochs)
    made.identity |= {"validation_images": 300, "test_images": 100}
    made.final["validation_accuracy"] = accuracy
    made.search = search or NONE
    made.stages = {name: np.array(values) for name, values in (stages or {}).items()}
    return made


def searched(accuracy, found, **more):
    search = {"outcome": "found", "stage": 3, "density": found, "low": found, "high": 0.2}
    stages = {
        "phase": ["stage", "stage", "return", "return", "return", "return", "final"],
        "density": [0.2, 0.376, 0.2, found, found / 2, found / 4, found],
        "validation_loss": [1.5, 1.2, 1.1, 1.0, 1.05, 1.2, 0.9],
        "validation_accuracy": [0.4, 0.5, 0.55, 0.6, 0.58, 0.5, accuracy],
    }
    return run(accuracy, found, 6.0, 40, search, stages)


def study(**more):
    seeds = (7, 8, 9)
    curves = {
        "dense": {s: run(0.60 + 0.001 * s) for s in seeds},
        "dense, 80 epochs": {s: run(0.64 + 0.001 * s, density_epochs=80.0, epochs=80) for s in seeds},
        "grow, then return": {s: searched(0.60 + 0.001 * s, 0.12 + 0.001 * s) for s in seeds},
        "IMP until the loss turns": {s: searched(0.59 + 0.001 * s, 0.1) for s in seeds},
    } | more
    parts = {name: Part("dense", "dense") for name in curves if name.startswith("dense")}
    made = fakes.study(curves, parts=parts)
    made.any_run = lambda: next(iter(curves["dense"].values()))
    made.folder, made.experiment, made.scale = Path("/nowhere"), "grow_return", "small"
    return made


class Interpolated(unittest.TestCase):
    def test_is_linear_in_the_logarithm_of_the_amount(self):
        self.assertAlmostEqual(costs.interpolated(40, {20: 0.6, 80: 0.64}), 0.62)
        self.assertAlmostEqual(costs.interpolated(20, {20: 0.6, 80: 0.64}), 0.6)

    def test_says_nothing_beyond_the_trainings_there_are(self):
        self.assertIsNone(costs.interpolated(81, {20: 0.6, 80: 0.64}))
        self.assertIsNone(costs.interpolated(19, {20: 0.6, 80: 0.64}))
        self.assertIsNone(costs.interpolated(19, {}))


class Verdict(unittest.TestCase):
    def test_non_inferiority_is_a_matter_of_the_whole_interval(self):
        difference = lambda mean, half: {"mean": mean, "half_interval": half}
        self.assertIn("not below it", grow_return.not_below(difference(-0.004, 0.005)))
        self.assertIn("these seeds cannot tell", grow_return.not_below(difference(0.004, 0.015)))
        self.assertIn("below it by more", grow_return.not_below(difference(-0.03, 0.015)))
        self.assertIn("one seed", grow_return.not_below(difference(0, None)))


class Summary(unittest.TestCase):
    def setUp(self):
        self.summary = fakes.summary_of(grow_return, study())

    def test_differences_are_paired_by_seed(self):
        row = self.summary["rows"]["grow, then return"]
        self.assertAlmostEqual(row["minus_dense"]["mean"], 0)
        self.assertAlmostEqual(row["costs"]["density_epochs"]["mean"], 0.3)
        # 40 epochs: half of the way from 20 to 80 in the logarithm.
        self.assertAlmostEqual(row["minus_equally_long"]["mean"], -0.02)
        imp = self.summary["comparisons"]["IMP until the loss turns"]
        self.assertAlmostEqual(imp["accuracy"]["mean"], 0.01)
        self.assertAlmostEqual(imp["octaves"]["mean"], 0)

    def test_seconds_of_another_processor_are_not_compared(self):
        runs, dense = ({7: fakes.run(seconds=s), 8: fakes.run(seconds=s)} for s in (5.0, 10.0))
        runs[8].host = {"processor": "another"}
        found = costs.relative_costs(runs, dense)
        self.assertEqual(found["seconds"]["by_seed"], {"7": 0.5})
        self.assertEqual(sorted(found["flops"]["by_seed"]), ["7", "8"])
        del runs[7]
        self.assertIsNone(costs.relative_costs(runs, dense)["seconds"])

    def test_legs_hold_growth_the_way_back_and_what_was_found(self):
        leg = self.summary["legs"]["grow, then return"]["7"]
        self.assertEqual(leg["returning"], [False, False, True, True, True, True])
        self.assertEqual(leg["outcome"], "found")
        self.assertNotIn("dense", self.summary["legs"])

    def test_tables_findings_and_figure_are_made(self):
        made = grow_return.tables(self.summary)
        self.assertEqual([t.name for t in made], ["procedures", "return-minus", "found"])
        self.assertEqual(len(made[2].rows), 6)
        said = grow_return.findings(self.summary)
        self.assertIn("not below it by more than 1 point", said[0])
        self.assertIn("a factor of 1.02 over seeds (aim: at most 1.6, met)", said[1])
        with tempfile.TemporaryDirectory() as folder:
            for path in grow_return.figures(self.summary, f"{folder}/figure"):
                self.assertTrue(Path(path).exists())

    def test_other_rules_on_the_recorded_ways_stand_beside_the_one_that_was_used(self):
        turn = lambda rule, end, density, cost: {
            "rule": rule,
            "end": end,
            "taken": 3,
            "density": density,
            "cost": cost,
            "loss_over_live": {"mean": 0.02, "error": 0.01},
            "accuracy_over_live": {"mean": -0.005, "error": 0.01},
        }
        replay = [
            {
                "curve": "grow, then return",
                "seed": seed,
                "turns": [turn("live", 5, 0.12, 6.0), turn("later", None if seed == 7 else 5, 0.06, 5.0)],
            }
            for seed in (7, 8, 11)  # 11: not among the finished runs
        ]
        with tempfile.TemporaryDirectory() as folder:
            with_replay = study()
            with_replay.folder = Path(folder)
            (Path(folder) / "grow_return-small.replay.json").write_text(json.dumps({"runs": replay, "coverage": None}))
            summary = grow_return.summarise(with_replay)
        table = grow_return.tables(summary)[-1]
        self.assertEqual(table.name, "turns")
        self.assertEqual(
            [row[1:] for row in table.rows],
            [
                ["live", "2 of 2", "0.120", "0.120", "0.30 ± 0.00", "0.02 ± 0.00", "-0.5 ± 0.0"],
                ["later", "1 of 2", "0.060", "0.060", "0.25 ± 0.00", "0.02 ± 0.00", "-0.5 ± 0.0"],
            ],
        )

    def test_without_the_dense_row_no_epochs_are_named(self):
        whole = study()
        longer = whole.curves["dense, 80 epochs"]
        del whole.curves["dense"]
        whole.any_run = lambda: next(iter(longer.values()))
        summary = fakes.summary_of(grow_return, whole)
        caption = grow_return.tables(summary)[0].caption
        self.assertIn("minus the dense training of the same seed", caption)
        self.assertTrue(caption.endswith("over the dense training. Mean ± 95 % t interval over seeds."), caption)
        self.assertNotIn("  ", caption)
        caption = grow_return.tables(self.summary)[0].caption
        self.assertIn("minus the dense training of 20 epochs of the same seed", caption)

    def test_the_mask_that_a_way_back_begins_with_is_no_row(self):
        summary = grow_return.summarise(study(**{"static mask": {7: run(0.5)}}))
        self.assertNotIn("static mask", summary["rows"])


class Findings(unittest.TestCase):
    def test_what_costs_about_the_same_is_said_whatever_the_result(self):
        near = {s: run(0.65, 0.2, 7.0, 30) for s in (7, 8, 9)}
        far = {s: run(0.65, 0.2, 12.0, 30) for s in (7, 8, 9)}
        said = " ".join(grow_return.findings(grow_return.summarise(study(near=near, far=far))))
        self.assertIn("grow, then return is less accurate than near", said.lower())
        self.assertIn("Near costs 1.17 times as much", said)
        self.assertIn("has 30 epochs against 40", said)
        self.assertNotIn("far", said)


class Regime(unittest.TestCase):
    def test_a_slope_is_held_against_constant_connections_and_constant_density(self):
        for mean, half, said in (
            (-0.5, 0.1, "Neither holds."),
            (-0.9, 0.2, "The interval excludes 0."),
            (-0.1, 0.2, "The interval excludes -1."),
            (-0.5, 0.6, "The interval excludes neither."),
            (-0.5, None, "One seed has no interval."),
        ):
            text = return_regime.law({"slope": {"mean": mean, "half_interval": half}})
            self.assertTrue(text.endswith(said), text)

    def test_a_law_of_capacity_has_slope_minus_one(self):
        curves, parts = {}, {}
        for width, connections, density in ((8, 1000, 0.2), (16, 4000, 0.05), (32, 16000, 0.0125)):
            found = searched(0.6, density)
            found.layers = {
                "outputs": np.array([connections]),
                "inputs": np.array([1]),
                "kernel_height": np.array([1]),
                "kernel_width": np.array([1]),
            }
            other = copy.copy(found)
            found.masks, other.masks = ({3: {"a": np.array(mask, bool)}} for mask in ([1, 1, 0, 0], [1, 0, 1, 0]))
            for role, pair in (("search", (found, other)), ("dense", (run(0.6), run(0.6)))):
                curve = f"width {width}: {role}"
                curves[curve] = dict(zip((1, 2), pair))
                parts[curve] = Part(role, "width", {"level": width}, f"width {width}")
        made = fakes.study(curves)
        made.parts = parts
        summary = return_regime.summarise(made)
        self.assertAlmostEqual(summary["slope"]["mean"], -1)
        self.assertAlmostEqual(summary["families"]["width"]["trend"]["tau"], -1)
        tables = return_regime.tables(summary)
        self.assertEqual(fakes.row_of(tables[0], "width 16")[4], "200")
        said = return_regime.findings(summary)
        self.assertIn("with width: it does", said[0])
        self.assertIn(
            "slope of -1.00 ± 0.00 (mean over seeds); -1 would mean a constant number of present connections, 0 a"
            " constant"
            " density. The interval excludes 0.",
            said[-1],
        )
        # One connection of three in common; by chance 1 of 4 + 1 of 4 - 1 of 4.
        self.assertEqual(summary["tasks"]["width 8"]["between_seeds"], {"jaccard": 1 / 3, "chance": 1 / 3, "pairs": 1})
        self.assertEqual(fakes.row_of(tables[0], "width 8")[-1], "33 (33)")
        with tempfile.TemporaryDirectory() as folder:
            self.assertTrue(Path(return_regime.figures(summary, f"{folder}/f")[0]).exists())

    def test_another_network_is_held_against_the_resnet_of_width_16(self):
        def said(*densities):
            task = lambda *found: {"density": {str(seed): d for seed, d in enumerate(found, 1)}}
            return return_regime.networks_found(
                {
                    "families": {"width": {"members": [{"level": 16.0, "task": "width 16"}]}},
                    "tasks": {"width 16": task(0.1, 0.12, 0.08), "vgg11": task(*densities)},
                    "networks_of": ["vgg11"],
                }
            )

        self.assertEqual(
            said(0.05, 0.06, 0.04),
            [
                "vgg11 was expected to end at a lower density than resnet8 of width 16: it is"
                " (-1.00 ± 0.00 octaves, n = 3)."
            ],
        )
        self.assertIn("the data do not show it", said(0.05, 0.24, 0.04)[0])
        self.assertIn("one seed, no interval", said(0.05)[0])


if __name__ == "__main__":
    unittest.main()
