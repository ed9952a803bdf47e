"""Whether Doxygen reads every header of the library without a warning. Status 77 (a skipped test) where it is not
installed."""

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]


def main():
    if shutil.which("doxygen") is None:
        print("doxygen is not installed: apt-get install doxygen; the check is skipped")
        return 77
    with tempfile.TemporaryDirectory() as folder:
        settings = (PROJECT / "docs" / "Doxyfile").read_text() + f"\nOUTPUT_DIRECTORY = {folder}\n"
        done = subprocess.run(
            ["doxygen", "-"], input=settings, cwd=PROJECT, capture_output=True, text=True, check=False
        )
        pages = len(list(Path(folder, "html").glob("*_8h.html")))
    headers = len(list((PROJECT / "lib").rglob("*.h")))
    print(done.stderr)
    if pages < headers:
        print(f"{pages} pages of {headers} headers")
    return 1 if done.returncode or done.stderr.strip() or pages < headers else 0


if __name__ == "__main__":
    sys.exit(main())
