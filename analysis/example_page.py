#!/usr/bin/env python3
"""Runs an example cell by cell and writes it as one HTML page with what it printed and drew.

    example_page.py EXAMPLE.py PAGE.html    in the folder that the example's paths are meant from

A cell begins with a line "# %%"; one that begins with "# %% [markdown]" is text, in comments.
"""

import argparse
import contextlib
import io
import re
import sys
from html import escape
from pathlib import Path

import gcg_runs  # examples import it, also where it is not installed
import hover
import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import texts

STYLE = """
body {
  font: 15px/1.55 "Liberation Sans", Arial, sans-serif; color: #16181d; max-width: 56rem; margin: 2rem auto;
  padding: 0 1rem;
}
pre { background: #f5f6f7; padding: .6rem .8rem; overflow-x: auto; font-size: .82rem; line-height: 1.4; }
pre.code { border-left: 3px solid #0072b2; } pre.out { background: #fff; border-left: 3px solid #d8d8d8; }
svg { max-width: 100%; height: auto; }
"""


def cells(source):
    """[(is text, content)] of an example; text without its comment signs."""
    found = []
    for part in re.split(r"^# %%", source, flags=re.MULTILINE)[1:]:
        head, _, body = part.partition("\n")
        text = head.strip() == "[markdown]"
        if text:
            body = "\n".join(line.removeprefix("#").removeprefix(" ") for line in body.strip().splitlines())
        found.append((text, body.strip()))
    return found


def paragraphs(text):
    """Headings, paragraphs and `code` of the Markdown of the cells."""
    made = []
    for block in re.split(r"\n\s*\n", text):
        heading = re.match(r"(#+) (.*)", block)
        content = escape(heading[2] if heading else " ".join(block.split()))
        content = re.sub(r"`([^`]*)`", r"<code>\1</code>", content)
        made.append(f"<h{len(heading[1])}>{content}</h{len(heading[1])}>" if heading else f"<p>{content}</p>")
    return "\n".join(made)


def run(code, names):
    """What a cell prints, and the figures it leaves open, as HTML. Of this folder it sees gcg_runs alone, as where that
    is installed: pandas would take our bottleneck.py for the package of that name."""
    said, known = io.StringIO(), list(sys.path)
    sys.path[:] = [place for place in sys.path if Path(place).resolve() != Path(__file__).resolve().parent]
    try:
        with contextlib.redirect_stdout(said):
            exec(compile(code, "<cell>", "exec"), names)  # the example's own code
    finally:
        sys.path[:] = known
    parts = [f'<pre class="out">{escape(said.getvalue().rstrip())}</pre>'] if said.getvalue().strip() else []
    for number in plt.get_fignums():
        parts.append(re.sub(r' xmlns(:xlink)?="[^"]*"', "", hover.svg(plt.figure(number))))
    plt.close("all")
    return "\n".join(parts)


def page(source):
    names, parts = {}, []
    for text, content in cells(source):
        if text:
            parts.append(paragraphs(content))
        else:
            parts.append(f'<pre class="code">{escape(content)}</pre>\n{run(content, names)}')
    title = re.search(r"<h1>(.*?)</h1>", parts[0])[1]
    return (
        f'{texts.HTML}>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<meta name="viewport"'
        f' content="width=device-width">\n<title>{title}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n'
        + "\n".join(parts)
        + "\n</body>\n</html>\n"
    )


def source_of(path):
    """The text of an example; if it is none, the program ends with a message."""
    try:
        source = path.read_text(encoding="utf-8")
    except OSError as error:
        sys.exit(f"{path}: cannot be read: {error.strerror}; name an example, as examples/run_in_python.py")
    except UnicodeDecodeError:
        sys.exit(f"{path}: is no text in UTF-8; name an example, as examples/run_in_python.py")
    found = cells(source)
    if not found or not found[0][0] or "<h1>" not in paragraphs(found[0][1]):
        sys.exit(
            f"{path}: is no example: it does not begin with a cell '# %% [markdown]' that has a heading '# # TITLE'"
        )
    return source


def main():
    texts.degrade()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("example", type=Path)
    parser.add_argument("page", type=Path)
    arguments = parser.parse_args()
    texts.keep_others(arguments.page, texts.HTML)
    try:
        made = page(source_of(arguments.example))
    except gcg_runs.RunFileError as error:
        sys.exit(str(error))
    texts.make_folder(arguments.page.parent)
    texts.write(arguments.page, made)
    print(arguments.page)


if __name__ == "__main__":
    main()
