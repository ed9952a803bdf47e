"""Run files that tests change."""

import contextlib
import hashlib

import h5py

import gcg_runs


@contextlib.contextmanager
def edited(path):
    """A run file opened by h5py for changes, whose checksum is made right afterwards."""
    with h5py.File(path, "a") as file:
        yield file
    content = path.read_bytes()
    path.write_bytes(content + gcg_runs.TRAILER + hashlib.sha256(content).digest())
