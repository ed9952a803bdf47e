#!/usr/bin/env python3
"""What `make bench` measured: tables to the terminal, SUMMARY.json, a Markdown page and a figure.

    bench.py FOLDER        reads steps.json and, if it is there, layers.json there
    bench.py SUMMARY.json  makes the page and the figure of a kept summary again, beside it

The files are in Google Benchmark's format, written by gcg_step_bench and gcg_layer_bench. Every entry is one round: all
contenders were timed once, close together and in random order. A ratio is formed within a round; what is shown is the
median of the ratios over the rounds, with their quartiles. So a drift of the machine from round to round cancels, and
no ratio pairs the fast moments of one with the slow ones of the other.
"""

import argparse
import json
import math
import re
import sys
from pathlib import Path

import numpy as np

import figures
import texts

REMEDY = "give `make bench` again"
NETWORKS = {
    "resnet20": "ResNet-20",
    "vgg16": "VGG-16",
    "resnet18_small": "ResNet-18",
    "vit6_small": "ViT (6 blocks, width 96)",
    "deit_tiny": "DeiT-tiny",
}

# What sparse execution has to reach: times faster than dense; at (network, density).
REQUIRED = {
    ("resnet20", 0.02): 5,
    ("resnet20", 0.05): 4.2,
    ("resnet20", 0.1): 3.2,
    ("resnet20", 0.2): 2.3,
    ("resnet20", 0.5): 1.6,
    ("resnet20", 1.0): 0.85,
    ("vgg16", 0.05): 4,
    ("vgg16", 0.1): 2.5,
    ("resnet18_small", 0.05): 4,
    ("resnet18_small", 0.1): 2.5,
    ("vit6_small", 0.05): 3,
    ("vit6_small", 0.1): 2.2,
    ("vit6_small", 0.2): 1.5,
    ("vit6_small", 0.5): 1,
    ("deit_tiny", 0.05): 3.5,
    ("deit_tiny", 0.1): 2.5,
    ("deit_tiny", 0.2): 1.7,
    ("deit_tiny", 0.5): 1,
}
# The same with the tensors of a batch in bf16, over LibTorch in single precision.
REQUIRED_BF16 = {
    ("resnet20", 0.02): 6,
    ("resnet20", 0.05): 4.8,
    ("resnet20", 0.1): 3.7,
    ("resnet20", 0.2): 2.5,
    ("resnet20", 0.5): 1.5,
}
# The same by tiles, where the processor has instructions for them.
REQUIRED_TILES = {("resnet20", density): 6 if density < 0.05 else 5.2 for density in (0.02, 0.05, 0.1, 0.2, 0.5)}
# Rows in bf16 beside those in single precision: key, name of the contender, what it has to reach.
IN_BF16 = (("bf16", "sparse bf16", REQUIRED_BF16), ("bf16_tiles", "sparse bf16 tiles", REQUIRED_TILES))
REQUIRED_SHARES = {"forward": 0.4, "input gradient": 0.4, "weight gradient": 0.25}
KERNELS = tuple(REQUIRED_SHARES)


def required_scaling(density):
    """2 threads against 1."""
    return 1.6 if density >= 0.1 else 1.4


def spread(values):
    """Median and quartiles over rounds."""
    low, middle, high = np.percentile(np.asarray(values, dtype=float), [25, 50, 75])
    return {"median": float(middle), "low": float(low), "high": float(high), "rounds": len(values)}


def rounds_of(path):
    """{name without what Google Benchmark appends: [round, ...]}, and the context block."""
    content = texts.read_json(path, REMEDY)
    if not isinstance(content, dict) or not {"benchmarks", "context"} <= content.keys():
        sys.exit(f"{path}: is no output of Google Benchmark: it lacks benchmarks and context; {REMEDY}")
    rounds = {}
    for entry in content["benchmarks"]:
        if entry["run_type"] == "iteration" and not entry.get("error_occurred"):
            name = entry["run_name"].split("/iterations:")[0]
            rounds.setdefault(name, []).append(entry)
    return rounds, content["context"]


