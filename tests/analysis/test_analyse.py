"""From runs to a summary and from a summary to its files: what is the same for every experiment."""

import contextlib
import io
import json
import sys
import tempfile
import unittest
from pathlib import Path
from types import SimpleNamespace

import numpy as np

sys.path[:0] = [str(Path(__file__).resolve().parents[2] / "analysis"), str(Path(__file__).resolve().parent)]
import analyse
import costs
from study_runs import Part, Study
from synthetic import agreement, growth
from tables import Table


def run(name, seed, execution="sparse", **options):
    known = {"width": "8", "seed": str(seed), "out": "runs", "epochs": "10", "threads": "1"} | options
    return SimpleNamespace(
        identity={
            "name": name,
            "seed": seed,
            "data": "cifar10",
            "data_digest": "abcd",
            "network": "resnet8",
            "train_images": 90,
            "validation_images": 10,
            "test_images": 20,
            "defaults_version": 2,
        },
        options=known,
        option_table={
            "name": np.array(list(known)),
            "value": np.array(list(known.values())),
            "affects_result": np.array([n not in ("out", "threads") for n in known]),
        },
        host={"processor": "P", "cores": 2},
        execution={"used": execution},
        build={"commit": "c0ffee"},
        warnings=["a unit is cut", f"resumed with another build (b, before: {seed})"][: 1 + (seed == 2)],
        trajectory={"seconds": np.array([1.0, 30.0])},
        cost={
            "training_flops": 50.0 * seed,
            "scoring_flops": 1.0,
            "dense_gradient_flops": 2.0,
            "train_seconds": 3.0 * seed,
            "evaluate_seconds": 1.0,
            "grow_seconds": 2.0,
        },
    )


class Provenance(unittest.TestCase):
    def test_names_what_the_numbers_stand_on(self):
        shared = run("shared", 1, execution="dense")
        entries = [
            {"curve": curve, "seed": seed, "name": "x", "command": f"gcg_run {curve} {seed}"}
            for seed in (1, 2)
            for curve in ("a", "b")
        ]
        study = Study(
            "e",
            "small",
            Path("."),
            entries,
            {"a": Part("method", "A", {"density": 0.2}), "b": Part("dense", "b", of="a")},
            {"a": {1: shared, 2: run("other", 2, beta="2")}, "b": {1: shared}},
            ["b, seed 2"],
        )
        found = analyse.provenance(study, "")
        self.assertEqual(
            found,
            {
                "experiment": "e",
                "scale": "small",
                "data": "cifar10",
                "data_digests": ["abcd"],
                "networks": ["resnet8 of width 8"],
                "train_images": 90,
                "validation_images": 10,
                "test_images": 20,
                "seeds": [1, 2],
                "runs": 2,
                "run_seconds": 60.0,
                "processors": ["P"],
                "cores": 2,
                "execution": ["dense", "sparse"],
                "commits": ["c0ffee"],
                "defaults_versions": ["2"],
                "settings": {"beta": "2", "epochs": "10", "width": "8"},
                "commands": {"a": "gcg_run a 1", "b": "gcg_run b 1"},
                "parts": {
                    "a": {"role": "method", "family": "A", "values": {"density": 0.2}, "of": ""},
                    "b": {"role": "dense", "family": "b", "values": {}, "of": "a"},
                },
                "missing": ["b, seed 2"],
                "resumed": ["a, seed 2: resumed with another build (b, before: 2)"],
            },
        )
        json.dumps(found, allow_nan=False)

    def test_settings_are_those_that_matter_and_that_all_runs_share(self):
        self.assertEqual(analyse.common_settings([run("a", 1, epochs="10"), run("b", 2, epochs="20")]), {"width": "8"})


class Costs(unittest.TestCase):
    def test_relative_to_dense_training_of_the_same_seed(self):
        dense = {1: run("d1", 1), 2: run("d2", 2), 3: run("d3", 3)}
        found = costs.of_dense(costs.flops, {1: run("r", 2), 2: run("r", 2), 9: run("r", 9)}, dense)
        self.assertEqual(found["by_seed"], {"1": 103 / 53, "2": 1.0})
        self.assertEqual(found["seeds"], 2)
        self.assertAlmostEqual(found["mean"], (103 / 53 + 1) / 2)
        self.assertIsNone(costs.of_dense(costs.flops, {9: run("r", 9)}, dense))

    def test_seconds_are_those_of_the_parts_asked_for(self):
        self.assertEqual(costs.seconds(run("r", 2)), 9.0)
        self.assertEqual(costs.seconds(run("r", 2), costs.TRAINING), 8.0)


