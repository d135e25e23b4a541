"""Queues, subscriptions and events of the bucket pass as documented; each deviation has its finding."""

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from demo.provision import SOURCE_EVENTS
from schedules_pipeline.health.probes.ports import EVENTBRIDGE, Announcement, Subscription
from schedules_pipeline.health.probes.probe import Finding, Verdict
from schedules_pipeline.health.probes.queues import (
    judge_announcements,
    judge_queue,
    judge_subscriptions,
    senders,
    topics_of,
)
from schedules_pipeline.publishing.ports.upstream import QueueAttributes

_ACCOUNT = "eu-west-1:123456789012"
_TOPIC, _BUCKET = f"arn:aws:sns:{_ACCOUNT}:schedule-events", "arn:aws:s3:::schedule-source"
_ARN, _DEAD_ARN = f"arn:aws:sqs:{_ACCOUNT}:q", f"arn:aws:sqs:{_ACCOUNT}:q-dead"
_FOUR_DAYS, _A_MINUTE = timedelta(days=4), timedelta(seconds=60)


def _policy(source: Any = _TOPIC, **changes: Any) -> str:
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": "sns.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Resource": _ARN,
        "Condition": {"ArnEquals": {"aws:SourceArn": source}},
    }
    return json.dumps({"Version": "2012-10-17", "Statement": [{**statement, **changes}]})


_QUEUE = QueueAttributes(_ARN, _A_MINUTE, _FOUR_DAYS, _DEAD_ARN, 5, _policy())
_DEAD = QueueAttributes(_DEAD_ARN, timedelta(seconds=30), timedelta(days=14))


def _judge(queue: QueueAttributes | None = _QUEUE, dead: QueueAttributes | None = _DEAD) -> list[Finding]:
    return list(judge_queue("q", queue, "q-dead", dead))


def test_queues_as_documented_pass() -> None:
    """The attributes of docs/reference/queues.md have no finding that fails."""
    assert [finding.verdict for finding in _judge()] == [Verdict.PASSED]


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"dead_letters_to": ""}, "q has no redrive policy"),
        ({"dead_letters_to": _ARN + "-other"}, f"q sends its dead letters to {_ARN}-other and not to q-dead"),
        ({"receives": 1}, "q makes a message a dead letter after 1 receives"),
        ({"visibility": timedelta(seconds=30)}, "q delivers a message again after 30 s"),
        ({"retention": timedelta(hours=12)}, "q deletes messages that wait for 0.5 days"),
    ],
)
def test_another_attribute_is_found(changes: dict[str, Any], text: str) -> None:
    """A queue that was created again without its attributes is found, each with what to do."""
    [finding] = _judge(replace(_QUEUE, **changes))

    assert finding.verdict is Verdict.FAILED
    assert finding.text.startswith(text)
    assert finding.remedy


def test_the_remedy_of_a_missing_redrive_policy_names_the_dead_letter_queue() -> None:
    """The command can be copied."""
    [finding] = _judge(replace(_QUEUE, dead_letters_to=""))

    attributes = json.loads(finding.remedy.partition("--attributes '")[2].rstrip("'"))
    redrive = json.loads(attributes["RedrivePolicy"])
    assert redrive == {"deadLetterTargetArn": _DEAD_ARN, "maxReceiveCount": "5"}


def test_dead_letters_that_expire_soon_are_found() -> None:
    """SQS counts their age from the first sending, so fourteen days are needed."""
    [finding] = _judge(dead=replace(_DEAD, retention=_FOUR_DAYS))

    assert (finding.subject, finding.verdict) == ("q-dead", Verdict.FAILED)


