"""Blocks of README and docs: written from the summaries, nothing else changed, and up to date in the tree. GCG_RUN
names the program gcg_run."""

import contextlib
import io
import json
import re
import shutil
import sys
import tempfile
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "analysis"), str(Path(__file__).resolve().parent)]
import claims
import pages
import reading
from synthetic import agreement


class Committed(unittest.TestCase):
    def test_every_block_in_the_tree_is_up_to_date(self):
        with contextlib.redirect_stderr(io.StringIO()):
            try:
                pages.main(["--check"])
            except SystemExit as error:
                self.fail(str(error))

    def test_every_page_says_whom_it_serves_and_readme_stays_short(self):
        self.assertLessEqual(len((ROOT / "README.md").read_text().splitlines()), 150)
        for path in sorted((ROOT / "docs").glob("*.md")):
            title, first = path.read_text().split("\n\n")[:2]
            self.assertTrue(title.startswith("# "), path.name)
            self.assertTrue(first.startswith("For "), f"{path.name}: its first paragraph does not say whom it serves")

    def test_links_between_pages_lead_somewhere(self):
        for path in pages.pages(ROOT):
            text = re.sub(r"```.*?```", "", path.read_text(), flags=re.DOTALL)
            for link in re.findall(r"\]\(([^)\s]+)\)", text):
                place, _, anchor = link.partition("#")
                if place.startswith("http"):
                    continue
                target = (path.parent / place) if place else path
                self.assertTrue(target.exists(), f"{path.name}: {link}")
                if anchor:
                    headings = re.findall(r"^#+ (.*)$", target.read_text(), re.MULTILINE)
                    anchors = {re.sub(r"[^a-z0-9 _-]", "", h.lower()).replace(" ", "-") for h in headings}
                    self.assertIn(anchor, anchors, f"{path.name}: {link}")

    def test_the_cost_of_the_original_paper_has_one_spelling(self):
        for path in (*pages.pages(ROOT), *(ROOT / "docs").rglob("*.html"), *(ROOT / "docs" / "results").rglob("*.md")):
            self.assertNotIn("density x epochs", path.read_text(), path.name)

    def test_every_experiment_has_its_place_in_reading_order(self):
        rows = re.findall(r"^EXPERIMENT\((\w+), \w+, (\w+)", (ROOT / "experiments" / "table.def").read_text(), re.M)
        studied = {name for name, kind in rows if kind != "demo"}
        self.assertEqual(set(reading.EXPERIMENTS), studied)


