"""Grow, then return: does a search that is paid with a share of one dense training end near dense, and what does it
find?

Aims, stated before any of its runs: grown and returned minus dense (of the recipe's epochs) not below -1 point
(non-inferiority), density × epochs at most .35 of that training, the density found within a factor of 1.6 over seeds,
cheaper than iterative pruning by the same rule at equal accuracy. Accuracy is over validation and test images together,
as many as there are; the way back chose its density by the validation images, so the test images alone stand beside it.

Other rules that end a way back are replayed on the recorded ones: what `gcg_replay FOLDER/grow_return-SCALE.json`
writes there. Without it that table is left out.
"""

import math

import numpy as np

import figures as look
import phrases
from costs import density_epochs, interpolated, of_seeds, relative_costs, test_accuracies
from execution_agreement import accuracy
from intervals import holm_differences, mean_interval, paired
from phrases import Finding
from study_runs import parts_of, read_replay, with_role
from tables import Table, number, percent

RETURN = "grow, then return"
IMP = "IMP until the loss turns"
STATIC = "static mask, then return"
BUDGET = "growth, budget 0.35"
RIGL = "RigL, equal cost"
TRUNK = "static mask"  # where that begins: no row of its own
MARGIN = 0.01  # of accuracy
COST = 0.35  # of a dense training
FACTOR = 1.6  # largest density found over the smallest
OUTCOMES = {
    "found": "found",
    "needs_dense": "needs dense",
    "budget": "set by the budget",
    "smallest": "smallest allowed",
}
NEAR_COST = 1 / 3  # octaves: procedures that cost about the same
COSTS = {"density_epochs": "density × epochs", "flops": "FLOPs", "seconds": "seconds"}


def accuracies(runs):
    return {seed: accuracy(run) for seed, run in runs.items()}


def reference(parts):
    """Name of the dense curve that costs and differences refer to: the first one."""
    return next(iter(with_role(parts, "dense")), None)


def legs(run):
    """The stages of a search, in order: what the figure shows."""
    stages = run.stages
    rows = [i for i, phase in enumerate(stages["phase"]) if phase in ("stage", "return")]
    column = lambda name: [float(stages[name][i]) for i in rows]
    return {
        "returning": [str(stages["phase"][i]) == "return" for i in rows],
        "density": column("density"),
        "loss": column("validation_loss"),
        "accuracy": column("validation_accuracy"),
        "outcome": run.search["outcome"],
        "found": float(run.search["density"]),
        "low": plain(run.search["low"]),
        "high": plain(run.search["high"]),
    }


def plain(value):
    return float(value) if math.isfinite(value) else None


def dense_accuracies(study):
    """{seed: {epochs: accuracy}} of all dense trainings."""
    found = {}
    for name in with_role(study.parts, "dense"):
        for seed, run in study.curves.get(name, {}).items():
            found.setdefault(seed, {})[int(run.cost["epochs"])] = accuracy(run)
    return found


def row(runs, dense, dense_by_seed, is_dense):
    """One procedure over its seeds."""
    epochs = {seed: int(run.cost["epochs"]) for seed, run in runs.items()}
    longer = {s: interpolated(epochs[s], dense_by_seed.get(s, {})) for s in runs}
    longer = {s: value for s, value in longer.items() if value is not None}
    densities = {seed: float(run.final["density"]) for seed, run in runs.items()}
    searched = {seed: run for seed, run in runs.items() if run.search["outcome"] != "none"}
    itself = runs is dense
    return {
        "seeds": sorted(runs),
        "accuracy": of_seeds(accuracies(runs)),
        "test": of_seeds(test_accuracies(runs)),
        "minus_dense": None if itself else paired(accuracies(runs), accuracies(dense)),
        "test_minus_dense": None if itself else paired(test_accuracies(runs), test_accuracies(dense)),
        "minus_equally_long": paired(accuracies(runs), longer) if longer and not is_dense else None,
        "density": {str(s): d for s, d in densities.items()},
        "density_mean": math.exp(float(np.mean([math.log(d) for d in densities.values()]))),
        "epochs": {str(s): e for s, e in epochs.items()},
        "costs": relative_costs(runs, dense),
        "outcomes": {str(s): run.search["outcome"] for s, run in searched.items()},
    }


