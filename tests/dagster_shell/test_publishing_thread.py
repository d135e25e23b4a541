"""The thread of a publisher: how it ends, and what it leaves to others. Over fakes."""

from collections.abc import Iterator
from datetime import date
from threading import Event
from typing import Any

import dagster as dg
import orjson
import pytest
from dagster_stage import DagsterStage, source_document
from fakes.feed import TAKEN_OVER_AFTER

from schedules_pipeline.definitions import build_defs
from schedules_pipeline.domain.identifiers import ScheduleKey, Sid
from schedules_pipeline.errors import ServiceError
from schedules_pipeline.jobs import publish_affected, switches
from schedules_pipeline.jobs.publishing_thread import PublishingThread
from schedules_pipeline.jobs.recording_loop import RecordingLoop
from schedules_pipeline.jobs.switches import FollowedSwitches
from schedules_pipeline.publishing.ports.presence import Publishers
from schedules_pipeline.publishing.ports.upstream import Message
from schedules_pipeline.settings import Settings

_KEY = ScheduleKey(Sid("alder_one"), date(2026, 3, 28))
_AT_ONCE = Settings(publisher_linger_seconds=0, publisher_session_seconds=5)


@pytest.fixture
def stage() -> Iterator[DagsterStage]:
    """A schedule is marked for rebuild."""
    with dg.DagsterInstance.ephemeral() as instance:
        stage = DagsterStage(instance)
        stage.upstreams.schedule_source.put(_KEY, source_document(_KEY))
        body = orjson.dumps({"sid": str(_KEY.sid), "date": _KEY.date.isoformat()}).decode()
        stage.pipeline.schedule_intake.handle([Message("m1", body, stage.clock(), "", 1)])
        yield stage


def test_a_batch_that_hangs_is_given_back(stage: DagsterStage, monkeypatch: pytest.MonkeyPatch) -> None:
    """A publisher that must end waits for its batch no longer than it is told to, and is no longer present."""
    is_fetching, may_answer = Event(), Event()
    fetch = stage.upstreams.schedule_source.fetch

    def hang(keys: list[ScheduleKey]) -> object:
        is_fetching.set()
        may_answer.wait()
        return fetch(keys)

    monkeypatch.setattr(stage.upstreams.schedule_source, "fetch", hang)
    with PublishingThread(stage.pipeline, "a run") as publishing:
        is_fetching.wait()
        publishing.stop(0)

        assert not stage.store.presence.present()
        assert stage.store.work.backlog().in_progress == 0
        again = stage.pipeline.publisher.claim_next()
        may_answer.set()

    assert again is not None
    assert [(work.key, work.attempts) for work in again.work] == [(_KEY, 0)]


def test_a_publisher_hands_over_to_its_successor(stage: DagsterStage) -> None:
    """It shows itself as leaving until another one runs, and goes then."""
    with PublishingThread(stage.pipeline, "a run", reservation="starting:1") as publishing:
        publishing.hand_over(0)
        leaving = stage.store.presence.present()
        stage.store.presence.renew("its successor", 15)
        publishing.hand_over(3600)

    assert leaving == Publishers(leaving=("a run",))
    assert stage.store.presence.present() == Publishers(("its successor",))


def test_a_publisher_beside_another_one_leaves_the_records_to_it(stage: DagsterStage) -> None:
    """Versions are recorded in order, because one publisher records them all."""
    stage.store.presence.renew("an older run", 3600)

    job = build_defs(_AT_ONCE, stage.pipeline).resolve_job_def(publish_affected.JOB_NAME)
    result = job.execute_in_process(instance=stage.instance)

    assert result.success
    assert stage.store.work.backlog().is_empty
    assert stage.store.feed.unrecorded() == 1
    assert stage.store.presence.present() == Publishers(("an older run",))


