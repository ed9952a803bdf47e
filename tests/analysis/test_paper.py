"""What generate.py makes of summaries, and that paper.tex types no result in. GCG_RUN names the program gcg_run."""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path
from types import SimpleNamespace

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "paper"), str(ROOT / "analysis"), str(Path(__file__).resolve().parent)]
import generate
import phrases
from synthetic import agreement, growth, summary
from tables import Table, latex, latex_text, markdown

PAPER = ROOT / "paper"
TEXT = (PAPER / "paper.tex").read_text()
EXPERIMENTS = re.findall(r"\\experiment\{(\w+)\}", TEXT)


class Latex(unittest.TestCase):
    def test_text_is_escaped(self):
        self.assertEqual(
            latex_text(r"50 % of a_b & {c} $d$ #1 ~ ^ \input"),
            r"50 \% of a\_b \& \{c\} \$d\$ \#1 \textasciitilde{} \textasciicircum{} \textbackslash{}input",
        )
        self.assertEqual(
            latex_text("d* = 0.3 ± 0.1, -2 to 3, well-known, --epochs"),
            r"$d^*$ = 0.3 $\pm$ 0.1, $-$2 to 3, well-known, -{}-epochs",
        )
        self.assertEqual(latex_text("größe 漢"), "größe [U+6F22]")

    def test_a_table(self):
        table = Table("t", "caption", ["name", "d*"], [["a & b", "[0.1, 0.2]"], ["*c", "-1.0 ± 0.2"]])
        self.assertEqual(
            latex(table),
            (
                "\\begin{tabular}{lr}\n\\toprule\nname & $d^*$ \\\\\n\\midrule\na \\& b & [0.1, 0.2] \\\\\n{}*c &"
                " $-$1.0 $\\pm$ 0.2 \\\\\n\\bottomrule\n\\end{tabular}\n"
            ),
        )
        self.assertEqual(
            markdown(table).splitlines()[2:5],
            ["| name  | d*         |", "|-------|------------|", "| a & b | [0.1, 0.2] |"],
        )

    def test_a_ragged_table_and_a_bad_name_are_errors(self):
        with self.assertRaisesRegex(ValueError, "has 1 cells, the header 2"):
            latex(Table("t", "", ["a", "b"], [["1"]]))
        with self.assertRaisesRegex(ValueError, "letters, digits"):
            markdown(Table("a/b", "", ["a"], []))


