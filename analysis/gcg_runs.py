"""Reads run files (docs/run_file.md): `load(path)` gives a Run, `load_all(folder)` all runs below a folder,
`load_study(path)` the finished runs of an experiment, `table(paths, columns)` a few facts of many runs without reading
the rest.

Tables are dictionaries of columns (numpy arrays of equal length, texts as str); `frame(table)` is one as a pandas
DataFrame, where pandas is there. Needs numpy and h5py only. Whatever is wrong with a file is one RunFileError:
the checksum at its end is looked at before anything else.
"""

import contextlib
import errno
import fcntl
import hashlib
import json
import os
import stat
import sys
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path

import h5py
import numpy as np

SCHEMA_VERSION = 4
# Behind the HDF5 content: this mark and the content's SHA-256.
TRAILER = b"GCGSHA2\n"
REBUILD = "run the run's command again: it rebuilds the file from the checkpoint"
REWRITE = "give the experiment's command again: it writes the list anew and keeps what is finished"
# {group: the attributes and columns that it has to hold}; _FINAL: those of /final, of a finished run.
_REQUIRED = {
    "/": "warnings status failure",
    "identity": "name hash defaults_version seed method network data data_digest classes train_images"
    " validation_images test_images command",
    "options": "name value is_default affects_result",
    "build": "version commit dirty compiler build_type",
    "host": "name processor instructions cores memory_bytes system threads",
    "execution": "asked used device precision kernels fused rule",
    "libraries": "name version",
    "layers": "name outputs inputs kernel_height kernel_width network norm_count",
    "trajectory": "step epoch stage phase density learning_rate train_loss train_accuracy validation_loss"
    " validation_accuracy training_flops seconds",
    "stages": "stage phase present density epochs validation_accuracy validation_loss grown repaired growth_overlap"
    " scores decision density_epochs training_flops seconds",
    "stages/fit": "outcome d_star d_low d_high accuracy_at_one standard_error epsilon chi_square note parameter_count"
    " parameter_names parameters",
    "stages/joint": "outcome d_star d_low d_high accuracy_at_one difference_error union_low union_high own_noise"
    " common_noise note parameter_names parameters",
    "stages/above_best": "loss loss_error accuracy accuracy_error",
    "predictions": "image stage loss hit",
    "search": "outcome stage density low high",
    "statistics": "stage present density overlap_previous ever_present_share effective_density disconnected_units"
    " fewest_live_channels narrowest_layer inference_flops log_path_norm log_path_kernel_trace tau_core_units"
    " tau_core_units_random",
    "statistics/layers": "present wanted integer overlap_previous ever_present effective dead_outputs dead_inputs",
    "statistics/in_degree": "",
    "statistics/out_degree": "",
    "masks": "",
    "cost": "density_epochs training_flops scoring_flops dense_gradient_flops train_seconds evaluate_seconds"
    " grow_seconds statistics_seconds record_seconds data_wait_seconds peak_memory_bytes steps epochs",
}
_FINAL = (
    "test_labels test_predictions density validation_accuracy validation_loss test_accuracy test_loss inference_flops"
)


class RunFileError(Exception):
    """A file that is no run file, one of another version, damaged or locked; the text names the file and the remedy."""


