#!/usr/bin/env python3
"""One HTML file of a study: the claims with their verdicts, then every experiment in reading order with findings,
figures, tables, where the numbers come from and what is missing, and a page for every run.

    report.py PATH... --out report.html      PATH: a summary, or a folder with summaries and study files

The file needs nothing else: figures, style and the script that sorts tables are inside it. Figures and tables are made
of the summaries again; a run has a page where a study file beside the summary names it and its run file is there.
"""

import argparse
import os
import re
import sys
import tempfile
from html import escape
from pathlib import Path
from urllib.parse import quote

import analyse
import answer
import claims
import gcg_runs
import pareto
import phrases
import reading
import report_runs
import tables
from report_style import SCRIPT, STYLE
from study_runs import read_summary
import texts


def studies_in(paths):
    """[(title, summary or None, study file or None)] of summaries and folders, in reading order."""
    found = []
    for path in paths:
        if path.is_dir():
            summaries = sorted(path.glob("*.summary.json"))
            found += [(title_of(p), read_summary(p), beside(p)) for p in summaries]
            for study in sorted(path.glob("*.json")):
                if is_study(study) and not (path / f"{study.stem}.summary.json").exists():
                    found.append((study.stem, None, study))
        elif path.exists():
            found.append((title_of(path), read_summary(path), beside(path)))
        else:
            sys.exit(f"{path}: there is no such file or folder")
    place = lambda study: (study[1] or gcg_runs.read_study(study[2]))["experiment"]
    order = reading.in_order({place(study) for study in found})
    return sorted(found, key=lambda study: (order.index(place(study)), len(study[0]), study[0]))


def title_of(path):
    return path.name.removesuffix(".summary.json").removesuffix(".json")


def is_study(path):
    """Study files name an experiment and list runs; other JSON files beside them are not ours."""
    if path.name.endswith(".summary.json"):
        return False
    content = texts.read_json(path, "move it elsewhere, or give the experiment's command again if it is a list of runs")
    return isinstance(content, dict) and "runs" in content and isinstance(content.get("experiment"), str)


def beside(summary):
    """The study file that belongs to a summary, if it is still there."""
    study = summary.with_name(f"{title_of(summary)}.json")
    return study if study != summary and study.exists() else None


def facts(summary):
    """Where the numbers come from, as a definition list."""
    seeds = ", ".join(map(str, summary["seeds"]))
    rows = [
        (
            "data",
            (
                f'{summary["data"]}; {summary["train_images"]:,} images for training,'
                f' {summary["validation_images"]:,} for validation, {summary["test_images"]:,} for the test'
            ),
        ),
        ("data digest", ", ".join(summary["data_digests"])),
        ("networks", phrases.networks(summary["networks"])),
        ("runs", f'{summary["runs"]}, seeds {seeds}, {summary["run_seconds"] / 3600:.1f} hours of run time'),
        ("hardware", f'{", ".join(summary["processors"])}, {summary["cores"]} cores'),
        ("execution", " and ".join(summary["execution"])),
        ("commit", ", ".join(summary["commits"])),
        ("defaults version", ", ".join(summary["defaults_versions"])),
    ]
    if summary.get("settings"):
        rows.append(("shared settings", ", ".join(f"{name} {value}" for name, value in summary["settings"].items())))
    return "<dl>" + "".join(f"<dt>{escape(name)}</dt><dd>{escape(text)}</dd>" for name, text in rows) + "</dl>"


def missing(summary):
    if not summary["missing"]:
        return "<p>No run of the study is missing.</p>"
    items = "".join(f"<li>{escape(name)}</li>" for name in summary["missing"])
    return f'<div class="missing"><h3>Missing runs ({len(summary["missing"])})</h3><ul>{items}</ul></div>'


def inline(svg, prefix):
    """A drawing as it stands in the page: its ids are its own, and it names no address."""
    svg = re.sub(r' xmlns(:xlink)?="[^"]*"', "", svg)
    svg = re.sub(r'\bid="', f'id="{prefix}', svg)
    return re.sub(r'(href="#|url\(#)', rf"\g<1>{prefix}", svg)