class Blocks(unittest.TestCase):
    def setUp(self):
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.root = Path(temporary.name)
        (self.root / "docs" / "results").mkdir(parents=True)
        summary = self.root / "docs" / "results" / "execution_agreement-small.summary.json"
        summary.write_text(json.dumps(agreement()))

    def main(self, *arguments):
        said = io.StringIO()
        with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
            pages.main(arguments, self.root)
        return said.getvalue()

    def test_only_what_stands_between_the_marks_is_written(self):
        readme = self.root / "README.md"
        readme.write_text("Before 1.\n<!-- generated: claim-table -->\nold\n<!-- end -->\nAfter 2.\n")
        with self.assertRaisesRegex(SystemExit, "out of date: README.md; `make pages` writes them anew"):
            self.main("--check")
        self.assertIn("written  README.md", self.main())
        text = readme.read_text()
        self.assertTrue(text.startswith("Before 1.\n<!-- generated: claim-table -->\n| claim of the original paper |"))
        self.assertTrue(text.endswith("<!-- end -->\nAfter 2.\n"))
        self.assertEqual(self.main("--check"), "")

    def test_what_is_not_measured_says_so(self):
        readme = self.root / "README.md"
        readme.write_text("<!-- generated: experiments -->\n<!-- end -->\n")
        self.main()
        text = readme.read_text()
        self.assertIn("## Growing to a peak and returning", text)
        self.assertEqual(text.count("Not measured yet."), len(reading.EXPERIMENTS) - 1)
        self.assertIn("sparse minus dense +0.20 ± 0.10 points (n = 2).", text)

        readme.write_text("<!-- generated: study -->\n<!-- end -->\n")
        self.main()
        self.assertIn("Not measured yet.", readme.read_text())

    def test_a_comparison_beside_an_experiment_is_linked_where_it_is_there(self):
        readme = self.root / "README.md"
        readme.write_text("<!-- generated: experiments -->\n<!-- end -->\n")
        page = self.root / "docs" / "results" / reading.BESIDE["execution_agreement"][0]
        self.main()
        self.assertNotIn(page.name, readme.read_text())
        page.touch()
        self.main()
        self.assertIn(f": [results/{page.name}](results/{page.name})\n\n## Seconds", readme.read_text())

    def test_a_scale_beside_the_usual_ones_has_its_own_block(self):
        readme = self.root / "README.md"
        readme.write_text("<!-- generated: scale vit -->\n<!-- end -->\n")
        self.main()
        self.assertIn("Not measured yet.", readme.read_text())
        summary = agreement() | {"scale": "vit"}
        path = self.root / "docs" / "results" / "execution_agreement-vit.summary.json"
        path.write_text(json.dumps(summary))
        self.main()
        text = readme.read_text()
        self.assertEqual(text.count("### "), 1)
        self.assertIn("### Sparse and dense execution\n\nVit scale:", text)
        self.assertIn("sparse minus dense +0.20 ± 0.10 points (n = 2).", text)
        self.assertIn("[results/execution_agreement-vit.md](results/execution_agreement-vit.md)", text)

    def test_an_unknown_block_and_one_without_end_are_errors(self):
        readme = self.root / "README.md"
        readme.write_text("<!-- generated: nonsense -->\n<!-- end -->\n")
        with self.assertRaisesRegex(SystemExit, "README.md: there is no block 'nonsense'; there are answer, claims"):
            self.main()
        readme.write_text("<!-- generated: claims -->\n")
        with self.assertRaisesRegex(SystemExit, "a block has no end"):
            self.main()

    def test_every_backend_has_its_row_or_the_list_is_not_understood(self):
        said = "Backends (--execution)\n  sparse   present only\n  device   all there\n\n"
        rows = "  sparse   cpu in fp32; has no gelu; sgd\n  device   cpu in fp32; cuda in tf32; every one; sgd, lars\n"
        self.assertEqual(
            pages.backend_table(said + rows).splitlines()[2:],
            [
                "| `sparse` | present only | cpu in fp32 | has no gelu | sgd |",
                "| `device` | all there | cpu in fp32; cuda in tf32 | every one | sgd, lars |",
            ],
        )
        for cut in (said, "", said + rows.splitlines()[0]):
            with self.assertRaisesRegex(ValueError, "its backends are"):
                pages.backend_table(cut)

    def test_the_table_of_what_runs_where_is_the_end_of_the_list(self):
        table = "| | `a` |\n|---|---|\n| relu | yes |\n"
        self.assertEqual(pages.support_table("Backends\n  a  x\n\nWhat runs where\n" + table), table)
        with self.assertRaisesRegex(ValueError, "no table of what runs where"):
            pages.support_table("Backends\n")

    def test_a_block_of_a_program_that_is_not_built_is_left(self):
        readme = self.root / "README.md"
        readme.write_text("<!-- generated: backends -->\nas it was\n<!-- end -->\n")
        source = pages.Source(self.root, None)
        left = []
        self.assertEqual(pages.renewed(readme.read_text(), source, left), readme.read_text())
        self.assertEqual(left, ["backends: gcg_run is not built: make programs"])


