"""The order of includes that CONTRIBUTING.md states: its table of folders is the one source.

A folder of lib includes headers of its own, of the folders its CMakeLists.txt names in DEPENDS, and of those that these
depend on; all of them stand above it in the table. LibTorch's headers are included where the table says so.
"""

import re
import unittest
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
LIB = PROJECT / "lib"
SOURCES = sorted(path for path in LIB.rglob("*") if path.suffix in {".h", ".cpp", ".inc", ".cu"})
INCLUDE = re.compile(r'^\s*#\s*include\s+["<]([^">]+)[">]', re.MULTILINE)
LIBTORCH = {"torch", "ATen", "c10"}


def table():
    """{folder: idea}, in the order of the table."""
    rows = re.findall(r"^\| `(\w+)` \| (.+) \|$", (PROJECT / "CONTRIBUTING.md").read_text(), re.MULTILINE)
    return dict(rows)


def depends():
    """{folder: the other folders whose targets its CMakeLists.txt names}."""
    targets, folders = {}, {}  # {target: what it depends on}, {target: its folder}
    for path in LIB.glob("*/CMakeLists.txt"):
        for name, call in re.findall(r"gcg_library\((\w+)([^)]*)\)", path.read_text()):
            named = re.search(r"\bDEPENDS((?:\s+(?!SOURCES|LINK)\w+)*)", call)
            targets[name] = named.group(1).split() if named else []
            folders[name] = path.parent.name
    result = {folder: set() for folder in folders.values()}
    for name, below in targets.items():
        result[folders[name]] |= {folders[other] for other in below} - {folders[name]}
    return result


def closure(folder, edges):
    """All folders that `folder` depends on, itself among them."""
    return {folder}.union(*(closure(below, edges) for below in edges[folder]))


def includes():
    """(file, its folder, first part of the path it includes, that path) of every include with a path."""
    for path in SOURCES:
        for name in INCLUDE.findall(path.read_text()):
            if "/" in name:
                yield str(path.relative_to(PROJECT)), path.parent.relative_to(LIB).parts[0], name.split("/")[0], name


class IncludeOrder(unittest.TestCase):
    def test_the_table_names_every_folder_of_lib_in_the_order_of_the_build(self):
        built = re.search(r"^foreach\(folder ([^)]+)\)", (LIB / "CMakeLists.txt").read_text(), re.MULTILINE).group(1)
        self.assertEqual(list(table()), built.split())
        self.assertEqual(set(table()), {path.name for path in LIB.iterdir() if path.is_dir()})

    def test_a_folder_depends_on_folders_above_it(self):
        order = list(table())
        for folder, below in depends().items():
            for other in below:
                with self.subTest(folder=folder, depends=other):
                    self.assertLess(order.index(other), order.index(folder))

    def test_a_folder_includes_what_it_depends_on_alone(self):
        edges = depends()
        wrong = [
            f"{file}: {name}"
            for file, folder, first, name in includes()
            if first in edges and first not in closure(folder, edges)
        ]
        self.assertEqual(wrong, [])

    def test_libtorch_is_included_where_the_table_says_so(self):
        said = {folder for folder, idea in table().items() if re.search(r"\bincludes? LibTorch\b", idea)}
        found = {folder for _, folder, first, _ in includes() if first in LIBTORCH}
        self.assertEqual(found, said)


if __name__ == "__main__":
    unittest.main()
