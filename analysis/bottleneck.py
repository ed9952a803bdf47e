"""What the masks of a growth path look like over density, by rule: tau-core, dead units, effective density, live
channels, diversity.

Structural diversity is the Jaccard index of masks that could have come out otherwise (1: the same connections), beside
what independent random masks with the same layer counts would have.
"""

import itertools

import numpy as np

import figures as look
import phrases
from intervals import holm_differences, interval, paired
from phrases import Finding
from tables import Table, number, percent

SAMPLED, GREEDY = "path, sampled", "path, greedy"

# name: (heading, digits, value at a mask: of the run, index of the mask)
MEASURES = {
    "core_of_narrowest": (
        "tau-core / narrowest layer",
        2,
        lambda run, i: run.statistics["tau_core_units"][i] / run.statistics["narrowest_layer"][i],
    ),
    "core_of_random": (
        "tau-core / that of a random mask",
        2,
        lambda run, i: run.statistics["tau_core_units"][i] / run.statistics["tau_core_units_random"][i],
    ),
    "disconnected": ("disconnected units", 1, lambda run, i: run.statistics["disconnected_units"][i]),
    "effective": (
        "effective / present connections",
        3,
        lambda run, i: run.statistics["effective_density"][i] / run.statistics["density"][i],
    ),
    "live_channels": ("fewest live channels", 1, lambda run, i: run.statistics["fewest_live_channels"][i]),
    "previous": ("overlap with the stage before", 2, lambda run, i: run.statistics["overlap_previous"][i]),
    "second_draw": ("overlap of the growth with a second draw", 2, lambda run, i: run.stages["growth_overlap"][i]),
}

TESTED = ("core_of_narrowest", "core_of_random", "disconnected", "live_channels")


def jaccard(left, right):
    """Of two masks, dictionaries of Boolean arrays by layer."""
    both = sum(int(np.sum(left[name] & right[name])) for name in left)
    either = sum(int(np.sum(left[name] | right[name])) for name in left)
    return both / either


def chance_jaccard(left, right, common=None):
    """Of expected counts, for masks drawn independently within their layers with the same counts; `common`: connections
    that both have anyway (the seed mask they grew from)."""
    expected = total = 0.0
    for name in left:
        size, a, b = left[name].size, int(left[name].sum()), int(right[name].sum())
        shared = 0 if common is None else int(common[name].sum())
        drawn = (a - shared) * (b - shared) / (size - shared) if size > shared else 0
        expected += shared + drawn
        total += a + b
    return expected / (total - expected)


def values(runs, read):
    """values[stage] = {seed: value}; stages that every seed has; a value that does not exist is left out."""
    stages = min(len(run.statistics["stage"]) for run in runs.values())
    result = []
    for i in range(stages):
        found = {seed: float(read(run, i)) for seed, run in runs.items()}
        result.append({seed: value for seed, value in found.items() if np.isfinite(value)})
    return result


def over_seeds(by_stage):
    return [interval(list(found.values())) if found else None for found in by_stage]


def between_seeds(runs):
    """Per stage: mean Jaccard index over pairs of seeds, and of chance; pairs share seeds, so there is no interval."""
    result = []
    for i in range(min(len(run.masks) for run in runs.values())):
        masks = [run.masks[int(run.statistics["stage"][i])] for run in runs.values()]
        pairs = list(itertools.combinations(masks, 2))
        if pairs:
            result.append(
                {
                    "jaccard": float(np.mean([jaccard(*pair) for pair in pairs])),
                    "chance": float(np.mean([chance_jaccard(*pair) for pair in pairs])),
                    "pairs": len(pairs),
                }
            )
    return result


def between_rules(runs, reference):
    """Per stage: Jaccard index with the mask of another rule at the same seed and stage, and of chance given the seed
    mask that both grew from; over seeds."""
    seeds = sorted(set(runs) & set(reference))
    if not seeds:
        return []
    stages = min(len(run.masks) for by_seed in (runs, reference) for seed, run in by_seed.items() if seed in seeds)
    result = []
    for i in range(stages):
        found, chance = [], []
        for seed in seeds:
            one, other = runs[seed].masks, reference[seed].masks
            stage = list(one)[i]
            first = {name: one[list(one)[0]][name] & other[list(other)[0]][name] for name in one[stage]}
            found.append(jaccard(one[stage], other[list(other)[i]]))
            chance.append(chance_jaccard(one[stage], other[list(other)[i]], first))
        result.append({"jaccard": interval(found), "chance": interval(chance)})
    return result


def curve(runs, reference):
    by_measure = {name: values(runs, read) for name, (_, _, read) in MEASURES.items()}
    return {
        "seeds": sorted(runs),
        "density": [
            float(np.mean(list(found.values()))) for found in values(runs, lambda run, i: run.statistics["density"][i])
        ],
        "measures": {name: over_seeds(found) for name, found in by_measure.items()},
        "between_seeds": between_seeds(runs),
        "with_sampled_path": between_rules(runs, reference) if reference is not None and reference is not runs else [],
    }


