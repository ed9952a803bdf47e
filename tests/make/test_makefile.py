"""What the Makefile takes from where, folders of any name, and signals."""

import os
import re
import shlex
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
    if not name.startswith(("MAKE", "MFLAGS", "GCG_DATA", "TORCH")) and name not in OWN
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
        steered = self.output("-n", "growth-rules", JOBS="7")
        self.assertIn("JOBS is set in the environment and not used", steered.stderr)
        self.assertRegex(steered.stdout, r" --jobs 0 ")

    def test_what_stands_behind_make_is_taken(self):
        words = self.output("words", "SCALE=small", "SEEDS=2", "ON=tinyimagenet", "CHANGE=epochs=3 width=8").stdout
        self.assertIn("--scale\nsmall\n--set\nepochs=3\n--set\nwidth=8\n--seeds\n2\n--data\ntinyimagenet\n", words)
        self.assertIn("--data-dir\n/my\n", self.output("words", GCG_DATA="/my").stdout)

    def refused(self, *arguments):
        """What make says as it refuses a command."""
        command, variables = self.make("--no-print-directory", *arguments)
        done = subprocess.run(command, env=variables, capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 2, done.stdout)
        return done.stderr + done.stdout

    def test_a_variable_that_nothing_knows_is_refused(self):
        for given in (["Scale=small", "SEED=3"], ["SEED=3"], ["SCALES:=small"], ["GCGDATA=/x"], ["ROUND+=3"]):
            said = self.refused("words", *given)
            for one in given:
                self.assertRegex(said, rf"\*\*\* .*\b{re.match('[A-Za-z]+', one)[0]}\b.*: no such variable; there are ")
            for known in (*OWN, "TORCH", "PYTHON", "GPU_CHECK", "GCG_DATA"):
                self.assertRegex(said, rf"\b{known}\b")
        self.assertIn("no such variable", self.refused("nested-words", "SEED=3"))

    def test_variables_that_something_reads_are_taken(self):
        defined = re.findall(r"^([A-Z_]+) *[:?]?=", (PROJECT / "Makefile").read_text(), re.MULTILINE)
        values = {"MINUTES": "1", "ROUNDS": "1", "SEEDS": "1", "JOBS": "1", "ON": "cifar", "LAUNCHER": "local"}
        values |= {"SHELL": "/bin/bash", "CARRIED": str(self.folder)}
        for name in sorted({*defined}):
            with self.subTest(name):
                self.output("fails", f"{name}={values.get(name, 'x')}")
        for name in (
            "GCG_MIRROR",
            "CC",
            "CXX",
            "CXXFLAGS",
            "LDFLAGS",
            "MAKEFLAGS",
            "OMP_NUM_THREADS",
            "CMAKE_GENERATOR",
        ):
            self.output("fails", f"{name}=")
        self.output("nested-words", "ON=imagenet", "SEEDS=3", "PRESET=ci", "BUILD=build/x", "CXX=g++")

    def test_a_number_that_is_none_is_refused(self):
        for name, values, least in (
            ("SEEDS", ("abc", "-1", "", "1 2", "1.5", "'"), 0),
            ("JOBS", ("abc", "-1"), 0),
            ("MINUTES", ("abc", "0", "-1", ""), 1),
            ("ROUNDS", ("abc", "0"), 1),
        ):
            for value in values:
                for target in ("medium", "words"):
                    said = self.refused("-n", target, f"{name}={value}")
                    self.assertIn(f"*** {name}={value} is no whole number from {least} on", said)
        for given, wanted in (("0", "5"), ("00", "5"), ("2", "2")):
            self.assertIn(f"$(seq {wanted})", self.output("-n", "medium", f"SEEDS={given}").stdout)

    def test_sets_and_launchers_are_those_there_are(self):
        for value in ("cifar10", "Cifar", "", "cifar imagenet", "x/cifar"):
            said = self.refused("-n", "status", f"ON={value}")
            self.assertIn(f"*** ON={value} is none of: cifar, tinyimagenet, imagenet", said)
        for value in ("cifar", "tinyimagenet", "imagenet"):
            self.assertIn(f"/{value}\n", self.output("words", f"ON={value}").stdout)
        for value in ("sge", "", "local slurm"):
            self.assertIn(f"*** LAUNCHER={value} is none of: local, slurm", self.refused("words", f"LAUNCHER={value}"))

    def test_a_status_is_watched_on_demand_only(self):
        for given, watched in ((["WATCH=1"], True), (["WATCH=yes"], True), (["WATCH=0"], False), (["WATCH="], False)):
            self.assertEqual("--watch" in self.output("-n", "status", *given).stdout, watched, given)
        self.assertNotIn("--watch", self.output("-n", "status").stdout)

    def test_a_run_to_inspect_is_asked_for(self):
        for given in ([], ["RUN="]):
            self.assertIn("RUN=FOLDER or file of a run is missing", self.refused("inspect", *given))

    def test_what_runs_are_on_is_an_option_of_every_experiment(self):
        commands = self.output("-n", "growth-rules", "DEVICE=--device cuda --runs-per-gpu 2").stdout
        self.assertRegex(commands, r"--device cuda --runs-per-gpu 2 --jobs 0 ")
        self.assertIn("DEVICE is set in the environment and not used", self.output("words", DEVICE="cuda").stderr)

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
        self.assertIn("--out\nit's a folder/cifar\n", self.output("nested-words", "RUNS=it's a folder").stdout)

    def test_every_variable_of_a_folder_or_file_may_have_spaces_and_apostrophes(self):
        place = "it's a folder"
        for target, name, *said in (
            ("configure", "TORCH", ["build/release-torch", place]),
            ("demo", "RUNS", ["--out", f"{place}/demo"], ["analysis/demo.py", f"{place}/demo"]),
            ("growth-rules", "RUNS", ["--out", f"{place}/cifar"]),
            ("report", "RUNS", ["analysis/report.py", f"{place}/cifar", "--out", f"{place}/cifar/report.html"]),
            ("growth-rules", "GCG_DATA", ["--data-dir", place], ["[", "-n", place, "]"]),
            ("growth-rules", "SCALE", ["--scale", place]),
            ("growth-rules", "DATA_NAME", ["--data-name", place]),
            ("status", "RUNS", ["--out", f"{place}/cifar", "--status"]),
            ("data-cifar", "DATA", ["--out", f"{place}/cifar10"], ["--from", f"{place}/cifar100"]),
            ("data-cifar", "MANIFEST", ["--manifest", place]),
            ("data-tinyimagenet", "DATA", ["--out", f"{place}/tinyimagenet"], ["--from", f"{place}/tinyimagenet"]),
            ("data-imagenet", "DATA", ["--out", f"{place}/imagenet;"], ["--to", f"{place}/imagenet/prepared"]),
            ("data-imagenet", "ILSVRC", ["-d", f"{place}/train", "]"], ["--archives", place], [f"from={place};"]),
            ("data-imagenet", "LABELS", ["--labels", place]),
            ("data-check", "DATA", ["--data-dir", f"{place}/cifar10"], ["--sheet", f"{place}/cifar10-samples.png"]),
            ("data-check", "MANIFEST", ["--manifest", place]),
            ("bench", "BENCH_INTO", ["--into", place]),
            ("inspect", "RUN", ["analysis/inspect_run.py", place]),
        ):
            with self.subTest(target, variable=name):
                # As the shell reads them: lines that go on are one.
                words = shlex.split(self.output("-n", target, f"{name}={place}").stdout.replace("\\\n", " "))
                for wanted in said:
                    places = range(len(words) - len(wanted) + 1)
                    self.assertTrue(any(words[i : i + len(wanted)] == wanted for i in places), (wanted, words))

    def test_the_folder_of_carried_packages_may_have_spaces_and_apostrophes(self):
        carried = self.folder / "it's a folder"
        carried.mkdir()
        words = self.output("environment", f"CARRIED={carried}").stdout.splitlines()
        self.assertIn(f"CMAKE_PREFIX_PATH={carried}/usr", words)
        self.assertTrue(any(word.startswith(f"PATH={carried}/usr/bin:") for word in words), words)

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

    def packages(self, release, *names):
        (self.folder / "os-release").write_text(release)
        return subprocess.run(
            [PROJECT / "scripts" / "packages.sh", "--names", *names],
            env=CLEAN | {"GCG_OS_RELEASE": str(self.folder / "os-release")},
            capture_output=True,
            text=True,
            check=False,
        )

    def test_packages_have_the_names_of_the_distribution(self):
        wanted = ("g++", "libtorch-dev", "libjpeg62-turbo-dev")
        for release, names in (
            ("ID=debian\nVERSION_ID=12\n", list(wanted)),
            ("ID=debian\nVERSION_ID=13\n", list(wanted)),
            ('ID=ubuntu\nVERSION_ID="26.04"\n', ["g++", "libtorch-dev", "libjpeg-turbo8-dev"]),
        ):
            done = self.packages(release, *wanted)
            self.assertEqual(done.stdout.split(), names, done.stderr)

    def test_what_a_distribution_lacks_is_said_with_what_to_do(self):
        ubuntu = 'ID=ubuntu\nVERSION_ID="24.04"\nPRETTY_NAME="Ubuntu 24.04 LTS"\n'
        done = self.packages(ubuntu, "g++", "libtorch-dev")
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("Ubuntu 24.04 LTS has no package libtorch-dev", done.stderr)
        self.assertIn("TORCH=PREFIX make", done.stderr)
        self.assertEqual(
            self.packages(ubuntu, "g++", "libjpeg62-turbo-dev").stdout.split(), ["g++", "libjpeg-turbo8-dev"]
        )

    def test_packages_that_are_missing_are_installed_if_the_distribution_has_them(self):
        stubs = {
            "dpkg-query": "exit 1",
            "id": "echo 0",
            "apt-get": 'echo "apt-get $*"',
            # Long, as the answer is where a package comes from several places.
            "apt-cache": '[ "$2" = none ] && echo "  Candidate: (none)" || echo "  Candidate: 1"; seq 9999',
        }
        for name, body in stubs.items():
            (self.folder / name).write_text(f"#!/bin/bash\n{body}\n")
            (self.folder / name).chmod(0o755)
        (self.folder / "os-release").write_text("ID=debian\nPRETTY_NAME=Debian\n")
        for wanted, status in ((["g++", "cmake"], 0), (["g++", "none"], 1)):
            done = subprocess.run(
                [PROJECT / "scripts" / "packages.sh", *wanted],
                env=CLEAN
                | {"PATH": f"{self.folder}:{os.environ['PATH']}", "GCG_OS_RELEASE": self.folder / "os-release"},
                capture_output=True,
                text=True,
                check=False,
            )
            self.assertEqual(done.returncode, status, done.stderr)
            installs = [line for line in done.stdout.splitlines() if line.startswith("apt-get install")]
            self.assertEqual(len(installs), 1 - status)
            self.assertEqual("Debian has no package none" in done.stderr, bool(status))
            self.assertNotIn("no package g++", done.stderr)

    def test_another_libtorch_has_a_folder_of_its_own_and_needs_no_package_of_it(self):
        own, other = (self.output("libtorch", **given).stdout.split() for given in ({}, {"TORCH": "/opt/my torch"}))
        self.assertEqual(own[0], "build/release")
        self.assertIn("libtorch-dev", own)
        self.assertEqual(other[0], "build/release-torch")
        self.assertNotIn("libtorch-dev", other)

    def test_carried_packages_are_looked_in_and_none_is_installed(self):
        plain = self.output("-n", "gpu-check", "TORCH=/opt/torch").stdout
        self.assertIn("scripts/packages.sh", plain)
        self.assertRegex(plain, r"scripts/gpu_check.sh build/release-torch build/gpu-check *\n")
        tried = self.output("-n", "gpu-check", "GPU_CHECK=--device cpu --tiny").stdout
        self.assertIn("scripts/gpu_check.sh build/release build/gpu-check --device cpu --tiny\n", tried)
        carried = self.output("-n", "gpu-check", "TORCH=/opt/torch", f"CARRIED={self.folder}").stdout
        self.assertNotIn("scripts/packages.sh", carried)
        self.assertIn("scripts/configure.sh", carried)
        words = self.output("environment", f"CARRIED={self.folder}").stdout.splitlines()
        self.assertIn(f"CMAKE_PREFIX_PATH={self.folder}/usr", words)
        self.assertTrue(any(re.match(rf"PATH={self.folder}/usr/bin:.", word) for word in words), words)
        command, variables = self.make("words", f"CARRIED={self.folder}/none")
        done = subprocess.run(command, env=variables, capture_output=True, text=True, check=False)
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("there is no such folder; scripts/gpu_carry.sh makes it", done.stderr)

    def test_the_libraries_of_another_libtorch_come_before_the_systems(self):
        config = self.folder / "it's a venv" / "torch" / "share" / "cmake" / "Torch"
        config.mkdir(parents=True)
        (config / "TorchConfig.cmake").touch()
        (self.folder / "cmake").write_text('#!/bin/bash\nprintf "%s\\n" "$@" >&2\n')
        (self.folder / "cmake").chmod(0o755)
        for given in (config.parent, self.folder / "it's a venv"):
            done = subprocess.run(
                [PROJECT / "scripts" / "configure.sh", "release", self.folder / "build", given],
                env=CLEAN | {"PATH": f"{self.folder}:{os.environ['PATH']}"},
                capture_output=True,
                text=True,
                check=True,
            )
            self.assertIn(f"-DCMAKE_PREFIX_PATH={self.folder}/it's a venv/torch\n", done.stderr)
            self.assertIn(f"-DTorch_DIR:PATH={config}\n", done.stderr)

    def test_a_prefix_without_libtorch_is_an_error(self):
        done = subprocess.run(
            [PROJECT / "scripts" / "configure.sh", "release", self.folder / "build", self.folder],
            env=CLEAN,
            capture_output=True,
            text=True,
            check=False,
        )
        self.assertEqual(done.returncode, 2)
        self.assertIn(f"TORCH={self.folder}: there is no TorchConfig.cmake below it", done.stderr)

    def check_gpu(self, *arguments, **environment):
        return subprocess.run(
            [PROJECT / "scripts" / "gpu_check.sh", *arguments],
            env=CLEAN | environment,
            capture_output=True,
            text=True,
            check=False,
        )

    def test_accuracies_of_a_gpu_too_far_from_those_of_the_cpu_fail_the_check(self):
        file = self.folder / "accuracies"
        for text, said, status in (
            ("path 91.0 90.0\nrandom 80.0 84.5\n", "at most 5 points are allowed: passed", 0),
            ("path 90.0 10.0\nrandom 80.0 80.5\n", "80.0 points apart, too far", 1),
            ("path 10.0 90.0\n", "at most 5 points are allowed: failed", 1),
            ("", "there are no accuracies", 1),
        ):
            file.write_text(text)
            done = self.check_gpu("--compare", file, "--points", "5")
            self.assertEqual(done.returncode, status, done.stdout + done.stderr)
            self.assertIn(said, done.stdout)

    def test_the_tests_for_a_gpu_run_under_the_sanitizer_where_it_is(self):
        tests = self.folder / "tests" / "device"
        tests.mkdir(parents=True)
        (self.folder / "compute-sanitizer").write_text('#!/bin/bash\necho "$@" on "$GCG_TEST_DEVICE"; exit 3\n')
        (self.folder / "compute-sanitizer").chmod(0o755)
        path = f"{self.folder}:{os.environ['PATH']}"
        done = self.check_gpu(self.folder, self.folder / "out", "--sanitize", PATH=path)
        self.assertEqual(done.returncode, 3, done.stderr)
        self.assertRegex(done.stdout, r"^--error-exitcode 1 .*tests/device/gcg_device_tests .* on cuda\n$")
        (self.folder / "compute-sanitizer").unlink()
        if not list(Path("/usr/local").glob("cuda*/bin/compute-sanitizer")):
            done = self.check_gpu(self.folder, self.folder / "out", "--sanitize", PATH="/usr/bin:/bin")
            self.assertEqual(done.returncode, 1, done.stdout)
            self.assertIn("compute-sanitizer is not installed", done.stderr)

    def wait_for(self, condition):
        limit = time.monotonic() + 20
        while not condition():
            self.assertLess(time.monotonic(), limit)
            time.sleep(0.02)


if __name__ == "__main__":
    unittest.main()