def comparisons(curves):
    """Pairs of the aims: grown and returned minus the others."""
    grown = curves.get(RETURN, {})
    rows = {}
    for name, runs in curves.items():
        if name in (RETURN, TRUNK) or not grown:
            continue
        difference = paired(accuracies(grown), accuracies(runs))
        if difference is None:
            continue
        both = [seed for seed in sorted(runs) if seed in grown]
        cost = {s: math.log2(density_epochs(runs[s]) / density_epochs(grown[s])) for s in both}
        rows[name] = {
            "accuracy": difference,
            "octaves": paired(cost, {s: 0.0 for s in both}),
            "test": paired(test_accuracies(grown), test_accuracies(runs)),
        }
    return rows


def turns(replayed, study, dense):
    """{curve: {rule: what it makes of the recorded ways back}}, over the seeds of finished runs."""
    found = {}
    for run in replayed:
        seed = run["seed"]
        if "turns" not in run or seed not in study.curves.get(run["curve"], {}) or seed not in dense:
            continue
        for turn in run["turns"]:
            rule = found.setdefault(run["curve"], {}).setdefault(
                turn["rule"], {"ended": 0, "density": {}, "cost": {}, "loss": {}, "accuracy": {}}
            )
            key = str(seed)
            rule["ended"] += turn["end"] is not None
            rule["density"][key] = turn["density"]
            rule["cost"][key] = turn["cost"] / density_epochs(dense[seed])
            rule["loss"][key] = turn["loss_over_live"]["mean"]
            rule["accuracy"][key] = turn["accuracy_over_live"]["mean"]
    return found


def turns_table(by_curve):
    rows = [
        [
            curve,
            rule,
            f'{r["ended"]} of {len(r["density"])}',
            f'{math.exp(float(np.mean([math.log(d) for d in r["density"].values()]))):.3f}',
            span(r["density"].values()),
            number(*mean_interval(list(r["cost"].values()))),
            number(*mean_interval(list(r["loss"].values()))),
            number(*(100 * value for value in mean_interval(list(r["accuracy"].values()))), digits=1),
        ]
        for curve, rules in by_curve.items()
        for rule, r in rules.items()
    ]
    return Table(
        "turns",
        (
            "Other rules on the recorded ways back, nothing trained: how many of them they would have ended (the others"
            " would have gone on beyond the record; what they take is then that of the record's end); density of the"
            " stage they take, geometric mean and range over seeds; cost with its final training, over the dense"
            " training; validation loss (nats) and accuracy (points) at the end of that stage, minus those of the stage"
            " that was taken. Mean ± 95 % t interval over seeds."
        ),
        ["procedure", "rule", "ended", "density", "range", "cost", "loss", "accuracy"],
        rows,
        [
            (
                'The first rule is the one the runs used. "Significantly": by more than the noise of the validation'
                ' images (paired, one-sided, 5 %); "sparsest as good": the last stage that is not significantly behind'
                " the best one."
            )
        ],
    )


def summarise(study):
    curves = study.curves
    dense = curves.get(reference(study.parts), {})
    by_seed = dense_accuracies(study)
    is_dense = set(with_role(study.parts, "dense"))
    compared = comparisons(curves)
    any_run = study.any_run()
    return {
        "images": int(any_run.identity["validation_images"]) + int(any_run.identity["test_images"]),
        "reference": reference(study.parts),
        "reference_epochs": sorted({int(run.cost["epochs"]) for run in dense.values()}),
        "rows": {name: row(runs, dense, by_seed, name in is_dense) for name, runs in curves.items() if name != TRUNK},
        "comparisons": compared,
        "tested": holm_differences([c["accuracy"] for c in compared.values()]),
        "legs": {
            name: {str(seed): legs(run) for seed, run in runs.items() if run.search["outcome"] != "none"}
            for name, runs in curves.items()
            if any(run.search["outcome"] != "none" for run in runs.values())
        },
        "turns": turns((read_replay(study) or {"runs": []})["runs"], study, dense),
    }


