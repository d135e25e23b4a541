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
from typing import Generic, NamedTuple, Protocol, TypeVar, cast

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


Group = tuple[Fragment, ...]
"""Fragments that follow each other. Those that are not remembered are rendered in one task."""


@dataclass(frozen=True, slots=True)
class Whole:
    """The source of an answer that is rendered in one task from its fragments."""

    groups: tuple[Group, ...]

    def __call__(self) -> bytes:
        return b"".join(fragment.source() for group in self.groups for fragment in group)


@dataclass(frozen=True, slots=True)
class Contribution:
    """What a service adds to two tables, of which the first has each entry of all services once.

    ``ids``: of its entries in the first table, one on each line. ``entries``: those that are not among the given ids.
    """

    ids: Fragment
    entries: Callable[[frozenset[str]], Fragment]
    schedule: Fragment


@dataclass(frozen=True, slots=True)
class Tables:
    """The source of an answer whose pieces depend on what other services have. An entry is that of the first of
    ``contributions`` that has it; ``schedules`` are in the order of the document.
    """

    start: Fragment
    contributions: tuple[Contribution, ...]
    between: Fragment
    schedules: tuple[Fragment, ...]
    end: Fragment


@dataclass(frozen=True, slots=True)
class Representation:
    """``validator``: differs whenever the bytes differ; at most a hundred characters of ASCII, no quotes.
    ``source``: the compressed bytes, or a function that renders the plain ones, in another process: it can be pickled;
    or what the answer is joined of while it is sent: groups of fragments, or tables.
    ``cost``: the tokens that rendering costs. ``is_dated``: ``If-Modified-Since`` is answered, because the bytes change
    only with ``last_modified``. ``fields``: further header fields of an answer with the bytes. ``versions``: of
    the schedules in it.
    """

    validator: str
    media_type: str
    cache_control: str
    source: Packed | Callable[[], bytes] | tuple[Group, ...] | Tables
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


def constant(text: bytes) -> Fragment:
    """A text that is always the same."""
    return Fragment(validator_of("constant", text), partial(bytes, text))


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
        self._making: dict[str, Future[Mapping[str, _Packed]]] = {}

    async def find_or_make(
        self,
        validators: Sequence[str],
        make: Callable[[Sequence[str]], Coroutine[object, object, Sequence[_Packed]]],
    ) -> list[_Packed]:
        """``make`` gets the validators of those that are neither there nor in the making, if there are any. Made once
        for all that wait for it: one that gives up, even the first, does not cancel it for the others.
        """
        found = {validator: self.find(validator) for validator in validators}
        missing = [validator for validator, packed in found.items() if packed is None]
        if to_make := [validator for validator in missing if validator not in self._making]:
            begun: Future[Mapping[str, _Packed]] = ensure_future(_named(to_make, make))
            begun.add_done_callback(partial(self._keep, to_make))
            self._making |= dict.fromkeys(to_make, begun)
        awaited = {validator: self._making[validator] for validator in missing}
        for validator, making in awaited.items():
            found[validator] = (await shield(making))[validator]
        return [cast("_Packed", found[validator]) for validator in validators]

    def _keep(self, validators: Sequence[str], making: Future[Mapping[str, _Packed]]) -> None:
        for validator in validators:
            del self._making[validator]
        if not making.cancelled() and making.exception() is None:
            for validator, packed in making.result().items():
                self.put(validator, packed)

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


async def _named(
    validators: Sequence[str], make: Callable[[Sequence[str]], Coroutine[object, object, Sequence[_Packed]]]
) -> Mapping[str, _Packed]:
    return dict(zip(validators, await make(validators), strict=True))


def coding_for(wanted: Coding, size: int) -> Coding:
    """Small answers are not compressed."""
    return wanted if size >= _WORTH_PACKING else Coding.IDENTITY
