"""What changed lately, by event."""

from datetime import timedelta

from builders import a_change
from delivery.guides import ALDER, BIRCH, NOON, key

from schedules_pipeline.delivery.guide.recent import MOST_EVENTS, MOST_OF_EVENT, panel_of, recent_changes
from schedules_pipeline.domain.causes import Cause, Origin
from schedules_pipeline.domain.changes import Change
from schedules_pipeline.domain.identifiers import Sid


def _change(sid: Sid, event: str, seq: int = 1) -> Change:
    cause = Cause(event, Origin.CATALOGUE, "b0000001", NOON, ("title",))
    return a_change(key(sid), seq, causes=(cause,), cause_count=1)


def test_the_schedules_of_one_event_are_listed_together() -> None:
    """In the order of the newest of each; every schedule of it is named or counted."""
    changes = [_change(ALDER, "two", 3), _change(BIRCH, "one"), _change(BIRCH, "two"), _change(ALDER, "one")]

    panel = panel_of(changes, shows_causes=True)

    assert [[change.key.sid for change in event.changes] for event in panel.events] == [
        [ALDER, BIRCH],
        [BIRCH, ALDER],
    ]
    assert [event.other_count for event in panel.events] == [1, 1]


def test_changes_without_a_known_cause_stand_alone() -> None:
    """Nothing says that they belong together."""
    panel = panel_of([a_change(key(ALDER)), a_change(key(BIRCH))], shows_causes=False)

    assert len(panel.events) == 2


def test_the_list_is_bounded() -> None:
    """What is left out is counted: schedules of an event, and events."""
    many = [_change(Sid(f"alder_{n}"), "one") for n in range(MOST_OF_EVENT + 3)]
    others = [_change(ALDER, f"event-{n}", n) for n in range(MOST_EVENTS + 4)]

    panel = panel_of([*many, *others], shows_causes=True)

    assert (len(panel.events), panel.left_out) == (MOST_EVENTS, 5)
    assert (len(panel.events[0].changes), panel.events[0].left_out) == (MOST_OF_EVENT, 3)
    assert panel.events[0].other_count == MOST_OF_EVENT + 2


def test_only_the_last_hour_counts() -> None:
    """The list ends before the first change that is older."""
    ages = (1, 59, 61, 2)
    changes = [a_change(seq=age, published_at=NOON - timedelta(minutes=age)) for age in ages]

    assert [change.seq for change in recent_changes(changes, NOON)] == [1, 59]
