#!/usr/bin/env python3
"""Golden values of a small vision transformer from PyTorch's own modules, in double precision: vit.txt.

Weights are numbers of single precision, so that the test starts from the same ones. Every line is a name and the values
of one array; what an array is called and how it lies is what tests/sparse/golden_test.cpp says. Made by
`/usr/bin/python3 tests/sparse/golden/make_vit.py` with Debian's python3-torch 1.13.1; the test needs neither.
"""

from pathlib import Path

import torch
from torch import nn

WIDTH, HEADS, HIDDEN, PATCH, IMAGE, CLASSES, SAMPLES = 8, 2, 12, 2, 10, 5, 3
TOKENS = 1 + (IMAGE // PATCH) ** 2


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.norm1 = nn.LayerNorm(WIDTH, eps=1e-6)
        self.attention = nn.MultiheadAttention(WIDTH, HEADS, batch_first=True)
        self.norm2 = nn.LayerNorm(WIDTH, eps=1e-6)
        self.mlp1 = nn.Linear(WIDTH, HIDDEN)
        self.mlp2 = nn.Linear(HIDDEN, WIDTH)

    def forward(self, x):
        y = self.norm1(x)
        x = x + self.attention(y, y, y, need_weights=False)[0]
        return x + self.mlp2(nn.functional.gelu(self.mlp1(self.norm2(x))))


class Transformer(nn.Module):
    def __init__(self):
        super().__init__()
        self.patches = nn.Conv2d(3, WIDTH, PATCH, PATCH)
        self.class_token = nn.Parameter(torch.zeros(1, 1, WIDTH))
        self.positions = nn.Parameter(torch.zeros(1, TOKENS, WIDTH))
        self.blocks = nn.ModuleList([Block(), Block()])
        self.norm = nn.LayerNorm(WIDTH, eps=1e-6)
        self.classifier = nn.Linear(WIDTH, CLASSES)

    def forward(self, x):
        x = self.patches(x).flatten(2).transpose(1, 2)
        x = torch.cat([self.class_token.expand(len(x), 1, WIDTH), x], 1) + self.positions
        for block in self.blocks:
            x = block(x)
        return self.classifier(self.norm(x[:, 0]))


def arrays(model, of):
    """(name, array) of everything that is trained, in the order of the test; `of` a parameter: value or gradient."""
    named = [("patches", of(model.patches.weight)), ("patches bias", of(model.patches.bias))]
    for block in model.blocks:
        attention = block.attention
        weights = of(attention.in_proj_weight).chunk(3)
        biases = of(attention.in_proj_bias).chunk(3)
        for name, weight, bias in zip(("query", "key", "value"), weights, biases):
            named += [(name, weight), (name + " bias", bias)]
        for name, layer in (("projection", attention.out_proj), ("mlp1", block.mlp1), ("mlp2", block.mlp2)):
            named += [(name, of(layer.weight)), (name + " bias", of(layer.bias))]
    named += [("classifier", of(model.classifier.weight)), ("classifier bias", of(model.classifier.bias))]
    for norm in [norm for block in model.blocks for norm in (block.norm1, block.norm2)] + [model.norm]:
        named += [("scale", of(norm.weight)), ("shift", of(norm.bias))]
    return named + [
        ("class token", of(model.class_token)),
        ("positions", of(model.positions)[0].t()),
    ]


def main():
    torch.manual_seed(20250917)
    model = Transformer().double()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            centre = 1.0 if "norm" in name and name.endswith("weight") else 0.0
            parameter.copy_((centre + 0.4 * torch.randn(parameter.shape)).float().double())
    images = torch.randn(SAMPLES, 3, IMAGE, IMAGE).float().double()
    labels = torch.arange(SAMPLES) % CLASSES
    losses = nn.functional.cross_entropy(model(images), labels, reduction="none")
    losses.mean().backward()
    lines = [("images", images), ("losses", losses)]
    lines += arrays(model, lambda parameter: parameter.detach())
    lines += [("gradient of " + name, array) for name, array in arrays(model, lambda parameter: parameter.grad)]
    text = "".join(
        f"{name}: " + " ".join(f"{value:.9g}" for value in array.detach().reshape(-1).tolist()) + "\n"
        for name, array in lines
    )
    (Path(__file__).parent / "vit.txt").write_text(text)


if __name__ == "__main__":
    main()
