"""Sets of instants, as ascending disjoint spans in seconds since 1970."""

from collections.abc import Iterable, Sequence

Span = tuple[int, int]
Airtime = Sequence[Span]


def union(spans: Iterable[Span]) -> list[Span]:
    """The instants in any of these spans; the end of a span does not belong to it."""
    merged: list[Span] = []
    for start, end in sorted(spans):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(merged[-1][1], end))
        elif start < end:
            merged.append((start, end))
    return merged


def clip(airtime: Airtime, start: int, end: int) -> list[Span]:
    """The part between two instants."""
    cut = ((max(a, start), min(b, end)) for a, b in airtime)
    return [(a, b) for a, b in cut if a < b]


def subtract(airtime: Airtime, other: Airtime) -> list[Span]:
    """The part that is not in the other."""
    left = list(airtime)
    for start, end in other:
        left = [part for a, b in left for part in ((a, min(b, start)), (max(a, end), b)) if part[0] < part[1]]
    return left


def length(airtime: Airtime) -> int:
    return sum(end - start for start, end in airtime)