class Generated(unittest.TestCase):
    def setUp(self):
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.folder = Path(temporary.name)
        self.results, self.paper, self.out = (self.folder / name for name in ("results", "paper", "out"))
        self.results.mkdir()
        self.paper.mkdir()
        self.choices = [
            {
                "choice": "execution",
                "source": "-",
                "here": "present connections only",
                "option": "execution",
                "default": "auto",
            },
            {"choice": "power", "source": "one", "here": "exponent", "option": "beta", "default": "1"},
        ]

    def make(self, source, **summaries):
        for name, content in summaries.items():
            (self.results / f"{name.replace('__', '-')}.summary.json").write_text(json.dumps(content))
        (self.paper / "paper.tex").write_text(source)
        (self.paper / "choices.json").write_text(json.dumps(self.choices))
        return generate.generate(self.results, self.paper, self.out)

    def read(self, name):
        return (self.out / f"{name}.tex").read_text()

    def test_values_come_from_the_summary_of_the_largest_scale(self):
        source = (
            r"\val{execution_agreement:images|count} \val{execution_agreement:seeds|list}"
            r" \val{execution_agreement-smoke:scale} \val{execution_agreement:pairs/sparse-dense/1.00/difference|.3f}"
        )
        self.make(
            source,
            execution_agreement__small=agreement(),
            execution_agreement__smoke=agreement(scale="smoke", seeds=[7]),
        )
        self.assertEqual(
            self.read("values"),
            r"""\expandafter\def\csname val@execution_agreement:images|count\endcsname{2,631}
\expandafter\def\csname val@execution_agreement:seeds|list\endcsname{1, 2}
\expandafter\def\csname val@execution_agreement-smoke:scale\endcsname{smoke}
\expandafter\def\csname val@execution_agreement:pairs/sparse-dense/1.00/difference|.3f\endcsname{0.002}
""",
        )

    def test_a_summary_of_another_name_is_no_result_of_the_experiment(self):
        missing = self.make(
            r"\val{growth_rules:runs} \val{growth_rules-small.dense-execution:runs}",
            **{"growth_rules__small.dense-execution": growth()},
        )
        self.assertIn("growth_rules:runs", missing)
        self.assertNotIn("growth_rules-small.dense-execution:runs", missing)

    def test_what_is_missing_is_printed_in_its_place_and_listed_once(self):
        missing = self.make(
            r"\val{wall_clock:runs} \val{wall_clock:runs} \val{execution_agreement:none/such} \experiment{wall_clock}",
            execution_agreement__small=agreement(),
        )
        self.assertIn(r"\endcsname{\missing{wall\_clock:runs}}", self.read("values"))
        self.assertEqual(self.read("experiment-wall_clock"), "\\noindent \\missing{experiment wall\\_clock}\n")
        self.assertEqual(missing[:3], ["wall_clock:runs", "execution_agreement:none/such", "experiment wall_clock"])
        self.assertEqual(missing.count("wall_clock:runs"), 1)
        self.assertIn("\\item wall\\_clock:runs\n", self.read("missing"))

    def test_a_summary_that_cannot_be_read_is_named_with_its_remedy(self):
        for text in ("{", "[]", '{"experiment": "growth_rules"}'):
            (self.results / "growth_rules-small.summary.json").write_text(text)
            with self.subTest(text=text), self.assertRaisesRegex(SystemExit, "growth_rules-small.*make it anew"):
                self.make(TEXT)

    def test_nothing_at_all_still_makes_a_paper(self):
        missing = self.make(TEXT)
        for name in EXPERIMENTS:
            self.assertIn(f"experiment {name}", missing)
        self.assertEqual(self.read("setup"), "\\missing{every summary}\n")
        self.assertIn("a summary with accuracies and costs", missing)
        self.assertIn("growing and returning: structural diversity is kept", missing)
        self.assertEqual(self.read("others"), "")

    def test_an_experiment_has_findings_tables_and_what_is_not_finished(self):
        missing = self.make(
            r"\experiment{execution_agreement}", execution_agreement__small=agreement(missing=["1.00 dense, seed 3"])
        )
        text = self.read("experiment-execution_agreement")
        self.assertIn(
            (
                r"Scale small: resnet8 of width 8 on $<$b$>$images$<$/b$>$ \& more; 4 runs, seeds 1, 2; dense and"
                r" sparse execution."
            ),
            text,
        )
        self.assertIn(
            (
                r"\item At density 1.00 training under sparse and dense execution is shown to be equivalent within 1.5"
                r" points: sparse minus dense +0.20 $\pm$ 0.10 points (n = 2)."
            ),
            text,
        )
        self.assertIn(r"\begin{generatedtable}{Accuracy on 2,631 images", text)
        self.assertIn(r"1.00 & 2 & 50.20 & 50.00 & +0.20 $\pm$ 0.10 &", text)
        self.assertIn("runs of execution_agreement-small that are not finished: 1", missing)

    def test_a_folder_of_other_files_is_left_as_it_is(self):
        self.out.mkdir()
        (self.out / "mine.txt").touch()
        with self.assertRaisesRegex(SystemExit, f"{self.out}: holds other files than the generated ones"):
            self.make("")
        (self.out / "mine.txt").unlink()
        self.make("")
        self.make("")
        self.assertFalse((self.out / "mine.txt").exists())

    def test_figures_are_made_of_the_summary(self):
        self.make(r"\experiment{growth_rules}", growth_rules__small=growth())
        self.assertIn(
            r"\includegraphics[width=\linewidth,height=0.45\textheight,keepaspectratio]"
            r"{\detokenize{growth_rules-small.pdf}}",
            self.read("experiment-growth_rules"),
        )
        self.assertTrue((self.out / "growth_rules-small.pdf").read_bytes().startswith(b"%PDF"))

    def test_the_sign_of_a_result_is_not_presumed(self):
        for difference, half, words in (
            (0.002, 0.001, "is shown to be"),
            (0.02, 0.001, "is not shown to be"),
            (0.0, None, "apart in one training each"),
        ):
            self.make(r"\experiment{execution_agreement}", execution_agreement__small=agreement(difference, half))
            self.assertIn(words, self.read("experiment-execution_agreement"))

    def test_experiments_that_the_paper_does_not_name_are_not_lost(self):
        missing = self.make(
            "", execution_agreement__small=agreement(), brand_new__full=summary("brand_new", scale="full")
        )
        self.assertIn(r"\subsection{execution agreement}", self.read("others"))
        self.assertIn("\\subsection{brand new}\n\\noindent \\missing{analysis of brand\\_new}", self.read("others"))
        self.assertIn("analysis of brand_new", missing)

    def test_claims_and_choices_gather_the_findings_that_bear_on_them(self):
        missing = self.make("", execution_agreement__small=agreement(), growth_rules__small=growth())
        self.assertTrue(
            self.read("findings-exploration").startswith(
                "\\begin{itemize}\n\\item Accuracy of path growth when it reaches a density, compared"
            )
        )
        self.assertEqual(
            self.read("findings-diversity"),
            "\\missing{a finding that bears on the claim: structural diversity is kept}\n",
        )
        self.assertIn(
            r"execution & - & present connections only: auto (\texttt{-{}-execution}) & At density 1.00 training",
            self.read("choices"),
        )
        self.assertIn(
            r"power & one & exponent: 1 (\texttt{-{}-beta}) & \missing{effect of -{}-beta}", self.read("choices")
        )
        self.assertIn("effect of --beta", missing)

    def test_an_experiment_without_rules_for_claims_bears_on_its_own(self):
        module = SimpleNamespace(
            findings=lambda _: [
                "It costs little.",
                phrases.Finding("It is accurate.", claims=["accuracy"], options=["beta"]),
            ],
            effects=lambda _: {"beta": "beta matters", "lambda": "so does lambda"},
        )
        experiments = [("cost_accuracy", module, {"scale": "full"})]
        self.assertEqual(
            generate.findings_tex("cost", experiments, generate.Missing()),
            "\\begin{itemize}\n\\item It costs little. (cost accuracy, full scale)\n\\end{itemize}\n",
        )
        self.assertIn(
            "It is accurate. (cost accuracy, full scale)",
            generate.findings_tex("accuracy", experiments, generate.Missing()),
        )
        self.assertIn(
            "& beta matters (cost accuracy) It is accurate. (cost accuracy) \\\\",
            generate.choice_table(self.choices, experiments, generate.Missing()),
        )

    def test_the_bench_has_a_table_per_network_and_number_of_threads(self):
        self.assertIn("bench.json: make bench BENCH_INTO=docs/results", self.make(r"\bench"))
        kept = json.loads((ROOT / "docs" / "results" / "bench.json").read_text())
        (self.results / "bench.json").write_text(json.dumps(kept))
        self.assertNotIn("bench.json: make bench BENCH_INTO=docs/results", self.make(r"\bench"))
        text = self.read("bench")
        self.assertEqual(text.count(r"\begin{generatedtable}"), len(kept["steps"]))
        self.assertIn(f"{kept['steps'][0]['densities'][0]['ratio']['median']:.2f} [", text)
        self.assertTrue((self.out / "bench.pdf").exists())

    def test_texts_of_a_summary_cannot_be_commands(self):
        self.make(
            r"\experiment{execution_agreement}",
            execution_agreement__small=agreement(networks=[r"\input{/etc/passwd} %"], data=r"}\end{document}"),
        )
        for name in ("experiment-execution_agreement", "setup"):
            self.assertNotIn(r"\input{", self.read(name))
            self.assertNotIn(r"\end{document}", self.read(name))

    def test_the_same_summaries_make_the_same_files(self):
        made = []
        for _ in range(2):
            self.make(TEXT, execution_agreement__small=agreement(), growth_rules__small=growth())
            made.append(
                {path.name: path.read_bytes() for path in self.out.iterdir() if path.suffix in (".tex", ".pdf")}
            )
        self.assertEqual(made[0].keys(), made[1].keys())
        for name in made[0]:
            self.assertEqual(made[0][name], made[1][name], name)

    def test_formats(self):
        for value, form, text in (
            (5400, "hours", "1.5"),
            (0.0155, "points", "1.55"),
            (0.5, "percent", "50.0"),
            ([1, 2], "length", "2"),
            (3, "", "3"),
            ("a", "", "a"),
        ):
            self.assertEqual(generate.formatted(value, form), text)
        with self.assertRaisesRegex(ValueError, "no format"):
            generate.formatted(0.123456789, "")

    def test_long_tables_are_cut_to_pages(self):
        table = Table("t", "Caption.", ["a"], [[str(i)] for i in range(generate.ROWS + 1)], ["note"])
        first, second = generate.pieces(table)
        self.assertEqual(
            (len(first.rows), len(second.rows), first.notes, second.notes), (generate.ROWS, 1, [], ["note"])
        )
        self.assertEqual(second.caption, "Caption. (Part 2 of 2.)")


