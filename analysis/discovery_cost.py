"""What it costs to find a density within epsilon of dense: growth against searches by pruning and by bisection, which
are replayed on finished runs.

A procedure is a rule that looks at validation accuracies and names the runs it needs: its cost is theirs, and the
network it ends with is one of them, trained by the whole recipe. Test accuracies are read for the report alone.
"""

import math

import numpy as np

import costs
import figures as look
import phrases
from intervals import holm_differences, interval, paired
from study_runs import parts_of, with_role
from tables import Table, number

DENSE = "dense"
COSTS = ("density_epochs", "flops", "seconds")


def price(run):
    """What a whole run cost, by the three measures."""
    return np.array([costs.density_epochs(run), costs.flops(run), costs.seconds(run, costs.TRAINING)])


def stage_price(run, rows):
    """What some rows of the stage table cost, masks changed for them included."""
    stages = run.stages
    return np.array(
        [
            sum(float(stages["density"][i]) * float(stages["epochs"][i]) for i in rows),
            sum(float(stages["training_flops"][i]) for i in rows),
            sum(float(stages["seconds"][i]) for i in rows),
        ]
    )


def validation(run):
    return float(run.final["validation_accuracy"])


def test_accuracies(runs):
    return {seed: float(run.final["test_accuracy"]) for seed, run in runs.items()}


def outcome(run, cost, trials, trainings):
    """How a procedure ended: with this network, at this cost; `trials` validation accuracies were looked at,
    `trainings` networks trained by the recipe."""
    return {
        "density": float(run.final["density"]),
        "validation": validation(run),
        "test": float(run.final["test_accuracy"]),
        "cost": cost,
        "epochs": int(sum(run.stages["epochs"])),
        "trials": trials,
        "trainings": trainings,
    }


def bisect(grid, within):
    """The smallest position of an ascending grid for which within() holds if it is monotone, and the positions looked
    at; len(grid) if none is found."""
    low, high, visited = 0, len(grid), []
    while low < high:
        middle = (low + high) // 2
        visited.append(middle)
        if within(grid[middle]):
            high = middle
        else:
            low = middle + 1
    return low, visited


def by_bisection(dense, grid, epsilon, cost_of=price):
    """`grid`: runs in ascending density. The dense run says what is to be reached."""
    target = validation(dense) - epsilon
    found, visited = bisect(grid, lambda run: validation(run) >= target)
    cost = price(dense) + sum((cost_of(grid[i]) for i in visited), np.zeros(3))
    return outcome(grid[found] if found < len(grid) else dense, cost, 1 + len(visited), 1 + len(visited))


def all_tried(dense, grid, epsilon, cost_of):
    """Every density is tried; the smallest that is within epsilon is taken."""
    target = validation(dense) - epsilon
    within = [run for run in grid if validation(run) >= target]
    cost = price(dense) + sum((cost_of(run) for run in grid), np.zeros(3))
    return outcome(within[0] if within else dense, cost, 1 + len(grid), 1 + len(grid))


def retraining(run):
    """Of one-shot pruning, beside the dense network that all densities share."""
    return stage_price(run, range(1, len(run.stages["stage"])))


def gradual_until_drop(dense, ends, epsilon):
    """Pruned towards the sparsest end until the validation accuracy is epsilon below that of the dense run in the same
    epoch; then the whole run to the end next above the density before the drop."""
    longest = ends[0]
    rows = longest.trajectory
    drop = next(
        (
            i
            for i in range(len(rows["epoch"]))
            if rows["validation_accuracy"][i] < dense.trajectory["validation_accuracy"][i] - epsilon
        ),
        None,
    )
    trials = len(rows["epoch"]) if drop is None else drop + 1
    if drop is None:
        return outcome(longest, price(dense) + price(longest), 2 * trials, 2)
    before = 1.0 if drop == 0 else float(rows["density"][drop - 1])
    seconds = float(rows["seconds"][drop]) / float(rows["seconds"][-1]) * price(longest)[2]
    watched = np.array([float(np.sum(rows["density"][: drop + 1])), float(rows["training_flops"][drop]), seconds])
    above = [run for run in ends if float(run.final["density"]) >= before * (1 - 1e-3)]
    if not above:
        return outcome(dense, price(dense) + watched, 2 * trials, 1)
    return outcome(above[0], price(dense) + watched + price(above[0]), 2 * trials, 2)


