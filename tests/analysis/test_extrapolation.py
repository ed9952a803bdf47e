"""d* against control (b) and replayed stopping rules, from invented runs."""

import json
import math
import sys
import tempfile
import unittest
from pathlib import Path
from types import SimpleNamespace

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "analysis"))
import extrapolation as ex
from stopping_rules import verdict
import tables as table_module
from study_runs import Part

DENSITIES = [0.1, 0.2, 0.4, 0.8]
LOST = {1: [0.10, 0.03, 0.01, 0.0], 2: [0.12, 0.005, 0.0, 0.0]}


def growth(seed, d_star):
    outcomes = ["too_few_stages", "too_few_stages", "found", "found"]
    star = [math.nan, math.nan, 0.3, d_star]
    return SimpleNamespace(
        options={"epsilon": "0.02", "extrapolator": "logistic", "final": "none"},  # which has no --epochs
        identity={"classes": 10, "seed": seed},
        stages={
            "phase": ["stage"] * 4,
            "density": DENSITIES,
            "epochs": [3] * 4,
            "validation_accuracy": [0.4, 0.5, 0.6, 0.65],
            "decision": ["grow"] * 4,
        },
        fits={
            "outcome": outcomes,
            "d_star": star,
            "d_low": [s * 0.8 for s in star],
            "d_high": [s * 1.25 for s in star],
            "accuracy_at_one": [math.nan, math.nan, 0.66, 0.66],
            "standard_error": [math.nan, math.nan, 0.01, 0.01],
            "parameters": np.array([[math.nan] * 3] * 3 + [[0.66, 1.5, 0.06]]),
        },
    )


def trained(test, density):
    return SimpleNamespace(
        final={"test_accuracy": test, "validation_accuracy": test, "density": density},
        cost={"density_epochs": 12 * density},
    )


class Verdict(unittest.TestCase):
    def test_right_where_the_mask_at_d_star_is_within_epsilon_and_the_one_before_is_not(self):
        gaps = [0.1, 0.03, 0.01, 0.0]
        self.assertEqual(verdict(DENSITIES, gaps, 0.3, 0.02), "right")  # mask at 0.4; 0.2 is not within
        self.assertEqual(verdict(DENSITIES, gaps, 0.4, 0.02), "right")
        self.assertEqual(verdict(DENSITIES, gaps, 0.15, 0.02), "too low")
        self.assertEqual(verdict(DENSITIES, gaps, 0.5, 0.02), "too high")
        self.assertIsNone(verdict(DENSITIES, gaps, 0.9, 0.02))
        self.assertEqual(verdict(DENSITIES, [0.0] * 4, 0.05, 0.02), "right")  # there is none before

    def test_the_stage_is_the_first_from_which_on_all_are_within(self):
        self.assertEqual(ex.right_stage([0.1, 0.01, 0.03, 0.0], 0.02), 3)
        self.assertEqual(ex.right_stage([0.0, 0.0], 0.02), 0)
        self.assertIsNone(ex.right_stage([0.0, 0.1], 0.02))