def span(values):
    low, high = min(values), max(values)
    return f"{low:.3f}" if low == high else f"{low:.3f} to {high:.3f}"


def dense_text(summary):
    """What accuracies and costs are held against; without epochs where none of it is finished."""
    epochs = ", ".join(map(str, summary["reference_epochs"]))
    return f"dense training of {epochs} epochs" if epochs else "dense training"


def epochs_text(row):
    epochs = list(row["epochs"].values())
    return f"{min(epochs)}" if min(epochs) == max(epochs) else f"{min(epochs)} to {max(epochs)}"


def cost_text(value):
    return "-" if value is None else number(value["mean"], value["half_interval"])


def tables(summary):
    rows = []
    for name, r in summary["rows"].items():
        rows.append(
            [
                name,
                str(len(r["seeds"])),
                percent(r["accuracy"]["mean"], r["accuracy"]["half_interval"]),
                "-" if r["minus_dense"] is None else phrases.points(r["minus_dense"]),
                "-" if r["test_minus_dense"] is None else phrases.points(r["test_minus_dense"]),
                "-" if r["minus_equally_long"] is None else phrases.points(r["minus_equally_long"]),
                f'{r["density_mean"]:.3f}',
                span(r["density"].values()),
                *(cost_text(r["costs"][c]) for c in COSTS),
                epochs_text(r),
            ]
        )
    dense = dense_text(summary)
    made = [
        Table(
            "procedures",
            (
                f'Accuracy on {summary["images"]:,} images that were not trained on (validation and test), %; minus the'
                f" {dense} of the same seed, points, on these images and on the test images"
                " only; minus dense training for as many epochs as the row had in all, linear in the logarithm of"
                " epochs between the dense rows; density, geometric mean and range over seeds; cost of everything,"
                f" including the search, over the {dense}. Mean ± 95 % t interval over seeds."
            ),
            [
                "procedure",
                "seeds",
                "accuracy",
                "minus dense",
                "on test",
                "minus dense, equally long",
                "density",
                "range",
                *COSTS.values(),
                "epochs",
            ],
            rows,
            [
                (
                    "The way back chooses its density by the validation images. After it the final training is half"
                    " of the recipe; of growth under a budget it is the whole one. Seconds are rough: other work used"
                    " the machine at the same time."
                    + (
                        " They are left out (-) where the dense training had another type of processor."
                        if any(r["costs"]["seconds"] is None for r in summary["rows"].values())
                        else ""
                    )
                )
            ],
        )
    ]
    if summary["comparisons"]:
        made.append(
            Table(
                "return-minus",
                (
                    f"{RETURN.capitalize()} minus the other procedure: accuracy, points, paired by seed, on validation"
                    " and test images and on test images alone; cost (density × epochs) of the other over its own,"
                    " octaves. Mean ± 95 % t interval."
                ),
                ["minus", "seeds", "difference", "on test", "cost, octaves"],
                [
                    [
                        name,
                        str(c["accuracy"]["seeds"]),
                        phrases.marked(c["accuracy"]),
                        phrases.points(c["test"]),
                        number(c["octaves"]["mean"], c["octaves"]["half_interval"]),
                    ]
                    for name, c in summary["comparisons"].items()
                ],
                [phrases.holm_note(summary["tested"])],
            )
        )
    found = [
        [
            name,
            seed,
            OUTCOMES[leg["outcome"]],
            f'{leg["found"]:.3f}',
            "-" if leg["low"] is None else f'{leg["low"]:.3f} to {leg["high"]:.3f}',
            f'{max(leg["density"]):.3f}',
        ]
        for name, by_seed in summary["legs"].items()
        for seed, leg in sorted(by_seed.items(), key=lambda item: int(item[0]))
    ]
    if found:
        made.append(
            Table(
                "found",
                (
                    "What every search ended with. Interval: all stages of the way back without a significant"
                    " difference from the least loss (paired over the validation images, one-sided, 5 %). It covers"
                    " their noise only; other seeds of the whole search differ as the rows do."
                ),
                ["procedure", "seed", "outcome", "density", "interval", "peak"],
                found,
            )
        )
    if summary.get("turns"):
        made.append(turns_table(summary["turns"]))
    return made


