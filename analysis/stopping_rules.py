"""Stopping rules on recorded trajectories: where each would have stopped, what that would have cost and lost, and
whether its d* is right. Of the experiment `extrapolation`."""

import itertools
import math

import numpy as np

import costs
from intervals import interval, paired
from study_runs import with_role
from tables import plain

DENSE = "dense"
OWN = "logistic"  # the extrapolator of the trunks


def stages_of(run):
    return [i for i, phase in enumerate(run.stages["phase"]) if phase == "stage"]


def test_accuracies(runs):
    return {seed: float(run.final["test_accuracy"]) for seed, run in runs.items()}


def stage_rows(run):
    """What was known after every stage of one run."""
    rows = []
    for i in stages_of(run):
        fit = {
            name: run.fits[name][i]
            for name in ("outcome", "d_star", "d_low", "d_high", "accuracy_at_one", "standard_error")
        }
        rows.append(
            {
                "density": float(run.stages["density"][i]),
                "accuracy": float(run.stages["validation_accuracy"][i]),
                "outcome": str(fit.pop("outcome")),
                "decision": str(run.stages["decision"][i]),
                **{name: plain(value) for name, value in fit.items()},
            }
        )
    return rows


def trunk_of(study):
    """The curve of growth that the masks are of."""
    return with_role(study.parts, "growth")[0]


def controls_of(study, dense):
    """Control (b) by stage: test accuracy below dense, paired by seed; validation likewise."""
    rows = []
    by_stage = {int(study.parts[c].values["stage"]): c for c in with_role(study.parts, "mask") if c in study.curves}
    # Up to the first that is missing.
    for stage in itertools.takewhile(by_stage.__contains__, itertools.count()):
        runs = study.curves[by_stage[stage]]
        gap = paired(test_accuracies(dense), test_accuracies(runs))
        below = paired(
            {s: float(r.final["validation_accuracy"]) for s, r in dense.items()},
            {s: float(r.final["validation_accuracy"]) for s, r in runs.items()},
        )
        rows.append(
            {
                "stage": stage,
                "density": float(np.mean([r.final["density"] for r in runs.values()])),
                "gap": gap,
                "validation_gap": below,
                "cost": {s: float(costs.density_epochs(r)) for s, r in runs.items()},
            }
        )
    return rows


def right_stage(gaps, epsilon):
    """The first stage from which on no gap is above epsilon; None if the last one is."""
    first = None
    for stage, gap in enumerate(gaps):
        if gap > epsilon:
            first = None
        elif first is None:
            first = stage
    return first


def verdict(densities, gaps, d_star, epsilon):
    """d* against control (b): "right" if the first mask at or above d* is within epsilon of dense and the one before is
    not; "too low" if it is not within; "too high" if the one before already is; None without a mask at or above it."""
    at = next((i for i, d in enumerate(densities) if d >= d_star), None)
    if at is None:
        return None
    if gaps[at] > epsilon:
        return "too low"
    return "right" if at == 0 or gaps[at - 1] > epsilon else "too high"


def path_cost(run, stop):
    """Density x epochs of growth up to and with stage `stop`."""
    rows = stages_of(run)[: stop + 1]
    return float(sum(run.stages["density"][i] * run.stages["epochs"][i] for i in rows))


def rule_name(rule):
    epsilon = f'{100 * rule["epsilon"]:g} {"% of A(1) - chance" if rule["epsilon_relative"] else "points"}'
    return f'{rule["extrapolator"]}, {epsilon}, from {rule["min_stages"]} stages on'


