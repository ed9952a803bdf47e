"""The sentences that README and the report open with follow from the summaries, whichever way the results go."""

import sys
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "analysis"))

import answer
import claims


def difference(mean, half, seeds=3):
    return {"mean": mean, "half_interval": half, "seeds": seeds, "p": 0.5}


def study(compared=None, longer=None):
    row = {
        "minus_dense": difference(-0.002, 0.008),
        "minus_equally_long": longer,
        "density": {"1": 0.1, "2": 0.12, "3": 0.11},
        "epochs": {"1": 40, "2": 42, "3": 41},
        "costs": {name: {"mean": 0.3, "half_interval": 0.01} for name in ("density_epochs", "flops", "seconds")},
    }
    pruned = {
        "costs": {name: {"mean": cost} for name, cost in (("density_epochs", 0.6), ("flops", 0.45), ("seconds", 0.27))}
    }
    comparisons = {claims.IMP: compared} if compared else {}
    rows = {claims.RETURN: row, claims.IMP: pruned}
    return {"grow_return": {"rows": rows, "comparisons": comparisons, "reference_epochs": [20]}}


class Answer(unittest.TestCase):
    def test_what_is_not_measured_has_no_sentence(self):
        self.assertEqual(answer.sentences({}), [])
        self.assertEqual(len(answer.sentences(study())), 2)

    def test_the_search_is_held_against_dense_training_by_its_interval(self):
        self.assertEqual(
            answer.sentences(study())[0],
            "Growing and returning ends at density 0.100 to 0.120. Its accuracy relative to dense training of 20 epochs"
            " is -0.2 ± 0.8 points (n = 3): not below it by more than 1 point.",
        )

    def test_its_cost_stands_beside_that_of_pruning_whichever_is_more_accurate(self):
        cost = (
            "With its search it costs 0.30 ± 0.01 dense trainings in density × epochs and 0.30 ± 0.01 in FLOPs (in"
            " seconds, on a busy machine, 0.30 ± 0.01)"
        )
        self.assertEqual(answer.sentences(study())[1], cost + ".")
        for mean, said in (
            (0.02, "ends 2.0 ± 1.0 points below it"),
            (-0.02, "ends 2.0 ± 1.0 points above it"),
            (0.0, "ends with no significant difference (+0.0 ± 1.0 points)"),
        ):
            compared = {"octaves": difference(1, 0.1), "accuracy": difference(mean, 0.01)}
            self.assertEqual(
                answer.sentences(study(compared))[1],
                f"{cost}. Iterative pruning by the same rule costs 2.0 times as much in density × epochs, 1.5 times"
                f" as much in FLOPs, 0.9 times as much in seconds; it {said}.",
            )

    def test_a_difference_that_a_correction_leaves_open_is_said_to_be_so(self):
        compared = {"octaves": difference(1, 0.1), "accuracy": difference(0.02, 0.01) | {"p_holm": 0.06}}
        self.assertTrue(
            answer.sentences(study(compared))[1].endswith(
                "ends 2.0 ± 1.0 points below it (not significant after Holm's correction)."
            )
        )

    def test_methods_of_about_the_same_cost_stand_beside_it(self):
        summary = study()["grow_return"]
        for name, density in ((answer.RIGL, 0.175), (answer.BUDGET, 0.3)):
            summary["rows"][name] = {"density": {"1": density}, "costs": {"density_epochs": {"mean": 0.35}}}
        summary["comparisons"] = {
            answer.RIGL: {"accuracy": difference(0.001, 0.01)},
            answer.BUDGET: {"accuracy": difference(-0.02, 0.01) | {"p_holm": 0.03}},
        }
        self.assertEqual(
            answer.sentences({"grow_return": summary})[2],
            "Compared with growing and returning, RigL at density 0.175 and cost 0.35 shows no significant difference"
            " (-0.1 ± 1.0 points); growth to the density that its budget pays for, without return, at density 0.300 and"
            " cost 0.35 is more accurate (+2.0 ± 1.0 points; significant after Holm's correction) (n = 3).",
        )

    def test_longer_dense_training_and_the_other_rules_are_said(self):
        said = answer.sentences(study(longer=difference(-0.05, 0.01)))
        self.assertEqual(
            said[2],
            "It trains for 40 to 42 epochs in all. Relative to dense training for equally many epochs its accuracy is"
            " -5.0 ± 1.0 points (interpolated between dense lengths).",
        )
        rules = {"growth_rules": {"differences": {"rules": {"random": [difference(0.02, 0.01), difference(0, 0.01)]}}}}
        self.assertEqual(
            answer.sentences(rules),
            [
                "Growth by path scores compared with random growth from the same seed mask: accuracy is significantly"
                " higher at 1 of 2 densities, lower at 0, no significant difference at 1 (mean differences +0.0 to +2.0"
                " points; n = 3)."
            ],
        )

    def test_the_committed_summaries_give_all_six(self):
        self.assertEqual(len(answer.sentences(claims.load(ROOT / "docs" / "results"))), 6)


if __name__ == "__main__":
    unittest.main()
