"""Searches for a density replayed on invented runs: what they visit, find and pay."""

import sys
import unittest
from pathlib import Path
from types import SimpleNamespace

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "analysis"))
sys.path.insert(0, str(Path(__file__).resolve().parent))
import discovery_cost as dc
import fakes
import tables as table_module
from study_runs import Part

EPOCHS = 10


def run(density, validation, test=None, phases=(("recipe", EPOCHS),), densities=None, accuracies=None, epsilon="0.02"):
    """A run of phases (name, epochs), each of its own density and validation accuracy; FLOPs are 100 and seconds 2 per
    density-epoch."""
    densities = densities or [density] * len(phases)
    accuracies = accuracies or [validation] * len(phases)
    weight = [d * e for d, (_, e) in zip(densities, phases)]
    rows = [(d, a) for d, a, (_, epochs) in zip(densities, accuracies, phases) for _ in range(epochs)]
    paid = np.cumsum([d for d, _ in rows])
    return SimpleNamespace(
        final={
            "density": density,
            "validation_accuracy": validation,
            "test_accuracy": validation if test is None else test,
        },
        cost={
            "density_epochs": sum(weight),
            "training_flops": 100 * sum(weight),
            "scoring_flops": 0.0,
            "dense_gradient_flops": 0.0,
            "train_seconds": 2 * sum(weight),
            "grow_seconds": 0.0,
        },
        stages={
            "phase": [p for p, _ in phases],
            "stage": list(range(len(phases))),
            "density": densities,
            "epochs": [e for _, e in phases],
            "validation_accuracy": accuracies,
            "training_flops": [100 * w for w in weight],
            "seconds": [2 * w for w in weight],
        },
        trajectory={
            "epoch": list(range(1, len(rows) + 1)),
            "density": [d for d, _ in rows],
            "validation_accuracy": [a for _, a in rows],
            "training_flops": 100 * paid,
            "seconds": 2 * paid,
        },
        options={"epsilon": epsilon},
    )


DENSE = run(1.0, 0.70, 0.69)


class Bisection(unittest.TestCase):
    def test_it_finds_the_smallest_that_is_within_on_every_monotone_grid(self):
        for size in range(1, 10):
            for first in range(size + 1):
                found, visited = dc.bisect(list(range(size)), lambda i: i >= first)
                self.assertEqual(found, first)
                self.assertLessEqual(len(visited), size.bit_length())

    def test_it_pays_for_dense_and_for_what_it_visits_alone(self):
        grid = [run(d, a) for d, a in ((0.1, 0.5), (0.2, 0.6), (0.4, 0.685), (0.8, 0.70))]
        result = dc.by_bisection(DENSE, grid, 0.02)  # visits 0.4: within; 0.2: not; nothing between
        self.assertEqual(result["density"], 0.4)
        np.testing.assert_allclose(result["cost"], [10 + 4 + 2, 1600, 32])
        self.assertEqual((result["trials"], result["trainings"]), (3, 3))

    def test_without_a_density_within_epsilon_it_ends_with_the_dense_network(self):
        result = dc.by_bisection(DENSE, [run(0.1, 0.3), run(0.2, 0.4)], 0.02)
        self.assertEqual((result["density"], result["test"]), (1.0, 0.69))
        np.testing.assert_allclose(result["cost"][0], 10 + 2)

    def test_the_decision_is_by_validation_and_the_report_by_test(self):
        result = dc.by_bisection(DENSE, [run(0.5, 0.70, test=0.2)], 0.02)
        self.assertEqual((result["density"], result["test"]), (0.5, 0.2))


