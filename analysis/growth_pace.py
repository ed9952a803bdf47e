"""Growth ratio r by epochs per stage E, from one seed density to one last density: limited against extensive
training."""

import numpy as np

import figures as look
import phrases
from costs import of_seeds, relative_costs, test_accuracies
from intervals import holm_differences, interval, paired
from phrases import Finding
from tables import Table, number, percent


def pace_of(part):
    """(growth ratio, epochs per stage)"""
    return round(part.values["growth-ratio"], 2), int(part.values["stage-epochs"])


def growth_stages(run):
    return [i for i, phase in enumerate(run.stages["phase"]) if phase == "stage"]


def spent(run, dense):
    """Density x epochs at the end of every stage of growth, relative to the dense run."""
    epochs = np.asarray(run.trajectory["density"], dtype=float)
    stage = np.asarray(run.trajectory["stage"])
    return [
        float(epochs[stage <= run.stages["stage"][i]].sum() / dense.cost["density_epochs"]) for i in growth_stages(run)
    ]


def pace(part, runs, dense):
    """Validation accuracy after every stage over its density and what had been spent; test accuracy at the end and the
    whole cost."""
    ratio, stage_epochs = pace_of(part)
    seeds = sorted(runs)
    stages = min(len(growth_stages(runs[s])) for s in seeds)
    at = lambda column, i: [float(runs[s].stages[column][growth_stages(runs[s])[i]]) for s in seeds]
    both = [s for s in seeds if s in dense]
    return {
        "ratio": ratio,
        "stage_epochs": stage_epochs,
        "epochs": int(runs[seeds[0]].cost["epochs"]),
        "density": [float(np.mean(at("density", i))) for i in range(stages)],
        "validation": [interval(at("validation_accuracy", i)) for i in range(stages)],
        "spent": np.mean([spent(runs[s], dense[s])[:stages] for s in both], axis=0).tolist() if both else None,
        "accuracy": of_seeds(test_accuracies(runs)),
        "costs": relative_costs(runs, dense),
    }


def last_validation(runs):
    return {seed: float(run.stages["validation_accuracy"][growth_stages(run)[-1]]) for seed, run in runs.items()}


def comparisons(paces):
    """Every pace minus the shortest training at its ratio, and minus the smallest ratio at its epochs per stage: test
    accuracy after the final training, and validation accuracy when growth ends."""
    rows = []
    for (ratio, epochs), runs in paces.items():
        shortest = min(e for r, e in paces if r == ratio)
        smallest = min(r for r, e in paces if e == epochs)
        for other, kind in (((ratio, shortest), "epochs"), ((smallest, epochs), "ratio")):
            difference = paired(test_accuracies(runs), test_accuracies(paces[other]))
            if other != (ratio, epochs) and difference:
                rows.append(
                    difference
                    | {
                        "kind": kind,
                        "pace": [ratio, epochs],
                        "minus": list(other),
                        "growth_end": paired(last_validation(runs), last_validation(paces[other])),
                    }
                )
    return rows


def summarise(study):
    dense = study.curves.get("dense", {})
    grown = [(study.parts[curve], runs) for curve, runs in study.curves.items() if study.parts[curve].role == "growth"]
    rows = comparisons({pace_of(part): runs for part, runs in grown})
    tested = holm_differences(rows)
    holm_differences([row["growth_end"] for row in rows])
    return {
        "paces": [pace(part, runs, dense) for part, runs in grown],
        "dense": of_seeds(test_accuracies(dense)),
        "comparisons": rows,
        "tested": tested,
    }


def name(pace_or_pair):
    ratio, epochs = pace_or_pair
    return f"r {ratio:g}, E {epochs}"


def cost_text(value):
    return "-" if value is None else number(value["mean"], value["half_interval"])


