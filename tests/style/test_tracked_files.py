"""What is tracked is what was written for the project: no run that lay in the work tree, no name that a shell or a tool
takes for something else."""

import re
import shutil
import subprocess
import unittest
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
RUN_FILES = re.compile(r"(\.h5|\.gcg|(^|/)(status|network)\.json|(^|/)\.lock)$")
PLAIN = re.compile(r"[\w.][\w.+-]*(/[\w.][\w.+-]*)*")


class TrackedFiles(unittest.TestCase):
    def setUp(self):
        if not shutil.which("git") or not (PROJECT / ".git").exists():
            self.skipTest("not a git checkout")
        listed = subprocess.run(["git", "ls-files", "-z"], cwd=PROJECT, check=True, capture_output=True, text=True)
        self.paths = listed.stdout.split("\0")[:-1]
        self.assertGreater(len(self.paths), 500)

    def test_no_file_of_a_run_is_tracked(self):
        self.assertEqual([path for path in self.paths if RUN_FILES.search(path)], [])

    def test_names_are_plain(self):
        self.assertEqual([path for path in self.paths if not PLAIN.fullmatch(path)], [])


if __name__ == "__main__":
    unittest.main()
