#!/usr/bin/env python3
"""Results in README.md and docs/*.md: no number in them is typed. What stands between

    <!-- generated: NAME -->    and    <!-- end -->

is written by this program from docs/results and, for what runs where, from `gcg_run --list`.

    pages.py            writes every block anew
    pages.py --check    says which are out of date and ends with status 1 if any is
"""

import argparse
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import analyse
import answer
import bench
import claims
import phrases
import reading
import tables
import texts

ROOT = Path(__file__).resolve().parents[1]
BLOCK = re.compile(r"(<!-- generated: ([^\n]*?) -->\n)(.*?)(<!-- end -->)", re.DOTALL)
COMMAND = "make pages"


class NotHere(Exception):
    """What a block is made of is not there: its text stays."""


class Source:
    """What blocks are made of: the summaries and the chosen program."""

    def __init__(self, root, program):
        self.root, self.program = root, program
        self.results = root / "docs" / "results"
        self.summaries = claims.load(self.results)


def block(name, source):
    """The text of a block; its name is KIND or KIND ARGUMENT."""
    kind, _, argument = name.partition(" ")
    kinds = {
        "answer": lambda: "".join(f"- {said}\n" for said in answer.sentences(source.summaries)),
        "claims": lambda: claim_list(source),
        "study": lambda: study(source),
        "claim-table": lambda: claim_table(source),
        "experiments": lambda: experiments(source),
        "scale": lambda: at_scale(source, argument),
        "choices": lambda: choices(source),
        "backends": lambda: backends(source),
        "support": lambda: support(source),
        "agreement": lambda: agreement(source),
        "steps": lambda: steps(source, argument),
        "tiles": lambda: tables.markdown(tiles_table(source.results, argument)),
        "data": lambda: data_line(source),
    }
    if kind not in kinds:
        raise ValueError(f"there is no block {name!r}; there are {', '.join(kinds)}")
    return kinds[kind]()


def claim_list(source):
    """One item a claim: its verdict for growth alone, and for growing and returning where that was measured."""
    items = []
    for claim in claims.claims(source.summaries):
        item = f"- *{phrases.first_upper(claim.statement)}.* Growth alone: **{claim.growth.word}**. {claim.growth.text}"
        if claim.returned.word != claims.UNMEASURED:
            item += f" Growing and returning: **{claim.returned.word}**. {claim.returned.text}"
        items.append(item)
    return "\n".join(items) + "\n"


def study(source):
    """The study of growing and returning beside dense training and the other methods, in one table."""
    summary = source.summaries.get("grow_return")
    if summary is None:
        return "Not measured yet.\n"
    table = analyse.load_module("grow_return").short_table(summary)
    lines = [table.caption, "", "| " + " | ".join(table.header) + " |", "|" + "---|" * len(table.header)]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in table.rows]) + "\n"


def claim_table(source):
    rows = [[phrases.first_upper(c.statement), c.growth.word, c.returned.word] for c in claims.claims(source.summaries)]
    lines = ["| claim of the original paper | growth alone | growing and returning |", "|---|---|---|"]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows]) + "\n"


def experiments(source):
    """Every experiment in reading order, with a heading and its question."""
    parts = []
    for name in reading.EXPERIMENTS:
        target = f"`make {name.replace('_', '-')}`"
        head = f"## {reading.title(name)}\n\n{reading.question(name)} ({target})\n\n"
        parts.append(head + experiment(source, name))
    return "\n" + "\n".join(parts)


def at_scale(source, scale):
    """The experiments with a summary of a scale beside the usual ones, in reading order."""
    parts = []
    for name in reading.EXPERIMENTS:
        path = source.results / f"{name}-{scale}.summary.json"
        if path.exists():
            said = described(source, name, claims.read_summary(path))
            parts.append(f"### {reading.title(name)}\n\n{said}")
    return "\n" + "\n".join(parts) if parts else "Not measured yet.\n"


def experiment(source, name):
    summary = source.summaries.get(name)
    said = "Not measured yet.\n" if summary is None else described(source, name, summary)
    page, about = reading.BESIDE.get(name, (None, ""))
    if page and (source.results / page).exists():
        said += f"\n{about}: [results/{page}](results/{page})\n"
    return said


