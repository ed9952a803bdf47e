#!/usr/bin/env python3
"""The commands of README.md, CONTRIBUTING.md and docs/*.md, run as far as they start nothing: programs with --dry-run
(or what they show without it, such as --list), targets of make with `make -n`, tests as lists, everything else with
--help, which has to know the options. A command for which there is no rule here is an error.

documented_commands.py PROGRAMS    PROGRAMS: folder of the experiments' executables
"""

import os
import re
import shlex
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
LINE = re.compile(r"^    ([^\s#].*)$", re.MULTILINE)  # an indented line; a comment may follow it, or be all of it
FENCE = re.compile(r"^```(\w*)\n(.*?)^```", re.DOTALL | re.MULTILINE)
# What stands in a sentence or a table is a command if it begins so and goes on.
INLINE = re.compile(
    r"`((?:make|ctest|cmake|pip|python3|/usr/bin/python3|srun|gcg[_-]\w+|\w+\.py"
    r"|(?:build|scripts|analysis|data_scripts|tests)/[\w./-]*) [^`\n]+)`"
)
SHOWS = {"--help", "--list", "--dry-run", "--settings", "--status", "--slurm-dry-run"}
OWN = re.search(r"^VARIABLES := (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE).group(1).split()
# Commands that cannot be looked at here, by how they begin, and what they need.
NEED = {
    "python3 -m venv": "the network, for PyTorch's packages",
    "cmake --install": "a place to install to; the test `install` does it",
    'echo "cd': "PBS: what stands before the pipe is its script",
}


def commands():
    """[(page, command)] of all pages, without comments: indented lines, lines of fences of `sh`, and what stands in
    sentences. A page may name the start of its commands E, which then stands in them."""
    found = []
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        lines = LINE.findall(FENCE.sub("", text))
        for language, content in FENCE.findall(text):
            if language == "sh":
                lines += [line for line in content.splitlines() if line and not line.startswith("#")]
        start = ""
        for line in lines:
            command = line.split(" #")[0].strip()
            if named := re.fullmatch(r'E="(.*)"', command):
                start = named.group(1)
            else:
                found.append((page, command.replace("$E", start)))
        found += [(page, command.replace("\\|", "|")) for command in INLINE.findall(FENCE.sub("", text))]
    return found


def of_experiment(program, words):
    """A run or an experiment that shows what it would do."""
    # A build and a machine may have no GPU and no Slurm; nothing is watched.
    instead = {"cuda": "cpu", "--slurm": "--slurm-dry-run", "--cancel": "--status"}
    options = [instead.get(word, word) for word in words if word not in ("--watch", "...")]
    return [str(program), *options, *([] if SHOWS & set(options) else ["--dry-run"])]


def harmless(words, programs):
    """The command that is run instead, as words; None for one that needs no run."""
    build = programs.parent
    first = words[0]
    if first == "make":
        # A folder that another machine filled is not here.
        return ["make", "-n", "--no-print-directory", "-C", str(ROOT), *(w for w in words[1:] if "CARRIED=" not in w)]
    if first in ("/usr/bin/python3", "python3"):
        return [first, str(ROOT / words[1]), "--help"]
    if first.endswith(".py"):
        (script,) = [ROOT / first] if "/" in first else (ROOT / "tests").rglob(first)
        return ["/usr/bin/python3", str(script), "--help"]
    if first.endswith(".sh"):
        return ["bash", "-c", f"bash -n {shlex.quote(str(ROOT / first))} && cat {shlex.quote(str(ROOT / first))}"]
    if first == "ctest":
        assert words[1] == "--preset" and len(words) == 5, words
        return ["ctest", "--test-dir", str(build), "-N", *words[3:]]
    if re.match(r"build/[\w-]+/tests/", first):
        return [str(build / first.split("/", 2)[2]), *words[1:], "--gtest_list_tests"]
    if re.match(r"build/[\w-]+/experiments/", first):
        name = "growth_rules" if Path(first).name == "NAME" else Path(first).name
        return of_experiment(programs / name, words[1:])
    if first.endswith("_bench"):
        return [str(build / "tests" / "bench" / first), "--benchmark_list_tests=true"]
    if first in ("gcg_data_prepare", "gcg_data_check"):
        return [str(build / "data_scripts" / first), "--help"]
    if re.match(r"gcg_\w+$", first):
        made_up = first != "gcg_run" or any("FILE" in word for word in words)
        return [str(programs / first), "--help"] if made_up else of_experiment(programs / first, words[1:])
    if first in ("ssh", "nohup", "for"):
        (line,) = re.findall(r"build/\S+ .*--work", " ".join(words))
        return harmless(shlex.split(line.replace("--work", "--status")), programs)
    if first in ("srun", "mpirun"):
        at = next(i for i, word in enumerate(words) if word.startswith(("build/", "gcg_run")))
        assert "--world" in words[at:], words
        step = ["SLURM_PROCID=0", "SLURM_NTASKS=8", "SLURM_LOCALID=0", "SLURM_STEP_NODELIST=localhost"]
        return ["env", *step, *harmless(words[at:], programs)]
    if first == "pip":
        folder = words[2].split("[")[0]
        assert words[1] == "install" and (ROOT / folder / "pyproject.toml").exists(), words
        return None
    scripts = tomllib.loads((ROOT / "analysis" / "pyproject.toml").read_text())["project"]["scripts"]
    if first in scripts:
        return None
    raise ValueError("there is no rule for it in tests/experiments/documented_commands.py")


def check(command, words, said):
    """Whether what was shown instead has what the command names."""
    if worker := re.search(r"--work [^>&]*", command):
        words = [words[0], "--help"]
        command, said = worker.group(), subprocess.run(words, capture_output=True, text=True, check=True).stdout
    if words[-1] == "--help" or words[0] == "bash":
        for option in re.findall(r"(?<!\S)\[?(--[a-z][\w-]*)", command):
            if option not in said:
                raise ValueError(f"there is no {option}:\n{said[-2000:]}")
    if words[0] == "ctest" and "Total Tests: 0" in said:
        raise ValueError("there is no such test")
    if "my_scale.toml" in command and "--dry-run" in command and "--network=vgg16" not in said:
        raise ValueError(f"does not run the scale's network:\n{said}")


def main():
    programs = Path(sys.argv[1]).resolve()
    clean = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("MAKE", "MFLAGS", "GCG_DATA")) and name not in OWN
    }
    (scale,) = re.findall(r"```toml\n(.*?)```", (ROOT / "docs" / "experiments.md").read_text(), re.DOTALL)
    found, failed = commands(), []
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryDirectory() as shared:
        Path(folder, "my_scale.toml").write_text(scale)
        for page, command in found:
            try:
                if command.startswith(tuple(NEED)):
                    continue
                # What a command prints stands for a folder; what stands before it, for the environment.
                plain = re.sub(r"\$\(.*?\)(?= |$)", "/opt/torch", command)
                plain = re.sub(r"^\w+=\S* ", "", plain).replace("/shared/", f"{shared}/")
                words = harmless(shlex.split(plain), programs)
                if words is None:
                    continue
                done = subprocess.run(words, cwd=folder, env=clean, capture_output=True, text=True, check=False)
                said = done.stdout + done.stderr
                if done.returncode != 0 or not said:
                    raise ValueError(f"{shlex.join(words)} ends with status {done.returncode}\n{said[-2000:]}")
                check(command, words, said)
            except (ValueError, AssertionError, OSError) as error:
                failed.append(f"{page.relative_to(ROOT)}: {command}\n  {error}")
        if os.listdir(folder) != ["my_scale.toml"]:
            failed.append(f"the commands left {os.listdir(folder)}")
    if len(found) < 120:
        failed.append(f"only {len(found)} commands were found")
    if failed:
        sys.exit("\n".join(failed))
    print(f"{len(found)} commands of {len(PAGES)} pages")


if __name__ == "__main__":
    main()
