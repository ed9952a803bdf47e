"""The look of every figure: colour-blind safe, readable in grey (markers and dashes differ too)."""

import io

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

import hover
import texts

# Okabe & Ito 2008, ordered so that neighbours differ in lightness.
COLOURS = ["#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#000000", "#999933"]
MARKERS = ["o", "s", "^", "D", "v", "P", "X", "*"]
DASHES = ["-", "--", "-.", ":", (0, (5, 1)), (0, (3, 1, 1, 1)), (0, (1, 1)), (0, (5, 3))]


def style(index):
    """Colour, marker and dashes of the index-th curve."""
    return {
        "color": COLOURS[index % len(COLOURS)],
        "marker": MARKERS[index % len(MARKERS)],
        "linestyle": DASHES[index % len(DASHES)],
        "markersize": 5,
        "linewidth": 1.6,
    }


def new_figure(width=6.4, height=4.2, columns=1, rows=1):
    plt.rcParams.update(
        {
            "font.size": 10,
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.grid": True,
            "grid.color": "#dddddd",
            "grid.linewidth": 0.6,
            "legend.frameon": False,
            "legend.fontsize": 8.5,
            "savefig.dpi": 150,
            "pdf.fonttype": 42,
        }
    )
    figure, axes = plt.subplots(rows, columns, figsize=(width, height), constrained_layout=True)
    return figure, axes


def density_axis(axes, low, high=1.0, vertical=False):
    """A logarithmic axis of density with plain numbers."""
    axis, set_scale, set_limits, set_label = (
        (axes.yaxis, axes.set_yscale, axes.set_ylim, axes.set_ylabel)
        if vertical
        else (axes.xaxis, axes.set_xscale, axes.set_xlim, axes.set_xlabel)
    )
    set_scale("log")
    coarse, fine = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0), (
        0.01,
        0.015,
        0.02,
        0.03,
        0.04,
        0.06,
        0.08,
        0.1,
        0.15,
        0.2,
        0.3,
    )
    inside = lambda marks: [t for t in marks if low * 0.9 <= t <= high * 1.1]
    ticks = inside(coarse) if len(inside(coarse)) > 2 else inside(fine + (0.4, 0.6, 0.8, 1.0))
    axis.set_major_locator(FixedLocator(ticks))
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    set_limits(low * 0.9, high * 1.08)
    set_label("density (present / all connections)")


def legend_below(figure, axes, columns=4):
    """One legend of the entries of `axes`, below all panels."""
    handles, labels = axes.get_legend_handles_labels()
    lines = -(-len(labels) // columns)
    share = (0.1 + 0.19 * lines) / figure.get_figheight()
    figure.get_layout_engine().set(rect=(0, share, 1, 1 - share))
    figure.legend(handles, labels, loc="lower center", ncol=columns)


def save(figure, path):
    """PATH.png, PATH.pdf and PATH.svg (hover.py), without the time of day in them; returns the path of the PNG."""
    for kind, metadata in (
        ("png", {"Software": None}),
        ("pdf", {"CreationDate": None, "Creator": None, "Producer": None}),
    ):
        drawn = io.BytesIO()
        figure.savefig(drawn, format=kind, metadata=metadata)
        texts.write_bytes(f"{path}.{kind}", drawn.getvalue())
    texts.write(f"{path}.svg", hover.svg(figure))
    plt.close(figure)
    return f"{path}.png"