def test_a_redis_that_hangs_does_not_keep_a_publisher_that_must_end(
    stage: DagsterStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The run of a publisher that is told to end is over while every call of Redis still waits for its answer."""
    may_answer = Event()

    def hang(*_: object, **__: object) -> None:
        may_answer.wait()
        raise ServiceError("no answer")

    def interrupt(session: object) -> None:
        for port, call in ((stage.store.work, "backlog"), (stage.store.presence, "renew")):
            monkeypatch.setattr(port, call, hang)
        raise dg.DagsterExecutionInterruptedError

    monkeypatch.setattr(publish_affected._Session, "work", interrupt)
    monkeypatch.setattr(publish_affected, "_LONGEST_HANDOVER_OF_AN_INTERRUPTED_SECONDS", 0.1)

    job = build_defs(_AT_ONCE, stage.pipeline).resolve_job_def(publish_affected.JOB_NAME)
    result = job.execute_in_process(instance=stage.instance)

    assert result.success
    assert not may_answer.is_set()
    may_answer.set()


@pytest.mark.parametrize(
    ("part", "step"),
    [(FollowedSwitches, "__enter__"), (PublishingThread, "close"), (RecordingLoop, "finish")],
    ids=["at its beginning", "with its last batch", "with its last records"],
)
def test_a_publisher_that_must_end_hands_over_at_any_time(
    stage: DagsterStage, monkeypatch: pytest.MonkeyPatch, part: type, step: str
) -> None:
    """Also before it receives and while it ends: its run succeeds, it is no longer present and holds no schedule."""

    def interrupt(_: object) -> None:
        monkeypatch.undo()
        raise dg.DagsterExecutionInterruptedError

    monkeypatch.setattr(part, step, interrupt)

    job = build_defs(_AT_ONCE, stage.pipeline).resolve_job_def(publish_affected.JOB_NAME)
    result = job.execute_in_process(instance=stage.instance)

    assert result.success
    assert not stage.store.presence.present()
    assert stage.store.work.backlog().in_progress == 0


def test_a_database_that_hangs_does_not_keep_a_publisher_that_must_end(
    stage: DagsterStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The run of a publisher that is told to end is over while Dagster's database has yet to say who ended it."""
    may_answer, has_waited, is_over = Event(), Event(), Event()
    publish, get_run_by_id = publish_affected._publish, stage.instance.get_run_by_id

    def hang(run_id: str) -> dg.DagsterRun | None:
        if not is_over.is_set():
            may_answer.wait(60)
            has_waited.set()
        return get_run_by_id(run_id)

    def publish_until_over(*arguments: Any) -> None:
        publish(*arguments)
        is_over.set()

    def interrupt(_: object) -> None:
        monkeypatch.setattr(stage.instance, "get_run_by_id", hang)
        raise dg.DagsterExecutionInterruptedError

    monkeypatch.setattr(publish_affected, "_publish", publish_until_over)
    monkeypatch.setattr(publish_affected._Session, "work", interrupt)
    monkeypatch.setattr(publish_affected, "_LONGEST_HANDOVER_OF_AN_INTERRUPTED_SECONDS", 0.1)

    job = build_defs(_AT_ONCE, stage.pipeline).resolve_job_def(publish_affected.JOB_NAME)
    result = job.execute_in_process(instance=stage.instance)
    was_over = not has_waited.is_set()
    may_answer.set()

    assert result.success
    assert was_over


def test_a_database_that_hangs_does_not_keep_a_publisher_from_its_work(
    stage: DagsterStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It waits a moment for Dagster's answer which sensors are off, and obeys the answer when it comes."""
    may_answer, has_waited, was_told = Event(), Event(), Event()

    def answer_late(*_: object) -> list[object]:
        may_answer.wait(60)
        has_waited.set()
        return []

    monkeypatch.setattr(switches, "stored_states", answer_late)
    monkeypatch.setattr(switches, "_LONGEST_FIRST_ANSWER_SECONDS", 0.0)

    with FollowedSwitches(stage.instance, lambda _: was_told.set()):
        began_before = not has_waited.is_set()
        may_answer.set()

        assert was_told.wait(60)
    assert began_before


def test_a_publisher_waits_for_what_a_dead_one_was_recording(
    stage: DagsterStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It gets those versions after a minute. If an idle one ended before, the sensors would start one after another."""
    stage.pipeline.publisher.publish_all()
    stage.store.feed.take_unrecorded("a dead run", 1)
    keep_up = RecordingLoop.keep_up

    def keep_up_later(loop: RecordingLoop) -> None:
        stage.clock.advance(TAKEN_OVER_AFTER)
        keep_up(loop)

    monkeypatch.setattr(RecordingLoop, "keep_up", keep_up_later)

    job = build_defs(_AT_ONCE, stage.pipeline).resolve_job_def(publish_affected.JOB_NAME)
    result = job.execute_in_process(instance=stage.instance)

    assert result.success
    assert stage.store.feed.unrecorded() == 0


def test_a_publisher_stays_while_dagsters_database_does_not_answer(
    stage: DagsterStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It publishes although its lines cannot be stored, and its session goes on, because no other could start."""
    work, store_event = publish_affected._Session.work, stage.instance.event_log_storage.store_event
    get_run_by_id, unanswered = stage.instance.get_run_by_id, [0, 0, 0]
    is_away = False

    def work_without_the_database(session: publish_affected._Session) -> None:
        nonlocal is_away
        is_away = True
        work(session)

    def answer_later(run_id: str) -> dg.DagsterRun | None:
        nonlocal is_away
        if is_away:
            unanswered.pop()
            is_away = bool(unanswered)
            raise OSError("no answer")
        return get_run_by_id(run_id)

    def store_if_present(event: dg.EventLogEntry) -> None:
        if is_away:
            raise OSError("no answer")
        store_event(event)

    monkeypatch.setattr(publish_affected._Session, "work", work_without_the_database)
    monkeypatch.setattr(stage.instance, "get_run_by_id", answer_later)
    monkeypatch.setattr(stage.instance.event_log_storage, "store_event", store_if_present)

    job = build_defs(_AT_ONCE, stage.pipeline).resolve_job_def(publish_affected.JOB_NAME)
    result = job.execute_in_process(instance=stage.instance)

    assert result.success
    assert not unanswered
    assert stage.store.work.backlog().is_empty
    assert stage.store.feed.unrecorded() == 0
