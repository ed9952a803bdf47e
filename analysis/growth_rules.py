"""Accuracy over density along the growth path, with its controls: summary, tables, figure and findings."""

import math

import numpy as np

import figures as look
import phrases
from costs import last_stage
from intervals import holm_differences, mean_interval, paired
from phrases import Finding
from study_runs import parts_of
from tables import Table, number, percent, plain

RULE_NAMES = {"erk": "ERK", "phew": "PHEW"}
EPSILON = 0.005  # the default of the method: accuracy one gives away
PATH = "path, sampled"
# Which option a comparison of path growth with another rule is about.
OPTIONS = {
    "random": ["growth-rule"],
    "gradient, greedy": ["growth-rule"],
    "path, greedy": ["selection"],
    "random, path's layer counts": ["quotas"],
    "path, ERK layer counts": ["quotas"],
    "path_l2, sampled": ["growth-rule"],
    "gradient, sampled": ["growth-rule"],
}


def stages_of(run):
    return [i for i, phase in enumerate(run.stages["phase"]) if phase != "final"]


def named(curves, parts, role):
    """The curves of one role."""
    return [name for name in curves if parts[name].role == role]


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
    for seed in seeds:
        fit = runs[seed].fits
        last = last_stage(runs[seed])
        numbers = ("d_star", "d_low", "d_high", "accuracy_at_one", "standard_error", "epsilon")
        fits.append(
            {"seed": seed, "outcome": str(fit["outcome"][last]), "note": str(fit["note"][last])}
            | {name: plain(fit[name][last]) for name in numbers}
        )
    test = mean_interval([runs[s].final["test_accuracy"] for s in seeds])
    return {
        "seeds": seeds,
        "density": [float(d) for d in density.mean(axis=0)],
        "accuracy": [mean for mean, _ in means],
        "half_interval": [plain(half) for _, half in means],
        "by_seed": accuracy.tolist(),
        "fits": fits,
        "over_seeds": over_seeds(fits),
        "test_accuracy": test[0],
        "test_half_interval": plain(test[1]),
        "seconds": float(np.mean([runs[s].trajectory["seconds"][-1] for s in seeds])),
    }


def over_seeds(fits):
    """Outcomes counted; geometric mean of d* and its t interval over the seeds where it was found."""
    counts = {}
    for fit in fits:
        counts[fit["outcome"]] = counts.get(fit["outcome"], 0) + 1
    found = [math.log(fit["d_star"]) for fit in fits if fit["outcome"] == "found"]
    result = {
        "outcomes": ", ".join(f"{n} {o.replace('_', ' ')}" for o, n in counts.items()),
        "d_star": None,
        "low": None,
        "high": None,
        "found": len(found),
    }
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


def reader_of_the_control(curves, parts, epsilon):
    """Where a reader of the constant-density control would put d*: the densities whose accuracy after
    the same number of cycles is within epsilon of the densest control's, by paired differences."""
    controls = sorted((curves[name]["density"][-1], name) for name in named(curves, parts, "control"))
    if len(controls) < 2:
        return None
    densest = curves[controls[-1][1]]
    reference = {s: a[-1] for s, a in zip(densest["seeds"], densest["by_seed"])}
    rows, by_mean, clearly_worse, clearly_within = [], None, None, None
    for density, name in controls[:-1]:
        curve = curves[name]
        gaps = [reference[s] - a[-1] for s, a in zip(curve["seeds"], curve["by_seed"]) if s in reference]
        if not gaps:
            continue
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


def at_stage(curve, stage):
    """{seed: accuracy} after a stage."""
    return {seed: row[stage] for seed, row in zip(curve["seeds"], curve["by_seed"])}


def differences(curves, parts):
    """Path growth minus every other rule stage by stage, and minus the control of the same density after all its
    cycles."""
    if PATH not in curves:
        return {"rules": {}, "controls": [], "comparisons": 0}
    path = curves[PATH]
    rules, controls = {}, []
    for name in named(curves, parts, "growth"):
        if name != PATH:
            stages = range(1, min(len(path["density"]), len(curves[name]["density"])))  # stage 0 is the same seed mask
            rows = [(path["density"][i], paired(at_stage(path, i), at_stage(curves[name], i))) for i in stages]
            rules[name] = [{"density": density} | row for density, row in rows if row]
    for name in named(curves, parts, "control"):
        curve = curves[name]
        near = [i for i, d in enumerate(path["density"]) if abs(d / curve["density"][-1] - 1) < 0.02]
        row = paired(at_stage(path, near[0]), at_stage(curve, -1)) if near else None
        if row:
            controls.append({"density": path["density"][near[0]]} | row)
    controls.sort(key=lambda row: row["density"])
    rules = {name: rows for name, rows in rules.items() if rows}
    holm_differences(controls)
    return {
        "rules": rules,
        "controls": controls,
        "comparisons": holm_differences([row for rows in rules.values() for row in rows]),
    }