def short_table(summary):
    """The procedures in the columns that a reader needs first."""
    whole = tables(summary)[0]
    shown = [
        "procedure",
        "accuracy",
        "minus dense",
        "on test",
        "minus dense, equally long",
        "density",
        *COSTS.values(),
        "epochs",
    ]
    columns = [whole.header.index(name) for name in shown]
    return Table(
        "study",
        (
            f'{phrases.first_upper(summary["scale"])} scale, {phrases.networks(summary["networks"])},'
            f' {len(summary["seeds"])} seeds: accuracy in % on {summary["images"]:,} images that were not trained on'
            " (test images, and the validation images that chose the density); minus dense: difference to dense"
            " training of"
            " the same seed in points, on test images alone too; equally long: the same to dense training for equally"
            " many"
            " epochs, interpolated between the dense rows; density: geometric mean over seeds; cost of everything, the"
            " search included: 1 is one dense training (seconds on a busy machine). Mean ± 95 % t interval over seeds."
        ),
        shown,
        [[row[column] for column in columns] for row in whole.rows],
    )


def not_below(difference, margin=MARGIN):
    """Non-inferiority by the two-sided 95 % interval."""
    if difference["half_interval"] is None:
        return "one seed cannot decide"
    low, high = difference["mean"] - difference["half_interval"], difference["mean"] + difference["half_interval"]
    if low >= -margin:
        return f"not below it by more than {100 * margin:g} point"
    if high < -margin:
        return f"below it by more than {100 * margin:g} point"
    return f"these seeds cannot tell whether it is more than {100 * margin:g} point below"


def findings(summary):
    rows, compared = summary["rows"], summary["comparisons"]
    sentences = []
    if RETURN in rows and rows[RETURN]["minus_dense"]:
        r = rows[RETURN]
        difference = r["minus_dense"]
        sentences.append(
            Finding(
                (
                    f"{RETURN.capitalize()} minus {dense_text(summary)}: {phrases.points(difference)} points"
                    f" (n = {difference['seeds']}): {not_below(difference)}."
                ),
                claims=["accuracy"],
            )
        )
        cost = r["costs"]["density_epochs"]
        densities = list(r["density"].values())
        factor = max(densities) / min(densities)
        sentences.append(
            Finding(
                (
                    f"It costs {cost_text(cost)} of that training in density × epochs, including the search"
                    f' (aim: at most {COST}, {"met" if cost["mean"] <= COST else "missed"}), and finds densities of'
                    f" {span(densities)}: a factor of {factor:.2f} over seeds (aim: at most {FACTOR},"
                    f' {"met" if factor <= FACTOR else "missed"}).'
                ),
                claims=["cost"],
            )
        )
        if r["minus_equally_long"]:
            sentences.append(
                Finding(
                    (
                        "Against dense training for equally many epochs:"
                        f' {phrases.points(r["minus_equally_long"])} points (n = {r["minus_equally_long"]["seeds"]}).'
                    ),
                    claims=["accuracy"],
                )
            )
    for name in said_against(compared):
        c = compared[name]
        sentences.append(
            Finding(
                phrases.first_upper(phrases.against(RETURN, name, c["accuracy"]))
                + f' {phrases.first_upper(name)} costs {2 ** c["octaves"]["mean"]:.2f} times as much'
                f' ({number(c["octaves"]["mean"], c["octaves"]["half_interval"])} octaves; density × epochs) and has'
                f" {epochs_text(rows[name])} epochs against {epochs_text(rows[RETURN])}.",
                claims=["cost"],
            )
        )
    return sentences


