"""Does d* follow the task? The density that growth finds, its gap to dense and its cost, over families of tasks that
differ in one quantity; the direction that was expected of each family (experiments/discovered_density.cpp) against a
permutation test by rank.
"""

import itertools
import math

import numpy as np

import costs
import figures as look
import phrases
from intervals import holm, interval, paired
from tables import Table, number, percent, plain

# Written down before any run: +1, d* rises with the quantity.
EXPECTED = {"width": -1, "classes": 1, "samples": 1, "label noise": -1, "difficulty": 1, "teacher density": 1}
BASE = "base"
MOST_EXACT = 50_000  # permutations; above it as many are drawn


def last_fit(run):
    """Outcome and d* of the fit after the last stage of growth."""
    i = [i for i, phase in enumerate(run.stages["phase"]) if phase == "stage"][-1]
    return str(run.fits["outcome"][i]), plain(run.fits["d_star"][i])


def level_of_base(family, run):
    """Where the study's data as it is stands in a family; None if it is no member."""
    if family == "width":
        return float(run.options["width"])
    if family == "classes":
        return float(run.identity["classes"])
    return {"samples": 1.0, "label noise": 0.0}.get(family)


def task_row(growth, dense):
    """One task over seeds."""
    seeds = sorted(growth)
    fits = {s: last_fit(growth[s]) for s in seeds}
    stars = {str(s): fits[s][1] for s in seeds}
    test = lambda runs: {s: float(run.final["test_accuracy"]) for s, run in runs.items()}
    relative = [costs.density_epochs(growth[s]) / costs.density_epochs(dense[s]) for s in seeds if s in dense]
    return {
        "seeds": seeds,
        "outcomes": {o: [f[0] for f in fits.values()].count(o) for o in sorted({f[0] for f in fits.values()})},
        "d_star": stars,
        "stop": {str(s): float(growth[s].final["density"]) for s in seeds},
        "chance": 1 / float(growth[seeds[0]].identity["classes"]),
        "validation_images": int(growth[seeds[0]].identity["validation_images"]),
        "dense": interval(list(test(dense).values())) if dense else None,
        "gap": paired(test(growth), test(dense)),
        "cost": interval(relative) if relative else None,
    }


def concordance(levels, values):
    """Pairs of one seed that rise together less those that do not; ties count nothing."""
    return sum(
        np.sign(levels[j] - levels[i]) * np.sign(values[j] - values[i]) for i in range(len(levels)) for j in range(i)
    )


def trend_test(blocks, direction):
    """`blocks`: per seed (levels, values). Kendall's tau over the pairs within seeds, and the one-sided p value of a
    trend in `direction` under permutations of the values within every seed; None without two values in any seed."""
    blocks = [(levels, values) for levels, values in blocks if len(levels) > 1]
    pairs = sum(sum(a != b for a, b in itertools.combinations(levels, 2)) for levels, _ in blocks)
    if not pairs:
        return None
    observed = direction * sum(concordance(*block) for block in blocks)
    # The distribution over all seeds: all sums of one permutation of each, or draws of them.
    single = [
        [direction * concordance(levels, order) for order in itertools.permutations(values)]
        for levels, values in blocks
    ]
    count = math.prod(len(scores) for scores in single)
    if count <= MOST_EXACT:
        sums = np.zeros(1)
        for scores in single:
            sums = np.add.outer(sums, scores).ravel()
        p = float(np.mean(sums >= observed))
    else:
        draw = np.random.default_rng(1)
        sums = sum(draw.choice(scores, MOST_EXACT) for scores in single)
        p = float((1 + np.sum(sums >= observed)) / (1 + MOST_EXACT))
    return {
        "tau": float(direction * observed / pairs),
        "p": p,
        "values": sum(len(levels) for levels, _ in blocks),
        "seeds": len(blocks),
    }


