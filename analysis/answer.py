"""What the study found, in sentences for a reader who has five minutes: the first thing in README and in the report.

Every sentence follows from the committed summaries by a fixed rule, whichever way the result goes; what has not been
measured has none. The claims of the source with their verdicts are in claims.py.
"""

import claims
import phrases
from grow_return import BUDGET, IMP, RETURN, RIGL, cost_text, dense_text, epochs_text, not_below, span
from study_runs import parts_of, with_role
from tables import number


def sentences(summaries):
    """[sentence]; `summaries`: {experiment: summary}."""
    rules = (near_dense, cost, longer_training, other_methods, stopping, growth_rule)
    return [said for said in (rule(summaries) for rule in rules) if said]


def near_dense(summaries):
    row = claims.returned_row(summaries)
    if row is None:
        return None
    difference = row["minus_dense"]
    return (
        f"Growing and returning ends at density {span(row['density'].values())}. Its accuracy relative to"
        f" {dense_text(summaries['grow_return'])} is {phrases.points(difference)} points (n = {difference['seeds']}):"
        f" {not_below(difference)}."
    )


def cost(summaries):
    row = claims.returned_row(summaries)
    if row is None:
        return None
    own = row["costs"]
    said = (
        f"With its search it costs {cost_text(own['density_epochs'])} dense trainings in density × epochs and"
        f" {cost_text(own['flops'])} in FLOPs (in seconds, on a busy machine, {cost_text(own['seconds'])})"
    )
    compared = summaries["grow_return"]["comparisons"].get(IMP)
    if compared is None:
        return said + "."
    more = {"higher": "below it", "lower": "above it"}.get(phrases.side(compared["accuracy"]))
    points = phrases.points(compared["accuracy"])
    accuracy = (
        f"ends {points.lstrip('+-')} points {more}{phrases.but_not_after_holm(compared['accuracy'])}"
        if more
        else f"ends with {phrases.NO_DIFFERENCE} ({points} points)"
    )
    return f"{said}. {claims.cost_of_pruning(summaries)}; it {accuracy}."


def other_methods(summaries):
    """Procedures that cost about as much as growing and returning: RigL, and growth without a way back."""
    summary = summaries.get("grow_return", {})
    own, said = summary.get("rows", {}).get(RETURN), []
    for name, subject in ((RIGL, "RigL"), (BUDGET, "growth to the density that its budget pays for, without return,")):
        row, compared = summary.get("rows", {}).get(name), summary.get("comparisons", {}).get(name)
        if not own or not row or not compared or compared["accuracy"]["half_interval"] is None:
            continue
        minus = phrases.negated(compared["accuracy"])
        side = {"higher": "is more accurate", "lower": "is less accurate"}.get(phrases.side(minus))
        said.append(
            f"{subject} at density {span(row['density'].values())} and cost"
            f" {row['costs']['density_epochs']['mean']:.2f} {side or 'shows ' + phrases.NO_DIFFERENCE}"
            f" ({phrases.points(minus)} points{phrases.holm(minus) if side else ''})"
        )
    n = compared["accuracy"]["seeds"] if said else 0
    return f"Compared with growing and returning, {'; '.join(said)} (n = {n})." if said else None


def longer_training(summaries):
    row = claims.returned_row(summaries)
    if row is None or not row["minus_equally_long"]:
        return None
    return (
        f"It trains for {epochs_text(row)} epochs in all. Relative to dense training for equally many epochs its"
        f" accuracy is {phrases.points(row['minus_equally_long'])} points (interpolated between dense lengths)."
    )


def stopping(summaries):
    summary = summaries.get("discovery_cost")
    if summary is None:
        return None
    growths = [name for name in with_role(parts_of(summary), "growth") if name in summary["procedures"]]
    if not growths:
        return None
    grown = summary["procedures"][growths[0]]
    paid = grown["cost"]["density_epochs"]
    return (
        f"Growth with the original paper's stopping rule ends at density {span(grown['densities'])} and costs"
        f" {number(paid['mean'], paid['half_interval'])} dense trainings (n = {len(grown['seeds'])});"
        f" {claims.oracle_text(summary)}."
    )


def growth_rule(summaries):
    rows = (summaries.get("growth_rules", {}).get("differences") or {}).get("rules", {}).get("random")
    if not rows:
        return None
    return (
        "Growth by path scores compared with random growth from the same seed mask: accuracy is"
        f" {phrases.counted(rows, 'densities')} (mean differences {phrases.span(rows)}; n = {rows[0]['seeds']})."
    )
