"""What one schedule depends on, as entries of the back-reference index.

An entry says "this pid is read by that schedule". For an episode it also says by which broadcast, so
the one index answers both of its questions: which schedules to rebuild, and where an episode is shown.
"""

from collections.abc import Callable, Iterable
from itertools import chain
from typing import NamedTuple

from schedules_pipeline.domain.identifiers import Pid, ScheduleKey


class Entry(NamedTuple):
    """One back-reference: ``pid`` is read by a schedule, as the episode of ``broadcast_pid`` or, if
    that is None, as an ancestor of an episode.
    """

    pid: Pid
    broadcast_pid: Pid | None = None


class Reference(NamedTuple):
    """The other end of an entry: the schedule, and the broadcast where the pid is an episode's."""

    key: ScheduleKey
    broadcast_pid: Pid | None = None


class EpisodeMention(NamedTuple):
    """One broadcast's mention of an episode."""

    episode_pid: Pid
    broadcast_pid: Pid


Dependencies = frozenset[Entry]


def find_ancestors(episodes: Iterable[Pid], above: Callable[[Pid], Iterable[Pid]]) -> frozenset[Pid]:
    """Every pid above these episodes, including those that the catalogue lacks.

    ``above`` gives all pids that resolving an episode looked up but the episode's own.
    """
    return frozenset(chain.from_iterable(map(above, episodes)))


def dependencies(shown: Iterable[EpisodeMention], ancestors: Iterable[Pid]) -> Dependencies:
    """All entries that a schedule needs: one a mention, one an ancestor."""
    return frozenset({Entry(*mention) for mention in shown} | {Entry(pid) for pid in ancestors})