def drawings(draw, title):
    """Figures as <figure>s; draw(base) makes them and says where the PNGs are."""
    with tempfile.TemporaryDirectory() as folder:
        made = [
            Path(path).with_suffix(".svg").read_text(encoding="utf-8") for path in draw(str(Path(folder) / "figure"))
        ]
    return [
        f'<figure role="img" aria-label="{escape(f"Figure of {title}")}">'
        f'{inline(svg, f"{anchor(title)}-{i}-")}</figure>'
        for i, svg in enumerate(made)
    ]


def run_table(study, out, pages):
    """Every run that the study file names, with its page where its file can be read."""
    rows = []
    for entry in gcg_runs.read_study(study)["runs"]:
        file = study.parent / entry["name"] / "run.h5"
        name = escape(entry["name"])
        if entry["name"] in pages:
            name = f'<a href="#{escape(report_runs.anchor(entry["name"]))}">{name}</a>'
        if file.exists():
            name += f' (<a href="{quote(os.path.relpath(file, out.parent))}">run file</a>)'
        elif file.with_name(gcg_runs.TABLES_NAME).exists():
            name += " (its tables alone are kept)"
        else:
            name += " (no run file)"
        rows.append(
            f'<tr><td>{escape(entry["curve"])}</td><td>{escape(str(entry["seed"]))}</td><td>{name}</td>'
            f"<td><code>{escape(command_of(entry))}</code></td></tr>"
        )
    head = "<thead><tr><th>curve</th><th>seed</th><th>run</th><th>command</th></tr></thead>"
    return (
        f'<details><summary>Runs ({len(rows)})</summary><figure class="runs"><table class="sortable">{head}<tbody>'
        f'{"".join(rows)}</tbody></table></figure></details>'
    )


def command_of(entry):
    """That of an entry of a study file."""
    return str(entry.get("command", ""))


def command_table(summary):
    rows = "".join(
        f"<tr><td>{escape(curve)}</td><td><code>{escape(command)}</code></td></tr>"
        for curve, command in summary.get("commands", {}).items()
    )
    if not rows:
        return ""
    return (
        '<details><summary>Commands of the first seed</summary><figure class="runs"><table><thead><tr><th>curve</th>'
        f"<th>command</th></tr></thead><tbody>{rows}</tbody></table></figure></details>"
    )


def results(summary, title):
    """Findings, figures and tables, where the experiment has an analysis."""
    try:
        module = analyse.load_module(summary["experiment"])
    except SystemExit as error:
        return [f'<p class="missing">{escape(str(error))}</p>']
    said = analyse.findings(module, summary)
    parts = []
    if said:
        items = "".join(f"<li>{escape(sentence)}</li>" for sentence in said)
        parts.append(f"<h3>{escape(analyse.SAID)}</h3><ul>{items}</ul>")
    parts += drawings(lambda base: module.figures(summary, base), title)
    return parts + [tables.html(table) for table in module.tables(summary)]


def heading(title, summary):
    """The experiment's title, with its scale where that is not in its name alone."""
    if summary is None or summary["experiment"] not in reading.EXPERIMENTS:
        return title
    experiment = summary["experiment"]
    return f"{reading.title(experiment)} ({title.removeprefix(experiment).lstrip('-') or summary['scale']})"


def section(title, summary, study, out, pages):
    parts = [f'<section id="{escape(anchor(title))}"><h2>{escape(heading(title, summary))}</h2>']
    if summary is None:
        parts.append('<p class="missing">This study has no summary yet: analyse.py has not been run on it.</p>')
    else:
        if reading.question(summary["experiment"]):
            parts.append(f'<p class="about">{escape(reading.question(summary["experiment"]))}</p>')
        parts += results(summary, title)
        parts.append(missing(summary))
        parts.append(f"<details><summary>Where the numbers come from</summary>{facts(summary)}</details>")
    if study is not None:
        parts.append(run_table(study, out, pages))
    elif summary is not None:
        parts.append(command_table(summary))
    return "\n".join([*parts, "</section>"])