def summarise(study):
    tasks, any_growth, place = {}, {}, {}
    dense = {study.parts[curve].of: runs for curve, runs in study.curves.items() if study.parts[curve].role == "dense"}
    for curve, runs in study.curves.items():
        part = study.parts[curve]
        if part.role == "growth":
            task = part.of
            any_growth[task] = next(iter(runs.values()))
            tasks[task] = task_row(runs, dense.get(task, {}))
            place[task] = (part.family, part.values["level"])
    families = {}
    for family, direction in EXPECTED.items():
        members = [(level, task) for task, (its_family, level) in place.items() if its_family == family]
        if members and BASE in tasks and level_of_base(family, any_growth[BASE]) is not None:
            members.append((level_of_base(family, any_growth[BASE]), BASE))
        members.sort()
        if not members:
            continue
        tests = {}
        for measure in ("d_star", "stop"):
            seeds = sorted({seed for _, task in members for seed in tasks[task][measure]})
            known = {
                seed: [
                    (level, tasks[task][measure][seed])
                    for level, task in members
                    if tasks[task][measure].get(seed) is not None
                ]
                for seed in seeds
            }
            tests[measure] = trend_test(
                [([x for x, _ in rows], [y for _, y in rows]) for rows in known.values()], direction
            )
        families[family] = {
            "expected": direction,
            "members": [{"level": level, "task": task} for level, task in members],
            **tests,
        }
    for measure in ("d_star", "stop"):
        tested = [f[measure] for f in families.values() if f[measure]]
        for test, p in zip(tested, holm([t["p"] for t in tested])):
            test["p_holm"] = p
    options = next(iter(any_growth.values())).options
    return {
        "epsilon": float(options["epsilon"]),
        "relative": options["epsilon-relative"] == "on",
        "tasks": tasks,
        "families": families,
    }


def centre(values):
    """Geometric mean and range of those that are there."""
    known = [v for v in values.values() if v is not None]
    if not known:
        return "-"
    return f"{math.exp(np.mean(np.log(known))):.2f} ({min(known):.2f} to {max(known):.2f}; n = {len(known)})"


def tables(summary):
    rows = []
    for task, row in summary["tasks"].items():
        outcomes = ", ".join(f'{n} {o.replace("_", " ")}' for o, n in row["outcomes"].items())
        rows.append(
            [
                task,
                centre(row["d_star"]),
                outcomes,
                centre(row["stop"]),
                "-" if row["dense"] is None else percent(row["dense"]["mean"], row["dense"]["half_interval"]),
                "-" if row["gap"] is None else phrases.points(row["gap"]),
                "-" if row["cost"] is None else number(row["cost"]["mean"], row["cost"]["half_interval"]),
            ]
        )
    unit = "of A(1) - chance" if summary["relative"] else "of accuracy"
    found = Table(
        "tasks",
        (
            f"What growth finds on each task, epsilon {100 * summary['epsilon']:g} % {unit}. d* of the last fit and"
            " density at which growth stopped: geometric mean (range) over seeds; test accuracy of dense, %, and of"
            " the grown mask after the same recipe on fresh weights minus it, points; density × epochs relative to"
            " dense. Mean ± 95 % t interval."
        ),
        ["task", "d*", "outcomes", "stopped at", "dense", "minus dense, points", "cost"],
        rows,
        [
            "Tasks with fewer training images have as many more epochs: the members of a family have the same updates.",
            "Label noise is in the training split alone.",
        ],
    )
    arrow = {1: "rises", -1: "falls"}
    rows = []
    for family, f in summary["families"].items():
        for measure, name in (("d_star", "d*"), ("stop", "stopped at")):
            test = f[measure]
            rows.append(
                [
                    family,
                    name,
                    arrow[f["expected"]],
                    *(
                        ("-", "-", "-", "-")
                        if test is None
                        else (
                            f'{test["values"]} ({test["seeds"]})',
                            number(test["tau"]),
                            f'{test["p"]:.4f}',
                            f'{test["p_holm"]:.4f}',
                        )
                    ),
                ]
            )
    trends = Table(
        "trends",
        (
            "Does d* follow the task? Expected direction with the family's quantity, written down before any run;"
            " Kendall's tau over pairs within seeds; one-sided p of that direction under permutations within seeds, and"
            " after Holm's correction over the families."
        ),
        ["family", "measure", "expected", "values (seeds)", "tau", "p", "p (Holm)"],
        rows,
    )
    return [found, trends]


