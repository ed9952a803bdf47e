"""Under every locale the readers read the same, files are UTF-8, and what is printed degrades where the locale has no
such letter. GCG_SAMPLE_RUN names a run file."""

import os
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "analysis"), str(Path(__file__).resolve().parent)]
from run_files import edited, toy_study

# Reads by all ways and prints in ASCII what it read.
READS = """
import sys, gcg_runs
folder = sys.argv[1]
runs = gcg_runs.load_all(folder)
paths = [run.path for run in runs]
print(ascii([run.warnings for run in runs]), ascii(gcg_runs.table(paths, ["options/growth-ratio", "stages/scores"])))
print(ascii(gcg_runs.load_study(folder + "/toy-smoke.json")["a"][0].fits["note"].tolist()))
print(runs[0].warnings[1], "ā", paths[0])
"""
PLAIN = {"PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}


class Locales(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.temporary = tempfile.TemporaryDirectory()
        cls.folder = Path(cls.temporary.name) / "Größe ā"
        cls.study = toy_study(cls.folder, ["one", "two"])
        with edited(cls.folder / "one" / "run.h5") as file:
            file["warnings"][0] = b"cannot read \xff"
        (cls.folder / "two" / "run.h5").write_bytes(b"damaged")
        cls.environments = {
            "C.UTF-8": {"LC_ALL": "C.UTF-8"},
            "C": PLAIN | {"LC_ALL": "C"},
            "C, UTF-8 mode": {"LC_ALL": "C", "PYTHONUTF8": "1"},
            "streams in Latin-1": PLAIN | {"LC_ALL": "C", "PYTHONIOENCODING": "latin-1"},
        }
        # A real locale of Latin-1, where the system has what one is made of.
        made = Path(cls.temporary.name) / "locales" / "de_DE.ISO-8859-1"
        made.parent.mkdir()
        try:
            subprocess.run(["localedef", "-i", "de_DE", "-f", "ISO-8859-1", made], capture_output=True, check=False)
        except FileNotFoundError:
            pass
        if made.exists():
            cls.environments["Latin-1"] = PLAIN | {"LC_ALL": made.name, "LOCPATH": str(made.parent)}

    @classmethod
    def tearDownClass(cls):
        cls.temporary.cleanup()

    def outputs(self, *command):
        """[(name of the locale, standard output)] of a Python program that has to end well under each."""
        for name, environment in self.environments.items():
            known = {key: value for key, value in os.environ.items() if not key.startswith(("LC_", "LANG", "PYTHON"))}
            paths = os.pathsep.join([str(ROOT / "analysis"), str(self.folder)])
            known |= {"PYTHONPATH": paths, "PYTHONDONTWRITEBYTECODE": "1"} | environment
            done = subprocess.run([sys.executable, *map(str, command)], env=known, capture_output=True, check=False)
            with self.subTest(name):
                self.assertEqual(done.returncode, 0, done.stderr)
                self.assertNotIn(b"Traceback", done.stderr)
                yield name, done.stdout

    def test_a_run_is_printed(self):
        for _, output in self.outputs(ROOT / "analysis" / "inspect_run.py", self.folder / "one"):
            self.assertIn(b"zweite Warnung", output)

    def test_all_readers_read_the_same(self):
        reads = self.folder / "reads.py"
        reads.write_text(READS.replace("print(runs", "import texts; texts.degrade(); print(runs"), encoding="utf-8")
        said = {name: output.splitlines()[:2] for name, output in self.outputs(reads, self.folder)}
        self.assertEqual(len(said), len(self.environments))
        for name, lines in said.items():
            self.assertEqual(lines[1], said["C.UTF-8"][1], name)
            self.assertEqual(lines[0].split(b"'path'")[0], said["C.UTF-8"][0].split(b"'path'")[0], name)
            self.assertIn(b"cannot read \\udcff", lines[0])

    def test_an_analysis_writes_the_same_files(self):
        files = {}
        for name, output in self.outputs(ROOT / "analysis" / "analyse.py", self.study):
            self.assertIn(b"Not finished (1)", output)
            files[name] = [
                (self.folder / f"toy-smoke{end}").read_bytes() for end in (".summary.json", ".md", "-toy.tex")
            ]
            self.assertIn("Grün ± ā".encode(), files[name][1])
        self.assertEqual(set(files), set(self.environments))
        for name, contents in files.items():
            self.assertEqual(contents, files["C.UTF-8"], name)

    def test_a_report_is_the_same_page(self):
        pages = {}
        page = self.folder / "Bericht.html"
        for name, _ in self.outputs(ROOT / "analysis" / "report.py", self.folder, "--out", page):
            pages[name] = page.read_bytes()
            self.assertIn("zweite Warnung: ä".encode(), pages[name])
        for name, content in pages.items():
            self.assertEqual(content, pages["C.UTF-8"], name)

    def test_a_comparison_is_printed(self):
        for _, output in self.outputs(ROOT / "analysis" / "compare.py", self.study, self.study):
            self.assertIn(b"test accuracy", output)


if __name__ == "__main__":
    unittest.main()
