"""Kills: gcg_run, and an experiment with all its runs, are ended by SIGKILL, SIGTERM, SIGINT and SIGHUP at random times
and started again until they are finished. They end with the results of those in one piece, a signal ends them within 5
seconds, and no process of an experiment outlives its launcher.

    kills.py BUILD [--kills N] [--seed S]     N kills of runs, and a quarter as many of launchers
"""

import argparse
import collections
import hashlib
import itertools
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "analysis"))

import numpy as np

import gcg_runs

SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
LONGEST_END = 5  # seconds from the signal to the end
HANDLED = b"the same command goes on"  # what a program says that was ended by a signal
DATA = {"data-images": 300, "data-test-images": 30, "batch-size": 16}
RUN = {"network": "lenet5", "method": "gcg", "epochs": 12, "stage-epochs": 8, "max-stages": 3, "stop": "never"}
SCALE = """
[kills]
network = "lenet5"
width = 0
stages = 2
stage-epochs = 2
growth-ratio = 0.6
epsilon = 0.02
curves = ["path, sampled", "random"]
mask-densities = []
seeds = 1
"""


def words(options):
    return [word for name, value in options.items() for word in (f"--{name}", str(value))]


def add(digest, value):
    """Everything in a table or an array; seconds are never the same."""
    if isinstance(value, Mapping):
        for name in value:
            if name != "seconds":
                digest.update(str(name).encode())
                add(digest, value[name])
    else:
        digest.update(np.asarray(value).tobytes())


def results(folder):
    """{name: digest of its results} of the finished runs below a folder."""
    found = {}
    for run in gcg_runs.load_all(folder):
        digest = hashlib.sha256()
        for table in (run.trajectory, run.stages, run.fits, run.masks, run.predictions, run.final):
            add(digest, table)
        found[run.identity["name"]] = digest.hexdigest()
    return found


def processes(folder):
    """Those whose command names the folder."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if os.fsencode(folder) in path.read_bytes():
                found.append(int(path.parent.name))
        except OSError:  # it has just ended
            pass
    return found


def start(command, said):
    """Starts a command whose messages go to the file `said`."""
    # A shell in the background, and nohup, make their children ignore these.
    heed = lambda: [signal.signal(number, signal.SIG_DFL) for number in (signal.SIGINT, signal.SIGHUP)]
    with open(said, "wb") as file:
        return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=file, preexec_fn=heed)


class Kills:
    """What was killed and how it ended."""

    def __init__(self, name, count, generator):
        self.name, self.count, self.generator = name, count, generator
        self.signals, self.handled, self.finished, self.longest = collections.Counter(), 0, 0, 0.0
        self.next = itertools.cycle(SIGNALS)

    def until_finished(self, command, folder, duration):
        """Starts the command, which works in the folder, and kills it until it ends by itself or enough is killed."""
        said = Path(f"{folder}-said")
        while True:
            process = start(command, said)
            if self.signals.total() >= self.count:
                process.wait()
                break
            # Every second time from its first message on: until then it is loaded and reads, which may take most of it.
            while self.signals.total() % 2 and process.poll() is None and said.stat().st_size == 0:
                time.sleep(0.005)
            try:
                process.wait(duration * self.generator.uniform(0.02, 0.9))
                break
            except subprocess.TimeoutExpired:
                number = next(self.next)
                process.send_signal(number)
                sent = time.monotonic()
                process.wait()
                seconds = time.monotonic() - sent
            if process.returncode == 0:
                break  # it was done when the signal came
            self.signals[number.name] += 1
            if seconds > LONGEST_END:
                sys.exit(f"{self.name}: {number.name} took {seconds:.2f} s to end it, more than {LONGEST_END} s")
            if HANDLED in said.read_bytes():
                self.handled += 1
                self.longest = max(self.longest, seconds)
            self.check_alone(folder, number)
        if process.returncode != 0:
            sys.exit(f"{self.name} {self.finished + 1} ended with status {process.returncode}: {said.read_text()}")
        self.finished += 1

    def check_alone(self, folder, number):
        """Whoever was killed could not end its children: they do it themselves."""
        limit = time.monotonic() + (LONGEST_END if number == signal.SIGKILL else 0)
        while left := processes(folder):
            if time.monotonic() > limit:
                sys.exit(f"{self.name}: {len(left)} processes are left after {number.name}")
            time.sleep(0.02)

    def told(self):
        signals = ", ".join(f"{count} {name}" for name, count in sorted(self.signals.items()))
        return (
            f"{self.signals.total()} kills ({signals}) of {self.finished} {self.name}s: equal ends;"
            f" {self.handled} were handled, {self.longest:.2f} s from signal to end at most"
        )


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("build", type=Path)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(2**32))
    arguments = parser.parse_args()
    programs = arguments.build.resolve() / "experiments"
    print(f"seed {arguments.seed}")
    generator = random.Random(arguments.seed)
    memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    with tempfile.TemporaryDirectory(dir=memory) as parent:
        scale = Path(parent) / "kills.toml"
        options = ", ".join(f"{name} = {value}" for name, value in DATA.items())
        scale.write_text(f"{SCALE}options = {{ {options} }}\n")
        study = ["--scale", scale, "--data", "procedural", "--jobs", "2"]
        for name, command, count in (
            ("run", [programs / "gcg_run", *words(RUN | DATA), "--threads", "1"], arguments.kills),
            ("launcher", [programs / "growth_rules", *study], max(len(SIGNALS), arguments.kills // 4)),
        ):
            begin = time.monotonic()
            said = Path(f"{parent}/said")
            if status := start([*command, "--out", f"{parent}/{name}-whole"], said).wait():
                sys.exit(f"{name} without a kill ended with status {status}: {said.read_text()}")
            duration = time.monotonic() - begin
            expected = results(f"{parent}/{name}-whole")
            kills = Kills(name, count, generator)
            while kills.signals.total() < count:
                folder = f"{parent}/{name}-{kills.finished}"
                kills.until_finished([*command, "--out", folder], folder, duration)
                if results(folder) != expected:
                    sys.exit(f"{name} {kills.finished} has other results than one in one piece")
            print(kills.told())
            if kills.handled == 0:
                sys.exit(f"no signal came while the {name} handled it")


if __name__ == "__main__":
    main()