class Pruning(unittest.TestCase):
    def test_one_shot_pays_for_the_dense_network_once(self):
        both = (("dense", EPOCHS), ("round", EPOCHS))
        grid = [run(d, a, phases=both, densities=[1.0, d]) for d, a in ((0.1, 0.6), (0.4, 0.69))]
        result = dc.all_tried(DENSE, grid, 0.02, dc.retraining)
        self.assertEqual(result["density"], 0.4)
        np.testing.assert_allclose(result["cost"][0], 10 + 1 + 4)
        self.assertEqual(result["trials"], 3)

    def test_gradual_pruning_is_watched_to_the_drop_and_run_to_the_end_above(self):
        phases = [("gmp", 1)] * 10
        densities = [1, 0.8, 0.6, 0.5, 0.3, 0.1, 0.1, 0.1, 0.1, 0.1]
        accuracies = [0.70, 0.70, 0.70, 0.69, 0.60, 0.5, 0.5, 0.5, 0.5, 0.5]
        longest = run(0.1, 0.5, phases=phases, densities=densities, accuracies=accuracies)
        ends = [longest, run(0.2, 0.6), run(0.6, 0.69, test=0.68)]
        result = dc.gradual_until_drop(DENSE, ends, 0.02)  # below 0.68 in the fifth epoch; before it 0.5
        self.assertEqual((result["density"], result["test"]), (0.6, 0.68))
        np.testing.assert_allclose(result["cost"], np.array([1, 100, 2]) * (10 + (1 + 0.8 + 0.6 + 0.5 + 0.3) + 6))

    def test_gradual_pruning_without_a_drop_ends_at_the_sparsest(self):
        longest = run(0.1, 0.69)
        result = dc.gradual_until_drop(DENSE, [longest, run(0.4, 0.7)], 0.02)
        self.assertEqual(result["density"], 0.1)
        np.testing.assert_allclose(result["cost"][0], 10 + 1)

    def imp(self, rounds, accuracies):
        phases = [("dense", 2)] + [("round", 2)] * (rounds - 1) + [("round", EPOCHS)]
        densities = [0.5**k for k in range(rounds + 1)]
        return run(
            0.5**rounds,
            accuracies[rounds],
            phases=phases,
            densities=densities,
            accuracies=list(accuracies[: rounds + 1]),
        )

    def test_iterative_pruning_stops_at_the_drop_from_its_best_and_trains_the_round_before(self):
        accuracies = (0.5, 0.6, 0.65, 0.64, 0.6, 0.7, 0.7)  # round 4 is the first 2 points below the best, 0.65
        runs = [self.imp(k, accuracies) for k in (1, 3, 6)]
        result = dc.rounds_until_drop(DENSE, runs, 0.02)
        self.assertEqual(result["density"], 0.125)
        # Five short rounds of two epochs, and the whole recipe at an eighth.
        np.testing.assert_allclose(result["cost"][0], 2 * (1 + 0.5 + 0.25 + 0.125 + 0.0625) + EPOCHS * 0.125)
        self.assertEqual((result["trials"], result["trainings"]), (5, 1))

    def test_iterative_pruning_that_drops_at_once_trains_the_dense_network(self):
        runs = [self.imp(k, (0.6, 0.3, 0.3, 0.3)) for k in (1, 3)]
        result = dc.rounds_until_drop(DENSE, runs, 0.02)
        self.assertEqual(result["density"], 1.0)
        np.testing.assert_allclose(result["cost"][0], 2 * 1.5 + EPOCHS)

    def test_iterative_pruning_without_a_drop_is_its_longest_run(self):
        runs = [self.imp(k, (0.6, 0.6, 0.6, 0.2)) for k in (1, 3)]  # the last training is no short round
        result = dc.rounds_until_drop(DENSE, runs, 0.02)
        self.assertEqual(result["density"], 0.125)
        np.testing.assert_allclose(result["cost"][0], 2 * 1.75 + EPOCHS * 0.125)


