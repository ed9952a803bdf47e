"""Small statistics used by figures and tables (no SciPy: the tables are the textbook's)."""

import math

import numpy as np

# Two-sided 95 % points of Student's t by degrees of freedom; 1.96 from 121 on.
_T95 = {
    1: 12.706, 2: 4.303, 3: 3.182, 4: 2.776, 5: 2.571, 6: 2.447, 7: 2.365, 8: 2.306, 9: 2.262,
    10: 2.228, 12: 2.179, 15: 2.131, 20: 2.086, 30: 2.042, 60: 2.000, 120: 1.980,
}


def t95(degrees):
    """The 97.5 % quantile of Student's t: that of the next smaller tabulated degree (never too narrow)."""
    if degrees < 1:
        return math.nan
    return _T95[max(d for d in _T95 if d <= degrees)]


def mean_interval(values):
    """Mean and half width of its 95 % t interval over seeds; the half width is NaN for one value."""
    values = np.asarray(values, dtype=float)
    mean = float(values.mean())
    if len(values) < 2:
        return mean, math.nan
    return mean, float(t95(len(values) - 1) * values.std(ddof=1) / math.sqrt(len(values)))


def logistic(density, parameters, chance):
    """The logistic curve of accuracy over log density; parameters (A1, k, dh)."""
    a1, k, dh = parameters
    return chance + (a1 - chance) / (1 + np.exp(-k * (np.log(density) - math.log(dh))))


def logistic_band(density, stage_density, samples, parameters, chance):
    """Half width of the pointwise 95 % band of a fitted logistic: delta method with the binomial
    noise of the stages' validation accuracies (what the fit was weighted by)."""

    def slopes(x):
        a1, k, dh = parameters
        share = 1 / (1 + np.exp(-k * (np.log(x) - math.log(dh))))
        inner = (a1 - chance) * share * (1 - share)
        return np.stack([share, inner * (np.log(x) - math.log(dh)), -inner * k], axis=1)

    fitted = logistic(stage_density, parameters, chance)
    weights = samples / (fitted * (1 - fitted))
    at_stages = slopes(stage_density)
    covariance = np.linalg.pinv(at_stages.T @ (weights[:, None] * at_stages))
    at = slopes(density)
    return 1.96 * np.sqrt(np.einsum("ni,ij,nj->n", at, covariance, at))
