"""Tables as data, written once and rendered as Markdown (for reading here), HTML (for the report) and LaTeX (for the
paper)."""

import html as escaping
import math
import re
from dataclasses import dataclass, field


@dataclass
class Table:
    """Cells are text as a reader shall see it ("53.3 ± 2.0", "-"); the first column names the row."""

    name: str  # of the file: letters, digits, "_" and "-"
    caption: str  # one or more sentences: what, units, intervals, n
    header: list
    rows: list
    notes: list = field(default_factory=list)  # sentences below the table


def percent(mean, half=None, digits=1):
    """An accuracy in [0, 1] as percent with its half interval; "-" for None."""
    if mean is None or not math.isfinite(mean):
        return "-"
    text = f"{100 * mean:.{digits}f}"
    return text if half is None or not math.isfinite(half) else f"{text} ± {100 * half:.{digits}f}"


def number(mean, half=None, digits=2):
    """A plain number with its half interval; "-" for None."""
    if mean is None or not math.isfinite(mean):
        return "-"
    text = f"{mean:.{digits}f}"
    return text if half is None or not math.isfinite(half) else f"{text} ± {half:.{digits}f}"


def plain(value):
    """A number for JSON, which has no NaN."""
    return float(value) if value is not None and math.isfinite(value) else None


def _check(table):
    if not re.fullmatch(r"[A-Za-z0-9_-]+", table.name):
        raise ValueError(f"table name {table.name!r}: letters, digits, _ and - only")
    for row in table.rows:
        if len(row) != len(table.header):
            raise ValueError(f"table {table.name}: row {row} has {len(row)} cells, the header {len(table.header)}")


def markdown(table):
    _check(table)
    escape = lambda cell: str(cell).replace("|", "\\|")
    rows = [[escape(cell) for cell in row] for row in [table.header, *table.rows]]
    widths = [max(len(row[i]) for row in rows) for i in range(len(table.header))]
    line = lambda row: "| " + " | ".join(c.ljust(w) for c, w in zip(row, widths)) + " |"
    lines = [table.caption, "", line(rows[0]), "|" + "|".join("-" * (w + 2) for w in widths) + "|"]
    lines += [line(row) for row in rows[1:]]
    for note in table.notes:
        lines += ["", note]
    return "\n".join(lines) + "\n"


def html(table):
    """A <figure> with caption, table and notes; all text escaped."""
    _check(table)
    line = lambda row, tag: "<tr>" + "".join(f"<{tag}>{escaping.escape(str(cell))}</{tag}>" for cell in row) + "</tr>"
    lines = [
        f'<figure class="table"><figcaption>{escaping.escape(table.caption)}</figcaption>',
        '<table class="sortable">',
        f"<thead>{line(table.header, 'th')}</thead>",
        "<tbody>",
    ]
    lines += [line(row, "td") for row in table.rows]
    lines += [
        "</tbody></table>",
        *(f'<p class="note">{escaping.escape(note)}</p>' for note in table.notes),
        "</figure>",
    ]
    return "\n".join(lines) + "\n"


_LATEX = {
    "&": r"\&",
    "%": r"\%",
    "$": r"\$",
    "#": r"\#",
    "_": r"\_",
    "{": r"\{",
    "}": r"\}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "\\": r"\textbackslash{}",
    "±": r"$\pm$",
    "≤": r"$\leq$",
    "≥": r"$\geq$",
    "×": r"$\times$",
    "ε": r"$\varepsilon$",
    "λ": r"$\lambda$",
    "β": r"$\beta$",
    "τ": r"$\tau$",
    "Δ": r"$\Delta$",
    "σ": r"$\sigma$",
    "µ": r"$\mu$",
    "–": "--",
    "−": "$-$",
    "·": r"$\cdot$",
    "≈": r"$\approx$",
    "→": r"$\to$",
    "∞": r"$\infty$",
    "…": r"\ldots{}",
    "†": r"\dag{}",
    "’": "'",
    "“": "``",
    "”": "''",
    "<": r"$<$",
    ">": r"$>$",
    "|": r"\textbar{}",
    "\0": "{}",
    "°": r"\textdegree{}",
}


def latex_text(text):
    """Plain text as LaTeX; d* as the paper writes it; a minus sign before a number as one; a character that LaTeX's own
    fonts may not have as its number, so that it is seen."""
    escaped = "".join(
        _LATEX.get(c, c if ord(c) < 256 else f"[U+{ord(c):04X}]") for c in str(text).replace("--", "-\0-")
    )
    escaped = re.sub(r"\bd\*", r"$d^*$", escaped)
    return re.sub(r"(?<![\w.\-])-(?=\d)", "$-$", escaped)


def latex(table):
    """A booktabs tabular, without caption and float: the paper has its own."""
    _check(table)

    def line(row):
        text = " & ".join(latex_text(c) for c in row) + r" \\"
        return "{}" + text if text.startswith(("[", "*")) else text  # the line break before would take it for its own

    columns = "l" + "r" * (len(table.header) - 1)
    lines = [rf"\begin{{tabular}}{{{columns}}}", r"\toprule", line(table.header), r"\midrule"]
    lines += [line(row) for row in table.rows]
    return "\n".join([*lines, r"\bottomrule", r"\end{tabular}"]) + "\n"
