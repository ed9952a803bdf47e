"""Faults in what a run, a preparation (of IDX files, and of a folder of images) and a fetch ask of the system: every
call that touches a file can be killed or answered with an error, an interruption or half of what was asked for
(fault_library.cpp). Afterwards the same command, without a fault, has to end as if nothing had been.

    faults.py BUILD [--faults N] [--seed S]     N faults at points drawn by the seed, which is printed
    faults.py BUILD --all                       every fault at every point
"""

import argparse
import collections
import hashlib
import io
import json
import os
import random
import shutil
import struct
import subprocess
import sys
import tarfile
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
ERRORS = ("ENOSPC", "EIO", "EDQUOT")
# What each call can be answered with, beside being killed before or after it.
KINDS = {
    "open": (*ERRORS, "EINTR"),
    "read": ("EIO", "EINTR", "short"),
    "pread": ("EIO", "EINTR", "short"),
    "write": (*ERRORS, "EINTR", "short"),
    "pwrite": (*ERRORS, "EINTR", "short"),
    "fsync": (*ERRORS, "EINTR"),
    "ftruncate": (*ERRORS, "EINTR"),
    "close": (*ERRORS, "EINTR"),
    "rename": ERRORS,
    "link": ERRORS,
    "unlink": ("EIO",),
    "mkdir": ERRORS,
    "mmap": ("EIO",),
}
# Of the faults that are drawn.
SHARES = {"run": 0.5, "preparation": 0.25, "images": 0.15, "fetch": 0.1}
KILLS = ("kill", "killafter")
# An error of one of these may mean that bytes were lost, if the file was open for writing.
WRITING = ("write", "pwrite", "fsync", "ftruncate", "close", "rename")
# Files that hold nothing of a result, and what Linux says of a file that no name leads to any more.
WITHOUT_RESULTS = (".lock", ".lease")
DELETED = "(deleted)"
# A program goes on after these as if nothing had been.
HARMLESS = ("EINTR", "short")
CRASHES = {-6: "SIGABRT", -7: "SIGBUS", -8: "SIGFPE", -11: "SIGSEGV"}


class Scenario:
    """A command that works in a folder of its own, and the digest of what it leaves."""

    def __init__(self, name, command, begin, digest):
        self.name, self.command, self.begin, self.digest = name, command, begin, digest
        self.calls = []  # of the whole command: name, whether the file is open for writing, file
        self.expected = ""

    def run(self, library, folder, fault=None, log=None, lacks=""):
        environment = os.environ | {"LD_PRELOAD": str(library), "GCG_FAULT_FOLDER": str(folder)}
        environment |= {"PYTHONDONTWRITEBYTECODE": "1", "OMP_NUM_THREADS": "1"}
        if fault is not None:
            environment |= {"GCG_FAULT_AT": str(fault[0]), "GCG_FAULT_KIND": fault[1]}
        if lacks:
            environment["GCG_FAULT_LACKS"] = lacks
        if log is not None:
            environment["GCG_FAULT_LOG"] = str(log)
        return subprocess.run(
            [word.replace("FOLDER", str(folder)) for word in self.command],
            env=environment,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
            timeout=120,
        )


def digest_of_files(folder, names):
    digest = hashlib.sha256()
    for name in names:
        digest.update((folder / name).read_bytes())
    return digest.hexdigest()


def write_idx(folder, name, images):
    pixels = random.Random(name).randbytes(images * 64)
    (folder / f"{name}-images-idx3-ubyte").write_bytes(struct.pack(">IIII", 2051, images, 8, 8) + pixels)
    labels = bytes(i % 3 for i in range(images))
    (folder / f"{name}-labels-idx1-ubyte").write_bytes(struct.pack(">II", 2049, images) + labels)


def begin_preparation(folder):
    (folder / "from").mkdir()
    write_idx(folder / "from", "train", 300)
    write_idx(folder / "from", "t10k", 60)


def begin_images(folder):
    for part, names in (
        ("train", ("rgb.png", "colour.jpg", "grey1.png", "palette.png")),
        ("val", ("grey.jpg", "rgb16.png")),
    ):
        for number, name in enumerate(names):
            path = folder / "from" / part / f"class{number % 2}" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / "tests/data/images" / name, path)
            os.utime(path, (0, 0))  # which prepared images hold on to


def facts(content):
    return {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}


def begin_fetch(folder):
    mirror = folder.with_name(folder.name + "-mirror")
    mirror.mkdir()
    files = {name: random.Random(name).randbytes(1000) for name in ("set/a.bin", "set/b.bin")}
    with tarfile.open(mirror / "set.tar", "w") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    archive = {"name": "set.tar", **facts((mirror / "set.tar").read_bytes()), "mirrors": [mirror.as_uri()]}
    manifest = {"name": "set", "licence": "-", "citation": "-", "folder": "set", "archives": [archive]}
    manifest["files"] = {name: facts(content) for name, content in files.items()}
    (mirror / "manifest.json").write_text(json.dumps(manifest))