def test_missing_queues_are_found() -> None:
    """Each queue that does not exist is named; the other is judged all the same."""
    assert [finding.subject for finding in _judge(None, None)] == ["q", "q-dead"]
    assert "the queue q-dead does not exist" in [finding.text for finding in _judge(dead=None)]


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        ("", set()),
        ("not JSON", set()),
        ("[]", set()),
        ('{"Statement": [1]}', set()),
        (_policy(), {_TOPIC}),
        (_policy([_TOPIC, _BUCKET]), {_TOPIC, _BUCKET}),
        (_policy(Action=["sqs:*"]), {_TOPIC}),
        (_policy(Action="SQS:SendMessage"), {_TOPIC}),
        (_policy(Action="sqs:ReceiveMessage"), set()),
        (_policy(Effect="Deny"), set()),
        (_policy(Condition={}), {"*"}),
        (_policy(Condition={"ArnLike": {"AWS:SourceArn": _TOPIC}}), {_TOPIC}),
        (_policy(Condition={"StringEquals": {"aws:SourceAccount": "1"}}), set()),
    ],
)
def test_senders_are_read_from_a_policy(policy: str, expected: set[str]) -> None:
    """Only statements that allow sending count, and no text raises."""
    assert senders(policy) == expected


def test_a_confirmed_subscription_passes_and_others_are_found() -> None:
    """A missing subscription and one that awaits confirmation are told apart."""
    cases = {
        Verdict.PASSED: [Subscription(_ARN, is_confirmed=True)],
        "does not subscribe": [Subscription(_ARN + "-other", is_confirmed=True)],
        "awaits confirmation": [Subscription(_ARN, is_confirmed=False)],
    }
    for expected, subscriptions in cases.items():
        [finding] = judge_subscriptions("q", _QUEUE, {_TOPIC: subscriptions})
        assert finding.verdict is expected or expected in finding.text


def test_a_queue_that_no_topic_may_send_to_is_found() -> None:
    """Without a policy SNS delivers nothing, silently."""
    [finding] = judge_subscriptions("q", replace(_QUEUE, policy=""), {})

    assert finding.verdict is Verdict.FAILED
    assert topics_of(_QUEUE) == [_TOPIC]


_ALL = Announcement(_TOPIC, tuple(SOURCE_EVENTS), "schedules/")


@pytest.mark.parametrize(
    "found",
    [
        [_ALL],
        [replace(_ALL, prefix="")],
        [replace(_ALL, target=_ARN, suffix=".json")],
        [replace(_ALL, events=(event,)) for event in SOURCE_EVENTS],
        [
            replace(_ALL, events=SOURCE_EVENTS[1:]),
            replace(
                _ALL,
                events=tuple(
                    f"s3:ObjectCreated:{n}" for n in ("Put", "Post", "Copy", "CompleteMultipartUpload")
                ),
            ),
        ],
    ],
)
def test_a_bucket_that_announces_everything_passes(found: list[Announcement]) -> None:
    """By one configuration or several, to the topic or to the queue, with wildcards or each event named."""
    [finding] = judge_announcements("bucket", found, [_ARN, _TOPIC])

    assert finding.verdict is Verdict.PASSED


@pytest.mark.parametrize(
    ("found", "missing"),
    [
        ([], "s3:ObjectCreated:*, s3:ObjectRemoved:*, s3:LifecycleExpiration:*"),
        ([replace(_ALL, events=SOURCE_EVENTS[:2])], "s3:LifecycleExpiration:*"),
        ([replace(_ALL, events=("s3:ObjectCreated:Put", *SOURCE_EVENTS[1:]))], "s3:ObjectCreated:*"),
        ([replace(_ALL, prefix="schedules/alder/")], "s3:ObjectCreated:*"),
        ([replace(_ALL, suffix=".xml")], "s3:ObjectCreated:*"),
        ([replace(_ALL, target=_TOPIC + "-other")], "s3:ObjectCreated:*"),
    ],
)
def test_what_a_bucket_does_not_announce_is_found(found: list[Announcement], missing: str) -> None:
    """An event, a prefix, a suffix or a target that leaves changes out."""
    [finding] = judge_announcements("bucket", found, [_ARN, _TOPIC])

    assert finding.verdict is Verdict.FAILED
    assert missing in finding.text


def test_eventbridge_is_not_judged() -> None:
    """Its rules may be in another account, so the finding is that they were not checked."""
    [finding] = judge_announcements("bucket", [Announcement(EVENTBRIDGE)], [_TOPIC])

    assert finding.verdict is Verdict.UNCHECKED
