#!/usr/bin/env python3
"""Two studies, or two summaries: what differs in their options, their paired differences by curve and seed, what only
one has.

    compare.py A B    A, B: a folder of a study, a study file (EXPERIMENT-SCALE.json) or a summary

Study files are compared by the accuracies of their runs (run files, or the tables that keep_tables.py has kept);
summaries by every number they keep by seed (`seeds` with a `by_seed` beside it). A summary against a study: by the
summary that lies beside the study file. Differences are A minus B, pairs of one curve and one seed, with 95 % t
intervals and Holm's correction within the table.
"""

import argparse
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import gcg_runs
import phrases
import tables
import texts
from intervals import holm_differences, paired

MEASURES = {"test accuracy": "test_accuracy", "validation accuracy": "validation_accuracy"}
FACTS = {
    "data digest": lambda run: run.identity["data_digest"],
    "network": lambda run: run.identity["network"],
    "commit": lambda run: run.build["commit"],
    "processor": lambda run: run.host["processor"],
    "execution": lambda run: run.execution["used"],
    "defaults version": lambda run: run.identity["defaults_version"],
}
PLACES = {"out", "data-dir", "seed"}  # options that say where, not what


@dataclass
class Side:
    """One of the two, whatever it was read from."""

    path: Path
    kind: str  # "runs" or "summary"
    facts: dict  # what: text
    options: dict  # {curve: {option: value}}; a summary has its common settings under "all runs" and commands by curve
    values: dict  # {(curve, measure): {seed: value}}
    missing: list


@dataclass
class Finished:
    """What is compared of a finished run; its weights and tables are not kept."""

    facts: dict  # what: text
    options: dict
    accuracies: dict  # measure: number


def finished_run(folder, name):
    """A run by its run file or its kept tables; None if it is not finished."""
    run = gcg_runs.load_planned(folder, name)
    if run is None or run.status != "finished":
        return None
    return Finished(
        {what: str(read(run)) for what, read in FACTS.items()},
        {option: value for option, value in run.options.items() if option not in PLACES},
        {measure: run.final[name] for measure, name in MEASURES.items() if name in run.final},
    )


def from_study(path):
    """A study file and its runs; one that cannot be read is among the missing, with the reason."""
    entries = gcg_runs.read_study(path)["runs"]
    finished, left_out = {}, {}
    for name in dict.fromkeys(entry["name"] for entry in entries):
        try:
            finished[name] = finished_run(path.parent, name)
        except gcg_runs.RunFileError as error:
            left_out[name] = str(error)
    gcg_runs.tell_left_out(left_out.values(), len(finished) + len(left_out))
    values, options, missing = {}, {}, []
    for entry in entries:
        run = finished.get(entry["name"])
        if run is None:
            reason = left_out.get(entry["name"], "")
            for file in ("run.h5", gcg_runs.TABLES_NAME):
                reason = reason.removeprefix(f"{path.parent / entry['name'] / file}: ")
            missing.append(f'{entry["curve"]}, seed {entry["seed"]}' + (f" ({reason})" if reason else ""))
            continue
        for measure, accuracy in run.accuracies.items():
            values.setdefault((entry["curve"], measure), {})[int(entry["seed"])] = float(accuracy)
        options.setdefault(entry["curve"], run.options)
    facts = {what: ", ".join(sorted({run.facts[what] for run in finished.values() if run})) for what in FACTS}
    return Side(path, "runs", facts, options, values, missing)


def from_summary(path):
    summary = read(path)
    if "experiment" not in summary:
        sys.exit(f"{path}: is no summary (it names no experiment)")
    joined = lambda key: ", ".join(map(str, summary.get(key, [])))
    facts = {
        "data": summary.get("data", ""),
        "data digest": joined("data_digests"),
        "network": joined("networks"),
        "commit": joined("commits"),
        "processor": joined("processors"),
        "execution": joined("execution"),
        "defaults version": joined("defaults_versions"),
    }
    commands = {curve: {"command": command} for curve, command in summary.get("commands", {}).items()}
    values = {}
    collect(summary, (), values)
    return Side(
        path, "summary", facts, {"all runs": summary.get("settings", {})} | commands, values, summary.get("missing", [])
    )


def collect(node, place, values):
    """Every number that a summary keeps by seed: a list `by_seed` beside a list `seeds`, or a dictionary `by_seed`;
    rows of several numbers (of stages) become one measure each. Differences that intervals.paired() made (they have a
    `p`) are left out.
    """
    if isinstance(node, list):
        for i, item in enumerate(node):
            collect(item, (*place, str(i)), values)
    if not isinstance(node, dict) or "p" in node:
        return
    by_seed, seeds = node.get("by_seed"), node.get("seeds")
    if isinstance(by_seed, list) and isinstance(seeds, list) and len(by_seed) == len(seeds):
        by_seed = dict(zip(seeds, by_seed))
    if isinstance(by_seed, dict):
        for seed, value in by_seed.items():
            row = value if isinstance(value, list) else [value]
            for i, number in enumerate(row):
                if isinstance(number, (int, float)):
                    measure = f"{part_of_list(node, row)} {i + 1} of {len(row)}" if isinstance(value, list) else "value"
                    values.setdefault((" / ".join(place), measure), {})[int(seed)] = float(number)
    for key, item in node.items():
        if key != "by_seed":
            collect(item, (*place, str(key)), values)


def part_of_list(node, row):
    """What a number of a list by seed belongs to: a stage, where a list of densities, one a stage, is beside it."""
    densities = node.get("density")
    return "stage" if isinstance(densities, list) and len(densities) == len(row) else "entry"


