"""What a collection deletes and keeps, and the effect of a crash half way."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import date, timedelta
from random import Random

import orjson
import pytest
from fakes import FakeClock, FakeStore, FakeUpstreams, fake_store, fake_upstreams, pipeline_over
from toy_world import BROADCASTS, EPISODES, SERIES, ItemPut, SchedulePut, Slot

from schedules_pipeline.composition import Pipeline
from schedules_pipeline.domain.causes import Cause, Origin
from schedules_pipeline.domain.dependencies import Entry
from schedules_pipeline.domain.identifiers import Pid, ScheduleKey, Sid
from schedules_pipeline.domain.retention import RetentionHorizon
from schedules_pipeline.errors import ServiceError
from schedules_pipeline.maintenance.ports import PassName
from schedules_pipeline.migration.ports import Comparison, Verdict
from schedules_pipeline.publishing.ports.rejections import Rejection

_KEY, _OTHER = (ScheduleKey(Sid(sid), date(2026, 3, 28)) for sid in ("alder", "birch"))
_EPISODE, _SECOND, _SERIES = EPISODES[0], EPISODES[1], SERIES[0]
_A_DAY = timedelta(days=1)


class Stage:
    """Schedules are kept for 10 days. The tests begin at noon of 28 March."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.store: FakeStore = fake_store(self.clock)
        self.upstreams: FakeUpstreams = fake_upstreams(self.clock, Random(0))
        self.pipeline: Pipeline = pipeline_over(
            self.store.as_store(), self.upstreams, self.clock, RetentionHorizon(10)
        )

    def put(self, key: ScheduleKey, *episodes: Pid) -> None:
        slots = [Slot(BROADCASTS[i], episode) for i, episode in enumerate(episodes)]
        SchedulePut(key, (*slots, Slot(BROADCASTS[4], None), Slot(BROADCASTS[5], None))).write(self.upstreams)
        self.rebuild(key)

    def put_item(self, pid: Pid, title: str, parent: Pid | None = None) -> None:
        ItemPut(pid, title, parent).write(self.upstreams)

    def rebuild(self, *keys: ScheduleKey) -> None:
        cause = Cause("e", Origin.OPERATOR, "test", self.clock())
        self.pipeline.publisher.rebuild_from_sources(keys, cause)

    def collect(self) -> dict[str, int]:
        """The counts of a collection that are not 0."""
        counts = self.pipeline.collector.collect().counts
        return {name: count for name, count in counts.items() if count and name != "schedules held"}

    def reject(self, subject: str) -> None:
        self.store.rejections.keep({subject: Rejection("odd", self.clock(), "", "", "")})

    def quarantine(self, key: ScheduleKey) -> None:
        self.store.quarantined_broadcasts.keep({key: "1 broadcast"})

    def expire(self) -> None:
        """Let the horizon pass, and publish the removal."""
        self.clock.advance(11 * _A_DAY)
        self.collect()
        self.pipeline.publisher.publish_all()


@pytest.fixture
def stage() -> Stage:
    return Stage()


def test_records_in_use_are_kept(stage: Stage) -> None:
    """Copies that a schedule shows, their ancestors, and records of missing items are kept."""
    stage.put_item(_EPISODE, "Harbour Lights", _SERIES)
    stage.put(_KEY, _EPISODE, _SECOND)

    assert stage.collect() == {}
    assert stage.store.copies.copies.keys() == {_EPISODE}
    assert stage.store.copies.tokens[_SERIES].is_absence_recorded


def test_copies_without_dependants_are_deleted(stage: Stage) -> None:
    """An episode that is no longer shown is deleted, with its series and the record of a missing item."""
    stage.put_item(_EPISODE, "Harbour Lights", _SERIES)
    stage.put_item(_SERIES, "Salt and Slate")
    stage.put(_KEY, _EPISODE, _SECOND)
    stage.put(_KEY)

    assert stage.collect() == {"catalogue copies": 2, "notes of missing items": 1}
    assert stage.store.copies.copies == {}