def tables(summary):
    paces = sorted(summary["paces"], key=lambda p: (p["ratio"], p["stage_epochs"]))
    rows = [
        [
            f'{p["ratio"]:g}',
            str(p["stage_epochs"]),
            str(len(p["density"])),
            str(p["epochs"]),
            str(p["accuracy"]["seeds"]),
            percent(p["validation"][-1]["mean"], p["validation"][-1]["half_interval"]),
            percent(p["accuracy"]["mean"], p["accuracy"]["half_interval"]),
            *(cost_text(p["costs"][cost]) for cost in ("density_epochs", "flops")),
        ]
        for p in paces
    ]
    notes = (
        [f'Dense, trained by the recipe: {percent(summary["dense"]["mean"], summary["dense"]["half_interval"])} %.']
        if summary["dense"]
        else []
    )
    made = [
        Table(
            "paces",
            (
                "Growth ratio r and epochs per stage E to one density: validation accuracy when growth ends and test"
                " accuracy after the final training, %, mean ± 95 % t interval over seeds; total cost relative to the"
                " dense run of the same seed."
            ),
            ["r", "E", "stages", "epochs", "seeds", "validation, growth", "test, end", "density × epochs", "FLOPs"],
            rows,
            notes,
        )
    ]
    kinds = (
        ("epochs", "training", "more epochs per stage minus the fewest, at the same r"),
        ("ratio", "ratio", "larger r minus the smallest, at the same E"),
    )
    for kind, file, words in kinds:
        rows = [
            [name(r["pace"]), name(r["minus"]), str(r["seeds"]), phrases.marked(r["growth_end"]), phrases.marked(r)]
            for r in summary["comparisons"]
            if r["kind"] == kind
        ]
        if rows:
            made.append(
                Table(
                    f"more-{file}",
                    f"Accuracy of {words}: points, paired by seed, mean ± 95 % t interval.",
                    ["pace", "minus", "seeds", "validation, growth", "test, end"],
                    rows,
                    (
                        ["A larger r has fewer stages, so fewer epochs in all: the costs are in the table above."]
                        if kind == "ratio"
                        else []
                    )
                    + [
                        f'Comparisons over both kinds, per column: {summary["tested"]}. '
                        + phrases.holm_note(summary["tested"])
                    ],
                )
            )
    return made


def findings(summary):
    sentences = []
    for kind, words in (
        ("epochs", "More epochs per stage than the fewest, at the same growth ratio"),
        ("ratio", "A larger growth ratio than the smallest, at the same epochs per stage"),
    ):
        rows = [r for r in summary["comparisons"] if r["kind"] == kind]
        for column, what in (
            (lambda r: r["growth_end"], "validation accuracy at the end of growth"),
            (lambda r: r, "test accuracy after the final training"),
        ):
            found = [column(r) for r in rows]
            if found:
                sentences.append(
                    Finding(
                        (
                            f"{words}: {what} is {phrases.counted(found, 'paces')} ({phrases.span(found)}; n ="
                            f" {found[0]['seeds']}; {phrases.surviving(found)})."
                        ),
                        options=["stage-epochs" if kind == "epochs" else "growth-ratio"],
                    )
                )
    return sentences


def figures(summary, base):
    if not summary["paces"]:
        return []
    figure, (left, middle, right) = look.new_figure(width=12.4, height=4.6, columns=3)
    ratios = sorted({p["ratio"] for p in summary["paces"]})
    epochs = sorted({p["stage_epochs"] for p in summary["paces"]})
    for p in sorted(summary["paces"], key=lambda p: (p["ratio"], p["stage_epochs"])):
        style = look.style(epochs.index(p["stage_epochs"])) | {
            "marker": look.MARKERS[ratios.index(p["ratio"])],
            "linestyle": look.DASHES[ratios.index(p["ratio"])],
        }
        style["label"] = f'{name((p["ratio"], p["stage_epochs"]))} (n = {p["accuracy"]["seeds"]})'
        validation = [100 * v["mean"] for v in p["validation"]]
        left.plot(p["density"], validation, **style)
        if p["spent"]:
            middle.plot(p["spent"], validation, **style)
        if p["costs"]["density_epochs"]:
            right.errorbar(
                [p["costs"]["density_epochs"]["mean"]],
                [100 * p["accuracy"]["mean"]],
                [100 * (p["accuracy"]["half_interval"] or 0)],
                capsize=2,
                elinewidth=0.8,
                **style,
            )
    densities = [d for p in summary["paces"] for d in p["density"]]
    look.density_axis(left, min(densities), max(densities))
    left.set_ylabel("validation accuracy after the stage, %")
    left.set_title("over density", fontsize=10)
    middle.set_xlabel("density × epochs so far / dense")
    middle.set_ylabel("validation accuracy after the stage, %")
    middle.set_title("over what growth has cost", fontsize=10)
    right.set_xlabel("density × epochs in all / dense")
    right.set_ylabel("test accuracy after the final training, %")
    right.set_title("the whole run", fontsize=10)
    look.legend_below(figure, left, columns=5)
    return [look.save(figure, base)]