def said_against(compared):
    """The procedures that a finding compares with: pruning by the same rule, the static start, and all that cost
    about the same, whatever the result."""
    near = [name for name, c in compared.items() if abs(c["octaves"]["mean"]) < NEAR_COST]
    return [name for name in dict.fromkeys([IMP, STATIC, *near]) if name in compared]


def figures(summary, base):
    shown = [name for name in (RETURN, STATIC, IMP) if name in summary["legs"]]
    if not shown:
        return []
    figure, panels = look.new_figure(width=12.4, height=4.8, columns=2)
    styles = {name: look.style(index) for index, name in enumerate(dict.fromkeys([*shown, *summary["rows"]]))}
    draw_legs(panels[0], summary["legs"], shown, styles)
    draw_costs(panels[1], summary, styles)
    return [look.save(figure, base)]


def draw_legs(panel, by_name, shown, styles):
    """Validation loss over density: dashed up to the peak, solid on the way back, the stage that was chosen marked."""
    lowest = 1.0
    for name in shown:
        style = styles[name]
        for number_of, leg in enumerate(by_name[name].values()):
            density, loss, returning = leg["density"], leg["loss"], leg["returning"]
            lowest = min(lowest, min(density))
            for i in range(1, len(density)):
                solid = returning[i]
                if solid or not returning[i - 1]:  # growth goes on from the peak, not from the end of a way back
                    panel.plot(
                        density[i - 1 : i + 1],
                        loss[i - 1 : i + 1],
                        "-" if solid else ":",
                        color=style["color"],
                        linewidth=1.2 if solid else 0.9,
                        alpha=0.75,
                    )
            best = min(range(len(density)), key=lambda i: (abs(density[i] - leg["found"]), -i))
            panel.plot(
                [density[best]],
                [loss[best]],
                style["marker"],
                color=style["color"],
                markeredgecolor="black",
                markersize=6,
                linestyle="none",
                label=f"{name} (n = {len(by_name[name])})" if number_of == 0 else None,
            )
    look.density_axis(panel, lowest)
    panel.set_ylabel("validation loss at the end of a stage, nats")
    panel.set_title("dotted: growth; solid: the way back; marked: the stage that was taken", fontsize=9)
    panel.legend(loc="upper center")


def draw_costs(panel, summary, styles):
    """Accuracy over the whole cost; a name that says its epochs is a label as it is."""
    parts = parts_of(summary)
    for name, r in summary["rows"].items():
        cost = r["costs"]["density_epochs"]
        if cost is None:
            continue
        style = styles[name] | {"linestyle": "none", "markersize": 7}
        if list(styles).index(name) >= len(look.COLOURS):
            style["markerfacecolor"] = "white"
        epochs = list(r["epochs"].values())
        panel.errorbar(
            [cost["mean"]],
            [100 * r["accuracy"]["mean"]],
            [100 * (r["accuracy"]["half_interval"] or 0)],
            [cost["half_interval"] or 0],
            capsize=2,
            elinewidth=0.8,
            label=name if "epochs" in parts[name].values else f"{name} ({round(float(np.mean(epochs)))} epochs)",
            **style,
        )
    panel.set_xlabel("density × epochs of everything, over the dense training")
    panel.set_ylabel(f'accuracy on {summary["images"]:,} images, %')
    panel.legend(loc="lower right", fontsize=7.5)