def test_a_damaged_source_keeps_its_entries_and_ends_nothing(stage: Stage) -> None:
    """What partners see of that schedule may depend on each entry of it; the others are collected as usual."""
    stage.put_item(_EPISODE, "Harbour Lights")
    stage.put_item(_SECOND, "The Lock")
    stage.put(_KEY, _EPISODE)
    stage.put(_OTHER, _SECOND)
    stage.put(_OTHER)
    kept = stage.store.schedules.kept[_KEY]
    kept.state = replace(kept.state, accepted=b"damaged")

    assert stage.collect() == {"catalogue copies": 1}
    assert stage.store.references.has_dependants(_EPISODE)


def test_entries_without_a_commit_are_deleted(stage: Stage) -> None:
    """Entries of a build that died are deleted; entries of a build that may still commit are kept."""
    stage.put_item(_EPISODE, "Harbour Lights")
    stage.put(_KEY, _EPISODE)
    token = stage.store.schedules.kept[_KEY].state.committed_token
    stage.store.references.register({_KEY: [Entry(_SERIES)], _OTHER: [Entry(_SERIES)]}, token)
    stage.store.references.register({_KEY: [Entry(_SECOND)]}, token + 1)

    assert stage.collect() == {"index entries": 1}
    assert [r.key for r in stage.store.references.references([_SERIES])[_SERIES]] == [_OTHER]
    assert stage.store.references.has_dependants(_SECOND)


def test_a_schedule_past_the_horizon_is_removed_like_any_other(stage: Stage) -> None:
    """Its removal is published, its dependencies are deleted, and its source cannot bring it back."""
    stage.put_item(_EPISODE, "Harbour Lights")
    stage.put(_KEY, _EPISODE)
    stage.clock.advance(11 * _A_DAY)

    assert stage.collect() == {"schedules expired": 1, "feed rows": 1}
    stage.pipeline.publisher.publish_all()
    stage.rebuild(_KEY)

    assert stage.store.schedules.documents([_KEY]) == {}
    head = stage.store.feed.heads()[_KEY]
    assert head.is_removal
    assert head.causes[0].origin is Origin.RETENTION
    assert not stage.store.references.has_dependants(_EPISODE)


def test_a_schedule_within_the_horizon_stays(stage: Stage) -> None:
    """It is kept up to the last day, and so is the record of its removal."""
    stage.put(_KEY)
    stage.put(_OTHER)
    stage.upstreams.schedule_source.remove(_OTHER)
    stage.rebuild(_OTHER)
    stage.clock.advance(10 * _A_DAY)

    counts = stage.collect()

    assert counts.keys() == {"feed rows"}
    assert stage.store.schedules.kept.keys() == {_KEY, _OTHER}


def test_a_removal_is_remembered_as_long_as_the_feed(stage: Stage) -> None:
    """A client may be behind that long. Afterwards no record of the schedule remains."""
    stage.put(_KEY)
    stage.reject(str(_KEY))
    stage.expire()
    stage.clock.advance(7 * _A_DAY)
    too_early = stage.collect()
    stage.clock.advance(_A_DAY)

    assert "schedules forgotten" not in too_early
    assert stage.collect()["schedules forgotten"] == 1
    assert stage.store.schedules.kept == {}
    assert stage.store.feed.heads() == {}
    assert stage.store.rejections.all() == {}


