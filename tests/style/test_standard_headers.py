"""A file that uses these parts of the standard library includes their header, itself or through headers of the project:
what another standard header brings along differs between compilers."""

import re
import unittest
from functools import cache
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
FOLDERS = [PROJECT / name for name in ("lib", "tests", "experiments", "data_scripts")]
INCLUDE = re.compile(r'^\s*#\s*include\s+["<]([^">]+)[">]', re.MULTILINE)
ALGORITHMS = (
    "adjacent_find all_of any_of clamp copy copy_n count count_if equal fill fill_n find find_if for_each generate"
    " is_sorted lower_bound max_element min_element minmax mismatch none_of nth_element partial_sort remove remove_if"
    " reverse rotate sample shuffle sort stable_sort swap_ranges transform unique upper_bound"
)
FUNCTIONS = (
    "abs cbrt ceil cos erf exp expm1 fabs floor fmod frexp hypot isfinite isnan ldexp llround log log1p log2 lround"
    " nextafter pow round sin sqrt tanh"
)
any_of = lambda names: "|".join(names.split())
USES = {
    "algorithm": rf"std::(?:(?:max|min)\(\{{|(?:{any_of(ALGORITHMS)})\(|ranges::(?!begin|end|size|views)\w+\()",
    "array": r"std::array<",
    "atomic": r"std::atomic",
    "cmath": rf"std::(?:{any_of(FUNCTIONS)})\(",
    "cstdlib": r"std::(?:getenv|strtol|strtod|abort|exit)\(",
    "cstring": r"std::(?:memcpy|memset|memcmp|strlen|strcmp|strerror)\(",
    "fstream": r"std::[io]?fstream",
    "functional": r"std::function<",
    "limits": r"std::numeric_limits",
    "map": r"std::map<",
    "memory": r"std::(?:unique_ptr|shared_ptr|make_unique|make_shared)",
    "mutex": r"std::(?:mutex|lock_guard|unique_lock)",
    "numeric": r"std::(?:accumulate|iota|reduce|inner_product|partial_sum|gcd|lcm|midpoint)\(",
    "optional": r"std::(?:optional|nullopt)",
    "set": r"std::set<",
    "sstream": r"std::[io]?stringstream",
    "thread": r"std::(?:thread|jthread|this_thread)",
    "tuple": r"std::(?:tuple|tie\()",
    "variant": r"std::variant",
}


@cache
def named(path):
    return INCLUDE.findall(path.read_text())


def included(path):
    """All that a file includes, through headers of the project too."""
    found, left, seen = set(), [path], set()
    while left:
        file = left.pop()
        if file in seen:
            continue  # a file of kernels includes itself
        seen.add(file)
        for name in named(file):
            found.add(name)
            left += [folder / name for folder in [*FOLDERS, file.parent] if (folder / name).is_file()][:1]
    return found


class StandardHeaders(unittest.TestCase):
    def test_what_is_used_is_included(self):
        files = [path for folder in FOLDERS for path in folder.rglob("*") if path.suffix in {".h", ".cpp"}]
        self.assertGreater(len(files), 500)
        for path in sorted(files):
            text = re.sub(r"//[^\n]*", "", path.read_text())
            for header, use in USES.items():
                found = re.search(use, text)
                if found and header not in included(path):
                    self.fail(f"{path.relative_to(PROJECT)} uses {found.group(0)} and does not include <{header}>")


if __name__ == "__main__":
    unittest.main()
