"""Judges queues, subscriptions and events of the bucket by docs/reference/queues.md. Pure."""

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Any

from schedules_pipeline.health.probes.ports import EVENTBRIDGE, Announcement, Subscription
from schedules_pipeline.health.probes.probe import Finding, failed, passed, unchecked
from schedules_pipeline.health.wording import duration
from schedules_pipeline.publishing.ports.upstream import QueueAttributes

VISIBILITY = timedelta(seconds=60)
"""Longer than a batch of ten messages is handled, also while Redis answers slowly."""

_LONGEST_VISIBILITY = timedelta(minutes=15)
"""The messages of a process that died wait as long."""

RETENTION = timedelta(days=4)
DEAD_RETENTION = timedelta(days=14)
_FEWEST_RECEIVES = 3
"""With fewer, an outage of a minute makes dead letters."""

PREFIX = "schedules/"
_SUFFIXES = ("", ".json", "json")
_KINDS: Mapping[str, frozenset[str]] = {
    "s3:ObjectCreated:": frozenset({"Put", "Post", "Copy", "CompleteMultipartUpload"}),
    "s3:ObjectRemoved:": frozenset({"Delete", "DeleteMarkerCreated"}),
    "s3:LifecycleExpiration:": frozenset({"Delete", "DeleteMarkerCreated"}),
}


def judge_queue(
    name: str, queue: QueueAttributes | None, dead_name: str, dead: QueueAttributes | None
) -> Iterator[Finding]:
    """Compare a queue and its dead-letter queue with the documented attributes."""
    for each, found in ((name, queue), (dead_name, dead)):
        if found is None:
            yield failed(each, f"the queue {each} does not exist", f"create {each} as documented")
    if queue is None:
        return
    wrong = [
        *judge_attributes(name, queue, dead.arn if dead else f"<ARN of {dead_name}>"),
        *_judge_target(name, queue, dead_name, dead),
    ]
    if dead is not None and dead.retention < DEAD_RETENTION:
        text = f"{dead_name} deletes dead letters after {_days(dead.retention)}"
        wrong.append(failed(dead_name, text, _set(dead_name, "MessageRetentionPeriod=1209600")))
    yield from wrong or [passed(name, f"{name} and {dead_name} are as documented")]


def judge_attributes(name: str, queue: QueueAttributes, dead_arn: str) -> Iterator[Finding]:
    """What is wrong with the attributes of one queue, of itself: nothing if they are as documented. ``dead_arn``:
    of its dead-letter queue, for the remedy.
    """
    policy = json.dumps({"deadLetterTargetArn": dead_arn, "maxReceiveCount": "5"})
    remedy = _set(name, f"'{json.dumps({'RedrivePolicy': policy})}'")
    if not queue.dead_letters_to:
        text = f"{name} has no redrive policy, so a message that fails is delivered until it expires"
        yield failed(name, text, remedy)
    elif queue.receives < _FEWEST_RECEIVES:
        text = f"{name} makes a message a dead letter after {queue.receives} receives"
        yield failed(name, text, remedy)
    if not VISIBILITY <= queue.visibility <= _LONGEST_VISIBILITY:
        after = f"{name} delivers a message again after {duration(queue.visibility)}"
        consequence = (
            "perhaps while it is being handled"
            if queue.visibility < VISIBILITY
            else "so the messages of a process that died wait as long"
        )
        yield failed(name, f"{after}, {consequence}", _set(name, "VisibilityTimeout=60"))
    if queue.retention < RETENTION:
        text = f"{name} deletes messages that wait for {_days(queue.retention)}"
        yield failed(name, text, _set(name, "MessageRetentionPeriod=345600"))


def _judge_target(
    name: str, queue: QueueAttributes, dead_name: str, dead: QueueAttributes | None
) -> Iterator[Finding]:
    if dead is not None and queue.dead_letters_to not in ("", dead.arn):
        text = f"{name} sends its dead letters to {queue.dead_letters_to} and not to {dead_name}"
        remedy = "correct the redrive policy, or the setting that names the dead-letter queue"
        yield failed(name, text, remedy)


