"""The HTML report: self-contained, escaped, with what is missing."""

import contextlib
import html
import io
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest
from html.parser import HTMLParser
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "analysis"))
sys.path.insert(0, str(Path(__file__).resolve().parent))
import report
import tables
from synthetic import agreement, growth, summary

VOID = {"meta", "img", "br", "hr"}  # no end tag


class Reader(HTMLParser):
    """Text, links and images; every tag has to be closed in order."""

    def __init__(self, text):
        super().__init__()
        self.open, self.text, self.links, self.sources, self.tags = [], [], [], [], []
        self.feed(text)
        self.close()
        assert not self.open, f"not closed: {self.open}"

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        if tag not in VOID:
            self.open.append(tag)
        attributes = dict(attributes)
        self.links += [attributes["href"]] if "href" in attributes else []
        self.sources += [attributes["src"]] if "src" in attributes else []

    def handle_endtag(self, tag):
        assert self.open and self.open[-1] == tag, f"</{tag}> closes {self.open[-1:]}"
        self.open.pop()

    def handle_data(self, data):
        if self.open[-1:] not in (["script"], ["style"]):
            self.text.append(data)

    def all_text(self):
        return " ".join(" ".join(self.text).split())


class Report(unittest.TestCase):
    def setUp(self):
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.folder = Path(temporary.name)
        self.out = self.folder / "out" / "report.html"

    def write(self, name, content):
        (self.folder / name).write_text(json.dumps(content))

    def make(self, *paths):
        with contextlib.redirect_stdout(io.StringIO()):
            report.main([*map(str, paths or [self.folder]), "--out", str(self.out)])

    def read(self, *paths):
        self.make(*paths)
        self.source = self.out.read_text()
        return Reader(self.source)

    def test_tells_where_the_numbers_come_from(self):
        self.write("execution_agreement-small.summary.json", agreement())
        text = self.read().all_text()
        for words in (
            "6,454 images for training, 1,614 for validation, 1,017 for the test",
            "data digest abcd",
            "networks resnet8 of width 8",
            "4, seeds 1, 2, 1.5 hours of run time",
            "hardware a processor, 2 cores",
            "execution dense and sparse",
            "commit 0123abc",
            "defaults version 2",
            "epochs 10, width 8",
            "gcg_run --epochs 10",
            "No run of the study is missing.",
            (
                "At density 1.00 training under sparse and dense execution is shown to be equivalent within 1.5 points:"
                " sparse minus dense +0.20 ± 0.10 points (n = 2)."
            ),
            "1.00 2 50.20 50.00 +0.20 ± 0.10",
        ):
            self.assertIn(words, text)

    def test_needs_nothing_from_elsewhere(self):
        self.write("growth_rules-small.summary.json", growth())
        page = self.read()
        self.assertEqual(page.tags.count("script"), 1)  # its own, which sorts tables
        self.assertEqual(page.sources, [])
        self.assertNotIn("link", page.tags)
        self.assertNotIn("img", page.tags)
        self.assertNotIn("http", self.source)
        self.assertIn("svg", page.tags)
        ids = set(re.findall(r'\bid="([^"]*)"', self.source))
        self.assertEqual(len(ids), len(re.findall(r'\bid="', self.source)), "an id stands twice")
        for link in page.links:
            self.assertTrue(link.startswith("#"), link)
            self.assertIn(link[1:], ids)
        self.assertEqual([link for link in page.links if "growth" in link], ["#growth_rules-small"])

    def test_opens_with_the_answer_and_goes_on_in_reading_order(self):
        for content in (agreement(), summary("brand_new"), growth()):
            self.write(f"{content['experiment']}-small.summary.json", content)
        text = self.read().all_text()
        places = [
            text.index(words)
            for words in (
                "Near-dense accuracy at moderate density",
                "How does accuracy rise while a network grows",
                "Do both train equally well?",
                "there is no analysis of an experiment brand_new",
            )
        ]
        self.assertEqual(places, sorted(places))
        self.assertIn("Growth alone does not reach the extreme sparsity of pruning or reallocation not measured", text)

    def test_a_drawing_keeps_its_ids_apart_and_names_no_address(self):
        svg = '<svg xmlns:xlink="http://x" xmlns="http://y"><path id="a"/><use xlink:href="#a" clip="url(#b)"/></svg>'
        self.assertEqual(
            report.inline(svg, "p-"), '<svg><path id="p-a"/><use xlink:href="#p-a" clip="url(#p-b)"/></svg>'
        )

    def test_what_stands_in_a_summary_is_text_and_no_markup(self):
        evil = "</table><script>alert('x')</script>"
        self.write(
            "execution_agreement-small.summary.json",
            agreement(missing=[evil], commands={evil: evil}, networks=[evil], settings={evil: evil}),
        )
        page = self.read()
        self.assertEqual(page.tags.count("script"), 1)
        self.assertIn("<b>images</b> & more", page.all_text())
        self.assertEqual(
            page.all_text().count(evil), 6
        )  # network, setting and its value, missing run, curve and command

    def test_missing_runs_are_listed_and_run_files_linked(self):
        self.write("execution_agreement-small.summary.json", agreement(missing=["1.00 dense, seed 2"]))
        runs = [
            {"curve": "1.00 sparse", "seed": 1, "name": "run one", "command": "gcg_run --epochs 10"},
            {"curve": "1.00 dense", "seed": 2, "name": "gone", "command": "gcg_run --seed 2"},
            {"curve": "1.00 dense", "seed": 3, "name": "kept", "command": "gcg_run --seed 3"},
        ]
        self.write("execution_agreement-small.json", {"experiment": "execution_agreement", "runs": runs})
        (self.folder / "run one").mkdir()
        (self.folder / "run one" / "run.h5").write_text("")
        (self.folder / "kept").mkdir()
        (self.folder / "kept" / "tables.json").write_text("")
        page = self.read()
        self.assertIn("Missing runs (1) 1.00 dense, seed 2", page.all_text())
        self.assertIn("../run%20one/run.h5", page.links)  # damaged: linked, but without a page of its own
        self.assertNotIn("#run-run one", page.links)
        self.assertIn("gone (no run file)", page.all_text())
        self.assertIn("kept (its tables alone are kept)", page.all_text())

    def test_a_study_without_summary_is_named(self):
        self.write("growth_rules-small.json", {"experiment": "growth_rules", "runs": []})
        self.write("other.json", {"something": "else"})
        text = self.read().all_text()
        self.assertIn("growth_rules-small This study has no summary yet", text)
        self.assertNotIn("other", text)

    def test_an_experiment_without_analysis_does_not_stop_the_others(self):
        self.write("brand_new-small.summary.json", summary("brand_new"))
        self.write("execution_agreement-small.summary.json", agreement())
        text = self.read().all_text()
        self.assertIn("there is no analysis of an experiment brand_new", text)
        self.assertIn("+0.20 ± 0.10 points", text)

    def test_nothing_to_report_is_an_error(self):
        with self.assertRaisesRegex(SystemExit, "no summary and no study file"):
            self.make()
        with self.assertRaisesRegex(SystemExit, "nowhere: there is no such file"):
            self.make(self.folder / "nowhere")
        (self.folder / "bad.summary.json").write_text("{")
        with self.assertRaisesRegex(SystemExit, "is no JSON file"):
            self.make()
        self.assertFalse(self.out.exists())


