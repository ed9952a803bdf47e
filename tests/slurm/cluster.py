"""A Slurm controller with two nodes on this machine, in namespaces of its own: nothing outside is touched or seen."""

import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

NEEDED = ("slurmctld", "slurmd", "sbatch", "srun", "squeue", "scontrol", "munged", "unshare", "ip", "runuser")

CONFIGURATION = """\
ClusterName=gcgtest
GresTypes=gpu
SlurmctldHost=node1(127.0.0.1)
AuthType=auth/munge
AuthInfo=cred_expire=5
CredType=cred/munge
SlurmUser=root
SlurmdUser=root
SlurmctldPort=16817
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool-%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd-%n.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd-%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SchedulerType=sched/backfill
SchedulerParameters=sched_interval=1,bf_interval=1,batch_sched_delay=0,requeue_delay=0
MpiDefault=none
JobRequeue=1
KillWait=8
OverTimeLimit=0
MinJobAge=300
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
ReturnToService=2
SlurmdTimeout=12
NodeName=node1 NodeAddr=127.0.0.1 NodeHostname=node1 Port=17001 CPUs=1 RealMemory=2000 Gres=gpu:1 State=UNKNOWN
NodeName=node2 NodeAddr=127.0.0.1 NodeHostname=node1 Port=17002 CPUs=1 RealMemory=2000 Gres=gpu:1 State=UNKNOWN
PartitionName=low Nodes=node1,node2 Default=YES PriorityTier=1 PreemptMode=REQUEUE GraceTime=8 MaxTime=600 State=UP
PartitionName=high Nodes=node1,node2 PriorityTier=10 PreemptMode=OFF MaxTime=600 State=UP
"""


def missing() -> str:
    """Why there can be no cluster here; empty if there can."""
    lacking = [name for name in NEEDED if shutil.which(name) is None]
    if lacking:
        return f"not installed: {', '.join(lacking)} (packages slurmctld slurmd slurm-client munge iproute2)"
    if os.geteuid() != 0:
        return "needs root, for namespaces"
    tried = subprocess.run(
        ["unshare", "--net", "--mount", "--uts", "--pid", "--fork", "--mount-proc", "ip", "link", "add", "v0",
         "type", "veth", "peer", "name", "v1"], capture_output=True, text=True)  # fmt: skip
    return "" if tried.returncode == 0 else f"no namespaces here: {tried.stderr.strip()}"


def run(*command, check=True, limit=120, **others) -> str:
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, timeout=limit, **others)
    if check and done.returncode != 0:
        raise RuntimeError(f"{' '.join(map(str, command))}: status {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout


def wait_until(condition, what: str, seconds: float = 90):
    limit = time.monotonic() + seconds
    while not (value := condition()):
        if time.monotonic() > limit:
            raise TimeoutError(f"waited {seconds:.0f} s in vain: {what}")
        time.sleep(0.1)
    return value


class Cluster:
    """Runs inside of the namespaces."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.daemons = {}

    def start(self) -> None:
        run("hostname", "node1")
        run("ip", "link", "set", "lo", "up")
        # With loopback alone Slurm does not find out what it is called.
        run("ip", "link", "add", "v0", "type", "veth", "peer", "name", "v1")
        run("ip", "addr", "add", "10.77.0.1/24", "dev", "v0")
        run("ip", "link", "set", "v0", "up")
        run("ip", "link", "set", "v1", "up")
        for place in ("/run", "/dev/shm"):
            run("mount", "-t", "tmpfs", "tmpfs", place)
        hosts = self.folder / "hosts"
        hosts.write_text("127.0.0.1 localhost node1 node2\n")
        run("mount", "--bind", hosts, "/etc/hosts")
        for number in range(2):
            run("mknod", f"/dev/shm/fakegpu{number}", "c", "1", "3")
        for name in ("state", "spool-node1", "spool-node2"):
            (self.folder / name).mkdir()
        (self.folder / "slurm.conf").write_text(CONFIGURATION.format(folder=self.folder))
        (self.folder / "gres.conf").write_text(
            "NodeName=node1 Name=gpu File=/dev/shm/fakegpu0\nNodeName=node2 Name=gpu File=/dev/shm/fakegpu1\n"
        )
        (self.folder / "cgroup.conf").write_text("CgroupAutomount=no\n")
        os.environ["SLURM_CONF"] = str(self.folder / "slurm.conf")
        self.start_munge()
        self.start_daemon("slurmctld", ["slurmctld", "-D"])
        for node in ("node1", "node2"):
            self.start_node(node)
        wait_until(lambda: self.nodes().count("idle") == 2, "two idle nodes")

    def start_munge(self) -> None:
        Path("/run/munge").mkdir()
        key = Path("/run/munge/key")
        key.write_bytes(os.urandom(1024))
        key.chmod(0o400)
        for path in (Path("/run/munge"), key):
            shutil.chown(path, "munge", "munge")
        self.start_daemon(
            "munged",
            ["runuser", "-u", "munge", "--", "munged", "--foreground", "--force", f"--key-file={key}",
             "--pid-file=/run/munge/pid", "--seed-file=/run/munge/seed", "--log-file=/run/munge/log"],
        )  # fmt: skip
        wait_until(Path("/run/munge/munge.socket.2").exists, "munge")

    def start_daemon(self, name: str, command) -> None:
        with open(self.folder / f"{name}.out", "ab") as log:
            self.daemons[name] = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)

    def start_node(self, node: str) -> None:
        self.start_daemon(node, ["slurmd", "-D", "-N", node])

    def kill_node(self, node: str) -> None:
        """As if the machine lost its power: its daemon, and all that runs on it."""
        self.daemons[node].kill()
        self.daemons[node].wait()
        all_there_are = processes()
        jobs = [process for process in all_there_are if process.environment.get("SLURMD_NODENAME") == node]
        parents = {process.parent for process in jobs}
        # What looks after a job first, so that it reports nothing.
        steps = [p for p in all_there_are if p.number in parents and p.command.startswith("slurmstepd")]
        for process in steps + jobs:
            try:
                os.kill(process.number, signal.SIGKILL)
            except ProcessLookupError:
                pass

    def nodes(self):
        return run("sinfo", "--noheader", "--Node", "--partition=low", "--format=%t").split()

    def tasks(self):
        """Array task to its state, of all that is in the queue."""
        lines = run("squeue", "--noheader", "--array", "--format=%i|%T|%N").split("\n")
        return {line.split("|")[0]: line.split("|")[1:] for line in lines if line}


class Process:
    def __init__(self, number: int, parent: int, command: str, environment: dict):
        self.number, self.parent, self.command, self.environment = number, parent, command, environment


def processes():
    """All of this namespace."""
    found = []
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit():
            continue
        try:
            command = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            variables = (folder / "environ").read_bytes().split(b"\0")
            parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue
        pairs = (variable.decode(errors="replace").partition("=") for variable in variables if variable)
        found.append(Process(int(folder.name), parent, command, {name: value for name, _, value in pairs}))
    return found
