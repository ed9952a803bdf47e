"""The runs of an experiment, by curve and seed, from the study file that the experiment wrote."""

import json
import sys
from dataclasses import dataclass, field, fields
from pathlib import Path

import gcg_runs

VERSION = 2  # of the study file


@dataclass(frozen=True)
class Part:
    """What a curve is, as the experiment says in its study file."""

    role: str  # growth, method, control, dense, mask, ...
    family: str  # method, rule or task: curves of a family differ in their values alone
    values: dict = field(default_factory=dict)  # {name: number}; "density" is the density asked for
    of: str = ""  # what it belongs to: the curve whose start or control it is; a task

    @property
    def density(self):
        """The density asked for as tables show it; "" if none was."""
        return f"{self.values['density']:.2f}" if "density" in self.values else ""


def parts_of(summary):
    """{curve: Part} of a summary."""
    return {curve: Part(**part) for curve, part in summary["parts"].items()}


def cells_of(parts):
    """{(family, density): curve} of all parts."""
    return {(part.family, part.density): curve for curve, part in parts.items()}


def with_role(parts, *roles):
    """The curves that have one of the roles, in their order."""
    return [curve for curve, part in parts.items() if part.role in roles]


@dataclass
class Study:
    """One experiment at one scale, as far as its runs are finished."""

    experiment: str
    scale: str
    folder: Path
    entries: list  # of the study file: curve, seed, name (of the run's folder), command
    parts: dict  # {curve: Part} of all curves, finished or not
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


def open_study(path):
    """The study of a study file, FOLDER/EXPERIMENT-SCALE.json, with its finished runs."""
    path = Path(path)
    if not path.exists():
        sys.exit(f"{path}: there is no such study; run the experiment first")
    try:
        content = json.loads(path.read_bytes())
    except json.JSONDecodeError as error:
        sys.exit(f"{path}: is no JSON file ({error}); give the experiment's command again, which writes it")
    if content.get("version") != VERSION:
        sys.exit(
            f"{path}: has version {content.get('version', 1)} of the list of runs, this analysis reads {VERSION}; give"
            " the experiment's command again: it writes the list anew and keeps what is finished"
        )
    entries = content["runs"]
    names = [each.name for each in fields(Part)]
    parts = {entry["curve"]: Part(**{name: entry[name] for name in names}) for entry in entries}
    study = Study(content["experiment"], content["scale"], path.parent, entries, parts)
    loaded = {}
    for entry in study.entries:
        name = entry["name"]
        if name not in loaded:
            run_file = study.folder / name / "run.h5"
            loaded[name] = gcg_runs.load(run_file) if run_file.exists() else None
        run = loaded[name]
        if run is not None and run.identity["name"] != name:
            sys.exit(
                f"{run.path}: is that of another run, {run.identity['name']}: it was copied there; give the"
                " experiment's command again"
            )
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
        [
            line
            for line in log.read_text(encoding="utf-8", errors="replace").splitlines()
            if line.startswith("gcg_run: ")
        ]
        if log.exists()
        else []
    )
    return said[-1].removeprefix("gcg_run: ") if said else ""
