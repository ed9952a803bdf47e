"""python_style.py black|flake8: whether the tool finds every Python file of the project in order.

`make format` puts right what black says. Status 77 (a skipped test) where the tool is not installed.
"""

import shutil
import subprocess
import sys
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
FOLDERS = ["analysis", "data_scripts", "examples", "paper", "tests"]
COMMANDS = {"black": ["black", "--check", "--quiet", "--diff"], "flake8": ["flake8"]}


def main(tool):
    if shutil.which(tool) is None:
        print(f"{tool} is not installed: `make packages` installs it; the check is skipped")
        return 77
    return subprocess.run([*COMMANDS[tool], *FOLDERS], cwd=PROJECT, check=False).returncode


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
