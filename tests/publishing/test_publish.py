"""A claim whose build fails, and the other schedules of the claim."""

from datetime import UTC, date, datetime, timedelta

import orjson
import pytest
from toy_world import World

from schedules_pipeline.documents.partner_document import render_document
from schedules_pipeline.domain.causes import Origin
from schedules_pipeline.domain.identifiers import ScheduleKey, Sid
from schedules_pipeline.errors import ServiceError
from schedules_pipeline.publishing import draft
from schedules_pipeline.publishing.ports.schedules import Outcome
from schedules_pipeline.publishing.ports.work import Failure, Mark
from schedules_pipeline.publishing.publish import LEASE_FOR, MAXIMUM_ATTEMPTS

_GOOD = ScheduleKey(Sid("alder_one"), date(2026, 3, 28))
_BAD = ScheduleKey(Sid("alder_two"), date(2026, 3, 28))


class Stage(World):
    def __init__(self) -> None:
        super().__init__()
        for key in (_GOOD, _BAD):
            self.upstreams.schedule_source.put(key, orjson.dumps(_source(key)))

    def mark(self, *keys: ScheduleKey) -> None:
        self.store.schedules.count_source_change(keys)
        self.store.work.mark([Mark(key, self.clock(), self.cause(Origin.SCHEDULE)) for key in keys])

    def published(self) -> set[ScheduleKey]:
        return set(self.store.schedules.documents([_GOOD, _BAD]))


def _source(key: ScheduleKey) -> dict[str, object]:
    start = datetime(2026, 3, 28, 12, tzinfo=UTC)
    return {
        "sid": str(key.sid),
        "date": key.date.isoformat(),
        "published_at": start.isoformat(),
        "broadcasts": [
            {
                "broadcast_pid": "p00000001",
                "start": start.isoformat(),
                "end": (start + timedelta(hours=1)).isoformat(),
            }
        ],
    }


def test_a_failed_fetch_does_not_delay_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of two schedules the one that can be fetched is published, and the other waits."""
    stage = Stage()
    _break_source_of(stage, _BAD, monkeypatch)
    stage.mark(_GOOD, _BAD)

    stage.pipeline.publisher.publish_all()

    assert stage.published() == {_GOOD}
    assert stage.store.work.backlog().waiting == 1


def test_a_long_outage_of_the_source_quarantines_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """A schedule stays in the queue through many failed fetches, and is published after one that succeeds."""
    stage = Stage()
    with monkeypatch.context() as outage:
        _break_source_of(stage, _BAD, outage)
        stage.mark(_BAD)
        for _ in range(3 * MAXIMUM_ATTEMPTS):
            stage.pipeline.publisher.publish_all()
            stage.clock.advance(timedelta(minutes=1))

    assert stage.store.work.quarantined() == {}
    stage.pipeline.publisher.publish_all()
    assert stage.published() == {_BAD}


def test_the_pause_after_an_outage_doubles(monkeypatch: pytest.MonkeyPatch) -> None:
    """While nothing can be built, a schedule waits 5, 10, 20 and then 40 seconds; a build begins anew with 5."""
    stage = Stage()
    pauses = []
    for _ in range(2):
        with monkeypatch.context() as outage:
            _break_source_of(stage, _BAD, outage)
            stage.mark(_BAD)
            for _ in range(5):
                stage.pipeline.publisher.publish_all()
                pauses.append(_seconds_until_due(stage))
        stage.pipeline.publisher.publish_all()

    assert pauses == [5, 10, 20, 40, 40] * 2


def _seconds_until_due(stage: Stage) -> int:
    """Turn the clock until the schedule is pending again."""
    for seconds in range(1, 100):
        stage.clock.advance(timedelta(seconds=1))
        claim = stage.store.work.claim(1, stage.clock(), LEASE_FOR)
        if claim is not None:
            stage.store.work.postpone(
                claim, {w.key: Failure("", stage.clock()) for w in claim.work}, counts=False
            )
            return seconds
    raise AssertionError("it is never due")


def _break_source_of(stage: Stage, key: ScheduleKey, monkeypatch: pytest.MonkeyPatch) -> None:
    fetch = stage.upstreams.schedule_source.fetch
    error = ServiceError("no answer")
    monkeypatch.setattr(
        stage.upstreams.schedule_source,
        "fetch",
        lambda keys: {**fetch(keys), **({key: error} if key in keys else {})},
    )


def test_a_schedule_whose_build_fails_is_quarantined_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The other schedules are published after a short delay, and the quarantine has a reason."""
    stage = Stage()
    _break_build_of(_BAD, monkeypatch)
    stage.mark(_GOOD, _BAD)

    _publish_through_failures(stage)

    assert stage.published() == {_GOOD}
    assert list(stage.store.work.quarantined()) == [_BAD]
    assert "broken on purpose" in stage.store.work.quarantined()[_BAD]
    assert stage.store.work.backlog().is_empty


