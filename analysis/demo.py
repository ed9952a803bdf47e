#!/usr/bin/env python3
"""What the demo found: the table of stages, one sentence, one figure of growth and the way back."""

import argparse
import math
import textwrap
from pathlib import Path

import figures
import texts
from study_runs import open_study


def percent(value):
    return f"{100 * value:.2f} %"


def print_table(run):
    print(
        f"{'stage':>5}  {'part':<7} {'density':>7}  {'validation':>10}  {'loss':>6}  {'above the best':<17}  decision"
    )
    stages, above = run.stages, run.above_best
    for i in range(len(stages["stage"])):
        part = {"stage": "growth"}.get(str(stages["phase"][i]), str(stages["phase"][i]))
        shown = "-"
        if math.isfinite(above["loss"][i]):
            shown = "the best" if above["loss"][i] == 0 else f"{above['loss'][i]:.4f} ± {above['loss_error'][i]:.4f}"
        print(
            f"{stages['stage'][i]:>5}  {part:<7} {stages['density'][i]:7.4f}"
            f"  {percent(stages['validation_accuracy'][i]):>10}  {stages['validation_loss'][i]:6.4f}  {shown:<17}"
            f"  {stages['decision'][i]}"
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
    """What the search says, in words."""
    search = run.search
    density = f"density {search['density']:.3f}"
    said = {
        "found": f"{density}, below which validation loss rises again",
        "needs_dense": "that this task needs the dense network: no density below 1 has less validation loss",
        "budget": f"{density}, set by the budget, not searched",
        "smallest": f"{density}, the best down to the smallest density allowed: validation loss had not turned",
    }[search["outcome"]]
    if search["low"] < search["high"]:  # NaN where there is none
        said += (
            f" (no significant difference on the validation images from {search['low']:.3f} to {search['high']:.3f})"
        )
    return said


def sentence(run, dense, longer):
    test = lambda of: percent(of.final["test_accuracy"])
    return (
        f"The search found {finding(run)}. Trained to the end there, it has {test(run)} on the test images after"
        f" {run.cost['epochs']} epochs in all (dense: {test(dense)} after {dense.cost['epochs']}, {test(longer)} after"
        f" {longer.cost['epochs']}). Search and training together cost"
        f" {run.cost['density_epochs'] / dense.cost['density_epochs']:.2f} of the dense training of"
        f" {dense.cost['epochs']} epochs in density × epochs, {flops(run) / flops(dense):.2f} in FLOPs and"
        f" {seconds(run) / seconds(dense):.2f} in measured seconds ({run_as(run)}; the dense training:"
        f" {run_as(dense)})."
    )


def draw(run, dense, longer, path):
    """Validation accuracy over density: growth, the way back, the network that was found, dense training."""
    figure, axes = figures.new_figure()
    stages = run.stages
    rows = [i for i, phase in enumerate(stages["phase"]) if phase in ("stage", "return")]
    accuracy = [100 * float(stages["validation_accuracy"][i]) for i in rows]
    density = [float(stages["density"][i]) for i in rows]
    back = [stages["phase"][i] == "return" for i in rows]
    labels = {True: "the way back", False: "growth"}
    for i in range(1, len(rows)):
        if back[i] or not back[i - 1]:
            axes.plot(
                density[i - 1 : i + 1],
                accuracy[i - 1 : i + 1],
                "o-" if back[i] else "o:",
                color=figures.COLOURS[0 if back[i] else 5],
                markersize=4.5,
                label=labels.pop(back[i], None),
            )
    search = run.search
    axes.axvline(search["density"], color=figures.COLOURS[3], linewidth=1.4, label=f"found: {search['density']:.3f}")
    if search["low"] < search["high"]:
        axes.axvspan(
            search["low"],
            search["high"],
            color=figures.COLOURS[3],
            alpha=0.15,
            linewidth=0,
            label="no significant difference (validation images)",
        )
    for reference, dashes in ((dense, "--"), (longer, "-.")):
        axes.axhline(
            100 * reference.final["validation_accuracy"],
            color=figures.COLOURS[2],
            linestyle=dashes,
            linewidth=1.4,
            label=f"dense, {int(reference.cost['epochs'])} epochs",
        )
    axes.plot(
        [run.final["density"]],
        [100 * run.final["validation_accuracy"]],
        "*",
        markersize=13,
        color=figures.COLOURS[1],
        markeredgecolor="black",
        linestyle="none",
        label=f"trained to the end, {int(run.cost['epochs'])} epochs in all",
    )
    figures.density_axis(axes, min(density))
    axes.set_ylabel("validation accuracy, %")
    axes.legend(loc="lower right", frameon=True, facecolor="white", edgecolor="none", framealpha=0.9)
    axes.set_title(
        f"{run.identity['network']} on {run.identity['data']} images, seed {run.identity['seed']}", fontsize=10
    )
    return figures.save(figure, path)


def main():
    texts.degrade()
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="folder of the demo's runs")
    folder = parser.parse_args().folder
    study = open_study(folder / "demo-smoke.json")
    if study.missing:
        raise SystemExit("not finished: " + "; ".join(study.missing))
    curves = study.curves
    for curve in ("grow, then return", "dense", "dense, equally long"):
        if curve not in curves:
            raise SystemExit(f"{folder / 'demo-smoke.json'}: names no run of '{curve}'; run make demo again")
    for seed, run in sorted(curves["grow, then return"].items()):
        dense, longer = curves["dense"][seed], curves["dense, equally long"][seed]
        print()
        print_table(run)
        print()
        print(textwrap.fill(sentence(run, dense, longer), 110))
        print()
        print("figure   ", draw(run, dense, longer, folder / f"demo-seed{seed}"))
        print("run file ", folder / run.identity["name"] / "run.h5")


if __name__ == "__main__":
    main()
