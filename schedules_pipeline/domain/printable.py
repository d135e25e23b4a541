"""Text of unknown origin, made fit to be shown: on a terminal, in a log line, in a report.

Belongs here: what every reader of a text has to fear, whatever shows it. Does not belong here: the escapes of one
output, such as Markdown (``formats``), and published documents, which give every text as it came.
"""

MAXIMUM_SHOWN = 500
"""Characters of a single value that are worth showing."""


def printable(text: str) -> str:
    """The text with everything escaped that prints nothing or moves the cursor: control characters, line ends,
    marks that turn the direction of writing, lone surrogates. What can be read stays as it is.
    """
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else _escape(char) for char in text)


def shorten(text: str, limit: int = MAXIMUM_SHOWN) -> str:
    """The text, or its beginning and a word on how much is left out."""
    left_out = len(text) - limit
    return text if left_out <= 0 else f"{text[:limit]}… ({left_out:,} more characters)"


def _escape(char: str) -> str:
    return char.encode("unicode_escape", "surrogatepass").decode()
