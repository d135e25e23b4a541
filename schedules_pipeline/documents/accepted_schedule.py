"""How an accepted source document is kept in the store: a header, then its slots as they will be published.

The header is one line of JSON with the pids by column; each slot is one line. JSON text holds no raw line ends, so
reading a schedule for a rebuild is splitting it. Release 0.1.0 wrote three lines of columns instead of the header.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import cast

from schedules_pipeline.documents.broadcasts import SLOT_FIELDS, parse_slot, render_slot
from schedules_pipeline.documents.record import Record
from schedules_pipeline.documents.stored_form import REMEMBERED
from schedules_pipeline.documents.validation import explain
from schedules_pipeline.domain.dependencies import EpisodeMention
from schedules_pipeline.domain.identifiers import Pid, ScheduleKey
from schedules_pipeline.domain.schedule import QuarantinedBroadcast, SourceSchedule
from schedules_pipeline.errors import InvalidRecord

_SLOT_FIELDS_OF_0_1_0 = 10
_NO_EPISODE = "-"


@dataclass(frozen=True, slots=True)
class AcceptedSchedule:
    """An accepted source document with its slots rendered; columns of equal length, in order of start.

    ``quarantined``, ``mended``: what was unusable in the document, and what was put right.
    """

    published_at: str
    episode_pids: Sequence[Pid | None]
    broadcast_pids: Sequence[Pid]
    slots: Sequence[bytes]
    slot_fields: int = SLOT_FIELDS
    quarantined: tuple[QuarantinedBroadcast, ...] = ()
    mended: tuple[str, ...] = ()

    @property
    def is_outdated(self) -> bool:
        """Whether older code rendered the slots, with fewer fields than they have now."""
        return self.slot_fields < SLOT_FIELDS

    def episodes(self) -> set[Pid]:
        return {pid for pid in self.episode_pids if pid is not None}

    def shown(self) -> list[EpisodeMention]:
        """Every mention of an episode."""
        return [
            EpisodeMention(episode, broadcast)
            for episode, broadcast in zip(self.episode_pids, self.broadcast_pids, strict=True)
            if episode is not None
        ]


@dataclass(frozen=True, slots=True)
class NoSource:
    """The schedule has no accepted source document, so partners do not see it."""

    slots: tuple[()] = ()
    is_outdated = False
    quarantined = ()
    mended = ()

    def episodes(self) -> set[Pid]:
        return set()

    def shown(self) -> list[EpisodeMention]:
        return []


class UndecodableSource(NoSource):
    """The stored source cannot be decoded, and only another document from the bucket can replace it."""


@dataclass(frozen=True, slots=True)
class _Header:
    """Pids are not validated a second time, so they are texts here."""

    published_at: str
    slot_fields: int
    episode_pids: tuple[str | None, ...]
    broadcast_pids: tuple[str, ...]
    quarantined: tuple[QuarantinedBroadcast, ...] = ()
    mended: tuple[str, ...] = ()


_HEADER = Record(_Header, "accepted source", omits_defaults=True)


def accept(
    schedule: SourceSchedule,
    quarantined: tuple[QuarantinedBroadcast, ...] = (),
    mended: tuple[str, ...] = (),
) -> AcceptedSchedule:
    return AcceptedSchedule(
        schedule.published_at.isoformat(),
        tuple([slot.episode_pid for slot in schedule.slots]),
        tuple([slot.broadcast_pid for slot in schedule.slots]),
        [render_slot(slot) for slot in schedule.slots],
        quarantined=quarantined,
        mended=mended,
    )


def render_accepted(accepted: AcceptedSchedule) -> bytes:
    """The same schedule always gives the same bytes."""
    header = _Header(
        accepted.published_at,
        accepted.slot_fields,
        tuple(accepted.episode_pids),
        tuple(accepted.broadcast_pids),
        accepted.quarantined,
        accepted.mended,
    )
    return b"\n".join([_HEADER.render(header), *accepted.slots])


@lru_cache(maxsize=REMEMBERED)
def parse_accepted(content: bytes) -> AcceptedSchedule:
    """Read back what :func:`render_accepted` of this or an older release wrote. Remembered: a change of the catalogue
    rebuilds a schedule from the source that it had.

    Raises :class:`InvalidRecord` if it cannot be decoded, or if the columns differ in length.
    """
    first, *rest = content.split(b"\n")
    header, slots = (_HEADER.parse(first), rest) if first.startswith(b"{") else _of_0_1_0(content)
    if not len(header.episode_pids) == len(header.broadcast_pids) == len(slots):
        raise _undecodable(content)
    return AcceptedSchedule(
        header.published_at,
        cast("tuple[Pid | None, ...]", header.episode_pids),
        cast("tuple[Pid, ...]", header.broadcast_pids),
        slots,
        header.slot_fields,
        header.quarantined,
        header.mended,
    )


def parse_if_accepted(content: bytes | None) -> AcceptedSchedule | NoSource:
    """The accepted source, or :class:`NoSource` if it is absent or cannot be decoded."""
    try:
        return NoSource() if content is None else parse_accepted(content)
    except InvalidRecord:
        return NoSource()


def if_decodable(key: ScheduleKey, source: AcceptedSchedule | NoSource) -> AcceptedSchedule | NoSource:
    """The source, or :class:`UndecodableSource` if one of its slots cannot be decoded."""
    if isinstance(source, AcceptedSchedule):
        try:
            read_source(key, source)
        except InvalidRecord:
            return UndecodableSource()
    return source


def read_source(key: ScheduleKey, accepted: AcceptedSchedule) -> SourceSchedule:
    """Decode the slots. Raises :class:`InvalidRecord` if one cannot be decoded."""
    try:
        return SourceSchedule(
            key,
            datetime.fromisoformat(accepted.published_at),
            tuple([parse_slot(slot) for slot in accepted.slots]),
        )
    except ValueError as error:
        raise InvalidRecord(f"accepted source of {key}: a slot cannot be decoded: {explain(error)}") from None


def _of_0_1_0(content: bytes) -> tuple[_Header, list[bytes]]:
    try:
        published_at, episodes, broadcasts, *slots = content.split(b"\n")
        episode_pids = tuple([None if pid == _NO_EPISODE else pid for pid in episodes.decode().split()])
        broadcast_pids = tuple(broadcasts.decode().split())
        return _Header(published_at.decode(), _SLOT_FIELDS_OF_0_1_0, episode_pids, broadcast_pids), slots
    except ValueError:
        raise _undecodable(content) from None


def _undecodable(content: bytes) -> InvalidRecord:
    return InvalidRecord(f"accepted source: {content[:60]!r} … cannot be decoded")
