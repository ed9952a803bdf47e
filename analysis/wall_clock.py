"""Measured seconds and memory of whole trainings over density, and of a whole growth run: summary, tables, figure and
findings.

Seconds are those of training, evaluation and growth; measures of masks, checkpoints and run files are this harness's
own and stand beside them. What is compared has the same seed and was measured one after the other.
"""

import sys

import numpy as np

import figures as look
from bench import break_even
from costs import flops, last_stage, mean_parts, of_dense, over_seeds, seconds
from phrases import Finding
from study_runs import parts_of, with_role
from tables import Table, number, percent, plain

DENSE = "LibTorch, dense"
GROWTH = "gcg"


def curve_summary(runs, dense):
    """One curve: over its seeds, and against the dense training of the same seed."""
    runs = {seed: run for seed, run in runs.items() if seed in dense}
    chosen = [runs[seed] for seed in sorted(runs)]
    return {
        "seeds": sorted(runs),
        "execution": chosen[0].execution["used"],
        "density": float(np.mean([run.final["density"] for run in chosen])),
        "seconds": over_seeds(seconds, runs),
        "of_dense": of_dense(seconds, runs, dense),
        "test_accuracy": over_seeds(lambda run: run.final["test_accuracy"], runs),
        "peak_memory_bytes": over_seeds(lambda run: float(run.cost["peak_memory_bytes"]), runs),
        "epochs": float(np.mean([run.cost["epochs"] for run in chosen])),
        "flops_of_dense": of_dense(flops, runs, dense),
        "parts": mean_parts(chosen),
    }


def growth_summary(runs, dense):
    """Where the seconds of each growth run go: by stage, training and the decision at its end."""
    rows = []
    for seed, run in sorted(runs.items()):
        if seed not in dense:
            continue
        stages = run.stages
        final = [i for i, phase in enumerate(stages["phase"]) if phase == "final"]
        last = last_stage(run)
        rows.append(
            {
                "seed": seed,
                "outcome": str(run.fits["outcome"][last]),
                "d_star": plain(run.fits["d_star"][last]),
                "stages": [
                    {
                        "density": float(stages["density"][i]),
                        "phase": str(stages["phase"][i]),
                        "epochs": int(stages["epochs"][i]),
                        "seconds": float(stages["seconds"][i]),
                    }
                    for i in range(len(stages["phase"]))
                ],
                "final_seconds": float(sum(stages["seconds"][i] for i in final)),
                "seconds": seconds(run),
                "dense_seconds": seconds(dense[seed]),
                "of_dense": seconds(run) / seconds(dense[seed]),
                "test_accuracy": float(run.final["test_accuracy"]),
                "dense_test_accuracy": float(dense[seed].final["test_accuracy"]),
                "peak_memory_bytes": int(run.cost["peak_memory_bytes"]),
                "parts": mean_parts([run]),
            }
        )
    return rows


def densities(curves, parts):
    """The sparse trainings by density."""
    rows = [curves[name] for name in with_role(parts, "sparse") if name in curves]
    return sorted(rows, key=lambda c: c["density"])


def summarise(study):
    sparse_curves = [name for name in with_role(study.parts, "sparse") if name in study.curves]
    if DENSE not in study.curves or not sparse_curves:
        sys.exit("the dense training and one sparse training have to be finished first")
    comparable(study.runs())
    dense = study.curves[DENSE]
    curves = {name: curve_summary(runs, dense) for name, runs in study.curves.items() if set(runs) & set(dense)}
    rows = [
        {"density": c["density"], "ratio": {"median": 1 / c["of_dense"]["mean"]}}
        for c in densities(curves, study.parts)
    ]
    sparse = next(iter(study.curves[sparse_curves[0]].values()))
    return {
        "epochs": int(sparse.options["epochs"]),
        "threads": int(sparse.host["threads"]),
        "kernels": sparse.execution["kernels"],
        "curves": curves,
        "break_even_density": break_even(rows),
        "growth": growth_summary(study.curves.get(GROWTH, {}), dense),
    }


