"""Costs against accuracy, the pace of growth, ablations and the hybrid, from invented runs."""

import math
import sys
import tempfile
import unittest
from pathlib import Path
from types import SimpleNamespace

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "analysis"))
sys.path.insert(0, str(Path(__file__).resolve().parent))
import ablations
import cost_accuracy
import grow_reallocate
import growth_pace
import study_runs
from fakes import cell, row_of, run, study, summary_of, table_of
from study_runs import Part


def seeds(*accuracies, **facts):
    return {seed: run(accuracy, **facts) for seed, accuracy in enumerate(accuracies, 1)}


class CostAccuracy(unittest.TestCase):
    PARTS = {
        "growth: density 0.20: E 2": cell("growth", 0.2, E=2),
        "IMP, rate rewound: density 0.20: E 2": cell("IMP, rate rewound", 0.2, E=2),
        "growth: density 0.40: E 2": cell("growth", 0.4, E=2),
    }

    def setUp(self):
        self.summary = summary_of(
            cost_accuracy,
            study(
                {
                    "dense": seeds(0.60, 0.62, 0.61),
                    "growth: density 0.20: E 2": seeds(
                        0.58, 0.61, 0.58, density=0.2, density_epochs=4.0, flops=50.0, epochs=12
                    ),
                    "IMP, rate rewound: density 0.20: E 2": seeds(
                        0.57, 0.59, 0.55, density=0.2, density_epochs=12.0, flops=150.0, epochs=12
                    ),
                    "growth: density 0.40: E 2": seeds(0.60, density=0.4, density_epochs=8.0),
                },
                parts=self.PARTS,
            ),
        )

    def test_costs_are_relative_to_the_dense_run_of_the_seed(self):
        costs = self.summary["cells"]["growth: density 0.20: E 2"]["costs"]
        self.assertAlmostEqual(costs["density_epochs"]["mean"], 0.4)
        self.assertEqual(costs["flops"]["mean"], 0.5)
        self.assertEqual(costs["seconds"]["mean"], 1.0)

    def test_growth_is_compared_at_equal_density_and_epochs_only(self):
        (row,) = self.summary["comparisons"]
        self.assertEqual((row["method"], row["asked_density"], row["stage_epochs"]), ("IMP, rate rewound", "0.20", 2))
        # 0.01, 0.02, 0.03: mean 0.02, deviation 0.01.
        self.assertAlmostEqual(row["mean"], 0.02)
        self.assertAlmostEqual(row["half_interval"], 4.302652730 * 0.01 / math.sqrt(3))
        self.assertEqual(row["density_epochs_ratio"]["mean"], 3.0)
        self.assertEqual(row["flops_ratio"]["mean"], 3.0)

    def test_tables_and_findings_say_it(self):
        made = cost_accuracy.tables(self.summary)
        self.assertEqual(
            row_of(table_of(made, "growth-minus"), "IMP, rate rewound"),
            ["IMP, rate rewound", "0.20", "2", "12 / 12", "3", "+2.0 ± 2.5", "3.00 ± 0.00", "3.00 ± 0.00"],
        )
        dense = row_of(table_of(made, "cells"), "dense")
        self.assertEqual(dense[5:9], ["61.0 ± 2.5", "-", "-", "1.00 ± 0.00"])
        first = cost_accuracy.findings(self.summary)[0]
        self.assertIn("IMP, rate rewound costs 3.0 times the training FLOPs of growth.", first)
        self.assertEqual(first.claims, ("cost",))

    def searched(self):
        found = {
            "dense": seeds(0.60, 0.62),
            "dense, 40 epochs": seeds(0.64, 0.68, density_epochs=40.0, epochs=40),
            "growth: density 0.20: E 1": seeds(0.56, 0.58, density=0.2, density_epochs=2.0, epochs=10),
            "growth: density 0.20: E 2": seeds(0.58, 0.60, density=0.2, density_epochs=8.0, epochs=12),
            "grow, then return: E 2": seeds(0.61, 0.63, density=0.1, density_epochs=4.0, epochs=20),
        }
        parts = self.PARTS | {
            "dense, 40 epochs": Part("dense", "dense, other length"),
            "growth: density 0.20: E 1": cell("growth", 0.2, E=1),
            "grow, then return: E 2": Part("search", "grow, then return", {"E": 2.0}),
        }
        return summary_of(cost_accuracy, study(found, parts=parts))

    def test_a_search_is_compared_at_equal_cost_and_at_equal_epochs(self):
        summary = self.searched()
        rows = {(r["method"], r["equal"]): r for r in summary["searches"]}
        # Growth at a cost of 4, between 2 and 8, reaches .57 and .59; it has no run of 20 epochs or more.
        # Dense training of 20 epochs, between 10 and 40, reaches .62 and .65; it has no run that costs 4.
        self.assertEqual(sorted(rows), [("dense", "epochs"), ("growth", "density × epochs")])
        self.assertAlmostEqual(rows["growth", "density × epochs"]["mean"], 0.04)
        self.assertAlmostEqual(rows["dense", "epochs"]["mean"], -0.015)
        made = table_of(cost_accuracy.tables(summary), "search-minus")
        self.assertEqual([row[:3] for row in made.rows], [["2", "dense", "1.00"], ["2", "growth", "0.20"]])
        self.assertEqual(made.rows[0][3], "-")
        self.assertTrue(made.rows[0][4].startswith("-1.5 ± "))
        self.assertTrue(made.rows[1][3].startswith("+4.0"))
        said = [f for f in cost_accuracy.findings(summary) if "equal density × epochs" in f]
        self.assertIn("higher at 1 of 1 settings", said[0])

    def test_the_figure_shows_the_search_beside_the_grid(self):
        with tempfile.TemporaryDirectory() as folder:
            (path,) = cost_accuracy.figures(self.searched(), f"{folder}/cost")
            self.assertTrue(Path(path).exists())
        points = [{"asked_density": None, "density": d, "accuracy": {"seeds": 2}} for d in (0.1, 0.12)]
        self.assertEqual(
            cost_accuracy.method_label("grow, then return", points),
            "grow, then return, density found 0.10 to 0.12 (n = 2)",
        )

    def test_without_dense_runs_there_is_no_relative_cost(self):
        summary = summary_of(cost_accuracy, study({"growth: density 0.20: E 2": seeds(0.5)}, parts=self.PARTS))
        self.assertEqual(cost_accuracy.tables(summary)[0].rows[0][6:], ["-"] * 5)
        self.assertEqual(cost_accuracy.figures(summary, "nowhere"), [])


