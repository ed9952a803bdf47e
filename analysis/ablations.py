"""One change at a time from the default growth: its effect on the final test accuracy, paired by seed, and on the
cost."""

import figures as look
import phrases
from costs import flops, of_seeds, relative_costs, test_accuracies
from intervals import holm_differences, paired
from study_runs import parts_of
from tables import Table, number, percent, plain

DEFAULT = "default"
# A trunk shares the default's past; it changes nothing.
NO_CHANGE = ("seed", "out", "data-dir", "threads", "trunk", "trunk-stage")


def changed_options(run, default):
    """Names of the options that affect the result and differ; the method alone where that differs. What comes with
    another choice, at its default, is no change."""
    if run.identity["method"] != default.identity["method"]:
        return ["method"]
    table = run.option_table

    def changes(name, at_default):
        return run.options[name] != default.options[name] if name in default.options else not at_default

    return sorted(
        str(name)
        for name, affects, at_default in zip(table["name"], table["affects_result"], table["is_default"])
        if affects and str(name) not in NO_CHANGE and changes(str(name), at_default)
    )


def row(curve, runs, default, dense):
    seeds = sorted(seed for seed in runs if seed in default)
    any_run = runs[seeds[0]]
    options = changed_options(any_run, default[seeds[0]])
    return {
        "change": curve,
        "options": {
            name: [str(default[seeds[0]].options.get(name, "-")), str(any_run.options.get(name, "-"))]
            for name in options
        },
        "epochs": int(any_run.cost["epochs"]),
        "accuracy": of_seeds({seed: test_accuracies(runs)[seed] for seed in seeds}),
        "difference": paired(test_accuracies(runs), test_accuracies(default)),
        "flops_ratio": of_seeds({seed: flops(runs[seed]) / flops(default[seed]) for seed in seeds}),
        "costs": relative_costs(runs, dense),
        "density": plain(any_run.final["density"]),
    }


def summarise(study):
    default, dense = study.curves.get(DEFAULT, {}), study.curves.get("dense", {})
    rows = [
        row(curve, runs, default, dense)
        for curve, runs in study.curves.items()
        if curve not in (DEFAULT, "dense") and any(seed in default for seed in runs)
    ]
    reference = None
    if default:
        reference = {
            "accuracy": of_seeds(test_accuracies(default)),
            "epochs": int(default[min(default)].cost["epochs"]),
            "gap": paired(test_accuracies(default), test_accuracies(dense)),
            "costs": relative_costs(default, dense),
        }
    return {"default": reference, "rows": rows, "tested": holm_differences([r["difference"] for r in rows])}


def p_text(value):
    return "-" if value is None else f"{value:.3f}"


def setting(r):
    return ", ".join(f"--{name} {new}" for name, (_, new) in r["options"].items() if name != "method") or "-"


def tables(summary):
    if not summary["default"]:
        return []
    default = summary["default"]
    cost = default["costs"]["flops"]
    rows = [
        [
            "default",
            "-",
            str(default["accuracy"]["seeds"]),
            percent(default["accuracy"]["mean"], default["accuracy"]["half_interval"]),
            "-",
            "-",
            "-",
            str(default["epochs"]),
            "1.00",
        ]
    ]
    for r in summary["rows"]:
        d = r["difference"]
        rows.append(
            [
                r["change"],
                setting(r),
                str(d["seeds"]),
                percent(r["accuracy"]["mean"], r["accuracy"]["half_interval"]),
                phrases.marked(d),
                p_text(d["p"]),
                p_text(d.get("p_holm")),
                str(r["epochs"]),
                number(r["flops_ratio"]["mean"]),
            ]
        )
    notes = [phrases.holm_note(summary["tested"])]
    if cost:
        notes.append(
            f'The default costs {number(cost["mean"], cost["half_interval"])} times the training FLOPs of the dense run'
            f' of the same seed and ends {phrases.points(default["gap"])} points from it.'
        )
    notes.append(
        "The intervals are not widened for the number of comparisons, the p values of the column p (Holm) are."
    )
    return [
        Table(
            "effects",
            (
                "One change at a time from the default growth: test accuracy after the final training, %, and its"
                " difference to the default, points, paired by seed; mean ± 95 % t interval over seeds; training FLOPs"
                " over those of the default."
            ),
            ["change", "options", "seeds", "test", "minus default", "p", "p (Holm)", "epochs", "FLOPs"],
            rows,
            notes,
        )
    ]


def findings(summary):
    rows = summary["rows"]
    tested = [r for r in rows if r["difference"]["p"] is not None]
    if not tested:
        return ["One seed: no effect can be tested."] if rows else []
    survive = [r for r in tested if r["difference"]["p_holm"] < phrases.LEVEL]
    sentences = [
        f"Of {len(tested)} changes of the default growth, {len(survive)} change the test accuracy significantly"
        f" after Holm's correction ({phrases.span([r['difference'] for r in tested])}; n ="
        f" {tested[0]['difference']['seeds']})."
    ]
    for r in tested:
        name = f'growth changed in "{r["change"]}"' if own_options(r) else f'"{r["change"]}"'
        sentences.append(phrases.first_upper(phrases.against(name, "the default growth", r["difference"])))
    return sentences


def own_options(r):
    return [name for name in r["options"] if name != "method"]


def effects(summary):
    """{option: what its changes did}, by the first option of each change."""
    found = {}
    for r in summary["rows"]:
        if r["difference"]["p"] is not None and own_options(r):
            found.setdefault(own_options(r)[0], []).append(f'{r["change"]} {phrases.marked(r["difference"])}')
    seeds = {r["difference"]["seeds"] for r in summary["rows"]}
    said = f"points of test accuracy (n = {' or '.join(map(str, sorted(seeds)))})"
    return {option: f"{'; '.join(changes)} {said}" for option, changes in found.items()}


def figures(summary, base):
    rows = summary["rows"]
    if not rows:
        return []
    figure, axes = look.new_figure(width=7.6, height=1.3 + 0.28 * len(rows))
    parts = parts_of(summary)
    groups = list(dict.fromkeys(parts[r["change"]].family for r in rows))
    for position, r in enumerate(rows):
        d = r["difference"]
        style = look.style(groups.index(parts[r["change"]].family)) | {"linestyle": "none"}
        if d.get("p_holm") is None or d["p_holm"] >= phrases.LEVEL:
            style["markerfacecolor"] = "white"
        axes.plot(
            [100 * value for value in d["by_seed"].values()],
            [position] * d["seeds"],
            "|",
            color="#888888",
            markersize=7,
        )
        axes.errorbar(
            [100 * d["mean"]], [position], xerr=[100 * (d["half_interval"] or 0)], capsize=3, elinewidth=1, **style
        )
    axes.axvline(0, color="black", linewidth=1)
    axes.set_yticks(range(len(rows)), [r["change"] for r in rows])
    axes.set_ylim(len(rows) - 0.5, -0.5)
    seeds = sorted({r["difference"]["seeds"] for r in rows})
    axes.set_xlabel("test accuracy minus that of the default growth, points")
    axes.set_title(
        (
            f"paired by seed (n = {' or '.join(map(str, seeds))}), 95 % t intervals; strokes: seeds;\nfilled: differs"
            " from 0 after Holm's correction"
        ),
        fontsize=9,
    )
    return [look.save(figure, base)]
