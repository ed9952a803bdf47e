#!/usr/bin/python3
"""Prints a run file for people: identity, options that are not at their default, stages, fit, result, cost."""

import argparse
import sys

import numpy as np

import gcg_runs
import texts


def number(value):
    """Short text of a value: counts in full, other numbers to four digits."""
    if isinstance(value, (bool, np.bool_)):
        return "yes" if value else "no"
    if isinstance(value, (float, np.floating)):
        return "-" if np.isnan(value) else f"{value:.4g}"
    return str(value)


def aligned(rows, indent="  "):
    """Lines of equal columns: numbers to the right, texts to the left."""
    if not rows:
        return []
    widths = [max(len(cell) for cell in column) for column in zip(*rows)]
    right = [all(is_number(row[i]) for row in rows[1:]) for i in range(len(widths))]
    lines = []
    for row in rows:
        cells = (c.rjust(w) if r else c.ljust(w) for c, w, r in zip(row, widths, right))
        lines.append((indent + "  ".join(cells)).rstrip())
    return lines


def is_number(cell):
    if cell == "-":
        return True
    try:
        float(cell)
    except ValueError:
        return False
    return True


def table(columns, names):
    """Rows of the named columns under their headings."""
    count = len(columns[names[0]])
    return aligned([list(names)] + [[number(columns[name][i]) for name in names] for i in range(count)])


def pairs(values, units=None, prefix=""):
    """One line per entry of a dictionary, with its unit."""
    rows = [["", ""]]
    for name, value in values.items():
        unit = (units or {}).get(prefix + name, "1")
        rows.append([name, number(value) + ("" if unit in ("1", "none") else f" {unit}")])
    return aligned(rows)[1:]


def identity_lines(run):
    entries = {"status": run.status}
    if run.failure:
        entries["failure"] = run.failure
    entries.update(run.identity)
    version = f"{run.build['version']}, commit {run.build['commit'][:12]}"
    entries["build"] = version + (" (changed)" if run.build["dirty"] else "") + f", {run.build['compiler']}"
    entries["host"] = f"{run.host['name']}, {run.host['processor']}, {run.host['threads']} threads"
    kernels = f" ({run.execution['kernels']})" if run.execution["kernels"] else ""
    entries["execution"] = run.execution["used"] + kernels
    return pairs(entries)


def option_lines(run):
    options = run.option_table
    changed = [i for i, is_default in enumerate(options["is_default"]) if not is_default]
    return aligned([["", ""]] + [[str(options["name"][i]), str(options["value"][i])] for i in changed])[1:]


def fit_lines(run):
    if not len(run.fits["outcome"]):
        return []
    lines = table(
        {"stage": run.stages["stage"], **run.fits},
        ["stage", "outcome", "d_star", "d_low", "d_high", "accuracy_at_one", "standard_error", "epsilon", "note"],
    )
    last = run.fits["parameters"][-1][: run.fits["parameter_count"][-1]]
    if len(last):
        texts = (f"{name} = {value:.4g}" for name, value in zip(run.fit_parameter_names, last))
        lines.append("  last fit: " + ", ".join(texts))
    if (run.joint_fits["outcome"] != "too_few_stages").any():
        lines.append("  over density and time together, a report:")
        lines += table(
            {"stage": run.stages["stage"], **run.joint_fits},
            ["stage", "outcome", "d_star", "d_low", "d_high", "union_low", "union_high", "difference_error", "note"],
        )
        last = zip(run.joint_fits["parameter_names"], run.joint_fits["parameters"][-1])
        lines.append("  last joint fit: " + ", ".join(f"{name} = {value:.4g}" for name, value in last))
    return lines


def search_lines(run):
    """What a search found, and how far every stage of its last way back is from the best one."""
    lines = pairs(run.search)
    compared = np.isfinite(run.above_best["loss"])
    if compared.any():
        columns = {"stage": run.stages["stage"], "density": run.stages["density"], **run.above_best}
        lines += ["  against the best stage of the way back, on the same validation images:"]
        lines += table({name: column[compared] for name, column in columns.items()}, list(columns))
    return lines


def result_lines(run):
    if run.final is None:
        return ["  none yet"]
    return pairs({k: v for k, v in run.final.items() if np.isscalar(v)}, run.units, "final/")


def report(run, trajectory=False):
    """All lines."""
    stages = [name for name in run.stages if name != "decision"] + ["decision"]
    sections = [
        (str(run.path), identity_lines(run)),
        ("options not at their default", option_lines(run)),
        ("stages", table(run.stages, stages)),
        ("fit after each stage", fit_lines(run)),
        ("search", search_lines(run) if run.search["outcome"] != "none" else []),
        ("result", result_lines(run)),
        ("cost", pairs(run.cost, run.units, "cost/")),
    ]
    if run.warnings:
        sections.append(("warnings", ["  " + text for text in run.warnings]))
    if trajectory:
        sections.append(("trajectory", table(run.trajectory, list(run.trajectory))))
    lines = []
    for title, body in sections:
        lines += [title, *(body or ["  none"]), ""]
    return lines[:-1]


def main():
    texts.degrade()
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", help="a run file, or the folder that holds run.h5")
    parser.add_argument("--trajectory", action="store_true", help="also one line per epoch")
    arguments = parser.parse_args()
    try:
        print("\n".join(report(gcg_runs.load(arguments.run), arguments.trajectory)))
    except gcg_runs.RunFileError as error:
        print(f"inspect_run: {error}", file=sys.stderr)
        return 1
    except BrokenPipeError:  # the reader of a pipe had enough
        sys.stderr.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
