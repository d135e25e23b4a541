"""Canaries go round through the real intake and publisher, and leave nothing behind."""

from collections.abc import Callable
from datetime import timedelta
from random import Random

import pytest
from cli_stage import KEY, Stage, schedule_put

from schedules_pipeline.health.probes.canary import Canaries, canary_names
from schedules_pipeline.health.probes.probe import Finding, Verdict

_LIMIT = timedelta(seconds=30)


@pytest.fixture
def stage() -> Stage:
    return Stage()


def _canaries(stage: Stage, seed: int = 0, when_asleep: Callable[[], None] = lambda: None) -> Canaries:
    stage.session.when_asleep = when_asleep
    names = canary_names(Random(seed), stage.clock(), stage.pipeline.calendar)
    return Canaries(stage.pipeline.store, stage.clock, stage.session.sleep, names, _LIMIT)


def _send_schedule(stage: Stage, canaries: Canaries) -> Finding:
    [finding] = canaries.send_schedule(stage.upstreams.schedule_queue)
    return finding


def _work(stage: Stage) -> Callable[[], None]:
    def work() -> None:
        stage.ingest()
        stage.pipeline.publisher.publish_all()

    return work


def test_a_canary_schedule_goes_round_and_is_gone(stage: Stage) -> None:
    """No partner, no comparison and no state shows it afterwards, and other schedules stay as they are."""
    stage.happen(schedule_put(KEY))
    rows = len(stage.store.feed.heads())

    finding = _send_schedule(stage, _canaries(stage, when_asleep=_work(stage)))

    assert finding.verdict is Verdict.PASSED
    assert "went round in 0.2 s" in finding.text
    assert len(stage.store.feed.heads()) == rows
    assert [key for batch in stage.store.schedules.stored_keys() for key in batch] == [KEY]
    assert stage.store.work.backlog().is_empty


def test_a_canary_that_is_not_received_fails_at_its_limit(stage: Stage) -> None:
    """It waits in the queue, and is handled whenever the sensor is on again."""
    finding = _send_schedule(stage, _canaries(stage))

    assert finding.verdict is Verdict.FAILED
    assert "not received within 30 s" in finding.text
    _work(stage)()
    assert stage.store.feed.heads() == {}


def test_a_canary_that_is_not_built_says_so(stage: Stage) -> None:
    """The stage that it reached is told, so that the operator looks at the publisher and not at the queue."""
    finding = _send_schedule(stage, _canaries(stage, when_asleep=stage.ingest))

    assert finding.verdict is Verdict.FAILED
    assert "was received after 0.2 s, and not built" in finding.text


def test_two_doctors_do_not_disturb_each_other(stage: Stage) -> None:
    """Each sees its own canary, also if the other sends while it waits."""
    second: list[Finding] = []

    def work_with_a_second_doctor() -> None:
        if not second:
            stage.session.when_asleep = _work(stage)
            second.append(_send_schedule(stage, _canaries(stage, 1, _work(stage))))
        _work(stage)()

    first = _send_schedule(stage, _canaries(stage, 0, work_with_a_second_doctor))

    assert [first.verdict, second[0].verdict] == [Verdict.PASSED] * 2
    assert list(stage.store.schedules.stored_keys()) in ([], [[]])


def test_a_doctor_that_dies_leaves_only_what_is_collected(stage: Stage) -> None:
    """The state of its schedule goes at the retention horizon, and partners never see it."""

    def die() -> None:
        _work(stage)()
        raise KeyboardInterrupt

    canaries = _canaries(stage, when_asleep=die)
    with pytest.raises(KeyboardInterrupt):
        _send_schedule(stage, canaries)

    stage.session.when_asleep = lambda: None
    assert stage.store.feed.heads() == {}
    assert stage.store.schedules.read([canaries.names.key])[canaries.names.key].etag == ""
    assert stage.pipeline.collector.collect().problem == ""
    report = stage.pipeline.reconciler.reconcile()
    assert (report.problem, report.counts["differed"]) == ("", 0)


def test_a_canary_item_is_followed_and_ignored(stage: Stage) -> None:
    """The intake takes a token of it and stores nothing."""
    canaries = _canaries(stage, when_asleep=stage.ingest)

    [finding] = canaries.send_item(stage.upstreams.catalogue_queue)

    assert finding.verdict is Verdict.PASSED
    assert stage.store.copies.read([canaries.names.pid]) == {}


def test_a_canary_item_that_is_not_received_fails_at_its_limit(stage: Stage) -> None:
    """The tokens that the doctor itself takes are no evidence."""
    [finding] = _canaries(stage).send_item(stage.upstreams.catalogue_queue)

    assert finding.verdict is Verdict.FAILED
    assert "`catalogue_events`" in finding.remedy
