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
    comparisons = {claims.IMP: compared} if compared else {}
    return {"grow_return": {"rows": {claims.RETURN: row}, "comparisons": comparisons, "reference_epochs": [20]}}


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
                f"{cost}; iterative pruning by the same rule costs 2.0 times as much and {said}.",
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

    def test_the_committed_summaries_give_all_five(self):
        self.assertEqual(len(answer.sentences(claims.load(ROOT / "docs" / "results"))), 5)


if __name__ == "__main__":
    unittest.main()