def rounds_until_drop(dense, ends, epsilon):
    """Iterative pruning until a round's validation accuracy is epsilon below the best before it. The network of the
    last round before that after which there is a whole training ends it; the dense recipe, if there is none."""
    ends = sorted(ends, key=lambda run: -float(run.final["density"]))  # by rounds
    longest = ends[-1]
    accuracy = [float(a) for a in longest.stages["validation_accuracy"]]
    short = len(accuracy) - 1  # the last training is the whole recipe
    drop = next((k for k in range(1, short) if accuracy[k] < max(accuracy[:k]) - epsilon), None)
    if drop is None:
        return outcome(longest, price(longest), short, 1)
    cost = stage_price(longest, range(drop + 1))
    reached = [run for run in ends if len(run.stages["stage"]) - 1 <= drop - 1]
    if not reached:
        return outcome(dense, cost + price(dense), drop + 1, 1)
    last = len(reached[-1].stages["stage"]) - 1
    return outcome(reached[-1], cost + stage_price(reached[-1], [last]), drop + 1, 1)


def growth(run):
    """One run: growth until its stop, and back where it returns, then the final training."""
    stages = sum(phase in ("stage", "return") for phase in run.stages["phase"])
    return outcome(run, price(run), stages, 1)


def of_family(runs, parts, family):
    """Runs of one family and one seed, in ascending density."""
    found = [run for curve, run in runs.items() if parts[curve].family == family]
    return sorted(found, key=lambda run: float(run.final["density"]))


def procedures(runs, parts, epsilon):
    """{procedure: outcome} of one seed's runs; procedures whose runs are missing are left out."""
    dense = runs[DENSE]
    result = {name: growth(runs[name]) for name in with_role(parts, "growth", "search") if name in runs}
    grids = {
        family: of_family(runs, parts, family)
        for family in ("static ERK", "RigL", "one-shot pruning", "gradual pruning", "IMP")
    }
    for family in ("static ERK", "RigL"):
        if grids[family]:
            result[f"{family}, bisection"] = by_bisection(dense, grids[family], epsilon)
    if grids["one-shot pruning"]:
        result["one-shot pruning, all densities"] = all_tried(dense, grids["one-shot pruning"], epsilon, retraining)
        result["one-shot pruning, bisection"] = by_bisection(dense, grids["one-shot pruning"], epsilon, retraining)
    if grids["gradual pruning"]:
        result["gradual pruning, bisection"] = by_bisection(dense, grids["gradual pruning"], epsilon)
        result["gradual pruning, until a drop"] = gradual_until_drop(dense, grids["gradual pruning"], epsilon)
    if grids["IMP"]:
        result["IMP, until a drop"] = rounds_until_drop(dense, grids["IMP"], epsilon)
    return result


def grid_gaps(study, dense):
    """Of every trained density of the grids: test accuracy below dense, paired by seed."""
    rows = []
    for curve, by_seed in study.curves.items():
        part = study.parts[curve]
        if not part.density:
            continue
        gap = paired(test_accuracies(dense), test_accuracies(by_seed))
        if gap:
            density = float(np.mean([run.final["density"] for run in by_seed.values()]))
            rows.append({"family": part.family, "density": density, "gap": gap})
    return sorted(rows, key=lambda row: (row["family"], row["density"]))


def oracle_of(rows, epsilon):
    """The smallest trained density whose mean test accuracy is within epsilon of dense; 1 if there is none."""
    within = [row for row in rows if row["gap"]["mean"] <= epsilon]
    best = min(within, key=lambda row: row["density"], default=None)
    return {"density": best["density"], "family": best["family"]} if best else {"density": 1.0, "family": DENSE}


def dense_by_epochs(study, seed):
    """{epochs: test accuracy} of the dense trainings of one seed."""
    runs = [
        study.curves[name][seed]
        for name in with_role(study.parts, "dense", "longer")
        if seed in study.curves.get(name, {})
    ]
    return {int(sum(run.stages["epochs"])): float(run.final["test_accuracy"]) for run in runs}


def minus_dense(by_seed, amount, longer):
    """Test accuracy minus that of dense training of `amount(outcome)` epochs, paired by seed; None unless every seed
    has dense training on both sides of that."""
    expected = {s: costs.interpolated(amount(result), longer[s]) for s, result in by_seed.items()}
    if None in expected.values():
        return None
    return paired({s: result["test"] for s, result in by_seed.items()}, expected)


