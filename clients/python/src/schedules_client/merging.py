"""Broadcasts of several schedules of one service, each once."""

from collections.abc import Iterable

from schedules_client.model import Broadcast, Schedule


def each_once(schedules: Iterable[Schedule]) -> list[Broadcast]:
    """The broadcasts in order of start. If several schedules list one, which happens for a moment while it moves to
    another day, and at the edges of radio's days, the schedule that was published last counts.
    """
    latest: dict[str, Broadcast] = {}
    for schedule in sorted(schedules, key=lambda each: (each.published_at, each.date)):
        latest |= {broadcast.broadcast_pid: broadcast for broadcast in schedule.broadcasts}
    return sorted(latest.values(), key=lambda broadcast: (broadcast.start, broadcast.broadcast_pid))