def steps_summary(rounds):
    """One entry per network and thread count."""
    steps = []
    for name, entries in rounds.items():
        match = re.fullmatch(r"step/(\w+)/threads:(\d+)", name)
        if not match:
            continue
        network, threads = match[1], int(match[2])

        def median_ratio(over, under):
            return spread([e[over] / e[under] for e in entries])

        step = {
            "network": network,
            "threads": threads,
            "setting": entries[0]["label"],
            "libtorch_ms": spread([e["LibTorch"] for e in entries]),
            "dense_ms": spread([e["dense"] for e in entries]),
            "densities": [],
        }
        # LibTorch in bf16 is a contender where a trial showed that the processor gains by it.
        best = "LibTorch bf16" if all("LibTorch bf16" in e for e in entries) else "LibTorch"
        step["best_dense"] = best
        step["best_dense_ms"] = spread([e[best] for e in entries])
        found = [re.fullmatch(r"sparse (\d\.\d+)", key) for key in entries[0]]
        for key, density in sorted(((m[0], float(m[1])) for m in found if m), key=lambda pair: pair[1]):
            row = {
                "density": density,
                "sparse_ms": spread([e[key] for e in entries]),
                "ratio": median_ratio("LibTorch", key),
                "ratio_to_own_dense": median_ratio("dense", key),
                "required_ratio": REQUIRED.get((network, density)),
            }
            for kind, name, required in IN_BF16:
                half = f"{name} {key.split()[-1]}"
                if half in entries[0]:
                    row[kind] = {
                        "sparse_ms": spread([e[half] for e in entries]),
                        "ratio": median_ratio("LibTorch", half),
                        "ratio_to_best_dense": median_ratio(best, half),
                        "ratio_to_fp32": median_ratio(key, half),
                        "required_ratio": required.get((network, density)),
                    }
            alone = f"{key} on 1 thread"
            if alone in entries[0]:
                row["scaling"] = median_ratio(alone, key)
                row["required_scaling"] = required_scaling(density)
            step["densities"].append(row)
        # The executor of GPUs on the CPU, timed on one network.
        step["device"] = {
            precision: {"ms": spread([e[key] for e in entries]), "ratio": median_ratio("LibTorch", key)}
            for precision, key in (("fp32", "device"), ("bf16", "device bf16"))
            if key in entries[0]
        }
        growth = {}
        for key, entry in (
            ("dense gradients", "dense_gradients"),
            ("growth: scores and selection", "scores_and_selection"),
            ("growth: two changes of the mask", "two_mask_changes"),
        ):
            if key in entries[0]:
                growth[f"{entry}_ms"] = spread([e[key] for e in entries])
                base = "dense" if entry == "dense_gradients" else "sparse 0.10"
                growth[f"{entry}_of_{'dense' if base == 'dense' else 'sparse'}_step"] = median_ratio(key, base)
        step["growth_at_0.10"] = growth
        step["break_even_density"] = break_even(step["densities"])
        steps.append(step)
    return steps


def break_even(rows):
    """The density at which sparse takes as long as dense, between two that were measured (log-log); None if none is."""
    for left, right in zip(rows, rows[1:]):
        a, b = math.log(left["ratio"]["median"]), math.log(right["ratio"]["median"])
        if a >= 0 > b:
            share = a / (a - b)
            return math.exp(math.log(left["density"]) * (1 - share) + math.log(right["density"]) * share)
    return None


def layers_summary(rounds):
    """Shares of the multiply-add peak, per layer, density and kernel, and their geometric means."""
    layers = []
    for name, entries in rounds.items():
        match = re.fullmatch(r"layer/(.+)/threads:(\d+)", name)
        if not match:
            continue
        for key in entries[0]:
            parts = re.fullmatch(r"(forward|input gradient|weight gradient) (\d\.\d+)", key)
            if parts:
                work = entries[0][f"multiply-adds {parts[2]}"]
                # Multiply-adds per millisecond, of the kernel and of the loop that does nothing else.
                shares = [work / e[key] / (e["peak multiply-adds"] / e["peak"]) for e in entries]
                layers.append(
                    {
                        "layer": match[1],
                        "threads": int(match[2]),
                        "kernel": parts[1],
                        "density": float(parts[2]),
                        "convolution": not match[1].startswith("linear"),
                        "ms": spread([e[key] for e in entries]),
                        "share_of_peak": spread(shares),
                    }
                )
    return layers