def findings(summary):
    said = []
    for family, f in summary["families"].items():
        test = f["d_star"]
        expected = "rise" if f["expected"] > 0 else "fall"
        if test is None:
            said.append(
                phrases.Finding(
                    f"{family}: too few values of d* to test whether it {expected}s.", claims=["exploration"]
                )
            )
            continue
        result = "it does" if test["p_holm"] < phrases.LEVEL else "the data do not show it"
        said.append(
            phrases.Finding(
                (
                    f'd* was expected to {expected} with {family}: {result} (tau {test["tau"]:+.2f},'
                    f' {test["values"]} values of {test["seeds"]} seeds, p = {test["p"]:.4f}, after Holm'
                    f' {test["p_holm"]:.4f}).'
                ),
                claims=["exploration"],
            )
        )
    gaps = [row["gap"] for row in summary["tasks"].values() if row["gap"]]
    if gaps:
        said.append(
            phrases.Finding(
                (
                    f"The grown mask trained by the recipe, minus dense: {phrases.span(gaps)} on average;"
                    f" {phrases.counted(gaps, 'tasks')}."
                ),
                claims=["accuracy"],
            )
        )
    return said


def figures(summary, base):
    families = summary["families"]
    if not families:
        return []
    columns = 3 if len(families) > 4 else max(2, len(families))
    lines = math.ceil(len(families) / columns)
    look.new_figure(width=1, height=1)  # sets the style
    look.plt.close()
    figure, grid = look.plt.subplots(
        lines, columns, figsize=(3.5 * columns, 3.3 * lines), constrained_layout=True, squeeze=False, sharey=True
    )
    for axes in grid.ravel()[len(families) :]:
        axes.set_visible(False)
    low = min(
        v
        for row in summary["tasks"].values()
        for v in [*row["stop"].values(), *[d for d in row["d_star"].values() if d is not None]]
    )
    for axes, (family, f) in zip(grid.ravel(), families.items()):
        tasks = [summary["tasks"][m["task"]] for m in f["members"]]
        for index, seed in enumerate(sorted({s for task in tasks for s in task["stop"]})):
            shape = look.style(index)
            at = [i + 0.08 * (index - 1) for i in range(len(tasks))]
            star = [(x, t["d_star"].get(seed)) for x, t in zip(at, tasks) if t["d_star"].get(seed) is not None]
            stop = [(x, t["stop"][seed]) for x, t in zip(at, tasks) if seed in t["stop"]]
            if stop:
                axes.plot(
                    *zip(*stop),
                    color=shape["color"],
                    marker="_",
                    markersize=11,
                    linestyle="none",
                    label=f"stopped at, seed {seed}",
                )
            if star:
                axes.plot(*zip(*star), label=f"d*, seed {seed}", **shape)
        axes.set_xticks(range(len(tasks)), [f'{m["level"]:g}' for m in f["members"]])
        axes.set_xlim(-0.4, len(tasks) - 0.6)
        axes.set_xlabel(family)
        look.density_axis(axes, low, vertical=True)
        axes.set_ylabel("")
        test = f["d_star"]
        axes.set_title(
            f'expected to {"rise" if f["expected"] > 0 else "fall"}'
            + ("" if test is None else f': tau {test["tau"]:+.2f}, p (Holm) {test["p_holm"]:.3f}'),
            fontsize=10,
        )
    for axes in grid[:, 0]:
        axes.set_ylabel("density")
    grid[0, 0].legend(loc="best", fontsize=7.5)
    return [look.save(figure, base)]
