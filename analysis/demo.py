#!/usr/bin/env python3
"""What the demo found: the table of stages, one sentence, one figure."""

import argparse
import math
import textwrap
from pathlib import Path

import numpy as np

import figures
from intervals import logistic, logistic_band
from study_runs import open_study


def stage_rows(run):
    """Indexes of the rows of the stage table that are growth stages."""
    return [i for i, phase in enumerate(run.stages["phase"]) if phase == "stage"]


def percent(value):
    return f"{100 * value:.2f} %"


def print_table(run):
    print(f"{'stage':>5}  {'density':>8}  {'validation':>10}  {'fit says':<15} {'d*':>6}  {'interval':<15}  decision")
    stages, fit = run.stages, run.fits
    for i in range(len(stages["stage"])):
        if stages["phase"][i] == "stage":
            d_star, low, high = (fit[name][i] for name in ("d_star", "d_low", "d_high"))
            shown = f"{d_star:6.3f}" if math.isfinite(d_star) else f"{'-':>6}"
            interval = f"[{low:.3f}, {high:.3f}]" if math.isfinite(low) else "-"
            says = fit["outcome"][i].replace("_", " ")
        else:
            shown, interval, says = f"{'-':>6}", "-", stages["phase"][i]
        print(
            f"{stages['stage'][i]:>5}  {stages['density'][i]:8.4f}  {percent(stages['validation_accuracy'][i]):>10}"
            f"  {says:<15} {shown}  {interval:<15}  {stages['decision'][i]}"
        )


def flops(run):
    return run.cost["training_flops"] + run.cost["scoring_flops"] + run.cost["dense_gradient_flops"]


def seconds(run):
    """Training, evaluation and growth; not the harness's own measures, checkpoints and run files."""
    return run.cost["train_seconds"] + run.cost["evaluate_seconds"] + run.cost["grow_seconds"]


def run_as(run):
    """How a run was executed, in words."""
    execution = run.execution
    return f"sparse execution, {execution['kernels']}" if execution["used"] == "sparse" else "LibTorch"


def finding(run):
    """What the last fit says, in words."""
    fit, last = run.fits, stage_rows(run)[-1]
    outcome = fit["outcome"][last]
    if outcome == "found":
        text = f"d* = {fit['d_star'][last]:.3f}"
        if math.isfinite(fit["d_low"][last]):
            level = 100 * float(run.options["confidence"])
            text += (
                f" ({level:g} % interval [{fit['d_low'][last]:.3f}, {fit['d_high'][last]:.3f}], validation noise only)"
            )
        return text
    return {
        "needs_dense": "that this task needs the dense network: no density below 1 is within epsilon",
        "not_resolvable": "no answer: epsilon is finer than the validation images resolve",
        "undetermined": "no answer: the stages do not determine the curve",
        "too_few_stages": "no answer: too few stages for a fit",
    }[outcome]


def sentence(run, dense):
    return (
        f"GCG found {finding(run)}; it ended at density {run.final['density']:.3f} with"
        f" {percent(run.final['test_accuracy'])} on the test images after {run.cost['epochs']} epochs of growth and"
        f" final training (dense: {percent(dense.final['test_accuracy'])} after {dense.cost['epochs']}). Finding and"
        f" training it together cost {run.cost['density_epochs'] / dense.cost['density_epochs']:.2f} of that dense"
        f" training in density x epochs, {flops(run) / flops(dense):.2f} in FLOPs and"
        f" {seconds(run) / seconds(dense):.2f} in measured seconds ({run_as(run)}; the dense training:"
        f" {run_as(dense)})."
    )


def draw(run, dense, path):
    figure, axes = figures.new_figure()
    rows = stage_rows(run)
    density = run.stages["density"][rows]
    accuracy = run.stages["validation_accuracy"][rows]
    samples = run.identity["validation_images"]
    chance = 1 / run.identity["classes"]
    error = 1.96 * np.sqrt(accuracy * (1 - accuracy) / samples)
    axes.errorbar(
        density,
        100 * accuracy,
        100 * error,
        fmt="o",
        color=figures.COLOURS[0],
        capsize=2,
        markersize=5,
        linewidth=1,
        label="stages, 95 % binomial",
    )
    fit, last = run.fits, rows[-1]
    if fit["outcome"][last] != "too_few_stages" and run.options["extrapolator"] == "logistic":
        parameters = fit["parameters"][last][:3]
        if np.all(np.isfinite(parameters)):
            grid = np.geomspace(density[0], 1, 200)
            curve = logistic(grid, parameters, chance)
            band = logistic_band(grid, density, samples, parameters, chance)
            axes.plot(grid, 100 * curve, "-", color="black", linewidth=1.4, label="logistic fit")
            axes.fill_between(
                grid,
                100 * (curve - band),
                100 * (curve + band),
                color="#bbbbbb",
                alpha=0.5,
                linewidth=0,
                label="its 95 % band (validation noise)",
            )
    if fit["outcome"][last] == "found":
        axes.axvline(
            fit["d_star"][last], color=figures.COLOURS[5], linewidth=1.6, label=f"d* = {fit['d_star'][last]:.3f}"
        )
        if math.isfinite(fit["d_low"][last]):
            axes.axvspan(
                fit["d_low"][last],
                fit["d_high"][last],
                color=figures.COLOURS[5],
                alpha=0.15,
                linewidth=0,
                label="interval of d*",
            )
    axes.axhline(
        100 * dense.final["validation_accuracy"],
        color=figures.COLOURS[2],
        linestyle="--",
        linewidth=1.4,
        label=f"dense, {int(dense.cost['epochs'])} epochs",
    )
    axes.plot(
        [run.final["density"]],
        [100 * run.final["validation_accuracy"]],
        "*",
        markersize=13,
        color=figures.COLOURS[1],
        markeredgecolor="black",
        label="found network, after final training",
    )
    figures.density_axis(axes, density[0])
    axes.set_ylabel("validation accuracy, %")
    axes.legend(loc="lower right", frameon=True, facecolor="white", edgecolor="none", framealpha=0.9)
    axes.set_title(
        f"{run.identity['network']} on {run.identity['data']} images, seed {run.identity['seed']}", fontsize=10
    )
    return figures.save(figure, path)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="folder of the demo's runs")
    folder = parser.parse_args().folder
    study = open_study(folder / "demo-smoke.json")
    if study.missing:
        raise SystemExit("not finished: " + "; ".join(study.missing))
    curves = study.curves
    for seed, run in sorted(curves["gcg"].items()):
        dense = curves["dense"][seed]
        print()
        print_table(run)
        print()
        print(textwrap.fill(sentence(run, dense), 110))
        print()
        print("figure   ", draw(run, dense, folder / f"demo-seed{seed}"))
        print("run file ", folder / run.identity["name"] / "run.h5")


if __name__ == "__main__":
    main()
