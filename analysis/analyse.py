#!/usr/bin/env python3
"""From the run files of a study to a small summary, and from the summary alone to its tables and figures.

    analyse.py FOLDER/EXPERIMENT-SCALE.json    reads this study file and the runs beside it that it names
    analyse.py --redraw SUMMARY...             makes tables and figures of summaries again, without any run

In FOLDER (or --into) stand afterwards EXPERIMENT-SCALE.summary.json, .md, one .tex per table, .png and .pdf of every
figure; what is redrawn is called as its summary. Every experiment is a module of its own name here with three
functions:

    summarise(study) -> dict
        study: study_runs.Study; numbers only, small enough to be committed; what it keeps by seed (`by_seed`: a
        dictionary, or a list beside a list `seeds`) can be paired by compare.py
    tables(summary) -> [tables.Table]
    figures(summary, base) -> [path of a PNG]
        files begin with `base`; empty if it has no figure

and, if it likes, two more:

    findings(summary) -> [sentence]
        what the numbers say, chosen by rules (phrases.py): an interval against 0, a margin. Plain text; Markdown page,
        HTML report and paper print them. A phrases.Finding names the claims and options that it bears on as well: the
        paper gathers them by claim, and in its table of choices
    effects(summary) -> {option: phrase}
        measured effects of choices, by the name of gcg_run's option without "--", for that table: where the phrase is
        none of the findings
"""

import argparse
import importlib
import json
import sys
from dataclasses import asdict
from pathlib import Path

import numpy as np

import phrases
import tables
import texts
from study_runs import open_study, read_summary

# What stands above the sentences of an experiment.
SAID = "Findings, chosen by fixed rules from these numbers"


def provenance(study, data_name):
    """Where the numbers come from: what every summary begins with."""
    runs = study.runs()
    values = lambda read: sorted({str(read(run)) for run in runs})
    digests = values(lambda run: run.identity["data_digest"])
    return {
        "experiment": study.experiment,
        "scale": study.scale,
        "data": data_name or ", ".join(values(lambda run: run.identity["data"])),
        "data_digests": digests,
        "networks": values(
            lambda run: run.identity["network"]
            + (f' of width {run.options["width"]}' if run.options["width"] != "0" else "")
        ),
        "train_images": max(int(run.identity["train_images"]) for run in runs),
        "validation_images": max(int(run.identity["validation_images"]) for run in runs),
        "test_images": max(int(run.identity["test_images"]) for run in runs),
        "seeds": sorted({int(seed) for by_seed in study.curves.values() for seed in by_seed}),
        "runs": len(runs),
        "run_seconds": float(np.sum([run.trajectory["seconds"][-1] for run in runs if len(run.trajectory["seconds"])])),
        "processors": values(lambda run: run.host["processor"]),
        "cores": max(int(run.host["cores"]) for run in runs),
        "execution": values(lambda run: run.execution["used"]),
        "commits": values(lambda run: run.build["commit"]),
        "defaults_versions": values(lambda run: run.identity["defaults_version"]),
        "settings": common_settings(runs),
        "commands": first_commands(study.entries),
        "parts": {curve: asdict(part) for curve, part in study.parts.items()},
        "missing": study.missing,
        "resumed": resumed_elsewhere(study),
    }


def resumed_elsewhere(study):
    """What runs say that went on with another build, processor or library: their bits are not those of one process."""
    return [
        f"{curve}, seed {seed}: {text}"
        for curve, by_seed in study.curves.items()
        for seed, run in by_seed.items()
        for text in run.warnings
        if text.startswith("resumed with another")
    ]


def first_commands(entries):
    """{curve: command} of the first seed of every curve."""
    commands = {}
    for entry in entries:
        commands.setdefault(entry["curve"], entry["command"])
    return commands


def common_settings(runs):
    """{option: value} of the options that affect results and have one value in all runs that know them."""
    found = {}
    for run in runs:
        table = run.option_table
        for name, value, affects in zip(table["name"], table["value"], table["affects_result"]):
            if affects:
                found.setdefault(str(name), set()).add(str(value))
    return {
        name: value
        for name, (value, *others) in sorted(found.items())
        if not others and name not in ("seed", "data-dir", "out")
    }


