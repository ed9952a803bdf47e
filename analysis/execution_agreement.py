"""Do sparse and dense execution train equally well, and does storage in bf16? Paired differences of accuracy by seed,
with an equivalence test.

Accuracy is over validation and test images together: nothing was chosen by either. The margin was stated before any run
was looked at. Equivalent: the 95 % t interval of the mean difference lies within the margin (two one-sided tests at 2.5
%).
"""

import math
import sys

import numpy as np
from matplotlib.ticker import MaxNLocator

import figures as look
from intervals import mean_interval
from phrases import Finding
from tables import Table, percent, plain

MARGIN = 0.015  # of accuracy
# What is compared, in words: a role of the runs and the one it is held against.
PAIRS = {
    ("sparse", "dense"): ("training under sparse and dense execution", "sparse minus dense"),
    ("bf16", "sparse"): ("sparse training in bf16 and fp32", "bf16 minus fp32"),
    ("tiles", "sparse"): ("training by tiles in bf16 and sparse training in fp32", "tiles minus fp32"),
}


def accuracy(run):
    """Over the images that were not trained on."""
    validation, test = int(run.identity["validation_images"]), int(run.identity["test_images"])
    hits = run.final["validation_accuracy"] * validation + run.final["test_accuracy"] * test
    return float(hits) / (validation + test)


def compare(runs, others):
    """One way of training minus another, paired by seed."""
    seeds = sorted(set(runs) & set(others))
    gaps = [accuracy(runs[s]) - accuracy(others[s]) for s in seeds]
    losses = [float(runs[s].trajectory["train_loss"][-1] - others[s].trajectory["train_loss"][-1]) for s in seeds]
    mean, half = mean_interval(gaps)
    loss_mean, loss_half = mean_interval(losses)
    return {
        "seeds": seeds,
        "accuracy": mean_interval([accuracy(runs[s]) for s in seeds])[0],
        "other_accuracy": mean_interval([accuracy(others[s]) for s in seeds])[0],
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
    by_role = {}  # {density: {role: runs}}
    for curve, runs in study.curves.items():
        by_role.setdefault(study.parts[curve].density, {})[study.parts[curve].role] = runs
    pairs = {}  # {"ROLE-OTHER": {density: comparison}}
    for role, other in PAIRS:
        for density, found in by_role.items():
            if set(found.get(role, {})) & set(found.get(other, {})):
                pairs.setdefault(f"{role}-{other}", {})[density] = compare(found[role], found[other])
    if not pairs:
        sys.exit("no pair of runs is finished yet")
    identity = study.any_run().identity
    return {
        "margin": MARGIN,
        "images": int(identity["validation_images"]) + int(identity["test_images"]),
        "pairs": pairs,
        "curves": {density: curves(found) for density, found in by_role.items()},
    }


def curves(found):
    """{role: means per epoch over the seeds that all roles have}."""
    seeds = sorted(set.intersection(*(set(runs) for runs in found.values())))
    return {
        role: {
            column: np.mean([runs[s].trajectory[column] for s in seeds], axis=0).tolist()
            for column in ("train_loss", "validation_accuracy")
        }
        for role, runs in found.items()
        if seeds
    }


def signed(value, half, digits):
    return f"{value:+.{digits}f}" if half is None else f"{value:+.{digits}f} ± {half:.{digits}f}"


def difference_text(row):
    return signed(100 * row["difference"], None if row["half_interval"] is None else 100 * row["half_interval"], 2)


def rows_of(summary):
    return [
        (words, density, row)
        for (role, other), words in PAIRS.items()
        for density, row in sorted(summary["pairs"].get(f"{role}-{other}", {}).items())
    ]


def tables(summary):
    rows = [
        [
            words,
            density,
            str(len(row["seeds"])),
            percent(row["accuracy"], digits=2),
            percent(row["other_accuracy"], digits=2),
            difference_text(row),
            signed(row["loss_difference"], row["loss_half_interval"], 4),
            verdict(row),
        ]
        for (_, words), density, row in rows_of(summary)
    ]
    return [
        Table(
            "differences",
            (
                f'Accuracy on {summary["images"]:,} images that were not trained on, differences paired by seed,'
                " mean ± 95 % t interval."
            ),
            [
                "compared",
                "density",
                "seeds",
                "the first, %",
                "the second, %",
                "difference, points",
                "of training loss",
                f'within {100 * summary["margin"]:g} points',
            ],
            rows,
        )
    ]


def verdicts(summary):
    """One clause a pair: at which densities it is shown to be equivalent."""
    clauses = []
    for (role, other), (both, _) in PAIRS.items():
        found = sorted(summary["pairs"].get(f"{role}-{other}", {}).items())
        if not found:
            clauses.append(f"{both}: not measured")
            continue
        at = {}  # {verdict: densities}
        for density, row in found:
            at.setdefault(verdict(row), []).append(f"{float(density):g}")
        said = ", ".join(f"{word} at density {' and '.join(densities)}" for word, densities in at.items())
        clauses.append(f"{both}: {said}")
    return clauses


def findings(summary):
    return [
        Finding(
            f"At density {density} {both} ended {difference_text(row)} points apart in one training each ({minus})."
            if row["half_interval"] is None
            else (
                f"At density {density} {both} is {'' if row['equivalent'] else 'not '}shown to be equivalent within"
                f" {100 * summary['margin']:g} points: {minus} {difference_text(row)} points (n ="
                f" {len(row['seeds'])})."
            ),
            options=["execution", "precision"],
        )
        for (both, minus), density, row in rows_of(summary)
    ]


# How the curves of a role are drawn and named.
ROLES = {
    "dense": "fp32, dense execution",
    "sparse": "fp32, sparse execution",
    "bf16": "bf16, by present weights",
    "tiles": "bf16, by tiles",
}


def figures(summary, base):
    """Loss and accuracy over the epochs, a row a density."""
    kept = [(density, found) for density, found in sorted(summary["curves"].items()) if found]
    if not kept:
        return []
    figure, axes = look.new_figure(width=9.6, height=0.4 + 3.6 * len(kept), columns=2, rows=len(kept))
    for (density, found), (left, right) in zip(kept, np.reshape(axes, (-1, 2))):
        for index, (role, name) in enumerate(ROLES.items()):
            if role in found:
                epochs = range(1, 1 + len(found[role]["train_loss"]))
                shape = look.style(index) | {"markersize": 3.5, "label": name}
                left.plot(epochs, found[role]["train_loss"], **shape)
                right.plot(epochs, [100 * a for a in found[role]["validation_accuracy"]], **shape)
        left.set_ylabel("training loss, nats")
        right.set_ylabel("validation accuracy, %")
        for panel in (left, right):
            panel.set_xlabel("epoch")
            panel.xaxis.set_major_locator(MaxNLocator(integer=True))
            panel.set_title(f"density {float(density):g}", fontsize=10)
    look.legend_below(figure, left)
    return [look.save(figure, base)]
