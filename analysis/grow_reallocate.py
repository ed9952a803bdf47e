"""The hybrid, growth followed by reallocation, against growth alone and the best baselines at low densities."""

import re

import figures as look
import phrases
from costs import test_accuracies
from intervals import holm_differences, paired
from methods_table import cell
from phrases import Finding
from study_runs import cells_of, parts_of
from tables import Table, number, percent

HYBRID = "grow, then reallocate"
# How errors of a mask without a way through the network begin: the method does not apply at this density.
UNCONNECTED = re.compile(r"no input-output path|no connection left|score \w+ is zero|without (a|any) (new )?connection")


def failed_cell(failures):
    """What is shown for a cell without any finished run."""
    texts = list(failures.values())
    return {
        "kind": "not applicable" if all(UNCONNECTED.search(text) for text in texts) else "failed",
        "seeds": sorted(failures),
        "reason": texts[0],
    }


def summarise(study):
    dense = study.curves.get("dense", {})
    curves = cells_of(study.parts)
    rows = [part for part in study.parts.values() if part.density]
    cells = {curve: cell(runs, dense) for curve, runs in study.curves.items()}
    differences = []
    for part in rows:
        hybrid, other = (study.curves.get(curves.get((method, part.density))) for method in (HYBRID, part.family))
        if part.family != HYBRID and hybrid and other:
            found = paired(test_accuracies(hybrid), test_accuracies(other))
            if found:
                differences.append(found | {"method": part.family, "density": part.density})
    return {
        "methods": list(dict.fromkeys(part.family for part in rows)),
        "densities": sorted({part.density for part in rows}, reverse=True),
        "cells": cells,
        "failed": {curve: failed_cell(found) for curve, found in study.failures.items() if curve not in cells},
        "partly_failed": {curve: sorted(found) for curve, found in study.failures.items() if curve in cells},
        "differences": differences,
        "tested": holm_differences(differences),
    }


def by_method(summary, text):
    """A row per method with text(method, density) in every column; what failed says so."""
    curves = cells_of(parts_of(summary))
    rows = []
    for method in summary["methods"]:
        row = [method]
        for density in summary["densities"]:
            failed = summary["failed"].get(curves.get((method, density)))
            row.append(failed["kind"] if failed else text(method, density))
        rows.append(row)
    return rows


def failure_notes(summary):
    notes = [
        f'{curve}: {found["kind"]} (seeds {", ".join(map(str, found["seeds"]))}): {found["reason"]}'
        for curve, found in summary["failed"].items()
    ]
    return notes + [
        f'{curve}: seeds {", ".join(map(str, seeds))} failed, the cell has the others.'
        for curve, seeds in summary["partly_failed"].items()
    ]


def tables(summary):
    cells = summary["cells"]
    curves = cells_of(parts_of(summary))
    of = lambda method, density: cells.get(curves.get((method, density)))

    def accuracy(method, density):
        found = of(method, density)
        return (
            "-"
            if found is None
            else percent(found["test_accuracy"], found["half_interval"]) + ("†" if found["warnings"] else "")
        )

    def cost(method, density):
        found = of(method, density)
        return (
            "-"
            if found is None or "seconds" not in found
            else f'{number(found["training_flops"], digits=3)}; {found["epochs"]}'
        )

    def difference(method, density):
        found = [d for d in summary["differences"] if (d["method"], d["density"]) == (method, density)]
        return phrases.marked(found[0]) if found else "-"

    seeds = sorted({len(c["seeds"]) for c in cells.values()})
    notes = [f'Seeds per cell: {" or ".join(map(str, seeds))}.']
    if any(c["warnings"] for c in cells.values()):
        notes.append("†: with warnings, of disconnected units or emptied layers.")
    if "dense" in cells:
        notes.insert(
            0,
            (
                f'Dense: {percent(cells["dense"]["test_accuracy"], cells["dense"]["half_interval"])} (n ='
                f' {len(cells["dense"]["seeds"])}, {cells["dense"]["epochs"]} epochs).'
            ),
        )
    header = ["method", *summary["densities"]]
    rows = [row for row in by_method(summary, difference) if row[0] != HYBRID]
    return [
        Table(
            "accuracy",
            f'Test accuracy, %, mean ± 95 % t interval over seeds, by density (equal epochs; {summary["data"]}).'
            " Hybrid: grow, then reallocate; at constant density it never grows past the target.",
            header,
            by_method(summary, accuracy),
            notes + failure_notes(summary),
        ),
        Table(
            "differences",
            (
                "Grow, then reallocate minus the other method at the same density: test accuracy, points, paired by"
                " seed, mean ± 95 % t interval."
            ),
            ["minus", *summary["densities"]],
            rows,
            [phrases.holm_note(summary["tested"])],
        ),
        Table(
            "cost",
            (
                "Training FLOPs relative to the dense training of the same seed (scores and dense gradients counted);"
                " epochs."
            ),
            header,
            by_method(summary, cost),
        ),
    ]