def grown(accuracy, validation, epochs=1):
    """Two stages of growth at densities 0.1 and 0.2, and a final training of one epoch."""
    stage = [0] * epochs + [1] * epochs + [2]
    return run(
        accuracy,
        density=0.2,
        density_epochs=0.3 * epochs + 0.2,
        epochs=len(stage),
        stages={
            "phase": ["stage", "stage", "final"],
            "stage": [0, 1, 2],
            "density": [0.1, 0.2, 0.2],
            "validation_accuracy": [validation - 0.1, validation, accuracy],
        },
        trajectory={"stage": stage, "density": [0.1 if s == 0 else 0.2 for s in stage]},
    )


class GrowthPace(unittest.TestCase):
    def setUp(self):
        dense = {seed: run(0.6, density_epochs=2.0) for seed in (1, 2, 3)}
        paces = {
            (0.25, 1): [(0.50, 0.40), (0.52, 0.42), (0.51, 0.41)],
            (0.25, 2): [(0.53, 0.45), (0.54, 0.46), (0.52, 0.47)],
            (1.001, 1): [(0.49, 0.35), (0.48, 0.36), (0.47, 0.37)],
        }
        curves = {
            str(pace): {seed: grown(*pair, epochs=pace[1]) for seed, pair in enumerate(pairs, 1)}
            for pace, pairs in paces.items()
        }
        parts = {
            str(pace): Part("growth", "growth", {"growth-ratio": pace[0], "stage-epochs": pace[1]}) for pace in paces
        }
        self.summary = summary_of(growth_pace, study({**curves, "dense": dense}, parts=parts))

    def test_what_growth_has_spent_is_counted_by_stage(self):
        first, second = self.summary["paces"][0], self.summary["paces"][1]
        for found, expected in ((first, [0.05, 0.15]), (second, [0.10, 0.30])):
            for got, want in zip(found["spent"], expected):
                self.assertAlmostEqual(got, want)
        self.assertAlmostEqual(first["costs"]["density_epochs"]["mean"], 0.25)

    def test_each_pace_is_compared_along_one_axis(self):
        rows = {(r["kind"], tuple(r["pace"]), tuple(r["minus"])): r for r in self.summary["comparisons"]}
        self.assertEqual(set(rows), {("epochs", (0.25, 2), (0.25, 1)), ("ratio", (1.0, 1), (0.25, 1))})
        longer = rows["epochs", (0.25, 2), (0.25, 1)]
        self.assertAlmostEqual(longer["mean"], 0.02)
        self.assertAlmostEqual(longer["growth_end"]["mean"], 0.05)
        self.assertEqual(self.summary["tested"], 2)

    def test_the_final_training_is_no_stage_of_growth(self):
        self.assertEqual([round(d, 12) for d in self.summary["paces"][0]["density"]], [0.1, 0.2])
        (row,) = [r for r in table_of(growth_pace.tables(self.summary), "paces").rows if r[:2] == ["0.25", "2"]]
        self.assertEqual(row[2:7], ["2", "5", "3", "46.0 ± 2.5", "53.0 ± 2.5"])


