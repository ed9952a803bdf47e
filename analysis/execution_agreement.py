#!/usr/bin/env python3
"""Do sparse and dense execution train equally well? Paired differences of accuracy by seed, with an equivalence test.

Accuracy is over validation and test images together: nothing was chosen by either. The margin was stated before any run was
looked at. Equivalent: the 95 % t interval of the mean difference lies within the margin (two one-sided tests at 2.5 %).
"""

import argparse
import json
import math
from pathlib import Path

from bench import plain_table
from intervals import mean_interval
from study_runs import load_study

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
        "half_interval": half if math.isfinite(half) else None,
        "by_seed": gaps,
        "loss_difference": loss_mean,
        "loss_half_interval": loss_half if math.isfinite(loss_half) else None,
        "equivalent": math.isfinite(half) and abs(mean) + half <= MARGIN,
    }


def verdict(row):
    if row["half_interval"] is None:
        return "one seed says nothing"
    return "equivalent" if row["equivalent"] else "not shown"


def table(densities):
    rows = [["density", "seeds", "sparse, %", "dense, %", "difference, points", "of training loss", f"within {100 * MARGIN:g} points"]]
    for density, row in sorted(densities.items()):
        half = "" if row["half_interval"] is None else f" ± {100 * row['half_interval']:.2f}"
        loss_half = "" if row["loss_half_interval"] is None else f" ± {row['loss_half_interval']:.4f}"
        rows.append([density, str(len(row["seeds"])), f"{100 * row['sparse_accuracy']:.2f}", f"{100 * row['dense_accuracy']:.2f}",
                     f"{100 * row['difference']:+.2f}{half}", f"{row['loss_difference']:+.4f}{loss_half}", verdict(row)])
    return rows


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="folder of the study's runs")
    parser.add_argument("--scale", default="smoke", choices=["smoke", "small", "full"])
    arguments = parser.parse_args()
    runs, missing = load_study(arguments.folder, "execution_agreement", arguments.scale)
    densities = {}
    for name in runs:
        density, execution = name.split()
        if execution == "sparse" and f"{density} dense" in runs and set(runs[name]) & set(runs[f"{density} dense"]):
            densities[density] = compare(runs[name], runs[f"{density} dense"])
    if not densities:
        raise SystemExit("no pair of runs is finished yet")
    any_run = next(iter(next(iter(runs.values())).values()))
    images = int(any_run.identity["validation_images"]) + int(any_run.identity["test_images"])
    summary = {"experiment": "execution_agreement", "scale": arguments.scale, "margin": MARGIN, "network": any_run.identity["network"],
               "data": any_run.identity["data"], "data_digest": any_run.identity["data_digest"], "images": images,
               "missing": missing, "densities": densities}
    path = arguments.folder / f"execution_agreement-{arguments.scale}.summary.json"
    path.write_text(json.dumps(summary, indent=1) + "\n")
    print(f"{any_run.identity['network']}, {any_run.identity['data']}, accuracy on {images} images, sparse minus dense, mean ± 95 % t interval\n")
    print("\n".join(plain_table(table(densities))))
    if missing:
        print(f"\nnot finished ({len(missing)}): " + "; ".join(missing[:5]))
    print("\nsummary ", path)


if __name__ == "__main__":
    main()
