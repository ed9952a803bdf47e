"""Do sparse and dense execution train equally well? Paired differences of accuracy by seed, with an equivalence test.

Accuracy is over validation and test images together: nothing was chosen by either. The margin was stated before any run
was looked at. Equivalent: the 95 % t interval of the mean difference lies within the margin (two one-sided tests at 2.5
%).
"""

import math
import sys

from intervals import mean_interval
from phrases import Finding
from tables import Table, percent, plain

MARGIN = 0.015  # of accuracy


def accuracy(run):
    """Over the images that were not trained on."""
    validation, test = int(run.identity["validation_images"]), int(run.identity["test_images"])
    hits = run.final["validation_accuracy"] * validation + run.final["test_accuracy"] * test
    return float(hits) / (validation + test)


def compare(sparse, dense):
    """Sparse minus dense, paired by seed."""
    seeds = sorted(set(sparse) & set(dense))
    gaps = [accuracy(sparse[s]) - accuracy(dense[s]) for s in seeds]
    losses = [float(sparse[s].trajectory["train_loss"][-1] - dense[s].trajectory["train_loss"][-1]) for s in seeds]
    mean, half = mean_interval(gaps)
    loss_mean, loss_half = mean_interval(losses)
    return {
        "seeds": seeds,
        "sparse_accuracy": mean_interval([accuracy(sparse[s]) for s in seeds])[0],
        "dense_accuracy": mean_interval([accuracy(dense[s]) for s in seeds])[0],
        "difference": mean,
        "half_interval": plain(half),
        "by_seed": gaps,
        "loss_difference": loss_mean,
        "loss_half_interval": plain(loss_half),
        "equivalent": math.isfinite(half) and abs(mean) + half <= MARGIN,
    }


def verdict(row):
    if row["half_interval"] is None:
        return "one seed says nothing"
    return "equivalent" if row["equivalent"] else "not shown"


def summarise(study):
    by_role = {}  # {density: {execution: runs}}
    for curve, runs in study.curves.items():
        by_role.setdefault(study.parts[curve].density, {})[study.parts[curve].role] = runs
    densities = {
        density: compare(found["sparse"], found["dense"])
        for density, found in by_role.items()
        if set(found.get("sparse", {})) & set(found.get("dense", {}))
    }
    if not densities:
        sys.exit("no pair of runs is finished yet")
    identity = study.any_run().identity
    return {
        "margin": MARGIN,
        "images": int(identity["validation_images"]) + int(identity["test_images"]),
        "densities": densities,
    }


def signed(value, half, digits):
    return f"{value:+.{digits}f}" if half is None else f"{value:+.{digits}f} ± {half:.{digits}f}"


def difference_text(row):
    return signed(100 * row["difference"], None if row["half_interval"] is None else 100 * row["half_interval"], 2)


def tables(summary):
    rows = [
        [
            density,
            str(len(row["seeds"])),
            percent(row["sparse_accuracy"], digits=2),
            percent(row["dense_accuracy"], digits=2),
            difference_text(row),
            signed(row["loss_difference"], row["loss_half_interval"], 4),
            verdict(row),
        ]
        for density, row in sorted(summary["densities"].items())
    ]
    return [
        Table(
            "differences",
            (
                f'Accuracy on {summary["images"]:,} images that were not trained on, sparse minus dense execution,'
                " paired by seed, mean ± 95 % t interval."
            ),
            [
                "density",
                "seeds",
                "sparse, %",
                "dense, %",
                "difference, points",
                "of training loss",
                f'within {100 * summary["margin"]:g} points',
            ],
            rows,
        )
    ]


def findings(summary):
    return [
        Finding(
            (
                f"At density {density} training under sparse and dense execution is"
                f" {'' if row['equivalent'] else 'not '}shown to be equivalent within"
                f" {100 * summary['margin']:g} points: sparse minus dense {difference_text(row)} points (n ="
                f" {len(row['seeds'])})."
            ),
            options=["execution"],
        )
        for density, row in sorted(summary["densities"].items())
    ]


def figures(_summary, _base):
    return []