def differences(curves, left, right, measure):
    """left minus right, paired by seed: by stage after the first, whose mask is the same, and averaged over these
    stages. Only the average is tested: the measures of one stage are small whole numbers over whole numbers, and equal
    by chance in a few seeds.
    """
    read = MEASURES[measure][2]
    one, other = values(curves[left], read)[1:], values(curves[right], read)[1:]
    by_stage = [{seed: a[seed] - b[seed] for seed in sorted(set(a) & set(b))} for a, b in zip(one, other)]
    seeds = [seed for seed in by_stage[0] if all(seed in found for found in by_stage)] if by_stage else []
    if not seeds:
        return None
    mean = {seed: float(np.mean([found[seed] for found in by_stage])) for seed in seeds}
    return {
        "stages": [interval([found[seed] for seed in seeds]) for found in by_stage],
        "mean": paired(mean, dict.fromkeys(seeds, 0.0)),
    }


def constants(curves):
    """{measure: value} of the measures that are the same in every mask of every run: there is nothing to show or to
    test."""
    found = {}
    for name, (_, _, read) in MEASURES.items():
        seen = {value for runs in curves.values() for by_seed in values(runs, read) for value in by_seed.values()}
        if len(seen) == 1:
            found[name] = seen.pop()
    return found


def summarise(study):
    curves = study.curves
    reference = curves.get(SAMPLED)
    constant = constants(curves)
    against = {}
    for name in curves:
        if name != SAMPLED and SAMPLED in curves:
            found = {
                measure: differences(curves, name, SAMPLED, measure) for measure in TESTED if measure not in constant
            }
            against[name] = {measure: d for measure, d in found.items() if d}
    return {
        "curves": {name: curve(runs, reference) for name, runs in curves.items()},
        "constant": constant,
        "minus_sampled_path": against,
        "tested": holm_differences([d["mean"] for measures in against.values() for d in measures.values()]),
    }


def text(value, digits):
    return "-" if value is None else number(value["mean"], value["half_interval"], digits)


def padded(cells, length):
    return cells + ["-"] * (length - len(cells))


def tables(summary):
    curves = summary["curves"]
    densities = max((c["density"] for c in curves.values()), key=len)
    header = ["rule", "seeds", *(f"{d:.3f}" for d in densities)]
    made = []
    for name, (heading, digits, _) in MEASURES.items():
        if name in summary["constant"]:
            continue
        rows = [
            [rule, str(len(c["seeds"])), *padded([text(v, digits) for v in c["measures"][name]], len(densities))]
            for rule, c in curves.items()
        ]
        made.append(
            Table(
                name.replace("_", "-"),
                f"{heading[0].upper()}{heading[1:]}, by density of the stage; mean ± 95 % t interval over seeds.",
                header,
                rows,
            )
        )
    rows = [
        [
            rule,
            str(c["between_seeds"][0]["pairs"]),
            *padded(
                [f'{100 * v["jaccard"]:.0f} ({100 * v["chance"]:.0f})' for v in c["between_seeds"]], len(densities)
            ),
        ]
        for rule, c in curves.items()
        if c["between_seeds"]
    ]
    if rows:
        made.append(
            Table(
                "between-seeds",
                (
                    "Structural diversity between seeds: Jaccard index of the masks of two seeds at the same stage, %,"
                    " mean over pairs (in brackets: independent random masks with the same layer counts)."
                ),
                ["rule", "pairs", *header[2:]],
                rows,
                ["Pairs share seeds, so no interval is given. A low index is high diversity."],
            )
        )
    rows = [
        [
            rule,
            str(c["with_sampled_path"][0]["jaccard"]["seeds"]),
            *padded(
                [
                    f'{percent(v["jaccard"]["mean"], v["jaccard"]["half_interval"], 0)} '
                    f'({percent(v["chance"]["mean"], None, 0)})'
                    for v in c["with_sampled_path"]
                ],
                len(densities),
            ),
        ]
        for rule, c in curves.items()
        if c["with_sampled_path"]
    ]
    if rows:
        made.append(
            Table(
                "between-rules",
                (
                    "Jaccard index with the mask of sampled path growth of the same seed and stage, %, mean ± 95 % t"
                    " interval over seeds (in brackets: random growth of the same layer counts from the same seed"
                    " mask)."
                ),
                header,
                rows,
                [
                    "Sampled rules of one seed draw with the same random keys, which makes their first stages more"
                    " alike than the rules are."
                ],
            )
        )
    rows = [
        [
            rule,
            MEASURES[measure][0],
            str(d["mean"]["seeds"]),
            marked(d["mean"]),
            *padded([text(v, 2) for v in d["stages"]], len(densities) - 1),
        ]
        for rule, found in summary["minus_sampled_path"].items()
        for measure, d in found.items()
    ]
    if rows:
        made.append(
            Table(
                "minus-sampled",
                (
                    "The rule minus sampled path growth of the same seed: averaged over all stages after the first"
                    " (tested), and by the density of the stage; mean ± 95 % t interval over seeds."
                ),
                ["rule", "measure", "seeds", "all stages", *header[3:]],
                rows,
                [phrases.holm_note(summary["tested"]), *constant_note(summary)],
            )
        )
    return made