def over_seeds(by_seed, dense, oracle, epsilon, longer):
    """One procedure: its outcomes over seeds; cost relative to the dense run of the seed. `longer`:
    dense_by_epochs() by seed."""
    seeds = sorted(by_seed)
    relative = {s: by_seed[s]["cost"] / price(dense[s]) for s in seeds}
    gap = {s: float(dense[s].final["test_accuracy"]) - by_seed[s]["test"] for s in seeds}
    return {
        "seeds": seeds,
        "densities": [by_seed[s]["density"] for s in seeds],
        "density": math.exp(float(np.mean([math.log(by_seed[s]["density"]) for s in seeds]))),
        "octaves_above_oracle": interval([math.log2(by_seed[s]["density"] / oracle["density"]) for s in seeds]),
        "test": interval([by_seed[s]["test"] for s in seeds]),
        "gap": paired(gap, {s: 0.0 for s in seeds}),
        "epochs": interval([float(by_seed[s]["epochs"]) for s in seeds]),
        "minus_equally_long": minus_dense(by_seed, lambda result: result["epochs"], longer),
        # Of dense training density × epochs are its epochs.
        "minus_equally_dear": minus_dense(by_seed, lambda result: float(result["cost"][0]), longer),
        "beyond_epsilon": interval([max(0.0, gap[s] - epsilon) for s in seeds]),
        "within": sum(gap[s] <= epsilon for s in seeds),
        "cost": {name: interval([float(relative[s][i]) for s in seeds]) for i, name in enumerate(COSTS)},
        "cost_by_seed": {str(s): float(relative[s][0]) for s in seeds},
        "trials": float(np.mean([by_seed[s]["trials"] for s in seeds])),
        "trainings": float(np.mean([by_seed[s]["trainings"] for s in seeds])),
    }


def summarise(study):
    dense = study.curves.get(DENSE, {})
    growths = [name for name in with_role(study.parts, "growth") if name in study.curves]
    grown = study.curves[growths[0]] if growths else {}
    epsilon = float(next(iter(grown.values())).options["epsilon"]) if grown else 0.02
    rows = grid_gaps(study, dense)
    oracle = oracle_of(rows, epsilon)
    found = {}
    for seed in dense:
        runs = {curve: by_seed[seed] for curve, by_seed in study.curves.items() if seed in by_seed}
        for name, result in procedures(runs, study.parts, epsilon).items():
            found.setdefault(name, {})[seed] = result
    longer = {seed: dense_by_epochs(study, seed) for seed in dense}
    result = {name: over_seeds(by_seed, dense, oracle, epsilon, longer) for name, by_seed in found.items()}
    against = {}
    reference = result.get(growths[0]) if growths else None
    if reference:
        for name, other in result.items():
            if name != growths[0]:
                logs = [{int(s): math.log2(c) for s, c in r["cost_by_seed"].items()} for r in (other, reference)]
                against[name] = paired(*logs)
    comparisons = holm_differences(list(against.values()))
    return {
        "epsilon": epsilon,
        "grid": rows,
        "oracle": oracle,
        "family_oracles": {
            family: oracle_of([row for row in rows if row["family"] == family], epsilon)
            for family in dict.fromkeys(row["family"] for row in rows)
        },
        "procedures": result,
        "cost_over_growth": against,
        "comparisons": comparisons,
    }


def grown_of(summary):
    """The procedures that are growth, the one that all others are compared with first."""
    return [name for name in with_role(parts_of(summary), "growth") if name in summary["procedures"]]


def span(values, digits=2):
    return (
        number(min(values), digits=digits)
        if max(values) - min(values) < 10**-digits
        else f"{min(values):.{digits}f} to {max(values):.{digits}f}"
    )


