"""A small table behind every claim: the numbers that its verdicts stand on, from several experiments."""

import phrases
from grow_return import IMP, RETURN, STATIC, cost_text, epochs_text
from study_runs import cells_of, parts_of, with_role
from tables import Table, number, percent


def tables(summaries):
    """{claim: Table}; a claim without any of its summaries has none. `summaries`: {experiment: summary}."""
    made = {
        "accuracy": accuracy(summaries),
        "cost": cost(summaries),
        "exploration": exploration(summaries),
        "diversity": diversity(summaries),
        "limit": limit(summaries),
    }
    return {claim: table for claim, table in made.items() if table.rows}


def accuracy(summaries):
    rows = []
    for cell in summaries.get("cost_accuracy", {}).get("cells", {}).values():
        if cell["method"] in ("growth", "dense, other length") and cell["gap"] and (cell["stage_epochs"] or 2) == 2:
            name = cell["method"] if cell["asked_density"] is None else f"growth to {cell['asked_density']}"
            rows.append(
                [
                    name,
                    f"{cell['density']:.2f}",
                    phrases.points(cell["gap"]),
                    str(cell["gap"]["seeds"]),
                    number(cell["epochs"], digits=0),
                    cost_text(cell["costs"]["flops"]),
                ]
            )
    for name, row in summaries.get("grow_return", {}).get("rows", {}).items():
        if row["minus_dense"] and name != IMP:
            rows.append(
                [
                    name,
                    f"{row['density_mean']:.2f}",
                    phrases.points(row["minus_dense"]),
                    str(row["minus_dense"]["seeds"]),
                    epochs_text(row),
                    cost_text(row["costs"]["flops"]),
                ]
            )
    return Table(
        "claim-accuracy",
        (
            "Accuracy minus that of the dense training of the recipe with the same seed, points, and training FLOPs of"
            " everything over those of that training; mean ± 95 % t interval. First rows: test images; rows of the"
            " searches: validation and test images."
        ),
        ["procedure", "density", "minus dense", "n", "epochs", "FLOPs"],
        rows,
    )


def cost(summaries):
    rows = [
        [
            f"growth minus {r['method']}",
            f"{r['asked_density']}, E {r['stage_epochs']}",
            phrases.marked(r),
            str(r["seeds"]),
            number(r["density_epochs_ratio"]["mean"]),
        ]
        for r in summaries.get("cost_accuracy", {}).get("comparisons", [])
        if r["stage_epochs"] == 2
    ]
    for name in (IMP, STATIC):
        c = summaries.get("grow_return", {}).get("comparisons", {}).get(name)
        if c:
            rows.append(
                [
                    f"{RETURN} minus {name}",
                    "found",
                    phrases.marked(c["accuracy"]),
                    str(c["accuracy"]["seeds"]),
                    number(2 ** c["octaves"]["mean"]),
                ]
            )
    return Table(
        "claim-cost",
        (
            "Difference in accuracy, points, paired by seed, mean ± 95 % t interval, and cost (density × epochs) of the"
            " other over that of growth. *: significant after Holm's correction within the experiment."
        ),
        ["", "density", "difference", "n", "cost ratio"],
        rows,
    )


def exploration(summaries):
    rows = []
    summary = summaries.get("discovery_cost")
    for name, p in (summary or {}).get("procedures", {}).items():
        gap = p["gap"] | {"mean": -p["gap"]["mean"]}
        rows.append(
            [
                name,
                f"{p['density']:.2f} ({min(p['densities']):.2f} to {max(p['densities']):.2f})",
                phrases.points(gap),
                str(len(p["seeds"])),
                number(p["cost"]["density_epochs"]["mean"], p["cost"]["density_epochs"]["half_interval"]),
                *(
                    phrases.points(difference) if difference else "-"
                    for difference in (p.get("minus_equally_dear"), p.get("minus_equally_long"))
                ),
            ]
        )
    row = summaries.get("grow_return", {}).get("rows", {}).get(RETURN)
    if row and row["test_minus_dense"]:
        found = row["density"].values()
        rows.append(
            [
                f"{RETURN}, on fresh seeds",
                f"{row['density_mean']:.2f} ({min(found):.2f} to {max(found):.2f})",
                phrases.points(row["test_minus_dense"]),
                str(len(row["seeds"])),
                cost_text(row["costs"]["density_epochs"]),
                "-",
                "-",
            ]
        )
    return Table(
        "claim-exploration",
        (
            "What searches for a density end with: density, geometric mean (range) over seeds; test accuracy minus"
            " dense of the same seed, points; cost of search and training (density × epochs), one dense training = 1;"
            " test accuracy minus that of dense training that costs as much, and of dense training for equally many"
            " epochs"
            " (linear in the logarithm between the lengths that were trained; -: not measured on both sides). Mean"
            " ± 95 % t interval."
        ),
        ["search", "density", "minus dense", "n", "cost", "equal cost", "equal epochs"],
        rows,
    )


def diversity(summaries):
    rows, densities = [], []
    curves = summaries.get("bottleneck", {}).get("curves", {})
    for name, curve in curves.items():
        pairs = curve["between_seeds"]
        if not pairs:
            continue
        near = lambda wanted: min(range(len(pairs)), key=lambda i: abs(curve["density"][i] - wanted))
        stages = list(dict.fromkeys(near(d) for d in (0.1, 0.2, 0.4)))
        densities = densities or [f"{curve['density'][i]:.2f}" for i in stages]
        rows.append([name, *(f"{100 * pairs[i]['jaccard']:.0f} ({100 * pairs[i]['chance']:.0f})" for i in stages)])
    return Table(
        "claim-diversity",
        (
            "Jaccard index of the masks of two seeds at the same stage, %, mean over pairs; in brackets: independent"
            " random masks with the same layer counts."
        ),
        ["growth rule", *densities],
        rows,
    )


def limit(summaries):
    summary = summaries.get("grow_reallocate")
    if summary is None:
        return Table("claim-limit", "", [""], [])
    curves = cells_of(parts_of(summary))
    dense = [c for c in with_role(parts_of(summary), "dense") if c in summary["cells"]]
    shown = ["grow, then reallocate", "growth, path", "SynFlow", "GraNet", "RigL", "IMP, rate rewound", "random, ERK"]
    rows = []
    for method in shown:
        cells = [summary["cells"].get(curves.get((method, d))) for d in summary["densities"]]
        if any(cells):
            texts = ["-" if c is None else percent(c["test_accuracy"], c["half_interval"]) for c in cells]
            rows.append([method, *texts])
    notes = [
        f"Dense: {percent(summary['cells'][c]['test_accuracy'], summary['cells'][c]['half_interval'])}." for c in dense
    ]
    return Table(
        "claim-limit",
        "Test accuracy, %, by density, equal epochs; mean ± 95 % t interval over seeds.",
        ["method", *summary["densities"]],
        rows,
        notes,
    )
