"""Answers as partners' caches see them: bytes that change only where their validator does, in the coding wanted.

What a route found is a :class:`Representation`; it is rendered at most once for all who ask, and packed at most once.
"""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from hashlib import blake2b

from schedules_pipeline.delivery.mirror import MirroredSchedule
from schedules_pipeline.delivery.packing import Coding, Packed

_REMEMBERED_BYTES = 64_000_000
_WORTH_PACKING = 600
"""Bytes; what fits into one packet of a network gains nothing."""


@dataclass(frozen=True, slots=True)
class Representation:
    """``validator``: another one whenever the bytes are others; at most a hundred characters of ASCII, no quotes.
    ``source`` is the packed bytes, or what renders the plain ones; that may be called in a worker thread.
    """

    validator: str
    media_type: str
    cache_control: str
    source: Packed | Callable[[], bytes]
    last_modified: datetime | None = None


def validator_of(*parts: object) -> str:
    """A short word for what these say together."""
    return blake2b("\x1f".join(map(str, parts)).encode(), digest_size=16).hexdigest()


def validator_of_version(held: MirroredSchedule) -> str:
    """The hash of the content as it was stored, and what publishing added: a content that comes back is another
    version, with other bytes around it.
    """
    return f"{held.etag}.{held.seq}.{int(held.published_at.timestamp() * 1_000_000):x}"


def entity_tag(validator: str, coding: Coding) -> str:
    """A strong one: every coding has its own, since its bytes are its own."""
    return f'"{validator}"' if coding is Coding.IDENTITY else f'"{validator}.{coding}"'


def matching_tag(if_none_match: str, validator: str) -> str | None:
    """The tag that the asker has these bytes under already, in whatever coding; None where it has others."""
    ours = [entity_tag(validator, coding) for coding in Coding]
    if if_none_match.strip() == "*":
        return ours[-1]
    tags = {tag.strip().removeprefix("W/") for tag in if_none_match.split(",")}
    return next((tag for tag in ours if tag in tags), None)


class RepresentationCache:
    """The latest answers, packed, up to so many bytes; the longest unused goes first."""

    def __init__(self, capacity_bytes: int = _REMEMBERED_BYTES) -> None:
        self._capacity_bytes = capacity_bytes
        self._bytes = 0
        self._packed: OrderedDict[str, Packed] = OrderedDict()

    def find(self, validator: str) -> Packed | None:
        if (packed := self._packed.get(validator)) is not None:
            self._packed.move_to_end(validator)
        return packed

    def put(self, validator: str, packed: Packed) -> None:
        """Remember it, if it is not so large that it would drive out everything else."""
        if _weight(packed) > self._capacity_bytes // 4 or validator in self._packed:
            return
        self._packed[validator] = packed
        self._bytes += _weight(packed)
        while self._bytes > self._capacity_bytes:
            _, dropped = self._packed.popitem(last=False)
            self._bytes -= _weight(dropped)


def coding_for(wanted: Coding, size: int) -> Coding:
    """What is small goes as it is."""
    return wanted if size >= _WORTH_PACKING else Coding.IDENTITY


def _weight(packed: Packed) -> int:
    return len(packed.zstd) + len(packed.gzip)