def _set(name: str, attribute: str) -> str:
    return f"aws sqs set-queue-attributes --queue-url <URL of {name}> --attributes {attribute}"


def _days(length: timedelta) -> str:
    return f"{length / timedelta(days=1):.1f} days"


def senders(policy: str) -> frozenset[str]:
    """The ARNs of the topics, buckets and rules that a queue's policy lets send; "*" for any sender.

    Empty if the policy cannot be decoded.
    """
    try:
        statements = json.loads(policy)["Statement"] if policy else []
    except (ValueError, LookupError, TypeError):
        return frozenset()
    listed = statements if isinstance(statements, list) else [statements]
    return frozenset(arn for each in listed if isinstance(each, dict) for arn in _senders_of(each))


def _senders_of(statement: Mapping[str, Any]) -> Iterator[str]:
    actions = [action.lower() for action in _listed(statement.get("Action"))]
    if statement.get("Effect") != "Allow" or not {"sqs:sendmessage", "sqs:*", "*"} & set(actions):
        return
    conditions = statement.get("Condition")
    if not isinstance(conditions, dict) or not conditions:
        yield "*"
        return
    for condition in conditions.values():
        for key, values in condition.items() if isinstance(condition, dict) else ():
            if str(key).lower() == "aws:sourcearn":
                yield from _listed(values)


def _listed(value: object) -> list[str]:
    return [str(each) for each in value] if isinstance(value, list) else [str(value)] if value else []


def topics_of(queue: QueueAttributes) -> list[str]:
    """The topics that may send to the queue."""
    return sorted(arn for arn in senders(queue.policy) if ":sns:" in arn and "*" not in arn)


def judge_subscriptions(
    name: str, queue: QueueAttributes, subscribers: Mapping[str, Sequence[Subscription]]
) -> Iterator[Finding]:
    """``subscribers``: of each topic that may send to the queue."""
    if not senders(queue.policy):
        remedy = "allow the topic, the bucket or the rule of EventBridge in the queue's policy"
        yield failed(name, f"the policy of {name} lets nothing outside the account send to it", remedy)
    for topic, found in subscribers.items():
        own = [each for each in found if each.endpoint == queue.arn]
        if not own:
            remedy = (
                f"aws sns subscribe --topic-arn {topic} --protocol sqs --notification-endpoint {queue.arn}"
            )
            yield failed(name, f"{name} does not subscribe to {topic}", remedy)
        elif not any(each.is_confirmed for each in own):
            remedy = "confirm it with `schedules-pipeline doctor --fix`"
            yield failed(name, f"the subscription of {name} to {topic} awaits confirmation", remedy)
        else:
            yield passed(name, f"{name} subscribes to {topic}")


def judge_announcements(
    bucket: str, found: Sequence[Announcement], targets: Collection[str]
) -> Iterator[Finding]:
    """``targets``: the queue, and the topics that may send to it."""
    if any(each.target == EVENTBRIDGE for each in found):
        yield unchecked(bucket, "it announces to EventBridge, whose rules are not read")
        return
    heard = [each for each in found if each.target in targets and _covers_schedules(each)]
    missing = [f"{kind}*" for kind, names in _KINDS.items() if not _announces(heard, kind, names)]
    if missing:
        listed = ", ".join(missing)
        text = f"the bucket {bucket} does not announce {listed} below {PREFIX} to the queue"
        remedy = "announce the events that the bucket in deploy/cloudformation/inputs.yaml announces"
        yield failed(bucket, text, remedy)
    else:
        yield passed(bucket, f"the bucket {bucket} announces puts, removals and expiry")


def _covers_schedules(announcement: Announcement) -> bool:
    return PREFIX.startswith(announcement.prefix) and announcement.suffix in _SUFFIXES


def _announces(heard: Sequence[Announcement], kind: str, names: frozenset[str]) -> bool:
    events = {event for each in heard for event in each.events}
    return f"{kind}*" in events or events >= {f"{kind}{name}" for name in names}
