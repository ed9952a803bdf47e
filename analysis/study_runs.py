"""The runs of an experiment, by curve and seed, from the study file that the experiment wrote."""

import json
import sys
from dataclasses import dataclass, field
from pathlib import Path

import gcg_runs


@dataclass
class Study:
    """One experiment at one scale, as far as its runs are finished."""

    experiment: str
    scale: str
    folder: Path
    entries: list  # of the study file: curve, seed, name (of the run's folder), command
    curves: dict = field(default_factory=dict)  # {curve: {seed: Run}}
    missing: list = field(default_factory=list)  # "CURVE, seed N"
    failures: dict = field(
        default_factory=dict
    )  # {curve: {seed: text}} of those of the missing that ended with an error

    def any_run(self):
        return next(iter(next(iter(self.curves.values())).values()))

    def runs(self):
        """Every run once, also where two curves share it."""
        return list(
            {run.identity["name"]: run for by_seed in self.curves.values() for run in by_seed.values()}.values()
        )


def open_study(folder, experiment, scale):
    """The study with its finished runs."""
    path = Path(folder) / f"{experiment}-{scale}.json"
    if not path.exists():
        sys.exit(f"{path}: there is no such study; run the experiment first")
    study = Study(experiment, scale, Path(folder), json.loads(path.read_text())["runs"])
    loaded = {}
    for entry in study.entries:
        name = entry["name"]
        if name not in loaded:
            run_file = study.folder / name / "run.h5"
            loaded[name] = gcg_runs.load(run_file) if run_file.exists() else None
        run = loaded[name]
        if run is None or run.status != "finished":
            study.missing.append(f'{entry["curve"]}, seed {entry["seed"]}')
            failure = failure_of(study.folder / name, run)
            if failure:
                study.failures.setdefault(entry["curve"], {})[entry["seed"]] = failure
        else:
            study.curves.setdefault(entry["curve"], {})[entry["seed"]] = run
    return study


def failure_of(folder, run):
    """Why a run ended with an error: its run file says it, or, where it failed before there was one, its log; "" if it
    did not."""
    if run is not None:
        return run.failure if run.status == "failed" else ""
    log = folder / "log.txt"
    said = (
        [line for line in log.read_text(errors="replace").splitlines() if line.startswith("gcg_run: ")]
        if log.exists()
        else []
    )
    return said[-1].removeprefix("gcg_run: ") if said else ""


def load_study(folder, experiment, scale):
    """{curve: {seed: Run}} of the finished runs and a list of those that are missing."""
    study = open_study(folder, experiment, scale)
    return study.curves, study.missing
