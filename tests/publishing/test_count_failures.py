"""What workflows measure of themselves: how long a round took, and that it failed."""

from datetime import timedelta

import pytest
from fakes import Conditions, FakeCounterStore
from scraping import KEY, Stage

from schedules_pipeline.domain.causes import Cause, Origin
from schedules_pipeline.errors import ServiceError
from schedules_pipeline.publishing.count_failures import counting_failures
from schedules_pipeline.publishing.rebuild import Rebuilder


@pytest.fixture
def stage() -> Stage:
    return Stage()


def _times(stage: Stage) -> dict[str, int]:
    return {name: sum(d.counts) for name, d in stage.store.counters.durations().items()}


def test_every_round_is_timed(stage: Stage) -> None:
    """A poll that brought something and a batch are one time each; an empty poll is none."""
    stage.publish()
    stage.ingest()

    assert _times(stage) == {"schedule intake": 1, "batch": 1, "published after schedule": 1}


def test_a_version_counts_once_for_its_oldest_cause(stage: Stage) -> None:
    """Of a change by an operator and an older notification the notification counts."""
    stage.announce()
    stage.ingest()
    stage.clock.advance(timedelta(seconds=3))

    cause = Cause("run", Origin.OPERATOR, str(KEY), stage.clock())
    stage.pipeline.publisher.rebuild_from_sources([KEY], cause)

    durations = stage.store.counters.durations()
    assert "published after operator" not in durations
    assert durations["published after schedule"].seconds == pytest.approx(3)


def test_a_queue_s_clock_ahead_of_ours_makes_no_negative_time(stage: Stage) -> None:
    """A notification from the future was answered at once."""
    cause = Cause("run", Origin.OPERATOR, str(KEY), stage.clock() + timedelta(seconds=9))

    stage.pipeline.publisher.rebuild_from_sources([KEY], cause)

    assert stage.store.counters.durations()["published after operator"].seconds == 0


def test_a_batch_that_failed_is_counted(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """It has no time, and the failure goes on to whoever put it to work."""
    stage.announce()
    stage.ingest()
    monkeypatch.setattr(Rebuilder, "_gather", _fail)

    with pytest.raises(ServiceError, match="down"):
        stage.pipeline.publisher.publish_next()

    assert stage.store.counters.all()["batches failed"] == 1
    assert "batch" not in _times(stage)


def test_an_intake_that_failed_is_counted(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """The messages stay, and the round counts as failed."""
    stage.announce()
    monkeypatch.setattr(stage.store.work, "mark", _fail)

    with pytest.raises(ServiceError, match="down"):
        stage.ingest()

    assert stage.store.counters.all() == {"schedule intakes failed": 1}
    assert not stage.upstreams.schedule_queue.is_empty()


def test_a_failure_that_cannot_be_counted_is_still_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the store is what failed, its first error is the one that is raised."""
    counters = FakeCounterStore(Conditions())
    monkeypatch.setattr(counters, "add", _fail)

    with pytest.raises(ServiceError, match="first"), counting_failures(counters, "batches failed"):
        raise ServiceError("first")


def _fail(*_: object, **__: object) -> None:
    raise ServiceError("down")