def summarise(study):
    curves = {name: curve_summary(by_seed) for name, by_seed in study.curves.items()}
    readers = [reader_of_the_control(curves, study.parts, epsilon) for epsilon in (EPSILON, 4 * EPSILON)]
    return {
        "curves": curves,
        "differences": differences(curves, study.parts),
        "reader_of_the_control": [r for r in readers if r is not None],
    }


def padded(cells, length):
    return cells + ["-"] * (length - len(cells))


def stage_cells(curve, length):
    return padded([percent(m, h) for m, h in zip(curve["accuracy"], curve["half_interval"])], length)


def tables(summary):
    return [
        table
        for table in (
            growth_table(summary),
            control_table(summary),
            once_table(summary),
            difference_table(summary),
            control_difference_table(summary),
            fit_table(summary),
            d_star_table(summary),
            *reader_tables(summary),
        )
        if table.rows
    ]


def growth_table(summary):
    growth = {n: summary["curves"][n] for n in named(summary["curves"], parts_of(summary), "growth")}
    densities = max((c["density"] for c in growth.values()), key=len, default=[])
    return Table(
        "growth",
        (
            "Validation accuracy after each stage of growth, by its density; %, mean ± 95 % t interval over seeds"
            f" ({summary['data']})."
        ),
        ["curve", "seeds", *(f"{d:.3f}" for d in densities)],
        [[name, str(len(c["seeds"])), *stage_cells(c, len(densities))] for name, c in growth.items()],
    )


def control_table(summary):
    controls = {n: summary["curves"][n] for n in named(summary["curves"], parts_of(summary), "control")}
    cycles = max((len(c["density"]) for c in controls.values()), default=0)
    return Table(
        "controls",
        (
            "Controls: constant density, the same stages; validation accuracy after each stage, %, mean ± 95 % t"
            " interval over seeds."
        ),
        ["density", "seeds", *(f"stage {i + 1}" for i in range(cycles))],
        [[f'{c["density"][0]:.3f}', str(len(c["seeds"])), *stage_cells(c, cycles)] for c in controls.values()],
    )


def once_table(summary):
    curves = summary["curves"]
    rows = []
    parts = parts_of(summary)
    for name in named(curves, parts, "mask") + named(curves, parts, "dense"):
        curve = curves[name]
        rows.append(
            [
                name,
                str(len(curve["seeds"])),
                percent(curve["accuracy"][-1], curve["half_interval"][-1]),
                percent(curve["test_accuracy"], curve["test_half_interval"]),
            ]
        )
    return Table(
        "once",
        (
            "Random masks and the dense network, trained once by the recipe with as many epochs; %, mean ± 95 % t"
            " interval over seeds."
        ),
        ["curve", "seeds", "validation", "test"],
        rows,
    )


def difference_table(summary):
    found = summary.get("differences", {"rules": {}, "comparisons": 0})
    densities = max(([row["density"] for row in rows] for rows in found["rules"].values()), key=len, default=[])
    return Table(
        "differences",
        (
            "Path growth (sampled) minus the other rule at the same stage: validation accuracy, points, paired by seed,"
            " mean ± 95 % t interval."
        ),
        ["minus", "seeds", *(f"{d:.3f}" for d in densities)],
        [
            [name, str(rows[0]["seeds"]), *padded([phrases.marked(row) for row in rows], len(densities))]
            for name, rows in found["rules"].items()
        ],
        [phrases.holm_note(found["comparisons"])],
    )


def control_difference_table(summary):
    rows = summary.get("differences", {"controls": []})["controls"]
    return Table(
        "control-differences",
        (
            "Path growth (sampled) when it reaches a density, minus the control of this density after all stages:"
            " validation accuracy, points, paired by seed, mean ± 95 % t interval."
        ),
        ["density", "seeds", "difference"],
        [[f'{row["density"]:.3f}', str(row["seeds"]), phrases.marked(row)] for row in rows],
        [phrases.holm_note(sum(row["p"] is not None for row in rows))],
    )