class Run:
    """One run. Its status, identity, options, network and cost are read at once; tables, masks and the final arrays
    when they are first asked for, after the file's checksum once more."""

    path: Path
    status: str  # running, finished, failed
    failure: str
    identity: dict
    options: dict  # name -> value, canonical texts
    network: str
    cost: dict
    # Read when first asked for (_PARTS):
    warnings: list
    option_table: dict  # columns name, value, is_default, affects_result
    build: dict
    host: dict
    execution: dict  # asked, used, device, precision, kernels, fused, rule
    libraries: dict  # name -> version
    layers: dict  # columns name, outputs, inputs, kernel_height, kernel_width
    trajectory: dict  # columns, one row per epoch
    stages: dict  # columns, one row per stage
    fits: dict  # columns, one row per stage; parameters is a matrix
    fit_parameter_names: list
    joint_fits: dict  # the same of the joint fit over density and time
    above_best: dict  # columns, one row per stage: differences to the best of its way back, with errors
    search: dict  # outcome, stage, density, low, high
    statistics: dict  # columns, one row per mask; layers, in_degree, out_degree are dictionaries
    units: dict  # "trajectory/seconds" -> "s", "cost/steps" -> "updates", ...

    def __init__(self, path, **known):
        self.path = path
        self.__dict__.update(known)

    def __getattr__(self, name):
        if name not in _PARTS:
            raise AttributeError(name)
        with _opened(self.path) as file:
            value = _PARTS[name](file)
        self.__dict__[name] = value
        return value

    @cached_property
    def masks(self):
        """masks[stage][layer]: Boolean array [outputs, inputs, kernel height, kernel width]."""
        return Masks(self)

    @cached_property
    def predictions(self):
        """Validation images at the end of every stage: `image` (positions among the training images), `stage`, `loss`
        [stages, images] and `hit` (Boolean, the same shape)."""
        with _opened(self.path) as file:
            table = _table(file["predictions"])
            images = len(table["image"])
            bits = np.unpackbits(table["hit"], axis=1, bitorder="little") if images else table["hit"]
            return table | {"hit": bits[:, :images].astype(bool)}

    @cached_property
    def final(self):
        """The end of a finished run, else None: its numbers, test_predictions, test_labels, values (weights,
        biases: dictionaries by layer; norms and, of transformers, tokens: dictionaries of arrays), slots (the
        optimiser's, by name, arranged alike), updates and mask (Boolean arrays by layer)."""
        with _opened(self.path) as file:
            if "final" not in file:
                return None
            group = file["final"]
            result = _attributes(group)
            result["test_predictions"] = group["test_predictions"][()]
            result["test_labels"] = group["test_labels"][()]
            result["values"] = self._parameters(group["values"])
            slots = group["slots"]
            result["slots"] = {name: self._parameters(slots[link_name(name)]) for name in slots.attrs["order"].split()}
            result["updates"] = int(slots.attrs["updates"])
            result["mask"] = self._mask(group["mask"])
            return result

    def shape(self, layer):
        """Shape of a layer's weight array."""
        i = list(self.layers["name"]).index(layer)
        columns = ("outputs", "inputs", "kernel_height", "kernel_width")
        return tuple(int(self.layers[column][i]) for column in columns)

    def _mask(self, group):
        masks = {}
        for name in self.layers["name"]:
            packed = group[link_name(name)]
            masks[name] = unpack(packed[()], self.shape(name))
            if packed.attrs["present"] != masks[name].sum() or tuple(packed.attrs["shape"]) != masks[name].shape:
                raise ValueError(f"{packed.name} is not the mask that its attributes tell of")
        return masks

    def _parameters(self, group):
        links = {name: link_name(name) for name in self.layers["name"]}
        norms = {name: array[()] for name, array in group["norms"].items()}
        needed = {"channels", "scale", "shift"} | ({"variance"} if "mean" in norms else set())
        if not needed <= norms.keys():
            raise KeyError(f"{group.name}/norms has no {', '.join(sorted(needed - norms.keys()))}")
        result = {
            "weights": {name: group["weights"][link][()] for name, link in links.items()},
            "biases": {name: group["biases"][link][()] for name, link in links.items() if link in group["biases"]},
            "norms": norms,
        }
        if "tokens" in group:
            result["tokens"] = {name: array[()] for name, array in group["tokens"].items()}
        return result


class KeptTables(Run):
    """A run of which keep_tables.py has kept the tables alone."""

    def __getattr__(self, name):
        raise AttributeError(name) if name.startswith("__") else RunFileError(self._lacks(name))

    def _lacks(self, what):
        return f"{self.path}: has no {what}: only the tables of this run were kept; take its run file where it ran"

    @property
    def masks(self):
        raise RunFileError(self._lacks("masks"))

    @property
    def predictions(self):
        raise RunFileError(self._lacks("predictions"))


