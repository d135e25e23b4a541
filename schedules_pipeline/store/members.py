"""The text of a back-reference: ``sid/date/broadcast_pid`` for an episode, ``sid/date`` for its ancestors."""

from typing import cast

from schedules_pipeline.domain.dependencies import Entry, Reference
from schedules_pipeline.domain.identifiers import Pid, ScheduleKey


def render_member(key: ScheduleKey, entry: Entry) -> str:
    return str(key) if entry.broadcast_pid is None else f"{key}/{entry.broadcast_pid}"


def parse_member(member: str) -> Reference:
    sid, day, *broadcast = member.split("/")
    return Reference(ScheduleKey.parse(f"{sid}/{day}"), cast("Pid", broadcast[0]) if broadcast else None)
