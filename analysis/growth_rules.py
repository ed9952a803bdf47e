#!/usr/bin/env python3
"""Accuracy over density along the growth path, with its controls: summary, tables and figure.

From the run files of one study to SUMMARY.json (small, can be committed), a Markdown table and a figure.
"""

import argparse
import json
import math
from pathlib import Path

import numpy as np

import figures
from intervals import mean_interval
from study_runs import load_study

EPSILON = 0.005  # the default of the method: accuracy one gives away


def stages_of(run):
    return [i for i, phase in enumerate(run.stages["phase"]) if phase != "final"]


def growth_names(curves):
    return [n for n in curves if not n.startswith("control") and "mask, recipe" not in n and n != "dense"]


def mask_names(curves):
    return [n for n in curves if "mask, recipe" in n]


def plain(value):
    """JSON has no NaN."""
    return float(value) if math.isfinite(value) else None


def curve_summary(runs):
    """Density, mean accuracy and its half interval per stage, over seeds; what the fits said."""
    seeds = sorted(runs)
    rows = [stages_of(runs[seed]) for seed in seeds]
    stages = min(len(r) for r in rows)
    density = np.array([[runs[s].stages["density"][r[i]] for i in range(stages)] for s, r in zip(seeds, rows)])
    accuracy = np.array(
        [[runs[s].stages["validation_accuracy"][r[i]] for i in range(stages)] for s, r in zip(seeds, rows)]
    )
    means = [mean_interval(accuracy[:, i]) for i in range(stages)]
    fits = []
    for seed, row in zip(seeds, rows):
        fit = runs[seed].fits
        last = row[-1]
        fits.append(
            {
                "seed": seed,
                "outcome": fit["outcome"][last],
                "d_star": plain(fit["d_star"][last]),
                "d_low": plain(fit["d_low"][last]),
                "d_high": plain(fit["d_high"][last]),
                "accuracy_at_one": plain(fit["accuracy_at_one"][last]),
                "standard_error": plain(fit["standard_error"][last]),
                "epsilon": plain(fit["epsilon"][last]),
                "note": fit["note"][last],
            }
        )
    test = [runs[s].final["test_accuracy"] for s in seeds]
    return {
        "seeds": seeds,
        "density": [float(d) for d in density.mean(axis=0)],
        "accuracy": [mean for mean, _ in means],
        "half_interval": [plain(half) for _, half in means],
        "by_seed": accuracy.tolist(),
        "fits": fits,
        "over_seeds": over_seeds(fits),
        "test_accuracy": mean_interval(test)[0],
        "test_half_interval": plain(mean_interval(test)[1]),
        "seconds": float(np.mean([runs[s].trajectory["seconds"][-1] for s in seeds])),
    }


def over_seeds(fits):
    """Outcomes counted; geometric mean of d* and its t interval over the seeds where it was found."""
    counts = {}
    for fit in fits:
        counts[fit["outcome"]] = counts.get(fit["outcome"], 0) + 1
    found = [math.log(fit["d_star"]) for fit in fits if fit["outcome"] == "found"]
    result = {"outcomes": ", ".join(f"{n} {o.replace('_', ' ')}" for o, n in counts.items()),
              "d_star": None, "low": None, "high": None, "found": len(found)}
    if found:
        mean, half = mean_interval(found)
        result["d_star"] = math.exp(mean)
        if math.isfinite(half):
            result["low"], result["high"] = math.exp(mean - half), math.exp(mean + half)
    return result


def over_seeds_text(result):
    if result["d_star"] is None:
        return "-"
    if result["low"] is None:
        return f"{result['d_star']:.3f} (n = {result['found']})"
    return f"{result['d_star']:.3f} [{result['low']:.3f}, {result['high']:.3f}] (n = {result['found']})"


def reader_of_the_control(curves, epsilon):
    """Where a reader of the constant-density control would put d*: the densities whose accuracy after
    the same number of cycles is within epsilon of the densest control's, by paired differences."""
    controls = sorted((c["density"][-1], name) for name, c in curves.items() if name.startswith("control"))
    if len(controls) < 2:
        return None
    densest = curves[controls[-1][1]]
    reference = {s: a[-1] for s, a in zip(densest["seeds"], densest["by_seed"])}
    rows, by_mean, clearly_worse, clearly_within = [], None, None, None
    for density, name in controls[:-1]:
        curve = curves[name]
        gaps = [reference[s] - a[-1] for s, a in zip(curve["seeds"], curve["by_seed"]) if s in reference]
        mean, half = mean_interval(gaps)
        rows.append({"density": density, "gap": mean, "half_interval": plain(half), "seeds": len(gaps)})
        if mean <= epsilon and by_mean is None:
            by_mean = density
        elif mean > epsilon:
            by_mean = None
        if math.isfinite(half) and mean - half > epsilon:
            clearly_worse = density
        if math.isfinite(half) and mean + half <= epsilon and clearly_within is None:
            clearly_within = density
    return {
        "epsilon": epsilon,
        "densest": controls[-1][0],
        "gaps": rows,
        "by_mean": by_mean,
        "clearly_worse_up_to": clearly_worse,
        "clearly_within_from": clearly_within,
    }


