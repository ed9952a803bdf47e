"""Every row of the table of experiments has its analysis, which reads no names of curves and redraws its summary."""

import ast
import importlib
import json
import re
import sys
import tomllib
import unittest
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(PROJECT / "analysis"))
import analyse

ROW = re.compile(r"^EXPERIMENT\((\w+), (\w+), (\w+),", re.MULTILINE)
ROWS = ROW.findall((PROJECT / "experiments" / "table.def").read_text())
STUDIED = [name for name, _, kind in ROWS if kind != "demo"]
SUMMARIES = sorted((PROJECT / "docs" / "results").glob("*.summary.json"))
# What takes a text apart. A curve's role, family and values stand in the study file.
TAKES_APART = {"split", "rsplit", "partition", "rpartition", "startswith", "endswith", "removeprefix", "removesuffix"}
NO_CURVES = {("extrapolation", "split")}  # names of stopping rules, which the module makes itself


class Rows(unittest.TestCase):
    def test_have_runs_settings_and_an_analysis(self):
        self.assertGreater(len(ROWS), 10)
        for name, settings, _ in ROWS:
            self.assertTrue((PROJECT / "experiments" / f"{name}.cpp").exists(), name)
            scales = tomllib.loads((PROJECT / "experiments" / f"{settings}.toml").read_text())
            self.assertIn("smoke", scales, name)
        for name in STUDIED:
            analyse.load_module(name)  # exits without summarise, tables and figures

    def test_no_analysis_takes_names_of_curves_apart(self):
        for name in STUDIED:
            tree = ast.parse((PROJECT / "analysis" / f"{name}.py").read_text())
            calls = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)} & TAKES_APART
            self.assertEqual({call for call in calls if (name, call) not in NO_CURVES}, set(), name)


class Committed(unittest.TestCase):
    def test_summaries_say_what_their_curves_are(self):
        for path in SUMMARIES:
            summary = json.loads(path.read_text())
            self.assertEqual(set(summary["parts"]), set(summary["commands"]), path.name)

    def test_summaries_still_make_tables_and_sentences(self):
        self.assertGreater(len(SUMMARIES), 10)
        for path in SUMMARIES:
            summary = json.loads(path.read_text())
            module = importlib.import_module(summary["experiment"])
            with self.subTest(path.name):
                self.assertTrue(all(table.rows for table in module.tables(summary)))
                self.assertTrue(analyse.findings(module, summary))


if __name__ == "__main__":
    unittest.main()
