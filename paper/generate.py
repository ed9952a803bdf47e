#!/usr/bin/env python3
"""Everything in the paper that is a result: from the committed summaries to paper/generated/*.tex.

    generate.py [--results docs/results] [--paper paper] [--out paper/generated]

paper.tex asks for

    \\val{KEY}            one number or text of a summary; KEY is SUMMARY:PLACE or SUMMARY:PLACE|FORMAT, for example
                         growth_rules:runs, growth_rules:seeds|list, execution_agreement:margin|points
    \\experiment{NAME}    findings, figures and tables of an experiment
    \\bench               what `make bench` measured (bench.json)
    \\pareto              accuracy over density and over cost, all methods
    \\verdicts            the claims of the source with a verdict each for growth alone and for growing and returning
    \\claim{NAME}         both verdicts on a claim (phrases.CLAIMS) with their numbers, a figure and a small table
    \\findings{NAME}      what the findings of all experiments say about a claim
    \\steps{NETWORK}      a training step, sparse against LibTorch, on the most threads measured
    \\setuptables         data, runs and hardware of every experiment
    \\choicetable         choices of the method (choices.json) with their measured effect
    \\otherexperiments    experiments that paper.tex does not name
    \\missinglist         what is missing

SUMMARY is an experiment's name, which stands for its summary of the largest scale, or the stem of a summary file. PLACE
are the names and positions on the way into the summary, with "/" between. What is not there is printed as [missing:
...] and listed at the end; nothing here fails because a summary is not there yet.
"""

import argparse
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "analysis"))
import analyse
import bench
import claim_tables
import claims
import pages
import pareto
import phrases
from study_runs import read_summary
import texts
from tables import Table, latex, latex_text

SCALES = ["smoke", "small", "medium", "full"]
ROWS = 40  # of a table on one page
# The figure that stands with a claim: of the first of these experiments that there is.
SHOWN = {
    "accuracy": ["growth_rules"],
    "cost": ["cost_accuracy"],
    "exploration": ["grow_return", "discovery_cost"],
    "diversity": ["bottleneck"],
    "limit": ["grow_reallocate"],
}


# The claim that an experiment as a whole bears on: of those of its findings that name none.
BEARING = {
    "bottleneck": "diversity",
    "growth_pace": "exploration",
    "extrapolation": "exploration",
    "cost_accuracy": "cost",
    "discovery_cost": "exploration",
    "discovered_density": "accuracy",
    "grow_reallocate": "limit",
}


class Missing(list):
    """What was asked for and is not there, each once, in the order of asking."""

    def add(self, what):
        if what not in self:
            self.append(what)
        return rf"\missing{{{latex_text(what)}}}"


def load(folder):
    """{stem: summary} of a folder, and {experiment: stem} of the largest scale of each."""
    summaries = {
        path.name.removesuffix(".summary.json"): read_summary(path) for path in sorted(folder.glob("*.summary.json"))
    }
    largest = {}
    for scale in SCALES:
        for stem, summary in summaries.items():
            if stem == f'{summary.get("experiment")}-{scale}':
                largest[summary["experiment"]] = stem
    return summaries, largest


def find(summaries, largest, key):
    """The value of a key; KeyError if it is not there."""
    name, _, place = key.partition(":")
    node = summaries[largest.get(name, name)]
    for step in place.split("/") if place else []:
        if isinstance(node, list) and re.fullmatch(r"-?\d+", step) and -len(node) <= int(step) < len(node):
            node = node[int(step)]
        elif isinstance(node, dict) and step in node:
            node = node[step]
        else:
            raise KeyError(key)
    if node is None:
        raise KeyError(key)
    return node


def formatted(value, form):
    """A value as plain text."""
    if form == "list":
        return ", ".join(map(str, value))
    if form == "count":
        return f"{value:,}"
    if form == "points":
        return f"{100 * value:g}"
    if form == "percent":
        return f"{100 * value:.1f}"
    if form == "hours":
        return f"{value / 3600:.1f}"
    if form == "length":
        return str(len(value))
    if re.fullmatch(r"\.\df", form):
        return f"{value:{form}}"
    if form == "" and isinstance(value, (str, int)):
        return str(value)
    raise ValueError(f"no format {form!r} for {value!r}")


def values(source, summaries, largest, missing):
    """The macros behind every \\val of the paper."""
    lines = []
    for asked in dict.fromkeys(re.findall(r"\\val\{([^{}]*)\}", source)):
        key, _, form = asked.partition("|")
        try:
            text = latex_text(formatted(find(summaries, largest, key), form))
        except KeyError:
            text = missing.add(key)
        lines.append(rf"\expandafter\def\csname val@{asked}\endcsname{{{text}}}")
    return "\n".join(lines) + "\n"


