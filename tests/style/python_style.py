"""python_style.py black|flake8: whether the tool finds every Python file of the project in order.

`make format` puts right what black says. Status 77 (a skipped test) where the tool is not installed, and for black of
another year than the tree was formatted by: its style changes with the years.
"""

import shutil
import subprocess
import sys
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
FOLDERS = ["analysis", "data_scripts", "examples", "paper", "tests"]
BLACK = "23"
COMMANDS = {"black": ["black", "--check", "--quiet", "--diff"], "flake8": ["flake8"]}


def main(tool):
    if shutil.which(tool) is None:
        print(f"{tool} is not installed: `make packages` installs it; the check is skipped")
        return 77
    if tool == "black":
        version = subprocess.run(["black", "--version"], capture_output=True, text=True, check=True).stdout.split()[1]
        if version.split(".")[0] != BLACK:
            print(f"black {version} has another style than that of 20{BLACK}: the check is skipped")
            return 77
    return subprocess.run([*COMMANDS[tool], *FOLDERS], cwd=PROJECT, check=False).returncode


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
