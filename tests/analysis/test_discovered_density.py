"""Trends of d* over families of tasks, from invented runs."""

import itertools
import math
import sys
import unittest
from pathlib import Path
from types import SimpleNamespace

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "analysis"))
sys.path.insert(0, str(Path(__file__).resolve().parent))
import discovered_density as dd
import fakes
import tables as table_module
from study_runs import Part


def growth(d_star, stop=0.5, test=0.6, classes=10, outcome="found"):
    return SimpleNamespace(
        options={"epsilon": "0.05", "epsilon-relative": "on", "width": "8"},
        identity={"classes": classes, "validation_images": 100},
        stages={"phase": ["stage", "stage", "final"]},
        fits={"outcome": ["too_few_stages", outcome, "too_few_stages"], "d_star": [math.nan, d_star, math.nan]},
        final={"test_accuracy": test, "density": stop},
        cost={"density_epochs": 5.0},
    )


def dense(test=0.65):
    return SimpleNamespace(
        final={"test_accuracy": test, "density": 1.0},
        cost={"density_epochs": 10.0},
        options={"width": "8"},
        identity={"classes": 10},
    )


class Trend(unittest.TestCase):
    def test_the_p_value_is_the_share_of_permutations_within_seeds_that_are_as_extreme(self):
        blocks = [([1, 2, 3], [0.1, 0.3, 0.2]), ([1, 2, 3], [0.1, 0.2, 0.3])]
        result = dd.trend_test(blocks, 1)
        observed = 1 + 3
        sums = [
            dd.concordance([1, 2, 3], a) + dd.concordance([1, 2, 3], b)
            for a in itertools.permutations([0.1, 0.3, 0.2])
            for b in itertools.permutations([0.1, 0.2, 0.3])
        ]
        self.assertEqual(result["p"], sum(s >= observed for s in sums) / 36)
        self.assertAlmostEqual(result["tau"], 4 / 6)
        self.assertEqual((result["values"], result["seeds"]), (6, 2))

    def test_a_perfect_trend_of_three_seeds_has_the_smallest_p_and_the_opposite_the_largest(self):
        blocks = [([1, 2, 3], [0.1, 0.2, 0.3])] * 3
        self.assertAlmostEqual(dd.trend_test(blocks, 1)["p"], 1 / 216)
        self.assertEqual(dd.trend_test(blocks, -1)["p"], 1.0)
        self.assertEqual(dd.trend_test(blocks, -1)["tau"], 1.0)  # the data's sign, not the expectation's

    def test_equal_values_are_no_evidence(self):
        result = dd.trend_test([([1, 2, 3], [0.2, 0.2, 0.2])] * 3, 1)
        self.assertEqual((result["tau"], result["p"]), (0.0, 1.0))

    def test_many_permutations_are_drawn_and_the_draw_is_repeatable(self):
        blocks = [(list(range(5)), [0.1, 0.2, 0.3, 0.4, 0.5])] * 5
        result = dd.trend_test(blocks, 1)
        self.assertAlmostEqual(result["p"], 1 / (1 + dd.MOST_EXACT))
        self.assertEqual(dd.trend_test(blocks, 1), result)

    def test_one_value_a_seed_is_no_test(self):
        self.assertIsNone(dd.trend_test([([1], [0.2])], 1))


class Summary(unittest.TestCase):
    def study(self):
        curves, parts = {}, {}
        stars = {
            ("base", 0): 0.4,
            ("classes", 2): 0.1,
            ("classes", 5): 0.2,
            ("label noise", 0.2): 0.5,
            ("label noise", 0.4): 0.6,
        }
        for (family, level), star in stars.items():
            task = family if family == "base" else f"{family} {level}"
            curves[f"{task}: growth"] = {s: growth(star + 0.001 * s) for s in (1, 2, 3)}
            curves[f"{task}: dense"] = {s: dense() for s in (1, 2, 3)}
            for role in ("growth", "dense"):
                parts[f"{task}: {role}"] = Part(role, family, {"level": level}, task)
        return fakes.study(curves, parts=parts)

    def test_the_base_belongs_to_the_families_of_the_study_s_data(self):
        summary = dd.summarise(self.study())
        self.assertEqual(
            [(m["level"], m["task"]) for m in summary["families"]["classes"]["members"]],
            [(2, "classes 2"), (5, "classes 5"), (10, "base")],
        )
        self.assertEqual(
            [m["task"] for m in summary["families"]["label noise"]["members"]],
            ["base", "label noise 0.2", "label noise 0.4"],
        )
        self.assertEqual(list(summary["families"]), ["classes", "label noise"])

    def test_a_family_can_follow_its_expectation_or_go_against_it(self):
        summary = dd.summarise(self.study())
        classes, noise = summary["families"]["classes"]["d_star"], summary["families"]["label noise"]["d_star"]
        self.assertAlmostEqual(classes["p"], 1 / 216)
        self.assertAlmostEqual(classes["p_holm"], 2 / 216)
        self.assertEqual((noise["tau"], noise["p"]), (1.0, 1.0))
        said = dd.findings(summary)
        self.assertIn("expected to rise with classes: it does", said[0])
        self.assertIn("expected to fall with label noise: the data do not show it", said[1])

    def test_the_gap_is_growth_minus_dense_and_the_cost_relative(self):
        row = dd.summarise(self.study())["tasks"]["base"]
        self.assertAlmostEqual(row["gap"]["mean"], -0.05)
        self.assertAlmostEqual(row["cost"]["mean"], 0.5)
        self.assertEqual(row["outcomes"], {"found": 3})

    def test_a_missing_d_star_is_left_out_of_the_trend_and_shown(self):
        study = self.study()
        study.curves["classes 5: growth"][2] = growth(math.nan, outcome="undetermined")
        summary = dd.summarise(study)
        self.assertEqual(summary["families"]["classes"]["d_star"]["values"], 8)
        self.assertEqual(summary["families"]["classes"]["stop"]["values"], 9)
        text = "\n".join(table_module.markdown(table) for table in dd.tables(summary))
        self.assertIn("2 found, 1 undetermined", text)
        self.assertIn("n = 2)", text)


if __name__ == "__main__":
    unittest.main()
