"""The differences between two partner documents, field by field, broadcasts matched by their pid."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

ABSENT = "(absent)"
"""Stands for the value of a field that one side does not have at all, which is not the same as null."""

PRESENCE = "(broadcast)"
"""The field named where one side has a broadcast and the other has not."""

ORDER = "(order)"
"""The field named where both sides have the same broadcasts in another order."""


@dataclass(frozen=True, slots=True)
class Difference:
    """``field`` is a dotted path such as ``episode.synopses.short``."""

    broadcast_pid: str
    field: str
    ours: Any
    theirs: Any


def diff(ours: Sequence[Mapping[str, Any]], theirs: Sequence[Mapping[str, Any]]) -> list[Difference]:
    """Compare two lists of partner broadcasts; an empty answer means that they say the same."""
    our_broadcasts = {str(b.get("broadcast_pid")): b for b in ours}
    their_broadcasts = {str(b.get("broadcast_pid")): b for b in theirs}
    found = [
        difference
        for pid in sorted(our_broadcasts.keys() | their_broadcasts.keys())
        for difference in _diff_broadcast(pid, our_broadcasts.get(pid), their_broadcasts.get(pid))
    ]
    if not found and list(our_broadcasts) != list(their_broadcasts):
        found.append(Difference("", ORDER, list(our_broadcasts), list(their_broadcasts)))
    if not found and (len(ours), len(theirs)) != (len(our_broadcasts), len(their_broadcasts)):
        found.append(Difference("", "(repeated broadcasts)", len(ours), len(theirs)))
    return found


def leave_out_intended(differences: Sequence[Difference], intended: Sequence[str]) -> list[Difference]:
    """Drop the differences whose field matches one of the patterns (``episode.synopses.*``)."""
    return [d for d in differences if not any(fnmatchcase(d.field, pattern) for pattern in intended)]


def _diff_broadcast(
    pid: str, ours: Mapping[str, Any] | None, theirs: Mapping[str, Any] | None
) -> Iterator[Difference]:
    if ours is None or theirs is None:
        yield Difference(pid, PRESENCE, _start(ours), _start(theirs))
    else:
        yield from _diff_values(pid, "", ours, theirs)


def _diff_values(pid: str, path: str, ours: Any, theirs: Any) -> Iterator[Difference]:
    if isinstance(ours, Mapping) and isinstance(theirs, Mapping):
        for name in sorted(ours.keys() | theirs.keys()):
            yield from _diff_values(
                pid, f"{path}.{name}" if path else name, ours.get(name, ABSENT), theirs.get(name, ABSENT)
            )
    elif ours != theirs or type(ours) is not type(theirs):
        yield Difference(pid, path, ours, theirs)


def _start(broadcast: Mapping[str, Any] | None) -> Any:
    return ABSENT if broadcast is None else broadcast.get("start", ABSENT)