def tables(summary):
    epsilon = 100 * summary["epsilon"]
    first = next(iter(grown_of(summary)), "growth")
    rows = []
    for name, p in summary["procedures"].items():
        gap = phrases.negated(p["gap"])
        rows.append(
            [
                name,
                f'{p["density"]:.2f} ({span(p["densities"])})',
                phrases.points(gap),
                phrases.points(p["minus_equally_dear"]) if p.get("minus_equally_dear") else "-",
                phrases.points(p["minus_equally_long"]) if p.get("minus_equally_long") else "-",
                number(p["epochs"]["mean"], digits=0) if "epochs" in p else "-",
                f'{p["within"]} of {len(p["seeds"])}',
                *(number(p["cost"][c]["mean"], p["cost"][c]["half_interval"]) for c in COSTS),
                f'{p["trainings"]:.1f}',
                f'{p["trials"]:.1f}',
            ]
        )
    oracle = summary["oracle"]
    n = max((len(p["seeds"]) for p in summary["procedures"].values()), default=0)
    found = Table(
        "procedures",
        (
            f"Search for the smallest density within {epsilon:.1f} points of dense. Density that was found, geometric"
            " mean (range) over seeds; test accuracy minus that of the dense run of the same seed, points, and test"
            " accuracy minus that of dense training that costs as much (density × epochs of the whole search), and of"
            " dense training for as many epochs as the network it ends with had in all, linear in the logarithm of"
            " epochs between the dense runs (-: outside of them); whole cost"
            " of the search and of the final training relative to the dense run; trainings by the recipe, and"
            f" validation accuracies used for decisions. Mean ± 95 % t interval over seeds, n = {n}."
        ),
        [
            "procedure",
            "density",
            "minus dense",
            "minus dense, equal cost",
            "minus dense, equally long",
            "epochs",
            "within ε",
            "density × epochs",
            "FLOPs",
            "seconds",
            "trainings",
            "validations",
        ],
        rows,
        [
            (
                f'Oracle, from the test accuracies of all seeds: density {oracle["density"]:.3f} ({oracle["family"]}),'
                f' the smallest of {len(summary["grid"])} trained ones whose mean is within ε.'
            ),
            (
                "All searches except growth and IMP need the dense run, and its cost is included. Decisions are made on"
                " validation accuracies; nothing was tuned."
            ),
            (
                "Every network ends with one training by the whole recipe, but for searches that return (grow, then"
                " return; IMP until the loss turns): half of it, counted as one training. Their rule was chosen on"
                " seeds 1 to 6; on fresh seeds they stand in `grow_return`. Where weights are kept (growth, pruning) it"
                " was trained before that as well, longer than the dense run. The difference then mixes the effects"
                " of density and of longer training; with rewound weights and in both bisections of masks it is the"
                " effect of density alone."
            ),
            (
                "Seconds are rough: runs stand side by side, and other work may have used the machine. Experiment"
                " `wall_clock` measures seconds one run at a time."
            ),
        ],
    )
    gaps = Table(
        "grid",
        (
            "Test accuracy at the densities of the grids minus that of dense training, points, mean ± 95 % t interval"
            " over seeds."
        ),
        ["network", "density", "minus dense", "seeds"],
        [
            [
                row["family"],
                f'{row["density"]:.3f}',
                phrases.points(phrases.negated(row["gap"])),
                str(row["gap"]["seeds"]),
            ]
            for row in summary["grid"]
        ],
    )
    against = Table(
        "against_growth",
        (
            f"Cost (density × epochs) of the other searches over that of {first}, octaves: log2 of the ratio,"
            " paired by seed, mean ± 95 % t interval."
        ),
        ["procedure", "octaves", "p (Holm)"],
        [
            [name, number(d["mean"], d["half_interval"]), "-" if d["p_holm"] is None else f'{d["p_holm"]:.3f}']
            for name, d in summary["cost_over_growth"].items()
        ],
        [phrases.holm_note(summary["comparisons"])] if summary["cost_over_growth"] else [],
    )
    return [found, against, gaps]


def yardsticks_text(procedure):
    """What is left of it against dense training of equal cost, and of as many epochs."""
    known = {"equal density × epochs": "minus_equally_dear", "as many epochs": "minus_equally_long"}
    return "".join(
        f"; {phrases.points(procedure[key])} points against dense training of {words}"
        for words, key in known.items()
        if procedure.get(key)
    )


