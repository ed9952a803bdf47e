"""The runs of an experiment, by curve and seed, from the study file that the experiment wrote."""

import json
import sys
from pathlib import Path

import gcg_runs


def load_study(folder, experiment, scale):
    """{curve: {seed: Run}} of the finished runs and a list of those that are missing."""
    path = Path(folder) / f"{experiment}-{scale}.json"
    if not path.exists():
        sys.exit(f"{path}: there is no such study; run the experiment first")
    study = json.loads(path.read_text())
    curves, missing = {}, []
    for entry in study["runs"]:
        run_file = Path(folder) / entry["name"] / "run.h5"
        run = gcg_runs.load(run_file) if run_file.exists() else None
        if run is None or run.status != "finished":
            missing.append(f'{entry["curve"]}, seed {entry["seed"]}')
        else:
            curves.setdefault(entry["curve"], {})[entry["seed"]] = run
    return curves, missing