def pieces(table):
    """A long table in parts that fit a page."""
    if len(table.rows) <= ROWS:
        return [table]
    parts = [table.rows[i : i + ROWS] for i in range(0, len(table.rows), ROWS)]
    return [
        Table(
            f"{table.name}-{i + 1}",
            f"{table.caption} (Part {i + 1} of {len(parts)}.)",
            table.header,
            rows,
            table.notes if i == len(parts) - 1 else [],
        )
        for i, rows in enumerate(parts)
    ]


def table_tex(table, label=""):
    notes = "".join(rf"\tablenote{{{latex_text(note)}}}" + "\n" for note in table.notes)
    named = rf"\label{{{label}}}" if label else ""
    return (
        f"\\begin{{generatedtable}}{{{latex_text(table.caption)}{named}}}\n"
        f"\\fittable{{%\n{latex(table)}}}\n{notes}\\end{{generatedtable}}\n"
    )


def figure_tex(caption, file, height=0.45, label=""):
    named = rf"\label{{{label}}}" if label else ""
    return (
        f"\\begin{{generatedfigure}}{{{latex_text(caption)}{named}}}\n"
        f"\\includegraphics[width=\\linewidth,height={height}\\textheight,keepaspectratio]"
        f"{{\\detokenize{{{file}}}}}\n\\end{{generatedfigure}}\n"
    )


def caption_of(name, summary):
    return (
        f"{phrases.first_upper(name.replace('_', ' '))}, {summary['scale']} scale: {summary['data']}; seeds"
        f" {', '.join(map(str, summary['seeds']))}. Bars and bands, where there are several seeds: 95 % intervals over"
        " them."
    )


def shown_with_claims(source, largest):
    """{claim: experiment} of the figures that stand with the claims that the paper asks for."""
    asked = re.findall(r"\\claim\{(\w+)\}", source)
    found = {claim: next((n for n in SHOWN[claim] if n in largest), None) for claim in asked}
    return {claim: name for claim, name in found.items() if name and module_of(name)}


def itemize(sentences):
    return (
        "\\begin{itemize}\n"
        + "".join(rf"\item {latex_text(sentence)}" + "\n" for sentence in sentences)
        + "\\end{itemize}\n"
    )


def module_of(experiment):
    """Its analysis, or None."""
    try:
        return analyse.load_module(experiment)
    except SystemExit:
        return None


def experiment_tex(name, summaries, largest, out, missing, shown=()):
    """Findings, figures and tables of one experiment; those whose figure is `shown` before refer to it."""
    if name not in largest:
        return rf"\noindent {missing.add(f'experiment {name}')}" + "\n"
    module, summary = module_of(name), summaries[largest[name]]
    if module is None:
        return rf"\noindent {missing.add(f'analysis of {name}')}" + "\n"
    scale = (
        f'Scale {summary["scale"]}: {", ".join(summary["networks"])} on {summary["data"]}; {summary["runs"]} runs,'
        f' seeds {", ".join(map(str, summary["seeds"]))}; '
    )
    scale += f'{" and ".join(summary["execution"])} execution.'
    parts = [rf"\noindent {latex_text(scale)}" + "\n"]
    if summary["missing"]:
        count = len(summary["missing"])
        parts.append(rf"\par\noindent {missing.add(f'runs of {largest[name]} that are not finished: {count}')}" + "\n")
    said = analyse.findings(module, summary)
    if said:
        parts.append(rf"\medskip\noindent {analyse.SAID}:\nopagebreak" + "\n" + itemize(said))
    if name in shown:
        parts.append(rf"\par\noindent Its figure is Figure~\ref{{fig:{name}}}." + "\n")
    else:
        for path in module.figures(summary, str(out / largest[name])):
            parts.append(figure_tex(caption_of(name, summary), Path(path).with_suffix(".pdf").name))
    parts += [table_tex(piece) for table in module.tables(summary) for piece in pieces(table)]
    return "\n".join(parts)


def analysed(summaries, largest):
    """[(experiment, module, summary)] of the experiments that have both."""
    found = [(name, module_of(name), summaries[stem]) for name, stem in sorted(largest.items())]
    return [(name, module, summary) for name, module, summary in found if module is not None]


