#!/usr/bin/env python3
"""Everything in the paper that is a result: from the committed summaries to paper/generated/*.tex.

    generate.py [--results docs/results] [--paper paper] [--out paper/generated]

paper.tex asks for

    \\val{KEY}            one number or text of a summary; KEY is SUMMARY:PLACE or SUMMARY:PLACE|FORMAT, for example
                         growth_rules:runs, growth_rules:seeds|list, execution_agreement:margin|points
    \\experiment{NAME}    findings, figures and tables of an experiment
    \\bench               what `make bench` measured (bench.json)
    \\claim{NAME}         what the findings of all experiments say about a claim (phrases.CLAIMS)
    \\setuptables         data, runs, hardware and settings of every experiment
    \\choicetable         choices of the method (choices.json) with their measured effect
    \\otherexperiments    experiments that paper.tex does not name
    \\missinglist         what is missing

SUMMARY is an experiment's name, which stands for its summary of the largest scale, or the stem of a summary file. PLACE
are the names and positions on the way into the summary, with "/" between. What is not there is printed as [missing:
...] and listed at the end; nothing here fails because a summary is not there yet.
"""

import argparse
import json
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "analysis"))
import analyse
import bench
import phrases
import texts
from tables import Table, latex, latex_text

SCALES = ["smoke", "small", "full"]
ROWS = 40  # of a table on one page
COLUMNS = 5  # of facts of experiments in one table
# Settings that every experiment shows, if all of its runs share them.
SETTINGS = [
    "epochs",
    "batch-size",
    "learning-rate",
    "schedule",
    "warmup",
    "momentum",
    "nesterov",
    "weight-decay",
    "augment",
    "seed-rule",
    "seed-density",
    "stage-epochs",
    "stage-warmup",
    "growth-ratio",
    "epsilon",
    "extrapolator",
    "threads",
]


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
        path.name.removesuffix(".summary.json"): json.loads(path.read_bytes())
        for path in sorted(folder.glob("*.summary.json"))
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


def table_tex(table):
    notes = "".join(rf"\tablenote{{{latex_text(note)}}}" + "\n" for note in table.notes)
    return (
        f"\\begin{{generatedtable}}{{{latex_text(table.caption)}}}\n"
        f"\\fittable{{%\n{latex(table)}}}\n{notes}\\end{{generatedtable}}\n"
    )


def figure_tex(caption, file):
    return (
        f"\\begin{{generatedfigure}}{{{latex_text(caption)}}}\n"
        "\\includegraphics[width=\\linewidth,height=0.45\\textheight,keepaspectratio]"
        f"{{\\detokenize{{{file}}}}}\n\\end{{generatedfigure}}\n"
    )


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


def experiment_tex(name, summaries, largest, out, missing):
    """Findings, figures and tables of one experiment."""
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
        parts.append("\\medskip\\noindent By rule from these numbers:\\nopagebreak\n" + itemize(said))
    for path in module.figures(summary, str(out / largest[name])):
        file = Path(path).with_suffix(".pdf").name
        caption = (
            f"{name.replace('_', ' ')}, {summary['scale']} scale: {summary['data']}; seeds"
            f" {', '.join(map(str, summary['seeds']))}. "
        )
        caption += "Bars and bands, where there are several seeds: 95 % intervals over them."
        parts.append(figure_tex(caption, file))
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
    summary = json.loads(path.read_bytes())
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


def claim_tex(claim, experiments, missing):
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
        for option, effects in analyse.effects(module, summary).items():
            measured.setdefault(option, []).extend(f"{text} ({name.replace('_', ' ')})" for text in effects)
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
    stems = sorted(largest.values())
    columns = [summaries[stem] for stem in stems]
    joined = lambda key: [", ".join(map(str, s.get(key, []))) or "-" for s in columns]
    rows = [
        ["data", *(s["data"] for s in columns)],
        ["data digest", *(", ".join(d[:12] for d in s["data_digests"]) for s in columns)],
        [
            "images: training / validation / test",
            *(f'{s["train_images"]:,} / {s["validation_images"]:,} / {s["test_images"]:,}' for s in columns),
        ],
        ["network", *joined("networks")],
        ["seeds", *joined("seeds")],
        ["runs (not finished)", *(f'{s["runs"]} ({len(s["missing"])})' for s in columns)],
        ["hours of run time", *(f'{s["run_seconds"] / 3600:.1f}' for s in columns)],
        ["execution", *joined("execution")],
        ["processor", *joined("processors")],
        ["cores", *(str(s["cores"]) for s in columns)],
        ["commit", *(", ".join(c[:10] for c in s["commits"]) for s in columns)],
        ["version of the defaults", *joined("defaults_versions")],
    ]
    settings = [[name, *(s.get("settings", {}).get(name, "varied or unused") for s in columns)] for name in SETTINGS]
    settings = [row for row in settings if set(row[1:]) != {"varied or unused"}]
    # A row per experiment reads better than a column of long texts where there are many.
    turned = lambda body: [[stem, *(row[i + 1] for row in body)] for i, stem in enumerate(stems)]
    made = []
    for name, caption, body in (
        ("setup", "Data, runs and hardware of every experiment.", rows),
        ("settings", "Settings that all runs of an experiment share.", settings),
    ):
        for part in range(0, len(body), COLUMNS):
            chosen = body[part : part + COLUMNS]
            made.append(
                Table(
                    f"{name}-{part}",
                    caption if part == 0 else f"{caption} (Continued.)",
                    ["experiment", *(row[0] for row in chosen)],
                    turned(chosen),
                )
            )
    return "".join(table_tex(piece) for table in made for piece in pieces(table))


def missing_tex(missing):
    return itemize(missing) if missing else "Nothing is missing.\n"


def generate(results, paper, out):
    """Writes the generated files; returns what is missing."""
    source = (paper / "paper.tex").read_text(encoding="utf-8")
    out.mkdir(parents=True, exist_ok=True)
    for old in out.iterdir():  # nothing of an earlier build may stay
        old.unlink()
    summaries, largest = load(results)
    missing = Missing()
    texts.write((out / "values.tex"), values(source, summaries, largest, missing))
    named = re.findall(r"\\experiment\{([A-Za-z_]+)\}", source)
    for name in named:
        texts.write((out / f"experiment-{name}.tex"), experiment_tex(name, summaries, largest, out, missing))
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
    for claim in phrases.CLAIMS:
        texts.write((out / f"claim-{claim}.tex"), claim_tex(claim, experiments, missing))
    texts.write(
        (out / "setup.tex"), setup_tables(summaries, largest) if largest else missing.add("every summary") + "\n"
    )
    texts.write(
        (out / "choices.tex"), choice_table(json.loads((paper / "choices.json").read_bytes()), experiments, missing)
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
