"""Texts in Markdown, as Dagster's UI renders descriptions of checks and metadata of that kind."""

from schedules_pipeline.domain.printable import printable

_SPECIAL = "\\`*_{}[]()#+-.!|~:@"


def escape_markdown(text: str) -> str:
    """A text that is shown as it is, in a cell of a table or in a paragraph: it becomes no link, loads no image.

    Texts of upstreams, and reasons that quote them, are shown to operators in no other way.
    """
    escaped = printable(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return "".join(f"\\{char}" if char in _SPECIAL else char for char in escaped)