class Findings(unittest.TestCase):
    def test_a_finding_is_its_sentence(self):
        finding = phrases.Finding("It is so.", claims=["cost"], options=["beta"])
        self.assertEqual(finding, "It is so.")
        self.assertEqual((finding.claims, finding.options), (("cost",), ("beta",)))
        with self.assertRaisesRegex(ValueError, "there is no claim price"):
            phrases.Finding("x", claims=["price"])

    def test_networks_that_differ_by_width_share_their_name(self):
        names = ["resnet20", "resnet8 of width 12", "resnet8 of width 16", "resnet8 of width 4", "vgg11 of width 8"]
        self.assertEqual(phrases.networks(names), "resnet20, resnet8 of width 4, 12 and 16, vgg11 of width 8")
        self.assertEqual(phrases.networks(["lenet5", "lenet5 of width 2"]), "lenet5, lenet5 of width 2")

    def test_words_follow_the_interval(self):
        def difference(mean, half, p=None):
            return {"mean": mean, "half_interval": half, "seeds": 3, "p_holm": p}

        self.assertEqual(
            phrases.against("A", "B", difference(0.02, 0.01, 0.01)),
            "A is more accurate than B: +2.0 ± 1.0 points (n = 3), also significant after Holm's correction.",
        )
        self.assertEqual(
            phrases.against("A", "B", difference(-0.02, 0.01, 0.2)),
            "A is less accurate than B: -2.0 ± 1.0 points (n = 3), but not significant after Holm's correction.",
        )
        self.assertEqual(
            phrases.against("A", "B", difference(0.01, 0.01)),
            "there is no significant difference between A and B: +1.0 ± 1.0 points (n = 3).",
        )
        self.assertEqual(
            phrases.against("A", "B", difference(0.01, None)), "A minus B: +1.0 points (one seed, no interval)."
        )


