"""When operators are notified: once when a condition has lasted long enough, and once when it has been gone long
enough.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schedules_pipeline.health.condition import Condition, ConditionName, Findings, Severity
from schedules_pipeline.health.incidents import (
    Incident,
    IncidentRules,
    Notice,
    Phase,
    State,
    due_notices,
    follow,
    with_told,
)

_NOW = datetime(2026, 3, 28, 12, tzinfo=UTC)
_INTERVAL = timedelta(seconds=30)
_RULES = IncidentRules(timedelta(seconds=60), ["ear"])
_DEAD = Condition(ConditionName.DEAD_LETTERS, Severity.ERROR, "dead", "2 messages in dead")
_PATIENT = Condition(
    ConditionName.PUBLISHER_MISSING, Severity.ERROR, "the publisher", "nobody", patience=timedelta(seconds=20)
)
_UNDECIDED = Findings(undecided=frozenset({ConditionName.DEAD_LETTERS}))


class Alarms:
    """Follows the findings of a check every half minute, and tells one channel, as the watch does."""

    def __init__(self) -> None:
        self.incidents: dict[ConditionName, Incident] = {}
        self.notices: list[Notice] = []
        self.now = _NOW
        self.accepts = True

    def check(self, found: Findings) -> list[Phase]:
        """The notices that the check sends."""
        self.incidents = follow(self.incidents.values(), found, self.now, _RULES)
        told = []
        for name in self.incidents if self.accepts else ():
            for notice in due_notices(self.incidents[name], "ear", self.now):
                self.incidents[name] = with_told(self.incidents[name], "ear", notice)
                told.append(notice)
        self.notices += told
        self.now += _INTERVAL
        return [notice.phase for notice in told]


def _found(*conditions: Condition) -> Findings:
    return Findings(conditions)


_GONE = _found()
_THERE = _found(_DEAD)
_SEEN = _found(_PATIENT)


@pytest.mark.parametrize(
    ("checks", "told"),
    [
        pytest.param([_THERE], ["raised"], id="raised at once"),
        pytest.param([_THERE, _THERE, _THERE], ["raised", "", ""], id="raised once however long it lasts"),
        pytest.param(
            [_THERE, _GONE, _GONE], ["raised", "", ""], id="not over before it is gone for long enough"
        ),
        pytest.param([_THERE, _GONE, _GONE, _GONE], ["raised", "", "", "cleared"], id="over after a minute"),
        pytest.param([_THERE, _GONE, _GONE, _THERE, _GONE, _GONE], ["raised"] + [""] * 5, id="flaps"),
        pytest.param(
            [_THERE, *[_GONE] * 3, _THERE], ["raised", "", "", "cleared", "raised"], id="comes again"
        ),
        pytest.param([_THERE, *[_UNDECIDED] * 9], ["raised"] + [""] * 9, id="unknown is not over"),
        pytest.param([_THERE, _GONE, *[_UNDECIDED] * 2], ["raised"] + [""] * 3, id="unknown is not gone"),
        pytest.param([_SEEN], [""], id="suspected first"),
        pytest.param([_SEEN, _SEEN], ["", "raised"], id="raised when it has lasted"),
        pytest.param([_SEEN, _GONE, _SEEN, _GONE], [""] * 4, id="a suspicion ends untold"),
        pytest.param([_GONE], [""], id="nothing to tell"),
    ],
)
def test_each_check_sends_the_expected_notices(checks: Sequence[Findings], told: Sequence[str]) -> None:
    """An incident causes one notice when it is raised and one when it is over, and none in between."""
    alarms = Alarms()

    answers = [alarms.check(found) for found in checks]

    assert answers == [[phase] if phase else [] for phase in told]


def test_an_open_incident_has_the_latest_summary() -> None:
    """Its summary is updated without a notice, and its beginning stays."""
    alarms = Alarms()
    alarms.check(_THERE)

    alarms.check(_found(replace(_DEAD, summary="3 messages in dead")))

    (incident,) = alarms.incidents.values()
    assert (incident.summary, incident.since, incident.state) == ("3 messages in dead", _NOW, State.RAISED)


def test_a_check_without_news_changes_nothing() -> None:
    """An unchanged open incident and an incident that stays over are as they were."""
    alarms = Alarms()
    alarms.check(_THERE)
    raised = alarms.incidents

    again = follow(raised.values(), _THERE, alarms.now, _RULES)
    for _ in range(4):
        alarms.check(_GONE)
    over = follow(alarms.incidents.values(), _GONE, alarms.now, _RULES)

    assert again == raised
    assert over == alarms.incidents


def test_a_channel_that_was_away_gets_both_notices_in_order() -> None:
    """Also if the incident was over before the channel accepted anything."""
    alarms = Alarms()
    alarms.accepts = False
    for found in [_THERE, *[_GONE] * 4]:
        alarms.check(found)
    alarms.accepts = True

    assert alarms.check(_GONE) == [Phase.RAISED, Phase.CLEARED]
    assert alarms.check(_GONE) == []


def test_a_new_channel_hears_of_open_incidents_alone() -> None:
    """A channel that an operator adds is not told of all that was ever over."""
    alarms = Alarms()
    alarms.check(_THERE)

    opened = follow(alarms.incidents.values(), _THERE, alarms.now, IncidentRules(channels=["ear", "new"]))
    for _ in range(4):
        alarms.check(_GONE)
    over = follow(alarms.incidents.values(), _GONE, alarms.now, IncidentRules(channels=["ear", "new"]))

    name = ConditionName.DEAD_LETTERS
    assert [notice.phase for notice in due_notices(opened[name], "new", alarms.now)] == [Phase.RAISED]
    assert due_notices(over[name], "new", alarms.now) == []


def test_each_incident_has_its_own_notices() -> None:
    """Every notice has another id, and the all-clear says since when the alarm was raised."""
    alarms = Alarms()
    for found in [_THERE, *[_GONE] * 3] * 2:
        alarms.check(found)

    ids = [notice.id for notice in alarms.notices]

    assert len(set(ids)) == len(ids) == 4
    assert [notice.since for notice in alarms.notices[:2]] == [_NOW, _NOW]


_CONDITIONS = [
    Condition(name, Severity.ERROR, "a thing", "it is wrong", patience=timedelta(seconds=20 * (i % 3)))
    for i, name in enumerate(ConditionName)
]


@st.composite
def _findings(draw: st.DrawFn) -> Findings:
    conditions = draw(st.lists(st.sampled_from(_CONDITIONS[:6]), unique_by=lambda condition: condition.name))
    undecided = draw(st.frozensets(st.sampled_from(list(ConditionName)[:6])))
    return Findings(tuple(conditions), undecided)


@given(st.lists(_findings(), max_size=40))
def test_alarms_and_all_clears_alternate(checks: list[Findings]) -> None:
    """For any findings, each alarm is raised first, then cleared, then raised again, and so on."""
    alarms = Alarms()

    for found in checks:
        alarms.check(found)

    for name in ConditionName:
        phases = [notice.phase for notice in alarms.notices if notice.name is name]
        assert phases == [Phase.RAISED, Phase.CLEARED] * (len(phases) // 2) + [Phase.RAISED] * (
            len(phases) % 2
        )
    ids = [notice.id for notice in alarms.notices]
    assert len(set(ids)) == len(ids)


@given(st.lists(_findings(), max_size=20))
def test_every_incident_ends_without_conditions(checks: list[Findings]) -> None:
    """After some checks without conditions, no incident is open or suspected."""
    alarms = Alarms()
    for found in checks:
        alarms.check(found)

    for _ in range(4):
        alarms.check(_GONE)

    assert {incident.state for incident in alarms.incidents.values()} <= {State.OVER}


def test_an_alarm_that_grows_worse_is_sent_again() -> None:
    """Once for each step, under ids that differ; one that grows milder is not."""
    grades = [Severity.WARNING, Severity.ERROR, Severity.ERROR, Severity.CRITICAL, Severity.WARNING]
    alarms = Alarms()

    for severity in grades:
        alarms.check(_found(replace(_DEAD, severity=severity)))

    assert [notice.severity for notice in alarms.notices] == [
        *(Severity.WARNING, Severity.ERROR, Severity.CRITICAL)
    ]
    assert len({notice.id for notice in alarms.notices}) == 3