class Html(unittest.TestCase):
    def test_a_table_with_caption_and_notes(self):
        table = tables.Table("name", "What & how", ["a", "<b>"], [["1", "2 ± 3"]], ["A note."])
        self.assertEqual(
            tables.html(table),
            (
                '<figure class="table"><figcaption>What &amp; how</figcaption>\n<table class="sortable">\n'
                "<thead><tr><th>a</th><th>&lt;b&gt;</th></tr></thead>\n<tbody>\n"
                '<tr><td>1</td><td>2 ± 3</td></tr>\n</tbody></table>\n<p class="note">A note.</p>\n</figure>\n'
            ),
        )

    def test_anchors_have_no_odd_characters(self):
        self.assertEqual(report.anchor('a b"<c>.d-e_f'), "a-b--c-.d-e_f")


CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
# Clicks through the report as a reader does, and leaves what it saw in the page.
CLICKS = """
<pre id="seen"></pre><script>
const seen = {}, table = document.querySelector("#growth_rules-small table.sortable");
const column = (t, i) => [...t.tBodies[0].rows].map((row) => row.cells[i].textContent);
seen.first = document.querySelector("main section").id;
seen.wide = document.documentElement.scrollWidth - window.innerWidth;
seen.width = window.innerWidth;
seen.contents = document.querySelector("nav details").open;
seen.before = column(table, 0);
table.tHead.rows[0].cells[0].click();
seen.up = column(table, 0);
table.tHead.rows[0].cells[0].click();
seen.down = column(table, 0);
seen.sorted = table.tHead.rows[0].cells[0].getAttribute("aria-sort");
seen.titles = document.querySelectorAll(".values circle title").length;
const run = document.querySelector('a[href^="#run-"]');
location.hash = run.getAttribute("href");
setTimeout(() => {
  const section = document.getElementById(location.hash.slice(1));
  seen.run = getComputedStyle(section).display;
  seen.main = getComputedStyle(document.querySelector("main")).display;
  seen.stages = section.querySelectorAll("tbody tr").length;
  location.hash = section.querySelector("a").getAttribute("href");
  setTimeout(() => {
    seen.back = getComputedStyle(document.querySelector("main")).display;
    document.getElementById("seen").textContent = JSON.stringify(seen);
  }, 50);
}, 50);
</script>
"""