class Masks(Mapping):
    """The masks of a run by stage, read when asked for."""

    def __init__(self, run):
        self._run = run
        self._read = {}

    def __getitem__(self, stage):
        if stage not in self._read:
            if stage not in self._run.statistics["stage"]:
                raise KeyError(f"{self._run.path}: no mask of stage {stage}")
            with _opened(self._run.path) as file:
                self._read[stage] = self._run._mask(file[f"masks/stage_{stage:03}"])
        return self._read[stage]

    def __iter__(self):
        return iter(self._run.statistics["stage"].tolist())

    def __len__(self):
        return len(self._run.statistics["stage"])


def _run_file(path):
    path = Path(path)
    return path / "run.h5" if path.is_dir() else path


def load(path):
    """The run in a run file, or in the folder that holds run.h5."""
    path = _run_file(path)
    with _opened(path) as file:
        for group in _REQUIRED:
            if group not in file:
                raise RunFileError(f"{path}: /{group} is missing")
        return _read(path, file)


# What keep_tables.py keeps of a run, and the numbers of `final`.
KEPT = (
    *(
        "status",
        "failure",
        "identity",
        "options",
        "option_table",
        "network",
        "cost",
        "warnings",
        "build",
        "host",
        "execution",
    ),
    *("libraries", "trajectory", "stages", "fits", "fit_parameter_names", "joint_fits", "above_best", "search"),
)
TABLES_NAME, TABLES_VERSION = "tables.json", 2


def load_tables(path):
    """The run whose tables keep_tables.py has kept in a file: a Run without weights, masks, predictions and statistics
    of masks. A RunFileError if the file is damaged or of another version."""
    try:
        content = json.loads(_bytes(path))
        version, digest, kept = content["version"], content["sha256"], content["run"]
    except (KeyError, RecursionError, TypeError, ValueError) as error:  # of bytes that are no UTF-8 too
        raise RunFileError(f"{path}: holds no tables of a run ({error}); keep them anew") from error
    if version != TABLES_VERSION:
        raise RunFileError(f"{path}: has version {version}, this module reads {TABLES_VERSION}; keep the tables anew")
    if tables_digest(kept) != digest:
        raise RunFileError(f"{path}: the checksum does not match: the file is damaged; keep the tables anew")
    return KeptTables(Path(path), **{name: _as_arrays(part) for name, part in kept.items()})


def tables_digest(kept):
    """What tells a change of kept tables: the digest of their JSON text, keys in order."""
    return hashlib.sha256(json.dumps(kept, sort_keys=True).encode()).hexdigest()


def _as_arrays(part):
    if not isinstance(part, dict):
        return part
    return {name: np.array(value) if isinstance(value, list) else _as_arrays(value) for name, value in part.items()}


def check(path):
    """Reads everything in a run file and keeps nothing: a RunFileError if any of it is missing or cannot be read, where
    the experiments' --verify and gcg_export say so too."""
    run = load(path)
    with _opened(run.path) as file:
        for group, names in (_REQUIRED | ({"final": _FINAL} if "final" in file else {})).items():
            for name in names.split():
                if name not in file[group] and name not in file[group].attrs:
                    raise RunFileError(f"{run.path}: /{group} has no {name}; {REBUILD}")
    for name in (*_PARTS, "predictions", "final"):
        getattr(run, name)
    for _ in run.masks.values():
        pass


def load_all(folder, unreadable=None):
    """All runs below a folder, in the order of their paths. A run that cannot be read is left out: its error goes into
    the list `unreadable`, or, without one, they are named on standard error with their count."""
    folder = Path(folder)
    if not folder.is_dir():
        raise RunFileError(f"{folder}: no such folder")
    runs, errors = [], []
    for path in sorted(folder.rglob("run.h5")):
        try:
            runs.append(load(path))
        except RunFileError as error:
            errors.append(error)
    if unreadable is None:
        tell_left_out(errors, len(runs) + len(errors))
    else:
        unreadable.extend(errors)
    return runs


