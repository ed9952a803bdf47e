#!/usr/bin/env python3
"""Measured seconds and memory of whole trainings over density, and of a whole growth run: summary, tables and figure.

Seconds are those of training, evaluation and growth; measures of masks, checkpoints and run files are this harness's own
and stand beside them. What is compared has the same seed and was measured one after the other.
"""

import argparse
import json
import math
from pathlib import Path

import numpy as np

import figures
from bench import break_even, markdown_table
from intervals import mean_interval
from study_runs import load_study

DENSE = "LibTorch, dense"
GROWTH = "gcg"
PARTS = ("train_seconds", "evaluate_seconds", "grow_seconds")
HARNESS = ("statistics_seconds", "record_seconds")


def seconds(run):
    return float(sum(run.cost[part] for part in PARTS))


def plain(value):
    """JSON has no NaN."""
    return float(value) if math.isfinite(value) else None


def interval(values):
    mean, half = mean_interval(values)
    return {"mean": mean, "half_interval": plain(half), "seeds": len(values)}


def curve_summary(runs, dense):
    """One curve: over its seeds, and against the dense training of the same seed."""
    seeds = sorted(seed for seed in runs if seed in dense)
    chosen = [runs[seed] for seed in seeds]
    return {
        "seeds": seeds,
        "execution": chosen[0].execution["used"],
        "density": float(np.mean([run.final["density"] for run in chosen])),
        "seconds": interval([seconds(run) for run in chosen]),
        "of_dense": interval([seconds(runs[s]) / seconds(dense[s]) for s in seeds]),
        "test_accuracy": interval([run.final["test_accuracy"] for run in chosen]),
        "peak_memory_bytes": interval([float(run.cost["peak_memory_bytes"]) for run in chosen]),
        "epochs": float(np.mean([run.cost["epochs"] for run in chosen])),
        "flops_of_dense": interval([flops(runs[s]) / flops(dense[s]) for s in seeds]),
        "parts": {part: float(np.mean([run.cost[part] for run in chosen])) for part in PARTS + HARNESS},
    }


def flops(run):
    return run.cost["training_flops"] + run.cost["scoring_flops"] + run.cost["dense_gradient_flops"]


def growth_summary(runs, dense):
    """Where the seconds of each growth run go: by stage, training and the decision at its end."""
    rows = []
    for seed, run in sorted(runs.items()):
        if seed not in dense:
            continue
        stages = run.stages
        final = [i for i, phase in enumerate(stages["phase"]) if phase == "final"]
        last = [i for i, phase in enumerate(stages["phase"]) if phase != "final"][-1]
        rows.append({
            "seed": seed,
            "outcome": run.fits["outcome"][last],
            "d_star": plain(run.fits["d_star"][last]),
            "stages": [{"density": float(stages["density"][i]), "phase": str(stages["phase"][i]), "epochs": int(stages["epochs"][i]),
                        "seconds": float(stages["seconds"][i])} for i in range(len(stages["phase"]))],
            "final_seconds": float(sum(stages["seconds"][i] for i in final)),
            "seconds": seconds(run),
            "dense_seconds": seconds(dense[seed]),
            "of_dense": seconds(run) / seconds(dense[seed]),
            "test_accuracy": float(run.final["test_accuracy"]),
            "dense_test_accuracy": float(dense[seed].final["test_accuracy"]),
            "peak_memory_bytes": int(run.cost["peak_memory_bytes"]),
            "parts": {part: float(run.cost[part]) for part in PARTS + HARNESS},
        })
    return rows


def densities(curves):
    """The sparse trainings by density."""
    rows = [c for name, c in curves.items() if name.startswith("sparse")]
    return sorted(rows, key=lambda c: c["density"])


def number(value, digits=1, scale=1.0):
    half = value["half_interval"]
    text = f"{scale * value['mean']:.{digits}f}"
    return text if half is None else f"{text} ± {scale * half:.{digits}f}"


def curve_rows(curves):
    rows = [["training", "density", "epochs", "seconds", "of the dense seconds", "of its FLOPs", "peak memory, MB", "test accuracy, %"]]
    order = [DENSE, *(n for n in curves if n.startswith("LibTorch, mask")),
             *sorted((n for n in curves if n.startswith("sparse")), key=lambda n: curves[n]["density"]), GROWTH]
    for name in order:
        if name in curves:
            c = curves[name]
            rows.append([name, f"{c['density']:.3f}", f"{c['epochs']:.0f}", number(c["seconds"]), number(c["of_dense"], 2),
                         number(c["flops_of_dense"], 2), number(c["peak_memory_bytes"], 0, 1e-6),
                         number(c["test_accuracy"], 1, 100)])
    return rows


def growth_rows(growth):
    rows = [["seed", "d*", "stages", "stages, s", "final, s", "growing, s", "all, s", "dense, s", "of dense", "test, %", "dense test, %"]]
    for g in growth:
        grown = [s for s in g["stages"] if s["phase"] != "final"]
        d_star = g["outcome"].replace("_", " ") if g["d_star"] is None else f"{g['d_star']:.3f}"
        rows.append([str(g["seed"]), d_star, str(len(grown)), f"{sum(s['seconds'] for s in grown):.1f}", f"{g['final_seconds']:.1f}",
                     f"{g['parts']['grow_seconds']:.1f}", f"{g['seconds']:.1f}", f"{g['dense_seconds']:.1f}", f"{g['of_dense']:.2f}",
                     f"{100 * g['test_accuracy']:.1f}", f"{100 * g['dense_test_accuracy']:.1f}"])
    return rows


