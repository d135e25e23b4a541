"""The fake change feed."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from fakes.conditions import Conditions, Fake, FakeClock, answered, step
from schedules_pipeline.documents.change_row import parse_row
from schedules_pipeline.domain.changes import Change
from schedules_pipeline.domain.identifiers import ScheduleKey
from schedules_pipeline.publishing.ports import feed as bounds
from schedules_pipeline.publishing.ports.feed import FeedEntry

TAKEN_OVER_AFTER = timedelta(seconds=60)


class FakeChangeFeed(Fake):
    """Implements :class:`ChangeFeed`; positions are whole numbers from 1."""

    def __init__(self, conditions: Conditions, clock: FakeClock) -> None:
        super().__init__(conditions)
        self.rows: list[bytes] = []
        self._clock = clock
        self._heads: dict[ScheduleKey, tuple[int, bytes]] = {}
        self._taken_at: dict[int, datetime] = {}
        self._recorded: set[int] = set()
        self._appended_at: list[datetime] = []
        self._first = self._next = 1

    @answered
    @step
    def append(self, rows: Sequence[tuple[ScheduleKey, int, bytes]]) -> None:
        for key, seq, row in rows:
            if seq > self._heads.get(key, (0, b""))[0]:
                self.rows.append(row)
                self._appended_at.append(self._clock())
                self._heads[key] = seq, row
        self._drop(len(self.rows) + 1 - self._first - bounds.MOST_ROWS)

    @answered
    @step
    def count_schedules(self) -> int:
        return len(self._heads)

    @answered
    @step
    def heads(self) -> dict[ScheduleKey, Change]:
        return {key: parse_row(row) for key, (_, row) in self._heads.items()}

    @answered
    @step
    def heads_of(self, keys: Sequence[ScheduleKey]) -> dict[ScheduleKey, Change]:
        return {key: parse_row(self._heads[key][1]) for key in keys if key in self._heads}

    @answered
    @step
    def forget_removals(self, seqs: Mapping[ScheduleKey, int]) -> None:
        for key, seq in seqs.items():
            if key in self._heads and self._heads[key][0] == seq and self._change(key).is_removal:
                del self._heads[key]

    @answered
    @step
    def trim(self, before: datetime) -> int:
        kept = [number for number in self._numbers(1) if self._appended_at[number - 1] >= before]
        gone = min(kept, default=len(self.rows) + 1) - self._first
        self._drop(gone)
        return gone

    @answered
    @step
    def read_after(self, position: str, limit: int) -> list[FeedEntry]:
        after = int(position)
        return [self._entry(number) for number in self._numbers(after + 1)[:limit]]

    def wait_after(self, position: str, limit: int, seconds: float) -> list[FeedEntry]:
        return self.read_after(position, limit)

    @answered
    @step
    def last_position(self) -> str:
        return str(len(self.rows))

    @answered
    @step
    def complete_after(self) -> str:
        return str(self._first - 1)

    @answered
    @step
    def position_before(self, at: datetime) -> str:
        return str(sum(parse_row(row).published_at < at for row in self.rows))

    @answered
    @step
    def take_unrecorded(self, consumer: str, limit: int) -> list[FeedEntry]:
        now = self._clock()
        left_behind = [n for n, at in sorted(self._taken_at.items()) if now - at >= TAKEN_OVER_AFTER]
        taken = (left_behind or self._numbers(self._next))[:limit]
        self._taken_at.update(dict.fromkeys(taken, now))
        self._next = max([self._next, *(number + 1 for number in taken)])
        return [self._entry(number) for number in taken]

    @answered
    @step
    def return_unrecorded(self, consumer: str) -> None:
        """The fake does not know who took a row, so all are returned."""
        self._taken_at = dict.fromkeys(self._taken_at, self._clock() - TAKEN_OVER_AFTER)

    @answered
    @step
    def confirm_recorded(self, positions: Sequence[str]) -> None:
        for position in positions:
            if self._taken_at.pop(int(position), None) is not None:
                self._recorded.add(int(position))

    @answered
    @step
    def unrecorded(self) -> int:
        return len(self.rows) - len(self._recorded)

    @answered
    @step
    def unrecorded_since(self) -> datetime | None:
        waiting = [number for number in self._numbers(self._first) if number not in self._recorded]
        return self._appended_at[waiting[0] - 1] if waiting else None

    def _drop(self, count: int) -> None:
        """Delete the oldest rows."""
        gone = range(self._first, self._first + max(0, count))
        self._first += len(gone)
        self._next = max(self._next, self._first)
        for number in gone:
            self._taken_at.pop(number, None)
            self._recorded.add(number)

    def _numbers(self, first: int) -> list[int]:
        return list(range(max(first, self._first), len(self.rows) + 1))

    def _change(self, key: ScheduleKey) -> Change:
        return parse_row(self._heads[key][1])

    def _entry(self, number: int) -> FeedEntry:
        return FeedEntry(str(number), parse_row(self.rows[number - 1]))
