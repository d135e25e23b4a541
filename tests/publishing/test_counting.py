"""What workflows count: results, durations and failures."""

from datetime import timedelta

import pytest
from scraping import KEY, Stage

from schedules_pipeline.domain.causes import Cause, Origin
from schedules_pipeline.errors import ServiceError
from schedules_pipeline.publishing.ports.counters import Counter, Timer
from schedules_pipeline.publishing.rebuild import Rebuilder


@pytest.fixture
def stage() -> Stage:
    return Stage()


def _times(stage: Stage) -> dict[Timer, int]:
    return {name: sum(d.counts) for name, d in stage.store.counters.durations().items()}


def test_every_round_is_timed(stage: Stage) -> None:
    """A poll with messages and a batch are timed once each; an empty poll is not timed."""
    stage.publish()
    stage.ingest()

    assert _times(stage) == {Timer.SCHEDULE_INTAKE: 1, Timer.BATCH: 1, Timer.PUBLISHED_AFTER_SCHEDULE: 1}


def test_a_version_counts_once_for_its_oldest_cause(stage: Stage) -> None:
    """Of an operator's request and an older notification, the notification counts."""
    stage.announce()
    stage.ingest()
    stage.clock.advance(timedelta(seconds=3))

    cause = Cause("run", Origin.OPERATOR, str(KEY), stage.clock())
    stage.pipeline.publisher.rebuild_from_sources([KEY], cause)

    durations = stage.store.counters.durations()
    assert Timer.PUBLISHED_AFTER_OPERATOR not in durations
    assert durations[Timer.PUBLISHED_AFTER_SCHEDULE].seconds == pytest.approx(3)


def test_a_queue_s_clock_ahead_gives_no_negative_time(stage: Stage) -> None:
    """A notification from the future was answered at once."""
    cause = Cause("run", Origin.OPERATOR, str(KEY), stage.clock() + timedelta(seconds=9))

    stage.pipeline.publisher.rebuild_from_sources([KEY], cause)

    assert stage.store.counters.durations()[Timer.PUBLISHED_AFTER_OPERATOR].seconds == 0


def test_a_batch_that_failed_is_counted(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is not timed, and the caller gets the error."""
    stage.announce()
    stage.ingest()
    monkeypatch.setattr(Rebuilder, "_gather", _fail)

    with pytest.raises(ServiceError, match="down"):
        stage.pipeline.publisher.publish_next()

    assert stage.store.counters.all()[Counter.BATCHES_FAILED] == 1
    assert Timer.BATCH not in _times(stage)


def test_an_intake_that_failed_is_counted(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """The messages stay in the queue."""
    stage.announce()
    monkeypatch.setattr(stage.store.work, "mark", _fail)

    with pytest.raises(ServiceError, match="down"):
        stage.ingest()

    assert stage.store.counters.all() == {Counter.SCHEDULE_INTAKES_FAILED: 1}
    assert not stage.upstreams.schedule_queue.is_empty()


def test_a_failure_that_cannot_be_counted_is_still_raised(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If the store fails, its first error is raised rather than the error of counting it."""
    stage.announce()
    monkeypatch.setattr(stage.store.work, "mark", _fail)
    monkeypatch.setattr(stage.store.counters, "add", _fail_to_count)

    with pytest.raises(ServiceError, match="down"):
        stage.ingest()


def _fail(*_: object, **__: object) -> None:
    raise ServiceError("down")


def _fail_to_count(*_: object, **__: object) -> None:
    raise ServiceError("counters are down")