class Ablations(unittest.TestCase):
    def setUp(self):
        options = {"beta": "1", "selection": "sampled", "seed": "1"}
        curves = {
            "default": seeds(0.50, 0.52, 0.51, options=options, epochs=36),
            "dense": seeds(0.60, 0.60, 0.60, method="dense"),
        }
        curves["law: beta 2"] = seeds(0.48, 0.49, 0.50, options=options | {"beta": "2"}, flops=110.0)
        curves["law: beta 0"] = seeds(0.50, 0.51, 0.53, options=options | {"beta": "0"})
        curves["pace: no growth"] = seeds(0.40, 0.42, 0.41, method="fixed_mask", options={"seed": "1"})
        self.summary = summary_of(ablations, study(curves))

    def test_what_was_changed_is_read_from_the_options(self):
        self.assertEqual(
            [list(r["options"].items()) for r in self.summary["rows"]],
            [[("beta", ["1", "2"])], [("beta", ["1", "0"])], [("method", ["-", "-"])]],
        )

    def test_an_option_that_comes_with_another_choice_at_its_default_is_no_change(self):
        default = run(options={"seed-rule": "phew"})
        changed = run(
            options={"seed-rule": "synflow", "synflow-rounds": "100", "seed-inverted": "on"},
            defaults={"synflow-rounds": "100", "seed-inverted": "off"},
        )
        self.assertEqual(ablations.changed_options(changed, default), ["seed-inverted", "seed-rule"])

    def test_differences_are_paired_and_corrected_for_their_number(self):
        rows = {r["change"]: r["difference"] for r in self.summary["rows"]}
        self.assertAlmostEqual(rows["law: beta 2"]["mean"], -0.02)
        self.assertEqual(self.summary["tested"], 3)
        # -0.02, -0.03, -0.01: t = 2 sqrt(3) at 2 degrees of freedom, p = 1 - t / sqrt(2 + t^2); second of three.
        t = 2 * math.sqrt(3)
        p = 1 - t / math.sqrt(2 + t * t)
        self.assertAlmostEqual(rows["law: beta 2"]["p"], p)
        self.assertAlmostEqual(rows["law: beta 2"]["p_holm"], 2 * p)
        self.assertLess(rows["pace: no growth"]["p_holm"], 0.001)

    def test_the_table_says_option_difference_and_corrected_p_value(self):
        (table,) = ablations.tables(self.summary)
        self.assertEqual(
            row_of(table, "law: beta 2"),
            ["law: beta 2", "--beta 2", "3", "49.0 ± 2.5", "-2.0 ± 2.5", "0.074", "0.148", "10", "1.10"],
        )
        self.assertEqual(row_of(table, "pace: no growth")[4], "-10.0 ± 0.0*")

    def test_every_change_is_told_with_the_option_it_bears_on(self):
        said = ablations.findings(self.summary)
        self.assertEqual(len(said), 4)
        self.assertIn("Of 3 changes of the default growth, 1 change the test accuracy significantly", said[0])
        self.assertEqual(
            said[1],
            'There is no significant difference between growth changed in "law: beta 2" and the default growth: -2.0'
            " ± 2.5 points (n = 3).",
        )
        effects = ablations.effects(self.summary)
        self.assertEqual(list(effects), ["beta"])
        self.assertTrue(effects["beta"].startswith("law: beta 2 -2.0 ± 2.5; "), effects["beta"])
        self.assertTrue(effects["beta"].endswith(" points of test accuracy (n = 3)"), effects["beta"])
        self.assertIn('"pace: no growth" is less accurate than the default growth', said[3])


