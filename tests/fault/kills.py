"""Kills: a run that is ended by SIGKILL, SIGTERM, SIGINT and SIGHUP at random times, and started again until it is
finished, ends with the digest of a run in one piece, and a signal ends it within 5 seconds.

    kills.py BUILD [--kills N] [--seed S]
"""

import argparse
import collections
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
EPOCHS = "60"
LONGEST_END = 5  # seconds from the signal to the end


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("build", type=Path)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(2**32))
    arguments = parser.parse_args()
    program = arguments.build.resolve() / "tests/fault/gcg_toy_run"
    print(f"seed {arguments.seed}")
    generator = random.Random(arguments.seed)
    memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    kills, longest, runs = collections.Counter(), 0.0, 0
    with tempfile.TemporaryDirectory(dir=memory) as parent:
        begin = time.monotonic()
        whole = subprocess.run([program, f"{parent}/whole", EPOCHS], capture_output=True, text=True, check=True)
        duration = time.monotonic() - begin
        while kills.total() < arguments.kills:
            runs += 1
            folder = f"{parent}/{runs}"
            while True:
                process = subprocess.Popen([program, folder, EPOCHS], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
                try:
                    output, errors = process.communicate(timeout=duration * generator.uniform(0.02, 0.5))
                    break
                except subprocess.TimeoutExpired:
                    number = generator.choice(SIGNALS)
                    sent = time.monotonic()
                    process.send_signal(number)
                    process.communicate()
                    longest = max(longest, time.monotonic() - sent)
                    kills[number.name] += process.returncode != 0
            if process.returncode != 0 or output.decode() != whole.stdout:
                sys.exit(f"run {runs} ended with status {process.returncode}: {output.decode()}{errors.decode()}")
    print(
        f"{kills.total()} kills ({dict(kills)}) of {runs} runs, {longest:.2f} s from signal to end at most: equal ends"
    )
    if longest > LONGEST_END:
        sys.exit(f"more than {LONGEST_END} s")


if __name__ == "__main__":
    main()