def load_module(experiment):
    if not experiment.isidentifier():
        sys.exit(f"there is no analysis of an experiment {experiment}")
    try:
        module = importlib.import_module(experiment)
    except ModuleNotFoundError as error:
        if error.name != experiment:
            raise
        sys.exit(f"there is no analysis of an experiment {experiment}")
    if not all(hasattr(module, name) for name in ("summarise", "tables", "figures")):
        sys.exit(f"{experiment} is no experiment's analysis: it has no summarise, tables and figures")
    return module


def findings(module, summary):
    """What the numbers say, as far as the experiment's module has rules for it."""
    return module.findings(summary) if hasattr(module, "findings") else []


def effects(module, summary):
    """{option: [phrase]}: measured effects of choices, from effects() and from the findings that name options."""
    found = (
        {option: [phrase] for option, phrase in module.effects(summary).items()} if hasattr(module, "effects") else {}
    )
    for finding in findings(module, summary):
        for option in getattr(finding, "options", ()):
            found.setdefault(option, []).append(finding)
    return found


def header(summary):
    """One paragraph about what the numbers stand on."""
    lines = [
        f'{summary["experiment"]}, {summary["scale"]} scale: {summary["data"]} ({summary["train_images"]:,} images for'
        f' training, {summary["validation_images"]:,} for validation, {summary["test_images"]:,} for the test),'
        f' {phrases.networks(summary["networks"])}; {summary["runs"]} runs,'
        f' seeds {", ".join(map(str, summary["seeds"]))},'
        f' {summary["run_seconds"] / 60:.0f} minutes of run time; {", ".join(summary["processors"])},'
        f' {summary["cores"]} cores; {" and ".join(summary["execution"])} execution.'
    ]
    if summary["missing"]:
        shown = "; ".join(summary["missing"][:5]) + ("; ..." if len(summary["missing"]) > 5 else "")
        lines += ["", f'**Not finished ({len(summary["missing"])}):** {shown}']
    if summary.get("resumed"):
        lines += ["", f'**Resumed elsewhere ({len(summary["resumed"])}):** {"; ".join(summary["resumed"][:5])}']
    return "\n".join(lines) + "\n"


def render(module, summary, into, name):
    """Tables and figures of a summary, in files that begin with its name; returns the text of the Markdown page."""
    base = Path(into) / name
    made = module.tables(summary)
    said = findings(module, summary)
    page = "\n".join([header(summary), *(tables.markdown(table) for table in made)])
    if said:
        page += f"\n{SAID}:\n\n" + "".join(f"- {sentence}\n" for sentence in said)
    for table in made:
        texts.write(Path(f"{base}-{table.name}.tex"), tables.latex(table))
    drawn = module.figures(summary, str(base))
    texts.write(Path(f"{base}.md"), page)
    return page, drawn


def main():
    texts.degrade()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("study", nargs="?", type=Path, help="file that the experiment wrote")
    parser.add_argument("--data-name", default="", help="how to name the data in tables and figures")
    parser.add_argument("--into", type=Path, help="where the results go; the study's folder if left out")
    parser.add_argument(
        "--redraw", nargs="+", type=Path, metavar="SUMMARY", help="summaries to make tables and figures of"
    )
    arguments = parser.parse_args()
    if arguments.redraw and (arguments.study or arguments.data_name):
        given = "a study file" if arguments.study else "--data-name"
        parser.error(
            f"--redraw takes no runs and so not {given}: a summary names its data itself; leave out one of them"
        )
    if arguments.redraw:
        if arguments.into:
            texts.make_folder(arguments.into)
        for path in arguments.redraw:
            summary = read_summary(path)
            render(
                load_module(summary["experiment"]),
                summary,
                arguments.into or path.parent,
                path.name.removesuffix(".summary.json"),
            )
            print(path)
        return
    if not arguments.study:
        parser.error("a study file, or --redraw SUMMARY")
    study = open_study(arguments.study)
    module = load_module(study.experiment)
    if not study.curves:
        sys.exit("no run of the study is finished yet")
    into = arguments.into or study.folder
    texts.make_folder(into)
    summary = provenance(study, arguments.data_name) | module.summarise(study)
    # Through JSON and back: what is rendered now is what can be rendered from the file.
    text = json.dumps(summary, indent=1, allow_nan=False) + "\n"
    name = arguments.study.stem
    path = into / f"{name}.summary.json"
    texts.write(path, text)
    page, drawn = render(module, json.loads(text), into, name)
    print(page)
    for figure in drawn:
        print("figure  ", figure)
    print("summary ", path)


if __name__ == "__main__":
    main()