def tell_left_out(errors, count):
    """Names on standard error, under any locale, those of `count` runs that cannot be read, if there are any."""
    if errors:
        lines = [f"{len(errors)} of {count} runs cannot be read and are left out:", *map(str, errors)]
        print("\n  ".join(lines).encode(errors="backslashreplace").decode(), file=sys.stderr)


def read_study(path):
    """The content of a study file (EXPERIMENT-SCALE.json): a dictionary whose list "runs" has dictionaries with at
    least curve, seed and name (of the run's folder, beside the file). A RunFileError says what it lacks."""
    path = Path(path)
    try:
        content = json.loads(path.read_bytes())
    except FileNotFoundError:
        raise RunFileError(f"{path}: no such study file; run the experiment first") from None
    except OSError as error:
        raise RunFileError(f"{path}: cannot be read: {error.strerror}") from error
    except (ValueError, RecursionError) as error:  # of bytes that are no UTF-8 too
        raise RunFileError(f"{path}: is no JSON file ({error}); {REWRITE}") from error
    if not isinstance(content, dict) or not isinstance(content.get("runs"), list):
        raise RunFileError(f"{path}: is no study file: it has no list of runs; {REWRITE}")
    for number, entry in enumerate(content["runs"], 1):
        if not isinstance(entry, dict) or not isinstance(entry.get("seed"), int):
            raise RunFileError(f"{path}: run {number} of its list has no seed; {REWRITE}")
        if not all(isinstance(entry.get(key), str) for key in ("curve", "name")):
            raise RunFileError(f"{path}: run {number} of its list has no curve and name; {REWRITE}")
        if entry["name"] in ("", ".", "..") or set(entry["name"]) & {"/", "\0"}:
            raise RunFileError(f"{path}: run {number} of its list is called {entry['name']!r}, no folder; {REWRITE}")
    return content


def load_planned(folder, name):
    """The run that a study file of the folder names, by its run file, else by its kept tables; None if it has neither
    yet. A file of which something cannot be read, and that of another run, is a RunFileError."""
    file = Path(folder) / name / "run.h5"
    tables = file.with_name(TABLES_NAME)
    if not file.exists() and not tables.exists():
        return None
    run = load(file) if file.exists() else load_tables(tables)
    if run.identity["name"] != name:
        raise RunFileError(
            f"{run.path}: is that of another run, {run.identity['name']}: it was copied there; give the experiment's"
            " command again"
        )
    if run.status == "finished" and file.exists():
        check(file)
    return run


def load_study(path, unreadable=None):
    """{curve: {seed: Run}} of the finished runs that a study file (EXPERIMENT-SCALE.json) names. A run that cannot be
    read is left out, as by load_all."""
    path = Path(path)
    entries = read_study(path)["runs"]
    read, errors, curves = {}, [], {}
    for entry in entries:
        name = entry["name"]
        if name not in read:
            try:
                read[name] = load_planned(path.parent, name)
            except RunFileError as error:
                read[name] = None
                errors.append(error)
        if read[name] is not None and read[name].status == "finished":
            curves.setdefault(entry["curve"], {})[entry["seed"]] = read[name]
    if unreadable is None:
        tell_left_out(errors, len(read))
    else:
        unreadable.extend(errors)
    return curves


def frame(columns):
    """A table as a pandas.DataFrame: one row a row; what is no column of numbers or texts by row (tables within the
    table) is left out, and a matrix gives a list a row."""
    try:
        import pandas
    except ImportError as error:
        raise ImportError("frame() needs pandas: pip install pandas; the table itself is a dictionary") from error
    columns = {name: np.asarray(values) for name, values in columns.items() if not isinstance(values, Mapping)}
    return pandas.DataFrame({name: list(v) if v.ndim > 1 else v for name, v in columns.items()})


