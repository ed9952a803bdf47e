"""Lets libFuzzer look for inputs that break a reader: every target in its turn, two side by side, from the seeds of the
tree, what was found before (tests/fuzz/found) and what earlier searches of this build reached.

    fuzz.py BUILD [--seconds 60] [--only NAME,NAME]      BUILD is of the preset checked

What is found stays in BUILD/fuzz/NAME/found; the command that repeats it is printed. It becomes a file of
tests/fuzz/found/NAME, which `make test` reads from then on.
"""

import argparse
import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

FOUND = Path(__file__).resolve().parent / "found"
LEAKS = Path(__file__).resolve().parents[1] / "leaks_of_libraries.txt"
MEMORY = 2048  # MiB that a reader may take, whatever the bytes say
SLOWEST = 20  # seconds for one input
# Where libFuzzer sees what is compared, it puts the right checksum over damage, which HDF5 1.10 may crash on; `values`
# has right checksums over what is checked.
BLIND = {"run_file": ["-use_cmp=0"]}


def search(build, name, seconds):
    """(line to print, whether something was found)."""
    here = build / "fuzz" / name
    corpus, seeds, found = here / "corpus", here / "seeds", here / "found"
    for folder in (corpus, seeds, found):
        folder.mkdir(parents=True, exist_ok=True)
    programs = build / "tests/fuzz"
    subprocess.run([programs / f"fuzz_{name}", "--seeds", seeds], check=True)
    before = set(found.iterdir())
    settings = {"LSAN_OPTIONS": f'suppressions="{LEAKS}":print_suppressions=0'}
    if os.access("/dev/shm", os.W_OK):
        settings["TMPDIR"] = "/dev/shm"
    process = subprocess.run(
        [
            programs / f"libfuzzer_{name}",
            *(f"-max_total_time={seconds}", f"-rss_limit_mb={MEMORY}", f"-timeout={SLOWEST}"),
            *BLIND.get(name, []),
            *(f"-artifact_prefix={found}/", "-print_final_stats=1", "-detect_leaks=1"),
            *(corpus, seeds, *([FOUND / name] if (FOUND / name).is_dir() else [])),
        ],
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
        env=os.environ | settings,
    )
    (here / "log").write_text(process.stderr)
    executed = re.search(r"stat::number_of_executed_units: (\d+)", process.stderr)
    covered = re.findall(r"cov: (\d+)", process.stderr)
    line = f"{name}: {executed.group(1) if executed else '?'} inputs, {covered[-1] if covered else '?'} edges"
    new = sorted(set(found.iterdir()) - before)
    for path in new:
        line += f"\n  FOUND {path}; repeat: {programs}/libfuzzer_{name} {path}"
    if process.returncode != 0 and not new:
        line += f"\n  FAILED with status {process.returncode}: {here / 'log'}"
    return line, process.returncode != 0


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("build", type=Path)
    parser.add_argument("--seconds", type=int, default=60, help="for every target")
    parser.add_argument("--only", default="", help="names of targets, with commas between them")
    arguments = parser.parse_args()
    build = arguments.build.resolve()
    names = sorted(path.name.removeprefix("libfuzzer_") for path in (build / "tests/fuzz").glob("libfuzzer_*"))
    if arguments.only:
        names = arguments.only.split(",")
    if not names:
        sys.exit(f"{build} has no fuzz targets: cmake --preset checked, and build it")
    failed = []
    with ThreadPoolExecutor(2) as pool:
        for name, (line, bad) in zip(names, pool.map(lambda name: search(build, name, arguments.seconds), names)):
            print(line, flush=True)
            failed += [name] if bad else []
    print(f"{len(names)} targets, {arguments.seconds} s each, {len(failed)} with findings {' '.join(failed)}")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