def test_a_new_mark_ends_a_quarantine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Once the defect is fixed, the next change of a quarantined schedule publishes it."""
    stage = Stage()
    with monkeypatch.context() as defect:
        _break_build_of(_BAD, defect)
        stage.mark(_BAD)
        _publish_through_failures(stage)
    stage.mark(_BAD)

    (batch,) = stage.pipeline.publisher.publish_all()

    assert batch.count(Outcome.PUBLISHED) == 1
    assert stage.store.work.quarantined() == {}


def _break_build_of(key: ScheduleKey, monkeypatch: pytest.MonkeyPatch) -> None:

    def render(built: ScheduleKey, *rest: object) -> bytes:
        if built == key:
            raise RuntimeError("broken on purpose")
        return render_document(built, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(draft, "render_document", render)


def _publish_through_failures(stage: Stage) -> None:
    for _ in range(4 * MAXIMUM_ATTEMPTS):
        try:
            stage.pipeline.publisher.publish_all()
        except RuntimeError:
            stage.clock.advance(timedelta(minutes=15))


def test_a_schedule_that_kills_its_workers_is_quarantined() -> None:
    """After several deaths the schedule is not claimed again."""
    stage = Stage()
    stage.mark(_BAD)
    for _ in range(MAXIMUM_ATTEMPTS):
        assert stage.store.work.claim(10, stage.clock(), LEASE_FOR) is not None
        stage.clock.advance(2 * LEASE_FOR)

    stage.pipeline.publisher.publish_all()

    assert list(stage.store.work.quarantined()) == [_BAD]
    assert stage.store.work.backlog().is_empty


def test_a_store_that_does_not_answer_loses_no_claim(monkeypatch: pytest.MonkeyPatch) -> None:
    """A service error postpones the whole batch, and does not count as an attempt."""
    stage = Stage()
    stage.mark(_GOOD, _BAD)

    def fail(*_: object) -> None:
        raise ServiceError("away")

    with monkeypatch.context() as outage:
        outage.setattr(stage.store.schedules, "commit", fail)
        with pytest.raises(ServiceError):
            stage.pipeline.publisher.publish_all()
    stage.clock.advance(timedelta(minutes=1))
    stage.pipeline.publisher.publish_all()

    assert stage.published() == {_GOOD, _BAD}


def test_what_is_given_back_is_claimed_at_once() -> None:
    """Neither the lease nor a pause delays the next claim, and no attempt is counted."""
    stage = Stage()
    stage.mark(_GOOD, _BAD)
    claim = stage.pipeline.publisher.claim_next()
    assert claim is not None

    stage.pipeline.publisher.give_back(claim)

    again = stage.pipeline.publisher.claim_next()
    assert again is not None
    assert [(work.key, work.causes, work.attempts) for work in again.work] == [
        (work.key, work.causes, 0) for work in claim.work
    ]


def test_an_interrupted_build_is_given_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """Dagster interrupts a run by an exception that is no :class:`Exception`."""
    stage = Stage()
    stage.mark(_GOOD)
    with monkeypatch.context() as interrupted:

        def interrupt(_: object) -> None:
            raise KeyboardInterrupt

        interrupted.setattr(stage.upstreams.schedule_source, "fetch", interrupt)
        with pytest.raises(KeyboardInterrupt):
            stage.pipeline.publisher.publish_all()

    assert stage.store.work.backlog().in_progress == 0
    stage.pipeline.publisher.publish_all()
    assert stage.published() == {_GOOD}


def test_a_build_that_goes_on_after_it_was_given_back_overwrites_nothing() -> None:
    """The next claim has the newer token, and the older build neither commits nor releases the schedule."""
    stage = Stage()
    stage.mark(_GOOD)
    publisher = stage.pipeline.publisher
    older = publisher.claim_next()
    assert older is not None
    publisher.give_back(older)
    newer = publisher.claim_next()
    assert newer is not None

    published = publisher.build(newer)
    late = publisher.build(older)

    assert [built.outcome for built in (*published.built, *late.built)] == [
        Outcome.PUBLISHED,
        Outcome.SUPERSEDED,
    ]
    assert stage.store.feed.heads()[_GOOD].seq == 1