def fit_table(summary):
    rows = []
    for name in named(summary["curves"], parts_of(summary), "growth"):
        for fit in summary["curves"][name]["fits"]:
            interval_text = "-" if fit["d_low"] is None else f"[{fit['d_low']:.3f}, {fit['d_high']:.3f}]"
            plateau = (
                "-"
                if fit["accuracy_at_one"] is None or fit["standard_error"] is None
                else percent(fit["accuracy_at_one"], fit["standard_error"])
            )
            rows.append(
                [
                    name,
                    str(fit["seed"]),
                    fit["outcome"].replace("_", " "),
                    number(fit["d_star"], digits=3),
                    interval_text,
                    plateau,
                ]
            )
    return Table(
        "fits",
        "Fit after the last stage, by seed.",
        ["curve", "seed", "outcome", "d*", "95 % interval (validation noise)", "A(1) ± s.e., %"],
        rows,
    )


def d_star_table(summary):
    curves = summary["curves"]
    return Table(
        "d-star",
        "The same over seeds: geometric mean and 95 % t interval of d* where it was found.",
        ["curve", "outcomes", "d*"],
        [
            [name, curves[name]["over_seeds"]["outcomes"], over_seeds_text(curves[name]["over_seeds"])]
            for name in named(curves, parts_of(summary), "growth")
        ],
    )


def reader_tables(summary):
    result = []
    for reader in summary["reader_of_the_control"]:
        result.append(
            Table(
                f'reader-{1000 * reader["epsilon"]:.0f}',
                (
                    f"Density within epsilon = {100 * reader['epsilon']:.1f} points of the control of density"
                    f" {reader['densest']:.3f} after the last stage: accuracy below it, points, paired by seed, mean ±"
                    " 95 % t interval."
                ),
                ["density", *(f"{r['density']:.3f}" for r in reader["gaps"])],
                [["gap", *(percent(r["gap"], r["half_interval"]) for r in reader["gaps"])]],
                [reader_sentence(reader)],
            )
        )
    return result


def reader_sentence(reader):
    if reader["by_mean"] is not None:
        parts = [f"on average, d* would be {reader['by_mean']:.3f}"]
    else:
        parts = [f"on average, no density below {reader['densest']:.3f} is within epsilon of the densest control"]
    if reader["clearly_worse_up_to"] is not None:
        parts.append(f"up to {reader['clearly_worse_up_to']:.3f} the whole interval is outside epsilon")
    if reader["clearly_within_from"] is not None:
        parts.append(f"from {reader['clearly_within_from']:.3f} on the whole interval is within epsilon")
    else:
        parts.append("at no density is the whole interval within epsilon, so these seeds cannot locate d*")
    text = "; ".join(parts) + "."
    return text[0].upper() + text[1:]


def findings(summary):
    found = summary.get("differences")
    sentences = []
    if found:
        for name, rows in found["rules"].items():
            sentences.append(
                Finding(
                    (
                        f"Accuracy of path growth (sampled) compared with {name}:"
                        f" {phrases.counted(rows, 'stage densities')} ({phrases.span(rows)}; n = {rows[0]['seeds']};"
                        f" {phrases.surviving(rows)})."
                    ),
                    options=OPTIONS.get(name, ()),
                )
            )
        if found["controls"]:
            rows = found["controls"]
            sentences.append(
                Finding(
                    (
                        "Accuracy of path growth when it reaches a density, compared with a network trained at this"
                        f" density for all stages: {phrases.counted(rows, 'densities')} ({phrases.span(rows)}; n ="
                        f" {rows[0]['seeds']}; {phrases.surviving(rows)})."
                    ),
                    claims=["exploration"],
                )
            )
    for reader in summary["reader_of_the_control"]:
        sentences.append(
            Finding(
                (
                    f"From the controls of constant density, at epsilon = {100 * reader['epsilon']:.1f} points:"
                    f" {lower(reader_sentence(reader))}"
                ),
                options=["epsilon"],
            )
        )
    path = summary["curves"].get(PATH)
    if path:
        epsilon = path["fits"][0]["epsilon"]
        sentences.append(
            f"Fits of path growth over seeds: {path['over_seeds']['outcomes']}; d*"
            f" {over_seeds_text(path['over_seeds'])}"
            + ("." if epsilon is None else f" at epsilon = {100 * epsilon:.1f} points.")
        )
        for reader in summary["reader_of_the_control"]:
            sentence = extrapolation_against(reader, path["over_seeds"]) if same_epsilon(reader, path) else None
            if sentence:
                sentences.append(Finding(sentence, claims=["exploration"], options=["extrapolator"]))
    return sentences


def lower(text):
    return text[0].lower() + text[1:]


def same_epsilon(reader, curve):
    return any(fit["epsilon"] is not None and abs(fit["epsilon"] - reader["epsilon"]) < 1e-9 for fit in curve["fits"])


