"""How an accepted source document is kept in our own store: its slots, as they will be published.

By columns, a line each: when the source published it, the episode pids, the broadcast pids; then a line of
slot text for every broadcast. JSON text holds no raw line ends and pids no spaces, so reading a schedule
for a rebuild is splitting it; only who wants to look inside a broadcast decodes it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

import orjson

from schedules_pipeline.documents.partner_document import render_slot
from schedules_pipeline.domain.dependencies import EpisodeMention
from schedules_pipeline.domain.identifiers import Pid, ScheduleKey
from schedules_pipeline.domain.schedule import Broadcast, SourceSchedule
from schedules_pipeline.errors import InvalidRecord

_NO_EPISODE = "-"


@dataclass(frozen=True, slots=True)
class AcceptedSchedule:
    """An accepted source document with its slots rendered; columns of equal length, in order of start."""

    published_at: str
    episode_pids: Sequence[Pid | None]
    broadcast_pids: Sequence[Pid]
    slots: Sequence[bytes]

    def episodes(self) -> set[Pid]:
        return {pid for pid in self.episode_pids if pid is not None}

    def shown(self) -> list[EpisodeMention]:
        """Every mention of an episode."""
        return [
            EpisodeMention(episode, broadcast)
            for episode, broadcast in zip(self.episode_pids, self.broadcast_pids, strict=True)
            if episode is not None
        ]


def accept(schedule: SourceSchedule) -> AcceptedSchedule:
    return AcceptedSchedule(
        schedule.published_at.isoformat(),
        [broadcast.episode_pid for broadcast in schedule.broadcasts],
        [broadcast.broadcast_pid for broadcast in schedule.broadcasts],
        [render_slot(broadcast) for broadcast in schedule.broadcasts],
    )


def render_accepted(accepted: AcceptedSchedule) -> bytes:
    """The same schedule always gives the same bytes."""
    episodes = " ".join(pid or _NO_EPISODE for pid in accepted.episode_pids)
    broadcasts = " ".join(accepted.broadcast_pids)
    head = [accepted.published_at.encode(), episodes.encode(), broadcasts.encode()]
    return b"\n".join([*head, *accepted.slots])


def parse_accepted(content: bytes) -> AcceptedSchedule:
    """Read back what :func:`render_accepted` wrote; no pid is validated a second time.

    Raises :class:`InvalidRecord` where the columns do not go together.
    """
    try:
        published_at, episodes, broadcasts, *slots = content.split(b"\n")
        accepted = AcceptedSchedule(
            published_at.decode(),
            [None if pid == _NO_EPISODE else cast(Pid, pid) for pid in episodes.decode().split()],
            cast("list[Pid]", broadcasts.decode().split()),
            slots,
        )
    except ValueError as error:
        raise _not_ours(content) from error
    if not len(accepted.episode_pids) == len(accepted.broadcast_pids) == len(slots):
        raise _not_ours(content)
    return accepted


def read_source(key: ScheduleKey, accepted: AcceptedSchedule) -> SourceSchedule:
    """Decode the slots into the broadcasts that they were rendered from.

    Raises :class:`InvalidRecord` where a slot is none of ours.
    """
    try:
        return SourceSchedule(
            key,
            datetime.fromisoformat(accepted.published_at),
            tuple(_broadcast(orjson.loads(b"{" + slot + b"}")) for slot in accepted.slots),
        )
    except (ValueError, KeyError, TypeError) as error:
        raise InvalidRecord(f"accepted source of {key}: a slot is none of ours: {error!r:.200}") from error


def _not_ours(content: bytes) -> InvalidRecord:
    return InvalidRecord(f"accepted source: {content[:60]!r} … is none of ours")


def _broadcast(fields: dict[str, Any]) -> Broadcast:
    del fields["duration_seconds"]
    return Broadcast(
        **{
            **fields,
            "start": datetime.fromisoformat(fields["start"]),
            "end": datetime.fromisoformat(fields["end"]),
            "version_pid": fields["version_pid"] or None,
            "episode_pid": fields["episode_pid"] or None,
        }
    )