def findings(summary):
    sentences = []
    found = summary["procedures"]
    epsilon = summary["epsilon"]
    growths = grown_of(summary)
    for name in growths:
        if name in found:
            p = found[name]
            gap = p["gap"]
            upper = None if gap["half_interval"] is None else gap["mean"] + gap["half_interval"]
            margin = f"epsilon ({100 * epsilon:.1f} points)"
            verdict = (
                f"one seed cannot decide whether it is within {margin}"
                if upper is None
                else (
                    f"within {margin} by its whole 95 % interval"
                    if upper <= epsilon
                    else (
                        f"beyond {margin} by its whole 95 % interval"
                        if gap["mean"] - gap["half_interval"] > epsilon
                        else f"these seeds cannot tell whether it is within {margin}"
                    )
                )
            )
            octaves = p["octaves_above_oracle"]["mean"]
            sentences.append(
                f'{name} ends at density {p["density"]:.2f}, {abs(octaves):.1f} octaves'
                f' {"above" if octaves >= 0 else "below"} the oracle, with'
                f" {phrases.points(phrases.negated(gap))} points of test accuracy against dense training (n ="
                f' {gap["seeds"]}): {verdict}{yardsticks_text(p)}.'
            )
    if growths:
        first = growths[0]
        cheaper = [
            name
            for name, p in found.items()
            if name not in growths
            and p["cost"]["density_epochs"]["mean"] < found[first]["cost"]["density_epochs"]["mean"]
        ]
        sentences.append(
            f'{first} costs {number(found[first]["cost"]["density_epochs"]["mean"])} dense trainings (density ×'
            " epochs); " + (f'cheaper on average: {"; ".join(cheaper)}.' if cheaper else "no other search is cheaper.")
        )
        tested = [d for d in summary["cost_over_growth"].values() if d["p_holm"] is not None]
        if tested:
            dearer = sum(d["p_holm"] < phrases.LEVEL and d["mean"] > 0 for d in tested)
            cheap = sum(d["p_holm"] < phrases.LEVEL and d["mean"] < 0 for d in tested)
            sentences.append(
                f"Of {len(tested)} searches compared with it in cost, {dearer} are significantly more expensive after"
                f" Holm's correction and {cheap} cheaper."
            )
    within = [name for name, p in found.items() if p["within"] == len(p["seeds"])]
    sentences.append("Within epsilon at every seed: " + ("; ".join(within) if within else "none") + ".")
    return sentences


def figures(summary, base):
    if not summary["procedures"]:
        return []
    growths = grown_of(summary)
    figure, (left, right) = look.new_figure(width=11.0, height=5.2, columns=2)
    n = max(len(p["seeds"]) for p in summary["procedures"].values())
    for index, (name, p) in enumerate(summary["procedures"].items()):
        shape = {
            "color": look.COLOURS[index % 8],
            "marker": look.MARKERS[index % 8],
            "markersize": 8 if name in growths else 6.5,
            "linestyle": "none",
            "capsize": 2.5,
            "linewidth": 1,
            "markerfacecolor": look.COLOURS[index % 8] if index < 8 else "white",
        }
        cost, gap = p["cost"]["density_epochs"], phrases.negated(p["gap"])
        left.errorbar(
            cost["mean"],
            100 * gap["mean"],
            xerr=cost["half_interval"],
            yerr=None if gap["half_interval"] is None else 100 * gap["half_interval"],
            label=name,
            **shape,
        )
        right.errorbar(
            p["density"],
            100 * gap["mean"],
            xerr=[[max(0.0, p["density"] - min(p["densities"]))], [max(0.0, max(p["densities"]) - p["density"])]],
            yerr=None if gap["half_interval"] is None else 100 * gap["half_interval"],
            **shape,
        )
    for axes in (left, right):
        axes.axhline(-100 * summary["epsilon"], color="#666666", linestyle="--", linewidth=1)
        axes.axhline(0, color="#bbbbbb", linewidth=1)
        axes.set_ylabel("test accuracy minus dense training, points")
    left.annotate(
        "-ε",
        (1, -100 * summary["epsilon"]),
        xycoords=("axes fraction", "data"),
        xytext=(3, -3),
        textcoords="offset points",
    )
    left.set_xlabel("cost of search and final training\n(density × epochs, one dense training = 1)")
    left.set_xlim(left=0)
    low = min(min(p["densities"]) for p in summary["procedures"].values())
    look.density_axis(right, min(low, summary["oracle"]["density"]))
    right.axvline(summary["oracle"]["density"], color="#666666", linestyle=":", linewidth=1.4)
    right.annotate(
        "oracle",
        (summary["oracle"]["density"], 1),
        xycoords=("data", "axes fraction"),
        xytext=(4, -10),
        textcoords="offset points",
        fontsize=9,
    )
    right.set_xlabel("density that was found (range over seeds)")
    left.set_title(f"n = {n}; bars: 95 % t intervals", fontsize=10)
    figure.get_layout_engine().set(rect=(0, 0.2, 1, 0.8))
    figure.legend(loc="lower center", ncol=3)
    return [look.save(figure, base)]
