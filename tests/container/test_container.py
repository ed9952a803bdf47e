"""The two descriptions of the container say the same; with --build FOLDER its commands are run, in a chroot there."""

import re
import subprocess
import sys
import unittest
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]


def post():
    """Commands of the Apptainer definition, without the change of folder that Docker's WORKDIR is."""
    text = (PROJECT / "container/gcg.def").read_text()
    lines = re.search(r"^%post\n(.*?)^%", text, re.MULTILINE | re.DOTALL).group(1).split("\n")
    return [line.strip() for line in lines if line.strip()][1:]


class Container(unittest.TestCase):
    def test_both_descriptions_run_the_same_commands(self):
        docker = re.findall(r"^RUN (.*)$", (PROJECT / "container/Dockerfile").read_text(), re.MULTILINE)
        self.assertEqual(post(), docker)
        self.assertGreater(len(docker), 3)

    def test_both_begin_with_the_same_system_and_path(self):
        docker = (PROJECT / "container/Dockerfile").read_text()
        apptainer = (PROJECT / "container/gcg.def").read_text()
        for docker_has, apptainer_has in ((r"^FROM (.*)$", r"^From: (.*)$"), (r"^ENV (.*)$", r"export (PATH.*)$")):
            found = [
                re.search(pattern, text, re.MULTILINE).group(1)
                for pattern, text in ((docker_has, docker), (apptainer_has, apptainer))
            ]
            self.assertEqual(*found)


def build(folder: Path) -> None:
    """As a container engine would: a bare Debian, the project's files, the commands; then a program is asked."""
    inside = folder / "gcg"
    subprocess.run(["debootstrap", "--variant=minbase", "bookworm", folder], check=True)
    inside.mkdir()
    files = f"git ls-files -z | tar --null -T - -c | tar -x -C {inside}"
    subprocess.run(files, shell=True, cwd=PROJECT, check=True)
    mounts = f"mount -t proc proc {folder}/proc; mount --rbind /dev {folder}/dev; "
    mounts += f"cp /etc/resolv.conf {folder}/etc/; "
    run = "gcg_run --data procedural --data-images 200 --epochs 1 --batch-size 32 --out /tmp/runs"
    for command in [*post(), *(f"/gcg/build/release/experiments/{line}" for line in ("growth_rules --help", run))]:
        print(f"== {command}", flush=True)
        enter = f"{mounts} exec chroot {folder} sh -c 'cd /gcg && {command}'"
        subprocess.run(["unshare", "--mount", "--pid", "--fork", "sh", "-c", enter], check=True)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--build"]:
        build(Path(sys.argv[2]))
    else:
        unittest.main()
