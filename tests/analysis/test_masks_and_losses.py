"""Measures of masks over density and what losses are compared with, from invented runs."""

import sys
import unittest
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "analysis"))
sys.path.insert(0, str(Path(__file__).resolve().parent))
import bottleneck
import convergence
from fakes import cell, row_of, run, study, summary_of, table_of
from study_runs import parts_of


def mask(*bits):
    """One layer of so many connections."""
    return {"layer": np.array(bits, dtype=bool)}


FIRST = mask(1, 0, 0, 0, 0, 0)


def growing(second, core, random_core=4, overlap=0.5):
    """A run of two stages: the seed mask with a tau-core of 2 units, then `second` with `core` units; narrowest layer
    4."""
    masks = {0: FIRST, 1: second}
    return run(
        statistics={
            "stage": [0, 1],
            "density": [1 / 6, sum(second["layer"]) / 6],
            "tau_core_units": [2, core],
            "tau_core_units_random": [4, random_core],
            "narrowest_layer": [4, 4],
            "disconnected_units": [1, 0],
            "effective_density": [1 / 12, sum(second["layer"]) / 6],
            "fewest_live_channels": [3, 4],
            "overlap_previous": [np.nan, 1 / 3],
        },
        stages={"growth_overlap": [np.nan, overlap]},
        masks=masks,
    )


class Diversity(unittest.TestCase):
    def test_jaccard_index_over_layers(self):
        left = {"a": np.array([1, 1, 0], bool), "b": np.array([1, 0], bool)}
        right = {"a": np.array([1, 0, 1], bool), "b": np.array([1, 1], bool)}
        self.assertEqual(bottleneck.jaccard(left, right), 2 / 5)

    def test_chance_knows_layer_counts_and_what_both_began_with(self):
        # 3 of 6 each: 1.5 in common on average, of 4.5.
        self.assertAlmostEqual(bottleneck.chance_jaccard(mask(1, 1, 1, 0, 0, 0), mask(0, 0, 0, 1, 1, 1)), 1.5 / 4.5)
        # One is common; the other two of five each: 1 + 0.8 in common.
        self.assertAlmostEqual(
            bottleneck.chance_jaccard(mask(1, 1, 1, 0, 0, 0), mask(1, 0, 0, 1, 1, 0), FIRST), 1.8 / 4.2
        )
        full = mask(1, 1)
        self.assertEqual(bottleneck.chance_jaccard(full, full, full), 1)

    def test_chance_is_what_random_masks_have_on_average(self):
        generator = np.random.default_rng(7)
        draw = lambda: {"layer": generator.permutation(np.arange(40) < 12)}
        common = np.mean([np.sum(draw()["layer"] & draw()["layer"]) for _ in range(4000)])
        self.assertAlmostEqual(bottleneck.chance_jaccard(draw(), draw()), 3.6 / 20.4)
        self.assertAlmostEqual(common, 3.6, delta=0.1)


