"""A study under a real Slurm controller and two node daemons: queued again in mid-run, preempted, with a node that
dies and one without time left, it ends with the figures of a local study."""

import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
import unittest
from pathlib import Path

import cluster as slurm
from cluster import processes, run, wait_until

PROGRAM = None
SKIPPED = 77
RUN_SECONDS = 90  # of a run that is disturbed: all that happens has to find it at work


START_SECONDS = 10  # of a process, on a busy machine, until it finds that another one has its run and ends


class Watcher(threading.Thread):
    """Looks all the time whether a run is computed by two processes at once."""

    def __init__(self):
        super().__init__(daemon=True)
        self.over = False
        self.twice = []
        self.since = {}
        self.seen = {}

    def run(self):
        while not self.over:
            at_work = {}
            for process in processes():
                words = process.command.split()
                if words and words[0].endswith("/gcg_run") and "--out=" in process.command:
                    at_work.setdefault(" ".join(words[1:]), []).append(process.number)
                    if "CUDA_VISIBLE_DEVICES" in process.environment:
                        self.seen[process.number] = process.environment["CUDA_VISIBLE_DEVICES"]
            pairs = {tuple(sorted(numbers)) for numbers in at_work.values() if len(numbers) > 1}
            self.since = {pair: self.since.get(pair, time.monotonic()) for pair in pairs}
            self.twice += [pair for pair, since in self.since.items() if time.monotonic() - since > START_SECONDS]
            time.sleep(0.05)


def figures(runs: Path):
    """What a study comes to: the results in all its run files, but for seconds, host and memory."""
    import h5py

    def value(item):
        return item.tolist() if hasattr(item, "tolist") else item

    found = {}
    for file in sorted(runs.glob("*/run.h5")):
        with h5py.File(file) as run_file:
            arrays = {}

            def collect(name, node):
                if isinstance(node, h5py.Dataset) and not re.search(r"seconds|memory|warning", name):
                    data = node[()]
                    if node.dtype.names:
                        data = data[[n for n in node.dtype.names if "seconds" not in n]]
                    arrays[name] = repr(value(data))

            for group in ("trajectory", "stages", "result", "predictions"):
                if group in run_file:
                    node = run_file[group]
                    if isinstance(node, h5py.Dataset):
                        collect(group, node)
                    else:
                        node.visititems(lambda name, inner: collect(f"{group}/{name}", inner))
            found[file.parent.name] = arrays
    return found


