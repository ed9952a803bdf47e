#!/usr/bin/env python3
"""Keeps the tables of a study's finished runs, without weights, masks and predictions: some 50 KB of text a run.

    keep_tables.py RUNS/EXPERIMENT-SCALE.json --into FOLDER

FOLDER gets the study file and NAME/tables.json for every finished run; analyse.py takes it as it takes a folder of
runs. Where the runs and their images lay is left out (--out, --data-dir). What is in it stays: so the seeds of several
machines, each with its own folder of runs, come together in one (a study with --set first-seed=N is kept with that of
the scale). They must be seeds of one study: the same data and settings, every curve with the same options, and a run
that both have must be the same.
"""

import argparse
import itertools
import json
import re
import shlex
import sys
from pathlib import Path

import numpy as np

import gcg_runs
import study_runs
import texts

SEED_CHANGE = re.compile(r"\+first-seed=\d+(?=\+|$)")  # of a scale's name
SEED_SETTINGS = ("seeds", "first-seed")
PLACES = ("out", "data-dir")  # options that name folders of one machine
APART = "these are two studies; keep them in two folders"


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


def differences(here, there):
    """["NAME is VALUE here and VALUE there"] of two dictionaries."""
    text = lambda value: "not given" if value is None else ", ".join(value) if isinstance(value, list) else str(value)
    return [
        f"{name} is {text(here.get(name))} here and {text(there.get(name))} there"
        for name in sorted({*here, *there})
        if here.get(name) != there.get(name)
    ]


def facts_of_study(content):
    """What the seeds of one study have in common."""
    settings = {
        f"setting {name}": value for name, value in content.get("settings", {}).items() if name not in SEED_SETTINGS
    }
    return settings | {"data": content.get("data")}


def facts_by_curve(content):
    """{curve: what the runs of its seeds have in common}. The names of other runs (--trunk) have the seed in them."""
    names = {entry["name"] for entry in content["runs"]}
    return {
        entry["curve"]: {
            f"option {name}": value
            for name, value in entry.get("options", {}).items()
            if name not in (*PLACES, "seed") and value not in names
        }
        | {"execution": entry.get("execution")}
        for entry in content["runs"]
    }


def refuse_two_studies(new, kept, target):
    """Ends the program with what differs, if the seeds of two study files are not those of one study."""
    found = differences(facts_of_study(new), facts_of_study(kept))
    here, there = facts_by_curve(new), facts_by_curve(kept)
    for curve in here.keys() & there.keys() if not found else ():
        found += [f"{curve}: {difference}" for difference in differences(here[curve], there[curve])]
    if found:
        sys.exit(f"{target}: {'; '.join(sorted(found))}: {APART}")


def digests_by_curve(entries, run_of):
    """{curve: digests of the images of its runs}; run_of(name) is a run, or None where it is not there."""
    found = {}
    for entry in entries:
        run = run_of(entry["name"])
        if run is not None:
            found.setdefault(entry["curve"], set()).add(run.identity["data_digest"])
    return found


def refuse_other_images(entries, runs, kept, target):
    """Ends the program if runs of a curve were trained on other images than those that are kept of it."""
    here = digests_by_curve(entries, {run.identity["name"]: run for run in runs}.get)
    there = digests_by_curve(kept, lambda name: kept_run(target.parent, name))
    for curve in here.keys() & there.keys():
        if here[curve] != there[curve]:
            sys.exit(
                f"{target}: {curve}: the data digest is {', '.join(sorted(here[curve]))} here and"
                f" {', '.join(sorted(there[curve]))} there: {APART}"
            )


def kept_run(into, name):
    """A run by its kept tables; None if none are kept."""
    file = into / name / gcg_runs.TABLES_NAME
    try:
        return gcg_runs.load_tables(file) if file.exists() else None
    except gcg_runs.RunFileError as error:
        sys.exit(f"{error}: remove {file.parent} first")


def joined(there, new):
    """The entries of two lists of a study's runs, those of the first one first; a run that both have must be planned
    alike."""
    by_run = {(entry["curve"], entry["seed"]): entry for entry in there}
    for entry in new:
        known = by_run.setdefault((entry["curve"], entry["seed"]), entry)
        if known["name"] != entry["name"]:
            sys.exit(
                f"{entry['curve']}, seed {entry['seed']}: is the run {entry['name']} here and {known['name']} there:"
                f" {APART}"
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
    scale = SEED_CHANGE.sub("", study.scale)
    target = into / f"{study.experiment}-{scale}.json"
    there = []
    if target.exists():
        known = gcg_runs.read_study(target)
        there = known["runs"]
        refuse_two_studies(content, known, target)
        refuse_other_images(content["runs"], study.runs(), there, target)
    content |= {"scale": scale, "runs": joined(there, [entry_without_places(entry) for entry in content["runs"]])}
    texts.make_folder(into)
    added = 0
    for run in study.runs():
        file = into / run.identity["name"] / gcg_runs.TABLES_NAME
        kept = kept_run(into, run.identity["name"])
        if kept is not None:
            if trained(kept) != trained(run):
                sys.exit(
                    f"{file}: was trained otherwise than {run.path}: other data or another version; keep one of them"
                )
            continue
        texts.make_folder(file.parent)
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
    try:
        added, count = keep(arguments.study, arguments.into)
    except gcg_runs.RunFileError as error:
        sys.exit(str(error))
    print(f"{arguments.into}: {added} runs added, {count} in all")


if __name__ == "__main__":
    main()