class Render(unittest.TestCase):
    def setUp(self):
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.folder = Path(temporary.name)

    def main(self, *arguments):
        output, before = io.StringIO(), sys.argv
        sys.argv = ["analyse.py", *map(str, arguments)]
        try:
            with contextlib.redirect_stdout(output):
                analyse.main()
        finally:
            sys.argv = before
        return output.getvalue()

    def test_a_summary_alone_makes_page_tables_and_figures_named_like_it(self):
        (self.folder / "growth_rules-small.older.summary.json").write_text(json.dumps(growth()))
        self.main("--redraw", self.folder / "growth_rules-small.older.summary.json", "--into", self.folder)
        names = {path.name for path in self.folder.iterdir()}
        self.assertLessEqual(
            {f"growth_rules-small.older{end}" for end in (".md", ".png", ".pdf", "-growth.tex", "-differences.tex")},
            names,
        )
        self.assertTrue(all(name.startswith("growth_rules-small.older") for name in names))

    def test_the_page_begins_with_what_it_stands_on_and_ends_with_findings(self):
        module = analyse.load_module("execution_agreement")
        page, drawn = analyse.render(
            module, agreement(missing=[f"curve, seed {i}" for i in range(7)]), self.folder, "x"
        )
        self.assertEqual(drawn, [])
        self.assertTrue(
            page.startswith(
                "execution_agreement, small scale: <b>images</b> & more (6,454 images for training, 1,614 for"
                " validation, 1,017 for the test), resnet8 of width 8; 4 runs, seeds 1, 2, 90 minutes of run time; a"
                " processor, 2 cores; dense and sparse execution.\n"
            )
        )
        self.assertIn(
            "**Not finished (7):** curve, seed 0; curve, seed 1; curve, seed 2; curve, seed 3; curve, seed 4; ...", page
        )
        self.assertTrue(
            page.endswith(
                f"{analyse.SAID}:\n\n- At density 1.00 training under sparse and dense execution is shown to"
                " be equivalent within 1.5 points: sparse minus dense +0.20 ± 0.10 points (n = 2).\n"
            )
        )
        self.assertEqual((self.folder / "x.md").read_text(), page)

    def test_findings_and_effects_are_optional(self):
        plain = SimpleNamespace(
            summarise=None, tables=lambda _: [Table("t", "c", ["a"], [["1"]])], figures=lambda *_: []
        )
        page, _ = analyse.render(plain, agreement(), self.folder, "y")
        self.assertNotIn(analyse.SAID, page)
        self.assertEqual(analyse.effects(plain, {}), {})

    def test_effects_gather_phrases_and_findings_by_option(self):
        module = analyse.load_module("execution_agreement")
        found = analyse.effects(module, agreement())
        self.assertEqual(list(found), ["execution", "precision"])
        self.assertTrue(found["execution"][0].startswith("At density 1.00"))

    def test_a_summary_that_is_redrawn_leaves_nothing_to_a_study_or_a_name_of_data(self):
        summary = self.folder / "growth_rules-small.summary.json"
        summary.write_text(json.dumps(growth()))
        for arguments, said in (
            (["growth_rules-small.json", "--redraw", summary], "--redraw takes no runs and so not a study file"),
            (["--redraw", summary, "--data-name", "foo"], "--redraw takes no runs and so not --data-name"),
        ):
            with contextlib.redirect_stderr(io.StringIO()) as error, self.assertRaises(SystemExit) as end:
                self.main(*arguments, "--into", self.folder / "new")
            self.assertEqual(end.exception.code, 2)
            self.assertIn(said, error.getvalue())
            self.assertFalse((self.folder / "new").exists())

    def test_what_is_no_experiment_is_told(self):
        for name, message in (
            ("nonsense", "there is no analysis of an experiment nonsense"),
            ("tables", "tables is no experiment's analysis"),
        ):
            with self.assertRaisesRegex(SystemExit, message):
                analyse.load_module(name)
        study = self.folder / "growth_rules-small.json"
        for content, message in (
            (None, "no such study file"),
            ("{", "is no JSON file"),
            ('{"experiment": "growth_rules", "runs": []}', "has version 1 of the list of runs, this analysis reads 2"),
        ):
            if content:
                study.write_text(content)
            with self.assertRaisesRegex(SystemExit, message):
                self.main(study)


if __name__ == "__main__":
    unittest.main()
