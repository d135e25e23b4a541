"""Tells the terminal what happens: a line for each change that is sent, each version that is published, and each
alarm and all-clear.

A version's line says which change caused it, how long it took from notification to published, and whether it
says what the old system says. That last is known only after the old system's next refresh, so the line comes
then; or at once, where a newer version of the same schedule makes the question idle.
"""

from collections.abc import Callable, Mapping
from datetime import datetime

from schedules_pipeline.domain.changes import Change
from schedules_pipeline.domain.identifiers import ScheduleKey
from schedules_pipeline.domain.printable import printable, shorten
from schedules_pipeline.health.incidents import AlarmName, Incident
from schedules_pipeline.health.ports.incidents import IncidentStore
from schedules_pipeline.migration.ports.comparisons import Comparison, ComparisonStore, Verdict
from schedules_pipeline.publishing.ports.feed import ChangeFeed

Print = Callable[[str], None]

_SETTLED = (Verdict.MATCHES, Verdict.DIFFERS)
_AT_ONCE = 500


class Narrator:
    """Follows the change feed from now on. Call :meth:`catch_up` every second or so."""

    def __init__(
        self,
        feed: ChangeFeed,
        comparisons: ComparisonStore,
        alarms: IncidentStore,
        print_line: Print,
        clock: Callable[[], datetime],
    ) -> None:
        self._feed = feed
        self._comparisons = comparisons
        self._alarms = alarms
        self._print = print_line
        self._clock = clock
        self._open: set[AlarmName] = set()
        self._position = "0"
        self._compared_refresh = ""
        self._waiting: dict[ScheduleKey, Change] = {}

    def skip_to_now(self) -> None:
        """Leave out what has been published so far."""
        while entries := self._feed.read_after(self._position, _AT_ONCE):
            self._position = entries[-1].position

    @property
    def waiting(self) -> int:
        """How many published versions have not been compared yet."""
        return len(self._waiting)

    def catch_up(self) -> int:
        """Take in what is new, print what is settled; answers with the number of newly published versions."""
        entries = self._feed.read_after(self._position, _AT_ONCE)
        for entry in entries:
            self._position = entry.position
            self._take(entry.change)
        refresh = self._comparisons.compared_refresh()
        if refresh != self._compared_refresh:
            self._compared_refresh = refresh
            self._settle(self._comparisons.all())
        self._tell_alarms()
        return len(entries)

    def _tell_alarms(self) -> None:
        for incident in self._alarms.latest():
            if incident.is_open != (incident.name in self._open):
                self._open ^= {incident.name}
                self._print(printable(describe_alarm(incident, self._clock())))

    def _take(self, change: Change) -> None:
        overtaken = self._waiting.pop(change.key, None)
        if overtaken is not None:
            self._tell(overtaken, f"overtaken by seq {change.seq} before it was compared")
        if change.is_removal:
            self._tell(change, "removed")
        else:
            self._waiting[change.key] = change

    def _settle(self, comparisons: Mapping[ScheduleKey, Comparison]) -> None:
        for key, change in list(self._waiting.items()):
            comparison = comparisons.get(key)
            if comparison and comparison.seq == change.seq and comparison.verdict in _SETTLED:
                self._tell(change, describe_verdict(comparison))
                del self._waiting[key]

    def _tell(self, change: Change, outcome: str) -> None:
        """A line holds texts of the old system, which may say anything to a terminal."""
        self._print(printable(describe(change, outcome)))


def describe(change: Change, outcome: str) -> str:
    """One line for one published version."""
    cause = change.causes[0] if change.causes else None
    if cause is None:
        why = "cause unknown"
    else:
        more = f" and {change.cause_count - 1} more" if change.cause_count > 1 else ""
        seconds = (change.published_at - cause.notified_at).total_seconds()
        why = f"{seconds:6.2f} s after {cause.origin} {cause.subject}{more}"
    name = f"{change.key} seq {change.seq}"
    return f"{clock_time(change.published_at)}  published  {name:<44}  {why:<62}  {outcome}"


def describe_alarm(incident: Incident, now: datetime) -> str:
    """One line for an alarm that was raised, or is over, as it is told now: its condition came, or went, before."""
    word = "alarm" if incident.is_open else "all clear"
    return f"{clock_time(now)}  {word:<9}  {incident.name}: {incident.summary}"


def describe_verdict(comparison: Comparison) -> str:
    if comparison.verdict is Verdict.MATCHES:
        return "matches the old system"
    broadcast, field, ours, theirs = comparison.differences[0]
    return (
        f"DIFFERS from the old system in {comparison.difference_count} places, first "
        f"{shorten(broadcast, 40)} {shorten(field, 60)}: "
        f"{ours[:40]!r}, not {theirs[:40]!r}"
    )


def clock_time(instant: datetime) -> str:
    return f"{instant.astimezone():%H:%M:%S}"
