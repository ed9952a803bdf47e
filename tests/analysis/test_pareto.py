"""Points of all methods, their fronts and their figures."""

import json
import sys
import tempfile
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "analysis"))
import pareto


def point(density, cost, accuracy, family="growth"):
    difference = {"mean": accuracy, "half_interval": 0.01, "seeds": 3}
    return pareto.Point(family, density, cost, difference, 20, "cost_accuracy")


class Fronts(unittest.TestCase):
    def test_hold_what_no_other_beats_in_both(self):
        low, better, worse, dearer = (
            point(0.1, 0.2, -0.05),
            point(0.2, 0.4, 0.0),
            point(0.3, 0.1, -0.02),
            point(0.2, 0.9, -0.01),
        )
        points = [dearer, worse, better, low]
        self.assertEqual(pareto.front(points, lambda p: p.density), [low, better])
        self.assertEqual(pareto.front(points, lambda p: p.cost), [worse, better])

    def test_a_budget_holds_what_costs_at_most_as_much(self):
        self.assertEqual([point(1, c, 0).band for c in (0.1, 0.35, 0.36, 0.5, 1.0, 1.2)], [0, 0, 1, 1, 2, 3])

    def test_steps_go_from_value_to_value_and_on_to_the_end(self):
        line = pareto.steps([point(0.1, 1, -0.05), point(0.2, 1, 0.0)], lambda p: p.density, 1.0)
        self.assertEqual(line, ([0.1, 0.2, 0.2, 1.0], [-5.0, -5.0, 0.0, 0.0]))


class Committed(unittest.TestCase):
    def setUp(self):
        self.folder = ROOT / "docs" / "results"
        self.description, self.points = pareto.collect(self.folder)

    def test_every_method_belongs_to_a_kind(self):
        for path in self.folder.glob("*.summary.json"):
            for each in pareto.points_of(json.loads(path.read_text())):
                self.assertIn(each.family, pareto.KIND_OF, path.name)

    def test_accuracy_lost_and_gained_have_their_sign(self):
        summary = json.loads((self.folder / "discovery_cost-small.summary.json").read_text())
        lost = summary["procedures"]["IMP, until a drop"]["gap"]["mean"]
        (found,) = [p for p in pareto.points_of(summary) if p.family == "IMP, until a drop"]
        self.assertEqual(found.difference["mean"], -lost)

    def test_points_of_one_setting_stand_once(self):
        self.assertEqual(len({(p.family, p.density, p.cost) for p in self.points}), len(self.points))
        self.assertIn("small scale", self.description)

    def test_the_page_in_the_tree_is_that_of_the_summaries(self):
        self.assertEqual((self.folder / "pareto.md").read_text(), pareto.page(self.description, self.points))

    def test_figures_say_every_point(self):
        with tempfile.TemporaryDirectory() as folder:
            for path in pareto.figures(self.points, f"{folder}/pareto"):
                text = Path(path).with_suffix(".svg").read_text()
                self.assertIn("<title>grow, then reallocate: density 0.100, ", text)
                self.assertGreater(text.count("<title>"), 0.9 * len(self.points))

    def test_no_summary_no_figure(self):
        with tempfile.TemporaryDirectory() as folder:
            self.assertEqual(pareto.collect(Path(folder)), (None, []))
            self.assertEqual(pareto.figures([], f"{folder}/pareto"), [])


if __name__ == "__main__":
    unittest.main()