def constant_note(summary):
    if not summary["constant"]:
        return []
    return [
        "The same in every mask of every run: "
        + ", ".join(f"{MEASURES[name][0]} {value:g}" for name, value in summary["constant"].items())
        + "."
    ]


def marked(difference):
    star = "*" if difference.get("p_holm") is not None and difference["p_holm"] < phrases.LEVEL else ""
    return number(difference["mean"], difference["half_interval"]) + star


def findings(summary):
    sentences = []
    found = summary["minus_sampled_path"].get(GREEDY, {})
    for measure, d in found.items():
        said = (
            f"Greedy minus sampled path growth, {MEASURES[measure][0]}, average over the stages: {marked(d['mean'])} (n"
            f" = {d['mean']['seeds']}"
        )
        said += ")." if d["mean"].get("p_holm") is None else f"; p = {d['mean']['p_holm']:.3f} after Holm)."
        sentences.append(Finding(said, options=["selection"]))
    if found:
        sentences.append(Finding(bottleneck_sentence(found), claims=["diversity"], options=["selection"]))
    sentences += constant_note(summary)
    for name in (SAMPLED, GREEDY, "random"):
        c = summary["curves"].get(name)
        if c and c["between_seeds"]:
            stage = int(np.argmin(np.abs(np.log(np.array(c["density"][: len(c["between_seeds"])]) / 0.2))))
            found = c["between_seeds"][stage]
            sentences.append(
                Finding(
                    (
                        f"At density {c['density'][stage]:.2f} the masks of two seeds of growth \"{name}\" have a"
                        f" Jaccard index of {100 * found['jaccard']:.0f} % ({100 * found['chance']:.0f} % by chance at"
                        f" their layer counts; {found['pairs']} pairs)."
                    ),
                    claims=["diversity"],
                )
            )
    return sentences


def bottleneck_sentence(found):
    """The original paper's report, tested: a bottleneck is a smaller tau-core than sampled growth has."""
    rows = [found[measure]["mean"] for measure in ("core_of_narrowest", "core_of_random") if measure in found]
    sides = [phrases.side(row) for row in rows]
    if all(row["half_interval"] is None for row in rows):
        return "Whether greedy growth builds bottlenecks cannot be tested with one seed."
    if "lower" in sides and "higher" not in sides:
        verdict = "is confirmed here"
    elif "higher" in sides and "lower" not in sides:
        verdict = "is contradicted here: they are larger"
    elif "lower" in sides:
        verdict = "depends here on the reference for the tau-core"
    else:
        verdict = "is neither confirmed nor contradicted here"
    return (
        "The original paper's report that greedy growth builds bottlenecks (smaller tau-cores than sampled growth)"
        f" {verdict} (averages over the stages, n = {rows[0]['seeds']})."
    )


PANELS = ("core_of_narrowest", "core_of_random", "disconnected", "effective", "second_draw")


def figures(summary, base):
    shown = [name for name in PANELS if name not in summary["constant"]]
    columns = 3 if len(shown) > 3 else 2
    rows = -(-(len(shown) + 1) // columns)
    figure, axes = look.new_figure(width=1 + 3.8 * columns, height=0.6 + 3.5 * rows, columns=columns, rows=rows)
    panels = list(axes.flat)
    for panel in panels[len(shown) + 1 :]:
        panel.set_visible(False)
    last = panels[len(shown)]
    curves = summary["curves"]
    for index, (rule, c) in enumerate(curves.items()):
        style = look.style(index) | {"label": f'{rule} (n = {len(c["seeds"])})'}
        shift = 1.02 ** (index - (len(curves) - 1) / 2)  # beside each other, so that the intervals can be told apart
        for panel, measure in zip(panels, shown):
            points = [(d * shift, v) for d, v in zip(c["density"], c["measures"][measure]) if v is not None]
            if points:
                panel.errorbar(
                    [d for d, _ in points],
                    [v["mean"] for _, v in points],
                    [v["half_interval"] or 0 for _, v in points],
                    capsize=1.5,
                    elinewidth=0.7,
                    **style,
                )
        thin = {"color": style["color"], "linewidth": 0.9, "linestyle": (0, (1, 2))}
        if c["between_seeds"]:
            found, chance = ([v[name] for v in c["between_seeds"]] for name in ("jaccard", "chance"))
        else:
            found, chance = ([v[name]["mean"] for v in c["with_sampled_path"]] for name in ("jaccard", "chance"))
        last.plot(c["density"][: len(found)], found, **style)
        last.plot(c["density"][: len(found)], chance, **thin)
    several = any(c["between_seeds"] for c in curves.values())
    titles = [MEASURES[name][0] for name in shown] + [
        "Jaccard index between seeds" if several else "Jaccard index with sampled path growth"
    ]
    titles[-1] += "\n(thin dots: random masks, same layer counts)"
    densities = [d for c in curves.values() for d in c["density"]]
    for panel, title in zip(panels, titles):
        look.density_axis(panel, min(densities), max(densities))
        panel.set_title(title, fontsize=10)
    look.legend_below(figure, panels[0], columns=3)
    return [look.save(figure, base)]