def page(summary):
    lines = [f"{summary['data']}, {summary['train_images']} training images, {summary['network']}, {summary['epochs']} epochs by the "
             f"recipe, {summary['threads']} thread(s), one run at a time; {summary['processor']}, kernels {summary['kernels']}.", "",
             "Seconds of training, evaluation and growth; mean ± 95 % t interval over seeds, ratios paired by seed. Peak memory is "
             "the process's largest resident memory: libraries and images included.", "",
             *markdown_table(curve_rows(summary["curves"])), ""]
    if summary["break_even_density"] is not None:
        lines += [f"Break-even with LibTorch at density {summary['break_even_density']:.2f}.", ""]
    if summary["growth"]:
        lines += ["Gradual Capacity Growth from its seed to the end of its final training, against one dense training by LibTorch "
                  "(stages hold their own evaluation and the harness's measures of masks):", "",
                  *markdown_table(growth_rows(summary["growth"])), ""]
    return "\n".join(lines)


def draw(summary, path):
    figure, (left, right) = figures.new_figure(width=10.4, height=4.3, columns=2)
    curves = summary["curves"]
    sparse = densities(curves)
    dense = curves[DENSE]["seconds"]["mean"]
    halves = [c["seconds"]["half_interval"] or 0 for c in sparse]
    left.errorbar([c["density"] for c in sparse], [c["seconds"]["mean"] for c in sparse], halves, capsize=2, label="sparse execution",
                  **figures.style(0))
    left.axhline(dense, label="LibTorch, dense", color="black", linewidth=1.2, linestyle=(0, (2, 2)))
    for name, curve in curves.items():
        if name.startswith("LibTorch, mask"):
            left.plot([curve["density"]], [curve["seconds"]["mean"]], "X", color=figures.COLOURS[5], markersize=8,
                      label="LibTorch, masks on dense weights")
    if summary["break_even_density"] is not None:
        left.plot([summary["break_even_density"]], [dense], "k|", markersize=12)
        left.annotate(f"break-even {summary['break_even_density']:.2f}", (summary["break_even_density"], dense),
                      textcoords="offset points", xytext=(-6, 8), ha="right", fontsize=8.5)
    figures.density_axis(left, min([c["density"] for c in sparse] + [0.1]))
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
            right.barh(row, stage["seconds"], left=at, color=str(shade), edgecolor="white", label="stages of growth" if row + i == 0 else None)
            at += stage["seconds"]
        right.barh(row, g["final_seconds"], left=at, color=figures.COLOURS[4], edgecolor="black", hatch="//", linewidth=0.5,
                   label="final training" if row == 0 else None)
        right.plot([g["dense_seconds"]] * 2, [row - 0.45, row + 0.45], color=figures.COLOURS[5], linewidth=3,
                   label="LibTorch, dense training" if row == 0 else None)
        names.append(f"seed {g['seed']}" + ("" if g["d_star"] is None else f"\nd* = {g['d_star']:.2f}"))
    right.set_yticks(range(len(rows)), names)
    right.set_ylim(-0.6, len(rows) + 0.6)
    right.set_xlabel("seconds of a whole growth run")
    right.grid(axis="y", visible=False)
    if rows:
        right.legend(loc="upper left", ncol=1)
    return figures.save(figure, path)


def comparable(runs):
    """Seconds are compared: all of one machine and one number of threads."""
    facts = {(run.host["processor"], int(run.host["threads"])) for by_seed in runs.values() for run in by_seed.values()}
    if len(facts) > 1:
        raise SystemExit(f"seconds of different machines or numbers of threads are not comparable: {sorted(facts)}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="folder of the study's runs")
    parser.add_argument("--scale", default="smoke", choices=["smoke", "small", "full"])
    parser.add_argument("--data-name", default="", help="how to name the data in tables and figures")
    arguments = parser.parse_args()
    runs, missing = load_study(arguments.folder, "wall_clock", arguments.scale)
    if DENSE not in runs or not any(name.startswith("sparse") for name in runs):
        raise SystemExit("the dense training and one sparse training have to be finished first")
    comparable(runs)
    dense = runs[DENSE]
    curves = {name: curve_summary(by_seed, dense) for name, by_seed in runs.items() if set(by_seed) & set(dense)}
    rows = [{"density": c["density"], "ratio": {"median": 1 / c["of_dense"]["mean"]}} for c in densities(curves)]
    sparse_run = next(iter(runs[next(n for n in runs if n.startswith("sparse"))].values()))
    summary = {
        "experiment": "wall_clock",
        "scale": arguments.scale,
        "data": arguments.data_name or sparse_run.identity["data"],
        "data_digest": sparse_run.identity["data_digest"],
        "train_images": int(sparse_run.identity["train_images"]),
        "network": sparse_run.identity["network"],
        "epochs": int(sparse_run.options["epochs"]),
        "threads": int(sparse_run.host["threads"]),
        "processor": sparse_run.host["processor"],
        "kernels": sparse_run.execution["kernels"],
        "commit": sparse_run.build["commit"],
        "missing": missing,
        "curves": curves,
        "break_even_density": break_even(rows),
        "growth": growth_summary(runs.get(GROWTH, {}), dense),
    }
    base = arguments.folder / f"wall_clock-{arguments.scale}"
    Path(f"{base}.summary.json").write_text(json.dumps(summary, indent=1) + "\n")
    text = page(summary)
    Path(f"{base}.md").write_text(text)
    print(text)
    if missing:
        print(f"not finished ({len(missing)}): " + "; ".join(missing[:5]))
    print("figure  ", draw(summary, base))
    print("summary ", f"{base}.summary.json")


if __name__ == "__main__":
    main()