class Claims(unittest.TestCase):
    def row(self, mean, half, density=None, cost=0.3):
        difference = {"mean": mean, "half_interval": half, "seeds": 3, "p": 0.5}
        density = density or {"1": 0.1, "2": 0.12, "3": 0.11}
        return {
            "minus_dense": difference,
            "minus_equally_long": None,
            "density": density,
            "epochs": {"1": 40, "2": 42, "3": 41},
            "costs": {name: {"mean": cost, "half_interval": 0.01} for name in ("density_epochs", "flops", "seconds")},
        }

    def verdicts(self, row, comparisons=None, **summaries):
        rows = {claims.RETURN: row, claims.IMP: self.row(0, 0.01, cost=0.6)} if comparisons else {claims.RETURN: row}
        summary = {"rows": rows, "comparisons": comparisons or {}, "reference_epochs": [20]}
        return {c.name: c for c in claims.claims({"grow_return": summary} | summaries)}

    def test_without_summaries_nothing_is_measured(self):
        for claim in claims.claims({}):
            self.assertEqual((claim.growth.word, claim.returned.word), (claims.UNMEASURED, claims.UNMEASURED))

    def test_near_dense_follows_the_interval(self):
        for mean, half, word in (
            (0.0, 0.009, claims.HOLDS),
            (0.0, 0.03, claims.OPEN),
            (-0.05, 0.01, claims.FAILS),
            (0.0, None, claims.OPEN),
        ):
            self.assertEqual(self.verdicts(self.row(mean, half))["accuracy"].returned.word, word)
        self.assertEqual(
            self.verdicts(self.row(-0.002, 0.008))["accuracy"].returned.text,
            "At density 0.100 to 0.120 it ends -0.2 ± 0.8 points from dense training of 20 epochs (n = 3), after 40"
            " to 42 epochs: not below it by more than 1 point.",
        )

    def test_dense_training_of_equal_cost_is_said_for_the_default_pace(self):
        difference = {"mean": 0.1, "half_interval": 0.02, "seeds": 3, "method": "dense", "equal": "density × epochs"}
        cells = {"dense": {"method": "dense", "epochs": 20.0, "gap": None, "stage_epochs": None}}
        searches = [difference | {"stage_epochs": 1, "mean": 0.3}, difference | {"stage_epochs": 2}]
        found = self.verdicts(
            self.row(0, 0.01), cost_accuracy={"cells": cells, "searches": searches, "comparisons": []}
        )
        self.assertTrue(
            found["accuracy"].returned.text.endswith(
                "; +10.0 ± 2.0 points from dense training of equal density × epochs (n = 3), interpolated."
            ),
            found["accuracy"].returned.text,
        )

    def test_the_aims_of_the_search_decide_on_exploration(self):
        self.assertEqual(self.verdicts(self.row(0, 0.01))["exploration"].returned.word, claims.HOLDS)
        for row in (self.row(0, 0.01, cost=0.4), self.row(0, 0.01, density={"1": 0.1, "2": 0.2})):
            self.assertEqual(self.verdicts(row)["exploration"].returned.word, claims.FAILS)
        self.assertEqual(self.verdicts(self.row(0, 0.01, density={"1": 0.1}))["exploration"].returned.word, claims.OPEN)

    def test_a_search_that_ends_far_from_dense_does_not_explore(self):
        for mean, half, word in ((-0.05, 0.01, claims.FAILS), (-0.02, 0.01, claims.OPEN)):
            self.assertEqual(self.verdicts(self.row(mean, half))["exploration"].returned.word, word)

    def test_whether_the_density_follows_the_task_is_said(self):
        families = {"width": {"trend": {"p_holm": 0.01}}, "difficulty": {"trend": {"p_holm": 0.4}}}
        regime = {"families": families | {"network": {"trend": None}}, "tasks": {}}
        text = self.verdicts(self.row(0, 0.01), return_regime=regime)["exploration"].returned.text
        self.assertTrue(
            text.endswith("moves with width as expected. It shows no significant change with difficulty."),
            text,
        )

    def test_diversity_of_what_is_found_is_held_against_chance(self):
        for jaccard, word in ((0.12, claims.FAILS), (0.105, claims.HOLDS)):
            task = {"density": {"1": 0.1}, "between_seeds": {"jaccard": jaccard, "chance": 0.1, "pairs": 3}}
            found = self.verdicts(self.row(0, 0.01), return_regime={"families": {}, "tasks": {"a": task}})
            self.assertEqual(found["diversity"].returned.word, word)

    def test_cost_is_held_against_pruning_by_the_same_rule(self):
        def compared(octaves, accuracy):
            return {
                claims.IMP: {
                    "octaves": {"mean": octaves, "half_interval": 0.1, "seeds": 3},
                    "accuracy": {"mean": accuracy, "half_interval": 0.01, "seeds": 3},
                }
            }

        for octaves, accuracy, word in (
            (1, 0, "holds in density × epochs"),
            (1, -0.05, claims.OPEN),
            (-1, 0, claims.FAILS),
            (0, 0, claims.OPEN),
        ):
            found = self.verdicts(self.row(0, 0.01), compared(octaves, accuracy))
            self.assertEqual(found["cost"].returned.word, word)
        self.assertIn(
            "costs 2.0 times as much in density × epochs, 2.0 times as much in FLOPs, 2.0 times as much in seconds",
            self.verdicts(self.row(0, 0.01), compared(1, 0))["cost"].returned.text,
        )

    def test_committed_summaries_give_every_claim_a_verdict_for_growth(self):
        with tempfile.TemporaryDirectory() as folder:
            for path in (ROOT / "docs" / "results").glob("*.summary.json"):
                shutil.copy(path, folder)
            for claim in claims.claims(claims.load(Path(folder))):
                self.assertNotEqual(claim.growth.word, claims.UNMEASURED, claim.name)
                self.assertTrue(claim.growth.text.endswith("."), claim.growth.text)


if __name__ == "__main__":
    unittest.main()
