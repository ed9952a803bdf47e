"""Final test accuracy over total cost: growth, iterative and gradual pruning at equal E and equal final training."""

import figures as look
import phrases
from costs import density_epochs, flops, interpolated, of_seeds, relative_costs, test_accuracies
from intervals import holm_differences, interval, paired
from phrases import Finding
from study_runs import parts_of, with_role
from tables import Table, number, percent

COSTS = {"density_epochs": "density × epochs", "flops": "training FLOPs", "seconds": "seconds of training"}
COST_TICKS = (0.05, 0.1, 0.2, 0.5, 1, 2, 4, 8)
GROWTH = "growth"
SEARCH = "grow, then return"
EQUAL = {"density × epochs": density_epochs, "epochs": lambda run: int(run.cost["epochs"])}


def stage_epochs_of(part):
    """E of a curve, or None."""
    return int(part.values["E"]) if "E" in part.values else None


def dense_by_seed(study):
    """{seed: {epochs: test accuracy}} of all dense trainings."""
    found = {}
    for curve in with_role(study.parts, "dense"):
        for seed, run in study.curves.get(curve, {}).items():
            found.setdefault(seed, {})[int(run.cost["epochs"])] = float(run.final["test_accuracy"])
    return found


def minus_equally_long(runs, dense):
    """Test accuracy minus that of dense training for equally many epochs, paired by seed; None where none is known."""
    longer = {s: interpolated(int(run.cost["epochs"]), dense.get(s, {})) for s, run in runs.items()}
    longer = {s: value for s, value in longer.items() if value is not None}
    return paired(test_accuracies(runs), longer) if longer else None


def cell(curve, part, runs, dense, by_seed):
    itself = curve == "dense"
    return {
        "method": part.family,
        "asked_density": part.density or None,
        "stage_epochs": stage_epochs_of(part),
        "density": interval([float(run.final["density"]) for run in runs.values()])["mean"],
        "epochs": interval([float(run.cost["epochs"]) for run in runs.values()])["mean"],
        "accuracy": of_seeds(test_accuracies(runs)),
        "gap": None if itself else paired(test_accuracies(runs), test_accuracies(dense)),
        "minus_equally_long": None if part.role == "dense" else minus_equally_long(runs, by_seed),
        "costs": relative_costs(runs, dense),
    }


def comparisons(study):
    """Growth minus every other method at the same density and E; cost of the other over growth's."""
    rows = []
    of_growth = {
        (part.density, stage_epochs_of(part)): study.curves.get(curve)
        for curve, part in study.parts.items()
        if part.family == GROWTH
    }
    for curve, runs in study.curves.items():
        part = study.parts[curve]
        stage_epochs = stage_epochs_of(part)
        grown = of_growth.get((part.density, stage_epochs))
        if part.family == GROWTH or not part.density or grown is None:
            continue
        difference = paired(test_accuracies(grown), test_accuracies(runs))
        if difference is None:
            continue
        both = [seed for seed in sorted(runs) if seed in grown]
        ratio = lambda read: interval([read(runs[s]) / read(grown[s]) for s in both])
        rows.append(
            difference
            | {
                "method": part.family,
                "asked_density": part.density,
                "stage_epochs": stage_epochs,
                "epochs": [int(grown[both[0]].cost["epochs"]), int(runs[both[0]].cost["epochs"])],
                "density_epochs_ratio": ratio(density_epochs),
                "flops_ratio": ratio(flops),
            }
        )
    return rows


def searches(study):
    """The search minus every other method at equal cost and at equal epochs: the other's accuracy there is linear in
    the logarithm between its values of E (of dense training, its lengths), paired by seed; no row where none reaches.
    """
    families = {}
    for curve, runs in study.curves.items():
        part = study.parts[curve]
        if part.family == SEARCH:
            continue
        key = ("dense", None) if part.role == "dense" else (part.family, part.density)
        for seed, run in runs.items():
            families.setdefault(key, {}).setdefault(seed, []).append(run)
    rows = []
    for curve in with_role(study.parts, "search"):
        runs = study.curves.get(curve, {})
        for (method, density), others in families.items():
            for equal, read in EQUAL.items():
                there = {
                    seed: interpolated(
                        read(run), {read(other): float(other.final["test_accuracy"]) for other in others.get(seed, [])}
                    )
                    for seed, run in runs.items()
                }
                there = {seed: value for seed, value in there.items() if value is not None}
                difference = paired(test_accuracies(runs), there) if there else None
                if difference is not None:
                    rows.append(
                        difference
                        | {
                            "stage_epochs": stage_epochs_of(study.parts[curve]),
                            "method": method,
                            "asked_density": density,
                            "equal": equal,
                        }
                    )
    return rows


