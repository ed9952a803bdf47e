"""Where there is redundancy: the density that growing and returning finds over width, network, difficulty of made
images and density of a planted teacher, with the direction expected of each family (experiments/return_regime.cpp).
"""

import itertools
import math

import numpy as np

import costs
import figures as look
import phrases
from bottleneck import chance_jaccard, jaccard
from discovered_density import trend_test
from intervals import holm, interval, paired
from tables import Table, number, percent

# Written down before any run: +1, the density rises with the quantity.
EXPECTED = {"width": -1, "difficulty": 1, "teacher density": 1}
REFERENCE_WIDTH = 16  # of the ResNet that other networks are expected to end below


def connections(run):
    layers = run.layers
    return int(np.sum(layers["outputs"] * layers["inputs"] * layers["kernel_height"] * layers["kernel_width"]))


def between_seeds(runs):
    """Mean Jaccard index of the masks that two searches end with, and that of random masks with their layer counts;
    None for one seed."""
    pairs = list(itertools.combinations([run.masks[max(run.masks)] for run in runs.values()], 2))
    if not pairs:
        return None
    mean = lambda measure: float(np.mean([measure(*pair) for pair in pairs]))
    return {"jaccard": mean(jaccard), "chance": mean(chance_jaccard), "pairs": len(pairs)}


def task_row(found, dense):
    """One task over seeds."""
    test = lambda runs: {s: float(run.final["test_accuracy"]) for s, run in runs.items()}
    seeds = sorted(found)
    relative = [costs.density_epochs(found[s]) / costs.density_epochs(dense[s]) for s in seeds if s in dense]
    return {
        "seeds": seeds,
        "connections": connections(found[seeds[0]]),
        "density": {str(s): float(found[s].search["density"]) for s in seeds},
        "outcomes": {str(s): found[s].search["outcome"] for s in seeds},
        "dense": interval(list(test(dense).values())) if dense else None,
        "gap": paired(test(found), test(dense)),
        "cost": interval(relative) if relative else None,
        "between_seeds": between_seeds(found),
        "epochs": interval([float(found[s].cost["epochs"]) for s in seeds]),
    }


def slope(members, tasks):
    """Of log density over log connections, by seed: -1 is a law of capacity, density x connections constant; None for
    fewer than two widths in every seed."""
    by_seed = {}
    for _, task in members:
        for seed, density in tasks[task]["density"].items():
            by_seed.setdefault(seed, []).append((math.log(tasks[task]["connections"]), math.log(density)))
    slopes = [float(np.polyfit(*zip(*points), 1)[0]) for points in by_seed.values() if len(points) > 1]
    return interval(slopes) if slopes else None


def summarise(study):
    dense = {study.parts[curve].of: runs for curve, runs in study.curves.items() if study.parts[curve].role == "dense"}
    tasks, place = {}, {}
    for curve, runs in study.curves.items():
        part = study.parts[curve]
        if part.role == "search":
            tasks[part.of] = task_row(runs, dense.get(part.of, {}))
            place[part.of] = (part.family, part.values["level"])
    families = {}
    for family, direction in EXPECTED.items():
        members = sorted((level, task) for task, (its_family, level) in place.items() if its_family == family)
        seeds = sorted({seed for _, task in members for seed in tasks[task]["density"]})
        blocks = []
        for seed in seeds:
            known = [(level, tasks[task]["density"][seed]) for level, task in members if seed in tasks[task]["density"]]
            blocks.append(([x for x, _ in known], [y for _, y in known]))
        if members:
            families[family] = {
                "expected": direction,
                "members": [{"level": level, "task": task} for level, task in members],
                "trend": trend_test(blocks, direction),
            }
    tested = [f["trend"] for f in families.values() if f["trend"]]
    for test, p in zip(tested, holm([t["p"] for t in tested])):
        test["p_holm"] = p
    widths = [(m["level"], m["task"]) for m in families.get("width", {"members": []})["members"]]
    return {
        "tasks": tasks,
        "families": families,
        "slope": slope(widths, tasks),
        "networks_of": [task for task, (family, _) in place.items() if family == "network"],
    }


def centre(values):
    known = list(values)
    return f"{math.exp(np.mean(np.log(known))):.3f} ({min(known):.3f} to {max(known):.3f})"


