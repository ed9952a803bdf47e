#!/usr/bin/env python3
"""The commands of README.md and docs/*.md, run as far as they start nothing: programs with --dry-run (or what they show
without it, such as --list), targets of make with `make -n`, Python programs with --help. A command for which there is
no rule here is an error.

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
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
COMMAND = re.compile(r"^    ([^\s#].*)$", re.MULTILINE)  # an indented line; a comment may follow it, or be all of it
SHOWS = {"--help", "--list", "--dry-run", "--settings", "--status", "--slurm-dry-run"}
OWN = re.search(r"^VARIABLES := (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE).group(1).split()


def commands():
    """[(page, command)] of all pages, without comments; code in fences is no command. A page may name the start of its
    commands E, which then stands in them."""
    found = []
    for page in PAGES:
        text = re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL)
        start = ""
        for line in COMMAND.findall(text):
            command = line.split(" #")[0].strip()
            if named := re.fullmatch(r'E="(.*)"', command):
                start = named.group(1)
            else:
                found.append((page, command.replace("$E", start)))
    return found


def harmless(words, programs):
    """The command that is run instead, as words; None for one that needs no run."""
    first = words[0]
    if first == "make":
        return ["make", "-n", "--no-print-directory", "-C", str(ROOT), *words[1:]]
    if first == "/usr/bin/python3":
        return [first, str(ROOT / words[1]), "--help"]
    if re.match(r"build/[\w-]+/experiments/", first):
        program = programs / Path(first).name
        # A build and a machine may have no GPU and no Slurm; nothing is watched.
        instead = {"cuda": "cpu", "--slurm": "--slurm-dry-run", "--cancel": "--status"}
        options = [instead.get(word, word) for word in words[1:] if word != "--watch"]
        words = options
        return [str(program), *options, *([] if SHOWS & set(words) else ["--dry-run"])]
    if first == "ssh":
        (line,) = words[2:]
        (program,) = re.findall(r"build/\S+ .*--work", line)
        return harmless(shlex.split(program.replace("--work", "--status")), programs)
    if first == "srun":
        at = next(i for i, word in enumerate(words) if word.startswith("build/"))
        assert "--world" in words[at:], words
        step = ["SLURM_PROCID=0", "SLURM_NTASKS=8", "SLURM_LOCALID=0", "SLURM_STEP_NODELIST=localhost"]
        return ["env", *step, *harmless(words[at:], programs)]
    if words[:3] == ["python3", "-m", "venv"]:
        return None
    if first == "pip":
        folder = words[2].split("[")[0]
        assert words[1] == "install" and (ROOT / folder / "pyproject.toml").exists(), words
        return None
    scripts = tomllib.loads((ROOT / "analysis" / "pyproject.toml").read_text())["project"]["scripts"]
    if first in scripts:
        return None
    raise ValueError("there is no rule for it in tests/experiments/documented_commands.py")


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
                # What stands before it for the environment may itself be what a command prints.
                plain = re.sub(r"^\w+=(\$\(.*\)|\S*) ", "", command).replace("/shared/", f"{shared}/")
                words = harmless(shlex.split(plain), programs)
                if words is None:
                    continue
                done = subprocess.run(words, cwd=folder, env=clean, capture_output=True, text=True, check=False)
                said = done.stdout + done.stderr
                if done.returncode != 0 or not said:
                    raise ValueError(f"{shlex.join(words)} ends with status {done.returncode}\n{said[-2000:]}")
                if "my_scale.toml" in command and "--dry-run" in command and "--network=vgg16" not in said:
                    raise ValueError(f"does not run the scale's network:\n{said}")
            except (ValueError, AssertionError, OSError) as error:
                failed.append(f"{page.relative_to(ROOT)}: {command}\n  {error}")
        if os.listdir(folder) != ["my_scale.toml"]:
            failed.append(f"the commands left {os.listdir(folder)}")
    if len(found) < 30:
        failed.append(f"only {len(found)} commands were found")
    if failed:
        sys.exit("\n".join(failed))
    print(f"{len(found)} commands of {len(PAGES)} pages")


if __name__ == "__main__":
    main()