def rules_over_seeds(replay, study, dense, controls):
    """Every rule over the seeds: where it stops (the last recorded stage if it does not), what the mask of that stage
    loses against dense when it is trained by the recipe, and what growth until then and that training cost relative to
    dense."""
    gaps = {s: [row["gap"]["by_seed"].get(str(s)) for row in controls] for s in dense}
    found = {}
    for run in replay["runs"]:
        seed = run["seed"]
        trunk = study.curves.get(trunk_of(study), {}).get(seed)
        if run["curve"] != trunk_of(study) or trunk is None or seed not in dense:
            continue
        last = len(stages_of(trunk)) - 1
        for rule in run["rules"]:
            stop = rule["stop"] if 0 <= rule["stop"] <= last else last
            if stop >= len(controls) or gaps[seed][stop] is None:
                continue
            cost = path_cost(trunk, stop) + controls[stop]["cost"][seed]
            row = found.setdefault(
                rule_name(rule),
                {key: rule[key] for key in ("extrapolator", "epsilon", "epsilon_relative", "min_stages")}
                | {"seeds": [], "stop": [], "stopped": 0, "density": [], "lost": [], "cost": []},
            )
            row["seeds"].append(seed)
            row["stop"].append(stop)
            row["stopped"] += rule["stop"] >= 0
            row["density"].append(controls[stop]["density"])
            row["lost"].append(gaps[seed][stop])
            row["cost"].append(cost / costs.density_epochs(dense[seed]))
    for row in found.values():
        row["lost"] = interval(row["lost"])
        row["cost"] = interval(row["cost"])
        row["density"] = interval(row["density"])
    return found


def real_coverage(trajectories, controls, epsilon):
    """The interval of one seed's last fit against d* of control (b) of the same seed, of its mean, and against d* of
    the other seeds."""
    gap_means = [row["gap"]["mean"] for row in controls]
    counts = {"intervals": 0, "hold_control": 0, "controls": 0, "hold_other": 0, "others": 0}
    stars = {seed: rows[-1]["d_star"] for seed, rows in trajectories.items() if rows}
    first = right_stage(gap_means, epsilon) if gap_means else None
    for seed, rows in trajectories.items():
        low, high = rows[-1]["d_low"], rows[-1]["d_high"]
        if low is None:
            continue
        counts["intervals"] += 1
        if first is not None:
            # The control knows d* up to the step from the stage before.
            counts["controls"] += 1
            before = controls[first - 1]["density"] if first > 0 else 0.0
            counts["hold_control"] += low <= controls[first]["density"] and high >= before
        for other, star in stars.items():
            if other != seed and star is not None:
                counts["others"] += 1
                counts["hold_other"] += low <= star <= high
    return counts


def joint_fits(replay, study, curve):
    """{seed: what the joint fit of density and time says of the growth of a seed}, with the epochs of training that it
    speaks of: from the run file where that holds it, else from the replay; empty without both."""
    replayed = {run["seed"]: run.get("joint") for run in (replay or {"runs": []})["runs"] if run["curve"] == curve}
    found = {}
    for seed, trunk in study.curves.get(curve, {}).items():
        joint = joint_of(trunk) or replayed.get(seed)
        if joint:
            found[str(seed)] = {
                "outcome": joint["outcome"],
                "parameters": joint["parameters"],
                "d_star": joint["d_star"],
                "low": joint["union_low"],
                "high": joint["union_high"],
                "difference_error": joint["difference_error"],
                "epochs": trained_epochs(trunk),
            }
    return found


def trained_epochs(run):
    """Those that the joint fit compares densities after: the recipe's, or as many as growth had where no final training
    follows."""
    if run.options["final"] != "none":
        return float(run.options["epochs"])
    return float(sum(run.stages["epochs"][i] for i in stages_of(run)))


def joint_of(run):
    """The joint fit after the last stage of growth as the run file holds it; None where it does not."""
    table = getattr(run, "joint_fits", None)
    last = stages_of(run)[-1]
    if table is None or not np.all(np.isfinite(table["parameters"][last])):
        return None
    numbers = {name: plain(table[name][last]) for name in ("d_star", "union_low", "union_high", "difference_error")}
    return numbers | {
        "outcome": str(table["outcome"][last]),
        "parameters": [float(p) for p in table["parameters"][last]],
    }


def joint_accuracy(parameters, density, epochs):
    """A(d, t) of lib/extrapolate/joint.h at one density throughout; parameters a0, a1, log c, log alpha, gamma, log T,
    log b."""
    a0, a1, log_c, log_alpha, _, log_t, log_b = parameters
    plateau = a1 - math.exp(log_c) * np.asarray(density, dtype=float) ** -math.exp(log_alpha)
    return plateau - (plateau - a0) * (1 + epochs / math.exp(log_t)) ** -math.exp(log_b)
