"""File systems that lack something: a run, a preparation and a fetch go on where nothing can be flushed to disk, where
folders alone cannot, and where there are no locks; they end as elsewhere, and say once what is not guaranteed.

    file_systems.py BUILD
"""

import argparse
import os
import sys
import tempfile
from pathlib import Path

from faults import scenarios

FLUSH = "this file system cannot flush to disk"
LOCKS = "this file system has no locks"
# What the library answers, and the words of the warnings by scenario; another process is kept out by a lease as well.
LACKS = {
    "folder-flush": {"run": [FLUSH], "preparation": [FLUSH], "images": [FLUSH], "fetch": []},
    "flush": {"run": [FLUSH], "preparation": [FLUSH], "images": [FLUSH], "fetch": [FLUSH]},
    "locks": {"run": [], "preparation": [], "images": [], "fetch": [LOCKS]},
}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("build", type=Path)
    build = parser.parse_args().build.resolve()
    library = build / "tests/fault/libgcg_fault.so"
    memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    wrong = 0
    with tempfile.TemporaryDirectory(dir=memory) as parent:
        for scenario in scenarios(build):
            ends = {}
            for lack in ("", *LACKS):
                folder = Path(parent) / f"{scenario.name}-{lack}"
                folder.mkdir()
                scenario.begin(folder)
                ended = scenario.run(library, folder, lacks=lack)
                failed = ended.returncode != 0
                ends[lack] = "" if failed else scenario.digest(folder) if scenario.digest else ended.stdout
                warnings = [line for line in ended.stderr.splitlines() if line.startswith("warning: ")]
                words = LACKS[lack][scenario.name] if lack else []
                right = len(warnings) == len(words) and all(a in b for a, b in zip(words, warnings))
                if failed or not right or ends[lack] != ends[""]:
                    wrong += 1
                    print(f"WRONG {scenario.name} without {lack or 'nothing'}: {ended.returncode}, {ended.stderr}")
    print(f"{wrong} wrong")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