class Paper(unittest.TestCase):
    def test_every_place_is_that_of_an_experiment(self):
        rows = re.findall(r"^EXPERIMENT\((\w+),", (ROOT / "experiments" / "table.def").read_text(), re.MULTILINE)
        self.assertGreater(len(EXPERIMENTS), 10)
        self.assertEqual(sorted(EXPERIMENTS), sorted(set(EXPERIMENTS) & set(rows)))

    def test_every_claim_has_its_place_in_the_argument_and_in_the_appendix(self):
        argument, appendix = TEXT.split("\\appendix\n")
        self.assertEqual(re.findall(r"\\claim\{(\w+)\}", argument), list(phrases.CLAIMS))
        self.assertEqual(re.findall(r"\\findings\{(\w+)\}", appendix), list(phrases.CLAIMS))

    def test_related_works_are_cited(self):
        for key in (
            "dai2019nest",
            "ma2022effective",
            "jin2025journey",
            "rosenfeld2021predictability",
            "frantar2024scaling",
        ):
            self.assertIn(key, TEXT)

    @unittest.skipUnless(
        shutil.which("latexmk") and shutil.which("pdflatex"), "LaTeX is not installed: make paper-packages"
    )
    def test_the_argument_has_at_most_twelve_pages(self):
        with tempfile.TemporaryDirectory() as folder:
            paper = Path(folder) / "paper"
            shutil.copytree(PAPER, paper, ignore=shutil.ignore_patterns("build", "generated", "*.pdf"))
            generate.generate(ROOT / "docs" / "results", paper, paper / "generated")
            command = ["latexmk", "-silent", "-outdir=build", "paper.tex"]
            done = subprocess.run(command, cwd=paper, capture_output=True, text=True, check=False)
            self.assertEqual(done.returncode, 0, (paper / "build" / "paper.log").read_text(errors="replace")[-1500:])
            aux = (paper / "build" / "paper.aux").read_text()
            page = int(re.search(r"\\newlabel\{end:argument\}\{\{[^}]*\}\{(\d+)\}", aux)[1])
            self.assertLessEqual(page, 12)
            log = (paper / "build" / "paper.log").read_text(errors="replace")
            self.assertFalse("undefined references" in log, "see the log for undefined references")

    def test_no_result_is_typed_in(self):
        abstract = TEXT[TEXT.index(r"\begin{abstract}") : TEXT.index(r"\end{abstract}")]
        results = TEXT[TEXT.index(r"\section{Results}") : TEXT.index(r"\end{document}")]
        for part in (abstract, results):
            typed = re.sub(r"\\(val|cite|ref|label|experiment|claim|findings|steps|bibliography)\{[^{}]*\}", "", part)
            self.assertEqual(re.findall(r"[^\n]*\d[^\n]*", typed), [])

    def test_every_citation_has_an_entry(self):
        cited = {key for keys in re.findall(r"\\cite\{([^{}]*)\}", TEXT) for key in keys.split(",")}
        entries = set(re.findall(r"@\w+\{(\w+),", (PAPER / "references.bib").read_text()))
        self.assertEqual(cited - entries, set())

    def run_gcg(self, flag):
        return subprocess.run([os.environ["GCG_RUN"], flag], capture_output=True, text=True, check=True).stdout

    def test_the_bibliography_is_that_of_the_program(self):
        self.assertEqual(
            (PAPER / "references.bib").read_text(),
            self.run_gcg("--bibtex"),
            "make it anew: gcg_run --bibtex > paper/references.bib",
        )

    def test_choices_are_options_and_name_their_defaults(self):
        defaults = dict(re.findall(r"^ +--(\S+) X \(=([^)]*)\)", self.run_gcg("--help"), re.MULTILINE))
        for choice in json.loads((PAPER / "choices.json").read_text()):
            self.assertEqual(defaults.get(choice["option"]), choice["default"], choice["option"])


if __name__ == "__main__":
    unittest.main()