def bench_tex(results, out, missing):
    """Training steps, sparse against dense, their memory and a figure, as the bench measured them."""
    path = results / "bench.json"
    if not path.exists():
        return rf"\noindent {missing.add('bench.json: make bench BENCH_INTO=docs/results')}" + "\n"
    summary = texts.read_json(path, "make it anew: make bench BENCH_INTO=docs/results")
    context = summary["context"]
    parts = [
        rf"\noindent {latex_text(context['processor'])}, {context['cores']} cores; LibTorch"
        rf" {latex_text(context['LibTorch'])}. {latex_text(summary['pairing'].capitalize())}." + "\n"
    ]
    file = Path(bench.draw(summary, out / "bench")).with_suffix(".pdf").name
    caption = (
        "Time of a sparse training step over that of LibTorch's dense one, by density; share of the measured"
        " multiply-add peak that the sparse kernels reach."
    )
    parts.append(figure_tex(caption, file))
    for step in summary["steps"]:
        head, *rows = bench.step_table(step)
        shown = [i for i, name in enumerate(head) if name != "at least"]
        caption = (
            f"{bench.NETWORKS.get(step['network'], step['network'])}, {bench.threads_text(step['threads'])}: whole"
            f" training step, {step['setting']}, {step['dense_ms']['rounds']} rounds."
        )
        parts.append(
            table_tex(
                Table(
                    "steps",
                    caption,
                    [head[i] for i in shown],
                    [[row[i] for i in shown] for row in rows],
                    bench.growth_lines(step),
                )
            )
        )
    return "\n".join(parts)


def pareto_tex(results, out, missing):
    """Both figures of all methods."""
    description, points = pareto.collect(results)
    drawn = [Path(path).with_suffix(".pdf").name for path in pareto.figures(points, str(out / "pareto"))]
    if not drawn:
        return rf"\noindent {missing.add('a summary with accuracies and costs')}" + "\n"
    about = f"{phrases.first_upper(description)}; {len(points)} settings; differences are paired by seed. "
    captions = [
        "Test accuracy minus that of dense training over density; the colour is the cost. " + about,
        "Test accuracy minus that of dense training over cost; the colour is the density. " + about,
    ]
    return "".join(figure_tex(caption, file, 0.34) for caption, file in zip(captions, drawn))


def verdicts_tex(found):
    rows = [[phrases.first_upper(c.statement), c.growth.word, c.returned.word] for c in found]
    header = ["claim of the source", "growth alone", "growing and returning"]
    return table_tex(Table("verdicts", "Verdicts on the claims of the source.", header, rows))


def claim_tex(claim, small, shown, summaries, largest, out, missing):
    """Both verdicts in words, then the figure and the small table."""
    parts = []
    for who, verdict in (("Growth alone", claim.growth), ("Growing and returning", claim.returned)):
        text = f"{verdict.word}. {verdict.text}".strip()
        parts.append(rf"\paragraph{{{who}:}} {latex_text(text)}" + "\n")
        if verdict.word == claims.UNMEASURED and not verdict.text:
            missing.add(f"{who.lower()}: {claim.statement}")
    name = shown.get(claim.name)
    if name:
        summary = summaries[largest[name]]
        drawn = module_of(name).figures(summary, str(out / largest[name]))
        for path in drawn[:1]:
            file = Path(path).with_suffix(".pdf").name
            parts.append(figure_tex(caption_of(name, summary), file, 0.3, f"fig:{name}"))
    if claim.name in small:
        parts.append(table_tex(small[claim.name]))
    return "\n".join(parts)


def steps_tex(network, results, missing):
    if not (results / "bench.json").exists():
        return rf"\noindent {missing.add('bench.json: make bench BENCH_INTO=docs/results')}" + "\n"
    return table_tex(pages.steps_table(results, network))


def findings_tex(claim, experiments, missing):
    bearing = []
    for name, module, summary in experiments:
        for finding in analyse.findings(module, summary):
            claims = getattr(finding, "claims", ()) or ([BEARING[name]] if name in BEARING else [])
            if claim in claims:
                bearing.append(f"{finding} ({name.replace('_', ' ')}, {summary['scale']} scale)")
    if not bearing:
        return missing.add(f"a finding that bears on the claim: {phrases.CLAIMS[claim]}") + "\n"
    return itemize(bearing)


def choice_table(choices, experiments, missing):
    """Choices with their default and what was measured of them."""
    measured = {}
    for name, module, summary in experiments:
        for option, said in analyse.effects(module, summary).items():
            measured.setdefault(option, []).extend(f"{text} ({name.replace('_', ' ')})" for text in said)
    lines = [r"\begin{choices}"]
    for choice in choices:
        effects = measured.get(choice["option"])
        effect = latex_text(" ".join(effects)) if effects else missing.add(f"effect of --{choice['option']}")
        here = f"{choice['here']}: {choice['default']}" if choice["default"] else choice["here"]
        option = rf"\texttt{{-{{}}-{latex_text(choice['option'])}}}"
        lines.append(
            f"{latex_text(choice['choice'])} & {latex_text(choice['source'])} & {latex_text(here)} ({option}) &"
            f" {effect} \\\\ \\addlinespace"
        )
    return "\n".join([*lines, r"\end{choices}"]) + "\n"