def extrapolation_against(reader, result):
    """The extrapolated d* over seeds against the range in which the control leaves it."""
    low = reader["clearly_worse_up_to"]
    high = reader["clearly_within_from"]
    if result["d_star"] is None or reader["by_mean"] is None:
        return None
    inside = (low is None or result["d_star"] > low) and (high is None or result["d_star"] <= high)
    place = "within" if inside else "outside of"
    by_mean = reader["by_mean"]
    excluded = result["low"] is not None and not result["low"] <= by_mean <= result["high"]
    where = "above" if result["d_star"] > by_mean else "below"
    named = f"the d* of the controls' mean accuracies ({by_mean:.3f})"
    if excluded:
        rest = f"its interval over seeds lies {where} {named}"
    elif result["low"] is not None:
        rest = f"its interval over seeds contains {named}"
    else:
        rest = f"one seed has no interval to compare with {named}"
    return f"The extrapolated d* lies {place} the range that the controls leave possible; {rest}."


def figures(summary, base):
    figure, (left, right) = look.new_figure(width=10.4, height=4.3, columns=2)
    curves = summary["curves"]
    growth = named(curves, parts_of(summary), "growth")
    low = min(min(c["density"]) for c in curves.values())
    for index, name in enumerate(growth):
        plot_curve(left, curves[name], name, look.style(index))
    parts = parts_of(summary)
    controls = sorted((curves[n]["density"][-1], n) for n in named(curves, parts, "control"))
    if controls:
        end = {
            "density": [d for d, _ in controls],
            "accuracy": [curves[n]["accuracy"][-1] for _, n in controls],
            "half_interval": [curves[n]["half_interval"][-1] for _, n in controls],
            "seeds": curves[controls[0][1]]["seeds"],
        }
        grey = {"color": "#666666", "marker": "x", "linestyle": (0, (1, 1)), "linewidth": 1.4, "markersize": 6}
        plot_curve(left, end, "constant density, after all stages", grey)
    masks = named(curves, parts, "mask")
    for index, rule in enumerate(sorted({parts[n].family for n in masks})):
        points = sorted((curves[n]["density"][-1], n) for n in masks if parts[n].family == rule)
        left.errorbar(
            [d for d, _ in points],
            [100 * curves[n]["accuracy"][-1] for _, n in points],
            [100 * (curves[n]["half_interval"][-1] or 0) for _, n in points],
            fmt="^v"[index],
            color="black",
            markerfacecolor="white",
            markersize=7,
            capsize=2,
            linewidth=1,
            label=f"mask by {RULE_NAMES.get(rule, rule)}, recipe once",
        )
    left.set_title("growth: every point is a stage of one run", fontsize=10)
    for index, (density, name) in enumerate(controls):
        curve = curves[name]
        shade = index / max(1, len(controls) - 1)
        right.plot(
            range(1, len(curve["accuracy"]) + 1),
            [100 * a for a in curve["accuracy"]],
            color=look.plt.cm.viridis(0.9 * (1 - shade)),
            marker=look.MARKERS[index % 8],
            markersize=4,
            linewidth=1.3,
            label=f"{density:.3f}",
        )
    if growth:
        curve = curves[growth[0]]
        right.plot(
            range(1, len(curve["accuracy"]) + 1),
            [100 * a for a in curve["accuracy"]],
            "k--",
            linewidth=2,
            label=f"growth: {growth[0]}",
        )
    right.set_xlabel("stage (the same epochs and learning rates)")
    right.set_title("controls of constant density", fontsize=10)
    right.legend(title="density", loc="lower right", ncol=2)
    look.density_axis(left, low)
    # One scale of accuracy for both, with room for the legends below the curves.
    low_end = min(left.get_ylim()[0], right.get_ylim()[0])
    high_end = max(left.get_ylim()[1], right.get_ylim()[1])
    for axes in (left, right):
        axes.set_ylim(low_end - 0.25 * (high_end - low_end), high_end)
    left.set_ylabel("validation accuracy, %")
    left.legend(loc="lower right")
    return [look.save(figure, base)]


def plot_curve(axes, curve, name, style):
    density = np.array(curve["density"])
    mean = 100 * np.array(curve["accuracy"])
    axes.plot(density, mean, label=f"{name} (n = {len(curve['seeds'])})", **style)
    half = 100 * np.array([math.nan if h is None else h for h in curve["half_interval"]])
    if np.all(np.isfinite(half)):
        axes.fill_between(density, mean - half, mean + half, color=style["color"], alpha=0.15, linewidth=0)
