"""Accuracy of every method at fixed densities, its difference to dense and its cost relative to dense training of the
same seed."""

import phrases
from costs import TRAINING, flops, of_dense, seconds
from intervals import holm_differences, mean_interval, paired
from phrases import Finding
from study_runs import cells_of, parts_of
from tables import Table, percent, plain

SMALL_DENSE = "small dense"


def test_accuracies(runs):
    return {seed: float(run.final["test_accuracy"]) for seed, run in runs.items()}


def cell(runs, dense):
    """Test accuracy over seeds, paired difference to dense, cost relative to the dense run of the seed."""
    seeds = sorted(runs)
    accuracy = test_accuracies(runs)
    mean, half = mean_interval([accuracy[s] for s in seeds])
    result = {
        "seeds": seeds,
        "test_accuracy": mean,
        "half_interval": plain(half),
        "by_seed": [accuracy[s] for s in seeds],
        "density": float(runs[seeds[0]].final["density"]),
        "epochs": int(runs[seeds[0]].cost["epochs"]),
        "warnings": sum(len(runs[s].warnings) for s in seeds),
    }
    gap = paired(accuracy, test_accuracies(dense))
    if gap:
        ratio = lambda read: of_dense(read, runs, dense)["mean"]
        result |= {
            "gap": gap,
            "training_flops": ratio(flops),
            "seconds": ratio(lambda run: seconds(run, TRAINING)),
            "inference_flops": ratio(lambda run: run.final["inference_flops"]),
            "peak_memory": ratio(lambda run: float(run.cost["peak_memory_bytes"])),
        }
    return result


def summarise(study):
    dense = study.curves.get("dense", {})
    cells = {name: cell(runs, dense) for name, runs in study.curves.items()}
    rows = [part for curve, part in study.parts.items() if curve in cells and part.density]
    comparisons = holm_differences([c["gap"] for name, c in cells.items() if name != "dense" and "gap" in c])
    return {
        "methods": list(dict.fromkeys(part.family for part in rows)),
        "densities": sorted({part.density for part in rows}, reverse=True),
        "comparisons": comparisons,
        "cells": cells,
    }


def by_method(summary, name, caption, text, notes=()):
    """A row per method, a column per density; text(cell) of a cell, "-" where there is none."""
    curves = cells_of(parts_of(summary))
    rows = []
    for method in summary["methods"]:
        found = [summary["cells"].get(curves.get((method, density))) for density in summary["densities"]]
        rows.append([method, *("-" if c is None else text(c) for c in found)])
    return Table(name, caption, ["method", *summary["densities"]], rows, list(notes))


def cost_text(found):
    if "seconds" not in found:
        return "-"
    return (
        f"{found['training_flops']:.3f} / {found['seconds']:.2f} / {found['inference_flops']:.3f} / "
        f"{found['peak_memory']:.2f}; {found['epochs']}"
    )


def tables(summary):
    dense = summary["cells"].get("dense")
    seeds = sorted({len(c["seeds"]) for c in summary["cells"].values()})
    notes = [f"Seeds per cell: {' or '.join(map(str, seeds))}."]
    if SMALL_DENSE in summary["methods"]:
        notes.append(
            "Small dense: the widest dense network with at most as many connections. Widths are whole numbers, so it"
            " can have far fewer: see its FLOPs."
        )
    if dense:
        notes.insert(
            0,
            (
                f"Dense: {percent(dense['test_accuracy'], dense['half_interval'])} (n = {len(dense['seeds'])},"
                f" {dense['epochs']} epochs)."
            ),
        )
    return [
        by_method(
            summary,
            "accuracy",
            f"Test accuracy, %, mean ± 95 % t interval over seeds, by density (equal epochs; {summary['data']}).",
            lambda c: percent(c["test_accuracy"], c["half_interval"]),
            notes,
        ),
        by_method(
            summary,
            "differences",
            (
                "Test accuracy minus that of the dense training of the same seed, points, mean ± 95 % t interval, by"
                " density."
            ),
            lambda c: phrases.marked(c["gap"]) if "gap" in c else "-",
            [phrases.holm_note(summary["comparisons"])],
        ),
        by_method(
            summary,
            "cost",
            (
                "Cost relative to the dense training of the same seed: training FLOPs (scores and dense gradients"
                " counted) / seconds of training and mask changes / inference FLOPs / peak memory; epochs."
            ),
            cost_text,
        ),
    ]


def findings(summary):
    parts = parts_of(summary)
    curves = cells_of(parts)
    sentences = []
    for density in summary["densities"]:
        cells = {m: summary["cells"].get(curves.get((m, density))) for m in summary["methods"]}
        cells = {m: c for m, c in cells.items() if c is not None}
        control = [m for m in cells if parts[curves[m, density]].role == "control"]
        ranked = sorted((m for m in cells if m not in control), key=lambda m: -cells[m]["test_accuracy"])
        if not ranked:
            continue
        best = ranked[0]
        text = (
            f"At density {density} the highest mean test accuracy of {len(ranked)} methods is that of"
            f" {best} ({percent(cells[best]['test_accuracy'], cells[best]['half_interval'])} %; n ="
            f" {len(cells[best]['seeds'])}; a maximum over methods is biased upwards)"
        )
        grown = [m for m in ranked if m == "growth, path"]
        if grown:
            text += (
                f"; path growth has rank {ranked.index(grown[0]) + 1} with "
                f"{percent(cells[grown[0]]['test_accuracy'], cells[grown[0]]['half_interval'])} %"
            )
        claims = ["limit"] if density == summary["densities"][-1] and len(summary["densities"]) > 1 else []
        sentences.append(Finding(text + ".", claims=claims))
        if grown and "gap" in cells[grown[0]]:
            sentences.append(
                Finding(
                    f"At density {density}: "
                    + phrases.against("path growth", "dense training", cells[grown[0]]["gap"]),
                    claims=["accuracy"],
                )
            )
    tested = [
        c["gap"] for name, c in summary["cells"].items() if name != "dense" and "gap" in c and c["gap"]["p"] is not None
    ]
    if tested:
        lost = sum(g["p_holm"] < phrases.LEVEL and g["mean"] < 0 for g in tested)
        won = sum(g["p_holm"] < phrases.LEVEL and g["mean"] > 0 for g in tested)
        sentences.append(
            f"Of {len(tested)} comparisons with dense training, {lost} are significantly below it after Holm's"
            f" correction and {won} above it."
        )
    return sentences


def figures(_summary, _base):
    return []
