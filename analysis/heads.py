#!/usr/bin/env python3
"""Does growth find the attention heads it needs? Connections of every head of a transformer over the stages of a run.

    heads.py RUN [RUN ...] --out FIGURE

A head's connections are those that make its queries, keys and values, and those of the projection that read it. Prints
how unequal the heads are at every stage, draws FIGURE.png, .pdf and .svg (a panel a run, a line a head) and puts both
into FIGURE.md.
"""

import argparse
import sys
from pathlib import Path

import numpy as np

import figures as look
import gcg_runs
import tables
import texts

PAGE = "![connections of every head]("  # how the page begins
REMEDY = "give the run's command again: it writes the file and repeats nothing"


def attentions(graph):
    """[(name, heads, layers that make queries, keys and values, layers that read the heads)] of a network.json."""
    nodes = graph["nodes"]
    found = []
    for number, node in enumerate(nodes, 1):  # 0 is the image
        if node["operation"] == "attention":
            made = [nodes[i - 1]["name"] for i in node["inputs"]]
            read = [n["name"] for n in nodes if n["operation"] == "linear" and n["inputs"] == [number]]
            found.append((node["name"], node["heads"], made, read))
    return found


def head_densities(masks, attention):
    """Present share of the connections of every head, in order."""
    _, heads, made, read = attention
    parts = [np.split(masks[name], heads, axis=0) for name in made]
    parts += [np.split(masks[name], heads, axis=1) for name in read]
    return [
        sum(int(part[head].sum()) for part in parts) / sum(part[head].size for part in parts) for head in range(heads)
    ]


def growth_of(path):
    """Of a run: its name, the density of every stage, and {"block1.attention, head 1": densities over the stages}."""
    run = gcg_runs.load(path)
    graph = texts.read_json(run.path.with_name("network.json"), REMEDY)
    found = attentions(graph)
    if not found:
        sys.exit(f"{run.path}: {run.network} has no attention")
    stages = [int(stage) for stage in run.masks]
    heads = {}
    for stage in stages:
        for attention in found:
            for number, density in enumerate(head_densities(run.masks[stage], attention), 1):
                heads.setdefault(f"{attention[0]}, head {number}", []).append(density)
    return {"run": run, "density": [float(d) for d in run.statistics["density"]], "heads": heads}


def title(run):
    rule = run.options.get("growth-rule")
    return f"growth by {rule}" if run.identity["method"] == "gcg" and rule else run.identity["method"]


def table(growth):
    """How unequal the heads are, stage by stage."""
    heads = np.array(list(growth["heads"].values()))
    rows = [
        [
            str(stage),
            f"{density:.3f}",
            f"{here.mean():.3f}",
            f"{here.min():.3f}",
            f"{here.max():.3f}",
            f"{here.std() / here.mean():.2f}" if here.mean() > 0 else "-",
            str(int((here == 0).sum())),
        ]
        for stage, (density, here) in enumerate(zip(growth["density"], heads.T))
    ]
    return tables.Table(
        "heads",
        f"{title(growth['run'])}, {growth['run'].network}, seed {growth['run'].identity['seed']}: density of the"
        f" network and of its {len(heads)} heads.",
        ["stage", "network", "heads, mean", "least", "largest", "deviation / mean", "without any"],
        rows,
    )


def draw(growths, base):
    figure, axes = look.new_figure(width=4.6 * len(growths), height=4.4, columns=len(growths))
    axes = np.atleast_1d(axes)
    low = min(min(g["density"]) for g in growths)
    high = max(max(g["density"]) for g in growths)
    for panel, growth in zip(axes, growths):
        blocks = list(dict.fromkeys(name.split(", ")[0] for name in growth["heads"]))
        for name, densities in growth["heads"].items():
            block, head = name.split(", head ")
            shape = look.style(blocks.index(block)) | {"markersize": 3, "linewidth": 1.1}
            label = block.removesuffix(".attention") if head == "1" else None
            panel.plot(growth["density"], densities, label=label, **shape)
        panel.plot(growth["density"], growth["density"], color="black", linewidth=0.8, label="the network")
        look.density_axis(panel, low, high)
        panel.set_title(title(growth["run"]), fontsize=10)
        panel.set_ylim(0, 1.05 * max(max(d) for g in growths for d in g["heads"].values()))
    axes[0].set_ylabel("density of a head's connections")
    look.legend_below(figure, axes[0], columns=4 if len(growths) == 1 else 7)
    return look.save(figure, base)


def main(argv=None):
    texts.degrade()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs="+", type=Path, metavar="RUN", help="a run file, or the folder that holds run.h5")
    parser.add_argument("--out", type=Path, required=True, metavar="FIGURE", help="without an ending")
    arguments = parser.parse_args(argv)
    page_path = Path(f"{arguments.out}.md")
    texts.keep_others(page_path, PAGE)
    try:
        growths = [growth_of(path) for path in arguments.runs]
    except gcg_runs.RunFileError as error:
        sys.exit(f"heads: {error}")
    texts.make_folder(page_path.parent)
    page = [f"{PAGE}{arguments.out.name}.png)\n"]
    page += [tables.markdown(table(growth)) for growth in growths]
    page += [f"    {growth['run'].identity['command']}\n" for growth in growths]
    print("\n".join(page[1:]))
    print("figure ", draw(growths, arguments.out))
    texts.write(page_path, "\n".join(page))


if __name__ == "__main__":
    main()
