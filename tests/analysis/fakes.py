"""Invented runs and studies: what the analysis reads of a run, with numbers that a reader can check by hand."""

from dataclasses import asdict
from types import SimpleNamespace

import numpy as np
from study_runs import Part


def run(
    accuracy=0.5,
    density=1.0,
    density_epochs=10.0,
    flops=100.0,
    epochs=10,
    seconds=10.0,
    method="gcg",
    options=None,
    defaults=None,
    warnings=(),
    **tables,
):
    """A finished run; flops are those of training; defaults {option: its default}. More tables (stages, statistics,
    trajectory, masks) by name."""
    options, defaults = options or {}, defaults or {}
    names = list(options)
    return SimpleNamespace(
        status="finished",
        failure="",
        warnings=list(warnings),
        identity={"method": method},
        host={"processor": "P"},
        options=options,
        option_table={
            "name": names,
            "value": list(options.values()),
            "affects_result": [True] * len(names),
            "is_default": [defaults.get(name) == value for name, value in options.items()],
        },
        final={"test_accuracy": accuracy, "density": density, "inference_flops": 8.0 * density},
        cost={
            "density_epochs": density_epochs,
            "training_flops": flops,
            "scoring_flops": 0.0,
            "dense_gradient_flops": 0.0,
            "train_seconds": seconds,
            "grow_seconds": 0.0,
            "evaluate_seconds": 0.0,
            "peak_memory_bytes": 1000.0,
            "epochs": epochs,
        },
        **{
            name: (
                {
                    column: np.array(values) if not isinstance(values, dict) else values
                    for column, values in table.items()
                }
                if name != "masks"
                else table
            )
            for name, table in tables.items()
        },
    )


def cell(family, density, role="method", of="", **values):
    """What a curve of a family is at a density."""
    return Part(role, family, {"density": density} | values, of)


def study(curves, failures=None, parts=None):
    """`parts` {curve: Part}; a curve without one is a method of its own name."""
    failures = failures or {}
    named = list(curves) + [curve for curve in failures if curve not in curves]
    entries = [
        {"curve": curve, "seed": seed, "name": f"{curve}-{seed}", "command": ""}
        for curve in named
        for seed in sorted({*curves.get(curve, {}), *failures.get(curve, {})})
    ]
    known = {curve: (parts or {}).get(curve, Part("dense" if curve == "dense" else "method", curve)) for curve in named}
    return SimpleNamespace(curves=curves, failures=failures, entries=entries, parts=known)


def summary_of(module, of_study):
    """What the module makes of a study, with what analyse.py puts beside it."""
    parts = {curve: asdict(part) for curve, part in of_study.parts.items()}
    return {"data": "images", "parts": parts} | module.summarise(of_study)


def row_of(table, first):
    """The cells of the row that begins so."""
    return next(row for row in table.rows if row[0] == first)


def table_of(made, name):
    return next(table for table in made if table.name == name)
