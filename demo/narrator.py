"""Prints a line for each published version, each alarm and each all-clear.

The line of a version names the change that caused it, the seconds from notification to publication, and the result of
the comparison with the old system. It is printed after the old system's next refresh, when that result is known; or at
once, if a newer version of the same schedule was published before the comparison.
"""

from collections.abc import Callable, Mapping
from datetime import datetime

from demo.console import clock_time
from schedules_pipeline.domain.changes import Change
from schedules_pipeline.domain.identifiers import ScheduleKey
from schedules_pipeline.domain.printable import printable, shorten
from schedules_pipeline.health.condition import ConditionName
from schedules_pipeline.health.incidents import Incident
from schedules_pipeline.health.ports import IncidentStore
from schedules_pipeline.migration.ports import Comparison, ComparisonStore, Verdict
from schedules_pipeline.publishing.ports.feed import ChangeFeed

Print = Callable[[str], None]

_COMPARED = (Verdict.MATCHES, Verdict.DIFFERS)
_AT_ONCE = 500


class Narrator:
    """Follows the change feed, the comparisons and the alarms. Call :meth:`catch_up` about once a second."""

    def __init__(
        self,
        feed: ChangeFeed,
        comparisons: ComparisonStore,
        incidents: IncidentStore,
        print_line: Print,
        clock: Callable[[], datetime],
    ) -> None:
        self._feed = feed
        self._comparisons = comparisons
        self._incidents = incidents
        self._print = print_line
        self._clock = clock
        self._open: set[ConditionName] = set()
        self._position = "0"
        self._compared_refresh = ""
        self._waiting: dict[ScheduleKey, Change] = {}

    def skip_to_now(self) -> None:
        """Skip every version that has been published so far."""
        while entries := self._feed.read_after(self._position, _AT_ONCE):
            self._position = entries[-1].position

    @property
    def waiting(self) -> int:
        """How many published versions have not been compared yet."""
        return len(self._waiting)

    def catch_up(self) -> int:
        """Read what is new and print the lines that are due. Returns the number of newly published versions."""
        entries = self._feed.read_after(self._position, _AT_ONCE)
        for entry in entries:
            self._position = entry.position
            self._add(entry.change)
        refresh = self._comparisons.compared_refresh()
        if refresh != self._compared_refresh:
            self._compared_refresh = refresh
            self._print_compared(self._comparisons.all())
        self._print_incidents()
        return len(entries)

    def _print_incidents(self) -> None:
        for incident in self._incidents.latest():
            if incident.is_open != (incident.name in self._open):
                self._open ^= {incident.name}
                self._print(printable(describe_alarm(incident, self._clock())))

    def _add(self, change: Change) -> None:
        overtaken = self._waiting.pop(change.key, None)
        if overtaken is not None:
            self._print_version(overtaken, f"overtaken by seq {change.seq} before it was compared")
        if change.is_removal:
            self._print_version(change, "removed")
        else:
            self._waiting[change.key] = change

    def _print_compared(self, comparisons: Mapping[ScheduleKey, Comparison]) -> None:
        for key, change in list(self._waiting.items()):
            comparison = comparisons.get(key)
            if comparison and comparison.seq == change.seq and comparison.verdict in _COMPARED:
                self._print_version(change, describe_verdict(comparison))
                del self._waiting[key]

    def _print_version(self, change: Change, outcome: str) -> None:
        # The line quotes the old system, whose texts may hold control characters.
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
    """One line for an alarm or an all-clear. ``now``: when the line is printed, after the condition changed."""
    word = "alarm" if incident.is_open else "all clear"
    return f"{clock_time(now)}  {word:<9}  {incident.name}: {incident.summary}"


def describe_verdict(comparison: Comparison) -> str:
    if comparison.verdict is Verdict.MATCHES:
        return "matches the old system"
    broadcast, field, published, legacy = comparison.differences[0]
    return (
        f"DIFFERS from the old system in {comparison.difference_count} places, first "
        f"{shorten(broadcast, 40)} {shorten(field, 60)}: "
        f"{published[:40]!r}, not {legacy[:40]!r}"
    )