def summarise(study):
    dense = study.curves.get("dense", {})
    by_seed = dense_by_seed(study)
    cells = {curve: cell(curve, study.parts[curve], runs, dense, by_seed) for curve, runs in study.curves.items()}
    rows = comparisons(study)
    searched = searches(study)
    return {
        "cells": cells,
        "comparisons": rows,
        "tested": holm_differences(rows),
        "searches": searched,
        "searches_tested": holm_differences(searched),
    }


def cost_text(value):
    return "-" if value is None else number(value["mean"], value["half_interval"])


def tables(summary):
    ordered = sorted(
        summary["cells"].values(), key=lambda c: (c["asked_density"] or "9", c["method"], c["stage_epochs"] or 0)
    )
    cells = [
        [
            c["method"],
            c["asked_density"] or f'{c["density"]:.2f}',
            str(c["stage_epochs"] or "-"),
            number(c["epochs"], digits=0),
            str(c["accuracy"]["seeds"]),
            percent(c["accuracy"]["mean"], c["accuracy"]["half_interval"]),
            "-" if c["gap"] is None else phrases.points(c["gap"]),
            phrases.points(c["minus_equally_long"]) if c.get("minus_equally_long") else "-",
            *(cost_text(c["costs"][name]) for name in COSTS),
        ]
        for c in ordered
    ]
    rows = [
        [
            r["method"],
            r["asked_density"],
            str(r["stage_epochs"]),
            f'{r["epochs"][0]} / {r["epochs"][1]}',
            str(r["seeds"]),
            phrases.marked(r),
            cost_text(r["density_epochs_ratio"]),
            cost_text(r["flops_ratio"]),
        ]
        for r in summary["comparisons"]
    ]
    made = [
        Table(
            "cells",
            (
                "Test accuracy, % (mean ± 95 % t interval over seeds), its difference to the dense run of the same seed"
                " in points, also to dense training for as many epochs as the row had in all (linear in the"
                " logarithm of"
                " epochs between the dense rows), and total cost relative to the dense run. E: epochs per stage of"
                " growth or round of pruning; every method ends with one training by the recipe, growing and returning"
                " with half of it."
            ),
            [
                "method",
                "density",
                "E",
                "epochs",
                "seeds",
                "test",
                "minus dense",
                "minus dense, equally long",
                *COSTS.values(),
            ],
            cells,
            ["Seconds are rough: other runs used the machine at the same time."],
        )
    ]
    if rows:
        made.append(
            Table(
                "growth-minus",
                (
                    "Growth minus the other method at the same density, E and final training: test accuracy, points,"
                    " paired by seed, mean ± 95 % t interval; and the cost of the other over that of growth."
                ),
                [
                    "minus",
                    "density",
                    "E",
                    "epochs (growth / other)",
                    "seeds",
                    "difference",
                    "density × epochs",
                    "FLOPs",
                ],
                rows,
                [phrases.holm_note(summary["tested"])],
            )
        )
    if summary.get("searches"):
        made.append(searches_table(summary))
    return made


def searches_table(summary):
    cells = {}
    for r in summary["searches"]:
        row = cells.setdefault((r["stage_epochs"], r["method"], r["asked_density"]), {})
        row[r["equal"]] = f'{phrases.marked(r)} ({r["seeds"]})'
    return Table(
        "search-minus",
        (
            "Growing and returning, which looks for its density, minus the other method at its asked density: test"
            " accuracy, points, paired by seed, mean ± 95 % t interval (seeds), where the other costs as many density"
            " × epochs and where it trains for as many epochs. The other's accuracy there is linear in the logarithm"
            " between its values of E, of dense training between its lengths; -: it has none on both sides."
        ),
        ["E of the search", "minus", "density", *(f"at equal {equal}" for equal in EQUAL)],
        [
            [str(stage_epochs), method, density or "1.00", *(row.get(equal, "-") for equal in EQUAL)]
            for (stage_epochs, method, density), row in sorted(cells.items(), key=lambda item: item[0][0])
        ],
        [phrases.holm_note(summary["searches_tested"])],
    )


