"""The claims of the original paper with a verdict for growth alone and one for growing and returning, by fixed rules
from the committed summaries.

A verdict is a word and a sentence with the numbers behind it. Rules are stated at each function; none of them presumes
which way a result goes. What has no summary yet is "not measured".
"""

from dataclasses import dataclass

import phrases
from grow_return import COST, FACTOR, IMP, RETURN, cost_text, dense_text, epochs_text, not_below, span
from intervals import interval
from study_runs import parts_of, read_summary, with_role
from tables import number

SCALES = ["smoke", "small", "medium", "full"]
MARGIN = 0.02  # of accuracy: "near dense", for growth alone; the study's epsilon
HOLDS, FAILS, OPEN, UNMEASURED = "holds", "does not hold", "not decided", "not measured"


@dataclass(frozen=True)
class Verdict:
    word: str
    text: str = ""


@dataclass(frozen=True)
class Claim:
    name: str  # key of phrases.CLAIMS
    growth: Verdict
    returned: Verdict

    @property
    def statement(self):
        return phrases.CLAIMS[self.name]


def load(folder):
    """{experiment: summary} of a folder, the largest scale of each."""
    found = {}
    for scale in SCALES:
        for path in sorted(folder.glob(f"*-{scale}.summary.json")):
            summary = read_summary(path)
            if path.name == f'{summary["experiment"]}-{scale}.summary.json':
                found[summary["experiment"]] = summary
    return found


def claims(summaries):
    """[Claim] in the order of phrases.CLAIMS; `summaries`: {experiment: summary}."""
    rules = {
        "accuracy": (growth_accuracy, returned_accuracy),
        "cost": (growth_cost, returned_cost),
        "exploration": (growth_exploration, returned_exploration),
        "diversity": (growth_diversity, returned_diversity),
        "limit": (growth_limit, returned_limit),
    }
    return [Claim(name, *(rule(summaries) for rule in rules[name])) for name in phrases.CLAIMS]


def near(difference, margin):
    """Whether the 95 % interval of a difference to dense lies above -margin, below it, or on both sides."""
    if difference["half_interval"] is None:
        return OPEN
    low, high = difference["mean"] - difference["half_interval"], difference["mean"] + difference["half_interval"]
    return HOLDS if low >= -margin else FAILS if high < -margin else OPEN


def growth_accuracy(summaries):
    """The default pace (a tenth of the recipe's epochs per stage) to the lowest density of cost_accuracy: holds if the
    interval of its difference to dense lies above -MARGIN."""
    summary = summaries.get("cost_accuracy")
    if summary is None:
        return Verdict(UNMEASURED)
    cells = summary["cells"].values()
    dense = next((c for c in cells if c["method"] == "dense"), None)
    grown = [c for c in cells if c["method"] == "growth" and c["gap"]]
    pace = default_pace(dense) if dense else 2
    grown = sorted((c for c in grown if c["stage_epochs"] == pace), key=lambda c: c["density"])
    if not grown:
        return Verdict(UNMEASURED)
    cell = grown[0]
    text = (
        f"Growth to density {cell['asked_density']} ends {phrases.points(cell['gap'])} points from dense training"
        f" (n = {cell['gap']['seeds']}), after {number(cell['epochs'], digits=0)} epochs against"
        f" {number(dense['epochs'], digits=0)} and at"
        f" {cell['costs']['flops']['mean']:.2f} of its FLOPs"
    )
    equal = equal_epochs(summaries, float(cell["asked_density"]))
    return Verdict(near(cell["gap"], MARGIN), text + (f"; with equal epochs, {equal} points." if equal else "."))


def equal_epochs(summaries, density):
    """Difference to dense of path growth of the same number of epochs, as text; None where it is not measured."""
    summary = summaries.get("methods_table")
    if summary is None:
        return None
    for curve, part in parts_of(summary).items():
        cell = summary["cells"].get(curve, {})
        if part.family == "growth, path" and part.values.get("density") == density and "gap" in cell:
            return phrases.points(cell["gap"])
    return None


def returned_row(summaries):
    """The row of growing and returning with its difference to dense; None where there is none."""
    row = summaries.get("grow_return", {}).get("rows", {}).get(RETURN)
    return row if row and row["minus_dense"] else None


