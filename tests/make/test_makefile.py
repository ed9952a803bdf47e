"""What the Makefile takes from where, folders of any name, and signals."""

import os
import re
import signal
import subprocess
import tempfile
import time
import unittest
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
OWN = re.search(r"^VARIABLES := (.*)$", (PROJECT / "Makefile").read_text(), re.MULTILINE).group(1).split()
# The tests may be run by make itself, which hands its variables on.
CLEAN = {
    name: value
    for name, value in os.environ.items()
    if not name.startswith(("MAKE", "MFLAGS", "GCG_DATA")) and name not in OWN
}


class Makefile(unittest.TestCase):
    def setUp(self):
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.folder = Path(temporary.name)

    def make(self, *arguments, **environment):
        return ["make", "-C", PROJECT, "-f", "tests/make/targets.mk", *arguments], CLEAN | environment

    def output(self, *arguments, **environment):
        command, variables = self.make("--no-print-directory", *arguments, **environment)
        return subprocess.run(command, env=variables, capture_output=True, text=True, check=True)

    def test_common_names_in_the_environment_steer_nothing_and_are_told(self):
        plain = self.output("words").stdout
        names = {"SCALE": "full", "SEEDS": "9", "DATA": "/elsewhere", "ON": "imagenet", "RUNS": "/r", "SET": "x"}
        steered = self.output("words", **names)
        self.assertEqual(steered.stdout, plain)
        for name in names:
            self.assertIn(f"{name} is set in the environment and not used", steered.stderr)
        self.assertEqual(self.output("words", HOME="/x").stderr, "")

    def test_what_stands_behind_make_is_taken(self):
        words = self.output("words", "SCALE=small", "SEEDS=2", "ON=tinyimagenet", "CHANGE=epochs=3 width=8").stdout
        self.assertIn("--scale\nsmall\n--set\nepochs=3\n--set\nwidth=8\n--seeds\n2\n--data\ntinyimagenet\n", words)
        self.assertIn("--data-dir\n/my\n", self.output("words", GCG_DATA="/my").stdout)

    def test_under_slurm_an_experiment_is_submitted_and_waited_for(self):
        commands = self.output("-n", "growth-rules", "LAUNCHER=slurm", "SLURM=--workers 3 --time 1:00:00").stdout
        self.assertRegex(commands, r"--slurm --wait --workers 3 --time 1:00:00 ")
        self.assertNotIn("--jobs", commands)
        commands = self.output("-n", "submit-growth-rules", "LAUNCHER=slurm", "SLURM=--workers 3").stdout
        self.assertRegex(commands, r"growth_rules .*--slurm --workers 3\n")
        self.assertNotIn("--wait", commands)
        with self.assertRaises(subprocess.CalledProcessError):
            self.output("words", "LAUNCHER=sge")

    def test_folders_may_have_spaces_and_apostrophes(self):
        words = self.output("words", "RUNS=my runs", "DATA=it's here", "MANIFEST=a 'b' \"c\".json").stdout
        self.assertIn("--data-dir\nit's here/cifar10\n--out\nmy runs/cifar\nit's here/cifar10\n", words)
        self.assertIn("--manifest\na 'b' \"c\".json\n", words)

    def test_a_status_passes_through(self):
        self.assertEqual(self.output("fails").stdout, "status 3\n")

    def test_a_signal_to_make_ends_what_it_started(self):
        for target in ("long", "nested"):
            with self.subTest(target):
                (self.folder / "long").unlink(missing_ok=True)
                command, variables = self.make(target, f"PIDS={self.folder}")
                make = subprocess.Popen(command, env=variables, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
                self.wait_for(lambda: (self.folder / "long").exists() and (self.folder / "long").read_text().strip())
                program = int((self.folder / "long").read_text())
                make.send_signal(signal.SIGTERM)
                self.assertNotEqual(make.wait(timeout=10), 0)
                self.wait_for(lambda: not Path(f"/proc/{program}").exists())

    def wait_for(self, condition):
        limit = time.monotonic() + 20
        while not condition():
            self.assertLess(time.monotonic(), limit)
            time.sleep(0.02)


if __name__ == "__main__":
    unittest.main()
