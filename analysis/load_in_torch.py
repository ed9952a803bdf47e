"""A network found by gcg in PyTorch: `state_dict(path)` of a file written by gcg_export, or `network(path)`, a module
that computes what gcg computed. As a program: load_in_torch.py EXPORT.npz STATE.pt writes the state dict for
torch.load.

Needs numpy and torch. Inputs are normalised as in training: (pixel / 255 - mean) / deviation per channel, both over the
training images.
"""

import argparse
import contextlib
import hashlib
import json
import os
import sys
import zipfile
import zlib

import numpy as np


def _arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("export", metavar="EXPORT.npz", help="written by gcg_export")
    parser.add_argument("state", metavar="STATE.pt", help="where the state dict goes")
    return parser.parse_args()


if __name__ == "__main__":  # before PyTorch is looked for: --help is for those too who have none yet
    ARGUMENTS = _arguments()

try:
    import torch
    from torch import nn
except ImportError as error:
    if __name__ != "__main__":
        raise
    sys.exit(f"PyTorch cannot be imported ({error}): install it, as by pip install torch")

NETWORK_VERSION = 2  # of network.json and of the archive
REMEDY = "run gcg_export again"


@contextlib.contextmanager
def _opened(path):
    """The archive. What its reader stumbles over is a ValueError with the file and the remedy."""
    try:
        with open(path, "rb") as content, np.load(content) as file:
            yield file
    except (EOFError, KeyError, ValueError, zipfile.BadZipFile, zlib.error) as error:
        raise ValueError(f"{path}: is damaged, or no archive of gcg_export ({error}): {REMEDY}") from error


def state_dict(path):
    """Weights (0 where a connection is absent), biases and batch norms under the names of the layer graph."""
    with _opened(path) as file:
        return {name: torch.from_numpy(file[name]) for name in file.files if not name.endswith((".mask", ".json"))}


def masks(path):
    """Boolean tensors by layer: which connections are present."""
    with _opened(path) as file:
        return {
            name.removesuffix(".mask"): torch.from_numpy(file[name]) for name in file.files if name.endswith(".mask")
        }


class Tokens(nn.Module):
    """Positions of [N, C, H, W] as tokens [N, 1 + H W, C] behind a class token, a position table added."""

    def __init__(self, channels, positions):
        super().__init__()
        self.class_token = nn.Parameter(torch.zeros(channels))
        self.positions = nn.Parameter(torch.zeros(channels, 1 + positions))

    def forward(self, images):
        first = self.class_token.expand(len(images), 1, -1)
        return torch.cat([first, images.flatten(2).transpose(1, 2)], 1) + self.positions.t()


def attention(query, key, value, heads):
    """Softmax(Q K' / sqrt(d)) V per head of d channels, tokens as [N, T, C]."""
    query, key, value = (x.unflatten(2, (heads, -1)).transpose(1, 2) for x in (query, key, value))
    weights = torch.softmax(query @ key.transpose(2, 3) / query.shape[3] ** 0.5, 3)
    return (weights @ value).transpose(1, 2).flatten(2)


def drop_path(branch, rate):
    """Stochastic depth: 0 in a share `rate` of the samples, 1 / (1 - rate) times as much in the others."""
    kept = torch.rand([len(branch)] + [1] * (branch.dim() - 1), device=branch.device) >= rate
    return branch * kept / (1 - rate)


class Network(nn.Module):
    """The layer graph of network.json as a module: nodes in order, each reads the outputs of earlier ones."""

    def __init__(self, graph):
        super().__init__()
        self.nodes = graph["nodes"]
        channels = [graph["input"][0]]
        sizes = [tuple(graph["input"][1:])]
        for node in self.nodes:
            inputs, (height, width) = channels[node["inputs"][0]], sizes[node["inputs"][0]]
            module, outputs = _module(node, inputs, height * width)
            if "window" in node:
                kh, kw, stride, padding = node["window"]
                height, width = (height + 2 * padding - kh) // stride + 1, (width + 2 * padding - kw) // stride + 1
            elif node["operation"] == "flatten":
                outputs, height, width = inputs * height * width, 1, 1
            elif node["operation"] in ("global_average_pool", "first_token"):
                height, width = 1, 1
            channels.append(outputs)
            sizes.append((height, width))
            if module is not None:
                self._place(node["name"], module)

    def _place(self, name, module):
        """PyTorch's names have no dots in them: a dot leads into a module."""
        *path, last = name.split(".")
        parent = self
        for part in path:
            if not hasattr(parent, part):
                parent.add_module(part, nn.Module())
            parent = getattr(parent, part)
        parent.add_module(last, module)

    def forward(self, images):
        values = [images]
        for node in self.nodes:
            inputs = [values[i] for i in node["inputs"]]
            if node["operation"] == "add":
                values.append(inputs[0] + inputs[1])
            elif node["operation"] == "relu":
                values.append(torch.relu(inputs[0]))
            elif node["operation"] == "flatten":
                values.append(inputs[0].flatten(1))
            elif node["operation"] == "global_average_pool":
                values.append(inputs[0].mean((2, 3)))
            elif node["operation"] == "gelu":
                values.append(nn.functional.gelu(inputs[0]))
            elif node["operation"] == "attention":
                values.append(attention(*inputs, node["heads"]))
            elif node["operation"] == "first_token":
                values.append(inputs[0][:, 0])
            elif node["operation"] == "drop_path":
                values.append(drop_path(inputs[0], node["rate"]) if self.training else inputs[0])
            else:
                values.append(self.get_submodule(node["name"])(inputs[0]))
        return values[-1]