@unittest.skipUnless(CHROMIUM, "chromium is not installed: apt-get install chromium")
class Browser(unittest.TestCase):
    """The report in a browser without a screen, at the width of a desk and of a telephone."""

    @classmethod
    def setUpClass(cls):
        cls.temporary = tempfile.TemporaryDirectory()
        folder = Path(cls.temporary.name)
        (folder / "growth_rules-small.summary.json").write_text(json.dumps(growth()))
        run = {"curve": "path, sampled", "seed": 1, "name": "sample", "command": "gcg_run --seed 1"}
        (folder / "growth_rules-small.json").write_text(json.dumps({"experiment": "growth_rules", "runs": [run]}))
        (folder / "sample").mkdir()
        shutil.copy(os.environ["GCG_SAMPLE_RUN"], folder / "sample" / "run.h5")
        with contextlib.redirect_stdout(io.StringIO()):
            report.main([str(folder), "--out", str(folder / "report.html")])
        page = (folder / "report.html").read_text()
        (folder / "clicked.html").write_text(page.replace("</body>", CLICKS + "</body>"))
        cls.folder = folder

    @classmethod
    def tearDownClass(cls):
        cls.temporary.cleanup()

    def see(self, width, height):
        done = subprocess.run(
            [
                CHROMIUM,
                "--headless=new",
                "--no-sandbox",
                "--disable-gpu",
                f"--user-data-dir={self.folder}/profile-{width}",
                f"--window-size={width},{height}",
                "--virtual-time-budget=5000",
                "--dump-dom",
                (self.folder / "clicked.html").as_uri(),
            ],
            capture_output=True,
            text=True,
            timeout=100,
            check=False,
        )
        said = re.search(r'<pre id="seen">(.*?)</pre>', done.stdout, re.DOTALL)
        self.assertIsNotNone(said, done.stderr[-2000:])
        return json.loads(html.unescape(said[1]))

    def check(self, seen):
        self.assertEqual(seen["first"], "answer")
        self.assertLessEqual(seen["wide"], 0, "the page is wider than the screen")
        self.assertEqual(seen["up"], sorted(seen["before"], key=str.lower))
        self.assertEqual(seen["down"], seen["up"][::-1])
        self.assertEqual(seen["sorted"], "descending")
        self.assertGreater(seen["titles"], 5)
        self.assertEqual((seen["run"], seen["main"], seen["back"] != "none"), ("block", "none", True))
        self.assertGreater(seen["stages"], 2)

    def test_on_a_desk_the_contents_stand_open(self):
        seen = self.see(1280, 900)
        self.check(seen)
        self.assertTrue(seen["contents"])

    def test_on_a_telephone_the_contents_are_folded(self):
        seen = self.see(390, 844)
        self.check(seen)
        self.assertFalse(seen["contents"])
        self.assertLess(seen["width"], 700)


if __name__ == "__main__":
    unittest.main()
