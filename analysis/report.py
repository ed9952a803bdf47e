#!/usr/bin/env python3
"""One HTML file of a study: findings, figures, tables, where the numbers come from, its runs and what is missing.

    report.py PATH... --out report.html      PATH: a summary, or a folder with summaries and study files

The file needs nothing else: figures are inside it, no script and no style comes from elsewhere. Figures and tables are
made of the summaries again; run files are linked where a study file beside the summary names them.
"""

import argparse
import base64
import json
import os
import re
import sys
import tempfile
from html import escape
from pathlib import Path
from urllib.parse import quote

import analyse
import tables
import texts

STYLE = """
:root { color-scheme: light; }
body {
  font: 15px/1.45 "Liberation Sans", Arial, Helvetica, sans-serif; color: #111; background: #fff; max-width: 68rem;
  margin: 2rem auto; padding: 0 1rem;
}
h1 { font-size: 1.6rem; }
h2 { font-size: 1.25rem; border-top: 2px solid #111; padding-top: .6rem; margin-top: 2.5rem; }
h3 { font-size: 1rem; margin-bottom: .3rem; }
figure { margin: 1.2rem 0; overflow-x: auto; } figcaption { font-size: .9rem; margin-bottom: .3rem; }
img { max-width: 100%; height: auto; }
table {
  border-collapse: collapse; font-size: .85rem; font-variant-numeric: tabular-nums; border-top: 1.5px solid #111;
  border-bottom: 1.5px solid #111;
}
th, td { padding: .15rem .6rem; text-align: right; white-space: nowrap; }
th:first-child, td:first-child { text-align: left; }
thead th { border-bottom: 1px solid #111; } tbody tr:nth-child(even) { background: #f4f4f4; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .1rem 1rem; font-size: .85rem; }
dt { color: #555; }
dd { margin: 0; overflow-wrap: anywhere; }
.note { font-size: .85rem; margin: .3rem 0; } .missing { border-left: 4px solid #d55e00; padding-left: .8rem; }
.runs td { text-align: left; white-space: normal; overflow-wrap: anywhere; }
.runs th { text-align: left; }
.runs table { font-size: .75rem; }
a { color: #0072b2; }
@page { margin: 1.4cm; }
@media print {
  body { max-width: none; margin: 0; font-size: 10pt; }
  h2 { break-before: page; }
  h2:first-of-type { break-before: avoid; }
  figure, tr, li { break-inside: avoid; }
  table { font-size: 6.8pt; }
  th, td { padding: .1rem .2rem; }
  th, td:first-child { white-space: normal; }
  figure { overflow: visible; } .runs { break-inside: auto; }
  a { color: inherit; text-decoration: none; } nav { display: none; }
}
"""


def studies_in(paths):
    """[(title, summary or None, study file or None)] of summaries and folders, in the order of their names."""
    found = []
    for path in paths:
        if path.is_dir():
            summaries = sorted(path.glob("*.summary.json"))
            found += [(title_of(p), read(p), beside(p)) for p in summaries]
            for study in sorted(path.glob("*.json")):
                if is_study(study) and not (path / f"{study.stem}.summary.json").exists():
                    found.append((study.stem, None, study))
        elif path.exists():
            found.append((title_of(path), read(path), beside(path)))
        else:
            sys.exit(f"{path}: there is no such file or folder")
    return found


def title_of(path):
    return path.name.removesuffix(".summary.json").removesuffix(".json")


def read(path):
    try:
        return json.loads(path.read_bytes())
    except json.JSONDecodeError as error:
        sys.exit(f"{path}: is no JSON file ({error})")


def is_study(path):
    """Study files name an experiment and list runs; other JSON files beside them are not ours."""
    if path.name.endswith(".summary.json"):
        return False
    content = read(path)
    return isinstance(content, dict) and isinstance(content.get("runs"), list) and "experiment" in content


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
        ("networks", ", ".join(summary["networks"])),
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