def scenarios(build):
    python = "/usr/bin/python3"
    run = Scenario("run", [str(build / "tests/fault/gcg_toy_run"), "FOLDER/run"], lambda folder: None, None)
    prepare = [str(build / "data_scripts/gcg_data_prepare"), "--from", "FOLDER/from", "--to", "FOLDER/to"]
    prepare += ["--threads", "1", "--data"]
    prepared = lambda folder: digest_of_files(folder, ["to/train.images", "to/test.images"])
    preparation = Scenario("preparation", [*prepare, "idx"], begin_preparation, prepared)
    images = Scenario("images", [*prepare, "imagenet"], begin_images, prepared)
    manifest = ["--manifest", "FOLDER-mirror/manifest.json"]
    fetch = Scenario(
        "fetch",
        [python, str(ROOT / "data_scripts/fetch.py"), "set", *manifest, "--out", "FOLDER/got"],
        begin_fetch,
        lambda folder: digest_of_files(folder, ["got/set.tar", "got/set/a.bin", "got/set/b.bin"]),
    )
    return run, preparation, images, fetch


def one(library, scenario, parent, fault):
    """What is wrong with the outcome of a fault, or nothing; and how the faulty command ended."""
    folder = Path(tempfile.mkdtemp(dir=parent))
    try:
        scenario.begin(folder)
        faulty = scenario.run(library, folder, fault)
        if faulty.returncode in CRASHES:
            return f"ended by {CRASHES[faulty.returncode]}: {faulty.stderr}", "crash"
        if faulty.returncode == -9 and fault[1] not in KILLS:
            return "was killed", "crash"
        # Python raises what an interrupted close tells; then the program has to say so.
        excused = scenario.name == "fetch" and scenario.calls[fault[0]][0] == "close"
        if faulty.returncode != 0 and fault[1] in HARMLESS and not excused:
            return f"failed: {faulty.stderr}", "failed"
        if faulty.returncode > 0 and not faulty.stderr.strip():
            return "failed without a word", "failed"
        call, to_write, path = scenario.calls[fault[0]]
        lost = fault[1] in ERRORS and call in WRITING and (to_write or call == "rename")
        if lost and faulty.returncode == 0 and not Path(path).name.startswith(WITHOUT_RESULTS) and DELETED not in path:
            return f"succeeded although {Path(path).name} may lack bytes", "failed"
        ended = {0: "went on", -9: "killed"}.get(faulty.returncode, "said why")
        again = scenario.run(library, folder)
        if again.returncode != 0:
            return f"did not recover: {again.stderr}\nafter: {faulty.stderr}", ended
        found = scenario.digest(folder) if scenario.digest else again.stdout
        if found != scenario.expected:
            return f"ended otherwise: {found}\nafter: {faulty.stderr}", ended
        unfinished = (".tmp", ".partial", ".part", ".part.json")
        left = [
            path
            for path in folder.rglob("*")
            if path.name.endswith(unfinished) or ".write-probe." in path.name or path.name.startswith(".unpack-")
        ]
        if left:
            return f"left behind: {left}", ended
        return "", ended
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        shutil.rmtree(folder.with_name(folder.name + "-mirror"), ignore_errors=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("build", type=Path)
    parser.add_argument("--faults", type=int, default=500)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(2**32))
    parser.add_argument("--all", action="store_true")
    parser.add_argument("--only", default="", help="name of a scenario")
    arguments = parser.parse_args()
    build = arguments.build.resolve()
    library = build / "tests/fault/libgcg_fault.so"
    memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    generator = random.Random(arguments.seed)
    print("every fault" if arguments.all else f"seed {arguments.seed}")
    with tempfile.TemporaryDirectory(dir=memory) as parent:
        points = []
        for scenario in scenarios(build):
            if arguments.only not in scenario.name:
                continue
            folder = Path(parent) / f"whole-{scenario.name}"
            folder.mkdir()
            scenario.begin(folder)
            log = Path(parent) / f"{scenario.name}.log"
            whole = scenario.run(library, folder, log=log)
            if whole.returncode != 0:
                sys.exit(f"{scenario.name}: {whole.stderr}")
            scenario.expected = scenario.digest(folder) if scenario.digest else whole.stdout
            scenario.calls = [
                (call, mode == "w", path)
                for call, mode, path in (line.split(" ", 2) for line in log.read_text().splitlines())
            ]
            all_points = [
                (scenario, (at, kind))
                for at, (call, _, _) in enumerate(scenario.calls)
                for kind in (*KILLS, *KINDS[call])
            ]
            counts = collections.Counter(call for call, _, _ in scenario.calls)
            print(f"{scenario.name}: {len(scenario.calls)} calls ({counts}), {len(all_points)} faults possible")
            if not arguments.all:
                count = round(arguments.faults * (1 if arguments.only else SHARES[scenario.name]))
                if count > len(all_points) and not arguments.only:
                    sys.exit(f"{count} faults of {scenario.name} are wanted, there are {len(all_points)}")
                all_points = generator.sample(all_points, min(count, len(all_points)))
            points += all_points
        if not (arguments.all or arguments.only) and len(points) != arguments.faults:
            sys.exit(
                f"{arguments.faults} faults are wanted, the scenarios' shares are {len(points)}: take a multiple of 10"
            )
        wrong = []
        ends = collections.Counter()
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            outcomes = pool.map(lambda point: one(library, point[0], parent, point[1]), points)
            for (scenario, (at, kind)), (problem, ended) in zip(points, outcomes):
                ends[(scenario.name, ended)] += 1
                if problem:
                    wrong.append(problem)
                    print(f"WRONG {scenario.name}, call {at} ({scenario.calls[at][0]}), {kind}: {problem}")
        print(f"{len(points)} faults: " + ", ".join(f"{name} {end} {n}" for (name, end), n in sorted(ends.items())))
        print(f"{len(wrong)} wrong")
        sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