def geometric_means(layers, threads):
    """{kernel: {density: geometric mean over the convolutions of the median shares}}"""
    means = {}
    for kernel in KERNELS:
        at = {}
        for row in layers:
            if row["kernel"] == kernel and row["threads"] == threads and row["convolution"]:
                at.setdefault(row["density"], []).append(row["share_of_peak"]["median"])
        means[kernel] = {d: float(np.exp(np.mean(np.log(s)))) for d, s in sorted(at.items())}
    return means


def peak_gflops(rounds):
    """By thread count; a multiply-add is 2."""
    peaks = {}
    for name, entries in rounds.items():
        threads = name.rsplit(":", 1)[-1]
        peaks.setdefault(threads, []).extend(2e-6 * e["peak multiply-adds"] / e["peak"] for e in entries)
    return {threads: spread(values) for threads, values in peaks.items()}


def ratio_text(value):
    return f"{value['median']:.2f} [{value['low']:.2f}, {value['high']:.2f}]"


def verdict(value, required):
    if required is None:
        return "-"
    return f"{required:g}" if value >= required else f"{required:g} (short)"


def step_table(step):
    head = [
        "density",
        "sparse, ms",
        "LibTorch, ms",
        "times faster [quartiles]",
        "at least",
        "our dense, ms",
        "times faster",
    ]
    scaling = any("scaling" in row for row in step["densities"])
    if scaling:
        head += ["2 threads against 1", "at least"]
    rows = []
    for row in step["densities"]:
        cells = [
            f"{row['density']:.2f}",
            f"{row['sparse_ms']['median']:.1f}",
            f"{step['libtorch_ms']['median']:.1f}",
            ratio_text(row["ratio"]),
            verdict(row["ratio"]["median"], row["required_ratio"]),
            f"{step['dense_ms']['median']:.1f}",
            f"{row['ratio_to_own_dense']['median']:.2f}",
        ]
        if scaling:
            cells += [f"{row['scaling']['median']:.2f}", verdict(row["scaling"]["median"], row["required_scaling"])]
        rows.append(cells)
    return [head, *rows]


def bf16_table(step, kind, name):
    """Sparse steps whose tensors of the batch are in bf16; no rows where none was timed."""
    rows = [["density", f"{name}, ms", "than LibTorch fp32", "at least", "than sparse fp32", "than the best dense"]]
    for row in step["densities"]:
        if kind in row:
            half = row[kind]
            rows.append(
                [
                    f"{row['density']:.2f}",
                    f"{half['sparse_ms']['median']:.1f}",
                    ratio_text(half["ratio"]),
                    verdict(half["ratio"]["median"], half["required_ratio"]),
                    ratio_text(half["ratio_to_fp32"]),
                    f"{half['ratio_to_best_dense']['median']:.2f}",
                ]
            )
    return rows if len(rows) > 1 else []


def bf16_lines(step, table):
    tables = [rows for kind, name, _ in IN_BF16 if (rows := bf16_table(step, kind, name))]
    if not tables:
        return []
    best = f"{step['best_dense']}, {step['best_dense_ms']['median']:.1f} ms"
    lines = [f"In bf16, times faster [quartiles]; the best dense step is that of {best}.", ""]
    return lines + [line for rows in tables for line in (*table(rows), "")]


def tiles_lines(context):
    """Why nothing was timed by tiles, where that is known."""
    _, none, reason = context.get("tiles", "").partition("none: ")
    return [f"No rows by tiles: {reason}.", ""] if none else []


def device_lines(step, table):
    """Of --execution device --device cpu; nothing where it was not timed."""
    rows = [["--execution device, on the CPU", "ms", "times faster than LibTorch fp32 [quartiles]"]]
    for precision, entry in step.get("device", {}).items():
        rows.append([precision, f"{entry['ms']['median']:.1f}", ratio_text(entry["ratio"])])
    return [*table(rows), ""] if len(rows) > 1 else []


