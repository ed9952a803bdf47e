#!/usr/bin/env python3
"""What accuracy costs, over all methods at once: accuracy over density with the cost as colour, and accuracy over cost.

    pareto.py [--results docs/results] [--into docs/results]

A point is a method at one setting, from the committed summaries: its test accuracy minus that of the dense training of
the recipe with the same seed, its density, and the training FLOPs of everything it did, a search included, over those
of that dense training. FLOPs are the cost that every summary has. A front holds the points that no other beats in
both directions; it is a maximum over means, so it looks better than it is.
"""

import argparse
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import figures as look
import tables
import texts
from phrases import points as difference_text
from study_runs import parts_of, read_summary

ROOT = Path(__file__).resolve().parents[1]
SCALES = ["smoke", "small", "medium", "full"]
BUDGETS = (0.35, 0.5, 1.0)  # of one dense training; beyond the last: a band of its own
# What a method begins with and which way it changes the mask.
KINDS = {
    "grow, then return": ["grow, then return"],
    "growth": [
        "growth",
        "growth, path",
        "growth, gradient",
        "growth, random",
        "growth, budget",
        "GCG, original rule",
        "GCG, weights kept",
        "GCG, weights rewound",
    ],
    "grow, then reallocate": [
        "grow, then reallocate",
        "hybrid at constant density",
        "hybrid, regrown by gradient",
    ],
    "pruning": [
        "IMP",
        "IMP, weights rewound",
        "IMP, rate rewound",
        "IMP, fine-tuned",
        "IMP, until a drop",
        "IMP until the loss turns",
        "static mask, then return",
        "gradual pruning",
        "gradual pruning, bisection",
        "gradual pruning, until a drop",
        "one-shot pruning",
        "one-shot pruning, all densities",
        "one-shot pruning, bisection",
        "AC/DC",
    ],
    "moving connections": ["SET", "RigL", "RigL, long intervals", "RigL, bisection", "RigL, equal cost", "GraNet"],
    "fixed mask": [
        "random, uniform",
        "random, ERK",
        "static ERK",
        "static ERK, bisection",
        "static ERK, equal cost",
        "PHEW",
        "magnitude at start",
        "SNIP",
        "GraSP",
        "SynFlow",
        "control: SynFlow shuffled",
    ],
    "dense": ["dense", "dense, other length", "small dense"],
}
KIND_OF = {family: kind for kind, families in KINDS.items() for family in families}


@dataclass(frozen=True)
class Point:
    family: str
    density: float  # of all connections of the network of the recipe
    cost: float  # training FLOPs over those of the dense training
    difference: dict  # test accuracy minus dense, paired by seed (intervals.paired)
    epochs: float
    experiment: str

    @property
    def kind(self):
        return KIND_OF[self.family]

    @property
    def band(self):
        """Which of the budgets it stays within; len(BUDGETS) beyond all of them."""
        return next((i for i, budget in enumerate(BUDGETS) if self.cost <= budget * 1.005), len(BUDGETS))

    @property
    def text(self):
        return (
            f"{self.family}: density {self.density:.3f}, {difference_text(self.difference)} points against dense"
            f" (n = {self.difference['seeds']}), {self.cost:.2f} of its FLOPs, {self.epochs:.0f} epochs"
        )


def points_of(summary):
    """The points of one summary; of those that have no differences to dense or no cost, none."""
    read = {
        "cost_accuracy": of_cost_accuracy,
        "discovery_cost": of_discovery_cost,
        "grow_return": of_grow_return,
        "methods_table": of_cells,
        "grow_reallocate": of_cells,
    }.get(summary["experiment"])
    return list(read(summary)) if read else []


def of_cost_accuracy(summary):
    for cell in summary["cells"].values():
        if cell["gap"] and cell["costs"]["flops"]:
            yield Point(
                cell["method"],
                cell["density"],
                cell["costs"]["flops"]["mean"],
                cell["gap"],
                cell["epochs"],
                summary["experiment"],
            )


def of_discovery_cost(summary):
    for name, p in summary["procedures"].items():
        gap = p["gap"] | {"mean": -p["gap"]["mean"]}  # kept there as accuracy lost
        epochs = p["epochs"]["mean"] if "epochs" in p else float("nan")
        yield Point(name, p["density"], p["cost"]["flops"]["mean"], gap, epochs, summary["experiment"])


def of_grow_return(summary):
    parts = parts_of(summary)
    for name, row in summary["rows"].items():
        if row["test_minus_dense"] and row["costs"]["flops"]:
            epochs = list(row["epochs"].values())
            yield Point(
                parts[name].family,
                row["density_mean"],
                row["costs"]["flops"]["mean"],
                row["test_minus_dense"],
                sum(epochs) / len(epochs),
                summary["experiment"],
            )


