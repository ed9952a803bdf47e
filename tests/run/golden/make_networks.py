#!/usr/bin/env python3
"""Golden values of a network of every family by PyTorch, in double precision: NAME.txt of every network.

Weights, masks and images are a formula (number()) that the test tests/run/golden_networks_test.cpp has too, so that a
file holds results alone. Of an array it holds the norm and a projection on numbers of the same formula; a line is a
name and its numbers. The salt of the formula is the first one for which no activation lies so near to the kink of a
ReLU, and no two values so near to one another in a window of max pooling, that single precision could decide otherwise,
and every unit has a connection. Made by `/usr/bin/python3 tests/run/golden/make_networks.py` with Debian's
python3-torch 1.13.1; the test needs neither.
"""

import math
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional

SAMPLES, CLASSES = 6, 5
# Distance from a kink, as a part of the deviation of its activations.
MARGIN = 4e-6
# Streams of the formula: parameters by their number, then
STATISTICS, MASK, IMAGES, PROJECTION = 10000, 20000, 30000, 40000
# Gradients below this part of their deviation have no certain sign in single precision: no part of AdamW's step.
CERTAIN = 0.002


def number(salt, stream, count):
    """Numbers in [-1, 1) of 24 bits: SplitMix64 (Steele et al. 2014) of salt, stream and place."""
    with np.errstate(over="ignore"):
        z = (
            (np.uint64(salt) << np.uint64(48))
            + (np.uint64(stream) << np.uint64(32))
            + np.arange(count, dtype=np.uint64)
        )
        z = (z + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        z = z ^ (z >> np.uint64(31))
    return (z >> np.uint64(40)).astype(np.float64) / 2**23 - 1


def single(values):
    return torch.from_numpy(np.asarray(values).astype(np.float32).astype(np.float64))


class Mode:
    """How the operations below compute: `power` 0 is a network; 1 and 2 its paths by |w| and w^2."""

    power = 0
    margin = math.inf


def near(distances, values):
    if Mode.power == 0 and distances.numel() > 0:
        Mode.margin = min(Mode.margin, float(distances.min() / values.std()))


def relu(x):
    if Mode.power:
        return x
    near(x.detach().abs(), x.detach())
    return functional.relu(x)


def gelu(x):
    return x if Mode.power else functional.gelu(x)


def max_pool(x, kernel, stride, padding=0):
    """As a path: the mean of what lies in the window, without padding; its factors to the power."""
    if Mode.power:
        mean = functional.avg_pool2d(x, kernel, stride, padding, count_include_pad=False)
        inside = functional.avg_pool2d(torch.ones_like(x), kernel, stride, padding) * kernel**2
        return mean / inside ** (Mode.power - 1)
    low = functional.pad(x.detach(), (padding,) * 4, value=-math.inf)
    largest = low.unfold(2, kernel, stride).unfold(3, kernel, stride).flatten(4).topk(2).values
    # Equal zeros behind a ReLU share no gradient: the ReLU lets none through.
    differ = (largest[..., 0] - largest[..., 1])[largest[..., 0] != 0]
    near(differ, x.detach())
    return functional.max_pool2d(x, kernel, stride, padding)


def global_mean(x):
    mean = x.mean((2, 3))
    return mean / (x.shape[2] * x.shape[3]) ** (Mode.power - 1) if Mode.power else mean


class Convolution(nn.Conv2d):
    def forward(self, x):
        if Mode.power:
            return functional.conv2d(x, self.weight, None, self.stride, self.padding)
        return super().forward(x)


class Linear(nn.Linear):
    def forward(self, x):
        return functional.linear(x, self.weight) if Mode.power else super().forward(x)


class BatchNorm(nn.BatchNorm2d):
    def forward(self, x):
        if Mode.power:
            factor = self.weight.abs() / (self.running_var + self.eps).sqrt()
            return x * (factor**Mode.power)[:, None, None]
        return super().forward(x)


class LayerNorm(nn.LayerNorm):
    def forward(self, x):
        return x * self.weight.abs() ** Mode.power if Mode.power else super().forward(x)


def convolution(inputs, outputs, kernel, stride=1, padding=0, bias=False):
    return Convolution(inputs, outputs, kernel, stride, padding, bias=bias)


# --- The networks, each by its paper. Layers and normalisations are made in the order of their use. ---


class Perceptron(nn.Module):
    def __init__(self, side, width):
        super().__init__()
        self.fc1 = Linear(3 * side**2, width)
        self.fc2 = Linear(width, width // 3)
        self.fc3 = Linear(width // 3, CLASSES)

    def forward(self, x):
        return self.fc3(relu(self.fc2(relu(self.fc1(x.flatten(1))))))


class LeNet(nn.Module):
    """LeCun et al. 1998, with max pooling and ReLU."""

    def __init__(self, side, width):
        super().__init__()
        second = width * 16 // 6
        self.conv1 = convolution(3, width, 5, bias=True)
        self.conv2 = convolution(width, second, 5, bias=True)
        self.fc1 = Linear(second * ((side - 4) // 2 // 2 - 2) ** 2, 20 * width)
        self.fc2 = Linear(20 * width, 14 * width)
        self.fc3 = Linear(14 * width, CLASSES)

    def forward(self, x):
        x = max_pool(relu(self.conv1(x)), 2, 2)
        x = max_pool(relu(self.conv2(x)), 2, 2).flatten(1)
        return self.fc3(relu(self.fc2(relu(self.fc1(x)))))


class Shortcut(nn.Module):
    def __init__(self, inputs, outputs, stride):
        super().__init__()
        self.changes = stride != 1 or inputs != outputs
        if self.changes:
            self.projection = convolution(inputs, outputs, 1, stride)
            self.norm = BatchNorm(outputs)

    def forward(self, x):
        return self.norm(self.projection(x)) if self.changes else x


class Basic(nn.Module):
    """He et al. 2016."""

    growth = 1

    def __init__(self, inputs, width, stride):
        super().__init__()
        self.conv1, self.norm1 = convolution(inputs, width, 3, stride, 1), BatchNorm(width)
        self.conv2, self.norm2 = convolution(width, width, 3, 1, 1), BatchNorm(width)
        self.shortcut = Shortcut(inputs, width, stride)

    def forward(self, x):
        y = relu(self.norm1(self.conv1(x)))
        return relu(self.norm2(self.conv2(y)) + self.shortcut(x))


class Bottleneck(nn.Module):
    """He et al. 2016, the stride in the 3x3 convolution."""

    growth = 4

    def __init__(self, inputs, width, stride):
        super().__init__()
        self.conv1, self.norm1 = convolution(inputs, width, 1), BatchNorm(width)
        self.conv2, self.norm2 = convolution(width, width, 3, stride, 1), BatchNorm(width)
        self.conv3, self.norm3 = convolution(width, 4 * width, 1), BatchNorm(4 * width)
        self.shortcut = Shortcut(inputs, 4 * width, stride)

    def forward(self, x):
        y = relu(self.norm1(self.conv1(x)))
        y = relu(self.norm2(self.conv2(y)))
        return relu(self.norm3(self.conv3(y)) + self.shortcut(x))


class Residual(nn.Module):
    """Stages of blocks at doubling widths behind a 3x3 convolution, or a 7x7 one of stride 2 with max pooling."""

    def __init__(self, block, counts, width, large_stem=False):
        super().__init__()
        self.large_stem = large_stem
        self.conv = convolution(3, width, 7, 2, 3) if large_stem else convolution(3, width, 3, 1, 1)
        self.norm = BatchNorm(width)
        blocks, channels = [], width
        for stage, count in enumerate(counts):
            for k in range(count):
                blocks.append(block(channels, width << stage, 2 if stage > 0 and k == 0 else 1))
                channels = block.growth * width << stage
        self.blocks = nn.Sequential(*blocks)
        self.classifier = Linear(channels, CLASSES)

    def forward(self, x):
        x = relu(self.norm(self.conv(x)))
        if self.large_stem:
            x = max_pool(x, 3, 2, 1)
        return self.classifier(global_mean(self.blocks(x)))


class Preactivated(nn.Module):
    def __init__(self, inputs, width, stride):
        super().__init__()
        self.norm1, self.conv1 = BatchNorm(inputs), convolution(inputs, width, 3, stride, 1)
        self.norm2, self.conv2 = BatchNorm(width), convolution(width, width, 3, 1, 1)
        self.projection = convolution(inputs, width, 1, stride) if stride != 1 or inputs != width else None

    def forward(self, x):
        active = relu(self.norm1(x))
        y = self.conv2(relu(self.norm2(self.conv1(active))))
        return y + (x if self.projection is None else self.projection(active))


class Wide(nn.Module):
    """Zagoruyko & Komodakis 2016, depth 22."""

    def __init__(self, width):
        super().__init__()
        self.conv = convolution(3, 16, 3, 1, 1)
        blocks, channels = [], 16
        for stage in range(3):
            for k in range(3):
                blocks.append(Preactivated(channels, width << stage, 2 if stage > 0 and k == 0 else 1))
                channels = width << stage
        self.blocks = nn.Sequential(*blocks)
        self.norm = BatchNorm(channels)
        self.classifier = Linear(channels, CLASSES)

    def forward(self, x):
        return self.classifier(global_mean(relu(self.norm(self.blocks(self.conv(x))))))


class Vgg(nn.Module):
    """Simonyan & Zisserman 2015, 8 convolutions, the form for CIFAR."""

    def __init__(self, width):
        super().__init__()
        self.groups, layers, channels = (1, 1, 2, 2, 2), [], 3
        for group, count in enumerate(self.groups):
            for _ in range(count):
                outputs = width << min(group, 3)
                layers += [convolution(channels, outputs, 3, 1, 1), BatchNorm(outputs)]
                channels = outputs
        self.layers = nn.ModuleList(layers)
        self.classifier = Linear(channels, CLASSES)

    def forward(self, x):
        layers = iter(self.layers)
        for count in self.groups:
            for _ in range(count):
                x = next(layers)(x)
                x = relu(next(layers)(x))
            x = max_pool(x, 2, 2)
        return self.classifier(global_mean(x))


class Encoder(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.norm1 = LayerNorm(width, eps=1e-6)
        self.query, self.key, self.value = (Linear(width, width) for _ in range(3))
        self.projection = Linear(width, width)
        self.norm2 = LayerNorm(width, eps=1e-6)
        self.mlp1, self.mlp2 = Linear(width, 4 * width), Linear(4 * width, width)

    def attention(self, y):
        query, key, value = self.query(y), self.key(y), self.value(y)
        if Mode.power:  # tokens are mixed alike, by query, key and value
            mixed = (query + key + value).mean(1, keepdim=True) / y.shape[1] ** (Mode.power - 1)
            return mixed.expand_as(y)
        query, key, value = (x.unflatten(2, (self.heads, -1)).transpose(1, 2) for x in (query, key, value))
        weights = (query @ key.transpose(2, 3) / math.sqrt(query.shape[3])).softmax(3)
        return (weights @ value).transpose(1, 2).flatten(2)

    def forward(self, x):
        x = x + self.projection(self.attention(self.norm1(x)))
        return x + self.mlp2(gelu(self.mlp1(self.norm2(x))))


class Transformer(nn.Module):
    """Dosovitskiy et al. 2021."""

    def __init__(self, side, width, patch, blocks):
        super().__init__()
        self.patches = convolution(3, width, patch, patch, bias=True)
        self.class_token = nn.Parameter(torch.zeros(width))
        self.positions = nn.Parameter(torch.zeros(width, 1 + (side // patch) ** 2))
        self.blocks = nn.Sequential(*(Encoder(width, 3) for _ in range(blocks)))
        self.norm = LayerNorm(width, eps=1e-6)
        self.classifier = Linear(width, CLASSES)

    def forward(self, x):
        x = self.patches(x).flatten(2).transpose(1, 2)
        token = self.class_token * (0 if Mode.power else 1)
        x = torch.cat([token.expand(len(x), 1, -1), x], 1)
        if not Mode.power:
            x = x + self.positions.t()
        return self.classifier(self.norm(self.blocks(x))[:, 0])


NETWORKS = {  # name: (side of the images, width, model)
    "mlp": (8, 24, Perceptron),
    "lenet5": (32, 3, LeNet),
    "resnet20": (8, 4, lambda side, width: Residual(Basic, (3, 3, 3), width)),
    "vgg11": (32, 4, lambda side, width: Vgg(width)),
    "wrn22_2": (8, 4, lambda side, width: Wide(width)),
    "resnet18": (64, 4, lambda side, width: Residual(Basic, (2, 2, 2, 2), width, large_stem=True)),
    "resnet50_small": (16, 4, lambda side, width: Residual(Bottleneck, (3, 4, 6, 3), width)),
    "vit6_small": (8, 12, lambda side, width: Transformer(side, width, 4, 6)),
}


def layers_of(model):
    return [module for module in model.modules() if isinstance(module, (Convolution, Linear))]


def norms_of(model):
    return [module for module in model.modules() if isinstance(module, (BatchNorm, LayerNorm))]


def arrays_of(model):
    """[(kind, parameter or None)] in the order of the test: layer by layer weight and bias, scale and shift of every
    normalisation, class token, position table; None stands for one that is not there."""
    arrays = []
    for layer in layers_of(model):
        arrays += [("weight", layer.weight), ("bias", layer.bias)]
    for norm in norms_of(model):
        arrays += [("scale", norm.weight), ("shift", norm.bias)]
    token = isinstance(model, Transformer)
    return arrays + [("token", model.class_token if token else None), ("token", model.positions if token else None)]


def filled(name, salt):
    """The model with its numbers, its masks (one of every layer), and images."""
    side, width, make = NETWORKS[name]
    model = make(side, width).double()
    masks = []
    with torch.no_grad():
        for k, (kind, array) in enumerate(arrays_of(model)):
            if array is None:
                continue
            u = number(salt, k, array.numel())
            factor, offset = {"bias": (0.1, 0), "scale": (0.3, 1), "shift": (0.2, 0), "token": (0.5, 0)}.get(
                kind, (0, 0)
            )
            if kind == "weight":
                factor = math.sqrt(6 / (array[0].numel()))
            array.copy_(single(offset + factor * u).reshape(array.shape))
        for n, norm in enumerate(norms_of(model)):
            if isinstance(norm, BatchNorm):
                norm.running_mean.copy_(single(0.1 * number(salt, STATISTICS + 2 * n, norm.num_features)))
                norm.running_var.copy_(single(1 + 0.5 * number(salt, STATISTICS + 2 * n + 1, norm.num_features)))
        for index, layer in enumerate(layers_of(model)):
            mask = torch.from_numpy(number(salt, MASK + index, layer.weight.numel()) >= -0.5).reshape(
                layer.weight.shape
            )
            if not mask.flatten(1).any(1).all():  # a unit without connections, whose normalisation counts otherwise
                Mode.margin = 0
            layer.weight.mul_(mask)
            masks.append(mask)
    images = single(number(salt, IMAGES, SAMPLES * 3 * side**2)).reshape(SAMPLES, 3, side, side) * 2
    return model, masks, images


def measured(salt, k, array):
    """Norm and projection of the array of number k."""
    values = np.asarray(array.detach()).reshape(-1)
    return [math.sqrt(float(values @ values)), float(values @ number(salt, PROJECTION + k, values.size))]


def step_of(name, parameters, kinds):
    """Values after one update by an optimiser; gradients are those of the parameters."""
    rate, decay = {"sgd": (0.1, 0.1), "adamw": (0.01, 0.1), "lars": (1.0, 0.1)}[name]
    clones = [parameter.detach().clone().requires_grad_() for parameter in parameters]
    for clone, parameter in zip(clones, parameters):
        clone.grad = parameter.grad
    decayed = [clone for clone, kind in zip(clones, kinds) if kind == "weight"]
    others = [clone for clone, kind in zip(clones, kinds) if kind != "weight"]
    if name == "sgd":
        torch.optim.SGD(clones, rate, momentum=0.9, nesterov=True, weight_decay=decay).step()
    elif name == "adamw":
        groups = [{"params": decayed, "weight_decay": decay}, {"params": others, "weight_decay": 0}]
        torch.optim.AdamW([group for group in groups if group["params"]], rate, betas=(0.9, 0.999), eps=1e-8).step()
    else:  # You et al. 2017, trust 0.01; torch has none
        with torch.no_grad():
            for clone in decayed:
                ratio = 0.01 * clone.norm() / (clone.grad.norm() + decay * clone.norm())
                clone -= rate * ratio * (clone.grad + decay * clone)
            for clone in others:
                clone -= rate * clone.grad
    return clones


def results(name, salt):
    """[(name of a line, its numbers)]."""
    side, width, _ = NETWORKS[name]
    Mode.power, Mode.margin = 0, math.inf
    model, masks, images = filled(name, salt)
    if Mode.margin == 0:
        return 0, []
    layers = layers_of(model)
    arrays = [(k, kind, array) for k, (kind, array) in enumerate(arrays_of(model)) if array is not None]
    number_of = {id(array): k for k, _, array in arrays}
    labels = torch.arange(SAMPLES) % CLASSES
    lines = [("request", [salt, side, width, CLASSES, SAMPLES])]

    model.eval()
    lines.append(("losses", functional.cross_entropy(model(images), labels, reduction="none").tolist()))

    # Paths and SynFlow before training changes the running statistics: derivatives of the sum of outputs by |w| or w^2.
    for power, rule in ((1, "path"), (2, "path_l2")):
        Mode.power = power
        paths, _, _ = filled(name, salt)
        with torch.no_grad():
            for layer in layers_of(paths):
                layer.weight.copy_(layer.weight.abs() ** power)
        paths(torch.ones(1, 3, side, side, dtype=torch.float64)).sum().backward()
        for layer, own in zip(layers, layers_of(paths)):
            lines.append((rule, measured(salt, number_of[id(layer.weight)], own.weight.grad)))
        if power == 1:
            for layer, own in zip(layers, layers_of(paths)):
                lines.append(("synflow", measured(salt, number_of[id(layer.weight)], own.weight.grad * own.weight)))
    Mode.power = 0

    model.train()
    loss = functional.cross_entropy(model(images), labels)
    lines.append(("loss", [float(loss)]))
    margin = Mode.margin
    gradients = torch.autograd.grad(loss, [array for _, _, array in arrays], create_graph=True)
    for norm, n in zip(norms_of(model), range(10000)):
        if isinstance(norm, BatchNorm):
            lines.append(("running mean", measured(salt, STATISTICS + 2 * n, norm.running_mean)))
            lines.append(("running variance", measured(salt, STATISTICS + 2 * n + 1, norm.running_var)))
    for (k, kind, array), gradient in zip(arrays, gradients):
        lines.append(("gradient", measured(salt, k, gradient)))
    of_weights = [gradient for (_, kind, _), gradient in zip(arrays, gradients) if kind == "weight"]
    for layer, gradient in zip(layers, of_weights):
        lines.append(("snip", measured(salt, number_of[id(layer.weight)], (layer.weight * gradient).abs())))

    # GraSP: the Hessian times the gradient of present connections.
    product = sum((gradient * (gradient * mask).detach()).sum() for gradient, mask in zip(of_weights, masks))
    hessian = torch.autograd.grad(product, [layer.weight for layer in layers])
    for layer, values, mask in zip(layers, hessian, masks):
        lines.append(("hessian", measured(salt, number_of[id(layer.weight)], values * mask)))
    weighted = [layer.weight.detach() * values * mask for layer, values, mask in zip(layers, hessian, masks)]
    smallest = min(float(values.min()) for values in weighted)
    for layer, values in zip(layers, weighted):
        lines.append(("grasp", measured(salt, number_of[id(layer.weight)], values - smallest)))

    mask_of = {id(layer.weight): mask for layer, mask in zip(layers, masks)}
    for (_, _, array), gradient in zip(arrays, gradients):
        array.grad = (gradient * mask_of.get(id(array), 1)).detach()
    largest = max(float(array.grad.abs().max()) for _, _, array in arrays)
    for optimiser in ("sgd", "adamw", "lars"):
        stepped = step_of(optimiser, [array for _, _, array in arrays], [kind for _, kind, _ in arrays])
        for (k, _, array), after in zip(arrays, stepped):
            change = (after - array).detach().reshape(-1)
            if optimiser == "adamw":
                gradient = array.grad.reshape(-1)
                present = mask_of[id(array)].reshape(-1) if id(array) in mask_of else torch.ones_like(gradient) > 0
                deviation = float(gradient[present].pow(2).mean().sqrt())
                if deviation < 1e-7 * largest:  # 0 but for rounding, as of the keys' biases
                    lines.append(("uncertain", [-1]))
                    continue
                uncertain = present & (gradient != 0) & (gradient.abs() < CERTAIN * deviation)
                change[uncertain] = 0
                lines.append(("uncertain", uncertain.nonzero().reshape(-1).tolist()))
            lines.append((optimiser, measured(salt, k, change)))
    return margin, lines


def main():
    torch.set_default_dtype(torch.float64)
    for name in NETWORKS:
        for salt in range(1, 1000):
            margin, lines = results(name, salt)
            if margin >= MARGIN:
                break
        print(f"{name}: salt {salt}, margin {margin:.1e}")
        text = "".join(f"{what}: " + " ".join(f"{value:.7g}" for value in values) + "\n" for what, values in lines)
        (Path(__file__).parent / f"{name}.txt").write_text(text)


if __name__ == "__main__":
    main()