def growth_lines(step):
    growth, lines = step["growth_at_0.10"], []
    if "dense_gradients_ms" in growth:
        share = growth["dense_gradients_of_dense_step"]["median"]
        lines.append(
            f"Gradients at all connections: {growth['dense_gradients_ms']['median']:.1f} ms, {share:.2f} of a dense"
            " step."
        )
    if "two_mask_changes_ms" in growth:
        milliseconds = growth["two_mask_changes_ms"]["median"] / 2
        share = growth["two_mask_changes_of_sparse_step"]["median"] / 2
        lines.append(
            f"A change of the mask (a fourth of the connections): {milliseconds:.1f} ms, {share:.2f} of a sparse step."
        )
    if "scores_and_selection_ms" in growth:
        share = growth["scores_and_selection_of_sparse_step"]["median"]
        lines.append(
            f"Path scores and selection: {growth['scores_and_selection_ms']['median']:.1f} ms, {share:.2f} of a sparse"
            " step."
        )
    if step["break_even_density"] is not None:
        lines.append(f"Break-even at density {step['break_even_density']:.2f}.")
    return lines


def layer_table(layers, threads):
    """Shares in percent: one row per layer and kernel, one column per density."""
    densities = sorted({row["density"] for row in layers if row["threads"] == threads})
    by_key = {}
    for row in layers:
        if row["threads"] == threads:
            by_key.setdefault((row["layer"], row["kernel"]), {})[row["density"]] = row["share_of_peak"]["median"]
    rows = [["layer", "kernel", *(f"{d:.2f}" for d in densities)]]
    for (layer, kernel), shares in by_key.items():
        rows.append([layer, kernel, *(f"{100 * shares[d]:.0f} %" if d in shares else "-" for d in densities)])
    for kernel, means in geometric_means(layers, threads).items():
        if means:
            rows.append(
                [
                    "convolutions, geometric mean",
                    kernel,
                    *(f"{100 * means[d]:.0f} %" if d in means else "-" for d in densities),
                ]
            )
    return rows


def required_shares(layers, threads):
    lines = []
    for kernel, means in geometric_means(layers, threads).items():
        reached = [means[d] for d in (0.1, 0.2) if d in means]
        if reached:
            share = math.exp(sum(map(math.log, reached)) / len(reached))
            required = REQUIRED_SHARES[kernel]
            lines.append(
                f"{kernel} at 0.1 to 0.2: {100 * share:.0f} % of the peak "
                f"(at least {100 * required:.0f} %{'' if share >= required else ': short'})"
            )
    return lines


def plain_table(rows):
    """Lines of lined-up columns, the first to the left."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return [
        "  ".join(c.ljust(w) if i == 0 else c.rjust(w) for i, (c, w) in enumerate(zip(row, widths))).rstrip()
        for row in rows
    ]


def markdown_table(rows):
    lines = ["| " + " | ".join(row) + " |" for row in rows]
    return [lines[0], "|---" * len(rows[0]) + "|", *lines[1:]]


def blas_name(config):
    """What OpenBLAS says of itself as "OpenBLAS 0.3.21 with its kernels for Haswell"; others' words as they are."""
    found = re.fullmatch(r"(OpenBLAS \S+) .*?(\S+) MAX_THREADS=\d+", config)
    return f"{found[1]} with its kernels for {found[2]}" if found else config


def build_note(context):
    """Said where nobody can check out what was measured."""
    with_changes = context.get("commit", "").endswith(" with changes")
    return " Measured with changes that were not committed." if with_changes else ""


def report(summary, table, heading):
    """The lines of the terminal or of the page."""
    context = summary["context"]
    lines = [
        (
            f"{context['processor']}, {context['cores']} cores, {context['instructions']}; kernels"
            f" {context['kernels']}; LibTorch {context['LibTorch']}, {blas_name(context['BLAS'])};"
            f" {context['date'][:10]}.{build_note(context)}"
        ),
        "",
        *tiles_lines(context),
    ]
    for step in summary["steps"]:
        lines += [
            heading(f"{NETWORKS.get(step['network'], step['network'])}, {threads_text(step['threads'])}"),
            "",
            f"Whole training step, {step['setting']}, {step['dense_ms']['rounds']} rounds.",
            "",
            *table(step_table(step)),
            "",
            *bf16_lines(step, table),
            *device_lines(step, table),
            *growth_lines(step),
            "",
        ]
    if summary["memory"]:
        lines += [heading("Memory"), "", *table(memory_table(summary["memory"])), ""]
    if summary.get("batches"):
        lines += [heading("Memory of a batch"), "", *table(batch_table(summary["batches"])), ""]
    for threads in sorted({row["threads"] for row in summary["layers"]}):
        peak = summary["peak_gflops"][str(threads)]["median"]
        lines += [
            heading(f"Kernels, {threads_text(threads)}: share of the multiply-add peak"),
            "",
            f"Peak measured in the same rounds: {peak:.0f} GFLOP/s (a multiply-add is 2).",
            "",
            *table(layer_table(summary["layers"], threads)),
            "",
            *(f"{line}." for line in required_shares(summary["layers"], threads)),
            "",
        ]
    return lines


