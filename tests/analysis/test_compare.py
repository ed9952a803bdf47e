"""Two studies against each other: options that differ, pairs by curve and seed, what only one has. GCG_SAMPLE_RUN names
a run file."""

import contextlib
import io
import json
import os
import shutil
import sys
import tempfile
import unittest
from pathlib import Path


ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "analysis"))
sys.path.insert(0, str(Path(__file__).resolve().parent))
import compare
import gcg_runs
import keep_tables
from run_files import edited
from synthetic import agreement, growth, summary

SAMPLE = os.environ["GCG_SAMPLE_RUN"]


def printed(*arguments):
    output = io.StringIO()
    with contextlib.redirect_stdout(output):
        compare.main([*map(str, arguments)])
    return output.getvalue()


def cells(text):
    """The rows of all tables, without headings and rules."""
    rows = [
        [cell.strip() for cell in line.strip("|").split(" | ")] for line in text.splitlines() if line.startswith("| ")
    ]
    return [row for row in rows if row[:2] not in (["what", "A"], ["curve", "option"], ["curve", "measure"])]


class Folder(unittest.TestCase):
    def setUp(self):
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.folder = Path(temporary.name)


class Studies(Folder):
    def study(self, name, accuracies, growth_ratio="0.4", unfinished=(), experiment="e-smoke"):
        """accuracies: {(curve, seed): test accuracy}."""
        entries = []
        for number, ((curve, seed), accuracy) in enumerate(accuracies.items()):
            path = self.folder / name / f"run{number}" / "run.h5"
            path.parent.mkdir(parents=True)
            shutil.copy(SAMPLE, path)
            entries.append({"curve": curve, "seed": seed, "name": f"run{number}", "command": f"gcg_run --seed {seed}"})
            with edited(path) as file:
                file["identity"].attrs["name"] = f"run{number}"
                file["final"].attrs["test_accuracy"] = accuracy
                values = file["options/value"][()]
                values[values == b"0.4"] = growth_ratio.encode()
                file["options/value"][...] = values
                if (curve, seed) in unfinished:
                    file.attrs["status"] = "running"
        path = self.folder / name / f"{experiment}.json"
        path.write_text(json.dumps({"experiment": "e", "runs": entries}))
        return path

    def test_options_differences_and_what_only_one_has(self):
        a = self.study("a", {("path", 1): 0.50, ("path", 2): 0.52, ("path", 3): 0.51, ("random", 1): 0.4})
        b = self.study(
            "b", {("path", 1): 0.40, ("path", 2): 0.41, ("path", 4): 0.43, ("dense", 1): 0.9}, growth_ratio="0.25"
        )
        text = printed(a, b)
        rows = cells(text)
        self.assertIn(["path", "growth-ratio", "0.4", "0.25"], rows)
        # Seeds 1 and 2 are pairs: 0.10 and 0.11.
        self.assertIn(["path", "test accuracy", "2", "0.51", "0.405", "+0.1050 ± 0.0635", "0.061"], rows)
        self.assertIn("Only in A.", text)
        self.assertIn(["path", "test accuracy", "3"], rows)
        self.assertIn(["random", "test accuracy", "1"], rows)
        self.assertIn(["dense", "test accuracy", "1"], rows)

    def test_runs_that_are_not_finished_count_nowhere_and_are_named(self):
        a = self.study("a", {("path", 1): 0.50, ("path", 2): 0.52}, unfinished=[("path", 2)])
        b = self.study("b", {("path", 1): 0.50, ("path", 2): 0.52})
        text = printed(a, b)
        self.assertIn("Not finished in A: path, seed 2.", text)
        self.assertIn(["path", "test accuracy", "1", "0.5", "0.5", "+0.0000", "-"], cells(text))
        self.assertIn("One seed each: no difference can be tested.", text)
        self.assertIn("No option differs in a curve that both have.", text)

    def test_kept_tables_stand_in_for_run_files(self):
        a = self.study("a", {("path", 1): 0.50, ("path", 2): 0.52}, unfinished=[("path", 2)])
        b = self.study("b", {("path", 1): 0.40, ("path", 2): 0.45})
        plain = cells(printed(a, b))
        for number in range(2):
            run = b.parent / f"run{number}"
            (run / gcg_runs.TABLES_NAME).write_text(keep_tables.tables_text(gcg_runs.load(run)))
            (run / "run.h5").unlink()
        text = printed(a, b)
        self.assertNotIn("Not finished in B", text)
        self.assertIn("Not finished in A: path, seed 2.", text)
        self.assertEqual(cells(text), plain)
        (b.parent / "run0" / gcg_runs.TABLES_NAME).write_text("[]")
        with contextlib.redirect_stderr(io.StringIO()):
            self.assertIn("Not finished in B: path, seed 1 (holds no tables of a run", printed(a, b))

    def test_studies_of_folders_are_matched_by_name(self):
        for name, experiments in (("a", ("e-smoke", "f-smoke")), ("b", ("e-smoke", "g-smoke"))):
            for experiment in experiments:
                self.study(f"{name}/{experiment}", {("path", 1): 0.5}, experiment=experiment)
                shutil.move(
                    self.folder / name / experiment / f"{experiment}.json", self.folder / name / f"{experiment}.json"
                )
                shutil.move(self.folder / name / experiment / "run0", self.folder / name / f"run0-{experiment}")
                with edited(self.folder / name / f"run0-{experiment}" / "run.h5") as file:
                    file["identity"].attrs["name"] = f"run0-{experiment}"
                path = self.folder / name / f"{experiment}.json"
                path.write_text(path.read_text().replace("run0", f"run0-{experiment}"))
        text = printed(self.folder / "a", self.folder / "b")
        self.assertIn("only in A: f-smoke.json", text)
        self.assertIn("only in B: g-smoke.json", text)
        self.assertIn("e-smoke.json", text)


