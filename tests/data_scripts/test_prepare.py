"""What gcg_data_prepare accepts on its command line.

    test_prepare.py GCG_DATA_PREPARE
"""

import subprocess
import sys
import unittest

PREPARE = sys.argv[1]


class PrepareTest(unittest.TestCase):
    def check_refused(self, text, *arguments):
        result = subprocess.run(
            [PREPARE, "--from", "/nowhere", *arguments],
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=60,
        )
        self.assertEqual(result.returncode, 2, result.stdout)
        self.assertIn(text, result.stdout)

    def test_options_that_would_be_ignored_are_errors(self):
        for name in ("cifar10", "idx", "tinyimagenet"):
            self.check_refused("--short-side: has no effect here", "--data", name, "--short-side", "256")
            self.check_refused("--quality: has no effect here", "--quality", "80", "--data", name)
        self.check_refused("--quality: has no effect here", "--data", "imagenet", "--quality", "80")
        for option in ("--skip-damaged", "--pass-over"):
            self.check_refused(f"{option}: has no effect here", "--data", "cifar100-fine", option, "on")

    def test_an_option_given_twice_is_an_error(self):
        self.check_refused("--data: is given twice", "--data", "cifar10", "--data", "idx")


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