def comparable(runs):
    """Seconds are compared: all of one machine and one number of threads."""
    facts = {(run.host["processor"], int(run.host["threads"])) for run in runs}
    if len(facts) > 1:
        sys.exit(f"seconds of different machines or numbers of threads are not comparable: {sorted(facts)}")


def measured(value, digits=1, scale=1.0):
    half = value["half_interval"]
    return number(scale * value["mean"], None if half is None else scale * half, digits)


ROLES = ("dense", "mask", "sparse", "growth")


def curve_order(summary):
    """Curves by role, and by density within one."""
    curves, parts = summary["curves"], parts_of(summary)
    return sorted(curves, key=lambda name: (ROLES.index(parts[name].role), curves[name]["density"]))


def tables(summary):
    curves = summary["curves"]
    rows = []
    for name in curve_order(summary):
        c = curves[name]
        rows.append(
            [
                name,
                f"{c['density']:.3f}",
                f"{c['epochs']:.0f}",
                measured(c["seconds"]),
                measured(c["of_dense"], 2),
                measured(c["flops_of_dense"], 2),
                measured(c["peak_memory_bytes"], 0, 1e-6),
                measured(c["test_accuracy"], 1, 100),
            ]
        )
    notes = ["Peak memory is the process's largest resident memory: libraries and images included."]
    if summary["break_even_density"] is not None:
        notes.append(f"Break-even with LibTorch at density {summary['break_even_density']:.2f}.")
    made = [
        Table(
            "trainings",
            (
                f"Seconds of training, evaluation and growth, {summary['epochs']} epochs by the recipe,"
                f" {summary['threads']} thread(s), one run at a time, kernels {summary['kernels']}; mean ± 95 % t"
                " interval over seeds, ratios paired by seed."
            ),
            [
                "training",
                "density",
                "epochs",
                "seconds",
                "of the dense seconds",
                "of its FLOPs",
                "peak memory, MB",
                "test accuracy, %",
            ],
            rows,
            notes,
        )
    ]
    if summary["growth"]:
        made.append(
            Table(
                "growth",
                (
                    "Gradual Capacity Growth from its seed to the end of its final training, against one dense training"
                    " by LibTorch (stages include their own evaluation and the harness's measures of masks), by seed."
                ),
                [
                    "seed",
                    "d*",
                    "stages",
                    "stages, s",
                    "final, s",
                    "growing, s",
                    "all, s",
                    "dense, s",
                    "of dense",
                    "test, %",
                    "dense test, %",
                ],
                [growth_row(g) for g in summary["growth"]],
            )
        )
    return made


def growth_row(g):
    grown = [s for s in g["stages"] if s["phase"] != "final"]
    d_star = g["outcome"].replace("_", " ") if g["d_star"] is None else f"{g['d_star']:.3f}"
    return [
        str(g["seed"]),
        d_star,
        str(len(grown)),
        f"{sum(s['seconds'] for s in grown):.1f}",
        f"{g['final_seconds']:.1f}",
        f"{g['parts']['grow_seconds']:.1f}",
        f"{g['seconds']:.1f}",
        f"{g['dense_seconds']:.1f}",
        f"{g['of_dense']:.2f}",
        percent(g["test_accuracy"]),
        percent(g["dense_test_accuracy"]),
    ]


def findings(summary):
    curves = summary["curves"]
    parts = parts_of(summary)
    sentences = []
    for name in curve_order(summary):
        ratio = curves[name]["of_dense"]
        if parts[name].role == "sparse":
            sentences.append(
                f"A whole training at density {curves[name]['density']:.3f} under sparse execution took"
                f" {measured(ratio, 2)} of the seconds of LibTorch's dense training (n = {ratio['seeds']}) and"
                f" {measured(curves[name]['flops_of_dense'], 2)} of its FLOPs."
            )
    if summary["break_even_density"] is None:
        ratios = [curves[name]["of_dense"]["mean"] for name in curve_order(summary) if parts[name].role == "sparse"]
        which = "fewer" if ratios and max(ratios) < 1 else "more" if ratios and min(ratios) > 1 else None
        sentences.append(
            f"Sparse execution took {which} seconds than LibTorch's dense training at every density that was measured."
            if which
            else "There is no break-even with LibTorch at the densities that were measured."
        )
    else:
        sentences.append(
            f"Break-even with LibTorch lies at density {summary['break_even_density']:.2f}, between densities that were"
            " measured."
        )
    if GROWTH in curves:
        growth = curves[GROWTH]
        sentences.append(
            Finding(
                (
                    f"Growth and its final training together took {measured(growth['of_dense'], 2)} of the seconds of"
                    f" one dense training by LibTorch and {measured(growth['flops_of_dense'], 2)} of its FLOPs (n ="
                    f" {growth['of_dense']['seeds']}), {faster(growth['of_dense'])}."
                ),
                claims=["cost"],
            )
        )
    return sentences


