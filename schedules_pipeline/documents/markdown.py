"""Texts in Markdown, as Dagster's UI renders descriptions of checks and metadata of that kind."""

from base64 import b64encode
from collections.abc import Sequence

from schedules_pipeline.domain.printable import printable

Cell = str | int
_ESCAPES = str.maketrans(
    {"&": "&amp;", "<": "&lt;", ">": "&gt;", **{char: f"\\{char}" for char in "\\`*_{}[]()#+-.!|~:@"}}
)


def escape_markdown(text: str) -> str:
    """A text that is shown as it is, in a cell of a table or in a paragraph: it becomes no link, loads no image.

    Texts of upstreams, and reasons that quote them, are shown to operators in no other way.
    """
    return printable(text).translate(_ESCAPES)


def markdown_table(columns: Sequence[str], rows: Sequence[Sequence[Cell]], most: int) -> str:
    """The first ``most`` rows with every cell escaped, and the number of those left out; "none" without rows."""
    if not rows:
        return "none"
    lines = [_row(columns), "|" + "---|" * len(columns), *map(_row, rows[:most])]
    if (left_out := len(rows) - most) > 0:
        lines += ["", f"{left_out:,} more rows are left out"]
    return "\n".join(lines)


def markdown_chart(title: str, svg: str) -> str:
    """A chart as a data URL, which Dagster's UI shows."""
    return f"![{title}](data:image/svg+xml;base64,{b64encode(svg.encode()).decode()})"


def _row(cells: Sequence[Cell]) -> str:
    texts = (f"{cell:,}" if isinstance(cell, int) else cell for cell in cells)
    return f"| {' | '.join(map(escape_markdown, texts))} |"
