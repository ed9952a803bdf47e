"""The HTML report: self-contained, escaped, with what is missing."""

import base64
import contextlib
import io
import json
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

VOID = {"meta", "img", "br", "hr"}


class Reader(HTMLParser):
    """Text, links and images; every tag has to be closed in order."""

    def __init__(self, text):
        super().__init__()
        self.open, self.text, self.links, self.images, self.tags = [], [], [], [], set()
        self.feed(text)
        self.close()
        assert not self.open, f"not closed: {self.open}"

    def handle_starttag(self, tag, attributes):
        self.tags.add(tag)
        if tag not in VOID:
            self.open.append(tag)
        attributes = dict(attributes)
        self.links += [attributes["href"]] if "href" in attributes else []
        self.images += [attributes["src"]] if "src" in attributes else []

    def handle_endtag(self, tag):
        assert self.open and self.open[-1] == tag, f"</{tag}> closes {self.open[-1:]}"
        self.open.pop()

    def handle_data(self, data):
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
                "At density 1.00, sparse minus dense execution: +0.20 ± 0.10 points of accuracy (n = 2), shown to be"
                " equivalent within 1.5 points."
            ),
            "1.00 2 50.20 50.00 +0.20 ± 0.10",
        ):
            self.assertIn(words, text)

    def test_needs_nothing_from_elsewhere(self):
        self.write("growth_rules-small.summary.json", growth())
        page = self.read()
        self.assertNotIn("script", page.tags)
        self.assertNotIn("link", page.tags)
        self.assertNotIn("http", self.source)
        (image,) = page.images
        head, data = image.split(",")
        self.assertEqual(head, "data:image/png;base64")
        self.assertTrue(base64.b64decode(data, validate=True).startswith(b"\x89PNG"))
        self.assertEqual(page.links, ["#growth_rules-small"])

    def test_what_stands_in_a_summary_is_text_and_no_markup(self):
        evil = "</table><script>alert('x')</script>"
        self.write(
            "execution_agreement-small.summary.json",
            agreement(missing=[evil], commands={evil: evil}, networks=[evil], settings={evil: evil}),
        )
        page = self.read()
        self.assertNotIn("script", page.tags)
        self.assertIn("<b>images</b> & more", page.all_text())
        self.assertEqual(
            page.all_text().count(evil), 6
        )  # network, setting and its value, missing run, curve and command

    def test_missing_runs_are_listed_and_run_files_linked(self):
        self.write("execution_agreement-small.summary.json", agreement(missing=["1.00 dense, seed 2"]))
        runs = [
            {"curve": "1.00 sparse", "seed": 1, "name": "run one", "command": "gcg_run --epochs 10"},
            {"curve": "1.00 dense", "seed": 2, "name": "gone", "command": "gcg_run --seed 2"},
        ]
        self.write("execution_agreement-small.json", {"experiment": "execution_agreement", "runs": runs})
        (self.folder / "run one").mkdir()
        (self.folder / "run one" / "run.h5").write_text("")
        page = self.read()
        self.assertIn("Missing runs (1) 1.00 dense, seed 2", page.all_text())
        self.assertIn("../run%20one/run.h5", page.links)
        self.assertIn("gone (no run file)", page.all_text())

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
                '<figure class="table"><figcaption>What &amp; how</figcaption>\n<table>\n'
                "<thead><tr><th>a</th><th>&lt;b&gt;</th></tr></thead>\n<tbody>\n"
                '<tr><td>1</td><td>2 ± 3</td></tr>\n</tbody></table>\n<p class="note">A note.</p>\n</figure>\n'
            ),
        )

    def test_anchors_have_no_odd_characters(self):
        self.assertEqual(report.anchor('a b"<c>.d-e_f'), "a-b--c-.d-e_f")


if __name__ == "__main__":
    unittest.main()
