"""The Python part as a package, and the Python that README and docs show. GCG_SAMPLE_RUN: a run file."""

import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
import unittest
from html import unescape
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "analysis"))
import example_page
import gcg_runs

SAMPLE = str(Path(os.environ["GCG_SAMPLE_RUN"]).resolve())
PIP = all(importlib.util.find_spec(name) for name in ("pip", "setuptools", "wheel"))
PANDAS = importlib.util.find_spec("pandas") is not None


@unittest.skipUnless(PIP, "pip, setuptools and wheel are not all installed")
class Package(unittest.TestCase):
    """What `pip install ./analysis` gives, without the network."""

    @classmethod
    def setUpClass(cls):
        cls.temporary = tempfile.TemporaryDirectory()
        cls.folder = Path(cls.temporary.name)
        # pip writes beside the sources that it installs.
        shutil.copytree(ROOT / "analysis", cls.folder / "analysis", ignore=shutil.ignore_patterns("__pycache__"))
        install = ["-m", "pip", "install", "-q", "--no-index", "--no-deps", "--no-build-isolation"]
        done = subprocess.run(
            [sys.executable, *install, "--target", cls.folder / "site", cls.folder / "analysis"],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr[-2000:]

    @classmethod
    def tearDownClass(cls):
        cls.temporary.cleanup()

    def run_there(self, *command):
        return subprocess.run(
            list(map(str, command)),
            cwd=self.folder,
            env=os.environ | {"PYTHONPATH": str(self.folder / "site")},
            capture_output=True,
            text=True,
            check=False,
        )

    def test_gcg_runs_is_imported_from_anywhere(self):
        code = "import gcg_runs, sys; print(gcg_runs.load(sys.argv[1]).network); print(gcg_runs.__file__)"
        done = self.run_there(sys.executable, "-c", code, SAMPLE)
        network, place = done.stdout.splitlines()
        self.assertEqual(network, gcg_runs.load(SAMPLE).network)
        self.assertTrue(place.startswith(str(self.folder)), place)

    def test_only_names_of_this_project_become_importable(self):
        found = {p.name.removesuffix(".py") for p in (self.folder / "site").iterdir() if "dist-info" not in p.name}
        self.assertEqual(found - {"bin", "__pycache__"}, {"gcg_runs", "load_in_torch", "gcg_analysis"})

    def test_every_command_starts(self):
        scripts = tomllib.loads((ROOT / "analysis" / "pyproject.toml").read_text())["project"]["scripts"]
        self.assertEqual({p.name for p in (self.folder / "site" / "bin").iterdir()}, set(scripts))
        for name in scripts:
            done = self.run_there(sys.executable, self.folder / "site" / "bin" / name, "--help")
            self.assertEqual(done.returncode, 0, done.stderr)
        done = self.run_there(sys.executable, self.folder / "site" / "bin" / "gcg-inspect", SAMPLE)
        self.assertIn("options not at their default", done.stdout)


def run_alone(code, *arguments):
    """A program to which of this project only gcg_runs is known, as where it is installed: names such as bottleneck
    and tables are others' there. Its output."""
    with tempfile.TemporaryDirectory() as folder:
        shutil.copy(ROOT / "analysis" / "gcg_runs.py", folder)
        done = subprocess.run(
            [sys.executable, "-c", code, *map(str, arguments)],
            env=os.environ | {"PYTHONPATH": folder, "PYTHONDONTWRITEBYTECODE": "1"},
            cwd=folder,
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == 0, done.stderr
    return done.stdout


class Tables(unittest.TestCase):
    def test_a_study_gives_its_finished_runs_by_curve_and_seed(self):
        with tempfile.TemporaryDirectory() as folder:
            folder = Path(folder)
            here = gcg_runs.load(SAMPLE).identity["name"]
            for name in here, "moved":
                (folder / name).mkdir()
                shutil.copy(SAMPLE, folder / name / "run.h5")
            runs = [{"curve": "a", "seed": 1, "name": here}, {"curve": "a", "seed": 2, "name": "gone"}]
            (folder / "study.json").write_text(json.dumps({"runs": runs}))
            found = gcg_runs.load_study(folder / "study.json")
            finished = gcg_runs.load(SAMPLE).status == "finished"
            self.assertEqual(
                {curve: sorted(by_seed) for curve, by_seed in found.items()}, {"a": [1]} if finished else {}
            )
            runs[0]["name"] = "moved"
            (folder / "study.json").write_text(json.dumps({"runs": runs}))
            unreadable = []
            self.assertEqual(gcg_runs.load_study(folder / "study.json", unreadable), {})
            self.assertIn("is that of another run", str(unreadable[0]))
            with self.assertRaisesRegex(gcg_runs.RunFileError, "no such study file"):
                gcg_runs.load_study(folder / "none.json")
            (folder / "bad.json").write_text("[]")
            with self.assertRaisesRegex(gcg_runs.RunFileError, "is no study file"):
                gcg_runs.load_study(folder / "bad.json")

    @unittest.skipUnless(PANDAS, "pandas is not installed")
    def test_a_table_becomes_a_data_frame(self):
        said = run_alone(
            """
import gcg_runs, sys
run = gcg_runs.load(sys.argv[1])
for table in (run.trajectory, run.stages, run.fits, run.statistics, run.layers):
    frame = gcg_runs.frame(table)
    columns = [name for name, values in table.items() if not isinstance(values, dict)]
    assert list(frame.columns) == columns, frame.columns
    assert len(frame) == len(table[columns[0]])
assert gcg_runs.frame(run.stages)["density"].tolist() == run.stages["density"].tolist()
print("five tables")
""",
            SAMPLE,
        )
        self.assertEqual(said, "five tables\n")

    def test_without_pandas_it_says_what_to_do(self):
        known = sys.modules.get("pandas")
        sys.modules["pandas"] = None
        try:
            with self.assertRaisesRegex(ImportError, "pip install pandas"):
                gcg_runs.frame({"a": [1]})
        finally:
            del sys.modules["pandas"]
            if known is not None:
                sys.modules["pandas"] = known


class Shown(unittest.TestCase):
    def blocks(self, page):
        return re.findall(r"```python\n(.*?)```", (ROOT / page).read_text(), re.DOTALL)

    def test_the_lines_of_the_pages_that_read_a_run_work(self):
        run = gcg_runs.load(SAMPLE)
        layer = str(run.layers["name"][0])
        for page in ("README.md", "docs/files.md"):
            (block,) = [text for text in self.blocks(page) if "gcg_runs.load(" in text]
            block = block.replace("runs/demo/NAME/run.h5", SAMPLE).replace("stem.conv", layer)
            lines = [f"paths = [{SAMPLE!r}]", *block.splitlines()]
            if not PANDAS:
                lines = [line for line in lines if "frame(" not in line]
            self.assertTrue(run_alone("\n".join(lines)), page)

    def test_the_rendered_example_is_that_of_its_source(self):
        page = unescape((ROOT / "docs" / "example.html").read_text())
        cells = example_page.cells((ROOT / "examples" / "run_in_python.py").read_text())
        code = [content for text, content in cells if not text]
        self.assertEqual(re.findall(r'<pre class="code">(.*?)</pre>', page, re.DOTALL), code)
        self.assertGreaterEqual(page.count('<pre class="out">'), len(code) - 1)  # one of them draws
        self.assertIn("<svg", page)

    def test_a_page_runs_its_cells_in_order_and_shows_what_they_print_and_draw(self):
        source = "# %% [markdown]\n# # Title <b>\n#\n# Some `code`.\n\n# %%\nx = 1\nprint('<', x)\n\n# %%\n" + (
            "import matplotlib.pyplot as plt\nplt.plot([x, 2], [3, 4], 'o')\n"
        )
        page = example_page.page(source)
        self.assertIn("<h1>Title &lt;b&gt;</h1>\n<p>Some <code>code</code>.</p>", page)
        self.assertIn('<pre class="out">&lt; 1</pre>', page)
        self.assertIn("<title>1, 3</title>", page)
        self.assertNotIn("http", page)


if __name__ == "__main__":
    unittest.main()