def read(path):
    if not path.exists():
        sys.exit(f"{path}: no such file or folder")
    content = texts.read_json(path, "name a study file or a summary")
    if not isinstance(content, dict):
        sys.exit(f"{path}: is neither a study file nor a summary")
    return content


def is_summary(path):
    return path.name.endswith(".summary.json")


def studies(path):
    """{name: path} of what an argument stands for."""
    if not path.exists():
        sys.exit(f"{path}: no such file or folder")
    if not path.is_dir():
        return {path.name: path}
    found = {
        p.name: p for p in sorted(path.glob("*.json")) if not is_summary(p) and isinstance(read(p).get("runs"), list)
    }
    return (
        found
        or {p.name: p for p in sorted(path.glob("*.summary.json"))}
        or sys.exit(f"{path}: holds no study file and no summary")
    )


def sides(a, b):
    """Both, read in the same way."""
    if is_summary(a) != is_summary(b):
        a, b = (p if is_summary(p) else p.with_name(p.stem + ".summary.json") for p in (a, b))
    return tuple(from_summary(p) if is_summary(p) else from_study(p) for p in (a, b))


def differing(left, right):
    """[(name, value of A, value of B)] of what two dictionaries do not share; "-" for what one does not have."""
    names = [*left, *(name for name in right if name not in left)]
    return [
        (name, str(left.get(name, "-")), str(right.get(name, "-")))
        for name in names
        if left.get(name) != right.get(name)
    ]


def compare(a, b):
    """The tables of a comparison; what only one has is told in their notes."""
    facts = [["study", str(a.path), str(b.path)], *map(list, differing(a.facts, b.facts))]
    made = [
        tables.Table(
            "facts", "What was compared, and what differs in where the numbers come from.", ["what", "A", "B"], facts
        )
    ]
    rows = []
    curves = [curve for curve in a.options if curve in b.options]
    by_curve = {curve: differing(a.options[curve], b.options[curve]) for curve in curves}
    everywhere = (
        [d for d in by_curve[curves[0]] if all(d in found for found in by_curve.values())] if len(curves) > 1 else []
    )
    rows += [["every curve", *difference] for difference in everywhere]
    rows += [[curve, *difference] for curve in curves for difference in by_curve[curve] if difference not in everywhere]
    made.append(
        tables.Table(
            "options",
            (
                "Options that differ, of curves that both have."
                if rows
                else "No option differs in a curve that both have."
            ),
            ["curve", "option", "A", "B"],
            rows,
        )
    )
    differences = {key: paired(a.values[key], b.values[key]) for key in a.values if key in b.values}
    differences = {key: difference for key, difference in differences.items() if difference}
    comparisons = holm_differences(list(differences.values()))
    rows = []
    for (curve, measure), difference in differences.items():
        seeds = [int(seed) for seed in difference["by_seed"]]
        means = [np.mean([side.values[curve, measure][seed] for seed in seeds]) for side in (a, b)]
        rows.append(
            [
                curve,
                measure,
                str(len(seeds)),
                *(f"{mean:.4g}" for mean in means),
                difference_text(difference),
                p_text(difference["p_holm"]),
            ]
        )
    made.append(
        tables.Table(
            "differences",
            (
                "A minus B, paired by curve and seed; mean ± 95 % t interval; p after Holm's correction "
                f"for {comparisons} comparisons."
            ),
            ["curve", "measure", "seeds", "A", "B", "A minus B", "p (Holm)"],
            rows,
            [verdict(list(differences.values()))] if differences else ["Nothing can be paired."],
        )
    )
    for name, one, other in (("A", a, b), ("B", b, a)):
        alone = [
            [
                curve,
                measure,
                ", ".join(map(str, sorted(set(seeds) - set(other.values.get((curve, measure), {}))))) or "-",
            ]
            for (curve, measure), seeds in one.values.items()
            if set(seeds) - set(other.values.get((curve, measure), {}))
        ]
        notes = [f"Not finished in {name}: {'; '.join(one.missing)}."] if one.missing else []
        if alone or notes:
            made.append(tables.Table(f"only-{name}", f"Only in {name}.", ["curve", "measure", "seeds"], alone, notes))
    return made


def difference_text(difference):
    half = difference["half_interval"]
    return f'{difference["mean"]:+.4f}' + ("" if half is None else f" ± {half:.4f}")


def p_text(p):
    return "-" if p is None else "< 0.001" if p < 0.001 else f"{p:.3f}"


def verdict(differences):
    tested = [d for d in differences if d["p"] is not None]
    survive = sum(d["p_holm"] < phrases.LEVEL for d in tested)
    return (
        f"A minus B: {phrases.counted(tested, 'comparisons')} before Holm's correction; {survive} significant after it."
        f" {phrases.first_upper(phrases.NO_DIFFERENCE)} does not mean that the two are equal."
        if tested
        else "One seed each: no difference can be tested."
    )


def main(argv=None):
    texts.degrade()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("a", type=Path, metavar="A")
    parser.add_argument("b", type=Path, metavar="B")
    arguments = parser.parse_args(argv)
    left, right = studies(arguments.a), studies(arguments.b)
    if len(left) == len(right) == 1:
        pairs = [(*left.values(), *right.values())]
    else:
        pairs = [(left[name], right[name]) for name in left if name in right]
        for name in sorted(set(left) ^ set(right)):
            print(f"only in {'A' if name in left else 'B'}: {name}\n")
        if not pairs:
            sys.exit("no study of the same name in both")
    for a, b in pairs:
        try:
            made = compare(*sides(a, b))
        except gcg_runs.RunFileError as error:
            sys.exit(str(error))
        print(
            "\n".join(
                tables.markdown(table) if table.rows else "\n\n".join([table.caption, *table.notes]) + "\n"
                for table in made
            )
        )


if __name__ == "__main__":
    main()