def of_cells(summary):
    parts = parts_of(summary)
    for name, cell in summary["cells"].items():
        if "gap" in cell and parts[name].density:
            yield Point(
                parts[name].family,
                float(parts[name].density),  # a narrower dense network is called by the density whose size it has
                cell["training_flops"],
                cell["gap"],
                cell["epochs"],
                summary["experiment"],
            )


def collect(folder):
    """(description, points) of the setting that has most points: one scale, one network, one set of images. Runs that
    two experiments share give one point."""
    groups = {}
    for path in sorted(folder.glob("*.summary.json")):
        summary = read_summary(path)
        if summary["scale"] in SCALES and path.name == f'{summary["experiment"]}-{summary["scale"]}.summary.json':
            key = (summary["scale"], tuple(summary["networks"]), tuple(summary["data_digests"]))
            groups.setdefault(key, []).append(summary)
    made = {}
    for key, summaries in groups.items():
        unlike = {}
        for point in (point for summary in summaries for point in points_of(summary)):
            unlike.setdefault((point.family, round(point.density, 4), round(point.cost, 6)), point)
        if unlike:
            made[key] = (summaries, list(unlike.values()))
    if not made:
        return None, []
    key = max(made, key=lambda k: len(made[k][1]))
    summaries, points = made[key]
    return f'{", ".join(key[1])} on {summaries[0]["data"]}, {key[0]} scale', points


def front(points, by):
    """The points that no other beats both in accuracy and in by(point), in ascending order of it."""
    best, kept = float("-inf"), []
    for point in sorted(points, key=lambda p: (by(p), -p.difference["mean"])):
        if point.difference["mean"] > best:
            best = point.difference["mean"]
            kept.append(point)
    return kept


def shape(kind):
    return look.MARKERS[list(KINDS).index(kind)]


def band_names():
    return [f"at most {budget:g}" for budget in BUDGETS] + [f"above {BUDGETS[-1]:g}"]


def steps(kept, by, end):
    """A front as a line of steps: what it has at or below a value, up to `end`."""
    xs, ys = [], []
    for i, point in enumerate(kept):
        if i:
            xs.append(by(point))
            ys.append(100 * kept[i - 1].difference["mean"])
        xs.append(by(point))
        ys.append(100 * point.difference["mean"])
    return [*xs, end], [*ys, ys[-1]]


def scatter(axes, points, by, colour):
    """Points by kind (shape) and colour; what cannot be a choice (controls) is drawn like the others."""
    for kind in KINDS:
        chosen = [p for p in points if p.kind == kind]
        if not chosen:
            continue
        drawn = axes.scatter(
            [by(p) for p in chosen],
            [100 * p.difference["mean"] for p in chosen],
            c=[colour(p) for p in chosen],
            marker=shape(kind),
            s=70 if kind == "grow, then return" else 38,
            linewidths=0.7,
            edgecolors="black",
            zorder=4 if kind == "grow, then return" else 3,
        )
        drawn.texts = [p.text for p in chosen]
    axes.axhline(0, color="#666666", linewidth=1, linestyle=(0, (4, 2)))
    axes.set_ylabel("test accuracy minus dense training, points")


def legend_handles(points, colours):
    line = look.plt.Line2D
    kinds = [k for k in KINDS if any(p.kind == k for p in points)]
    handles = [
        line([], [], marker=shape(k), color="white", markeredgecolor="black", markersize=7, label=k, linestyle="none")
        for k in kinds
    ]
    return handles + [
        line([], [], marker="o", color=colour, markersize=7, label=label, linestyle="none") for colour, label in colours
    ]


BAND_COLOURS = ["#0072B2", "#56B4E9", "#E69F00", "#BBBBBB"]