def findings(summary):
    sentences = []
    for density in summary["densities"]:
        rows = [d for d in summary["differences"] if d["density"] == density]
        limit = ["limit"] if float(density) <= 0.05 else []
        if rows:
            sentences.append(
                Finding(
                    (
                        f"At density {density}, accuracy of grow-then-reallocate compared with the other methods:"
                        f" {phrases.counted(rows, 'methods')} ({phrases.span(rows)}; n = {rows[0]['seeds']};"
                        f" {phrases.surviving(rows)})."
                    ),
                    claims=limit,
                )
            )
        alone = [d for d in rows if d["method"] == "growth, path"]
        if alone:
            sentences.append(
                Finding(
                    f"At density {density}: " + phrases.against("grow-then-reallocate", "growth alone", alone[0]),
                    claims=limit,
                )
            )
    sentences += [f'{curve} is {found["kind"]}: {found["reason"]}.' for curve, found in summary["failed"].items()]
    return sentences


def style_of(methods, method):
    """The hybrid in black and thick; every other method in a colour, with open markers from the second time on."""
    if method == HYBRID:
        return look.style(0) | {"color": "black", "linewidth": 2.6, "zorder": 5}
    colours = [colour for colour in look.COLOURS if colour != "#000000"]
    index = [m for m in methods if m != HYBRID].index(method)
    return (
        look.style(index)
        | {"color": colours[index % len(colours)]}
        | ({"markerfacecolor": "white"} if index >= len(colours) else {})
    )


def figures(summary, base):
    curves = cells_of(parts_of(summary))
    figure, axes = look.new_figure(width=7.8, height=5.4)
    densities = sorted(float(d) for d in summary["densities"])
    for index, method in enumerate(summary["methods"]):
        points = [
            (float(d), summary["cells"][curves[method, d]])
            for d in summary["densities"]
            if curves.get((method, d)) in summary["cells"]
        ]
        if not points:
            continue
        style = style_of(summary["methods"], method)
        # Beside each other, so that the intervals can be told apart.
        shift = 1.012 ** (index - len(summary["methods"]) / 2)
        axes.errorbar(
            [d * shift for d, _ in points],
            [100 * c["test_accuracy"] for _, c in points],
            [100 * (c["half_interval"] or 0) for _, c in points],
            capsize=2,
            elinewidth=0.7,
            label=f'{method} (n = {len(points[0][1]["seeds"])})',
            **style,
        )
    dense = summary["cells"].get("dense")
    if dense:
        axes.axhline(
            100 * dense["test_accuracy"],
            color="black",
            linewidth=1,
            linestyle=":",
            label=f'dense (n = {len(dense["seeds"])})',
        )
    look.density_axis(axes, min(densities), max(densities))
    axes.set_ylabel("test accuracy, %")
    look.legend_below(figure, axes, columns=3)
    return [look.save(figure, base)]
