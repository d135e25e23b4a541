"""A change of one day records its neighbours' times too, because a service is judged as one timeline."""

from collections.abc import Iterator, Sequence
from datetime import date, datetime, timedelta
from typing import Any

import dagster as dg
import orjson
import pytest
from dagster_stage import DagsterStage, ListWriter, source_document

from schedules_pipeline.domain.identifiers import ScheduleKey, Sid
from schedules_pipeline.publishing.check_schedules import CheckName
from schedules_pipeline.publishing.ports.upstream import Message
from schedules_pipeline.recording import Recorder
from schedules_pipeline.settings import Settings

_KEY = ScheduleKey(Sid("alder_one"), date(2026, 3, 10))
_BEFORE, _AFTER = _KEY.after(-1), _KEY.after(1)


def _whole(key: ScheduleKey) -> bytes:
    """A day from noon to its end, whose broadcasts no other day lists."""
    return source_document(key, broadcasts=18).replace(b"p0000000", f"p{key.date:%m%d}000".encode())


class Stage(DagsterStage):
    """Three days of which each adjoins the next, except that each begins six hours late."""

    def __init__(self, instance: dg.DagsterInstance) -> None:
        super().__init__(instance)
        self.events: list[Any] = []
        settings = Settings()
        self.recorder = Recorder(self.pipeline, settings, instance, ListWriter(self.events))
        self.put(_BEFORE, _KEY, _AFTER)

    def put(self, *keys: ScheduleKey, content: bytes | None = None) -> None:
        for key in keys:
            self.upstreams.schedule_source.put(key, content or _whole(key))
        self._publish(keys, "PUT")

    def remove(self, key: ScheduleKey) -> None:
        self.upstreams.schedule_source.remove(key)
        self._publish([key], "DELETE")

    def _publish(self, keys: Sequence[ScheduleKey], action: str) -> None:
        """Ingest the notifications of these schedules, publish, and record."""
        for key in keys:
            body = orjson.dumps({"sid": key.sid, "date": key.date.isoformat(), "action": action}).decode()
            self.pipeline.schedule_intake.handle([Message("m", body, self.clock(), "", 1)])
        self.clock.advance(timedelta(seconds=2))
        self.pipeline.publisher.publish_all()
        self.events.clear()
        self.recorder.record_published()

    def evaluated(self, name: str) -> dict[str, str]:
        """By date, what this check says in what was recorded last; each schedule is recorded once, and named."""
        evaluations = [e for e in self.events if isinstance(e, dg.AssetCheckEvaluation) and e.partition]
        found = [e for e in evaluations if e.check_name == name]
        texts = {}
        for e in found:
            day, _, sid = str(e.partition).partition("|")
            name, _, texts[day] = (e.description or "").replace("\\", "").partition(": ")
            assert name == f"{sid}/{day}"
        assert len(texts) == len(found)
        return texts


@pytest.fixture
def stage() -> Iterator[Stage]:
    with dg.DagsterInstance.ephemeral() as instance:
        yield Stage(instance)


def _dates(*keys: ScheduleKey) -> set[str]:
    return {key.date.isoformat() for key in keys}


def _longer(hours: int) -> bytes:
    """The day's last broadcast ends so many hours later."""
    document = orjson.loads(_whole(_KEY))
    last = document["broadcasts"][-1]
    last["end"] = (datetime.fromisoformat(last["end"]) + timedelta(hours=hours)).isoformat()
    return orjson.dumps(document)


def test_a_change_records_the_neighbours_times(stage: Stage) -> None:
    """Both say what is wrong between them and the day that changed; their other checks are not recorded again."""
    stage.put(_KEY, content=_longer(7))

    times = stage.evaluated("no_gaps_or_overlaps")
    assert times.keys() == _dates(_BEFORE, _KEY, _AFTER)
    assert times[_BEFORE.date.isoformat()] == "ends 360 minutes before the next day begins"
    assert times[_KEY.date.isoformat()] == (
        "begins 360 minutes after the previous day ends; ends 60 minutes after the next day begins"
    )
    assert times[_AFTER.date.isoformat()] == "begins 60 minutes before the previous day ends"
    assert stage.evaluated("source_accepted").keys() == _dates(_KEY)


def test_a_removal_records_the_neighbours_times(stage: Stage) -> None:
    """The day before tells of it; the day after has no previous day to be judged by."""
    stage.remove(_KEY)

    assert stage.evaluated("no_gaps_or_overlaps") == {
        _BEFORE.date.isoformat(): "the schedule of the next day was removed",
        _AFTER.date.isoformat(): "18 broadcasts, one after the other",
    }


def test_neighbours_that_change_together_are_recorded_once(stage: Stage) -> None:
    """Each schedule has one evaluation of its times."""
    stage.put(_KEY, content=_longer(6))
    stage.remove(_AFTER)
    stage.put(_AFTER, _KEY)

    assert stage.evaluated("no_gaps_or_overlaps").keys() == _dates(_BEFORE, _KEY, _AFTER)


def test_one_read_has_all_days_that_are_needed(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """The changed day, its neighbours, and theirs, each once."""
    read, reads = stage.store.schedules.read, []
    checker = stage.pipeline.checker

    def counting(keys: Sequence[ScheduleKey]) -> Any:
        reads.append(list(keys))
        return read(keys)

    monkeypatch.setattr(stage.store.schedules, "read", counting)
    checker.check([_KEY], [_BEFORE, _KEY, _AFTER])

    assert reads == [[_KEY.after(days) for days in (-2, -1, 0, 1, 2)]]


def test_without_times_to_check_no_neighbour_is_read(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """So a change of the catalogue, which moves no broadcast, reads only the schedules that it changed."""
    read = stage.store.schedules.read
    reads: set[ScheduleKey] = set()
    checker = stage.pipeline.checker

    def counting(keys: Sequence[ScheduleKey]) -> Any:
        reads.update(keys)
        return read(keys)

    monkeypatch.setattr(stage.store.schedules, "read", counting)
    results = checker.check([_KEY], timelines_of=())

    assert reads == {_KEY}
    assert CheckName.NO_GAPS_OR_OVERLAPS not in {result.name for result in results[_KEY]}