def threads_text(threads):
    return f"{threads} thread{'' if threads == 1 else 's'}"


def memory_table(memory):
    rows = [["network", "density", "sparse, MB", "dense, MB", "share", "at most"]]
    for row in memory:
        share = row["sparse_bytes"] / row["dense_bytes"]
        limit = "0.25" if row["density"] == 0.1 else None
        shown = "-" if limit is None else limit if share <= 0.25 else f"{limit} (short)"
        rows.append(
            [
                NETWORKS.get(row["network"], row["network"]),
                f"{row['density']:.2f}",
                f"{row['sparse_bytes'] / 1e6:.2f}",
                f"{row['dense_bytes'] / 1e6:.2f}",
                f"{share:.3f}",
                shown,
            ]
        )
    return rows


def batch_table(batches):
    """Tensors of a batch: activations and their gradients."""
    rows = [["network", "batch", "fp32, MB", "bf16, MB", "share", "at most"]]
    for row in batches:
        share = row["bf16_bytes"] / row["fp32_bytes"]
        rows.append(
            [
                NETWORKS.get(row["network"], row["network"]),
                f"{row['batch']}",
                f"{row['fp32_bytes'] / 1e6:.0f}",
                f"{row['bf16_bytes'] / 1e6:.0f}",
                f"{share:.3f}",
                "0.55" if share <= 0.55 else "0.55 (short)",
            ]
        )
    return rows


def draw(summary, path):
    """Time over density, as a share of the dense step, with break-even; beside it the kernels' shares of the peak."""
    threads = sorted({step["threads"] for step in summary["steps"]})
    layer_threads = sorted({row["threads"] for row in summary["layers"]})
    panels = len(threads) + (1 if layer_threads else 0)
    figure, axes = figures.new_figure(width=4.4 * panels, height=4.2, columns=panels)
    axes = np.atleast_1d(axes)
    low = min(row["density"] for step in summary["steps"] for row in step["densities"])
    for panel, count in zip(axes, threads):
        for step in (s for s in summary["steps"] if s["threads"] == count):
            index = list(NETWORKS).index(step["network"])
            density = [row["density"] for row in step["densities"]]
            share = np.array([1 / row["ratio"]["median"] for row in step["densities"]])
            error = [
                share - [1 / row["ratio"]["high"] for row in step["densities"]],
                [1 / row["ratio"]["low"] for row in step["densities"]] - share,
            ]
            name = NETWORKS.get(step["network"], step["network"])
            panel.errorbar(
                density,
                share,
                error,
                capsize=2,
                label=f"{name} (LibTorch: {step['libtorch_ms']['median']:.0f} ms)",
                **figures.style(index),
            )
            if step["break_even_density"] is not None:
                panel.annotate(
                    f"break-even {step['break_even_density']:.2f}",
                    (step["break_even_density"], 1),
                    textcoords="offset points",
                    xytext=(-6, 8),
                    ha="right",
                    fontsize=8.5,
                )
                panel.plot([step["break_even_density"]], [1], "k|", markersize=12)
        panel.axhline(1, color="black", linewidth=1, linestyle=(0, (2, 2)))
        figures.density_axis(panel, low)
        panel.set_yscale("log")
        ticks = [0.05, 0.1, 0.2, 0.5, 1, 2]
        panel.set_yticks(ticks, [f"{t:g}" for t in ticks])
        panel.minorticks_off()
        panel.set_ylabel("sparse step / LibTorch's step")
        panel.set_title(f"training step, {threads_text(count)}", fontsize=10)
        panel.legend(loc="upper left")
    lows = [a.get_ylim()[0] for a in axes[: len(threads)]]
    highs = [a.get_ylim()[1] for a in axes[: len(threads)]]
    for panel in axes[: len(threads)]:
        panel.set_ylim(min(lows), 1.6 * max(highs))
    if layer_threads:
        panel = axes[-1]
        means = geometric_means(summary["layers"], layer_threads[0])
        for index, kernel in enumerate(KERNELS):
            if means[kernel]:
                panel.plot(
                    list(means[kernel]), [100 * s for s in means[kernel].values()], label=kernel, **figures.style(index)
                )
        figures.density_axis(panel, min(row["density"] for row in summary["layers"]))
        panel.set_ylim(0, 100)
        panel.set_ylabel("multiply-adds done, % of the measured peak")
        panel.set_title(f"convolution kernels, {threads_text(layer_threads[0])}, geometric mean", fontsize=10)
        panel.legend(loc="upper left")
    return figures.save(figure, path)


