"""Run files that tests change, and a study of them. GCG_SAMPLE_RUN names a run file."""

import contextlib
import hashlib
import json
import os
import shutil

import h5py

import gcg_runs

# Of a study file: a run, and what stands beside the runs.
ENTRY = {"curve": "a", "seed": 1, "name": "one", "command": "", "role": "method", "family": "a", "values": {}, "of": ""}
STUDY = {"version": 2, "experiment": "toy", "scale": "smoke"}
# An experiment of one curve, as analyse.py reads it; its caption has letters that ASCII and Latin-1 lack.
TOY = """
import tables as pages
def summarise(study):
    return {"accuracy": {str(seed): run.final["test_accuracy"] for seed, run in study.curves["a"].items()}}
def tables(summary):
    rows = [[seed, str(value)] for seed, value in summary["accuracy"].items()]
    return [pages.Table("toy", "Grün ± ā", ["seed", "accuracy"], rows)]
def figures(summary, base):
    return []
"""


@contextlib.contextmanager
def edited(path):
    """A run file opened by h5py for changes, whose checksum is made right afterwards."""
    with h5py.File(path, "a") as file:
        yield file
    content = path.read_bytes()
    path.write_bytes(content + gcg_runs.TRAILER + hashlib.sha256(content).digest())


def toy_study(folder, names):
    """The study file of finished runs of these names, seeds from 0 on, and beside it their experiment, toy.py."""
    for name in names:
        path = folder / name / "run.h5"
        path.parent.mkdir(parents=True)
        shutil.copy(os.environ["GCG_SAMPLE_RUN"], path)
        with edited(path) as file:
            file["identity"].attrs["name"] = name
            file["identity"].attrs["method"] = "dense"
            file["options/name"][2], file["options/value"][2] = b"width", b"0"
    entries = [ENTRY | {"seed": seed, "name": name} for seed, name in enumerate(names)]
    path = folder / "toy-smoke.json"
    path.write_text(json.dumps(STUDY | {"runs": entries}))
    (folder / "toy.py").write_text(TOY, encoding="utf-8")
    return path