def findings(summary):
    sentences = []
    for method in dict.fromkeys(r["method"] for r in summary["comparisons"]):
        rows = [r for r in summary["comparisons"] if r["method"] == method]
        ratios = [r["flops_ratio"]["mean"] for r in rows]
        spanned = f"{min(ratios):.1f} to {max(ratios):.1f}" if len(ratios) > 1 else f"{ratios[0]:.1f}"
        sentences.append(
            Finding(
                (
                    f"Accuracy of growth compared with {method}, at equal density, epochs per stage and final training:"
                    f" {phrases.counted(rows, 'settings')} ({phrases.span(rows)}; n = {rows[0]['seeds']};"
                    f" {phrases.surviving(rows)}); {method} costs {spanned} times the training FLOPs of"
                    " growth."
                ),
                claims=["cost"],
            )
        )
    for name, text in (("growth", "Growth"), ("IMP, rate rewound", "IMP with the rate rewound")):
        costs = [
            c["costs"]["density_epochs"]["mean"]
            for c in summary["cells"].values()
            if c["method"] == name and c["costs"]["density_epochs"]
        ]
        if costs:
            sentences.append(
                Finding(
                    (
                        f"{text} costs {min(costs):.2f} to {max(costs):.2f} dense trainings (density × epochs) over"
                        " the grid of epochs per stage and densities."
                    ),
                    claims=["cost"],
                )
            )
    for equal in EQUAL:
        rows = [r for r in summary.get("searches", []) if r["equal"] == equal]
        if rows:
            sentences.append(
                Finding(
                    (
                        f"Accuracy of growing and returning compared with the other methods at equal {equal}:"
                        f" {phrases.counted(rows, 'settings')} ({phrases.span(rows)}; {phrases.surviving(rows)})."
                    ),
                    claims=["cost", "exploration"],
                )
            )
    return sentences


def figures(summary, base):
    dense = [summary["cells"][curve] for curve in with_role(parts_of(summary), "dense") if curve in summary["cells"]]
    cells = list(summary["cells"].values())
    by_density = {}
    for c in cells:
        if c["method"] == GROWTH and c["costs"]["flops"]:
            by_density.setdefault(c["asked_density"], []).append(c["stage_epochs"])
    grids = [d for d, epochs in by_density.items() if len(epochs) > 1]
    return [
        draw(cells, dense, density, grids, base if len(grids) == 1 else f"{base}-{density.replace('.', '-')}")
        for density in grids
    ]


def draw(cells, dense, density, grids, path):
    """One panel per cost; lines join the values of E, open markers are densities that have no grid."""
    figure, axes = look.new_figure(width=12.4, height=4.6, columns=3)
    methods = list(
        dict.fromkeys(c["method"] for c in cells if c not in dense and c["asked_density"] in (density, None))
    )
    for panel, (name, label) in zip(axes, COSTS.items()):
        for index, method in enumerate(methods):
            style = look.style(index)
            points = sorted(
                (c for c in cells if c["method"] == method and c["asked_density"] in (density, None)),
                key=lambda c: c["stage_epochs"],
            )
            point(panel, points, name, style | {"label": method_label(method, points)})
            others = [c for c in cells if c["method"] == method and c["asked_density"] not in (None, *grids)]
            for other in others:
                point(
                    panel,
                    [other],
                    name,
                    style
                    | {
                        "markerfacecolor": "white",
                        "linestyle": "none",
                        "label": f'{method}, density {other["asked_density"]}, E {other["stage_epochs"]}',
                    },
                )
        dense = sorted(dense, key=lambda c: c["epochs"])
        lengths = ", ".join(number(c["epochs"], digits=0) for c in dense)
        label_of_dense = f"dense, {lengths} epochs (n = {seed_counts(dense)})"
        point(
            panel,
            dense,
            name,
            {
                "color": "black",
                "marker": "*",
                "linestyle": ":",
                "markersize": 9,
                "linewidth": 1,
                "label": label_of_dense,
            },
        )
        panel.set_xscale("log")
        shown = [c["costs"][name]["mean"] for c in cells if c["costs"][name]]
        ticks = [tick for tick in COST_TICKS if min(shown) <= tick <= max(shown)]
        panel.set_xticks(ticks, labels=[f"{tick:g}" for tick in ticks])
        panel.minorticks_off()
        panel.set_xlabel(f"{label} / dense")
    axes[0].set_ylabel("test accuracy, %")
    epochs = sorted({c["stage_epochs"] for c in cells if c["asked_density"] == density})
    axes[0].set_title(f"density {density}; E = {', '.join(map(str, epochs))} along each line", fontsize=10)
    look.legend_below(figure, axes[0])
    return look.save(figure, path)


def method_label(method, points):
    found = [c["density"] for c in points if c["asked_density"] is None]
    density = f", density found {min(found):.2f} to {max(found):.2f}" if found else ""
    return f"{method}{density} (n = {seed_counts(points)})"


def seed_counts(cells):
    counts = [c["accuracy"]["seeds"] for c in cells]
    return str(min(counts)) if min(counts) == max(counts) else f"{min(counts)} to {max(counts)}"


def point(panel, cells, cost, style):
    cells = [c for c in cells if c["costs"][cost]]
    if cells:
        panel.errorbar(
            [c["costs"][cost]["mean"] for c in cells],
            [100 * c["accuracy"]["mean"] for c in cells],
            [100 * (c["accuracy"]["half_interval"] or 0) for c in cells],
            capsize=2,
            elinewidth=0.8,
            **style,
        )