def read_memory(folder, what):
    path = folder / "memory.json"
    return texts.read_json(path, REMEDY).get(what, []) if path.exists() else []


def read_kept(path):
    """A summary that --into has put in a folder."""
    summary = texts.read_json(path, "name the folder of steps.json, or a kept bench.json")
    if not isinstance(summary, dict) or not {"context", "steps", "layers"} <= summary.keys():
        sys.exit(
            f"{path}: is no kept summary: it lacks context, steps and layers; name docs/results/bench.json or such"
        )
    return summary


def summarise(folder):
    if not (folder / "steps.json").exists():
        sys.exit(f"{folder / 'steps.json'}: there is no such file; `make bench` writes it, into build/bench")
    step_rounds, context = rounds_of(folder / "steps.json")
    layer_path = folder / "layers.json"
    layer_rounds = rounds_of(layer_path)[0] if layer_path.exists() else {}
    kept = (
        "date",
        "processor",
        "instructions",
        "cores",
        "memory_bytes",
        "system",
        "commit",
        "compiler",
        "build_type",
        "kernels",
        "tiles",
        "LibTorch",
        "BLAS",
        "OMP_WAIT_POLICY",
        "load_avg",
        "caches",
    )
    return {
        "context": {name: context.get(name, "unknown") for name in kept},
        "pairing": (
            "ratios are formed within a round (all contenders once, random order); medians and quartiles over rounds"
        ),
        "steps": steps_summary(step_rounds),
        "layers": layers_summary(layer_rounds),
        "peak_gflops": peak_gflops(layer_rounds),
        "memory": read_memory(folder, "networks"),
        "batches": read_memory(folder, "batches"),
    }


def main():
    texts.degrade()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="folder of steps.json and layers.json, or a kept summary")
    parser.add_argument(
        "--into", type=Path, help="also put the page, the figure and the summary (bench.json) there (docs/results)"
    )
    arguments = parser.parse_args()
    if arguments.into:
        texts.make_folder(arguments.into)
    kept = arguments.folder.is_file()
    if kept:
        folder = arguments.folder.parent
        summary = read_kept(arguments.folder)
    else:
        folder = arguments.folder
        summary = summarise(folder)
        texts.write((folder / "summary.json"), json.dumps(summary, indent=1) + "\n")
    print("\n".join(report(summary, plain_table, lambda text: text)))
    page = report(summary, markdown_table, lambda text: f"## {text}")
    title = "# Training steps and kernels, as `make bench` measured them\n\n"
    note = (
        "\n\nMedians over rounds; a ratio is formed within a round, in brackets the quartiles of the ratios. *At"
        " least*: the aim, set before anything was measured; *short*: missed. *Trial*: one measurement that chose"
        " LibTorch's order of channels, and whether its bf16 is timed.\n\n"
    )
    base = folder / "bench"
    figure = draw(summary, base)
    texts.write(Path(f"{base}.md"), title + "![time over density](bench.png)" + note + "\n".join(page))
    print("figure  ", figure)
    if not kept:
        print("summary ", folder / "summary.json")
    if arguments.into:
        for suffix in (".md", ".png"):
            texts.write_bytes(arguments.into / f"bench{suffix}", Path(f"{base}{suffix}").read_bytes())
        texts.write((arguments.into / "bench.json"), json.dumps(summary, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