class GrowReallocate(unittest.TestCase):
    def setUp(self):
        curves = {
            "dense": seeds(0.60, 0.60),
            "grow, then reallocate: density 0.05": seeds(0.50, 0.52, density=0.05, flops=7.0),
            "RigL: density 0.05": seeds(0.48, 0.51, density=0.05, warnings=["3 units"]),
        }
        failures = {
            "growth, path: density 0.02": {
                1: "resnet8: stem.conv unit 1: 78 of 94 units are on no input-output path (seed rule phew)"
            },
            "RigL: density 0.02": {1: "disk full"},
            "RigL: density 0.05": {3: "disk full"},
        }
        parts = {
            f"{family}: density {density:.2f}": cell(family, density)
            for family in ("grow, then reallocate", "growth, path", "RigL")
            for density in (0.05, 0.02)
        }
        self.summary = summary_of(grow_reallocate, study(curves, failures, parts))

    def test_what_cannot_connect_does_not_apply_and_other_errors_are_failures(self):
        self.assertEqual(
            {curve: cell["kind"] for curve, cell in self.summary["failed"].items()},
            {"growth, path: density 0.02": "not applicable", "RigL: density 0.02": "failed"},
        )
        table = table_of(grow_reallocate.tables(self.summary), "accuracy")
        self.assertEqual(row_of(table, "growth, path"), ["growth, path", "-", "not applicable"])
        self.assertEqual(row_of(table, "RigL"), ["RigL", "49.5 ± 19.1†", "failed"])
        self.assertIn("RigL: density 0.02: failed (seeds 1): disk full", table.notes)
        self.assertIn("RigL: density 0.05: seeds 3 failed, the cell has the others.", table.notes)

    def test_the_hybrid_minus_every_other_method(self):
        (difference,) = self.summary["differences"]
        self.assertEqual((difference["method"], difference["density"]), ("RigL", "0.05"))
        self.assertAlmostEqual(difference["mean"], 0.015)
        self.assertEqual(
            row_of(table_of(grow_reallocate.tables(self.summary), "cost"), "grow, then reallocate")[1:],
            ["0.070; 10", "-"],
        )


class Failures(unittest.TestCase):
    def test_a_run_file_or_else_the_log_says_why(self):
        with tempfile.TemporaryDirectory() as folder:
            self.assertEqual(study_runs.failure_of(Path(folder), None), "")
            Path(folder, "log.txt").write_text(
                "name: 10 connections\ngcg_run: no connection left\n  remedy: a higher density\n"
            )
            self.assertEqual(study_runs.failure_of(Path(folder), None), "no connection left")
            self.assertEqual(
                study_runs.failure_of(Path(folder), SimpleNamespace(status="failed", failure="after stage 0")),
                "after stage 0",
            )
            self.assertEqual(study_runs.failure_of(Path(folder), SimpleNamespace(status="running", failure="")), "")


if __name__ == "__main__":
    unittest.main()
