"""The changed schedules that a receiver does not have yet, each once, in the order of their oldest missing change."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

from schedules_pipeline.domain.changes import Change
from schedules_pipeline.domain.identifiers import ScheduleKey, Sid
from schedules_pipeline.publishing.ports.feed import FeedEntry, place


@dataclass(frozen=True, slots=True)
class _Missing:
    """``before``: the position of the row before the oldest change that the receiver lacks. ``newest``: as read."""

    before: str
    newest: Change


class Backlog:
    """Rows of the feed go in, changes to send come out; both are kept until the receiver has accepted them.

    A schedule is sent by one request at a time. If it changes meanwhile, it waits behind the schedules that already
    wait. ``accepted``: the number of the version that the receiver has, for schedules of which that is known.
    """

    def __init__(self, position: str, accepted: Iterable[tuple[ScheduleKey, int]] = ()) -> None:
        self.read_to = position
        self._waiting: dict[ScheduleKey, _Missing] = {}
        self._under_way: dict[ScheduleKey, _Missing] = {}
        self._accepted = dict(accepted)

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, rows: Sequence[FeedEntry], may_see: Callable[[Sid], bool]) -> None:
        """The next rows after :attr:`read_to`."""
        for entry in rows:
            change, before = entry.change, self.read_to
            self.read_to = entry.position
            if not may_see(change.key.sid) or change.seq <= self._accepted.get(change.key, -1):
                continue
            known = self._waiting.get(change.key)
            self._waiting[change.key] = _Missing(known.before if known else before, change)

    def take(
        self, limit: int, heads: Callable[[Sequence[ScheduleKey]], Mapping[ScheduleKey, Change]]
    ) -> list[Change]:
        """The newest change of each of the next schedules, which are under way from now on.

        ``heads`` is asked because newer rows may not have been read yet: after a death of the process, a receiver must
        get no older version than before it.
        """
        keys = list(islice((key for key in self._waiting if key not in self._under_way), limit))
        newest = heads(keys) if keys else {}
        taken = []
        for key in keys:
            missing = self._under_way[key] = self._waiting.pop(key)
            head = newest.get(key, missing.newest)
            taken.append(head if head.seq > missing.newest.seq else missing.newest)
        return taken

    def accept(self, changes: Sequence[Change]) -> None:
        """The receiver has these, and no request is under way for their schedules any more."""
        for change in changes:
            del self._under_way[change.key]
            self._accepted.pop(change.key, None)
            self._accepted[change.key] = change.seq
            waiting = self._waiting.get(change.key)
            if waiting is not None and waiting.newest.seq <= change.seq:
                del self._waiting[change.key]

    def position(self, without: Sequence[Change] = ()) -> str:
        """The receiver has every change up to here, or a newer version; as if it had accepted ``without`` too."""
        accepted = {change.key for change in without}
        missing = [each.before for key, each in self._under_way.items() if key not in accepted]
        missing += [each.before for each in islice(self._waiting.values(), 1)]
        return min(missing, key=place, default=self.read_to)

    def accepted_beyond(self, limit: int) -> tuple[tuple[ScheduleKey, int], ...]:
        """Versions that the receiver has and that rows after :meth:`position` may tell of, at most the latest."""
        return tuple(self._accepted.items())[-limit:]
