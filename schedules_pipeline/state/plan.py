"""Plans an import: what a document would add to a keyspace, and what differs there. Pure.

Operators decide about partners, subscriptions, the switch and held schedules, so a difference may be a newer decision:
the operator has to say which side wins. Everything else has a rule: the missing part is added.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from schedules_pipeline.partners.ports import UsageLine
from schedules_pipeline.state.document import SavedSchedule, StateDocument


class Part(StrEnum):
    """The parts of a document, in the order in which they are restored.

    The switch comes early, because without it delivery answers that partners are not switched. Partners come before
    subscriptions, because the pusher quarantines a subscription whose partner is missing. Copies and losses come before
    the schedules that are judged with them.
    """

    PARTNERS = "partners"
    SWITCH = "switch"
    SUBSCRIPTIONS = "subscriptions"
    EXPECTATIONS = "expected ranges"
    LOSSES = "losses let through"
    COPIES = "catalogue copies"
    SCHEDULES = "schedules"
    USAGE = "days of usage"
    PARITY_TREND = "parity reports"


class Status(StrEnum):
    """``NEW``: the keyspace lacks it, or a part of it. ``DIFFERS``: the keyspace has another value."""

    NEW = "new"
    SAME = "same"
    DIFFERS = "differs"


Plan = Mapping[Part, Mapping[str, Status]]
"""The status of each item by its name, for each part."""


@dataclass(frozen=True, slots=True)
class Summary:
    """The names of the items of one part, by status."""

    part: Part
    new: tuple[str, ...]
    same: tuple[str, ...]
    differing: tuple[str, ...]


def summarise(plan: Plan) -> list[Summary]:
    """One for each part that the document has."""
    return [
        Summary(part, *(_named(items, status) for status in Status)) for part, items in plan.items() if items
    ]


def _named(items: Mapping[str, Status], wanted: Status) -> tuple[str, ...]:
    return tuple(name for name, status in items.items() if status is wanted)


def plan_import(wanted: StateDocument, found: StateDocument) -> Plan:
    """``found``: what :func:`gather_state` finds in the keyspace, with the schedules of ``wanted``."""
    partners = {partner.name: partner for partner in found.partners}
    subscriptions = {each.subscription.name: each.subscription for each in found.subscriptions}
    compared = {
        Part.PARTNERS: ((p.name, _compare(p, partners.get(p.name))) for p in wanted.partners),
        Part.SWITCH: _compare_switch(wanted, found),
        Part.SUBSCRIPTIONS: (
            (name, _compare(each.subscription, subscriptions.get(name)))
            for each in wanted.subscriptions
            for name in [each.subscription.name]
        ),
        Part.EXPECTATIONS: _compare_expectations(wanted, found),
        Part.LOSSES: ((str(key), _missing(key not in found.losses)) for key in wanted.losses),
        Part.COPIES: ((pid, _missing(pid not in found.copies)) for pid in wanted.copies),
        Part.SCHEDULES: (
            (str(key), _compare_schedule(saved, found.schedules[key]))
            for key, saved in wanted.schedules.items()
        ),
        Part.USAGE: ((str(day), _missing(bool(missing_usage(wanted, found, day)))) for day in wanted.usage),
        Part.PARITY_TREND: _compare_trend(wanted, found),
    }
    return {part: dict(items) for part, items in compared.items()}


def missing_usage(wanted: StateDocument, found: StateDocument, day: date) -> dict[UsageLine, int]:
    """What to add so that each count is the greater of the two."""
    known = dict(found.usage.get(day, ()))
    return {
        line: count - known.get(line, 0) for line, count in wanted.usage[day] if count > known.get(line, 0)
    }


def _missing(is_missing: bool) -> Status:  # noqa: FBT001 - the value that it names
    return Status.NEW if is_missing else Status.SAME


def _compare(wanted: object, found: object | None) -> Status:
    if found is None:
        return Status.NEW
    return Status.SAME if found == wanted else Status.DIFFERS


def _compare_switch(wanted: StateDocument, found: StateDocument) -> Iterator[tuple[str, Status]]:
    if wanted.switches:
        latest = found.switches[0] if found.switches else None
        yield (
            f"{wanted.switches[0].source}, number {wanted.switches[0].number}",
            _compare(wanted.switches[0], latest),
        )


def _compare_expectations(wanted: StateDocument, found: StateDocument) -> Iterable[tuple[str, Status]]:
    """The side that has observed more days wins: a new keyspace has observed a few."""
    known = {sid: len(expectation.observed) for sid, expectation in found.expectations.items()}
    return ((sid, _missing(len(e.observed) > known.get(sid, -1))) for sid, e in wanted.expectations.items())


def _compare_trend(wanted: StateDocument, found: StateDocument) -> Iterable[tuple[str, Status]]:
    """Only reports that are later than all known ones can be added to the trend."""
    latest = found.parity_trend[-1].at if found.parity_trend else None
    return ((str(p.at), _missing(latest is None or p.at > latest)) for p in wanted.parity_trend)


def _compare_schedule(wanted: SavedSchedule, found: SavedSchedule) -> Status:
    """A keyspace without this schedule takes it; one that has built it has accepted another source, or the same."""
    was_built = found.accepted is not None or found.covered is not None
    if was_built and found.accepted != wanted.accepted:
        return Status.DIFFERS
    if _contradict(_hold_id(wanted), _hold_id(found)) or _contradict(wanted.decision, found.decision):
        return Status.DIFFERS
    is_whole = was_built == (wanted.accepted is not None)
    is_whole &= not wanted.hold or found.hold is not None
    is_whole &= not wanted.decision or found.decision is not None
    return Status.SAME if is_whole else Status.NEW


def _hold_id(saved: SavedSchedule) -> str | None:
    return saved.hold.id if saved.hold else None


def _contradict(wanted: object | None, found: object | None) -> bool:
    return wanted is not None and found is not None and wanted != found
