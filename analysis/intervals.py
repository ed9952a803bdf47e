"""Small statistics used by figures and tables."""

import math

import numpy as np
from scipy.special import stdtr, stdtrit


def t95(degrees):
    """The 97.5 % quantile of Student's t: half of a 95 % interval, in standard errors. NaN below one degree."""
    return float(stdtrit(degrees, 0.975)) if degrees >= 1 else math.nan


def mean_interval(values):
    """Mean and half width of its 95 % t interval over seeds; the half width is NaN for one value."""
    values = np.asarray(values, dtype=float)
    mean = float(values.mean())
    if len(values) < 2:
        return mean, math.nan
    return mean, float(t95(len(values) - 1) * values.std(ddof=1) / math.sqrt(len(values)))


def interval(values):
    """Mean, half width of its 95 % t interval (None for one value) and number of values, as JSON takes them."""
    mean, half = mean_interval(values)
    return {"mean": mean, "half_interval": half if math.isfinite(half) else None, "seeds": len(values)}


def paired(left, right):
    """Difference left - right of {seed: value}, by the seeds that both have: interval() with `by_seed` and the
    two-sided p value of "no difference" (None for fewer than two pairs); None without a pair."""
    seeds = sorted(set(left) & set(right))
    if not seeds:
        return None
    differences = [float(left[s] - right[s]) for s in seeds]
    return interval(differences) | {
        "by_seed": {str(s): d for s, d in zip(seeds, differences)},
        "p": t_test(differences),
    }


def t_test(differences):
    """Two-sided p value of Student's t test of mean 0; None for one value; 0 where all are equal and not 0."""
    n = len(differences)
    if n < 2:
        return None
    mean, deviation = float(np.mean(differences)), float(np.std(differences, ddof=1))
    if deviation == 0:
        return 0.0 if mean != 0 else 1.0
    return student_tail(abs(mean) / (deviation / math.sqrt(n)), n - 1)


def student_tail(t, degrees):
    """P(|T| > t) for Student's t."""
    return float(2 * stdtr(degrees, -t))


def holm(p_values):
    """Holm's adjusted p values, in the order given; None stays None and is not counted."""
    tests = sorted((p, i) for i, p in enumerate(p_values) if p is not None)
    adjusted, largest = [None] * len(p_values), 0.0
    for rank, (p, i) in enumerate(tests):
        largest = max(largest, min(1.0, (len(tests) - rank) * p))
        adjusted[i] = largest
    return adjusted


def holm_differences(differences):
    """Writes Holm's adjusted p value into every difference that paired() made; returns how many were compared."""
    for difference, p in zip(differences, holm([d["p"] for d in differences])):
        difference["p_holm"] = p
    return sum(d["p"] is not None for d in differences)


def logistic(density, parameters, chance):
    """The logistic curve of accuracy over log density; parameters (A1, k, dh)."""
    a1, k, dh = parameters
    return chance + (a1 - chance) / (1 + np.exp(-k * (np.log(density) - math.log(dh))))