class Bottleneck(unittest.TestCase):
    def setUp(self):
        curves = {
            "path, sampled": {
                1: growing(mask(1, 1, 1, 0, 0, 0), 3),
                2: growing(mask(1, 0, 1, 1, 0, 0), 4),
                3: growing(mask(1, 0, 0, 1, 1, 0), 4),
            },
            "path, greedy": {
                1: growing(mask(1, 1, 1, 0, 0, 0), 2, overlap=1),
                2: growing(mask(1, 1, 1, 0, 0, 0), 2, overlap=1),
                3: growing(mask(1, 1, 1, 0, 0, 0), 1, overlap=1),
            },
        }
        self.summary = bottleneck.summarise(study(curves))

    def test_measures_over_seeds_by_stage(self):
        measures = self.summary["curves"]["path, sampled"]["measures"]
        self.assertEqual([v["mean"] for v in measures["core_of_random"]], [0.5, 11 / 12])
        self.assertEqual([v["mean"] for v in measures["effective"]], [0.5, 1.0])
        self.assertIsNone(measures["second_draw"][0])  # nothing was grown before the first stage
        self.assertEqual(measures["second_draw"][1]["mean"], 0.5)

    def test_seeds_are_compared_pair_by_pair(self):
        sampled = self.summary["curves"]["path, sampled"]["between_seeds"]
        self.assertEqual([v["pairs"] for v in sampled], [3, 3])
        self.assertEqual(sampled[0]["jaccard"], 1.0)
        # Pairs share 2, 1 and 2 of 3 connections each.
        self.assertAlmostEqual(sampled[1]["jaccard"], (2 / 4 + 1 / 5 + 2 / 4) / 3)
        self.assertAlmostEqual(sampled[1]["chance"], 1.5 / 4.5)
        self.assertEqual(self.summary["curves"]["path, greedy"]["between_seeds"][1]["jaccard"], 1.0)

    def test_rules_are_compared_at_the_same_seed(self):
        greedy = self.summary["curves"]["path, greedy"]["with_sampled_path"]
        self.assertAlmostEqual(greedy[1]["jaccard"]["mean"], (1 + 2 / 4 + 1 / 5) / 3)
        self.assertAlmostEqual(greedy[1]["chance"]["mean"], 1.8 / 4.2)
        self.assertEqual(self.summary["curves"]["path, sampled"]["with_sampled_path"], [])

    def test_the_average_over_stages_after_the_first_is_tested(self):
        found = self.summary["minus_sampled_path"]["path, greedy"]["core_of_random"]
        self.assertEqual(len(found["stages"]), 1)
        self.assertEqual(found["mean"]["by_seed"], {"1": -0.25, "2": -0.5, "3": -0.75})
        self.assertEqual(self.summary["tested"], 4)
        self.assertEqual(self.summary["constant"], {"previous": 1 / 3})
        self.assertIn("minus-sampled", [table.name for table in bottleneck.tables(self.summary)])

    def test_what_never_varies_is_said_once_and_not_tested(self):
        runs = {
            "path, sampled": {1: growing(mask(1, 1, 1, 0, 0, 0), 2), 2: growing(mask(1, 0, 1, 1, 0, 0), 2)},
            "random": {1: growing(mask(1, 1, 0, 1, 0, 0), 2), 2: growing(mask(1, 0, 1, 1, 0, 0), 2)},
        }
        summary = bottleneck.summarise(study(runs))
        self.assertEqual(summary["constant"]["core_of_narrowest"], 0.5)
        self.assertEqual(set(summary["minus_sampled_path"]["random"]), {"disconnected", "live_channels"})
        self.assertNotIn("core-of-narrowest", [table.name for table in bottleneck.tables(summary)])
        self.assertIn("tau-core / narrowest layer 0.5", " ".join(bottleneck.findings(summary)))

    def test_the_finding_follows_the_side_of_the_interval(self):
        far = {"mean": {"mean": -0.5, "half_interval": 0.1, "seeds": 3}}
        near = {"mean": {"mean": -0.5, "half_interval": 0.6, "seeds": 3}}
        above = {"mean": {"mean": 0.5, "half_interval": 0.1, "seeds": 3}}
        say = lambda a, b: bottleneck.bottleneck_sentence({"core_of_narrowest": a, "core_of_random": b})
        self.assertIn("is confirmed here", say(far, near))
        self.assertIn("neither confirmed nor contradicted", say(near, near))
        self.assertIn("contradicted here: they are larger", say(above, near))
        self.assertIn("depends here on the reference", say(above, far))
        self.assertIn(
            "one seed",
            bottleneck.bottleneck_sentence(
                {"core_of_random": {"mean": {"mean": -1, "half_interval": None, "seeds": 1}}}
            ),
        )


def trained(losses, density=0.2, trace=1.0, second=mask(1, 1, 0)):
    """A run of a fixed mask; the measures of the mask are those of its start's run."""
    count = int(second["layer"].sum())
    return run(
        density=density,
        flops=20.0,
        method="fixed_mask",
        trajectory={
            "train_loss": losses,
            "validation_loss": [loss + 0.5 for loss in losses],
            "training_flops": [10.0 * (i + 1) for i in range(len(losses))],
        },
        statistics={"log_path_norm": [trace], "log_path_kernel_trace": [-trace], "layers": {"present": [[count]]}},
        masks=[second],
    )


