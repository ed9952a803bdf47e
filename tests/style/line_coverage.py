"""Lines of lib that the tests of a build run, by folder: line_coverage.py BUILD [--least PERCENT]

BUILD is of the preset checked, whose processes have left their counts in BUILD/profiles (a killed process leaves none).
With --least, less than that is status 1.
"""

import argparse
import collections
import json
import subprocess
import sys
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]


def is_program(path):
    if not path.is_file() or not path.stat().st_mode & 0o100:
        return False
    with open(path, "rb") as file:
        return file.read(4) == b"\x7fELF"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("build", type=Path)
    parser.add_argument("--least", type=float, default=0)
    arguments = parser.parse_args()
    build = arguments.build.resolve()
    profiles = sorted((build / "profiles").glob("*.profraw"))
    if not profiles:
        sys.exit(f"{build / 'profiles'} is empty: build with the preset checked and run its tests")
    merged = build / "profiles/all.profdata"
    (build / "profiles/list").write_text("".join(f"{path}\n" for path in profiles))
    subprocess.run(
        ["llvm-profdata", "merge", "-sparse", f"--input-files={build / 'profiles/list'}", "-o", merged], check=True
    )
    programs = [path for folder in ("tests", "experiments", "data_scripts") for path in (build / folder).rglob("*")]
    programs = sorted(path for path in programs if "CMakeFiles" not in path.parts and is_program(path))
    objects = [word for path in programs for word in ("-object", str(path))]
    answer = subprocess.run(
        ["llvm-cov", "export", "-summary-only", f"-instr-profile={merged}", *objects[1:]],
        capture_output=True,
        text=True,
        check=True,
    )
    lines = collections.defaultdict(lambda: [0, 0])
    files = []
    for file in json.loads(answer.stdout)["data"][0]["files"]:
        path = Path(file["filename"]).resolve()  # a compiler cache leaves relative paths
        if not path.is_relative_to(PROJECT / "lib"):
            continue
        summary = file["summary"]["lines"]
        files.append((summary["count"] - summary["covered"], path.relative_to(PROJECT), summary))
        for name in (path.relative_to(PROJECT / "lib").parts[0], "lib"):
            lines[name][0] += summary["covered"]
            lines[name][1] += summary["count"]
    for name, (covered, count) in sorted(lines.items(), key=lambda row: (row[0] == "lib", row[0])):
        print(f"{name:12} {covered:6} of {count:6} lines  {100 * covered / max(1, count):5.1f} %")
    print("most lines not run:")
    for missing, path, summary in sorted(files, key=lambda row: row[:2], reverse=True)[:12]:
        print(f"  {missing:5}  {path} ({summary['percent']:.1f} %)")
    covered, count = lines["lib"]
    sys.exit(1 if 100 * covered < arguments.least * count else 0)


if __name__ == "__main__":
    main()