class SlurmStudy(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        temporary = tempfile.TemporaryDirectory(prefix="gcg-slurm-", ignore_cleanup_errors=True)
        cls.addClassCleanup(temporary.cleanup)
        cls.folder = Path(temporary.name)
        cls.cluster = slurm.Cluster(cls.folder)
        cls.cluster.start()
        cls.epochs = cls.stage_epochs()
        cls.runs = cls.folder / "runs"

    @classmethod
    def stage_epochs(cls):
        """So long are the stages that a run takes about RUN_SECONDS on this machine."""
        seconds = []
        for epochs in (1, 11):
            begin = time.monotonic()
            command = [PROGRAM, "--data=procedural", "--only=path", "--seeds=1", f"--set=stage-epochs={epochs}"]
            out = cls.folder / f"trial-{epochs}"
            subprocess.run([*command, f"--out={out}", "--jobs=1"], check=True, capture_output=True, timeout=900)
            seconds.append((time.monotonic() - begin) / 2)  # two curves
        return max(12, round(10 * RUN_SECONDS / max(0.1, seconds[1] - seconds[0])))

    def study(self, *options, out=None, status=0):
        # Longer epochs than the smoke scale has, so that there is a middle to be disturbed in.
        command = [PROGRAM, "--data=procedural", "--only=path", "--seeds=2", f"--set=stage-epochs={self.epochs}"]
        command.append(f"--out={out or self.runs}")
        done = subprocess.run([*command, *options], capture_output=True, text=True, timeout=900)
        self.assertEqual(done.returncode, status, done.stdout + done.stderr)
        return done.stdout

    def at_work(self, runs):
        """Nodes on which a process has taken a run."""
        leases = []
        for lease in runs.glob("*/.lease.*"):
            try:
                leases.append(lease.read_text())
            except OSError:
                pass  # just given back
        nodes = {}
        for process in processes():
            if any(f"\nprocess {process.number} " in lease for lease in leases):
                nodes[process.environment.get("SLURMD_NODENAME", "")] = process.number
        return nodes

    def both_at_work(self, runs=None):
        wait_until(lambda: len(self.at_work(runs or self.runs)) == 2, "a run on each node", seconds=180)
        time.sleep(1)

    def task_on(self, node):
        return next(task for task, (state, place) in self.cluster.tasks().items() if place == node and "_" in task)

    @staticmethod
    def restarts(task):
        """How often the scheduler has begun a task anew."""
        return int(re.search(r"Restarts=(\d+)", run("scontrol", "show", "job", task)).group(1))

    def left(self):
        return self.study("--status").count("finished") < 4

    def test_a_disturbed_study_comes_to_the_figures_of_a_local_one(self):
        script = self.study("--slurm-dry-run", "--workers=2", "--gpus-per-worker=1", "--partition=low")
        self.assertIn("#SBATCH --array=1-2", script)
        self.assertEqual(self.cluster.tasks(), {})
        watcher = Watcher()
        watcher.start()
        told = self.study("--slurm", "--workers=2", "--gpus-per-worker=1", "--partition=low", "--time=60")
        job = re.search(r"job (\d+), 2 workers for 4 runs", told).group(1)
        self.assertIn("nothing is submitted", self.study("--slurm"))
        self.both_at_work()
        status = self.study("--status")
        self.assertRegex(status, rf"process \d+ on node1, job {job}_[12]")
        self.assertIn("2 running", status)

        # Queued again by hand, in the middle of a run.
        run("scontrol", "requeue", self.task_on("node1"))
        time.sleep(2)
        self.both_at_work()
        # Preempted.
        urgent = run(
            "sbatch", "--parsable", "--partition=high", "--nodelist=node2", "--output=/dev/null", "--wrap=sleep 3"
        ).strip()
        wait_until(lambda: self.cluster.tasks().get(urgent) == ["RUNNING", "node2"], "the preemption")
        wait_until(lambda: urgent not in self.cluster.tasks(), "the end of what preempted")
        self.both_at_work()
        # The node dies, is missed and comes back.
        self.cluster.kill_node("node2")
        wait_until(lambda: any(state.startswith("down") for state in self.cluster.nodes()), "a node that is down")
        self.cluster.start_node("node2")
        self.both_at_work()
        # No time left: Slurm says so two minutes before the end.
        task = self.task_on("node1")
        before = self.restarts(task)
        run("scontrol", "update", f"JobId={task}", "TimeLimit=2")
        wait_until(
            lambda: "time is over" in self.logs() or "User defined signal 1" in self.logs(), "the notice of the end"
        )
        self.assertTrue(self.left(), "the study was over before all had happened: make it longer")
        run("scontrol", "update", f"JobId={task}", "TimeLimit=60", check=False)
        # Its worker saves and ends, and the batch script queues the task again.
        wait_until(lambda: self.restarts(task) > before, "the task without time in the queue again")

        self.study("--slurm", "--wait", "--workers=2", "--gpus-per-worker=1", "--partition=low")
        wait_until(lambda: not self.cluster.tasks(), "an empty queue")
        watcher.over = True
        watcher.join()
        self.assertEqual(watcher.twice, [])
        self.assertEqual(set(watcher.seen.values()), {"0"})
        self.assertEqual(self.study("--status").count("finished"), 4)
        self.assertIn("resumed", self.logs())

        local = self.folder / "local"
        self.study(out=local)
        expected = figures(local)
        self.assertEqual(len(expected), 4)
        self.assertTrue(all("trajectory/validation_accuracy" in run for run in expected.values()), expected)
        self.assertEqual(figures(self.runs), expected)
        self.nothing_is_left()

    def test_what_is_cancelled_goes_on_later(self):
        runs = self.folder / "cancelled"
        self.study("--slurm", "--workers=2", out=runs)
        self.both_at_work(runs)
        self.assertIn("cancelled", self.study("--cancel", out=runs))
        wait_until(lambda: not self.cluster.tasks(), "an empty queue")
        self.assertIn("nothing of the study", self.study("--cancel", out=runs))
        self.assertIn("stopped", self.study("--status", out=runs))
        self.assertEqual(list(runs.glob("*/.lease*")), [])

    def test_the_smoke_study_comes_to_the_figures_of_a_local_one(self):
        out, local = self.folder / "smoke", self.folder / "smoke-local"
        study = [PROGRAM, "--data=procedural", "--scale=smoke"]
        run(*study, f"--out={out}", "--slurm", "--wait", "--workers=2", "--partition=low", limit=900)
        run(*study, f"--out={local}", limit=900)
        expected = figures(local)
        self.assertGreater(len(expected), 8)
        self.assertEqual(figures(out), expected)

    @staticmethod
    def step(*options):
        """The command of one run in two tasks, one on each node."""
        program = str(Path(PROGRAM).with_name("gcg_run"))
        srun = ["srun", "--nodes=2", "--ntasks=2", "--partition=low", program, "--world=auto"]
        return [*srun, *map(str, options)]

    def test_the_tasks_of_a_step_train_one_run_as_processes_of_one_machine_do(self):
        options = ["--data=procedural", "--data-images=600", "--network=resnet8", "--width=4", "--epochs=2"]
        options += ["--method=grow_return", "--stage-epochs=1", "--disconnected=repair", "--threads=2"]
        out, local = self.folder / "step", self.folder / "processes"
        run(*self.step(*options, f"--out={out}"))
        run(Path(PROGRAM).with_name("gcg_run"), *options, "--processes=2", f"--out={local}")
        expected = figures(local)
        self.assertEqual(len(expected), 1)
        self.assertEqual(figures(out), expected)

    def test_a_task_that_dies_ends_the_step_and_says_so(self):
        out = self.folder / "dying"
        options = ["--data=procedural", "--network=resnet8", "--epochs=500", "--threads=2", f"--out={out}"]
        step = subprocess.Popen(self.step(*options), stderr=subprocess.PIPE, text=True)
        ranks = lambda: {
            p.environment["SLURM_PROCID"]: p.number
            for p in processes()
            if Path(p.command.split(" ")[0]).name == "gcg_run"
        }
        wait_until(lambda: len(ranks()) == 2 and list(out.glob("*/.lease.*")), "two ranks at work")
        time.sleep(3)
        os.kill(ranks()["1"], signal.SIGKILL)
        said = step.communicate(timeout=60)[1]
        self.assertNotEqual(step.returncode, 0)
        self.assertIn("rank 1 of 2: is gone", said)
        self.assertEqual(ranks(), {})

    def logs(self):
        return "".join(log.read_text() for log in [*self.runs.glob("*/log.txt"), *self.runs.glob("*.log")])

    def nothing_is_left(self):
        left = [p.command for p in processes() if "gcg_run" in p.command or "--work" in p.command]
        self.assertEqual(left, [])
        names = [path.name for path in self.runs.rglob("*")]
        self.assertEqual([n for n in names if n.startswith(".") and n != ".lock" or n.endswith(".tmp")], [])


if __name__ == "__main__":
    PROGRAM = sys.argv.pop(1)
    if sys.argv[1:2] == ["--inside"]:
        sys.argv.pop(1)
        unittest.main()
    reason = slurm.missing()
    if reason:
        print(f"skipped: {reason}")
        sys.exit(SKIPPED)
    # Processes end with the first one of their namespace: whatever happens, none stays behind.
    sys.exit(
        subprocess.run(
            ["unshare", "--net", "--mount", "--uts", "--pid", "--fork", "--mount-proc", "--kill-child",
             sys.executable, __file__, PROGRAM, "--inside", *sys.argv[1:]]
        ).returncode
    )  # fmt: skip