def _module(node, inputs, positions):
    """The module of a node, or nothing for one without numbers or window, and the channels of its output."""
    operation = node["operation"]
    if operation == "linear":
        return nn.Linear(inputs, node["channels"], bias=node["bias"]), node["channels"]
    if operation == "batch_norm":
        return nn.BatchNorm2d(inputs), inputs
    if operation == "layer_norm":
        return nn.LayerNorm(inputs, eps=1e-6), inputs
    if operation == "tokens":
        return Tokens(inputs, positions), inputs
    if "window" not in node:
        return None, inputs
    height, width, stride, padding = node["window"]
    if operation == "convolution":
        module = nn.Conv2d(inputs, node["channels"], (height, width), stride, padding, bias=node["bias"])
        return module, node["channels"]
    pool = nn.MaxPool2d if operation == "max_pool" else nn.AvgPool2d
    return pool((height, width), stride, padding), inputs


class _Number(float):
    """A number that keeps its digits: another program may write the same number with others."""

    def __new__(cls, text):
        number = super().__new__(cls, text)
        number.text = text
        return number


def _compact(value):
    """JSON as its checksum is taken of it: no blanks, keys in order."""
    if isinstance(value, dict):
        return "{" + ",".join(f"{_compact(key)}:{_compact(value[key])}" for key in sorted(value)) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(_compact, value)) + "]"
    return value.text if isinstance(value, _Number) else json.dumps(value, ensure_ascii=False)


def layer_graph(path):
    """What network.json in the archive says; a ValueError if it has another version or is damaged."""
    with _opened(path) as file:
        text = file["network.json"]
    try:
        graph = json.loads(text, parse_float=_Number)
        version, stored = graph.get("version"), graph.pop("sha256", None)
    except (AttributeError, ValueError) as error:  # of what is no object too
        raise ValueError(f"{path}: network.json is damaged ({error}): {REMEDY}") from error
    if version != NETWORK_VERSION:
        raise ValueError(f"{path}: has version {version}, this module reads {NETWORK_VERSION}: {REMEDY}")
    if hashlib.sha256(_compact(graph).encode(errors="replace")).hexdigest() != stored:
        raise ValueError(f"{path}: network.json is damaged, its checksum does not match: {REMEDY}")
    return graph


def network(path):
    """The module with its weights, ready to predict: network(path)(images).argmax(1)."""
    module = Network(layer_graph(path))
    module.load_state_dict(state_dict(path))
    return module.eval()


def _is_state(path):
    """Whether a file is one of torch.save; an export is an archive too, but has no data.pkl."""
    try:
        with zipfile.ZipFile(path) as archive:
            return any(name.endswith("/data.pkl") for name in archive.namelist())
    except zipfile.BadZipFile:
        return False


def _write_state(export, path):
    """Writes the state dict of an export, or ends the program with a message."""
    try:
        if os.path.exists(path) and not (os.path.isfile(path) and (os.path.getsize(path) == 0 or _is_state(path))):
            sys.exit(f"{path}: is no file that torch.save has written and is not replaced; name another")
        torch.save(state_dict(export), path)
    except OSError as error:
        sys.exit(f"{error.filename or path}: {error.strerror or error}")
    except (RuntimeError, ValueError) as error:  # of PyTorch, where it cannot write; of a damaged export
        sys.exit(str(error))


if __name__ == "__main__":
    _write_state(ARGUMENTS.export, ARGUMENTS.state)