def returned_accuracy(summaries):
    """Holds if the interval of the difference to dense lies above -1 point, the margin of its experiment; the claims
    about growth have a margin of 2 points."""
    row = returned_row(summaries)
    if row is None:
        return Verdict(UNMEASURED)
    difference = row["minus_dense"]
    said = not_below(difference)
    text = (
        f"At density {span(row['density'].values())} it ends {phrases.points(difference)} points from"
        f" {dense_text(summaries['grow_return'])} (n = {difference['seeds']}),"
        f" after {epochs_text(row)} epochs: {said}"
    )
    longer, at_cost = row["minus_equally_long"], dense_at_equal_cost(summaries)
    yardsticks = [f"{phrases.points(longer)} points from dense training for equally many epochs"] if longer else []
    if at_cost:
        yardsticks.append(
            f"{phrases.points(at_cost)} points from dense training of equal density × epochs (n = {at_cost['seeds']})"
        )
    text += f"; {', '.join(yardsticks)}, interpolated." if yardsticks else "."
    return Verdict(HOLDS if said.startswith("not below") else FAILS if said.startswith("below") else OPEN, text)


def dense_at_equal_cost(summaries):
    """Growing and returning at the default pace minus dense training of the same density × epochs, as cost_accuracy has
    it; None where it is not measured."""
    summary = summaries.get("cost_accuracy", {})
    dense = next((c for c in summary.get("cells", {}).values() if c["method"] == "dense"), None)
    return next(
        (
            row
            for row in summary.get("searches", [])
            if dense
            and row["method"] == "dense"
            and row["equal"] == "density × epochs"
            and row["stage_epochs"] == default_pace(dense)
        ),
        None,
    )


def default_pace(dense):
    """Epochs per stage: a tenth of the recipe's, at least 2."""
    return max(2, round(0.1 * dense["epochs"]))


def growth_cost(summaries):
    """At equal density: holds if every IMP of cost_accuracy costs more and none is significantly more accurate. As a
    search: holds if IMP until a drop costs more."""
    equal, search = equal_density(summaries), as_search(summaries)
    if equal is None and search is None:
        return Verdict(UNMEASURED)
    words = {True: HOLDS, False: FAILS}
    if equal and search:
        word = HOLDS if equal[0] and search[0] else FAILS if not (equal[0] or search[0]) else None
        word = word or ("holds at equal density, not shown as a search" if equal[0] else "holds as a search alone")
    else:
        word = words[(equal or search)[0]]
    return Verdict(word, " ".join(part[1] for part in (equal, search) if part))


def equal_density(summaries):
    rows = [
        r for r in summaries.get("cost_accuracy", {}).get("comparisons", []) if r["method"].startswith("IMP")
    ]  # fine-tuned, rate and weights rewound
    if not rows:
        return None
    ratios = [r["density_epochs_ratio"]["mean"] for r in rows]
    worse = sum(phrases.side(r) == "lower" for r in rows)
    text = (
        f"At equal density and epochs per stage, iterative pruning costs {min(ratios):.1f} to {max(ratios):.1f} times"
        f" what growth costs (density × epochs); the accuracy of growth is {phrases.counted(rows, 'settings')}."
    )
    return min(ratios) > 1 and not worse, text


def as_search(summaries):
    summary = summaries.get("discovery_cost")
    if summary is None:
        return None
    growths = [name for name in with_role(parts_of(summary), "growth") if name in summary["procedures"]]
    other = summary["procedures"].get("IMP, until a drop")
    if not growths or other is None:
        return None
    cost = lambda p: number(p["cost"]["density_epochs"]["mean"], p["cost"]["density_epochs"]["half_interval"])
    grown = summary["procedures"][growths[0]]
    text = (
        f"As a search for the density, growth costs {cost(grown)} dense trainings and iterative pruning {cost(other)}"
        f" (n = {len(grown['seeds'])})."
    )
    return other["cost"]["density_epochs"]["mean"] > grown["cost"]["density_epochs"]["mean"], text