def anchor(title):
    return re.sub(r"[^A-Za-z0-9_.-]", "-", title)


def verdict_cell(verdict):
    return f'<td><span class="word">{escape(verdict.word)}</span>{escape(verdict.text)}</td>'


def opening(paths):
    """What the study says, before everything else: the claims with their verdicts, and all methods at once."""
    summaries, about, points = {}, "", []
    for folder in dict.fromkeys(path if path.is_dir() else path.parent for path in paths):
        summaries |= claims.load(folder)
        description, found = pareto.collect(folder)
        if len(found) > len(points):
            about, points = description, found
    said = "".join(f"<li>{escape(sentence)}</li>" for sentence in answer.sentences(summaries))
    parts = ['<section id="answer"><h2>What was found</h2>', f"<ul>{said}</ul>" if said else ""]
    rows = "".join(
        f"<tr><td>{escape(phrases.first_upper(claim.statement))}</td>{verdict_cell(claim.growth)}"
        f"{verdict_cell(claim.returned)}</tr>"
        for claim in claims.claims(summaries)
    )
    parts.append(
        '<figure><table class="claims"><thead><tr><th>claim of the original paper</th><th>growth alone</th><th>growing'
        f" and returning</th></tr></thead><tbody>{rows}</tbody></table></figure>"
    )
    if points:
        parts.append(
            f'<p class="about">All methods at once: {escape(about)}. Accuracy is that on the test images minus'
            " that of dense training of the same seed; rest the pointer on a mark to read it.</p>"
        )
        drawn = drawings(lambda base: pareto.figures(points, base), "all methods")
        parts.append(f'<div class="pair">{"".join(drawn)}</div>')
    return "\n".join([*parts, "</section>"])


def run_pages(studies):
    """{name of a run: its section} of all run files that the study files name and that can be read."""
    found = {}
    for title, _, study in studies:
        for entry in gcg_runs.read_study(study)["runs"] if study is not None else []:
            file = study.parent / entry["name"] / "run.h5"
            if entry["name"] in found or not file.exists():
                continue
            try:
                found[entry["name"]] = report_runs.page(
                    gcg_runs.load(file), entry["name"], anchor(title), command_of(entry)
                )
            except gcg_runs.RunFileError as error:
                print(f"no page of a run: {error}", file=sys.stderr)
    return found


def page(studies, out, paths):
    pages = run_pages(studies)
    entries = [("answer", "What was found")]
    entries += [(anchor(title), heading(title, summary)) for title, summary, _ in studies]
    links = "".join(f'<li><a href="#{escape(place)}">{escape(text)}</a></li>' for place, text in entries)
    sections = "\n".join(section(*study, out, pages) for study in studies)
    titles = ", ".join(title for title, *_ in studies)
    return (
        f'{texts.HTML}>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<meta name="viewport"'
        f' content="width=device-width">\n<title>gcg: {escape(titles)}</title>\n<style>{STYLE}</style>\n</head>\n'
        f"<body>\n<nav><details open><summary>Contents</summary><ol>{links}</ol></details></nav>\n<main>\n<h1>Results"
        f" of the study</h1>\n{opening(paths)}\n{sections}\n</main>\n{chr(10).join(pages.values())}\n"
        f"<script>{SCRIPT}</script>\n</body>\n</html>\n"
    )


def main(argv=None):
    texts.degrade()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "paths", nargs="+", type=Path, metavar="PATH", help="summaries, or folders with summaries and study files"
    )
    parser.add_argument("--out", type=Path, default=Path("report.html"))
    arguments = parser.parse_args(argv)
    texts.keep_others(arguments.out, texts.HTML)
    try:
        studies = studies_in(arguments.paths)
        if not studies:
            sys.exit("no summary and no study file is there: run analyse.py first")
        text = page(studies, arguments.out, arguments.paths)
    except gcg_runs.RunFileError as error:  # of a study file
        sys.exit(str(error))
    texts.make_folder(arguments.out.parent)
    texts.write(arguments.out, text)
    print(arguments.out)


if __name__ == "__main__":
    main()