def cell(mean, half):
    return f"{100 * mean:.1f}" if half is None else f"{100 * mean:.1f} ± {100 * half:.1f}"


def markdown(summary):
    curves = summary["curves"]
    growth = {n: curves[n] for n in growth_names(curves)}
    lines = [f"Validation accuracy, %, mean ± 95 % t interval over seeds ({summary['data']}).", ""]
    first = next(iter(growth.values()))
    lines.append("| curve | seeds | " + " | ".join(f"{d:.3f}" for d in first["density"]) + " |")
    lines.append("|---" * (len(first["density"]) + 2) + "|")
    for name, curve in growth.items():
        cells = [cell(m, h) for m, h in zip(curve["accuracy"], curve["half_interval"])]
        lines.append(f"| {name} | {len(curve['seeds'])} | " + " | ".join(cells) + " |")
    lines += ["", "Controls: constant density, the same cycles; accuracy after each cycle.", ""]
    lines.append("| density | seeds | " + " | ".join(f"cycle {i + 1}" for i in range(len(first["density"]))) + " |")
    lines.append("|---" * (len(first["density"]) + 2) + "|")
    for name, curve in curves.items():
        if name.startswith("control"):
            cells = [cell(m, h) for m, h in zip(curve["accuracy"], curve["half_interval"])]
            lines.append(f"| {curve['density'][0]:.3f} | {len(curve['seeds'])} | " + " | ".join(cells) + " |")
    once = mask_names(curves) + [n for n in curves if n == "dense"]
    if once:
        lines += ["", "Random masks and the dense network, trained once by the recipe with as many epochs.", "",
                  "| curve | seeds | validation | test |", "|---|---|---|---|"]
        for name in once:
            curve = curves[name]
            lines.append(f"| {name} | {len(curve['seeds'])} | {cell(curve['accuracy'][-1], curve['half_interval'][-1])} | "
                         f"{cell(curve['test_accuracy'], curve['test_half_interval'])} |")
    lines += ["", "What the fit after the last stage says, by seed:", "",
              "| curve | seed | outcome | d* | 95 % interval (validation noise) | A(1) ± s.e., % |", "|---|---|---|---|---|---|"]
    for name, curve in growth.items():
        for fit in curve["fits"]:
            d_star = "-" if fit["d_star"] is None else f"{fit['d_star']:.3f}"
            interval = "-" if fit["d_low"] is None else f"[{fit['d_low']:.3f}, {fit['d_high']:.3f}]"
            plateau = ("-" if fit["accuracy_at_one"] is None or fit["standard_error"] is None
                       else f"{100 * fit['accuracy_at_one']:.1f} ± {100 * fit['standard_error']:.1f}")
            lines.append(f"| {name} | {fit['seed']} | {fit['outcome'].replace('_', ' ')} | {d_star} | {interval} | {plateau} |")
    lines += ["", "The same over seeds (geometric mean and 95 % t interval of d* where it was found):", "",
              "| curve | outcomes | d* |", "|---|---|---|"]
    for name, curve in growth.items():
        lines.append(f"| {name} | {curve['over_seeds']['outcomes']} | {over_seeds_text(curve['over_seeds'])} |")
    for reader in summary["reader_of_the_control"]:
        lines += ["", f"Reading the control at epsilon = {100 * reader['epsilon']:.1f} points below density "
                  f"{reader['densest']:.3f} after the last cycle (paired by seed):", "",
                  "| density | " + " | ".join(f"{r['density']:.3f}" for r in reader["gaps"]) + " |",
                  "|---" * (len(reader["gaps"]) + 1) + "|",
                  "| gap | " + " | ".join(cell(r["gap"], r["half_interval"]) for r in reader["gaps"]) + " |", ""]
        parts = []
        if reader["by_mean"] is not None:
            parts.append(f"by the means d* would be {reader['by_mean']:.3f}")
        else:
            parts.append(f"by the means no density below {reader['densest']:.3f} is within epsilon")
        if reader["clearly_worse_up_to"] is not None:
            parts.append(f"densities up to {reader['clearly_worse_up_to']:.3f} are clearly worse")
        if reader["clearly_within_from"] is not None:
            parts.append(f"{reader['clearly_within_from']:.3f} is the first clearly within")
        else:
            parts.append("no density is clearly within: the seeds do not resolve epsilon")
        lines.append("; ".join(parts) + ".")
    return "\n".join(lines) + "\n"


