"""The cost of requests in tokens, of which a partner has so many a minute. Every request costs one (ADR 30).

The weights follow the processor time: a token stands for 2 to 5 ms of rendering, a conditional hit takes 0.1 ms.
"""

from fractions import Fraction
from math import ceil
from typing import Final

DOCUMENTS_RENDERED_FOR_A_TOKEN: Final = 4
DOCUMENTS_JOINED_FOR_A_TOKEN: Final = 40
ROWS_FOR_A_TOKEN: Final = 500


def cost_of_rendering(documents: int) -> int:
    """Of an answer for which so many schedules are parsed: a day cut, a format other than JSON, a page, a question."""
    return ceil(share_of_rendering(documents))


def cost_of_joining(documents: int) -> int:
    """Of an answer that contains so many schedules as they were published."""
    return ceil(share_of_joining(documents))


def share_of_rendering(documents: int) -> Fraction:
    """As :func:`cost_of_rendering`, of a part of an answer: the parts are added before they are rounded up."""
    return Fraction(documents, DOCUMENTS_RENDERED_FOR_A_TOKEN)


def share_of_joining(documents: int) -> Fraction:
    """As :func:`cost_of_joining`, of a part of an answer."""
    return Fraction(documents, DOCUMENTS_JOINED_FOR_A_TOKEN)


def cost_of_rows(rows: int) -> int:
    """Of an answer with so many rows of the digest or the change feed, beyond the first few hundred."""
    return rows // ROWS_FOR_A_TOKEN
