"""A page of the HTML report for one run: result, stages, trajectory, and its masks by layer."""

import math
from html import escape

import numpy as np

import tables

WIDTH, HEIGHT, LEFT, BOTTOM = 620, 220, 52, 34
COLOURS = {"training": "#E69F00", "validation": "#0072B2"}


def anchor(name):
    return f"run-{name}"


def page(run, name, back, command):
    """The section of a run; `name` of its folder, `back`: anchor of the experiment that names it."""
    parts = [
        f'<section class="run" id="{escape(anchor(name))}">',
        f'<p><a href="#{escape(back)}">back to the experiment</a></p><h1>{escape(name)}</h1>',
        facts(run, command),
        tables.html(stage_table(run)),
        '<div class="pair">',
        chart(run, "accuracy", 100, "accuracy, %"),
        chart(run, "loss", 1, "loss, nats"),
        "</div>",
    ]
    if len(run.statistics["stage"]):
        parts.append(tables.html(layer_table(run)))
    return "\n".join([*parts, "</section>"])


def facts(run, command):
    rows = [
        ("status", run.status + (f": {run.failure}" if run.failure else "")),
        ("network and data", f'{run.identity["network"]} on {run.identity["data"]}, seed {run.identity["seed"]}'),
        ("execution", f'{run.execution["used"]} {run.execution["kernels"]}, {run.host["processor"]}'),
        ("command", command),
    ]
    if run.final is not None:
        rows.insert(
            1,
            (
                "result",
                (
                    f'density {run.final["density"]:.4f}, validation'
                    f' {tables.percent(run.final["validation_accuracy"])} %,'
                    f' test {tables.percent(run.final["test_accuracy"])} %, {run.cost["epochs"]} epochs'
                ),
            ),
        )
    if run.search["outcome"] != "none":
        rows.append(("search", f'{run.search["outcome"].replace("_", " ")}: density {run.search["density"]:.4f}'))
    rows += [("warning", text) for text in run.warnings]
    return "<dl>" + "".join(f"<dt>{escape(n)}</dt><dd>{escape(str(t))}</dd>" for n, t in rows) + "</dl>"


def stage_table(run):
    s = run.stages
    star = run.fits["d_star"]
    joint = getattr(run, "joint_fits", None)  # of density and time together, where the run file holds it
    rows = [
        [
            str(s["stage"][i]),
            {"stage": "growth"}.get(str(s["phase"][i]), str(s["phase"][i])),
            f'{s["density"][i]:.4f}',
            str(s["epochs"][i]),
            tables.percent(float(s["validation_accuracy"][i])),
            tables.number(float(s["validation_loss"][i]), digits=4),
            tables.number(float(star[i]), digits=3),
            *([] if joint is None else [tables.number(float(joint["d_star"][i]), digits=3)]),
            tables.number(float(s["seconds"][i]), digits=1),
            str(s["decision"][i]),
        ]
        for i in range(len(s["stage"]))
    ]
    return tables.Table(
        "stages",
        "Stages: validation accuracy and loss at the end of each, d* of the fit where there is one.",
        [
            *("stage", "part", "density", "epochs", "validation, %", "loss", "d*"),
            *([] if joint is None else ["joint d*"]),
            *("seconds", "decision"),
        ],
        rows,
    )


def layer_table(run):
    """Density of every layer's mask by stage, %."""
    present = np.asarray(run.statistics["layers"]["present"], dtype=float)
    sizes = [math.prod(run.shape(name)) for name in run.layers["name"]]
    rows = [
        [str(name), f"{size:,}", *(f"{100 * present[i][layer] / size:.1f}" for i in range(len(present)))]
        for layer, (name, size) in enumerate(zip(run.layers["name"], sizes))
    ]
    return tables.Table(
        "layers",
        "Masks: present connections of every layer after each change of the mask, % of all.",
        ["layer", "connections", *(f"stage {stage}" for stage in run.statistics["stage"])],
        rows,
    )


def chart(run, what, scale, label):
    """A column of the trajectory over epochs, training and validation, drawn by hand: hundreds of runs have to stay
    small."""
    series = {}
    for split, column in (("training", f"train_{what}"), ("validation", f"validation_{what}")):
        if column in run.trajectory:
            values = scale * np.asarray(run.trajectory[column], dtype=float)
            if len(values) and np.isfinite(values).any():
                series[split] = values
    if not series:
        return ""
    epochs = max(map(len, series.values()))
    known = np.concatenate([values[np.isfinite(values)] for values in series.values()])
    low, high = float(known.min()), float(known.max())
    high = high if high > low else low + 1
    x = lambda i: LEFT + (WIDTH - LEFT - 10) * (i / max(1, epochs - 1))
    y = lambda value: HEIGHT - BOTTOM - (HEIGHT - BOTTOM - 24) * (value - low) / (high - low)
    parts = [f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" font-size="12" role="img" aria-label="{label}">']
    for value in (low, (low + high) / 2, high):
        parts.append(
            f'<path d="M{LEFT} {y(value):.1f}H{WIDTH - 10}" stroke="#ddd"/><text x="{LEFT - 6}" y="{y(value) + 4:.1f}"'
            f' text-anchor="end">{value:.3g}</text>'
        )
    parts.append(f'<text x="{WIDTH - 10}" y="{HEIGHT - 8}" text-anchor="end">epoch {epochs}</text>')
    parts.append(f'<text x="{LEFT}" y="{HEIGHT - 8}">epoch 1</text>')
    for index, (split, values) in enumerate(series.items()):
        points = [(x(i), y(v), i, v) for i, v in enumerate(values) if math.isfinite(v)]
        line = " ".join(f"{px:.1f},{py:.1f}" for px, py, *_ in points)
        parts.append(f'<polyline points="{line}" fill="none" stroke="{COLOURS[split]}" stroke-width="2"/>')
        parts.append(
            f'<text x="{LEFT + 110 * index}" y="14" fill="{COLOURS[split]}">{split}</text><g class="values">'
            + "".join(
                f'<circle cx="{px:.1f}" cy="{py:.1f}" r="5" fill="transparent"><title>{split}, epoch {i + 1}:'
                f" {v:.4g}</title></circle>"
                for px, py, i, v in points
            )
            + "</g>"
        )
    return f"<figure><figcaption>{escape(label)}, over epochs</figcaption>{''.join(parts)}</svg></figure>"
