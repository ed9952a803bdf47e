#!/usr/bin/env python3
"""Whether a folder of scripts/gpu_carry.sh has all that a build for `make gpu-check` needs, as far as a machine without
a GPU can tell: configures such a build with it here, and names what the build takes from packages of this machine that
the other one need not have. Headers are asked of the preprocessor, libraries of the commands that link; nothing is
compiled.
"""

import argparse
import os
import re
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
TARGETS = ("gcg_run", "gcg_device_tests", "gcg_device_rates")
# The compiler with its libraries, and a LibTorch with what its own headers and libraries want.
THERE = re.compile(
    r"(lib(c6|gcc|stdc\+\+|gomp|quadmath|itm|atomic|cc1|nsl|tirpc|crypt|[a-z]+san)|gcc|g\+\+|cpp|binutils|linux-libc"
    r"|libtorch|libgloo|libprotobuf)"
)


def output(*command, **options):
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, **options).stdout


def owners_of_files():
    """The package that owns each file of this machine."""
    owners = {}
    for listed in Path("/var/lib/dpkg/info").glob("*.list"):
        for name in listed.read_text().splitlines():
            # Debian moved /lib below /usr, and its lists have either name.
            owners["/usr" + name if name.startswith(("/lib", "/bin")) else name] = listed.stem.split(":")[0]
    return owners


def needed(library):
    """The names of the libraries that a library or program asks for when it is loaded."""
    return re.findall(r"\(NEEDED\).*\[(.*)\]", output("readelf", "-d", library))


def variables_of_make(carried):
    """Those that the Makefile exports for a build with carried packages."""
    show = ["make", "-s", "-C", PROJECT, "-f", "tests/make/targets.mk", "environment", f"CARRIED={carried}"]
    named = re.compile(r"(PATH|C\w*_PATH|LD_LIBRARY_PATH)=")
    lines = [line for line in output(*show).splitlines() if named.match(line)]
    return dict(line.split("=", 1) for line in lines)


def files_of_build(build, environment):
    """What the build reads beside its own files: those that are there, and headers that are not."""
    commands = output("ninja", "-C", build, "-t", "commands", *TARGETS, env=environment).splitlines()
    sources = [command for command in commands if " -c " in command]

    def headers(command):
        words = command.split()
        start = next(i for i, word in enumerate(words) if word.endswith(("c++", "g++", "cc", "gcc")))
        line = re.sub(r" (-o|-MF|-MT) \S+| -MD", "", " ".join(words[start:])).replace(" -c ", " -M -MG ")
        rule = output("bash", "-c", line, cwd=build, env=environment)
        return rule.split(":", 1)[1].replace("\\", " ").split()

    with ThreadPoolExecutor(2) as pool:
        words = {word for found in pool.map(headers, sources) for word in found}
    files = {os.path.normpath(word) for word in words if word.startswith("/")}
    # A header that is not there is named as it is included: one that the build makes, or a missing one.
    made = (Path(build) / "build.ninja").read_text()
    missing = sorted(word for word in words if not word.startswith("/") and word not in made)
    links = [command for command in commands if " -c " not in command and " -o " in command]
    files |= {word for line in links for word in re.findall(r"(?<!\S)/\S+\.(?:so|a)[0-9.]*(?!\S)", line)}
    cache = (Path(build) / "CMakeCache.txt").read_text()
    files |= set(re.findall(r"^(?:CMAKE_MAKE_PROGRAM|CMAKE_COMMAND):\w+=(/.*)$", cache, re.M))
    print(f"{len(sources)} sources, {len(links)} links: {len(files)} files")
    if not sources or not links:
        sys.exit("the build has no commands")
    return files, missing


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="made by scripts/gpu_carry.sh")
    parser.add_argument(
        "torch", nargs="?", type=Path, help="as TORCH of make; else this machine's, in place of another"
    )
    given = parser.parse_args()
    carried = given.folder.resolve()
    torch = [str(given.torch.resolve())] if given.torch else []
    environment = os.environ | variables_of_make(carried) | {"CCACHE_DISABLE": "1"}
    with tempfile.TemporaryDirectory() as build:
        configure = [PROJECT / "scripts" / "configure.sh", "release", build, *torch]
        if subprocess.run(configure, cwd=PROJECT, env=environment, check=False).returncode != 0:
            sys.exit("it cannot be configured")
        files, missing = files_of_build(build, environment)
        files = {file for file in files if not file.startswith(f"{build}/")}
    installed = output("dpkg-query", "-W", "-f", "${Package} ${Priority}\n").splitlines()
    base = {word.split()[0] for word in installed if word.endswith(" required")}
    owners = owners_of_files()
    lacking = {name: ["no such header"] for name in missing}

    def expect(file):
        # CMake may have found this machine's where the carried one would be found there.
        owner = owners.get(file) or owners.get(os.path.realpath(file), file)
        if not (carried / file.lstrip("/")).exists() and owner not in base and not THERE.match(owner):
            lacking.setdefault(owner, []).append(file)

    for file in sorted(files):
        if not file.startswith((f"{carried}/", f"{PROJECT}/", *(f"{path}/" for path in torch))):
            expect(file)
    # What was linked, and the tools of the build, ask for libraries when they are loaded.
    waiting = [file for file in sorted(files) if file.startswith(f"{carried}/") and ".so" in file]
    waiting += [carried / "usr" / "bin" / tool for tool in ("cmake", "ninja")]
    places = {place.name: place for place in carried.rglob("*.so*") if place.is_file()}
    here = dict(re.findall(r"^\s(\S+) .* => (\S+)$", output("/sbin/ldconfig", "-p"), re.M)[::-1])
    seen = set()
    while waiting:
        for name in needed(waiting.pop()):
            if name in places and name not in seen:
                waiting.append(places[name])
            elif name not in seen:
                expect(here.get(name, name))
            seen.add(name)
    print(f"{len(seen)} libraries are asked for when they are loaded")
    for owner, found in sorted(lacking.items()):
        print(f"not carried: {owner}: {', '.join(found[:3])}{' ...' if len(found) > 3 else ''}")
    if lacking:
        sys.exit(1)
    print("all is there")


if __name__ == "__main__":
    main()