class Convergence(unittest.TestCase):
    def study(self):
        curves = {
            "dense": {
                seed: run(
                    flops=40.0,
                    trajectory={
                        "train_loss": [2.0, 1.0],
                        "validation_loss": [2.5, 1.5],
                        "training_flops": [20.0, 40.0],
                    },
                )
                for seed in (1, 2)
            }
        }
        parts = {}
        # Masks of two connections, alike in counts; the more trace the less loss.
        for name, trace, last in (("random, ERK", 1.0, 1.4), ("PHEW", 2.0, 1.2), ("control: PHEW shuffled", 3.0, 1.0)):
            bits = mask(*[int(i != trace - 1) for i in range(3)])
            for seed in (1, 2):
                curves.setdefault(f"{name}: density 0.20", {})[seed] = trained([2.0, last], trace=trace, second=bits)
                curves.setdefault(f"start, {name}: density 0.20", {})[seed] = trained([2.3], trace=trace, second=bits)
            shuffled = name.startswith("control")
            parts[f"{name}: density 0.20"] = cell(
                name, 0.2, "control" if shuffled else "method", "PHEW" if shuffled else ""
            )
            parts[f"start, {name}: density 0.20"] = cell(name, 0.2, "start", f"{name}: density 0.20")
        return study(curves, parts=parts)

    def test_the_way_to_the_loss_of_the_random_mask(self):
        summary = summary_of(convergence, self.study())
        self.assertEqual(summary["densities"], ["0.20"])
        self.assertEqual(summary["histories"]["PHEW: density 0.20"]["reached"], [2, 0.5])
        self.assertIsNone(convergence.reached(summary["histories"]["dense"], 1.4))
        self.assertEqual(summary["histories"]["dense"]["flops"], [0.5, 1.0])
        self.assertEqual(
            row_of(table_of(convergence.tables(summary), "loss-0-20"), "PHEW")[5:], ["0.500", "2", "0.500"]
        )
        self.assertNotIn("start, PHEW: density 0.20", summary["histories"])

    def test_trace_and_loss_are_compared_within_groups(self):
        tests = convergence.summarise(self.study())["predictions"]
        first = tests[0]
        self.assertEqual(
            (first["kind"], first["predictor"], first["loss"]), ("allocation", "log_path_norm", "train_loss")
        )
        self.assertEqual((first["tau"], first["masks"], first["groups"], first["pairs"]), (-1.0, 6, 2, 6))
        self.assertEqual([t["tau"] for t in tests if t["predictor"] == "log_path_kernel_trace"], [1.0] * 4)
        self.assertEqual(len(tests), 8)

    def test_a_mask_is_held_against_its_own_control(self):
        summary = summary_of(convergence, self.study())
        self.assertEqual(
            convergence.shuffled_pairs(summary["starts"], parts_of(summary)), (2, 2, 0)
        )  # less loss, more trace, both seeds
        self.assertIn(
            "A mask shuffled within its layers ends with less training loss than the original in 2 of 2 pairs",
            " ".join(convergence.findings(summary)),
        )

    def test_a_start_of_another_mask_is_an_error(self):
        other = self.study()
        other.curves["start, PHEW: density 0.20"][1] = trained([2.3], second=mask(0, 1, 1))
        with self.assertRaisesRegex(ValueError, "PHEW: density 0.20, seed 1: the start's run has another mask"):
            convergence.summarise(other)

    def test_permutation_p_value_of_one_group_is_the_exact_share(self):
        rows = [{"x": x, "y": y} for x, y in ((1, 1), (2, 2), (3, 3))]
        found = convergence.within_groups([rows], "x", "y")
        self.assertEqual(found["tau"], 1.0)
        # Of the six orders the two monotone ones are as extreme.
        self.assertAlmostEqual(found["p"], 2 / 6, delta=0.02)
        self.assertIsNone(found["low"])  # one group has no interval

    def test_groups_of_different_levels_do_not_count_against_each_other(self):
        groups = [[{"x": level + i, "y": -10 * level + i} for i in range(3)] for level in (0, 10, 20, 30)]
        found = convergence.within_groups(groups, "x", "y")
        self.assertEqual((found["tau"], found["low"], found["high"]), (1.0, 1.0, 1.0))
        self.assertLess(found["p"], 0.01)  # 2 of 6^4

    def test_equal_values_are_no_evidence(self):
        rows = [{"x": 1, "y": 1}, {"x": 1, "y": 2}]
        found = convergence.within_groups([rows], "x", "y")
        self.assertEqual((found["tau"], found["p"]), (0.0, 1.0))


if __name__ == "__main__":
    unittest.main()