def lowest(points):
    """Where the axis of accuracy begins: one method that failed does not press all others together."""
    means = sorted(100 * p.difference["mean"] for p in points)
    return max(means[0], means[len(means) // 20] - 3) - 1.5


def below_note(points):
    """Names what the axis leaves out."""
    count = sum(100 * p.difference["mean"] < lowest(points) for p in points)
    return f"\n{count} point{'s' if count > 1 else ''} below the axis" if count else ""


def over_density(points, path):
    figure, axes = look.new_figure(width=7.2, height=5.6)
    scatter(axes, points, lambda p: p.density, lambda p: BAND_COLOURS[p.band])
    for band in reversed(range(len(BUDGETS))):  # the widest below: the fronts meet at low densities
        kept = front([p for p in points if p.band <= band], lambda p: p.density)
        if kept:
            line = steps(kept, lambda p: p.density, 1.0)
            axes.plot(*line, color=BAND_COLOURS[band], linewidth=2 + 2.2 * band, alpha=0.75, zorder=2)
    look.density_axis(axes, 0.93 * min(p.density for p in points), 1.07)
    axes.set_ylim(bottom=lowest(points))
    colours = list(zip(BAND_COLOURS, [f"cost {name}" for name in band_names()]))
    axes.set_title(
        "cost: training FLOPs of everything, one dense training = 1; lines: fronts within a budget"
        + below_note(points),
        fontsize=9,
    )
    bottom_legend(figure, legend_handles(points, colours))
    return look.save(figure, path)


def over_cost(points, path):
    figure, axes = look.new_figure(width=7.2, height=5.6)
    bins = [(0.075, "#000000"), (0.15, "#0072B2"), (0.3, "#56B4E9"), (0.6, "#E69F00"), (1.01, "#FFFFFF")]
    colour = lambda p: next(shade for limit, shade in bins if p.density <= limit)
    scatter(axes, points, lambda p: p.cost, colour)
    kept = front(points, lambda p: p.cost)
    line = steps(kept, lambda p: p.cost, max(p.cost for p in points))
    axes.plot(*line, color="#D55E00", linewidth=1.6, zorder=2)
    axes.set_xscale("log")
    ticks = [t for t in (0.05, 0.1, 0.2, 0.35, 0.5, 1, 2, 3) if t >= 0.8 * min(p.cost for p in points)]
    axes.xaxis.set_major_locator(look.FixedLocator(ticks))
    axes.xaxis.set_minor_locator(look.NullLocator())
    axes.xaxis.set_major_formatter(look.FuncFormatter(lambda value, _: f"{value:g}"))
    axes.set_xlabel("training FLOPs of everything, one dense training = 1")
    axes.set_ylim(bottom=lowest(points))
    names = ["density to 0.075", "to 0.15", "to 0.3", "to 0.6", "to 1"]
    handles = legend_handles(points, [])
    handles += [
        look.plt.Line2D(
            [], [], marker="o", color=shade, markeredgecolor="black", markersize=7, label=name, linestyle="none"
        )
        for (_, shade), name in zip(bins, names)
    ]
    axes.set_title("line: the highest means for a cost" + below_note(points), fontsize=9)
    bottom_legend(figure, handles)
    return look.save(figure, path)


def bottom_legend(figure, handles):
    figure.get_layout_engine().set(rect=(0, 0.13, 1, 0.87))
    figure.legend(handles=handles, loc="lower center", ncol=4, fontsize=8.5)


def figures(points, base):
    """[path of a PNG]: over density, over cost; none without points."""
    return [over_density(points, f"{base}-density"), over_cost(points, f"{base}-cost")] if points else []


def fronts(points):
    """[Table]: what stands on the fronts, budget by budget."""
    made = []
    for band, budget in enumerate(BUDGETS):
        kept = front([p for p in points if p.band <= band], lambda p: p.density)
        made.append(
            tables.Table(
                f"front-{str(budget).replace('.', '-')}",
                (
                    f"Highest mean test accuracy by density within {budget:g} of one dense training's FLOPs,"
                    " including the search: accuracy minus dense training of the same seed, points, mean ± 95 % t"
                    " interval."
                ),
                ["method", "density", "minus dense", "seeds", "cost", "epochs"],
                [
                    [
                        p.family,
                        f"{p.density:.3f}",
                        difference_text(p.difference),
                        str(p.difference["seeds"]),
                        f"{p.cost:.2f}",
                        "-" if p.epochs != p.epochs else f"{p.epochs:.0f}",
                    ]
                    for p in kept
                ],
            )
        )
    return made


def page(description, points):
    counted = Counter(p.experiment for p in points)
    return "\n".join(
        [
            (
                f"Accuracy, density and cost of all methods: {description}; {len(points)} settings from"
                f" {', '.join(f'{name} ({count})' for name, count in sorted(counted.items()))}. Made by"
                " analysis/pareto.py from the summaries beside this page."
            ),
            "",
            *(tables.markdown(table) for table in fronts(points)),
            (
                "Fronts are made of means: the best of many methods looks better than it is. Methods that keep their"
                " weights had more epochs in all than the dense training; the column says how many."
            ),
            "",
        ]
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--results", type=Path, default=ROOT / "docs" / "results", help="folder of the summaries")
    parser.add_argument("--into", type=Path, help="where the figures go; the summaries' folder if left out")
    arguments = parser.parse_args()
    into = arguments.into or arguments.results
    description, points = collect(arguments.results)
    if not points:
        parser.error(f"{arguments.results}: no summary there has accuracies with a cost")
    texts.make_folder(into)
    for path in figures(points, str(into / "pareto")):
        print("figure  ", path)
    texts.write(into / "pareto.md", page(description, points))


if __name__ == "__main__":
    main()
