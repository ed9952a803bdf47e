"""The readers in Python against the file that record_sample writes (tests/record/sample_record.cpp); what is expected
is stated here again. GCG_SAMPLE_RUN names the file."""

import contextlib
import fcntl
import io
import math
import os
import shutil
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "analysis"))

import h5py
import numpy as np

import gcg_runs
from run_files import edited

SAMPLE = Path(os.environ["GCG_SAMPLE_RUN"])
SHAPES = {
    "stem.conv": (5, 3, 3, 3),
    "block/1 100%": (4, 5, 1, 3),
    "größe": (37, 4, 1, 1),
    ".": (40, 37, 1, 1),
}


def expected_mask(layer, stage):
    """Connection i of layer number l is present at stage s if (i + l) % (4 - s) == 0."""
    shape = SHAPES[layer]
    number = list(SHAPES).index(layer)
    flat = [(i + number) % (4 - stage) == 0 for i in range(math.prod(shape))]
    return np.array(flat).reshape(shape)


class Load(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.run_ = gcg_runs.load(SAMPLE)

    def test_identity_and_status(self):
        run = self.run_
        self.assertEqual(run.status, "finished")
        self.assertEqual(run.failure, "none, but stored")
        self.assertEqual(run.warnings, ["first warning", "zweite Warnung: ä"])
        self.assertEqual(
            run.identity,
            {
                "name": "gcg-sample-0123456789",
                "hash": "00ff",
                "defaults_version": 3,
                "seed": 2**64 - 1,
                "method": "gcg",
                "network": "sample",
                "data": "shapes",
                "data_digest": "abcd",
                "classes": 40,
                "train_images": 100,
                "validation_images": 20,
                "test_images": 8,
                "command": "gcg_run --growth-ratio 0.4",
            },
        )
        self.assertIs(run.build["dirty"], True)
        self.assertEqual(run.host["memory_bytes"], 25_000_000_000)
        self.assertEqual(run.host["threads"], 2)
        self.assertEqual(
            run.execution,
            {
                "asked": "auto",
                "used": "sparse",
                "device": "cpu",
                "precision": "fp32",
                "kernels": "AVX2",
                "fused": True,
                "rule": "sparse kernels everywhere",
            },
        )
        self.assertEqual(run.libraries, {"HDF5": "1.10.8", "fmt": "9.1.0"})

    def test_options(self):
        self.assertEqual(
            self.run_.options, {"extrapolator": "logistic", "growth-ratio": "0.4", "run-folder": "runs/Größe"}
        )
        self.assertEqual(self.run_.option_table["is_default"].tolist(), [True, False, False])
        self.assertEqual(self.run_.option_table["affects_result"].tolist(), [True, True, False])

    def test_layers(self):
        self.assertEqual(self.run_.network, "sample")
        self.assertEqual(self.run_.layers["name"].tolist(), list(SHAPES))
        for layer, shape in SHAPES.items():
            self.assertEqual(self.run_.shape(layer), shape)

    def test_trajectory(self):
        t = self.run_.trajectory
        self.assertEqual(t["step"].tolist(), [10, 20, 30, 40])
        self.assertEqual(t["epoch"].tolist(), [1, 2, 3, 4])
        self.assertEqual(t["stage"].tolist(), [0, 1, 2, 2])
        self.assertEqual(t["phase"].tolist(), ["stage", "stage", "final", "final"])
        self.assertEqual(t["density"].tolist(), [0.25, 0.375, 0.5, 0.5])
        self.assertEqual(t["learning_rate"].tolist(), [0.1, 0.05, 0, 0])
        np.testing.assert_array_equal(t["train_loss"], [2.5, math.nan, 1.25, 1.125])
        self.assertEqual(t["train_accuracy"].tolist(), [0.125, 0.5, 0.625, 0.75])
        self.assertEqual(t["validation_loss"].tolist(), [2.25, 1.75, 1.5, 1.5])
        self.assertEqual(t["validation_accuracy"].tolist(), [0.25, 0.5, 0.5625, 0.5625])
        self.assertEqual(t["training_flops"].tolist(), [1e9, 3e9, 7e9, 9e9])
        self.assertEqual(t["seconds"].tolist(), [1.5, 3.25, 5, 6.5])
        self.assertEqual(len(t), 12)

    def test_stages_and_fits(self):
        s = self.run_.stages
        self.assertEqual(s["stage"].tolist(), [0, 1, 2])
        self.assertEqual(s["present"].tolist(), [40, 60, 90])
        self.assertEqual(s["grown"].tolist(), [0, 20, 30])
        self.assertEqual(s["repaired"].tolist(), [0, 2, 0])
        np.testing.assert_array_equal(s["growth_overlap"], [math.nan, 0.25, 1])
        self.assertEqual(s["scores"].tolist(), ["", "path: no images", "path: no images"])
        self.assertEqual(s["decision"].tolist(), ["grow", "grow", "stop: reached d*"])
        self.assertEqual(s["validation_accuracy"].tolist(), [0.25, 0.5, 0.5625])
        f = self.run_.fits
        self.assertEqual(f["outcome"].tolist(), ["too_few_stages", "found", "needs_dense"])
        np.testing.assert_array_equal(f["d_star"], [math.nan, 0.625, 1])
        np.testing.assert_array_equal(f["d_high"], [math.nan, 0.875, math.nan])
        self.assertEqual(f["note"].tolist(), ["1 stage of 5", "d* lies beyond the stages", "≥ dense"])
        self.assertEqual(f["parameter_count"].tolist(), [0, 3, 2])
        nan = math.nan
        np.testing.assert_array_equal(f["parameters"], [[nan] * 3, [0.75, 2.5, 0.125], [0.875, 2, nan]])
        self.assertEqual(self.run_.fit_parameter_names, ["A1", "k", "dh"])

    def test_joint_fits(self):
        f = self.run_.joint_fits
        self.assertEqual(f["outcome"].tolist(), ["too_few_stages", "found", "too_few_stages"])
        names = ["a0", "a1", "log_c", "log_alpha", "gamma", "log_t", "log_b"]
        self.assertEqual(f["parameter_names"].tolist(), names)
        np.testing.assert_array_equal(f["parameters"][1], [0.25, 0.75, -3, -0.5, 0.125, 2, 0.0625])
        np.testing.assert_array_equal(f["d_star"], [math.nan, 0.5, math.nan])
        np.testing.assert_array_equal(f["difference_error"], [math.nan, 0.0625, math.nan])

    def test_comparisons_and_search(self):
        above = self.run_.above_best
        self.assertEqual(set(above), {"loss", "loss_error", "accuracy", "accuracy_error"})
        np.testing.assert_array_equal(above["loss"], [math.nan, 0.25, 0])
        np.testing.assert_array_equal(above["accuracy_error"], [math.nan, 0.015625, 0])
        self.assertEqual(self.run_.stages["density_epochs"].tolist(), [0.25, 0.625, 1.125])
        found = {"outcome": "found", "stage": 2, "density": 0.5, "low": 0.375, "high": 0.625}
        self.assertEqual(self.run_.search, found)

    def test_predictions(self):
        predictions = self.run_.predictions
        self.assertEqual(predictions["image"].tolist(), [5 * i for i in range(20)])
        self.assertEqual(predictions["stage"].tolist(), [0, 1, 2])
        self.assertEqual(predictions["loss"].dtype, np.float32)
        for stage in range(3):
            self.assertEqual(predictions["loss"][stage].tolist(), [i + 0.25 * stage for i in range(20)])
            self.assertEqual(predictions["hit"][stage].tolist(), [(i + stage) % 3 == 0 for i in range(20)])

    def test_masks(self):
        self.assertEqual(list(self.run_.masks), [0, 1, 2])
        for stage, masks in self.run_.masks.items():
            self.assertEqual(list(masks), list(SHAPES))
            for layer, mask in masks.items():
                self.assertEqual(mask.dtype, bool)
                np.testing.assert_array_equal(mask, expected_mask(layer, stage), f"{stage} {layer}")
        with self.assertRaisesRegex(KeyError, "no mask of stage 3"):
            self.run_.masks[3]

    def test_statistics(self):
        s = self.run_.statistics
        self.assertEqual(s["stage"].tolist(), [0, 1, 2])
        self.assertEqual(s["tau_core_units_random"].tolist(), [5, 6, 7])
        np.testing.assert_array_equal(s["overlap_previous"], [math.nan, 0.25, 0.5])
        self.assertEqual(s["log_path_norm"].tolist(), [-math.inf] * 3)
        present = [[expected_mask(layer, stage).sum() for layer in SHAPES] for stage in range(3)]
        self.assertEqual(s["layers"]["present"].tolist(), present)
        self.assertEqual(s["layers"]["dead_inputs"].tolist(), [[0, 1, 2, 3]] * 3)
        for layer in SHAPES:
            for stage in range(3):
                mask = expected_mask(layer, stage)
                np.testing.assert_array_equal(s["in_degree"][layer][stage], mask.sum(axis=(1, 2, 3)))
                np.testing.assert_array_equal(s["out_degree"][layer][stage], mask.sum(axis=(0, 2, 3)))

    def test_final(self):
        final = self.run_.final
        self.assertEqual(final["test_accuracy"], 0.625)
        self.assertEqual(final["inference_flops"], 6144)
        self.assertEqual(final["test_predictions"].tolist(), [0, 1, 2, 3, 4, 5, 39, 0])
        self.assertEqual(final["test_labels"].tolist(), [0, 1, 2, 3, 4, 6, 39, 1])
        # Array number a (weights and biases of the layers, then the normalisations) holds a + 1 + i / 64.
        for number, (layer, shape) in enumerate(SHAPES.items()):
            mask = expected_mask(layer, 2)
            values = 2 * number + 1 + np.arange(mask.size).reshape(shape) / 64
            np.testing.assert_array_equal(final["mask"][layer], mask)
            np.testing.assert_array_equal(final["values"]["weights"][layer], np.where(mask, values, 0))
        self.assertEqual(list(final["values"]["biases"]), ["block/1 100%", "größe", "."])
        self.assertEqual(final["values"]["biases"]["block/1 100%"].tolist(), [4 + i / 64 for i in range(4)])
        norms = final["values"]["norms"]
        self.assertEqual(norms["channels"].tolist(), [5, 4])
        self.assertEqual(norms["scale"].tolist(), [9 + i / 64 for i in range(5)] + [13 + i / 64 for i in range(4)])
        self.assertEqual(norms["variance"].tolist()[5:], [16 + i / 64 for i in range(4)])
        self.assertNotIn("mean", final["slots"]["momentum"]["norms"])
        self.assertEqual((list(final["slots"]), final["updates"]), (["momentum"], 5))

    def test_cost_and_units(self):
        self.assertEqual(self.run_.cost["density_epochs"], 1.125)
        self.assertEqual(self.run_.cost["peak_memory_bytes"], 123_456_789)
        self.assertEqual(self.run_.cost["epochs"], 3)
        self.assertEqual(self.run_.units["trajectory/seconds"], "s")
        self.assertEqual(self.run_.units["stages/fit/d_star"], "1")
        self.assertEqual(self.run_.units["cost/training_flops"], "FLOP")
        self.assertEqual(self.run_.units["statistics/in_degree"], "connections")


class Files(unittest.TestCase):
    def setUp(self):
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.folder = Path(temporary.name)

    def copy(self, name):
        path = self.folder / name / "run.h5"
        path.parent.mkdir(parents=True)
        shutil.copy(SAMPLE, path)
        return path

    def test_load_all_finds_every_run_in_order(self):
        paths = [self.copy("b"), self.copy("a/deep"), self.copy("c")]
        (self.folder / "other.h5").write_text("no run")
        runs = gcg_runs.load_all(self.folder)
        self.assertEqual([run.path for run in runs], [paths[1], paths[0], paths[2]])
        self.assertEqual(gcg_runs.load(self.folder / "b").path, paths[0])
        with self.assertRaisesRegex(gcg_runs.RunFileError, "nowhere: no such folder"):
            gcg_runs.load_all(self.folder / "nowhere")

    def test_load_all_names_and_leaves_out_what_cannot_be_read(self):
        paths = [self.copy("a"), self.copy("b"), self.copy("c")]
        paths[1].write_bytes(paths[1].read_bytes()[:-1])
        errors = []
        self.assertEqual([run.path for run in gcg_runs.load_all(self.folder, errors)], [paths[0], paths[2]])
        self.assertEqual(len(errors), 1)
        self.assertIn("b/run.h5", str(errors[0]))
        said = io.StringIO()
        with contextlib.redirect_stderr(said):
            self.assertEqual(len(gcg_runs.load_all(self.folder)), 2)
        self.assertIn("1 of 3 runs cannot be read and are left out:\n  ", said.getvalue())
        self.assertIn("b/run.h5", said.getvalue())

    def test_loading_many_runs_is_quick(self):
        """Each run of a large folder takes as long as a run alone: nothing grows with their number."""
        first, runs = self.copy("run-000"), 300
        for number in range(1, runs):
            path = self.folder / f"run-{number:03}" / "run.h5"
            path.parent.mkdir()
            os.link(first, path)

        def seconds(call):
            # Of this process: other work on the machine counts less.
            begin = time.process_time()
            call()
            return time.process_time() - begin

        def all_of_them():
            self.assertEqual(len(gcg_runs.load_all(self.folder)), runs)

        alone = min(seconds(lambda: gcg_runs.load(first)) for _ in range(3))
        self.assertLess(seconds(all_of_them), runs * 4 * alone + 0.5)

    def test_tables_are_read_when_they_are_asked_for_and_then_kept(self):
        path = self.copy("a")
        run = gcg_runs.load(path)
        density = run.stages["density"]
        path.write_bytes(b"gone")
        self.assertIs(run.stages["density"], density)
        with self.assertRaisesRegex(gcg_runs.RunFileError, "is not a run file, or is truncated"):
            print(run.trajectory)
        with self.assertRaises(AttributeError):
            print(run.nonsense)

    def test_bytes_that_are_no_utf8_are_kept(self):
        path = self.copy("a")
        with edited(path) as file:
            file["options/value"][0] = b"runs/\xff\xe9"
            file["warnings"][0] = b"cannot read \xff"
            name = file["options/name"][0].decode()
        run = gcg_runs.load(path)
        self.assertEqual(os.fsencode(run.options[name]), b"runs/\xff\xe9")
        self.assertEqual(os.fsencode(run.warnings[0]), b"cannot read \xff")

    def test_another_schema_version(self):
        path = self.copy("a")
        with edited(Path(path)) as file:
            file.attrs["schema_version"] = 7
        with self.assertRaisesRegex(gcg_runs.RunFileError, "run.h5: has schema version 7, this module reads 4"):
            gcg_runs.load(path)

    def test_what_is_no_run_file(self):
        with self.assertRaisesRegex(gcg_runs.RunFileError, "none.h5: no such file"):
            gcg_runs.load(self.folder / "none.h5")
        text = self.folder / "text.h5"
        text.write_text("some text")
        with self.assertRaisesRegex(
            gcg_runs.RunFileError, "text.h5: is not a run file, or is truncated.*command again"
        ):
            gcg_runs.load(text)
        with edited(self.folder / "plain.h5"):
            pass
        with self.assertRaisesRegex(gcg_runs.RunFileError, "plain.h5: is an HDF5 file, but no run file"):
            gcg_runs.load(self.folder / "plain.h5")
        path = self.copy("cut")
        with edited(Path(path)) as file:
            del file["stages"]
        with self.assertRaisesRegex(gcg_runs.RunFileError, "run.h5: /stages is missing"):
            gcg_runs.load(path)

    def test_a_flipped_bit_is_an_error_with_the_remedy(self):
        whole = SAMPLE.read_bytes()
        path = self.folder / "run.h5"
        generator = np.random.default_rng(20260104)
        for at in generator.integers(0, len(whole), 200):
            damaged = bytearray(whole)
            damaged[at] ^= 1 << int(generator.integers(8))
            path.write_bytes(damaged)
            with self.assertRaisesRegex(
                gcg_runs.RunFileError, "checksum.*run the run's command again", msg=f"byte {at}"
            ):
                gcg_runs.load(path)

    def test_a_locked_file_is_said_to_be_locked(self):
        path = self.copy("a")
        with open(path, "rb") as other:
            fcntl.flock(other, fcntl.LOCK_EX)
            with self.assertRaisesRegex(gcg_runs.RunFileError, "run.h5: is locked by another process"):
                gcg_runs.load(path)
        with h5py.File(path, "r"):  # another reader
            self.assertEqual(gcg_runs.load(path).status, "finished")

    def test_a_run_without_result(self):
        path = self.copy("a")
        with edited(Path(path)) as file:
            del file["final"]
        self.assertIsNone(gcg_runs.load(path).final)
        self.assertIn("result\n  none yet\n", inspect(path).stdout)


class TableOfRuns(unittest.TestCase):
    """A few facts of many runs, without reading the rest."""

    def test_rows_are_runs_and_columns_what_was_asked_for(self):
        columns = [
            "status",
            "identity/seed",
            "build/dirty",
            "options/growth-ratio",
            "options/no-such-option",
            "cost/steps",
            "final/test_accuracy",
            "stages/density",
            "stages/decision[-1]",
            "stages/present[0]",
            "stages/present[3]",
            "stages/present[-4]",
            "stages/fit/d_star[1]",
        ]
        found = gcg_runs.table([SAMPLE, str(SAMPLE)], columns)
        self.assertEqual(list(found), ["path", *columns])
        self.assertEqual(found["path"], [str(SAMPLE)] * 2)
        run = gcg_runs.load(SAMPLE)
        for density in found.pop("stages/density"):
            np.testing.assert_array_equal(density, run.stages["density"])
        self.assertEqual(
            {column: values[1] for column, values in found.items() if column != "path"},
            {
                "status": "finished",
                "identity/seed": 2**64 - 1,
                "build/dirty": True,
                "options/growth-ratio": "0.4",
                "options/no-such-option": None,
                "cost/steps": run.cost["steps"],
                "final/test_accuracy": 0.625,
                "stages/decision[-1]": "stop: reached d*",
                "stages/present[0]": 40,
                "stages/present[3]": None,
                "stages/present[-4]": None,
                "stages/fit/d_star[1]": 0.625,
            },
        )

    def test_a_run_that_is_not_finished_has_no_end(self):
        with tempfile.TemporaryDirectory() as folder:
            path = shutil.copy(SAMPLE, Path(folder) / "run.h5")
            with edited(Path(path)) as file:
                del file["final"]
            self.assertEqual(gcg_runs.table([path], ["final/test_accuracy"])["final/test_accuracy"], [None])

    def test_what_no_run_file_has_is_an_error(self):
        for column, message in (
            ("cost/nonsense", "there is no nonsense in /cost"),
            ("nonsense/steps", "there is no /nonsense"),
            ("cost/", "not of the form"),
            ("stages/density[x]", "a whole number"),
            ("options/epochs[0]", "not of the form"),
        ):
            with self.assertRaisesRegex(gcg_runs.RunFileError, message):
                gcg_runs.table([SAMPLE], [column])
        self.assertEqual(gcg_runs.table([], ["status"]), {"path": [], "status": []})

    def test_one_path_and_one_column_need_no_list_and_a_folder_holds_its_run(self):
        wanted = gcg_runs.table([SAMPLE], ["identity/seed"])
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "run.h5"
            shutil.copy(SAMPLE, path)
            for given in (str(path), path, folder, Path(folder), [folder], Path(folder).rglob("run.h5")):
                with self.subTest(given):
                    self.assertEqual(gcg_runs.table(given, "identity/seed"), wanted | {"path": [str(path)]})


def inspect(*arguments):
    command = [sys.executable, str(ROOT / "analysis" / "inspect_run.py"), *map(str, arguments)]
    return subprocess.run(
        command, capture_output=True, text=True, encoding="utf-8", env={**os.environ, "PYTHONUTF8": "1"}
    )


class Inspect(unittest.TestCase):
    def test_prints_the_run(self):
        result = inspect(SAMPLE)
        self.assertEqual(result.returncode, 0, result.stderr)
        lines = result.stdout.splitlines()
        self.assertIn("  growth-ratio  0.4", lines)
        self.assertNotIn("extrapolator", result.stdout)
        self.assertRegex(result.stdout, r"(?m)^  stage  phase  present  density  epochs ")
        self.assertRegex(
            result.stdout, r"(?m)^      0  stage       40     0\.25       1 .* 1\.5            0\.25  grow$"
        )
        self.assertRegex(result.stdout, r"(?m)^      2  stage       90 .* stop: reached d\*$")
        self.assertRegex(result.stdout, r"(?m)^      1  found +0\.625 +0\.5 +0\.875 ")
        self.assertRegex(result.stdout, r"(?m)^  test_accuracy +0\.625$")
        self.assertRegex(result.stdout, r"(?m)^  peak_memory_bytes +123456789 bytes$")
        self.assertIn("  zweite Warnung: ä", lines)
        self.assertIn("  last fit: A1 = 0.875, k = 2", lines)
        self.assertNotIn("learning_rate", result.stdout)

    def test_prints_the_trajectory_on_request(self):
        result = inspect(SAMPLE, "--trajectory")
        self.assertRegex(result.stdout, r"(?m)^    30      3      2  final      0\.5              0        1\.25 ")

    def test_says_what_is_wrong(self):
        result = inspect("/nowhere/run.h5")
        self.assertEqual(result.returncode, 1)
        self.assertEqual(result.stderr, "inspect_run: /nowhere/run.h5: no such file\n")


class Tools(unittest.TestCase):
    """The tools of the HDF5 library read the file too."""

    def run_tool(self, name, *arguments):
        tool = shutil.which(name)
        if tool is None:
            self.skipTest(f"{name} is not installed")
        return subprocess.run([tool, *arguments, str(SAMPLE)], capture_output=True, text=True, check=True).stdout

    def test_h5ls_lists_it(self):
        self.assertRegex(self.run_tool("h5ls", "-r"), r"(?m)^/trajectory/step +Dataset \{4\}$")

    def test_h5dump_reads_all_of_it(self):
        self.assertIn("(0): 10, 20, 30, 40", self.run_tool("h5dump", "-d", "/trajectory/step"))
        self.assertIn('GROUP "stage_002"', self.run_tool("h5dump"))


if __name__ == "__main__":
    unittest.main()
