"""The runs of an experiment, by curve and seed, from the study file that the experiment wrote."""

import sys
from dataclasses import dataclass, field, fields
from pathlib import Path

import gcg_runs
import texts

VERSION = 2  # of the study file
# What every summary has (analyse.provenance).
PROVENANCE = (
    *("experiment", "scale", "data", "data_digests", "networks", "train_images", "validation_images", "test_images"),
    *("seeds", "runs", "run_seconds", "processors", "cores", "execution", "commits", "defaults_versions", "missing"),
)


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
    """The study of a study file, FOLDER/EXPERIMENT-SCALE.json, with its finished runs. A run that cannot be read is
    left out: it is among the missing with its reason, and standard error tells how many there are."""
    path = Path(path)
    try:
        content = gcg_runs.read_study(path)
    except gcg_runs.RunFileError as error:
        sys.exit(str(error))
    if content.get("version") != VERSION:
        sys.exit(
            f"{path}: has version {content.get('version', 1)} of the list of runs, this analysis reads {VERSION};"
            f" {gcg_runs.REWRITE}"
        )
    entries = content["runs"]
    if not all(isinstance(content.get(key), str) for key in ("experiment", "scale")) or not all(map(is_whole, entries)):
        sys.exit(f"{path}: does not say what its experiment and its runs are; {gcg_runs.REWRITE}")
    names = [each.name for each in fields(Part)]
    parts = {entry["curve"]: Part(**{name: entry[name] for name in names}) for entry in entries}
    study = Study(content["experiment"], content["scale"], path.parent, entries, parts)
    loaded, left_out = {}, {}
    for entry in study.entries:
        name = entry["name"]
        if name not in loaded:
            loaded[name] = None
            try:
                loaded[name] = gcg_runs.load_planned(study.folder, name)
            except gcg_runs.RunFileError as error:
                left_out[name] = str(error)
        run = loaded[name]
        if run is None or run.status != "finished":
            reason = left_out.get(name, "").removeprefix(f"{study.folder / name / 'run.h5'}: ")
            study.missing.append(f'{entry["curve"]}, seed {entry["seed"]}' + (f" ({reason})" if reason else ""))
            failure = "" if reason else failure_of(study.folder / name, run)
            if failure:
                study.failures.setdefault(entry["curve"], {})[entry["seed"]] = failure
        else:
            study.curves.setdefault(entry["curve"], {})[entry["seed"]] = run
    gcg_runs.tell_left_out(left_out.values(), len(loaded))
    return study


def is_whole(entry):
    """Whether an entry of a study file has what a Part and a command need."""
    return (
        all(isinstance(entry.get(key), str) for key in ("role", "family", "of", "command"))
        and isinstance(entry.get("values"), dict)
        and all(isinstance(value, (int, float)) for value in entry["values"].values())
    )


def read_summary(path):
    """The summary in a file; if it is none, the program ends with one message."""
    remedy = "make it anew: analyse.py FOLDER/EXPERIMENT-SCALE.json"
    summary = texts.read_json(path, remedy)
    lacks = [key for key in PROVENANCE if key not in summary] if isinstance(summary, dict) else PROVENANCE
    if lacks:
        sys.exit(f"{path}: is no summary: it lacks {', '.join(lacks)}; {remedy}")
    return summary


def read_replay(study):
    """What gcg_replay wrote beside a study file: {"runs": [...], "coverage": [...]}; None if it has not been run."""
    path = study.folder / f"{study.experiment}-{study.scale}.replay.json"
    if not path.exists():
        return None
    remedy = f"make it anew: gcg_replay {study.folder / f'{study.experiment}-{study.scale}.json'}"
    replay = texts.read_json(path, remedy)
    if not isinstance(replay, dict) or not {"runs", "coverage"} <= replay.keys():
        sys.exit(f"{path}: is no replay: it lacks runs and coverage; {remedy}")
    return replay


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