def tables(summary):
    rows = []
    for task, r in summary["tasks"].items():
        densities = list(r["density"].values())
        outcomes = list(r["outcomes"].values())
        kept = [round(d * r["connections"]) for d in densities]
        pair = r.get("between_seeds")
        rows.append(
            [
                task,
                str(len(r["seeds"])),
                f'{r["connections"]:,}',
                centre(densities),
                f"{round(math.exp(np.mean(np.log(kept)))):,}",
                ", ".join(f"{outcomes.count(o)} {o.replace('_', ' ')}" for o in sorted(set(outcomes))),
                "-" if r["dense"] is None else percent(r["dense"]["mean"], r["dense"]["half_interval"]),
                "-" if r["gap"] is None else phrases.points(r["gap"]),
                "-" if r["cost"] is None else number(r["cost"]["mean"], r["cost"]["half_interval"]),
                number(r["epochs"]["mean"], digits=0),
                "-" if pair is None else f'{100 * pair["jaccard"]:.0f} ({100 * pair["chance"]:.0f})',
            ]
        )
    found = Table(
        "tasks",
        (
            "What growing and returning finds on each task. Density: geometric mean (range) over seeds; connections"
            " kept: density × connections; test accuracy of dense training by the recipe, %, and of the search minus"
            " it, points; density × epochs of the whole search over that training; Jaccard index of the masks that two"
            " searches end with, %, mean over pairs of seeds, in brackets that of random masks with their layer counts."
            " Mean ± 95 % t interval over seeds."
        ),
        [
            "task",
            "seeds",
            "connections",
            "density",
            "kept",
            "outcomes",
            "dense",
            "minus dense",
            "cost",
            "epochs",
            "between seeds",
        ],
        rows,
        [
            (
                "The rule was chosen on seeds 1 to 6 of width 8, among which these are. A way back takes a fifth of the"
                " connections at a time, so densities differ by factors of 0.8: a factor of 1.56 is two steps."
            )
        ],
    )
    rows = []
    for family, f in summary["families"].items():
        test = f["trend"]
        result = (
            ("-", "-", "-", "-")
            if test is None
            else (
                f'{test["values"]} ({test["seeds"]})',
                number(test["tau"]),
                f'{test["p"]:.4f}',
                f'{test["p_holm"]:.4f}',
            )
        )
        rows.append([family, "rises" if f["expected"] > 0 else "falls", *result])
    trends = Table(
        "trends",
        (
            "Does the density found follow the task? Expected direction with the family's quantity, written down before"
            " any run; Kendall's tau over pairs within seeds; one-sided p of that direction under permutations within"
            " seeds, and after Holm's correction."
        ),
        ["family", "expected", "values (seeds)", "tau", "p", "p (Holm)"],
        rows,
        [law(summary)] if summary["slope"] else [],
    )
    return [found, trends]


def law(summary):
    s = summary["slope"]
    said = (
        "Across widths, log density changes with log connections with a slope of"
        f' {number(s["mean"], s["half_interval"])} (mean over seeds); -1 would mean a constant number of present'
        " connections, 0 a constant density."
    )
    half = s["half_interval"]
    if half is None:
        return said + " One seed has no interval."
    low, high = s["mean"] - half - 1e-9, s["mean"] + half + 1e-9
    return said + (
        " Neither holds."
        if (low > -1 or high < -1) and (low > 0 or high < 0)
        else " The interval excludes -1."
        if low > -1 or high < -1
        else " The interval excludes 0."
        if low > 0 or high < 0
        else " The interval excludes neither."
    )


def findings(summary):
    said = []
    for family, f in summary["families"].items():
        test = f["trend"]
        expected = "rise" if f["expected"] > 0 else "fall"
        if test is None:
            said.append(f"{family}: too few values to test whether the density found {expected}s.")
            continue
        result = "it does" if test["p_holm"] < phrases.LEVEL else "the data do not show it"
        said.append(
            phrases.Finding(
                (
                    f'The density found was expected to {expected} with {family}: {result} (tau {test["tau"]:+.2f},'
                    f' {test["values"]} values of {test["seeds"]} seeds, p after Holm {test["p_holm"]:.4f}).'
                ),
                claims=["exploration"],
            )
        )
    if summary["slope"]:
        said.append(law(summary))
    return said + networks_found(summary)


def networks_found(summary):
    """Other networks on these images, paired by seed: a lower density was expected than in the ResNet of width 16."""
    known = {m["level"]: m["task"] for m in summary["families"].get("width", {"members": []})["members"]}
    reference = summary["tasks"].get(known.get(REFERENCE_WIDTH))
    said = []
    for task in summary.get("networks_of", []) if reference else []:
        found = summary["tasks"][task]["density"]
        both = [seed for seed in found if seed in reference["density"]]
        if not both:
            continue
        octaves = paired({s: math.log2(found[s]) for s in both}, {s: math.log2(reference["density"][s]) for s in both})
        half = octaves["half_interval"]
        result = (
            "one seed, no interval"
            if half is None
            else "it is"
            if octaves["mean"] + half < 0
            else "the data do not show it"
        )
        said.append(
            f"{task} was expected to end at a lower density than resnet8 of width {REFERENCE_WIDTH}: {result}"
            f" ({number(octaves['mean'], half)} octaves, n = {len(both)})."
        )
    return said


def figures(summary, base):
    families = summary["families"]
    if not families:
        return []
    figure, panels = look.new_figure(width=4.2 * max(2, len(families)), height=3.8, columns=max(2, len(families)))
    for panel in panels[len(families) :]:
        panel.set_visible(False)
    found = [
        d for f in families.values() for m in f["members"] for d in summary["tasks"][m["task"]]["density"].values()
    ]
    for panel, (family, f) in zip(panels, families.items()):
        tasks = [summary["tasks"][m["task"]] for m in f["members"]]
        for index, seed in enumerate(sorted({s for task in tasks for s in task["density"]}, key=int)):
            known = [(i, t["density"][seed]) for i, t in enumerate(tasks) if seed in t["density"]]
            panel.plot(*zip(*known), label=f"seed {seed}", **look.style(index))
        panel.set_xticks(range(len(tasks)), [f'{m["level"]:g}' for m in f["members"]])
        panel.set_xlabel(family)
        look.density_axis(panel, min(found), max(found), vertical=True)
        panel.set_ylabel("")
        panel.set_title(f'expected to {"rise" if f["expected"] > 0 else "fall"}', fontsize=10)
        if family == "width" and len(tasks) > 1:
            first = tasks[0]
            start = math.exp(np.mean(np.log(list(first["density"].values()))))
            panel.plot(
                range(len(tasks)),
                [start * first["connections"] / t["connections"] for t in tasks],
                ":",
                color="black",
                linewidth=1,
                label="equal connections",
            )
    panels[0].set_ylabel("density found (present / all connections)")
    panels[0].legend(loc="best", fontsize=7.5)
    return [look.save(figure, base)]
