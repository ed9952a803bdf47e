"""Sentences that follow from numbers by rule: nothing here presumes which way a result goes."""

import tables

LEVEL = 0.05
# Said where a 95 % interval contains 0, which does not show that two things are equal.
NO_DIFFERENCE = "no significant difference"

# What the original paper claims, as ours orders it.
CLAIMS = {
    "accuracy": "near-dense accuracy at moderate density",
    "cost": "total cost far below that of iterative magnitude pruning",
    "exploration": "a practical way to explore accuracy over density under a limited budget",
    "diversity": "structural diversity is kept",
    "limit": "growth alone does not reach the extreme sparsity of pruning or reallocation",
}


class Finding(str):
    """A sentence that knows what it bears on: claims of the original paper (keys of CLAIMS) and options of gcg_run
    (without "--")."""

    def __new__(cls, text, claims=(), options=()):
        unknown = set(claims) - set(CLAIMS)
        if unknown:
            raise ValueError(f"there is no claim {', '.join(sorted(unknown))}; there are {', '.join(CLAIMS)}")
        finding = super().__new__(cls, text)
        finding.claims, finding.options = tuple(claims), tuple(options)
        return finding


def points(difference, digits=1):
    """A difference of accuracies in points, with its sign and half interval."""
    mean, half = difference["mean"], difference["half_interval"]
    text = f"{100 * mean:+.{digits}f}"
    return text if half is None else f"{text} ± {100 * half:.{digits}f}"


def marked(difference, digits=1):
    """points(), with "*" where the difference survives Holm's correction at 5 %."""
    survives = difference.get("p_holm") is not None and difference["p_holm"] < LEVEL
    return points(difference, digits) + ("*" if survives else "")


def side(difference):
    """ "higher", "lower" or NO_DIFFERENCE: the 95 % interval against 0."""
    mean, half = difference["mean"], difference["half_interval"]
    if half is None or abs(mean) <= half:
        return NO_DIFFERENCE
    return "higher" if mean > 0 else "lower"


def holm(difference):
    """What Holm's correction leaves of a difference; nothing where it was not corrected."""
    p = difference.get("p_holm")
    return "" if p is None else f"; {'' if p < LEVEL else 'not '}significant after Holm's correction"


def but_not_after_holm(difference):
    """Said after a difference that is significant, where Holm's correction does not leave it so."""
    p = difference.get("p_holm")
    return "" if p is None or p < LEVEL else " (not significant after Holm's correction)"


def negated(difference):
    """The same difference the other way round."""
    return {**difference, "mean": -difference["mean"]}


def against(left, right, difference):
    """One sentence on a paired difference of accuracy, left minus right; begins in lower case."""
    n = difference["seeds"]
    if difference["half_interval"] is None:
        return f"{left} minus {right}: {points(difference)} points (one seed, no interval)."
    numbers = f"{points(difference)} points (n = {n})"
    if side(difference) == NO_DIFFERENCE:
        return f"there is no significant difference between {left} and {right}: {numbers}."
    holm = difference.get("p_holm")
    rest = "" if holm is None else f", {'also' if holm < LEVEL else 'but not'} significant after Holm's correction"
    more = "more" if side(difference) == "higher" else "less"
    return f"{left} is {more} accurate than {right}: {numbers}{rest}."


def counted(differences, what):
    """How many of several differences are significant: "significantly higher at 1 of 8 densities, lower at 0, no
    significant difference at 7"."""
    sides = [side(d) for d in differences]
    return (
        f'significantly higher at {sides.count("higher")} of {len(sides)} {what}, lower at {sides.count("lower")},'
        f" {NO_DIFFERENCE} at {sides.count(NO_DIFFERENCE)}"
    )


def surviving(differences):
    """How many of several differences are significant after Holm's correction, of those that were tested."""
    tested = [d for d in differences if d.get("p_holm") is not None]
    if not tested:
        return "one seed, not tested"
    return f"{sum(d['p_holm'] < LEVEL for d in tested)} of {len(tested)} significant after Holm's correction"


def networks(names):
    """Names of networks in a line; those that differ by their width alone share it: "resnet8 of width 4 and 16"."""
    widths = {}
    for name in names:
        network, _, width = name.partition(" of width ")
        widths.setdefault(network, []).append(int(width) if width else None)
    said = []
    for network, of in widths.items():
        if None in of:
            said.append(network)
        known = sorted(w for w in of if w is not None)
        if known:
            listed = [", ".join(map(str, known[:-1])), str(known[-1])]
            said.append(f"{network} of width " + " and ".join(part for part in listed if part))
    return ", ".join(said)


def first_upper(text):
    return text[:1].upper() + text[1:]


def span(differences):
    """The range of the mean differences, in points."""
    means = [d["mean"] for d in differences]
    return f"{100 * min(means):+.1f} to {100 * max(means):+.1f} points"


def accuracy(value):
    """An interval() of accuracies as percent."""
    return tables.percent(value["mean"], value["half_interval"]) + " %"


def holm_note(comparisons):
    return (
        f"*: differs from 0 at 5 % after Holm's correction for the {comparisons} comparisons of this table."
        if comparisons > 1
        else "One comparison, not corrected."
        if comparisons == 1
        else "One seed: no difference can be tested."
    )