class Summaries(Folder):
    def write(self, name, content):
        path = self.folder / f"{name}.summary.json"
        path.write_text(json.dumps(content))
        return path

    def test_numbers_by_seed_are_paired_wherever_they_stand(self):
        a = self.write("a", growth(execution=["sparse"]))
        other = growth(execution=["dense"], settings={"epochs": "10", "width": "16"})
        other["curves"]["random"]["by_seed"] = [[0.3, 0.4], [0.3, 0.4]]
        text = printed(a, self.write("b", other))
        rows = cells(text)
        self.assertIn(["execution", "sparse", "dense"], rows)
        self.assertIn(["all runs", "width", "8", "16"], rows)
        self.assertIn(
            ["curves / path, sampled", "stage 2 of 2", "2", "0.515", "0.515", "+0.0000 ± 0.0000", "1.000"], rows
        )
        self.assertIn(["curves / random", "stage 1 of 2", "2", "0.41", "0.3", "+0.1100 ± 0.1271", "0.346"], rows)
        self.assertFalse([row for row in rows if row[0].startswith("differences")])  # derived from the same numbers

    def test_a_dictionary_by_seed_is_read_too(self):
        values = {}
        compare.collect({"x": {"of_dense": {"mean": 1.0, "by_seed": {"1": 0.5, "7": 0.7}}}}, (), values)
        self.assertEqual(values, {("x / of_dense", "value"): {1: 0.5, 7: 0.7}})

    def test_a_number_of_a_list_is_called_by_what_it_belongs_to(self):
        for beside, words in (({}, "entry"), ({"density": [0.1, 0.2]}, "stage"), ({"density": 0.1}, "entry")):
            values = {}
            compare.collect(beside | {"seeds": [7], "by_seed": [[0.5, 0.6]]}, ("x",), values)
            self.assertEqual(values, {("x", f"{words} {i} of 2"): {7: v} for i, v in ((1, 0.5), (2, 0.6))})

    def test_the_page_in_the_tree_is_that_of_its_summaries(self):
        results, name = "docs/results", "growth_rules-small"
        with contextlib.chdir(ROOT):
            made = printed(f"{results}/{name}.summary.json", f"{results}/{name}.dense-execution.summary.json")
            self.assertEqual(Path(f"{results}/{name}.sparse-against-dense.md").read_text(), made)

    def test_equal_summaries_have_nothing_that_differs(self):
        a, b = self.write("a", agreement()), self.write("b", agreement())
        text = printed(a, b)
        self.assertIn("No option differs in a curve that both have.", text)
        self.assertNotIn("Only in", text)
        self.assertIn("Nothing can be paired.", printed(self.write("c", summary()), self.write("d", summary())))

    def test_what_is_no_study_is_told(self):
        for content, message in (
            ("{", "is no JSON file"),
            ("[]", "is no study file"),
            ('{"x": 1}', "is no study file"),
        ):
            path = self.folder / "x.json"
            path.write_text(content)
            with self.assertRaisesRegex(SystemExit, message):
                printed(path, path)
        nowhere = self.folder / "nowhere"
        (self.folder / "runs").mkdir()
        for name in "ab":
            (self.folder / "runs" / f"{name}.summary.json").write_text("{}")
        for pair in ((nowhere, nowhere), (self.folder / "runs", nowhere), (nowhere, self.folder / "runs")):
            with self.assertRaises(SystemExit) as end, contextlib.redirect_stdout(io.StringIO()) as said:
                compare.main([*map(str, pair)])
            self.assertEqual((str(end.exception), said.getvalue()), (f"{nowhere}: no such file or folder", ""))
        (self.folder / "empty").mkdir()
        with self.assertRaisesRegex(SystemExit, "holds no study file and no summary"):
            printed(self.folder / "empty", self.folder / "empty")


if __name__ == "__main__":
    unittest.main()