def described(source, name, summary):
    """Setting, findings, figures and where the tables are."""
    module = analyse.load_module(name)
    stem = f'{name}-{summary["scale"]}'
    lines = [
        (
            f'{phrases.first_upper(summary["scale"])} scale: {phrases.networks(summary["networks"])} on'
            f' {summary["data"]},'
            f' seeds {", ".join(map(str, summary["seeds"]))}, {summary["runs"]} runs,'
            f' {summary["run_seconds"] / 60:.0f} minutes of run time on {", ".join(summary["processors"])};'
            f' {" and ".join(summary["execution"])} execution.'
        )
    ]
    if summary["missing"]:
        lines.append(f'{len(summary["missing"])} runs are not finished.')
    lines += ["", *(f"- {sentence}" for sentence in analyse.findings(module, summary)), ""]
    figures = sorted(source.results.glob(f"{stem}*.png"))
    lines += [f"![{name.replace('_', ' ')}](results/{figure.name})" for figure in figures]
    lines += ["", f"All tables: [results/{stem}.md](results/{stem}.md)"]
    return "\n".join(lines) + "\n"


def choices(source):
    """The choices of the method with their measured effects."""
    measured = {}
    for name, summary in sorted(source.summaries.items()):
        for option, said in analyse.effects(analyse.load_module(name), summary).items():
            measured.setdefault(option, []).extend(
                f"{phrases.first_upper(name.replace('_', ' '))}: {text}" for text in said
            )
    lines = [
        "| choice | what the original paper says | here (option: default) | measured effect |",
        "|---|---|---|---|",
    ]
    for choice in json.loads((source.root / "paper" / "choices.json").read_bytes()):
        default = f": {choice['default']}" if choice["default"] else ""
        effect = "<br>".join(measured.get(choice["option"], ["not measured"]))
        cells = [choice["choice"], choice["source"], f"{choice['here']} (`--{choice['option']}`{default})", effect]
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(lines) + "\n"


def agreement(source):
    """Whether the ways of execution train equally well, in a sentence."""
    summary = source.summaries.get("execution_agreement")
    if summary is None:
        return "Whether these train equally well is not measured yet.\n"
    seeds = len(summary["seeds"])
    said = "; ".join(analyse.load_module("execution_agreement").verdicts(summary))
    return (
        f'Do they reach the same accuracy? Equivalence within {100 * summary["margin"]:g} points was tested'
        f' ({summary["scale"]} scale, {seeds} seeds; [docs/results.md](docs/results.md)): {said}. The speed of a'
        " training step compared with LibTorch: [docs/performance.md](docs/performance.md).\n"
    )


def listed(source):
    """What gcg_run --list says."""
    if source.program is None:
        raise NotHere("gcg_run is not built: make programs")
    return subprocess.run([source.program, "--list"], capture_output=True, text=True, check=True).stdout


def backends(source):
    """What each backend runs on, computes in and has."""
    return backend_table(listed(source))


def support(source):
    return support_table(listed(source))


def support_table(said):
    """Operations, optimisers and precisions by execution and device: the table that gcg_run --list ends with."""
    _, _, table = said.partition("\nWhat runs where\n")
    if not table.startswith("| |"):
        raise ValueError("gcg_run --list ends with no table of what runs where")
    return table


def backend_table(said):
    """From what gcg_run --list says: a line "NAME  what it does" a backend, and after an empty line one with "NAME
    where and in what; operations; optimisers"."""
    _, _, rest = said.partition("Backends (--execution)\n")
    about, _, able = rest.partition("\n\n")
    about = dict(re.findall(r"^  (\S+) +(\S.*)$", about, re.MULTILINE))
    rows = re.findall(r"^  (\S+) +(.*); (.*?); (.*?)$", able, re.MULTILINE)
    able = {name: able for name, *able in rows}
    if not about or set(about) != set(able):
        raise ValueError(f"gcg_run --list says what {sorted(able)} can do, but its backends are {sorted(about)}")
    lines = [
        "| `--execution` | what it does | device and number formats | operations ([each](docs/gpus.md#what-runs-where))"
        " | optimisers |",
        "|---|---|---|---|---|",
    ]
    for name, text in about.items():
        lines.append(f"| `{name}` | {text} | " + " | ".join(able[name]) + " |")
    return "\n".join(lines) + "\n"


def steps(source, network):
    return tables.markdown(steps_table(source.results, network))


def measured(path, network):
    """What `make bench` left: the facts of the machine, and the steps of a network on the most threads."""
    summary = json.loads(path.read_bytes())
    chosen = max((s for s in summary["steps"] if s["network"] == network), key=lambda s: s["threads"])
    return summary["context"], chosen


def setting_of(context, step):
    return (
        f"{context['processor']}, {context['cores']} cores, {bench.threads_text(step['threads'])},"
        f" {bench.NETWORKS.get(step['network'], step['network'])}, {step['setting'].split(',')[0]}"
    )


