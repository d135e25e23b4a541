"""Text of unknown origin, made fit to be shown: on a terminal, in a log line, in a report.

Belongs here: escapes that every output needs. Does not belong here: the escapes of one output, such as Markdown
(``documents``), and published documents, which keep every text as the source wrote it.
"""

MAXIMUM_SHOWN = 500
"""Characters of a single value that are worth showing."""


def printable(text: str) -> str:
    """Escape control characters, line ends, marks that turn the direction of writing, and lone surrogates."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else _escape(char) for char in text)


def shorten(text: str, limit: int = MAXIMUM_SHOWN) -> str:
    """The text, or its beginning and a word on how much is left out."""
    left_out = len(text) - limit
    return text if left_out <= 0 else f"{text[:limit]}… ({left_out:,} more characters)"


def _escape(char: str) -> str:
    return char.encode("unicode_escape", "surrogatepass").decode()
