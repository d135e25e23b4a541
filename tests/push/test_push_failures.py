"""Webhooks over fakes: retries, pauses and quarantine."""

from datetime import timedelta

import pytest
from push_stage import HOOK, KEY, OTHER, PushStage, version_id

from schedules_pipeline.push.ports import Answer
from schedules_pipeline.push.push import PushOutcome


@pytest.fixture
def stage() -> PushStage:
    made = PushStage()
    made.subscribe_webhook()
    return made


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        (Answer(500), "answered with status 500"),
        (Answer(301), "answered with status 301"),
        (Answer(404), "answered with status 404"),
        (Answer(0, problem="ReadTimeoutError"), "no answer: ReadTimeoutError"),
    ],
)
def test_a_failed_request_is_repeated_before_later_changes(
    stage: PushStage, answer: Answer, problem: str
) -> None:
    """The repetition has the same id."""
    stage.publish(KEY)
    stage.publish(OTHER)
    stage.receiver.answers = [answer]

    failed = stage.push()
    early = stage.push()
    stage.wait(seconds=5)
    later = stage.push()

    assert (failed.outcome, failed.problem) == (PushOutcome.FAILED, problem)
    assert early.outcome is PushOutcome.SKIPPED
    assert later.delivered == 2
    assert [h["webhook-id"] for _, h, _ in stage.receiver.received] == [
        *(version_id(KEY, 1), version_id(KEY, 1), version_id(OTHER, 1))
    ]
    assert stage.standing().progress.failures == 0


def test_a_newer_version_replaces_the_failed_one(stage: PushStage) -> None:
    """The version that was not accepted is not sent again."""
    stage.publish(KEY)
    stage.receiver.answers = [Answer(500)]
    stage.push()
    stage.publish(KEY)
    stage.wait(seconds=5)

    stage.push()

    assert stage.receiver.data() == [(str(KEY), 2)]
    assert stage.standing().progress.position == "2"


def test_the_oldest_change_counts_its_failures(stage: PushStage) -> None:
    """Later changes that are accepted meanwhile move neither the position nor the end of the failures."""
    stage.store.subscriptions.remove(HOOK)
    stage.subscribe_webhook(concurrency=2)
    stage.publish(KEY)
    stage.publish(OTHER)
    arrive = stage.receiver._arrive

    def rejecting(url: str, headers: dict[str, str], body: bytes) -> Answer:
        return Answer(500) if KEY.sid.encode() in body else arrive(url, headers, body)

    stage.receiver._arrive = rejecting  # type: ignore[method-assign]
    stage.push()
    stage.wait(hours=1)
    stage.push()

    assert stage.receiver.data() == [(str(OTHER), 1)]
    assert (stage.standing().progress.position, stage.standing().progress.failures) == ("0", 2)


def test_pauses_double(stage: PushStage) -> None:
    """Each failure in a row doubles the pause, up to 15 minutes."""
    stage.publish(KEY)
    pauses = []
    for _ in range(10):
        stage.receiver.answers = [Answer(500)]
        stage.push()
        next_at = stage.standing().progress.next_at
        assert next_at is not None
        pauses.append((next_at - stage.clock()).total_seconds())
        stage.clock.advance(next_at - stage.clock())

    assert pauses == [5, 10, 20, 40, 80, 160, 320, 640, 900, 900]


@pytest.mark.parametrize(
    ("status", "header", "seconds"),
    [
        (429, "120", 120),
        (503, "Sat, 28 Mar 2026 12:10:00 GMT", 600),
        (429, "999999", 3600),
        (429, "soon", 5),
        (429, "", 5),
        (500, "120", 5),
    ],
)
def test_retry_after_is_obeyed(stage: PushStage, status: int, header: str, seconds: int) -> None:
    """Up to an hour, and for statuses 429 and 503 only."""
    stage.publish(KEY)
    stage.receiver.answers = [Answer(status, header)]

    stage.push()

    assert stage.standing().progress.next_at == stage.clock() + timedelta(seconds=seconds)


def test_status_410_quarantines_at_once(stage: PushStage) -> None:
    """Nothing more is sent until an operator resumes the subscription."""
    stage.publish(KEY)
    stage.receiver.answers = [Answer(410)]

    report = stage.push()
    stage.wait(days=2)
    again = stage.push()

    assert report.outcome is PushOutcome.QUARANTINED
    assert again.outcome is PushOutcome.SKIPPED
    assert len(stage.receiver.received) == 1
    quarantine = stage.standing().progress.quarantine
    assert quarantine is not None
    assert "410" in quarantine.reason


def test_failing_for_a_day_quarantines(stage: PushStage) -> None:
    """Until then the request is repeated, and the position stays."""
    stage.publish(KEY)
    stage.receiver.answers = [Answer(500)] * 1_000

    while stage.standing().progress.quarantine is None:
        stage.push()
        stage.wait(minutes=15)

    progress = stage.standing().progress
    assert progress.failing_since is not None
    assert progress.quarantine is not None
    assert progress.quarantine.since - progress.failing_since >= timedelta(hours=24)
    assert progress.position == "0"
    assert stage.clock() - progress.failing_since < timedelta(hours=25)


def test_a_few_failures_far_apart_do_not_quarantine(stage: PushStage) -> None:
    """A pusher that was down for days causes no quarantine."""
    stage.publish(KEY)
    for _ in range(9):
        stage.receiver.answers = [Answer(500)]
        stage.push()
        stage.wait(days=1)

    assert stage.standing().progress.quarantine is None


def test_a_subscription_without_a_partner_is_quarantined(stage: PushStage) -> None:
    """Its problem names the removed partner."""
    stage.publish(KEY)
    stage.store.partners.remove("harbour")

    report = stage.push()

    assert report.outcome is PushOutcome.QUARANTINED
    assert report.problem == "there is no partner harbour"
    assert stage.receiver.received == []