def steps_table(results, network):
    """A training step of a network on the most threads measured, sparse against LibTorch; "FOLDER/NETWORK": of what was
    measured on another machine, whose page is in that folder."""
    *folder, network = network.split("/")
    context, chosen = measured(results.joinpath(*folder) / "bench.json", network)
    rows = [
        [f"{row['density']:.2f}", f"{row['sparse_ms']['median']:.1f}", bench.ratio_text(row["ratio"])]
        for row in chosen["densities"]
    ]
    return tables.Table(
        "steps",
        (
            f"{setting_of(context, chosen)}; LibTorch"
            f" {context['LibTorch']} in the faster of two memory layouts ({bench.blas_name(context['BLAS'])}):"
            f" {chosen['libtorch_ms']['median']:.1f} ms."
            f" Medians of"
            f" {chosen['libtorch_ms']['rounds']} rounds, quartiles in brackets."
        ),
        ["density", "sparse step, ms", "times faster than LibTorch"],
        rows,
    )


def tiles_table(results, network):
    """The same where the processor has AMX: in fp32, in bf16 and by tiles, the last against LibTorch in both."""
    context, chosen = measured(results / "amx" / "bench.json", network)
    rows = [
        [
            f"{row['density']:.2f}",
            f"{row['sparse_ms']['median']:.1f}",
            f"{row['bf16']['sparse_ms']['median']:.1f}",
            f"{row['bf16_tiles']['sparse_ms']['median']:.1f}",
            bench.ratio_text(row["ratio"]),
            bench.ratio_text(row["bf16"]["ratio"]),
            bench.ratio_text(row["bf16_tiles"]["ratio"]),
            bench.ratio_text(row["bf16_tiles"]["ratio_to_best_dense"]),
        ]
        for row in chosen["densities"]
    ]
    return tables.Table(
        "tiles",
        (
            f"{setting_of(context, chosen)}; LibTorch {context['LibTorch']}: {chosen['libtorch_ms']['median']:.1f} ms"
            f" in fp32, {chosen['best_dense_ms']['median']:.1f} ms by {chosen['best_dense']}, its best. Medians of"
            f" {chosen['libtorch_ms']['rounds']} rounds, quartiles in brackets."
        ),
        [
            "density",
            "fp32, ms",
            "bf16, ms",
            "tiles, ms",
            "fp32 speedup",
            "bf16 speedup",
            "tiles speedup",
            f"tiles speedup over {chosen['best_dense']}",
        ],
        rows,
    )


def data_line(source):
    """What the results stand on, in one sentence."""
    summaries = source.summaries.values()
    scales = sorted({s["scale"] for s in summaries}, key=claims.SCALES.index)
    networks = phrases.networks(sorted({name for s in summaries for name in s["networks"]}))
    data = ", ".join(sorted({s["data"] for s in summaries}))
    seeds = sorted({len(s["seeds"]) for s in summaries})
    runs = sum(s["runs"] for s in summaries)
    return (
        f"Measured so far, at the scale{'s' if len(scales) > 1 else ''} {', '.join(scales)}: {data};"
        f" {networks}; {seeds[0]} to {seeds[-1]} seeds per experiment; {runs} runs, a shared run counted once per"
        " experiment. Intervals are 95 % t intervals over seeds, differences are paired by seed.\n"
    )


def pages(root):
    return [root / "README.md", *sorted((root / "docs").glob("*.md"))]


def renewed(text, source, left):
    """The text of a page with every block made anew; names of blocks that could not be made go to `left`."""

    def replace(match):
        try:
            return match[1] + block(match[2], source) + match[4]
        except NotHere as error:
            left.append(f"{match[2]}: {error}")
            return match[0]

    if text.count("<!-- generated:") != len(BLOCK.findall(text)):
        raise ValueError("a block has no end")
    return BLOCK.sub(replace, text)


def program_of(root):
    """GCG_RUN, or the program of the release build; None if there is none."""
    for place in (os.environ.get("GCG_RUN"), root / "build" / "release" / "experiments" / "gcg_run"):
        if place and Path(place).exists():
            return str(place)
    return None


def main(argv=None, root=ROOT):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="change nothing, say what is out of date")
    arguments = parser.parse_args(argv)
    source, left, stale = Source(root, program_of(root)), [], []
    for path in pages(root):
        text = path.read_text(encoding="utf-8")
        try:
            new = renewed(text, source, left)
        except ValueError as error:
            sys.exit(f"{path}: {error}")
        if new != text:
            stale.append(path.relative_to(root))
            if not arguments.check:
                texts.write(path, new)
    for said in left:
        print(f"left as it is: {said}", file=sys.stderr)
    if arguments.check and stale:
        sys.exit(f"out of date: {', '.join(map(str, stale))}; `{COMMAND}` writes them anew")
    for path in stale:
        print("written ", path)


if __name__ == "__main__":
    main()