def table(paths, columns):
    """{"path": [...], column: [...]} with one row per run file, in the order of `paths`; only what is asked for is
    read. A path is that of a run file, or of the folder that holds run.h5; one alone, and one column alone, need no
    list.

    A column is "status", "failure", the name of an attribute or of a table's column as in the file ("identity/seed",
    "cost/training_flops", "final/test_accuracy", "stages/density"), or "options/NAME" with an option of gcg_run. A
    table's column is an array, or one row of it with an index behind it: "stages/validation_accuracy[-1]". What a run
    does not have (an option its method does not know, the end of a run that is not finished, a row that is not there)
    is None; a name that no version of the file has at all is an error.
    """
    paths = [_run_file(path) for path in ([paths] if isinstance(paths, (str, os.PathLike)) else paths)]
    columns = [columns] if isinstance(columns, str) else list(columns)
    parsed = [(column, *_parse_column(column)) for column in columns]
    result = {"path": [str(path) for path in paths]} | {column: [] for column in columns}
    for path in paths:
        with _opened(path) as file:
            options = None
            for column, group, name, row in parsed:
                if group == "options":
                    if options is None:
                        options = dict(zip(_texts(file["options/name"]), _texts(file["options/value"])))
                    value = options.get(name)
                else:
                    value = _fact(path, file, group, name)
                    if row is not None and value is not None:
                        value = value[row].item() if -len(value) <= row < len(value) else None
                result[column].append(value)
    return result


def _parse_column(column):
    """Group, name and row (None: all) of a column's text."""
    text, row = column, None
    if column.endswith("]"):
        text, _, index = column[:-1].rpartition("[")
        try:
            row = int(index)
        except ValueError:
            raise RunFileError(f"column {column!r}: a whole number has to stand in the brackets") from None
    group, _, name = text.rpartition("/")
    if not name or (group == "options" and row is not None):
        raise RunFileError(f"column {column!r}: not of the form GROUP/NAME, GROUP/NAME[ROW] or options/NAME")
    return group, name, row


def _fact(path, file, group, name):
    place = file.get(group) if group else file
    if place is None:
        if group in ("final", "final/values"):  # a run that is not finished
            return None
        raise RunFileError(f"{path}: there is no /{group}")
    if name in place.attrs:
        value = place.attrs[name]
        return value.item() if isinstance(value, np.generic) else value
    if isinstance(place.get(name), h5py.Dataset):
        return _column(place[name])
    raise RunFileError(f"{path}: there is no {name} in /{group}")


def _texts(array):
    return [text.decode("utf-8", "surrogateescape") for text in array[()].astype("S").tolist()] if array.size else []


def link_name(layer):
    """Name of a layer's objects in the file."""
    return "%2E" if layer == "." else layer.replace("%", "%25").replace("/", "%2F")


def unpack(data, shape):
    """The Boolean array of a packed mask."""
    bits = np.unpackbits(data, bitorder="little")
    return bits[: np.prod(shape, dtype=np.int64)].astype(bool).reshape(shape)


def _bytes(path):
    """The content of a file that nobody has locked for writing."""
    try:
        # A pipe in the place of a file would otherwise wait for a writer.
        with open(path, "rb", opener=lambda name, flags: os.open(name, flags | os.O_NONBLOCK)) as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise RunFileError(f"{path}: is not a regular file")
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except OSError as error:  # a file system without locks has nobody who could hold one
                if error.errno == errno.EWOULDBLOCK:
                    raise RunFileError(
                        f"{path}: is locked by another process: close it there, then try again"
                    ) from None
            return file.read()
    except FileNotFoundError:
        raise RunFileError(f"{path}: no such file") from None
    except OSError as error:
        raise RunFileError(f"{path}: cannot be read: {error.strerror}") from error