def cost_of_pruning(summaries):
    """What iterative pruning by the rule of the way back costs, over growing and returning, by every measure."""
    summary = summaries["grow_return"]
    own, other = (summary["rows"][name]["costs"] for name in (RETURN, IMP))
    times = [
        f"{other[measure]['mean'] / own[measure]['mean']:.1f} times as much in {unit}"
        for measure, unit in (("flops", "FLOPs"), ("seconds", "seconds"))
        if other[measure] and own[measure]
    ]
    octaves = summary["comparisons"][IMP]["octaves"]["mean"]
    return (
        "Iterative pruning by the same rule costs"
        f" {', '.join([f'{2 ** octaves:.1f} times as much in density × epochs', *times])}"
    )


def returned_cost(summaries):
    """Holds if iterative pruning by the same rule costs significantly more (density × epochs) and is not significantly
    more accurate; said with the measure. Its text has the other measures."""
    row, compared = returned_row(summaries), summaries.get("grow_return", {}).get("comparisons", {}).get(IMP)
    if row is None:
        return Verdict(UNMEASURED)
    cost = row["costs"]["density_epochs"]
    text = (
        f"Search and training cost {cost_text(cost)} dense trainings (density × epochs; FLOPs:"
        f" {cost_text(row['costs']['flops'])}; seconds, on a busy machine: {cost_text(row['costs']['seconds'])})"
    )
    if compared is None:
        return Verdict(OPEN, text + "; iterative pruning by the same rule has not been run.")
    octaves = compared["octaves"]
    text += (
        f". {cost_of_pruning(summaries)}; the accuracy of growing and returning relative to it is"
        f" {phrases.points(compared['accuracy'])} points (n = {compared['accuracy']['seeds']}"
        f"{phrases.holm(compared['accuracy'])})."
    )
    cheaper, side = phrases.side(octaves), phrases.side(compared["accuracy"])
    word = f"{HOLDS} in density × epochs" if cheaper == "higher" and side != "lower" else OPEN
    return Verdict(FAILS if cheaper == "lower" else word, text)


def oracle_text(summary):
    """The sparsest networks near dense in discovery_cost: of all, and of those that train as long as dense."""
    oracle = summary["oracle"]
    row = next((r for r in summary["grid"] if r["density"] == oracle["density"]), None)
    accuracy = f", {phrases.points(phrases.negated(row['gap']))} points" if row else ""
    text = (
        f"the sparsest network within {100 * summary['epsilon']:g} points of dense on average, of"
        f" {len(summary['grid'])} of fixed densities, has density {oracle['density']:.2f} ({oracle['family']}"
        f"{accuracy})"
    )
    equally_long = summary["family_oracles"].get("static ERK")
    if equally_long and equally_long["density"] != oracle["density"]:
        text += f", of those with a static mask by ERK, trained as long as dense, {equally_long['density']:.2f}"
    return text


def growth_exploration(summaries):
    """Holds if the density that growth ends at is within an octave of the smallest that is near dense, fails if its
    whole interval is beyond."""
    summary = summaries.get("discovery_cost")
    if summary is None:
        return Verdict(UNMEASURED)
    growths = [name for name in with_role(parts_of(summary), "growth") if name in summary["procedures"]]
    if not growths:
        return Verdict(UNMEASURED)
    grown = summary["procedures"][growths[0]]
    above = grown["octaves_above_oracle"]
    half = above["half_interval"] or 0
    word = HOLDS if above["mean"] + half <= 1 else FAILS if above["mean"] - half > 1 else OPEN
    return Verdict(
        word,
        (
            f"Its stopping rule ends at density {span(grown['densities'])}, {number(above['mean'], half, 1)} octaves"
            f" above {summary['oracle']['density']:.2f} (n = {len(grown['seeds'])}):"
            f" {oracle_text(summary)}."
        ),
    )


def returned_exploration(summaries):
    """By the aims of its experiment: cost at most .35 of a dense training, densities within a factor of 1.6; and the
    network there is near dense, by the margin of growth alone. Whether the density follows the task is said beside it.
    """
    row = returned_row(summaries)
    if row is None:
        return Verdict(UNMEASURED)
    densities = list(row["density"].values())
    cost = row["costs"]["density_epochs"]["mean"]
    factor = max(densities) / min(densities)
    if len(densities) < 2:
        return Verdict(OPEN, f"One seed found density {densities[0]:.3f} at {cost:.2f} of a dense training.")
    within = cost <= COST and factor <= FACTOR
    reached = near(row["minus_dense"], MARGIN)
    return Verdict(
        reached if within else FAILS,
        (
            f"It finds densities of {span(densities)}, a factor of {factor:.2f} over {len(densities)} seeds"
            f" (aim: {FACTOR:g}), at {cost:.2f} of a dense training (aim: {COST:g}),"
            f" {phrases.points(row['minus_dense'])} points from dense (within {100 * MARGIN:g} points: {reached})."
            + follows_the_task(summaries)
        ),
    )