class Summary(unittest.TestCase):
    def study(self):
        phases = [("stage", 2), ("stage", 2), ("final", EPOCHS)]
        growth = lambda test: run(0.4, 0.69, test, phases, [0.2, 0.4, 0.4], [0.5, 0.6, 0.69])
        curves = {
            "dense": {1: run(1.0, 0.70, 0.69), 2: run(1.0, 0.72, 0.71)},
            "GCG, weights kept": {1: growth(0.68), 2: growth(0.68)},
        }
        for density, accuracy in ((0.1, 0.50), (0.2, 0.685), (0.4, 0.71)):
            curves[f"static ERK: density {density:.3f}"] = {s: run(density, accuracy, accuracy) for s in (1, 2)}
        parts = {f"static ERK: density {density:.3f}": fakes.cell("static ERK", density) for density in (0.1, 0.2, 0.4)}
        parts["GCG, weights kept"] = Part("growth", "GCG, weights kept")
        return fakes.study(curves, parts=parts)

    def test_costs_are_relative_to_the_dense_run_and_regret_to_the_oracle(self):
        summary = fakes.summary_of(dc, self.study())
        # Mean losses: 0.2, 0.015 and -0.01.
        self.assertEqual(summary["oracle"], {"density": 0.2, "family": "static ERK"})
        growth = summary["procedures"]["GCG, weights kept"]
        self.assertAlmostEqual(growth["cost"]["density_epochs"]["mean"], (0.4 + 0.8 + 4) / 10)
        self.assertAlmostEqual(growth["gap"]["mean"], 0.02)
        self.assertEqual(growth["within"], 1)  # lost 0.01 and 0.03
        self.assertAlmostEqual(growth["beyond_epsilon"]["mean"], 0.005)
        self.assertAlmostEqual(growth["octaves_above_oracle"]["mean"], 1)
        self.assertEqual((growth["trials"], growth["trainings"]), (2, 1))
        search = summary["procedures"]["static ERK, bisection"]
        # Seed 1: 0.2 within 0.68, then 0.1 not. Seed 2: 0.2 not within 0.70, then 0.4.
        self.assertEqual(search["densities"], [0.2, 0.4])
        self.assertAlmostEqual(search["cost_by_seed"]["1"], (10 + 2 + 1) / 10)
        self.assertAlmostEqual(search["cost_by_seed"]["2"], (10 + 2 + 4) / 10)
        octaves = summary["cost_over_growth"]["static ERK, bisection"]
        self.assertAlmostEqual(octaves["mean"], (np.log2(1.3 / 0.52) + np.log2(1.6 / 0.52)) / 2)

    def test_the_tables_and_sentences_hold_the_numbers(self):
        summary = fakes.summary_of(dc, self.study())
        text = "\n".join(table_module.markdown(table) for table in dc.tables(summary))
        self.assertIn("| GCG, weights kept     | 0.40 (0.40)         | -2.0 ± 12.7", text)
        self.assertIn("density 0.200 (static ERK)", text)
        said = " ".join(dc.findings(summary))
        self.assertIn("ends at density 0.40, 1.0 octaves above the oracle", said)
        self.assertIn("these seeds cannot tell", said)
        self.assertIn("costs 0.52 dense trainings (density × epochs); no other search is cheaper.", said)

    def test_a_search_is_held_against_dense_training_of_its_cost_and_of_its_epochs(self):
        study = self.study()
        study.curves["dense, 4 epochs"] = {
            seed: run(1.0, test, test, (("recipe", 4),)) for seed, test in ((1, 0.60), (2, 0.62))
        }
        study.parts["dense, 4 epochs"] = Part("longer", "dense")
        growth = fakes.summary_of(dc, study)["procedures"]["GCG, weights kept"]
        # It cost 5.2 epochs of dense training, between 4 and 10, in 14 epochs, which no dense training had.
        way = np.log(5.2 / 4) / np.log(10 / 4)
        self.assertAlmostEqual(growth["minus_equally_dear"]["by_seed"]["1"], 0.68 - (0.60 + 0.09 * way))
        self.assertAlmostEqual(growth["minus_equally_dear"]["by_seed"]["2"], 0.68 - (0.62 + 0.09 * way))
        self.assertIsNone(growth["minus_equally_long"])
        # One seed without such dense training: no comparison over the others alone.
        del study.curves["dense, 4 epochs"][2]
        growth = fakes.summary_of(dc, study)["procedures"]["GCG, weights kept"]
        self.assertIsNone(growth["minus_equally_dear"])

    def test_procedures_whose_runs_are_missing_are_left_out(self):
        study = self.study()
        del study.curves["GCG, weights kept"]
        summary = fakes.summary_of(dc, study)
        self.assertEqual(list(summary["procedures"]), ["static ERK, bisection"])
        self.assertTrue(dc.findings(summary))


if __name__ == "__main__":
    unittest.main()
