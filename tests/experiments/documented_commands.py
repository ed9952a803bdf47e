#!/usr/bin/env python3
"""Runs the commands of docs/experiments.md that start nothing, with the scale that the page shows.

documented_commands.py PROGRAMS    PROGRAMS: folder of the experiments' executables
"""

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

PAGE = Path(__file__).resolve().parents[2] / "docs" / "experiments.md"
COMMAND = re.compile(r"^    build/release/experiments/(.+ (?:--list|--dry-run))$", re.MULTILINE)


def main():
    text = PAGE.read_text()
    (scale,) = re.findall(r"```toml\n(.*?)```", text, re.DOTALL)
    commands = COMMAND.findall(text)
    environment = {name: value for name, value in os.environ.items() if name != "GCG_DATA"}
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "my_scale.toml").write_text(scale)
        for command in commands:
            done = subprocess.run(
                ["bash", "-c", f"{sys.argv[1]}/{command}"],
                cwd=folder,
                env=environment,
                capture_output=True,
                text=True,
                check=False,
            )
            if done.returncode != 0 or not done.stdout:
                sys.exit(f"{command}\n{done.stdout}{done.stderr}")
            if "my_scale.toml" in command and "--dry-run" in command and "--network=vgg16" not in done.stdout:
                sys.exit(f"{command}\ndoes not run the scale's network:\n{done.stdout}")
        if os.listdir(folder) != ["my_scale.toml"]:
            sys.exit(f"the commands left {os.listdir(folder)}")
    if len(commands) < 5:
        sys.exit(f"{PAGE} has {len(commands)} such commands")


if __name__ == "__main__":
    main()