class Summary(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        curves = {
            "path, sampled": {1: growth(1, 0.35), 2: growth(2, 0.35)},
            "dense": {s: trained(0.7, 1.0) for s in (1, 2)},
        }
        parts = {"path, sampled": Part("growth", "path, sampled"), "dense": Part("dense", "dense")}
        for stage, density in enumerate(DENSITIES):
            curves[f"mask of stage {stage}"] = {s: trained(0.7 - LOST[s][stage], density) for s in (1, 2)}
            parts[f"mask of stage {stage}"] = Part("mask", "mask of a stage", {"stage": stage})
        self.study = SimpleNamespace(
            curves=curves, parts=parts, folder=Path(self.folder.name), experiment="extrapolation", scale="small"
        )
        rule = {"extrapolator": "logistic", "epsilon": 0.02, "epsilon_relative": False, "min_stages": 5}
        runs = [
            {
                "curve": "path, sampled",
                "seed": s,
                "rules": [rule | {"stop": 2}, rule | {"extrapolator": "gain", "stop": -1}],
            }
            for s in (1, 2)
        ]
        coverage = [
            {
                "truth": "logistic",
                "extrapolator": "logistic",
                "true_d_star": 0.3,
                "epsilon": 0.02,
                "samples": 1613,
                "trials": 200,
                "found": 190,
                "intervals": 180,
                "covered": 171,
                "log_error": 0.1,
                "log_bias": math.log(2),
            }
        ]
        (self.study.folder / "extrapolation-small.replay.json").write_text(
            json.dumps({"runs": runs, "coverage": coverage})
        )

    def tearDown(self):
        self.folder.cleanup()

    def test_d_star_is_judged_by_every_seed_of_its_own(self):
        summary = ex.summarise(self.study)
        self.assertEqual(summary["verdicts"], {"1": "right", "2": "too high"})  # seed 2: 0.2 is within already
        self.assertEqual(summary["control_stage"], 1)  # means 0.11, 0.0175, 0.005, 0
        self.assertEqual(summary["trajectories"]["1"][0]["d_star"], None)

    def test_a_rule_pays_for_growth_to_its_stop_and_the_training_of_that_mask(self):
        rules = ex.summarise(self.study)["rules"]
        stopped, on = rules["logistic, 2 points, from 5 stages on"], rules["gain, 2 points, from 5 stages on"]
        self.assertAlmostEqual(stopped["cost"]["mean"], (3 * 0.7 + 12 * 0.4) / 12)
        self.assertAlmostEqual(stopped["lost"]["mean"], 0.005)
        self.assertEqual((stopped["stopped"], on["stopped"]), (2, 0))
        self.assertAlmostEqual(on["cost"]["mean"], (3 * 1.5 + 12 * 0.8) / 12)  # to the last stage

    def test_of_the_rules_the_unbeaten_stand_and_those_of_one_outcome_stand_together(self):
        outcomes = {
            "a, 1": (1.0, 0.02),
            "a, 2": (1.0, 0.02),
            "b, 1": (1.0, 0.02),
            "b, 2": (0.5, 0.04),
            "b, 3": (0.6, 0.04),
        }
        rules = {name: {"cost": {"mean": cost}, "lost": {"mean": lost}} for name, (cost, lost) in outcomes.items()}
        self.assertEqual(ex.best_rules({"rules": rules}), [["b, 2"], ["a, 1", "a, 2", "b, 1"]])
        self.assertEqual(ex.alike(["a, 1", "a, 2", "b, 1"]), "a, 1; 1 more a; 1 more b")

    def test_intervals_are_held_against_the_control_and_other_seeds(self):
        real = ex.summarise(self.study)["real_coverage"]
        # [0.28, 0.4375] misses the step from 0.1 to 0.2; both seeds have the same d*.
        self.assertEqual(real, {"intervals": 2, "hold_control": 0, "controls": 2, "hold_other": 2, "others": 2})

    def test_the_tables_and_sentences_hold_the_numbers(self):
        summary = json.loads(json.dumps(ex.summarise(self.study)))
        text = "\n".join(table_module.markdown(table) for table in ex.tables(summary))
        self.assertIn("seed 1: right; seed 2: too high", text)
        self.assertIn("| logistic | logistic | 0.300   | 95    | 90       | 95     | 1.00", text)
        said = " ".join(ex.findings(summary))
        self.assertIn("right for 1, too high for 1 of 2 seeds with a d*", said)
        self.assertIn("within epsilon of dense from density 0.200 on", said)
        self.assertIn("contains the true d* in 95 % of 180 intervals", said)

    def test_the_joint_fit_stands_beside_the_fit_over_density_alone(self):
        path = self.study.folder / "extrapolation-small.replay.json"
        replay = json.loads(path.read_text())
        joint = {
            "outcome": "found",
            "parameters": [0.25, 0.75, math.log(0.04), math.log(0.5), 0.1, math.log(10), 0.0],
            "accuracy_at_one": 0.6,
            "d_star": 0.45,
            "d_low": 0.3,
            "d_high": 0.6,
            "difference_error": 0.012,
            "union_low": 0.25,
            "union_high": 0.8,
        }
        replay["runs"][0]["joint"] = joint
        path.write_text(json.dumps(replay))
        summary = json.loads(json.dumps(ex.summarise(self.study)))
        self.assertEqual(list(summary["joint"]), ["1"])
        text = "\n".join(table_module.markdown(table) for table in ex.tables(summary))
        self.assertIn(
            "| one stage    | 1    | 0.350         | found   | 0.450    | 0.250 to 0.800            | 1.2   |", text
        )
        self.assertEqual(summary["joint"]["1"]["epochs"], 12)  # as many as growth had
        self.assertIn(
            "Seed 1, one stage at each density: the fit of density and time together says found, d* 0.450 (0.250 to"
            " 0.800 over three forms); the fit over density alone d* 0.350.",
            ex.findings(summary),
        )
        # A(1, t): a1 - c, approached from a0 as (1 + t / T)^-1.
        self.assertAlmostEqual(ex.joint_accuracy(joint["parameters"], 1.0, 10), 0.71 - 0.46 / 2)
        (figure,) = ex.figures(summary, str(self.study.folder / "figure"))
        self.assertTrue(Path(figure).exists())

    def test_the_joint_fit_of_the_run_file_goes_before_that_of_the_replay(self):
        run = self.study.curves["path, sampled"][2]
        stages = len(DENSITIES)
        run.joint_fits = {
            "outcome": ["found"] * stages,
            "parameters": np.array([[0.25, 0.75, -3.2, -0.7, 0.1, 2.3, 0.0]] * stages),
            "d_star": np.array([0.2, 0.3, 0.4, 0.5]),
            "d_low": np.array([0.2] * stages),
            "d_high": np.array([0.8] * stages),
            "union_low": np.array([0.1] * stages),
            "union_high": np.array([0.9] * stages),
            "difference_error": np.array([0.01] * stages),
        }
        (found,) = ex.summarise(self.study)["joint"].items()
        self.assertEqual((found[0], found[1]["d_star"], found[1]["low"], found[1]["high"]), ("2", 0.5, 0.1, 0.9))
        # The same of growth that holds its densities: another curve, which the rules know nothing of.
        self.study.curves["path, sampled, held"] = {1: run}
        self.study.parts["path, sampled, held"] = Part("held growth", "path, sampled, held")
        summary = json.loads(json.dumps(ex.summarise(self.study)))
        text = "\n".join(table_module.markdown(table) for table in ex.tables(summary))
        self.assertIn(
            "| two stages   | 1    | -             | found   | 0.500    | 0.100 to 0.900            | 1.0   |", text
        )
        self.assertEqual(list(summary["trajectories"]), ["1", "2"])
        (figure,) = ex.figures(summary, str(self.study.folder / "held"))
        self.assertTrue(Path(figure).exists())

    def test_a_form_that_always_errs_low_is_said_to_stop_early_by_accident(self):
        rule = {"epsilon": 0.02, "epsilon_relative": False, "min_stages": 5}
        rules = [
            rule | {"extrapolator": name, "density": {"mean": mean}}
            for name, mean in (("logistic", 0.7), ("exponential", 0.3))
        ]
        coverage = [
            {
                "truth": truth,
                "extrapolator": "exponential",
                "found": 200,
                "log_bias": -octaves * math.log(2),
                "covered": 0,
                "intervals": 200,
            }
            for truth, octaves in (("logistic", 0.4), ("power", 1.0), ("exponential", 0.0))
        ]
        (said,) = ex.early_by_form({"coverage": coverage}, rules)
        self.assertIn("0.4 to 1.0 octaves too low, and 0 of 400 intervals contain", said)
        coverage[0]["log_bias"] = 0.1
        self.assertEqual(ex.early_by_form({"coverage": coverage}, rules), [])

    def test_without_the_replay_the_rest_stands(self):
        (self.study.folder / "extrapolation-small.replay.json").unlink()
        summary = ex.summarise(self.study)
        self.assertEqual(summary["rules"], {})
        self.assertEqual([table.name for table in ex.tables(summary)], ["fits", "control"])
        self.assertTrue(ex.findings(summary))


if __name__ == "__main__":
    unittest.main()
