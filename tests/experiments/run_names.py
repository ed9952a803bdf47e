#!/usr/bin/env python3
"""Holds the names of the study's runs: a finished run is taken again only under its name.

    run_names.py PROGRAMS            compares; PROGRAMS: folder of the experiments' executables
    run_names.py PROGRAMS --write    writes the names as they are now, for a change that means to alter them

run_names/sparse.txt and run_names/dense.txt hold one line per experiment, scale and data set: the number of runs of
that execution and the SHA-256 of their sorted lines "curve<TAB>seed<TAB>name". smoke-sparse.txt and smoke-dense.txt
have those lines in full for the smoke scale. Runs by tiles are left out: by themselves they are planned only where the
processor has instructions for them.
"""

import hashlib
import json
import os
import re
import subprocess
import sys
import tomllib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

GOLDEN = Path(__file__).parent / "run_names"
ROOT = Path(__file__).resolve().parents[2] / "experiments"
ROW = re.compile(r"^EXPERIMENT\((\w+), (\w+), (\w+),", re.MULTILINE)
DATA = {"any_data": ("cifar10", "tinyimagenet", "imagenet"), "demo": ("procedural",)}


def cases():
    """(experiment, scale, data) of all rows of the table of experiments and all their scales."""
    for experiment, settings, kind in sorted(ROW.findall((ROOT / "table.def").read_text())):
        for data in DATA.get(kind, ("cifar10",)):
            for scale in tomllib.loads((ROOT / f"{settings}.toml").read_text()):
                yield experiment, scale, data


def runs(programs, experiment, scale, data):
    command = [programs / experiment, "--scale", scale, "--data", data, "--runs"]
    environment = {name: value for name, value in os.environ.items() if name != "GCG_DATA"}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    if done.returncode:
        sys.exit(f"{experiment} {scale} {data}: {done.stderr}")
    return json.loads(done.stdout)["runs"]


def names(programs):
    """{file name: text} of all golden files."""
    files = {}
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        found = [(case, pool.submit(runs, programs, *case)) for case in cases()]
    for (experiment, scale, data), future in found:
        for execution in ("sparse", "dense"):
            lines = sorted(
                f"{run['curve']}\t{run['seed']}\t{run['name']}"
                for run in future.result()
                if run["execution"] == execution and run["options"].get("kernels") != "tiles"
            )
            if not lines:
                continue
            digest = hashlib.sha256("\n".join(lines).encode()).hexdigest()
            files.setdefault(f"{execution}.txt", []).append(f"{experiment} {scale} {data} {len(lines)} {digest}")
            if scale == "smoke":
                files.setdefault(f"smoke-{execution}.txt", []).extend([f"# {experiment} {data}", *lines])
    return {name: "\n".join(lines) + "\n" for name, lines in files.items()}


def differences(name, now):
    path = GOLDEN / name
    old, new = path.read_text().splitlines() if path.exists() else [], now.splitlines()
    gone = [f"{name}: - {line}" for line in old if line not in new]
    return gone + [f"{name}: + {line}" for line in new if line not in old]


def main():
    programs = Path(sys.argv[1])
    now = names(programs)
    if sys.argv[2:] == ["--write"]:
        GOLDEN.mkdir(exist_ok=True)
        for name, text in now.items():
            (GOLDEN / name).write_text(text)
        return
    wrong = [line for name, text in sorted(now.items()) for line in differences(name, text)]
    if wrong:
        print("\n".join(wrong))
        sys.exit("other names than before: finished runs would be made again; if that is meant, see run_names.py")


if __name__ == "__main__":
    main()
