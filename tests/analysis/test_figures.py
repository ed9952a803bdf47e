"""Intervals, the band of the fit and what the demo says of every outcome."""

import math
import sys
import unittest
from pathlib import Path
from types import SimpleNamespace

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "analysis"))
import demo  # noqa: E402
import growth_rules  # noqa: E402
from intervals import logistic, logistic_band, mean_interval, t95  # noqa: E402


class Intervals(unittest.TestCase):
    def test_mean_interval_of_three_values(self):
        mean, half = mean_interval([1.0, 2.0, 3.0])
        self.assertEqual(mean, 2.0)
        self.assertAlmostEqual(half, 4.303 / math.sqrt(3))

    def test_one_value_has_no_interval(self):
        self.assertTrue(math.isnan(mean_interval([1.0])[1]))

    def test_between_tabulated_degrees_the_wider_interval_is_taken(self):
        self.assertEqual(t95(11), t95(10))
        self.assertTrue(math.isnan(t95(0)))

    def test_logistic_passes_halfway_at_dh_and_starts_at_chance(self):
        self.assertAlmostEqual(float(logistic(np.array([0.1]), (0.9, 3.0, 0.1), 0.1)[0]), 0.5)
        self.assertAlmostEqual(float(logistic(np.array([1e-9]), (0.9, 3.0, 0.1), 0.1)[0]), 0.1)

    def test_band_follows_from_numerical_slopes(self):
        parameters, chance, samples = np.array([0.9, 2.5, 0.12]), 0.1, 1000
        stages, at = np.array([0.05, 0.1, 0.2, 0.4, 0.8]), np.array([0.07, 0.5, 1.0])

        def slopes(x):
            columns = []
            for i in range(3):
                # The third parameter is log dh in the formula of the band.
                step = np.zeros(3)
                step[i] = 1e-6
                shifted = [parameters + step, parameters - step]
                if i == 2:
                    shifted = [parameters * np.exp(step), parameters * np.exp(-step)]
                columns.append((logistic(x, shifted[0], chance) - logistic(x, shifted[1], chance)) / 2e-6)
            return np.stack(columns, axis=1)

        fitted = logistic(stages, parameters, chance)
        weights = samples / (fitted * (1 - fitted))
        covariance = np.linalg.inv(slopes(stages).T @ (weights[:, None] * slopes(stages)))
        expected = 1.96 * np.sqrt(np.diag(slopes(at) @ covariance @ slopes(at).T))
        np.testing.assert_allclose(logistic_band(at, stages, samples, parameters, chance), expected, rtol=1e-4)


class Demo(unittest.TestCase):
    def run_with(self, outcome):
        return SimpleNamespace(
            stages={"phase": ["stage", "final"]},
            fits={"outcome": [outcome, ""], "d_star": [0.25, math.nan], "d_low": [0.2, math.nan],
                  "d_high": [0.3, math.nan]},
            options={"confidence": "0.95"},
        )

    def test_every_outcome_has_its_own_words(self):
        self.assertIn("d* = 0.250 (95 % interval [0.200, 0.300]", demo.finding(self.run_with("found")))
        words = {demo.finding(self.run_with(o))
                 for o in ("needs_dense", "not_resolvable", "undetermined", "too_few_stages")}
        self.assertEqual(len(words), 4)
        for outcome in ("not_resolvable", "undetermined", "too_few_stages"):
            self.assertIn("no answer", demo.finding(self.run_with(outcome)))


class Reader(unittest.TestCase):
    def curve(self, density, by_seed):
        return {"density": [density], "seeds": [1, 2, 3], "by_seed": [[a] for a in by_seed]}

    def test_reader_tells_clearly_worse_from_clearly_within(self):
        curves = {
            "control: density 0.1": self.curve(0.1, [0.50, 0.51, 0.50]),
            "control: density 0.4": self.curve(0.4, [0.60, 0.605, 0.60]),
            "control: density 1.0": self.curve(1.0, [0.60, 0.605, 0.60]),
        }
        reader = growth_rules.reader_of_the_control(curves, 0.02)
        self.assertEqual(reader["by_mean"], 0.4)
        self.assertEqual(reader["clearly_worse_up_to"], 0.1)
        self.assertEqual(reader["clearly_within_from"], 0.4)

    def test_d_star_over_seeds_counts_outcomes_and_averages_logarithms(self):
        fits = [{"outcome": "found", "d_star": 0.2}, {"outcome": "found", "d_star": 0.8},
                {"outcome": "undetermined", "d_star": None}]
        result = growth_rules.over_seeds(fits)
        self.assertAlmostEqual(result["d_star"], 0.4)
        self.assertEqual(result["outcomes"], "2 found, 1 undetermined")
        self.assertEqual(result["found"], 2)


if __name__ == "__main__":
    unittest.main()
