#!/usr/bin/env python3
"""Keeps the tables of a study's finished runs, without weights, masks and predictions: some 50 KB of text a run.

    keep_tables.py RUNS/EXPERIMENT-SCALE.json --into FOLDER

FOLDER gets the study file and NAME/tables.json for every finished run; analyse.py takes it as it takes a folder of
runs. Where the runs and their images lay is left out (--out, --data-dir). What is in it stays: so the seeds of several
machines, each with its own folder of runs, come together in one (a study with --set first-seed=N is kept with that of
the scale). A run that both have must be the same.
"""

import argparse
import itertools
import json
import shlex
import sys
from pathlib import Path

import numpy as np

import gcg_runs
import study_runs
import texts

SEED_CHANGE = "+first-seed="  # of a scale's name
PLACES = ("out", "data-dir")  # options that name folders of one machine


def plain(value):
    """The same for JSON: arrays become lists, numbers of numpy plain ones."""
    if isinstance(value, dict):
        return {str(name): plain(one) for name, one in value.items()}
    if isinstance(value, np.ndarray):
        return plain(value.tolist())
    if isinstance(value, (list, tuple)):
        return [plain(one) for one in value]
    return value.item() if isinstance(value, np.generic) else value


def kept_of(run):
    """What is kept of a run (gcg_runs.KEPT), and the numbers of its end."""
    final = {name: value for name, value in run.final.items() if np.ndim(value) == 0 and not isinstance(value, dict)}
    kept = plain({name: getattr(run, name) for name in gcg_runs.KEPT} | {"final": final})
    for name in PLACES:
        kept["options"].pop(name, None)
    table = kept["option_table"]
    stays = [name not in PLACES for name in table["name"]]
    kept["option_table"] = {column: list(itertools.compress(values, stays)) for column, values in table.items()}
    kept["identity"]["command"] = without_places(kept["identity"]["command"])
    return kept


def without_places(command):
    """A command without the options that name folders of one machine."""
    words = shlex.split(command)
    names = tuple(f"--{name}" for name in PLACES)
    kept = [word for i, word in enumerate(words) if word not in names and (i == 0 or words[i - 1] not in names)]
    return shlex.join(word for word in kept if not word.startswith(tuple(f"{name}=" for name in names)))


def entry_without_places(entry):
    """A run of a study file likewise."""
    options = {name: value for name, value in entry.get("options", {}).items() if name not in PLACES}
    return entry | {"command": without_places(entry.get("command", "")), "options": options}


def tables_text(run):
    kept = kept_of(run)
    content = {"version": gcg_runs.TABLES_VERSION, "sha256": gcg_runs.tables_digest(kept), "run": kept}
    return json.dumps(content, separators=(",", ":")) + "\n"


def joined(there, new):
    """The entries of two lists of a study's runs, those of the first one first; a run that both have must be planned
    alike."""
    by_run = {(entry["curve"], entry["seed"]): entry for entry in there}
    for entry in new:
        known = by_run.setdefault((entry["curve"], entry["seed"]), entry)
        if known["name"] != entry["name"]:
            sys.exit(
                f"{entry['curve']}, seed {entry['seed']}: is the run {entry['name']} here and {known['name']} there:"
                " these are two studies; keep them in two folders"
            )
    order = list(dict.fromkeys(curve for curve, _ in by_run))
    return sorted(by_run.values(), key=lambda entry: (order.index(entry["curve"]), entry["seed"]))


def trained(run):
    """What two runs of one identity have in common to the last bit, as text: their losses and accuracies."""
    return json.dumps(plain({name: column for name, column in run.trajectory.items() if name != "seconds"}))


def keep(path, into):
    """Keeps a study in the folder `into`; returns how many runs were added, and how many are there now."""
    study = study_runs.open_study(path)
    content = gcg_runs.read_study(path)
    scale = study.scale.split(SEED_CHANGE)[0]
    target = into / f"{study.experiment}-{scale}.json"
    there = gcg_runs.read_study(target)["runs"] if target.exists() else []
    content |= {"scale": scale, "runs": joined(there, [entry_without_places(entry) for entry in content["runs"]])}
    into.mkdir(parents=True, exist_ok=True)
    added = 0
    for run in study.runs():
        file = into / run.identity["name"] / gcg_runs.TABLES_NAME
        if file.exists():
            if trained(gcg_runs.load_tables(file)) != trained(run):
                sys.exit(
                    f"{file}: was trained otherwise than {run.path}: other data or another version; keep one of them"
                )
            continue
        file.parent.mkdir(exist_ok=True)
        texts.write(file, tables_text(run))
        added += 1
    texts.write(target, json.dumps(content, indent=1, sort_keys=True) + "\n")
    return added, len(list(into.glob(f"*/{gcg_runs.TABLES_NAME}")))


def main(argv=None):
    texts.degrade()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("study", type=Path, help="study file, RUNS/EXPERIMENT-SCALE.json")
    parser.add_argument("--into", type=Path, required=True, metavar="FOLDER", help="where they are kept")
    arguments = parser.parse_args(argv)
    added, count = keep(arguments.study, arguments.into)
    print(f"{arguments.into}: {added} runs added, {count} in all")


if __name__ == "__main__":
    main()