def faster(ratio):
    if ratio["half_interval"] is None:
        return "one seed, not tested"
    if abs(ratio["mean"] - 1) <= ratio["half_interval"]:
        return "no significant difference from one dense training in time"
    return "less than one dense training in time" if ratio["mean"] < 1 else "more than one dense training in time"


def figures(summary, base):
    figure, (left, right) = look.new_figure(width=10.4, height=4.3, columns=2)
    curves = summary["curves"]
    parts = parts_of(summary)
    sparse = densities(curves, parts)
    dense = curves[DENSE]["seconds"]["mean"]
    halves = [c["seconds"]["half_interval"] or 0 for c in sparse]
    left.errorbar(
        [c["density"] for c in sparse],
        [c["seconds"]["mean"] for c in sparse],
        halves,
        capsize=2,
        label="sparse execution",
        **look.style(0),
    )
    left.axhline(dense, label="LibTorch, dense", color="black", linewidth=1.2, linestyle=(0, (2, 2)))
    for name, curve in curves.items():
        if parts[name].role == "mask":
            left.plot(
                [curve["density"]],
                [curve["seconds"]["mean"]],
                "X",
                color=look.COLOURS[5],
                markersize=8,
                label="LibTorch, masks on dense weights",
            )
    if summary["break_even_density"] is not None:
        left.plot([summary["break_even_density"]], [dense], "k|", markersize=12)
        left.annotate(
            f"break-even {summary['break_even_density']:.2f}",
            (summary["break_even_density"], dense),
            textcoords="offset points",
            xytext=(-6, 8),
            ha="right",
            fontsize=8.5,
        )
    look.density_axis(left, min([c["density"] for c in sparse] + [0.1]))
    left.set_ylim(0, 1.35 * max([dense] + [c["seconds"]["mean"] for c in sparse]))
    left.set_ylabel("seconds of a whole training")
    left.legend(loc="upper left")

    # Stages in greys that lighten, the final training hatched: told apart without colour.
    rows = summary["growth"]
    names = []
    for row, g in enumerate(rows):
        at = 0.0
        grown = [s for s in g["stages"] if s["phase"] != "final"]
        for i, stage in enumerate(grown):
            shade = 0.35 + 0.5 * i / max(1, len(grown) - 1)
            right.barh(
                row,
                stage["seconds"],
                left=at,
                color=str(shade),
                edgecolor="white",
                label="stages of growth" if row + i == 0 else None,
            )
            at += stage["seconds"]
        right.barh(
            row,
            g["final_seconds"],
            left=at,
            color=look.COLOURS[4],
            edgecolor="black",
            hatch="//",
            linewidth=0.5,
            label="final training" if row == 0 else None,
        )
        right.plot(
            [g["dense_seconds"]] * 2,
            [row - 0.45, row + 0.45],
            color=look.COLOURS[5],
            linewidth=3,
            label="LibTorch, dense training" if row == 0 else None,
        )
        names.append(f"seed {g['seed']}" + ("" if g["d_star"] is None else f"\nd* = {g['d_star']:.2f}"))
    right.set_yticks(range(len(rows)), names)
    right.set_ylim(-0.6, len(rows) + 0.6)
    right.set_xlabel("seconds of a whole growth run")
    right.grid(axis="y", visible=False)
    if rows:
        right.legend(loc="upper left", ncol=1)
    return [look.save(figure, base)]
