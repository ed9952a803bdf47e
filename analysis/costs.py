"""What a run cost, alone and relative to the dense training of the same seed."""

import math

import numpy as np

from intervals import interval

TRAINING = ("train_seconds", "grow_seconds")
WHOLE = ("train_seconds", "evaluate_seconds", "grow_seconds")
HARNESS = ("statistics_seconds", "record_seconds")  # measures of masks, checkpoints and run files: this harness's own


def flops(run):
    """Of training, with scoring sweeps and dense gradients."""
    return float(sum(run.cost[name] for name in ("training_flops", "scoring_flops", "dense_gradient_flops")))


def seconds(run, parts=WHOLE):
    return float(sum(run.cost[part] for part in parts))


def density_epochs(run):
    """Density x epochs: the sum over epochs of the density they were trained at."""
    return float(run.cost["density_epochs"])


def of_dense(read, runs, dense):
    """read(run) relative to the dense run of the same seed, over the seeds that have both: interval() with `by_seed`;
    None without any."""
    return of_seeds({seed: read(runs[seed]) / read(dense[seed]) for seed in sorted(runs) if seed in dense})


def over_seeds(read, runs):
    """read(run) over the seeds of runs: interval() with `by_seed`."""
    return of_seeds({seed: read(runs[seed]) for seed in sorted(runs)})


def of_seeds(values):
    """interval() of {seed: value} with `by_seed`; None without any."""
    return (
        interval(list(values.values())) | {"by_seed": {str(seed): float(value) for seed, value in values.items()}}
        if values
        else None
    )


def mean_parts(runs, parts=WHOLE + HARNESS):
    return {part: float(np.mean([run.cost[part] for run in runs])) for part in parts}


def last_stage(run):
    """Index of the last stage of growth in the tables of stages and fits."""
    return [i for i, phase in enumerate(run.stages["phase"]) if phase != "final"][-1]


def relative_costs(runs, dense):
    """The three costs of runs relative to the dense run of the same seed, as of_dense; None without such runs. Seconds
    are compared only where the dense run had the same type of processor."""
    alike = {
        seed: run
        for seed, run in runs.items()
        if seed in dense and run.host["processor"] == dense[seed].host["processor"]
    }
    return {
        "density_epochs": of_dense(density_epochs, runs, dense),
        "flops": of_dense(flops, runs, dense),
        "seconds": of_dense(lambda run: seconds(run, TRAINING), alike, dense),
    }


def test_accuracies(runs):
    return {seed: float(run.final["test_accuracy"]) for seed, run in runs.items()}


def interpolated(amount, known):
    """Accuracy at so many epochs or so much cost, linear in the logarithm between what is known; None outside of that.
    `known`: {amount: accuracy} of one seed."""
    amounts = sorted(known)
    if not amounts or not amounts[0] <= amount <= amounts[-1]:
        return None
    return float(np.interp(math.log(amount), [math.log(a) for a in amounts], [known[a] for a in amounts]))