def follows_the_task(summaries):
    """Whether the density that returning finds moves with the task as expected, family by family."""
    families = summaries.get("return_regime", {}).get("families", {})
    tested = {name: f["trend"]["p_holm"] < phrases.LEVEL for name, f in families.items() if f["trend"]}
    if not tested:
        return ""
    moved = [name for name, shown in tested.items() if shown]
    still = [name for name, shown in tested.items() if not shown]
    said = [f"The density moves with {' and '.join(moved)} as expected."] if moved else []
    said += [f"It shows no significant change with {', '.join(still)}."] if still else []
    return " " + " ".join(said)


def growth_diversity(summaries):
    """Holds if two seeds share at most a tenth more than random masks of their layer counts, at the density nearest
    .2."""
    found = summaries.get("bottleneck", {}).get("curves", {}).get("path, sampled")
    if not found or not found["between_seeds"]:
        return Verdict(UNMEASURED)
    stage = min(range(len(found["between_seeds"])), key=lambda i: abs(found["density"][i] - 0.2))
    pair = found["between_seeds"][stage]
    return Verdict(
        HOLDS if pair["jaccard"] <= 1.1 * pair["chance"] else FAILS,
        (
            f"At density {found['density'][stage]:.2f} the masks of two seeds have a Jaccard index of"
            f" {100 * pair['jaccard']:.0f} %, random masks with their layer counts {100 * pair['chance']:.0f} %"
            f" ({pair['pairs']} pairs)."
        ),
    )


def returned_diversity(summaries):
    """The same for the networks that searches with different seeds end with, of the task with most pairs, the first
    of them."""
    tasks = summaries.get("return_regime", {}).get("tasks", {}).values()
    found = max((t for t in tasks if t.get("between_seeds")), key=lambda t: t["between_seeds"]["pairs"], default=None)
    if found is None:
        return Verdict(UNMEASURED)
    pair = found["between_seeds"]
    densities = list(found["density"].values())
    return Verdict(
        HOLDS if pair["jaccard"] <= 1.1 * pair["chance"] else FAILS,
        (
            f"At density {span(densities)} the masks that two searches end with have a Jaccard index of"
            f" {100 * pair['jaccard']:.0f} %, random masks with their layer counts {100 * pair['chance']:.0f} %"
            f" ({pair['pairs']} pairs)."
        ),
    )


def growth_limit(summaries):
    """Holds if growth followed by reallocation is significantly more accurate at the lowest density, after Holm's
    correction for all that was compared there."""
    summary = summaries.get("grow_reallocate")
    if summary is None:
        return Verdict(UNMEASURED)
    alone = [d for d in summary["differences"] if d["method"] == "growth, path"]
    if not alone:
        return Verdict(UNMEASURED)
    lowest = min(alone, key=lambda d: float(d["density"]))
    side = phrases.side(lowest)
    corrected = lowest.get("p_holm") is None or lowest["p_holm"] < phrases.LEVEL
    return Verdict(
        HOLDS if side == "higher" and corrected else FAILS if side == "lower" and corrected else OPEN,
        (
            f"At density {lowest['density']}, growing past the target and then reallocating connections changes"
            f" accuracy by {phrases.points(lowest)} points compared with growth alone (n = {lowest['seeds']}"
            f"{phrases.holm(lowest)})."
        ),
    )


def returned_limit(summaries):
    row = returned_row(summaries)
    if row is None:
        return Verdict(UNMEASURED)
    mean = interval(list(row["density"].values()))["mean"]
    return Verdict(
        UNMEASURED,
        f"Its search ended at density {mean:.3f} on average, by a rule that stops where the loss turns: it does not"
        " look for extreme sparsity, and lower densities were not trained.",
    )
