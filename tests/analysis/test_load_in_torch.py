"""gcg_export from the outside: NumPy reads the archive, gcg_run takes a mask back, and PyTorch predicts what the run
file says. GCG_PROGRAMS names the folder of the programs."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import unittest
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "analysis"))

import numpy as np

import gcg_runs

try:
    import load_in_torch
    import torch
except ImportError as error:
    load_in_torch = None
    WHY = f"PyTorch cannot be imported: {error}"

PROGRAMS = Path(os.environ["GCG_PROGRAMS"])
RECIPE = "--data cifar10 --width 4 --batch-size 64 --epochs 1".split()
RUN = [*RECIPE, *"--method gcg --stage-epochs 1 --disconnected repair --stop never".split()]
TEST_IMAGES = 200


def write_images(folder):
    """CIFAR-10 files: every class a pattern of its own under noise, so that predictions are clear."""
    generator = np.random.default_rng(20260103)
    patterns = generator.integers(0, 256, (10, 3072))
    for name, count in (("data_batch_1.bin", 500), ("test_batch.bin", TEST_IMAGES)):
        labels = np.arange(count) % 10
        pixels = (patterns[labels] + generator.integers(0, 256, (count, 3072))) // 2
        np.hstack([labels[:, None], pixels]).astype(np.uint8).tofile(folder / name)


def pixels_of(path):
    return np.fromfile(path, np.uint8).reshape(-1, 3073)[:, 1:].reshape(-1, 3, 32, 32) / np.float32(255)


def call(program, *arguments):
    done = subprocess.run([PROGRAMS / program, *map(str, arguments)], capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


def graph_in(path):
    with zipfile.ZipFile(path) as archive:
        return archive.read("network.json")


class Export(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.holder = tempfile.TemporaryDirectory()
        cls.folder = Path(cls.holder.name)
        write_images(cls.folder)
        cls.given = [*RUN, "--data-dir", cls.folder, "--out", cls.folder / "runs"]
        status, output = call("gcg_run", *cls.given, "--max-stages", "3")
        assert status == 0, output
        (cls.run_folder,) = (cls.folder / "runs").iterdir()
        cls.run_file = gcg_runs.load(cls.run_folder / "run.h5")
        status, output = call("gcg_export", cls.run_folder)
        assert status == 0, output

    @classmethod
    def tearDownClass(cls):
        cls.holder.cleanup()

    def test_numpy_reads_the_weights_and_masks_of_the_run_file(self):
        final = self.run_file.final
        with np.load(self.run_folder / "final.npz") as file:
            for layer, weight in final["values"]["weights"].items():
                np.testing.assert_array_equal(file[layer + ".weight"].ravel(), weight.ravel())
                np.testing.assert_array_equal(file[layer + ".mask"].ravel(), final["mask"][layer].ravel())
            self.assertEqual(file["classifier.weight"].ndim, 2)
            self.assertEqual(file["stem.conv.weight"].ndim, 4)

    def test_a_stage_has_the_mask_of_the_run_file(self):
        for stage in range(3):
            path = self.folder / f"{stage}.npz"
            self.assertEqual(call("gcg_export", self.run_folder, "--stage", stage, "--out", path)[0], 0)
            with np.load(path) as file:
                for layer, mask in self.run_file.masks[stage].items():
                    np.testing.assert_array_equal(file[layer + ".mask"].ravel(), mask.ravel())

    def test_an_export_says_of_which_run_and_stage_it_is(self):
        self.assertEqual(call("gcg_export", self.run_folder, "--stage", "1")[0], 0)
        for name, stage in (("final.npz", -1), ("stage_001.npz", 1)):
            with self.subTest(name):
                graph = json.loads(graph_in(self.run_folder / name))
                self.assertEqual((graph["run"], graph["stage"]), (self.run_folder.name, stage))
                stored = graph.pop("sha256")
                text = json.dumps(graph, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
                self.assertEqual(hashlib.sha256(text.encode()).hexdigest(), stored)

    def test_the_run_file_stands_for_its_folder(self):
        path = self.folder / "by-file.npz"
        self.assertEqual(call("gcg_export", self.run_folder / "run.h5", "--out", path)[0], 0)
        self.assertEqual(path.read_bytes(), (self.run_folder / "final.npz").read_bytes())

    def test_what_does_not_belong_to_the_run_is_refused(self):
        other = self.folder / "runs-of-another"
        status, output = call(
            "gcg_run", *self.given[: self.given.index("--out")], "--out", other, "--seed", "2", "--max-stages", "3"
        )
        self.assertEqual(status, 0, output)
        (stranger,) = other.iterdir()
        for name, text in (
            ("network.json", "network.json: belongs to the run"),
            ("stages/stage_001.gcg", "stage_001.gcg: belongs to another run"),
        ):
            with self.subTest(name):
                copy = self.folder / f"copy-{Path(name).name}"
                shutil.copytree(self.run_folder, copy)
                shutil.copy(stranger / name, copy / name)
                status, output = call("gcg_export", copy, "--stage", "1", "--out", self.folder / "never.npz")
                self.assertEqual(status, 1, output)
                self.assertIn(text, output)
        # Both files of another run belong together: what is exported is said to be of that run.
        copy = self.folder / "copies" / self.run_folder.name
        shutil.copytree(self.run_folder, copy)
        for name in ("run.h5", "network.json"):
            shutil.copy(stranger / name, copy / name)
        status, output = call("gcg_export", copy, "--out", self.folder / "foreign.npz")
        self.assertEqual(status, 0, output)
        self.assertIn(f"warning: {copy}/run.h5: is the run file of {stranger.name}", output)

    def test_its_own_folder_is_exported_without_a_warning(self):
        link = self.folder / "link"
        link.symlink_to(self.run_folder)
        for place in (self.run_folder, f"{self.run_folder}/", self.run_folder / "run.h5", link):
            status, output = call("gcg_export", place, "--out", self.folder / "own.npz")
            self.assertEqual(status, 0, output)
            self.assertNotIn("warning", output)

    def test_what_cannot_be_exported_is_an_error_that_says_why(self):
        for arguments, status, text in (
            ([self.run_folder, "--stage", "9"], 1, "the run keeps: stage_000, stage_001, stage_002"),
            ([self.folder / "nothing"], 1, "nothing"),
            ([self.run_folder, "--stage", "-2"], 2, "--stage"),
            ([], 2, "RUN: the folder of the run is missing"),
        ):
            done, output = call("gcg_export", *arguments)
            self.assertEqual(done, status, output)
            self.assertIn(text, output)

    def test_masks_written_by_numpy_are_trained(self):
        with np.load(self.run_folder / "final.npz") as file:
            masks = {name: file[name].copy() for name in file.files if name.endswith(".mask")}
        masks["classifier.mask"][:] = True
        by_columns = {name: np.asfortranarray(mask) for name, mask in masks.items()}
        assert not by_columns["stem.conv.mask"].flags.c_contiguous
        for name, save, arrays in (
            ("mask.npz", np.savez, masks),
            ("packed.npz", np.savez_compressed, masks),
            ("COLUMNS.NPZ", np.savez, by_columns),
        ):
            with self.subTest(name):
                with open(self.folder / name, "wb") as file:
                    save(file, **arrays)
                given = [*RECIPE, "--data-dir", self.folder, "--out", self.folder / f"fixed-{name}"]
                status, output = call("gcg_run", "--method", "fixed_mask", "--mask-file", self.folder / name, *given)
                self.assertEqual(status, 0, output)
                (folder,) = (self.folder / f"fixed-{name}").iterdir()
                for layer, mask in gcg_runs.load(folder / "run.h5").masks[0].items():
                    np.testing.assert_array_equal(mask.ravel(), masks[layer + ".mask"].ravel())

    def test_a_branch_shares_the_stages_of_its_trunk(self):
        given = [word for word in self.given if word not in ("--disconnected", "repair")]
        status, output = call(
            "gcg_run",
            *given,
            "--max-stages",
            "3",
            "--trunk",
            self.run_folder.name,
            "--trunk-stage",
            "2",
            "--final",
            "rewind",
        )
        self.assertEqual(status, 0, output)
        (branch,) = (path for path in (self.folder / "runs").iterdir() if path != self.run_folder)
        run = gcg_runs.load(branch / "run.h5")
        self.assertEqual(run.options["trunk"], self.run_folder.name)
        self.assertTrue(any("stages 0 to 2 were trained by the trunk" in text for text in run.warnings))
        for column in ("stage", "density", "validation_accuracy", "training_flops"):
            np.testing.assert_array_equal(run.stages[column][:3], self.run_file.stages[column][:3])

    def predict(self, path):
        train = pixels_of(self.folder / "data_batch_1.bin")
        mean = train.mean((0, 2, 3), dtype=np.float64)[:, None, None]
        deviation = train.std((0, 2, 3), dtype=np.float64)[:, None, None]
        images = ((pixels_of(self.folder / "test_batch.bin") - mean) / deviation).astype(np.float32)
        with torch.no_grad():
            return load_in_torch.network(path)(torch.from_numpy(images)).argmax(1).numpy()

    def test_torch_predicts_what_the_run_file_says(self):
        if load_in_torch is None:
            self.skipTest(WHY)
        path = self.run_folder / "final.npz"
        predictions = self.predict(path)
        np.testing.assert_array_equal(predictions, self.run_file.final["test_predictions"])
        self.assertGreater(len(set(predictions)), 2)  # else nothing was compared
        for layer, mask in load_in_torch.masks(path).items():
            self.assertFalse(load_in_torch.state_dict(path)[layer + ".weight"][~mask].any())

    def test_torch_predicts_what_the_run_file_of_a_transformer_says(self):
        if load_in_torch is None:
            self.skipTest(WHY)
        out = self.folder / "transformer"
        status, output = call(
            "gcg_run",
            "--method",
            "dense",
            "--network",
            "vit6_small",
            "--width",
            "6",
            "--stochastic-depth",
            "0.2",
            "--epochs",
            "1",
            "--data",
            "cifar10",
            "--data-dir",
            self.folder,
            "--execution",
            "dense",
            "--out",
            out,
        )
        self.assertEqual(status, 0, output)
        (folder,) = out.iterdir()
        self.assertEqual(call("gcg_export", folder)[0], 0)
        predictions = self.predict(folder / "final.npz")
        np.testing.assert_array_equal(predictions, gcg_runs.load(folder / "run.h5").final["test_predictions"])

    def test_a_damaged_export_is_refused_with_the_file_and_the_remedy(self):
        if load_in_torch is None:
            self.skipTest(WHY)
        whole = self.run_folder / "final.npz"
        path = self.folder / "damaged.npz"
        graph = graph_in(whole)
        # Where the archive's own checksums are right and where they are not.
        for words, other in (
            (b'"relu"', b'"gelu"'),
            (b'"version": 2', b'"version": 3'),
            (b'"nodes": [', b'"nodes": {'),
        ):
            changed = graph.replace(words, other, 1)
            self.assertNotEqual(changed, graph)
            with zipfile.ZipFile(whole) as old, zipfile.ZipFile(path, "w") as new:
                for name in old.namelist():
                    new.writestr(name, changed if name == "network.json" else old.read(name))
            with self.subTest(other), self.assertRaisesRegex(ValueError, rf"{path}: .*: run gcg_export again$"):
                load_in_torch.network(path)
            path.write_bytes(whole.read_bytes().replace(words, other, 1))
            with self.subTest(other), self.assertRaisesRegex(
                ValueError, rf"{path}: is damaged.*: run gcg_export again$"
            ):
                load_in_torch.network(path)
        path.write_bytes(whole.read_bytes()[:-30])
        with self.assertRaisesRegex(ValueError, rf"{path}: is damaged.*: run gcg_export again$"):
            load_in_torch.state_dict(path)

    def test_torch_load_reads_the_state_dict(self):
        if load_in_torch is None:
            self.skipTest(WHY)
        out = self.folder / "state.pt"
        subprocess.run(
            [sys.executable, ROOT / "analysis" / "load_in_torch.py", self.run_folder / "final.npz", out], check=True
        )
        loaded = torch.load(out)
        expected = load_in_torch.state_dict(self.run_folder / "final.npz")
        self.assertEqual(loaded.keys(), expected.keys())
        for name, value in expected.items():
            self.assertTrue(torch.equal(loaded[name], value), name)


class NamesThatAreNoUtf8(unittest.TestCase):
    """Folders and files may have any bytes in their names, from the command line to what is read back."""

    TOY = "--network mlp --width 4 --epochs 1 --batch-size 64 --data-images 200 --data-test-images 50".split()

    def setUp(self):
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.folder = Path(temporary.name)
        self.out = self.folder / os.fsdecode(b"runs-\xff\xe9")

    def call(self, *command):
        done = subprocess.run(
            [*map(os.fsencode, command)],
            env=os.environ | {"PATH": f"{PROGRAMS}:{os.environ['PATH']}"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
        )
        self.assertEqual(done.returncode, 0, done.stdout)
        return done.stdout

    def check_found_again(self, run_file, *command):
        output = self.call(*command)
        self.assertIn(os.fsencode(run_file), output)
        self.assertNotIn(b"epoch 1/1", output)

    def test_a_run_there_is_read_exported_and_found_again(self):
        dense = ["gcg_run", "--method", "dense", *self.TOY, "--out", self.out]
        self.assertIn(b"epoch 1/1", self.call(*dense))
        (folder,) = self.out.iterdir()
        self.call("gcg_export", folder)
        self.check_found_again(folder / "run.h5", *dense)

        mask = self.folder / os.fsdecode(b"m\xff.npz")
        shutil.copy(folder / "final.npz", mask)
        self.call("gcg_run", "--method", "fixed_mask", "--mask-file", mask, *self.TOY, "--out", self.out)

        unreadable = []
        runs = {run.identity["method"]: run for run in gcg_runs.load_all(self.out, unreadable)}
        self.assertEqual((set(runs), unreadable), ({"dense", "fixed_mask"}, []))
        for run in runs.values():
            self.assertEqual(os.fsencode(run.options["out"]), os.fsencode(self.out))
            self.assertEqual(gcg_runs.load(run.path.parent).identity, run.identity)
            self.assertEqual(gcg_runs.table([run.path], ["options/out"])["options/out"], [run.options["out"]])
            # The command that the run file keeps is one for a shell.
            self.check_found_again(run.path, "bash", "-c", run.identity["command"])
        self.assertEqual(os.fsencode(runs["fixed_mask"].options["mask-file"]), os.fsencode(mask))
        self.assertEqual(len(list(self.out.iterdir())), 2)


# As much of PyTorch as the program needs, for machines without it.
TORCH = """
import zipfile
class nn: Module = object
def from_numpy(array): return array
def save(state, path):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("state/data.pkl", " ".join(state))
"""


class Program(unittest.TestCase):
    def setUp(self):
        holder = tempfile.TemporaryDirectory()
        self.addCleanup(holder.cleanup)
        self.folder = Path(holder.name)
        self.export = self.folder / "final.npz"
        np.savez(self.export, **{"stem.weight": np.zeros(2), "stem.mask": np.zeros(2), "network.json": "{}"})

    def run_program(self, *arguments, torch=TORCH):
        (self.folder / "torch.py").write_text(torch)
        done = subprocess.run(
            [sys.executable, ROOT / "analysis" / "load_in_torch.py", *map(str, arguments)],
            env=os.environ | {"PYTHONPATH": str(self.folder), "PYTHONDONTWRITEBYTECODE": "1"},
            capture_output=True,
            text=True,
            check=False,
        )
        return done.returncode, done.stdout, done.stderr

    def test_prints_its_help_without_pytorch(self):
        missing = "raise ModuleNotFoundError(\"No module named 'torch'\")"
        status, said, _ = self.run_program("--help", torch=missing)
        self.assertEqual(status, 0)
        self.assertIn("EXPORT.npz STATE.pt", said)
        self.assertEqual(self.run_program(self.export, torch=missing)[0], 2)
        status, _, error = self.run_program(self.export, self.folder / "state.pt", torch=missing)
        self.assertEqual(
            (status, error),
            (1, "PyTorch cannot be imported (No module named 'torch'): install it, as by pip install torch\n"),
        )

    def test_replaces_states_alone(self):
        state = self.folder / "state.pt"
        for _ in range(2):
            self.assertEqual(self.run_program(self.export, state), (0, "", ""))
            self.assertEqual(zipfile.ZipFile(state).read("state/data.pkl"), b"stem.weight")
        text = self.folder / "notes.txt"
        text.write_text("mine")
        for other in (text, self.export, self.folder, "/dev/null"):
            before = Path(other).read_bytes() if Path(other).is_file() else None
            status, _, error = self.run_program(self.export, other)
            self.assertEqual(
                (status, error),
                (1, f"{other}: is no file that torch.save has written and is not replaced; name another\n"),
            )
            if before is not None:
                self.assertEqual(Path(other).read_bytes(), before)

    def test_what_cannot_be_read_or_written_is_one_message(self):
        state = self.folder / "state.pt"
        nowhere = self.folder / "nowhere"
        (self.folder / "bad.npz").write_text("bad")
        for export, place, said in (
            (nowhere, state, f"{nowhere}: No such file or directory\n"),
            (self.export, nowhere / "x.pt", f"{nowhere / 'x.pt'}: No such file or directory\n"),
            (self.folder / "bad.npz", state, f"{self.folder / 'bad.npz'}: is damaged, or no archive of gcg_export"),
        ):
            status, _, error = self.run_program(export, place)
            self.assertEqual((status, error[: len(said)]), (1, said))
            self.assertEqual(len(error.splitlines()), 1)


if __name__ == "__main__":
    unittest.main()
