#!/usr/bin/env python3
"""An analysis that nobody planned, from run files alone: does the share of connections that a growth rule gives to the
stem explain its accuracy?

    stem_share.py FOLDER/growth_rules-small.json [--layer stem.conv] [--into FOLDER]

Rules are compared at the same stage (the same number of connections) of the same seed: share and accuracy are taken
relative to the mean of the rules there. Their correlation is formed within each seed and then averaged over seeds
(stages of one run are not independent, seeds are). Copy this file to ask another question: everything it knows of a run
is in docs/run_file.md. It needs the package: pip install ./analysis.
"""

import argparse
import sys
from pathlib import Path

import gcg_runs
import matplotlib
import numpy as np
from scipy.stats import t as student

matplotlib.use("Agg")
import matplotlib.pyplot as plt


def stage_rows(run, layer):
    """[(stage, share of the present connections that are in the layer, validation accuracy)] of the stages of
    growth."""
    names = list(run.layers["name"])
    if layer not in names:
        sys.exit(f"{run.path}: there is no layer {layer}; the layers are {', '.join(names)}")
    present = dict(zip(run.statistics["stage"].tolist(), run.statistics["layers"]["present"]))
    return [
        (int(stage), present[stage][names.index(layer)] / present[stage].sum(), float(accuracy))
        for stage, phase, accuracy in zip(run.stages["stage"], run.stages["phase"], run.stages["validation_accuracy"])
        if phase != "final" and stage in present
    ]


def deviations(rows_by_rule):
    """{rule: [(share, accuracy)]} relative to the mean over the rules at each stage; stages that not all rules reach,
    and those where all have the same mask (the seed), are left out."""
    stages = set.intersection(*({row[0] for row in rows} for rows in rows_by_rule.values()))
    result = {rule: [] for rule in rows_by_rule}
    for stage in sorted(stages):
        points = {
            rule: np.array(next(row[1:] for row in rows if row[0] == stage)) for rule, rows in rows_by_rule.items()
        }
        centre = np.mean(list(points.values()), axis=0)
        if np.ptp([point[0] for point in points.values()]) > 0:
            for rule, point in points.items():
                result[rule].append(point - centre)
    return result


def correlation(by_rule):
    """Pearson's over all rules and stages of one seed; None where one of the two does not vary."""
    points = np.array([point for points in by_rule.values() for point in points])
    if len(points) < 3 or np.any(points.std(axis=0) == 0):
        return None
    return float(np.corrcoef(points.T)[0, 1])


def with_interval(values):
    """Mean ± 95 % t interval, as text."""
    values = np.asarray(values, dtype=float)
    if len(values) < 2:
        return f"{values.mean():.2f}"
    half = student.ppf(0.975, len(values) - 1) * values.std(ddof=1) / np.sqrt(len(values))
    return f"{values.mean():.2f} ± {half:.2f}"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("study", type=Path, help="file that the experiment wrote")
    parser.add_argument("--layer", default="stem.conv")
    parser.add_argument("--into", type=Path, default=Path("."), help="where the figure goes")
    arguments = parser.parse_args()
    try:
        study = gcg_runs.load_study(arguments.study)
    except gcg_runs.RunFileError as error:
        sys.exit(str(error))
    rules = {
        name: runs for name, runs in study.items() if all(run.identity["method"] == "gcg" for run in runs.values())
    }
    if len(rules) < 2:
        sys.exit("two growth rules at least have to be finished")
    seeds = sorted(set.intersection(*(set(runs) for runs in rules.values())))
    if not seeds:
        sys.exit("no seed has finished under every rule")
    by_seed = {
        seed: deviations({rule: stage_rows(runs[seed], arguments.layer) for rule, runs in rules.items()})
        for seed in seeds
    }

    print(f"Share of connections in {arguments.layer} and validation accuracy, both relative to the mean of the rules")
    print(f"at the same stage and seed, in points; mean ± 95 % t interval over {len(seeds)} seeds.\n")
    width = max(map(len, rules))
    print(f"{'rule':<{width}}  {'share':>14}  {'accuracy':>14}")
    for rule in rules:
        means = 100 * np.array([np.mean(by_seed[seed][rule], axis=0) for seed in seeds])
        print(f"{rule:<{width}}  {with_interval(means[:, 0]):>14}  {with_interval(means[:, 1]):>14}")
    found = [r for r in (correlation(by_seed[seed]) for seed in seeds) if r is not None]
    if found:
        print(f"\nCorrelation within a seed: {with_interval(found)} (n = {len(found)} seeds)")

    figure, axes = plt.subplots(figsize=(6.4, 4.2), constrained_layout=True)
    for rule, marker in zip(rules, "os^DvPX*" * len(rules)):
        points = 100 * np.array([point for seed in seeds for point in by_seed[seed][rule]])
        axes.plot(points[:, 0], points[:, 1], marker, label=rule)
    axes.axhline(0, color="#888888", linewidth=0.8)
    axes.axvline(0, color="#888888", linewidth=0.8)
    axes.set_xlabel(f"share of connections in {arguments.layer}, points above the rules' mean")
    axes.set_ylabel("validation accuracy,\npoints above the rules' mean")
    axes.set_title(f"every point: one rule at one stage of one seed (n = {len(seeds)} seeds)", fontsize=10)
    axes.legend(loc="best")
    path = arguments.into / "stem_share.png"
    try:
        arguments.into.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, dpi=150)
    except OSError as error:
        sys.exit(f"{path}: cannot be written: {error.strerror}; name another folder behind --into")
    print("figure", path)


if __name__ == "__main__":
    main()
