"""A figure as SVG in which every drawn value says what it is when the pointer rests on it."""

import io
import re
from html import escape

import matplotlib
import numpy as np
from matplotlib.collections import PathCollection
from matplotlib.container import BarContainer, ErrorbarContainer
from matplotlib.ticker import FixedLocator

REACH = 6  # points around a value at which its text shows


def svg(figure):
    """The figure as text that stands in an HTML page: no XML head, over every value a transparent circle with a
    title."""
    with matplotlib.rc_context({"svg.hashsalt": "gcg"}):
        written = io.StringIO()
        figure.savefig(written, format="svg", metadata={"Date": None, "Creator": None})
    text = written.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    height = 72 * figure.get_figheight()
    marks = [
        f'<circle cx="{x:.1f}" cy="{height - y:.1f}" r="{REACH}" fill="transparent"><title>{escape(said)}</title>'
        "</circle>"
        for axes in figure.axes
        if axes.get_visible()
        for x, y, said in values(axes, 72 / figure.dpi)
    ]
    return text.rstrip().removesuffix("</svg>") + "\n".join(['<g class="values">', *marks, "</g>", "</svg>", ""])


def values(axes, scale):
    """[(x, y, text)] of the drawn values in points from the lower left corner; `scale`: points a pixel."""
    found = []
    bars, caps = {}, set()  # a line of an error bar has its label and its bars at its container
    for container in axes.containers:
        if isinstance(container, ErrorbarContainer) and container.lines[0] is not None:
            bars[container.lines[0]] = container
            caps.update(container.lines[1])
        elif isinstance(container, BarContainer):
            for patch in container.patches:
                x, y = patch.get_x() + patch.get_width() / 2, patch.get_y() + patch.get_height() / 2
                along = axes.get_xlabel() if container.orientation == "horizontal" else axes.get_ylabel()
                value = patch.get_width() if container.orientation == "horizontal" else patch.get_height()
                found.append((x, y, named(container.get_label()) + f"{along} {value:.4g}"))
    for line in axes.lines:
        if line in caps or line.get_transform() != axes.transData or line.get_marker() in ("", "None", " ", None):
            continue  # lines across the axes, and those without points
        container = bars.get(line)
        name = line.get_label() if container is None else container.get_label()
        halves = half_bars(container) if container is not None and container.has_yerr else {}
        points = zip(np.asarray(line.get_xdata(), float), np.asarray(line.get_ydata(), float))
        for i, (x, y) in enumerate(points):
            half = f" ± {halves[i]:.2g}" if halves.get(i) else ""
            found.append((x, y, worded(axes, name, x, y) + half))
    for points in axes.collections:
        if isinstance(points, PathCollection):
            said = getattr(points, "texts", None)
            for i, (x, y) in enumerate(points.get_offsets()):
                found.append((float(x), float(y), said[i] if said else worded(axes, points.get_label(), x, y)))
    box = axes.get_window_extent()
    shown = []
    for x, y, said in found:
        px, py = axes.transData.transform((x, y))
        if np.isfinite(px + py) and box.contains(px, py):
            shown.append((scale * px, scale * py, said))
    return shown


def half_bars(container):
    """Half the length of the upright bar of every point that has one."""
    segments = container.lines[2][-1].get_segments()
    return {i: float(s[1][1] - s[0][1]) / 2 for i, s in enumerate(segments) if len(s) == 2}


def named(label):
    """What stands before a value: nothing for a label that matplotlib made up."""
    return "" if label is None or str(label).startswith("_") or not str(label) else f"{label}: "


def worded(axes, name, x, y):
    """ "NAME: label of the x axis 0.2, label of the y axis 58.7"."""
    beside = axes.get_shared_y_axes().get_siblings(axes)
    heights = next((each.get_ylabel() for each in beside if each.get_ylabel()), axes.get_title().split("\n")[0])
    return named(name) + ", ".join((on_axis(axes.xaxis, x, ""), on_axis(axes.yaxis, y, heights)))


def on_axis(axis, value, otherwise):
    """A value with the label of its axis, or the text that stands at it where the axis has texts instead of numbers."""
    label = (axis.get_label_text() or otherwise).replace("\n", " ")
    for place, text in texts_on(axis).items():
        if abs(place - value) < 0.5:
            return f"{axis.get_label_text()} {text}".strip()
    return f"{label} {value:.4g}".strip()


def texts_on(axis):
    """{place: text} of an axis whose ticks have texts of their own; empty for one of numbers."""
    if not isinstance(axis.get_major_locator(), FixedLocator):
        return {}
    texts = {place: label.get_text() for place, label in zip(axis.get_ticklocs(), axis.get_ticklabels())}
    return {} if all(is_number(text, place) for place, text in texts.items()) else texts


def is_number(text, place):
    try:
        return abs(float(text) - place) <= 1e-6 * abs(place)
    except ValueError:
        return not text