def test_a_death_in_the_middle_of_forgetting_leaves_nothing_behind(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The state is deleted last, because the other records are found through it."""
    stage.put(_KEY)
    stage.expire()
    stage.reject(str(_KEY))
    stage.quarantine(_KEY)
    stage.clock.advance(8 * _A_DAY)
    forget = stage.store.schedules.forget

    def forget_and_die(tokens: Mapping[ScheduleKey, int]) -> set[ScheduleKey]:
        forget(tokens)
        raise ServiceError("killed")

    monkeypatch.setattr(stage.store.schedules, "forget", forget_and_die)
    with pytest.raises(ServiceError):
        stage.collect()
    monkeypatch.undo()
    stage.collect()

    assert stage.store.schedules.kept == {}
    assert stage.store.rejections.all() == {}
    assert stage.store.quarantined_broadcasts.all() == {}


def test_records_of_schedules_that_nothing_else_knows_are_forgotten(stage: Stage) -> None:
    """No build would ever end them. A schedule that was announced and is not built yet keeps its own."""
    stage.store.schedules.count_source_change([_OTHER])
    for key in (_KEY, _OTHER):
        stage.reject(str(key))
        stage.quarantine(key)

    assert stage.collect() == {"stray records": 1}
    assert stage.store.rejections.all().keys() == {str(_OTHER)}
    assert stage.store.quarantined_broadcasts.all().keys() == {_OTHER}


def test_a_schedule_that_was_never_published_is_forgotten_at_once(stage: Stage) -> None:
    """A notification of an old document leaves a state behind that no partner has to be told of."""
    stage.clock.advance(11 * _A_DAY)
    stage.put(_KEY)

    assert stage.collect() == {"schedules forgotten": 1}


def test_a_schedule_that_is_about_to_be_built_is_left_alone(stage: Stage) -> None:
    """A later collection sees the result of the build."""
    stage.put(_KEY)
    stage.clock.advance(11 * _A_DAY)
    cause = Cause("e", Origin.OPERATOR, "test", stage.clock())
    stage.store.work.claim_exactly([_KEY], cause, stage.clock(), _A_DAY)

    assert "schedules expired" not in stage.collect()


def test_a_forgotten_schedule_that_returns_begins_anew(stage: Stage) -> None:
    """Its first version is number 1 again, and the feed accepts it."""
    stage.put(_KEY)
    stage.expire()
    stage.clock.advance(8 * _A_DAY)
    stage.collect()
    pipeline = pipeline_over(stage.store.as_store(), stage.upstreams, stage.clock)

    pipeline.publisher.rebuild_from_sources([_KEY], Cause("e", Origin.OPERATOR, "test", stage.clock()))

    assert stage.store.feed.heads()[_KEY].seq == 1


def test_old_rejections_are_forgotten_but_for_those_of_schedules(stage: Stage) -> None:
    """A schedule's stays until its source has a document that can be read, or is gone."""
    coming = ScheduleKey(_KEY.sid, date(2026, 4, 20))
    stage.store.schedules.count_source_change([coming])
    for subject in (str(coming), "p0000001", "message-1"):
        stage.reject(subject)
    stage.clock.advance(15 * _A_DAY)
    stage.reject("message-2")

    assert stage.collect() == {"refusals": 2}
    assert stage.store.rejections.all().keys() == {str(coming), "message-2"}


def test_comparisons_of_unknown_schedules_are_forgotten(stage: Stage) -> None:
    """The comparison of a schedule that only the old system has is kept."""
    unknown = ScheduleKey(Sid("cedar"), date(2026, 3, 28))
    stage.put(_KEY)
    stage.upstreams.legacy.documents[_OTHER] = b"{}"
    comparison = Comparison(1, Verdict.MATCHES, "")
    stage.store.comparisons.keep(dict.fromkeys([_KEY, _OTHER, unknown], comparison))

    assert stage.collect() == {"comparisons": 1}
    assert stage.store.comparisons.all().keys() == {_KEY, _OTHER}


def test_schedules_in_use_are_those_of_states_and_of_sources_within_the_horizon(stage: Stage) -> None:
    """A schedule with only an old source document is not in use."""
    stage.put(_KEY)
    recent, old = ScheduleKey(Sid("cedar"), date(2026, 3, 27)), ScheduleKey(Sid("downy"), date(2025, 1, 1))
    for key in (recent, old):
        stage.upstreams.schedule_source.put(key, orjson.dumps({}))

    assert stage.pipeline.collector.schedules_in_use() == {_KEY, recent}


def test_a_collection_is_recorded(stage: Stage) -> None:
    """Its report is stored, and its progress is reported line by line."""
    stage.put(_KEY)
    said: list[str] = []

    report = stage.pipeline.collector.collect(said.append)

    assert report.name is PassName.COLLECTION
    assert report.counts["schedules held"] == 1
    assert stage.store.passes.all()[PassName.COLLECTION].latest == report
    assert said[0] == "1 schedules are held, 0 of them past the horizon"


def test_a_failed_collection_is_recorded(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error is stored as its problem in one line, and raised again."""

    def fail(*_: object) -> None:
        raise ServiceError("Redis: away")

    monkeypatch.setattr(stage.store.feed, "trim", fail)

    with pytest.raises(ServiceError):
        stage.pipeline.collector.collect()

    assert stage.store.passes.all()[PassName.COLLECTION].latest.problem == "ServiceError: Redis: away"
