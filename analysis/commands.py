"""The commands that `pip install ./analysis` gives: each starts one program of this folder."""

import importlib
import sys
from pathlib import Path


def _start(program):
    """The programs import one another by their names, so their folder comes first on the path of this process."""
    sys.path.insert(0, str(Path(__file__).resolve().parent))
    return importlib.import_module(program).main()


def inspect():
    return _start("inspect_run")


def analyse():
    return _start("analyse")


def compare():
    return _start("compare")


def heads():
    return _start("heads")


def keep_tables():
    return _start("keep_tables")


def report():
    return _start("report")