def picture(path, title):
    data = base64.b64encode(Path(path).read_bytes()).decode("ascii")
    return f'<figure><img src="data:image/png;base64,{data}" alt="{escape(f"Figure of {title}")}"></figure>'


def pictures(module, summary, title):
    with tempfile.TemporaryDirectory() as folder:
        return [picture(path, title) for path in module.figures(summary, str(Path(folder) / "figure"))]


def run_table(study, out):
    """Every run that the study file names, linked where its file is there."""
    rows = []
    for entry in read(study)["runs"]:
        file = study.parent / entry["name"] / "run.h5"
        name = escape(entry["name"])
        if file.exists():
            name = f'<a href="{quote(os.path.relpath(file, out.parent))}">{name}</a>'
        else:
            name += " (no run file)"
        rows.append(
            f'<tr><td>{escape(entry["curve"])}</td><td>{escape(str(entry["seed"]))}</td><td>{name}</td>'
            f'<td><code>{escape(entry["command"])}</code></td></tr>'
        )
    head = "<thead><tr><th>curve</th><th>seed</th><th>run</th><th>command</th></tr></thead>"
    return f'<figure class="runs"><h3>Runs</h3><table>{head}<tbody>{"".join(rows)}</tbody></table></figure>'


def command_table(summary):
    rows = "".join(
        f"<tr><td>{escape(curve)}</td><td><code>{escape(command)}</code></td></tr>"
        for curve, command in summary.get("commands", {}).items()
    )
    if not rows:
        return ""
    return (
        '<figure class="runs"><h3>Commands of the first'
        f" seed</h3><table><thead><tr><th>curve</th><th>command</th></tr></thead><tbody>{rows}</tbody></table></figure>"
    )


def results(summary, title):
    """Findings, figures and tables, where the experiment has an analysis."""
    try:
        module = analyse.load_module(summary["experiment"])
    except SystemExit as error:
        return [f'<p class="missing">{escape(str(error))}</p>']
    said = analyse.findings(module, summary)
    parts = (
        [
            "<h3>By rule from these numbers</h3><ul>"
            + "".join(f"<li>{escape(sentence)}</li>" for sentence in said)
            + "</ul>"
        ]
        if said
        else []
    )
    return parts + pictures(module, summary, title) + [tables.html(table) for table in module.tables(summary)]


def section(title, summary, study, out):
    parts = [f'<section id="{escape(anchor(title))}"><h2>{escape(title)}</h2>']
    if summary is None:
        parts.append('<p class="missing">This study has no summary yet: analyse.py has not been run on it.</p>')
    else:
        parts += [facts(summary), missing(summary)]
        parts += results(summary, title)
    if study is not None:
        parts.append(run_table(study, out))
    elif summary is not None:
        parts.append(command_table(summary))
    return "\n".join([*parts, "</section>"])


def anchor(title):
    return re.sub(r"[^A-Za-z0-9_.-]", "-", title)


def page(studies, out):
    titles = [title for title, _, _ in studies]
    links = "".join(f'<li><a href="#{escape(anchor(title))}">{escape(title)}</a></li>' for title in titles)
    sections = "\n".join(section(*study, out) for study in studies)
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<meta name="viewport"'
        ' content="width=device-width">\n<title>gcg:'
        f' {escape(", ".join(titles))}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<h1>Results of the'
        f" study</h1>\n<nav><ul>{links}</ul></nav>\n{sections}\n</body>\n</html>\n"
    )


def main(argv=None):
    texts.degrade()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "paths", nargs="+", type=Path, metavar="PATH", help="summaries, or folders with summaries and study files"
    )
    parser.add_argument("--out", type=Path, default=Path("report.html"))
    arguments = parser.parse_args(argv)
    studies = studies_in(arguments.paths)
    if not studies:
        sys.exit("no summary and no study file is there: run analyse.py first")
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    texts.write(arguments.out, page(studies, arguments.out))
    print(arguments.out)


if __name__ == "__main__":
    main()