def setup_tables(summaries, largest):
    """Two tables with one row an experiment."""
    what, where = [], []
    for stem in sorted(largest.values()):
        s = summaries[stem]
        seeds = ", ".join(map(str, s["seeds"]))
        images = f'{s["train_images"]:,} / {s["validation_images"]:,} / {s["test_images"]:,}'
        what.append([stem, ", ".join(s["networks"]), s["data"], images, seeds])
        where.append(
            [
                stem,
                f'{s["runs"]} ({len(s["missing"])})',
                f'{s["run_seconds"] / 3600:.1f}',
                " and ".join(s["execution"]),
                f'{", ".join(s["processors"])}, {s["cores"]} cores',
                ", ".join(c[:10] for c in s["commits"]),
            ]
        )
    header = ["experiment", "network", "data", "images: training / validation / test", "seeds"]
    tables = [Table("setup", "Networks, data and seeds of every experiment.", header, what)]
    header = ["experiment", "runs (not finished)", "hours", "execution", "processor", "commit"]
    tables.append(Table("machines", "Runs, hardware and version of every experiment.", header, where))
    parts = [piece for table in tables for piece in pieces(table)]
    return "".join(table_tex(part, "" if i else "tab:setup") for i, part in enumerate(parts))


def missing_tex(missing):
    return itemize(missing) if missing else "Nothing is missing.\n"


def generate(results, paper, out):
    """Writes the generated files; returns what is missing."""
    source = (paper / "paper.tex").read_text(encoding="utf-8")
    texts.make_folder(out)
    if any(out.iterdir()) and not (out / "values.tex").exists():
        sys.exit(f"{out}: holds other files than the generated ones, which would be deleted; name a new folder")
    for old in out.iterdir():  # nothing of an earlier build may stay
        old.unlink()
    summaries, largest = load(results)
    missing = Missing()
    texts.write((out / "values.tex"), values(source, summaries, largest, missing))
    named = re.findall(r"\\experiment\{([A-Za-z_]+)\}", source)
    shown = shown_with_claims(source, largest)
    for name in named:
        text = experiment_tex(name, summaries, largest, out, missing, shown.values())
        texts.write(out / f"experiment-{name}.tex", text)
    others = [name for name in sorted(largest) if name not in named]
    texts.write(
        (out / "others.tex"),
        "".join(
            f"\\subsection{{{latex_text(name.replace('_', ' '))}}}\n"
            + experiment_tex(name, summaries, largest, out, missing)
            for name in others
        ),
    )
    texts.write((out / "bench.tex"), bench_tex(results, out, missing))
    experiments = analysed(summaries, largest)
    named_summaries = {name: summaries[stem] for name, stem in largest.items()}
    found, small = claims.claims(named_summaries), claim_tables.tables(named_summaries)
    texts.write(out / "verdicts.tex", verdicts_tex(found))
    for claim in found:
        text = claim_tex(claim, small, shown, summaries, largest, out, missing)
        texts.write(out / f"claim-{claim.name}.tex", text)
        texts.write(out / f"findings-{claim.name}.tex", findings_tex(claim.name, experiments, missing))
    texts.write(out / "pareto.tex", pareto_tex(results, out, missing))
    for network in re.findall(r"\\steps\{(\w+)\}", source):
        texts.write(out / f"steps-{network}.tex", steps_tex(network, results, missing))
    texts.write(out / "setup.tex", setup_tables(summaries, largest) if largest else missing.add("every summary") + "\n")
    texts.write(
        (out / "choices.tex"),
        choice_table(texts.read_json(paper / "choices.json", "take it from the checkout"), experiments, missing),
    )
    texts.write((out / "missing.tex"), missing_tex(missing))
    return missing


def main():
    texts.degrade()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--results", type=Path, default=ROOT / "docs" / "results")
    parser.add_argument("--paper", type=Path, default=ROOT / "paper")
    parser.add_argument("--out", type=Path, default=ROOT / "paper" / "generated")
    arguments = parser.parse_args()
    missing = generate(arguments.results, arguments.paper, arguments.out)
    texts.write((arguments.out / "missing.txt"), "".join(f"  [missing: {what}]\n" for what in missing))


if __name__ == "__main__":
    main()