def draw(summary, path):
    figure, (left, right) = figures.new_figure(width=10.4, height=4.3, columns=2)
    curves = summary["curves"]
    growth = growth_names(curves)
    low = min(min(c["density"]) for c in curves.values())
    for index, name in enumerate(growth):
        plot_curve(left, curves[name], name, figures.style(index))
    controls = sorted((c["density"][-1], n) for n, c in curves.items() if n.startswith("control"))
    if controls:
        end = {
            "density": [d for d, _ in controls],
            "accuracy": [curves[n]["accuracy"][-1] for _, n in controls],
            "half_interval": [curves[n]["half_interval"][-1] for _, n in controls],
            "seeds": curves[controls[0][1]]["seeds"],
        }
        grey = {"color": "#666666", "marker": "x", "linestyle": (0, (1, 1)), "linewidth": 1.4, "markersize": 6}
        plot_curve(left, end, "constant density, all cycles", grey)
    for index, rule in enumerate(sorted({n.split()[0] for n in mask_names(curves)})):
        points = sorted((curves[n]["density"][-1], n) for n in mask_names(curves) if n.startswith(rule))
        left.errorbar([d for d, _ in points], [100 * curves[n]["accuracy"][-1] for _, n in points],
                      [100 * (curves[n]["half_interval"][-1] or 0) for _, n in points], fmt="^v"[index], color="black",
                      markerfacecolor="white", markersize=7, capsize=2, linewidth=1, label=f"{rule} mask, recipe once")
    left.set_title("growth: each point is a stage of the same run", fontsize=10)
    for index, (density, name) in enumerate(controls):
        curve = curves[name]
        shade = index / max(1, len(controls) - 1)
        right.plot(range(1, len(curve["accuracy"]) + 1), [100 * a for a in curve["accuracy"]],
                   color=figures.plt.cm.viridis(0.9 * (1 - shade)), marker=figures.MARKERS[index % 8], markersize=4,
                   linewidth=1.3, label=f"{density:.3f}")
    if growth:
        curve = curves[growth[0]]
        right.plot(range(1, len(curve["accuracy"]) + 1), [100 * a for a in curve["accuracy"]], "k--",
                   linewidth=2, label=f"growth: {growth[0]}")
    right.set_xlabel("cycle (the same epochs and learning rates)")
    right.set_title("controls of constant density", fontsize=10)
    right.legend(title="density", loc="lower right", ncol=2)
    figures.density_axis(left, low)
    # One scale of accuracy for both, with room for the legends below the curves.
    low_end = min(left.get_ylim()[0], right.get_ylim()[0])
    high_end = max(left.get_ylim()[1], right.get_ylim()[1])
    for axes in (left, right):
        axes.set_ylim(low_end - 0.25 * (high_end - low_end), high_end)
    left.set_ylabel("validation accuracy, %")
    left.legend(loc="lower right")
    return figures.save(figure, path)


def plot_curve(axes, curve, name, look):
    density = np.array(curve["density"])
    mean = 100 * np.array(curve["accuracy"])
    axes.plot(density, mean, label=f"{name} (n = {len(curve['seeds'])})", **look)
    half = 100 * np.array([math.nan if h is None else h for h in curve["half_interval"]])
    if np.all(np.isfinite(half)):
        axes.fill_between(density, mean - half, mean + half, color=look["color"], alpha=0.15, linewidth=0)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="folder of the study's runs")
    parser.add_argument("--scale", default="smoke", choices=["smoke", "small", "full"])
    parser.add_argument("--data-name", default="", help="how to name the data in tables and figures")
    arguments = parser.parse_args()
    runs, missing = load_study(arguments.folder, "growth_rules", arguments.scale)
    if not runs:
        raise SystemExit("no run of the study is finished yet")
    any_run = next(iter(next(iter(runs.values())).values()))
    curves = {name: curve_summary(by_seed) for name, by_seed in runs.items()}
    readers = [reader_of_the_control(curves, epsilon) for epsilon in (EPSILON, 4 * EPSILON)]
    summary = {
        "experiment": "growth_rules",
        "scale": arguments.scale,
        "data": arguments.data_name or any_run.identity["data"],
        "data_digest": any_run.identity["data_digest"],
        "train_images": int(any_run.identity["train_images"]),
        "validation_images": int(any_run.identity["validation_images"]),
        "network": any_run.identity["network"],
        "processor": any_run.host["processor"],
        "execution": any_run.execution["used"],
        "commit": any_run.build["commit"],
        "missing": missing,
        "curves": curves,
        "reader_of_the_control": [r for r in readers if r is not None],
    }
    base = arguments.folder / f"growth_rules-{arguments.scale}"
    Path(f"{base}.summary.json").write_text(json.dumps(summary, indent=1) + "\n")
    text = markdown(summary)
    Path(f"{base}.md").write_text(text)
    print(text)
    if missing:
        shown = "; ".join(missing[:5]) + ("; ..." if len(missing) > 5 else "")
        print(f"not finished ({len(missing)}): {shown}")
    print("figure  ", draw(summary, base))
    print("summary ", f"{base}.summary.json")


if __name__ == "__main__":
    main()
