"""Representations: the bytes of an answer, with a validator that changes whenever they do, in several codings.

A route finds a :class:`Representation`; it is rendered and compressed at most once for all requests.
"""

from asyncio import Future, ensure_future, shield
from collections import OrderedDict
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from fractions import Fraction
from functools import lru_cache, partial
from hashlib import blake2b
from typing import Generic, NamedTuple, Protocol, TypeVar

from schedules_pipeline.delivery.mirror import MirroredSchedule
from schedules_pipeline.delivery.packing import Coding, Packed, pack

_REMEMBERED_BYTES = 128_000_000
_VERSIONS_REMEMBERED = 16_384

_WORTH_PACKING = 600
"""Bytes. Smaller answers fit into one network packet, so compressing them gains nothing."""


@dataclass(frozen=True, slots=True)
class Fragment:
    """A piece of an answer that is rendered, compressed and remembered by itself. As :class:`Representation`, but that
    the costs of the pieces are added before they are rounded up.
    """

    validator: str
    source: Callable[[], bytes]
    cost: Fraction = Fraction()


@dataclass(frozen=True, slots=True)
class Whole:
    """The source of an answer that is rendered in one task from its fragments."""

    fragments: tuple[Fragment, ...]

    def __call__(self) -> bytes:
        return b"".join(fragment.source() for fragment in self.fragments)


@dataclass(frozen=True, slots=True)
class Representation:
    """``validator``: differs whenever the bytes differ; at most a hundred characters of ASCII, no quotes.
    ``source``: the compressed bytes, or a function that renders the plain ones, in another process: it can be pickled;
    or fragments, of which the answer is joined while it is sent.
    ``cost``: the tokens that rendering costs. ``is_dated``: ``If-Modified-Since`` is answered, because the bytes change
    only with ``last_modified``. ``fields``: further header fields of an answer with the bytes. ``versions``: of
    the schedules in it.
    """

    validator: str
    media_type: str
    cache_control: str
    source: Packed | Callable[[], bytes] | tuple[Fragment, ...]
    last_modified: datetime | None = None
    cost: int = 0
    vary: str = "Accept, Accept-Encoding, Authorization, Cookie"
    is_dated: bool = False
    fields: Callable[[], Mapping[str, str]] = dict
    versions: Sequence[MirroredSchedule] = ()

    def linked(self, links: str) -> "Representation":
        """With this ``Link``."""
        return replace(self, fields=lambda: {**self.fields(), "Link": links})


def validator_of(*parts: object) -> str:
    """A short hash of the parts' texts."""
    return blake2b("\x1f".join(map(str, parts)).encode(), digest_size=16).hexdigest()


class Rendered(NamedTuple):
    """An answer whose validator is the hash of its bytes, because it is known only once it is rendered. ``following``:
    the ``after`` of the next page; None without one.
    """

    validator: str
    packed: Packed
    following: str | None = None

    def represent(self, media_type: str, cache_control: str) -> Representation:
        return Representation(self.validator, media_type, cache_control, self.packed)


def rendered(body: bytes, following: str | None = None) -> Rendered:
    return Rendered(validator_of(body), pack(body), following)


def validator_of_version(held: MirroredSchedule) -> str:
    """The stored hash of the content, the sequence number and the time: the document contains all three, and content
    that returns after a change is another version.
    """
    return _validator_of_version(held.etag, held.seq, held.published_at)


@lru_cache(_VERSIONS_REMEMBERED)
def _validator_of_version(etag: str, seq: int, published_at: datetime) -> str:
    return f"{etag}.{seq}.{int(published_at.timestamp() * 1_000_000):x}"


def entity_tag(validator: str, coding: Coding) -> str:
    """Strong, so each coding has its own tag."""
    return f'"{validator}"' if coding is Coding.IDENTITY else f'"{validator}.{coding}"'


def names_tag(if_none_match: str, tag: str) -> bool:
    """Whether a list of tags has this one, weak or strong (RFC 9110, 13.1.2)."""
    return tag in {each.strip().removeprefix("W/") for each in if_none_match.split(",")}


class Weighed(Protocol):
    @property
    def weight(self) -> int: ...


_Packed = TypeVar("_Packed", bound=Weighed)


class RepresentationCache(Generic[_Packed]):
    """Recently used answers or fragments, compressed, up to a number of bytes; the least recently used one is dropped
    first. Used in the event loop's thread.
    """

    def __init__(self, capacity_bytes: int = _REMEMBERED_BYTES) -> None:
        self._capacity_bytes = capacity_bytes
        self._bytes = 0
        self._packed: OrderedDict[str, _Packed] = OrderedDict()
        self._making: dict[str, Future[_Packed]] = {}

    async def find_or_make(
        self, validator: str, make: Callable[[], Coroutine[object, object, _Packed]]
    ) -> _Packed:
        """Made once for all that wait for it: one that gives up, even the first, does not cancel it for the others."""
        if (found := self.find(validator)) is not None:
            return found
        if validator not in self._making:
            making = ensure_future(make())
            making.add_done_callback(partial(self._keep, validator))
            self._making[validator] = making
        return await shield(self._making[validator])

    def _keep(self, validator: str, making: Future[_Packed]) -> None:
        del self._making[validator]
        if not making.cancelled() and making.exception() is None:
            self.put(validator, making.result())

    def find(self, validator: str) -> _Packed | None:
        if (packed := self._packed.get(validator)) is not None:
            self._packed.move_to_end(validator)
        return packed

    def put(self, validator: str, packed: _Packed) -> None:
        """Add an answer, unless it is larger than a quarter of the capacity."""
        if packed.weight > self._capacity_bytes // 4 or validator in self._packed:
            return
        self._packed[validator] = packed
        self._bytes += packed.weight
        while self._bytes > self._capacity_bytes:
            _, dropped = self._packed.popitem(last=False)
            self._bytes -= dropped.weight


def coding_for(wanted: Coding, size: int) -> Coding:
    """Small answers are not compressed."""
    return wanted if size >= _WORTH_PACKING else Coding.IDENTITY