@contextlib.contextmanager
def _opened(path):
    """The file as HDF5, after its checksum: the HDF5 library may crash on damaged content. What its reader stumbles
    over is a RunFileError too."""
    data = _bytes(path)
    end = len(data) - len(TRAILER) - hashlib.sha256().digest_size
    if end < 0 or data[end : end + len(TRAILER)] != TRAILER:
        raise RunFileError(f"{path}: is not a run file, or is truncated: it does not end with a checksum; {REBUILD}")
    content = data[:end]
    if hashlib.sha256(content).digest() != data[end + len(TRAILER) :]:
        raise RunFileError(f"{path}: the checksum does not match: the file is damaged; {REBUILD}")
    try:
        file = h5py.File(h5py.h5f.open_file_image(content))
    except OSError as error:
        raise RunFileError(f"{path}: is no HDF5 file ({error}); {REBUILD}") from error
    with file:
        try:
            version = file.attrs.get("schema_version")
            if version is None:
                raise RunFileError(f"{path}: is an HDF5 file, but no run file: it has no schema_version")
            if version != SCHEMA_VERSION:
                raise RunFileError(
                    f"{path}: has schema version {version}, this module reads {SCHEMA_VERSION}: "
                    "use the analysis folder of the version that wrote it"
                )
            yield file
        except KeyError as error:
            raise RunFileError(f"{path}: an object is missing: {error}; {REBUILD}") from error
        except (AttributeError, IndexError, OSError, RuntimeError, TypeError, ValueError) as error:
            raise RunFileError(f"{path}: an object cannot be read: {error}; {REBUILD}") from error


def _read(path, file):
    return Run(
        path=path,
        status=str(file.attrs["status"]),
        failure=str(file.attrs["failure"]),
        identity=_attributes(file["identity"]),
        options=dict(zip(_texts(file["options/name"]), _texts(file["options/value"]))),
        network=str(file["layers"].attrs["network"]),
        cost=_attributes(file["cost"]),
    )


def _libraries(file):
    libraries = _table(file["libraries"])
    return dict(zip(libraries["name"].tolist(), libraries["version"].tolist()))


def _fits(file):
    fits = _table(file["stages/fit"])
    del fits["parameter_names"]
    return fits


def _statistics(file):
    links = {name: link_name(name) for name in _texts(file["layers/name"])}
    statistics = _table(file["statistics"])
    statistics["layers"] = _table(file["statistics/layers"])
    for degree in ("in_degree", "out_degree"):
        group = file["statistics"][degree]
        statistics[degree] = {name: group[link][()] for name, link in links.items()}
    return statistics


def _column(array):
    if not h5py.check_string_dtype(array.dtype):
        return array[()]
    if not array.size:
        return np.empty(array.shape, "U1")
    # Names of files may be no UTF-8: their bytes are kept as surrogate escapes.
    return np.char.decode(array[()].astype("S"), "utf-8", "surrogateescape")


def _table(group):
    """The columns of a table; groups within it are left out."""
    return {name: _column(item) for name, item in group.items() if isinstance(item, h5py.Dataset)}


def _attributes(group):
    """The attributes of a group as Python values."""
    values = {name: value for name, value in group.attrs.items() if name != "units"}
    return {name: value.item() if isinstance(value, np.generic) else value for name, value in values.items()}


def _units(file):
    units = {}

    def visit(name, item):
        if "unit" in item.attrs:
            units[name] = item.attrs["unit"]
        for entry in filter(None, item.attrs.get("units", "").split("; ")):
            attribute, unit = entry.split(": ")
            units[f"{name}/{attribute}"] = unit

    for group in ("trajectory", "stages", "statistics", "cost", "identity", "host", "execution", "final"):
        if group in file:
            visit(group, file[group])
            file[group].visititems(lambda name, item, group=group: visit(f"{group}/{name}", item))
    return units


# What of a run is read when it is first asked for.
_PARTS = {
    "warnings": lambda file: [str(text) for text in _column(file["warnings"])],
    "option_table": lambda file: _table(file["options"]),
    "build": lambda file: _attributes(file["build"]),
    "host": lambda file: _attributes(file["host"]),
    "execution": lambda file: _attributes(file["execution"]),
    "libraries": _libraries,
    "layers": lambda file: _table(file["layers"]),
    "trajectory": lambda file: _table(file["trajectory"]),
    "stages": lambda file: _table(file["stages"]),
    "fits": _fits,
    "fit_parameter_names": lambda file: _texts(file["stages/fit/parameter_names"]),
    "joint_fits": lambda file: _table(file["stages/joint"]),
    "above_best": lambda file: _table(file["stages/above_best"]),
    "search": lambda file: _attributes(file["search"]),
    "statistics": _statistics,
    "units": _units,
}
